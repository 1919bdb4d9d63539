"""Faults that tests plant: the call that meets one goes wrong in the way it names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sandbox.core.triggers import Trigger

#: fault → what the client sees. The vendor words the refusals; the exchange does the rest.
FAULTS = {
    "over_quota": "the vendor's answer to too many calls a minute, no work done",
    "concurrency": "the vendor's answer to too many calls at once, no work done",
    "maintenance": "the vendor's maintenance answer, no work done",
    "unexpected_35": "the vendor's `unexpected error` answer, no work done",
    "token_expired": "the access token is invalid from this call on",
    "error_500": "HTTP 500 with an HTML body, no work done",
    "error_503": "HTTP 503 with an HTML body, no work done",
    "html": "HTTP 200 with an HTML page instead of the answer, no work done",
    "stall": "the answer comes only after stall_s real seconds",
    "reset": "TCP reset before any work",
    "answer_lost": "the work is done, then TCP reset without a byte of answer",
    "cut_json": "half of the body with a Content-Length that fits the half",
    "cut_connection": "the full Content-Length, half of the body, then the connection closes",
    "wrong_type": "the right answer with lists and objects where others are expected",
}
REFUSALS = frozenset({"over_quota", "concurrency", "maintenance", "unexpected_35"})


@dataclass(slots=True)
class Fault:
    """One planted fault: fires `times` times (None = always) on the calls its trigger fits."""

    id: int
    name: str
    trigger: Trigger
    times: int | None
    stall_s: float | None
    hits: int = 0
    calls: list[int] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the fault with how often it fired and on which calls (the last 100)."""
        return {
            "id": self.id,
            "fault": self.name,
            "match": self.trigger.as_dict(),
            "times": self.times,
            "stall_s": self.stall_s,
            "hits": self.hits,
            "calls": self.calls,
        }


class Faults:
    """The planted faults in the order they were planted; the first that fires wins."""

    def __init__(self) -> None:
        self.planted: list[Fault] = []
        self._ids = count(1)

    def plant(self, body: Mapping[str, Any]) -> Fault:
        """Add a fault from the control API's body; ValueError says what is wrong with it."""
        wrong = [key for key in body if key not in ("fault", "match", "times", "stall_s")]
        name = body.get("fault")
        times = body.get("times", 1)
        stall_s = body.get("stall_s")
        if wrong:
            raise ValueError(f"a fault has fault, match, times, stall_s; got {', '.join(wrong)}")
        if name not in FAULTS:
            raise ValueError(f"fault is one of {', '.join(FAULTS)}; got {name!r}")
        if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
            raise ValueError(f"times is a whole number from 1, or null for always; got {times!r}")
        if stall_s is not None and (isinstance(stall_s, bool) or not isinstance(stall_s, int | float)):
            raise ValueError(f"stall_s is a number of seconds; got {stall_s!r}")
        fault = Fault(next(self._ids), name, Trigger(body.get("match")), times, stall_s)
        self.planted.append(fault)
        return fault

    def take(self, account: str | None, operation: str, concrete: str, index: int) -> Fault | None:
        """Return the fault this call meets, counting it; None for a healthy call."""
        met = None
        for fault in self.planted:
            if fault.times is not None and fault.hits >= fault.times:
                continue
            if fault.trigger.fires(account, operation, concrete, index) and met is None:
                fault.hits += 1
                fault.calls.append(index)
                del fault.calls[:-100]
                met = fault
        return met
