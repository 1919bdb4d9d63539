"""Bearer tokens of the store API: made once, shown once, stored as a hash, revoked for good.

A token is 32 random bytes: nobody guesses one, so a fast hash is enough, and whoever reads the database cannot call.
"""

import hashlib
import hmac
import re
import secrets
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.clock import utcnow
from hub.crypto import Secret
from hub.db import Database
from hub.tables import ApiToken

PREFIX = "est_"
"""By this a token is known for one where it does not belong: in a log, in a repository."""
USED_EVERY = timedelta(minutes=5)
"""`last_used_at` is written this often at most: a write per request would queue the readers up behind it."""
_SHAPE = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")


class UnknownTokenError(LookupError):
    """There is no token of that id."""


async def make(session: AsyncSession, merchant_id: str, label: str = "") -> tuple[ApiToken, Secret]:
    """A new token: its row, and the token itself, which can be read nowhere afterwards."""
    token = Secret(PREFIX + secrets.token_urlsafe(32))
    row = ApiToken(merchant_id=merchant_id, token_hash=_digest(token.reveal()), label=label[:80])
    session.add(row)
    await session.flush()
    return row, token


async def find(session: AsyncSession, token: str) -> ApiToken | None:
    """The row of a token, revoked or not; None when nobody ever had it. Compares hashes, in constant time."""
    if not _SHAPE.fullmatch(token):
        return None
    digest = _digest(token)
    row = (await session.execute(select(ApiToken).where(col(ApiToken.token_hash) == digest))).scalar()
    return row if row is not None and hmac.compare_digest(row.token_hash, digest) else None


async def used(db: Database, row: ApiToken) -> None:
    """Note that the token was used just now, unless that was noted a moment ago."""
    now = utcnow()
    if row.last_used_at is None or row.last_used_at < now - USED_EVERY:
        async with db.write() as session:
            await session.execute(update(ApiToken).where(col(ApiToken.id) == row.id).values(last_used_at=now))


async def revoke(session: AsyncSession, token_id: str) -> ApiToken:
    """End a token. Once revoked it stays so. Raises UnknownTokenError."""
    row = await session.get(ApiToken, token_id)
    if row is None:
        raise UnknownTokenError(f"there is no token {token_id!r}; see them: esteira token list")
    row.revoked_at = row.revoked_at or utcnow()
    await session.flush()
    return row


async def every(session: AsyncSession, merchant_id: str | None = None) -> list[ApiToken]:
    """The tokens of one merchant, or all, oldest first."""
    query = select(ApiToken).order_by(col(ApiToken.merchant_id), col(ApiToken.id))
    if merchant_id is not None:
        query = query.where(col(ApiToken.merchant_id) == merchant_id)
    return list((await session.execute(query)).scalars())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
