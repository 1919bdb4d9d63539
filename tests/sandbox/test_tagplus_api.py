"""Traffic rules, lists and errors of the simulated TagPlus against reference/tagplus.md §1, §3 to §5, §10."""

import httpx
import pytest

from sandbox.core.clock import from_iso
from sandbox.tagplus.routes import ROUTER
from tests.sandbox.tagplus_client import TagPlusClient


@pytest.fixture
def tag(served):
    client = TagPlusClient(served)
    yield client
    client.http.close()


def codes(rows):
    return [row["codigo"] for row in rows]


def seeded(tag, products=0, customers=0):
    tag.erp("POST", "seed", {"products": products, "customers": customers})


def test_the_version_header_is_wanted_on_every_call(tag):
    bearer = {"Authorization": f"Bearer {tag.token}"}
    assert tag.http.get("/tagplus/api/me", headers=bearer).status_code == 400
    tag.settings(require_version=False)
    assert tag.http.get("/tagplus/api/me", headers=bearer).status_code == 200


def test_a_company_in_debt_gets_402(tag):
    tag.account(debt=True)
    answer = tag.api("GET", "/produtos")
    assert (answer.status_code, answer.json()["error_code"]) == (402, "pagamento_pendente")


def test_unknown_paths_and_records_are_404_with_the_vendors_body(tag):
    for path in ("/nowhere", "/produtos/999", "/produtos/abc", "/nfes/gerar_link_xml/1"):
        answer = tag.api("GET", path)
        assert answer.status_code == 404
        assert answer.json().keys() == {"error_code", "message", "dev_message", "data"}
        assert answer.json()["error_code"] == "nao_encontrado"


def test_a_limit_a_minute_answers_as_kong(tag):
    tag.freeze()
    tag.account(per_minute=2)
    first = tag.api("GET", "/me")
    assert (first.headers["x-ratelimit-limit-minute"], first.headers["x-ratelimit-remaining-minute"]) == ("2", "1")
    tag.api("GET", "/me")
    refused = tag.api("GET", "/me")
    assert (refused.status_code, refused.json()) == (429, {"message": "API rate limit exceeded"})
    assert refused.headers["x-ratelimit-remaining-minute"] == "0"
    tag.advance(60)
    assert tag.api("GET", "/me").status_code == 200


def test_planted_faults_break_calls_as_for_the_other_vendors(tag):
    def plant(fault, operation="GET /produtos", **rest):
        tag.control("POST", "/faults", {"fault": fault, "match": {"operation": operation}, **rest})

    plant("over_quota")
    assert tag.api("GET", "/produtos").status_code == 429
    plant("error_500")
    assert tag.api("GET", "/produtos").text.startswith("<!DOCTYPE html>")
    plant("html")
    assert tag.api("GET", "/produtos").headers["content-type"].startswith("text/html")
    plant("maintenance")
    assert tag.api("GET", "/produtos").status_code == 503
    plant("reset")
    with pytest.raises(httpx.TransportError):
        tag.api("GET", "/produtos")
    plant("wrong_type")
    assert tag.api("GET", "/produtos").json() == {}
    plant("answer_lost", "POST /produtos")
    with pytest.raises(httpx.TransportError):
        tag.api("POST", "/produtos", json={"descricao": "Feito"})
    assert len(tag.erp("GET", "products")) == 1


def test_lists_are_bare_arrays_of_main_fields_with_the_number_of_pages(tag):
    seeded(tag, products=45)
    answer = tag.api("GET", "/produtos")
    assert answer.headers["x-total-pages"] == "3"
    assert len(answer.json()) == 20
    assert answer.json()[0].keys() == {"codigo", "descricao"}
    assert codes(tag.get("/produtos", page=3)) == [f"GER-{n:06d}" for n in range(41, 46)]
    assert tag.get("/produtos", page=4) == []


def test_a_page_holds_no_more_than_a_hundred(tag):
    seeded(tag, products=120)
    answer = tag.api("GET", "/produtos", params={"per_page": 200})
    assert (len(answer.json()), answer.headers["x-total-pages"]) == (100, "2")
    assert tag.api("GET", "/produtos", params={"page": 0}).status_code == 422


def test_fields_pick_and_a_star_gives_nearly_all(tag):
    tag.product(atributos=[{"nome": "cor"}])
    (row,) = tag.get("/produtos", fields="id,codigo,valores_venda,nope")
    assert row.keys() == {"id", "codigo", "valores_venda"}
    (star,) = tag.get("/produtos", fields="*")
    item = tag.get(f"/produtos/{row['id']}")
    assert set(item) - set(star) == {"atributos", "observacoes"}


def test_filters_are_equality_and_operators_are_422(tag):
    tag.product(codigo="A", ativo=False)
    tag.product(codigo="B", tipo="G")
    tag.product(codigo="AB")
    assert codes(tag.get("/produtos", codigo="A")) == ["A"]
    assert codes(tag.get("/produtos", ativo="false")) == codes(tag.get("/produtos", ativo="0")) == ["A"]
    assert codes(tag.get("/produtos", tipo="N,G")) == ["A", "B", "AB"]
    assert codes(tag.get("/produtos", nope="x")) == ["A", "B", "AB"]
    assert tag.api("GET", "/produtos", params={"numero[eq]": "1"}).status_code == 422
    tag.settings(unknown_filter="refuse")
    assert tag.api("GET", "/produtos", params={"perPage": "1"}).status_code == 422


def test_filters_may_travel_in_the_body(tag):
    tag.product(codigo="A")
    tag.product(codigo="B")
    answer = tag.api("GET", "/produtos", headers={"X-Accepts-Body": "1"}, json={"codigo": "B"})
    assert codes(answer.json()) == ["B"]


def test_q_looks_into_main_fields_without_case_and_accents(tag):
    tag.product(codigo="A", descricao="Luminária Azul")
    tag.product(codigo="B", descricao="Mochila")
    assert codes(tag.get("/produtos", q="luminaria")) == ["A"]


def test_since_and_until_go_by_the_date_of_the_header(tag):
    tag.freeze("2026-11-10T12:00:00")
    first = tag.product(codigo="A")
    tag.advance(3600)
    tag.product(codigo="B")
    tag.advance(3600)
    tag.patch(f"/produtos/{first['id']}", {"descricao": "Outra"})
    assert codes(tag.get("/produtos", since="2026-11-10 13:30:00")) == ["A"]
    created = {"X-Data-Filter": "data_criacao"}
    assert codes(tag.get("/produtos", created, since="2026-11-10 13:00:00")) == ["B"]
    assert codes(tag.get("/produtos", created, until="2026-11-10 12:00:00")) == ["A"]
    assert codes(tag.get("/produtos", since="2026-11-10")) == ["A", "B"]
    assert codes(tag.get("/produtos", since=str(int(from_iso("2026-11-10T13:30:00"))))) == ["A"]
    assert tag.api("GET", "/produtos", params={"since": "ontem"}).status_code == 422
    assert tag.api("GET", "/produtos", headers={"X-Data-Filter": "data_emissao"}).status_code == 422


def test_sort_takes_several_keys(tag):
    for code, text in (("A", "x"), ("B", "y"), ("C", "x")):
        tag.product(codigo=code, descricao=text)
    assert codes(tag.get("/produtos", sort="descricao,-codigo")) == ["C", "A", "B"]


def test_lists_may_lag_behind_and_items_do_not(tag):
    tag.freeze()
    tag.settings(search_lag_s=30)
    row = tag.product()
    assert tag.get("/produtos") == []
    assert tag.get(f"/produtos/{row['id']}")["codigo"] == "CAN-1"
    tag.advance(30)
    tag.patch(f"/produtos/{row['id']}", {"codigo": "CAN-2"})
    assert codes(tag.get("/produtos")) == ["CAN-1"]
    tag.advance(30)
    assert codes(tag.get("/produtos", codigo="CAN-2")) == ["CAN-2"]


def test_me_tells_the_user_and_what_he_may(tag):
    tag.account(permissions={"alterar_estoque_produto": False})
    me = tag.get("/me")
    assert me["id"] == 4
    assert me["erp_uid"] == tag.account()["uid"]
    assert "alterar_estoque_produto" not in me["permissoes"]
    assert tag.get("/me/permissoes")["alterar_estoque_produto"] is False
    assert tag.get("/me/permissoes")["funcionario_permissao_modificar_valor_unitario"] is True


def test_lookups_are_there_and_payment_forms_hold_secrets(tag):
    forms = tag.get("/formas_pagamento", ativo=1)
    assert {15, 3, 8} <= {form["forma_pagamento_base"] for form in forms}
    assert all(form["client_secret_gerencianet"] for form in forms)
    assert [u["sigla"] for u in tag.get("/unidades", padrao="true")] == ["UN"]
    assert [u["id"] for u in tag.get("/usuarios", ativo=1)] == [4, 5]
    assert tag.get("/departamentos")[0]["descricao"] == "GERAL"
    assert tag.get("/tipos_contatos")[0].keys() == {"id", "descricao"}
    size = next(m for m in tag.get("/modalidades_grade") if m["descricao"] == "Tamanho")
    assert [g["descricao"] for g in size["grades"]] == ["P", "M", "G"]


def test_cities_have_ids_of_their_own_beside_the_ibge_code(tag):
    (city,) = tag.get("/cidades", q="porto alegre")
    assert (city["codigo"], city["estado"]["sigla"]) == (4314902, "RS")
    assert city["id"] != city["codigo"]
    assert {c["estado"]["sigla"] for c in tag.get("/cidades", q="São José")} == {"SC", "SP"}
    assert [c["nome"] for c in tag.get("/cidades", codigo=3550308)] == ["SAO PAULO"]


def test_lookups_can_be_added_to(tag):
    made = tag.post("/categorias", {"descricao": "Nova", "tipo": "P"})
    assert tag.get(f"/categorias/{made['id']}")["descricao"] == "Nova"
    assert tag.api("POST", "/unidades", json={"descricao": "x"}).status_code == 422


def test_a_script_edits_at_the_moment_of_a_call(tag):
    row = tag.product()
    step = {"op": "tagplus.stock", "sku": "CAN-1", "balance": 3}
    tag.control("POST", "/scripts", {"match": {"operation": "GET /produtos/{id}"}, "do": [step]})
    assert tag.get(f"/produtos/{row['id']}")["qtd_revenda"] == 3
    assert tag.get("/registro_atividades")[-1]["entidade"] == "produto_estoque"


def test_accounts_are_listed_made_and_checked(tag):
    made = tag.control("POST", "/tagplus/accounts", {"name": "x", "seed": {"products": 3, "customers": 2}})
    assert (made["client_id"], made["products"], made["customers"]) == ("x-client", 3, 2)
    assert [a["name"] for a in tag.control("GET", "/tagplus/accounts")] == ["demo", "x"]
    assert tag.control("GET", "/")["tagplus"]["x"]["products"] == 3
    tag.control("POST", "/tagplus/accounts/x", {"nope": 1}, 400)
    tag.control("POST", "/tagplus/accounts/x", {"permissions": {"voar": True}}, 400)
    tag.control("GET", "/tagplus/accounts/y", None, 404)


def test_no_body_and_no_id_breaks_an_operation(tag):
    tag.product(), tag.customer()
    bodies = (b"", b"{", b"[1]", b'{"itens": [1]}', b'{"itens": [{"produto_servico": 15, "qtd": 1e300}]}')
    for route in ROUTER.routes:
        for at, body in enumerate(bodies):
            path = route.pattern.replace("{id}", ("15", "601", "x", "9" * 20, "0")[at])
            assert tag.api(route.method, path, content=body).status_code < 500, (route.operation, body)
