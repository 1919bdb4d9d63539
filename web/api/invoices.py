"""`/invoices`: what the ERP issued, with its XML as it was signed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import AwareDatetime
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.db import Database
from hub.invoice_rows import document
from hub.tables import Invoice, Order
from web.api.gate import Caller, GatedRoute, caller_of, db_of
from web.api.models import InvoiceOut, InvoicePage
from web.api.pages import CursorText, Limit, page
from web.api.problems import ProblemError
from web.api.values import Number

routes = APIRouter(route_class=GatedRoute, tags=["invoices"])
Db = Annotated[Database, Depends(db_of)]
Who = Annotated[Caller, Depends(caller_of)]
Key = Annotated[str, Path(pattern=r"^[0-9A-Z]{44}$", description="the 44 characters of the access key")]


@routes.get("/invoices")
async def list_invoices(
    db: Db,
    who: Who,
    limit: Limit = 50,
    cursor: CursorText = None,
    order: Annotated[Number | None, Query(description="only those of this order")] = None,
    updated_since: Annotated[AwareDatetime | None, Query(description="only what has changed since")] = None,
) -> InvoicePage:
    """The invoices, in the order in which they came."""
    query = select(Invoice).where(col(Invoice.merchant_id) == who.merchant_id)
    if order is not None:
        of = select(col(Order.id)).where(col(Order.merchant_id) == who.merchant_id, col(Order.number) == order)
        query = query.where(col(Invoice.order_id).in_(of))
    if updated_since is not None:
        query = query.where(col(Invoice.updated_at) >= updated_since)
    async with db.read() as session:
        rows, following = await page(session, query, Invoice, limit, cursor)
        ids = [row.order_id for row in rows if row.order_id]
        found = await session.execute(select(col(Order.id), col(Order.number)).where(col(Order.id).in_(ids)))
        numbers = dict(found.tuples().all())
    return InvoicePage(items=[invoice_out(row, numbers.get(row.order_id or "")) for row in rows], next_cursor=following)


@routes.get("/invoices/{access_key}")
async def get_invoice(db: Db, who: Who, access_key: Key) -> InvoiceOut:
    """One invoice."""
    async with db.read() as session:
        found = await _one(session, who, access_key)
        order = await session.get(Order, found.order_id) if found.order_id else None
    return invoice_out(found, order.number if order else None)


@routes.get(
    "/invoices/{access_key}/xml",
    response_class=Response,
    responses={200: {"content": {"application/xml": {}}, "description": "The XML, byte for byte as it came"}},
)
async def get_xml(db: Db, who: Who, access_key: Key) -> Response:
    """The invoice's XML: byte for byte as it was signed."""
    async with db.read() as session:
        found = await _one(session, who, access_key)
    if not found.xml:
        raise ProblemError(404, "not-found", "Not found", "The XML of this invoice has not come yet.")
    name = f'attachment; filename="{found.access_key}.xml"'
    return Response(document(found), media_type="application/xml", headers={"Content-Disposition": name})


def invoice_out(invoice: Invoice, number: str | None) -> InvoiceOut:
    """An invoice as it is given."""
    names = InvoiceOut.model_fields.keys() - {"order", "has_xml"}
    return InvoiceOut(**{name: getattr(invoice, name) for name in names}, order=number, has_xml=bool(invoice.xml))


async def _one(session: AsyncSession, who: Caller, access_key: str) -> Invoice:
    query = select(Invoice).where(col(Invoice.merchant_id) == who.merchant_id, col(Invoice.access_key) == access_key)
    found = (await session.execute(query)).scalar()
    if found is None:
        raise ProblemError(404, "not-found", "Not found", f"There is no invoice {access_key}.")
    return found
