"""Events shown and seen to again."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from deployments.commands import _shown as shown
from deployments.commands._hub import find, opened
from deployments.errors import Fault
from hub import doors, inbox
from hub.tables import InboxEvent

MOST_ROWS = 50


async def show(connection_id: str | None, state: str | None, *, body: bool, as_json: bool) -> None:
    """The newest events, one line each."""
    async with opened() as db:
        if connection_id is not None:
            await find(db, connection_id)
        query = select(InboxEvent).order_by(col(InboxEvent.received_at).desc(), col(InboxEvent.id).desc())
        if connection_id is not None:
            query = query.where(col(InboxEvent.connection_id) == connection_id)
        if state is not None:
            query = query.where(col(InboxEvent.state) == state)
        async with db.read() as session:
            found = list((await session.execute(query.limit(MOST_ROWS))).scalars())
    rows = [_event(one, body=body) for one in found]
    if as_json:
        shown.as_json({"events": rows})
        return
    columns = ("id", "connection", "topic", "state", "copies", "tries", "came", "ended", "why")
    shown.table(
        "Events",
        (*columns, "body") if body else columns,
        [
            (
                row["id"],
                row["connection"],
                row["topic"],
                row["state"],
                row["copies"],
                row["attempts"],
                shown.moment(row["received_at"]),
                shown.moment(row["done_at"]),
                row["reason"],
                *([row["body"]] if body else []),
            )
            for row in rows
        ],
    )
    if len(rows) == MOST_ROWS:
        shown.say(f"The newest {MOST_ROWS}; --connection and --state narrow it down.")


async def replay(event_ids: Sequence[str], connection_id: str | None, state: str, *, as_json: bool) -> int:
    """Put events back. Returns the exit code: 1 when one that was named cannot be."""
    if state not in inbox.ENDED or state == "broken":
        valid = ", ".join(one for one in inbox.ENDED if one != "broken")
        raise Fault(f"received --state {state}; valid are {valid}: what waits needs no replay, what is broken has none")
    async with opened() as db:
        if connection_id is not None:
            await find(db, connection_id)
        async with db.write() as session:
            put_back = await inbox.replay(session, connection_id=connection_id, event_ids=event_ids, state=state)
    missing = sorted(set(event_ids) - set(put_back))
    if as_json:
        shown.as_json({"replayed": put_back, "not_replayed": missing})
    else:
        shown.say(f"{len(put_back)} events wait again")
    for one in missing:
        shown.warn(f"{one} was not put back: there is no such event, it still waits, or it is broken")
    return 1 if missing else 0


async def renew(connection_id: str, *, as_json: bool) -> int:
    """Renew the doors and show them. Returns the exit code: 1 when there are none."""
    async with opened() as db:
        connection = await find(db, connection_id)
        async with db.write() as session:
            count = await doors.renew(session, connection)
            found = await doors.of(session, connection_id)
    if not count:
        raise Fault(f"{connection_id} has no webhook addresses: its system sends none, or run esteira check first")
    rows = [{"topic": door.topic, "address": doors.address(door), "secret": door.secret} for door in found]
    if as_json:
        shown.as_json({"connection": connection_id, "webhooks": rows})
    else:
        shown.table("New addresses", ("topic", "address", "secret"), [tuple(row.values()) for row in rows])
    return 0


def _event(one: InboxEvent, *, body: bool) -> dict[str, Any]:
    row = {
        "id": one.id,
        "connection": one.connection_id,
        "topic": one.topic,
        "state": one.state,
        "copies": one.copies,
        "attempts": one.attempts,
        "received_at": one.received_at,
        "not_before": one.not_before,
        "done_at": one.done_at,
        "reason": one.reason,
    }
    return {**row, "body": one.body.encode("latin-1").decode("utf-8", "replace")} if body else row
