"""Bring the hub's database to the newest schema."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from hub.db import Database

SCRIPTS = Path(__file__).parent / "migrations"


async def upgrade(url: str) -> None:
    """Migrate to the newest revision; nothing happens when it is there already."""
    db = Database.open(url)
    try:
        async with db.engine.connect() as connection:
            await connection.run_sync(_upgrade)
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
    return found == ScriptDirectory(str(SCRIPTS)).get_current_head()


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without an ini file."""
    made = Config()
    made.set_main_option("script_location", str(SCRIPTS))
    made.attributes["connection"] = connection
    return made


def _upgrade(connection: Connection) -> None:
    command.upgrade(config(connection), "head")


if __name__ == "__main__":
    from hub.settings import settings

    asyncio.run(upgrade(settings().database))
