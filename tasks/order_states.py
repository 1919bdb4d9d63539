"""How orders that were sent stand over there, from an ERP into the hub.

A schedule asks for the orders that changed, and reads those of ours whose row differs from what was last seen; webhooks
tell of single ones. Either way the order itself is read, and `hub.progress` takes nothing from it but what is further.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from hub import order_watch, progress
from hub.changes import Change
from hub.clock import utcnow
from hub.db import chunked
from hub.notices import Draft, clear_notices, raise_once
from hub.order_watch import Watched
from hub.records import OrderStatus
from hub.selling import stage as stage_of
from hub.stages import is_further
from hub.tables import Order
from providers.contract import CallFailed, Gone, OrderStateSource, Outcome
from tasks.sending import is_of_all
from tasks.tracking import tracked
from tasks.work import Work, all_of

STREAM = order_watch.STREAM
GONE = "order_gone"
"""The kind of notices about orders that were deleted over there."""
OVERLAP = timedelta(minutes=10)
"""Asked again from so long before the last question: two clocks differ, and many edits fall into one second."""
FIRST_LOOK = timedelta(days=2)
WATCHED = timedelta(days=60)
"""How long after it was sent an order is read once although no list told of it."""
READ = "read"
"""What is written down as seen of an order that was read without a row."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Orders to be read, by their id over there, with what is seen of each when it was: its row's fingerprint."""

    seen: Mapping[str, str]


async def batches(work: Work) -> AsyncIterator[Batch]:
    """Everything that is to be read in this run; the cursor moves when all of it was asked for."""
    source: OrderStateSource = work.provider
    now = utcnow()
    position = await work.position(STREAM)
    work.tally.mode = "changes" if position else "full"
    async with work.db.read() as session:
        oldest = await order_watch.oldest_unfinished(session, work.connection, since=now - WATCHED)
    since = datetime.fromisoformat(position["asked_at"]) if position else oldest or now - FIRST_LOOK
    handed: set[str] = set()
    async for rows in source.changed_orders(since - OVERLAP):
        work.tally.read += len(rows)
        marks = {row.external_id: row.fingerprint for row in rows if row.external_id not in handed}
        async with work.db.read() as session:
            ours = await order_watch.bound(session, work.connection, marks)
        news = {one.external_id: marks[one.external_id] for one in ours if one.seen_hash != marks[one.external_id]}
        work.tally.unchanged += len(ours) - len(news)
        handed |= news.keys()
        for some in chunked(list(news), work.batch_size):
            yield Batch({external_id: news[external_id] for external_id in some})
    # An order whose create had no answer is bound when it is found, and may have moved on over there before that.
    async with work.db.read() as session:
        unseen = await order_watch.never_seen(session, work.connection, since=now - WATCHED, until=now)
    for some in chunked([external_id for external_id in unseen if external_id not in handed], work.batch_size):
        yield Batch(dict.fromkeys(some, READ))
    await work.move(STREAM, {"asked_at": now.isoformat()})


@tracked("read how orders stand")
async def read_batch(work: Work, batch: Batch) -> None:
    """Read a batch and apply it. An order that the vendor refuses to show is told in the log and tried again in the
    next run; the others go on."""
    _, refused = await _take(work, list(batch.seen), batch.seen)
    for external_id, failed in refused.items():
        work.log.warning("%s: order %s was not read: %s", work.connection.id, external_id, failed)
    work.tally.failed += len(refused)


async def take(work: Work, external_ids: Sequence[str], seen: Mapping[str, str] | None = None) -> dict[str, str]:
    """Read orders of theirs that an event told of, and apply how they stand. By id: `done`, or `unknown` where it is
    bound to no order of ours (it may be one that is being sent at this moment). Raises CallFailed.
    """
    ended, refused = await _take(work, external_ids, seen or {})
    for failed in refused.values():
        raise failed
    return ended


async def _take(
    work: Work, external_ids: Sequence[str], seen: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, CallFailed]]:
    async with work.db.read() as session:
        ours = await order_watch.bound(session, work.connection, external_ids)
    read = await all_of([_read(work, one) for one in ours])
    refused = {one.external_id: told for one, told in zip(ours, read, strict=True) if isinstance(told, CallFailed)}
    stand = [(one, told) for one, told in zip(ours, read, strict=True) if not isinstance(told, CallFailed)]
    if work.dry_run:
        await _show(work, stand)
    else:
        async with work.commit() as session:
            # In one order, whoever applies them: two that each hold an order which the other wants would wait for ever.
            for one, told in sorted(stand, key=lambda pair: pair[0].order_id):
                await _apply(session, work, one, told)
            await order_watch.mark_seen(
                session, {one.binding_id: seen[one.external_id] for one, _ in stand if one.external_id in seen}
            )
            await order_watch.mark_seen(session, {one.binding_id: "" for one in ours if one.external_id in refused})
    known = {one.external_id for one in ours}
    return {id_: "done" if id_ in known else "unknown" for id_ in external_ids}, refused


async def _read(work: Work, one: Watched) -> OrderStatus | Gone | CallFailed:
    source: OrderStateSource = work.provider
    try:
        return await source.read_order(one.external_id)
    except CallFailed as failed:
        if failed.outcome is not Outcome.REJECTED or is_of_all(failed):
            raise
        return failed


async def _apply(session: AsyncSession, work: Work, one: Watched, told: OrderStatus | Gone) -> None:
    connection = work.connection
    order = await session.get_one(Order, one.order_id)
    if isinstance(told, Gone):
        await note_gone(session, work, one, order.number)
        return
    if one.gone:
        await order_watch.mark_gone(session, one.binding_id, gone=False)
        await clear_notices(session, connection.merchant_id, connection.id, GONE, [one.order_id])
    advance = await progress.advance(
        session,
        connection.merchant_id,
        order,
        told.stage,
        source_connection=connection.id,
        as_of=told.as_of,
        parcel=told.parcel,
    )
    work.tally.changed += advance.is_news
    work.tally.unchanged += not advance.is_news


async def note_gone(session: AsyncSession, work: Work, one: Watched, number: str) -> None:
    """An order was deleted over there: the merchant is told once."""
    if one.gone:
        return
    await order_watch.mark_gone(session, one.binding_id, gone=True)
    params = {"number": number, "kind": work.connection.kind}
    draft = Draft(code="order.gone", connection_id=work.connection.id, kind=GONE, subject=one.order_id, params=params)
    await raise_once(session, work.connection.merchant_id, draft)
    work.tally.extra["gone"] = work.tally.extra.get("gone", 0) + 1


async def _show(work: Work, stand: Sequence[tuple[Watched, OrderStatus | Gone]]) -> None:
    """What would become of the orders."""
    async with work.db.read() as session:
        orders = {one.order_id: await session.get_one(Order, one.order_id) for one, _ in stand}
    for one, told in stand:
        order = orders[one.order_id]
        before = stage_of(order)
        if isinstance(told, Gone):
            what = () if one.gone else ("gone over there",)
        elif is_further(told.stage, before):
            what = (f"stage: {before} → {told.stage}",)
        else:
            what = ()
        if what:
            work.changes.append(Change("update", one.external_id, "", order.number, what))
        work.tally.changed += bool(what)
        work.tally.unchanged += not what
