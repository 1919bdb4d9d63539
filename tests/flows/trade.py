"""A merchant of the built-in store with ERPs that tell how an order moves on: Tiny by both of its APIs, and TagPlus."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import col

import flows.track_orders
from hub import connections, payments, progress
from hub.clock import utcnow
from hub.db import Database
from hub.notices import standing_notices
from hub.policy import Policy
from hub.records import Parcel
from hub.tables import Binding, Order, OutboxEntry, Shipment
from hub.tables.tenancy import ConnectionState
from providers.contract import OrderStateSource
from providers.registry import KINDS
from tasks.work import Summary
from tests.contract.subjects import Sandbox
from tests.contract.vendors import VENDORS
from tests.flows.erp import MERCHANT, Erp

LINES = [("CAN-1", "2", "25.00"), ("CAN-2", "1", "26.10")]
WRITES = {
    "tiny_v2": ("pedido.incluir", "pedido.alterar.situacao"),
    "tiny_v3": ("POST /pedidos", "PUT /pedidos/{id}/situacao"),
    "tagplus": ("POST /pedidos", "PATCH /pedidos/{id}"),
    "contaazul": ("POST /v1/venda", "PUT /v1/venda/{id}"),
}
"""Calls that make or move an order, as the sandbox's log names them."""


@dataclass
class Trade(Erp):
    """One connection of any kind that takes orders."""

    kind: str = ""

    @classmethod
    async def open(cls, db: Database, sandbox: Sandbox, kind: str, **policy: Any) -> "Trade":
        """Connect it, with its kind's defaults unless the policy says otherwise."""
        chosen = Policy(**{**KINDS[kind].defaults, "calls_per_minute": 0, **policy})
        async with db.write() as session:
            made = await connections.install(
                session,
                merchant=MERCHANT,
                kind=kind,
                side="erp",
                credentials=VENDORS[kind](sandbox).credentials(),  # type: ignore[arg-type]
                policy=chosen,
            )
            made.features = {"takes": list(KINDS[kind].takes)}
            made.state = ConnectionState.ACTIVE
        return cls(db, sandbox, made.id, kind)

    async def track(self, *, dry_run: bool = False) -> Summary:
        return await self._run("track-orders", OrderStateSource, flows.track_orders.track_one, dry_run)

    # What happens over there.

    @property
    def account(self) -> str:
        return f"/{'tagplus' if self.kind == 'tagplus' else 'tiny'}/accounts/demo"

    def there(self) -> list[dict[str, Any]]:
        """Their orders, as they are stored."""
        found: list[dict[str, Any]] = self.sandbox.ask("GET", f"{self.account}/orders")
        return found

    def stands(self) -> list[str]:
        """The situation or status of each of their orders, the oldest first."""
        word = "status" if self.kind == "tagplus" else "situacao"
        return [str(order[word]) for order in sorted(self.there(), key=lambda order: int(order["id"]))]

    def edit(self, external_id: str, **fields: Any) -> None:
        """The merchant edits an order in the ERP."""
        self.sandbox.ask("PATCH", f"{self.account}/orders/{external_id}", **fields)

    def delete(self, external_id: str) -> None:
        """The merchant deletes an order in the ERP."""
        self.sandbox.ask("DELETE", f"{self.account}/orders/{external_id}")

    def writes(self) -> list[str]:
        """The calls that made or moved an order since `forget`."""
        return [call["operation"] for call in self.sandbox.calls() if call["operation"] in WRITES[self.kind]]

    def forget(self) -> None:
        self.sandbox.ask("DELETE", "/calls")

    # What happens in the store, and what it knows.

    async def tell(self, number: str, stage: str, parcel: Parcel | None = None) -> None:
        """The store tells of its own progress."""
        async with self.db.write() as session:
            order = await payments.find(session, MERCHANT, number)
            await progress.advance(
                session, MERCHANT, order, stage, source_connection=None, as_of=utcnow(), parcel=parcel
            )

    async def cancel(self, number: str) -> None:
        async with self.db.write() as session:
            await payments.cancel(session, MERCHANT, number)

    async def known(self, number: str) -> Order:
        async with self.db.read() as session:
            found = await session.execute(select(Order).where(col(Order.number) == number))
            return found.scalar_one()

    async def bound(self, number: str) -> Binding:
        """Where the order is on this connection."""
        order = await self.known(number)
        async with self.db.read() as session:
            mine = (col(Binding.connection_id) == self.id, col(Binding.kind) == "order")
            found = await session.execute(select(Binding).where(*mine, col(Binding.record_id) == order.id))
            return found.scalar_one()

    async def parcels(self) -> list[Shipment]:
        async with self.db.read() as session:
            return list((await session.execute(select(Shipment))).scalars())

    async def waiting(self) -> list[str]:
        """The states of this connection's order entries."""
        async with self.db.read() as session:
            mine = (col(OutboxEntry.connection_id) == self.id, col(OutboxEntry.kind) == "order")
            return list((await session.execute(select(col(OutboxEntry.state)).where(*mine))).scalars())

    async def told(self) -> list[str]:
        """What the merchant is told, by code."""
        async with self.db.read() as session:
            return sorted(notice.code for notice in await standing_notices(session, MERCHANT))


async def opened(db: Database, sandbox: Sandbox, kind: str, **policy: Any) -> Trade:
    """A shop of two products that both sides know, which hands over its orders as they are placed."""
    made = await Trade.open(db, sandbox, kind, **{"orders": "all", **policy})
    for sku, price in (("CAN-1", "25.00"), ("CAN-2", "26.10")):
        await made.offer(sku, price)
        if kind == "tiny_v3":
            sandbox.ask("POST", f"{made.account}/products", codigo=sku, nome=f"Produto {sku}", preco=price)
    return made
