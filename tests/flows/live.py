"""A merchant whose ERP posts webhooks to our door over real HTTP: the door is served, known over there, and drained."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import col

import flows.pull_catalog
import flows.pull_invoices
import flows.pull_stock
from hub import doors
from hub.connections import find, learn
from hub.db import Database
from hub.settings import Settings
from hub.tables import InboxEvent, Invoice, Price, Product
from providers.contract import CatalogSource, InvoiceSource, StockSource
from providers.registry import KINDS
from tasks.drain import drain
from tasks.work import Summary
from tests.contract.subjects import Sandbox
from tests.flows.trade import Trade
from tests.serving import served_in_a_thread
from web.app import create_app

EVENTS = {
    "produto": ["produto_criado", "produto_alterado", "produto_apagado", "estoque_revenda_alterado"],
    "pedido": ["pedido_criado", "pedido_alterado"],
    "nota": ["nfe_aprovada", "nfe_cancelada", "nfe_denegada"],
}
"""What is registered in TagPlus, by the door's topic."""


@contextlib.contextmanager
def served(database_url: str) -> Iterator[str]:
    """Our web app in a thread; nobody answers where it looks for Prefect, so what it stores waits for the test."""
    config = Settings(database_url=database_url, prefect_port=9)
    with served_in_a_thread(create_app(config)) as url:
        yield url


@dataclass
class Live(Trade):
    """One connection with doors that the simulated ERP knows."""

    async def listen(self, web: str) -> dict[str, str]:
        """Make the doors and register them over there; topic → address."""
        webhooks = KINDS[self.kind].webhooks
        assert webhooks is not None
        async with self.db.write() as session:
            connection = await find(session, self.id)
            await doors.ensure(session, connection, webhooks.TOPICS, has_secret=webhooks.HAS_SECRET)
            secrets = {door.topic: door.secret for door in await doors.of(session, self.id)}
        found = {topic: f"{web}{path}" for topic, path in (await self.paths()).items()}
        if self.kind == "tagplus":
            for topic, names in EVENTS.items():
                body = {"nome_integracao": topic, "url": found[topic], "eventos": names, "hub_secret": secrets[topic]}
                self.sandbox.ask("POST", f"{self.account}/webhooks", **body)
        else:
            urls = {
                kind: found[topic]
                for kind, topic in (("pedidos", "pedidos"), ("estoque", "estoque"), ("nota_fiscal", "nota"))
            }
            self.sandbox.ask("POST", self.account, webhooks=urls)
            shop = {"produto": found["produto"], "precos": found["precos"]}
            self.sandbox.ask("POST", f"{self.account}/integrations", id=8390, name="Loja", webhooks=shop)
        return found

    async def paths(self) -> dict[str, str]:
        """Topic → path of its door."""
        async with self.db.read() as session:
            return {door.topic: f"{doors.PATH}/{door.key}" for door in await doors.of(session, self.id)}

    def arrive(self, **how: Any) -> None:
        """Have everything that was posted arrive; held events too, flushed as `how` says."""
        if how:
            self.sandbox.ask("POST", "/deliveries/flush", **how)
        assert self.sandbox.ask("POST", "/deliveries/wait", seconds=9)["idle"]

    async def drain(self) -> Summary:
        """See to what waits of this connection."""
        (summary,) = await drain(self.id, db=self.db)
        return summary

    # The schedules.

    async def pull_catalog(self) -> Summary:
        return await self._run("pull-catalog", CatalogSource, flows.pull_catalog.pull_one, False)

    async def pull_stock(self) -> Summary:
        return await self._run("pull-stock", StockSource, flows.pull_stock.pull_one, False)

    async def pull_invoices(self) -> Summary:
        return await self._run("pull-invoices", InvoiceSource, flows.pull_invoices.pull_one, False)

    # What happens over there.

    def key(self, sku: str) -> str:
        """Their id of a product."""
        rows = self.sandbox.ask("GET", f"{self.account}/products?sku={sku}")
        (found,) = [row for row in rows if row["codigo"] == sku]
        return str(found["id"])

    def count(self, sku: str, balance: int, **how: Any) -> None:
        deposit = {} if self.kind == "tagplus" else {"deposit": "Depósito Geral", "reserved": 0}
        self.sandbox.ask("POST", f"{self.account}/products/{self.key(sku)}/stock", balance=balance, **deposit, **how)

    def reprice(self, sku: str, price: str) -> None:
        """The merchant changes a price, and in Tiny sends the product to the shop, which is what its event tells."""
        word, value = ("valor_venda_varejo", float(price)) if self.kind == "tagplus" else ("preco", price)
        self.sandbox.ask("PATCH", f"{self.account}/products/{self.key(sku)}", **{word: value})
        if self.kind != "tagplus":
            self.sandbox.ask("POST", f"{self.account}/integrations/8390/send", sku=sku)

    def invoice(self, order_id: str, **how: Any) -> str:
        """The ERP issues and approves an order's note; its id."""
        return str(self.sandbox.ask("POST", f"{self.account}/orders/{order_id}/invoice", **how)["id"])

    def cancel_note(self, note_id: str, **how: Any) -> None:
        self.sandbox.ask("POST", f"{self.account}/invoices/{note_id}/cancel", **how)

    # What the store shows.

    def scopes(self) -> list[str]:
        """What the merchant of TagPlus has consented to."""
        scopes: list[str] = self.sandbox.ask("GET", self.account)["scopes"]
        return scopes

    async def consent(self, scopes: list[str]) -> None:
        """The merchant of TagPlus authorises once more, with these scopes."""
        tokens = self.sandbox.ask("POST", f"{self.account}/tokens", scopes=scopes)
        async with self.db.write() as session:
            found = await find(session, self.id)
            pair = {"access_token": tokens["access_token"], "refresh_token": tokens["refresh_token"]}
            found.credentials = {**found.credentials, **pair}
            found.credentials_version += 1
            session.add(found)

    async def shown(self) -> dict[str, tuple[str, str]]:
        """SKU → (price, stock)."""
        async with self.db.read() as session:
            rows = await session.execute(
                select(col(Product.sku), col(Price.list_price), col(Product.stock_quantity)).join(
                    Price, col(Price.product_id) == col(Product.id)
                )
            )
            return {sku: ("" if price is None else f"{price:.2f}", f"{stock or 0:.0f}") for sku, price, stock in rows}

    async def notes(self) -> list[str]:
        """The states of the invoices in the store."""
        async with self.db.read() as session:
            return list((await session.execute(select(col(Invoice.state)).order_by(col(Invoice.id)))).scalars())

    async def events(self) -> list[InboxEvent]:
        async with self.db.read() as session:
            rows = await session.execute(select(InboxEvent).order_by(col(InboxEvent.received_at), col(InboxEvent.id)))
            return list(rows.scalars())

    async def states(self) -> set[str]:
        """The states of the events."""
        return {event.state for event in await self.events()}


async def opened(db: Database, sandbox: Sandbox, kind: str, web: str, **policy: Any) -> Live:
    """A merchant with two products on both sides, bound and with a balance of ten, who listens."""
    policy = {"ecommerce_id": "" if kind == "tagplus" else "8390", **policy}
    if kind != "tagplus":
        sandbox.ask("POST", "/reset", catalog="empty")
        sandbox.account(plan="unlimited")
    live = await Live.open(db, sandbox, kind, **policy)
    assert isinstance(live, Live)
    if kind == "tiny_v2":  # with the extension of real-time stock: its list is what a lost event is found by
        async with db.write() as session:
            await learn(session, live.id, {"update_lists": True})
    for sku, price in (("CAN-1", "25.00"), ("CAN-2", "26.10")):
        if kind == "tagplus":
            await live.offer(sku, price)
        else:
            fields = {"codigo": sku, "nome": f"Produto {sku}", "preco": price, "estoque": 10}
            sandbox.ask("POST", f"{live.account}/products", **fields)
    if kind == "tagplus":
        await live.push()
        for sku in ("CAN-1", "CAN-2"):
            live.count(sku, 10)
    else:
        await live.pull_catalog()
    await live.pull_stock()
    await live.listen(web)
    return live
