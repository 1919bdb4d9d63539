"""Orders of the simulated TagPlus against reference/tagplus.md §8."""

import pytest

from tests.sandbox.tagplus_client import TagPlusClient


@pytest.fixture
def tag(served):
    client = TagPlusClient(served)
    client.freeze()
    client.item, client.who = client.product()["id"], client.customer()["id"]
    yield client
    client.http.close()


def sell(tag, **changes):
    return tag.post("/pedidos", tag.order_body(tag.item, tag.who, **changes))


def balance(tag):
    return tag.get(f"/produtos/{tag.item}")["qtd_revenda"]


def test_an_order_reads_back_whole(tag):
    order = sell(tag, vendedor=4, departamento=1, data_entrega="2026-11-12", hora_entrega="15:00:00")
    assert (order["status"], order["valor_total"], order["codigo_externo"]) == ("A", 114.8, "LOJA-1001")
    assert (order["data_criacao"], order["hora_criacao"]) == ("2026-11-10", "12:00:00")
    assert order["data_alteracao"] == "2026-11-10 12:00:00"
    assert order["cliente"]["cpf"] == "900.000.001-32"
    assert (order["vendedor"]["id"], order["departamento"]["descricao"]) == (4, "GERAL")
    (line,) = order["itens"]
    assert (line["produto_servico"]["codigo"], line["qtd"], line["valor_subtotal"]) == ("CAN-1", 2, 99.8)
    (bill,) = order["faturas"]
    assert (bill["forma_pagamento"]["descricao"], bill["valor_total_parcelas"]) == ("PIX", 114.8)
    assert bill["parcelas"][0]["documento"] == "LOJA-1001/1"
    assert tag.get(f"/pedidos/{order['id']}") == order


def test_the_visible_number_is_not_the_id(tag):
    orders = [sell(tag, codigo_externo=f"L-{n}") for n in range(4)]
    assert orders[0]["id"] == orders[3]["numero"]
    (found,) = tag.get("/pedidos", numero=orders[0]["id"])
    assert found["id"] == orders[3]["id"]
    assert "codigo_externo" not in found


def test_the_shops_id_is_a_filter_and_not_unique(tag):
    first, second = sell(tag), sell(tag)
    sell(tag, codigo_externo="LOJA-1002")
    rows = tag.get("/pedidos", codigo_externo="LOJA-1001", fields="id,numero,status,codigo_externo")
    assert [row["id"] for row in rows] == [first["id"], second["id"]]
    assert len(tag.erp("GET", "orders?codigo_externo=LOJA-1001")) == 2


def test_produto_is_the_wrong_name(tag):
    body = tag.order_body(tag.item, tag.who, itens=[{"produto": tag.item, "qtd": 1}])
    answer = tag.api("POST", "/pedidos", json=body)
    assert answer.status_code == 422
    assert [(e["dataPath"], e["message"]) for e in answer.json()["errors"]] == [
        ("/itens/0", "Campo obrigatório não encontrado: 'produto_servico'"),
        ("/itens/0/produto", "Campo adicional não é permitido: 'produto'"),
    ]


def test_an_empty_body_makes_an_empty_order(tag):
    order = tag.post("/pedidos", {})
    assert (order["itens"], order["cliente"], order["valor_total"]) == ([], None, 0)


def test_references_must_exist(tag):
    for change in ({"cliente": 999}, {"vendedor": 999}, {"faturas": [{"forma_pagamento": 99}]}):
        answer = tag.api("POST", "/pedidos", json=tag.order_body(tag.item, tag.who, **change))
        assert (answer.status_code, answer.json()["error_code"]) == (404, "nao_encontrado")
    answer = tag.api("POST", "/pedidos", json=tag.order_body(999, tag.who))
    assert answer.json()["data"] == [{"id": "999", "field": "produto_servico"}]


def test_prices_come_from_the_line_the_price_row_or_the_product(tag):
    row = tag.get(f"/produtos/{tag.item}")["valores_venda"][0]["id"]
    lines = [
        {"produto_servico": tag.item, "qtd": 1, "valor_unitario": 10},
        {"produto_servico": tag.item, "qtd": 1, "valor_venda": row},
        {"produto_servico": tag.item},
    ]
    order = sell(tag, itens=lines)
    assert [line["valor_unitario"] for line in order["itens"]] == [10, 49.9, 49.9]
    free = tag.product(codigo="X", valor_venda_varejo=0)
    bare = tag.post("/produtos", {"descricao": "Sem preço"})
    assert sell(tag, itens=[{"produto_servico": free["id"]}])["valor_total"] == 15
    answer = tag.api("POST", "/pedidos", json={"itens": [{"produto_servico": bare["id"]}]})
    assert (answer.status_code, answer.json()["error_code"]) == (422, "item_sem_valor_venda")
    assert answer.json()["data"][0]["id"] == str(bare["id"])


def test_the_user_may_be_forbidden_other_prices(tag):
    tag.account(permissions={"alterar_valor_unitario": False})
    sell(tag)
    items = [{"produto_servico": tag.item, "qtd": 1, "valor_unitario": 10}]
    answer = tag.api("POST", "/pedidos", json={"itens": items})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "permissao_alterar_valor_unitario")


def test_confirming_moves_stock_and_reversing_gives_it_back(tag):
    order = sell(tag)
    assert balance(tag) == 10
    confirmed = tag.patch(f"/pedidos/{order['id']}", {"status": "B"})
    assert (confirmed["status"], confirmed["data_confirmacao"], balance(tag)) == ("B", "2026-11-10", 8)
    more = [{"produto_servico": tag.item, "qtd": 5, "valor_unitario": 49.9}]
    tag.patch(f"/pedidos/{order['id']}", {"itens": more})
    assert balance(tag) == 5
    tag.patch(f"/pedidos/{order['id']}", {"status": "C"})
    assert balance(tag) == 10
    sell(tag, status="B")
    assert balance(tag) == 8
    tag.settings(orders_move_stock=False)
    sell(tag, status="B")
    assert balance(tag) == 8


def test_reversing_needs_a_permission_and_cancelling_an_open_order_does_not(tag):
    tag.account(permissions={"estornar_pedido": False})
    order, other = sell(tag, status="B"), sell(tag)
    for status in ("A", "C"):
        answer = tag.api("PATCH", f"/pedidos/{order['id']}", json={"status": status})
        assert (answer.status_code, answer.json()["error_code"]) == (403, "permissao_estornar_pedido")
    assert tag.patch(f"/pedidos/{other['id']}", {"status": "C"})["status"] == "C"


def test_the_date_of_confirmation_needs_a_permission(tag):
    order = sell(tag)
    changed = tag.patch(f"/pedidos/{order['id']}", {"data_confirmacao": "2026-11-09", "hora_confirmacao": "08:30"})
    assert (changed["data_confirmacao"], changed["hora_confirmacao"]) == ("2026-11-09", "08:30:00")
    tag.account(permissions={"alterar_data_confirmacao_movimentacoes": False})
    answer = tag.api("PATCH", f"/pedidos/{order['id']}", json={"data_confirmacao": "2026-11-09"})
    assert answer.json()["error_code"] == "permissao_alterar_data_confirmacao_movimentacoes"


def test_deleting_gives_the_stock_back(tag):
    order = sell(tag, status="B")
    assert tag.write("DELETE", f"/pedidos/{order['id']}") == {"message": "Deletado com sucesso"}
    assert balance(tag) == 10
    assert tag.api("GET", f"/pedidos/{order['id']}").status_code == 404


def test_orders_are_found_by_status_and_date(tag):
    old = sell(tag)
    tag.advance(7200)
    new = sell(tag, status="B")
    rows = tag.get("/pedidos", status="B")
    assert [row["id"] for row in rows] == [new["id"]]
    created = {"X-Data-Filter": "data_criacao"}
    assert [row["id"] for row in tag.get("/pedidos", created, until="2026-11-10 13:00:00")] == [old["id"]]
    confirmed = {"X-Data-Filter": "data_confirmacao"}
    assert [row["id"] for row in tag.get("/pedidos", confirmed, since="2026-11-10")] == [new["id"]]


def test_the_merchant_sees_the_body_as_it_came(tag):
    order = sell(tag)
    stored = tag.erp("GET", f"orders/{order['id']}")
    assert stored["request"] == tag.order_body(tag.item, tag.who)
    assert stored["origem"] == "API"
    tag.erp("PATCH", f"orders/{order['id']}", {"status": "B"})
    assert balance(tag) == 8
    made = tag.erp("POST", "orders", {"itens": [{"produto_servico": tag.item}], "codigo_externo": "MAO"})
    tag.erp("DELETE", f"orders/{made['id']}")
    assert tag.erp("GET", "orders?codigo_externo=MAO") == []


def test_a_part_of_what_is_sold_whole_is_refused(tag):
    units = {row["sigla"]: row["id"] for row in tag.get("/unidades", per_page=100)}
    piece = tag.product(codigo="PECA-1", unidade_saida=units["PC"])["id"]
    cloth = tag.product(codigo="PANO-1", unidade_saida=units["MT"])["id"]
    for item, qtd, status in ((piece, 2, 201), (piece, 1.5, 422), (cloth, 1.5, 201)):
        body = {"itens": [{"produto_servico": item, "qtd": qtd, "valor_unitario": 10}]}
        answer = tag.write("POST", "/pedidos", body, status)
        if status == 422:
            assert answer["errors"][0]["dataPath"] == "/itens/0/qtd"
