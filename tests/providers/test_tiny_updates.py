"""Reading an update list to its end, whether reading empties it or it is a filter (`reference/tiny.md §3.5`)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.clock import utcnow
from providers.tiny_v2.client import Listing
from providers.tiny_v2.provider import updates

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class FakeList:
    """An update list of `count` rows, 100 a page; `between` may add rows after each call."""

    def __init__(self, count: int, *, consumes: bool, between: Callable[["FakeList"], None] = lambda _: None) -> None:
        self.rows = [{"id": number, "data_alteracao": "01/03/2026 10:00:00"} for number in range(1, count + 1)]
        self.consumes = consumes
        self.between = between
        self.calls: list[int] = []
        self.since: list[datetime] = []

    async def __call__(self, since: datetime, page: int) -> Listing:
        self.calls.append(page)
        self.since.append(since)
        pages = -(-len(self.rows) // 100)
        found: list[Any] = self.rows[(page - 1) * 100 : page * 100]
        if self.consumes:
            self.rows = [row for row in self.rows if row not in found]
        self.between(self)
        return Listing(found, pages if found else 0, utcnow())


async def read(source: FakeList) -> list[int]:
    return [row["id"] async for listing in updates(source, utcnow()) for row in listing.rows]


@pytest.mark.parametrize("consumes", [True, False])
@pytest.mark.parametrize("count", [0, 1, 100, 101, 200, 201, 1000])
async def test_every_row_is_read_once_under_both_readings(count: int, consumes: bool) -> None:
    source = FakeList(count, consumes=consumes)
    assert sorted(await read(source)) == list(range(1, count + 1))
    pages = max(1, -(-count // 100))
    assert len(source.calls) == pages + (0 if consumes or pages == 1 else 1)
    if consumes:
        assert set(source.calls) == {1}, "asking for page 2 of a list that forgets skips 100 rows"


@pytest.mark.parametrize("consumes", [True, False])
async def test_an_idle_account_costs_one_call(consumes: bool) -> None:
    source = FakeList(0, consumes=consumes)
    assert await read(source) == []
    assert source.calls == [1]


@given(count=st.integers(0, 450), more=st.lists(st.integers(0, 40), max_size=6), consumes=st.booleans())
async def test_rows_that_join_meanwhile_lose_nobody(count: int, more: list[int], consumes: bool) -> None:
    def join(source: FakeList) -> None:
        start = 10_000 * len(source.calls)
        extra = more.pop() if more else 0
        source.rows += [{"id": start + n, "data_alteracao": "01/03/2026 11:00:00"} for n in range(extra)]

    found = await read(FakeList(count, consumes=consumes, between=join))
    assert set(range(1, count + 1)) <= set(found)


async def test_a_product_told_again_unchanged_does_not_make_a_filter_of_the_list() -> None:
    def again(source: FakeList) -> None:
        if len(source.calls) < 4:
            source.rows = [{"id": 1, "data_alteracao": "01/03/2026 10:00:00"}, *source.rows]

    source = FakeList(350, consumes=True, between=again)
    assert set(await read(source)) == set(range(1, 351))
    assert set(source.calls) == {1}


async def test_it_is_asked_one_page_at_a_time() -> None:
    source = FakeList(300, consumes=True)
    pages = updates(source, utcnow())
    await anext(pages)
    assert source.calls == [1], "the next page is asked for only once the caller has committed this one"


async def test_it_looks_back_thirty_days_at_most() -> None:
    source = FakeList(0, consumes=True)
    [listing async for listing in updates(source, LONG_AGO)]
    assert abs(utcnow() - timedelta(days=30) - source.since[0]) < timedelta(minutes=1)
    near = utcnow() - timedelta(days=2)
    [listing async for listing in updates(source, near)]
    assert source.since[1] == near


@pytest.mark.parametrize("rows", [["x"] * 100, [{"a": 1}] * 100])
async def test_a_list_of_nonsense_comes_to_an_end(rows: list[Any]) -> None:
    calls = 0

    async def ask(since: datetime, page: int) -> Listing:
        nonlocal calls
        calls += 1
        return Listing(rows, 3, utcnow())

    assert len([listing async for listing in updates(ask, utcnow())]) <= 3
    assert calls <= 4
