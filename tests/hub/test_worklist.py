from collections.abc import Sequence

import pytest

from hub import worklist
from hub.db import Database
from hub.tables import Connection
from tests.hub.shop import written

STREAM = "catalog"


async def add(db: Database, connection: Connection, *ids: str, stream: str = STREAM) -> None:
    async with db.write() as session:
        await worklist.add(session, connection, stream, ids)


async def waiting(db: Database, connection: Connection, stream: str = STREAM) -> Sequence[str]:
    async with db.read() as session:
        return await worklist.waiting(session, connection, stream)


async def test_what_was_told_waits_oldest_first_and_once(db: Database, erp: Connection) -> None:
    await add(db, erp, "9", "5", "9")
    await add(db, erp, "1", "5")
    assert await waiting(db, erp) == ["5", "9", "1"]


async def test_streams_and_connections_wait_apart(db: Database, erp: Connection, store: Connection) -> None:
    await add(db, erp, "1")
    await add(db, erp, "2", stream="stock")
    await add(db, store, "3")
    assert await waiting(db, erp) == ["1"]
    async with db.write() as session:
        await worklist.remove(session, erp, STREAM, ["1", "2", "3"])
    assert await waiting(db, erp) == []
    assert await waiting(db, erp, "stock") == ["2"]
    assert await waiting(db, store) == ["3"]


async def test_an_id_leaves_in_the_transaction_that_applies_it(db: Database, erp: Connection) -> None:
    await add(db, erp, "1", "2")
    with pytest.raises(LookupError):
        async with db.write() as session:
            await worklist.remove(session, erp, STREAM, ["1"])
            raise LookupError("the record could not be applied")
    assert await waiting(db, erp) == ["1", "2"]
    async with db.write() as session:
        await worklist.remove(session, erp, STREAM, ["1"])
    assert await waiting(db, erp) == ["2"]


async def test_nothing_told_writes_nothing(db: Database, erp: Connection) -> None:
    with written(db) as found:
        await add(db, erp)
        async with db.write() as session:
            await worklist.remove(session, erp, STREAM, [])
    assert found == set()
