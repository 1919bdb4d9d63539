"""One process of many tasks that read products for a while, as fast as the hub's limiter lets them."""

import asyncio
import json
import sys
import time
from typing import Any

from hub.connections import find
from hub.settings import settings
from hub.start import open_hub
from providers.contract import Account
from providers.registry import open_provider

FORGET_S = 3.0
"""So long before the start the simulator forgets what it was called till then."""


async def check(connection: str) -> dict[str, Any]:
    """Ask the account who it is, which tells its limit; returns the features of the connection."""
    db = open_hub()
    try:
        async with db.read() as session:
            found = await find(session, connection)
        async with open_provider(db, found) as provider:
            account: Account = await provider.check()
    finally:
        await db.close()
    return account.features


async def read(connection: str, ids: list[str], start: float, seconds: float) -> dict[str, Any]:
    """From `start` (seconds since 1970) on read these products again and again, a task each, and end after `seconds`.

    The start lies so far ahead that every process is up by then, and has made one call that does not count: the first
    one of a process takes 0.2 s longer, which is a second of a clock that runs five times as fast.
    """
    db = open_hub()
    try:
        async with db.read() as session:
            found = await find(session, connection)
        async with open_provider(db, found) as provider:
            await provider.read_product(ids[0])  # type: ignore[attr-defined]
            warmed_up = provider.calls
            if start - FORGET_S < time.time():
                raise RuntimeError("this process was not up in time: give it longer with --start-s")
            await asyncio.sleep(start - time.time())

            async def reader(external_id: str) -> None:
                while time.time() < start + seconds:
                    await provider.read_product(external_id)  # type: ignore[attr-defined]

            await asyncio.gather(*(reader(external_id) for external_id in ids))
            calls = provider.calls - warmed_up
    finally:
        await db.close()
    return {"calls": calls, "clock_rate": settings().quota_clock_rate}


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(read(**task) if "ids" in task else check(**task))))
