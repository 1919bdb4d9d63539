"""An order moves on: an ERP or the store tells how far it has come, and the others hear of it.

Both sides tell at once, late, doubled and in any order. So a stage only ever goes forward (`hub.stages`), what brings
nothing new writes nothing, and a system never hears of what it has told itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import holding, mails, order_queue, order_watch, outbox, payments, stages
from hub.clock import utcnow
from hub.notices import Draft, clear_notices, raise_notices
from hub.payments import ENDED
from hub.policy import Policy
from hub.records import Parcel
from hub.stages import SENT, Stage
from hub.tables import Binding, Connection, Notice, Order, Shipment

END = "order_end"
"""The kind of notices about an order that an ERP has cancelled."""
ASKED_TO_END = ("order.tell_cancelled", "order.tell_refunded")
NOT_TOLD = ("order.not_moved", "order.not_sent")
READY = "ready"
"""The state of a parcel that has a tracking code and has not left the shop."""
_FORWARD = (READY, "shipped", "delivered")


@dataclass(frozen=True, slots=True)
class Advance:
    """What a message has changed: the order's stage as the world sees it, before and after, and whether its parcel."""

    before: Stage
    after: Stage
    parcel: bool = False

    @property
    def moved(self) -> bool:
        """Whether the order has moved on."""
        return self.before is not self.after

    @property
    def is_news(self) -> bool:
        """Whether anything was new."""
        return self.moved or self.parcel


async def advance(
    session: AsyncSession,
    merchant_id: str,
    order: Order,
    stage: str,
    *,
    source_connection: str | None,
    as_of: datetime,
    parcel: Parcel | None = None,
) -> Advance:
    """The order has come to `stage` ('': nothing is known of that), and this is its parcel, as a connection tells it;
    None is the store itself. In the caller's transaction, which keeps the order locked.

    What an ERP cancels is cancelled here. `as_of` is when it was so: a message that is older changes no parcel back.
    """
    locked = select(Order).where(col(Order.merchant_id) == merchant_id, col(Order.id) == order.id)
    found = await session.execute(locked.with_for_update().execution_options(populate_existing=True))
    order = found.scalar_one()
    is_told_further = source_connection is not None and await note_told(session, source_connection, order.id, stage)
    if source_connection is not None and stage == Stage.CANCELLED:
        await _take_back(session, order, source_connection, ASKED_TO_END)
    before = stages.of_order(order.state, order.stage)
    if stages.is_further(stage, before):
        order.stage, order.updated_at = stage, utcnow()
        await session.flush()
    if stage == Stage.CANCELLED and order.state not in ENDED:
        await _cancel(session, order, source_connection)
    after = stages.of_order(order.state, order.stage)
    if source_connection is not None and is_told_further:
        await _done_there(session, order, source_connection, fully=not stages.is_further(after, stage))
    changed = False
    if parcel is not None or before is not after:
        changed = await _parcels(session, order, parcel, source_connection or "", as_of)
    if before is not after and order.state not in ENDED:
        await order_queue.enqueue(session, order, but=(source_connection,) if source_connection else ())
        await _queue_mail(session, order, after, source_connection)
    if changed:
        await mails.parcel_came(session, order.id)
    return Advance(before, after, changed)


async def note_told(session: AsyncSession, connection_id: str, order_id: str, stage: str) -> bool:
    """A connection has told this stage of an order, or was told it; the furthest stays. Returns whether it was news."""
    binding = (
        await session.execute(
            select(Binding)
            .where(
                col(Binding.connection_id) == connection_id,
                col(Binding.kind) == "order",
                col(Binding.record_id) == order_id,
            )
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    ).scalar_one_or_none()
    if binding is None or not stages.is_further(stage, binding.told):
        return False
    holding.note_approved(binding, stage)
    binding.told = stage
    await session.flush()
    return True


async def _cancel(session: AsyncSession, order: Order, source_connection: str | None) -> None:
    """Cancelled over there: so it is here, and the merchant, who may not know it, is told to give the money back."""
    standing = payments.standing_of(order, await payments.of_order(session, order.id))
    await payments.cancel(session, order.merchant_id, order.number, order.source, told_by=source_connection)
    if source_connection is None:
        return
    teller = await session.get(Connection, source_connection)
    draft = Draft(
        code="order.cancelled_by_erp_paid" if standing.held > 0 else "order.cancelled_by_erp",
        connection_id=source_connection,
        kind=END,
        subject=order.id,
        params={"number": order.number, "kind": teller.kind if teller else ""},
    )
    await raise_notices(session, order.merchant_id, [draft])


async def _done_there(session: AsyncSession, order: Order, connection_id: str, *, fully: bool) -> None:
    """The merchant has moved over there what we could not: what failed has ended with its notice; or, where the store
    has come further still, it is compared again, as the two may be one word over there."""
    if await outbox.done_there(session, connection_id, order.id, fully=fully) and fully:
        await _take_back(session, order, connection_id, NOT_TOLD)


async def _take_back(session: AsyncSession, order: Order, connection_id: str, codes: Sequence[str]) -> None:
    """What a notice asks the merchant for was done over there: it goes."""
    asked = await session.execute(
        select(col(Notice.id)).where(
            col(Notice.merchant_id) == order.merchant_id,
            col(Notice.connection_id) == connection_id,
            col(Notice.kind) == "order",
            col(Notice.subject) == order.id,
            col(Notice.code).in_(codes),
        )
    )
    if asked.first() is not None:
        await clear_notices(session, order.merchant_id, connection_id, "order", [order.id])


async def _parcels(
    session: AsyncSession, order: Order, parcel: Parcel | None, connection_id: str, as_of: datetime
) -> bool:
    """Write the parcel down by its tracking code, and move the order's parcels as far as the order has come; whether
    anything of it was new.

    Two systems may word one parcel differently: who told of it first may change the words, another only fills in what
    is missing. Otherwise each of them would put the other's right, for ever.
    """
    rows = await session.execute(select(Shipment).where(col(Shipment.order_id) == order.id).with_for_update())
    known = {shipment.tracking_code: shipment for shipment in rows.scalars()}
    changed = False
    if parcel is not None:
        code = parcel.tracking_code[:60]
        if code not in known:
            known[code] = Shipment(
                merchant_id=order.merchant_id,
                order_id=order.id,
                connection_id=connection_id,
                tracking_code=code,
                state=READY,
                updated_at=as_of,
            )
            session.add(known[code])
            changed = True
        changed |= _reworded(known[code], parcel, connection_id, as_of)
    for shipment in known.values():
        changed |= _moved(shipment, order, as_of)
    await session.flush()
    return changed


def _reworded(shipment: Shipment, parcel: Parcel, connection_id: str, as_of: datetime) -> bool:
    told = {"carrier": parcel.carrier[:80], "tracking_url": parcel.tracking_url}
    if shipment.connection_id != connection_id or as_of < shipment.updated_at:
        told = {name: value for name, value in told.items() if not getattr(shipment, name)}
    new = {name: value for name, value in told.items() if value and getattr(shipment, name) != value}
    for name, value in new.items():
        setattr(shipment, name, value)
    if new:
        shipment.updated_at = max(shipment.updated_at, as_of)
    return bool(new)


def _moved(shipment: Shipment, order: Order, as_of: datetime) -> bool:
    stage = stages.of_order(order.state, order.stage)
    state = "delivered" if stage is Stage.DELIVERED else "shipped" if stage in SENT else READY
    if _FORWARD.index(state) <= _FORWARD.index(shipment.state):
        return False
    shipment.state = state
    shipment.updated_at = max(shipment.updated_at, as_of)
    if state == "delivered":
        shipment.delivered_at = as_of
    else:
        shipment.shipped_at = as_of
    return True


async def _queue_mail(session: AsyncSession, order: Order, stage: Stage, connection_id: str | None) -> None:
    """The buyer is told by e-mail where the connection that tells us says so. A store that tells of its own parcels has
    its own ways to its buyers.
    """
    teller = await session.get(Connection, connection_id) if connection_id else None
    if teller is None:
        return
    policy = Policy.model_validate(teller.policy)
    wanted = {Stage.SHIPPED: policy.mail_shipped, Stage.DELIVERED: policy.mail_delivered}
    if wanted.get(stage):
        since = await order_watch.known_until(session, teller, order.id)
        await mails.queue(session, order, stage.value, teller.id, since=since)
