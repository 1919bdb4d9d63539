"""`esteira export`: what the hub knows of a merchant, as a spreadsheet that a Brazilian Excel opens as it is."""

from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from deployments.commands import _merchants as merchants
from deployments.commands import _shown as shown
from deployments.commands._columns import ORDERS, PRODUCTS, head
from deployments.commands._hub import opened
from deployments.commands._sheets import write_sheet
from hub import selling
from hub.clock import format_br
from hub.db import Database
from hub.tables import Address, Connection, Customer, Invoice, Notice, Order, OrderItem, Product
from hub.texts import label
from hub.types import plain
from web.api.notices import notice_out
from web.api.products import shown as products_shown

PIECE = 500
INVOICES = ("chave", "numero", "serie", "modelo", "situacao", "protocolo", "pedido", "total", "emitida_em", "link")
NOTICES = ("desde", "aviso", "conexao", "sobre", "titulo", "texto", "o_que_fazer", "resolvido_em")
STATES = {"created": "criado", "paid": "pago", "cancelled": "cancelado", "refunded": "devolvido"}
PAYMENT_STATES = {**STATES, "pending": "pendente", "partly_paid": "pago em parte"}


async def run(what: str, path: Path, merchant: str, *, force: bool, as_json: bool) -> None:
    """Write a merchant's products, orders, invoices or notices into a file."""
    makers = {"products": _products, "orders": _orders, "invoices": _invoices, "notices": _notices}
    async with opened() as db:
        merchant_id = await merchants.find(db, merchant)
        columns, rows = await makers[what](db, merchant_id)
    cut = write_sheet(path, columns, rows, force=force)
    if cut:
        shown.warn(f"{cut} texts are longer than a cell of Excel holds and were cut; CSV has them whole")
    if as_json:
        shown.as_json({"what": what, "file": str(path), "rows": len(rows), "cut": cut})
    else:
        shown.say(f"{what}: {len(rows)} rows in {path}")


Made = tuple[tuple[str, ...], list[dict[str, Any]]]


async def _products(db: Database, merchant_id: str) -> Made:
    columns = (*(head(PRODUCTS, name) for name in PRODUCTS), "atualizado_em")
    rows = []
    query = select(Product).where(col(Product.merchant_id) == merchant_id)
    async for session, found in _pieces(db, query, Product):
        for product in await products_shown(session, found):
            told = product.model_dump()
            told |= {**told.pop("price"), "pictures": " ".join(product.pictures), "active": _yes(product.active)}
            row = {head(PRODUCTS, name): _number(told[name]) for name in PRODUCTS}
            rows.append({**row, "atualizado_em": format_br(product.updated_at)})
    return columns, rows


async def _orders(db: Database, merchant_id: str) -> Made:
    """One row an item, as they are imported."""
    columns = (
        *(head(ORDERS, name) for name in ORDERS),
        "situacao",
        "situacao_do_pagamento",
        "andamento",
        "atualizado_em",
    )
    rows: list[dict[str, Any]] = []
    query = select(Order).where(col(Order.merchant_id) == merchant_id)
    async for session, found in _pieces(db, query, Order):
        ids = [order.id for order in found]
        lines = await session.execute(
            select(OrderItem)
            .where(col(OrderItem.order_id).in_(ids))
            .order_by(col(OrderItem.order_id), col(OrderItem.position))
        )
        items: dict[str, list[OrderItem]] = {}
        for line in lines.scalars():
            items.setdefault(line.order_id, []).append(line)
        where = (col(Address.order_id).in_(ids), col(Address.role) == "delivery")
        addresses = {a.order_id: a for a in (await session.execute(select(Address).where(*where))).scalars()}
        buyers = select(Customer).where(col(Customer.id).in_({order.customer_id for order in found}))
        customers = {c.id: c for c in (await session.execute(buyers)).scalars()}
        for order in found:
            whole = _order(order, customers.get(order.customer_id or ""), addresses.get(order.id))
            rows += [{**whole, **_item(item)} for item in items.get(order.id, [])]
    return columns, rows


def _order(order: Order, customer: Customer | None, address: Address | None) -> dict[str, Any]:
    told: dict[str, Any] = {
        "number": order.number,
        "placed_at": _time(order.placed_at),
        "discount": _money(order.discount),
        "freight": _money(order.freight),
        "total": _money(order.total),
        "payment_method": order.payment_method,
        "instalments": order.instalments,
        "paid": _yes(order.paid_at is not None),
        "paid_at": _time(order.paid_at),
        "notes": order.notes,
        "source": order.source,
    }
    if customer is not None:
        told |= {f"customer.{name}": getattr(customer, name) for name in ("name", "document", "email", "phone")}
    if address is not None:
        told |= {f"delivery.{name}": value for name, value in address.details.items()}
    row = {head(ORDERS, name): value for name, value in told.items() if name in ORDERS}
    return row | {
        "situacao": STATES.get(order.state, order.state),
        "situacao_do_pagamento": PAYMENT_STATES.get(order.payment_state, order.payment_state),
        "andamento": label("stage", selling.stage(order)),
        "atualizado_em": format_br(order.updated_at),
    }


def _item(item: OrderItem) -> dict[str, Any]:
    return {
        head(ORDERS, "item.sku"): item.sku,
        head(ORDERS, "item.name"): item.name,
        head(ORDERS, "item.quantity"): _number(item.quantity),
        head(ORDERS, "item.unit_price"): _number(item.unit_price),
        head(ORDERS, "item.discount"): _money(item.discount),
    }


async def _invoices(db: Database, merchant_id: str) -> Made:
    rows = []
    query = select(Invoice).where(col(Invoice.merchant_id) == merchant_id)
    async for session, found in _pieces(db, query, Invoice):
        ids = {invoice.order_id for invoice in found if invoice.order_id}
        numbers = await session.execute(select(col(Order.id), col(Order.number)).where(col(Order.id).in_(ids)))
        of = dict(numbers.tuples().all())
        rows += [
            dict(
                zip(
                    INVOICES,
                    (
                        invoice.access_key,
                        invoice.number,
                        invoice.series,
                        invoice.model,
                        invoice.state,
                        invoice.protocol,
                        of.get(invoice.order_id or "", ""),
                        _money(invoice.total),
                        _time(invoice.issued_at),
                        invoice.link,
                    ),
                    strict=True,
                )
            )
            for invoice in found
        ]
    return INVOICES, rows


async def _notices(db: Database, merchant_id: str) -> Made:
    """Those that stand and those that are settled."""
    async with db.read() as session:
        known = select(col(Connection.id), col(Connection.kind)).where(col(Connection.merchant_id) == merchant_id)
        kinds = dict((await session.execute(known)).tuples().all())
    rows = []
    async for _, found in _pieces(db, select(Notice).where(col(Notice.merchant_id) == merchant_id), Notice):
        for notice in found:
            told = notice_out(notice, kinds.get(notice.connection_id, ""))
            cells = (
                format_br(told.first_at),
                told.code,
                told.connection,
                told.about,
                told.title,
                told.body,
                told.action,
                _time(told.cleared_at),
            )
            rows.append(dict(zip(NOTICES, cells, strict=True)))
    return NOTICES, rows


async def _pieces(db: Database, query: Any, model: Any) -> AsyncIterator[tuple[AsyncSession, list[Any]]]:
    """Rows by id in pieces, each with the session it was read in."""
    last, done = "", 0
    while True:
        async with db.read() as session:
            rows = await session.execute(query.where(col(model.id) > last).order_by(col(model.id)).limit(PIECE))
            found = list(rows.scalars())
            if found:
                yield session, found
        done += len(found)
        if len(found) < PIECE:
            return
        last = found[-1].id
        shown.warn(f"{done} rows")


def _yes(is_so: bool) -> str:
    return "sim" if is_so else "não"


def _time(at: datetime | None) -> str:
    return format_br(at) if at else ""


def _money(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else amount.quantize(Decimal("0.01"))


def _number(value: Any) -> Any:
    """A number with two decimals at least, and never just three: "1,234" would be one of two when it is read again."""
    if not isinstance(value, Decimal):
        return value
    places = len(plain(value).partition(".")[2])
    if places == 0:
        return Decimal(plain(value))
    return value.quantize(Decimal(1).scaleb(-{1: 2, 3: 4}.get(places, places)))
