"""`python -m benchmarks.tenants`: 500 connections, most with nothing to do: what one scheduled round costs.

Each connection is an account of its own of the simulated Tiny (API v2, with its lists of changes) at 5 ms a call. A
first round brings every catalogue in and is not measured. Then a page of products changes its price and its balance in
one account of twenty, and every scheduled path runs once for all, each in a process of its own as the worker starts it.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlmodel import col

from benchmarks import _command
from benchmarks._machine import cpu_seconds, described, peak_mb
from benchmarks._prefect import Prefect, prefect_server
from benchmarks._processes import Sandbox, measured, sandbox
from hub import connections
from hub.db import Database
from hub.migrate import upgrade
from hub.policy import Policy
from hub.settings import Settings
from hub.start import open_hub
from hub.tables import Binding, Price, Product

CONNECTIONS = 500
BUSY_EVERY = 20
PAGE = 100
SMALL = 20
"""Products of an account with nothing to do."""
LATENCY_MS = 5
PATHS = (
    "pull-catalog",
    "pull-stock",
    "push-products",
    "export-orders",
    "track-orders",
    "pull-invoices",
    "keep-alive",
)


def main() -> int:
    """Measure and print."""
    return _command.run(_parser(), measure, _show)


async def measure(options: argparse.Namespace, say: Any) -> dict[str, Any]:
    """Every figure of this benchmark, by its key."""
    with tempfile.TemporaryDirectory(prefix="esteira-bench-") as name:
        folder = Path(name)
        async with (
            prefect_server(folder, say) as prefect,
            sandbox("--latency-ms", str(LATENCY_MS), "--size", "10") as served,
        ):
            settings = Settings(home=folder / "hub", database_url=options.database)
            settings.home.mkdir(parents=True)
            await upgrade(settings.database)
            db = open_hub(settings)
            try:
                return await _measure(options.connections, settings, db, served, prefect, say)
            finally:
                await db.close()


async def _measure(
    count: int, settings: Settings, db: Database, served: Sandbox, prefect: Prefect, say: Any
) -> dict[str, Any]:
    say(f"{count} accounts are made and connected")
    names = [f"loja-{number:03d}" for number in range(count)]
    busy = names[::BUSY_EVERY]
    await asyncio.to_thread(_make_accounts, served, names, set(busy))
    await _connect(db, names)
    env = {
        **prefect.env,
        **served.addresses,
        "ESTEIRA_HOME": str(settings.home),
        "ESTEIRA_DATABASE_URL": settings.database,
    }
    for path in ("pull-catalog", "pull-stock"):
        first = await measured("_our_round", {"path": path}, env)
        say(f"first {path}: {first['seconds']:.0f} s, {first['calls']:,} calls; not measured")
    wanted = await asyncio.to_thread(_edit, served, busy)
    served.forget_calls()
    before = cpu_seconds(group=prefect.group)
    runs = {}
    for path in PATHS:
        runs[path] = await measured("_our_round", {"path": path}, env)
        say(
            f"{path}: {runs[path]['seconds']:.1f} s, CPU {runs[path]['cpu_seconds']:.1f} s, {runs[path]['calls']} calls"
        )
    server_cpu = cpu_seconds(group=prefect.group) - before
    return {
        "cpu_s": round(sum(run["cpu_seconds"] for run in runs.values()) + server_cpu, 1),
        "peak_mb": round(max(run["peak_mb"] for run in runs.values()) + peak_mb(group=prefect.group)),
        "missed": await _missed(db, wanted),
        "seconds": round(sum(run["seconds"] for run in runs.values()), 1),
        "connections": count,
        "changed_accounts": len(busy),
        "prefect_cpu_s": round(server_cpu, 1),
        "prefect_peak_mb": round(peak_mb(group=prefect.group)),
        "not_done": sum(run["not_done"] for run in runs.values()),
        "runs": {
            path: {name: round(run[name], 1) for name in ("seconds", "cpu_seconds", "peak_mb", "calls")}
            for path, run in runs.items()
        },
    }


def _make_accounts(served: Sandbox, names: Sequence[str], busy: set[str]) -> None:
    for number, name in enumerate(names):
        seed = {"catalog": "generated", "size": PAGE if name in busy else SMALL, "seed": number}
        served.control(
            "POST", "tiny/accounts", {"name": name, "plan": "unlimited", "realtime_stock": True, "seed": seed}
        )


async def _connect(db: Database, names: Sequence[str]) -> None:
    async with db.write() as session:
        for name in names:
            made = await connections.install(
                session,
                merchant=name,
                kind="tiny_v2",
                side="erp",
                credentials={"token": f"{name}-token"},
                policy=Policy(calls_per_minute=0),
                connection_id=name,
            )
            features = {"takes": ["order"], "update_lists": True, "per_minute": 0}
            await connections.checked(session, made.id, f"medida-{name}", features)


def _edit(served: Sandbox, busy: Sequence[str]) -> dict[tuple[str, str], tuple[Decimal, int | None]]:
    """Another price for a page of products of each account, and another balance where they have one of their own.

    Returns (connection, their id) → (price, balance; None for products whose balance is computed).
    """
    wanted: dict[tuple[str, str], tuple[Decimal, int | None]] = {}
    with httpx.Client(base_url=f"{served.url}/_sandbox/tiny/accounts", timeout=60, trust_env=False) as client:
        for name in busy:
            for number, product in enumerate(client.get(f"/{name}/products").raise_for_status().json()[:PAGE]):
                price = Decimal(10 + number).quantize(Decimal("0.01")) + Decimal("0.37")
                address = f"/{name}/products/{product['id']}"
                client.patch(address, json={"preco": str(price)}).raise_for_status()
                balance = None
                if product["estoque"] and product.get("classe_produto") not in ("K", "V"):
                    deposit = next(iter(product["estoque"]))
                    body = {"deposit": deposit, "balance": 500 + number, "reserved": 0}
                    balance = 500 + number if client.post(f"{address}/stock", json=body).is_success else None
                wanted[name, str(product["id"])] = (price, balance if len(product["estoque"]) == 1 else None)
    return wanted


async def _missed(db: Database, wanted: dict[tuple[str, str], tuple[Decimal, int | None]]) -> int:
    """Changes that the store does not show."""
    async with db.read() as session:
        rows = await session.execute(
            select(
                col(Binding.connection_id),
                col(Binding.external_id),
                col(Price.list_price),
                col(Product.stock_quantity),
            )
            .join(Product, col(Product.id) == col(Binding.record_id))
            .join(Price, col(Price.product_id) == col(Product.id))
            .where(col(Binding.kind) == "product")
        )
        shown = {(connection, external): (price, stock) for connection, external, price, stock in rows}
    missed = 0
    for key, (price, balance) in wanted.items():
        found = shown.get(key)
        missed += found is None or found[0] != price or (balance is not None and found[1] != balance)
    return missed


def _show(results: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(described(results["machine"]))
    title = f"One round for {results['connections']} connections, {results['changed_accounts']} with changes"
    table = Table("path", "seconds", "CPU s", "peak MB", "calls", title=title)
    for path, row in results["runs"].items():
        figures = (f"{row[name]:.1f}" for name in ("seconds", "cpu_seconds", "peak_mb"))
        table.add_row(path, *figures, f"{row['calls']:.0f}")
    table.caption = (
        f"in all {results['cpu_s']} CPU s, Prefect's server {results['prefect_cpu_s']} of them; "
        f"{results['peak_mb']} MB with the server's {results['prefect_peak_mb']}; missed {results['missed']}"
    )
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.tenants", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--connections", type=int, default=CONNECTIONS, help=f"(default {CONNECTIONS})")
    parser.add_argument("--database", default="", help="the hub's database; default: SQLite in a temporary folder")
    return parser


if __name__ == "__main__":
    sys.exit(main())
