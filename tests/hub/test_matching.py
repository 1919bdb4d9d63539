"""Which product of ours a record becomes: seen from what `changes.apply` makes of it."""

from typing import Any

import pytest

from hub.changes import Plan
from hub.db import Database
from hub.records import ProductRecord
from hub.tables import Binding, Connection, Product
from tests.hub.shop import apply, connect, of_ours, one, product, queued, rows

GTIN, GTIN_14 = "7891000315507", "07891000315507"


@pytest.fixture
async def other(db: Database, erp: Connection) -> Connection:
    """Brings products that are not bound to the ERP of the tests."""
    return await connect(db, "loja-sol-other", kind="other")


async def apply_each(db: Database, connection: Connection, *records: ProductRecord) -> list[Plan]:
    """Page by page, one record each."""
    return [await apply(db, connection, record) for record in records]


def problems(plan: Plan) -> list[tuple[str, str, str, str]]:
    return [(r.external_id, p.field, p.reason, p.received) for r in plan.refused for p in r.problems]


async def bound(db: Database, connection: Connection) -> dict[str, str]:
    """Record ids by their id."""
    return {b.external_id: b.record_id for b in await rows(db, Binding, connection_id=connection.id)}


# Binding, then SKU, then GTIN, never the name


async def test_a_bound_record_stays_bound_whatever_else_it_says(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku="A", gtin=GTIN))
    await apply(db, erp, product("1", sku="B", gtin="", name="Xícara"))
    found = await one(db, Product)
    assert (found.sku, found.name, found.gtin) == ("B", "Xícara", None)


async def test_the_binding_goes_before_the_gtin(db: Database, erp: Connection, other: Connection) -> None:
    await apply(db, other, product("x", sku="X", gtin=GTIN))
    await apply(db, erp, product("1", sku="A"))
    plan = await apply(db, erp, product("1", sku="A", gtin=GTIN))
    assert plan.refused == []
    assert len(await rows(db, Product)) == 2


async def test_a_new_record_is_the_product_of_its_sku(db: Database, erp: Connection, other: Connection) -> None:
    await apply(db, other, product("x", sku="A", name="Caneca antiga"))
    plan = await apply(db, erp, product("1", sku="A", name="Caneca nova"))
    assert (len(plan.creates), len(plan.updates)) == (0, 1)
    found = await one(db, Product)
    assert found.name == "Caneca nova"
    assert await bound(db, erp) == {"1": found.id}
    assert await bound(db, other) == {"x": found.id}


async def test_the_sku_goes_before_the_gtin(db: Database, erp: Connection, other: Connection) -> None:
    await apply(db, other, product("x", sku="A"), product("y", sku="B", gtin=GTIN))
    await apply(db, erp, product("1", sku="A", gtin=GTIN))
    assert (await bound(db, erp))["1"] == (await bound(db, other))["x"]


async def test_a_new_record_is_the_product_of_its_gtin(db: Database, erp: Connection, other: Connection) -> None:
    await apply(db, other, product("x", sku="X", gtin=GTIN))
    await apply(db, erp, product("1", sku="A", gtin=GTIN_14))
    assert (await one(db, Product)).sku == "A"


@pytest.mark.parametrize("told", [{"sku": None}, {"sku": "B", "gtin": "789"[::-1]}, {"sku": "B"}])
async def test_one_name_is_not_one_product(
    db: Database, erp: Connection, other: Connection, told: dict[str, Any]
) -> None:
    await apply(db, other, product("x", sku="A", name="Caneca"))
    await apply(db, erp, product("1", name="Caneca", **{**told, "gtin": ""}))
    assert len(await rows(db, Product)) == 2


async def test_records_without_sku_and_gtin_are_products_of_their_own(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku=None), product("2", sku=None))
    await apply(db, erp, product("3", sku=None))
    assert len(await rows(db, Product)) == 3


async def test_skus_are_told_apart_by_case(db: Database, erp: Connection) -> None:
    plan = await apply(db, erp, product("1", sku="abc"), product("2", sku="ABC"))
    assert len(plan.creates) == 2


async def test_another_merchants_products_are_never_matched(db: Database, erp: Connection) -> None:
    foreign = await connect(db, "loja-lua-tiny", merchant="loja-lua")
    await apply(db, foreign, product("1", sku="A", gtin=GTIN))
    await apply(db, erp, product("1", sku="A", gtin=GTIN))
    assert {p.merchant_id for p in await rows(db, Product)} == {"loja-sol", "loja-lua"}


# What cannot be known is refused


async def test_two_products_of_one_gtin_are_ambiguous(db: Database, erp: Connection, other: Connection) -> None:
    await apply(db, other, product("x", sku="X", gtin=GTIN), product("y", sku=None, gtin=GTIN_14))
    plan = await apply(db, erp, product("1", sku="A", gtin=GTIN), product("2"))
    assert problems(plan) == [("1", "gtin", "ambiguous", f"{GTIN} (X, sem código)")]
    assert list(await bound(db, erp)) == ["2"]


async def test_a_bound_product_is_no_candidate_by_gtin(db: Database, erp: Connection) -> None:
    """Sizes sold under one barcode are common: they are products of their own."""
    plans = await apply_each(db, erp, product("1", sku="A", gtin=GTIN), product("2", sku="B", gtin=GTIN))
    assert [len(plan.creates) for plan in plans] == [1, 1]


async def test_the_sku_of_a_living_product_is_not_taken_from_it(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku="A"))
    plan = await apply(db, erp, product("2", sku="A", name="Outra"))
    assert problems(plan) == [("2", "sku", "repeated", "A (1)")]
    assert (await one(db, Product)).name == "Caneca de louça"


async def test_a_bound_product_cannot_change_to_anothers_sku(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku="A"), product("2", sku="B"))
    plan = await apply(db, erp, product("2", sku="A", name="Outra"))
    assert problems(plan) == [("2", "sku", "repeated", "A (1)")]
    assert (await of_ours(db, erp, "2")).sku == "B"


async def test_a_bound_product_cannot_become_one_that_the_store_has_besides(
    db: Database, erp: Connection, other: Connection
) -> None:
    await apply(db, other, product("x", sku="X"))
    await apply(db, erp, product("1", sku="A"))
    plan = await apply(db, erp, product("1", sku="X"))
    assert problems(plan) == [("1", "sku", "repeated", "X (loja)")]


async def test_of_two_new_records_with_one_sku_the_first_gets_it(db: Database, erp: Connection) -> None:
    plan = await apply(db, erp, product("1", sku="A"), product("2", sku="A"), product("3", sku="C"))
    assert problems(plan) == [("2", "sku", "repeated", "A (1)")]
    assert sorted(await bound(db, erp)) == ["1", "3"]


# An id that is dead


async def test_a_product_made_anew_over_there_keeps_its_record(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku="A"))
    before = await one(db, Product)
    await apply(db, erp, gone=["1"])
    assert not (await one(db, Product)).active
    plan = await apply(db, erp, product("2", sku="A", name="Caneca nova"), seen={"2": "f2"})
    assert plan.refused == []
    after, binding = await one(db, Product), await one(db, Binding)
    assert (after.id, after.name, after.active) == (before.id, "Caneca nova", True)
    assert (binding.external_id, binding.gone, binding.seen_hash, binding.stock_read_at) == ("2", False, "f2", None)


async def test_a_product_made_anew_with_nothing_changed_keeps_its_record(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku="A", active=False))
    await apply(db, erp, product("2", sku="A", active=True))
    assert (await one(db, Binding)).external_id == "2"
    assert (await one(db, Product)).active


async def test_an_inactive_record_does_not_take_over_an_inactive_one(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku="A", active=False))
    plan = await apply(db, erp, product("2", sku="A", active=False))
    assert problems(plan) == [("2", "sku", "repeated", "A (1)")]


async def test_a_product_that_comes_back_under_its_old_id_lives_again(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku="A"))
    await apply(db, erp, gone=["1"])
    plan = await apply(db, erp, product("1", sku="A"))
    assert len(plan.updates) == 1
    assert (await one(db, Product)).active
    assert not (await one(db, Binding)).gone


async def test_a_deleted_products_sku_may_go_to_another_product(
    db: Database, erp: Connection, store: Connection
) -> None:
    await apply(db, erp, product("1", sku="A"), product("2", sku="B"))
    dead = await of_ours(db, erp, "1")
    await apply(db, erp, gone=["1"])
    before = await queued(db, store)
    plan = await apply(db, erp, product("2", sku="A"))
    assert plan.refused == []
    freed = ("product", dead.id)
    assert (await queued(db, store))[freed] == before[freed] + 1, "or the store refuses the SKU for the other one"
    assert (await of_ours(db, erp, "2")).sku == "A"
    assert (await one(db, Product, id=dead.id)).sku is None
    again = await apply(db, erp, product("1", sku="A"))
    assert problems(again) == [("1", "sku", "repeated", "A (2)")], "both have it now, over there too"


async def test_a_product_that_lives_on_another_connection_keeps_its_sku(
    db: Database, erp: Connection, other: Connection
) -> None:
    await apply(db, erp, product("1", sku="A"), product("2", sku="B"))
    await apply(db, other, product("x", sku="A"))
    await apply(db, erp, gone=["1"])
    await apply(db, other, product("x", sku="A", name="Ainda à venda"))
    plan = await apply(db, erp, product("2", sku="A"))
    assert problems(plan) == [("2", "sku", "repeated", "A (1)")]


# SKUs that move within one batch


async def test_two_products_that_swap_their_skus_are_both_followed(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku="A", name="Um"), product("2", sku="B", name="Dois"))
    plan = await apply(db, erp, product("1", sku="B", name="Um"), product("2", sku="A", name="Dois"))
    assert plan.refused == []
    assert {p.name: p.sku for p in await rows(db, Product)} == {"Um": "B", "Dois": "A"}


async def test_a_new_product_gets_the_sku_that_another_one_leaves(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", sku="A"))
    plan = await apply(db, erp, product("2", sku="A", name="Nova"), product("1", sku="B"))
    assert plan.refused == []
    assert {p.sku: p.name for p in await rows(db, Product)} == {"A": "Nova", "B": "Caneca de louça"}


async def test_who_is_refused_keeps_its_sku_and_so_does_the_next(db: Database, erp: Connection) -> None:
    """1 wants C, which lives: so it keeps A, so 2 cannot have A and keeps B, so 3 cannot have B."""
    await apply(db, erp, *(product(n, sku=sku) for n, sku in (("1", "A"), ("2", "B"), ("4", "C"))))
    plan = await apply(db, erp, product("3", sku="B"), product("2", sku="A"), product("1", sku="C"))
    assert sorted(problems(plan)) == [
        ("1", "sku", "repeated", "C (4)"),
        ("2", "sku", "repeated", "A (1)"),
        ("3", "sku", "repeated", "B (2)"),
    ]
    assert sorted(p.sku for p in await rows(db, Product)) == ["A", "B", "C"]


async def test_a_product_found_by_sku_is_not_found_by_gtin_too(
    db: Database, erp: Connection, other: Connection
) -> None:
    """In whichever order they come: one product of ours is never bound to two records of theirs."""
    for n, order in enumerate(("gtin first", "sku first")):
        sku, gtin = f"X{n}", ("7891000315507", "7891000100103")[n]
        await apply(db, other, product(f"x{n}", sku=sku, gtin=gtin))
        records = [product(f"1{n}", sku=f"A{n}", gtin=gtin), product(f"2{n}", sku=sku)]
        plan = await apply(db, erp, *(records if order == "gtin first" else records[::-1]))
        assert plan.refused == []
        ours = await bound(db, erp)
        assert ours[f"2{n}"] == (await bound(db, other))[f"x{n}"]
        assert ours[f"1{n}"] != ours[f"2{n}"]


async def test_of_two_records_with_one_gtin_the_first_gets_the_product(
    db: Database, erp: Connection, other: Connection
) -> None:
    await apply(db, other, product("x", sku="X", gtin=GTIN))
    await apply(db, erp, product("1", sku="A", gtin=GTIN), product("2", sku="B", gtin=GTIN))
    ours = await bound(db, erp)
    assert ours["1"] == (await bound(db, other))["x"]
    assert ours["2"] != ours["1"]


async def test_an_inactive_product_that_leaves_its_sku_stays_bound(db: Database, erp: Connection) -> None:
    """The merchant renamed the old one to `A-velho`, switched it off, and made a new one: both are on one page."""
    await apply(db, erp, product("1", sku="A", active=False))
    old = await of_ours(db, erp, "1")
    for page in ([product("1", sku="A-velho", active=False), product("2", sku="A")],):
        await apply(db, erp, *page)
    assert (await of_ours(db, erp, "1")).id == old.id
    assert (await of_ours(db, erp, "2")).id != old.id
