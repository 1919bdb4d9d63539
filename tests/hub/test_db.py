import asyncio

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from hub.db import Database, chunked, insert_rows, upsert_rows
from hub.tables import Lease, Merchant, Quota
from tests.hub.children import all_at_once
from tests.hub.shop import one, rows

QUOTA = Quota.__table__  # type: ignore[attr-defined]
LEASE = Lease.__table__  # type: ignore[attr-defined]


async def pragma(db: Database, name: str) -> object:
    async with db.read() as session:
        return (await session.execute(text(f"PRAGMA {name}"))).scalar()


async def test_sqlite_is_tuned_on_every_connection(db: Database) -> None:
    if not db.is_sqlite:
        pytest.skip("these are settings of SQLite")
    async with db.read() as first, db.read() as second:
        for session in (first, second):
            assert (await session.execute(text("PRAGMA journal_mode"))).scalar() == "wal"
            assert (await session.execute(text("PRAGMA foreign_keys"))).scalar() == 1
            assert (await session.execute(text("PRAGMA busy_timeout"))).scalar() == 30_000
            assert (await session.execute(text("PRAGMA synchronous"))).scalar() == 1


async def test_a_foreign_key_holds(db: Database) -> None:
    with pytest.raises(IntegrityError):
        async with db.write() as session:
            await session.execute(
                text(
                    "insert into connection (id, merchant_id, kind, side, state, state_reason, account, credentials, "
                    "credentials_version, policy, features, created_at) "
                    "values ('x', 'nobody', '', '', '', '', '', '', 0, '{}', '{}', '2026-08-03')"
                )
            )


async def test_a_read_session_sees_one_snapshot(db: Database) -> None:
    async with db.write() as session:
        await insert_rows(session, QUOTA, [{"key": "k", "tat": 1.0, "per_minute": None}])
    value = select(col(Quota.tat)).where(col(Quota.key) == "k")
    async with db.read() as session:
        before = (await session.execute(value)).scalar_one()
        async with db.write() as other:
            await other.execute(update(Quota).values(tat=2.0))
        assert (await session.execute(value)).scalar_one() == before == 1.0
    async with db.read() as session:
        assert (await session.execute(value)).scalar_one() == 2.0


async def test_an_error_rolls_everything_back(db: Database) -> None:
    with pytest.raises(LookupError):
        async with db.write() as session:
            session.add(Merchant(id="loja-sol", name="Loja Sol"))
            await session.flush()
            raise LookupError("after the write")
    assert await rows(db, Merchant) == []
    async with db.write() as session:  # and the next one is not in its way
        session.add(Merchant(id="loja-sol", name="Loja Sol"))
    assert len(await rows(db, Merchant)) == 1


async def test_a_cancelled_writer_leaves_nothing_and_blocks_nobody(db: Database) -> None:
    begun = asyncio.Event()

    async def write_forever() -> None:
        async with db.write() as session:
            session.add(Merchant(id="loja-lua", name="Loja Lua"))
            await session.flush()
            begun.set()
            await asyncio.Event().wait()

    writer = asyncio.create_task(write_forever())
    await begun.wait()
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    async with asyncio.timeout(5), db.write() as session:
        session.add(Merchant(id="loja-sol", name="Loja Sol"))
    assert [merchant.id for merchant in await rows(db, Merchant)] == ["loja-sol"]


async def test_what_was_loaded_is_readable_after_the_session(db: Database) -> None:
    async with db.write() as session:
        merchant = Merchant(id="loja-sol", name="Loja Sol")
        session.add(merchant)
    assert merchant.name == "Loja Sol"


async def test_writers_of_two_processes_wait_for_each_other_and_lose_nothing(db: Database, database_url: str) -> None:
    async with db.write() as session:
        await insert_rows(session, QUOTA, [{"key": "count", "tat": 0.0, "per_minute": 0}])
    await all_at_once(("count_up", database_url, 150), ("count_up", database_url, 150))
    assert (await one(db, Quota)).per_minute == 300


async def test_writers_of_one_process_wait_for_each_other(db: Database) -> None:
    async with db.write() as session:
        await insert_rows(session, QUOTA, [{"key": "count", "tat": 0.0, "per_minute": 0}])

    async def up() -> None:
        async with db.write() as session:
            query = select(col(Quota.per_minute)).where(col(Quota.key) == "count").with_for_update()
            found = (await session.execute(query)).scalar_one() or 0
            await asyncio.sleep(0)
            await session.execute(update(Quota).values(per_minute=found + 1))

    await asyncio.gather(*(up() for _ in range(30)))
    assert (await one(db, Quota)).per_minute == 30


def quota(key: str, tat: float, per_minute: int | None = None) -> dict[str, object]:
    return {"key": key, "tat": tat, "per_minute": per_minute}


async def test_upsert_inserts_and_updates_all_columns_given(db: Database) -> None:
    async with db.write() as session:
        await upsert_rows(session, QUOTA, [quota("a", 1.0, 5)], key=["key"])
        await upsert_rows(session, QUOTA, [quota("a", 2.0), quota("b", 3.0, 7)], key=["key"])
    assert [(q.key, q.tat, q.per_minute) for q in await rows(db, Quota)] == [("a", 2.0, None), ("b", 3.0, 7)]


async def test_upsert_updates_only_the_columns_named(db: Database) -> None:
    async with db.write() as session:
        await upsert_rows(session, QUOTA, [quota("a", 1.0, 5)], key=["key"])
        await upsert_rows(session, QUOTA, [quota("a", 2.0, 6)], key=["key"], update=["tat"])
    assert [(q.tat, q.per_minute) for q in await rows(db, Quota)] == [(2.0, 5)]


async def test_upsert_with_nothing_to_update_keeps_what_is_there(db: Database) -> None:
    async with db.write() as session:
        await upsert_rows(session, QUOTA, [quota("a", 1.0, 5)], key=["key"])
        await upsert_rows(session, QUOTA, [quota("a", 2.0, 6), quota("b", 2.0)], key=["key"], update=[])
    assert [(q.key, q.tat) for q in await rows(db, Quota)] == [("a", 1.0), ("b", 2.0)]


async def test_upsert_counts_up_on_every_meeting_and_not_at_first(db: Database) -> None:
    async with db.write() as session:
        for _ in range(3):
            await upsert_rows(
                session, QUOTA, [quota("a", 1.0, 1)], key=["key"], update=["tat"], increment=["per_minute"]
            )
    assert (await one(db, Quota)).per_minute == 3


async def test_upsert_counts_up_where_nothing_else_is_updated(db: Database) -> None:
    async with db.write() as session:
        for tat in (1.0, 2.0):
            await upsert_rows(session, QUOTA, [quota("a", tat, 1)], key=["key"], update=[], increment=["per_minute"])
    found = await one(db, Quota)
    assert (found.tat, found.per_minute) == (1.0, 2)


async def test_more_rows_than_one_statement_takes(db: Database) -> None:
    many = 32_767 // 3 + 1
    async with db.write() as session:
        for tat in (1.0, 2.0):
            await upsert_rows(session, QUOTA, [quota(f"k{n}", tat) for n in range(many)], key=["key"])
    async with db.read() as session:
        found = (await session.execute(text("select count(*), min(tat) from quota"))).one()
    assert tuple(found) == (many, 2.0)


async def test_no_rows_are_no_statement(db: Database) -> None:
    async with db.write() as session:
        await insert_rows(session, LEASE, [])
        await upsert_rows(session, LEASE, [], key=["key"])
    assert await rows(db, Lease) == []


def test_pieces_hold_everything_once_in_order() -> None:
    assert chunked([1, 2, 3, 4, 5], 2) == [[1, 2], [3, 4], [5]]
    assert chunked([], 2) == []


def test_an_unknown_database_is_named_with_what_is_valid() -> None:
    with pytest.raises(ValueError, match=r"begins with 'mysql'; valid are sqlite\+aiosqlite"):
        Database.open("mysql://there")
