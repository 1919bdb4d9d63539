"""Which connections must hear of an order, by their policies, and that it is queued for them."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import outbox
from hub.tables import Binding, Order, OutboxEntry


async def enqueue(session: AsyncSession, order: Order, *, but: Collection[str] = (), moved: bool = True) -> int:
    """Queue an order for those that do not have it and want it, and, if it has `moved` on, for those that have it and
    are told of progress. Never for the connections in `but`, nor for the one that it came from. Returns for how many.
    """
    there = await having(session, order)
    paid = order.state == "paid"
    wanted_by = [
        target
        for target in await outbox.targets(session, order.merchant_id, order.source or None)
        if target.connection_id not in but
        and (moved and target.is_told_of_progress if target.connection_id in there else target.wants_order(paid=paid))
    ]
    return await outbox.enqueue(session, order.merchant_id, [(order.id, "order")], wanted_by)


async def enqueue_ended(session: AsyncSession, order: Order, *, but: Collection[str] = ()) -> list[str]:
    """Queue an order that has ended for all that have it or may be getting it, whatever their policies say: a sale that
    is off must not be delivered. Returns the connections that were concerned, those in `but` among them.
    """
    waits = select(col(OutboxEntry.connection_id)).where(
        col(OutboxEntry.merchant_id) == order.merchant_id,
        col(OutboxEntry.kind) == "order",
        col(OutboxEntry.record_id) == order.id,
    )
    concerned = await having(session, order) | set((await session.execute(waits)).scalars())
    told = [outbox.Target(one, frozenset({"order"}), selected_only=False) for one in sorted(concerned.difference(but))]
    await outbox.enqueue(session, order.merchant_id, [(order.id, "order")], told)
    return sorted(concerned)


async def having(session: AsyncSession, order: Order) -> set[str]:
    """The connections that have the order."""
    rows = await session.execute(
        select(col(Binding.connection_id)).where(
            col(Binding.merchant_id) == order.merchant_id,
            col(Binding.kind) == "order",
            col(Binding.record_id) == order.id,
        )
    )
    return set(rows.scalars())
