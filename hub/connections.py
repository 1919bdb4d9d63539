"""Connections: made, found, and kept in the state that they are really in."""

import re
import unicodedata
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.clock import utcnow
from hub.policy import Policy
from hub.tables import Connection, Merchant
from hub.tables.tenancy import ConnectionState

OFF = (ConnectionState.INACTIVE, ConnectionState.NOT_INSTALLED)
"""What is so does nothing until somebody checks it again."""


class UnknownConnectionError(LookupError):
    """There is no connection of that id; the text lists those there are."""


class SwitchedOffError(Exception):
    """The connection was switched off or removed while something was at work on it."""


async def find(session: AsyncSession, connection_id: str) -> Connection:
    """The connection of that id. Raises UnknownConnectionError."""
    found = await session.get(Connection, connection_id)
    if found is None:
        ids = sorted((await session.execute(select(col(Connection.id)))).scalars())
        there = ", ".join(ids) if ids else "none yet (make one: esteira connect)"
        raise UnknownConnectionError(f"there is no connection {connection_id!r}; there are: {there}")
    return found


async def active(session: AsyncSession, kinds: frozenset[str] | None = None) -> list[Connection]:
    """Every connection that works, of these kinds (None: of any)."""
    query = select(Connection).where(col(Connection.state) == ConnectionState.ACTIVE).order_by(col(Connection.id))
    if kinds is not None:
        query = query.where(col(Connection.kind).in_(kinds))
    return list((await session.execute(query)).scalars())


async def install(
    session: AsyncSession,
    *,
    merchant: str,
    kind: str,
    side: str,
    credentials: dict[str, Any],
    policy: Policy | None = None,
    connection_id: str = "",
) -> Connection:
    """Make a connection, and its merchant when it is new; an existing one gets the new credentials.

    The id is `<merchant>-<kind>` unless given; both are made of lower-case letters, digits and hyphens.
    """
    merchant_id = slug(merchant, longest=60)
    if await session.get(Merchant, merchant_id) is None:
        session.add(Merchant(id=merchant_id, name=merchant[:200]))
        await session.flush()
    wanted = slug(connection_id or f"{merchant_id}-{kind}")
    chosen = (policy or Policy()).model_dump(mode="json", exclude_defaults=True)
    found = await session.get(Connection, wanted)
    if found is None:
        found = Connection(id=wanted, merchant_id=merchant_id, kind=kind, side=side, policy=chosen)
    elif found.merchant_id != merchant_id or found.kind != kind:
        raise ValueError(
            f"the connection {wanted!r} belongs to merchant {found.merchant_id!r}, kind {found.kind!r}; "
            f"received merchant {merchant_id!r}, kind {kind!r}: choose another id with --connection"
        )
    elif policy is not None:
        found.policy = chosen
    found.credentials = {**credentials}
    found.credentials_version += 1
    session.add(found)
    await session.flush()
    return found


async def is_off(session: AsyncSession, connection_id: str, *, lock: bool = False) -> bool:
    """Whether the connection is switched off or removed, as it stands now. With `lock` it stays so to the end of the
    transaction; rows that refer to it may still be written."""
    state = select(col(Connection.state)).where(col(Connection.id) == connection_id)
    found = await session.execute(state.with_for_update(key_share=True) if lock else state)
    return found.scalar_one() in OFF


async def mark(session: AsyncSession, connection_id: str, state: ConnectionState, reason: str = "") -> None:
    """Set the state of a connection and, in words for ops, why."""
    await session.execute(
        update(Connection)
        .where(col(Connection.id) == connection_id)
        .values(state=state.value, state_reason=reason[:500])
    )


async def works_again(session: AsyncSession, connection_id: str) -> None:
    """A call went through: one whose token had been refused is `ativa` again; one that was removed meanwhile is not."""
    await session.execute(
        update(Connection)
        .where(col(Connection.id) == connection_id, col(Connection.state) == ConnectionState.DISCONNECTED)
        .values(state=ConnectionState.ACTIVE.value, state_reason="")
    )


async def checked(session: AsyncSession, connection_id: str, account: str, features: dict[str, Any]) -> set[str]:
    """`check` went through: the connection works, and this is what its account can do.

    Returns the kinds of record that it takes from now on and did not before (`selection.catch_up`).
    """
    found = await find(session, connection_id)
    before = set(found.features.get("takes", ()))
    found.state = ConnectionState.ACTIVE
    found.state_reason = ""
    found.account = account
    found.features = {**found.features, **features}
    found.checked_at = utcnow()
    session.add(found)
    return set(found.features.get("takes", ())) - before


async def learn(session: AsyncSession, connection_id: str, features: dict[str, Any]) -> None:
    """A run found out what the account can, or can no more, do."""
    found = await find(session, connection_id)
    found.features = {**found.features, **features}
    session.add(found)


def slug(name: str, longest: int = 80) -> str:
    """`Café & Pão Ltda` → `cafe-pao-ltda`, cut at so many letters. Raises ValueError when nothing is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:longest].rstrip("-")
    if not found:
        raise ValueError(f"received {name!r}; a name needs at least one letter or digit to make an id of")
    return found
