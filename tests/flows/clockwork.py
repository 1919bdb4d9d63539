"""The hub's clock and the sandbox's, put on and pushed forward together."""

import sys
from datetime import UTC, datetime, timedelta

import pytest

from hub import clock
from tests.contract.subjects import Sandbox

_REAL = clock.utcnow


class Clock:
    """What every module of the hub takes for the present. Leases and quotas count by the machine's own clock."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sandbox = sandbox
        self.ahead = timedelta()
        for module in list(sys.modules.values()):
            if getattr(module, "utcnow", None) is _REAL:
                monkeypatch.setattr(module, "utcnow", self.now)

    def now(self) -> datetime:
        """The present, aware, in UTC."""
        return datetime.now(UTC) + self.ahead

    def advance(self, **span: float) -> None:
        """Push both clocks forward by `timedelta(**span)`."""
        passing = timedelta(**span)
        self.ahead += passing
        self.sandbox.ask("POST", "/clock", advance_s=passing.total_seconds())

    def put(self, moment: datetime) -> None:
        """Put both clocks on an aware time."""
        self.ahead = moment - datetime.now(UTC)
        self.sandbox.ask("POST", "/settings", now=moment.isoformat())

    def next_day(self) -> None:
        """Push both so far that everything that is done once a day is due."""
        self.advance(hours=23.5)
