"""The catalogue, from an ERP into the hub: which records to read, and a batch of them read and applied.

Where the store keeps the products and only prices come back (`hub.repricing`), what is not bound is passed over without
a call, and nothing is retired.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from hub import bindings, changes, cursors, linking, repricing, worklist
from hub.clock import utcnow
from hub.db import chunked
from hub.records import Problem, ProductRecord, Refused
from providers.contract import CallFailed, CatalogSource, Feed, Gone, Outcome, Page, Row
from tasks.tracking import tracked
from tasks.work import LARGEST_BATCH, Work, all_of, forget_lists, is_withdrawn

STREAM = "catalog"
BATCH = LARGEST_BATCH
OVERLAP = timedelta(minutes=10)
"""How far a question about changes reaches back behind the last one: the vendor's clock is not ours."""
SWEEP_EVERY = timedelta(hours=23)
"""Where changes are told, everything is listed once a day all the same: lists of changes lose some."""
MOST_PASSES = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """Records to read in one go. `seen` are their listing fingerprints, `cursor` where the stream stands after them."""

    ids: tuple[str, ...]
    seen: dict[str, str] = field(default_factory=dict)
    cursor: dict[str, Any] | None = None
    retire: bool = False
    """They were not listed: what is not there any more, or no longer sold, is deactivated."""
    from_worklist: bool = False


async def batches(work: Work) -> AsyncIterator[Batch]:
    """Everything that is to be read in this run, batch by batch.

    Changes come from the vendor's own list of changes where it has one, and otherwise from the whole listing, 100 rows
    a call, compared with what was last seen. Take each batch before asking for the next: one that was taken is done,
    and the cursor says so. In a dry run, where nothing says so, no id comes twice.
    """
    shown: set[str] = set()
    async for batch in _steps(work):
        if work.dry_run:
            batch = replace(batch, ids=tuple(key for key in batch.ids if key not in shown))  # noqa: PLW2901
            shown.update(batch.ids)
        for start in range(0, len(batch.ids), work.batch_size):
            part = batch.ids[start : start + work.batch_size]
            last = start + work.batch_size >= len(batch.ids)
            yield replace(batch, ids=part, cursor=batch.cursor if last else None)


async def _steps(work: Work) -> AsyncIterator[Batch]:
    source: CatalogSource = work.provider
    position = await work.position(STREAM)
    async with work.db.read() as session:
        left = await worklist.waiting(session, work.connection, STREAM)
    for ids in chunked(left, BATCH):
        yield Batch(tuple(ids), from_worklist=True)
    if "asking" in position:
        position = _recovering(position)
    if source.catalog_feed is Feed.NONE or _sweep_is_due(position):
        steps = _sweep(work, source, position)
    else:
        steps = _feed(work, source, position)
    async for batch in steps:
        yield batch
    async for batch in _due_again(work, source, position.get("reread_before")):
        yield batch


@tracked("read and apply products")
async def take(work: Work, batch: Batch) -> list[str]:
    """Read the details of a batch and apply them, with the cursor, in one transaction. Returns those that are not there
    or not sold.

    Bare ids will do, of an event say: what is not bound is new, or in a pull of prices none of ours.
    """
    source: CatalogSource = work.provider
    if not work.policy.pull_products:
        return await _take_prices(work, batch)
    as_of = utcnow()
    readings = await all_of([_read(source, external_id) for external_id in batch.ids])
    records: list[ProductRecord | Refused] = []
    gone: list[str] = []
    families: dict[str, set[str]] = {}
    for external_id, reading in zip(batch.ids, readings, strict=True):
        if isinstance(reading, Gone) or (batch.retire and _is_not_sold(reading)):
            gone.append(external_id)
            if source.variations_in_parent:  # nobody lists its variations any more
                families[external_id] = set()
            continue
        records += reading
        if source.variations_in_parent and isinstance(reading[0], ProductRecord):
            families[reading[0].external_id] = {record.external_id for record in reading[1:]}
    if work.dry_run:
        async with work.db.read() as session:
            absent = await changes.absent_variations(session, work.connection.id, families)
            planned = await changes.plan(session, work.connection, records, as_of=as_of, gone=gone + absent)
    else:
        planned = await _apply(work, batch, records, gone, families, as_of)
    _count(work, planned)
    return gone


async def _take_prices(work: Work, batch: Batch) -> list[str]:
    """The same for prices alone."""
    ids: list[str] = []
    if repricing.is_wanted(work.policy):
        async with work.db.read() as session:
            bound = await bindings.bound_of(session, work.connection, batch.ids)
        ids = [external_id for external_id in batch.ids if external_id in bound]
    as_of = utcnow()
    readings = await all_of([_read(work.provider, external_id) for external_id in ids])
    records = [record for reading in readings if not isinstance(reading, Gone) for record in reading]
    gone = [reading.external_id for reading in readings if isinstance(reading, Gone)]
    if work.dry_run:
        async with work.db.read() as session:
            planned = await repricing.plan(session, work.connection, records, as_of=as_of)
    else:
        async with work.commit() as session:
            planned = await repricing.apply(session, work.connection, records, batch.seen, as_of=as_of, gone=gone)
            await _move_on(session, work, batch)
    _count_prices(work, planned, len(gone))
    return gone


async def _move_on(session: AsyncSession, work: Work, batch: Batch) -> None:
    if batch.cursor is not None:
        await cursors.move(session, work.connection, STREAM, batch.cursor)
    if batch.from_worklist:
        await worklist.remove(session, work.connection, STREAM, batch.ids)


async def _apply(
    work: Work,
    batch: Batch,
    records: Sequence[ProductRecord | Refused],
    gone: Sequence[str],
    families: Mapping[str, set[str]],
    as_of: datetime,
) -> changes.Plan:
    """Apply a batch; once more where somebody else (the store API, say) has just created a product that we were about
    to create: what was planned on was not so any more, and the second plan finds the product."""
    for tried in range(2):
        try:
            async with work.commit() as session:
                absent = await changes.absent_variations(session, work.connection.id, families)
                planned = await changes.apply(
                    session, work.connection, records, batch.seen, as_of=as_of, gone=[*gone, *absent]
                )
                await _move_on(session, work, batch)
                return planned
        except IntegrityError:
            if tried:
                raise
            work.log.info("%s: a record of this batch was created by somebody else; planned again", work.connection.id)
    raise AssertionError("the loop returns or raises")


async def link(work: Work) -> None:
    """Close the references between records that this run or an earlier one brought."""
    if not work.dry_run:
        async with work.commit() as session:
            await linking.link(session, work.connection)


async def _sweep(work: Work, source: CatalogSource, position: dict[str, Any]) -> AsyncIterator[Batch]:
    """List everything, read what differs, and retire what is no longer listed.

    Pages shift while they are read: a product deleted from page 1 moves the first of page 2 to where we have been. So
    a pass that was long (the first one, or one resumed in the middle) is followed by another, which costs one call a
    page; and what seems missing is asked for by its id before it is retired.
    """
    sweep = position.get("sweep") or {"page": 1, "started": utcnow().isoformat()}
    first = "swept_at" not in position
    work.tally.mode = "full" if first else "listing"
    page = int(sweep["page"])
    for number in range(MOST_PASSES):
        whole, listed, reads = page == 1, set[str](), 0
        at: int | None = page
        while at is not None:
            listing = await source.list_products(at)
            listed.update(row.external_id for row in listing.rows)
            work.tally.extra["pages"] = [at, listing.of]
            cursor = None
            if first and listing.next is not None and number == 0:
                cursor = {**position, "sweep": {**sweep, "page": listing.next}}
            batch = await _differing(work, listing, cursor, count=number == 0)
            if batch.ids:
                reads += len(batch.ids)
                yield batch
            elif cursor is not None:
                await work.move(STREAM, cursor)
            at = listing.next
        page = 1
        if work.dry_run or (whole and (reads == 0 or not first)):
            break
    absent = (
        []
        if not work.policy.pull_products
        else await bindings.missing(work.db, work.connection, listed, with_variations=not source.variations_in_parent)
    )
    for ids in chunked(absent, BATCH):
        yield Batch(tuple(ids), retire=True)
    done = {key: value for key, value in position.items() if key == "reread_before"}
    await work.move(STREAM, {**done, "swept_at": sweep["started"], "fed_at": sweep["started"]})


async def _feed(work: Work, source: CatalogSource, position: dict[str, Any]) -> AsyncIterator[Batch]:
    """Ask what has changed since the last time."""
    work.tally.mode = "changes"
    asked_at = utcnow()
    since = datetime.fromisoformat(position["fed_at"]) - OVERLAP
    after = {**position, "fed_at": asked_at.isoformat()}
    if source.catalog_feed is Feed.CONSUMED:
        try:
            async for batch in _consumed(work, source, position, since, asked_at):
                yield batch
        except CallFailed as failed:
            if not is_withdrawn(failed):
                raise
            work.log.warning("%s: the account has no list of changes any more: %s", work.connection.id, failed)
            async for batch in _sweep(work, source, position):
                yield batch
            await forget_lists(work)
            return
        await work.mark(STREAM, after)
        return
    async for page in source.changed_products(since):
        batch = await _differing(work, page, None, count=True)
        if batch.ids:
            yield batch
    await work.move(STREAM, after)


async def _consumed(
    work: Work, source: CatalogSource, position: dict[str, Any], since: datetime, asked_at: datetime
) -> AsyncIterator[Batch]:
    """What a list that forgets tells. It is asked under a mark in the cursor, and its ids are kept before anything is
    done with them. A crash in between leaves the mark, and everything is read again: what it told is known to nobody.
    """
    asking = {**position, "asking": asked_at.isoformat()}
    await work.mark(STREAM, asking)
    try:
        async for page in source.changed_products(since):
            ids = tuple(row.external_id for row in page.rows)
            if not ids:
                continue
            async with work.commit() as session:
                await worklist.add(session, work.connection, STREAM, ids)
                await cursors.move(session, work.connection, STREAM, position)
            for some in chunked(ids, BATCH):
                yield Batch(tuple(some), from_worklist=True)
            await work.mark(STREAM, asking)
    except CallFailed as failed:
        if failed.outcome is not Outcome.UNKNOWN:  # the list has told nothing, so there is nothing to look for
            await work.mark(STREAM, position)
        raise


async def _due_again(work: Work, source: CatalogSource, before: str | None) -> AsyncIterator[Batch]:
    """What has not been read for most of a day, whatever the listings say of it; and refused records now and then."""
    now = utcnow()
    period = timedelta(hours=work.policy.reread_hours)
    async for ids in bindings.due(
        work.db,
        work.connection,
        now,
        period,
        with_variations=not source.variations_in_parent,
        read_before=datetime.fromisoformat(before) if before else None,
    ):
        for some in chunked(ids, BATCH):
            yield Batch(tuple(some))
    async with work.db.read() as session:
        refused = await bindings.quarantined_due(session, work.connection, now, period)
    for some in chunked(refused, BATCH):
        yield Batch(tuple(some))
    if before:
        position = await work.position(STREAM)
        await work.move(STREAM, {key: value for key, value in position.items() if key != "reread_before"})


async def _differing(work: Work, page: Page, cursor: dict[str, Any] | None, *, count: bool) -> Batch:
    """The rows of a page that are new or not as last seen."""
    rows = {row.external_id: row for row in page.rows}
    async with work.db.read() as session:
        seen = await bindings.last_seen(session, work.connection, list(rows))
        if not work.policy.pull_products:
            ours = await bindings.bound_of(session, work.connection, list(rows))
            rows = {key: row for key, row in rows.items() if key in ours}
    unread: dict[str, str] = {}
    if work.policy.pull_products:
        wanted = {key: row for key, row in rows.items() if _is_wanted(row, seen.get(key))}
        unread = {key: row.fingerprint for key, row in rows.items() if row.follows_parent and seen.get(key) == ""}
    else:  # a variation of ours is bound by itself, and its parent not at all
        wanted = {key: row for key, row in rows.items() if row.fingerprint != seen.get(key)}
    if unread and not work.dry_run:
        async with work.commit() as session:
            await bindings.adopt(session, work.connection, unread)
    if count:
        same = len(rows) - len(wanted)
        work.tally.read += same
        work.tally.unchanged += same
    return Batch(tuple(wanted), {key: row.fingerprint for key, row in wanted.items()}, cursor)


def _is_wanted(row: Row, seen: str | None) -> bool:
    """A variation that comes with its parent is read by itself only when its row changes after that."""
    if row.follows_parent and not seen:
        return False
    return row.fingerprint != seen


async def _read(source: CatalogSource, external_id: str) -> Sequence[ProductRecord | Refused] | Gone:
    """One record's details. What the vendor refuses to show is a record refused, and the others go on.

    A permission that is missing is the whole connection's matter, and no hundred products' fault.
    """
    try:
        return await source.read_product(external_id)
    except CallFailed as failed:
        if failed.outcome is not Outcome.REJECTED or failed.reason != "validation":
            raise
        problem = Problem("details", failed.reason, failed.detail)
        return (Refused(external_id, (problem,), json.dumps({"code": failed.code, "detail": failed.detail})),)


def _is_not_sold(reading: Sequence[ProductRecord | Refused]) -> bool:
    """Whether it was read, and is sold no more. What could not be read may well be on sale."""
    records = [record for record in reading if isinstance(record, ProductRecord)]
    return bool(records) and not any(record.active for record in records)


def _count(work: Work, planned: changes.Plan) -> None:
    tally = work.tally
    tally.created += len(planned.creates)
    tally.changed += len(planned.updates) + len(planned.retired)
    tally.unchanged += len(planned.unchanged) + len(planned.stale)
    tally.failed += len(planned.refused)
    _tell(work, planned.changes())


def _count_prices(work: Work, planned: repricing.PricePlan, gone: int) -> None:
    tally = work.tally
    tally.changed += len(planned.updates)
    tally.unchanged += len(planned.unchanged) + len(planned.stale) + gone
    tally.failed += len(planned.refused)
    _tell(work, planned.changes())


def _tell(work: Work, lines: Sequence[changes.Change]) -> None:
    tally = work.tally
    tally.read = tally.created + tally.changed + tally.unchanged + tally.failed
    if work.dry_run:
        work.changes += lines
    work.progress()


def _sweep_is_due(position: dict[str, Any]) -> bool:
    swept_at = position.get("swept_at")
    return swept_at is None or utcnow() - datetime.fromisoformat(swept_at) > SWEEP_EVERY


def _recovering(position: dict[str, Any]) -> dict[str, Any]:
    """A run died while it asked a list that forgets: everything is swept, and read again."""
    rest = {key: value for key, value in position.items() if key not in ("asking", "swept_at", "sweep")}
    return {**rest, "reread_before": position["asking"]}
