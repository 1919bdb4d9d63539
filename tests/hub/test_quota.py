import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.db import Database
from hub.ids import new_id
from hub.quota import WINDOW_S, Limiter
from hub.tables import Quota
from tests.hub.children import all_at_once
from tests.hub.shop import one, rows, written

SHARE = 0.985
START = 1_800_000_000.0


class Clock:
    """A clock that moves on when all who look at it sleep; it wakes them one after the other, so nothing is a race."""

    def __init__(self) -> None:
        self.time = START
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._order = itertools.count()
        self._awake = 0
        self._all_asleep = asyncio.Event()

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        alarm = asyncio.Event()
        heapq.heappush(self._sleepers, (self.time + seconds, next(self._order), alarm))
        self._rest()
        await alarm.wait()

    async def run(self, *work: Coroutine[Any, Any, None]) -> None:
        async def until_done(one: Coroutine[Any, Any, None]) -> None:
            try:
                await self.sleep(0)
                await one
            finally:
                self._rest()

        self._awake = len(work)
        ended = asyncio.gather(*map(until_done, work))
        while True:
            await self._all_asleep.wait()
            if not self._sleepers:
                break
            self._all_asleep.clear()
            wake, _, alarm = heapq.heappop(self._sleepers)
            self.time = max(self.time, wake)
            self._awake = 1
            alarm.set()
        await ended

    def _rest(self) -> None:
        self._awake -= 1
        if self._awake == 0:
            self._all_asleep.set()


@dataclass
class Call:
    at: float
    reserved: int
    """The number of the reservation: which came before a `hold`, and which after."""
    limit: int
    by: int


class Watched(Limiter):
    """Notes under which limit each turn was reserved, and its place among all that happened."""

    async def reserve(self) -> float:
        due = await super().reserve()
        limit = self.assumed if self.per_minute is None else self.per_minute
        NOTES[asyncio.current_task()] = (next(NUMBERS), limit)
        return due


NOTES: dict[Any, tuple[int, int]] = {}
NUMBERS = itertools.count()


@dataclass
class Scene:
    """Limiters of one row, what was called and when holds stood."""

    db: Database
    assumed: int
    limiters: int = 1
    clock_rate: float = 1.0
    clock: Clock = field(default_factory=Clock)
    calls: list[Call] = field(default_factory=list)
    holds: list[tuple[int, float, float, int]] = field(default_factory=list)
    """(place among all that happened, from, until, by which limiter)"""

    def __post_init__(self) -> None:
        key = f"tiny:{new_id()}"
        self.all = [
            Watched(
                self.db,
                key,
                self.assumed,
                share=SHARE,
                clock_rate=self.clock_rate,
                now=self.clock.now,
                sleep=self.clock.sleep,
            )
            for _ in range(self.limiters)
        ]

    async def call(self, by: int, gaps: list[float]) -> None:
        """One worker: waits, takes a turn, calls, again and again."""
        for gap in gaps:
            if gap:
                await self.clock.sleep(gap)
            await self.all[by].turn()
            place, limit = NOTES[asyncio.current_task()]
            self.calls.append(Call(self.clock.time, place, limit, by))

    async def learn(self, at: float, by: int, limit: int) -> None:
        await self.clock.sleep(at)
        await self.all[by].learn(limit)

    async def hold(self, at: float, by: int, seconds: float) -> None:
        await self.clock.sleep(at)
        await self.all[by].hold(seconds)
        self.holds.append((next(NUMBERS), self.clock.time, self.clock.time + seconds / self.clock_rate, by))

    def assert_no_window_exceeds(self) -> None:
        """Whatever 60 s of the vendor's one looks at."""
        calls = sorted(self.calls, key=lambda call: call.at)
        for first, opening in enumerate(calls):
            window = [c for c in calls[first:] if c.at < opening.at + WINDOW_S / self.clock_rate]
            limits = {c.limit for c in window}
            if 0 not in limits:
                assert len(window) <= max(limits), f"{len(window)} calls in a window; limits {limits}"

    def assert_holds_were_kept(self) -> None:
        for place, begin, end, by in self.holds:
            for call in self.calls:
                unlimited_elsewhere = call.limit == 0 and call.by != by
                if begin < call.at < end - 0.001 and not unlimited_elsewhere:
                    assert call.reserved < place, "a turn was given out for a moment within the pause"
                    assert call.by != by, "a turn from before the pause was used by the one who was told to wait"


GAPS = st.lists(st.sampled_from([0.0, 0.0, 0.0, 0.3, 7.0, 59.0, 61.0, 400.0]), min_size=1, max_size=12)
WORKERS = st.lists(st.tuples(st.integers(0, 2), GAPS), min_size=1, max_size=6)
LIMITS = st.sampled_from([1, 2, 3, 7, 20, 30, 120])
TOLD = st.lists(st.tuples(st.floats(0, 200), st.integers(0, 2), st.sampled_from([0, 1, 5, 20, 60])), max_size=3)
HOLDS = st.lists(st.tuples(st.floats(0, 200), st.integers(0, 2), st.sampled_from([0.5, 10.0, 60.0, 90.0])), max_size=3)
some = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@some
@given(LIMITS, WORKERS, TOLD, HOLDS)
async def test_whatever_the_arrivals_no_window_exceeds_the_limit(
    db: Database,
    assumed: int,
    workers: list[tuple[int, list[float]]],
    told: list[tuple[float, int, int]],
    holds: list[tuple[float, int, float]],
) -> None:
    scene = Scene(db, assumed, limiters=3)
    await scene.clock.run(
        *(scene.call(*worker) for worker in workers),
        *(scene.learn(*news) for news in told),
        *(scene.hold(*pause) for pause in holds),
    )
    assert len(scene.calls) == sum(len(gaps) for _, gaps in workers)
    scene.assert_no_window_exceeds()
    scene.assert_holds_were_kept()


@pytest.mark.parametrize("limit", [1, 5, 30])
@pytest.mark.parametrize(("limiters", "workers"), [(1, 1), (2, 6)])
async def test_while_there_is_work_the_quota_is_used(db: Database, limit: int, limiters: int, workers: int) -> None:
    windows, scene = 10, Scene(db, limit, limiters=limiters)
    each = [0.0] * (limit * (windows + 1) // workers + 1)
    await scene.clock.run(*(scene.call(n % limiters, each) for n in range(workers)))
    used = sum(call.at < START + windows * WINDOW_S for call in scene.calls)
    assert 0.97 * windows * limit <= used <= windows * limit
    scene.assert_no_window_exceeds()


async def test_the_quota_is_used_again_after_an_idle_hour_without_a_burst(db: Database) -> None:
    scene = Scene(db, 30)
    await scene.clock.run(scene.call(0, [0.0] * 10 + [3600.0] + [0.0] * 310))
    after = [call.at for call in scene.calls[10:]]
    assert sum(at < after[0] + 600 for at in after) >= 0.97 * 300
    scene.assert_no_window_exceeds()


async def test_a_faster_clock_shrinks_the_window(db: Database) -> None:
    scene = Scene(db, 30, clock_rate=60.0)
    await scene.clock.run(scene.call(0, [0.0] * 330))
    assert 0.97 * 300 <= sum(call.at < START + 10 for call in scene.calls) <= 300
    scene.assert_no_window_exceeds()


async def test_what_one_learns_holds_for_all(db: Database) -> None:
    scene = Scene(db, 20, limiters=2)
    first, second = scene.all
    await first.turn()
    await second.learn(120)
    assert await first.limit() in (None, 20, 120)
    await scene.clock.run(scene.call(0, [0.0] * 60))
    assert scene.calls[-1].at - scene.calls[0].at < 60 * 60 / (SHARE * 120) + 1
    assert await first.limit() == await second.limit() == 120


async def test_a_limit_told_is_known_to_later_processes(db: Database) -> None:
    scene = Scene(db, 20)
    assert await scene.all[0].limit() is None
    await scene.all[0].learn(60)
    later = Limiter(db, scene.all[0].key, 20)
    assert await later.limit() == 60


async def test_without_a_limit_there_is_no_wait_and_no_write(db: Database) -> None:
    scene = Scene(db, 20)
    await scene.all[0].learn(0)
    with written(db) as found:
        await scene.clock.run(scene.call(0, [0.0] * 50))
        await scene.all[0].learn(0)
    assert found == set()
    assert {call.at for call in scene.calls} == {START}


async def test_a_pause_holds_even_without_a_limit(db: Database) -> None:
    scene = Scene(db, 20)
    await scene.all[0].learn(0)
    await scene.clock.run(scene.hold(1, 0, 30), scene.call(0, [0.0, 5.0, 0.0]))
    assert [call.at - START for call in scene.calls] == [0, 31, 31]


async def test_learning_what_is_known_writes_nothing(db: Database) -> None:
    limiter = Scene(db, 20).all[0]
    await limiter.learn(60)
    with written(db) as found:
        await limiter.learn(60)
    assert found == set()


async def test_a_shorter_pause_does_not_end_a_longer_one(db: Database) -> None:
    scene = Scene(db, 60)
    await scene.clock.run(scene.hold(0, 0, 90), scene.hold(1, 0, 5), scene.call(0, [2.0]))
    assert scene.calls[0].at - START >= 90


async def test_two_credentials_do_not_wait_for_each_other(db: Database) -> None:
    first, second = Scene(db, 1), Scene(db, 1)
    assert await first.all[0].reserve() == await second.all[0].reserve() == START
    assert len(await rows(db, Quota)) == 2


async def test_a_turn_is_one_row_that_is_kept(db: Database) -> None:
    scene = Scene(db, 60)
    await scene.all[0].reserve()
    row = await one(db, Quota)
    assert row.tat == pytest.approx(START + 60 / (SHARE * 60), abs=1e-5)


async def test_two_processes_share_one_quota(db: Database, database_url: str) -> None:
    limit, clock_rate, calls, windows = 30, 80.0, 85, 5
    # Many tasks that wait ahead: a busy machine delays some, and the row's turns go on being taken all the same.
    job = ("take_turns", database_url, "tiny:shared", limit, clock_rate, calls, 15)
    turns = sorted(tuple(turn) for brought in await all_at_once(job, job) for turn in brought)
    assert len(turns) == 2 * calls
    assert all(at >= due for due, at in turns), "nobody went before its turn"
    window = WINDOW_S / clock_rate
    dues = [due for due, _ in turns]
    for first, opening in enumerate(dues):
        assert sum(due < opening + window for due in dues[first:]) <= limit
    middle = dues[15]
    assert sum(middle <= due < middle + windows * window for due in dues) >= 0.97 * windows * limit


async def test_turns_that_passed_while_the_machine_slept_are_void(db: Database) -> None:
    now = START
    sent: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += 3600 if not sent else seconds  # the lid is closed during the first wait

    limiter = Limiter(db, "asleep", 60, share=SHARE, now=lambda: now, sleep=sleep)
    await limiter.turn()
    for _ in range(5):
        await limiter.turn()
        sent.append(now)
    gaps = [later - earlier for earlier, later in itertools.pairwise(sent)]
    assert min(gaps) > 0.99 * WINDOW_S / 60, "nothing goes out together on waking"
