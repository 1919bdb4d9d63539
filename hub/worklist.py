"""Ids that a vendor's list told us once and will not tell again, kept until the record has been applied."""

from collections.abc import Collection, Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.clock import utcnow
from hub.db import upsert_rows
from hub.tables import Connection, Worklist


async def add(session: AsyncSession, connection: Connection, stream: str, external_ids: Collection[str]) -> None:
    """Keep the ids; one that waits already waits once."""
    rows = [
        {
            "connection_id": connection.id,
            "stream": stream,
            "external_id": external_id,
            "merchant_id": connection.merchant_id,
            "added_at": utcnow(),
        }
        for external_id in sorted(set(external_ids))
    ]
    table = Worklist.__table__  # type: ignore[attr-defined]
    await upsert_rows(session, table, rows, key=["connection_id", "stream", "external_id"], update=[])


async def waiting(session: AsyncSession, connection: Connection, stream: str) -> Sequence[str]:
    """The ids that wait, oldest first."""
    rows = await session.execute(
        select(col(Worklist.external_id))
        .where(col(Worklist.connection_id) == connection.id, col(Worklist.stream) == stream)
        .order_by(col(Worklist.added_at), col(Worklist.external_id))
    )
    return rows.scalars().all()


async def remove(session: AsyncSession, connection: Connection, stream: str, external_ids: Collection[str]) -> None:
    """The records are applied: forget the ids. Call it in the transaction that applies them."""
    await session.execute(
        delete(Worklist).where(
            col(Worklist.connection_id) == connection.id,
            col(Worklist.stream) == stream,
            col(Worklist.external_id).in_(external_ids),
        )
    )
