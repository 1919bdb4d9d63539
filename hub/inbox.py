"""The inbox: webhooks as they came, from the door that stored them to the drain that saw to them.

An event only says that something happened to a record; the drain reads the record as it is then. Two things follow.
While one event waits, another of the same content adds nothing and is counted onto it. And an event that is taken out
lets go of its content's key: what comes from then on may tell of something newer, and waits for itself.
"""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Executable, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.clock import utcnow
from hub.ids import new_id
from hub.tables import Connection, InboxEvent
from hub.tables.tenancy import ConnectionState

PAUSES_S = (1.0, 3.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 1800.0)
"""How long an event waits before it is tried again. The first four are what integrators found that TagPlus needs before
a note answers that its event told of (`reference/tagplus.md §11.4`)."""
MOST_TRIES = len(PAUSES_S) + 1
LONGEST_WAIT_S = 300.0
"""How long an event waits at most that is not to blame for its waiting."""
DIED = "the drain that was seeing to it died"
MOST_BROKEN = 200
"""So many events that could not be read are kept of a connection, for inspection."""
CHANCE = 2
"""So often a drain may die with an event in its hands, for a reason of its own, before the event is suspected."""
ENDED = ("done", "ignored", "failed", "broken")


@dataclass(frozen=True, slots=True)
class Arrival:
    """A webhook to be stored. One of state `broken` is kept for whoever wants to look into it, and never processed."""

    connection_id: str
    merchant_id: str
    topic: str
    body: bytes = field(repr=False)
    media_type: str = ""
    state: str = "pending"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Taken:
    """An event that was taken out, to be seen to."""

    id: str
    topic: str
    body: bytes = field(repr=False)
    media_type: str
    attempts: int
    received_at: datetime


async def store(session: AsyncSession, arrivals: Sequence[Arrival]) -> set[str]:
    """Store webhooks in the caller's transaction; returns the connections that are no longer installed, whose events
    were left out: the merchant removed the integration here and not over there."""
    now = utcnow()
    named = {arrival.connection_id for arrival in arrivals}
    living = await session.execute(
        select(col(Connection.id)).where(
            col(Connection.id).in_(named), col(Connection.state) != ConnectionState.NOT_INSTALLED
        )
    )
    removed = named - set(living.scalars())
    full = await _full_of_broken(session, arrivals)
    rows = [
        _row(arrival, now)
        for arrival in arrivals
        if arrival.connection_id not in removed and (arrival.state != "broken" or arrival.connection_id not in full)
    ]
    if rows:
        await session.execute(_insert(session), rows)
    return removed


async def _full_of_broken(session: AsyncSession, arrivals: Sequence[Arrival]) -> set[str]:
    """The connections of which enough is kept that nobody could read: more teaches nothing, and fills the disk."""
    named = {arrival.connection_id for arrival in arrivals if arrival.state == "broken"}
    if not named:
        return set()
    rows = await session.execute(
        select(col(InboxEvent.connection_id))
        .where(col(InboxEvent.connection_id).in_(named), col(InboxEvent.state) == "broken")
        .group_by(col(InboxEvent.connection_id))
        .having(func.count() >= MOST_BROKEN)
    )
    return set(rows.scalars())


def _insert(session: AsyncSession) -> Executable:
    """One row, bound many times: a statement of many rows would be compiled anew for each number of them."""
    table = InboxEvent.__table__  # type: ignore[attr-defined]
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    insert: Executable = dialect.insert(table).on_conflict_do_update(
        index_elements=["connection_id", "dedupe_key"],
        set_={"copies": table.c.copies + 1},
    )
    return insert


def _row(arrival: Arrival, now: datetime) -> dict[str, object]:
    content = hashlib.blake2b(digest_size=16)
    for part in (arrival.state.encode(), arrival.topic.encode(), arrival.body):
        content.update(len(part).to_bytes(4))
        content.update(part)
    return {
        "id": new_id(),
        "merchant_id": arrival.merchant_id,
        "connection_id": arrival.connection_id,
        "topic": arrival.topic,
        "dedupe_key": content.hexdigest(),
        "body": arrival.body.decode("latin-1"),
        "media_type": arrival.media_type[:100],
        "state": arrival.state,
        "attempts": 0,
        "copies": 1,
        "not_before": None,
        "reason": arrival.reason[:500],
        "received_at": now,
        "done_at": None,
    }


# What waits.


async def due(session: AsyncSession) -> list[str]:
    """The connections that work and have events which are due."""
    rows = await session.execute(
        select(col(InboxEvent.connection_id))
        .join(Connection, col(Connection.id) == col(InboxEvent.connection_id))
        .where(_is_due(utcnow()), col(Connection.state) == ConnectionState.ACTIVE)
        .distinct()
    )
    return list(rows.scalars())


async def next_due(session: AsyncSession) -> datetime | None:
    """When the next event that was put off falls due; None where none was."""
    found = await session.execute(
        select(func.min(col(InboxEvent.not_before)))
        .join(Connection, col(Connection.id) == col(InboxEvent.connection_id))
        .where(col(InboxEvent.state) == "pending", col(Connection.state) == ConnectionState.ACTIVE)
    )
    return found.scalar_one_or_none()


def _is_due(now: datetime) -> ColumnElement[bool]:
    """`taken` without a drain is what one that died was seeing to; with one, it is that one's, and has no second."""
    waits = (col(InboxEvent.state) == "pending") & or_(
        col(InboxEvent.not_before).is_(None), col(InboxEvent.not_before) <= now
    )
    return waits | (col(InboxEvent.state) == "taken")


# The drain.


async def recover(session: AsyncSession, connection: Connection) -> int:
    """Put back what a drain that died had taken; call it under the connection's lease, before the first `take`.

    Counted as a try: a record whose reading kills the process would otherwise kill every drain there will ever be.
    """
    now = utcnow()
    found = await session.execute(
        select(InboxEvent).where(col(InboxEvent.connection_id) == connection.id, col(InboxEvent.state) == "taken")
    )
    left = list(found.scalars())
    for event in left:
        event.attempts, event.reason = event.attempts + 1, DIED
        if event.attempts >= MOST_TRIES:
            event.state, event.done_at = "failed", now
        else:
            pause = PAUSES_S[event.attempts - 1] if event.attempts > CHANCE else 0
            event.state, event.not_before = "pending", now + timedelta(seconds=pause)
    return len(left)


async def take(session: AsyncSession, connection: Connection, *, limit: int, look_only: bool = False) -> list[Taken]:
    """Take due events out, oldest first; under the connection's lease. `look_only` leaves them in.

    One that may have killed its drains is taken alone, when nothing else is due: it takes no other down with it.
    """
    now = utcnow()
    query = (
        select(InboxEvent)
        .where(
            col(InboxEvent.connection_id) == connection.id,
            col(InboxEvent.state) == "pending",
            or_(col(InboxEvent.not_before).is_(None), col(InboxEvent.not_before) <= now),
        )
        .order_by(col(InboxEvent.received_at), col(InboxEvent.id))
        .limit(limit)
    )
    events = list((await session.execute(query if look_only else query.with_for_update(skip_locked=True))).scalars())
    if not look_only:
        deadly = [event for event in events if event.reason == DIED and event.attempts > CHANCE]
        events = [event for event in events if event not in deadly] or deadly[:1]
        for event in events:
            event.state, event.dedupe_key = "taken", event.id
    return [Taken(e.id, e.topic, e.body.encode("latin-1"), e.media_type, e.attempts, e.received_at) for e in events]


async def finish(session: AsyncSession, events: Iterable[str], state: str, reason: str = "") -> None:
    """These have been seen to: `done`, `ignored` (nothing of ours) or `failed` (poison)."""
    await session.execute(
        update(InboxEvent)
        .where(col(InboxEvent.id).in_(list(events)))
        .values(state=state, reason=reason[:500], done_at=utcnow())
        .execution_options(synchronize_session=False)
    )


async def put_off(session: AsyncSession, events: Iterable[Taken], reason: str, *, counted: bool = True) -> None:
    """Try these again after a pause that grows with every try.

    What is the whole connection's fault is not counted: such an event waits as long again as it has waited so far.
    """
    now = utcnow()
    for event in events:
        waited = (now - event.received_at).total_seconds()
        pause = PAUSES_S[min(event.attempts, len(PAUSES_S) - 1)] if counted else min(max(waited, 1.0), LONGEST_WAIT_S)
        await session.execute(
            update(InboxEvent)
            .where(col(InboxEvent.id) == event.id)
            .values(
                state="pending",
                attempts=event.attempts + counted,
                not_before=now + timedelta(seconds=pause),
                reason=reason[:500],
            )
            .execution_options(synchronize_session=False)
        )


# Ops.


async def replay(
    session: AsyncSession, *, connection_id: str | None = None, event_ids: Collection[str] = (), state: str = "failed"
) -> list[str]:
    """Have events seen to again: those named, or all of a state, of one connection or of all. Returns their ids.

    A `broken` one has no body that could be read: it is left as it is.
    """
    query = update(InboxEvent).where(col(InboxEvent.state).in_([one for one in ENDED if one != "broken"]))
    if connection_id is not None:
        query = query.where(col(InboxEvent.connection_id) == connection_id)
    query = query.where(col(InboxEvent.id).in_(event_ids) if event_ids else col(InboxEvent.state) == state)
    put_back = await session.execute(
        query.values(state="pending", attempts=0, not_before=None, reason="", done_at=None)
        .returning(col(InboxEvent.id))
        .execution_options(synchronize_session=False)
    )
    return list(put_back.scalars())


async def forget(session: AsyncSession, *, days: int) -> int:
    """Delete events that came so many days ago and ended, or were put off ever since, or are of a connection that works
    no more: the schedules have read what they told of, or will when they can."""
    before = utcnow() - timedelta(days=days)
    resting = select(col(Connection.id)).where(col(Connection.state) != ConnectionState.ACTIVE)
    gone = await session.execute(
        delete(InboxEvent)
        .where(
            col(InboxEvent.received_at) < before,
            or_(
                col(InboxEvent.state).in_(ENDED),
                (col(InboxEvent.state) == "pending") & (col(InboxEvent.reason) != ""),
                col(InboxEvent.connection_id).in_(resting),
            ),
        )
        .returning(col(InboxEvent.id))
    )
    return len(gone.all())


async def count_failed(session: AsyncSession, connection_id: str) -> int:
    """How many events of a connection failed."""
    found = await session.execute(
        select(func.count()).where(col(InboxEvent.connection_id) == connection_id, col(InboxEvent.state) == "failed")
    )
    return found.scalar_one()


async def counts(session: AsyncSession, connection_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Connection → state → events."""
    rows = await session.execute(
        select(col(InboxEvent.connection_id), col(InboxEvent.state), func.count())
        .where(col(InboxEvent.connection_id).in_(connection_ids))
        .group_by(col(InboxEvent.connection_id), col(InboxEvent.state))
    )
    found: dict[str, dict[str, int]] = {}
    for connection_id, state, count in rows:
        found.setdefault(connection_id, {})[state] = count
    return found
