"""Prices alone, of bound products alone: what is newer here is kept, and what we sent is no news when it comes back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from hub import repricing, store
from hub.clock import utcnow
from hub.db import Database
from hub.policy import Policy
from hub.records import Problem, ProductKind, ProductRecord, Refused
from hub.repricing import PricePlan
from hub.selection import select_products
from hub.store import Offer
from hub.tables import Binding, Connection, Notice, OutboxEntry, Price, Product, Quarantined
from tests.hub.shop import apply, connect, everything, of_ours, one, product, queued, rows, written

HOUR = timedelta(hours=1)


@pytest.fixture
async def erp(db: Database) -> Connection:
    """An ERP that takes products and tells prices."""
    policy = Policy(pull_products=False, pull_prices=True)
    return await connect(db, "loja-sol-erp", kind="tagplus", takes=("product", "price", "stock"), policy=policy)


@pytest.fixture
async def cup(db: Database, erp: Connection) -> Product:
    """A cup of the store for R$ 29.90, which is over there as 1, nothing queued."""
    record = ProductRecord(
        "CAN-1", ProductKind.SIMPLE, "Caneca da loja", "CAN-1", list_price=Decimal("29.90"), cost_price=Decimal(9)
    )
    async with db.write() as session:
        await store.put_product(session, "loja-sol", Offer(record))
    found: Product = await one(db, Product)
    async with db.write() as session:
        session.add(
            Binding(
                merchant_id="loja-sol",
                connection_id=erp.id,
                kind="product",
                record_id=found.id,
                external_id="1",
                sent_hash="as sent",
            )
        )
        await session.execute(update(OutboxEntry).values(state="sent", sent_at=utcnow() - HOUR))
    return found


async def reprice(
    db: Database,
    erp: Connection,
    *readings: ProductRecord | Refused,
    as_of: datetime | None = None,
    seen: dict[str, str] | None = None,
    gone: Sequence[str] = (),
) -> PricePlan:
    async with db.write() as session:
        return await repricing.apply(session, erp, readings, seen or {}, as_of=as_of or utcnow(), gone=gone)


async def choose(db: Database, erp: Connection, **choices: Any) -> None:
    """The merchant changes the policy; who holds `erp` has it as it was before."""
    async with db.write() as session:
        stored = await session.get(Connection, erp.id)
        assert stored
        stored.policy = {**stored.policy, **choices}


async def prices(db: Database) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    price = await one(db, Price)
    return price.list_price, price.promotional_price, price.cost_price


@pytest.mark.parametrize(
    ("told", "after"),
    [
        ({"list_price": Decimal("31.50")}, (Decimal("31.5"), None, 9)),
        ({"list_price": Decimal("29.9000")}, (Decimal("29.9"), None, 9)),
        ({"list_price": None}, (Decimal("29.9"), None, 9)),
        ({"list_price": Decimal(0)}, (Decimal("29.9"), None, 9)),
        ({"promotional_price": Decimal(20)}, (Decimal("29.9"), 20, 9)),
        ({"promotional_price": Decimal(0)}, (Decimal("29.9"), None, 9)),
        ({"cost_price": Decimal(1)}, (Decimal("29.9"), None, 9)),
    ],
)
async def test_what_is_told_of_a_price_is_taken_and_nothing_else(
    db: Database, erp: Connection, cup: Product, told: dict[str, Any], after: tuple[Any, ...]
) -> None:
    changes = after[:2] != (Decimal("29.9"), None)
    with written(db) as tables:
        plan = await reprice(
            db, erp, product("1", **{"name": "Outro nome", "pictures": ("https://x.example/1",), **told})
        )
    assert await prices(db) == after
    assert (len(plan.updates), len(plan.unchanged)) == (changes, not changes)
    stored = await one(db, Product)
    assert (stored.name, stored.data_hash, stored.pictures_hash) == ("Caneca da loja", cup.data_hash, cup.pictures_hash)
    assert ("update product" in tables) is changes


async def test_a_promotion_that_is_not_told_stays_and_one_that_ended_goes(
    db: Database, erp: Connection, cup: Product
) -> None:
    await reprice(db, erp, product("1", list_price=None, promotional_price=Decimal(20)))
    await reprice(db, erp, product("1", list_price=Decimal(30)))
    assert await prices(db) == (30, 20, 9)
    await reprice(db, erp, product("1", list_price=Decimal(30), promotional_price=Decimal(0)))
    assert await prices(db) == (30, None, 9)


async def test_a_price_is_told_to_the_others_and_never_back(
    db: Database, erp: Connection, cup: Product, store: Connection
) -> None:
    before = await queued(db, erp)
    await reprice(db, erp, product("1", list_price=Decimal(31)))
    assert await queued(db, store) == {("price", cup.id): 1}
    assert await queued(db, erp) == before


async def test_the_price_that_came_is_the_stores_own_from_then_on(db: Database, erp: Connection, cup: Product) -> None:
    """Its hash too: else the next word of the store, saying the same, would be sent for a change."""
    await reprice(db, erp, product("1", list_price=Decimal(31)))
    async with db.write() as session:
        kept = await store.set_price(session, "loja-sol", "CAN-1", {"list_price": Decimal(31)})
    assert kept.outcome == "unchanged"
    assert (await one(db, Binding)).sent_hash == "", "what we sent last does not stand there any more"
    async with db.write() as session:
        back = await store.set_price(session, "loja-sol", "CAN-1", {"list_price": Decimal("29.90")})
    assert back.groups == ("price",)


async def test_what_is_not_ours_is_passed_over_and_nothing_is_retired(
    db: Database, erp: Connection, cup: Product
) -> None:
    before = await everything(db, but=["binding.read_at"])
    refused = Refused("3", (Problem("name", "empty", ""),), "{}")
    plan = await reprice(db, erp, product("2"), refused, gone=["4"])
    assert (plan.updates, plan.unchanged, plan.refused) == ([], [], [])
    assert await everything(db, but=["binding.read_at"]) == before


async def test_one_of_ours_that_is_gone_is_told_stays_in_the_store_and_comes_back(
    db: Database, erp: Connection, cup: Product
) -> None:
    for _ in range(2):
        await reprice(db, erp, gone=["1"])
    binding = await one(db, Binding)
    assert binding.gone
    assert binding.read_at is not None, "it was asked for, and is not due again at once"
    assert (await one(db, Product)).active
    notice = await one(db, Notice)
    assert (notice.code, notice.params["sku"], notice.cleared_at) == ("product.gone", "CAN-1", None)
    states = {entry.kind: entry.state for entry in await rows(db, OutboxEntry)}
    assert states == {"product": "failed", "price": "sent"}, "one entry to send it again by"
    await reprice(db, erp, product("1", list_price=Decimal("29.90")))
    assert not (await one(db, Binding)).gone
    assert (await one(db, Notice)).cleared_at is not None


async def test_a_system_that_takes_no_products_tells_nobody_to_send_one_again(
    db: Database, erp: Connection, cup: Product
) -> None:
    erp.features = {"takes": ["order"]}
    await reprice(db, erp, gone=["1"])
    assert not (await one(db, Binding)).gone
    assert await rows(db, Notice) == []


async def test_one_that_was_read_since_is_not_gone(db: Database, erp: Connection, cup: Product) -> None:
    await reprice(db, erp, product("1"))
    await reprice(db, erp, gone=["1"], as_of=utcnow() - HOUR)
    assert not (await one(db, Binding)).gone


async def test_an_inactive_record_deactivates_nothing(db: Database, erp: Connection, cup: Product) -> None:
    await reprice(db, erp, product("1", active=False, list_price=Decimal(31)))
    assert (await one(db, Product)).active
    assert (await prices(db))[0] == 31


async def test_an_older_reading_is_dropped(db: Database, erp: Connection, cup: Product) -> None:
    now = utcnow()
    await reprice(db, erp, product("1", list_price=Decimal(31)), as_of=now, seen={"1": "new"})
    plan = await reprice(db, erp, product("1", list_price=Decimal(30)), as_of=now - HOUR / 2, seen={"1": "old"})
    assert plan.stale == ["1"]
    binding = await one(db, Binding)
    assert ((await prices(db))[0], binding.read_at, binding.seen_hash) == (31, now, "new")


@pytest.mark.parametrize("state", ["pending", "claimed", "unknown", "failed"])
async def test_a_price_of_ours_that_is_on_its_way_is_newer_than_any_reading(
    db: Database, erp: Connection, cup: Product, state: str
) -> None:
    async with db.write() as session:
        await store.set_price(session, "loja-sol", "CAN-1", {"list_price": Decimal(40)})
        await session.execute(update(OutboxEntry).where(col(OutboxEntry.kind) == "price").values(state=state))
    plan = await reprice(db, erp, product("1", list_price=Decimal("29.90")), seen={"1": "row"})
    assert plan.stale == ["1"]
    binding = await one(db, Binding)
    assert ((await prices(db))[0], binding.read_at, binding.seen_hash) == (40, None, ""), "it is read again soon"


async def test_what_was_asked_for_before_our_price_arrived_is_older(
    db: Database, erp: Connection, cup: Product
) -> None:
    asked = utcnow()
    async with db.write() as session:
        await store.set_price(session, "loja-sol", "CAN-1", {"list_price": Decimal(40)})
        await session.execute(update(OutboxEntry).values(state="sent", sent_at=asked + HOUR))
    assert (await reprice(db, erp, product("1", list_price=Decimal("29.90")), as_of=asked)).stale == ["1"]
    await reprice(db, erp, product("1", list_price=Decimal(41)), as_of=asked + 2 * HOUR)
    assert (await prices(db))[0] == 41


async def test_our_own_price_comes_back_as_an_echo(db: Database, erp: Connection, cup: Product) -> None:
    """With more places than two here, it stands over there rounded."""
    async with db.write() as session:
        await store.set_price(session, "loja-sol", "CAN-1", {"list_price": Decimal("0.0375")})
        await session.execute(update(OutboxEntry).values(state="sent", sent_at=utcnow() - HOUR))
    plan = await reprice(db, erp, product("1", list_price=Decimal("0.04")))
    assert plan.unchanged == ["1"]
    assert (await prices(db))[0] == Decimal("0.0375")


async def test_a_product_that_was_not_selected_keeps_the_stores_price(
    db: Database, erp: Connection, cup: Product
) -> None:
    """It is there through an order, say, and nothing of it is sent: what is read there is older than the store's."""
    await choose(db, erp, send_mode="selected")
    plan = await reprice(db, erp, product("1", list_price=Decimal(40)), seen={"1": "row"})
    assert (plan.unchanged, (await prices(db))[0]) == (["1"], Decimal("29.9"))
    assert (await one(db, Binding)).seen_hash == "row", "it was looked at, and is not in every run"
    async with db.write() as session:
        await select_products(session, erp, ["CAN-1"])
        await session.execute(update(OutboxEntry).values(state="sent", sent_at=utcnow() - HOUR))
    await reprice(db, erp, product("1", list_price=Decimal(40)))
    assert (await prices(db))[0] == 40


async def test_a_rule_that_was_set_while_the_run_lasted_counts(db: Database, erp: Connection, cup: Product) -> None:
    """What it made of the price has been sent by another run, and would be read as the store's own."""
    await choose(db, erp, price_adjustment="10")
    plan = await reprice(db, erp, product("1", list_price=Decimal("32.89")))
    assert (plan.stale, (await prices(db))[0]) == (["1"], Decimal("29.9"))


async def test_under_a_rule_the_rest_of_a_product_comes_and_its_price_does_not(
    db: Database, erp: Connection, cup: Product
) -> None:
    await choose(db, erp, pull_products=True, price_adjustment="10")
    await apply(db, erp, product("1", name="Outro nome", list_price=Decimal("32.89")))
    stored = await one(db, Product)
    assert (stored.name, stored.price_hash, (await prices(db))[0]) == ("Outro nome", cup.price_hash, Decimal("29.9"))
    plan = await apply(db, erp, product("1", name="Outro nome", list_price=Decimal(35)))
    assert (plan.updates, len(plan.unchanged)) == ([], 1)
    await apply(db, erp, product("2", list_price=Decimal(7)))
    assert (await of_ours(db, erp, "2")).price_hash, "a product that is new to us has only their price"
    assert {price.list_price for price in await rows(db, Price)} == {Decimal("29.9"), 7}


async def test_a_rule_on_what_is_not_sent_there_keeps_no_price_back(db: Database, store: Connection) -> None:
    tiny = await connect(db, "loja-sol-so-pedidos", takes=("order",), policy=Policy(price_adjustment=Decimal(10)))
    await apply(db, tiny, product("1"))
    await apply(db, tiny, product("1", list_price=Decimal(35)))
    assert (await prices(db))[0] == 35


async def test_a_price_that_cannot_be_is_told_until_it_is_mended(db: Database, erp: Connection, cup: Product) -> None:
    plan = await reprice(db, erp, product("1", list_price=Decimal(-1), gtin="123"))
    assert [p.field for p in plan.refused[0].problems] == ["list_price"], "nobody asked for its GTIN"
    assert (await one(db, Quarantined)).external_id == "1"
    assert (await prices(db))[0] == Decimal("29.9")
    await reprice(db, erp, product("1", list_price=Decimal(30)))
    assert await rows(db, Quarantined) == []
    assert (await one(db, Notice)).cleared_at is not None


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ({"pull_products": False, "pull_prices": True}, True),
        ({"pull_products": False, "pull_prices": True, "price_adjustment": Decimal(10)}, False),
        ({"pull_products": False}, False),
        ({"pull_prices": True}, False),
    ],
)
def test_when_prices_come_back_by_themselves(told: dict[str, Any], wanted: bool) -> None:
    assert repricing.is_wanted(Policy(**told)) is wanted


async def test_a_plan_shows_what_would_change(db: Database, erp: Connection, cup: Product) -> None:
    readings = [product("1", list_price=Decimal(31), name="Caneca")]
    async with db.read() as session:
        planned = await repricing.plan(session, erp, readings, as_of=utcnow())
    assert [(c.op, c.external_id, c.name, c.groups) for c in planned.changes()] == [
        ("update", "1", "Caneca", ("price",))
    ]
    assert planned.changes() == (await reprice(db, erp, *[replace(r) for r in readings])).changes()
