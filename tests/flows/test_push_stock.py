"""A stock goes out where the ERP takes it: once, with what orders hold on top, and never over the ERP's newer word."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

import flows.push_products
import tasks.work
from hub import payments, store
from hub.clock import utcnow
from hub.db import Database
from hub.orders import put_order
from hub.policy import Policy
from hub.records import OutgoingProduct, ProductKind, ProductRecord
from hub.store import Offer
from hub.tables import Binding, Connection, OutboxEntry, Product
from providers.contract import Found, ProductSink
from tasks.work import Run, Summary
from tests.flows.clockwork import Clock
from tests.flows.erp import placed
from tests.hub.shop import balance, connect, count, of_ours, one, rows
from tests.hub.test_holding import arrive


@dataclass
class Sink:
    """An ERP with products by SKU. `log` is what it was told."""

    takes: tuple[str, ...] = ("product", "price", "stock", "order")
    there: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    kind = "tagplus"
    search_lag_s = 0.0
    stock_at_creation_only = False
    calls = 0

    def product_body(self, product: OutgoingProduct, *, creates: bool) -> dict[str, Any]:
        body = {"name": product.name, "price": product.price, "stock": product.stock}
        return {name: value for name, value in body.items() if value is not None}

    async def find_products(self, sku: str) -> list[Found]:
        return [Found(sku)] if sku in self.there else []

    async def create_product(self, product: OutgoingProduct) -> str:
        self.there[product.sku] = self.product_body(product, creates=True)
        self.log.append(self.there[product.sku])
        return product.sku

    async def update_product(self, external_id: str, product: OutgoingProduct) -> None:
        body = self.product_body(product, creates=False)
        self.there[external_id] = {**self.there.get(external_id, {}), **body}
        self.log.append(body)

    async def per_minute(self) -> int | None:
        return None

    async def close(self) -> None:
        pass

    def stocks(self) -> list[Any]:
        """The stocks that it was told since this was last asked; None for a word without one."""
        said, self.log = self.log, []
        return [body.get("stock") for body in said]


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Sink:
    made = Sink()
    assert isinstance(made, ProductSink)
    monkeypatch.setattr(tasks.work, "open_provider", lambda _db, _connection: made)
    return made


@pytest.fixture
async def erp(db: Database, sink: Sink) -> Connection:
    return await connect(db, "loja-sol-erp", kind="tagplus", takes=sink.takes)


async def offer(db: Database, price: str = "10.00", stock: str | None = "5") -> None:
    record = ProductRecord("CAN-1", ProductKind.SIMPLE, "Caneca", "CAN-1", list_price=Decimal(price))
    async with db.write() as session:
        await store.put_product(session, "loja-sol", Offer(record, stock=Decimal(stock) if stock else None))


async def sell(db: Database, number: str, quantity: str, *, pay: bool = True) -> Any:
    made = placed(number, [("CAN-1", quantity, "10.00")])
    async with db.write() as session:
        order = (await put_order(session, "loja-sol", made)).order
        if pay:
            await payments.pay(session, "loja-sol", number, "p1", made.total)
    return order


async def push(db: Database, erp: Connection, *, dry_run: bool = False) -> Summary:
    summary = await Run(db, "push-products", flows.push_products.push_one, dry_run).for_connection(erp)
    assert summary.outcome == "done", summary.detail
    return summary


async def states(db: Database) -> dict[str, str]:
    return {entry.kind: entry.state for entry in await rows(db, OutboxEntry) if entry.kind != "order"}


async def test_a_new_product_takes_its_stock_along_with_what_orders_hold(
    db: Database, erp: Connection, sink: Sink
) -> None:
    await offer(db, stock="5")
    await sell(db, "1001", "2")
    await push(db, erp)
    assert sink.stocks() == [7], "the ERP takes the two off when it gets the order"
    assert await states(db) == {"product": "sent", "price": "sent", "stock": "sent"}


async def test_a_count_in_the_store_is_told_and_a_price_takes_no_stock_along(
    db: Database, erp: Connection, sink: Sink
) -> None:
    await offer(db)
    await push(db, erp)
    sink.stocks()
    await offer(db, stock="8")
    await push(db, erp)
    assert sink.stocks() == [8]
    await offer(db, price="11.00", stock=None)
    await push(db, erp)
    assert sink.stocks() == [None], "beside a price a balance would undo what the ERP has sold"
    await push(db, erp)
    assert sink.stocks() == []


async def test_a_stock_that_nobody_knows_is_not_sent(db: Database, erp: Connection, sink: Sink) -> None:
    await offer(db, stock=None)
    await push(db, erp)
    assert sink.stocks() == [None]


async def test_where_the_erps_balance_is_newer_the_store_says_nothing(
    db: Database, erp: Connection, sink: Sink
) -> None:
    await offer(db)
    await push(db, erp)
    await count(db, erp, balance("CAN-1", "5", as_of=utcnow()))
    sink.stocks()
    await offer(db, stock="8")
    await count(db, erp, balance("CAN-1", "4", as_of=utcnow()))
    await push(db, erp)
    assert sink.stocks() in ([], [None])
    assert (await of_ours(db, erp, "CAN-1")).stock_quantity == 4
    await offer(db, stock="8")
    await push(db, erp)
    assert sink.stocks() == [8], "the same count, said again after that, is news"


async def test_while_an_order_is_on_its_way_the_stock_waits_for_it(
    db: Database, erp: Connection, sink: Sink, clock: Clock
) -> None:
    await offer(db)
    await push(db, erp)
    order = await sell(db, "1001", "2")
    sink.stocks()
    await offer(db, price="12.00", stock="8")
    async with db.write() as session:
        await session.execute(update(OutboxEntry).where(col(OutboxEntry.kind) == "order").values(state="claimed"))
    await push(db, erp)
    assert sink.stocks() == [None], "the price goes"
    assert await states(db) == {"product": "sent", "price": "sent", "stock": "unknown"}
    await arrive(db, erp, order)
    clock.advance(minutes=2)
    await push(db, erp)
    assert sink.stocks() == [8]
    assert (await states(db))["stock"] == "sent"


async def test_a_stock_that_an_order_overtook_is_told_once_more(
    db: Database, erp: Connection, sink: Sink, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order arrives while our balance is on its way, and may be taken off before it: then it is put back by it."""
    await offer(db)
    await push(db, erp)
    order = await sell(db, "1001", "2")
    sink.stocks()
    await offer(db, stock="8")
    told = sink.update_product

    async def overtaken(external_id: str, product: OutgoingProduct) -> None:
        await arrive(db, erp, order)
        await told(external_id, product)

    monkeypatch.setattr(sink, "update_product", overtaken)
    await push(db, erp)
    assert sink.stocks() == [10]
    assert (await states(db))["stock"] == "unknown"
    assert len((await count(db, erp, balance("CAN-1", "10", as_of=utcnow()))).stale) == 1
    monkeypatch.setattr(sink, "update_product", told)
    clock.advance(minutes=2)
    await push(db, erp)
    assert sink.stocks() == [8]


async def test_who_takes_no_stock_is_told_none(db: Database, sink: Sink) -> None:
    sink.takes = ("product", "price")
    made = await connect(db, "loja-sol-erp", kind="tagplus", takes=("product", "price", "stock"))
    await offer(db)
    async with db.write() as session:
        await session.execute(update(OutboxEntry).where(col(OutboxEntry.kind) != "stock").values(state="sent"))
    await push(db, made)
    assert sink.stocks() == []
    assert (await states(db))["stock"] == "pending"


async def test_a_dry_run_shows_the_stock_that_would_be_told(db: Database, erp: Connection, sink: Sink) -> None:
    await offer(db)
    (shown,) = (await push(db, erp, dry_run=True)).changes
    assert "stock: 5" in shown.groups
    await push(db, erp)
    await offer(db, price="11.00", stock=None)
    (shown,) = (await push(db, erp, dry_run=True)).changes
    assert not any(line.startswith("stock") for line in shown.groups)


async def test_an_erp_that_follows_another_ones_stock_is_told_what_it_may_sell(db: Database, sink: Sink) -> None:
    """Tiny keeps the stock; TagPlus is told: what the store shows, and the orders that TagPlus has not got."""
    tiny = await connect(db, "loja-sol-a-tiny", takes=("order",))
    follower = await connect(db, "loja-sol-tagplus", kind="tagplus", takes=sink.takes, policy=Policy(pull_stock=False))
    await offer(db, stock=None)
    async with db.write() as session:
        found = await one(db, Product)
        session.add(
            Binding(merchant_id="loja-sol", connection_id=tiny.id, kind="product", record_id=found.id, external_id="1")
        )
    await push(db, follower)
    sink.stocks()
    await sell(db, "1001", "2")
    await count(db, tiny, balance("1", "9", as_of=utcnow()))
    await push(db, follower)
    assert sink.stocks() == [9]
    assert (await one(db, Product)).stock_quantity == 7
