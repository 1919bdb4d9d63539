"""The calls that one credential may make: one row in the database, shared by all processes.

The row holds when the next call falls due (GCRA). Taking a turn moves it on by one gap and answers how long to wait, in
one short statement; the wait itself happens outside, so a process killed while it waits has wasted one turn at most.
Calls are evenly spaced, never in bursts: a bucket that fills up lets two quotas through in its first window.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sqlalchemy import case, func, literal, update
from sqlmodel import col

from hub.db import Database, upsert_rows
from hub.settings import settings
from hub.tables import Quota

WINDOW_S = 60.0
LATE_S = 5.0
"""Later than this a turn is void."""


@dataclass
class Limiter:
    """Turns for one credential. `assumed` calls a minute hold until the vendor tells the account's own limit.

    `share` of the limit is used: the rest is what the network may make a call early or late by, 0.9 s of a minute at
    the default of 98.5 %. `clock_rate` is for simulations whose minute is shorter than ours.
    """

    db: Database
    key: str
    assumed: int
    share: float = field(default_factory=lambda: settings().quota_share)
    clock_rate: float = field(default_factory=lambda: settings().quota_clock_rate)
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    per_minute: int | None = None
    _known: bool = False
    _held_until: float = 0.0

    async def turn(self) -> None:
        """Return when the next call may go out. Send it at once: the turn is for this moment.

        A turn taken before the account was told to wait is void: calling on during the pause may prolong it. So is one
        that is long past: after a laptop was shut, all that waited would go out together.
        """
        while True:
            due = await self.reserve()
            while (wait := due - self.now()) > 0:
                await self.sleep(wait)
            if self.now() - due > LATE_S:
                continue
            if due > self._held_until - 0.001:  # the turn after the pause may come out short of it by a rounding
                return

    async def limit(self) -> int | None:
        """The calls a minute as last told, to whichever process; None when it never was, 0 for no limit."""
        if not self._known:
            await self._begin()
        return self.per_minute

    async def reserve(self) -> float:
        """Take the next turn and return when it is, in seconds since 1970."""
        if not self._known:
            await self._begin()
        if self.per_minute == 0:
            return max(self.now(), self._held_until)
        limit = func.coalesce(col(Quota.per_minute), self.assumed)
        gap = case(
            (limit > 0, (WINDOW_S / (self.share * self.clock_rate)) / case((limit > 0, limit), else_=1)),
            else_=0.0,
        )
        async with self.db.write() as session:
            # Only now: a turn of before the wait for the write lock would be due already, and so would those behind it.
            now = literal(self.now())
            start = case((col(Quota.tat) > now, col(Quota.tat)), else_=now)
            statement = (
                update(Quota)
                .where(col(Quota.key) == self.key)
                .values(tat=start + gap)
                .returning(col(Quota.tat) - gap, col(Quota.per_minute))
            )
            due, self.per_minute = (await session.execute(statement)).one()
        return float(due)

    async def learn(self, per_minute: int) -> None:
        """The vendor has told the account's limit (Tiny's `x-limit-api`, say); 0 means that there is none."""
        if not self._known:
            await self._begin()
        if per_minute == self.per_minute:
            return
        self.per_minute = per_minute
        async with self.db.write() as session:
            await session.execute(update(Quota).where(col(Quota.key) == self.key).values(per_minute=per_minute))

    async def hold(self, seconds: float) -> None:
        """Nobody calls with this credential for so many seconds (of the vendor's clock): it was over the quota.

        Other processes use the turns that they have taken already. Where there is no limit they take no turns, so the
        pause is this process's own, and each has to be told.
        """
        if not self._known:
            await self._begin()
        until = self.now() + seconds / self.clock_rate
        self._held_until = max(self._held_until, until)
        statement = (
            update(Quota).where(col(Quota.key) == self.key, col(Quota.tat) < literal(until)).values(tat=literal(until))
        )
        async with self.db.write() as session:
            await session.execute(statement)

    async def _begin(self) -> None:
        row = {"key": self.key, "tat": 0.0, "per_minute": None}
        async with self.db.write() as session:
            await upsert_rows(session, Quota.__table__, [row], key=["key"], update=[])  # type: ignore[attr-defined]
            found = await session.get(Quota, self.key)
        self.per_minute = found.per_minute if found else None
        self._known = True
