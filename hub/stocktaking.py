"""Balances meet the hub: written where they differ, dropped where a newer one is known already.

The store shows a balance less what its own orders hold that the ERP has not got yet (`hub.holding`). Where the ERP
takes stock, a count of the store's that is on its way there is newer than a balance that has not moved since.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, bindparam, delete, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import holding, outbox, stock
from hub.catalog import stock_hash
from hub.clock import utcnow
from hub.db import in_turn, insert_rows
from hub.holding import COUNTED, TOTAL
from hub.notices import Draft, raise_once
from hub.policy import Policy
from hub.records import StockRecord
from hub.tables import Binding, Connection, KitItem, OutboxEntry, Product, Stock

Row = tuple[Any, ...]


@dataclass(slots=True)
class _Standing:
    """What we know of one id of theirs: the product, what the store shows of it, and the balance as last written."""

    record_id: str
    sku: str | None
    quantity: Decimal | None
    read_at: datetime | None
    rows: dict[str, Row] = field(default_factory=dict)
    as_of: datetime | None = None
    counted_at: datetime | None = None
    """When the store counted it, if it has since."""


@dataclass(frozen=True, slots=True)
class Level:
    """One balance to be written: the record it belongs to, what the store showed and what it is to show."""

    record_id: str
    sku: str
    record: StockRecord
    before: Decimal | None
    quantity: Decimal
    hash: str


@dataclass(slots=True)
class StockPlan:
    """What is to be written for one page of balances."""

    connection: Connection
    changed: list[Level] = field(default_factory=list)
    unchanged: list[StockRecord] = field(default_factory=list)
    stale: list[StockRecord] = field(default_factory=list)
    """Balances older than the one read last: an answer that was overtaken by a later question."""
    unknown: list[StockRecord] = field(default_factory=list)
    """Balances of products that we do not have (yet); the catalogue pull brings those, and their stock is due then."""
    elsewhere: list[StockRecord] = field(default_factory=list)
    """Balances of products whose stock another connection tells."""


async def apply_stock(
    session: AsyncSession, connection: Connection, records: Iterable[StockRecord], policy: Policy
) -> StockPlan:
    """Plan and write in the caller's transaction, with an outbox entry for every other connection that wants it."""
    records = list(records)
    await in_turn(session, f"records:{connection.merchant_id}")
    await _lock(session, connection, [record.external_id for record in records])
    planned = await plan_stock(session, connection, records, policy)
    await write_stock(session, planned)
    return planned


async def _lock(session: AsyncSession, connection: Connection, external_ids: Sequence[str]) -> None:
    """The products are ours until the transaction ends: an order that comes in meanwhile waits, or is counted."""
    ids = select(col(Binding.record_id)).where(
        col(Binding.connection_id) == connection.id,
        col(Binding.kind) == "product",
        col(Binding.external_id).in_(external_ids),
    )
    mine = select(col(Product.id)).where(col(Product.id).in_(ids)).order_by(col(Product.sku), col(Product.id))
    await session.execute(mine.with_for_update(key_share=True))


async def plan_stock(
    session: AsyncSession, connection: Connection, records: Iterable[StockRecord], policy: Policy
) -> StockPlan:
    """Decide what the balances change. Writes nothing."""
    latest: dict[str, StockRecord] = {}
    for record in records:
        known = latest.get(record.external_id)
        if known is None or known.as_of <= record.as_of:
            latest[record.external_id] = record
    standing = await _standing(session, connection, list(latest))
    by_record = {found.record_id: latest[external_id] for external_id, found in standing.items()}
    elsewhere = await holding.mastered_elsewhere(session, connection, list(by_record))
    sent = await _sent(session, connection, list(by_record))
    held = await holding.held(session, connection, {id_: record.as_of for id_, record in by_record.items()})
    planned = StockPlan(connection)
    for external_id, record in latest.items():
        found = standing.get(external_id)
        if found is None:
            planned.unknown.append(record)
            continue
        quantity = holding.shown(stock.quantity(record, policy), held.get(found.record_id, Decimal(0)))
        is_same = found.rows == _compared(record)
        # What was read last and found unchanged has written no balance: `as_of` alone would be too old.
        if any(known is not None and record.as_of < known for known in (found.as_of, found.read_at)):
            planned.stale.append(record)
        elif found.record_id in elsewhere:
            planned.elsewhere.append(record)
        elif _is_going_out(sent.get(found.record_id), record.as_of):
            planned.stale.append(record)
        elif is_same and (found.quantity == quantity or _count_is_untold(found, sent.get(found.record_id))):
            planned.unchanged.append(record)
        else:
            made = Level(
                found.record_id, found.sku or "", record, found.quantity, quantity, stock_hash(record, quantity)
            )
            planned.changed.append(made)
    return planned


async def write_stock(session: AsyncSession, planned: StockPlan) -> None:
    """Write a plan of balances."""
    connection = planned.connection
    now = utcnow()
    if planned.changed:
        touched = [level.record_id for level in planned.changed]
        await session.execute(
            delete(Stock).where(col(Stock.connection_id) == connection.id, col(Stock.product_id).in_(touched))
        )
        rows = [row for level in planned.changed for row in _rows(level, connection)]
        await insert_rows(session, Stock.__table__, rows)  # type: ignore[attr-defined]
        table = Product.__table__  # type: ignore[attr-defined]
        await session.execute(
            update(table).where(table.c.id == bindparam("b_id")),
            [
                {
                    "b_id": level.record_id,
                    "stock_quantity": level.quantity,
                    "stock_hash": level.hash,
                    "updated_at": now,
                }
                for level in planned.changed
            ],
        )
        # What we sent last does not stand there any more: the same count, queued later, is news to them.
        theirs = (col(Binding.connection_id) == connection.id, col(Binding.kind) == "product")
        await session.execute(update(Binding).where(*theirs, col(Binding.record_id).in_(touched)).values(sent_hash=""))
        moved = [(level.record_id, "stock") for level in planned.changed if level.before != level.quantity]
        if moved:
            wanted_by = await outbox.targets(session, connection.merchant_id, connection.id)
            await outbox.enqueue(session, connection.merchant_id, moved, wanted_by)
    if planned.elsewhere:
        draft = Draft("stock.two_sources", connection.id, "stock_policy", params={"kind": connection.kind})
        await raise_once(session, connection.merchant_id, draft)
    read = [level.record for level in planned.changed] + planned.unchanged + planned.elsewhere
    await _mark_read(session, connection, read)


async def kits_with(session: AsyncSession, connection: Connection, changed: Sequence[Level]) -> set[str]:
    """Their ids of the kits that a changed balance is a component of.

    The vendor computes a kit's balance from its components and tells of no change of the kit itself: a list of changes
    names the cup, and the set of six cups would be sold for a day after the last cup has gone.
    """
    if not changed:
        return set()
    rows = await session.execute(
        select(col(Binding.external_id))
        .join(KitItem, col(KitItem.kit_id) == col(Binding.record_id))
        .where(
            col(Binding.connection_id) == connection.id,
            col(Binding.kind) == "product",
            col(Binding.gone).is_(False),
            col(KitItem.component_id).in_([level.record_id for level in changed]),
        )
    )
    return set(rows.scalars())


async def mark_asked(
    session: AsyncSession, connection: Connection, external_ids: Sequence[str], as_of: datetime
) -> None:
    """These were asked for at `as_of` and gave no balance: they are due again when their time comes, and not in every
    run. One that was asked for since keeps that time."""
    if external_ids:
        await session.execute(
            update(Binding)
            .where(
                col(Binding.connection_id) == connection.id,
                col(Binding.kind) == "product",
                col(Binding.external_id).in_(external_ids),
                or_(col(Binding.stock_read_at).is_(None), col(Binding.stock_read_at) < as_of),
            )
            .values(stock_read_at=as_of)
        )


async def _mark_read(session: AsyncSession, connection: Connection, records: Sequence[StockRecord]) -> None:
    table = Binding.__table__  # type: ignore[attr-defined]
    here = (
        table.c.connection_id == connection.id,
        table.c.kind == "product",
        table.c.external_id == bindparam("b_id"),
    )
    if records:
        await session.execute(
            update(table).where(*here),
            [{"b_id": record.external_id, "stock_read_at": record.as_of} for record in records],
        )


async def _standing(session: AsyncSession, connection: Connection, external_ids: Sequence[str]) -> dict[str, _Standing]:
    product = (col(Product.id), col(Product.sku), col(Product.stock_quantity))
    rows = await session.execute(
        select(col(Binding.external_id), *product, col(Binding.stock_read_at), Stock)
        .join(Product, col(Product.id) == col(Binding.record_id))
        .outerjoin(Stock, and_(col(Stock.product_id) == col(Product.id), col(Stock.connection_id) == connection.id))
        .where(
            col(Binding.connection_id) == connection.id,
            col(Binding.kind) == "product",
            col(Binding.external_id).in_(external_ids),
        )
        .execution_options(populate_existing=True)
    )
    standing: dict[str, _Standing] = {}
    for external_id, record_id, sku, quantity, read_at, balance in rows:
        found = standing.setdefault(external_id, _Standing(record_id, sku, quantity, read_at))
        if balance is not None and balance.deposit == COUNTED:
            found.counted_at = balance.as_of
        elif balance is not None:
            found.as_of = balance.as_of
            values = (balance.name, balance.physical, balance.reserved, balance.available, balance.counted)
            found.rows[balance.deposit] = values
    return standing


@dataclass(frozen=True, slots=True)
class _Sent:
    """What has become of the stock that the store told of a product: its entry's state, and when it was sent last."""

    state: str
    at: datetime | None


async def _sent(session: AsyncSession, connection: Connection, record_ids: Sequence[str]) -> dict[str, _Sent]:
    rows = await session.execute(
        select(col(OutboxEntry.record_id), col(OutboxEntry.state), col(OutboxEntry.sent_at)).where(
            col(OutboxEntry.connection_id) == connection.id,
            col(OutboxEntry.kind) == "stock",
            col(OutboxEntry.record_id).in_(record_ids),
        )
    )
    return {record_id: _Sent(state, sent_at) for record_id, state, sent_at in rows}


def _is_going_out(sent: _Sent | None, as_of: datetime) -> bool:
    """Whether a stock was being sent when the balance was asked for: nobody knows which of the two the answer is of."""
    return sent is not None and (sent.state in holding.SENDING or (sent.at is not None and sent.at >= as_of))


def _count_is_untold(found: _Standing, sent: _Sent | None) -> bool:
    """Whether the store has counted the product and the ERP was never told: it waits, or was refused, or was not
    queued as the product is not selected. A balance that has not moved since knows nothing of that count."""
    return found.counted_at is not None and (sent is None or sent.at is None or sent.at < found.counted_at)


def _compared(record: StockRecord) -> dict[str, Row]:
    """A balance as its rows are compared with those written."""
    total = {TOTAL: ("", record.physical, record.reserved, record.available, True)}
    deposits = {d.key: (d.name, d.physical, d.reserved, d.available, d.counted) for d in record.deposits if d.key}
    return total | deposits


def _rows(level: Level, connection: Connection) -> list[dict[str, Any]]:
    """The account's total, and one row a deposit."""
    record = level.record
    common: dict[str, Any] = {
        "product_id": level.record_id,
        "connection_id": connection.id,
        "merchant_id": connection.merchant_id,
        "as_of": record.as_of,
    }
    total: dict[str, Any] = {
        "deposit": TOTAL,
        "name": "",
        "physical": record.physical,
        "reserved": record.reserved,
        "available": record.available,
        "counted": True,
    }
    deposits: dict[str, dict[str, Any]] = {
        d.key: {
            "deposit": d.key,
            "name": d.name,
            "physical": d.physical,
            "reserved": d.reserved,
            "available": d.available,
            "counted": d.counted,
        }
        for d in record.deposits
        if d.key
    }
    return [{**common, **row} for row in (total, *deposits.values())]
