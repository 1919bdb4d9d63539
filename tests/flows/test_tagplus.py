"""Products, stock and orders out to TagPlus, its stock and its notes back."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

import flows.pull_catalog
import flows.pull_stock
from hub import connections, store
from hub.db import Database
from hub.notices import standing_notices
from hub.policy import Policy
from hub.tables import Price, Product
from hub.tables.tenancy import ConnectionState
from providers.contract import CatalogSource, StockSource
from providers.registry import KINDS
from tasks.paths import PathFailed
from tests.contract.vendors import TagPlus
from tests.flows.erp import MERCHANT, Erp
from tests.flows.erp_fixtures import contaazul

__all__ = ["contaazul"]

ACCOUNT = "/tagplus/accounts/demo"


class Shop(Erp):
    """One connection to TagPlus, with its defaults unless the policy says otherwise."""

    @classmethod
    async def connect(cls, db: Database, sandbox: Any, **policy: Any) -> "Shop":
        defaults = {**KINDS["tagplus"].defaults, "calls_per_minute": 0, **policy}
        async with db.write() as session:
            made = await connections.install(
                session,
                merchant=MERCHANT,
                kind="tagplus",
                side="erp",
                credentials=TagPlus(sandbox).credentials(),
                policy=Policy(**defaults),
            )
            made.features = {"takes": ["product", "price", "stock", "order"]}
            made.state = ConnectionState.ACTIVE
        return cls(db, sandbox, made.id)

    async def count(self, sku: str, quantity: int) -> None:
        """The store counts a product."""
        async with self.db.write() as session:
            await store.set_stock(session, MERCHANT, sku, Decimal(quantity))

    async def pull_stock(self) -> None:
        await self._run("pull-stock", StockSource, flows.pull_stock.pull_one, False)

    async def pull_catalog(self) -> None:
        await self._run("pull-catalog", CatalogSource, flows.pull_catalog.pull_one, False)

    async def price(self, sku: str) -> Decimal | None:
        """What stands in the store."""
        async with self.db.read() as session:
            mine = select(col(Product.id)).where(col(Product.sku) == sku).scalar_subquery()
            return (
                await session.execute(select(col(Price.list_price)).where(col(Price.product_id) == mine))
            ).scalar_one()

    async def stock(self, sku: str) -> int | None:
        """What the store shows."""
        async with self.db.read() as session:
            found = await session.execute(select(col(Product.stock_quantity)).where(col(Product.sku) == sku))
        quantity = found.scalar_one()
        return None if quantity is None else int(quantity)

    def there(self, sku: str) -> dict[str, Any]:
        (found,) = [row for row in self.sandbox.ask("GET", f"{ACCOUNT}/products") if row["codigo"] == sku]
        return found

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sandbox.ask("GET", f"{ACCOUNT}/orders")
        return found

    async def told(self) -> list[tuple[str, Any]]:
        async with self.db.read() as session:
            return [(notice.code, notice.params) for notice in await standing_notices(session, MERCHANT)]


@pytest.fixture
async def shop(db: Database, sandbox: Any) -> Shop:
    return await Shop.connect(db, sandbox)


async def test_a_new_product_goes_with_its_stock_and_a_new_price_leaves_theirs_alone(shop: Shop) -> None:
    await shop.offer("CAN-1", "25.00")
    await shop.count("CAN-1", 10)
    assert (await shop.push()).tally.created == 1
    assert shop.there("CAN-1")["qtd_revenda"] == 10
    sold = f"{ACCOUNT}/products/{shop.there('CAN-1')['id']}/stock"
    shop.sandbox.ask("POST", sold, balance=8)
    await shop.offer("CAN-1", "26.00")
    await shop.push()
    assert (shop.there("CAN-1")["valor_venda_varejo"], shop.there("CAN-1")["qtd_revenda"]) == (26, 8)
    await shop.count("CAN-1", 5)
    await shop.push()
    assert shop.there("CAN-1")["qtd_revenda"] == 5
    assert (await shop.push()).tally.calls == 0


async def test_where_the_store_keeps_the_stock_it_always_goes(db: Database, sandbox: Any) -> None:
    shop = await Shop.connect(db, sandbox, pull_stock=False)
    await shop.offer("CAN-1", "25.00")
    await shop.count("CAN-1", 10)
    await shop.push()
    shop.sandbox.ask("POST", f"{ACCOUNT}/products/{shop.there('CAN-1')['id']}/stock", balance=8)
    await shop.offer("CAN-1", "26.00")
    await shop.push()
    assert shop.there("CAN-1")["qtd_revenda"] == 10


async def test_a_product_that_was_there_keeps_its_stock_and_brings_it_back(shop: Shop) -> None:
    shop.sandbox.ask("POST", f"{ACCOUNT}/products", descricao="Caneca", codigo="CAN-1", qtd_revenda=33)
    await shop.offer("CAN-1", "25.00")
    await shop.push()
    assert (shop.there("CAN-1")["valor_venda_varejo"], shop.there("CAN-1")["qtd_revenda"]) == (25, 33)
    await shop.pull_stock()
    assert await shop.stock("CAN-1") == 33
    assert (await shop.push()).tally.calls == 0, "what came from there is not told there"


@pytest.mark.parametrize("ordered_first", [False, True])
async def test_a_count_in_the_store_leaves_the_stock_of_a_product_that_was_there(
    shop: Shop, ordered_first: bool
) -> None:
    """However they come to know each other: by the push, or by an order that needed the product before."""
    shop.sandbox.ask("POST", f"{ACCOUNT}/products", descricao="Caneca", codigo="CAN-1", qtd_revenda=33)
    await shop.offer("CAN-1", "25.00")
    await shop.count("CAN-1", 10)
    if ordered_first:
        await shop.order("1001", [("CAN-1", "2", "25.00")])
        await shop.export()
    there = shop.there("CAN-1")["qtd_revenda"]
    assert there >= 31
    await shop.push()
    assert (shop.there("CAN-1")["valor_venda_varejo"], shop.there("CAN-1")["qtd_revenda"]) == (25, there)
    assert set((await shop.entries()).values()) == {"sent"}
    await shop.pull_stock()
    assert await shop.stock("CAN-1") == there
    await shop.count("CAN-1", 10)
    await shop.push()
    assert shop.there("CAN-1")["qtd_revenda"] == 10, "a count made since they know each other is told"


async def test_a_price_of_the_rules_making_never_becomes_the_stores(db: Database, sandbox: Any) -> None:
    """With the products pulled back too, each edit of a description put ten percent more on the price: 110, 121, …"""
    shop = await Shop.connect(db, sandbox, price_adjustment="10", pull_products=True, pull_prices=True)
    price: Decimal | None = Decimal(100)
    for text in ("Azul", "Azul e branca", "De louça"):
        await shop.offer("CAN-1", str(price), description=text)
        await shop.push()
        await shop.pull_catalog()
        assert shop.there("CAN-1")["valor_venda_varejo"] == 110
        price = await shop.price("CAN-1")
        assert price == 100


async def test_paid_orders_go_once_and_the_others_wait(shop: Shop) -> None:
    await shop.offer("CAN-1", "25.00")
    await shop.order("1001", [("CAN-1", "2", "25.00")])
    await shop.order("1002", [("CAN-1", "1", "25.00")], pay=False)
    await shop.export()
    await shop.export()
    (sale,) = shop.orders()
    assert (sale["status"], sale["valor_total"], sale["integracao"]) == ("B", 50, "Esteira")
    assert sale["observacoes"].startswith("Pedido 1001 · esteira ")


async def test_a_buyer_without_a_document_is_told_where_all_orders_go(db: Database, sandbox: Any) -> None:
    shop = await Shop.connect(db, sandbox, orders="all")
    await shop.offer("CAN-1", "25.00")
    await shop.order("1001", [("CAN-1", "2", "25.00")], document="")
    await shop.order("1002", [("CAN-1", "1", "25.00")])
    await shop.export()
    assert [sale["observacoes"].split()[1] for sale in shop.orders()] == ["1002"]
    ((code, params),) = await shop.told()
    assert (code, params["number"]) == ("order.not_sent", "1001")
    assert [problem["reason"] for problem in params["problems"]] == ["needed"]


async def test_an_account_in_debt_ends_no_record_and_goes_on_when_it_has_paid(shop: Shop) -> None:
    await shop.offer("CAN-1", "25.00")
    shop.sandbox.ask("POST", ACCOUNT, debt=True)
    with pytest.raises(PathFailed, match="debt"):
        await shop.push()
    assert await shop.notices() == ["connection.debt"]
    assert set((await shop.entries()).values()) == {"pending"}
    shop.sandbox.ask("POST", ACCOUNT, debt=False)
    assert (await shop.push()).tally.created == 1
    assert await shop.notices() == []
