"""Ours: one run of one path for all connections, as the worker starts it: a process of its own, imports included."""

import asyncio
import importlib
import json
import sys
from typing import Any

from benchmarks._usage import Usage


async def run(path: str) -> dict[str, Any]:
    """Run the flow; what it took since the process began, and how its connections ended."""
    usage = Usage.of_process()
    name = path.replace("-", "_")
    flow = getattr(importlib.import_module(f"flows.{name}"), name)
    summaries = await flow()
    used = usage.report()
    return {
        **used,
        "connections": len(summaries),
        "not_done": sum(one.outcome != "done" for one in summaries),
        "calls": sum(one.tally.calls for one in summaries),
        "changed": sum(one.tally.changed for one in summaries),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(**json.loads(sys.argv[1])))))
