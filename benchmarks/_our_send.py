"""Ours: one run of a flow that sends, for one connection, against a Prefect server that runs already."""

import asyncio
import json
import sys
from typing import Any

from benchmarks._usage import Usage
from flows.export_orders import export_orders
from flows.push_products import push_products

FLOWS = {"export-orders": export_orders, "push-products": push_products}


async def send(path: str, connection: str) -> dict[str, Any]:
    """Run the flow and return what it took and what it did."""
    usage = Usage()
    (summary,) = await FLOWS[path](connection=connection)
    used = usage.report()
    if summary.outcome != "done":
        raise RuntimeError(f"the run ended {summary.outcome}: {summary.detail}")
    tally = summary.tally
    counts = {"created": tally.created, "changed": tally.changed, "unchanged": tally.unchanged, "failed": tally.failed}
    return {**used, **counts, "calls": tally.calls}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send(**json.loads(sys.argv[1])))))
