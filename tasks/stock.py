"""Balances, from an ERP into the hub."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hub import bindings, stocktaking, worklist
from hub.changes import Change
from hub.clock import utcnow
from hub.db import chunked
from hub.notices import Draft, clear_notices, raise_notices
from hub.records import Problem, Refused, StockRecord
from hub.types import plain
from providers.contract import CallFailed, Feed, Gone, Outcome, StockSource
from tasks.catalog import BATCH, OVERLAP
from tasks.tracking import tracked
from tasks.work import Work, all_of, forget_lists, is_withdrawn

STREAM = "stock"


@dataclass(frozen=True, slots=True)
class StockBatch:
    """Balances that a list of changes told, or ids whose balances are to be asked for."""

    ids: tuple[str, ...] = ()
    told: tuple[StockRecord | Refused, ...] = ()
    from_worklist: bool = False


async def batches(work: Work) -> AsyncIterator[StockBatch]:
    """Everything that is to be read in this run: what the account says has moved, then what is due."""
    source: StockSource = work.provider
    work.tally.mode = "listing" if source.stock_feed is Feed.NONE else "changes"
    async for batch in _left(work):
        yield batch
    told = source.stock_feed is not Feed.NONE
    if told:
        try:
            async for batch in _feed(work, source):
                yield batch
        except CallFailed as failed:
            if not is_withdrawn(failed):
                raise
            work.log.warning("%s: the account has no list of balances any more: %s", work.connection.id, failed)
            told = False
    async for batch in _due(work, told=told):
        yield batch
    if not told and source.stock_feed is not Feed.NONE:
        await forget_lists(work)
    if not work.dry_run:
        async for batch in _left(work):
            yield batch


@tracked("read and apply balances")
async def take(work: Work, batch: StockBatch) -> None:
    """Read what is not told yet, and apply the balances in one transaction."""
    source: StockSource = work.provider
    as_of = utcnow()
    answers: Sequence[StockRecord | Refused | Gone] = batch.told
    if batch.ids:
        answers = await all_of([_read(source, external_id) for external_id in batch.ids])
    records = [answer for answer in answers if isinstance(answer, StockRecord)]
    refused = [answer for answer in answers if isinstance(answer, Refused)]
    if work.dry_run:
        async with work.db.read() as session:
            planned = await stocktaking.plan_stock(session, work.connection, records, work.policy)
    else:
        async with work.commit() as session:
            planned = await stocktaking.apply_stock(session, work.connection, records, work.policy)
            silent = [answer.external_id for answer in answers if not isinstance(answer, StockRecord)]
            await stocktaking.mark_asked(session, work.connection, silent, as_of)
            await _tell(work, session, records, refused)
            if batch.from_worklist:
                await worklist.remove(session, work.connection, STREAM, batch.ids)
            kits = await stocktaking.kits_with(session, work.connection, planned.changed)
            await worklist.add(session, work.connection, STREAM, kits - set(batch.ids))
    _count(work, planned, refused)


async def _left(work: Work) -> AsyncIterator[StockBatch]:
    """What waits in the worklist: told by a list that forgets it, or a kit one of whose components has moved."""
    async with work.db.read() as session:
        left = await worklist.waiting(session, work.connection, STREAM)
    for ids in chunked(left, BATCH):
        yield StockBatch(tuple(ids), from_worklist=True)


async def _feed(work: Work, source: StockSource) -> AsyncIterator[StockBatch]:
    """What the account says has moved. The list forgets it: see `tasks.catalog`, the same precautions hold here."""
    position = await work.position(STREAM)
    asked_at = utcnow()
    if "asking" in position:
        position = {"fed_at": position["asking"], "reread_before": position["asking"]}
    await work.mark(STREAM, {**position, "asking": asked_at.isoformat()})
    since = datetime.fromisoformat(position.get("fed_at") or asked_at.isoformat()) - OVERLAP
    try:
        async for page in source.changed_stock(since):
            if not page.records:
                continue
            if work.dry_run:
                # The list has forgotten these now: the real run must find them somewhere.
                async with work.commit() as session:
                    await worklist.add(session, work.connection, STREAM, [r.external_id for r in page.records])
            yield StockBatch(told=page.records)
    except CallFailed as failed:
        if failed.outcome is not Outcome.UNKNOWN:  # the list has told nothing, so there is nothing to look for
            await work.mark(STREAM, position)
        raise
    await work.mark(STREAM, {**position, "fed_at": asked_at.isoformat()})


async def _due(work: Work, *, told: bool) -> AsyncIterator[StockBatch]:
    """Balances never read, and those not read for long: sooner where no list tells of changes."""
    hours = work.policy.reread_hours if told else work.policy.stock_reread_hours
    position = await work.position(STREAM)
    before = position.get("reread_before")
    async for ids in bindings.stock_due(
        work.db,
        work.connection,
        utcnow(),
        timedelta(hours=hours),
        read_before=datetime.fromisoformat(before) if before else None,
    ):
        for some in chunked(ids, BATCH):
            yield StockBatch(tuple(some))
    if before:
        await work.move(STREAM, {key: value for key, value in position.items() if key != "reread_before"})


async def _read(source: StockSource, external_id: str) -> StockRecord | Refused | Gone:
    try:
        return await source.read_stock(external_id)
    except CallFailed as failed:
        if failed.outcome is not Outcome.REJECTED or failed.reason != "validation":
            raise
        problem = Problem("details", failed.reason, failed.detail)
        return Refused(external_id, (problem,), json.dumps({"code": failed.code, "detail": failed.detail}))


async def _tell(work: Work, session: object, records: Sequence[StockRecord], refused: Sequence[Refused]) -> None:
    connection = work.connection
    drafts = [
        Draft(
            code="stock.refused",
            connection_id=connection.id,
            kind=STREAM,
            subject=record.external_id,
            params={
                "sku": record.sku,
                "name": record.name[:120],
                "problems": [{"field": p.field, "reason": p.reason, "received": p.received} for p in record.problems],
            },
        )
        for record in refused
    ]
    if drafts:
        await raise_notices(session, connection.merchant_id, drafts)  # type: ignore[arg-type]
    if records:
        mended = [record.external_id for record in records]
        await clear_notices(session, connection.merchant_id, connection.id, STREAM, mended)  # type: ignore[arg-type]


def _count(work: Work, planned: stocktaking.StockPlan, refused: Sequence[Refused]) -> None:
    tally = work.tally
    tally.changed += len(planned.changed)
    tally.unchanged += len(planned.unchanged) + len(planned.stale) + len(planned.unknown) + len(planned.elsewhere)
    tally.failed += len(refused)
    tally.read = tally.changed + tally.unchanged + tally.failed
    if work.dry_run:
        work.changes += [
            Change("update", level.record.external_id, level.sku, "", ("stock", _move(level)))
            for level in planned.changed
        ]
    work.progress()


def _move(level: stocktaking.Level) -> str:
    before = "?" if level.before is None else plain(level.before)
    return f"{before} → {plain(level.quantity)}"
