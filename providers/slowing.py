"""A judge for vendors that say "too many calls" by HTTP 429, and how long to wait or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hub.clock import utcnow
from providers.contract import CallFailed
from providers.http import Answer, status_failure

LONGEST_WAIT_S = 60.0


@dataclass
class SlowingJudge:
    """What went wrong in an answer, or None for `ok`; remembers how often in a row it was told to slow down.

    Without a time to wait the pause doubles from one second on. Answers to calls that left before the last 429 came
    belong to the same one.
    """

    _slowed: int = 0
    _since: datetime | None = None

    def judged(self, operation: str, answer: Answer) -> CallFailed | None:
        """What an answer other than 429 means."""
        raise NotImplementedError

    def told_wait(self, headers: Mapping[str, str]) -> float | None:
        """The seconds to wait that a 429 tells; None where it tells none."""
        raise NotImplementedError

    def said(self, answer: Answer) -> str:
        """The vendor's own sentence."""
        raise NotImplementedError

    def __call__(self, operation: str, answer: Answer) -> CallFailed | None:
        """Judge an answer."""
        if answer.status == 429:
            return status_failure(operation, answer, slow_down_s=self._pause(answer), detail=self.said(answer))
        if 200 <= answer.status < 300:
            self._slowed = 0
        return self.judged(operation, answer)

    def _pause(self, answer: Answer) -> float:
        if self._since is None or answer.asked_at > self._since:
            self._slowed += 1
            self._since = utcnow()
        told = self.told_wait(answer.headers)
        return min(LONGEST_WAIT_S, 2.0 ** (self._slowed - 1) if told is None else max(1.0, told))
