"""Invoices of orders: what a note that was found means for its order, and the notices about it.

A note is an order's invoice when it is of production, of the merchant's own company, and a sale. Its state only ever
goes forward: authorised, corrected, cancelled. Cancelled notes and those denied stay as they are.

Where the vendor's own list says that a note has ended, that counts before its document: TagPlus gives the XML of the
approval of a note that was cancelled since (`reference/tagplus.md §9.1`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import crypto, fiscal, invoice_rows, invoice_watch
from hub.changes import Change
from hub.clock import utcnow
from hub.db import in_turn, upsert_rows
from hub.invoice_rows import InvoiceState, next_state, told_state
from hub.invoice_watch import FINAL, Held, Waiting
from hub.nfe import Nfe
from hub.notices import Draft, clear_notices, raise_notices
from hub.records import InvoiceRow, Problem
from hub.tables import Connection, Customer, Invoice, Notice, Order

KIND = "invoice"
"""Notices: what was found for an order is not its invoice."""
LOST = "invoice_lost"
"""Notices: the order had an invoice, and has none any more."""
SETTLED = timedelta(hours=3)
"""A note this young may be missing from a list only because the list counts its days in UTC."""


ENDED = frozenset({InvoiceState.CANCELLED, InvoiceState.DENIED})
UNTOLD = InvoiceRow("", "", "")
"""What is known of a note whose row nobody has seen."""


@dataclass(frozen=True, slots=True)
class Find:
    """What was found for an order: its note, or why the note cannot be read, and how it is listed.

    Neither of both: the row says that the note has ended, and its document is not given.
    """

    order: Waiting
    note: Nfe | None = None
    problem: Problem | None = None
    row: InvoiceRow = UNTOLD


@dataclass(frozen=True, slots=True)
class Recheck:
    """What became of a note that we hold: `row` is how it is listed now, None where it is not; `note` is None when it
    could not be read, was not, or is `gone` over there."""

    held: Held
    row: InvoiceRow | None
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


async def apply(
    session: AsyncSession,
    connection: Connection,
    finds: Sequence[Find],
    rechecks: Sequence[Recheck] = (),
    asked: Sequence[Waiting] = (),
) -> Plan:
    """Plan and write in the caller's transaction, one after the other for a merchant: of two runs that meet one note,
    the second sees what the first has made of it."""
    await in_turn(session, f"invoices:{connection.merchant_id}")
    planned = await plan(session, connection, finds, rechecks, asked)
    await write(session, connection, planned)
    return planned


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
    owners = await _owners(session, connection, [_key(find) for find in finds])
    now = await invoice_watch.reread(
        session, [recheck.held.id for recheck in rechecks] + [o.id for o in owners.values()]
    )
    orders = await _orders(session, [f.order.order_id for f in finds] + [r.held.order_id for r in rechecks])
    for find in finds:
        sold = orders.get(find.order.order_id)
        if sold is not None:
            _find(planned, connection, find, sold, owners, now)
    for recheck in rechecks:
        sold = orders.get(recheck.held.order_id)
        if sold is not None:
            _recheck(planned, connection, recheck, sold, now.get(recheck.held.id, recheck.held))
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
            col(Order.state).not_in(invoice_watch.invoiced_states(connection)),
        )
    )
    for kind, subject in stale.all():
        await clear_notices(session, connection.merchant_id, connection.id, kind, [subject])


# What was found for an order.


@dataclass(frozen=True, slots=True)
class _Sold:
    """What the order itself says: who bought, for how much, and whether an invoice is still of interest."""

    number: str
    state: str
    total: Decimal
    buyer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose note it is already: of which order; `id` is the invoice's, '' for one that this batch makes."""

    order_id: str
    number: str
    id: str = ""


def _find(
    planned: Plan,
    connection: Connection,
    find: Find,
    sold: _Sold,
    owners: dict[str, _Owner],
    now: dict[str, Held],
) -> None:
    note, row, order = find.note, find.row, find.order
    planned.cured[KIND].add(order.order_id)
    if (owner := owners.get(_key(find))) is not None:
        if owner.order_id != order.order_id:
            _refuse(planned, connection, order.order_id, order.number, Problem("note", "other_order", owner.number))
        elif (held := now.get(owner.id)) is not None and held.state in FINAL and find.problem is None:
            _recheck(planned, connection, Recheck(held, row, note), sold, held)
        else:  # it has come back: a note that ended stays as it is
            planned.unchanged += 1
        return
    if note is None:
        if row.state in ENDED:
            _ended_unseen(planned, connection, find, sold, owners)
        elif find.problem is not None:
            _refuse(planned, connection, order.order_id, order.number, find.problem)
        return
    if note.test:
        draft = _draft(connection, order.order_id, sold, note, code="invoice.test")
        _tell(planned, draft, Change("refuse", str(note.number), "", order.number, ("tpAmb",)))
        return
    if not _is_ours(connection, note.key.issuer):
        problem = Problem("issuer", "differs", fiscal.mask_document(note.key.issuer))
        _refuse(planned, connection, order.order_id, order.number, problem)
        return
    state = InvoiceState(row.state) if row.state in ENDED else told_state(note)
    if not note.is_sale or state is None:
        planned.unchanged += 1
        return
    if _is_anothers(note, sold) and not row.order_ref:
        # A filter that the vendor ignores answers with everybody's notes (reference/contaazul.md §3.5).
        problem = Problem("buyer", "differs", f"R$ {note.total:.2f}".replace(".", ","))
        _refuse(planned, connection, order.order_id, order.number, problem)
        return
    _take(planned, connection, find, sold, owners, invoice_rows.of_note(connection, order.order_id, note, state, row))


def _ended_unseen(planned: Plan, connection: Connection, find: Find, sold: _Sold, owners: dict[str, _Owner]) -> None:
    """A note that has ended and whose document nobody gives: kept by its key, where it has one, and told."""
    order, row = find.order, find.row
    try:
        key = fiscal.access_key(row.access_key) if row.access_key else None
    except fiscal.FiscalError as error:
        problem = Problem("access_key", error.reason, error.received)
        _refuse(planned, connection, order.order_id, order.number, problem)
        return
    if key is None:
        code = f"invoice.{row.state}"
        planned.drafts.append(_draft(connection, order.order_id, sold, row, code=code, kind=LOST))
    elif not _is_ours(connection, key.issuer):
        problem = Problem("issuer", "differs", fiscal.mask_document(key.issuer))
        _refuse(planned, connection, order.order_id, order.number, problem)
    else:
        _take(planned, connection, find, sold, owners, invoice_rows.of_key(connection, order.order_id, key, row))


def _take(
    planned: Plan,
    connection: Connection,
    find: Find,
    sold: _Sold,
    owners: dict[str, _Owner],
    made: dict[str, Any],
) -> None:
    order, state = find.order, made["state"]
    owners[made["access_key"]] = _Owner(order.order_id, order.number)
    planned.creates.append(made)
    planned.lines.append(Change("create", made["number"], "", order.number, (KIND,)))
    if state in ENDED:
        note = find.note or InvoiceRow(made["access_key"], made["number"], "", series=made["series"])
        planned.drafts.append(_draft(connection, order.order_id, sold, note, code=f"invoice.{state}", kind=LOST))


def _key(find: Find) -> str:
    return find.note.key.text if find.note else find.row.access_key


def _is_ours(connection: Connection, issuer: str) -> bool:
    """Whether the account's own company issued it, as far as we know which that is."""
    return not connection.account or crypto.blind_index(issuer, "account.document") == connection.account


def _is_anothers(note: Nfe, sold: _Sold) -> bool:
    """Whether neither buyer, nor total, nor order number is this order's.

    One of them may well differ: a note is issued to the buyer's company, or for half of the goods.
    """
    same_buyer = bool(sold.buyer) and note.recipient == sold.buyer
    return not same_buyer and note.total != sold.total and sold.number not in note.order_refs


# What became of a note that we hold.


def _recheck(planned: Plan, connection: Connection, recheck: Recheck, sold: _Sold, held: Held) -> None:
    """`held` is the note as it stands at this moment: between the reading and the writing another run may have learnt
    more of it, which is not undone."""
    row = recheck.row
    told_ended = row is not None and row.state in ENDED
    if held.state in FINAL and recheck.problem is not None and not told_ended:
        _refuse(planned, connection, held.order_id, sold.number, recheck.problem)
        return
    extra = dict(held.extra)
    judged = _judge(recheck, held, extra)
    if judged is None:
        planned.unchanged += 1
        return
    state, code = judged
    if not code:
        for kind in (KIND, LOST):
            planned.cured[kind].add(held.order_id)
    elif sold.state in invoice_watch.invoiced_states(connection):
        planned.drafts.append(_draft(connection, held.order_id, sold, held, code=code, kind=LOST))
    if (state, extra) == (held.state, held.extra):
        planned.unchanged += 1
        return
    planned.updates.append((held, state, extra))
    op = "deactivate" if state not in FINAL and state != held.state else "update"
    planned.lines.append(Change(op, held.number, "", sold.number, (KIND,)))


def _judge(recheck: Recheck, held: Held, extra: dict[str, Any]) -> tuple[str, str] | None:
    """The note's new state and the code of the notice about it, '' when all is well; None where nothing can be said.

    What is to be remembered goes into `extra`.
    """
    row, note = recheck.row, recheck.note
    if held.state not in FINAL:
        if recheck.held.state in FINAL or (row is not None and row.state in ENDED):
            return None
        # We took it for cancelled because it was neither listed nor found, and here it is.
        extra["listed_again"] = True
        return held.state, "invoice.listed_again"
    extra |= invoice_rows.of_document(note) if note else {}
    if row is not None and row.state in ENDED:
        extra["listed_as"] = row.status
        return row.state, f"invoice.{row.state}"
    if note is None:
        if row is not None:  # the list and the document disagree; the next run sees which is right
            return None
        extra["guessed"] = True
        return InvoiceState.CANCELLED, "invoice.gone"
    state = next_state(held.state, told_state(note) or held.state)
    if state in ENDED:
        return state, f"invoice.{state}"
    if row is not None:
        extra["listed_as"] = row.status
        extra.pop("unlisted_at", None)
        return state, ""
    if utcnow() - held.issued_at < SETTLED:
        return None
    extra["unlisted_at"] = utcnow().isoformat()
    return state, "invoice.unlisted"


# Notices.


def _draft(
    connection: Connection, order_id: str, sold: _Sold, note: Nfe | Held | InvoiceRow, *, code: str, kind: str = KIND
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


async def _owners(session: AsyncSession, connection: Connection, keys: Sequence[str]) -> dict[str, _Owner]:
    """By key: whose the notes are that the merchant has already."""
    rows = await session.execute(
        select(col(Invoice.access_key), col(Invoice.order_id), col(Order.number), col(Invoice.id))
        .join(Order, col(Order.id) == col(Invoice.order_id), isouter=True)
        .where(col(Invoice.merchant_id) == connection.merchant_id, col(Invoice.access_key).in_(keys))
    )
    return {key: _Owner(order_id or "", number or "", id_) for key, order_id, number, id_ in rows}


async def _orders(session: AsyncSession, ids: Iterable[str]) -> dict[str, _Sold]:
    rows = await session.execute(
        select(col(Order.id), col(Order.number), col(Order.state), col(Order.total), col(Customer.document))
        .join(Customer, col(Customer.id) == col(Order.customer_id), isouter=True)
        .where(col(Order.id).in_(set(ids)))
    )
    return {id_: _Sold(number, state, total, buyer or "") for id_, number, state, total, buyer in rows}
