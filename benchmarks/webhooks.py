"""`python -m benchmarks.webhooks`: how fast a webhook is acknowledged, and how soon the store shows what it told of.

1. Acknowledgements a second, ours beside a bare FastAPI endpoint that does one insert, by turns, 32 callers at once;
   then the answer times at 200 a second. On SQLite, and on PostgreSQL where ESTEIRA_TEST_POSTGRES names a server.
2. From the merchant's edit in the simulated Tiny to the store, through everything: the simulator's webhook over HTTP,
   the door, Prefect's server, worker and drain, the reading from Tiny. Warm: a drain lives; cold: none does.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlmodel import col

from benchmarks import _ack, _command
from benchmarks._machine import described
from benchmarks._processes import Sandbox
from deployments import ports
from deployments.up import Parts, running
from flows import pull_catalog, pull_stock
from hub import connections, doors, leases
from hub.db import Database
from hub.policy import Policy
from hub.settings import Settings
from hub.settings import settings as process_settings
from hub.start import open_hub
from hub.tables import Binding, Product
from providers.accounts import verify
from tasks.work import Run
from web.bell import DRAIN

COUNT = 3000
WARM, COLD = 40, 20
QUIET_S = 3.0
"""How long the drain waits in silence here, so that a cold start comes soon."""
LONGEST_S = 60.0
DEPOSIT = "Depósito Geral"


def main() -> int:
    """Measure and print."""
    return _command.run(_parser(), measure, _show)


async def measure(options: argparse.Namespace, say: Any) -> dict[str, Any]:
    """Every figure of this benchmark, by its key."""
    with tempfile.TemporaryDirectory(prefix="esteira-bench-") as name:
        folder = Path(name)
        acks = [await _ack.measure(folder, f"sqlite+aiosqlite:///{folder / 'ack.db'}", options.count, say)]
        if server := os.environ.get("ESTEIRA_TEST_POSTGRES"):
            async with _ack.fresh_postgres(server) as database:
                acks.append(await _ack.measure(folder, database, options.count, say))
        else:
            say("ESTEIRA_TEST_POSTGRES names no server: PostgreSQL is left out")
        effects = await _effects(folder, options, say)
    return {
        "ack_ratio": min(each["ratio"] for each in acks),
        "ack_p99_ms": max(each["p99_ms"] for each in acks),
        "lost": sum(each["lost"] for each in acks) + effects["lost"],
        "effect_warm_p95_s": effects["warm"]["p95_s"],
        "effect_cold_p95_s": effects["cold"]["p95_s"],
        "acks": acks,
        "effects": effects,
    }


async def _effects(folder: Path, options: argparse.Namespace, say: Any) -> dict[str, Any]:
    """Seconds from an edit over there to the store, warm and cold, through everything that `esteira up` starts."""
    chosen = {name: ports.free() for name in ("prefect_port", "web_port", "sandbox_port")}
    settings = Settings(home=folder / "effects", database_url="", bind_host="127.0.0.1", **chosen)  # type: ignore[arg-type]
    served = Sandbox(f"http://127.0.0.1:{settings.sandbox_port}", 0)
    os.environ.update(served.addresses, ESTEIRA_INBOX_QUIET_S=str(QUIET_S))
    process_settings.cache_clear()
    parts = Parts(sandbox_options=("--plan", "unlimited"))
    async with running(settings, parts, say=say) as started:
        db = open_hub(started.settings)
        try:
            shop = await _shop(db, served, started.addresses["Web"])
            cold = [await _cold(shop, number, say) for number in range(options.cold)]
            await _until_drained(db, lives=True, edit=lambda: shop.edit(999))
            warm = [await shop.seconds_to_show(1000 + number) for number in range(options.warm)]
            say(f"warm: {statistics.median(warm):.2f} s in the middle of {len(warm)}")
        finally:
            await db.close()
    waits = {"warm": warm, "cold": cold}
    return {
        "lost": sum(each == LONGEST_S for one in waits.values() for each in one),
        **{
            name: {
                "p50_s": round(statistics.median(one), 2),
                "p95_s": round(statistics.quantiles(one if len(one) > 1 else one * 2, n=20, method="inclusive")[18], 2),
                "longest_s": round(max(one), 2),
                "count": len(one),
            }
            for name, one in waits.items()
        },
    }


@dataclass(frozen=True, slots=True)
class Shop:
    """One product of the simulated Tiny whose balance is moved, and the store that is to show it."""

    db: Database
    served: Sandbox
    external_id: str
    record_id: str

    def edit(self, balance: int) -> None:
        """The merchant sets the balance; Tiny posts its webhook."""
        path = f"tiny/accounts/demo/products/{self.external_id}/stock"
        self.served.control("POST", path, {"deposit": DEPOSIT, "balance": balance, "reserved": 0})

    async def seconds_to_show(self, balance: int) -> float:
        """From before the edit to the moment the store has it; `LONGEST_S` for never."""
        began = time.perf_counter()
        await asyncio.to_thread(self.edit, balance)
        while (waited := time.perf_counter() - began) < LONGEST_S:
            async with self.db.read() as session:
                shown = select(col(Product.stock_quantity)).where(col(Product.id) == self.record_id)
                if (await session.execute(shown)).scalar_one() == balance:
                    return waited
            await asyncio.sleep(0.01)
        return LONGEST_S


async def _shop(db: Database, served: Sandbox, web: str) -> Shop:
    """Connect the simulated account, pull its catalogue, and give Tiny the door for balances."""
    async with db.write() as session:
        made = await connections.install(
            session,
            merchant="Loja de Medir",
            kind="tiny_v2",
            side="erp",
            credentials={"token": "demo-token"},
            policy=Policy(calls_per_minute=0),
        )
    await verify(db, made)
    async with db.read() as session:
        opened = await connections.find(session, made.id)
        door = next(each for each in await doors.of(session, made.id) if each.topic == "estoque")
    # Plain functions: that a pull works in Prefect is another benchmark's matter.
    for path, steps in (("pull-catalog", pull_catalog.pull_one), ("pull-stock", pull_stock.pull_one)):
        summary = await Run(db, path, steps).for_connection(opened)
        if summary.outcome != "done":
            raise RuntimeError(f"{path}: {summary.detail}")
    served.control("POST", "tiny/accounts/demo", {"webhooks": {"estoque": f"{web}{doors.PATH}/{door.key}"}})
    async with db.read() as session:
        rows = await session.execute(
            select(col(Binding.external_id), col(Binding.record_id))
            .join(Product, col(Product.id) == col(Binding.record_id))
            .where(col(Binding.connection_id) == made.id, col(Product.kind) == "simple", col(Product.active).is_(True))
            .order_by(col(Product.sku))
            .limit(1)
        )
        external_id, record_id = rows.one()
    return Shop(db, served, external_id, record_id)


async def _cold(shop: Shop, number: int, say: Any) -> float:
    """Once the last drain has ended."""
    await _until_drained(shop.db, lives=False)
    seconds = await shop.seconds_to_show(1 + number)
    say(f"cold {number + 1}: {seconds:.1f} s")
    return seconds


async def _until_drained(db: Database, *, lives: bool, edit: Callable[[], None] | None = None) -> None:
    """Wait until a drain lives, or until none does; `edit` gives it a reason to."""
    if edit is not None:
        await asyncio.to_thread(edit)
    async with asyncio.timeout(LONGEST_S):
        while True:
            async with db.read() as session:
                if await leases.is_held(session, DRAIN) is lives:
                    return
            await asyncio.sleep(0.05)


def _show(results: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(described(results["machine"]))
    table = Table("database", "ours/s", "bare/s", "ratio", "p50 ms", "p99 ms", "bare p99 ms", "lost",
                  title="Acknowledgements; answer times at 200 a second")  # fmt: skip
    for row in results["acks"]:
        table.add_row(row["database"], *(f"{row[key]:.0f}" for key in ("ours_per_s", "bare_per_s")),
                      f"{row['ratio']:.2f}", *(f"{row[key]:.1f}" for key in ("p50_ms", "p99_ms", "bare_p99_ms")),
                      str(row["lost"]))  # fmt: skip
    console.print(table)
    table = Table("drain", "edits", "p50 s", "p95 s", "longest s", title="From the edit over there to the store")
    for name in ("warm", "cold"):
        row = results["effects"][name]
        table.add_row(name, str(row["count"]), *(f"{row[key]:.2f}" for key in ("p50_s", "p95_s", "longest_s")))
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.webhooks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--count", type=int, default=COUNT, help=f"webhooks a round (default {COUNT:,})")
    parser.add_argument("--warm", type=int, default=WARM, help=f"edits while a drain lives (default {WARM})")
    parser.add_argument("--cold", type=int, default=COLD, help=f"edits while none does (default {COLD})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
