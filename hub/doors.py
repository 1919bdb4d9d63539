"""Webhook addresses: one a connection and topic, unguessable, and gone with the integration."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.clock import utcnow
from hub.db import upsert_rows
from hub.ids import new_id
from hub.settings import settings
from hub.tables import Connection, Door

PATH = "/hooks"
"""Where the web app has its doors."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A door as a call needs it. Its key is in nobody's repr: whoever has it can knock."""

    connection_id: str
    merchant_id: str
    kind: str
    topic: str
    secret: str
    account: str
    """The blind index of the account's own document; empty while it is not known."""

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Opened({self.connection_id}, {self.topic})"


async def ensure(session: AsyncSession, connection: Connection, topics: Iterable[str], *, has_secret: bool) -> None:
    """Make the doors that the connection does not have yet; those there are keep their address."""
    now = utcnow()
    rows = []
    for topic in topics:
        key = secrets.token_urlsafe(24)
        rows.append(
            {
                "id": new_id(),
                "merchant_id": connection.merchant_id,
                "connection_id": connection.id,
                "topic": topic,
                "key": key,
                "key_hash": _hash(key),
                "secret": secrets.token_urlsafe(24) if has_secret else "",
                "created_at": now,
            }
        )
    await upsert_rows(session, Door.__table__, rows, key=["connection_id", "topic"], update=[])  # type: ignore[attr-defined]


async def renew(session: AsyncSession, connection: Connection) -> int:
    """Give every door of the connection another address and another secret; the former ones lead nowhere."""
    doors = await of(session, connection.id)
    for door in doors:
        door.key = secrets.token_urlsafe(24)
        door.key_hash = _hash(door.key)
        door.secret = secrets.token_urlsafe(24) if door.secret else ""
        session.add(door)
    return len(doors)


async def of(session: AsyncSession, connection_id: str) -> list[Door]:
    """The doors of a connection, by topic."""
    rows = await session.execute(select(Door).where(col(Door.connection_id) == connection_id).order_by(col(Door.topic)))
    return list(rows.scalars())


async def find(session: AsyncSession, key: str) -> Opened | None:
    """The door of that key, None where there is none."""
    row = (
        await session.execute(
            select(Door, col(Connection.kind), col(Connection.account))
            .join(Connection, col(Connection.id) == col(Door.connection_id))
            .where(col(Door.key_hash) == _hash(key))
        )
    ).one_or_none()
    if row is None:
        return None
    door, kind, account = row
    return Opened(door.connection_id, door.merchant_id, kind, door.topic, door.secret, account)


def address(door: Door) -> str:
    """The address to be pasted at the vendor's: the web app's own, as the internet reaches it."""
    return f"{settings().door}{PATH}/{door.key}"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
