"""The drain that lives: who waits for whom in it, and who does not."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hub import inbox, leases
from hub.db import Database
from hub.inbox import Arrival
from hub.settings import settings
from hub.tables import InboxEvent
from providers.contract import CallFailed, Outcome
from tasks import drain as drains
from tasks.drain import PATH, drain
from tasks.work import Summary, Work
from tests.hub.shop import connect, rows

SLOW, QUICK = "loja-sol-tiny", "loja-lua-tiny"


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ESTEIRA_INBOX_QUIET_S", "0.4")
    monkeypatch.setenv("ESTEIRA_INBOX_POLL_S", "0.02")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(autouse=True)
async def _two_merchants(db: Database) -> None:
    await connect(db, SLOW)
    await connect(db, QUICK, merchant="loja-lua")


async def tell(db: Database, connection_id: str, number: int = 1) -> None:
    merchant = connection_id.rsplit("-", 1)[0]
    async with db.write() as session:
        await inbox.store(session, [Arrival(connection_id, merchant, "estoque", f'{{"n": {number}}}'.encode())])


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


async def is_held(db: Database) -> bool:
    async with db.read() as session:
        return await leases.is_held(session, PATH)


@asynccontextmanager
async def living(db: Database) -> AsyncIterator["asyncio.Task[list[Summary]]"]:
    """A drain of all, from when it holds its lease until it has ended."""
    running = asyncio.create_task(drain(db=db))
    await until(lambda: is_held(db))
    yield running
    async with asyncio.timeout(20):
        await running


class Readers:
    """In the place of `see_to`: takes the events, and those of `SLOW` stay in its hands until they are let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.taken: Counter[str] = Counter()

    async def see_to(self, work: Work, *, first: bool = False) -> int:
        async with work.commit() as session:
            events = await inbox.take(session, work.connection, limit=1)
        self.taken[work.connection.id] += len(events)
        if events and work.connection.id == SLOW:
            await self.let_go.wait()
        async with work.commit() as session:
            await inbox.finish(session, [event.id for event in events], "done")
        return len(events)


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Readers:
    made = Readers()
    monkeypatch.setattr(drains, "see_to", made.see_to)
    return made


async def states(db: Database) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for event in await rows(db, InboxEvent):
        found.setdefault(event.connection_id, []).append(event.state)
    return found


async def test_a_drain_that_has_lived_long_enough_hands_over_while_its_slowest_batch_goes_on(
    db: Database, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It held the lease until then: no other drain began, and whoever stored an event found a living one."""
    asked: list[str] = []

    async def ask() -> None:
        asked.append("once")

    monkeypatch.setattr(drains, "ask_for_next_run", ask)
    monkeypatch.setattr(drains, "LONGEST_S", 0.5)
    monkeypatch.setattr(drains, "ASIDE_S", 0.1)
    for number in range(3):
        await tell(db, SLOW, number)
    async with living(db) as first:
        await until(lambda: _is(readers.taken[SLOW] == 1))
        await until(lambda: _is(bool(asked)))
        assert not await is_held(db) and not first.done()
        monkeypatch.setattr(drains, "LONGEST_S", 3600.0)
        await tell(db, QUICK)
        async with living(db):
            await until(lambda: _has_ended(db, QUICK))
            readers.let_go.set()
            await first
            assert readers.taken[SLOW] == 1, "the old one takes no other batch"
            await until(lambda: _has_ended(db, SLOW))
    assert await states(db) == {SLOW: ["done"] * 3, QUICK: ["done"]}


async def test_a_slow_mail_server_keeps_nobodys_events_waiting(
    db: Database, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = asyncio.Event()

    async def send_due(_: Database) -> Counter[str]:
        await sent.wait()
        return Counter()

    monkeypatch.setattr("tasks.mailing.send_due", send_due)
    await tell(db, QUICK)
    async with living(db) as first:
        await until(lambda: _has_ended(db, QUICK))
        await until(lambda: _is_free(db))
        assert not first.done()
        await tell(db, QUICK, 2)
        async with living(db):
            await until(lambda: _has_ended(db, QUICK))
            sent.set()


async def test_a_connection_that_fails_is_left_alone_for_longer_each_time_and_the_drain_ends(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A blocked account was asked every two seconds for four hours, and the drain that did so never got quiet."""
    asked: Counter[str] = Counter()

    async def blocked(work: Work, *, first: bool = False) -> int:
        asked[work.connection.id] += 1
        raise CallFailed(Outcome.RETRY, "server", operation="GET /")

    monkeypatch.setattr(drains, "see_to", blocked)
    monkeypatch.setattr(drains, "ASIDE_S", 0.1)
    await tell(db, SLOW)
    async with living(db):
        pass
    assert 2 <= asked[SLOW] <= 5, "0.1, 0.2, 0.4 seconds later, and then it has been quiet for as long"


async def test_a_worker_that_breaks_stops_no_other(
    db: Database, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(work: Work, *, first: bool = False) -> int:
        if work.connection.id == SLOW:
            raise RuntimeError("nobody thought of it")
        return await readers.see_to(work, first=first)

    monkeypatch.setattr(drains, "see_to", broken)
    await tell(db, SLOW)
    await tell(db, QUICK)
    async with living(db) as running:
        pass
    assert {summary.connection: summary.outcome for summary in running.result()} == {QUICK: "done"}
    assert await states(db) == {SLOW: ["pending"], QUICK: ["done"]}


async def _is(condition: Any) -> bool:
    return bool(condition)


async def _is_free(db: Database) -> bool:
    return not await is_held(db)


async def _has_ended(db: Database, connection_id: str) -> bool:
    return set((await states(db)).get(connection_id, [])) == {"done"}
