"""One run of one path for one connection: what it works with, how it begins and how it ends."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from prefect.context import FlowRunContext
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger

from hub import cursors, reports
from hub.changes import Change
from hub.connections import SwitchedOffError, learn
from hub.db import Database
from hub.leases import Held, LeaseLostError, lease
from hub.policy import Policy
from hub.reports import Tally
from hub.tables import Connection
from providers.accounts import answered, tell
from providers.contract import CallFailed, Outcome
from providers.registry import open_provider

T = TypeVar("T")
LARGEST_BATCH = 100
"""Records a commit; fewer where the account allows fewer calls a minute, so that a death costs a minute's calls."""
TELL_EVERY_S = 15.0
UNDER_WAY = 30
"""Records of one run being sent at the same time: more only read what will have changed by their turn, and leave more
to be looked into should the process die."""
_LOG = logging.getLogger("esteira.run")
LogLike = logging.Logger | logging.LoggerAdapter[Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run for one connection ended; `changes` is filled by a dry run only."""

    connection: str
    outcome: str
    tally: Tally
    per_minute: int | None = None
    detail: str = ""
    changes: tuple[Change, ...] = ()


class Work:
    """What the batches of one run share. A plain class: Prefect walks through a dataclass that is given to a task."""

    def __init__(
        self, db: Database, connection: Connection, provider: Any, held: Held, tally: Tally, *, dry_run: bool
    ) -> None:
        self.db = db
        self.connection = connection
        self.policy = Policy.model_validate(connection.policy)
        self.provider = provider
        self.held = held
        self.tally = tally
        self.dry_run = dry_run
        self.changes: list[Change] = []
        self.batch_size = LARGEST_BATCH
        self.log = run_logger()
        self.under_way = asyncio.Semaphore(UNDER_WAY)
        self.turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """By our id: two orders of one new customer must make one customer over there."""

    async def position(self, stream: str) -> dict[str, Any]:
        """Where the stream's cursor stands."""
        async with self.db.read() as session:
            return await cursors.position(session, self.connection, stream)

    @contextlib.asynccontextmanager
    async def commit(self) -> AsyncIterator[Any]:
        """A session to write by, under the lease: nothing is written once another process has taken over."""
        async with self.db.write() as session:
            await self.held.confirm(session)
            yield session

    async def move(self, stream: str, to: dict[str, Any]) -> None:
        """Move a cursor where there is no data to go with it. A dry run leaves it."""
        if not self.dry_run:
            await self.mark(stream, to)

    async def mark(self, stream: str, to: dict[str, Any]) -> None:
        """Move a cursor, in a dry run too: a list that forgets has been asked, and that is no dry run over there."""
        async with self.commit() as session:
            await cursors.move(session, self.connection, stream, to)

    @contextlib.asynccontextmanager
    async def telling(self) -> AsyncIterator[None]:
        """While the block runs, a line of progress every so often: a batch may take minutes at 20 calls a minute."""

        async def tell() -> None:
            while True:
                await asyncio.sleep(TELL_EVERY_S)
                self.progress()

        telling = asyncio.create_task(tell())
        try:
            yield
        finally:
            telling.cancel()

    def progress(self) -> None:
        """A line in the log of how far it is."""
        self.tally.calls = self.provider.calls
        self.log.info("%s: %s", self.connection.id, self.tally.line())


@dataclass
class Run:
    """One path, run for one connection after the other or for many at once."""

    db: Database
    path: str
    steps: Callable[[Work], Awaitable[None]]
    dry_run: bool = False
    flow_run_id: str = ""
    log: LogLike = _LOG

    async def for_connection(self, connection: Connection) -> Summary:
        """Run the path for one connection. Never raises for what a vendor or a merchant can cause."""
        tally = Tally(self.path)
        async with lease(self.db, f"{self.path}:{connection.id}") as held:
            if held is None:
                self.log.info("%s: another run of %s is at work here; stepping aside", connection.id, self.path)
                return Summary(connection.id, "skipped", tally, detail="another run is at work")
            provider = open_provider(self.db, connection)
            work = Work(self.db, connection, provider, held, tally, dry_run=self.dry_run)
            try:
                work.batch_size = min(LARGEST_BATCH, await provider.per_minute() or LARGEST_BATCH)
                outcome, detail = await self._steps(work)
            except asyncio.CancelledError:
                await asyncio.shield(self._report(work, "stopped", "cancelled"))
                raise
            finally:
                await provider.close()
            limit = await self._report(work, outcome, detail)
        self.log.info("%s: %s: %s%s", connection.id, outcome, tally.line(), f" ({detail})" if detail else "")
        return Summary(connection.id, outcome, tally, limit, detail, tuple(work.changes))

    async def _report(self, work: Work, outcome: str, detail: str) -> int | None:
        """Keep what the run did; returns the account's limit. A dry run leaves nothing."""
        work.tally.calls = work.provider.calls
        work.tally.end()
        limit: int | None = await work.provider.per_minute()
        if not self.dry_run:
            async with self.db.write() as session:
                await reports.store(
                    session,
                    work.connection,
                    work.tally,
                    outcome=outcome,
                    detail=detail,
                    per_minute=limit,
                    flow_run_id=self.flow_run_id,
                )
        return limit

    async def _steps(self, work: Work) -> tuple[str, str]:
        connection = work.connection
        try:
            async with work.telling():
                await self.steps(work)
        except CallFailed as failed:
            self.log.error("%s: %s stopped: %s", connection.id, self.path, failed)
            await tell(self.db, connection, failed, self.path)
            return "failed", str(failed)
        except SwitchedOffError as off:
            self.log.warning("%s: %s stopped: %s", connection.id, self.path, off)
            return "stopped", str(off)
        except LeaseLostError as lost:
            self.log.error("%s: %s stopped: %s", connection.id, self.path, lost)
            return "failed", str(lost)
        if work.provider.calls and not self.dry_run:  # else nothing has shown that the account answers
            async with self.db.write() as session:
                await answered(session, connection, self.path)
        return "done", ""


def is_withdrawn(failed: CallFailed) -> bool:
    """Whether the account does not let us do that: it never could, or the merchant switched an extension off."""
    return failed.outcome is Outcome.REJECTED and failed.reason == "permission"


async def forget_lists(work: Work) -> None:
    """Do without lists of changes from the next run on, until `check` finds them again."""
    async with work.commit() as session:
        await learn(session, work.connection.id, {"update_lists": False})


async def all_of(jobs: list[Coroutine[Any, Any, T]]) -> list[T]:
    """Run the jobs at once and return their results in order; the first failure ends the others and is raised."""
    running = [asyncio.ensure_future(job) for job in jobs]
    try:
        return list(await asyncio.gather(*running))
    except BaseException:
        for job in running:
            job.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        raise


def run_logger() -> LogLike:
    """Prefect's logger inside a flow run, so that ops read the lines there; ours elsewhere."""
    if FlowRunContext.get() is not None:
        with contextlib.suppress(MissingContextError):
            return get_run_logger()
    return _LOG
