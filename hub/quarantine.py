"""Records of theirs that could not be taken: held as they came, with a notice, and released when they are mended."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.clock import utcnow
from hub.db import upsert_rows
from hub.ids import new_id
from hub.notices import Draft, clear_notices, raise_notices
from hub.records import Problem, Refused
from hub.tables import Binding, Connection, Quarantined


async def release(session: AsyncSession, connection: Connection, kind: str, external_ids: Sequence[str]) -> None:
    """These are mended, or gone: let go of what is held of them and clear its notices. Writes nothing where none is."""
    if not external_ids:
        return
    held = await session.execute(
        select(col(Quarantined.id)).where(
            col(Quarantined.connection_id) == connection.id,
            col(Quarantined.kind) == kind,
            col(Quarantined.external_id).in_(external_ids),
        )
    )
    if ids := held.scalars().all():
        await session.execute(delete(Quarantined).where(col(Quarantined.id).in_(ids)))
    await clear_notices(session, connection.merchant_id, connection.id, kind, external_ids)


async def hold(
    session: AsyncSession,
    connection: Connection,
    kind: str,
    refused: Sequence[Refused],
    seen: Mapping[str, str],
    as_of: datetime,
) -> None:
    """Keep what was refused, each with its notice. `seen` are listing fingerprints by their id.

    `as_of` is when the records were asked for.
    """
    if not refused:
        return
    now = utcnow()
    rows = {
        record.external_id: {
            "id": new_id(),
            "merchant_id": connection.merchant_id,
            "connection_id": connection.id,
            "kind": kind,
            "external_id": record.external_id,
            "seen_hash": seen.get(record.external_id, ""),
            "problems": [_told(problem) for problem in record.problems],
            "payload": record.payload,
            "read_at": as_of,
            "first_at": now,
        }
        for record in refused
    }
    # What was not met in a listing this time keeps the fingerprint of when it was: its row is no news.
    for columns, some in (
        (["seen_hash"], [row for row in rows.values() if row["external_id"] in seen]),
        ([], [row for row in rows.values() if row["external_id"] not in seen]),
    ):
        await upsert_rows(
            session,
            Quarantined.__table__,  # type: ignore[attr-defined]
            some,
            key=["connection_id", "kind", "external_id"],
            update=[*columns, "problems", "payload", "read_at"],
        )
    # A bound record that is refused was read all the same: it is due again with the others, and not in every run.
    await session.execute(
        update(Binding)
        .where(
            col(Binding.connection_id) == connection.id,
            col(Binding.kind) == kind,
            col(Binding.external_id).in_(list(rows)),
        )
        .values(read_at=as_of)
    )
    drafts = [
        Draft(
            code=f"{kind}.refused",
            connection_id=connection.id,
            kind=kind,
            subject=record.external_id,
            params={
                "sku": record.sku,
                "name": record.name[:120],
                "problems": [_told(problem) for problem in record.problems],
            },
        )
        for record in refused
    ]
    await raise_notices(session, connection.merchant_id, drafts)


def _told(problem: Problem) -> dict[str, str]:
    return {"field": problem.field, "reason": problem.reason, "received": problem.received}
