"""Balances meet the hub: written where they differ, dropped where a newer one is known already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import outbox, stock
from hub.catalog import stock_hash
from hub.clock import utcnow
from hub.db import in_turn, insert_rows
from hub.policy import Policy
from hub.records import StockRecord
from hub.tables import Binding, Connection, KitItem, Product, Stock

TOTAL = ""
"""The deposit of the account's own total."""
Standing = tuple[str, str | None, Decimal | None, str, datetime | None, datetime | None]
"""What we know of one id of theirs: record id, SKU, quantity shown, hash, as of, last read."""


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


async def apply_stock(
    session: AsyncSession, connection: Connection, records: Iterable[StockRecord], policy: Policy
) -> StockPlan:
    """Plan and write in the caller's transaction, with an outbox entry for every other connection that wants it."""
    await in_turn(session, f"records:{connection.merchant_id}")
    planned = await plan_stock(session, connection, records, policy)
    await write_stock(session, planned)
    return planned


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
    planned = StockPlan(connection)
    for external_id, record in latest.items():
        found = standing.get(external_id)
        if found is None:
            planned.unknown.append(record)
            continue
        record_id, sku, before, old_hash, as_of, read_at = found
        quantity = stock.quantity(record, policy)
        new_hash = stock_hash(record, quantity)
        # What was read last and found unchanged has written no balance: `as_of` alone would be too old.
        if any(known is not None and record.as_of < known for known in (as_of, read_at)):
            planned.stale.append(record)
        elif new_hash == old_hash:
            planned.unchanged.append(record)
        else:
            planned.changed.append(Level(record_id, sku or "", record, before, quantity, new_hash))
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
        moved = [(level.record_id, "stock") for level in planned.changed if level.before != level.quantity]
        if moved:
            wanted_by = await outbox.targets(session, connection.merchant_id, connection.id)
            await outbox.enqueue(session, connection.merchant_id, moved, wanted_by)
    await _mark_read(session, connection, [level.record for level in planned.changed] + planned.unchanged)


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


async def _standing(session: AsyncSession, connection: Connection, external_ids: Sequence[str]) -> dict[str, Standing]:
    as_of = (
        select(func.max(col(Stock.as_of)))
        .where(col(Stock.product_id) == col(Product.id), col(Stock.connection_id) == connection.id)
        .correlate(Product)
        .scalar_subquery()
    )
    rows = await session.execute(
        select(
            col(Binding.external_id),
            col(Product.id),
            col(Product.sku),
            col(Product.stock_quantity),
            col(Product.stock_hash),
            as_of,
            col(Binding.stock_read_at),
        )
        .join(Product, col(Product.id) == col(Binding.record_id))
        .where(
            col(Binding.connection_id) == connection.id,
            col(Binding.kind) == "product",
            col(Binding.external_id).in_(external_ids),
        )
    )
    return {row[0]: tuple(row)[1:] for row in rows}


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
