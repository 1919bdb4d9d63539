"""Ours: one run of the flow `pull-catalog` for one connection, against a Prefect server that runs already.

The rows that it writes are counted where every statement of the process passes, at SQLAlchemy's engine.
"""

import asyncio
import json
import re
import sys
from collections import Counter
from typing import Any

from sqlalchemy import Engine, event

from benchmarks._usage import Usage
from flows.pull_catalog import pull_catalog

NOT_BUSINESS = frozenset(("run_report", "lease", "cursor", "quota"))
"""Tables that tell of the run itself. Whatever else is written was news."""

_WRITES = re.compile(r'\s*(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+"?(\w+)"?', re.IGNORECASE)


async def pull(connection: str) -> dict[str, Any]:
    """Run the flow and return what it took and what it did."""
    rows: Counter[str] = Counter()

    @event.listens_for(Engine, "after_cursor_execute")
    def _count(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        # A number of rows that the driver does not tell (-1) counts as one: better one too many than one unseen.
        if (found := _WRITES.match(statement)) and cursor.rowcount:
            rows[found[1].lower()] += max(1, cursor.rowcount)

    usage = Usage()
    (summary,) = await pull_catalog(connection=connection)
    used = usage.report()
    if summary.outcome != "done":
        raise RuntimeError(f"the pull ended {summary.outcome}: {summary.detail}")
    tally = summary.tally
    return {
        **used,
        "mode": tally.mode,
        "calls": tally.calls,
        "read": tally.read,
        "created": tally.created,
        "failed": tally.failed,
        "rows_written": sum(count for table, count in rows.items() if table not in NOT_BUSINESS),
        "rows_by_table": dict(rows),
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(pull(json.loads(sys.argv[1])["connection"]))))
