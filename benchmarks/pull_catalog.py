"""`python -m benchmarks.pull_catalog`: a whole catalogue of Tiny into the store, beside a bare loop of the same calls.

The simulator answers each call after 5 ms, without a quota; 30 calls are under way at once, which is what Tiny allows.
"""

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import _command
from benchmarks._machine import cpu_seconds, described
from benchmarks._our_pull import NOT_BUSINESS
from benchmarks._prefect import Prefect, prefect_server
from benchmarks._processes import Sandbox, measured, sandbox
from hub import connections
from hub.clock import utcnow
from hub.migrate import upgrade
from hub.policy import Policy
from hub.settings import Settings
from hub.start import open_hub

SIZE = 20_000
LATENCY_MS = 5
MEMORY_SIZES = (2_000, 33_000)
TOKEN = "demo-token"
CLIENT = {"client_id": "demo-client", "client_secret": "demo-client-secret"}


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub of its own with one connection to the simulator's account."""

    settings: Settings
    sandbox: Sandbox
    prefect: Prefect
    connection: str = ""

    async def connect(self, kind: str, credentials: dict[str, Any], policy: Policy) -> "Hub":
        """Install the connection, or give it another policy."""
        db = open_hub(self.settings)
        try:
            async with db.write() as session:
                made = await connections.install(
                    session, merchant="Loja de Medir", kind=kind, side="erp", credentials=credentials, policy=policy
                )
                await connections.checked(session, made.id, f"medida-{kind}", {"update_lists": True, "per_minute": 0})
        finally:
            await db.close()
        return Hub(self.settings, self.sandbox, self.prefect, made.id)

    async def pull(self) -> dict[str, Any]:
        """Run the flow in a process of its own; `calls_told` is the simulator's own count."""
        env = {
            **self.prefect.env,
            **self.sandbox.addresses,
            "ESTEIRA_HOME": str(self.settings.home),
            "ESTEIRA_DATABASE_URL": self.settings.database,
        }
        self.sandbox.forget_calls()
        before = cpu_seconds(group=self.prefect.group), cpu_seconds(pid=self.sandbox.pid)
        found = await measured("_our_pull", {"connection": self.connection}, env)
        found["prefect_cpu_seconds"] = cpu_seconds(group=self.prefect.group) - before[0]
        found["sandbox_cpu_seconds"] = cpu_seconds(pid=self.sandbox.pid) - before[1]
        found["calls_told"] = self.sandbox.calls()["total"]
        return found


def main() -> int:
    """Measure and print."""
    return _command.run(_parser(), measure, _show)


async def measure(options: argparse.Namespace, say: Any) -> dict[str, Any]:
    """Every figure of this benchmark, by its key."""
    with tempfile.TemporaryDirectory(prefix="esteira-bench-") as folder:
        async with prefect_server(Path(folder), say) as prefect:
            results = await _first_and_second(options, prefect, Path(folder), say)
            for size in MEMORY_SIZES:
                results[f"peak_mb_{size}"] = None
                if not options.without_memory:
                    say(f"memory: first pull of {size:,} products")
                    results[f"peak_mb_{size}"] = await _peak(options, prefect, Path(folder), size)
    return results


async def _first_and_second(options: argparse.Namespace, prefect: Prefect, folder: Path, say: Any) -> dict[str, Any]:
    rounds: list[tuple[dict[str, Any], dict[str, Any]]] = []
    async with sandbox(*_catalogue(options, options.size)) as served:
        for number in range(1, options.rounds + 1):
            say(f"first pull of {options.size:,} products, round {number} of {options.rounds}")
            hub = await _hub(folder / f"v2-{number}", served, prefect, "tiny_v2")
            bare: dict[str, Any] = {}
            if number % 2:
                bare = await _bare(served)
            ours = await hub.pull()
            bare = bare or await _bare(served)
            _compare(bare, ours)
            rounds.append((bare, ours))
            say(f"  bare loop {bare['seconds']:.1f} s, ours {ours['seconds']:.1f} s")
        say("the bare loop over our own transport")
        over_lanes = await _bare(served, lanes=True)
        say("second pull with nothing changed: update lists, listing, changed-since (after a first pull by v3)")
        lists = await hub.pull()
        hub = await hub.connect("tiny_v2", {"token": TOKEN}, Policy(calls_per_minute=0, update_lists="never"))
        listing = await hub.pull()
        hub = await _hub(folder / "v3", served, prefect, "tiny_v3")
        v3 = await hub.pull()
        since = await hub.pull()
    ratios = [ours["seconds"] / bare["seconds"] for bare, ours in rounds]
    at = ratios.index(statistics.median_high(ratios))
    return {
        "first_ratio": round(statistics.median(ratios), 3),
        "second_calls": max(lists["calls_told"], since["calls_told"]),
        "second_rows_written": sum(second["rows_written"] for second in (lists, since, listing)),
        "second_calls_by_mode": {
            "update lists": lists["calls_told"],
            "changed since": since["calls_told"],
            "listing": listing["calls_told"],
        },
        "second_rows_by_table": {"update lists": lists["rows_by_table"], "changed since": since["rows_by_table"],
                                 "listing": listing["rows_by_table"]},
        "second_seconds": {"update lists": _rounded(lists["seconds"]), "changed since": _rounded(since["seconds"]),
                           "listing": _rounded(listing["seconds"])},
        "products": rounds[at][0]["products"],
        "ratios": [round(ratio, 3) for ratio in ratios],
        "bare": _figures(rounds[at][0]),
        "bare_over_our_transport": _figures(over_lanes),
        "ours": _figures(rounds[at][1]),
        "ours_v3": _figures(v3),
    }  # fmt: skip


async def _peak(options: argparse.Namespace, prefect: Prefect, folder: Path, size: int) -> float:
    async with sandbox(*_catalogue(options, size)) as served:
        hub = await _hub(folder / f"memory-{size}", served, prefect, "tiny_v2")
        return _rounded((await hub.pull())["peak_mb"])


async def _bare(served: Sandbox, *, lanes: bool = False) -> dict[str, Any]:
    before = cpu_seconds(pid=served.pid)
    served.forget_calls()
    found = await measured("_bare_pull", {"url": f"{served.url}/tiny/api2", "token": TOKEN, "lanes": lanes})
    found["sandbox_cpu_seconds"] = cpu_seconds(pid=served.pid) - before
    found["calls_told"] = served.calls()["total"]
    return found


def _compare(bare: dict[str, Any], ours: dict[str, Any]) -> None:
    """The yardstick is one only as long as both make the same calls and all products arrive."""
    if bare["calls_told"] != ours["calls_told"]:
        raise RuntimeError(f"the bare loop made {bare['calls_told']} calls and ours {ours['calls_told']}")
    if ours["created"] + ours["failed"] != bare["products"]:
        raise RuntimeError(f"{bare['products']} products are there, {ours['created']} came over, {ours['failed']} not")


async def _hub(home: Path, served: Sandbox, prefect: Prefect, kind: str) -> Hub:
    """A new hub, connected to the account by one of its APIs."""
    settings = Settings(home=home, database_url="")
    home.mkdir(parents=True)  # noqa: ASYNC240 nothing else runs here
    await upgrade(settings.database)
    credentials: dict[str, Any] = {"token": TOKEN}
    if kind == "tiny_v3":
        pair = served.control("POST", "tiny/accounts/demo/v3-tokens")
        lifetime = timedelta(seconds=pair["expires_in"])
        credentials = {
            **CLIENT,
            "access_token": pair["access_token"],
            "refresh_token": pair["refresh_token"],
            "lifetime_s": lifetime.total_seconds(),
            "expires_at": (utcnow() + lifetime).isoformat(),
        }
    return await Hub(settings, served, prefect).connect(kind, credentials, Policy(calls_per_minute=0))


def _catalogue(options: argparse.Namespace, size: int) -> list[str]:
    given = ["--plan", "unlimited", "--latency-ms", str(LATENCY_MS), "--size", str(size)]
    return [*given, "--olist", str(options.olist.absolute())] if options.olist else given


def _figures(of: dict[str, Any]) -> dict[str, Any]:
    names = ("seconds", "cpu_seconds", "prefect_cpu_seconds", "sandbox_cpu_seconds", "peak_mb")
    return {name: _rounded(of[name]) for name in names if name in of} | {"calls": of["calls_told"]}


def _rounded(value: float) -> float:
    return round(value, 2)


_ROWS = {
    "bare loop": "bare",
    "ours": "ours",
    "ours by v3, its own calls": "ours_v3",
    "bare loop over our transport": "bare_over_our_transport",
}


def _show(results: dict[str, Any]) -> None:
    console = Console(highlight=False)
    console.print(described(results["machine"]))
    first = Table("", "seconds", "CPU s", "peak MB", "calls", title=f"First pull of {results['products']:,} products")
    for name, key in _ROWS.items():
        row = results[key]
        first.add_row(name, f"{row['seconds']:.1f}", f"{row['cpu_seconds']:.1f}", f"{row['peak_mb']:.0f}",
                      f"{row['calls']:,}")  # fmt: skip
    server, simulator = results["ours"]["prefect_cpu_seconds"], results["ours"]["sandbox_cpu_seconds"]
    first.caption = (
        f"ratio {results['first_ratio']} (median of {len(results['ratios'])}); CPU beside ours: Prefect's server "
        f"{server:.1f} s, the simulator {simulator:.1f} s. Seconds from the start of the loop and of the flow run."
    )
    console.print(first)
    second = Table("mode", "calls", "seconds", title="Second pull, nothing changed")
    for mode, calls in results["second_calls_by_mode"].items():
        second.add_row(mode, str(calls), f"{results['second_seconds'][mode]:.1f}")
    second.caption = (
        f"rows written in all three: {results['second_rows_written']} (counted at SQLAlchemy's engine over every "
        f"table but {', '.join(sorted(NOT_BUSINESS))}, which tell of the run itself)"
    )
    console.print(second)
    if results[f"peak_mb_{MEMORY_SIZES[0]}"] is not None:
        peaks = " and ".join(f"{results[f'peak_mb_{size}']:.0f} MB at {size:,}" for size in MEMORY_SIZES)
        console.print(f"Peak memory of a first pull, imports included: {peaks} products")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.pull_catalog", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of tables")
    parser.add_argument("--size", type=int, default=SIZE, help=f"products (default {SIZE:,})")
    parser.add_argument("--rounds", type=int, default=1, help="first pulls of each kind; the ratio is their median")
    parser.add_argument("--olist", type=Path, metavar="FOLDER", help="the real products of this folder")
    parser.add_argument("--without-memory", action="store_true", help="leave out the pulls that measure it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
