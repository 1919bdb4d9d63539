"""Orders come in: checked, linked to the products and the buyer that we know, and never twice.

An order is known by (merchant, source, number); handed in again it is the same one, changed or not. Payment events are
in `hub.payments`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import orjson
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import crypto, fiscal, holding, money, order_queue
from hub.buyers import Buyer, link_buyer
from hub.clock import utcnow
from hub.db import insert_rows, upsert_rows
from hub.ids import new_id
from hub.notices import Draft, clear_notices, raise_notices
from hub.payments import ENDED, find, settle
from hub.records import OutgoingAddress, Problem
from hub.tables import Address, Binding, Order, OrderItem, Product
from hub.types import plain

INTAKE = "order_intake"
EDIT = "order_edit"
"""Kinds of notices about orders, beside `order` itself, which is about sending them."""

LONGEST = {"number": 60, "payment_method": 40, "sku": 60, "name": 400, "notes": 4000}
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order. `discount` is of the whole line, in reais."""

    sku: str
    name: str
    quantity: Decimal
    unit_price: Decimal
    discount: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An order as a store hands it in. `source` is the connection it came from, empty for the built-in store."""

    number: str
    placed_at: datetime
    buyer: Buyer
    lines: tuple[Line, ...]
    total: Decimal
    discount: Decimal = ZERO
    freight: Decimal = ZERO
    payment_method: str = ""
    instalments: int = 1
    notes: str = field(default="", repr=False)
    delivery: OutgoingAddress | None = field(default=None, repr=False)
    billing: OutgoingAddress | None = field(default=None, repr=False)
    source: str = ""


@dataclass(frozen=True, slots=True)
class OrderTotals:
    """An order's sums in reais: `goods` is before, `discount` with the discounts of the lines."""

    goods: Decimal
    discount: Decimal
    freight: Decimal
    stated: Decimal

    @property
    def computed(self) -> Decimal:
        """What the order comes to by its lines."""
        return self.goods - self.discount + self.freight

    @property
    def agree(self) -> bool:
        """Whether the order comes to what it says, to the centavo."""
        return self.computed == self.stated


class OrderRefused(Exception):
    """An order that cannot be taken: every problem with it, and its totals where it is they that differ."""

    def __init__(self, number: str, problems: Sequence[Problem], totals: OrderTotals | None = None) -> None:
        self.number = number
        self.problems = tuple(problems)
        self.totals = totals
        said = "; ".join(f"{p.field}: {p.reason} ({p.received})" for p in problems)
        if totals is not None:
            said = (
                f"the total is stated as {totals.stated}, the lines come to {totals.computed} (items {totals.goods}, "
                f"less discounts {totals.discount}, plus freight {totals.freight}); they must agree to the centavo"
            )
        super().__init__(f"order {number!r} refused: {said}")


@dataclass(frozen=True, slots=True)
class Put:
    """What became of an order that was handed in."""

    order: Order
    outcome: Literal["created", "edited", "unchanged"]


async def put_order(session: AsyncSession, merchant_id: str, placed: PlacedOrder) -> Put:
    """Take an order in, in the caller's transaction. Raises OrderRefused, and then nothing was written.

    One that has changed since replaces what we hold. Where it was exported already, the ERP is not told (its API has
    no such thing as a changed sale that was invoiced): the notice `order.edited` asks the merchant.
    """
    checked(placed)
    placed = _normal(placed)
    digest = content_hash(placed)
    order, created = await _locked(session, merchant_id, placed)
    await clear_notices(session, merchant_id, "", INTAKE, [placed.number])
    if order.content_hash == digest:
        return Put(order, "unchanged")
    before = await holding.products_of(session, order.id)
    await _fill(session, order, placed)
    order.content_hash = digest
    await session.flush()
    was_paid = order.state == "paid"
    await settle(session, order)
    if not created:
        await _tell_of_edit(session, order)
    if order.state not in ENDED and (was_paid or order.state != "paid"):  # else it was queued as it became paid
        await order_queue.enqueue(session, order, moved=False)
    await holding.refresh(session, merchant_id, before | await holding.products_of(session, order.id))
    return Put(order, "created" if created else "edited")


async def note_refusal(session: AsyncSession, merchant_id: str, refused: OrderRefused) -> None:
    """Tell the merchant of an order whose totals do not agree; in a transaction of its own, as the order's is undone.

    The notice goes when the order comes again with totals that do.
    """
    if refused.totals is None:
        return
    params = {
        "number": refused.number,
        "computed": money.brl(refused.totals.computed),
        "stated": money.brl(refused.totals.stated),
    }
    draft = Draft(code="order.totals", connection_id="", kind=INTAKE, subject=refused.number, params=params)
    await raise_notices(session, merchant_id, [draft])


def totals(placed: PlacedOrder) -> OrderTotals:
    """The order's sums. Each line is rounded to the centavo, half-up, as an ERP does with what it prints on it."""
    return OrderTotals(
        goods=sum((money.money(line.quantity * line.unit_price) for line in placed.lines), ZERO),
        discount=placed.discount + sum((line.discount for line in placed.lines), ZERO),
        freight=placed.freight,
        stated=placed.total,
    )


def checked(placed: PlacedOrder) -> OrderTotals:
    """The sums of an order that can be taken. Raises OrderRefused with all that is wrong with it."""
    problems = _problems(placed)
    if problems:
        raise OrderRefused(placed.number[:60], problems)
    found = totals(placed)
    if not found.agree:
        received = f"{found.stated} ≠ {found.computed}"
        raise OrderRefused(placed.number, [Problem("total", "differs", received)], found)
    return found


def content_hash(placed: PlacedOrder) -> str:
    """What two versions of an order differ by. Under a key: the hash of a person's data would give it away."""
    content = asdict(placed) | {"placed_at": placed.placed_at.timestamp()}
    packed = orjson.dumps(content, default=_plain, option=orjson.OPT_SORT_KEYS).decode()
    return crypto.blind_index(packed, "order.content")[:32]


def _normal(placed: PlacedOrder) -> PlacedOrder:
    """The order with its spellings made one, so that a mask on a document is no edit."""
    document = fiscal.document(placed.buyer.document) if placed.buyer.document else ""
    return replace(
        placed,
        buyer=replace(placed.buyer, document=document),
        lines=tuple(replace(line, name=line.name or line.sku) for line in placed.lines),
        placed_at=placed.placed_at.astimezone(UTC),
    )


def _problems(placed: PlacedOrder) -> list[Problem]:
    found = []
    for name, value in (("number", placed.number), ("payment_method", placed.payment_method), ("notes", placed.notes)):
        if len(value) > LONGEST[name]:
            found.append(Problem(name, "too_long", "" if name == "notes" else value[:80]))
    if not placed.number:
        found.append(Problem("number", "empty", ""))
    if not placed.lines:
        found.append(Problem("items", "empty", ""))
    if not placed.buyer.name:
        found.append(Problem("customer", "empty", ""))
    if not 1 <= placed.instalments <= 99:
        found.append(Problem("instalments", "range", str(placed.instalments)))
    if placed.buyer.document:
        try:
            fiscal.document(placed.buyer.document)
        except fiscal.FiscalError as error:
            found.append(Problem("document", error.reason, error.received))
    for name in ("total", "discount", "freight"):
        found += _amount_problems(name, getattr(placed, name))
    for line in placed.lines:
        found += _line_problems(line)
    return found


def _line_problems(line: Line) -> list[Problem]:
    texts = (("sku", line.sku), ("name", line.name))
    found = [Problem(name, "too_long", value[:80]) for name, value in texts if len(value) > LONGEST[name]]
    if not line.sku:
        found.append(Problem("sku", "empty", ""))
    if not line.quantity.is_finite() or not 0 < line.quantity < 10**9:
        found.append(Problem("quantity", "range", str(line.quantity)))
    if not line.unit_price.is_finite() or not 0 <= line.unit_price < 10**12:
        found.append(Problem("unit_price", "range", str(line.unit_price)))
    return found + _amount_problems("discount", line.discount)


def _amount_problems(name: str, amount: Decimal) -> list[Problem]:
    """An amount of reais has two places and is not negative."""
    if not amount.is_finite() or not 0 <= amount < 10**12:
        return [Problem(name, "range", str(amount))]
    if amount != money.money(amount):
        return [Problem(name, "places", plain(amount))]
    return []


async def _locked(session: AsyncSession, merchant_id: str, placed: PlacedOrder) -> tuple[Order, bool]:
    """The order's row, made if it is new, and ours alone until the transaction ends."""
    now = utcnow()
    row = {
        "id": new_id(),
        "merchant_id": merchant_id,
        "source": placed.source,
        "number": placed.number,
        "customer_id": None,
        "state": "created",
        "payment_state": "pending",
        "items_total": ZERO,
        "discount": ZERO,
        "freight": ZERO,
        "total": ZERO,
        "notes": "",
        "content_hash": "",
        "payment_method": "",
        "instalments": 1,
        "placed_at": placed.placed_at,
        "paid_at": None,
        "created_at": now,
        "updated_at": now,
    }
    table = Order.__table__  # type: ignore[attr-defined]
    await upsert_rows(session, table, [row], key=["merchant_id", "source", "number"], update=[])
    order = await find(session, merchant_id, placed.number, placed.source)
    return order, order.id == row["id"]


async def _fill(session: AsyncSession, order: Order, placed: PlacedOrder) -> None:
    sums = totals(placed)
    order.items_total = sums.goods - sum((line.discount for line in placed.lines), ZERO)
    order.discount, order.freight, order.total = placed.discount, placed.freight, placed.total
    order.payment_method, order.instalments = placed.payment_method, placed.instalments
    if order.notes != placed.notes:
        order.notes = placed.notes
    order.placed_at = placed.placed_at
    order.updated_at = utcnow()
    await link_buyer(session, order, placed.buyer)
    await _write_lines(session, order, placed.lines)
    await _write_addresses(session, order, {"delivery": placed.delivery, "billing": placed.billing})


async def _write_lines(session: AsyncSession, order: Order, lines: Sequence[Line]) -> None:
    rows = await session.execute(
        select(col(Product.sku), col(Product.id)).where(
            col(Product.merchant_id) == order.merchant_id, col(Product.sku).in_({line.sku for line in lines})
        )
    )
    known = dict(rows.tuples().all())
    await session.execute(delete(OrderItem).where(col(OrderItem.order_id) == order.id))
    made = [
        {
            "order_id": order.id,
            "position": position,
            "merchant_id": order.merchant_id,
            "product_id": known.get(line.sku),
            "sku": line.sku,
            "name": line.name,
            "quantity": line.quantity,
            "unit_price": line.unit_price,
            "discount": line.discount,
        }
        for position, line in enumerate(lines)
    ]
    await insert_rows(session, OrderItem.__table__, made)  # type: ignore[attr-defined]


async def _write_addresses(session: AsyncSession, order: Order, wanted: dict[str, OutgoingAddress | None]) -> None:
    await session.execute(delete(Address).where(col(Address.order_id) == order.id))
    rows = [
        {
            "order_id": order.id,
            "role": role,
            "merchant_id": order.merchant_id,
            "uf": address.uf,
            "details": asdict(address),
        }
        for role, address in wanted.items()
        if address is not None
    ]
    await insert_rows(session, Address.__table__, rows)  # type: ignore[attr-defined]


async def _tell_of_edit(session: AsyncSession, order: Order) -> None:
    """An order changed: a notice where it is over there already."""
    rows = await session.execute(
        select(col(Binding.connection_id), col(Binding.sent_hash)).where(
            col(Binding.merchant_id) == order.merchant_id,
            col(Binding.kind) == "order",
            col(Binding.record_id) == order.id,
        )
    )
    bound = dict(rows.tuples().all())
    differing = [connection for connection, sent in bound.items() if sent != order.content_hash]
    for connection in bound.keys() - set(differing):
        await clear_notices(session, order.merchant_id, connection, EDIT, [order.id])
    if order.state not in ENDED:
        drafts = [
            Draft(code="order.edited", connection_id=connection, kind=EDIT, subject=order.id, params=_named(order))
            for connection in differing
        ]
        await raise_notices(session, order.merchant_id, drafts)


def _named(order: Order) -> dict[str, Any]:
    return {"number": order.number}


def _plain(value: Any) -> Any:
    """Decimals by their plain text, so that 10 and 10.00 are the same content."""
    if isinstance(value, Decimal):
        return plain(value)
    raise TypeError(f"no content hash for {type(value).__name__}")
