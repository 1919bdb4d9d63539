"""Notices (avisos): keyed messages to the merchant that appear with their cause and go when the cause is gone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.clock import utcnow
from hub.db import upsert_rows
from hub.ids import new_id
from hub.tables import Notice

WHOLE_CONNECTION = "connection"


@dataclass(frozen=True, slots=True)
class Draft:
    """A notice to raise. `kind` and `subject` say what it is about; `code` names its words in `hub.texts`."""

    code: str
    connection_id: str
    kind: str
    subject: str = ""
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """One notice a subject: a second problem with the same product replaces the first."""
        return _key(self.connection_id, self.kind, self.subject)


async def raise_notices(session: AsyncSession, merchant_id: str, drafts: Sequence[Draft]) -> None:
    """Raise notices; one that stands already is renewed, one that was cleared stands again."""
    now = utcnow()
    rows = {
        draft.key: {
            "id": new_id(),
            "merchant_id": merchant_id,
            "key": draft.key,
            "code": draft.code,
            "connection_id": draft.connection_id,
            "kind": draft.kind,
            "subject": draft.subject,
            "params": draft.params,
            "first_at": now,
            "last_at": now,
            "cleared_at": None,
        }
        for draft in drafts
    }
    await upsert_rows(
        session,
        Notice.__table__,  # type: ignore[attr-defined]
        list(rows.values()),
        key=["merchant_id", "key"],
        update=["code", "params", "last_at", "cleared_at"],
    )


async def raise_once(session: AsyncSession, merchant_id: str, draft: Draft) -> None:
    """Raise a notice that is said once and never again, even after the merchant has put it away."""
    found = await session.execute(
        select(col(Notice.id)).where(col(Notice.merchant_id) == merchant_id, col(Notice.key) == draft.key)
    )
    if found.first() is None:
        await raise_notices(session, merchant_id, [draft])


async def clear_notices(
    session: AsyncSession,
    merchant_id: str,
    connection_id: str,
    kind: str,
    subjects: Collection[str] | None = None,
) -> None:
    """The cause is gone: clear what stands about these subjects (None: about any). Writes nothing when none stands."""
    standing = update(Notice).where(
        col(Notice.merchant_id) == merchant_id,
        col(Notice.connection_id) == connection_id,
        col(Notice.kind) == kind,
        col(Notice.cleared_at).is_(None),
    )
    if subjects is not None:
        standing = standing.where(col(Notice.subject).in_(subjects))
    await session.execute(standing.values(cleared_at=utcnow()))


async def archive(session: AsyncSession, notice_id: str) -> bool:
    """The merchant has read it and done what it asks; False when there is no such notice standing.

    One whose cause is still there comes back with the next run: only what cannot be seen to by us stays away.
    """
    found = await session.execute(
        update(Notice)
        .where(col(Notice.id) == notice_id, col(Notice.cleared_at).is_(None))
        .values(cleared_at=utcnow())
        .returning(col(Notice.id))
    )
    return found.first() is not None


async def standing_notices(session: AsyncSession, merchant_id: str | None = None) -> list[Notice]:
    """The notices that stand, newest first."""
    query = select(Notice).where(col(Notice.cleared_at).is_(None)).order_by(col(Notice.last_at).desc())
    if merchant_id is not None:
        query = query.where(col(Notice.merchant_id) == merchant_id)
    return list((await session.execute(query)).scalars())


async def standing_notice(
    session: AsyncSession, merchant_id: str, connection_id: str, kind: str, subject: str = ""
) -> Notice | None:
    """The notice that stands about one subject, if any does."""
    found = await session.execute(
        select(Notice).where(
            col(Notice.merchant_id) == merchant_id,
            col(Notice.key) == _key(connection_id, kind, subject),
            col(Notice.cleared_at).is_(None),
        )
    )
    return found.scalar_one_or_none()


def _key(connection_id: str, kind: str, subject: str) -> str:
    return f"{connection_id}:{kind}:{subject}"
