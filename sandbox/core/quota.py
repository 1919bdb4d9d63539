"""Quota windows: how many calls an account made lately."""

import math
from collections import deque


class SlidingWindow:
    """Counts what happened in the last `seconds`."""

    __slots__ = ("seconds", "times")

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self.times: deque[float] = deque()

    def used(self, now: float) -> int:
        """Return how many calls the last `seconds` hold, forgetting older ones."""
        times = self.times
        edge = now - self.seconds
        while times and times[0] <= edge:
            times.popleft()
        return len(times)

    def add(self, now: float) -> None:
        """Count one call at `now`."""
        self.times.append(now)

    def resets_in(self, now: float) -> int:
        """Return whole seconds until the oldest counted call leaves the window (the window when empty)."""
        if not self.used(now):
            return math.ceil(self.seconds)
        return max(1, math.ceil(self.times[0] + self.seconds - now))


class Bucket:
    """Counts calls in windows of `seconds` that open with the first call after the former one closed."""

    __slots__ = ("count", "opened", "seconds")

    def __init__(self, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self.opened = -math.inf
        self.count = 0

    def used(self, now: float) -> int:
        """Return the calls of the open window (0 when it has closed)."""
        return self.count if now < self.opened + self.seconds else 0

    def add(self, now: float) -> None:
        """Count one call at `now`, opening a window when none is open."""
        if now >= self.opened + self.seconds:
            self.opened, self.count = now, 0
        self.count += 1

    def resets_in(self, now: float) -> int:
        """Return whole seconds until the open window closes (its length when none is open)."""
        if now >= self.opened + self.seconds:
            return math.ceil(self.seconds)
        return max(1, math.ceil(self.opened + self.seconds - now))
