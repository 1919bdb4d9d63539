"""Invoices that are waited for, and invoices that are watched: what a run that looks for notes begins with."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.db import Database
from hub.policy import Policy
from hub.tables import Binding, Connection, Invoice, Order

CHUNK = 1000
FINAL = ("authorised", "corrected")
"""States of a note in which its order is invoiced."""
PAID = ("paid",)
LIVING = ("created", "paid")
"""States of an order that has not ended."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An order that is over there as `external_id`, is to be invoiced and has no invoice yet.

    `since` is when it began to wait: when it got there, or when its last invoice ended. `asked_at` is when its invoice
    was last asked for. `ended` are the keys of its notes that count no more.
    """

    order_id: str
    number: str
    external_id: str
    placed_at: datetime
    since: datetime
    asked_at: datetime | None = None
    ended: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Held:
    """A note of an order that we hold."""

    id: str
    order_id: str
    external_id: str
    access_key: str
    number: str
    series: str
    state: str
    issued_at: datetime
    extra: dict[str, Any] = field(repr=False)


def invoiced_states(connection: Connection) -> tuple[str, ...]:
    """States of an order in which an invoice is expected of the connection.

    Where orders are sent whether paid or not (`orders` is `all`), the merchant approves and invoices them over there: a
    store that takes its money at the door never calls them paid.
    """
    return LIVING if Policy.model_validate(connection.policy).orders == "all" else PAID


async def waiting(
    db: Database, connection: Connection, now: datetime, longest: timedelta
) -> AsyncIterator[list[Waiting]]:
    """Orders that wait and have not waited longer than that, in chunks; between two no transaction is open.

    When an order was last asked for stands in its binding (`read_at`).
    """
    last = ""
    while True:
        async with db.read() as session:
            rows = (await session.execute(_waiting(connection, now - longest, last))).all()
            ended = await _ended(session, connection, [row.order_id for row in rows])
        if rows:
            yield [
                Waiting(
                    order_id=row.order_id,
                    number=row.number,
                    external_id=row.external_id,
                    placed_at=row.placed_at,
                    since=row.since,
                    asked_at=row.read_at,
                    ended=frozenset(ended.get(row.order_id, ())),
                )
                for row in rows
            ]
        if len(rows) < CHUNK:
            return
        last = rows[-1].id


async def held(session: AsyncSession, connection: Connection, since: datetime) -> list[Held]:
    """The notes of this connection issued since, ended ones too; without their documents."""
    return await _held(session, col(Invoice.connection_id) == connection.id, col(Invoice.issued_at) >= since)


async def held_as(session: AsyncSession, connection: Connection, external_ids: Collection[str]) -> dict[str, Held]:
    """The notes that we hold of these ids of theirs."""
    here = col(Invoice.connection_id) == connection.id
    return {note.external_id: note for note in await _held(session, here, col(Invoice.external_id).in_(external_ids))}


async def reread(session: AsyncSession, ids: Collection[str]) -> dict[str, Held]:
    """Notes that we hold, by our id, as they stand at this moment."""
    return {note.id: note for note in await _held(session, col(Invoice.id).in_(ids))} if ids else {}


async def orders_of(session: AsyncSession, connection: Connection, external_ids: Collection[str]) -> dict[str, Waiting]:
    """The orders that are over there under these ids, by those ids; whether they wait for an invoice or not."""
    rows = await session.execute(
        select(
            col(Binding.external_id), col(Order.id), col(Order.number), col(Order.placed_at), col(Binding.created_at)
        )
        .join(Order, (col(Order.id) == col(Binding.record_id)) & (col(Order.merchant_id) == col(Binding.merchant_id)))
        .where(
            col(Binding.connection_id) == connection.id,
            col(Binding.kind) == "order",
            col(Binding.external_id).in_(external_ids),
        )
    )
    return {there: Waiting(id_, number, there, placed_at, since) for there, id_, number, placed_at, since in rows}


async def _held(session: AsyncSession, *where: ColumnElement[bool]) -> list[Held]:
    columns = (Invoice.id, Invoice.order_id, Invoice.external_id, Invoice.access_key, Invoice.number, Invoice.series)
    rows = await session.execute(
        select(
            *(col(column) for column in columns), col(Invoice.state), col(Invoice.issued_at), col(Invoice.extra)
        ).where(col(Invoice.order_id).is_not(None), *where)
    )
    return [Held(*row) for row in rows]


async def mark_asked(session: AsyncSession, connection: Connection, order_ids: Collection[str], now: datetime) -> None:
    """These orders' invoices have been asked for."""
    await session.execute(
        update(Binding)
        .where(
            col(Binding.connection_id) == connection.id,
            col(Binding.kind) == "order",
            col(Binding.record_id).in_(order_ids),
        )
        .values(read_at=now)
    )


def _waiting(connection: Connection, after: datetime, last: str) -> Any:
    mine = (col(Invoice.order_id) == col(Order.id)) & (col(Invoice.merchant_id) == connection.merchant_id)
    final = select(col(Invoice.id)).where(mine, col(Invoice.state).in_(FINAL)).correlate(Order).exists()
    ended_at = select(func.max(col(Invoice.updated_at))).where(mine).correlate(Order).scalar_subquery()
    since = func.coalesce(ended_at, col(Binding.created_at))
    return (
        select(
            col(Binding.id),
            col(Binding.external_id),
            col(Binding.read_at),
            col(Order.id).label("order_id"),
            col(Order.number),
            col(Order.placed_at),
            since.label("since"),
        )
        .join(Order, (col(Order.id) == col(Binding.record_id)) & (col(Order.merchant_id) == col(Binding.merchant_id)))
        .where(
            col(Binding.connection_id) == connection.id,
            col(Binding.kind) == "order",
            col(Binding.gone).is_(False),
            col(Binding.id) > last,
            col(Order.state).in_(invoiced_states(connection)),
            since > after,
            ~final,
        )
        .order_by(col(Binding.id))
        .limit(CHUNK)
    )


async def _ended(session: AsyncSession, connection: Connection, order_ids: Collection[str]) -> dict[str, set[str]]:
    rows = await session.execute(
        select(col(Invoice.order_id), col(Invoice.access_key)).where(
            col(Invoice.merchant_id) == connection.merchant_id, col(Invoice.order_id).in_(order_ids)
        )
    )
    found: dict[str, set[str]] = {}
    for order_id, key in rows:
        found.setdefault(order_id, set()).add(key)
    return found
