"""The secrets of a connection: encrypted at rest, refreshed by one process at a time."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlmodel import col

from hub.clock import utcnow
from hub.db import Database
from hub.leases import wait_for
from hub.settings import settings
from hub.tables import Connection


@dataclass(frozen=True)
class Tokens:
    """A pair of OAuth tokens. `version` goes up with every refresh."""

    access: str
    refresh: str
    expires_at: datetime | None
    lifetime_s: int
    version: int

    def __repr__(self) -> str:
        """Without the tokens: this is what a log or a debugger would show."""
        return f"Tokens(version={self.version}, expires_at={self.expires_at})"


class StaleTokensError(Exception):
    """The stored tokens moved on while a refresh was under way; the newer pair is kept."""


@dataclass(frozen=True)
class TokenStore:
    """Where the tokens of one connection lie."""

    db: Database
    connection_id: str

    async def load(self) -> Tokens:
        """The stored pair."""
        async with self.db.read() as session:
            found = await session.execute(
                select(col(Connection.credentials), col(Connection.credentials_version)).where(
                    col(Connection.id) == self.connection_id
                )
            )
            credentials, version = found.one()
        return _tokens(credentials, version)

    async def save(self, *, access: str, refresh: str, lifetime_s: int, after: int) -> Tokens:
        """Store the pair that follows version `after`. Raises StaleTokensError if somebody else stored one already.

        Call it before the new access token is used: a crash in between would leave the shop with a burned token.
        """
        async with self.db.write() as session:
            found = await session.execute(
                select(col(Connection.credentials), col(Connection.credentials_version))
                .where(col(Connection.id) == self.connection_id)
                .with_for_update()
            )
            credentials, version = found.one()
            if version != after:
                raise StaleTokensError(f"{self.connection_id}: version {after} was to be followed, found {version}")
            expires_at = utcnow() + timedelta(seconds=lifetime_s) if lifetime_s else None
            credentials = {
                **credentials,
                "access_token": access,
                "refresh_token": refresh,
                "expires_at": expires_at.isoformat() if expires_at else None,
                "lifetime_s": lifetime_s,
            }
            await session.execute(
                update(Connection)
                .where(col(Connection.id) == self.connection_id)
                .values(credentials=credentials, credentials_version=version + 1)
                # Or the session compares columns to keep its objects in step, and encrypted ones refuse to be compared.
                .execution_options(synchronize_session=False)
            )
        return _tokens(credentials, version + 1)

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """While the block runs nobody else refreshes these tokens, in this process or another.

        A lease and not a row lock: the refresh is a call to the vendor, and a transaction is never held across one.
        """
        longest = 2 * (settings().read_timeout_s + settings().connect_timeout_s)
        async with wait_for(self.db, f"oauth:{self.connection_id}", ttl_s=longest):
            yield


def _tokens(credentials: dict[str, Any], version: int) -> Tokens:
    expires = credentials.get("expires_at")
    return Tokens(
        access=credentials.get("access_token", ""),
        refresh=credentials.get("refresh_token", ""),
        expires_at=datetime.fromisoformat(expires) if expires else None,
        lifetime_s=int(credentials.get("lifetime_s") or 0),
        version=version,
    )
