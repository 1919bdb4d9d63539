"""Published samples are read or refused, and what we send fits the vendor's OpenAPI. Skipped where they are not."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hub.clock import utcnow
from hub.policy import Policy
from hub.records import OutgoingOrder, OutgoingProduct, ProductRecord, Refused, StockRecord
from providers.contract import CallFailed, Event, Hint, Subject, UnreadableEventError
from providers.http import Answer
from providers.tagplus import lookups, mapper, reading, webhooks
from providers.tagplus.errors import judge
from providers.tiny_parse import many, one
from tests.providers.test_tagplus_mapper import BUYER, IDS, ORDER, PRODUCT

SHARED = Path(__file__).resolve().parents[3] / "shared"
SAMPLES = SHARED / "samples" / "tagplus"
FILES = sorted(SAMPLES.glob("*.json"))
OPENAPI = SHARED / "openapi" / "tagplus-core-reconstructed.json"

pytestmark = pytest.mark.skipif(not FILES, reason="the samples lie beside the project and are not here")


def load(stem: str) -> Any:
    return json.loads((SAMPLES / f"{stem}.json").read_text(), parse_float=Decimal)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_any_sample_through_any_reader_is_read_or_refused_with_a_reason(path: Path) -> None:
    payload = load(path.stem)
    for row in [payload, *many(payload)]:
        product, stock = reading.product(row), reading.stock(row, utcnow())
        assert isinstance(product, ProductRecord) or product.problems
        assert isinstance(stock, StockRecord) or stock.problems
        reading.row(row)
        reading.note(row)
        reading.order_row(row)
        reading.order_status("1", one(row), utcnow())
    reading.allowed(one(payload))
    rows = many(payload)
    lookups.unit_id(rows, "UN")
    lookups.city_id(rows, "Itajaí", "SC")
    lookups.payment_id(rows, "pix", 1)
    lookups.contact_id(rows, "E", ("mail",))
    reading.touched_products(rows)
    try:
        webhooks.read("pedido", path.read_bytes(), "application/json")
    except UnreadableEventError as error:
        assert "received" in str(error)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_any_sample_is_judged(path: Path) -> None:
    body = path.read_bytes()
    for status in (200, 400, 401, 402, 403, 404, 422, 429, 500):
        failed = judge("GET /x/{id}", Answer(status, {}, body, load(path.stem)))
        assert (failed is None) is (status == 200)
        assert failed is None or isinstance(failed, CallFailed)


def test_errors_tell_the_vendors_words() -> None:
    linked = judge("DELETE /clientes/{id}", Answer(403, {}, b"{}", load("erro-403-apagar-cliente-vinculado")))
    assert linked and (linked.reason, linked.code) == ("validation", "apagar_cliente_vinculado")
    assert linked.detail.startswith("O cliente possui vinculos")
    closed = judge("POST /pedidos", Answer(422, {}, b"{}", load("erro-422-campo-adicional")))
    assert closed and "'produto'" in closed.detail and "itens/0/produto" in closed.detail
    token = judge("GET /me", Answer(401, {}, b"{}", load("erro-401-kong-token")))
    assert token and (token.reason, token.code) == ("token", "invalid_token")


def test_products_are_read() -> None:
    (told,) = load("produtos-list-fields-response")
    found = reading.product(told)
    assert isinstance(found, ProductRecord)
    assert (found.external_id, found.sku, found.list_price, found.active) == ("15", "SKU-15", Decimal("49.9"), True)
    assert found.pictures == ("https://example.com/1.jpg",)
    balance = reading.stock(told, utcnow())
    assert isinstance(balance, StockRecord) and balance.available == 20
    poor = reading.product(load("produtos-list-response")[0])
    assert isinstance(poor, Refused) and [p.field for p in poor.problems] == ["external_id"]


def test_customers_and_orders_are_read() -> None:
    rows = load("clientes-list-por-cpf-response")
    assert [found.external_id for found in reading.customers_of_document(rows, "12345678909")] == ["654"]
    assert reading.customers_of_document(load("clientes-list-response"), "12345678909") == []
    order = load("pedido-get-response")
    assert reading.order_status("1220", order, utcnow()).stage == "open"
    assert reading.order_of_code([order], "LOJA-1001") is not None
    assert [row.external_id for row in map(reading.order_row, load("pedidos-list-response")) if row] == ["1"]
    assert reading.order_row(load("pedido-create-response")) is not None


def test_notes_are_read() -> None:
    note = reading.note(load("nfe-get-response"))
    assert note is not None
    assert (note.external_id, note.number, note.series, note.state) == ("2659", "3706", "1", "authorised")
    assert (len(note.access_key), note.order_ref) == (44, "1220")
    poor = reading.note(load("nfes-list-response")[0])
    assert poor is not None and (poor.access_key, poor.state, poor.order_ref) == ("", "", "")


def test_look_ups_are_read() -> None:
    assert lookups.payment_id(load("formas-pagamento-list-response"), "pix", 1) == 3
    assert lookups.unit_id(load("unidades-list-response"), "Unidade") == 1
    assert all(reading.allowed(load("me-permissoes-response")).values())
    assert reading.touched_products(load("registro-atividades-list-response")) == []


def test_the_delivery_is_read() -> None:
    body = (SAMPLES / "webhook-pedido-criado-delivery.json").read_bytes()
    assert webhooks.read("pedido", body, "application/json") == Event((Hint(Subject.ORDER, "1"),))


FULL = replace(
    PRODUCT,
    description="Azul",
    gtin="7891234567895",
    cest="0100100",
    origin="0",
    weight_net=Decimal("0.3"),
    weight_gross=Decimal("0.35"),
    height=Decimal(10),
    width=Decimal(8),
    length=Decimal(8),
)


def product_body(product: OutgoingProduct, *, creates: bool) -> dict[str, Any]:
    make = mapper.new_product if creates else mapper.changed_product
    return mapper.with_unit(make(product, stock=True), 1)


def order_body(order: OutgoingOrder) -> dict[str, Any]:
    return mapper.new_order(order, Policy(), 3)


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [
        ("/produtos", "post", product_body(FULL, creates=True)),
        ("/produtos/{id}", "patch", product_body(FULL, creates=False)),
        ("/clientes", "post", mapper.new_customer(BUYER, IDS)),
        ("/clientes", "post", mapper.new_customer(replace(BUYER, document=""), mapper.PeopleIds())),
        ("/pedidos", "post", order_body(ORDER)),
        ("/pedidos/{id}", "patch", {"status": "C"}),
    ],
)
def test_what_we_send_fits_the_vendors_closed_schema(path: str, method: str, body: dict[str, Any]) -> None:
    """Closed as the vendor closes it, all the way down: one unknown key is a 422 (`§5`)."""
    document = json.loads(OPENAPI.read_text())
    wanted = document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
    schema = closed({**wanted, "components": document["components"]})
    errors = [f"{list(e.absolute_path)}: {e.message}" for e in Draft202012Validator(schema).iter_errors(body)]
    assert errors == []


def closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    done = {key: closed(value) for key, value in schema.items()}
    if isinstance(done.get("properties"), dict) and done.get("type") == "object":
        done["additionalProperties"] = False
    return done
