"""Published samples are read or refused, and what we send fits the vendor's OpenAPI. Skipped where they are not."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from hub.records import OutgoingAddress, OutgoingCustomer
from providers.contaazul import mapper
from providers.contaazul.errors import judge
from providers.contaazul.mapper import Ids
from providers.contract import CallFailed
from providers.http import Answer
from providers.tiny_parse import many, one
from tests.providers.test_contaazul_mapper import ORDER, PRODUCT

SHARED = Path(__file__).resolve().parents[3] / "shared"
SAMPLES = SHARED / "samples" / "contaazul"
FILES = sorted(SAMPLES.glob("*.json"))
OPENAPI = SHARED / "openapi"
UUID = "123e4567-e89b-12d3-a456-426614174000"
SALE = replace(ORDER, customer_ref=UUID, items=(replace(ORDER.items[0], external_id=UUID),))

pytestmark = pytest.mark.skipif(not FILES, reason="the samples lie beside the project and are not here")


def load(stem: str) -> Any:
    return json.loads((SAMPLES / f"{stem}.json").read_text(), parse_float=Decimal)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_any_sample_through_any_reader_breaks_nothing(path: Path) -> None:
    payload = load(path.stem)
    rows = [payload, *many(one(payload).get("items")), *many(one(payload).get("itens"))]
    for row in rows:
        mapper.invoice(row)
        mapper.status(row)
        mapper.is_cancelled(one(row))
    mapper.products_of_sku(rows, "PROD01")
    mapper.people_of_document(rows, "12345678900")
    mapper.code_id(rows, "1234")
    mapper.unit_id(rows, "KG")
    mapper.cancelled_sale(one(payload), rows, SALE)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_any_sample_is_judged(path: Path) -> None:
    body = path.read_bytes()
    for status in (200, 400, 401, 403, 404, 429, 500):
        failed = judge("GET /v1/x/{id}", Answer(status, {}, body, load(path.stem)))
        assert (failed is None) is (status == 200)
        assert failed is None or isinstance(failed, CallFailed)


def test_errors_tell_the_vendors_words() -> None:
    for stem, words in (
        ("erro-401-token-expirado", "The Token has expired."),
        ("erro-generico-error", "Mensagem de erro detalhada"),
        ("erro-notas-fiscais-chave", "Nenhuma nota fiscal encontrada com a chave informada"),
        ("erro-financeiro-400", "A data de início não pode ser posterior à data de fim."),
    ):
        failed = judge("GET /v1/x", Answer(400, {}, b"{}", load(stem)))
        assert failed and failed.detail == words


def test_listings_are_read() -> None:
    products = many(load("produtos-list-response")["items"])
    assert len(mapper.products_of_sku(products, "PROD01")) == 1
    assert len(mapper.products_of_sku(products, "PRODV01")) == 1
    assert len(mapper.products_of_sku([load("produto-get-response")], "SKU123")) == 1
    people = many(load("pessoas-list-response")["items"])
    assert len(mapper.people_of_document(people, "12345678900")) == 1
    assert many(load("pessoas-list-vazia-response")["items"]) == []
    assert mapper.code_id(many(load("produtos-ncm-list-response")["items"]), "0100400") == 1
    assert mapper.code_id(many(load("produtos-cest-list-response")["items"]), "0100100") == 1
    assert mapper.unit_id(many(load("produtos-unidades-medida-list-response")["items"]), "KG") == 10801
    (note,) = (mapper.invoice(row) for row in load("notas-fiscais-list-response")["itens"])
    assert note and (note.number, note.status, len(note.access_key)) == ("123456", "EMITIDA", 44)


def schema(file: str, path: str, method: str) -> Draft202012Validator:
    document = json.loads((OPENAPI / f"{file}.json").read_text())
    wanted = document["paths"][path][method]["requestBody"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**wanted, "components": document["components"]})


def closed(validator: Draft202012Validator, body: Any) -> None:
    """Fits the schema, and names no field that the schema does not know: the vendor would drop it in silence."""
    errors = [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(body)]
    assert errors == []
    unknown = list(_unknown(body, validator.schema, validator.schema["components"]["schemas"]))
    assert unknown == []


def _unknown(body: Any, told: Any, schemas: dict[str, Any], at: str = "") -> Any:
    if "$ref" in told:
        told = schemas[told["$ref"].rpartition("/")[2]]
    for part in told.get("allOf", []):
        told = {**part, **told}
    if isinstance(body, list):
        for row in body:
            yield from _unknown(row, told.get("items", {}), schemas, f"{at}[]")
    elif isinstance(body, dict) and "properties" in told:
        for name, value in body.items():
            if name not in told["properties"]:
                yield f"{at}.{name}"
            else:
                yield from _unknown(value, told["properties"][name], schemas, f"{at}.{name}")


IDS = Ids(ncm=1, cest=2, unit=3)
FULL = replace(
    PRODUCT,
    description="Azul",
    gtin="7891234567895",
    origin="0",
    stock=Decimal("2.5"),
    weight_net=Decimal("0.3"),
    weight_gross=Decimal("0.35"),
    height=Decimal(10),
    width=Decimal(8),
    length=Decimal(8),
)
HOME = OutgoingAddress("Rua A", "1", "fundos", "Centro", "Itajaí", "SC", "88301000", "Loja B")
DETAIL = "venda-get-response"


@pytest.mark.parametrize(
    ("file", "path", "method", "make"),
    [
        ("contaazul-sales-fixed", "/v1/venda", "post", lambda: mapper.sale(replace(SALE, delivery=HOME), 77)),
        (
            "contaazul-sales-fixed",
            "/v1/venda/{id}",
            "put",
            lambda: mapper.cancelled_sale(load(DETAIL), load("venda-itens-response")["itens"], SALE),
        ),
        ("contaazul-sales-fixed", "/v1/venda/{id}", "put", lambda: mapper.cancelled_sale({}, [], SALE)),
        (
            "contaazul-produtos-reconstructed",
            "/v1/produtos",
            "post",
            lambda: mapper.with_ids(mapper.new_product(FULL), IDS),
        ),
        (
            "contaazul-produtos-reconstructed",
            "/v1/produtos/{id}",
            "patch",
            lambda: mapper.with_ids(mapper.changed_product(FULL), IDS),
        ),
        (
            "contaazul-pessoas-reconstructed",
            "/v1/pessoas",
            "post",
            lambda: mapper.person(OutgoingCustomer("c" * 32, "Cliente", "52998224725", "a@b.example", "4799", HOME)),
        ),
    ],
)
def test_what_we_send_fits_the_vendors_openapi(file: str, path: str, method: str, make: Any) -> None:
    closed(schema(file, path, method), make())
