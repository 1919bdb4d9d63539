"""What every benchmark's command does: measure, then print a table with the machine's facts, or one JSON object."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from rich.console import Console

from benchmarks._machine import facts


def run(
    parser: argparse.ArgumentParser,
    measure: Callable[[argparse.Namespace, Any], Awaitable[dict[str, Any]]],
    show: Callable[[dict[str, Any]], None],
) -> int:
    """Measure and print; returns the exit code."""
    options = parser.parse_args()
    told = Console(stderr=True, highlight=False)
    measured_on = facts()

    async def measured() -> dict[str, Any]:
        return await measure(options, told.print)

    results = asyncio.run(measured())
    results["machine"] = measured_on
    if options.json:
        print(json.dumps(results))
    else:
        show(results)
    return 0
