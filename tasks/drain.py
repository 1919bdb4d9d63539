"""The drain: it stays as long as webhooks come, and sees to each connection's events by itself.

One drain lives at a time, under the lease `drain-inbox`; the web app asks for a run only when none does. Each
connection with events gets a worker, under a lease of its own, that keeps its HTTP client as long as there is something
to do: in busy hours an event costs no run, no import and no new connection.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from hub import connections, inbox
from hub.changes import Change
from hub.clock import utcnow
from hub.db import Database
from hub.leases import lease
from hub.settings import settings
from tasks import mailing
from tasks.inbox import NOTHING, join, see_to
from tasks.paths import (
    PathFailed,
    ask_for_next_run,
    flow_run_id,
    opened,
    publish,
    stop_after_too_many_crashes,
)
from tasks.tracking import untracked
from tasks.work import LogLike, Run, Summary, Work, run_logger

PATH = "drain-inbox"
LONGEST_S = 4 * 3600.0
"""A drain ends after so long, busy or not: the next one runs what was deployed meanwhile."""
ASIDE_S = 2.0
"""A connection whose worker stepped aside or failed is looked at again after this; twice as long with each failure."""
LONGEST_ASIDE_S = 300.0


async def drain(connection: str | None = None, *, dry_run: bool = False, db: Database | None = None) -> list[Summary]:
    """See to the events of one connection that are due; or to all, until none has come for `inbox_quiet_s`.

    Raises PathFailed when the named connection failed.
    """
    stop_after_too_many_crashes(PATH)
    hub_db = db or await opened()
    try:
        with untracked():
            summaries = await _drain(hub_db, connection, dry_run=dry_run)
    finally:
        if db is None:
            await hub_db.close()
    await publish(PATH, summaries)
    failed = [f"{one.connection}: {one.detail}" for one in summaries if one.outcome == "failed"]
    if connection is not None and failed:
        raise PathFailed("; ".join(failed), summaries)
    return summaries


async def _drain(db: Database, connection: str | None, *, dry_run: bool) -> list[Summary]:
    if dry_run or connection is not None:
        return await _once(db, connection, dry_run=dry_run)
    lives: list[Life] = []
    try:
        while await _live(db, lives):
            pass
    finally:
        # With the lease given back: one connection's long batch, or a slow mail server, keeps nobody's events waiting.
        for life in lives:
            await life.wind_down()
    return [summary for life in lives for summary in life.ended]


async def _live(db: Database, lives: list["Life"]) -> bool:
    """Be the drain that lives, until it is quiet or too old; whether to be it again."""
    log = run_logger()
    async with lease(db, PATH) as held:
        if held is None:
            log.info("another drain lives; stepping aside")
            return False
        lives.append(life := Life(db, log))
        async with db.write() as session:
            forgotten = await inbox.forget(session, days=settings().inbox_days)
        if forgotten:
            log.info("%d events of more than %d days ago forgotten", forgotten, settings().inbox_days)
        await life.until_quiet()
    # Only now, with the lease given back: an event that was stored before that found a living drain and asked for no
    # run, so it must be seen here; one that is stored after it finds none.
    async with db.read() as session:
        left = set(await inbox.due(session)) - life.aside.keys()
    if left and life.is_old:
        await ask_for_next_run()
    elif left:
        await life.workers_end()  # idle ones: the next life finds their leases given back
    return bool(left) and not life.is_old


@dataclass(frozen=True, slots=True)
class Rest:
    """A connection that is left alone for a while."""

    until: float
    pause_s: float


@dataclass
class Life:
    """One drain from its first look to its last: its workers by connection."""

    db: Database
    log: LogLike
    workers: dict[str, asyncio.Task[Summary]] = field(default_factory=dict)
    signals: dict[str, asyncio.Event] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    aside: dict[str, Rest] = field(default_factory=dict)
    """Connections that somebody else drains, or whose worker failed."""
    ended: list[Summary] = field(default_factory=list)
    mailman: asyncio.Task[Counter[str]] | None = None
    is_ending: bool = False
    began: float = field(default_factory=time.monotonic)

    @property
    def is_old(self) -> bool:
        """Whether it has lived long enough."""
        return time.monotonic() - self.began > LONGEST_S

    async def until_quiet(self) -> None:
        """Start and wake workers as events come; end when it has been quiet for long enough."""
        quiet_since = time.monotonic()
        try:
            while not self.is_old and not await self._is_quiet(quiet_since):
                if await self._wake() or self.busy:
                    quiet_since = time.monotonic()
                self._reap()
                await asyncio.sleep(settings().inbox_poll_s)
        except BaseException:
            for worker in self.workers.values():
                worker.cancel()
            raise
        finally:
            self.is_ending = True
            for signal in self.signals.values():
                signal.set()

    async def workers_end(self) -> None:
        """Wait for the workers; each ends with its batch."""
        await asyncio.gather(*self.workers.values(), return_exceptions=True)
        self._reap()

    async def wind_down(self) -> None:
        """Wait for everything that is under way."""
        await self.workers_end()
        if self.mailman is not None:
            await asyncio.gather(self.mailman, return_exceptions=True)

    async def _is_quiet(self, since: float) -> bool:
        """Nothing has come for a while, and nothing that was put off falls due within another such while."""
        quiet = settings().inbox_quiet_s
        if time.monotonic() - since < quiet:
            return False
        async with self.db.read() as session:
            soon = await inbox.next_due(session)
        return soon is None or not 0 <= (soon - utcnow()).total_seconds() < quiet

    async def _wake(self) -> bool:
        """Hand every connection with due events to its worker; whether there was one."""
        async with self.db.read() as session:
            due = await inbox.due(session)
            now = time.monotonic()
            due = [one for one in due if one not in self.aside or now >= self.aside[one].until]
            new = [await connections.find(session, one) for one in due if one not in self.workers]
        for one in due:
            self.signals.setdefault(one, asyncio.Event()).set()
        for connection in new:
            run = Run(self.db, PATH, self._worker, flow_run_id=flow_run_id(), log=self.log)
            self.workers[connection.id] = asyncio.create_task(run.for_connection(connection))
        return bool(due)

    async def _worker(self, work: Work) -> None:
        """One connection's events, for as long as they come."""
        name, first = work.connection.id, True
        signal = self.signals[name]
        try:
            while not self.is_ending:
                self.busy.add(name)
                signal.clear()
                while not self.is_ending and await see_to(work, first=first):
                    first = False
                self._mail()
                self.busy.discard(name)
                async with asyncio.timeout(settings().inbox_quiet_s):
                    await signal.wait()
        except TimeoutError:
            return
        finally:
            self.busy.discard(name)

    def _mail(self) -> None:
        """Send what buyers are to be told, beside the workers: a mail server may take half a minute for one."""
        if self.mailman is None or self.mailman.done():
            self.mailman = asyncio.create_task(mailing.send_due(self.db))

    def _reap(self) -> None:
        """Note how ended workers ended."""
        for name, worker in list(self.workers.items()):
            if not worker.done():
                continue
            del self.workers[name]
            if worker.cancelled():
                continue
            error = worker.exception()
            if error is not None:
                # A bug met with one merchant must not stop the others; its events wait, and are tried again.
                self.log.error("%s: the drain's worker broke: %s", name, type(error).__name__, exc_info=error)
                self._rest(name, grows=True)
                continue
            summary = worker.result()
            if summary.outcome == "done":
                self.aside.pop(name, None)
            else:
                self._rest(name, grows=summary.outcome != "skipped")
            self.ended.append(summary)

    def _rest(self, name: str, *, grows: bool) -> None:
        """Leave a connection alone. A blocked account would be asked every two seconds otherwise, for hours."""
        before = self.aside.get(name)
        pause = min(before.pause_s * 2, LONGEST_ASIDE_S) if before and grows else ASIDE_S
        self.aside[name] = Rest(time.monotonic() + pause, pause)


async def _once(db: Database, connection: str | None, *, dry_run: bool) -> list[Summary]:
    """What is due of one connection, or in a dry run of all, without staying."""

    async def steps(work: Work) -> None:
        if dry_run:
            await _show(work)
            return
        first = True
        while await see_to(work, first=first):
            first = False
        await mailing.send_due(db)

    async with db.read() as session:
        names = [connection] if connection is not None else await inbox.due(session)
        found = [await connections.find(session, name) for name in names]
    run = Run(db, PATH, steps, dry_run, flow_run_id=flow_run_id(), log=run_logger())
    return [await run.for_connection(one) for one in found]


async def _show(work: Work) -> None:
    """What would be read."""
    async with work.db.read() as session:
        events = await inbox.take(session, work.connection, limit=10_000, look_only=True)
    joined = join(work.connection.kind, events)
    work.changes += [
        Change("read", hint.external_id, "", hint.subject, (f"events: {len(told)}",))
        for hint, told in joined.by_hint.items()
    ]
    work.changes += [Change("none", "", "", event.topic, (NOTHING,)) for event in joined.ignored]
    work.changes += [Change("refuse", "", "", event.topic, (why,)) for event, why in joined.unreadable]
    work.tally.read = len(events)
