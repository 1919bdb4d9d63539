from decimal import Decimal

from hub.db import Database
from hub.notices import standing_notices
from hub.records import Problem, Refused
from hub.tables import Binding, Connection, Notice, Quarantined
from tests.hub.shop import apply, of_ours, one, product, rows


async def test_a_bad_record_is_held_with_a_notice_and_the_others_go_through(db: Database, erp: Connection) -> None:
    page = [product(str(n)) for n in range(5)] + [product("9", gtin="123", list_price=Decimal(-1))]
    plan = await apply(db, erp, *page, seen={"9": "f9"})
    assert (len(plan.creates), len(plan.refused)) == (5, 1)
    held, notice = await one(db, Quarantined), await one(db, Notice)
    assert (held.external_id, held.seen_hash, held.merchant_id) == ("9", "f9", "loja-sol")
    assert [(p["field"], p["reason"], p["received"]) for p in held.problems] == [
        ("gtin", "length", "123"),
        ("list_price", "negative", "-1"),
    ]
    assert '"gtin": "123"' in held.payload
    assert (notice.code, notice.connection_id, notice.kind, notice.subject) == (
        "product.refused",
        erp.id,
        "product",
        "9",
    )
    assert notice.params == {"sku": "CAN-9", "name": "Caneca de louça", "problems": held.problems}


async def test_a_record_that_the_mapper_refused_is_held_as_it_came(db: Database, erp: Connection) -> None:
    await apply(
        db, erp, Refused("9", (Problem("list_price", "not_a_number", "dez"),), '{"preco":"dez"}', "Caneca", "C")
    )
    held = await one(db, Quarantined)
    assert (held.payload, held.problems[0]["received"]) == ('{"preco":"dez"}', "dez")


async def test_refused_again_it_is_held_once_since_the_first_time(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("9", gtin="123"), seen={"9": "f1"})
    before = await one(db, Quarantined)
    await apply(db, erp, product("9", ncm="1"), seen={"9": "f2"})
    after = await one(db, Quarantined)
    assert (after.id, after.first_at, after.seen_hash) == (before.id, before.first_at, "f2")
    assert [p["field"] for p in after.problems] == ["ncm"]
    assert after.read_at > before.read_at
    assert len(await rows(db, Notice)) == 1


async def test_mended_it_is_let_go_and_its_notice_clears(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("9", gtin="123"), product("8", name=""))
    await apply(db, erp, product("9"))
    assert [held.external_id for held in await rows(db, Quarantined)] == ["8"]
    async with db.read() as session:
        assert [notice.subject for notice in await standing_notices(session)] == ["8"]
    assert (await of_ours(db, erp, "9")).sku == "CAN-9"


async def test_mended_back_to_what_it_was_it_is_let_go_too(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("9"))
    await apply(db, erp, product("9", gtin="123"))
    assert (await of_ours(db, erp, "9")).gtin is None, "the product stays as it was last good"
    plan = await apply(db, erp, product("9"))
    assert len(plan.unchanged) == 1
    assert await rows(db, Quarantined) == []


async def test_gone_over_there_a_refused_record_is_let_go_though_we_never_had_it(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("9", gtin="123"))
    await apply(db, erp, gone=["9"])
    assert await rows(db, Quarantined) == []
    async with db.read() as session:
        assert await standing_notices(session) == []


async def test_a_bound_record_that_is_refused_counts_as_read(db: Database, erp: Connection) -> None:
    """Or it would be due again in every run, a call each."""
    await apply(db, erp, product("9"))
    before = (await one(db, Binding)).read_at
    await apply(db, erp, product("9", gtin="123"))
    assert (await one(db, Binding)).read_at > before


async def test_a_notice_about_its_stock_is_left_to_the_stock(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("9", gtin="123"))
    async with db.write() as session:
        session.add(
            Notice(
                merchant_id="loja-sol", key="k", code="stock.refused", connection_id=erp.id, kind="stock", subject="9"
            )
        )
    await apply(db, erp, product("9"))
    async with db.read() as session:
        assert [notice.kind for notice in await standing_notices(session)] == ["stock"]
