"""Customers of the simulated TagPlus against reference/tagplus.md §7."""

import pytest

from tests.sandbox.tagplus_client import TagPlusClient

CPF = "90000000132"


@pytest.fixture
def tag(served):
    client = TagPlusClient(served)
    yield client
    client.http.close()


def test_top_level_mail_telephone_and_name_do_not_exist(tag):
    body = {"nome": "x", "email": "a@b.example", "telefone": "1", "cpf_cnpj": CPF}
    answer = tag.api("POST", "/clientes", json=body)
    assert answer.status_code == 422
    assert [e["schemaKey"] for e in answer.json()["errors"]] == ["/required/0", *["/additionalProperties"] * 4]
    assert tag.api("POST", "/clientes", json={"razao_social": "Jo"}).status_code == 422
    assert tag.api("POST", "/clientes", json={"razao_social": "João", "cpf": "123"}).status_code == 422


def test_a_customer_reads_with_masks_and_whole_places(tag):
    (city,) = tag.get("/cidades", codigo=4314902)
    row = tag.customer(
        contatos=[{"descricao": "a@b.example", "tipo_contato": 2, "tipo_cadastro": 1, "principal": True}],
        enderecos=[{"principal": True, "cep": "90010-000", "logradouro": "Rua A", "id_cidade": city["id"]}],
    )
    assert (row["cpf"], row["cnpj"], row["recebe_email"]) == ("900.000.001-32", None, True)
    assert row["enderecos"][0]["cidade"]["codigo"] == 4314902
    assert row["enderecos"][0]["cidade"]["estado"]["sigla"] == "RS"
    assert row["enderecos"][0]["pais"]["codigo"] == 1058
    assert row["contatos"][0]["tipo_contato"] == {"id": 2, "descricao": "E-mail", "tipo": "E"}
    wrong = tag.api("POST", "/clientes", json={"razao_social": "João", "enderecos": [{"id_cidade": 4314902}]})
    assert (wrong.status_code, wrong.json()["data"][0]["field"]) == (404, "id_cidade")


def test_the_two_number_spaces_overlap(tag):
    """§7: the entity of one is the id of another."""
    rows = [tag.customer(razao_social=f"Cliente {n}") for n in range(4)]
    assert rows[0]["id_entidade"] == rows[3]["id"]
    assert tag.get("/clientes", id_entidade=rows[0]["id_entidade"])[0]["id"] == rows[0]["id"]


def test_rows_may_lack_the_entity(tag):
    tag.customer()
    assert tag.get("/clientes")[0].keys() >= {"id", "id_entidade", "cpf", "cnpj", "razao_social"}
    tag.settings(customer_rows="vendor")
    assert tag.get("/clientes")[0].keys() == {"ativo", "codigo", "tipo", "razao_social", "exterior", "cpf"}


def test_a_document_is_found_in_either_form_or_as_the_setting_wants(tag):
    row = tag.customer()
    for text in (CPF, "900.000.001-32"):
        assert [c["id"] for c in tag.get("/clientes", cpf=text)] == [row["id"]]
        assert [c["id"] for c in tag.get("/clientes", q=text)] == [row["id"]]
    tag.settings(document_filter="masked")
    assert tag.get("/clientes", cpf=CPF) == []
    assert len(tag.get("/clientes", cpf="900.000.001-32")) == 1
    assert tag.get("/clientes", cnpj=CPF) == []


def test_the_search_finds_others_by_their_telephone(tag):
    mine = tag.customer()
    other = tag.customer(razao_social="Outra", cpf="90000000213", contatos=[{"descricao": "(90) 0 0000-0132"}])
    assert [c["id"] for c in tag.get("/clientes", q=CPF)] == [mine["id"], other["id"]]


def test_a_code_is_unique_and_a_cpf_is_not(tag):
    first = tag.customer(codigo="C-1")
    second = tag.customer(razao_social="Outro")
    assert len(tag.get("/clientes", cpf=CPF)) == 2
    answer = tag.api("POST", "/clientes", json={"razao_social": "Mais um", "codigo": "C-1"})
    assert (answer.status_code, answer.json()["data"]) == (422, [{"id": str(first["id"]), "field": "codigo"}])
    assert tag.api("PATCH", f"/clientes/{second['id']}", json={"codigo": "C-1"}).status_code == 422
    assert tag.patch(f"/clientes/{first['id']}", {"codigo": "C-1", "ativo": False})["ativo"] is False


def test_the_seller_of_a_customer_needs_a_permission(tag):
    row = tag.customer()
    tag.account(permissions={"alterar_vendedor_vinculado_cliente": False})
    answer = tag.api("PATCH", f"/clientes/{row['id']}", json={"vendedores": [4]})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "permissao_alterar_vendedor_vinculado_cliente")


def test_a_customer_with_orders_cannot_be_deleted(tag):
    row = tag.customer()
    order = tag.post("/pedidos", {"cliente": row["id"]})
    answer = tag.api("DELETE", f"/clientes/{row['id']}")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "apagar_cliente_vinculado")
    assert answer.json()["data"] == [{"id": str(row["id"]), "field": None}]
    tag.write("DELETE", f"/pedidos/{order['id']}")
    assert tag.write("DELETE", f"/clientes/{row['id']}") == {"message": "Deletado com sucesso"}


def test_the_merchant_edits_too(tag):
    made = tag.erp("POST", "customers", {"razao_social": "Da Loja", "cnpj": "04.108.518/0001-02", "tipo": "J"})
    assert made["cnpj"] == "04.108.518/0001-02"
    tag.erp("PATCH", f"customers/{made['id']}", {"razao_social": "DA LOJA LTDA"})
    assert tag.erp("GET", f"customers/{made['id']}")["razao_social"] == "DA LOJA LTDA"
    tag.erp("DELETE", f"customers/{made['id']}")
    assert tag.get("/clientes") == []
