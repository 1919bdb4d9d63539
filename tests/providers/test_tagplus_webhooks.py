"""TagPlus's events: who sent them, and what they are about."""

import json
from typing import Any

import pytest

from providers.contract import Event, Hint, Subject, UnreadableEventError
from providers.registry import KINDS
from providers.tagplus import webhooks

PRODUCT, STOCK, ORDER, INVOICE = Subject.PRODUCT, Subject.STOCK, Subject.ORDER, Subject.INVOICE


def told(event_type: Any, *ids: Any) -> bytes:
    event = {"id": 999, "sistema": "demo", "uid": "5cd7", "event_type": event_type, "data": [{"id": i} for i in ids]}
    return json.dumps(event).encode()


def read(body: bytes) -> Event:
    return webhooks.read("produto", body, "application/json")


@pytest.mark.parametrize(
    ("event_type", "subjects"),
    [
        ("produto_criado", [PRODUCT, STOCK]),
        ("produto_alterado", [PRODUCT, STOCK]),
        ("PRODUTO_ALTERADO", [PRODUCT, STOCK]),
        ("produto_apagado", [PRODUCT]),
        ("estoque_revenda_alterado", [STOCK]),
        ("pedido_criado", [ORDER]),
        ("pedido_alterado", [ORDER]),
        ("pedido_confirmado", [ORDER]),
        ("nfe_aprovada", [INVOICE]),
        ("nfe_denegada", [INVOICE]),
        ("nfe_cancelada", [INVOICE]),
        ("nfe_of_next_year", []),
        ("cliente_alterado", []),
        ("pedido_compra_criado", []),
        ("nfe", []),
        ("nfe_", []),
        ("", []),
        (None, []),
        (7, []),
    ],
)
def test_each_event_is_about_something(event_type: Any, subjects: list[Subject]) -> None:
    assert read(told(event_type, "15")).hints == tuple(Hint(subject, "15") for subject in subjects)


def test_ids_come_as_text_or_numbers_several_and_doubled() -> None:
    assert read(told("pedido_criado", "1", 2, "2", "03")).hints == tuple(Hint(ORDER, key) for key in ("1", "2", "03"))


def test_an_event_of_no_record_tells_nothing() -> None:
    assert read(told("pedido_criado")).hints == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"\xff\xfe",
        b"[" * 5000,
        told("nfe_aprovada", None),
        told("nfe_aprovada", "1", ""),
        told("nfe_aprovada", 0),
        b'{"event_type": "nfe_aprovada"}',
        b'{"event_type": "nfe_aprovada", "data": {"id": "1"}}',
        b'{"event_type": "nfe_aprovada", "data": ["1"]}',
        told("nfe_aprovada", *range(1, 1002)),
    ],
)
def test_what_is_not_such_an_event_is_said(body: bytes) -> None:
    with pytest.raises(UnreadableEventError) as raised:
        read(body)
    assert "received" in str(raised.value)


@pytest.mark.parametrize(
    ("secret", "headers", "is_theirs"),
    [
        ("ABC123XPTO", {"x-hub-secret": "ABC123XPTO"}, True),
        ("ABC123XPTO", {"x-hub-secret": "abc123xpto"}, False),
        ("ABC123XPTO", {"x-hub-secret": "ABC123XPT"}, False),
        ("ABC123XPTO", {"x-hub-secret": ""}, False),
        ("ABC123XPTO", {}, False),
        ("", {"x-hub-secret": ""}, False),
        ("", {}, False),
        ("segredo-é", {"x-hub-secret": "segredo-é"}, True),
        ("x", {"x-hub-secret": "\udcff"}, False),
    ],
)
def test_only_who_knows_the_secret_is_let_in(secret: str, headers: dict[str, str], is_theirs: bool) -> None:
    assert webhooks.authentic(secret, headers) is is_theirs


def test_the_registry_knows_them() -> None:
    hooks = KINDS["tagplus"].webhooks
    assert hooks is not None
    assert set(hooks.TOPICS) == {"produto", "pedido", "nota"}
    assert hooks.HAS_SECRET
