"""Who bought: one customer a document, found by its blind index; a guest without one is a customer an order."""

from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import crypto
from hub.clock import utcnow
from hub.db import upsert_rows
from hub.ids import new_id
from hub.tables import Customer, Order

DOCUMENT = "customer.document"
"""The purpose of the blind index by which customers are found."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who bought. `document` is a CPF or CNPJ, masked or not; empty for a guest without one."""

    name: str = field(repr=False)
    document: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)


async def link_buyer(session: AsyncSession, order: Order, buyer: Buyer) -> None:
    """The customer of that document, made if there is none; a guest without a document is one customer an order."""
    before = await session.get(Customer, order.customer_id) if order.customer_id else None
    if buyer.document:
        customer = await _by_document(session, order.merchant_id, buyer)
    elif before is not None and before.document_index is None:
        customer = before
    else:
        customer = Customer(merchant_id=order.merchant_id)
        session.add(customer)
    given = {"name": buyer.name, "email": buyer.email, "phone": buyer.phone}
    changed = {name: value for name, value in given.items() if value and getattr(customer, name) != value}
    for name, value in changed.items():
        setattr(customer, name, value)
    if changed:
        customer.updated_at = utcnow()
    await session.flush()
    order.customer_id = customer.id
    await session.flush()
    if before is not None and before.document_index is None and before.id != customer.id:
        await session.delete(before)  # the guest has turned out to be somebody: nothing personal stays behind


async def _by_document(session: AsyncSession, merchant_id: str, buyer: Buyer) -> Customer:
    now = utcnow()
    row = {
        "id": new_id(),
        "merchant_id": merchant_id,
        "document_index": crypto.blind_index(buyer.document, DOCUMENT),
        "document": buyer.document,
        "name": buyer.name,
        "email": buyer.email,
        "phone": buyer.phone,
        "created_at": now,
        "updated_at": now,
    }
    table = Customer.__table__  # type: ignore[attr-defined]
    await upsert_rows(session, table, [row], key=["merchant_id", "document_index"], update=[])
    query = select(Customer).where(
        col(Customer.merchant_id) == merchant_id, col(Customer.document_index) == row["document_index"]
    )
    return (await session.execute(query.with_for_update())).scalar_one()
