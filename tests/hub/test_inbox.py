"""Events are kept once while they wait, taken out once, and never lost on the way."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from hub import connections, crypto, doors, inbox
from hub.clock import utcnow
from hub.db import Database
from hub.inbox import PAUSES_S, Arrival, Taken
from hub.tables import Connection, Door, InboxEvent
from hub.tables.tenancy import ConnectionState
from tests.hub.children import TEST_KEY
from tests.hub.shop import connect, one, rows

pytestmark = pytest.mark.usefixtures("_keys")


@pytest.fixture
def _keys() -> object:
    before = crypto.use(crypto.Keyring((TEST_KEY,), TEST_KEY))
    yield
    crypto.use(before)


@pytest.fixture
async def erp(db: Database) -> Connection:
    return await connect(db, "loja-sol-tiny")


def arrival(
    body: str = '{"id": 1}',
    *,
    connection_id: str = "loja-sol-tiny",
    merchant_id: str = "loja-sol",
    topic: str = "estoque",
    state: str = "pending",
) -> Arrival:
    return Arrival(connection_id, merchant_id, topic, body.encode(), state=state)


async def store(db: Database, *arrivals: Arrival) -> set[str]:
    async with db.write() as session:
        return await inbox.store(session, arrivals)


async def take(db: Database, erp: Connection, limit: int = 100) -> list[Taken]:
    async with db.write() as session:
        return await inbox.take(session, erp, limit=limit)


async def bodies(db: Database) -> Sequence[str]:
    return sorted(event.body for event in await rows(db, InboxEvent))


async def test_an_event_is_kept_as_it_came_byte_for_byte(db: Database, erp: Connection) -> None:
    raw = bytes(range(256))
    async with db.write() as session:
        await inbox.store(session, [Arrival("loja-sol-tiny", "loja-sol", "estoque", raw, "application/json")])
    (taken,) = await take(db, erp)
    assert (taken.body, taken.media_type, taken.topic) == (raw, "application/json", "estoque")


async def test_a_body_is_not_readable_in_the_database(db: Database, erp: Connection) -> None:
    await store(db, arrival('{"nome": "Fulana"}'))
    async with db.engine.connect() as connection:
        (stored,) = (await connection.exec_driver_sql("select body from inbox")).scalars()
    assert "Fulana" not in stored


async def test_twenty_copies_that_wait_are_one_event(db: Database, erp: Connection) -> None:
    await store(db, *[arrival()] * 10)
    await store(db, *[arrival()] * 10)
    event = await one(db, InboxEvent)
    assert event.copies == 20
    assert len(await take(db, erp)) == 1


async def test_an_event_that_comes_once_its_like_was_taken_waits_for_itself(db: Database, erp: Connection) -> None:
    await store(db, arrival())
    await take(db, erp)
    await store(db, arrival())
    assert len(await take(db, erp)) == 1
    assert await take(db, erp) == []


async def test_the_same_body_for_another_topic_or_connection_is_another_event(db: Database, erp: Connection) -> None:
    await connect(db, "loja-lua-tiny", merchant="loja-lua")
    await store(db, arrival(), arrival(topic="precos"), arrival(connection_id="loja-lua-tiny", merchant_id="loja-lua"))
    assert len(await rows(db, InboxEvent)) == 3
    assert len(await take(db, erp)) == 2


async def test_a_copy_of_one_that_was_put_off_is_seen_to_at_once_as_there_may_be_news(
    db: Database, erp: Connection
) -> None:
    await store(db, arrival())
    (taken,) = await take(db, erp)
    async with db.write() as session:
        await inbox.put_off(session, [taken], "not there yet")
    assert await take(db, erp) == []
    await store(db, arrival())
    (news,) = await take(db, erp)
    assert news.id != taken.id


async def test_pauses_grow_with_every_try_and_what_is_nobodys_fault_is_not_counted(
    db: Database, erp: Connection
) -> None:
    await store(db, arrival())
    waits = []
    for _ in range(len(PAUSES_S) + 1):
        (taken,) = await take(db, erp)
        async with db.write() as session:
            await inbox.put_off(session, [taken], "away", counted=False)
            before = utcnow()
            await inbox.put_off(session, [taken], "away")
        event = await one(db, InboxEvent)
        assert event.not_before is not None
        waits.append(round((event.not_before - before).total_seconds()))
        async with db.write() as session:
            await session.execute(update(InboxEvent).values(not_before=None))
    assert waits == [*map(round, PAUSES_S), round(PAUSES_S[-1])]
    assert (await one(db, InboxEvent)).attempts == len(PAUSES_S) + 1


async def test_what_a_dead_drain_had_taken_is_taken_again(db: Database, erp: Connection) -> None:
    await store(db, arrival())
    await take(db, erp)
    async with db.read() as session:
        assert await inbox.due(session) == ["loja-sol-tiny"]
    async with db.write() as session:
        assert await inbox.recover(session, erp) == 1
    assert len(await take(db, erp)) == 1


async def die(db: Database, erp: Connection) -> None:
    """A drain takes what is due and is killed, and the next one begins."""
    await take(db, erp)
    async with db.write() as session:
        await inbox.recover(session, erp)
        await session.execute(update(InboxEvent).values(not_before=None))


async def test_a_record_that_kills_its_drains_fails_in_the_end_and_takes_no_other_with_it(
    db: Database, erp: Connection
) -> None:
    await store(db, arrival("deadly"))
    await store(db, arrival("innocent"))
    for _ in range(inbox.CHANCE + 1):
        await die(db, erp)
    await store(db, arrival("later"))
    (later,) = await take(db, erp)
    assert later.body == b"later", "what killed nobody goes first"
    (deadly,) = await take(db, erp)
    (innocent,) = await take(db, erp)
    assert (deadly.body, innocent.body) == (b"deadly", b"innocent"), "each by itself"
    async with db.write() as session:
        await inbox.finish(session, [later.id, innocent.id], "done")
        await inbox.recover(session, erp)
        await session.execute(update(InboxEvent).values(not_before=None))
    while (await one_of(db, deadly.id)).state == "pending":
        await die(db, erp)
    event = await one_of(db, deadly.id)
    assert (event.state, event.attempts, event.reason) == ("failed", inbox.MOST_TRIES, inbox.DIED)


async def one_of(db: Database, event_id: str) -> InboxEvent:
    (found,) = [event for event in await rows(db, InboxEvent) if event.id == event_id]
    return found


async def test_what_is_nobodys_fault_waits_as_long_again_as_it_has_waited(db: Database, erp: Connection) -> None:
    await store(db, arrival())
    (taken,) = await take(db, erp)
    waits = []
    for seconds in (0, 40, 4000):
        async with db.write() as session:
            now = utcnow()
            aged = replace(taken, received_at=now - timedelta(seconds=seconds))
            await inbox.put_off(session, [aged], "away", counted=False)
        event = await one(db, InboxEvent)
        assert event.not_before is not None
        waits.append(round((event.not_before - now).total_seconds()))
        assert event.attempts == 0
    assert waits == [1, 40, round(inbox.LONGEST_WAIT_S)]


async def test_two_that_wait_for_one_another_are_taken_oldest_first_and_no_more_than_asked(
    db: Database, erp: Connection
) -> None:
    for number in range(5):
        await store(db, arrival(f'{{"id": {number}}}'))
    first, second = await take(db, erp, 2), await take(db, erp, 9)
    assert [event.body for event in first + second] == [b'{"id": %d}' % number for number in range(5)]


@pytest.mark.parametrize(
    ("state", "is_seen_to"),
    [
        (ConnectionState.ACTIVE, True),
        (ConnectionState.DISCONNECTED, False),
        (ConnectionState.INACTIVE, False),
    ],
)
async def test_events_of_a_connection_that_rests_wait(
    db: Database, erp: Connection, state: ConnectionState, is_seen_to: bool
) -> None:
    await store(db, arrival())
    async with db.write() as session:
        await connections.mark(session, erp.id, state)
    async with db.read() as session:
        assert bool(await inbox.due(session)) is is_seen_to


async def test_events_of_a_removed_integration_are_not_kept(db: Database, erp: Connection) -> None:
    await connect(db, "loja-lua-tiny", merchant="loja-lua")
    async with db.write() as session:
        await connections.mark(session, erp.id, ConnectionState.NOT_INSTALLED)
    other = arrival(connection_id="loja-lua-tiny", merchant_id="loja-lua")
    assert await store(db, arrival(), other) == {"loja-sol-tiny"}
    assert [event.connection_id for event in await rows(db, InboxEvent)] == ["loja-lua-tiny"]


async def test_a_failed_event_is_seen_to_again_when_it_is_replayed_and_a_broken_one_never(
    db: Database, erp: Connection
) -> None:
    await store(db, arrival(), arrival("oops", state="broken"))
    (taken,) = await take(db, erp)
    async with db.write() as session:
        await inbox.finish(session, [taken.id], "failed", "poison")
    broken = next(event.id for event in await rows(db, InboxEvent) if event.state == "broken")
    async with db.write() as session:
        assert await inbox.replay(session) == [taken.id]
        assert await inbox.replay(session, event_ids=[broken, "nobody"]) == []
    assert [event.id for event in await take(db, erp)] == [taken.id]


async def test_old_events_that_ended_are_forgotten_and_those_that_wait_are_not(db: Database, erp: Connection) -> None:
    await store(db, arrival("1"))
    await store(db, arrival("2"))
    (taken,) = await take(db, erp, 1)
    async with db.write() as session:
        await inbox.finish(session, [taken.id], "done")
        await session.execute(update(InboxEvent).values(received_at=utcnow() - timedelta(days=15)))
        assert await inbox.forget(session, days=14) == 1
    assert await bodies(db) == ["2"]


async def test_what_could_not_be_seen_to_waits_longer_and_not_for_ever(db: Database, erp: Connection) -> None:
    await store(db, arrival("1"))
    async with db.write() as session:
        await session.execute(update(InboxEvent).values(received_at=utcnow() - timedelta(minutes=10)))
        await inbox.put_off(session, await inbox.take(session, erp, limit=1), "debt", counted=False)
        assert await inbox.due(session) == []
        soon = await inbox.next_due(session)
        assert soon is not None and soon - utcnow() > timedelta(minutes=4), "a closed account is not asked all the time"
        assert await inbox.forget(session, days=14) == 0
        await session.execute(update(InboxEvent).values(received_at=utcnow() - timedelta(days=15)))
        assert await inbox.forget(session, days=14) == 1


# Doors.


async def test_a_door_keeps_its_address_until_it_is_renewed(db: Database, erp: Connection) -> None:
    async with db.write() as session:
        await doors.ensure(session, erp, ("produto", "pedido"), has_secret=True)
        before = {door.topic: (door.key, door.secret) for door in await doors.of(session, erp.id)}
        await doors.ensure(session, erp, ("produto", "pedido", "nota"), has_secret=True)
        after = {door.topic: (door.key, door.secret) for door in await doors.of(session, erp.id)}
    assert {topic: after[topic] for topic in before} == before
    assert len({key for key, _ in after.values()} | {secret for _, secret in after.values()}) == 6
    async with db.write() as session:
        assert await doors.renew(session, erp) == 3
        assert await doors.find(session, before["produto"][0]) is None
        opened = await doors.find(session, (await doors.of(session, erp.id))[0].key)
    assert opened is not None
    assert (opened.connection_id, opened.kind, opened.topic) == ("loja-sol-tiny", "tiny_v2", "nota")


async def test_whoever_reads_the_database_cannot_knock(db: Database, erp: Connection) -> None:
    async with db.write() as session:
        await doors.ensure(session, erp, ("produto",), has_secret=True)
        door = (await doors.of(session, erp.id))[0]
    async with db.engine.connect() as connection:
        stored = [str(value) for value in (await connection.exec_driver_sql("select * from door")).one()]
    assert not {door.key, door.secret} & set(stored)
    async with db.read() as session:
        assert await doors.find(session, door.key_hash) is None
    assert len(door.key) >= 32
    assert Door.__tablename__ == "door"
