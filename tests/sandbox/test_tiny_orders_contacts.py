"""Contacts of API v2 against reference/tiny.md §3.11."""

from tests.sandbox.tiny_trade import CLIENT, place, texts

NEW = {"sequencia": 1, "nome": "Ana Lima", "situacao": "A", "cpf_cnpj": "529.982.247-25", "codigo": "a-1"}


def write(tiny, service, *rows):
    answer = tiny.v2(service, contato={"contatos": [{"contato": row} for row in rows]})
    return answer, [row["registro"] for row in answer["registros"]]


def test_create_read_and_find_by_document(tiny):
    # samples v2_contato_incluir_response.json, v2_contatos_pesquisa.json, v2_contato_obter.json
    answer, (record,) = write(tiny, "contato.incluir.php", {**NEW, "cidade": "Niterói", "uf": "RJ", "cep": "24020000"})
    assert (answer["status_processamento"], answer["status"], record["sequencia"]) == (3, "OK", "1")
    (row,) = tiny.v2("contatos.pesquisa", pesquisa="", cpf_cnpj="52998224725")["contatos"]
    found = row["contato"]
    assert (str(found["id"]), found["cpf_cnpj"], found["cep"], found["situacao"]) == (
        record["id"], "52998224725", "24020-000", "Ativo",
    )  # fmt: skip
    body = tiny.v2("contato.obter", id=record["id"])["contato"]
    assert (body["cpf_cnpj"], body["cep"], body["situacao"]) == ("529.982.247-25", "24.020-000", "A")
    assert body["tipos_contato"] == [{"tipo": "Cliente"}]


def test_what_is_wrong_stands_in_the_record(tiny):
    # sample v2_contato_incluir_erro_validacao.json
    answer, (record,) = write(tiny, "contato.incluir", {"fantasia": "x"})
    assert (answer["status_processamento"], answer["status"], "codigo_erro" in answer) == ("2", "Erro", False)
    assert record["codigo_erro"] == "31"
    assert texts(record) == [
        "O número de sequência deve ser informado", "O nome do contato deve ser informado",
        "A situação do contato deve ser informada",
    ]  # fmt: skip


def test_known_code_or_document_is_30_and_the_rest_of_the_batch_goes_on(tiny):
    # §2.4, §3.11
    place(tiny)
    answer, (first, second) = write(
        tiny, "contato.incluir", {**NEW, "cpf_cnpj": CLIENT["cpf_cnpj"]}, {**NEW, "sequencia": 2}
    )
    assert (answer["status_processamento"], answer["status"]) == (4, "OK")
    assert (first["codigo_erro"], texts(first), second["status"]) == (
        "30", ["Erro de Duplicidade de Registro"], "OK",
    )  # fmt: skip


def test_update_blanks_what_is_left_out_and_adds_types(tiny):
    # §3.11, §8.5
    _, (record,) = write(tiny, "contato.incluir", {**NEW, "email": "a@exemplo.com"})
    change = {**NEW, "id": record["id"], "fone": "21", "tipos_contato": [{"tipo": "Fornecedor"}]}
    write(tiny, "contato.alterar", change)
    body = tiny.v2("contato.obter", id=record["id"])["contato"]
    assert (body["email"], body["fone"]) == ("", "21")
    assert [row["tipo"] for row in body["tipos_contato"]] == ["Cliente", "Fornecedor"]
    _, (unknown,) = write(tiny, "contato.alterar", {**NEW, "id": 5})
    assert unknown["codigo_erro"] == "32"


def test_search_filters_and_codes(tiny):
    # §3.11, §2.7
    tiny.settings(clock_rate=0, now="2026-02-11T10:00:00")
    write(tiny, "contato.incluir", NEW)
    tiny.advance(3600)
    write(tiny, "contato.incluir", {**NEW, "codigo": "b-1", "nome": "Bia", "cpf_cnpj": "", "situacao": "E"})

    def names(**query):
        answer = tiny.v2("contatos.pesquisa", **{"pesquisa": "", **query})
        return [row["contato"]["nome"] for row in answer.get("contatos", ())] or answer["codigo_erro"]

    assert names() == names(pesquisa="LIMA") == names(pesquisa="a-1") == ["Ana Lima"]
    assert names(situacao="Excluido") == ["Bia"]
    assert names(dataCriacao="11/02/2026 10:30:00") == names(pesquisa="zzz") == 20
    assert names(dataMinimaAtualizacao="2026-02-11") == 10
    assert tiny.v2("contatos.pesquisa")["codigo_erro"] == 10
    assert tiny.v2("contato.obter", id=5)["codigo_erro"] == "32"


def test_contact_writes_are_batch_calls(tiny):
    # §2.3
    tiny.account(plan="Evoluir")
    codes = [tiny.v2("contato.alterar", contato={"contatos": []}).get("codigo_erro") for _ in range(6)]
    assert codes == [None] * 5 + ["6"]
