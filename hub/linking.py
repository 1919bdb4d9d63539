"""References between records that came in any order: a variation's parent, a kit's components, related products.

A vendor's pages do not put the parent before its variations. So each record keeps the vendor's id of what it refers to,
and whenever both ends are bound the reference is made ours. Only references that are open or point elsewhere are
touched: with none of these nothing is written.
"""

from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col

from hub.tables import Binding, Connection, KitItem, Product, RelatedProduct


async def link(session: AsyncSession, connection: Connection) -> int:
    """Close every reference of this connection's records that can be closed now; returns how many."""
    closed = await _link_parents(session, connection)
    for model, owner, reference, target in (
        (KitItem, "kit_id", "component_ref", "component_id"),
        (RelatedProduct, "product_id", "related_ref", "related_id"),
    ):
        closed += await _link_parts(session, connection, model, owner, reference, target)
    return closed


async def _link_parents(session: AsyncSession, connection: Connection) -> int:
    own, parent = aliased(Binding), aliased(Binding)
    rows = await session.execute(
        select(col(Product.id), col(parent.record_id))
        .join(own, col(own.record_id) == col(Product.id))
        .join(
            parent,
            (col(parent.connection_id) == col(own.connection_id))
            & (col(parent.kind) == "product")
            & (col(parent.external_id) == col(own.parent_ref)),
        )
        .where(
            col(Product.merchant_id) == connection.merchant_id,
            col(Product.kind) == "variation",
            or_(col(Product.parent_id).is_(None), col(Product.parent_id) != col(parent.record_id)),
            col(own.connection_id) == connection.id,
            col(own.kind) == "product",
        )
    )
    found = [{"b_id": product, "parent_id": of} for product, of in rows if product != of]
    table = Product.__table__  # type: ignore[attr-defined]
    if found:
        await session.execute(update(table).where(table.c.id == bindparam("b_id")), found)
    return len(found)


async def _link_parts(
    session: AsyncSession, connection: Connection, model: Any, owner: str, reference: str, target: str
) -> int:
    table = model.__table__
    whole, part = aliased(Binding), aliased(Binding)
    rows = await session.execute(
        select(table.c[owner], table.c.position, col(part.record_id))
        .join(whole, col(whole.record_id) == table.c[owner])
        .join(
            part,
            (col(part.connection_id) == col(whole.connection_id))
            & (col(part.kind) == "product")
            & (col(part.external_id) == table.c[reference]),
        )
        .where(
            table.c.merchant_id == connection.merchant_id,
            table.c[target].is_(None),
            col(whole.connection_id) == connection.id,
            col(whole.kind) == "product",
        )
    )
    found = [{"b_owner": of, "b_position": position, target: record} for of, position, record in rows]
    if found:
        here = (table.c[owner] == bindparam("b_owner"), table.c.position == bindparam("b_position"))
        await session.execute(update(table).where(*here), found)
    return len(found)
