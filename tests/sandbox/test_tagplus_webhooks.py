"""Webhooks of the simulated TagPlus against reference/tagplus.md §11: real HTTP, as they reach a receiver."""

import pytest

from tests.sandbox.receiver import receiver
from tests.sandbox.tagplus_client import TagPlusClient

SECRET = "ABCD12345678"


@pytest.fixture
def hook():
    with receiver() as state:
        yield state


@pytest.fixture
def tag(served, hook):
    client = TagPlusClient(served)
    client.hook = hook
    yield client
    client.http.close()


def register(tag, *events, **changes):
    names = list(events) or tag.get("/webhooks_eventos")
    body = {"nome_integracao": "Hub", "url": tag.hook.url, "hub_secret": SECRET, "eventos": names, **changes}
    return tag.post("/webhooks", body)


def events(tag):
    tag.deliveries()
    return [(body["event_type"], body["data"][0]["id"]) for body in tag.hook.bodies]


def test_an_event_carries_the_registration_the_secret_and_an_id_as_text(tag):
    made = register(tag, "produto_criado")
    row = tag.product()
    tag.deliveries()
    ((headers, body),) = tag.hook.got
    assert headers["x-hub-secret"] == SECRET
    assert headers["content-type"] == "application/json"
    account = tag.account()
    assert body == {
        "id": made["id"], "sistema": account["sistema"], "uid": account["uid"], "event_type": "produto_criado",
        "data": [{"id": str(row["id"])}],
    }  # fmt: skip


def test_registrations_are_made_changed_and_removed(tag):
    made = register(tag, "pedido_criado")
    assert made.keys() == {"id", "nome_integracao", "url", "hub_secret", "eventos"}
    assert tag.get("/webhooks") == [made]
    assert tag.patch(f"/webhooks/{made['id']}", {"eventos": ["nfe_aprovada"]})["eventos"] == ["nfe_aprovada"]
    tag.product()
    assert events(tag) == []
    assert tag.write("DELETE", f"/webhooks/{made['id']}") == {"message": "Deletado com sucesso"}
    assert tag.get("/webhooks") == []
    body = {"nome_integracao": "x", "url": "nowhere", "eventos": "pedido_criado", "ativo": True}
    assert len(tag.api("POST", "/webhooks", json=body).json()["errors"]) == 3


def test_events_there_are_not_are_refused_at_registration(tag):
    body = {"nome_integracao": "x", "url": tag.hook.url, "eventos": ["nfe_rejeitada"]}
    assert tag.api("POST", "/webhooks", json=body).status_code == 422
    tag.settings(unknown_events="accept", event_list="objects")
    assert tag.post("/webhooks", body)["hub_secret"] is None
    assert tag.get("/webhooks_eventos")[0] == {"id": 1, "evento": "pedido_criado"}


def test_the_merchant_registers_at_the_screens(tag):
    body = {"nome_integracao": "Tela", "url": tag.hook.url, "eventos": ["cliente_criado"]}
    made = tag.erp("POST", "webhooks", body)
    row = tag.customer()
    assert events(tag) == [("cliente_criado", str(row["id"]))]
    assert "x-hub-secret" not in tag.hook.got[0][0]
    tag.erp("DELETE", f"webhooks/{made['id']}")
    assert tag.erp("GET", "webhooks") == []


def test_every_kind_of_write_fires_by_api_and_by_the_merchant(tag):
    register(tag)
    item, who = tag.product()["id"], tag.customer()["id"]
    tag.patch(f"/produtos/{item}", {"qtd_revenda": 3})
    tag.erp("POST", f"products/{item}/stock", {"balance": 4})
    tag.patch(f"/clientes/{who}", {"rg": "1"})
    order = tag.post("/pedidos", tag.order_body(item, who))["id"]
    tag.patch(f"/pedidos/{order}", {"status": "B"})
    tag.erp("DELETE", f"orders/{order}")
    tag.write("DELETE", f"/clientes/{who}")
    tag.write("DELETE", f"/produtos/{item}")
    assert sorted(events(tag)) == sorted(
        [
            ("produto_criado", str(item)), ("cliente_criado", str(who)), ("produto_alterado", str(item)),
            *[("estoque_revenda_alterado", str(item))] * 4, ("cliente_alterado", str(who)),
            ("pedido_criado", str(order)), ("pedido_alterado", str(order)), ("pedido_confirmado", str(order)),
            ("pedido_apagado", str(order)), ("cliente_apagado", str(who)), ("produto_apagado", str(item)),
        ]
    )  # fmt: skip


def test_without_echo_only_the_merchant_is_heard(tag):
    register(tag, "produto_criado", "estoque_revenda_alterado")
    tag.settings(echo=False)
    item = tag.product()["id"]
    tag.erp("POST", f"products/{item}/stock", {"balance": 4})
    assert events(tag) == [("estoque_revenda_alterado", str(item))]


def test_quiet_edits_fire_nothing(tag):
    register(tag)
    item, who = tag.product()["id"], tag.customer()["id"]
    order = tag.post("/pedidos", tag.order_body(item, who))["id"]
    events(tag)
    tag.hook.got.clear()
    tag.erp("PATCH", f"products/{item}?quiet=1", {"descricao": "Outra"})
    note = tag.erp("POST", f"orders/{order}/invoice", {"quiet": True})
    assert events(tag) == []
    assert tag.get(f"/nfes/{note['id']}")["status"] == "A"


def test_the_life_of_a_note_is_told(tag):
    register(tag, "nfe_criada", "nfe_aprovada", "nfe_denegada", "nfe_cancelada")
    item, who = tag.product()["id"], tag.customer()["id"]
    order = tag.post("/pedidos", tag.order_body(item, who))["id"]
    denied = str(tag.erp("POST", f"orders/{order}/invoice", {"outcome": "2"})["id"])
    note = str(tag.erp("POST", f"orders/{order}/invoice", {})["id"])
    tag.erp("POST", f"invoices/{note}/cancel")
    assert sorted(events(tag)) == sorted(
        [
            ("nfe_criada", denied), ("nfe_denegada", denied), ("nfe_criada", note), ("nfe_aprovada", note),
            ("nfe_cancelada", note),
        ]
    )  # fmt: skip


def test_an_approval_in_the_future_is_told_when_its_time_comes(tag):
    tag.freeze()
    tag.settings(nfe_delay_s=60)
    register(tag, "nfe_aprovada")
    order = tag.post("/pedidos", tag.order_body(tag.product()["id"], tag.customer()["id"]))["id"]
    note = tag.erp("POST", f"orders/{order}/invoice", {})
    assert events(tag) == []
    tag.advance(60)
    assert events(tag) == [("nfe_aprovada", str(note["id"]))]


def test_an_event_is_sent_at_most_once_unless_told_otherwise(tag):
    register(tag, "produto_criado")
    tag.hook.answers = [500]
    tag.product()
    assert [d["state"] for d in tag.deliveries()] == ["gave_up"]
    tag.settings(event_retries=2)
    tag.control("POST", "/settings", {"webhook_retry_speed": 6000})
    tag.hook.answers = [500]
    tag.product()
    assert [d["state"] for d in tag.deliveries()] == ["gave_up", "delivered"]


def test_events_can_be_held_and_come_doubled_and_shuffled(tag):
    register(tag, "produto_criado", "produto_alterado")
    tag.control("POST", "/settings", {"webhook_hold": True})
    item = tag.product()["id"]
    tag.patch(f"/produtos/{item}", {"descricao": "Outra"})
    assert [d["state"] for d in tag.deliveries()] == ["held", "held"]
    assert tag.control("POST", "/deliveries/flush", {"reverse": True, "copies": 2}) == {"sent": 4, "delivered": 4}
    assert [body["event_type"] for body in tag.hook.bodies] == ["produto_alterado"] * 2 + ["produto_criado"] * 2
    tag.control("DELETE", "/deliveries")
    assert tag.control("GET", "/deliveries")["totals"]["events"] == 0
    tag.control("POST", "/deliveries/flush", {"copies": 0}, 400)


def test_other_machines_are_never_called(tag):
    register(tag, "produto_criado", url="https://example.com/hook")
    tag.product()
    assert [d["state"] for d in tag.deliveries()] == ["refused"]


def test_a_reset_forgets_what_is_pending(tag):
    register(tag, "produto_criado")
    tag.control("POST", "/settings", {"webhook_delay_s": 30})
    tag.product()
    tag.control("POST", "/reset")
    assert tag.control("GET", "/deliveries")["deliveries"] == []
    assert tag.hook.got == []
