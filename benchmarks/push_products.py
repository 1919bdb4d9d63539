"""`python -m benchmarks.push_products`: price changes into Conta Azul at the ten calls a second that it allows.

The simulator enforces its quota (ten a second, 600 a minute) on a clock that runs faster than the wall's, and the hub
is told so. Before the changes every product is queued once with nothing to tell: its description was edited, which
Conta Azul does not take, and its price raised and put back.
"""

import argparse
import sys
import tempfile
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import _command
from benchmarks._machine import described
from benchmarks._prefect import prefect_server
from benchmarks._processes import sandbox
from benchmarks._shop import Shop, offer, price_of, shop
from hub import connections, selection
from hub.policy import Policy
from providers.contaazul.provider import PER_MINUTE

SIZE = 5000
LATENCY_MS = 20
RAISED = Decimal("1.10")


def main() -> int:
    """Measure and print."""
    return _command.run(_parser(), measure, _show)


async def measure(options: argparse.Namespace, say: Any) -> dict[str, Any]:
    """Every figure of this benchmark, by its key."""
    rate = str(options.clock_rate)
    given = ("--clock-rate", rate, "--latency-ms", str(LATENCY_MS), "--size", "10")
    with tempfile.TemporaryDirectory(prefix="esteira-bench-") as folder:
        async with prefect_server(Path(folder), say) as prefect, sandbox(*given) as served:
            policy = Policy(send_mode="selected")
            async with shop(Path(folder) / "hub", served, prefect, policy, products=options.size, people=0) as opened:
                before = opened.products()
                await _queue_nothing_new(opened, before)
                say(f"{options.size:,} products queued with nothing to tell")
                unchanged = await opened.run("push-products", ESTEIRA_QUOTA_CLOCK_RATE=rate)
                await opened.put([offer(one, raised=RAISED) for one in before])
                say(f"{options.size:,} price changes")
                changed = await opened.run("push-products", ESTEIRA_QUOTA_CLOCK_RATE=rate)
                _check(before, opened.products(), unchanged, changed)
    names = ("seconds", "cpu_seconds", "prefect_cpu_seconds", "sandbox_cpu_seconds", "peak_mb")
    return {
        "calls_per_change": round(changed["calls_told"] / options.size, 4),
        "share": _share(changed["log"]),
        "calls_unchanged": unchanged["calls_told"],
        "over_limit_answers": changed["log"]["over_limit_answers"],
        "most_in_any_60s": max(changed["log"]["max_in_any_60s"].values()),
        "calls_by_operation": changed["log"]["by_operation"],
        "products": options.size,
        "clock_rate": options.clock_rate,
        "unchanged": {name: round(unchanged[name], 2) for name in names},
        "changed": {name: round(changed[name], 2) for name in names},
    }


async def _queue_nothing_new(of: Shop, theirs: list[dict[str, Any]]) -> None:
    async with of.db.write() as session:
        await selection.select_products(session, await connections.find(session, of.connection), None)
    await of.put([offer(one, raised=RAISED, description="Reescrito.") for one in theirs])
    await of.put([offer(one, description="Reescrito.") for one in theirs])


def _check(
    before: list[dict[str, Any]], after: list[dict[str, Any]], unchanged: dict[str, Any], changed: dict[str, Any]
) -> None:
    """The figures are some only as long as every product was looked at and every price arrived."""
    wanted = {one["id"]: price_of(one) + RAISED for one in before}
    wrong = sum(price_of(one) != wanted[one["id"]] for one in after)
    if wrong or unchanged["unchanged"] != len(before) or changed["changed"] != len(before):
        raise RuntimeError(
            f"of {len(before)} products {unchanged['unchanged']} were told as unchanged, then {changed['changed']} as "
            f"sent; {wrong} have another price over there"
        )


def _share(log: dict[str, Any]) -> float:
    """Of the pace between the first call and the last: N calls are N - 1 turns apart."""
    first, last = (datetime.fromisoformat(log[name]) for name in ("first_at", "last_at"))
    return float(round((log["total"] - 1) / ((last - first).total_seconds() / 60) / PER_MINUTE, 4))


def _show(results: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(described(results["machine"]))
    table = Table("", "seconds", "CPU s", "peak MB", "calls", title=f"{results['products']:,} products")
    calls = sum(results["calls_by_operation"].values())
    for name, key, made in (("queued, unchanged", "unchanged", results["calls_unchanged"]),
                            ("price changed", "changed", calls)):  # fmt: skip
        row = results[key]
        table.add_row(name, f"{row['seconds']:.1f}", f"{row['cpu_seconds']:.1f}", f"{row['peak_mb']:.0f}", f"{made:,}")
    table.caption = (
        f"{results['calls_per_change']} calls a change, {results['share']:.1%} of the quota used, "
        f"{results['over_limit_answers']} answers over it, at most {results['most_in_any_60s']} calls in any minute; "
        f"the simulator's clock ran {results['clock_rate']:g} times as fast"
    )
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.push_products", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--size", type=int, default=SIZE, help=f"products (default {SIZE:,})")
    parser.add_argument("--clock-rate", type=float, default=3.0, help="simulated seconds a second (default 3)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
