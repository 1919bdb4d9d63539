"""Which products a connection is to get: those selected, or with send mode `automatic` all of them."""

from collections.abc import Collection

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import connections, outbox
from hub.clock import utcnow
from hub.db import chunked, upsert_rows
from hub.notices import clear_notices
from hub.policy import Policy
from hub.tables import Binding, Connection, OutboxEntry, Product, Selection


class UnknownSkuError(LookupError):
    """A SKU that no product of the merchant has."""


async def select_products(session: AsyncSession, connection: Connection, skus: Collection[str] | None) -> int:
    """Select products by SKU (None: every one that can be sold) and queue them; returns how many are new.

    The parent of variations stands for all of its variations: it cannot be sold itself. Raises UnknownSkuError, and
    then nothing was selected.
    """
    wanted = await _sellable(session, connection, skus)
    before = set(
        (
            await session.execute(
                select(col(Selection.product_id)).where(col(Selection.connection_id) == connection.id)
            )
        ).scalars()
    )
    new = sorted(wanted - before)
    rows = [
        {
            "connection_id": connection.id,
            "product_id": product_id,
            "merchant_id": connection.merchant_id,
            "selected_at": utcnow(),
        }
        for product_id in new
    ]
    table = Selection.__table__  # type: ignore[attr-defined]
    await upsert_rows(session, table, rows, key=["connection_id", "product_id"], update=[])
    target = outbox.Target(connection.id, frozenset(connection.features.get("takes", ())), selected_only=False)
    changed = [(product_id, group) for product_id in new for group in ("data", "price")]
    await outbox.enqueue(session, connection.merchant_id, changed, [target])
    return len(new)


async def catch_up(session: AsyncSession, connection_id: str, kinds: Collection[str]) -> None:
    """A connection that takes these kinds of record from now on gets all that the store has of them."""
    found = await connections.find(session, connection_id)
    await queue_everything(session, found, Policy.model_validate(found.policy), kinds)


async def queue_everything(
    session: AsyncSession, connection: Connection, policy: Policy, kinds: Collection[str]
) -> int:
    """Queue every product that can be sold, for a connection that gets products without choosing: with the stock only
    where the store keeps it, as that of a product which is over there already is the ERP's. Returns how many.

    What was in the store before the connection had brought it no entry, and would reach it with its next edit only.
    """
    if policy.send_mode != "automatic" or not outbox.CHOSEN_KINDS.intersection(kinds):
        return 0
    groups = ("data", "price") if policy.pull_stock else ("data", "price", "stock")
    target = outbox.Target(connection.id, frozenset(kinds), selected_only=False)
    everything = sorted(await _sellable(session, connection, None))
    for some in chunked(everything, outbox.CHUNK):
        changed = [(product_id, group) for product_id in some for group in groups]
        await outbox.enqueue(session, connection.merchant_id, changed, [target])
    return len(everything)


async def unselect_products(session: AsyncSession, connection: Connection, skus: Collection[str]) -> int:
    """Take products off the selection; what waits in the queue goes with it, and what was said of it.

    Over there nothing is removed. What is being sent at this moment, or may have been, is left to its sender.
    """
    wanted = await _sellable(session, connection, skus)
    gone = await session.execute(
        delete(Selection)
        .where(col(Selection.connection_id) == connection.id, col(Selection.product_id).in_(wanted))
        .returning(col(Selection.product_id))
    )
    dropped = set(gone.scalars())
    await session.execute(
        delete(OutboxEntry).where(
            col(OutboxEntry.connection_id) == connection.id,
            col(OutboxEntry.record_id).in_(dropped),
            col(OutboxEntry.kind).in_(["product", "price", "stock"]),
            col(OutboxEntry.state).in_(["pending", "failed", "skipped"]),
        )
    )
    await clear_notices(session, connection.merchant_id, connection.id, "product", dropped)
    return len(dropped)


async def is_selected(session: AsyncSession, connection_id: str, product_id: str) -> bool:
    """Whether the product was selected for the connection."""
    return await session.get(Selection, (connection_id, product_id)) is not None


async def not_integrated(session: AsyncSession, connection: Connection) -> list[str]:
    """SKUs of what could be sold but was not selected for the connection ("não integrado")."""
    rows = await session.execute(
        select(col(Product.sku))
        .outerjoin(
            Selection,
            (col(Selection.product_id) == col(Product.id)) & (col(Selection.connection_id) == connection.id),
        )
        .outerjoin(
            Binding,
            (col(Binding.record_id) == col(Product.id))
            & (col(Binding.connection_id) == connection.id)
            & (col(Binding.kind) == "product"),
        )
        .where(
            col(Product.merchant_id) == connection.merchant_id,
            col(Product.kind) != "parent",
            col(Product.active),
            col(Product.sku).is_not(None),
            col(Selection.product_id).is_(None),
            col(Binding.id).is_(None),
        )
        .order_by(col(Product.sku))
    )
    return [sku for sku in rows.scalars() if sku is not None]


async def _sellable(session: AsyncSession, connection: Connection, skus: Collection[str] | None) -> set[str]:
    query = select(Product).where(col(Product.merchant_id) == connection.merchant_id)
    if skus is None:
        mine = select(col(Product.id)).where(col(Product.merchant_id) == connection.merchant_id)
        return set((await session.execute(mine.where(col(Product.kind) != "parent", col(Product.active)))).scalars())
    named = list((await session.execute(query.where(col(Product.sku).in_(skus)))).scalars())
    missing = sorted(set(skus) - {product.sku for product in named if product.sku})
    if missing:
        raise UnknownSkuError(f"no product has the SKU {', '.join(missing[:10])}; see them: esteira export products")
    parents = [product.id for product in named if product.kind == "parent"]
    children = await session.execute(query.where(or_(col(Product.parent_id).in_(parents))))
    return {product.id for product in named if product.kind != "parent"} | {child.id for child in children.scalars()}
