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


async def read(connection: str, ids: list[str], seconds: float) -> dict[str, Any]:
    """Read these products again and again, by more tasks than may call at once, and end after `seconds`."""
    db = open_hub()
    try:
        async with db.read() as session:
            found = await find(session, connection)
        async with open_provider(db, found) as provider:
            until = time.monotonic() + seconds

            async def reader(external_id: str) -> None:
                while time.monotonic() < until:
                    await provider.read_product(external_id)  # type: ignore[attr-defined]

            await asyncio.gather(*(reader(external_id) for external_id in ids))
            calls = provider.calls
    finally:
        await db.close()
    return {"calls": calls, "clock_rate": settings().quota_clock_rate}


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(read(**task) if "ids" in task else check(**task))))
