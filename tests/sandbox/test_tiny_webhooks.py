"""Webhooks of both families against reference/tiny.md §6, §10, over real HTTP."""

import json

import pytest

from tests.sandbox.receiver import receiver
from tests.sandbox.tiny_trade import ACCOUNT, ID, V3, contact_v3, order_v3, place, shop

ALL = ("produto", "estoque", "precos", "situacao_pedido", "rastreio", "nota_fiscal")


@pytest.fixture
def hook():
    with receiver() as state:
        yield state


def wait(tiny):
    assert tiny.control("POST", "/deliveries/wait", {"seconds": 5})["idle"]


def told(tiny, hook):
    """The kinds that arrived since the last look, in the order they were sent."""
    wait(tiny)
    rows = tiny.control("GET", "/deliveries")["deliveries"]
    tiny.control("DELETE", "/deliveries")
    hook.got.clear()
    return [row["event"] for row in rows]


def listen(tiny, hook, *kinds):
    urls = dict.fromkeys(kinds or ("pedidos", "pedidos_enviados", "estoque", "nota_fiscal"), hook.url)
    tiny.account(webhooks=urls)


def shop_listens(tiny, hook, **fields):
    return shop(tiny, webhooks=dict.fromkeys(ALL, hook.url), **fields)


def send(tiny, hook, answer, **product):
    """Send a product by hand; `answer(rows)` makes the receiver's body of the rows allotted."""
    tiny.settings(webhook_hold=True)
    rows = tiny.control("POST", f"{ACCOUNT}/integrations/8390/send", product)["mappings"]
    hook.body = json.dumps(answer(rows)).encode()
    tiny.control("POST", "/deliveries/flush")
    tiny.settings(webhook_hold=False)
    return tiny.control("GET", f"{ACCOUNT}/integrations/8390")


def flat(rows):
    return [{"idMapeamento": r["idMapeamento"], "skuMapeamento": f"m-{r['id_produto']}"} for r in rows]


def test_a_new_order_is_told_to_the_account_in_its_envelope(tiny, hook):
    # §6.1, sample assembled/webhook_inclusao_pedido.json; no signature
    listen(tiny, hook)
    order_id = int(place(tiny, ecommerce="Loja própria", forma_envio="C"))
    wait(tiny)
    ((headers, body),) = hook.got
    assert set(body) == {"versao", "cnpj", "tipo", "dados"}
    assert (body["versao"], body["cnpj"], body["tipo"]) == ("1.0.1", "90000001000129", "inclusao_pedido")
    contact = tiny.control("GET", f"{ACCOUNT}/contacts")[0]["id"]
    assert body["dados"] == {
        "id": order_id, "numero": 1, "data": "11/02/2026", "idPedidoEcommerce": "10245",
        "codigoSituacao": "aprovado", "descricaoSituacao": "Aprovado", "idContato": contact, "idNotaFiscal": 0,
        "nomeEcommerce": "Loja própria", "formaEnvio": {"id": 851264401, "descricao": "Correios"},
        "cliente": {"nome": "Maria Souza", "cpfCnpj": "111.444.777-35"},
    }  # fmt: skip
    assert headers["content-type"] == "application/json"
    assert not any("sign" in name or "hmac" in name for name in headers)


def test_every_write_comes_back_as_an_echo(tiny, hook):
    # §6.1, §6.3.5
    listen(tiny, hook)
    order_id = place(tiny)
    assert told(tiny, hook) == ["conta:inclusao_pedido"]
    for _ in range(2):
        tiny.v2("pedido.alterar.situacao", id=order_id, situacao="enviado")
    assert told(tiny, hook) == ["conta:estoque", "conta:atualizacao_pedido", "conta:pedido_enviado"]
    tiny.v2("pedido.alterar", id=order_id, dados_pedido={"obs": "x"})
    v3 = V3(tiny)
    other = order_v3(v3, contact_v3(v3, cpfCnpj="52998224725"))
    v3("PUT", f"/pedidos/{other}/despacho", 204, json={"codigoRastreamento": "AA1"})
    assert told(tiny, hook) == ["conta:inclusao_pedido", "conta:atualizacao_pedido"]


def test_stock_is_told_with_its_balance_but_not_reservations(tiny, hook):
    # §6.1, sample webhook_estoque_conta.json
    listen(tiny, hook, "estoque")
    place(tiny)
    assert told(tiny, hook) == []
    tiny.v2("produto.atualizar.estoque", estoque={"estoque": {"idProduto": ID, "quantidade": 7}})
    wait(tiny)
    (body,) = hook.bodies
    assert (body["tipo"], body["dados"]) == (
        "estoque", {"idProduto": ID, "sku": "CAN-300", "nome": "Caneca de cerâmica 300 ml", "saldo": 9},
    )  # fmt: skip
    tiny.v2("produto.atualizar.estoque", estoque={"estoque": {"idProduto": ID, "quantidade": 7}})
    tiny.control("DELETE", f"{ACCOUNT}/products/{ID}")
    tiny.edit("CAN-300", {"situacao": "A"})
    wait(tiny)
    assert len(hook.got) == 1


def test_authorized_notes_are_told_to_account_and_shop(tiny, hook):
    # §6.1, §6.2, sample webhook_nota_fiscal.json
    listen(tiny, hook, "nota_fiscal")
    shop(tiny, webhooks={"nota_fiscal": hook.url})
    note = tiny.control("POST", f"{ACCOUNT}/orders/{place(tiny, id_ecommerce=8390)}/invoice")
    wait(tiny)
    account, to_shop = sorted(hook.bodies, key=lambda body: "idEcommerce" in body)
    assert (to_shop["versao"], to_shop["idEcommerce"]) == ("1.0.0", 8390)
    assert account["dados"] == to_shop["dados"]
    assert set(to_shop["dados"]) == {
        "chaveAcesso", "numero", "serie", "urlDanfe", "idPedidoEcommerce", "dataEmissao", "valorNota",
        "idNotaFiscalTiny",
    }  # fmt: skip
    assert (to_shop["dados"]["numero"], to_shop["dados"]["idNotaFiscalTiny"]) == ("1", note["id"])
    hook.got.clear()
    tiny.control("POST", f"{ACCOUNT}/invoices/{note['id']}/cancel")
    tiny.control("POST", f"{ACCOUNT}/orders/{place(tiny)}/invoice", {"outcome": 5})
    wait(tiny)
    assert hook.got == []


def test_only_orders_with_the_integrations_id_tell_it_situation_and_tracking(tiny, hook):
    # §6.2, samples assembled/webhook_situacao_pedido.json, webhook_rastreio.json
    shop_listens(tiny, hook)
    alone, known = place(tiny), place(tiny, id_ecommerce=8390)
    for order_id in (alone, known):
        tiny.v2("pedido.alterar.situacao", id=order_id, situacao="preparando_envio")
        tiny.v2("cadastrar.codigo.rastreamento.pedido", id=order_id, codigoRastreamento="AA1", formaEnvio="C")
        tiny.v2("cadastrar.codigo.rastreamento.pedido", id=order_id, codigoRastreamento="AA1", formaEnvio="C")
    wait(tiny)
    situation, tracking = sorted(hook.bodies, key=lambda body: body["versao"])
    assert (situation["tipo"], situation["dados"]) == (
        "situacao_pedido",
        {
            "idPedidoEcommerce": "10245", "idVendaTiny": int(known), "situacao": "preparando_envio",
            "descricaoSituacao": "Preparando envio",
        },
    )  # fmt: skip
    assert (tracking["versao"], tracking["tipo"]) == ("1.0.1", "rastreio")
    assert tracking["dados"] == {
        "idEntregaEcommerce": "", "idVendaTiny": int(known), "idNotaFiscalTiny": 0, "idPedidoEcommerce": "10245",
        "codigoRastreio": "AA1", "urlRastreio": "", "transportadora": "", "formaEnvio": "C", "formaFrete": "",
    }  # fmt: skip


def test_a_product_sent_by_hand_is_mapped_by_the_answer(tiny, hook):
    # §6.2, samples webhook_produto.json, webhook_produto_resposta.json
    shop_listens(tiny, hook)
    mapped = send(tiny, hook, flat, sku="MEIA-3")
    (body,) = hook.bodies
    data = body["dados"]
    assert (data["codigo"], data["skuMapeamento"], data["classeProduto"], type(data["id"])) == ("MEIA-3", "", "V", str)
    assert [set(row) >= {"idMapeamento", "grade", "codigo", "preco"} for row in data["variacoes"]] == [True, True]
    assert data["variacoes"][0]["grade"][0].keys() == {"chave", "valor"}
    assert [row["skuMapeamento"] for row in mapped["mappings"]] == [f"m-{r['id_produto']}" for r in mapped["mappings"]]
    send(tiny, hook, flat, sku="MEIA-3-1")
    again = hook.bodies[1]["dados"]
    assert (again["id"], again["skuMapeamento"]) == (data["id"], f"m-{data['id']}")


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: {"mapeamentos": flat(rows)},
        lambda rows: [{"mapeamento": row} for row in flat(rows)],
        lambda rows: [row | {"error": "Produto sem marca"} for row in flat(rows)],
        lambda rows: [],
        lambda rows: "ok",
    ],
)
def test_other_answers_leave_the_product_unmapped_and_without_notices(tiny, hook, answer):
    # §6.2: a wrapped form misled an integrator; §8.19
    shop_listens(tiny, hook)
    shown = send(tiny, hook, answer, id=ID)
    assert [row["skuMapeamento"] for row in shown["mappings"]] == [""]
    assert shown["answers"][0]["rows_taken"] == 0
    hook.got.clear()
    tiny.control("POST", f"{ACCOUNT}/products/{ID}/stock", {"balance": 5})
    tiny.edit("CAN-300", {"preco": 50})
    wait(tiny)
    assert hook.got == []


def test_missing_rows_leave_only_those_unmapped(tiny, hook):
    shop_listens(tiny, hook)
    shown = send(tiny, hook, lambda rows: flat(rows)[:2], sku="MEIA-3")
    assert [bool(row["skuMapeamento"]) for row in shown["mappings"]] == [True, True, False]


@pytest.mark.parametrize(("stock_type", "figure"), [("F", 15), ("D", 13)])
def test_mapped_products_tell_stock_physical_or_available_and_prices(tiny, hook, stock_type, figure):
    # §6.2, samples assembled/webhook_estoque_ecommerce.json, webhook_precos.json
    shop_listens(tiny, hook, stock_type=stock_type)
    parent = tiny.product("MEIA-3")["id"]
    child = tiny.product("MEIA-3-1")["id"]
    send(tiny, hook, flat, sku="MEIA-3")
    hook.got.clear()
    tiny.control("POST", f"{ACCOUNT}/products/{child}/stock", {"reserved": 2})
    tiny.control("POST", f"{ACCOUNT}/products/{child}/stock", {"balance": 14})
    tiny.v2("produto.atualizar.precos", data={"precos": [{"id": child, "preco": "20", "preco_promocional": "18"}]})
    wait(tiny)
    prices, stock = sorted(hook.bodies, key=lambda body: body["tipo"], reverse=True)
    assert (stock["idEcommerce"], stock["dados"]) == (
        8390,
        {
            "tipoEstoque": stock_type, "saldo": figure, "idProduto": child, "sku": "MEIA-3-1",
            "skuMapeamento": f"m-{child}", "skuMapeamentoPai": f"m-{parent}",
        },
    )  # fmt: skip
    assert {k: v for k, v in prices["dados"].items() if k != "idMapeamento"} == {
        "skuMapeamento": f"m-{child}", "skuMapeamentoPai": f"m-{parent}", "preco": "20.00", "precoPromocional": "18.00",
    }  # fmt: skip


def test_changed_products_are_sent_by_themselves_when_told_so(tiny, hook):
    # §6.2
    shop_listens(tiny, hook, auto_send=True)
    tiny.edit("CAN-300", {"nome": "Ainda não enviado"})
    send(tiny, hook, flat, id=ID)
    tiny.edit("CAN-300", {"nome": "Enviado"})
    wait(tiny)
    assert [body["dados"]["nome"] for body in hook.bodies] == ["Ainda não enviado", "Enviado"]


def test_mappings_are_dropped_one_by_one_or_all(tiny, hook):
    shop_listens(tiny, hook)
    send(tiny, hook, flat, sku="MEIA-3")
    child = tiny.product("MEIA-3-1")["id"]
    left = tiny.control("DELETE", f"{ACCOUNT}/integrations/8390/mappings/{child}")["mappings"]
    assert child not in [row["id_produto"] for row in left]
    assert tiny.control("DELETE", f"{ACCOUNT}/integrations/8390/mappings")["mappings"] == []


@pytest.mark.parametrize(("family", "tries"), [("account", 11), ("shop", 16), ("product", 2)])
def test_refused_calls_are_tried_again_as_often_as_documented(tiny, hook, family, tries):
    # §6.1, §6.2: 10 and 15 repetitions, a product twice in all
    tiny.settings(webhook_retry_speed=1e7)
    hook.answers = [500] * 30
    if family == "account":
        listen(tiny, hook, "pedidos")
        place(tiny)
    else:
        shop_listens(tiny, hook)
        if family == "product":
            tiny.control("POST", f"{ACCOUNT}/integrations/8390/send", {"id": ID})
        else:
            tiny.v2("pedido.alterar.situacao", id=place(tiny, id_ecommerce=8390), situacao="enviado")
    wait(tiny)
    (row,) = tiny.control("GET", "/deliveries")["deliveries"]
    assert (row["state"], len(row["attempts"])) == ("gave_up", tries)


def test_quiet_edits_play_a_lost_event(tiny, hook):
    listen(tiny, hook)
    order_id = place(tiny)
    told(tiny, hook)
    tiny.control("PATCH", f"{ACCOUNT}/orders/{order_id}", {"situacao": "enviado", "quiet": True})
    tiny.control("POST", f"{ACCOUNT}/orders/{order_id}/invoice", {"quiet": True})
    tiny.control("POST", f"{ACCOUNT}/products/{ID}/stock", {"balance": 1, "quiet": True})
    tiny.control("DELETE", f"{ACCOUNT}/orders/{order_id}")
    assert told(tiny, hook) == []
    tiny.control("POST", f"{ACCOUNT}/products/{ID}/stock", {"balance": 2})
    assert told(tiny, hook) == ["conta:estoque"]


def test_messy_runs_write_the_integration_as_text(tiny, hook):
    # §6.2
    shop_listens(tiny, hook)
    tiny.settings(types="messy")
    order_id = tiny.control("POST", f"{ACCOUNT}/orders", {
        "id_ecommerce": 8390, "cliente": {"nome": "Ana"},
        "itens": [{"descricao": "Caneca", "unidade": "UN", "quantidade": 1, "valor_unitario": 1}],
    })["id"]  # fmt: skip
    tiny.control("PATCH", f"{ACCOUNT}/orders/{order_id}", {"situacao": "aprovado"})
    wait(tiny)
    assert hook.bodies[0]["idEcommerce"] == "8390"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("", {"webhooks": {"clientes": "http://127.0.0.1:1/"}}),
        ("/integrations", {"stock_type": "X"}),
        ("/integrations", {"webhooks": {"pedidos": "http://127.0.0.1:1/"}}),
        ("/integrations", {"color": "blue"}),
        ("/orders", {"cliente": {"nome": ""}}),
    ],
)
def test_wrong_control_requests_are_400(tiny, path, body):
    tiny.control("POST", ACCOUNT + path, body, status=400)
