import asyncio
import contextlib
import os
import signal
import socket
import time
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from hub import leases
from hub.db import Database
from hub.leases import Held, LeaseLostError, lease, wait_for
from hub.tables import Lease, Merchant
from tests.hub.children import children
from tests.hub.shop import one, rows

KEY = "pull-catalog:loja-sol-tiny"
FOREIGN = "elsewhere:17:42:0a1b2c3d"


async def left_by(db: Database, holder: str, until: float) -> None:
    async with db.write() as session:
        session.add(Lease(key=KEY, holder=holder, until=until))


async def taken_over(db: Database) -> None:
    async with db.write() as session:
        await session.execute(update(Lease).values(holder=FOREIGN, until=time.time() + 60))


async def test_of_two_one_works_and_the_other_steps_aside(db: Database) -> None:
    async with lease(db, KEY) as first:
        assert first is not None
        async with lease(db, KEY) as second:
            assert second is None
        assert (await one(db, Lease)).holder == first.holder, "the one who stepped aside took nothing away"
    async with lease(db, KEY) as next_one:
        assert next_one is not None


async def test_of_many_that_come_at_once_one_gets_it(db: Database) -> None:
    async def come(gate: asyncio.Event) -> bool:
        async with lease(db, KEY) as held:
            await gate.wait()
            return held is not None

    gate = asyncio.Event()
    coming = [asyncio.create_task(come(gate)) for _ in range(10)]
    async with asyncio.timeout(10):
        while not await rows(db, Lease):
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
    gate.set()
    assert sum(await asyncio.gather(*coming)) == 1


async def test_one_given_back_between_two_looks_is_taken(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL a statement sees what was committed since the one before it: the row in the way may be gone."""
    looks = 0
    insert = leases.upsert_rows

    async def in_the_way_at_first(*given: Any, **options: Any) -> None:
        nonlocal looks
        looks += 1
        if looks > 1:
            await insert(*given, **options)

    monkeypatch.setattr(leases, "upsert_rows", in_the_way_at_first)
    async with lease(db, KEY) as held:
        assert held is not None
        assert (await one(db, Lease)).holder == held.holder


async def test_other_work_is_free(db: Database) -> None:
    async with lease(db, KEY) as first, lease(db, "pull-stock:loja-sol-tiny") as second:
        assert first is not None
        assert second is not None


async def test_it_is_let_go_at_the_end_and_after_an_error(db: Database) -> None:
    with pytest.raises(LookupError):
        async with lease(db, KEY):
            raise LookupError("the work broke")
    assert await rows(db, Lease) == []


async def test_it_is_let_go_when_the_work_is_cancelled(db: Database) -> None:
    async def work() -> None:
        async with lease(db, KEY):
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    async with asyncio.timeout(5):
        while not await rows(db, Lease):
            await asyncio.sleep(0)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert await rows(db, Lease) == []


async def test_a_heartbeat_keeps_it_beyond_its_time(db: Database) -> None:
    async with lease(db, KEY, ttl_s=1.0) as held:
        assert held is not None
        first = await one(db, Lease)
        async with asyncio.timeout(10):
            while (later := await one(db, Lease)).until < first.until + 1.0:
                assert later.until > time.time(), "it has never lapsed"
                await asyncio.sleep(0.05)
        assert later.holder == held.holder


async def test_a_heartbeat_survives_a_database_that_fails_for_a_moment(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, failures = db.write, 0

    @contextlib.asynccontextmanager
    async def failing():  # type: ignore[no-untyped-def]
        nonlocal failures
        failures += 1
        raise OperationalError("update lease", {}, OSError("the server is restarting"))
        yield

    async with lease(db, KEY, ttl_s=0.9) as held:
        assert held is not None
        before = (await one(db, Lease)).until
        monkeypatch.setattr(db, "write", failing)
        while not failures:
            await asyncio.sleep(0.01)
        monkeypatch.setattr(db, "write", write)
        async with asyncio.timeout(5):
            while (await one(db, Lease)).until == before:
                await asyncio.sleep(0.02)
    assert await rows(db, Lease) == []


async def test_a_killed_process_frees_its_work_at_once(db: Database, database_url: str) -> None:
    async with children(("hold_lease", database_url, KEY, 300)) as (child,):
        child.go()
        assert await child.line() == "held"
        async with lease(db, KEY) as ours:
            assert ours is None
        # Not waited for: in a container nobody may ever collect it, and the kernel goes on listing it.
        os.kill(child.process.pid, signal.SIGKILL)
        async with asyncio.timeout(5), wait_for(db, KEY, ttl_s=300) as held:
            assert (await one(db, Lease)).holder == held.holder


async def test_a_living_process_keeps_its_work(db: Database, database_url: str) -> None:
    async with children(("hold_lease", database_url, KEY, 300), ("hold_lease", database_url, KEY, 300)) as (one_, two):
        one_.go()
        assert await one_.line() == "held"
        two.go()
        assert await two.line() == "refused"
        one_.go()
        assert await one_.result() is True
        async with lease(db, KEY) as ours:
            assert ours is not None


async def test_a_later_process_with_the_same_number_is_another_one(db: Database) -> None:
    await left_by(db, f"{socket.gethostname()}:{os.getpid()}:1:0a1b2c3d", time.time() + 300)
    async with lease(db, KEY) as ours:
        assert ours is not None


async def test_another_machines_lease_stands_until_its_time_has_passed(db: Database) -> None:
    await left_by(db, FOREIGN, time.time() + 300)
    async with lease(db, KEY) as ours:
        assert ours is None
    async with db.write() as session:
        await session.execute(update(Lease).values(until=time.time() - 0.01))
    async with lease(db, KEY) as ours:
        assert ours is not None


async def test_who_lost_it_writes_nothing_more(db: Database) -> None:
    async with lease(db, KEY) as held:
        assert held is not None
        await taken_over(db)
        with pytest.raises(LeaseLostError, match="was taken over"):
            async with db.write() as session:
                session.add(Merchant(id="loja-sol", name="Loja Sol"))
                await held.confirm(session)
    assert await rows(db, Merchant) == []
    assert (await one(db, Lease)).holder == FOREIGN, "the successor's lease stays"


async def test_confirming_prolongs_it(db: Database) -> None:
    async with lease(db, KEY, ttl_s=60) as held:
        assert held is not None
        async with db.write() as session:
            await session.execute(update(Lease).values(until=time.time() - 1))
        async with db.write() as session:
            await held.confirm(session)
        assert (await one(db, Lease)).until > time.time() + 50


async def test_confirming_in_a_transaction_that_fails_prolongs_nothing(db: Database) -> None:
    async with lease(db, KEY, ttl_s=60) as held:
        assert held is not None
        before = (await one(db, Lease)).until
        with pytest.raises(LookupError):
            async with db.write() as session:
                await held.confirm(session)
                raise LookupError("the page could not be applied")
        assert (await one(db, Lease)).until == before


async def test_letting_go_leaves_others_alone(db: Database) -> None:
    async with lease(db, "pull-stock:loja-sol-tiny") as other:
        assert other is not None
        async with lease(db, KEY):
            pass
        assert (await one(db, Lease)).holder == other.holder


async def test_whoever_waits_gets_it_when_it_is_free(db: Database) -> None:
    order: list[str] = []

    async def wait() -> None:
        async with wait_for(db, KEY, ttl_s=60, poll_s=0.01) as held:
            assert isinstance(held, Held)
            order.append("second")

    async with lease(db, KEY):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.1)
        order.append("first")
    await waiting
    assert order == ["first", "second"]
