"""The part of `esteira demo` that plays real time: the ERPs change things, their webhooks come, the store shows it.

A drain stays meanwhile, as a flow run of this process; the web app that takes the webhooks is a process of its own.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
from sqlalchemy import select
from sqlmodel import col

from deployments.commands import _shown as shown
from deployments.commands._checking import check
from hub import connections, doors, leases, store
from hub.clock import utcnow
from hub.connections import slug
from hub.db import Database
from hub.orders import Buyer, Line, PlacedOrder, put_order
from hub.payments import pay
from hub.policy import Policy
from hub.records import ProductKind, ProductRecord
from hub.settings import settings
from hub.store import Offer
from hub.tables import Binding, Invoice, Order, Price, Product

MERCHANT = "Loja Tempo Real"
TINY, TAGPLUS = "loja-demo-tiny", "loja-tempo-real-tagplus"
QUIET_S = "3"
LONGEST_S = 30.0
EVENTS = {
    "produto": ["produto_alterado", "estoque_revenda_alterado"],
    "pedido": ["pedido_alterado"],
    "nota": ["nfe_aprovada", "nfe_cancelada", "nfe_denegada"],
}


@dataclass(frozen=True, slots=True)
class Played:
    """One change: where, what, and how soon the store showed it (None: not at all)."""

    system: str
    what: str
    before: str
    after: str
    seconds: float | None


async def play(db: Database, sandbox: str, web: str) -> list[Played]:
    """Connect TagPlus, give both ERPs the doors, and play; a table tells how it went."""
    order_id = await _tagplus(db, sandbox)
    await asyncio.to_thread(_listen, sandbox, await _paths(db, TINY), await _paths(db, TAGPLUS), web)
    shown.say("\n… the ERPs change things; each change is a webhook, its effect a look into the store …\n")
    async with _drain(db):
        played = [
            await _one("Olist Tiny", "a balance moves", lambda: _count(sandbox, 41), _stock(db, "CAN-300")),
            await _one("Olist Tiny", "a price changes", lambda: _reprice(sandbox, "44.90"), _price(db, "CAN-300")),
            await _one("TagPlus", "a balance moves", lambda: _tagplus_count(sandbox, 9), _stock(db, "VIVO-1")),
            await _one("TagPlus", "a price changes", lambda: _tagplus_reprice(sandbox), _price(db, "VIVO-1")),
            await _one("TagPlus", "an invoice is approved", lambda: _invoice(sandbox, order_id), _note(db)),
        ]
    rows = [
        (one.system, one.what, one.before, one.after, "never" if one.seconds is None else f"{one.seconds:.2f}")
        for one in played
    ]
    shown.table("Real time: ERP → webhook → store", ("ERP", "what", "store before", "after", "seconds"), rows)
    return played


async def _one(system: str, what: str, change: Callable[[], None], look: Callable[[], Awaitable[str]]) -> Played:
    """Change something over there, and look into the store until it shows something else."""
    before = await look()
    began = time.monotonic()
    await asyncio.to_thread(change)
    while time.monotonic() - began < LONGEST_S:
        after = await look()
        if after != before:
            return Played(system, what, before, after, time.monotonic() - began)
        await asyncio.sleep(0.02)
    return Played(system, what, before, before, None)


@asynccontextmanager
async def _drain(db: Database) -> AsyncIterator[None]:
    """A drain that lives while the block runs, and ends by itself when it has been quiet for a few seconds.

    When the block breaks it ends at once: one that nobody waits for would work on while its database is closed.
    """
    from flows.drain_inbox import drain_inbox  # noqa: PLC0415 imports Prefect, after its settings are there
    from tasks.drain import PATH  # noqa: PLC0415

    os.environ["ESTEIRA_INBOX_QUIET_S"] = QUIET_S
    settings.cache_clear()
    draining = asyncio.create_task(drain_inbox())
    try:
        while not draining.done():
            async with db.read() as session:
                if await leases.is_held(session, PATH):
                    break
            await asyncio.sleep(0.05)
        yield
        await draining
    finally:
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)


async def _tagplus(db: Database, sandbox: str) -> str:
    """A second shop, whose products and paid order go to the simulated TagPlus; the order's id there."""
    from flows.export_orders import export_orders  # noqa: PLC0415
    from flows.push_products import push_products  # noqa: PLC0415

    tokens = await asyncio.to_thread(_post, f"{sandbox}/_sandbox/tagplus/accounts/demo/tokens")
    async with db.write() as session:
        await connections.install(
            session,
            merchant=MERCHANT,
            kind="tagplus",
            side="erp",
            credentials={
                "client_id": "demo-client",
                "client_secret": "demo-client-secret",
                "access_token": tokens["access_token"],
                "refresh_token": tokens["refresh_token"],
                "lifetime_s": tokens["expires_in"],
            },
            policy=Policy(calls_per_minute=0, pull_products=False, pull_prices=True),
            connection_id=TAGPLUS,
        )
    found = await check(db, TAGPLUS)
    shown.say(f"\nconnected {TAGPLUS}: account {found.account!r}, whose webhooks carry a secret of ours\n")
    await _sell(db)
    with shown.progress():
        await push_products(TAGPLUS)
        await export_orders(TAGPLUS)
    async with db.read() as session:
        mine = (col(Binding.connection_id) == TAGPLUS, col(Binding.kind) == "order")
        return (await session.execute(select(col(Binding.external_id)).where(*mine))).scalar_one()


async def _sell(db: Database) -> None:
    merchant, price = slug(MERCHANT), Decimal("32.40")
    record = ProductRecord(
        external_id="VIVO-1",
        kind=ProductKind.SIMPLE,
        name="Caneca ao vivo",
        sku="VIVO-1",
        unit="UN",
        ncm="69120000",
        list_price=price,
    )
    placed = PlacedOrder(
        number="VIVO-1001",
        placed_at=utcnow(),
        buyer=Buyer("Cliente Um da Loja Demo", "529.982.247-25", "um@cliente.example"),
        lines=(Line("VIVO-1", "Caneca ao vivo", Decimal(2), price),),
        total=2 * price,
        payment_method="pix",
    )
    async with db.write() as session:
        await store.put_product(session, merchant, Offer(record))
        await store.set_stock(session, merchant, "VIVO-1", Decimal(20))
        await put_order(session, merchant, placed)
        await pay(session, merchant, placed.number, "pagamento-1", placed.total)


async def _paths(db: Database, connection_id: str) -> dict[str, tuple[str, str]]:
    """Topic → (path, secret)."""
    async with db.read() as session:
        found = await doors.of(session, connection_id)
    return {door.topic: (f"{doors.PATH}/{door.key}", door.secret) for door in found}


# What the store shows.


def _stock(db: Database, sku: str) -> Callable[[], Awaitable[str]]:
    return lambda: _value(db, select(col(Product.stock_quantity)).where(col(Product.sku) == sku))


def _price(db: Database, sku: str) -> Callable[[], Awaitable[str]]:
    query = select(col(Price.list_price)).join(Product, col(Product.id) == col(Price.product_id))
    return lambda: _value(db, query.where(col(Product.sku) == sku))


def _note(db: Database) -> Callable[[], Awaitable[str]]:
    query = select(col(Invoice.number)).join(Order, col(Order.id) == col(Invoice.order_id))
    return lambda: _value(db, query.where(col(Order.number) == "VIVO-1001"))


async def _value(db: Database, query: Any) -> str:
    async with db.read() as session:
        found = (await session.execute(query)).scalar_one_or_none()
    return "–" if found is None else f"{found:f}" if isinstance(found, Decimal) else str(found)


# What the merchants do in their ERPs.


def _listen(sandbox: str, tiny: dict[str, tuple[str, str]], tagplus: dict[str, tuple[str, str]], web: str) -> None:
    account = f"{sandbox}/_sandbox/tiny/accounts/demo"
    _post(account, webhooks={"estoque": f"{web}{tiny['estoque'][0]}"})
    shop = {"produto": f"{web}{tiny['produto'][0]}"}
    _post(f"{account}/integrations", id=8390, name="Loja Demo", webhooks=shop)
    for topic, names in EVENTS.items():
        path, secret = tagplus[topic]
        body = {"nome_integracao": topic, "url": f"{web}{path}", "eventos": names, "hub_secret": secret}
        _post(f"{sandbox}/_sandbox/tagplus/accounts/demo/webhooks", **body)


def _count(sandbox: str, balance: int) -> None:
    account, mug = _mug(sandbox)
    deposit = next(iter(mug["estoque"]))
    _post(f"{account}/products/{mug['id']}/stock", deposit=deposit, balance=balance, reserved=0)


def _reprice(sandbox: str, price: str) -> None:
    """In Tiny the merchant edits a product and sends it to the shop; that is what Tiny tells."""
    account, mug = _mug(sandbox)
    httpx.patch(f"{account}/products/{mug['id']}", json={"preco": price}).raise_for_status()
    _post(f"{account}/integrations/8390/send", id=mug["id"])


def _mug(sandbox: str) -> tuple[str, dict[str, Any]]:
    account = f"{sandbox}/_sandbox/tiny/accounts/demo"
    return account, httpx.get(f"{account}/products", params={"sku": "CAN-300"}).raise_for_status().json()[0]


def _tagplus_count(sandbox: str, balance: int) -> None:
    account, product = _tagplus_product(sandbox)
    _post(f"{account}/products/{product}/stock", balance=balance)


def _tagplus_reprice(sandbox: str) -> None:
    account, product = _tagplus_product(sandbox)
    httpx.patch(f"{account}/products/{product}", json={"valor_venda_varejo": 35.9}).raise_for_status()


def _tagplus_product(sandbox: str) -> tuple[str, str]:
    account = f"{sandbox}/_sandbox/tagplus/accounts/demo"
    return account, httpx.get(f"{account}/products", params={"sku": "VIVO-1"}).raise_for_status().json()[0]["id"]


def _invoice(sandbox: str, order_id: str) -> None:
    _post(f"{sandbox}/_sandbox/tagplus/accounts/demo/orders/{order_id}/invoice")


def _post(address: str, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = httpx.post(address, json=body).raise_for_status().json()
    return found
