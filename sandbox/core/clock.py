"""The clock of the sandbox: may start anywhere, run faster than the wall and be pushed forward."""

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


class Clock:
    """Seconds since the epoch as the simulated vendors see them.

    Quota windows, token lifetimes and edit times use it; latency and stalls are real seconds.
    """

    def __init__(self, now: float | None = None, rate: float = 1.0) -> None:
        self.rate = rate
        self._base = time.time() if now is None else now
        self._mark = time.monotonic()

    def now(self) -> float:
        """Return the sandbox time in seconds since the epoch."""
        return self._base + (time.monotonic() - self._mark) * self.rate

    def set_now(self, now: float) -> None:
        """Jump to `now` (seconds since the epoch), keeping the rate."""
        self._base = now
        self._mark = time.monotonic()

    def set_rate(self, rate: float) -> None:
        """Run `rate` times as fast as the wall clock from this moment on."""
        self.set_now(self.now())
        self.rate = rate

    def advance(self, seconds: float) -> None:
        """Push the clock `seconds` forward (negative goes back)."""
        self._base += seconds


def iso(at: float) -> str:
    """Return `at` as ISO 8601 with milliseconds, in São Paulo time with its offset."""
    return datetime.fromtimestamp(at, SAO_PAULO).isoformat(timespec="milliseconds")


def from_iso(text: str) -> float:
    """Read an ISO 8601 time (São Paulo when it names no zone); ValueError when it is none."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=SAO_PAULO)
    return moment.timestamp()


def local(at: float) -> datetime:
    """Return `at` as an aware datetime in São Paulo."""
    return datetime.fromtimestamp(at, SAO_PAULO)


def local_text(at: float, pattern: str) -> str:
    """Return `at` in São Paulo time, written with a strftime `pattern`."""
    return datetime.fromtimestamp(at, SAO_PAULO).strftime(pattern)


def parse_local(text: str, *patterns: str) -> float:
    """Read a São Paulo time written in one of `patterns`; ValueError when it fits none.

    A pattern without hours means midnight.
    """
    for pattern in patterns:
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=SAO_PAULO).timestamp()
        except ValueError:
            continue
    raise ValueError(f"{text!r} fits none of {patterns}")


def days_before(at: float, days: float) -> float:
    """Return the moment `days` before `at`."""
    return at - timedelta(days=days).total_seconds()
