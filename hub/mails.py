"""E-mails to buyers about their orders: one of each kind an order, ever, and none sent twice.

A mail is marked `sending` before it leaves. Whoever dies between that and the answer leaves it so, and nobody knows
whether it arrived: it becomes `unknown` and is not repeated, as a buyer is better told nothing than twice.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.clock import utcnow
from hub.db import upsert_rows
from hub.ids import new_id
from hub.notices import Draft, clear_notices, raise_notices
from hub.payments import ENDED
from hub.tables import Customer, Mail, Merchant, Order, Shipment

KIND = "mail"
"""The kind of notices about mails; their subject is the order's id and the mail's kind."""
NO_SERVER = "server"
"""The subject of the one notice that none can be sent."""
FOR_CODE = timedelta(hours=1)
"""How long the news that a parcel left waits for its tracking code, which may come by a message of its own."""
NO_ANSWER = timedelta(minutes=10)
"""After so long in `sending` its sender is dead: no step of a sending takes that long."""
KEPT = timedelta(days=3)
"""What is older is no news any more: a mail that could not be sent for so long, or a step that may have been made so
long ago."""
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180))
"""Between one try and the next, where the server says "not now"; the last one again and again."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A claimed mail with what it says. Who it goes to is in no repr."""

    id: str
    kind: str
    attempts: int
    store: str
    number: str
    name: str = field(repr=False)
    address: str = field(repr=False)
    carrier: str = ""
    tracking_code: str = field(default="", repr=False)
    tracking_url: str = field(default="", repr=False)


async def queue(
    session: AsyncSession, order: Order, kind: str, connection_id: str, *, since: datetime | None = None
) -> None:
    """The buyer is to get this mail; in the transaction that makes it news. One that was queued before stays as it is.

    `kind` is `shipped` or `delivered`. A parcel without a tracking code yet is given an hour for it. `since` is when it
    was last known not to be so yet: a connection that comes back after weeks tells of parcels that arrived long ago,
    and no buyer is written to about those.
    """
    now = utcnow()
    if since is not None and now - since > KEPT:
        return
    coded = select(col(Shipment.id)).where(col(Shipment.order_id) == order.id)
    waits = kind == "shipped" and (await session.execute(coded)).first() is None
    row = {
        "id": new_id(),
        "merchant_id": order.merchant_id,
        "connection_id": connection_id,
        "order_id": order.id,
        "kind": kind,
        "state": "pending",
        "attempts": 0,
        "not_before": now + FOR_CODE if waits else None,
        "reason": "",
        "created_at": now,
        "sent_at": None,
    }
    await upsert_rows(session, Mail.__table__, [row], key=["order_id", "kind"], update=[])  # type: ignore[attr-defined]


async def parcel_came(session: AsyncSession, order_id: str) -> None:
    """The tracking code is there: a mail that waited for it goes now."""
    await session.execute(
        update(Mail)
        .where(
            col(Mail.order_id) == order_id,
            col(Mail.state) == "pending",
            col(Mail.attempts) == 0,
            col(Mail.not_before).is_not(None),
        )
        .values(not_before=None)
    )


async def is_due(session: AsyncSession) -> bool:
    """Whether there is anything to do: a mail to be sent, or one to be given up."""
    now = utcnow()
    due = select(col(Mail.id)).where(
        col(Mail.state).in_(["pending", "sending"]), col(Mail.not_before).is_(None) | (col(Mail.not_before) <= now)
    )
    return (await session.execute(due.limit(1))).first() is not None


async def sweep(session: AsyncSession) -> dict[str, int]:
    """Put aside what will not be sent any more; returns how many by their new state. Call it under the senders' lease:
    a mail that another living sender has in hand is not older than `NO_ANSWER`.
    """
    now = utcnow()
    found: dict[str, int] = {}
    dead = select(Mail).where(col(Mail.state) == "sending", col(Mail.not_before) <= now).with_for_update()
    for mail in (await session.execute(dead)).scalars():
        await _give_up(session, mail, "unknown", "its sender died before it knew whether the mail was taken", "")
        found["unknown"] = found.get("unknown", 0) + 1
    old = (col(Mail.state) == "pending", col(Mail.created_at) <= now - KEPT)
    for mail in (await session.execute(select(Mail).where(*old).with_for_update())).scalars():
        # A server that was down was tried for one of all that were due: the others have its answer, and no attempt.
        state = "failed" if mail.attempts or mail.reason else "skipped"
        await _give_up(session, mail, state, mail.reason or "no mail server was set for three days", "mail.too_late")
        found[state] = found.get(state, 0) + 1
    return found


async def claim(session: AsyncSession) -> Letter | None:
    """Take the next due mail, marked `sending`; None when there is none. What has nobody to go to is passed over."""
    now = utcnow()
    due = (
        select(Mail)
        .where(col(Mail.state) == "pending", col(Mail.not_before).is_(None) | (col(Mail.not_before) <= now))
        .order_by(col(Mail.created_at), col(Mail.id))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    while (mail := (await session.execute(due)).scalar_one_or_none()) is not None:
        letter, why_not = await _letter(session, mail)
        if letter is not None:
            mail.state, mail.not_before = "sending", now + NO_ANSWER
            await session.flush()
            return letter
        mail.state, mail.reason = "skipped", why_not
        await session.flush()
    return None


async def sent(session: AsyncSession, mail_id: str) -> None:
    """The server has taken it."""
    taken = await session.execute(
        update(Mail)
        .where(*_in_hand(mail_id))
        .values(state="sent", sent_at=utcnow(), not_before=None, reason="")
        .returning(col(Mail.merchant_id), col(Mail.connection_id))
    )
    for merchant_id, connection_id in taken.all():
        await clear_notices(session, merchant_id, connection_id, KIND, [NO_SERVER])


async def again(session: AsyncSession, letter: Letter, reason: str) -> None:
    """The server did not take it now: after a pause once more."""
    pause = PAUSES[min(letter.attempts, len(PAUSES) - 1)]
    values = {"state": "pending", "attempts": letter.attempts + 1, "not_before": utcnow() + pause, "reason": reason}
    await session.execute(update(Mail).where(*_in_hand(letter.id)).values(**values))


async def all_again(session: AsyncSession, letter: Letter, reason: str) -> None:
    """It was not this mail's matter: the others that are due wait as long as it does, and none is tried in vain."""
    now = utcnow()
    due = (col(Mail.state) == "pending", col(Mail.not_before).is_(None) | (col(Mail.not_before) <= now))
    pause = PAUSES[min(letter.attempts, len(PAUSES) - 1)]
    await session.execute(update(Mail).where(*due).values(not_before=now + pause, reason=reason))


async def give_up(session: AsyncSession, mail_id: str, state: str, reason: str) -> None:
    """`failed`, as the server will never take it, or `unknown`, as it may have; the merchant is told."""
    mail = (await session.execute(select(Mail).where(*_in_hand(mail_id)).with_for_update())).scalar_one_or_none()
    if mail is not None:
        await _give_up(session, mail, state, reason, "mail.failed")


def _in_hand(mail_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return col(Mail.id) == mail_id, col(Mail.state) == "sending"


async def _give_up(session: AsyncSession, mail: Mail, state: str, reason: str, why: str) -> None:
    """It is not sent any more. The merchant is told mail by mail; once a connection where there is no server at all."""
    mail.state, mail.not_before, mail.reason = state, None, reason[:500]
    await session.flush()
    order = await session.get(Order, mail.order_id)
    draft = Draft(
        code="mail.unknown" if state == "unknown" else why,
        connection_id=mail.connection_id,
        kind=KIND,
        subject=f"{mail.order_id}:{mail.kind}",
        params={"number": order.number} if order else {},
    )
    if state == "skipped":
        draft = Draft(code="mail.no_server", connection_id=mail.connection_id, kind=KIND, subject=NO_SERVER)
    await raise_notices(session, mail.merchant_id, [draft])


async def _letter(session: AsyncSession, mail: Mail) -> tuple[Letter | None, str]:
    """What the mail says, as things stand now; or why it has nothing to say."""
    order = await session.get(Order, mail.order_id)
    if order is None or order.state in ENDED:
        return None, "the order has ended"
    buyer = await session.get(Customer, order.customer_id) if order.customer_id else None
    if buyer is None or not buyer.email:
        return None, "the buyer has no address"
    merchant = await session.get(Merchant, mail.merchant_id)
    newest = select(Shipment).where(col(Shipment.order_id) == order.id).order_by(col(Shipment.updated_at).desc())
    parcel = (await session.execute(newest.limit(1))).scalar_one_or_none()
    letter = Letter(
        id=mail.id,
        kind=mail.kind,
        attempts=mail.attempts,
        store=merchant.name if merchant else "",
        number=order.number,
        name=buyer.name,
        address=buyer.email,
        carrier=parcel.carrier if parcel else "",
        tracking_code=parcel.tracking_code if parcel else "",
        tracking_url=parcel.tracking_url if parcel else "",
    )
    return letter, ""
