"""The test's end of `crash_driver`: run jobs, some of which kill themselves."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from hub.db import Database
from hub.settings import settings
from hub.tables import Lease, Merchant, Quota

ROOT = Path(__file__).resolve().parents[2]
POINTS = ("before-http", "after-http", "before-commit", "after-commit")
"""Where a job may die: around each HTTP call and each commit."""


@dataclass
class End:
    """What became of a job; `passed` counts the points that it came by."""

    outcome: str
    passed: dict[str, int] = field(default_factory=dict)


class Driver:
    """A process that forks a child for each job."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.flows.crash_driver"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def run(self, job: str, connection: str, die_at: str | None = None, index: int = 0) -> End:
        """Run one job, killed at the `index`-th time that it comes to the point `die_at`."""
        return self.side_by_side([{"job": job, "connection": connection, "die_at": die_at, "index": index}])[0]

    def side_by_side(self, jobs: Sequence[dict[str, Any]]) -> list[End]:
        """Run jobs at once, each in a process of its own, with this test's settings."""
        env = {name: value for name, value in os.environ.items() if name.startswith("ESTEIRA_")}
        assert self._process.stdin
        self._process.stdin.write(json.dumps([{**job, "env": env} for job in jobs]) + "\n")
        self._process.stdin.flush()
        return [End(**end) for end in json.loads(self._line())]

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(10)

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline().strip()


async def begin_anew(db: Database) -> None:
    """Everything of a merchant goes with the merchant; leases and quotas hang on nobody."""
    async with db.write() as session:
        for model in (Merchant, Lease, Quota):
            await session.execute(delete(model))


@pytest.fixture(scope="session")
def driving() -> Iterator[Driver]:
    """The one driver; every job gets the settings of its test."""
    started = Driver()
    yield started
    started.close()


@pytest.fixture
def driver(driving: Driver, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """The driver, its jobs on this test's database."""
    monkeypatch.setenv("ESTEIRA_DATABASE_URL", database_url)
    settings.cache_clear()
    return driving
