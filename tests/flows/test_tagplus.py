"""Products, stock and orders out to TagPlus, its stock and its notes back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

import flows.pull_catalog
import flows.pull_invoices
import flows.pull_stock
from deployments.commands import _queueing
from hub import connections, payments, store
from hub.db import Database
from hub.notices import standing_notices
from hub.policy import Policy
from hub.settings import settings
from hub.tables import Invoice, Order, Price, Product
from hub.tables.tenancy import ConnectionState
from providers.contract import CatalogSource, InvoiceSource, StockSource
from providers.registry import KINDS
from tasks import catalog
from tasks.invoices import take_events
from tasks.paths import PathFailed
from tasks.work import Run, Summary, Work
from tests.contract.vendors import TagPlus
from tests.flows.clockwork import Clock
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

    async def pull_invoices(self) -> Summary:
        return await self._run("pull-invoices", InvoiceSource, flows.pull_invoices.pull_one, False)

    async def invoices(self) -> dict[str, str]:
        """The states of the stored notes, by their order's number."""
        async with self.db.read() as session:
            rows = await session.execute(
                select(Order.number, Invoice.state).join(Order, col(Order.id) == col(Invoice.order_id))
            )
            return dict(rows.tuples().all())

    def there(self, sku: str) -> dict[str, Any]:
        (found,) = [row for row in self.sandbox.ask("GET", f"{ACCOUNT}/products") if row["codigo"] == sku]
        return found

    def forms(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sandbox.ask("GET", ACCOUNT)["lookups"]["formas_pagamento"]
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


async def test_a_cancellation_waits_for_an_account_in_debt(shop: Shop) -> None:
    await shop.offer("CAN-1", "25.00")
    await shop.order("1001", [("CAN-1", "2", "25.00")])
    await shop.export()
    async with shop.db.write() as session:
        await payments.cancel(session, MERCHANT, "1001")
    shop.sandbox.ask("POST", ACCOUNT, debt=True)
    with pytest.raises(PathFailed, match="debt"):
        await shop.export()
    assert await shop.notices() == ["connection.debt"], "nobody is asked to cancel it by hand"
    shop.sandbox.ask("POST", ACCOUNT, debt=False)
    await shop.export()
    assert ([sale["status"] for sale in shop.orders()], await shop.notices()) == (["C"], [])


@pytest.mark.parametrize("typed", [False, True])
async def test_an_order_that_was_sent_unpaid_gets_its_bill_with_the_payment(
    db: Database, sandbox: Any, typed: bool
) -> None:
    shop = await Shop.connect(db, sandbox, orders="all")
    await shop.offer("CAN-1", "25.00")
    await shop.order("1001", [("CAN-1", "2", "25.00")], pay=False, payment_method="")
    await shop.export()
    (sale,) = shop.orders()
    assert (sale["status"], sale["faturas"]) == ("A", [])
    if typed:  # by hand, over there
        form = next(row["id"] for row in shop.forms() if row["descricao"] == "Dinheiro")
        bill = {"forma_pagamento": form, "parcelas": [{"valor_parcela": 50}]}
        shop.sandbox.ask("PATCH", f"{ACCOUNT}/orders/{sale['id']}", faturas=[bill])
    paid = payments.PaymentEvent("p1", payments.Happened.APPROVED, Decimal("50.00"), method="pix")
    async with db.write() as session:
        await payments.record(session, MERCHANT, "1001", paid)
    await shop.export()
    (sale,) = shop.orders()
    (bill,) = sale["faturas"]
    assert (sale["status"], bill["forma_pagamento"]["descricao"]) == ("B", "Dinheiro" if typed else "PIX")
    assert [part["valor_parcela"] for part in bill["parcelas"]] == [50]


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


class TestOnce:
    """An order whose answer was lost is found again, whatever its date says."""

    @pytest.mark.parametrize("edited", [False, True])
    async def test_a_date_that_lies_ahead_hides_no_order(self, shop: Shop, clock: Clock, edited: bool) -> None:
        await shop.offer("CAN-1", "25.00")
        lines, ahead = [("CAN-1", "2", "25.00")], clock.now() + timedelta(days=3)
        await shop.order("1001", lines, placed_at=clock.now() if edited else ahead)
        shop.sandbox.fault("answer_lost", match={"operation": "POST /pedidos"})
        assert (await shop.export()).tally.extra["unknown"] == 1
        if edited:
            await shop.order("1001", lines, pay=False, placed_at=ahead)
        clock.advance(seconds=10)
        assert (await shop.export()).tally.created == 1
        assert len(shop.orders()) == 1


class TestDeletedOverThere:
    """What the merchant deletes in TagPlus: a buyer is found or made again, a product waits until it is wanted."""

    def _delete(self, shop: Shop, table: str, external_id: Any) -> None:
        shop.sandbox.ask("DELETE", f"{ACCOUNT}/{table}/{external_id}")

    async def _pushed(self, shop: Shop) -> None:
        await shop.offer("CAN-1", "25.00")
        await shop.count("CAN-1", 10)
        await shop.push()

    async def _retry(self, shop: Shop) -> None:
        assert await _queueing.retry(shop.id, None, as_json=False) == 0

    async def _read(self, shop: Shop, external_id: str) -> None:
        """What an event makes of it, or the activity log."""

        async def steps(work: Work) -> None:
            await catalog.take(work, catalog.Batch((external_id,)))

        async with shop.db.read() as session:
            connection = await connections.find(session, shop.id)
        await Run(shop.db, "pull-catalog", steps).for_connection(connection)

    async def test_a_buyer_is_made_again_and_the_order_goes(self, shop: Shop) -> None:
        await self._pushed(shop)
        await shop.order("1001", [("CAN-1", "2", "25.00")])
        await shop.export()
        (order,), (person,) = shop.orders(), shop.sandbox.ask("GET", f"{ACCOUNT}/customers")
        self._delete(shop, "orders", order["id"])
        self._delete(shop, "customers", person["id"])
        await shop.order("1002", [("CAN-1", "1", "25.00")])
        await shop.order("1003", [("CAN-1", "1", "25.00")])
        assert (await shop.export()).tally.created == 2
        (again,) = shop.sandbox.ask("GET", f"{ACCOUNT}/customers")
        assert again["id"] != person["id"]
        assert [sale["cliente"]["id"] for sale in shop.orders()] == [again["id"]] * 2
        assert await shop.told() == []

    async def test_a_refusal_that_comes_back_is_told_and_not_tried_for_ever(self, shop: Shop) -> None:
        await self._pushed(shop)
        shop.sandbox.ask("POST", "/settings", tagplus_search_lag_s=3600)
        await shop.order("1001", [("CAN-1", "2", "25.00")])
        await shop.export()
        (order,), (person,) = shop.orders(), shop.sandbox.ask("GET", f"{ACCOUNT}/customers")
        shop.sandbox.ask("POST", "/clock", advance_s=3600)
        self._delete(shop, "orders", order["id"])
        self._delete(shop, "customers", person["id"])  # and the search shows the buyer for another hour
        shop.sandbox.ask("DELETE", "/calls")
        await shop.order("1002", [("CAN-1", "1", "25.00")])
        assert (await shop.export()).tally.failed == 1
        posts = [call for call in shop.sandbox.calls() if call["operation"] == "POST /pedidos"]
        assert len(posts) == 2
        assert [code for code, _ in await shop.told()] == ["order.not_sent"]

    @pytest.mark.parametrize("learnt", ["by an event", "by a change"])
    async def test_a_product_is_told_of_and_made_again_on_purpose_only(
        self, shop: Shop, learnt: str, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self._pushed(shop)
        there = str(shop.there("CAN-1")["id"])
        self._delete(shop, "products", there)
        if learnt == "by an event":
            await self._read(shop, there)
            assert [code for code, _ in await shop.told()] == ["product.gone"]
        for price in ("26.00", "27.00"):
            await shop.offer("CAN-1", price)
            assert (await shop.push()).tally.failed == 1
            assert shop.sandbox.ask("GET", f"{ACCOUNT}/products") == []
        ((code, params),) = await shop.told()
        assert (code, params["sku"], params["problems"][0]["reason"]) == ("product.gone", "CAN-1", "gone")
        monkeypatch.setenv("ESTEIRA_DATABASE_URL", database_url)
        settings.cache_clear()
        await self._retry(shop)
        assert (await shop.push()).tally.created == 1
        assert shop.there("CAN-1")["valor_venda_varejo"] == 27
        assert await shop.told() == []

    async def test_a_product_that_was_only_told_of_can_be_sent_again(
        self, shop: Shop, database_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await self._pushed(shop)
        there = str(shop.there("CAN-1")["id"])
        self._delete(shop, "products", there)
        await self._read(shop, there)
        assert (await shop.push()).tally.calls == 0
        monkeypatch.setenv("ESTEIRA_DATABASE_URL", database_url)
        settings.cache_clear()
        await self._retry(shop)
        assert (await shop.push()).tally.created == 1
        assert await shop.told() == []

    async def test_one_that_the_merchant_made_again_is_bound(self, shop: Shop) -> None:
        await self._pushed(shop)
        self._delete(shop, "products", shop.there("CAN-1")["id"])
        shop.sandbox.ask("POST", f"{ACCOUNT}/products", descricao="Caneca", codigo="CAN-1", qtd_revenda=33)
        await shop.offer("CAN-1", "26.00")
        await shop.push()
        assert shop.there("CAN-1")["valor_venda_varejo"] == 26
        assert await shop.told() == []

    @pytest.mark.parametrize("known", [False, True])
    async def test_an_order_that_needs_a_deleted_product_makes_it_again(self, shop: Shop, known: bool) -> None:
        await self._pushed(shop)
        there = str(shop.there("CAN-1")["id"])
        self._delete(shop, "products", there)
        if known:
            await self._read(shop, there)
        await shop.order("1001", [("CAN-1", "2", "25.00")])
        assert (await shop.export()).tally.created == 1
        (sale,) = shop.orders()
        assert str(sale["itens"][0]["produto_servico"]["id"]) == str(shop.there("CAN-1")["id"]) != there
        assert await shop.told() == []


class TestNotes:
    """Notes of sent orders, whose XML may lie elsewhere, or nowhere."""

    async def _sold(self, shop: Shop, *numbers: str) -> list[str]:
        """Orders that are over there; their ids there."""
        await shop.offer("CAN-1", "25.00")
        for number in numbers:
            await shop.order(number, [("CAN-1", "2", "25.00")])
        await shop.export()
        by_number = {sale["observacoes"].split()[1]: str(sale["id"]) for sale in shop.orders()}
        return [by_number[number] for number in numbers]

    def _issue(self, shop: Shop, sale: str, **how: Any) -> str:
        return str(shop.sandbox.ask("POST", f"{ACCOUNT}/orders/{sale}/invoice", **how)["id"])

    async def test_one_whose_xml_is_nowhere_is_told_and_the_others_come(self, shop: Shop) -> None:
        sales = await self._sold(shop, "1001", "1002", "1003")
        for sale in sales:
            self._issue(shop, sale, lost=sale == sales[1])
        summary = await shop.pull_invoices()
        assert (summary.outcome, summary.tally.created, summary.tally.failed) == ("done", 2, 1)
        assert await shop.invoices() == {"1001": "authorised", "1003": "authorised"}
        ((code, params),) = await shop.told()
        assert (code, params["number"]) == ("invoice.refused", "1002")
        (problem,) = params["problems"]
        assert (problem["field"], problem["reason"]) == ("note", "unreachable")
        assert problem["received"] == "files.vendor.invalid: sem resposta"

    async def test_an_event_of_one_whose_xml_is_nowhere_stops_no_other(self, shop: Shop) -> None:
        sales = await self._sold(shop, "1001", "1002")
        notes = [self._issue(shop, sale, lost=sale == sales[0]) for sale in sales]
        answers: dict[str, str] = {}

        async def steps(work: Work) -> None:
            answers.update(await take_events(work, notes))

        async with shop.db.read() as session:
            connection = await connections.find(session, shop.id)
        await Run(shop.db, "drain-inbox", steps).for_connection(connection)
        assert answers == dict.fromkeys(notes, "done")
        assert await shop.invoices() == {"1002": "authorised"}
        assert [code for code, _ in await shop.told()] == ["invoice.refused"]

    async def test_a_file_store_is_asked_without_the_token(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        (sale,) = await self._sold(shop, "1001")
        self._issue(shop, sale)
        shop.sandbox.ask("POST", "/settings", tagplus_xml="foreign")
        monkeypatch.setenv("ESTEIRA_TAGPLUS_FILES_ORIGIN", shop.sandbox.url.replace("127.0.0.1", "localhost"))
        settings.cache_clear()
        assert (await shop.pull_invoices()).tally.created == 1
        (fetched,) = [call for call in shop.sandbox.calls() if call["operation"] == "GET /files/{path}"]
        assert fetched["status"] == 200, "with a token besides the store refuses the link"

    async def test_a_link_into_our_own_network_is_not_followed(self, shop: Shop) -> None:
        (sale,) = await self._sold(shop, "1001")
        self._issue(shop, sale)
        shop.sandbox.ask("POST", "/settings", tagplus_xml="foreign")
        assert (await shop.pull_invoices()).tally.created == 1, "from the note itself"
        assert not [call for call in shop.sandbox.calls() if call["operation"] == "GET /files/{path}"]
