"""`python -m benchmarks.quota`: how much of an account's calls a minute is used, and whether it is ever too much.

The simulator enforces its quota over a sliding minute and answers whoever is over it with Tiny's error 6. Its clock
runs faster than the wall's, and the hub is told so. Tasks read products one after the other, more of them than may call
at once, in one process and in two that share one hub.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks._machine import described, facts
from benchmarks._processes import Sandbox, measured, sandbox
from benchmarks._quota_calls import FORGET_S
from hub import connections
from hub.migrate import upgrade
from hub.settings import Settings
from hub.start import open_hub

PLANS = {30: "crescer", 60: "evoluir", 120: "potencializar"}
"""Tiny's plans by their calls a minute."""
PROCESSES = (1, 2)
MORE_READERS = 2
"""Tasks a process beyond the quarter of the quota that may call at once."""
LATENCY_MS = 20


def main() -> int:
    """Measure and print."""
    options = _parser().parse_args()
    told = Console(stderr=True, highlight=False)
    measured_on = facts()
    rows = asyncio.run(measure(options, told.print))
    results = {
        "share_min": min(row["share"] for row in rows),
        "over_limit_answers": sum(row["over_limit_answers"] for row in rows),
        "windows": options.windows,
        "clock_rate": options.clock_rate,
        "runs": rows,
        "machine": measured_on,
    }
    if options.json:
        print(json.dumps(results))
    else:
        _show(results)
    return 0


async def measure(options: argparse.Namespace, say: Any) -> list[dict[str, Any]]:
    """One row for each number of processes and of calls a minute; the plans run side by side."""
    rows: list[dict[str, Any]] = []
    for processes in PROCESSES:
        say(f"{processes} process{'es' * (processes > 1)} a hub, {options.windows:g} simulated minutes")
        async with contextlib.AsyncExitStack() as stack:
            hubs = [await _hub(per_minute, options, stack) for per_minute in PLANS]
            start = time.time() + options.start_s
            rows += await asyncio.gather(*(hub.run(processes, start, options.windows) for hub in hubs))
    return rows


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub of its own, connected to an account of a simulator of its own."""

    per_minute: int
    served: Sandbox
    env: dict[str, str]
    connection: str
    ids: list[str]

    async def run(self, processes: int, start: float, windows: float) -> dict[str, Any]:
        """Read with so many processes from `start` on, for so many simulated minutes."""
        seconds = windows * 60 / float(self.env["ESTEIRA_QUOTA_CLOCK_RATE"])
        task = {"connection": self.connection, "ids": self.ids, "start": start, "seconds": seconds}
        callers = asyncio.gather(*(measured("_quota_calls", task, self.env) for _ in range(processes)))
        await asyncio.wait((callers,), timeout=start - FORGET_S / 2 - time.time())
        self.served.forget_calls()
        ended = await callers
        totals = self.served.calls()
        if sum(end["calls"] for end in ended) != totals["total"]:
            raise RuntimeError(f"{ended} were counted by the callers, {totals['total']} by the simulator")
        return {"per_minute": self.per_minute, "processes": processes, **_figures(totals, self.per_minute)}


async def _hub(per_minute: int, options: argparse.Namespace, stack: contextlib.AsyncExitStack) -> Hub:
    """Start the simulator, and connect and check as a merchant does."""
    rate = str(options.clock_rate)
    given = ("--plan", PLANS[per_minute], "--clock-rate", rate, "--latency-ms", str(LATENCY_MS), "--size", "200")
    served = await stack.enter_async_context(sandbox(*given))
    home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="esteira-bench-")))
    settings = Settings(home=home, database_url="")
    await upgrade(settings.database)
    env = {
        **served.addresses,
        "ESTEIRA_HOME": str(home),
        "ESTEIRA_DATABASE_URL": settings.database,
        "ESTEIRA_QUOTA_CLOCK_RATE": rate,
    }
    db = open_hub(settings)
    try:
        async with db.write() as session:
            made = await connections.install(
                session, merchant="Loja de Medir", kind="tiny_v2", side="erp", credentials={"token": "demo-token"}
            )
        features = await measured("_quota_calls", {"connection": made.id}, env)
        async with db.write() as session:
            await connections.checked(session, made.id, "medida", features)
    finally:
        await db.close()
    products = served.control("GET", "tiny/accounts/demo/products")
    ids = [str(product["id"]) for product in products[: per_minute // 4 + MORE_READERS]]
    return Hub(per_minute, served, env, made.id, ids)


def _figures(totals: dict[str, Any], per_minute: int) -> dict[str, Any]:
    """The share is of the pace between the first call and the last: N calls are N - 1 turns apart."""
    first, last = (datetime.fromisoformat(totals[name]) for name in ("first_at", "last_at"))
    minutes = (last - first).total_seconds() / 60
    return {
        "share": round((totals["total"] - 1) / minutes / per_minute, 4),
        "calls": totals["total"],
        "simulated_minutes": round(minutes, 2),
        "most_in_any_60s": max(totals["max_in_any_60s"].values()),
        "over_limit_answers": totals["over_limit_answers"],
    }


def _show(results: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(described(results["machine"]))
    table = Table("calls a minute", "processes", "share used", "most in any minute", "over the limit", "calls",
                  "simulated minutes")  # fmt: skip
    for row in results["runs"]:
        values = ("per_minute", "processes", "share", "most_in_any_60s", "over_limit_answers", "calls",
                  "simulated_minutes")  # fmt: skip
        cells = {**row, "share": f"{row['share']:.1%}"}
        table.add_row(*(str(cells[name]) for name in values))
    table.caption = f"least share {results['share_min']:.1%}, answers over the limit {results['over_limit_answers']}"
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.quota", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--windows", type=float, default=3.2, help="simulated minutes of each run (default 3.2)")
    parser.add_argument("--clock-rate", type=float, default=5.0, help="simulated seconds a second (default 5)")
    parser.add_argument("--start-s", type=float, default=15.0, help="seconds for all processes to come up (default 15)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
