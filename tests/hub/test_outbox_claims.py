"""Who may send what: of two runs at once one has a record, and what may have been created waits until it would show."""

import asyncio
import time
from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from hub import connections, outbox
from hub.clock import utcnow
from hub.connections import SwitchedOffError
from hub.db import Database
from hub.outbox import Entry, Target
from hub.tables import Connection, Lease, OutboxEntry
from hub.tables.tenancy import ConnectionState
from tests.hub.shop import connect

KINDS = ("product", "price")
LAG_S = 30.0


async def test_of_two_runs_at_once_one_has_a_record(db: Database) -> None:
    erp = await _queue(db, *(f"p{number}" for number in range(20)))
    await _live(db, "push", "export")
    push, *exports = await asyncio.gather(
        _claim(db, erp, "push"), *(_claim_record(db, erp, f"p{number}", "export") for number in range(20))
    )
    mine = {entry.record_id for entry in push}
    theirs = {entry.record_id for entries in exports for entry in entries}
    assert not mine & theirs
    assert mine | theirs == {f"p{number}" for number in range(20)}


async def test_a_living_senders_claim_is_left_alone_and_a_dead_ones_is_taken(db: Database) -> None:
    erp = await _queue(db, "p1")
    await _live(db, "export")
    assert len(await _claim_record(db, erp, "p1", "export")) == 2
    assert await _claim(db, erp, "push") == []
    assert await _claim_record(db, erp, "p1", "other") == []
    async with db.write() as session:
        await session.execute(update(Lease).values(until=time.time() - 1))
    assert len(await _claim(db, erp, "push")) == 2


async def test_a_create_that_nobody_saw_the_end_of_holds_back_every_entry_of_its_record(db: Database) -> None:
    erp = await _queue(db, "p1")
    (one, _) = await _claim(db, erp, "died")
    async with db.write() as session:
        await outbox.note_attempt(session, one, "died", {"create": "p1"})
    await _queue_again(db, erp, "p1")
    assert await _claim(db, erp, "next") == [], "the other entry of it would create it again"
    assert await _claim_record(db, erp, "p1", "next") == []
    await _past_the_lag(db)
    claimed = await _claim(db, erp, "next")
    assert len(claimed) == 2 and any(entry.attempt for entry in claimed)


async def test_queued_again_while_its_end_is_unknown_it_waits_all_the_same(db: Database) -> None:
    erp = await _queue(db, "p1")
    entries = await _claim(db, erp, "run")
    await _queue_again(db, erp, "p1")
    async with db.write() as session:
        for entry in entries:
            await outbox.settle(session, entry, "run", state="unknown", wait_s=LAG_S, keep_attempt=True)
    await _queue_again(db, erp, "p1")
    assert await _claim(db, erp, "next") == []
    await _past_the_lag(db)
    assert len(await _claim(db, erp, "next")) == 2


async def test_what_failed_goes_along_when_another_entry_of_the_record_goes(db: Database) -> None:
    erp = await _queue(db, "p1")
    for entry in await _claim(db, erp, "run"):
        async with db.write() as session:
            await outbox.settle(session, entry, "run", state="failed")
    assert await _claim(db, erp, "next") == []
    async with db.write() as session:
        await outbox.enqueue(session, erp.merchant_id, [("p1", "price")], [_target(erp)])
    assert {entry.kind for entry in await _claim(db, erp, "next")} == {"product", "price"}


async def test_a_record_that_nobody_queued_can_be_claimed_for_another(db: Database) -> None:
    erp = await connect(db, "erp")
    (entry,) = await _claim_record(db, erp, "p1", "export")
    assert (entry.kind, entry.state) == ("product", "skipped")
    async with db.read() as session:
        (row,) = (await session.execute(select(OutboxEntry))).scalars()
    assert (row.state, row.claimed_by) == ("claimed", "export")


@pytest.mark.parametrize("state", connections.OFF)
async def test_nothing_is_claimed_for_a_connection_that_was_removed(db: Database, state: ConnectionState) -> None:
    erp = await _queue(db, "p1")
    async with db.write() as session:
        await connections.mark(session, erp.id, state)
    with pytest.raises(SwitchedOffError):
        await _claim(db, erp, "push")
    with pytest.raises(SwitchedOffError):
        await _claim_record(db, erp, "p1", "export")


async def _queue(db: Database, *records: str) -> Connection:
    erp = await connect(db, "erp")
    await _queue_again(db, erp, *records)
    return erp


async def _queue_again(db: Database, erp: Connection, *records: str) -> None:
    async with db.write() as session:
        changed = [(record, group) for record in records for group in ("data", "price")]
        await outbox.enqueue(session, erp.merchant_id, changed, [_target(erp)])


def _target(erp: Connection) -> Target:
    return Target(erp.id, frozenset(KINDS), selected_only=False)


async def _claim(db: Database, erp: Connection, holder: str) -> list[Entry]:
    async with db.write() as session:
        return await outbox.claim(session, erp, KINDS, holder, limit=100, lag_s=LAG_S)


async def _claim_record(db: Database, erp: Connection, record: str, holder: str) -> list[Entry]:
    async with db.write() as session:
        return await outbox.claim_record(session, erp, KINDS, record, holder, lag_s=LAG_S)


async def _live(db: Database, *holders: str) -> None:
    async with db.write() as session:
        for holder in holders:
            session.add(Lease(key=f"path:{holder}", holder=holder, until=time.time() + 60))


async def _past_the_lag(db: Database) -> None:
    async with db.write() as session:
        await session.execute(
            update(OutboxEntry)
            .where(col(OutboxEntry.not_before).is_not(None))
            .values(not_before=utcnow() - timedelta(seconds=1))
        )
