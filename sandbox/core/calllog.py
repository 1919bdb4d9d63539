"""What the clients called: a bounded log and running totals."""

from collections import Counter, deque
from typing import Any, NamedTuple

from sandbox.core.clock import iso
from sandbox.core.quota import SlidingWindow

KEPT = 200_000


class Entry(NamedTuple):
    """One answered call. `params` holds no credential; `ms` are real milliseconds."""

    number: int
    at: float
    account: str | None
    api: str
    operation: str
    params: dict[str, Any]
    status: int | None
    code: int | str | None
    over_limit: bool
    fault: str | None
    ms: float

    def as_dict(self) -> dict[str, Any]:
        """Return the entry for the control API; status is None when no answer left."""
        fields = self._asdict()
        return {"index": fields.pop("number"), **fields, "at": iso(self.at), "ms": round(self.ms, 2)}


class CallLog:
    """Numbers calls from 1 as they arrive and keeps the last 200,000 answered ones."""

    def __init__(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=KEPT)
        self.arrived = 0
        self.in_flight = 0
        self.max_in_flight = 0
        self.over_limit = 0
        self.first_at: float | None = None
        self.last_at: float | None = None
        self.by_operation: Counter[str] = Counter()
        self.token_requests = 0
        self.refreshes = 0
        self._windows: dict[str, SlidingWindow] = {}
        self._busiest: Counter[str] = Counter()

    def begin(self, account: str | None, operation: str, at: float, counted: bool, window: str | None = None) -> int:
        """Note a call's arrival at `at` (sandbox seconds) and return its index.

        `counted` calls are those a vendor's quota is about; they make `max_in_any_60s` of `window` (the account
        unless a vendor tells its accounts from another vendor's of the same name).
        """
        self.arrived += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        self.by_operation[operation] += 1
        self.first_at = at if self.first_at is None else self.first_at
        self.last_at = at
        name = window or account
        if counted and name is not None:
            calls = self._windows.setdefault(name, SlidingWindow())
            calls.add(at)
            self._busiest[name] = max(self._busiest[name], calls.used(at))
        return self.arrived

    def end(self, entry: Entry) -> None:
        """Note a call's answer (or that none left)."""
        self.in_flight -= 1
        self.over_limit += entry.over_limit
        if entry.api == "oauth" and entry.operation.endswith("/token"):
            self.token_requests += 1
            self.refreshes += entry.params.get("grant_type") == "refresh_token"
        self.entries.append(entry)

    def select(self, account: str | None, operation: str | None, since: int) -> list[dict[str, Any]]:
        """Return the kept calls with an index above `since`, filtered by exact account and operation."""
        return [
            e.as_dict()
            for e in sorted(self.entries)
            if e.number > since and account in (None, e.account) and operation in (None, e.operation)
        ]

    def summary(self) -> dict[str, Any]:
        """Return the totals since the log was cleared."""
        return {
            "total": self.arrived,
            "by_operation": dict(self.by_operation),
            "over_limit_answers": self.over_limit,
            "token_requests": self.token_requests,
            "refreshes": self.refreshes,
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
            "first_at": None if self.first_at is None else iso(self.first_at),
            "last_at": None if self.last_at is None else iso(self.last_at),
            "max_in_any_60s": dict(self._busiest),
        }
