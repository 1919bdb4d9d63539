"""The rules of a product record: what makes it unfit for a shop, and what its content hashes are."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import orjson

from hub import fiscal
from hub.records import Problem, ProductKind, ProductRecord, Refused, StockRecord
from hub.types import plain

GROUPS = ("data", "price", "pictures")
LONGEST = {
    # PostgreSQL refuses a longer text, and with it the other 99 records of the page.
    "parent_ref": 60,
    "name": 400,
    "sku": 60,
    "brand": 200,
    "category": 400,
    "unit": 10,
    "cest": 9,
    "origin": 1,
    "warranty": 200,
}
"""Letters that the columns hold."""
TOO_LARGE = Decimal(10) ** 14
NUMBERS = ("list_price", "promotional_price", "cost_price", "weight_net", "weight_gross", "height", "width", "length")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record fit to be stored: its columns by field group, and a hash of each group."""

    record: ProductRecord
    data: dict[str, Any]
    price: dict[str, Decimal | None]
    hashes: dict[str, str]


def prepare(record: ProductRecord) -> Prepared | Refused:
    """Check a record and lay it out for the tables. A record with any problem is refused whole, with all of them."""
    problems: list[Problem] = []
    if not record.name:
        problems.append(Problem("name", "empty", record.name))
    gtin = _checked(fiscal.gtin, record.gtin, problems)
    ncm = _checked(fiscal.ncm, record.ncm, problems)
    problems += _too_long(record)
    for field in NUMBERS:
        number: Decimal | None = getattr(record, field)
        if number is not None and (reason := unfit(number)):
            problems.append(Problem(field, reason, plain(number)))
    problems += [Problem("kit", "quantity", plain(part.quantity)) for part in record.kit if part.quantity <= 0]
    if problems:
        return refuse(record, problems)
    return _prepared(record, gtin, ncm)


def refuse(record: ProductRecord, problems: list[Problem]) -> Refused:
    """The record as refused, with its content kept."""
    return Refused(
        external_id=record.external_id,
        problems=tuple(problems),
        payload=orjson.dumps(asdict(record), default=_json, option=orjson.OPT_INDENT_2).decode(),
        name=record.name,
        sku=record.sku or "",
    )


def price_hash(prices: Mapping[str, Decimal | None]) -> str:
    """A hash of the list, the promotional and the cost price."""
    return _hash([prices[name] for name in ("list_price", "promotional_price", "cost_price")])


def stock_hash(record: StockRecord, quantity: Decimal) -> str:
    """A hash of every balance and of what the store may show of them."""
    deposits = [
        (d.key, d.name, _text(d.physical), _text(d.reserved), _text(d.available), d.counted) for d in record.deposits
    ]
    totals = (_text(record.physical), _text(record.reserved), _text(record.available), _text(quantity))
    return _hash((totals, deposits))


def _prepared(record: ProductRecord, gtin: str | None, ncm: str | None) -> Prepared:
    data: dict[str, Any] = {
        "kind": record.kind.value,
        "sku": record.sku or None,
        "name": record.name,
        "description": record.description,
        "brand": record.brand,
        "category": record.category,
        "unit": record.unit,
        "gtin": gtin,
        "gtin_key": gtin.zfill(14) if gtin else None,
        "ncm": ncm,
        "cest": record.cest or None,
        "origin": record.origin,
        "warranty": record.warranty,
        "weight_net": record.weight_net,
        "weight_gross": record.weight_gross,
        "height": record.height,
        "width": record.width,
        "length": record.length,
        "attributes": record.attributes,
        "active": record.active,
    }
    promotional = record.promotional_price or None
    price = {
        "list_price": record.list_price,
        "promotional_price": promotional,
        "cost_price": record.cost_price,
    }
    parts = [(part.external_id, _text(part.quantity)) for part in record.kit]
    hashes = {
        "data": _hash([*data.values(), record.parent_ref, parts, record.related]),
        "price": price_hash(price),
        "pictures": _hash(record.pictures),
    }
    return Prepared(record, data, price, hashes)


def sellable(record: ProductRecord) -> bool:
    """Whether it can be put in a cart: the parent of variations cannot."""
    return record.kind is not ProductKind.PARENT


def unfit(number: Decimal) -> str:
    """Why a price, weight or measure cannot be taken; empty when it can."""
    if not number.is_finite():
        return "not_a_number"
    if number < 0:
        return "negative"
    return "too_large" if number >= TOO_LARGE else ""


def _too_long(record: ProductRecord) -> list[Problem]:
    texts = [(field, getattr(record, field) or "", longest) for field, longest in LONGEST.items()]
    texts += [("kit", part.external_id, LONGEST["parent_ref"]) for part in record.kit]
    texts += [("related", reference, LONGEST["parent_ref"]) for reference in record.related]
    return [Problem(field, "too_long", value[:80]) for field, value, longest in texts if len(value) > longest]


def _checked(check: Any, value: str, problems: list[Problem]) -> str | None:
    try:
        return check(value)  # type: ignore[no-any-return]
    except fiscal.FiscalError as error:
        problems.append(Problem(error.field, error.reason, error.received))
        return None


def _hash(content: Any) -> str:
    return hashlib.blake2b(
        orjson.dumps(content, default=_json, option=orjson.OPT_SORT_KEYS), digest_size=16
    ).hexdigest()


def _json(value: Any) -> Any:
    """Decimals by their plain text, so that 150 and 150.0000 are the same content."""
    if isinstance(value, Decimal):
        return plain(value)
    raise TypeError(f"no content hash for {type(value).__name__}")


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)
