from decimal import Decimal
from typing import Any

import pytest

from hub import reports
from hub.db import Database
from hub.reports import Tally
from hub.tables import Connection
from tests.hub.shop import NOON


def tally(monkeypatch: pytest.MonkeyPatch, seconds: float = 60.0, **counts: Any) -> Tally:
    """A run that has gone on for so long."""
    made = Tally("pull-catalog", _start=1000.0, **counts)
    monkeypatch.setattr("hub.reports.time.monotonic", lambda: 1000.0 + seconds)
    return made


async def test_a_report_is_kept_as_it_was(db: Database, erp: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"read": 10, "created": 1, "changed": 2, "unchanged": 6, "failed": 1, "calls": 30}
    run = tally(monkeypatch, 60.25, **counts, mode="full", extra={"pages": [1, 2]}, started_at=NOON)
    async with db.write() as session:
        await reports.store(session, erp, run, outcome="failed", detail="x" * 3000, per_minute=60, flow_run_id="f" * 36)
    async with db.read() as session:
        (found,) = await reports.recent(session)
    assert {name: getattr(found, name) for name in counts} == counts
    assert (found.merchant_id, found.connection_id, found.path) == ("loja-sol", erp.id, "pull-catalog")
    assert (found.mode, found.outcome, found.extra, found.started_at) == ("full", "failed", {"pages": [1, 2]}, NOON)
    assert (found.seconds, found.quota_share, found.flow_run_id) == (Decimal("60.25"), Decimal("0.498"), "f" * 36)
    assert len(found.detail) == 2000


async def test_the_newest_reports_of_one_connection(db: Database, erp: Connection, store: Connection) -> None:
    for minute in (2, 1, 3):
        for connection in (erp, store):
            async with db.write() as session:
                run = Tally("pull-stock", calls=minute, started_at=NOON.replace(minute=minute))
                await reports.store(session, connection, run, outcome="done")
    async with db.read() as session:
        assert [r.calls for r in await reports.recent(session, erp.id)] == [3, 2, 1]
        assert [r.calls for r in await reports.recent(session, erp.id, limit=2)] == [3, 2]
        assert len(await reports.recent(session)) == 6


@pytest.mark.parametrize(
    ("calls", "seconds", "per_minute", "share"),
    [
        (59, 60.0, 60, Decimal("0.983")),
        (1, 0.01, 60, Decimal("1.0")),
        (0, 60.0, 60, Decimal("0.0")),
        (600, 60.0, 60, Decimal("1.0")),
        (600, 60.0, 0, None),
        (600, 60.0, None, None),
    ],
)
def test_the_share_of_the_quota(
    monkeypatch: pytest.MonkeyPatch, calls: int, seconds: float, per_minute: int | None, share: Decimal | None
) -> None:
    assert tally(monkeypatch, seconds, calls=calls).share(per_minute) == share


def test_the_line_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    run = tally(monkeypatch, 12.34, read=5, created=1, changed=1, unchanged=2, failed=1, calls=7)
    assert run.line() == "5 read, 1 created, 1 changed, 2 unchanged, 1 failed, 7 calls in 12.3 s"
