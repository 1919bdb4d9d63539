"""What happens to an order after it was placed: payments, cancellation, refunds; and who must be told of it.

Events come late, doubled and out of order. So a payment only ever moves forward (pending, approved, cancelled,
refunded), and the order's own state is computed from all of its payments: in whatever order the events of a payment
come, the end is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import holding, money, order_queue
from hub.clock import utcnow
from hub.notices import Draft, clear_notices, raise_notices
from hub.tables import Order, Payment

ENDED = frozenset({"cancelled", "refunded"})
MONEY = "order_money"
"""The kind of notices about an order's money."""
REFUND = "refund"
"""The state of the row that holds how much of a payment was given back; its reference ends in `REFUND_MARK`."""
REFUND_MARK = "#refund"
LONGEST_REFERENCE = 80 - len(REFUND_MARK)
ZERO = Decimal(0)


class Happened(StrEnum):
    """What a store can tell of a payment."""

    CREATED = "created"
    APPROVED = "approved"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"


@dataclass(frozen=True, slots=True)
class PaymentEvent:
    """One event of one payment, known by the store's own `reference`.

    `amount` in reais: of an approval, what was paid (needed unless the creation told it); of a refund, all that was
    given back of this payment so far, None for the whole of it.
    """

    reference: str
    event: Happened
    amount: Decimal | None = None
    method: str = ""
    instalments: int | None = None
    at: datetime | None = None


class UnknownOrderError(LookupError):
    """There is no order of that number."""


class PaymentRefusedError(ValueError):
    """A payment event that cannot be taken; the text says what was received and what is valid."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How an order's payments stand, in reais. `held` is approved and not given back, `returned` was given back."""

    state: str
    held: Decimal = ZERO
    returned: Decimal = ZERO
    partly_returned: bool = field(default=False)


async def find(session: AsyncSession, merchant_id: str, number: str, source: str = "") -> Order:
    """The order of that number, locked until the transaction ends. Raises UnknownOrderError."""
    query = select(Order).where(
        col(Order.merchant_id) == merchant_id, col(Order.source) == source, col(Order.number) == number
    )
    found = (await session.execute(query.with_for_update().execution_options(populate_existing=True))).scalar()
    if found is None:
        raise UnknownOrderError(f"there is no order {number!r}; hand it in before its payments")
    return found


async def record(session: AsyncSession, merchant_id: str, number: str, event: PaymentEvent, source: str = "") -> Order:
    """Take one payment event in. Raises UnknownOrderError and PaymentRefusedError, and then nothing was written."""
    _check(event)
    order = await find(session, merchant_id, number, source)
    payments = {payment.reference: payment for payment in await of_order(session, order.id)}
    if event.event is Happened.REFUNDED and event.amount is not None:
        _give_back(session, order, payments, event)
    else:
        _move_on(session, order, payments, event)
    await session.flush()
    await settle(session, order)
    return order


async def pay(
    session: AsyncSession, merchant_id: str, number: str, reference: str, amount: Decimal, source: str = ""
) -> Order:
    """A payment was approved; see `record`."""
    event = PaymentEvent(reference, Happened.APPROVED, amount)
    return await record(session, merchant_id, number, event, source)


async def refund(session: AsyncSession, merchant_id: str, number: str, source: str = "") -> Order:
    """All that was paid for the order was given back. Raises UnknownOrderError."""
    order = await find(session, merchant_id, number, source)
    for payment in await of_order(session, order.id):
        if payment.state == "approved":
            payment.state = "refunded"
    await session.flush()
    await settle(session, order)
    return order


async def cancel(
    session: AsyncSession, merchant_id: str, number: str, source: str = "", *, told_by: str | None = None
) -> Order:
    """The order was cancelled; one that is cancelled or refunded stays as it is. Raises UnknownOrderError.

    `told_by` is the connection that the cancellation came from: all others are told.
    """
    order = await find(session, merchant_id, number, source)
    if order.state not in ENDED:
        order.state = "cancelled"
        order.updated_at = utcnow()
        await session.flush()
        await _ended(session, order, told_by)
        await holding.refresh_order(session, order)
        await settle(session, order)
    return order


async def of_order(session: AsyncSession, order_id: str) -> list[Payment]:
    """The payments of an order, in the order in which they came; rows of state `refund` are what was given back."""
    rows = await session.execute(select(Payment).where(col(Payment.order_id) == order_id).order_by(col(Payment.id)))
    return list(rows.scalars())


async def settle(session: AsyncSession, order: Order) -> None:
    """Compute the order's state from its payments, and queue it where that makes news for the other systems."""
    payments = await of_order(session, order.id)
    standing = standing_of(order, payments)
    before, order.payment_state = (order.state, order.payment_state), standing.state
    if standing.state == "paid" and order.state == "created":
        order.state = "paid"
        order.paid_at = max((p.paid_at for p in payments if p.paid_at and p.state == "approved"), default=utcnow())
    elif order.state == "paid" and standing.state in ("pending", "partly_paid"):
        order.state, order.paid_at = "created", None  # an edit has made it dearer than what was paid
    elif order.state == "paid" and standing.state in ENDED:
        order.state = standing.state
    elif order.state == "created" and standing.state in ENDED and ZERO < (order.total or ZERO) <= standing.returned:
        order.state = standing.state  # the refund has overtaken the approval
    if not order.payment_method:
        _describe(order, payments)
    if before != (order.state, order.payment_state):
        order.updated_at = utcnow()
    await session.flush()
    await _money_notice(session, order, standing)
    if order.state == "paid" and before[0] != "paid":
        await order_queue.enqueue(session, order)
    elif order.state in ENDED and before[0] not in ENDED:
        await _ended(session, order)
    if order.state != before[0]:
        await holding.refresh_order(session, order)


def standing_of(order: Order, payments: Sequence[Payment]) -> Standing:
    """How the payments stand against the order's total. Pure.

    Partly paid is not paid. What was paid in full and then given back in part stays paid, as the sale stands.
    """
    total = order.total or ZERO
    back = {p.reference.removesuffix(REFUND_MARK): p.amount or ZERO for p in payments if p.state == REFUND}
    held = returned = gross = ZERO
    for payment in payments:
        amount = payment.amount or ZERO
        if payment.state == "approved":
            given_back = min(amount, back.get(payment.reference, ZERO))
            gross += amount
            held += amount - given_back
            returned += given_back
        elif payment.state in ENDED and payment.paid_at is not None:
            returned += amount
    real = [payment for payment in payments if payment.state != REFUND]
    approved = [payment for payment in real if payment.state == "approved"]
    if approved and held >= total and (held > 0 or not returned):
        return Standing("paid", held, returned)
    if held > 0:
        partly_returned = gross >= total or (order.paid_at is not None and held + returned >= total)
        return Standing("paid" if partly_returned else "partly_paid", held, returned, partly_returned)
    if any(p.state == "refunded" for p in real) or (approved and returned):
        return Standing("refunded", held, returned)
    if real and all(p.state == "cancelled" for p in real):
        return Standing("cancelled", held, returned)
    return Standing("pending", held, returned)


def _check(event: PaymentEvent) -> None:
    if not 1 <= len(event.reference) <= LONGEST_REFERENCE or event.reference.endswith(REFUND_MARK):
        raise PaymentRefusedError(
            f"received the reference {event.reference[:90]!r}; valid are 1 to {LONGEST_REFERENCE} characters that do "
            f"not end in {REFUND_MARK}"
        )
    if len(event.method) > 40:
        raise PaymentRefusedError(f"received a method of {len(event.method)} characters; valid are 40 at most")
    amount = event.amount
    if amount is not None and (not amount.is_finite() or not 0 <= amount < 10**12 or money.money(amount) != amount):
        raise PaymentRefusedError(f"received the amount {amount}; valid is 0 or more, with two decimals at most")


def _give_back(session: AsyncSession, order: Order, payments: dict[str, Payment], event: PaymentEvent) -> None:
    """So much of a payment was given back so far: the greatest amount told counts, so a late event takes none back."""
    amount = event.amount or ZERO
    found = payments.get(event.reference + REFUND_MARK)
    if found is None:
        reference = event.reference + REFUND_MARK
        found = Payment(
            merchant_id=order.merchant_id, order_id=order.id, reference=reference, state=REFUND, amount=amount
        )
    found.amount = max(found.amount or ZERO, amount)
    session.add(found)


_RANK = {"pending": 0, "approved": 1, "cancelled": 2, "refunded": 3}
_STATE = {
    Happened.CREATED: "pending",
    Happened.APPROVED: "approved",
    Happened.CANCELLED: "cancelled",
    Happened.REFUNDED: "refunded",
}


def _move_on(session: AsyncSession, order: Order, payments: dict[str, Payment], event: PaymentEvent) -> None:
    found = payments.get(event.reference) or Payment(
        merchant_id=order.merchant_id, order_id=order.id, reference=event.reference, amount=ZERO
    )
    if event.event is Happened.APPROVED:
        _approve(found, event)
    elif event.amount is not None and found.paid_at is None:
        found.amount = event.amount
    found.method = event.method or found.method
    found.instalments = event.instalments or found.instalments
    if _RANK[_STATE[event.event]] > _RANK[found.state]:
        found.state = _STATE[event.event]
    session.add(found)


def _approve(found: Payment, event: PaymentEvent) -> None:
    amount = event.amount if event.amount is not None else found.amount or None
    if amount is None:
        raise PaymentRefusedError(f"the approval of {event.reference!r} tells no amount, nor did its creation")
    if found.paid_at is not None and found.amount != amount:
        raise PaymentRefusedError(
            f"payment {event.reference!r} was approved with {found.amount} and now comes with {amount}; a second "
            "payment needs a reference of its own"
        )
    found.amount = amount
    found.paid_at = found.paid_at or (event.at or utcnow()).astimezone(UTC)


def _describe(order: Order, payments: Sequence[Payment]) -> None:
    """The method and the instalments, where the order itself did not tell them."""
    told = next((p for p in payments if p.state == "approved" and p.method), None)
    if told is not None:
        order.payment_method, order.instalments = told.method, told.instalments


async def _ended(session: AsyncSession, order: Order, told_by: str | None = None) -> None:
    """Queue a cancelled or refunded order for every connection that has it, or may be getting it at this moment."""
    for connection in await order_queue.enqueue_ended(session, order, but=(told_by,) if told_by else ()):
        await clear_notices(session, order.merchant_id, connection, "order_edit", [order.id])


async def _money_notice(session: AsyncSession, order: Order, standing: Standing) -> None:
    """What only the merchant can put right: money given back in part, or money for an order that has ended."""
    params = {
        "number": order.number,
        "total": money.brl(order.total or ZERO),
        "held": money.brl(standing.held),
        "returned": money.brl(standing.returned),
    }
    about = {"connection_id": "", "kind": MONEY, "subject": order.id, "params": params}
    if order.state in ENDED and standing.state in ("paid", "partly_paid") and _came_after(order, standing):
        await raise_notices(session, order.merchant_id, [Draft(code="order.paid_after_end", **about)])  # type: ignore[arg-type]
    elif order.state == "paid" and standing.partly_returned:
        await raise_notices(session, order.merchant_id, [Draft(code="order.partly_refunded", **about)])  # type: ignore[arg-type]
    else:
        await clear_notices(session, order.merchant_id, "", MONEY, [order.id])


def _came_after(order: Order, standing: Standing) -> bool:
    """A cancelled order that was paid before is refunded in its own time; one that was not is paid by mistake."""
    return order.paid_at is None or order.state == "refunded"
