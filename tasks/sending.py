"""Send what waits in the outbox: claim a batch, send each entry, and settle it with its binding and its notice."""

import asyncio
import contextlib
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from hub import connections, outbox, selling
from hub.clock import utcnow
from hub.connections import SwitchedOffError
from hub.db import upsert_rows
from hub.ids import new_id
from hub.notices import Draft, clear_notices, raise_notices
from hub.outbox import Entry
from hub.records import Problem
from hub.selling import NotSendableError
from hub.tables import Binding
from providers.contract import CallFailed, Outcome
from tasks.work import Work, all_of

BATCH = 100
MOST_ATTEMPTS = 8
FIRST_WAIT_S = 60.0
LONGEST_WAIT_S = 3600.0
BUSY = "busy"
SHUT = frozenset(("debt", "plan", "blocked"))
"""Reasons that are no record's fault: the account is closed to us, and whatever was sent would end as a notice each."""
OF_ALL = frozenset((Outcome.REAUTH, Outcome.SLOW_DOWN))
"""Outcomes that are no record's fault either: no call of this connection goes through for now."""
BUGS = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError, IntegrityError)
"""What a record that nobody thought of raises. It must not stop the others, run after run."""


def is_of_all(failed: CallFailed) -> bool:
    """Whether the failure is the whole connection's matter, and no record is to blame."""
    return failed.outcome in OF_ALL or failed.reason in SHUT


@dataclass(frozen=True, slots=True)
class Job:
    """One record to be sent, with every entry that asks for it."""

    record_id: str
    entries: tuple[Entry, ...]

    @property
    def attempt(self) -> dict[str, object]:
        """What an earlier send may have left over there."""
        return next((dict(entry.attempt) for entry in self.entries if entry.attempt), {})


Send = Callable[[Work, Job], Awaitable[str]]
"""Sends one record and says how it ended: `sent`, `created`, `unchanged` or `skipped`. Raises CallFailed and
NotSendableError."""


async def claimed(work: Work, kinds: Sequence[str]) -> AsyncIterator[list[Job]]:
    """Batches of due records, each claimed when it is asked for."""
    seen: set[str] = set()
    again: list[Entry] = []
    while True:
        async with work.commit() as session:
            entries = await outbox.claim(
                session, work.connection, kinds, work.held.holder, limit=BATCH, lag_s=_lag(work)
            )
        jobs: dict[str, list[Entry]] = {}
        for entry in entries:
            jobs.setdefault(entry.record_id, []).append(entry)
        # What came back at once (queued again while it was sent) waits for the next run: else a record that changes
        # all the time would keep this one from ever ending.
        fresh = [Job(record, tuple(found)) for record, found in jobs.items() if record not in seen]
        again += [entry for entry in entries if entry.record_id in seen]
        if not fresh:
            await _release(work, again)
            return
        seen.update(jobs)
        waited = max((time.time() - entry.queued_at.timestamp() for entry in entries), default=0.0)
        work.tally.extra["longest_wait_s"] = round(max(waited, work.tally.extra.get("longest_wait_s", 0.0)), 1)
        yield fresh


async def overlapped(batches: AsyncIterator[list[Job]], send: Callable[[list[Job]], Awaitable[None]]) -> None:
    """Send batch after batch, two at a time: the next one fills the turns that the last calls of this one leave.

    A batch that is not full was all that waited. It is sent to its end before more is asked for, so that what comes
    in meanwhile goes out in this run too.
    """
    running: set[asyncio.Future[None]] = set()
    try:
        async for jobs in batches:
            running.add(asyncio.ensure_future(send(jobs)))
            is_full = sum(len(job.entries) for job in jobs) >= BATCH
            if is_full and len(running) == 1:
                continue
            until = asyncio.FIRST_COMPLETED if is_full else asyncio.FIRST_EXCEPTION
            ended, running = await asyncio.wait(running, return_when=until)
            for batch in ended:
                batch.result()
        await asyncio.gather(*running)
    finally:
        for batch in running:
            batch.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def send_all(work: Work, jobs: Sequence[Job], send: Send, kind: str) -> None:
    """Send a batch, many at a time. A record that is refused is told and the others go on."""
    await all_of([_send_one(work, job, send, kind) for job in jobs])
    work.progress()


async def bind(session: AsyncSession, work: Work, kind: str, record_id: str, external_id: str, sent_hash: str) -> None:
    """Write down where a record of ours is over there."""
    row = {
        "id": new_id(),
        "merchant_id": work.connection.merchant_id,
        "connection_id": work.connection.id,
        "kind": kind,
        "record_id": record_id,
        "external_id": external_id,
        "parent_ref": "",
        "seen_hash": "",
        "sent_hash": sent_hash,
        "gone": False,
        "created_at": utcnow(),
    }
    table = Binding.__table__  # type: ignore[attr-defined]
    key = ["connection_id", "kind", "record_id"]
    await upsert_rows(session, table, [row], key=key, update=["external_id", "sent_hash", "gone"])


async def note(work: Work, job: Job, attempt: dict[str, object]) -> None:
    """Commit, before a create leaves, what it will have left over there."""
    async with work.commit() as session:
        await note_in(session, work, job, attempt)


async def note_in(session: AsyncSession, work: Work, job: Job, attempt: dict[str, object]) -> None:
    """The same in a transaction of the caller's. On every entry: any of them may be the one that is found after a
    death."""
    for entry in job.entries:
        await outbox.note_attempt(session, entry, work.held.holder, attempt)


@contextlib.asynccontextmanager
async def out_of_turn(work: Work, kinds: Sequence[str], record_id: str) -> AsyncIterator[Job]:
    """A record that another one needs over there, claimed while the block runs, so that it is created once whoever
    asks. The block settles it at its good end; at a bad one it waits as it did before.

    Raises CallFailed (`unknown`, busy) while another run is at it, or may have created what does not show yet.
    """
    async with work.commit() as session:
        holder = work.held.holder
        entries = await outbox.claim_record(session, work.connection, kinds, record_id, holder, lag_s=_lag(work))
    if not entries:
        detail = "another run is creating it, or an earlier create would not show yet"
        raise CallFailed(Outcome.UNKNOWN, BUSY, operation=f"create {kinds[0]} {record_id}", detail=detail)
    job = Job(record_id, tuple(entries))
    try:
        yield job
    except (CallFailed, NotSendableError) as failed:
        unknown = isinstance(failed, CallFailed) and failed.outcome is Outcome.UNKNOWN
        async with work.commit() as session:
            if unknown:
                await settle(session, work, job, state="unknown", wait_s=_lag(work), keep_attempt=True)
            else:
                await give_back(session, work, job)
        raise


async def give_back(session: AsyncSession, work: Work, job: Job) -> None:
    """Let the entries wait as they did before they were claimed."""
    for entry in job.entries:
        await outbox.settle(session, entry, work.held.holder, state=entry.state, keep_attempt=True)


async def settle(
    session: AsyncSession,
    work: Work,
    job: Job,
    *,
    state: str,
    reason: str = "",
    wait_s: float | None = None,
    keep_attempt: bool = False,
) -> None:
    """End every entry of a job."""
    for entry in job.entries:
        await outbox.settle(
            session, entry, work.held.holder, state=state, reason=reason, wait_s=wait_s, keep_attempt=keep_attempt
        )


async def _send_one(work: Work, job: Job, send: Send, kind: str) -> None:
    async with work.under_way:
        # A batch may take minutes, and the token is good for hours after the merchant has removed the integration.
        async with work.db.read() as session:
            if await connections.is_off(session, work.connection.id):
                raise SwitchedOffError(f"{work.connection.id} was switched off")
        await _send_and_settle(work, job, send, kind)


async def _send_and_settle(work: Work, job: Job, send: Send, kind: str) -> None:
    try:
        ended = await send(work, job)
    except NotSendableError as refused:
        await _refuse(work, job, kind, refused.code, refused.problems, refused.params)
    except CallFailed as raised:
        failed = await _hushed(work, job, kind, raised)
        if is_of_all(failed):
            await _put_back(work, job, str(failed), 0.0)
            raise failed from None
        if failed.outcome is Outcome.REJECTED:
            problem = Problem("answer", failed.reason, failed.detail)
            await _refuse(work, job, kind, f"{kind}.not_sent", [problem], {"code": failed.code})
        elif failed.outcome is Outcome.UNKNOWN:
            await _wait_and_see(work, job, kind, failed)
        else:
            await _try_again(work, job, kind, failed)
    except BUGS as bug:
        # Its text may hold anything, a buyer's name among it; where it was raised is enough to find it.
        at = traceback.extract_tb(bug.__traceback__)[-1]
        where = f"{type(bug).__name__} at {Path(at.filename).name}:{at.lineno}"
        work.log.error("%s: %s %s: %s", work.connection.id, kind, job.record_id, where)
        await _refuse(work, job, kind, f"{kind}.not_sent", [Problem("record", "broken", where)], {})
    else:
        tally = work.tally
        tally.created += ended == "created"
        tally.changed += ended == "sent"
        tally.unchanged += ended in ("unchanged", "skipped")
        tally.read = tally.created + tally.changed + tally.unchanged + tally.failed


async def _hushed(work: Work, job: Job, kind: str, failed: CallFailed) -> CallFailed:
    """The failure without what its words quote of the buyer: from here on they are stored, logged and shown."""
    if kind != "order" or not failed.detail:
        return failed
    async with work.db.read() as session:
        sale = await selling.sale(session, work.connection.id, job.record_id)
    return failed.worded(selling.hushed(failed.detail, sale)) if sale else failed


async def _refuse(
    work: Work, job: Job, kind: str, code: str, problems: Sequence[Problem], params: dict[str, str]
) -> None:
    """It cannot be sent as it is: failed, and the merchant is told in words what to mend.

    What an earlier attempt may have left over there stays written down: a record that is refused before that was looked
    into would be created a second time once it is mended.
    """
    told = [{"field": p.field, "reason": p.reason, "received": p.received} for p in problems]
    async with work.commit() as session:
        if code == "order.not_sent" and await selling.bound(session, work.connection.id, kind, [job.record_id]):
            code = "order.not_moved"  # told that it was not sent, the merchant would enter it a second time
        about = {"kind": work.connection.kind, **await selling.named(session, kind, job.record_id)}
        draft = Draft(code, work.connection.id, kind, job.record_id, {**about, **params, "problems": told})
        reason = "; ".join(f"{p.field} {p.reason}" for p in problems)
        await settle(session, work, job, state="failed", reason=reason, keep_attempt=True)
        await raise_notices(session, work.connection.merchant_id, [draft])
    work.tally.failed += 1
    work.tally.read += 1


async def _wait_and_see(work: Work, job: Job, kind: str, failed: CallFailed) -> None:
    """The create left and no answer came: nothing is repeated before the search would show what it made."""
    lag = _lag(work)
    if failed.reason != BUSY and max(entry.attempts for entry in job.entries) + 1 >= MOST_ATTEMPTS:
        await _give_up(work, job, kind, failed)
        return
    async with work.commit() as session:
        await settle(session, work, job, state="unknown", reason=str(failed), wait_s=lag, keep_attempt=True)
    work.log.warning("%s: %s: %s; looked for again in %.0f s", work.connection.id, job.record_id, failed.reason, lag)
    work.tally.extra["unknown"] = work.tally.extra.get("unknown", 0) + 1


async def _give_up(work: Work, job: Job, kind: str, failed: CallFailed) -> None:
    """It has failed too often to be passing by itself: the merchant is told, and sends it again when it is mended."""
    problem = Problem("answer", failed.reason, failed.detail)
    await _refuse(work, job, kind, f"{kind}.not_sent", [problem], {"code": failed.code})


def _lag(work: Work) -> float:
    return float(work.provider.search_lag_s)


async def _try_again(work: Work, job: Job, kind: str, failed: CallFailed) -> None:
    attempts = max(entry.attempts for entry in job.entries)
    if attempts + 1 >= MOST_ATTEMPTS:
        await _give_up(work, job, kind, failed)
        return
    await _put_back(work, job, str(failed), min(LONGEST_WAIT_S, FIRST_WAIT_S * 2**attempts))
    work.tally.extra["waiting"] = work.tally.extra.get("waiting", 0) + 1


async def _put_back(work: Work, job: Job, reason: str, wait_s: float) -> None:
    async with work.commit() as session:
        await settle(session, work, job, state="pending", reason=reason, wait_s=wait_s, keep_attempt=True)


async def _release(work: Work, entries: Sequence[Entry]) -> None:
    if entries:
        async with work.commit() as session:
            for entry in entries:
                await outbox.settle(session, entry, work.held.holder, state=entry.state, keep_attempt=True)


async def cured(session: AsyncSession, work: Work, kind: str, record_id: str) -> None:
    """The record went through: what stood against it is cleared."""
    await clear_notices(session, work.connection.merchant_id, work.connection.id, kind, [record_id])
