"""The outbox: "this record must reach that connection"."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.clock import utcnow
from hub.db import upsert_rows
from hub.ids import new_id
from hub.policy import Policy
from hub.tables import Binding, Connection, OutboxEntry
from hub.tables.tenancy import ConnectionState

KIND_OF_GROUP = {"data": "product", "pictures": "product", "price": "price", "stock": "stock"}


@dataclass(frozen=True, slots=True)
class Target:
    """Another connection of the merchant, and the kinds of record that it takes."""

    connection_id: str
    kinds: frozenset[str]
    selected_only: bool


async def targets(session: AsyncSession, source: Connection) -> list[Target]:
    """Every other living connection of the merchant that takes anything; never the one a change came from."""
    others = await session.execute(
        select(Connection).where(
            col(Connection.merchant_id) == source.merchant_id,
            col(Connection.id) != source.id,
            col(Connection.state).in_([ConnectionState.ACTIVE, ConnectionState.DISCONNECTED]),
        )
    )
    return [
        Target(
            connection_id=other.id,
            kinds=frozenset(other.features.get("takes", ())),
            selected_only=Policy.model_validate(other.policy).send_mode == "selected",
        )
        for other in others.scalars()
        if other.features.get("takes")
    ]


async def enqueue(
    session: AsyncSession, merchant_id: str, changed: Sequence[tuple[str, str]], wanted_by: Sequence[Target]
) -> int:
    """Queue changed records, given as (record id, field group), for each target that takes them; returns how many.

    An entry that waits already is one entry still, with a higher version: a burst of changes becomes one send, and a
    change during a send brings another. With send mode `selected` only what is bound over there follows by itself.
    """
    now = utcnow()
    rows = {}
    for target in wanted_by:
        pairs = {(record, KIND_OF_GROUP[group]) for record, group in changed}
        pairs = {(record, kind) for record, kind in pairs if kind in target.kinds}
        if target.selected_only and pairs:
            bound = await _bound(session, target.connection_id, {record for record, _ in pairs})
            pairs = {(record, kind) for record, kind in pairs if record in bound}
        for record, kind in sorted(pairs):
            rows[target.connection_id, kind, record] = {
                "id": new_id(),
                "merchant_id": merchant_id,
                "connection_id": target.connection_id,
                "kind": kind,
                "record_id": record,
                "state": "pending",
                "version": 1,
                "attempts": 0,
                "not_before": None,
                "claimed_by": "",
                "claimed_until": None,
                "reason": "",
                "attempt": {},
                "queued_at": now,
                "updated_at": now,
            }
    table = OutboxEntry.__table__  # type: ignore[attr-defined]
    await upsert_rows(
        session,
        table,
        list(rows.values()),
        key=["connection_id", "kind", "record_id"],
        update=["state", "attempts", "not_before", "updated_at"],
        increment=["version"],
    )
    return len(rows)


async def _bound(session: AsyncSession, connection_id: str, records: set[str]) -> set[str]:
    found = await session.execute(
        select(col(Binding.record_id)).where(
            col(Binding.connection_id) == connection_id,
            col(Binding.kind) == "product",
            col(Binding.record_id).in_(records),
        )
    )
    return set(found.scalars())
