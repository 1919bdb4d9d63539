"""The yardstick: what the same calls cost when nothing is done with the answers but parsing them.

One `httpx.AsyncClient`, 30 calls at once without a pause at the end of a page, the pages listed ahead of the details,
and a closing pass over the listing, as our first pull makes one. With `lanes` the client gets our own transport
(`providers.lanes`), which tells what of the difference is the transport's.
"""

import asyncio
import json
import sys
from typing import Any

import httpx

from benchmarks._usage import Usage
from providers.lanes import Lanes

AT_ONCE = 30
WAITING = 200


async def pull(url: str, token: str, *, lanes: bool = False) -> dict[str, Any]:
    """Make the calls of a first pull and return what it took."""
    usage = Usage()
    calls = 0
    room = asyncio.Semaphore(AT_ONCE)
    waiting: asyncio.Queue[str | None] = asyncio.Queue(WAITING)
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
    transport = Lanes() if lanes else httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
    async with httpx.AsyncClient(base_url=url, transport=transport, timeout=30.0) as client:

        async def ask(service: str, **fields: Any) -> dict[str, Any]:
            nonlocal calls
            async with room:
                response = await client.post(service, data={"token": token, "formato": "json", **fields})
            calls += 1
            told: dict[str, Any] = response.json()["retorno"]
            if told["status"] != "OK":
                raise RuntimeError(f"{service}: {told}")
            return told

        async def listing() -> Any:
            page, pages = 1, 1
            while page <= pages:
                told = await ask("produtos.pesquisa.php", pesquisa="", pagina=page)
                pages = int(told["numero_paginas"])
                for row in told["produtos"]:
                    yield row["produto"]["id"]
                page += 1

        async def list_all() -> None:
            async for external_id in listing():
                await waiting.put(external_id)
            for _ in range(AT_ONCE):
                await waiting.put(None)

        async def read_all() -> int:
            read = 0
            while (external_id := await waiting.get()) is not None:
                await ask("produto.obter.php", id=external_id)
                read += 1
            return read

        _, *counts = await asyncio.gather(list_all(), *(read_all() for _ in range(AT_ONCE)))
        listed = [external_id async for external_id in listing()]
        if len(listed) != sum(counts):
            raise RuntimeError(f"{sum(counts)} products were read, but {len(listed)} are listed")
    return {**usage.report(), "calls": calls, "products": len(listed)}


if __name__ == "__main__":
    task = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(pull(**task))))
