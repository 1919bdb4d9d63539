"""`python -m benchmarks.export_orders`: a thousand paid orders of the store into Conta Azul, each exactly once.

The simulator answers each call after 5 ms, without a quota. The buyers and the products are over there and bound, so
what is measured is the orders alone, with one call under way at a time and with 20.
"""

import argparse
import random
import sys
import tempfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import _command
from benchmarks._machine import described
from benchmarks._prefect import Prefect, prefect_server
from benchmarks._processes import Sandbox, sandbox
from benchmarks._shop import ACCOUNT, CHUNK, MERCHANT, Shop, offer, shop
from hub import payments
from hub.db import chunked
from hub.orders import Buyer, Line, PlacedOrder, put_order
from hub.policy import Policy

SIZE = 1000
LATENCY_MS = 5
AT_ONCE = (1, 20)
PRODUCTS = 200
PEOPLE = 250


def main() -> int:
    """Measure and print."""
    return _command.run(_parser(), measure, _show)


async def measure(options: argparse.Namespace, say: Any) -> dict[str, Any]:
    """Every figure of this benchmark, by its key."""
    with tempfile.TemporaryDirectory(prefix="esteira-bench-") as folder:
        async with (
            prefect_server(Path(folder), say) as prefect,
            sandbox("--latency-ms", str(LATENCY_MS), "--size", "10") as served,
        ):
            served.control("POST", ACCOUNT, {"per_second": None, "per_minute": None})
            rows = [await _run(options.size, at_once, Path(folder), served, prefect, say) for at_once in AT_ONCE]
    calls = max(row["calls_per_order"] for row in rows)
    return {
        **{f"orders_per_s_{row['at_once']}": row["orders_per_s"] for row in rows},
        "calls_per_order": calls,
        "duplicates": sum(row["duplicates"] for row in rows),
        "peak_mb": max(row["peak_mb"] for row in rows),
        "orders": options.size,
        "runs": rows,
    }


async def _run(size: int, at_once: int, folder: Path, served: Sandbox, prefect: Prefect, say: Any) -> dict[str, Any]:
    policy = Policy(calls_per_minute=0, calls_at_once=at_once)
    home = folder / f"at-once-{at_once}"
    async with shop(home, served, prefect, policy, products=PRODUCTS, people=PEOPLE) as opened:
        await _take_orders(opened, size)
        say(f"{size:,} paid orders, {at_once} call{'s' * (at_once > 1)} at once")
        ran = await opened.run("export-orders")
    sales = served.control("GET", f"{ACCOUNT}/sales")
    orders = {sale["observacoes"].splitlines()[0] for sale in sales}
    if ran["created"] != size or len(orders) != size:
        raise RuntimeError(f"{size} orders were paid, {ran['created']} told as sent, {len(orders)} are over there")
    names = ("seconds", "cpu_seconds", "prefect_cpu_seconds", "sandbox_cpu_seconds", "peak_mb")
    return {
        "at_once": at_once,
        "orders_per_s": round(size / ran["seconds"], 1),
        "calls_per_order": round(ran["calls_told"] / size, 4),
        "duplicates": len(sales) - len(orders),
        "calls_by_operation": ran["log"]["by_operation"],
        "most_under_way": ran["log"]["max_in_flight"],
        **{name: round(ran[name], 2) for name in names},
    }


async def _take_orders(of: Shop, size: int) -> None:
    """Paid orders of one to three lines, some with a discount and freight, of buyers who are over there already."""
    chance = random.Random(1)
    people = of.served.control("GET", f"{ACCOUNT}/people")
    offers = [offer(one).record for one in of.products()]
    bound: dict[str, str] = {}
    for numbers in chunked(range(1, size + 1), CHUNK):
        async with of.db.write() as session:
            for number in numbers:
                person = chance.choice(people)
                lines = tuple(
                    Line(record.sku or "", record.name, Decimal(chance.randint(1, 3)), record.list_price or Decimal(1))
                    for record in chance.sample(offers, chance.randint(1, 3))
                )
                placed = _placed(number, person, lines, chance)
                put = await put_order(session, MERCHANT, placed)
                await payments.pay(session, MERCHANT, placed.number, "p1", placed.total)
                bound[put.order.customer_id or ""] = person["id"]
    await of.bind("customer", sorted(bound.items()))


def _placed(number: int, person: dict[str, Any], lines: tuple[Line, ...], chance: random.Random) -> PlacedOrder:
    goods = sum((line.quantity * line.unit_price for line in lines), Decimal(0))
    discount = Decimal(chance.choice(("0", "0", "1.50")))
    freight = Decimal(chance.choice(("0", "12.90", "24.35")))
    return PlacedOrder(
        number=f"M{number:05d}",
        placed_at=datetime.now(UTC),
        buyer=Buyer(name=person["nome"], document=person["documento"]),
        lines=lines,
        total=goods - discount + freight,
        discount=discount,
        freight=freight,
        payment_method="pix",
        instalments=chance.randint(1, 3),
    )


def _show(results: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(described(results["machine"]))
    table = Table("calls at once", "orders/s", "seconds", "CPU s", "peak MB", "calls an order", "duplicates",
                  title=f"{results['orders']:,} paid orders")  # fmt: skip
    for row in results["runs"]:
        table.add_row(str(row["at_once"]), f"{row['orders_per_s']:.1f}", f"{row['seconds']:.1f}",
                      f"{row['cpu_seconds']:.1f}", f"{row['peak_mb']:.0f}", f"{row['calls_per_order']:.3f}",
                      str(row["duplicates"]))  # fmt: skip
    table.caption = "CPU beside ours: " + "; ".join(
        f"at {row['at_once']}: Prefect's server {row['prefect_cpu_seconds']:.1f} s, the simulator "
        f"{row['sandbox_cpu_seconds']:.1f} s"
        for row in results["runs"]
    )
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.export_orders", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--size", type=int, default=SIZE, help=f"orders (default {SIZE:,})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
