from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from hub import bindings, cursors
from hub.bindings import share
from hub.db import Database
from hub.records import ProductKind
from hub.tables import Binding, Connection, Product, Quarantined
from tests.hub.shop import NOON, apply, connect, product, rows

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
MANY = [str(n) for n in range(1000, 1120)]


async def read(db: Database, at: datetime | None, *ids: str, column: str = "read_at") -> None:
    """Note that these (or all) were read then."""
    query = update(Binding).values({column: at})
    async with db.write() as session:
        await session.execute(query.where(col(Binding.external_id).in_(ids)) if ids else query)


async def due(db: Database, erp: Connection, now: datetime, **told: Any) -> list[str]:
    found = bindings.due(db, erp, now, DAY, **{"with_variations": True, **told})
    return [external_id async for ids in found for external_id in ids]


async def stock_due(db: Database, erp: Connection, now: datetime, **told: Any) -> list[str]:
    return [external_id async for ids in bindings.stock_due(db, erp, now, DAY, **told) for external_id in ids]


async def quarantined(db: Database, erp: Connection, now: datetime, period: timedelta = DAY) -> list[str]:
    async with db.read() as session:
        return sorted(await bindings.quarantined_due(session, erp, now, period))


# What is due to be read again


async def test_over_a_day_each_record_is_read_again_once(db: Database, erp: Connection) -> None:
    """A run every 10 minutes, from a catalogue that was read in one go."""
    await apply(db, erp, *map(product, MANY))
    await read(db, NOON)
    times: Counter[str] = Counter()
    most, now = 0, NOON
    while now < NOON + DAY:
        ids = await due(db, erp, now)
        if ids:
            await read(db, now, *ids)
        times.update(ids)
        most, now = max(most, len(ids)), now + 10 * MINUTE
    assert set(times) == set(MANY)
    assert set(times.values()) == {1}
    assert most <= len(MANY) / 10, "spread over the day, not all at once"


async def test_nothing_is_due_right_after_it_was_read(db: Database, erp: Connection) -> None:
    await apply(db, erp, *map(product, MANY))
    await read(db, NOON)
    assert await due(db, erp, NOON + DAY / 2 - MINUTE) == []
    assert sorted(await due(db, erp, NOON + DAY)) == MANY


async def test_many_are_walked_in_pieces(db: Database, erp: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bindings, "CHUNK", 50)
    await apply(db, erp, *map(product, MANY))
    await read(db, NOON)
    walk = bindings.due(db, erp, NOON + DAY, DAY, with_variations=True)
    pieces = []
    async for ids in walk:
        pieces.append(ids)
        await read(db, NOON + DAY, *ids)  # what is done in between does not shift what follows
    assert [len(ids) for ids in pieces] == [50, 50, 20]
    assert sorted(external_id for ids in pieces for external_id in ids) == MANY


async def test_a_time_before_which_everything_is_due(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1"), product("2"), product("3"))
    await read(db, NOON)
    await read(db, NOON + HOUR, "2")
    now = NOON + 2 * HOUR
    assert await due(db, erp, now) == []
    assert sorted(await due(db, erp, now, read_before=NOON + MINUTE)) == ["1", "3"]
    assert sorted(await due(db, erp, NOON + DAY + HOUR, read_before=NOON + MINUTE)) == ["1", "2", "3"]


async def test_what_is_gone_or_anothers_is_not_due(db: Database, erp: Connection) -> None:
    other = await connect(db, "loja-lua-tiny", merchant="loja-lua")
    await apply(db, erp, product("1"), product("2"))
    await apply(db, other, product("3"))
    await apply(db, erp, gone=["2"])
    await read(db, NOON)
    assert await due(db, erp, NOON + DAY) == ["1"]


async def test_variations_that_come_with_their_parent_are_not_read_by_themselves(db: Database, erp: Connection) -> None:
    await apply(
        db, erp, product("1", kind=ProductKind.PARENT), product("2", kind=ProductKind.VARIATION, parent_ref="1")
    )
    await read(db, NOON)
    assert await due(db, erp, NOON + DAY, with_variations=False) == ["1"]
    assert sorted(await due(db, erp, NOON + DAY)) == ["1", "2"]


def test_an_id_falls_due_in_the_second_half_of_the_period_always_at_the_same_place() -> None:
    shares = [share(str(n)) for n in range(5000)]
    assert all(0.5 <= s <= 0.96 for s in shares)
    assert shares == [share(str(n)) for n in range(5000)]
    tenths = Counter(int((s - 0.5) / 0.046) for s in shares)
    assert all(400 < number < 600 for number in tenths.values()), "spread evenly"


# Balances


async def test_balances_never_read_come_first_and_what_cannot_be_sold_never(db: Database, erp: Connection) -> None:
    kinds = list(ProductKind)
    await apply(db, erp, *(product(str(n), kind=kind) for n, kind in enumerate(kinds)), product("a"), product("b"))
    await read(db, NOON - DAY, "a", "b", column="stock_read_at")
    found = await stock_due(db, erp, NOON)
    sold = {str(n) for n, kind in enumerate(kinds) if kind not in (ProductKind.PARENT, ProductKind.SERVICE)}
    assert set(found) == sold | {"a", "b"}
    assert set(found[-2:]) == {"a", "b"}


async def test_a_balance_that_was_just_read_is_not_due(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1"), product("2"))
    await read(db, NOON, column="stock_read_at")
    assert await stock_due(db, erp, NOON + DAY / 2 - MINUTE) == []
    assert sorted(await stock_due(db, erp, NOON + DAY)) == ["1", "2"]
    assert sorted(await stock_due(db, erp, NOON + MINUTE, read_before=NOON + MINUTE)) == ["1", "2"]


# Fingerprints, and what is missing


async def test_the_fingerprint_last_seen_also_of_what_was_refused(db: Database, erp: Connection) -> None:
    other = await connect(db, "loja-lua-tiny", merchant="loja-lua")
    await apply(db, other, product("1"), seen={"1": "of the other"})
    await apply(db, erp, product("1"), product("2"), product("3", name=""), seen={"1": "f1", "2": "f2", "3": "f3"})
    await apply(db, erp, product("2", name=""), seen={"2": "g2"})
    async with db.read() as session:
        seen = await bindings.last_seen(session, erp, ["1", "2", "3", "4"])
    assert seen == {"1": "f1", "2": "g2", "3": "f3"}


async def test_a_variation_read_with_its_parent_adopts_its_row(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1"), product("2"))
    async with db.write() as session:
        await bindings.adopt(session, erp, {"2": "f2", "9": "f9"})
    assert {b.external_id: b.seen_hash for b in await rows(db, Binding)} == {"1": "", "2": "f2"}


async def test_what_is_missing_is_bound_or_held_and_not_listed(db: Database, erp: Connection) -> None:
    variation = product("5", kind=ProductKind.VARIATION, parent_ref="1")
    await apply(db, erp, *map(product, "1234"), variation, product("6", name=""), product("7", name=""))
    await apply(db, erp, product("2", name=""), gone=["4"])
    listed = {"1", "6"}
    assert sorted(await bindings.missing(db, erp, listed, with_variations=True)) == ["2", "3", "5", "7"]
    assert sorted(await bindings.missing(db, erp, listed, with_variations=False)) == ["2", "3", "7"]
    assert await bindings.missing(db, erp, {"1", "2", "3", "5", "6", "7"}, with_variations=True) == []


# What was refused


async def test_a_refused_record_is_tried_again_after_the_period_an_ambiguous_one_every_hour(
    db: Database, erp: Connection
) -> None:
    await apply(db, erp, product("1", sku="A"))
    await apply(db, erp, product("2", sku="A"), product("3", name=""))
    async with db.write() as session:
        await session.execute(update(Quarantined).values(read_at=NOON))
    assert await quarantined(db, erp, NOON + HOUR) == []
    assert await quarantined(db, erp, NOON + HOUR + MINUTE) == ["2"]
    assert await quarantined(db, erp, NOON + DAY + MINUTE) == ["2", "3"]
    async with db.write() as session:
        await session.execute(update(Quarantined).values(read_at=None))
    assert await quarantined(db, erp, NOON) == ["2", "3"]
    other = await connect(db, "loja-lua-tiny", merchant="loja-lua")
    assert await quarantined(db, other, NOON + DAY) == []


# All mappings forgotten


async def test_forgotten_mappings_are_counted_and_matched_anew_by_the_next_pull(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku="A"), product("2", sku="B"))
    async with db.write() as session:
        await cursors.move(session, erp, "catalog", {"page": 3})
        await cursors.move(session, erp, "stock", {"fed_at": "x"})
        await cursors.move(session, erp, "invoices", {"listed": "y"})
    async with db.read() as session:
        assert await bindings.mappings(session, erp) == bindings.Mappings(2, 0, 0)
    products = {row.id for row in await rows(db, Product)}
    async with db.write() as session:
        assert await bindings.forget_mappings(session, erp) == bindings.Mappings(2, 0, 0)
    assert await rows(db, Binding) == []
    async with db.read() as session:
        assert await cursors.position(session, erp, "catalog") == await cursors.position(session, erp, "stock") == {}
        assert await cursors.position(session, erp, "invoices") == {"listed": "y"}
    await apply(db, erp, product("1", sku="A"), product("7", sku="B"))
    assert {row.id for row in await rows(db, Product)} == products
    assert {row.external_id for row in await rows(db, Binding)} == {"1", "7"}


async def test_what_no_sku_or_gtin_can_match_again_is_counted(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku="A"), product("2", sku=None), product("3", sku=None, gtin="7891234567895"))
    async with db.read() as session:
        assert await bindings.mappings(session, erp) == bindings.Mappings(3, 1, 0)


async def test_another_connections_mappings_and_an_orders_binding_stay(db: Database, erp: Connection) -> None:
    other = await connect(db, "other", merchant="loja-lua")
    for one in (erp, other):
        await apply(db, one, product("1", sku="A"))
    async with db.write() as session:
        await session.execute(update(Binding).where(col(Binding.connection_id) == other.id).values(seen_hash="kept"))
        await bindings.forget_mappings(session, erp)
    assert [row.connection_id for row in await rows(db, Binding)] == [other.id]
