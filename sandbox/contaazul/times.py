"""How the vendor writes moments: each place in its own way (`reference/contaazul.md` §3.7)."""

from datetime import UTC, datetime

from sandbox.core.clock import local_text


def local_moment(at: float) -> str:
    """Return São Paulo time without zone: 2025-10-17T02:00:08."""
    return local_text(at, "%Y-%m-%dT%H:%M:%S")


def local_millis(at: float) -> str:
    """Return São Paulo time without zone, with milliseconds: 2025-10-17T02:00:08.841."""
    return f"{local_moment(at)}.{int(at * 1000) % 1000:03d}"


def local_day(at: float) -> str:
    """Return the day in São Paulo: 2025-10-17."""
    return local_text(at, "%Y-%m-%d")


def utc_moment(at: float) -> str:
    """Return UTC: 2025-01-15T10:30:00Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def utc_micros(at: float) -> str:
    """Return UTC with microseconds: 2025-07-10T15:05:08.433885Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def utc_nanos(at: float) -> str:
    """Return UTC with nanoseconds: 2025-07-22T17:47:35.825004839Z."""
    return utc_micros(at)[:-1] + "000Z"
