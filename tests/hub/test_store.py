"""The store's own products: by SKU, changed group by group, told to whoever takes them."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from hub import store
from hub.db import Database
from hub.policy import Policy
from hub.records import ProductKind
from hub.store import Kept, Offer, UnknownProductError
from hub.tables import Connection, Merchant, OutboxEntry, Picture, Price, Product
from tests.hub.shop import apply, connect, one, product, queued, rows, written

SHOP = "loja-sol"
D = Decimal


@pytest.fixture
async def takes(db: Database) -> Connection:
    return await connect(db, "loja-sol-erp", takes=("product", "price", "stock"))


@pytest.fixture
async def shop(db: Database) -> None:
    async with db.write() as session:
        session.add(Merchant(id=SHOP, name="Loja Sol"))


async def put(db: Database, *offers: Offer) -> list[Kept]:
    async with db.write() as session:
        return await store.put_products(session, SHOP, offers)


def offer(number: str = "1", stock: str | None = None, **told: Any) -> Offer:
    return Offer(product(number, **told), stock=None if stock is None else D(stock))


async def test_a_new_product_is_held_whole_and_queued_by_kind(db: Database, takes: Connection) -> None:
    (kept,) = await put(db, offer(stock="5", gtin="7891000315507", pictures=("https://loja.example/1.jpg",)))
    assert (kept.outcome, kept.groups) == ("created", ("data", "price", "pictures", "stock"))
    found = await one(db, Product)
    assert (found.sku, found.gtin_key, found.stock_quantity) == ("CAN-1", "07891000315507", D(5))
    assert (await one(db, Price)).list_price == D("29.9")
    assert (await one(db, Picture)).url == "https://loja.example/1.jpg"
    assert set(await queued(db, takes)) == {(kind, found.id) for kind in ("product", "price", "stock")}


async def test_the_same_again_writes_nothing(db: Database, takes: Connection) -> None:
    await put(db, offer(stock="5"))
    with written(db) as found:
        (kept,) = await put(db, offer(stock="5.00", list_price=D("29.9000")))
    assert kept.outcome == "unchanged"
    assert found <= {"insert product"}, "an insert that meets what is there, and writes no row"
    assert {e.version for e in await rows(db, OutboxEntry)} == {1}


@pytest.mark.parametrize(
    ("told", "stock", "kind"),
    [
        ({"list_price": D("31.00")}, None, "price"),
        ({"name": "Caneca azul"}, None, "product"),
        ({"pictures": ("https://loja.example/2.jpg",)}, None, "product"),
        ({}, "6", "stock"),
    ],
)
async def test_a_change_is_queued_as_what_it_is(
    db: Database, takes: Connection, told: dict[str, Any], stock: str | None, kind: str
) -> None:
    (made,) = await put(db, offer(stock="5"))
    await put(db, offer(stock=stock, **told))
    versions = await queued(db, takes)
    assert {kind for kind, _ in versions if versions[kind, made.record_id] > 1} == {kind}


async def test_unselected_products_are_queued_for_nobody_who_wants_chosen_ones(db: Database, shop: None) -> None:
    picky = await connect(db, "loja-sol-picky", takes=("product", "price"), policy=Policy(send_mode="selected"))
    await put(db, offer())
    assert await queued(db, picky) == {}


async def test_price_and_stock_alone_leave_the_rest(db: Database, takes: Connection) -> None:
    (made,) = await put(db, offer(stock="5", promotional_price=D("19.90")))
    async with db.write() as session:
        priced = await store.set_price(session, SHOP, "CAN-1", {"list_price": D("35.00")})
        counted = await store.set_stock(session, SHOP, "CAN-1", D(2))
    assert (priced.groups, counted.groups) == (("price",), ("stock",))
    price = await one(db, Price)
    assert (price.list_price, price.promotional_price) == (D(35), D("19.9"))
    assert (await one(db, Product)).stock_quantity == D(2)
    versions = await queued(db, takes)
    assert versions == {("product", made.record_id): 1, ("price", made.record_id): 2, ("stock", made.record_id): 2}


async def test_the_price_of_an_erps_kit_changes_without_touching_its_data(db: Database) -> None:
    erp = await connect(db, "loja-sol-tiny")
    await apply(db, erp, product("1", kind=ProductKind.VARIATION, parent_ref="900"))
    before = await one(db, Product)
    async with db.write() as session:
        kept = await store.set_price(session, SHOP, "CAN-1", {"list_price": D("35.00")})
    assert kept.groups == ("price",)
    assert (await one(db, Product)).data_hash == before.data_hash


async def test_an_offer_without_prices_leaves_them(db: Database, shop: None) -> None:
    await put(db, offer())
    (kept,) = await put(db, Offer(product("1", name="Outra", list_price=None), told=frozenset({"data", "pictures"})))
    assert kept.groups == ("data",)
    assert (await one(db, Price)).list_price == D("29.9")


async def test_a_deleted_product_stays_in_the_erp_and_comes_back_the_same(db: Database, takes: Connection) -> None:
    (made,) = await put(db, offer())
    before = await queued(db, takes)
    async with db.write() as session:
        await store.deactivate(session, SHOP, "CAN-1")
    assert (await one(db, Product)).active is False
    assert await queued(db, takes) == before
    (kept,) = await put(db, offer())
    assert (kept.outcome, kept.record_id, kept.groups) == ("changed", made.record_id, ("data",))
    assert (await one(db, Product)).active is True


async def test_the_bad_are_refused_with_reasons_and_the_good_go_in(db: Database, shop: None) -> None:
    kept = await put(
        db,
        offer("1"),
        offer("2", gtin="7891000315508"),
        offer("3", list_price=D(-1)),
        offer("4", stock="-1"),
        offer("5", sku=""),
        offer("1", name="Outra vez"),
        offer("6", kind=ProductKind.VARIATION),
        offer("7", kind=ProductKind.VARIATION, parent_ref="NADA"),
    )
    assert [k.outcome for k in kept] == ["created"] + ["refused"] * 7
    reasons = [{(p.field, p.reason) for p in k.refused.problems} for k in kept[1:] if k.refused]
    assert reasons == [
        {("gtin", "check_digit")},
        {("list_price", "negative")},
        {("physical", "range")},
        {("sku", "empty")},
        {("sku", "repeated")},
        {("parent_ref", "empty")},
        {("parent_ref", "unknown")},
    ]
    assert [p.sku for p in await rows(db, Product)] == ["CAN-1"]


async def test_variations_hang_on_a_parent_of_the_same_batch(db: Database, shop: None) -> None:
    await put(
        db,
        offer("1", sku="CAM-P", kind=ProductKind.VARIATION, parent_ref="CAM"),
        offer("2", sku="CAM", kind=ProductKind.PARENT, list_price=None),
    )
    child, parent = await one(db, Product, sku="CAM-P"), await one(db, Product, sku="CAM")
    assert child.parent_id == parent.id


async def test_one_merchants_sku_is_not_anothers(db: Database, shop: None) -> None:
    await connect(db, "loja-lua-erp", merchant="loja-lua")
    await put(db, offer())
    async with db.write() as session:
        with pytest.raises(UnknownProductError):
            await store.set_stock(session, "loja-lua", "CAN-1", D(1))
        await store.put_product(session, "loja-lua", offer(list_price=D(1)))
    assert {p.merchant_id for p in await rows(db, Product)} == {SHOP, "loja-lua"}


async def test_writers_that_meet_the_same_products_in_two_orders_both_end(db: Database, takes: Connection) -> None:
    there = [offer(str(n), list_price=D(1)) for n in range(20)]
    back = [offer(str(n), list_price=D(2)) for n in reversed(range(20))]
    await asyncio.gather(*(put(db, *batch) for batch in (there, back, there, back)))
    assert len(await rows(db, Product)) == 20
    assert len({p.list_price for p in await rows(db, Price)}) == 1
