from datetime import timedelta
from decimal import Decimal

import pytest

from hub import stocktaking
from hub.clock import utcnow
from hub.db import Database
from hub.linking import link
from hub.policy import Policy
from hub.records import KitPart, ProductKind
from hub.tables import Binding, Connection, OutboxEntry, Product, Stock
from tests.hub.shop import (
    NOON,
    apply,
    balance,
    connect,
    count,
    deposit,
    everything,
    of_ours,
    one,
    product,
    queued,
    rows,
    written,
)

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
async def cup(db: Database, erp: Connection, store: Connection) -> Product:
    """One product of the ERP, nothing queued."""
    await apply(db, erp, product("1"))
    async with db.write() as session:
        await session.execute(OutboxEntry.__table__.delete())  # type: ignore[attr-defined]
    return await of_ours(db, erp, "1")


async def shown(db: Database, connection: Connection, external_id: str = "1") -> Decimal | None:
    return (await of_ours(db, connection, external_id)).stock_quantity


async def test_a_balance_is_stored_with_its_deposits(db: Database, erp: Connection, cup: Product) -> None:
    deposits = (deposit("77", "6", "5", name="Loja"), deposit("78", "4", counted=False))
    plan = await count(db, erp, balance(physical="10.000", reserved="3", deposits=deposits))
    assert [(level.before, level.quantity, level.sku) for level in plan.changed] == [(None, Decimal(7), "CAN-1")]
    stored = await rows(db, Stock)
    assert [(s.deposit, s.name, s.physical, s.reserved, s.available, s.counted) for s in stored] == [
        ("", "", 10, 3, 7, True),
        ("77", "Loja", 6, None, 5, True),
        ("78", "78", 4, None, None, False),
    ]
    assert {(s.product_id, s.merchant_id, s.as_of) for s in stored} == {(cup.id, "loja-sol", NOON)}
    assert await shown(db, erp) == 7
    assert (await one(db, Binding)).stock_read_at == NOON


async def test_a_deposit_that_is_gone_over_there_is_gone_here(db: Database, erp: Connection) -> None:
    await count(db, erp, balance(deposits=(deposit("77", "6"), deposit("78", "4"))))
    await count(db, erp, balance(deposits=(deposit("78", "4"),)))
    assert [s.deposit for s in await rows(db, Stock)] == ["", "78"]


async def test_an_unchanged_balance_writes_only_when_it_was_read(db: Database, erp: Connection) -> None:
    await count(db, erp, balance("1", "10"))
    before = await everything(db, but=["binding.stock_read_at"])
    with written(db) as found:
        plan = await count(db, erp, balance("1", "10.00", as_of=NOON + MINUTE))
    assert len(plan.unchanged) == 1
    assert found == {"update binding"}
    assert await everything(db, but=["binding.stock_read_at"]) == before
    assert (await one(db, Binding)).stock_read_at == NOON + MINUTE


async def test_a_negative_balance_is_kept_and_shown_as_none(db: Database, erp: Connection) -> None:
    await count(db, erp, balance("1", "-5", reserved="2"))
    assert (await one(db, Stock)).available == -7
    assert await shown(db, erp) == 0


@pytest.mark.parametrize(
    ("policy", "quantity"),
    [
        (Policy(), 7),
        (Policy(stock_basis="physical"), 10),
        (Policy(deposit="Loja"), 5),
        (Policy(deposit="77", stock_basis="physical"), 6),
        (Policy(deposit="Elsewhere"), 0),
    ],
)
async def test_what_is_shown_follows_the_policy(db: Database, erp: Connection, policy: Policy, quantity: int) -> None:
    record = balance(physical="10", reserved="3", deposits=(deposit("77", "6", "5", name="Loja"),))
    await count(db, erp, record, policy=policy)
    assert await shown(db, erp) == quantity


async def test_another_policy_on_the_same_balance_shows_another_quantity(
    db: Database, erp: Connection, store: Connection, cup: Product
) -> None:
    record = balance(physical="10", reserved="3")
    await count(db, erp, record)
    await count(db, erp, record, policy=Policy(stock_basis="physical"))
    assert await shown(db, erp) == 10
    assert await queued(db, store) == {("stock", cup.id): 2}


# The order of time


async def test_an_older_balance_than_the_one_applied_is_dropped(db: Database, erp: Connection) -> None:
    await count(db, erp, balance("1", "10", as_of=NOON))
    before = await everything(db)
    plan = await count(db, erp, balance("1", "99", as_of=NOON - MINUTE))
    assert len(plan.stale) == 1
    assert await everything(db) == before


async def test_an_older_balance_than_the_one_found_unchanged_is_dropped(db: Database, erp: Connection) -> None:
    """10 at noon; asked at 12:01 and answered late: 9; asked at 12:02: 10 again. The 9 is overtaken."""
    await count(db, erp, balance("1", "10", as_of=NOON))
    await count(db, erp, balance("1", "10", as_of=NOON + 2 * MINUTE))
    plan = await count(db, erp, balance("1", "9", as_of=NOON + MINUTE))
    assert len(plan.stale) == 1
    assert await shown(db, erp) == 10


async def test_two_balances_of_one_moment_are_taken_in_their_order(db: Database, erp: Connection) -> None:
    await count(db, erp, balance("1", "10"))
    await count(db, erp, balance("1", "9"))
    assert await shown(db, erp) == 9


async def test_of_two_balances_of_one_page_the_newer_counts(db: Database, erp: Connection) -> None:
    newer, older = balance("1", "5", as_of=NOON + MINUTE), balance("1", "9", as_of=NOON)
    for page in ([newer, older], [older, newer]):
        plan = await count(db, erp, *page)
        assert len(plan.changed) + len(plan.unchanged) == 1
        assert await shown(db, erp) == 5


async def test_each_connection_has_its_own_time(db: Database, erp: Connection) -> None:
    other = await connect(db, "loja-sol-other", kind="other")
    await apply(db, other, product("x1", sku="CAN-1"))
    await count(db, erp, balance("1", "10", as_of=NOON + MINUTE))
    assert (await count(db, other, balance("x1", "4", as_of=NOON))).stale == []
    assert [(s.connection_id, s.physical) for s in await rows(db, Stock)] == [(other.id, 4), (erp.id, 10)]


# What is not known, and who is told


async def test_a_balance_of_a_product_that_we_do_not_have_is_set_aside(db: Database, erp: Connection) -> None:
    plan = await count(db, erp, balance("1", "10"), balance("9", "3"))
    assert [record.external_id for record in plan.unknown] == ["9"]
    assert len(await rows(db, Stock)) == 1


async def test_another_connections_id_is_not_ours(db: Database, store: Connection) -> None:
    assert len((await count(db, store, balance("1", "10"))).unknown) == 1


async def test_the_others_are_told_when_the_quantity_shown_moves(
    db: Database, erp: Connection, store: Connection, cup: Product
) -> None:
    await count(db, erp, balance("1", "10"))
    assert await queued(db, store) == {("stock", cup.id): 1}
    await count(db, erp, balance("1", "10", deposits=(deposit("77", "10"),)))
    assert await queued(db, store) == {("stock", cup.id): 1}, "another deposit, the same quantity"
    await count(db, erp, balance("1", "12", reserved="2"))
    assert await queued(db, store) == {("stock", cup.id): 1}, "one more in, one more reserved"
    await count(db, erp, balance("1", "9"))
    assert await queued(db, store) == {("stock", cup.id): 2}
    assert await queued(db, erp) == {}


async def test_a_plan_writes_nothing_and_says_what_would_be_shown(db: Database, erp: Connection) -> None:
    before = await everything(db)
    async with db.read() as session:
        plan = await stocktaking.plan_stock(session, erp, [balance("1", "10")], Policy())
    assert [(level.before, level.quantity) for level in plan.changed] == [(None, 10)]
    assert await everything(db) == before


async def test_what_gave_no_balance_counts_as_asked(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("2"))
    async with db.write() as session:
        await stocktaking.mark_asked(session, erp, ["1"], utcnow())
        await stocktaking.mark_asked(session, erp, [], utcnow())
    found = {b.external_id: b.stock_read_at for b in await rows(db, Binding)}
    assert found["2"] is None
    assert utcnow() - found["1"] < MINUTE


async def test_many_balances_of_one_page(db: Database, erp: Connection) -> None:
    many = [str(n) for n in range(100, 220)]
    await apply(db, erp, *(product(n) for n in many))
    plan = await count(db, erp, *(balance(n, n) for n in many))
    assert len(plan.changed) == 120
    assert {p.sku: p.stock_quantity for p in await rows(db, Product) if p.sku != "CAN-1"} == {
        f"CAN-{n}": Decimal(n) for n in many
    }


async def test_the_kits_that_a_changed_component_is_part_of(db: Database, erp: Connection) -> None:
    parts = (KitPart("1", Decimal(6)),)
    await apply(
        db,
        erp,
        product("2"),
        product("10", kind=ProductKind.KIT, kit=parts),
        product("11", kind=ProductKind.KIT, kit=(KitPart("2", Decimal(1)),)),
        product("12", kind=ProductKind.KIT, kit=parts),
    )
    await apply(db, erp, gone=["12"])
    async with db.write() as session:
        await link(session, erp)
    plan = await count(db, erp, balance("1", "3"))
    async with db.read() as session:
        assert await stocktaking.kits_with(session, erp, plan.changed) == {"10"}
        assert await stocktaking.kits_with(session, erp, []) == set()
