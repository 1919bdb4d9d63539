"""How fast webhooks are acknowledged: our door beside a bare endpoint, on SQLite and on PostgreSQL."""

import asyncio
import contextlib
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlmodel import col

from benchmarks._processes import ROOT, measured
from deployments import ports
from hub import connections, doors
from hub.leases import lease
from hub.migrate import upgrade
from hub.settings import Settings
from hub.start import open_hub
from hub.tables import InboxEvent
from web.bell import DRAIN

BODY = '{"versao":"1.0.1","cnpj":"","tipo":"estoque","dados":{"idProduto":%d,"sku":"CAN-1","nome":"Caneca","saldo":7}}'
AT_ONCE = 32
ROUNDS = 3
PACE = 200


@dataclass(frozen=True, slots=True)
class Target:
    """Where to post."""

    url: str


async def measure(folder: Path, database: str, count: int, say: Any) -> dict[str, Any]:
    """Rates of both (the medians of interleaved rounds), our answer times at 200 a second, and what was lost."""
    kind = make_url(database).get_backend_name()
    settings = Settings(home=folder / f"ack-{kind}", database_url=database)
    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    async with _ours(settings) as ours, _bare(database, folder) as bare:
        for number in range(ROUNDS):
            for name, target in (("bare", bare), ("ours", ours)):
                ran = await _post(target, count, per_second=0)
                _all_accepted(name, ran, count)
                rates[name].append(count / ran["seconds"])
            say(f"{kind}, round {number + 1}: bare {rates['bare'][-1]:.0f}/s, ours {rates['ours'][-1]:.0f}/s")
        targets = {"ours": ours, "bare": bare}
        paced = {name: await _post(one, PACE * 15, per_second=PACE) for name, one in targets.items()}
        sent = ROUNDS * count + PACE * 15
        stored = await _stored(settings)
    found = {name: statistics.median(each) for name, each in rates.items()}
    return {
        "database": kind,
        "ours_per_s": round(found["ours"], 1),
        "bare_per_s": round(found["bare"], 1),
        "ratio": round(found["ours"] / found["bare"], 3),
        "p50_ms": round(statistics.median(paced["ours"]["ms"]), 2),
        "p99_ms": round(statistics.quantiles(paced["ours"]["ms"], n=100)[98], 2),
        "bare_p99_ms": round(statistics.quantiles(paced["bare"]["ms"], n=100)[98], 2),
        "lost": sent - stored,
    }


@contextlib.asynccontextmanager
async def fresh_postgres(server: str) -> AsyncIterator[str]:
    """The address of a new database, dropped at the end."""
    url = make_url(server)
    name = f"esteira_bench_{os.getpid()}"
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(plain)
    try:
        await connection.execute(f'create database "{name}"')
        try:
            yield url.set(database=name).render_as_string(hide_password=False)
        finally:
            await connection.execute(f'drop database "{name}" with (force)')
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _ours(settings: Settings) -> AsyncIterator[Target]:
    """Our web app with a door; the bell finds a drain that lives, so that the door alone is measured."""
    settings.home.mkdir(parents=True)
    await upgrade(settings.database)
    db = open_hub(settings)
    try:
        async with db.write() as session:
            made = await connections.install(
                session, merchant="Loja de Medir", kind="tiny_v2", side="erp", credentials={"token": "demo-token"}
            )
            await connections.checked(session, made.id, "medida", {})
            await doors.ensure(session, made, ("estoque",), has_secret=False)
            (door,) = await doors.of(session, made.id)
        env = {
            "ESTEIRA_HOME": str(settings.home),
            "ESTEIRA_DATABASE_URL": settings.database,
            "ESTEIRA_HOOKS_PER_SECOND": "1000000",
            "ESTEIRA_HOOKS_BURST": "1000000",
        }
        async with lease(db, DRAIN), _uvicorn("web.app:create_app", env) as base:
            yield Target(f"{base}{doors.PATH}/{door.key}")
    finally:
        await db.close()


@contextlib.asynccontextmanager
async def _bare(database: str, folder: Path) -> AsyncIterator[Target]:
    if database.startswith("sqlite"):
        database = f"sqlite+aiosqlite:///{folder / 'bare.db'}"
    async with _uvicorn("benchmarks._bare_hook:create_app", {"BARE_DATABASE_URL": database}) as base:
        yield Target(f"{base}/hook")


@contextlib.asynccontextmanager
async def _uvicorn(app: str, env: dict[str, str]) -> AsyncIterator[str]:
    port = ports.free()
    options = ("--factory", app, "--host", "127.0.0.1", "--port", str(port), "--log-level", "warning")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "uvicorn", *options, cwd=ROOT, env={**os.environ, **env}
    )
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    await client.get(f"{base}/health")
                    break
                if time.monotonic() > deadline or process.returncode is not None:
                    raise RuntimeError(f"{app} did not start")
                await asyncio.sleep(0.1)
        yield base
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _post(target: Target, count: int, *, per_second: int) -> dict[str, Any]:
    task = {"url": target.url, "count": count, "at_once": AT_ONCE, "body": BODY, "per_second": per_second}
    return await measured("_hook_load", task)


def _all_accepted(name: str, ran: dict[str, Any], count: int) -> None:
    if ran["accepted"] != count:
        raise RuntimeError(f"{name}: {count - ran['accepted']} of {count} events were not accepted")


async def _stored(settings: Settings) -> int:
    """Deliveries that the inbox stands for: equal ones that wait are one event."""
    db = open_hub(settings)
    try:
        async with db.read() as session:
            return int((await session.execute(select(func.sum(col(InboxEvent.copies))))).scalar_one() or 0)
    finally:
        await db.close()
