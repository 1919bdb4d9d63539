"""Run reports: what one run of a path did for one connection."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.clock import utcnow
from hub.tables import Connection, RunReport


@dataclass
class Tally:
    """The counts of a run as it goes on."""

    path: str
    read: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    calls: int = 0
    mode: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    started_at: datetime = field(default_factory=utcnow)
    _start: float = field(default_factory=time.monotonic)
    _end: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds from the beginning of the run to its end, or to now."""
        return (self._end or time.monotonic()) - self._start

    def end(self) -> None:
        """The run is over: its time stands still. Other connections of the same run may go on for long."""
        self._end = self._end or time.monotonic()

    def line(self) -> str:
        """One line of progress, for the log."""
        return (
            f"{self.read} read, {self.created} created, {self.changed} changed, {self.unchanged} unchanged, "
            f"{self.failed} failed, {self.calls} calls in {self.seconds:.1f} s"
        )

    def share(self, per_minute: int | None) -> Decimal | None:
        """Calls made, as a share of those that the account allowed in the time; None where there is no limit."""
        if not per_minute:
            return None
        # The first call is free of waiting: a run of one call has used one turn, not an endless rate.
        allowed = max(1.0, per_minute * self.seconds / 60)
        return Decimal(str(round(min(1.0, self.calls / allowed), 3)))


async def store(
    session: AsyncSession,
    connection: Connection,
    tally: Tally,
    *,
    outcome: str,
    detail: str = "",
    per_minute: int | None = None,
    flow_run_id: str = "",
) -> RunReport:
    """Keep the report of a run that has ended. `outcome` is done, failed, skipped, stopped."""
    report = RunReport(
        merchant_id=connection.merchant_id,
        connection_id=connection.id,
        path=tally.path,
        flow_run_id=flow_run_id,
        mode=tally.mode,
        outcome=outcome,
        read=tally.read,
        created=tally.created,
        changed=tally.changed,
        unchanged=tally.unchanged,
        failed=tally.failed,
        calls=tally.calls,
        seconds=Decimal(str(round(tally.seconds, 3))),
        quota_share=tally.share(per_minute),
        detail=detail[:2000],
        extra=tally.extra,
        started_at=tally.started_at,
    )
    session.add(report)
    return report


async def recent(session: AsyncSession, connection_id: str | None = None, limit: int = 20) -> list[RunReport]:
    """The last reports, newest first."""
    query = select(RunReport).order_by(col(RunReport.started_at).desc()).limit(limit)
    if connection_id is not None:
        query = query.where(col(RunReport.connection_id) == connection_id)
    return list((await session.execute(query)).scalars())
