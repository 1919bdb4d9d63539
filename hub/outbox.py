"""The outbox: "this record must reach that connection"."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, case, null, or_, select, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import connections
from hub.clock import utcnow
from hub.connections import SwitchedOffError
from hub.db import chunked, upsert_rows
from hub.ids import new_id
from hub.policy import Policy
from hub.tables import Connection, Lease, OutboxEntry, Selection
from hub.tables.tenancy import ConnectionState

KIND_OF_GROUP = {"data": "product", "pictures": "product", "price": "price", "stock": "stock", "order": "order"}
CHUNK = 1000
"""Records that one statement names: PostgreSQL takes 32,767 values, and a catalogue may have more products."""
CHOSEN_KINDS = frozenset({"product", "price", "stock"})
"""The kinds that send mode `selected` holds back; orders go out whatever was selected."""


@dataclass(frozen=True, slots=True)
class Target:
    """Another connection of the merchant, and the kinds of record that it takes.

    `orders` and `order_states` are its policy's words: which orders go there, and which way their progress is told.
    """

    connection_id: str
    kinds: frozenset[str]
    selected_only: bool
    orders: str = "paid"
    order_states: str = "both"

    def wants_order(self, *, paid: bool) -> bool:
        """Whether an order that it does not have is sent to it."""
        return self.orders == "all" or (self.orders == "paid" and paid)

    @property
    def is_told_of_progress(self) -> bool:
        """Whether it is told how an order that it has moves on."""
        return self.order_states in ("both", "to_erp")


async def targets(session: AsyncSession, merchant_id: str, except_connection_id: str | None = None) -> list[Target]:
    """Every living connection of the merchant that takes anything; never the one a change came from.

    What the store API and spreadsheets bring came from no connection: None leaves out none.
    """
    others = await session.execute(
        select(Connection).where(
            col(Connection.merchant_id) == merchant_id,
            col(Connection.id) != (except_connection_id or ""),
            col(Connection.state).in_([ConnectionState.ACTIVE, ConnectionState.DISCONNECTED]),
        )
    )
    return [_target(other, Policy.model_validate(other.policy)) for other in others.scalars() if _takes(other)]


def _target(other: Connection, policy: Policy) -> Target:
    return Target(
        connection_id=other.id,
        kinds=frozenset(_takes(other)),
        selected_only=policy.send_mode == "selected",
        orders=policy.orders,
        order_states=policy.order_states,
    )


def _takes(other: Connection) -> Sequence[str]:
    taken: Sequence[str] = other.features.get("takes", ())
    return taken


async def enqueue(
    session: AsyncSession, merchant_id: str, changed: Sequence[tuple[str, str]], wanted_by: Sequence[Target]
) -> int:
    """Queue changed records, given as (record id, field group), for each target that takes them; returns how many.

    An entry that waits already is one entry still, with a higher version: a burst of changes becomes one send, and a
    change during a send brings another. With send mode `selected` only what the merchant selected is queued. Which
    orders a policy wants, `hub.order_queue` knows.
    """
    now = utcnow()
    rows = {}
    for target in wanted_by:
        pairs = {(record, KIND_OF_GROUP[group]) for record, group in changed}
        pairs = {(record, kind) for record, kind in pairs if kind in target.kinds}
        if target.selected_only and pairs:
            chosen = await selected(session, target.connection_id, {record for record, _ in pairs})
            pairs = {(record, kind) for record, kind in pairs if record in chosen or kind not in CHOSEN_KINDS}
        for record, kind in sorted(pairs):
            rows[target.connection_id, kind, record] = {
                **_blank(now),
                "merchant_id": merchant_id,
                "connection_id": target.connection_id,
                "kind": kind,
                "record_id": record,
            }
    table = OutboxEntry.__table__  # type: ignore[attr-defined]
    key = ["connection_id", "kind", "record_id"]
    again = _waiting_again(table, now)
    given = list(rows.values())
    await upsert_rows(session, table, given, key=key, update=["updated_at"], increment=["version"], become=again)
    return len(rows)


def _waiting_again(table: Table, now: datetime) -> dict[str, ColumnElement[Any]]:
    """What an entry becomes when it is queued again. What is being sent, or may have been, is left alone: its end sees
    the new version and queues it again."""
    old = table.c
    settled = and_(old.state != "claimed", old.state != "unknown")
    return {
        "state": case((settled, "pending"), else_=old.state),
        "queued_at": case((and_(settled, old.state != "pending"), now), else_=old.queued_at),
        "attempts": case((settled, 0), else_=old.attempts),
        "not_before": case((settled, null()), else_=old.not_before),
    }


async def selected(session: AsyncSession, connection_id: str, records: Collection[str]) -> set[str]:
    """Which of the products the merchant selected for the connection."""
    chosen: set[str] = set()
    for some in chunked(sorted(records), CHUNK):
        found = await session.execute(
            select(col(Selection.product_id)).where(
                col(Selection.connection_id) == connection_id, col(Selection.product_id).in_(some)
            )
        )
        chosen.update(found.scalars())
    return chosen


@dataclass(frozen=True, slots=True)
class Entry:
    """A claimed entry. A non-empty `attempt` means that an earlier create may have left: look before creating."""

    id: str
    kind: str
    record_id: str
    version: int
    attempts: int
    attempt: dict[str, Any]
    queued_at: datetime
    state: str
    """What it was before it was claimed."""


async def claim(
    session: AsyncSession, connection: Connection, kinds: Sequence[str], holder: str, *, limit: int, lag_s: float
) -> list[Entry]:
    """Claim due entries for `holder`, oldest first: pending ones, and unknown ones whose wait is over.

    Every due or failed entry of a claimed record comes along, so that a record is sent once and not once a kind. A
    record with a create that nobody saw the end of is left alone as a whole until a search would show what it made:
    its other entries would create it a second time.

    Call it under the path's lease. What is claimed by a holder without a living lease was left by a sender that died;
    if that one may have been in the middle of a create (`attempt`), the record waits `lag_s` first.
    """
    now = utcnow()
    here = (col(OutboxEntry.connection_id) == connection.id, col(OutboxEntry.kind).in_(kinds))
    await _one_claims(session, connection)
    await _free_the_dead(session, here, col(OutboxEntry.claimed_by) != holder, lag_s)
    busy = select(col(OutboxEntry.record_id)).where(
        *here,
        or_(
            col(OutboxEntry.state) == "claimed",
            and_(col(OutboxEntry.state) == "unknown", col(OutboxEntry.not_before) > now),
        ),
    )
    due = (
        *here,
        col(OutboxEntry.state).in_(["pending", "unknown"]),
        or_(col(OutboxEntry.not_before).is_(None), col(OutboxEntry.not_before) <= now),
        col(OutboxEntry.record_id).not_in(busy),
    )
    oldest = select(OutboxEntry).where(*due).order_by(col(OutboxEntry.queued_at), col(OutboxEntry.id)).limit(limit)
    # What is locked is being queued again or taken off at this moment: its turn comes when that is over.
    found = list((await session.execute(oldest.with_for_update(skip_locked=True))).scalars())
    siblings = await session.execute(
        select(OutboxEntry)
        .where(
            *here,
            col(OutboxEntry.state).in_(["pending", "unknown", "failed"]),
            col(OutboxEntry.record_id).in_({entry.record_id for entry in found}),
        )
        .with_for_update(skip_locked=True)
    )
    entries = {entry.id: entry for entry in (*found, *siblings.scalars())}
    return [_claimed(entry, holder) for entry in entries.values()]


async def claim_record(
    session: AsyncSession, connection: Connection, kinds: Sequence[str], record_id: str, holder: str, *, lag_s: float
) -> list[Entry]:
    """Claim one record out of its turn, because another one needs it over there: an order its buyer and its items.

    An entry of the first kind is made where there is none, so that whoever creates the record, in whatever run, writes
    it down at the same place. None come back while somebody else is at it, or while a create that nobody saw the end of
    would not show in a search yet. Two tasks of one holder must not ask for the same record at once.
    """
    now = utcnow()
    await _one_claims(session, connection)
    table = OutboxEntry.__table__  # type: ignore[attr-defined]
    row = {**_blank(now), "merchant_id": connection.merchant_id, "connection_id": connection.id, "state": "skipped"}
    key = ["connection_id", "kind", "record_id"]
    await upsert_rows(session, table, [{**row, "kind": kinds[0], "record_id": record_id}], key=key, update=[])
    here = (
        col(OutboxEntry.connection_id) == connection.id,
        col(OutboxEntry.kind).in_(kinds),
        col(OutboxEntry.record_id) == record_id,
    )
    await _free_the_dead(session, here, true(), lag_s, own=holder)
    mine = select(OutboxEntry).where(*here).order_by(col(OutboxEntry.kind)).with_for_update()
    entries = list((await session.execute(mine.execution_options(populate_existing=True))).scalars())
    for entry in entries:
        lags = entry.state == "unknown" and entry.not_before is not None and entry.not_before > now
        if entry.state == "claimed" or lags:
            return []
    return [_claimed(entry, holder) for entry in entries]


async def _one_claims(session: AsyncSession, connection: Connection) -> None:
    """Claims of one connection come one after the other: on PostgreSQL two that read the same entry would both have it.

    SQLite lets one transaction write at a time anyway. The lock leaves room for rows that refer to the connection.
    Raises SwitchedOffError where it was removed: a run that is under way holds a token that may still be good.
    """
    if await connections.is_off(session, connection.id, lock=True):
        raise SwitchedOffError(f"{connection.id} was switched off")


async def _free_the_dead(
    session: AsyncSession, here: Sequence[ColumnElement[bool]], whose: ColumnElement[bool], lag_s: float, own: str = ""
) -> None:
    """Entries claimed by a holder without a living lease; and by `own`, whose task for it was then cancelled."""
    living = select(col(Lease.holder)).where(col(Lease.until) > time.time(), col(Lease.holder) != own)
    left = await session.execute(
        select(OutboxEntry).where(
            *here, whose, col(OutboxEntry.state) == "claimed", col(OutboxEntry.claimed_by).not_in(living)
        )
    )
    for entry in left.scalars():
        entry.state = "unknown" if entry.attempt else "pending"
        entry.not_before = utcnow() + timedelta(seconds=lag_s) if entry.attempt and lag_s else None
        entry.claimed_by = ""
    await session.flush()


def _claimed(entry: OutboxEntry, holder: str) -> Entry:
    before = entry.state
    entry.state, entry.claimed_by, entry.updated_at = "claimed", holder, utcnow()
    return Entry(
        entry.id,
        entry.kind,
        entry.record_id,
        entry.version,
        entry.attempts,
        dict(entry.attempt),
        entry.queued_at,
        before,
    )


def _blank(now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "state": "pending",
        "version": 1,
        "attempts": 0,
        "not_before": None,
        "claimed_by": "",
        "reason": "",
        "attempt": {},
        "queued_at": now,
        "updated_at": now,
    }


async def waiting(session: AsyncSession, connection: Connection, kinds: Sequence[str]) -> list[str]:
    """The records that wait for the connection, oldest first; for a dry run, which claims nothing."""
    rows = await session.execute(
        select(col(OutboxEntry.record_id))
        .where(
            col(OutboxEntry.connection_id) == connection.id,
            col(OutboxEntry.kind).in_(kinds),
            col(OutboxEntry.state).in_(["pending", "unknown", "claimed"]),
        )
        .order_by(col(OutboxEntry.queued_at), col(OutboxEntry.id))
    )
    return list(dict.fromkeys(rows.scalars()))


async def note_attempt(session: AsyncSession, entry: Entry, holder: str, attempt: dict[str, Any]) -> None:
    """Write down, before a create leaves, what it will have left over there. Raises ClaimLostError."""
    await _settle(session, entry, holder, state="claimed", attempt=attempt)


async def settle(
    session: AsyncSession,
    entry: Entry,
    holder: str,
    *,
    state: str,
    reason: str = "",
    wait_s: float | None = None,
    keep_attempt: bool = False,
) -> None:
    """End the work on an entry: `sent`, `failed`, `skipped`, `unknown`, or `pending` to be tried again.

    An entry that was queued again meanwhile (its version moved on) goes back to `pending` whatever its end, since what
    was sent is not the newest any more; but for `unknown`, which is sent again anyway, and not before its time. Raises
    ClaimLostError when somebody else has claimed it.
    """
    newest = col(OutboxEntry.version) == entry.version
    values: dict[str, Any] = {
        "state": state if state == "unknown" else case((newest, state), else_="pending"),
        "reason": reason[:500],
        "attempts": entry.attempts + 1 if state in ("pending", "unknown", "failed") else 0,
        "not_before": utcnow() + timedelta(seconds=wait_s) if wait_s is not None else None,
        "claimed_by": "",
    }
    if not keep_attempt:
        values["attempt"] = {}
    if state == "sent":
        values["sent_at"] = utcnow()
    await _settle(session, entry, holder, **values)


class ClaimLostError(Exception):
    """The entry was claimed by another sender: this one was silent for too long. Nothing of it is written."""


async def _settle(session: AsyncSession, entry: Entry, holder: str, **values: Any) -> None:
    kept = await session.execute(
        update(OutboxEntry)
        .where(col(OutboxEntry.id) == entry.id, col(OutboxEntry.claimed_by) == holder)
        .values(**values, updated_at=utcnow())
        .returning(col(OutboxEntry.id))
        .execution_options(synchronize_session=False)
    )
    if kept.first() is None:
        raise ClaimLostError(f"outbox entry {entry.id} is not claimed by {holder} any more")


async def failed(session: AsyncSession, connection_id: str | None = None) -> list[OutboxEntry]:
    """Entries that failed and wait for the merchant to mend the record, oldest first."""
    query = select(OutboxEntry).where(col(OutboxEntry.state) == "failed").order_by(col(OutboxEntry.queued_at))
    if connection_id is not None:
        query = query.where(col(OutboxEntry.connection_id) == connection_id)
    return list((await session.execute(query)).scalars())


async def done_there(session: AsyncSession, connection_id: str, record_id: str, *, fully: bool) -> bool:
    """Somebody has done over there what we could not send of a record: entries that failed end as `sent`, or, where it
    was done in part, are compared again. Returns whether there was one."""
    ended = await session.execute(
        update(OutboxEntry)
        .where(
            col(OutboxEntry.connection_id) == connection_id,
            col(OutboxEntry.record_id) == record_id,
            col(OutboxEntry.state) == "failed",
        )
        .values(state="sent" if fully else "pending", attempts=0, not_before=None, updated_at=utcnow())
        .returning(col(OutboxEntry.id))
        .execution_options(synchronize_session=False)
    )
    return bool(ended.all())


async def retry(session: AsyncSession, connection: Connection, record_ids: Sequence[str] | None = None) -> int:
    """Queue failed entries again ("corrigir e reenviar"), all or those of some records; returns how many."""
    now = utcnow()
    query = update(OutboxEntry).where(
        col(OutboxEntry.connection_id) == connection.id, col(OutboxEntry.state) == "failed"
    )
    if record_ids is not None:
        query = query.where(col(OutboxEntry.record_id).in_(record_ids))
    queued = await session.execute(
        query.values(state="pending", attempts=0, not_before=None, queued_at=now, updated_at=now)
        .returning(col(OutboxEntry.id))
        .execution_options(synchronize_session=False)
    )
    return len(queued.all())
