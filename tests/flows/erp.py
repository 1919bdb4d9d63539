"""A merchant of the built-in store with a Conta Azul account in the sandbox: sells, sends, looks over there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlmodel import col

import flows.export_orders
import flows.push_products
from hub import connections, payments, selection, store
from hub.db import Database
from hub.notices import standing_notices
from hub.orders import Buyer, Line, PlacedOrder, put_order
from hub.policy import Policy
from hub.records import ProductKind, ProductRecord
from hub.store import Offer
from hub.tables import OutboxEntry
from hub.tables.tenancy import ConnectionState
from providers.contract import OrderSink, ProductSink
from tasks.paths import run_path
from tasks.work import Summary
from tests.contract.subjects import Sandbox

MERCHANT = "loja-sol"
ACCOUNT = "/contaazul/accounts/demo"
CPF = "52998224725"


@dataclass
class Erp:
    """One connection to Conta Azul, send mode `selected` unless the policy says otherwise."""

    db: Database
    sandbox: Sandbox
    id: str

    @classmethod
    async def connect(cls, db: Database, sandbox: Sandbox, **policy: Any) -> "Erp":
        sandbox.ask("POST", ACCOUNT, per_second=None, per_minute=None)
        tokens = sandbox.ask("POST", f"{ACCOUNT}/tokens")
        async with db.write() as session:
            made = await connections.install(
                session,
                merchant=MERCHANT,
                kind="contaazul",
                side="erp",
                credentials={
                    "client_id": "demo-client",
                    "client_secret": "demo-client-secret",
                    "access_token": tokens["access_token"],
                    "refresh_token": tokens["refresh_token"],
                    "lifetime_s": tokens["expires_in"],
                },
                policy=Policy(**{"calls_per_minute": 0, "send_mode": "selected", **policy}),
            )
            made.features = {"takes": ["product", "price", "order"]}
            made.state = ConnectionState.ACTIVE
        return cls(db, sandbox, made.id)

    # The store.

    async def offer(self, sku: str, price: str | None, **rest: Any) -> None:
        """Put a product into the store, or change it."""
        record = ProductRecord(
            external_id=sku,
            kind=ProductKind.SIMPLE,
            name=rest.pop("name", f"Produto {sku}"),
            sku=sku,
            list_price=Decimal(price) if price else None,
            **rest,
        )
        async with self.db.write() as session:
            await store.put_product(session, MERCHANT, Offer(record))

    async def select(self, *skus: str) -> None:
        async with self.db.write() as session:
            connection = await connections.find(session, self.id)
            await selection.select_products(session, connection, skus or None)

    async def order(
        self, number: str, lines: Sequence[tuple[str, str, str]], *, pay: bool = True, document: str = CPF, **rest: Any
    ) -> None:
        """Hand in an order of (SKU, quantity, unit price) lines, paid in full unless said otherwise."""
        made = placed(number, lines, document=document, **rest)
        async with self.db.write() as session:
            await put_order(session, MERCHANT, made)
        if pay:
            await self.pay(number, made.total)

    async def pay(self, number: str, amount: Decimal, reference: str = "p1") -> None:
        async with self.db.write() as session:
            await payments.pay(session, MERCHANT, number, reference, amount)

    # The flows.

    async def push(self, *, dry_run: bool = False) -> Summary:
        return await self._run("push-products", ProductSink, flows.push_products.push_one, dry_run)

    async def export(self, *, dry_run: bool = False) -> Summary:
        return await self._run("export-orders", OrderSink, flows.export_orders.export_one, dry_run)

    # What is known on both sides.

    def products(self) -> dict[str, dict[str, Any]]:
        """Their products by SKU; fails when there are two of one."""
        found: list[dict[str, Any]] = self.sandbox.ask("GET", f"{ACCOUNT}/products")
        by_sku = {product["codigo_sku"]: product for product in found}
        assert len(by_sku) == len(found), "a product is there twice"
        return by_sku

    def sales(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sandbox.ask("GET", f"{ACCOUNT}/sales")
        return found

    def people(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.sandbox.ask("GET", f"{ACCOUNT}/people")
        return found

    async def entries(self) -> dict[tuple[str, str], str]:
        """(kind, record) → state of everything queued."""
        async with self.db.read() as session:
            rows = await session.execute(select(OutboxEntry).where(col(OutboxEntry.connection_id) == self.id))
            return {(entry.kind, entry.record_id): entry.state for entry in rows.scalars()}

    async def notices(self) -> list[str]:
        """The codes of the standing notices."""
        async with self.db.read() as session:
            return sorted(notice.code for notice in await standing_notices(session, MERCHANT))

    async def _run(self, path: str, needs: type, steps: Any, dry_run: bool) -> Summary:
        (summary,) = await run_path(path, needs, steps, self.id, wanted=lambda _: True, dry_run=dry_run, db=self.db)
        return summary


def placed(number: str, lines: Sequence[tuple[str, str, str]], document: str = CPF, **rest: Any) -> PlacedOrder:
    """An order of (SKU, quantity, unit price) lines."""
    goods = sum((Decimal(quantity) * Decimal(price) for _, quantity, price in lines), Decimal(0))
    total = goods - rest.get("discount", Decimal(0)) + rest.get("freight", Decimal(0))
    return PlacedOrder(
        number=number,
        placed_at=rest.pop("placed_at", datetime.now(UTC)),
        buyer=Buyer(
            name=rest.pop("buyer_name", "Comprador de Teste"),
            document=document,
            email=rest.pop("email", "comprador@loja.example"),
            phone=rest.pop("phone", ""),
        ),
        lines=tuple(Line(sku, f"Produto {sku}", Decimal(q), Decimal(price)) for sku, q, price in lines),
        total=rest.pop("total", total),
        payment_method=rest.pop("payment_method", "pix"),
        **rest,
    )
