"""What the simulated Tiny really posts, of both families, read; and the mapping that it keeps of our answer."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from providers.contract import Event, Hint, Subject
from providers.tiny_v2 import webhooks
from tests.contract.conftest import sandbox, served
from tests.contract.subjects import Sandbox

__all__ = ["sandbox", "served"]

ACCOUNT = "/tiny/accounts/demo"
TOPICS = {
    "situacao_pedido": "situacao",
    "nota_fiscal": "nota",
    **{name: name for name in ("produto", "estoque", "precos", "rastreio")},
}


class Door:
    """Reads every call by its topic, the last part of the address, and answers what the event says."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Event]] = []
        self.url = ""

    def hints(self, topic: str) -> set[Hint]:
        return {hint for of, event in self.events if of == topic for hint in event.hints}


@contextlib.contextmanager
def opened() -> Iterator[Door]:
    door = Door()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            topic = self.path.rsplit("/", 1)[-1]
            body = self.rfile.read(int(self.headers["content-length"]))
            event = webhooks.read(topic, body, self.headers.get("content-type", ""))
            door.events.append((topic, event))
            answer = json.dumps(event.answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    door.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield door
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.fixture
def door() -> Iterator[Door]:
    with opened() as made:
        yield made


def settle(sandbox: Sandbox) -> None:
    assert sandbox.ask("POST", "/deliveries/wait", seconds=5)["idle"]


def integrated(sandbox: Sandbox, door: Door) -> None:
    """An integration whose every field holds the address of its topic."""
    addresses = {name: f"{door.url}/{topic}" for name, topic in TOPICS.items()}
    sandbox.ask("POST", f"{ACCOUNT}/integrations", id=8390, name="Loja Sol", webhooks=addresses)


def an_order(sandbox: Sandbox, **more: Any) -> str:
    item = {"codigo": "CAN-300", "descricao": "x", "unidade": "UN", "quantidade": 1, "valor_unitario": 5}
    customer = {"nome": "Pessoa Exemplo", "cpf_cnpj": "52998224725"}
    made = sandbox.ask("POST", f"{ACCOUNT}/orders", cliente=customer, itens=[{"item": item}], **more)
    return str(made["id"])


def test_the_mapping_that_we_answer_is_kept_and_comes_back_as_ids(sandbox: Sandbox, door: Door) -> None:
    integrated(sandbox, door)
    family = next(row for row in sandbox.products() if row["tipoVariacao"] == "P")
    ids = [str(row["id"]) for row in sandbox.products() if row["pai"] == family["id"]]
    sandbox.ask("POST", f"{ACCOUNT}/integrations/8390/send", id=family["id"])
    settle(sandbox)
    assert door.hints("produto") == {Hint(Subject.PRODUCT, one) for one in (str(family["id"]), *ids)}
    (integration,) = sandbox.ask("GET", f"{ACCOUNT}/integrations")
    kept = {str(row["skuMapeamento"]) for row in integration["mappings"]}
    assert kept == {str(family["id"]), *ids}

    sandbox.ask("PATCH", f"{ACCOUNT}/products/{ids[0]}", preco="77.70")
    sandbox.ask("POST", f"{ACCOUNT}/products/{ids[0]}/stock", deposit="Depósito Geral", balance=9, reserved=0)
    settle(sandbox)
    assert Hint(Subject.PRODUCT, ids[0]) in door.hints("precos")
    assert Hint(Subject.STOCK, ids[0]) in door.hints("estoque")


def test_situation_tracking_and_note_of_the_integration_name_what_to_read(sandbox: Sandbox, door: Door) -> None:
    integrated(sandbox, door)
    order = an_order(sandbox, numero_pedido_ecommerce="1001", id_ecommerce=8390)
    note = sandbox.ask("POST", f"{ACCOUNT}/orders/{order}/invoice")
    sandbox.ask("PATCH", f"{ACCOUNT}/orders/{order}", situacao="enviado", tracking={"codigo": "AA123456785BR"})
    settle(sandbox)
    assert door.hints("situacao") == door.hints("rastreio") == {Hint(Subject.ORDER, order)}
    assert door.hints("nota") == {Hint(Subject.INVOICE, str(note["id"]))}
    assert {event.document for _, event in door.events} == {"90000001000129"}


def test_the_accounts_own_webhooks_name_the_same(sandbox: Sandbox, door: Door) -> None:
    topics = {"pedidos": "pedidos", "pedidos_enviados": "pedidos", "estoque": "estoque", "nota_fiscal": "nota"}
    sandbox.account(webhooks={name: f"{door.url}/{topic}" for name, topic in topics.items()})
    order = an_order(sandbox)
    note = sandbox.ask("POST", f"{ACCOUNT}/orders/{order}/invoice")
    sandbox.ask("PATCH", f"{ACCOUNT}/orders/{order}", situacao="enviado")
    mug = str(sandbox.products("CAN-300")[0]["id"])
    sandbox.ask("POST", f"{ACCOUNT}/products/{mug}/stock", deposit="Depósito Geral", balance=9, reserved=0)
    settle(sandbox)
    assert door.hints("pedidos") == {Hint(Subject.ORDER, order)}
    assert Hint(Subject.STOCK, mug) in door.hints("estoque")
    assert door.hints("nota") == {Hint(Subject.INVOICE, str(note["id"]))}
