"""Invoices of orders: what a note that was found means for its order, and the notices about it.

A note is an order's invoice when it is of production, of the merchant's own company, and a sale. Its state only ever
goes forward: authorised, corrected, cancelled. Cancelled notes and those denied stay as they are.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import crypto, fiscal
from hub.changes import Change
from hub.clock import utcnow
from hub.db import upsert_rows
from hub.ids import new_id
from hub.invoice_watch import FINAL, Held, Waiting
from hub.nfe import Nfe, NoteStatus
from hub.notices import Draft, clear_notices, raise_notices
from hub.records import Problem
from hub.tables import Connection, Customer, Invoice, Notice, Order

KIND = "invoice"
"""Notices: what was found for an order is not its invoice."""
LOST = "invoice_lost"
"""Notices: the order had an invoice, and has none any more."""
SETTLED = timedelta(hours=3)
"""A note this young may be missing from a list only because the list counts its days in UTC."""


class InvoiceState(StrEnum):
    """What the store shows of an invoice."""

    AUTHORISED = "authorised"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Find:
    """What was found for an order: its note, or why the note cannot be read. `listed_as` is the list's own status."""

    order: Waiting
    note: Nfe | None = None
    problem: Problem | None = None
    listed_as: str = ""


@dataclass(frozen=True, slots=True)
class Recheck:
    """What became of a note that we hold: `note` is None when it could not be read, or is `gone` over there."""

    held: Held
    listed: bool
    listed_as: str = ""
    note: Nfe | None = None
    problem: Problem | None = None
    gone: bool = False


@dataclass(slots=True)
class Plan:
    """What is to be written for one batch."""

    creates: list[dict[str, Any]] = field(default_factory=list)
    updates: list[tuple[Held, str, dict[str, Any]]] = field(default_factory=list)
    """(invoice, its new state, its new `extra`)."""
    unchanged: int = 0
    drafts: list[Draft] = field(default_factory=list)
    cured: dict[str, set[str]] = field(default_factory=lambda: {KIND: set(), LOST: set()})
    """Kind of notice → orders about which it is said no more."""
    lines: list[Change] = field(default_factory=list)


def told_state(note: Nfe) -> InvoiceState | None:
    """What a note's document says; None while it has no final word of the tax office."""
    if note.status is NoteStatus.AUTHORISED:
        return InvoiceState.CORRECTED if note.corrections else InvoiceState.AUTHORISED
    return {NoteStatus.CANCELLED: InvoiceState.CANCELLED, NoteStatus.DENIED: InvoiceState.DENIED}.get(note.status)


def next_state(state: str, told: str) -> str:
    """The state after what was told: never back from cancelled or denied, nor from corrected to authorised."""
    return told if told in _AFTER.get(state, ()) else state


_AFTER: dict[str, tuple[str, ...]] = {
    InvoiceState.AUTHORISED: (InvoiceState.CORRECTED, InvoiceState.CANCELLED, InvoiceState.DENIED),
    InvoiceState.CORRECTED: (InvoiceState.CANCELLED, InvoiceState.DENIED),
}


async def plan(
    session: AsyncSession,
    connection: Connection,
    finds: Sequence[Find],
    rechecks: Sequence[Recheck] = (),
    asked: Sequence[Waiting] = (),
) -> Plan:
    """Decide what was found means. Writes nothing.

    `asked` are the orders that were asked for: one for which nothing odd was found has nothing odd any more.
    """
    planned = Plan()
    planned.cured[KIND] |= {order.order_id for order in asked}
    keys = [find.note.key.text for find in finds if find.note]
    owners = await _owners(session, connection, keys)
    orders = await _orders(session, [f.order.order_id for f in finds] + [r.held.order_id for r in rechecks])
    for find in finds:
        sold = orders.get(find.order.order_id)
        if sold is not None:
            _find(planned, connection, find, sold, owners)
    for recheck in rechecks:
        sold = orders.get(recheck.held.order_id)
        if sold is not None:
            _recheck(planned, connection, recheck, sold)
    invoiced = {row["order_id"] for row in planned.creates if row["state"] in FINAL}
    planned.drafts = [draft for draft in planned.drafts if draft.subject not in invoiced]
    for kind in (KIND, LOST):
        planned.cured[kind] |= invoiced
    return planned


async def write(session: AsyncSession, connection: Connection, planned: Plan) -> None:
    """Write a plan in the transaction in which it was made."""
    table = Invoice.__table__  # type: ignore[attr-defined]
    await upsert_rows(session, table, planned.creates, key=["merchant_id", "access_key"], update=[])
    for held, state, extra in planned.updates:
        await session.execute(
            update(Invoice).where(col(Invoice.id) == held.id).values(state=state, extra=extra, updated_at=utcnow())
        )
    told = {(draft.kind, draft.subject) for draft in planned.drafts}
    for kind, subjects in planned.cured.items():
        cured = {subject for subject in subjects if (kind, subject) not in told}
        await clear_notices(session, connection.merchant_id, connection.id, kind, cured)
    await raise_notices(session, connection.merchant_id, planned.drafts)


async def drop_stale_notices(session: AsyncSession, connection: Connection) -> None:
    """An order that was cancelled or refunded needs no invoice: nothing is said about it any more."""
    stale = await session.execute(
        select(col(Notice.kind), col(Notice.subject))
        .join(Order, (col(Order.id) == col(Notice.subject)) & (col(Order.merchant_id) == col(Notice.merchant_id)))
        .where(
            col(Notice.merchant_id) == connection.merchant_id,
            col(Notice.connection_id) == connection.id,
            col(Notice.kind).in_([KIND, LOST]),
            col(Notice.cleared_at).is_(None),
            col(Order.state) != "paid",
        )
    )
    for kind, subject in stale.all():
        await clear_notices(session, connection.merchant_id, connection.id, kind, [subject])


def document(invoice: Invoice) -> bytes:
    """The note's XML byte for byte as it came: its signature is over these bytes."""
    encoding = str(invoice.extra.get("encoding") or "utf-8")
    return b64decode(invoice.xml) if encoding == _BASE64 else invoice.xml.encode(encoding)


# What was found for an order.


@dataclass(frozen=True, slots=True)
class _Sold:
    """What the order itself says: who bought, for how much, and whether an invoice is still of interest."""

    number: str
    state: str
    total: Decimal
    buyer: str = field(repr=False)


def _find(planned: Plan, connection: Connection, find: Find, sold: _Sold, owners: dict[str, tuple[str, str]]) -> None:
    note, order = find.note, find.order
    planned.cured[KIND].add(order.order_id)
    if find.problem is not None or note is None:
        if find.problem is not None:
            _refuse(planned, connection, order.order_id, order.number, find.problem)
        return
    if note.test:
        draft = _draft(connection, order.order_id, sold, note, code="invoice.test")
        _tell(planned, draft, Change("refuse", str(note.number), "", order.number, ("tpAmb",)))
        return
    if not _is_ours(connection, note):
        _refuse(
            planned,
            connection,
            order.order_id,
            order.number,
            Problem("issuer", "differs", fiscal.mask_document(note.key.issuer)),
        )
        return
    state = told_state(note)
    if not note.is_sale or state is None:
        planned.unchanged += 1
        return
    owner, number = owners.get(note.key.text, ("", ""))
    if owner and owner != order.order_id:
        _refuse(planned, connection, order.order_id, order.number, Problem("note", "other_order", number))
        return
    if owner:  # it has come back: a note that ended stays as it is
        planned.unchanged += 1
        return
    if _is_anothers(note, sold):
        # A filter that the vendor ignores answers with everybody's notes (reference/contaazul.md §3.5).
        _refuse(
            planned,
            connection,
            order.order_id,
            order.number,
            Problem("buyer", "differs", f"R$ {note.total:.2f}".replace(".", ",")),
        )
        return
    owners[note.key.text] = (order.order_id, order.number)
    planned.creates.append(_row(connection, order.order_id, note, state, find.listed_as))
    planned.lines.append(Change("create", str(note.number), "", order.number, (KIND,)))
    if state is InvoiceState.DENIED:
        planned.drafts.append(_draft(connection, order.order_id, sold, note, code="invoice.denied", kind=LOST))


def _is_ours(connection: Connection, note: Nfe) -> bool:
    """Whether the account's own company issued it, as far as we know which that is."""
    return not connection.account or crypto.blind_index(note.key.issuer, "account.document") == connection.account


def _is_anothers(note: Nfe, sold: _Sold) -> bool:
    """Whether neither buyer, nor total, nor order number is this order's.

    One of them may well differ: a note is issued to the buyer's company, or for half of the goods.
    """
    same_buyer = bool(sold.buyer) and note.recipient == sold.buyer
    return not same_buyer and note.total != sold.total and sold.number not in note.order_refs


# What became of a note that we hold.


def _recheck(planned: Plan, connection: Connection, recheck: Recheck, sold: _Sold) -> None:
    held, extra = recheck.held, dict(recheck.held.extra)
    code, state = "", held.state
    if held.state not in FINAL:
        # We took it for cancelled because it was neither listed nor found, and here it is.
        extra["listed_again"], code = True, "invoice.listed_again"
    elif recheck.problem is not None:
        _refuse(planned, connection, held.order_id, sold.number, recheck.problem)
        return
    elif recheck.gone or recheck.note is None:
        if recheck.listed:  # the list and the document disagree; the next run sees which is right
            planned.unchanged += 1
            return
        state, code, extra["guessed"] = InvoiceState.CANCELLED, "invoice.gone", True
    else:
        told = told_state(recheck.note)
        state = next_state(held.state, told or held.state)
        extra |= _of_document(recheck.note)
        if state not in FINAL:
            code = "invoice.cancelled" if state == InvoiceState.CANCELLED else "invoice.denied"
        elif recheck.listed:
            extra |= {"listed_as": recheck.listed_as}
            extra.pop("unlisted_at", None)
            for kind in (KIND, LOST):
                planned.cured[kind].add(held.order_id)
        elif utcnow() - held.issued_at < SETTLED:
            planned.unchanged += 1
            return
        else:
            code, extra["unlisted_at"] = "invoice.unlisted", utcnow().isoformat()
    if code and sold.state == "paid":
        planned.drafts.append(_draft(connection, held.order_id, sold, held, code=code, kind=LOST))
    if (state, extra) == (held.state, held.extra):
        planned.unchanged += 1
        return
    planned.updates.append((held, state, extra))
    op = "deactivate" if state not in FINAL and state != held.state else "update"
    planned.lines.append(Change(op, held.number, "", sold.number, (KIND,)))


# Rows and notices.

_BASE64 = "base64"


def _row(connection: Connection, order_id: str, note: Nfe, state: str, listed_as: str) -> dict[str, Any]:
    text, encoding = _as_text(note.raw)
    return {
        "id": new_id(),
        "merchant_id": connection.merchant_id,
        "order_id": order_id,
        "connection_id": connection.id,
        "external_id": note.key.text,
        "access_key": note.key.text,
        "number": str(note.number),
        "series": str(note.series),
        "model": note.model,
        "state": state,
        "protocol": note.protocol,
        "total": note.total,
        "link": "",
        "issuer": note.key.issuer,
        "xml": text,
        "extra": {"encoding": encoding, "sha256": note.sha256, "listed_as": listed_as, **_of_document(note)},
        "issued_at": note.issued_at,
        "updated_at": utcnow(),
    }


def _of_document(note: Nfe) -> dict[str, Any]:
    """What may change with a later reading. No text of a correction: people put addresses into it."""
    return {
        "cstat": note.cstat,
        "registered_at": note.registered_at.isoformat() if note.registered_at else None,
        "corrections": [
            {"sequence": each.sequence, "protocol": each.protocol, "at": each.at.isoformat() if each.at else None}
            for each in note.corrections
        ],
    }


def _as_text(raw: bytes) -> tuple[str, str]:
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:  # an older encoding, which the XML itself declares
        return b64encode(raw).decode("ascii"), _BASE64


def _draft(
    connection: Connection, order_id: str, sold: _Sold, note: Nfe | Held, *, code: str, kind: str = KIND
) -> Draft:
    params = {"kind": connection.kind, "number": sold.number, "note": str(note.number), "series": str(note.series)}
    return Draft(code=code, connection_id=connection.id, kind=kind, subject=order_id, params=params)


def _refuse(planned: Plan, connection: Connection, order_id: str, number: str, problem: Problem) -> None:
    params: dict[str, Any] = {
        "kind": connection.kind,
        "number": number,
        "problems": [{"field": problem.field, "reason": problem.reason, "received": problem.received}],
    }
    draft = Draft(code="invoice.refused", connection_id=connection.id, kind=KIND, subject=order_id, params=params)
    _tell(planned, draft, Change("refuse", "", "", number, (problem.field,)))


def _tell(planned: Plan, draft: Draft, line: Change) -> None:
    planned.drafts.append(draft)
    planned.lines.append(line)


async def _owners(session: AsyncSession, connection: Connection, keys: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Key → (order id, order number) of the notes that the merchant has already."""
    rows = await session.execute(
        select(col(Invoice.access_key), col(Invoice.order_id), col(Order.number))
        .join(Order, col(Order.id) == col(Invoice.order_id), isouter=True)
        .where(col(Invoice.merchant_id) == connection.merchant_id, col(Invoice.access_key).in_(keys))
    )
    return {key: (order_id or "", number or "") for key, order_id, number in rows}


async def _orders(session: AsyncSession, ids: Iterable[str]) -> dict[str, _Sold]:
    rows = await session.execute(
        select(col(Order.id), col(Order.number), col(Order.state), col(Order.total), col(Customer.document))
        .join(Customer, col(Customer.id) == col(Order.customer_id), isouter=True)
        .where(col(Order.id).in_(set(ids)))
    )
    return {id_: _Sold(number, state, total, buyer or "") for id_, number, state, total, buyer in rows}
