"""Two runs read the same records side by side: whoever asked last is believed, in whichever order they write."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from hub import stocktaking
from hub.db import Database
from hub.records import Problem, Refused
from hub.tables import Binding, Connection, Notice, Price, Product, Quarantined
from tests.hub.shop import NOON, apply, balance, count, of_ours, one, product, queued, rows

EARLY, LATE = NOON, NOON + timedelta(seconds=30)
REFUSED = Refused("1", (Problem("name", "empty", ""),), "{}")


async def test_what_was_asked_for_earlier_and_is_written_later_changes_nothing(
    db: Database, erp: Connection, store: Connection
) -> None:
    await apply(db, erp, product("1"), as_of=NOON - timedelta(hours=1))
    await apply(db, erp, product("1", name="Nova", list_price=Decimal(31)), as_of=LATE, seen={"1": "new"})
    before = await queued(db, store)
    plan = await apply(db, erp, product("1", name="Velha"), product("2"), as_of=EARLY, seen={"1": "old"})
    assert (plan.stale, plan.updates, [p.record.external_id for _, p in plan.creates]) == (["1"], [], ["2"])
    stored = await of_ours(db, erp, "1")
    binding = await one(db, Binding, external_id="1")
    assert (stored.name, (await one(db, Price, product_id=stored.id)).list_price) == ("Nova", 31)
    assert (binding.read_at, binding.seen_hash) == (LATE, "new")
    assert {key: version for key, version in (await queued(db, store)).items() if key[1] == stored.id} == before


async def test_the_time_of_reading_is_the_time_of_asking(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1"), product("2", name=""), as_of=EARLY)
    assert (await one(db, Binding)).read_at == (await one(db, Quarantined)).read_at == EARLY
    await apply(db, erp, product("1"), Refused("2", REFUSED.problems, "{}"), as_of=LATE)
    assert (await one(db, Binding)).read_at == (await one(db, Quarantined)).read_at == LATE
    await apply(db, erp, gone=["1"], as_of=LATE + timedelta(seconds=1))
    assert (await one(db, Binding)).read_at == LATE + timedelta(seconds=1)


async def test_who_asks_at_the_same_moment_again_is_taken_in_order(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", name="Um"), as_of=EARLY)
    await apply(db, erp, product("1", name="Dois"), as_of=EARLY)
    assert (await one(db, Product)).name == "Dois"


async def test_an_old_reading_does_not_wake_what_was_found_gone(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1"), as_of=NOON - timedelta(hours=1))
    await apply(db, erp, gone=["1"], as_of=LATE)
    assert (await apply(db, erp, product("1"), as_of=EARLY)).stale == ["1"]
    assert not (await one(db, Product)).active
    assert (await one(db, Binding)).gone


async def test_what_was_missing_earlier_and_is_back_is_not_retired(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1"), as_of=LATE)
    plan = await apply(db, erp, gone=["1"], as_of=EARLY)
    assert (plan.stale, plan.retired, plan.gone) == (["1"], [], [])
    assert (await one(db, Product)).active


async def test_an_old_refusal_raises_no_notice_about_what_is_mended(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1"), as_of=LATE)
    assert (await apply(db, erp, REFUSED, as_of=EARLY)).refused == []
    assert await rows(db, Quarantined) == await rows(db, Notice) == []


async def test_an_old_reading_does_not_release_what_was_refused_since(db: Database, erp: Connection) -> None:
    await apply(db, erp, REFUSED, as_of=LATE)
    assert (await apply(db, erp, product("1"), as_of=EARLY)).stale == ["1"]
    assert await rows(db, Product) == []
    assert (await one(db, Notice)).cleared_at is None
    await apply(db, erp, product("1"), as_of=LATE + timedelta(seconds=1))
    assert (await one(db, Notice)).cleared_at is not None


@pytest.mark.parametrize("moments", [(EARLY, LATE), (LATE, EARLY)])
async def test_two_that_create_one_product_at_once_create_it_once(
    db: Database, erp: Connection, moments: tuple[datetime, datetime]
) -> None:
    pages = [[product(str(n), name=f"Lida às {moment:%S}") for n in range(8)] for moment in moments]
    await asyncio.gather(*(apply(db, erp, *page, as_of=m) for page, m in zip(pages, moments, strict=True)))
    assert len(await rows(db, Product)) == len(await rows(db, Binding)) == 8
    assert {p.name for p in await rows(db, Product)} == {f"Lida às {LATE:%S}"}


async def test_many_at_once_end_with_the_latest(db: Database, erp: Connection) -> None:
    moments = [NOON + timedelta(seconds=n * 7 % 12) for n in range(12)]
    await asyncio.gather(
        *(apply(db, erp, product("1", name=f"{m:%S}"), product("2", name=f"{m:%S}"), as_of=m) for m in moments)
    )
    assert {p.name for p in await rows(db, Product)} == {f"{max(moments):%S}"}


async def test_a_balance_that_could_not_be_read_does_not_hide_a_later_one(db: Database, erp: Connection) -> None:
    """Asked at noon and refused, written last; asked half a minute later and told, written first. Then a balance that
    was asked for in between is old, and one after both is not."""
    await apply(db, erp, product("1"))
    await count(db, erp, balance("1", "5", as_of=LATE))
    async with db.write() as session:
        await stocktaking.mark_asked(session, erp, ["1"], EARLY)
    assert (await one(db, Binding)).stock_read_at == LATE
    await count(db, erp, balance("1", "4", as_of=LATE + timedelta(seconds=1)))
    assert (await one(db, Product)).stock_quantity == 4
