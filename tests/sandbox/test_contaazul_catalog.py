"""Products and people of the simulated Conta Azul against reference/contaazul.md §3 to §5."""

import pytest

from tests.sandbox.contaazul_client import ContaAzulClient


@pytest.fixture
def ca(served):
    client = ContaAzulClient(served)
    yield client
    client.http.close()


def test_name_alone_makes_a_product(ca):
    """§4.3: the server fills SKU, category, status, format, version."""
    body = ca.api("POST", "/produtos", json={"nome": "Vaso de barro"}).json()
    assert body["codigo_sku"] == "VASO-DE-BARRO"
    assert (body["categoria"]["descricao"], body["status"], body["formato"], body["versao"]) == (
        "Outras", "ATIVO", "SIMPLES", 0,
    )  # fmt: skip
    assert "é obrigatório" in ca.error(ca.api("POST", "/produtos", json={"descricao": "sem nome"}))


def test_sku_has_three_names_and_the_price_two_places(ca):
    """§4.1, §4.2."""
    made = ca.product(codigo_sku="CAN-1", codigo_ean="7891234567895")
    listed = ca.get("/produtos", sku="CAN-1")
    row = listed["items"][0]
    assert (listed["totalItems"], row["codigo"], row["ean"], row["valor_venda"], row["saldo"]) == (
        1, "CAN-1", "7891234567895", 50.0, 10.0,
    )  # fmt: skip
    detail = ca.get(f"/produtos/{made['id']}")
    assert (detail["codigo_sku"], detail["estoque"]["valor_venda"], detail["estoque"]["quantidade_total"]) == (
        "CAN-1", 50.0, 10.0,
    )  # fmt: skip
    assert {"minimumStock", "maximumStock"} <= detail["estoque"].keys()
    assert len(detail["ultima_atualizacao"]) == 30


def test_misspelt_filter_returns_everything(ca):
    """§3.5: `codigo` is not the name of the filter."""
    for at in range(3):
        ca.product(codigo_sku=f"S{at}")
    assert ca.get("/produtos", codigo="S1")["totalItems"] == 3
    assert ca.get("/produtos", sku="S1")["totalItems"] == 1
    assert ca.get("/produtos", sku="s1")["totalItems"] == 0


def test_filters_and_order_of_products(ca):
    """§4.1."""
    ca.product(codigo_sku="B", nome="Bola", estoque={"valor_venda": 10})
    ca.product(codigo_sku="A", nome="Arco", estoque={"valor_venda": 30}, status="INATIVO")
    ca.product(codigo_sku="C", nome="Corda", estoque={"valor_venda": 20}, ecommerce={"integracao_ativa": True})

    def skus(**params):
        return [row["codigo"] for row in ca.get("/produtos", **params)["items"] or []]

    assert skus(campo_ordenacao="NOME") == ["A", "B", "C"]
    assert skus(campo_ordenacao="VALOR_VENDA", direcao_ordenacao="DESC") == ["A", "C", "B"]
    assert skus(status="INATIVO") == ["A"]
    assert skus(valor_venda_inicial=15, valor_venda_final=25) == ["C"]
    assert skus(integracao_ecommerce_ativo="true") == ["C"]
    assert skus(produtos_kit_ativo="true") == []
    assert skus(busca="ord") == ["C"]
    ca.error(ca.api("GET", "/produtos", params={"status": "ativo"}))


def test_sizes_and_pages(ca):
    """§3.6: a size outside the list is 400; pages from 1."""
    ca.erp("POST", "seed", {"products": 25})
    assert len(ca.get("/produtos")["items"]) == 10
    assert [len(ca.get("/produtos", pagina=p, tamanho_pagina=20)["items"]) for p in (1, 2)] == [20, 5]
    for params in ({"tamanho_pagina": 15}, {"pagina": 0}, {"pagina": "x"}):
        ca.error(ca.api("GET", "/produtos", params=params))


def test_empty_lists_are_null(ca):
    """§3.6, §11."""
    assert ca.get("/pessoas") == {"items": None, "totalItems": 0}
    assert ca.get("/produtos") == {"items": None, "totalItems": 0}
    assert ca.get("/venda/busca")["itens"] is None
    ca.settings(empty_lists="observed")
    assert ca.get("/pessoas")["items"] is None
    assert ca.get("/produtos")["items"] == []


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"nome": "X", "formato": "OUTRO"}, "formato"),
        ({"nome": "X", "estoque": {"valor_venda": "10"}}, "estoque.valor_venda"),
        ({"nome": "X", "fiscal": {"ncm": {"codigo": "69120000"}}}, "fiscal.ncm.id"),
        ({"nome": "X", "fiscal": {"ncm": {"id": 12}}}, "ncm"),
        ({"nome": "X", "fiscal": {"origem": "Nacional"}}, "fiscal.origem"),
        ({"nome": "X", "categoria": {"id": 99}}, "categoria"),
        ({"nome": 5}, "nome"),
    ],
)
def test_wrong_products_are_refused_with_one_field(ca, body, part):
    """§3.4, §4.3, §4.7."""
    answer = ca.api("POST", "/produtos", json=body)
    assert answer.json().keys() == {"error"}
    assert part in ca.error(answer)


def test_ncm_goes_by_the_id_of_the_lookup(ca):
    """§4.3, §4.6: list key `items`, total key `total_items`."""
    found = ca.get("/produtos/ncm", busca_textual="61091000")
    assert found["total_items"] == 1
    made = ca.product(fiscal={"ncm": {"id": found["items"][0]["id"]}})
    assert made["fiscal"]["ncm"]["codigo"] == "61091000"
    assert ca.get("/produtos/ncm", busca_textual="8471.30.12")["items"][0]["codigo"] == "84713012"
    assert "UN" in [u["abreviacao"] for u in ca.get("/produtos/unidades-medida")["items"]]
    ca.error(ca.api("GET", "/produtos/ecommerce-categorias"))
    assert ca.get("/produtos/ecommerce-marcas")["items"] is None


def test_patch_takes_the_price_and_never_the_stock(ca):
    """§4.4, §4.5: 204, flat body, unknown fields ignored, version grows."""
    made = ca.product()
    body = {"valor_venda": 61.9, "estoque": {"estoque_disponivel": 99}, "descricao": "nova", "status": "INATIVO"}
    answer = ca.api("PATCH", f"/produtos/{made['id']}", json=body)
    assert (answer.status_code, answer.content) == (204, b"")
    now = ca.get(f"/produtos/{made['id']}")
    assert (now["estoque"]["valor_venda"], now["estoque"]["quantidade_total"]) == (61.9, 10.0)
    assert (now["descricao"], now["status"], now["versao"]) == ("", "ATIVO", 1)
    ca.settings(product_patch="refuse")
    ca.error(ca.api("PATCH", f"/produtos/{made['id']}", json={"estoque": 1}))


def test_delete_is_physical(ca):
    """§4.6."""
    made = ca.product()
    assert ca.api("DELETE", f"/produtos/{made['id']}").status_code == 204
    assert ca.api("GET", f"/produtos/{made['id']}").status_code == 404
    ca.error(ca.api("GET", "/produtos/123"))


def test_same_sku_twice_makes_two_products_unless_told(ca):
    """§4.7: not known; the sandbox takes what hurts."""
    ca.product(codigo_sku="D")
    ca.product(codigo_sku="D")
    assert ca.get("/produtos", sku="D")["totalItems"] == 2
    ca.settings(duplicate_sku="refuse")
    ca.error(ca.api("POST", "/produtos", json={"nome": "Z", "codigo_sku": "D"}))


def test_variations_and_kits(ca):
    """§4.1 to §4.3."""
    parent = ca.product(codigo_sku="P", formato="VARIACAO", variacao={
        "tipos": [
            {"descricao": "Cor", "opcoes": [{"id": "1", "descricao": "Azul"}, {"id": "2", "descricao": "Preta"}]}],
        "produtos": [
            {"codigo_sku": "P-A", "saldo": 3, "valor_venda": 40, "opcoes": [{"id": "1"}]},
            {"codigo_sku": "P-P", "saldo": 4, "opcoes": [{"id": "2"}]}]})  # fmt: skip
    assert [v["codigo_sku"] for v in parent["variacao"]["produtos"]] == ["P-A", "P-P"]
    row = ca.get("/produtos", sku="P-A")["items"][0]
    assert (row["codigo"], row["saldo"], len(row["produtos_variacao"])) == ("P", 7.0, 2)
    part = ca.product(codigo_sku="K1")
    kit = ca.product(codigo_sku="K", detalhe_kit={"itens": [{"id_produto": part["id"], "quantidade": 3}]})
    assert kit["estoque"]["quantidade_total"] == 3
    assert [r["codigo"] for r in ca.get("/produtos", produtos_kit_ativo="true")["items"]] == ["K"]


def test_alteration_range_rules(ca):
    """§3.7: no zone, no millis, both ends, 365 days, São Paulo time."""
    ca.freeze("2026-11-10T12:00:00")
    made = ca.product()

    def ask(start, end, **rest):
        params = {k: v for k, v in {"data_alteracao_de": start, "data_alteracao_ate": end}.items() if v}
        return ca.api("GET", "/produtos", params={**params, **rest})

    assert ask("2026-11-10T12:00:00", "2026-11-10T12:00:00").json()["totalItems"] == 1
    assert ask("2026-11-10T15:00:00", "2026-11-10T16:00:00").json()["totalItems"] == 0
    for wrong in (
        ("2026-11-10T12:00:00Z", "2026-11-10T12:00:00Z"), ("2026-11-10T12:00:00.000", "2026-11-10T12:00:00"),
        ("2026-11-10", "2026-11-11"), ("2026-11-10T12:00:00", ""), ("2025-11-09T11:59:59", "2026-11-10T12:00:00"),
    ):  # fmt: skip
        ca.error(ask(*wrong))
    ca.advance(3600)
    ca.erp("PATCH", f"products/{made['id']}", {"valor_venda": 9})
    assert ask("2026-11-10T13:00:00", "2026-11-10T13:00:00").json()["totalItems"] == 1
    ca.advance(60)
    ca.erp("POST", f"products/{made['id']}/stock", {"balance": 2})
    assert ca.get("/produtos")["items"][0]["saldo"] == 2
    assert ask("2026-11-10T13:00:30", "2026-11-10T14:00:00").json()["totalItems"] == 0


def test_search_lags_behind_for_products_and_people(ca):
    """§12: what GET by id shows at once the lists show later."""
    ca.freeze()
    ca.settings(search_lag_s=3, people_defaults="all")
    made, who = ca.product(codigo_sku="L"), ca.person()
    assert ca.get(f"/produtos/{made['id']}")["codigo_sku"] == "L"
    assert ca.get("/produtos", sku="L")["totalItems"] == 0
    assert ca.get("/pessoas", documentos="90000000132")["totalItems"] == 0
    ca.advance(3)
    assert ca.get("/produtos", sku="L")["totalItems"] == 1
    assert ca.get("/pessoas", documentos="90000000132")["items"][0]["id"] == who["id"]
    ca.api("PATCH", f"/produtos/{made['id']}", json={"codigo_sku": "M"})
    assert [ca.get("/produtos", sku=s)["totalItems"] for s in ("L", "M")] == [1, 0]
    ca.advance(3)
    assert [ca.get("/produtos", sku=s)["totalItems"] for s in ("L", "M")] == [0, 1]


def test_smallest_person(ca):
    """§5.3: name, accented kind and a profile."""
    smallest = {"nome": "Cliente Exemplo", "tipo_pessoa": "Física", "perfis": [{"tipo_perfil": "Cliente"}]}
    made = ca.api("POST", "/pessoas", json=smallest).json()
    assert (made["origem"], made["tipo_pessoa"], made["estrangeiro"]) == ("API", "FISICA", False)
    assert ca.get(f"/pessoas/{made['id']}")["data_alteracao"] == ""
    for name in smallest:
        body = {k: v for k, v in smallest.items() if k != name}
        assert name in ca.error(ca.api("POST", "/pessoas", json=body))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"tipo_pessoa": "FISICA"}, "tipo_pessoa"),
        ({"nome": "x" * 201}, "200"),
        ({"codigo": "x" * 21}, "20"),
        ({"email": "x" * 101}, "100"),
        ({"observacao": "x" * 2001}, "2000"),
        ({"cpf": "123"}, "cpf"),
        ({"cnpj": "1234"}, "cnpj"),
        ({"data_nascimento": "01/02/1990"}, "data_nascimento"),
        ({"enderecos": [{"estado": "Santa Catarina"}]}, "enderecos[0].estado"),
        ({"inscricoes": [{"indicador_inscricao_estadual": "NAO_CONTRIBUINTE"}]}, "indicador"),
        ({"perfis": [{"tipo_perfil": "CLIENTE"}]}, "perfis[0].tipo_perfil"),
    ],
)
def test_wrong_people_are_refused(ca, change, part):
    """§5.3."""
    body = {"nome": "N", "tipo_pessoa": "Física", "perfis": [{"tipo_perfil": "Cliente"}], **change}
    assert part in ca.error(ca.api("POST", "/pessoas", json=body))


def test_defaults_of_the_search_narrow_it(ca):
    """§5.1: without tipos_pessoa and tipo_perfil only Física and Cliente are found."""
    ca.person(nome="Empresa Inventada", tipo_pessoa="Jurídica", cpf=None, cnpj="91.000.099/0001-52")
    assert ca.get("/pessoas", documentos="91000099000152")["items"] is None
    found = ca.get("/pessoas", documentos="91000099000152", tipos_pessoa="Física,Jurídica", tipo_perfil="Cliente")
    row = found["items"][0]
    assert (row["documento"], row["tipo_pessoa"], row["perfis"]) == ("91.000.099/0001-52", "Jurídica", ["CLIENTE"])
    assert ca.get(f"/pessoas/{row['id']}")["tipo_pessoa"] == "JURIDICA"
    ca.error(ca.api("GET", "/pessoas", params={"tipos_pessoa": "FISICA"}))


def test_documents_with_and_without_mask(ca):
    """§5.1, §13: not known which one is wanted."""
    ca.person()
    assert [ca.get("/pessoas", documentos=d)["totalItems"] for d in ("90000000132", "900.000.001-32", "1")] == [1, 1, 0]
    ca.settings(document_search="masked")
    assert [ca.get("/pessoas", documentos=d)["totalItems"] for d in ("90000000132", "900.000.001-32")] == [0, 1]


def test_same_document_twice_makes_two_people_unless_told(ca):
    """§5.3: always search first."""
    ca.person()
    ca.person()
    assert ca.get("/pessoas", documentos="90000000132")["totalItems"] == 2
    ca.settings(duplicate_person="refuse")
    body = {"nome": "N", "tipo_pessoa": "Física", "cpf": "90000000132", "perfis": [{"tipo_perfil": "Cliente"}]}
    ca.error(ca.api("POST", "/pessoas", json=body))


def test_put_wants_everything_and_patch_what_is_sent(ca):
    """§5.4."""
    made = ca.person()
    asked = []
    body = {"nome": "Novo", "tipo_pessoa": "Física", "perfis": [{"tipo_perfil": "Cliente"}]}
    fill = {
        "cpf": "900.000.001-32", "codigo": "1", "rg": "1", "data_nascimento": "1990-01-01", "email": "a@b.example",
        "telefone_comercial": "1", "observacao": "o", "inscricoes": [{"inscricao_estadual": "1"}],
        "outros_contatos": [{"nome": "Contato", "telefone_celular": "1"}], "enderecos": [{"complemento": "c"}],
    }  # fmt: skip
    while (answer := ca.api("PUT", f"/pessoas/{made['id']}", json=body)).status_code == 400:
        field = next(f for f in fill if f in ca.error(answer))
        assert field not in asked
        asked.append(field)
        body[field] = fill[field]
    assert asked == list(fill)
    assert answer.json()["nome"] == "Novo"
    patch = ca.api("PATCH", f"/pessoas/{made['id']}", json={"nome_empresa": "Fantasia"})
    assert patch.status_code == 204
    assert ca.get(f"/pessoas/{made['id']}")["nome_empresa"] == "Fantasia"


def test_switching_and_deleting_people(ca):
    """§5.4: the idle bucket is null; deletion is physical; at most 10."""
    made = ca.person()
    off = ca.api("POST", "/pessoas/inativar", json={"uuids": [made["id"]]}).json()
    assert off == {"todos": [made["id"]], "ativos": None, "inativos": [made["id"]]}
    ca.error(ca.api("POST", "/pessoas/ativar", json={"uuids": [made["id"]] * 11}))
    assert ca.api("POST", "/pessoas/excluir", json={"uuids": [made["id"]]}).status_code == 204
    assert ca.api("GET", f"/pessoas/{made['id']}").status_code == 404


def test_old_id_of_a_person_is_a_uuid(ca):
    """§5.2."""
    ca.person()
    row = ca.get("/pessoas")["items"][0]
    assert ca.get(f"/pessoas/legado/{row['uuid_legado']}")["id"] == row["id"]
    ca.error(ca.api("GET", f"/pessoas/legado/{row['id_legado']}"))


def test_finance_lookups_have_their_own_keys_and_needs(ca):
    """§3.4, §3.6, §8."""
    missing = ca.api("GET", "/categorias", params={"pagina": 1, "tamanho_pagina": 10})
    assert missing.json().keys() == {"code", "message"}
    found = ca.get("/categorias", pagina=1, tamanho_pagina=10, permite_apenas_filhos="true", tipo="RECEITA")
    assert {c["tipo"] for c in found["itens"]} == {"RECEITA"}
    assert {"itens_totais", "totais"} <= found.keys()
    banks = ca.get("/conta-financeira", apenas_ativo="true")
    assert sum(b["conta_padrao"] for b in banks["itens"]) == 1
    assert ca.get(f"/conta-financeira/{banks['itens'][0]['id']}/saldo-atual") == {"saldo_atual": 0.0}
    ca.error(ca.api("GET", "/centro-de-custo"))
    ca.api("POST", "/centro-de-custo", json={"nome": "Feira", "codigo": "F"})
    centres = ca.get("/centro-de-custo", pagina=1, tamanho_pagina=10)
    assert [c["nome"] for c in centres["items"]] == ["Loja virtual", "Feira"]


def test_seed_makes_what_was_asked(ca):
    assert ca.erp("POST", "seed", {"products": 12, "people": 8}) == {"products": 12, "people": 8}
    assert ca.get("/produtos", sku="GER-000012")["totalItems"] == 1
    assert ca.get("/pessoas", tipos_pessoa="Física,Jurídica")["totalItems"] == 8
    answer = ca.http.post("/_sandbox/contaazul/accounts/demo/seed", json={"sales": 1})
    assert answer.status_code == 400
