"""One database for everything that we know: SQLite on one machine, PostgreSQL when there are many merchants."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Table, event, func, select
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

SQLITE_BUSY_TIMEOUT_MS = 30_000

# SQLAlchemy hides parameters when it is told to, but at DEBUG it prints every row that it reads, decrypted.
logging.getLogger("sqlalchemy.engine.Engine").addFilter(lambda record: record.levelno > logging.DEBUG)

Row = Mapping[str, Any]
T = TypeVar("T")


class Database:
    """The hub's database, opened once a process.

    `read()` and `write()` give a session in one transaction each, committed at the end and rolled back on an error.
    Keep them short, and never hold one across a call to a vendor: a stalled ERP would lock the shop out.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._sessions = async_sessionmaker(engine, expire_on_commit=False)
        # Left alone, PostgreSQL shows each statement what was committed last: a walk over a listing and the question
        # that follows it would see two states. SQLite's transactions are snapshots by themselves.
        reading = engine if self.is_sqlite else engine.execution_options(isolation_level="REPEATABLE READ")
        self._readers = async_sessionmaker(reading, expire_on_commit=False)
        self._turn: asyncio.Lock | contextlib.AbstractAsyncContextManager[None]
        self._turn = asyncio.Lock() if self.is_sqlite else contextlib.nullcontext()

    @classmethod
    def open(cls, url: str) -> "Database":
        """Open `sqlite+aiosqlite:///…` or `postgresql+asyncpg://…`; nothing is connected before the first use."""
        kind = url.split(":", 1)[0]
        if kind == "sqlite+aiosqlite":
            engine = create_async_engine(
                url, hide_parameters=True, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_MS / 1000}
            )
            _tune_sqlite(engine)
        elif kind == "postgresql+asyncpg":
            engine = create_async_engine(url, hide_parameters=True, pool_pre_ping=True)
        else:
            raise ValueError(
                f"ESTEIRA_DATABASE_URL begins with {kind!r}; valid are sqlite+aiosqlite:///FILE and "
                "postgresql+asyncpg://USER@HOST/NAME"
            )
        return cls(engine)

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A session to read by; it sees one state throughout, whatever is written meanwhile."""
        async with self._readers() as session, session.begin():
            yield session

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncSession]:
        """A session to write by.

        On SQLite it takes the write lock at once (BEGIN IMMEDIATE): a transaction that reads first and writes later
        is refused with "database is locked" when another one wrote in between, whatever the time-out. The writers of
        one process queue up before it, as SQLite's own waiting is a poll with growing sleeps.
        """
        async with self._turn, self._sessions() as session:
            await session.connection(execution_options={"esteira_write": True})
            yield session
            await session.commit()

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


async def in_turn(session: AsyncSession, name: str) -> None:
    """Wait until no other transaction has this turn, and keep it until the caller's ends.

    For what is decided by what was read and written afterwards: on PostgreSQL two that read the same would both write.
    SQLite lets one transaction write at a time anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def insert_rows(session: AsyncSession, table: Table, rows: Sequence[Row]) -> None:
    """Insert many rows, all with the same keys, in one go."""
    if rows:
        await session.execute(table.insert(), list(rows))


async def upsert_rows(
    session: AsyncSession,
    table: Table,
    rows: Sequence[Row],
    key: Sequence[str],
    update: Sequence[str] | None = None,
    increment: Sequence[str] = (),
    become: Mapping[str, ColumnElement[Any]] | None = None,
) -> None:
    """Insert rows; where `key` (a unique key) is taken already, set `update` (default: all other columns given).

    The columns of `increment` count up by one on every such meeting, and those of `become` get the value of an
    expression over the row as it stood.
    """
    if not rows:
        return
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    given = list(rows[0])
    columns = [name for name in given if name not in key] if update is None else list(update)
    statement = dialect.insert(table)
    if columns or increment:
        new = {name: statement.excluded[name] for name in columns}
        new |= {name: table.c[name] + 1 for name in increment}
        new |= become or {}
        statement = statement.on_conflict_do_update(index_elements=list(key), set_=new)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=list(key))
    # One statement, sent with each row: one that names all the rows is compiled anew each time, and a catalogue's worth
    # of that holds the write lock for a minute.
    await session.execute(statement, [dict(row) for row in rows])


def chunked(values: Sequence[T], size: int) -> list[Sequence[T]]:
    """The values in pieces of at most `size`."""
    return [values[start : start + size] for start in range(0, len(values), size)]


def _tune_sqlite(engine: AsyncEngine) -> None:
    """WAL, foreign keys, busy time-out, and transactions that begin when we say so.

    `synchronous = NORMAL` survives kill -9; a power cut may take the last commits back, each whole, cursor and data
    together, so the next run reads them again.

    Left alone, the driver begins a transaction before the first write only, so the reads before it would see another
    state than the writes after it.
    """

    @event.listens_for(engine.sync_engine, "connect")
    def _on_connect(dbapi: Any, _record: Any) -> None:
        dbapi.isolation_level = None
        cursor = dbapi.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _on_begin(connection: SyncConnection) -> None:
        write = connection.get_execution_options().get("esteira_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
