"""Bring the hub's database to the newest schema."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection

from hub.db import Database

SCRIPTS = Path(__file__).parent / "migrations"
LOCK = 0x65737465697261
"""PostgreSQL's advisory lock of this program's migrations: "esteira"."""


async def upgrade(url: str) -> None:
    """Migrate to the newest revision, all in one transaction; nothing happens when it is there already.

    Of several processes that start together one migrates, and the others wait for it.
    """
    db = Database.open(url)
    try:
        async with _alone(db) as connection:
            await connection.run_sync(lambda c: command.upgrade(config(c), "head"))
            await _check_references(connection)
            await connection.commit()
    finally:
        await db.close()


async def is_current(url: str) -> bool:
    """Whether the database is at the newest revision. Raises what the driver raises when it cannot be reached."""
    db = Database.open(url)
    try:
        async with db.engine.connect() as connection:
            found = await connection.run_sync(lambda c: MigrationContext.configure(c).get_current_revision())
    finally:
        await db.close()
    return found == newest()


def newest() -> str | None:
    """The newest revision that there is."""
    return ScriptDirectory(str(SCRIPTS)).get_current_head()


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without an ini file."""
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    made.attributes["connection"] = connection
    return made


@contextlib.asynccontextmanager
async def _alone(db: Database) -> AsyncIterator[AsyncConnection]:
    """A connection that holds the lock of migrations until its transaction ends.

    SQLite alters a table by building it anew and dropping the old one. With foreign keys on, the drop deletes every row
    that refers to it: a column more on `product` would cost all prices. They can be switched off before a transaction
    only.
    """
    async with db.engine.connect() as connection:
        if db.is_sqlite:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            await driver.execute("PRAGMA foreign_keys = OFF")
            await connection.execution_options(esteira_write=True)
        else:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({LOCK})")
        yield connection


async def _check_references(connection: AsyncConnection) -> None:
    if connection.dialect.name == "sqlite":
        broken = (await connection.exec_driver_sql("PRAGMA foreign_key_check")).fetchall()
        if broken:
            named = sorted({f"{row[0]} → {row[2]}" for row in broken})
            raise RuntimeError(f"the migration left {len(broken)} references to nothing: {', '.join(named)}; undone")


if __name__ == "__main__":
    from hub.settings import settings

    asyncio.run(upgrade(settings().database))
