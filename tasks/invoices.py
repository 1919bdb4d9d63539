"""Invoices, from an ERP into the hub: which orders to ask for, which notes to look at again, and a batch of them read.

A run begins with one question: which notes were issued in the last fifteen days. At Conta Azul the list says nothing of
orders (`reference/contaazul.md §7.1`), but it says whether there is anything new: as long as it is the same as at the
last run, orders that were asked for before are asked for less often. And it shows the notes that left it. Where the
list names the orders (`rows_tell_order`), those that it names are looked at and no other order costs a call.

Webhooks tell of single notes: `take_events`.
"""

import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from hub import cursors, invoice_watch, invoices, nfe
from hub.clock import SAO_PAULO, to_sao_paulo, utcnow
from hub.db import chunked
from hub.invoice_watch import FINAL, Held, Waiting
from hub.invoices import ENDED, Find, Recheck
from hub.records import InvoiceRow, Problem
from providers.contract import CallFailed, Gone, InvoiceLink, InvoiceLookup, InvoiceSource, ListsByCreation, Outcome
from tasks.catalog import BATCH
from tasks.tracking import tracked
from tasks.work import Work, all_of

STREAM = "invoices"
WATCHED_DAYS = 15
"""How long after its issue a note is watched for its cancellation, which most states allow within a day."""
LONGEST_WAIT = timedelta(days=60)
"""An order without an invoice is given up after this long."""
SLACK = timedelta(minutes=5)
"""A schedule is never quite punctual: without it, what is due hourly would be done every 75 minutes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A note that we hold, to be read again; `row` is how it is listed now, None where it is not."""

    held: Held
    row: InvoiceRow | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Orders to ask for, or notes to read again. `rows` are the orders' notes where the listing tells them: by their id
    of the order."""

    orders: tuple[Waiting, ...] = ()
    notes: tuple[Seen, ...] = ()
    rows: dict[str, list[InvoiceRow]] = field(default_factory=dict)


async def batches(work: Work) -> AsyncIterator[Batch]:
    """Everything that is to be read in this run. Take each batch before asking for the next: the cursor says so."""
    source: InvoiceSource = work.provider
    now = utcnow()
    today = to_sao_paulo(now).date()
    position = await work.position(STREAM)
    work.tally.mode = "changes" if position else "full"
    watched = today - timedelta(days=_span(source, WATCHED_DAYS) - 1)
    # What we hold first, the list after: a note that comes in between is not missed by either.
    async with work.db.read() as session:
        held = await invoice_watch.held(session, work.connection, _midnight(watched + timedelta(days=1)))
    first = _first_to_list(source, position, watched, today)
    listed = {_id(row): row async for row in _listed(source, first, today)}
    # One that is not listed has left the list only where all of it was read.
    is_whole = not isinstance(source, ListsByCreation) or first <= today - LONGEST_WAIT
    notes = [Seen(note, listed.get(note.external_id)) for note in held if is_whole or note.external_id in listed]
    for some in chunked([seen for seen in notes if _is_news(seen, now)], BATCH):
        yield Batch(notes=tuple(some))
    told = _digest(listed)
    news_at = now if position.get("listed") != told else datetime.fromisoformat(position["news_at"])
    async for batch in _waiting(work, source, listed.values(), now, news_at):
        yield batch
    if not work.dry_run:
        after = {"listed": told, "news_at": news_at.isoformat()}
        if source.rows_tell_order:
            after["listed_on"] = today.isoformat()
        async with work.commit() as session:
            if after != position:
                await cursors.move(session, work.connection, STREAM, after)
            await invoices.drop_stale_notices(session, work.connection)


@tracked("find and read invoices")
async def take(work: Work, batch: Batch) -> None:
    """Ask for a batch and store what is found, with the times of asking, in one transaction."""
    source: InvoiceSource = work.provider
    now = utcnow()
    today = to_sao_paulo(now).date()
    if source.rows_tell_order:
        found = await all_of([_read_notes(source, order, batch.rows[order.external_id]) for order in batch.orders])
    else:
        found = await all_of([_search(source, order, today) for order in batch.orders])
    finds = [find for some in found for find in some]
    rechecks = await _read_again(source, batch.notes, today)
    if work.dry_run:
        async with work.db.read() as session:
            planned = await invoices.plan(session, work.connection, finds, rechecks, batch.orders)
    else:
        async with work.commit() as session:
            planned = await invoices.apply(session, work.connection, finds, rechecks, batch.orders)
            asked = [order.order_id for order in batch.orders]
            await invoice_watch.mark_asked(session, work.connection, asked, now)
    _count(work, len(batch.orders) + len(batch.notes), planned)


async def take_events(work: Work, external_ids: Sequence[str]) -> dict[str, str]:
    """Read the notes that events told of and store them. By id: `done`; `later`, as it is not there or not issued yet;
    `unknown`, as it is of no order that we know to be over there. Raises CallFailed.
    """
    lookup = work.provider
    if not isinstance(lookup, InvoiceLookup):
        return dict.fromkeys(external_ids, "unknown")
    answers = await all_of([lookup.find_invoice(external_id) for external_id in external_ids])
    rows = {
        external_id: row
        for external_id, row in zip(external_ids, answers, strict=True)
        if isinstance(row, InvoiceRow) and not _is_nothing_yet(row)
    }
    async with work.db.read() as session:
        held = await invoice_watch.held_as(session, work.connection, [_id(row) for row in rows.values()])
        orders = await invoice_watch.orders_of(session, work.connection, [row.order_ref for row in rows.values()])
    known = {external_id: held[_id(row)] for external_id, row in rows.items() if _id(row) in held}
    new = {i: orders[row.order_ref] for i, row in rows.items() if i not in known and row.order_ref in orders}
    rechecks = await all_of([_recheck(work.provider, note, rows[external_id]) for external_id, note in known.items()])
    found = await all_of([_find(work.provider, order, rows[external_id]) for external_id, order in new.items()])
    finds = [find for find in found if find is not None]
    async with work.commit() as session:
        planned = await invoices.apply(session, work.connection, finds, rechecks)
    _count(work, len(finds) + len(rechecks), planned)
    read = {external_id for external_id, find in zip(new, found, strict=True) if find is not None} | known.keys()
    unknown = rows.keys() - known.keys() - new.keys()
    return {i: "done" if i in read else "unknown" if i in unknown else "later" for i in external_ids}


def is_due(order: Waiting, now: datetime, news_at: datetime) -> bool:
    """Whether an order is to be asked for: in its first two days every time, to its fifteenth hourly, then daily.

    One that was asked for since the list of notes last changed (`news_at`) is asked for a step less often: nothing was
    issued since, but a note may come with an old date, or be tied to its sale late.
    """
    if order.asked_at is None:
        return True
    hourly, daily = timedelta(hours=1), timedelta(days=1)
    waited, quiet = now - order.since, order.asked_at >= news_at
    if waited <= timedelta(days=2):
        pause = hourly if quiet else timedelta()
    else:
        pause = hourly if waited <= timedelta(days=15) and not quiet else daily
    return now - order.asked_at >= pause - SLACK


# Orders.


async def _waiting(
    work: Work, source: InvoiceSource, listed: Iterable[InvoiceRow], now: datetime, news_at: datetime
) -> AsyncIterator[Batch]:
    """The orders that are due, with the notes that the listing tells of them where it does."""
    told: dict[str, list[InvoiceRow]] = {}
    for row in listed:
        if row.order_ref and not _is_nothing_yet(row):
            told.setdefault(row.order_ref, []).append(row)
    async for orders in invoice_watch.waiting(work.db, work.connection, now, LONGEST_WAIT):
        if source.rows_tell_order:
            due = [order for order in orders if _is_told(order, told, now, news_at)]
        else:
            due = [order for order in orders if is_due(order, now, news_at)]
        work.tally.unchanged += len(orders) - len(due)
        work.tally.read += len(orders) - len(due)
        for some in chunked(due, BATCH):
            rows = {order.external_id: told[order.external_id] for order in some if order.external_id in told}
            yield Batch(orders=tuple(some), rows=rows)


def _is_told(order: Waiting, told: dict[str, list[InvoiceRow]], now: datetime, news_at: datetime) -> bool:
    """Whether the listing shows a note of the order that may count. One that was read and did not is read again when
    the listing has changed, or after an hour."""
    if all(row.access_key in order.ended for row in told.get(order.external_id, ())):
        return False
    return order.asked_at is None or order.asked_at < news_at or now - order.asked_at >= timedelta(hours=1) - SLACK


async def _search(source: InvoiceSource, order: Waiting, today: date) -> list[Find]:
    """The notes of one order, window by window, to the first that counts. What the vendor refuses is told of it."""
    finds: list[Find] = []
    for first, last in _windows(order, today, source.longest_window_days):
        try:
            rows = await source.invoices_of_order(order.external_id, first, last)
        except CallFailed as failed:
            return [*finds, Find(order, problem=_refusal(failed))]
        here = await _read_notes(source, order, rows)
        finds += here
        if any(find.note is not None and _counts(find.note) for find in here):
            break
    return finds


def _windows(order: Waiting, today: date, longest: int) -> Iterator[tuple[date, date]]:
    """From the sale to today. An order that was asked for before is asked for the days around and since, in one call
    where that was yesterday: the days before were seen empty."""
    first = to_sao_paulo(order.placed_at).date()
    if order.asked_at is not None:
        first = max(first, to_sao_paulo(order.asked_at).date() - timedelta(days=longest - 2))
    first = min(first, today)
    while first <= today:
        last = min(first + timedelta(days=longest - 1), today)
        yield first, last
        first = last + timedelta(days=1)


async def _read_notes(source: InvoiceSource, order: Waiting, rows: Sequence[InvoiceRow]) -> list[Find]:
    """The notes of one order, but for those that we know to have ended."""
    new = [row for row in rows if not row.access_key or row.access_key not in order.ended]
    return [find for find in [await _find(source, order, row) for row in new] if find is not None]


async def _find(source: InvoiceSource, order: Waiting, row: InvoiceRow) -> Find | None:
    answer = await _read(source, _id(row), row.access_key) if row.access_key else None
    if isinstance(answer, nfe.Nfe):
        if row.state == "authorised" and not row.link and isinstance(source, InvoiceLink) and _counts(answer):
            row = await source.linked(row)
        return Find(order, note=answer, row=row)
    if row.state in ENDED:  # what its document would say more is nothing to wait for
        return Find(order, row=row)
    return Find(order, problem=answer, row=row) if isinstance(answer, Problem) else None


def _counts(note: nfe.Nfe) -> bool:
    return note.is_sale and not note.test


async def _read(source: InvoiceSource, row_id: str, access_key: str) -> nfe.Nfe | Problem | Gone:
    """One note. What cannot be read is one note's problem, and the others go on."""
    try:
        document = await source.read_invoice(row_id)
        return document if isinstance(document, Gone) else nfe.read_note(document, access_key)
    except CallFailed as failed:
        return _refusal(failed)
    except nfe.NfeError as error:
        if error.field == "access_key":
            return Problem("access_key", error.reason, error.received)
        if error.field == "issuer":
            return Problem("issuer", error.reason, error.received)
        return Problem("note", "unreadable", f"{error.field}: {error.reason}")


def _refusal(failed: CallFailed) -> Problem:
    """What the vendor said of one record. Anything else is the whole connection's matter, and raised again."""
    if failed.outcome is Outcome.REJECTED and failed.reason == "unreadable":
        return Problem("note", "unreachable", failed.detail[:200])
    if failed.outcome is not Outcome.REJECTED or failed.reason not in ("validation", "not_found"):
        raise failed
    return Problem("answer", failed.reason, failed.detail[:200] or failed.code)


# Notes that we hold.


def _is_news(seen: Seen, now: datetime) -> bool:
    """Whether a note has to be looked at: it left the list, came back, or is listed with another status."""
    extra, row = seen.held.extra, seen.row
    if seen.held.state not in FINAL:
        is_back = row is not None and row.state not in ENDED
        return is_back and bool(extra.get("guessed")) and not extra.get("listed_again")
    if row is None:
        told_at = extra.get("unlisted_at")
        return told_at is None or now - datetime.fromisoformat(told_at) >= timedelta(days=1) - SLACK
    return row.state in ENDED or "unlisted_at" in extra or row.status != extra.get("listed_as")


async def _read_again(source: InvoiceSource, notes: tuple[Seen, ...], today: date) -> list[Recheck]:
    """Read the notes again. One that was not listed is looked for in its own days first: pages shift while they are
    read, and the vendor may count its days by another clock."""
    days = {to_sao_paulo(seen.held.issued_at).date() for seen in notes if seen.row is None}
    around: dict[str, InvoiceRow] = {}
    for day in sorted(days):
        step = timedelta(days=min(1, source.longest_window_days // 3))
        around |= {_id(row): row async for row in _listed(source, day - step, min(day + step, today))}
    return await all_of([_recheck(source, seen.held, seen.row or around.get(seen.held.external_id)) for seen in notes])


async def _recheck(source: InvoiceSource, held: Held, row: InvoiceRow | None) -> Recheck:
    if row is not None and row.state in ENDED:  # the row says it all
        return Recheck(held, row)
    answer = await _read(source, held.external_id, held.access_key)
    return Recheck(
        held=held,
        row=row,
        note=answer if isinstance(answer, nfe.Nfe) else None,
        problem=answer if isinstance(answer, Problem) else None,
        gone=isinstance(answer, Gone),
    )


# The list.


async def _listed(source: InvoiceSource, first: date, last: date) -> AsyncIterator[InvoiceRow]:
    while first <= last:
        until = min(last, first + timedelta(days=source.longest_window_days - 1))
        async for rows in source.list_invoices(first, until):
            for row in rows:
                yield row
        first = until + timedelta(days=1)


def _first_to_list(source: InvoiceSource, position: dict[str, str], watched: date, today: date) -> date:
    """The days that are watched. Where the listing is all that finds a note, also those before the last run that ended:
    we may have been away for long, or never been here. Where its days are those of a note's making, once a day all days
    of the orders that are waited for: a draft of weeks ago may have been issued meanwhile."""
    if not source.rows_tell_order:
        return watched
    told = position.get("listed_on")
    last = date.fromisoformat(told) if told else today - LONGEST_WAIT
    if isinstance(source, ListsByCreation) and last < today:
        return today - LONGEST_WAIT
    return max(min(watched, last - timedelta(days=1)), today - LONGEST_WAIT)


def _id(row: InvoiceRow) -> str:
    """What the vendor knows the note by."""
    return row.external_id or row.access_key


def _is_nothing_yet(row: InvoiceRow) -> bool:
    """A draft, or one that the tax office has not answered."""
    return row.state == "pending" or (not row.access_key and row.state not in ENDED)


def _span(source: InvoiceSource, days: int) -> int:
    return min(days, source.longest_window_days)


def _digest(listed: dict[str, InvoiceRow]) -> str:
    lines = sorted(f"{_id(row)} {row.access_key} {row.status} {row.state} {row.order_ref}" for row in listed.values())
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, SAO_PAULO)


def _count(work: Work, looked_at: int, planned: invoices.Plan) -> None:
    tally = work.tally
    refused = {line.name for line in planned.lines if line.op == "refuse"}
    done = {line.name for line in planned.lines if line.op != "refuse"}
    tally.created += len(planned.creates)
    tally.changed += len(planned.updates)
    tally.failed += len(refused - done)
    tally.unchanged += max(0, looked_at - len(refused | done))
    tally.read = tally.created + tally.changed + tally.unchanged + tally.failed
    if work.dry_run:
        work.changes += planned.lines
    work.progress()
