"""Sales of the simulated Conta Azul against reference/contaazul.md §6, §8, §12."""

import copy
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.sandbox.contaazul_client import ContaAzulClient

UNKNOWN = "123e4567-e89b-12d3-a456-426614174000"


@pytest.fixture
def ca(served):
    client = ContaAzulClient(served)
    client.freeze()
    client.item, client.who = client.product(codigo_sku="CAN")["id"], client.person()["id"]
    yield client
    client.http.close()


def body(ca, **changes):
    return ca.sale_body(ca.item, ca.who, **changes)


def test_answer_speaks_english_and_the_detail_portuguese(ca):
    """§6.3: IN_PROCESS against EM_ANDAMENTO, pendencia against tipo_pendencia."""
    made = ca.sell(body(ca, situacao="EM_ANDAMENTO"))
    assert (made["situacao"]["nome"], made["versao"], made["origem"]) == ("IN_PROCESS", 0, "API")
    assert made["valor_composicao"] == {
        "valor_bruto": 100.0, "desconto": {"tipo": "VALOR", "valor": 5.0}, "frete": 15.0, "valor_liquido": 110.0,
    }  # fmt: skip
    assert "pendencia" in made
    sale = ca.get(f"/venda/{made['id']}")
    assert sale["venda"]["situacao"]["nome"] == "EM_ANDAMENTO"
    assert sale["venda"]["composicao_valor"]["desconto"] == 5.0
    assert "tipo_pendencia" in sale["venda"]
    assert "itens" not in sale["venda"]
    assert sale["evento_financeiro"] is None
    assert sale["cliente"]["documento"] == "90000000132"


def test_approved_sale_has_a_receivable_and_takes_stock(ca):
    """§6.1, §8, §12."""
    made = ca.sell(body(ca))
    assert made["situacao"]["nome"] == "APPROVED"
    event = ca.get(f"/venda/{made['id']}")["evento_financeiro"]["id"]
    rows = ca.get(f"/financeiro/eventos-financeiros/{event}/parcelas")
    assert [(r["status"], r["valor_composicao"]["valor_bruto"]) for r in rows] == [("PENDENTE", 110.0)]
    assert ca.get("/produtos", sku="CAN")["items"][0]["saldo"] == 8
    bank = rows[0]["id_conta_financeira"]
    path = f"/financeiro/eventos-financeiros/parcelas/{rows[0]['id']}/baixa"
    paid = {"data_pagamento": "2026-11-10", "composicao_valor": {"valor_bruto": 110.0}, "conta_financeira": bank}
    assert ca.api("POST", path, json=paid).status_code == 200
    assert ca.get(f"/financeiro/eventos-financeiros/{event}/parcelas")[0]["status"] == "QUITADO"
    ca.error(ca.api("POST", path, json=paid))
    assert ca.get(f"/conta-financeira/{bank}/saldo-atual") == {"saldo_atual": 110.0}


def test_items_are_read_by_uuid_only_and_the_sale_by_both(ca):
    """§6.4."""
    made = ca.sell(body(ca))
    lines = ca.get(f"/venda/{made['id']}/itens")
    assert (lines["itens_totais"], lines["itens"][0]["id_item"], lines["itens"][0]["quantidade"]) == (1, ca.item, 2)
    assert ca.get(f"/venda/{made['id_legado']}")["venda"]["id"] == made["id"]
    ca.error(ca.api("GET", f"/venda/{made['id_legado']}/itens"))
    ca.error(ca.api("PUT", f"/venda/{made['id_legado']}", json=body(ca, versao=1)))
    assert ca.api("GET", f"/venda/{UNKNOWN}").status_code == 404
    pdf = ca.api("GET", f"/venda/{made['id']}/imprimir")
    assert (pdf.headers["content-type"], pdf.content[:5]) == ("application/pdf", b"%PDF-")
    assert ca.get("/venda/vendedores")[0].keys() == {"id", "nome"}


def changed(whole, path, value):
    whole = copy.deepcopy(whole)
    *parents, last = path.split("/")
    spot = whole
    for step in parents:
        spot = spot[int(step) if step.isdigit() else step]
    if value is ...:
        del spot[last]
    else:
        spot[last] = value
    return whole


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("id_cliente", ...), ("numero", ...), ("situacao", ...), ("data_venda", ...), ("itens", ...),
        ("condicao_pagamento", ...), ("condicao_pagamento/parcelas", ...),
        ("condicao_pagamento/opcao_condicao_pagamento", ...), ("itens/0/id", ...), ("itens/0/quantidade", ...),
        ("itens/0/valor", ...), ("condicao_pagamento/parcelas/0/data_vencimento", ...),
        ("condicao_pagamento/parcelas/0/valor", ...), ("composicao_de_valor/desconto/tipo", ...),
        ("id_cliente", UNKNOWN), ("id_cliente", "1"), ("numero", 0), ("numero", "7"), ("numero", 1.5), ("numero", True),
        ("situacao", "FATURADO"), ("situacao", "Aprovado"), ("data_venda", "10/11/2026"), ("data_venda", "2026-02-30"),
        ("itens", []), ("itens/0/id", UNKNOWN), ("itens/0/quantidade", 0), ("itens/0/valor", 0),
        ("itens/0/valor", "50"), ("condicao_pagamento/parcelas", []),
        ("condicao_pagamento/tipo_pagamento", "PIX"), ("condicao_pagamento/tipo_pagamento", "PIX_COBRANCA"),
        ("condicao_pagamento/opcao_condicao_pagamento", "A vista"),
        ("condicao_pagamento/opcao_condicao_pagamento", "2x"),
        ("condicao_pagamento/opcao_condicao_pagamento", "30/60"),
        ("condicao_pagamento/id_conta_financeira", UNKNOWN), ("id_categoria", UNKNOWN), ("id_vendedor", UNKNOWN),
        ("id_centro_custo", UNKNOWN), ("composicao_de_valor/frete", -1), ("composicao_de_valor/desconto/valor", 999),
        ("composicao_de_valor/desconto/tipo", "PERCENTUAL"), ("condicao_pagamento/parcelas/0/valor", 110.01),
        ("composicao_de_valor/frete", 15.01),
    ],
)  # fmt: skip
def test_wrong_sales_are_refused_and_none_is_made(ca, path, value):
    """§6.3: what is required, enums, dates, existing ids, instalments that add up."""
    assert ca.error(ca.api("POST", "/venda", json=changed(body(ca), path, value)))
    assert ca.erp("GET", "sales") == []


def test_unknown_field_is_ignored(ca):
    """§3.5, §6.3: id_natureza_operacao cannot be set at creation."""
    made = ca.sell(body(ca, id_natureza_operacao="x", pedido_externo="777"))
    assert ca.get(f"/venda/{made['id']}")["natureza_operacao"]["template_operacao"] == "VENDA_MERCADORIAS"


def test_totals_are_exact_to_the_centavo(ca):
    """§6.3: percent discount, instalments in days and times."""
    worth = {"frete": 0.1, "desconto": {"tipo": "PORCENTAGEM", "valor": 10}}
    rows = [{"data_vencimento": "2026-12-10", "valor": v} for v in (3.04, 3.04, 3.02)]
    payment = {"opcao_condicao_pagamento": "30, 60, 90", "parcelas": rows}
    items = [{"id": ca.item, "quantidade": 3, "valor": 3.333}]
    made = ca.sell(body(ca, itens=items, composicao_de_valor=worth, condicao_pagamento=payment))
    assert (made["valor_composicao"]["valor_bruto"], made["valor_composicao"]["valor_liquido"]) == (10.0, 9.1)
    assert [row["numero"] for row in made["condicao_pagamento"]["parcelas"]] == [1, 2, 3]
    payment["opcao_condicao_pagamento"] = "3x"
    ca.sell(body(ca, numero=2, itens=items, composicao_de_valor=worth, condicao_pagamento=payment))
    ca.settings(check_installments=False)
    rows[0]["valor"] = 1
    ca.sell(body(ca, numero=3, itens=items, composicao_de_valor=worth, condicao_pagamento=payment))


def test_error_bodies_of_sales_come_in_either_shape(ca):
    """§3.4."""
    shapes = set()
    for path in ("numero", "situacao", "data_venda", "itens", "id_cliente"):
        shapes.add(frozenset(ca.api("POST", "/venda", json=changed(body(ca), path, ...)).json()))
    assert shapes == {frozenset({"error"}), frozenset({"code", "message"})}


def test_next_number_reserves_nothing_and_goes_back(ca):
    """§6.2: shared with budgets; deletion of the last sales takes it back."""
    assert ca.get("/venda/proximo-numero") == 1
    assert ca.get("/venda/proximo-numero") == 1
    made = ca.sell(body(ca, numero=40))
    budget = ca.erp("POST", "sales", body(ca, numero=41, situacao="ORCAMENTO"))
    assert ca.get("/venda/proximo-numero") == 42
    ids = {"ids": [budget["id"], made["id"]]}
    assert ca.api("POST", "/venda/exclusao-lote", json=ids).json() == {"atualizados": 2, "ignorados": 0}
    assert ca.get("/venda/proximo-numero") == 1


def test_first_number_can_be_null(ca):
    """§6.2: a bare integer or null."""
    ca.settings(first_number="null")
    assert ca.get("/venda/proximo-numero") is None


def test_duplicate_number_is_refused_with_the_next_free_one(ca):
    """§6.3."""
    ca.sell(body(ca, numero=7))
    text = ca.error(ca.api("POST", "/venda", json=body(ca, numero=7)))
    assert re.findall(r"\d+", text) == ["7", "8"]


def test_of_many_workers_with_one_number_one_sells(ca):
    """§6.2: two workers read the same number."""
    ca.control("POST", "/settings", {"latency_ms": 20})
    with ThreadPoolExecutor(10) as pool:
        numbers = list(pool.map(lambda _: ca.get("/venda/proximo-numero"), range(10)))
        answers = list(pool.map(lambda n: ca.api("POST", "/venda", json=body(ca, numero=n)).status_code, numbers))
    assert sorted(answers) == [200] + [400] * 9
    assert len(ca.erp("GET", "sales")) == 1


def test_put_wants_the_whole_body_and_a_version_above_zero(ca):
    """§6.5."""
    made = ca.sell(body(ca, situacao="EM_ANDAMENTO"))
    path = f"/venda/{made['id']}"
    assert (
        ca.error(ca.api("PUT", path, json={"situacao": "CANCELADO", "versao": 1})) == "O campo id_cliente é obrigatório"
    )
    assert ca.error(ca.api("PUT", path, json=body(ca, versao=0))) == "O campo versao é obrigatório"
    assert ca.error(ca.api("PUT", path, json=body(ca))) == "O campo versao é obrigatório"
    answer = ca.api("PUT", path, json=body(ca, versao=99, observacoes="outra"))
    assert answer.json() == {"id": made["id"], "id_legado": made["id_legado"]}
    sale = ca.get(path)["venda"]
    assert (sale["situacao"]["nome"], sale["versao"], sale["observacoes"]) == ("APROVADO", 1, "outra")
    nature = ca.account()["lookups"]["naturezas"][1]["uuid"]
    ca.api("PUT", path, json=body(ca, versao=1, id_natureza_operacao=nature))
    assert ca.get(path)["venda"]["id_natureza_operacao"] == nature


def test_cancelling_gives_the_stock_back(ca):
    """§6.5: PUT with CANCELADO and the whole body."""
    made = ca.sell(body(ca))
    assert ca.api("PUT", f"/venda/{made['id']}", json=body(ca, versao=1, situacao="CANCELADO")).status_code == 200
    assert ca.get("/produtos", sku="CAN")["items"][0]["saldo"] == 10
    assert ca.get(f"/venda/{made['id']}")["evento_financeiro"] is None
    assert ca.get("/venda/busca")["itens"][0]["situacao"]["nome"] == "CANCELADO"


def test_deletion_is_logical_and_leaves_the_situation(ca):
    """§6.5: GET answers with status CANCELADO, the search forgets it, unknown ids are ignored."""
    made = ca.sell(body(ca))
    ids = [made["id"], UNKNOWN]
    assert ca.api("POST", "/venda/exclusao-lote", json={"ids": ids}).json() == {"atualizados": 1, "ignorados": 1}
    sale = ca.get(f"/venda/{made['id']}")["venda"]
    assert (sale["status"], sale["situacao"]["nome"]) == ("CANCELADO", "APROVADO")
    assert ca.get("/venda/busca")["total_itens"] == 0
    assert ca.get("/produtos", sku="CAN")["items"][0]["saldo"] == 10
    for wrong in ([], [UNKNOWN] * 11, ["1"]):
        ca.error(ca.api("POST", "/venda/exclusao-lote", json={"ids": wrong}))


def test_search_filters(ca):
    """§6.4: repeat the key or separate by comma; budgets come mixed in; remarks are not searched."""
    other = ca.person(nome="Outra Cliente", cpf="900.000.002-13", email="outra@clientes.example")["id"]
    for number, changes in enumerate(
        ({}, {"situacao": "EM_ANDAMENTO", "data_venda": "2026-11-12"}, {"id_cliente": other, "observacoes": "777"}), 1
    ):
        ca.sell(body(ca, numero=number, **changes))
    ca.erp("POST", "sales", body(ca, numero=4, situacao="ORCAMENTO", id_cliente=other))

    def numbers(**params):
        return [row["numero"] for row in ca.get("/venda/busca", **params)["itens"] or []]

    assert numbers() == [1, 2, 3, 4]
    assert numbers(numeros=[1, 3]) == numbers(numeros="1,3") == [1, 3]
    assert numbers(ids_clientes=other) == [3, 4]
    assert numbers(tipos="VENDA", campo_ordenado_descendente="NUMERO") == [3, 2, 1]
    assert numbers(situacoes="EM_ANDAMENTO,ORCAMENTO") == [2, 4]
    assert numbers(origens="API", ids_produtos=ca.item) == [1, 2, 3]
    assert numbers(data_inicio="2026-11-11", data_fim="2026-11-12") == [2]
    assert numbers(data_criacao_de="2026-11-11", data_criacao_ate="2026-11-12") == []
    assert numbers(termo_busca="outra") == [3, 4]
    assert numbers(termo_busca="3") == [3]
    assert numbers(termo_busca="777") == []
    assert numbers(totais="WAITING_APPROVED") == [2, 4]
    assert numbers(pendente="true") == [1, 3]
    assert numbers(numero=1) == [1, 2, 3, 4]
    for wrong in (
        {"totais": "APROVADO"}, {"numeros[]": 1}, {"ids_clientes": "1"}, {"numeros": "x"},
        {"data_inicio": "2026-11-11"}, {"campo_ordenado_ascendente": "TOTAL"}, {"tamanho_pagina": 30},
    ):  # fmt: skip
        ca.error(ca.api("GET", "/venda/busca", params=wrong))
    found = ca.get("/venda/busca")
    assert found["quantidades"] == {"total": 4, "aprovado": 2, "cancelado": 0, "esperando_aprovacao": 2}
    assert found["totais"]["total"] == 440.0


def test_search_by_alteration_sees_what_the_merchant_did(ca):
    """§9: the cursor is local time of São Paulo."""
    made = ca.sell(body(ca))
    ca.advance(3600)
    ca.erp("PATCH", f"sales/{made['id']}", {"situacao": "CANCELADO"})
    found = ca.get("/venda/busca", data_alteracao_de="2026-11-10T12:59:00", data_alteracao_ate="2026-11-10T13:00:00")
    row = found["itens"][0]
    assert (row["situacao"]["nome"], row["data_alteracao"]) == ("CANCELADO", "2026-11-10T13:00:00.000")


def test_lost_answer_with_a_lagging_search(ca):
    """§3.8, §6.3: the sale is there, the search shows it 3 s later, its number is taken at once."""
    ca.settings(search_lag_s=3)
    ca.control("POST", "/faults", {"fault": "answer_lost", "match": {"operation": "POST /v1/venda"}})
    with pytest.raises(httpx.TransportError):
        ca.sell(body(ca, numero=9))
    assert ca.get("/venda/busca", numeros=9)["total_itens"] == 0
    ca.error(ca.api("POST", "/venda", json=body(ca, numero=9)))
    ca.advance(3)
    assert ca.get("/venda/busca", numeros=9, ids_clientes=ca.who)["total_itens"] == 1


def test_control_api_shows_the_whole_stored_sale(ca):
    made = ca.sell(body(ca, numero=5))
    (sale,) = ca.erp("GET", "sales")
    assert (sale["id"], sale["numero"], sale["total"], sale["observacoes"]) == (
        made["id"],
        5,
        110.0,
        "Pedido da loja 777",
    )
    assert sale["itens"][0]["sku"] == "CAN"
    assert sale["request"] == body(ca, numero=5)
    assert ca.erp("GET", "sales?numero=6") == []
    assert ca.control("GET", "/")["contaazul"]["demo"] == {"products": 1, "people": 1, "sales": 1, "invoices": 0}


def test_script_edits_as_the_merchant_between_two_calls(ca):
    made = ca.sell(body(ca, numero=5))
    steps = [
        {"op": "contaazul.patch_sale", "numero": 5, "fields": {"situacao": "CANCELADO"}},
        {"op": "contaazul.patch_product", "sku": "CAN", "fields": {"valor_venda": 1}},
        {"op": "contaazul.create_sale", "sale": body(ca, numero=6)},
        {"op": "advance", "seconds": 5},
    ]
    ca.control(
        "POST", "/scripts", {"match": {"operation": "GET /v1/venda/proximo-numero"}, "when": "after", "do": steps}
    )
    assert ca.get("/venda/proximo-numero") == 6
    assert ca.get("/venda/proximo-numero") == 7
    assert ca.get(f"/venda/{made['id']}")["venda"]["situacao"]["nome"] == "CANCELADO"
    assert ca.control("GET", "/scripts")["scripts"][0]["error"] is None
