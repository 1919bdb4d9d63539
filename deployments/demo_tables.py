"""The tables that `esteira demo` shows: one a path, and what was done."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlmodel import col

from deployments.commands import _shown as shown
from hub import money, texts
from hub.db import Database
from hub.notices import standing_notices
from hub.policy import Policy
from hub.tables import Binding, Connection, Invoice, Order, Picture, Price, Product

if TYPE_CHECKING:
    from tasks.work import Summary

SAMPLE = 3


async def catalogue(db: Database) -> None:
    """What came in from Tiny."""
    async with db.read() as session:
        counts = await session.execute(
            select(col(Product.kind), func.count(), func.count(col(Product.stock_quantity)))
            .where(col(Product.active))
            .group_by(col(Product.kind))
            .order_by(col(Product.kind))
        )
        kinds = list(counts.tuples())
        pictures = select(func.count()).where(col(Picture.product_id) == col(Product.id)).scalar_subquery()
        sample = await session.execute(
            select(
                col(Product.sku),
                col(Product.name),
                col(Price.list_price),
                col(Price.promotional_price),
                col(Product.stock_quantity),
                pictures,
            )
            .join(Price, col(Price.product_id) == col(Product.id))
            .where(col(Price.promotional_price).is_not(None), col(Product.stock_quantity).is_not(None))
            .order_by(col(Product.sku))
            .limit(SAMPLE)
        )
        rows = [
            (sku, name[:40], money.brl(price or 0), money.brl(promotional or 0), stock, count)
            for sku, name, price, promotional, stock, count in sample
        ]
    shown.table("Tiny → store", ("what", "products", "with stock"), kinds)
    shown.table("Three of them", ("SKU", "name", "price", "promotional", "stock", "pictures"), rows)


async def pushed(db: Database, connection_id: str) -> None:
    """What stands in Conta Azul, and at which price."""
    async with db.read() as session:
        connection = await session.get(Connection, connection_id)
        rule = Policy.model_validate(connection.policy).price_adjustment if connection else money.percent(0)
        rows = await session.execute(
            select(col(Product.sku), col(Product.name), col(Price.list_price), col(Binding.external_id))
            .join(Price, col(Price.product_id) == col(Product.id))
            .join(Binding, col(Binding.record_id) == col(Product.id))
            .where(col(Binding.connection_id) == connection_id, col(Binding.kind) == "product")
            .order_by(col(Product.sku))
        )
        told = [
            (sku, name[:40], money.brl(price or 0), money.brl(money.adjust(price or money.money(0), rule)), there)
            for sku, name, price, there in rows
        ]
    shown.table(
        "Store → Conta Azul: products", ("SKU", "name", "store's price", f"sent ({rule:+} %)", "id there"), told
    )


async def exported(db: Database, connection_id: str) -> None:
    """What became of each order."""
    async with db.read() as session:
        rows = await session.execute(
            select(col(Order.number), col(Order.payment_state), col(Order.total), col(Binding.external_id))
            .outerjoin(
                Binding,
                (col(Binding.record_id) == col(Order.id))
                & (col(Binding.connection_id) == connection_id)
                & (col(Binding.kind) == "order"),
            )
            .order_by(col(Order.number))
        )
        told = [
            (number, state, money.brl(total or 0), there or "not sent: only paid orders are")
            for number, state, total, there in rows
        ]
    shown.table("Store → Conta Azul: orders", ("order", "payment", "total", "sale there"), told)


async def invoiced(db: Database) -> None:
    """The invoices that came back."""
    async with db.read() as session:
        rows = await session.execute(
            select(
                col(Order.number),
                col(Invoice.number),
                col(Invoice.series),
                col(Invoice.access_key),
                col(Invoice.total),
                col(Invoice.state),
            )
            .join(Order, col(Order.id) == col(Invoice.order_id))
            .order_by(col(Order.number))
        )
        told = [(order, nf, series, key, money.brl(total or 0), state) for order, nf, series, key, total, state in rows]
    columns = ("order", "NF-e", "series", "access key", "value", "state")
    shown.table("Conta Azul → store: invoices", columns, told)


async def summary(db: Database, rounds: Sequence[tuple[str, "Summary"]], home: str) -> None:
    """The notices that stand, what each run did, and how to see more."""
    async with db.read() as session:
        notices = await standing_notices(session)
        kinds = dict((await session.execute(select(col(Connection.id), col(Connection.kind)))).tuples().all())
    told = [texts.render(n.code, {"kind": kinds.get(n.connection_id, ""), **n.params}) for n in notices]
    shown.table("Avisos ao lojista", ("aviso", "o que fazer"), [(text.title, text.action) for text in told])
    columns = ("run", "how", "read", "created", "changed", "unchanged", "refused", "calls", "seconds")
    rows = [
        (
            title,
            one.tally.mode,
            one.tally.read,
            one.tally.created,
            one.tally.changed,
            one.tally.unchanged,
            one.tally.failed,
            one.tally.calls,
            round(one.tally.seconds, 1),
        )
        for title, one in rounds
    ]
    shown.table("What was done", columns, rows)
    shown.say(
        f"\nSee more:\n"
        f"  ESTEIRA_HOME={home} .venv/bin/esteira status     connections, runs, notices of this demo\n"
        f"  ESTEIRA_HOME={home} .venv/bin/esteira notices    each notice in full\n"
        f"  make up                                        leave it all running, with Prefect's UI\n"
    )
