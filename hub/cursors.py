"""Cursors: how far a stream of a connection has been read."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from hub.clock import utcnow
from hub.db import upsert_rows
from hub.tables import Connection, Cursor


async def position(session: AsyncSession, connection: Connection, stream: str) -> dict[str, Any]:
    """Where the stream stands; empty when it was never read."""
    found = await session.get(Cursor, (connection.id, stream))
    return dict(found.position) if found else {}


async def move(session: AsyncSession, connection: Connection, stream: str, to: dict[str, Any]) -> None:
    """Move the cursor. Call it in the transaction that writes the data it speaks of."""
    row = {
        "connection_id": connection.id,
        "stream": stream,
        "merchant_id": connection.merchant_id,
        "position": to,
        "updated_at": utcnow(),
    }
    await upsert_rows(session, Cursor.__table__, [row], key=["connection_id", "stream"])  # type: ignore[attr-defined]
