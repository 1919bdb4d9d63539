import pytest

from hub import cursors
from hub.db import Database
from hub.tables import Connection, Cursor
from tests.hub.shop import one


async def test_a_stream_never_read_stands_nowhere(db: Database, erp: Connection) -> None:
    async with db.read() as session:
        assert await cursors.position(session, erp, "catalog") == {}


async def test_it_stands_where_it_was_moved_last(db: Database, erp: Connection) -> None:
    for page in (1, 2):
        async with db.write() as session:
            await cursors.move(session, erp, "catalog", {"page": page, "started": "2026-08-03T12:00:00+00:00"})
    async with db.read() as session:
        assert await cursors.position(session, erp, "catalog") == {"page": 2, "started": "2026-08-03T12:00:00+00:00"}
    assert (await one(db, Cursor)).merchant_id == erp.merchant_id


async def test_streams_and_connections_stand_apart(db: Database, erp: Connection, store: Connection) -> None:
    async with db.write() as session:
        await cursors.move(session, erp, "catalog", {"page": 1})
        await cursors.move(session, erp, "stock", {"page": 2})
        await cursors.move(session, store, "catalog", {"page": 3})
    async with db.read() as session:
        found = [
            await cursors.position(session, c, s) for c, s in ((erp, "catalog"), (erp, "stock"), (store, "catalog"))
        ]
    assert found == [{"page": 1}, {"page": 2}, {"page": 3}]


async def test_it_stays_where_it_was_when_its_transaction_fails(db: Database, erp: Connection) -> None:
    async with db.write() as session:
        await cursors.move(session, erp, "catalog", {"page": 1})
    with pytest.raises(LookupError):
        async with db.write() as session:
            await cursors.move(session, erp, "catalog", {"page": 2})
            raise LookupError("the page could not be applied")
    async with db.read() as session:
        assert await cursors.position(session, erp, "catalog") == {"page": 1}


async def test_changing_what_was_read_changes_nothing_stored(db: Database, erp: Connection) -> None:
    async with db.write() as session:
        await cursors.move(session, erp, "catalog", {"page": 1})
    async with db.write() as session:
        row = await session.get(Cursor, (erp.id, "catalog"))  # held, or the session would forget it at once
        (await cursors.position(session, erp, "catalog"))["page"] = 9
        assert row is not None
        assert row.position == await cursors.position(session, erp, "catalog") == {"page": 1}
