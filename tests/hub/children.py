"""Other processes for the tests: `start(job, ...)` runs one of the jobs below in a Python of its own.

A child says `ready` once it has imported everything, waits for a line on its input so that several begin at once, and
prints one JSON value at its end.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlmodel import col

from hub import crypto
from hub.credentials import TokenStore
from hub.db import Database
from hub.leases import lease
from hub.migrate import upgrade
from hub.quota import Limiter
from hub.settings import Settings
from hub.start import KEY_FILE, keyring
from hub.tables import Quota

ROOT = Path(__file__).parents[2]


class Child:
    """A process at work."""

    def __init__(self, job: str, *arguments: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.hub.children", job, json.dumps(arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    async def line(self) -> str:
        """The next line that it prints."""
        assert self.process.stdout is not None
        found = await asyncio.to_thread(self.process.stdout.readline)
        assert found, f"the child ended with {self.process.wait()}; see its stderr above"
        return found.strip()

    async def ready(self) -> None:
        """Wait until it could begin."""
        assert await self.line() == "ready"

    def go(self) -> None:
        """Let it begin, or go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    async def result(self) -> Any:
        """What it brought, once it has ended well."""
        said = await self.line()
        assert await asyncio.to_thread(self.process.wait) == 0
        return json.loads(said)


@contextlib.asynccontextmanager
async def children(*jobs: tuple[Any, ...]) -> AsyncIterator[list[Child]]:
    """Start processes, wait until all are ready, and leave none behind."""
    started = [Child(*job) for job in jobs]
    try:
        for child in started:
            await child.ready()
        yield started
    finally:
        for child in started:
            child.process.kill()
            child.process.wait()
            for pipe in (child.process.stdin, child.process.stdout):
                if pipe is not None:
                    pipe.close()


async def all_at_once(*jobs: tuple[Any, ...]) -> list[Any]:
    """Run processes that begin together; returns what each brought."""
    async with children(*jobs) as started:
        for child in started:
            child.go()
        return [await child.result() for child in started]


# What the children do


async def count_up(url: str, times: int) -> int:
    """Read a number and write it back one higher, many times."""
    db = Database.open(url)
    for _ in range(times):
        async with db.write() as session:
            query = select(col(Quota.per_minute)).where(col(Quota.key) == "count").with_for_update()
            found = (await session.execute(query)).scalar_one()
            await session.execute(update(Quota).where(col(Quota.key) == "count").values(per_minute=found + 1))
    await db.close()
    return times


async def migrate(url: str) -> str:
    """Bring a database to the newest schema."""
    await upgrade(url)
    return "migrated"


async def take_turns(url: str, key: str, per_minute: int, clock_rate: float, calls: int, tasks: int) -> Any:
    """Take turns with several tasks; brings when each was due and when it came, in seconds since 1970."""
    db = Database.open(url)
    turns: list[tuple[float, float]] = []

    class Noting(Limiter):
        async def reserve(self) -> float:
            due = await super().reserve()
            dues[asyncio.current_task()] = due
            return due

    dues: dict[Any, float] = {}
    limiter = Noting(db, key, per_minute, share=0.985, clock_rate=clock_rate)
    left = iter(range(calls))

    async def work() -> None:
        for _ in left:
            await limiter.turn()
            turns.append((dues[asyncio.current_task()], time.time()))

    await asyncio.gather(*(work() for _ in range(tasks)))
    await db.close()
    return turns


async def hold_lease(url: str, key: str, ttl_s: float) -> bool:
    """Hold a lease, say so, and let go at the next line of input."""
    db = Database.open(url)
    async with lease(db, key, ttl_s) as held:
        print("held" if held else "refused", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
    await db.close()
    return True


async def refresh_tokens(url: str, connection_id: str, times: int) -> int:
    """Refresh like two tasks would: one at a time over all processes, or the single-use token burns."""
    db = Database.open(url)
    store = TokenStore(db, connection_id)

    async def refresh() -> None:
        for _ in range(times):
            async with store.locked():
                tokens = await store.load()
                await asyncio.sleep(0.005)  # the call to the vendor, during which the other one wants in
                await store.save(access="a", refresh="r", lifetime_s=60, after=tokens.version)

    await asyncio.gather(refresh(), refresh())
    await db.close()
    return 2 * times


async def read_keys(home: str) -> str:
    """The text of the key file, made if there is none."""
    keyring(Settings(home=Path(home)))
    return (Path(home) / KEY_FILE).read_text()


_JOBS: dict[str, Callable[..., Awaitable[Any]]] = {
    job.__name__: job for job in (count_up, migrate, take_turns, hold_lease, refresh_tokens, read_keys)
}


def _main() -> None:
    crypto.use(crypto.Keyring((TEST_KEY,), TEST_KEY))
    job, arguments = _JOBS[sys.argv[1]], json.loads(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asyncio.run(job(*arguments))), flush=True)


TEST_KEY = "esteira-tests-esteira-tests-esteira-tests-0="
"""No secret: it opens only what the tests have written."""

if __name__ == "__main__":
    _main()
