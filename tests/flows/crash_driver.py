"""Runs jobs in processes that kill themselves with SIGKILL at a chosen point.

A process of its own, started once: it has everything imported, and forks a child a job, so that a hundred deaths cost a
hundred forks and not a hundred imports. Talks JSON lines: a list of jobs in, what became of each out.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import httpx
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from flows.drain_inbox import drain_inbox
from flows.export_orders import export_orders
from flows.pull_catalog import pull_catalog
from flows.pull_invoices import pull_invoices
from flows.pull_stock import pull_stock
from flows.push_products import push_products
from flows.track_orders import track_orders
from hub import connections
from hub.settings import settings
from hub.start import open_hub
from providers.registry import open_provider
from tasks.work import Summary, all_of


async def _pull_catalog(connection: str) -> str:
    return _outcome(await pull_catalog.fn(connection))


async def _pull_stock(connection: str) -> str:
    return _outcome(await pull_stock.fn(connection))


async def _pull_invoices(connection: str) -> str:
    return _outcome(await pull_invoices.fn(connection))


async def _push_products(connection: str) -> str:
    return _outcome(await push_products.fn(connection))


async def _export_orders(connection: str) -> str:
    return _outcome(await export_orders.fn(connection))


async def _track_orders(connection: str) -> str:
    return _outcome(await track_orders.fn(connection))


async def _drain_inbox(connection: str) -> str:
    return _outcome(await drain_inbox.fn(connection))


async def _live_drain(_: str) -> str:
    """The drain of all connections, until it is quiet."""
    return ", ".join(sorted({f"{one.connection}: {one.outcome}" for one in await drain_inbox.fn()}))


async def _ten_calls(connection: str) -> str:
    """Ten tasks, each with a call of its own, over one provider."""
    return await _at_once(connection, lambda provider, _: provider.list_products(1))


async def _ten_looks(connection: str) -> str:
    """The same where products are sent to and not read from."""
    return await _at_once(connection, lambda provider, place: provider.find_products(f"SKU-{place}"))


async def _at_once(connection: str, call: Callable[[Any, int], Coroutine[Any, Any, Any]]) -> str:
    db = open_hub()
    async with db.read() as session:
        found = await connections.find(session, connection)
    provider: Any = open_provider(db, found)
    await all_of([call(provider, place) for place in range(10)])
    await provider.close()
    await db.close()
    return "done"


JOBS: dict[str, Callable[[str], Awaitable[str]]] = {
    "pull-catalog": _pull_catalog,
    "pull-stock": _pull_stock,
    "pull-invoices": _pull_invoices,
    "push-products": _push_products,
    "export-orders": _export_orders,
    "track-orders": _track_orders,
    "drain-inbox": _drain_inbox,
    "live-drain": _live_drain,
    "ten-calls": _ten_calls,
    "ten-looks": _ten_looks,
}


class Points:
    """The points that a job passes: before and after each HTTP call and each commit; dies at the chosen one."""

    def __init__(self, die_at: str | None, index: int) -> None:
        self.die_at, self.index = die_at, index
        self.passed: dict[str, int] = {}
        self._watch_http()
        event.listen(Engine, "commit", lambda _: self.reach("before-commit"))
        event.listen(Session, "after_commit", lambda _: self.reach("after-commit"))

    def reach(self, point: str) -> None:
        self.passed[point] = self.passed.get(point, 0) + 1
        if point == self.die_at and self.passed[point] == self.index:
            os.kill(os.getpid(), signal.SIGKILL)

    def _watch_http(self) -> None:
        send = httpx.AsyncClient.send

        async def watched(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
            self.reach("before-http")
            response = await send(client, request, **options)
            self.reach("after-http")
            return response

        httpx.AsyncClient.send = watched  # type: ignore[method-assign]


def _child(job: dict[str, Any], out: int) -> None:
    os.environ.update(job["env"])
    settings.cache_clear()
    points = Points(job.get("die_at"), job.get("index", 0))
    try:
        outcome = asyncio.run(JOBS[job["job"]](job["connection"]))
    except Exception as error:  # noqa: BLE001 whatever it is, the test is told
        outcome = f"{type(error).__name__}: {error}"
    os.write(out, json.dumps({"outcome": outcome, "passed": points.passed}).encode())


def _fork(job: dict[str, Any]) -> tuple[int, int]:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _child(job, write)
        os._exit(0)
    os.close(write)
    return child, read


def _outcome(summaries: list[Summary]) -> str:
    (summary,) = summaries
    return summary.outcome


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        running = [_fork(job) for job in json.loads(line)]
        ends = []
        for child, read in running:
            with os.fdopen(read, "rb") as pipe:
                said = pipe.read()
            _, status = os.waitpid(child, 0)
            killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
            ends.append({"outcome": "killed"} if killed else json.loads(said))
        print(json.dumps(ends), flush=True)


if __name__ == "__main__":
    main()
