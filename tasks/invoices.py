"""Invoices, from an ERP into the hub: which orders to ask for, which notes to look at again, and a batch of them read.

A run begins with one question: which notes were issued in the last fifteen days. The list says nothing of orders
(`reference/contaazul.md §7.1`), but it says whether there is anything new: as long as it is the same as at the last
run, orders that were asked for before are asked for less often. And it shows the notes that left it.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from hub import cursors, invoice_watch, invoices, nfe
from hub.clock import SAO_PAULO, to_sao_paulo, utcnow
from hub.db import chunked
from hub.invoice_watch import FINAL, Held, Waiting
from hub.invoices import Find, Recheck
from hub.records import InvoiceRow, Problem
from providers.contract import CallFailed, Gone, InvoiceSource, Outcome
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
    """Orders to ask for, or notes to read again."""

    orders: tuple[Waiting, ...] = ()
    notes: tuple[Seen, ...] = ()


async def batches(work: Work) -> AsyncIterator[Batch]:
    """Everything that is to be read in this run. Take each batch before asking for the next: the cursor says so."""
    now = utcnow()
    position = await work.position(STREAM)
    work.tally.mode = "changes" if position else "full"
    first = to_sao_paulo(now).date() - timedelta(days=_span(work.provider, WATCHED_DAYS) - 1)
    # What we hold first, the list after: a note that comes in between is not missed by either.
    async with work.db.read() as session:
        held = await invoice_watch.held(session, work.connection, _midnight(first + timedelta(days=1)))
    listed = {row.access_key: row async for row in _listed(work.provider, first, to_sao_paulo(now).date())}
    notes = [Seen(note, listed.get(note.access_key)) for note in held]
    for some in chunked([seen for seen in notes if _is_news(seen, now)], BATCH):
        yield Batch(notes=tuple(some))
    told = _digest(listed)
    news_at = now if position.get("listed") != told else datetime.fromisoformat(position["news_at"])
    async for orders in invoice_watch.waiting(work.db, work.connection, now, LONGEST_WAIT):
        due = [order for order in orders if is_due(order, now, news_at)]
        work.tally.unchanged += len(orders) - len(due)
        work.tally.read += len(orders) - len(due)
        for waiting in chunked(due, BATCH):
            yield Batch(orders=tuple(waiting))
    if not work.dry_run:
        after = {"listed": told, "news_at": news_at.isoformat()}
        async with work.commit() as session:
            if after != position:
                await cursors.move(session, work.connection, STREAM, after)
            await invoices.drop_stale_notices(session, work.connection)


@tracked("find and read invoices")
async def take(work: Work, batch: Batch) -> None:
    """Ask for a batch and store what is found, with the times of asking, in one transaction."""
    source: InvoiceSource = work.provider
    now = utcnow()
    found = await all_of([_search(source, order, to_sao_paulo(now).date()) for order in batch.orders])
    finds = [find for some in found for find in some]
    rechecks = await _read_again(source, batch.notes, to_sao_paulo(now).date())
    if work.dry_run:
        async with work.db.read() as session:
            planned = await invoices.plan(session, work.connection, finds, rechecks, batch.orders)
    else:
        async with work.commit() as session:
            planned = await invoices.plan(session, work.connection, finds, rechecks, batch.orders)
            await invoices.write(session, work.connection, planned)
            asked = [order.order_id for order in batch.orders]
            await invoice_watch.mark_asked(session, work.connection, asked, now)
    _count(work, batch, planned)


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


async def _search(source: InvoiceSource, order: Waiting, today: date) -> list[Find]:
    """The notes of one order, window by window, to the first that counts. What the vendor refuses is told of it."""
    finds: list[Find] = []
    for first, last in _windows(order, today, source.longest_window_days):
        try:
            rows = await source.invoices_of_order(order.external_id, first, last)
        except CallFailed as failed:
            return [*finds, Find(order, problem=_refusal(failed))]
        new = [row for row in rows if row.access_key not in order.ended]
        here = [find for find in [await _find(source, order, row) for row in new] if find is not None]
        finds += here
        if any(find.note is not None and find.note.is_sale and not find.note.test for find in here):
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


async def _find(source: InvoiceSource, order: Waiting, row: InvoiceRow) -> Find | None:
    answer = await _read(source, row.access_key)
    if isinstance(answer, Gone):  # cancelled since it was listed
        return None
    if isinstance(answer, Problem):
        return Find(order, problem=answer, listed_as=row.status)
    return Find(order, note=answer, listed_as=row.status)


async def _read(source: InvoiceSource, access_key: str) -> nfe.Nfe | Problem | Gone:
    """One note. What cannot be read is one note's problem, and the others go on."""
    try:
        document = await source.read_invoice(access_key)
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
    if failed.outcome is not Outcome.REJECTED or failed.reason not in ("validation", "not_found"):
        raise failed
    return Problem("answer", failed.reason, failed.detail[:200] or failed.code)


# Notes that we hold.


def _is_news(seen: Seen, now: datetime) -> bool:
    """Whether a note has to be looked at: it left the list, came back, or is listed with another status."""
    extra, row = seen.held.extra, seen.row
    if seen.held.state not in FINAL:
        return row is not None and bool(extra.get("guessed")) and not extra.get("listed_again")
    if row is None:
        told_at = extra.get("unlisted_at")
        return told_at is None or now - datetime.fromisoformat(told_at) >= timedelta(days=1) - SLACK
    return "unlisted_at" in extra or row.status != extra.get("listed_as")


async def _read_again(source: InvoiceSource, notes: tuple[Seen, ...], today: date) -> list[Recheck]:
    """Read the notes again. One that was not listed is looked for in its own days first: pages shift while they are
    read, and the vendor may count its days by another clock."""
    days = {to_sao_paulo(seen.held.issued_at).date() for seen in notes if seen.row is None}
    around: dict[str, InvoiceRow] = {}
    for day in sorted(days):
        step = timedelta(days=min(1, source.longest_window_days // 3))
        around |= {row.access_key: row async for row in _listed(source, day - step, min(day + step, today))}

    async def one(seen: Seen) -> Recheck:
        row = seen.row or around.get(seen.held.access_key)
        answer = await _read(source, seen.held.access_key)
        return Recheck(
            held=seen.held,
            listed=row is not None,
            listed_as=row.status if row else "",
            note=answer if isinstance(answer, nfe.Nfe) else None,
            problem=answer if isinstance(answer, Problem) else None,
            gone=isinstance(answer, Gone),
        )

    return await all_of([one(seen) for seen in notes])


# The list.


async def _listed(source: InvoiceSource, first: date, last: date) -> AsyncIterator[InvoiceRow]:
    async for rows in source.list_invoices(first, last):
        for row in rows:
            yield row


def _span(source: InvoiceSource, days: int) -> int:
    return min(days, source.longest_window_days)


def _digest(listed: dict[str, InvoiceRow]) -> str:
    lines = sorted(f"{row.access_key} {row.status}" for row in listed.values())
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=16).hexdigest()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, SAO_PAULO)


def _count(work: Work, batch: Batch, planned: invoices.Plan) -> None:
    tally = work.tally
    refused = {line.name for line in planned.lines if line.op == "refuse"}
    done = {line.name for line in planned.lines if line.op != "refuse"}
    tally.created += len(planned.creates)
    tally.changed += len(planned.updates)
    tally.failed += len(refused - done)
    tally.unchanged += max(0, len(batch.orders) + len(batch.notes) - len(refused | done))
    tally.read = tally.created + tally.changed + tally.unchanged + tally.failed
    if work.dry_run:
        work.changes += planned.lines
    work.progress()
