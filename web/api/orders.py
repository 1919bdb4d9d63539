"""`/orders`: orders and their payments come in, their state, invoices and whereabouts go out."""

from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import orders, payments, progress, selling
from hub.buyers import Buyer
from hub.clock import utcnow
from hub.db import Database
from hub.orders import Line, OrderRefused, PlacedOrder
from hub.payments import REFUND, REFUND_MARK, PaymentEvent, UnknownOrderError
from hub.records import OutgoingAddress, Parcel
from hub.tables import Address, Binding, Connection, Customer, Invoice, Order, OrderItem, OutboxEntry, Payment, Shipment
from web.api.gate import Caller, GatedRoute, caller_of, db_of
from web.api.invoices import invoice_out
from web.api.models import (
    AddressIn,
    CustomerOut,
    InvoiceOut,
    ItemOut,
    OrderIn,
    OrderOut,
    OrderPage,
    OrderRow,
    OrderState,
    PaymentIn,
    PaymentOut,
    ShipmentOut,
    SystemState,
)
from web.api.pages import CursorText, Limit, page
from web.api.stage_models import StageIn
from web.api.values import Number

routes = APIRouter(route_class=GatedRoute, tags=["orders"])
Db = Annotated[Database, Depends(db_of)]
Who = Annotated[Caller, Depends(caller_of)]

STATES = {"pending": "waiting", "claimed": "waiting"}
"""What the store is told of an outbox entry's state; the others have their own names."""


@routes.post(
    "/orders", status_code=201, responses={200: {"model": OrderOut, "description": "Known; edited or the same"}}
)
async def post_order(db: Db, who: Who, order: OrderIn, response: Response) -> OrderOut:
    """Hand an order in. The same number again is the same order: an edit where anything differs, else nothing.

    An order whose totals do not agree to the centavo is refused with both, and the merchant gets a notice.
    """
    try:
        async with db.write() as session:
            put = await orders.put_order(session, who.merchant_id, placed(order))
            found = await _whole(session, put.order)
    except OrderRefused as refused:
        async with db.write() as session:
            await orders.note_refusal(session, who.merchant_id, refused)
        raise
    response.status_code = 201 if put.outcome == "created" else 200
    response.headers["Location"] = f"/api/v1/orders/{order.number}"
    return found


@routes.get("/orders")
async def list_orders(
    db: Db,
    who: Who,
    limit: Limit = 50,
    cursor: CursorText = None,
    state: Literal["created", "paid", "cancelled", "refunded"] | None = None,
    updated_since: Annotated[AwareDatetime | None, Query(description="only what has changed since")] = None,
) -> OrderPage:
    """The orders, oldest first, without people."""
    query = select(Order).where(col(Order.merchant_id) == who.merchant_id)
    if state is not None:
        query = query.where(col(Order.state) == state)
    if updated_since is not None:
        query = query.where(col(Order.updated_at) >= updated_since)
    async with db.read() as session:
        rows, following = await page(session, query, Order, limit, cursor)
    return OrderPage(items=[OrderRow(**_row(order)) for order in rows], next_cursor=following)


@routes.post("/orders/{number}/payments")
async def post_payment(db: Db, who: Who, number: Number, payment: PaymentIn) -> OrderOut:
    """Tell of a payment. An order is paid once all of its total is approved; partly paid is not paid."""
    event = PaymentEvent(**payment.model_dump())
    async with db.write() as session:
        return await _whole(session, await payments.record(session, who.merchant_id, number, event))


@routes.post("/orders/{number}/cancel")
async def cancel_order(db: Db, who: Who, number: Number) -> OrderOut:
    """Cancel an order. If an ERP has it, it is told, or the merchant where it cannot be."""
    async with db.write() as session:
        return await _whole(session, await payments.cancel(session, who.merchant_id, number))


@routes.put("/orders/{number}/stage")
async def put_stage(db: Db, who: Who, number: Number, told: StageIn) -> OrderState:
    """Tell how far the shop has come with an order, and its parcel. The ERPs that have it are told.

    It only goes forward: what comes late or twice changes nothing, and the answer says where the order stands.
    """
    now = utcnow()
    async with db.write() as session:
        order = await payments.find(session, who.merchant_id, number)
        await progress.advance(
            session,
            who.merchant_id,
            order,
            told.stage,
            source_connection=None,
            as_of=min(told.at or now, now),
            parcel=Parcel(told.tracking.code, told.tracking.url, told.tracking.carrier) if told.tracking else None,
        )
        return await _stands(session, order)


@routes.get("/orders/{number}")
async def get_order(db: Db, who: Who, number: Number) -> OrderOut:
    """One order, whole."""
    async with db.read() as session:
        return await _whole(session, await _one(session, who, number))


@routes.get("/orders/{number}/state")
async def order_state(db: Db, who: Who, number: Number) -> OrderState:
    """Where an order stands: paid or not, in which ERPs, with which invoices."""
    async with db.read() as session:
        return await _stands(session, await _one(session, who, number))


@routes.get("/orders/{number}/shipments")
async def order_shipments(db: Db, who: Who, number: Number) -> list[ShipmentOut]:
    """The parcels of an order; empty until the system that ships it tells of one."""
    async with db.read() as session:
        return await _shipments(session, await _one(session, who, number))


@routes.get("/orders/{number}/invoices")
async def order_invoices(db: Db, who: Who, number: Number) -> list[InvoiceOut]:
    """The invoices issued for an order."""
    async with db.read() as session:
        return await _invoices(session, await _one(session, who, number))


def placed(order: OrderIn) -> PlacedOrder:
    """What a body says, as the hub's rules take it."""
    return PlacedOrder(
        number=order.number,
        placed_at=order.placed_at,
        buyer=Buyer(**order.customer.model_dump()),
        lines=tuple(Line(item.sku, item.name, item.quantity, item.unit_price, item.discount) for item in order.items),
        total=order.total,
        discount=order.discount,
        freight=order.freight,
        payment_method=order.payment_method,
        instalments=order.instalments,
        notes=order.notes,
        delivery=_address(order.delivery),
        billing=_address(order.billing),
    )


def _address(told: AddressIn | None) -> OutgoingAddress | None:
    return None if told is None else OutgoingAddress(**told.model_dump())


async def _one(session: AsyncSession, who: Caller, number: str) -> Order:
    """The merchant's order of that number: the built-in store's own before one of another source."""
    query = (
        select(Order)
        .where(col(Order.merchant_id) == who.merchant_id, col(Order.number) == number)
        .order_by(col(Order.source))
    )
    found = (await session.execute(query)).scalars().first()
    if found is None:
        raise UnknownOrderError(f"there is no order {number!r}")
    return found


def _row(order: Order) -> dict[str, Any]:
    """`stage` is as the order stands, by its money too, and not only what was told of its goods."""
    return {name: getattr(order, name) for name in OrderRow.model_fields} | {"stage": selling.stage(order)}


async def _stands(session: AsyncSession, order: Order) -> OrderState:
    row = _row(order)
    return OrderState(
        **{name: row[name] for name in ("number", "state", "payment_state", "stage", "paid_at", "updated_at")},
        systems=await _systems(session, order),
        invoices=await _invoices(session, order),
        shipments=await _shipments(session, order),
    )


async def _whole(session: AsyncSession, order: Order) -> OrderOut:
    customer = await session.get(Customer, order.customer_id) if order.customer_id else None
    items = await session.execute(
        select(OrderItem).where(col(OrderItem.order_id) == order.id).order_by(col(OrderItem.position))
    )
    addresses = await session.execute(select(Address).where(col(Address.order_id) == order.id))
    known = {address.role: _given(address) for address in addresses.scalars()}
    names = ("items_total", "discount", "freight", "payment_method", "instalments", "notes")
    return OrderOut(
        **_row(order),
        **{name: getattr(order, name) for name in names},
        customer=CustomerOut(**{name: getattr(customer, name) for name in CustomerOut.model_fields})
        if customer
        else None,
        items=[_item(item) for item in items.scalars()],
        payments=_payments(await payments.of_order(session, order.id)),
        delivery=known.get("delivery"),
        billing=known.get("billing"),
    )


def _given(address: Address) -> dict[str, str]:
    return {**asdict(OutgoingAddress()), **{name: str(value) for name, value in address.details.items()}}


def _item(item: OrderItem) -> ItemOut:
    names = ItemOut.model_fields.keys() - {"known"}
    return ItemOut(**{name: getattr(item, name) for name in names}, known=item.product_id is not None)


def _payments(rows: Sequence[Payment]) -> list[PaymentOut]:
    back = {row.reference.removesuffix(REFUND_MARK): row.amount for row in rows if row.state == REFUND}
    return [
        PaymentOut(
            reference=row.reference,
            state=row.state,
            amount=row.amount,
            refunded=row.amount if row.state == "refunded" else back.get(row.reference) or Decimal(0),
            method=row.method,
            instalments=row.instalments,
            paid_at=row.paid_at,
        )
        for row in rows
        if row.state != REFUND
    ]


async def _systems(session: AsyncSession, order: Order) -> list[SystemState]:
    entries = await session.execute(
        select(OutboxEntry, col(Connection.kind))
        .join(Connection, col(Connection.id) == col(OutboxEntry.connection_id))
        .where(
            col(OutboxEntry.merchant_id) == order.merchant_id,
            col(OutboxEntry.kind) == "order",
            col(OutboxEntry.record_id) == order.id,
        )
        .order_by(col(OutboxEntry.connection_id))
    )
    bound = await session.execute(
        select(col(Binding.connection_id), col(Binding.external_id)).where(
            col(Binding.merchant_id) == order.merchant_id,
            col(Binding.kind) == "order",
            col(Binding.record_id) == order.id,
        )
    )
    ids = dict(bound.tuples().all())
    return [
        SystemState(
            connection=entry.connection_id,
            system=kind,
            state=STATES.get(entry.state, entry.state),
            external_id=ids.get(entry.connection_id),
            sent_at=entry.sent_at,
        )
        for entry, kind in entries
    ]


async def _invoices(session: AsyncSession, order: Order) -> list[InvoiceOut]:
    rows = await session.execute(
        select(Invoice)
        .where(col(Invoice.merchant_id) == order.merchant_id, col(Invoice.order_id) == order.id)
        .order_by(col(Invoice.issued_at))
    )
    return [invoice_out(invoice, order.number) for invoice in rows.scalars()]


async def _shipments(session: AsyncSession, order: Order) -> list[ShipmentOut]:
    rows = await session.execute(
        select(Shipment)
        .where(col(Shipment.merchant_id) == order.merchant_id, col(Shipment.order_id) == order.id)
        .order_by(col(Shipment.shipped_at), col(Shipment.id))
    )
    return [
        ShipmentOut(**{name: getattr(parcel, name) for name in ShipmentOut.model_fields}) for parcel in rows.scalars()
    ]
