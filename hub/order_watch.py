"""Which orders that were sent are looked at again over there, and what was last seen of each."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import cursors
from hub.db import chunked
from hub.payments import ENDED
from hub.stages import Stage
from hub.tables import Binding, Connection, Order

CHUNK = 1000
STREAM = "order_states"
"""The cursor of the orders that changed over there; its `asked_at` is when they were asked for last."""


@dataclass(frozen=True, slots=True)
class Watched:
    """An order of ours that is over there."""

    binding_id: str
    order_id: str
    external_id: str
    seen_hash: str
    gone: bool


async def bound(session: AsyncSession, connection: Connection, external_ids: Collection[str]) -> list[Watched]:
    """Those of their orders that are ours."""
    found: list[Watched] = []
    for some in chunked(sorted(set(external_ids)), CHUNK):
        rows = await session.execute(
            select(
                col(Binding.id),
                col(Binding.record_id),
                col(Binding.external_id),
                col(Binding.seen_hash),
                col(Binding.gone),
            ).where(*_orders(connection), col(Binding.external_id).in_(some))
        )
        found += [Watched(*row) for row in rows]
    return found


async def oldest_unfinished(session: AsyncSession, connection: Connection, *, since: datetime) -> datetime | None:
    """When the oldest order was sent, after `since`, of which more is to be expected; None where there is none."""
    rows = await session.execute(
        select(func.min(col(Binding.created_at)))
        .join(Order, col(Order.id) == col(Binding.record_id))
        .where(*_unfinished(connection, since))
    )
    oldest: datetime | None = rows.scalar_one()
    return oldest


async def known_until(session: AsyncSession, connection: Connection, order_id: str) -> datetime | None:
    """Until when it is known how an order stood over there: until the changes were asked for last, or until it was
    sent. What is read now may have been so ever since. None for an order that is not bound there.
    """
    bound_at = select(col(Binding.created_at)).where(*_orders(connection), col(Binding.record_id) == order_id)
    sent_at = (await session.execute(bound_at)).scalar_one_or_none()
    asked_at = (await cursors.position(session, connection, STREAM)).get("asked_at")
    return max(sent_at, datetime.fromisoformat(asked_at)) if sent_at and asked_at else sent_at


async def never_seen(session: AsyncSession, connection: Connection, *, since: datetime, until: datetime) -> list[str]:
    """Their ids of orders that have not ended here, sent between two times, of which nothing was seen yet, neither row
    nor details. `told` says nothing of that: it may be what a sender met over there when it wanted to move the order
    on, and the order itself has not heard of it.
    """
    rows = await session.execute(
        select(col(Binding.external_id))
        .join(Order, col(Order.id) == col(Binding.record_id))
        .where(*_living(connection, since), col(Binding.created_at) <= until, col(Binding.seen_hash) == "")
        .order_by(col(Binding.created_at), col(Binding.id))
    )
    return list(rows.scalars())


async def mark_seen(session: AsyncSession, seen: Mapping[str, str]) -> None:
    """Note what was seen, by the binding's id; in the transaction that applies it."""
    for binding_id, mark in seen.items():
        await session.execute(
            update(Binding).where(col(Binding.id) == binding_id, col(Binding.seen_hash) != mark).values(seen_hash=mark)
        )


async def mark_gone(session: AsyncSession, binding_id: str, *, gone: bool) -> None:
    """It was deleted over there, or is there again."""
    await session.execute(update(Binding).where(col(Binding.id) == binding_id).values(gone=gone))


def _orders(connection: Connection) -> tuple[ColumnElement[bool], ...]:
    return col(Binding.connection_id) == connection.id, col(Binding.kind) == "order"


def _unfinished(connection: Connection, since: datetime) -> tuple[ColumnElement[bool], ...]:
    ended = [Stage.DELIVERED.value, Stage.CANCELLED.value]
    return (*_living(connection, since), col(Binding.told).not_in(ended))


def _living(connection: Connection, since: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        *_orders(connection),
        col(Binding.gone).is_(False),
        col(Binding.created_at) >= since,
        col(Order.state).not_in(sorted(ENDED)),
    )
