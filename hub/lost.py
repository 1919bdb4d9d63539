"""Records of ours that somebody has deleted over there.

What the merchant deletes in the ERP is not made again behind his back: a product waits, as one that failed, until it is
sent again on purpose (`hub.outbox.retry`) or an order needs it. A buyer is no more than what an order needs.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import bindings, selling
from hub.clock import utcnow
from hub.notices import Draft, clear_notices, raise_notices
from hub.records import Problem
from hub.selling import NotSendableError
from hub.tables import Binding, Connection, OutboxEntry

CODE = "product.gone"
KIND = "product"
_SETTLED = ("sent", "skipped")


def refusal(sku: str) -> NotSendableError:
    """Why a product that was deleted over there is not sent."""
    return NotSendableError(CODE, [Problem(KIND, "gone", sku)], sku=sku)


async def mark_products(
    session: AsyncSession, connection: Connection, external_ids: Sequence[str], as_of: datetime
) -> None:
    """These products were not over there at that time: the merchant is told of those that we did not know it of, and
    each stands as failed, so that it can be sent again. A system that takes no products keeps its own."""
    if not external_ids or KIND not in connection.features.get("takes", ()):
        return
    told = set(external_ids) - await bindings.read_later(session, connection, external_ids, as_of)
    rows = await session.execute(
        update(Binding)
        .where(
            *_here(connection, KIND),
            col(Binding.external_id).in_(told),
            col(Binding.gone).is_(False),
        )
        .values(gone=True, seen_hash="", sent_hash="")
        .returning(col(Binding.record_id))
    )
    lost = sorted(rows.scalars())
    if not lost:
        return
    await session.execute(
        update(OutboxEntry)
        .where(
            col(OutboxEntry.connection_id) == connection.id,
            col(OutboxEntry.kind) == KIND,
            col(OutboxEntry.record_id).in_(lost),
            col(OutboxEntry.state).in_(_SETTLED),
        )
        .values(state="failed", reason=CODE, updated_at=utcnow())
        .execution_options(synchronize_session=False)
    )
    drafts = []
    for record_id in lost:
        named = await selling.named(session, KIND, record_id)
        problem = {"field": KIND, "reason": "gone", "received": named.get("sku", "")}
        params = {"kind": connection.kind, **named, "problems": [problem]}
        drafts.append(Draft(CODE, connection.id, KIND, record_id, params))
    await raise_notices(session, connection.merchant_id, drafts)


async def mark_customer(session: AsyncSession, connection: Connection, record_id: str) -> None:
    """That buyer is not over there any more."""
    await session.execute(
        update(Binding).where(*_here(connection, "customer"), col(Binding.record_id) == record_id).values(gone=True)
    )


async def unmark_products(session: AsyncSession, connection: Connection, external_ids: Collection[str]) -> None:
    """These were read, so they are there: whoever said that they were not was wrong, or they were brought back."""
    rows = await session.execute(
        update(Binding)
        .where(*_here(connection, KIND), col(Binding.external_id).in_(external_ids), col(Binding.gone).is_(True))
        .values(gone=False)
        .returning(col(Binding.record_id))
    )
    if back := list(rows.scalars()):
        await clear_notices(session, connection.merchant_id, connection.id, KIND, back)


async def forget_products(session: AsyncSession, connection: Connection, record_ids: Collection[str] | None) -> None:
    """They are sent again on purpose: where they were over there counts no more, so they are looked for, or made."""
    failed = select(col(OutboxEntry.record_id)).where(
        col(OutboxEntry.connection_id) == connection.id,
        col(OutboxEntry.kind).in_((KIND, "price", "stock")),
        col(OutboxEntry.state) == "failed",
    )
    wanted = [*_here(connection, KIND), col(Binding.gone).is_(True), col(Binding.record_id).in_(failed)]
    if record_ids is not None:
        wanted.append(col(Binding.record_id).in_(record_ids))
    await session.execute(delete(Binding).where(*wanted).execution_options(synchronize_session=False))


def _here(connection: Connection, kind: str) -> tuple[ColumnElement[bool], ...]:
    return (col(Binding.connection_id) == connection.id, col(Binding.kind) == kind)
