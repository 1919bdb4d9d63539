"""Bursts, deaths, copies, disorder and losses: every acknowledged event takes effect once, and the rest is found."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from deployments import ports
from hub.db import Database
from hub.tables import InboxEvent
from tests.contract.subjects import Sandbox
from tests.flows import live
from tests.flows.driving import Driver, driver, driving
from tests.flows.live import Live
from tests.flows.trade import LINES

__all__ = ["driver", "driving"]

ROOT = Path(__file__).resolve().parents[2]
SKUS = ("CAN-1", "CAN-2")


@pytest.fixture(params=["tiny_v2", "tagplus"])
async def erp(request: pytest.FixtureRequest, db: Database, sandbox: Sandbox, web: str) -> Live:
    return await live.opened(db, sandbox, str(request.param), web)


# A burst, and deaths in the middle of it.


class WebProcess:
    """Our web app in a process of its own, to be killed and begun again on the same port."""

    def __init__(self) -> None:
        self.port = ports.free()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        command = ("-m", "uvicorn", "--factory", "web.app:create_app", "--port", str(self.port), "--log-level", "error")
        env = {**os.environ, "ESTEIRA_PREFECT_PORT": "9"}
        self.process = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env)  # noqa: ASYNC220 brief
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(60):
            while True:
                try:
                    await client.get(f"{self.url}/health")
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


@asynccontextmanager
async def web_process() -> AsyncIterator[WebProcess]:
    made = WebProcess()
    await made.start()
    try:
        yield made
    finally:
        made.kill()


async def post_all(path: str, bodies: list[str], *, stop_after: int, server: WebProcess) -> set[str]:
    """Post events, many at a time; the server dies once so many were acknowledged. Returns those that were."""
    acknowledged: set[str] = set()
    waiting = iter(bodies)

    async def caller(client: httpx.AsyncClient) -> None:
        for body in waiting:
            try:
                answer = await client.post(path, content=body)
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                acknowledged.add(body)
            if len(acknowledged) == stop_after:
                server.kill()

    async with httpx.AsyncClient(base_url=server.url, trust_env=False, timeout=30) as client:
        await asyncio.gather(*(caller(client) for _ in range(16)))
    return acknowledged


async def test_a_burst_with_the_web_and_the_drain_killed_in_it_loses_no_acknowledged_event(
    db: Database, sandbox: Sandbox, web: str, driver: Driver
) -> None:
    erp = await live.opened(db, sandbox, "tiny_v2", web)
    for number in range(3, 61):
        sandbox.ask("POST", f"{erp.account}/products", codigo=f"CAN-{number}", nome=f"Produto {number}", preco="9.90")
    await erp.pull_catalog()
    path = (await erp.paths())["estoque"]
    skus = [f"CAN-{number}" for number in range(1, 61)]
    keys = {sku: erp.key(sku) for sku in skus}
    sandbox.ask("POST", erp.account, webhooks={})  # the events of this test are posted by the test
    chance = random.Random(4)
    for sku in skus:
        erp.count(sku, chance.randint(1, 99))
    bodies = [
        f'{{"tipo": "estoque", "dados": {{"idProduto": {keys[chance.choice(skus)]}, "saldo": {number}}}}}'
        for number in range(1000)
    ]
    async with web_process() as server:
        acknowledged = await post_all(path, bodies, stop_after=400, server=server)
        assert 400 <= len(acknowledged) < 1000
        # Died while it was seeing to the first of them, and again later.
        assert driver.run("drain-inbox", erp.id, "after-http", 7).outcome == "killed"
        await server.start()
        rest = [body for body in bodies if body not in acknowledged]
        acknowledged |= await post_all(path, rest, stop_after=-1, server=server)
        assert len(acknowledged) == 1000
        assert driver.run("drain-inbox", erp.id, "before-commit", 6).outcome == "killed"
        assert driver.run("drain-inbox", erp.id).outcome == "done"
    events = await erp.events()
    assert acknowledged <= {event.body for event in events}
    assert {event.state for event in events} == {"done"}
    stock = {sku: row for sku, (_, row) in (await erp.shown()).items()}
    assert stock == {sku: _balance(erp, sku) for sku in skus}


def _balance(erp: Live, sku: str) -> str:
    (found,) = [row for row in erp.sandbox.ask("GET", f"{erp.account}/products?sku={sku}") if row["codigo"] == sku]
    return str(sum(int(deposit["saldo"]) for deposit in found["estoque"].values()))


# Copies and disorder.


async def test_every_event_twenty_times_shuffled_and_drained_by_two_ends_at_the_newest(
    erp: Live, driver: Driver
) -> None:
    erp.sandbox.ask("POST", "/settings", webhook_hold=True)
    chance = random.Random(9)
    for _ in range(6):
        sku = chance.choice(SKUS)
        erp.count(sku, chance.randint(0, 50))
        erp.reprice(sku, f"{chance.randint(10, 99)}.90")
    erp.count("CAN-1", 7)
    erp.reprice("CAN-2", "55.55")
    erp.sandbox.ask("POST", "/deliveries/flush", shuffle_seed=5, copies=20)
    ends = driver.side_by_side([{"job": "drain-inbox", "connection": erp.id}] * 2)
    assert {end.outcome for end in ends} <= {"done", "skipped"}
    assert (await erp.drain()).outcome == "done"
    shown = await erp.shown()
    assert (shown["CAN-1"][1], shown["CAN-2"][0]) == ("7", "55.55")
    async with erp.db.read() as session:
        rows = (await session.execute(select(col(InboxEvent.state), col(InboxEvent.copies)))).all()
    assert {state for state, _ in rows} <= {"done", "ignored"}
    assert sum(copies for _, copies in rows) >= 20 * 8, "every delivery is accounted for"


async def test_events_that_come_after_a_newer_reading_change_nothing(erp: Live) -> None:
    erp.sandbox.ask("POST", "/settings", webhook_hold=True)
    erp.count("CAN-1", 4)
    erp.reprice("CAN-1", "40.00")
    erp.count("CAN-1", 8)
    erp.reprice("CAN-1", "80.00")
    await erp.pull_catalog()
    await erp.pull_stock()
    before = await erp.shown()
    erp.arrive(reverse=True)
    await erp.drain()
    assert await erp.shown() == before
    assert before["CAN-1"] == ("80.00", "8")


# Losses.


async def test_what_every_tenth_event_would_have_told_is_found_by_the_schedules_within_one_period(erp: Live) -> None:
    erp.sandbox.ask("POST", "/settings", webhook_lose_every=10)
    chance = random.Random(2)
    prices = dict.fromkeys(SKUS, "")
    stock = dict.fromkeys(SKUS, 0)
    for number in range(12):
        await erp.order(f"{number}", LINES)
    await erp.export()
    notes = []
    for number in range(12):
        order_id = (await erp.bound(f"{number}")).external_id
        notes.append(erp.invoice(order_id))
        for sku in SKUS:
            stock[sku] = chance.randint(1, 60)
            prices[sku] = f"{chance.randint(10, 99)}.50"
            erp.count(sku, stock[sku])
            erp.reprice(sku, prices[sku])
    erp.arrive()
    lost = erp.sandbox.ask("GET", "/deliveries")["totals"].get("lost", 0)
    assert lost >= 5
    await erp.drain()
    await erp.pull_catalog()
    await erp.pull_stock()
    await erp.pull_invoices()
    await erp.track()
    shown = await erp.shown()
    assert {sku: shown[sku][0] for sku in SKUS} == prices
    assert {sku: shown[sku][1] for sku in SKUS} == {sku: str(balance) for sku, balance in stock.items()}
    assert len(await erp.notes()) == len(notes) == 12
