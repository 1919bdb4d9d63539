"""What the verbs that work on the hub share: its database opened, connections found by name, Prefect prepared."""

import contextlib
import sys
from collections.abc import AsyncIterator

import asyncpg
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from deployments import prefect_env
from deployments.errors import Fault
from hub import connections
from hub.connections import UnknownConnectionError
from hub.db import Database
from hub.migrate import is_current, upgrade
from hub.settings import settings
from hub.start import open_hub
from hub.tables import Connection


@contextlib.asynccontextmanager
async def opened(*, migrated: bool = False) -> AsyncIterator[Database]:
    """The hub's database, with this process's keys set; `migrated` brings its schema up first.

    Raises Fault when the database cannot be reached, is not at the newest schema, or the keys are wrong.
    """
    s = settings()
    s.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        if migrated:
            await upgrade(s.database)
        elif not await is_current(s.database):
            raise Fault(f"the hub's database ({shown_database()}) is not at the newest schema; run: esteira migrate")
        db = open_hub(s)
    except (OSError, ValueError, SQLAlchemyError, asyncpg.PostgresError) as error:
        raise Fault(_unusable(error)) from error
    try:
        yield db
    finally:
        await db.close()


async def find(db: Database, connection_id: str) -> Connection:
    """The connection of that id. Raises Fault, which lists those there are."""
    async with db.read() as session:
        try:
            return await connections.find(session, connection_id)
        except UnknownConnectionError as error:
            raise Fault(str(error)) from error


async def chosen(db: Database, connection_id: str | None) -> list[Connection]:
    """The one named, or all of them in order. Raises Fault when there is none."""
    if connection_id is not None:
        return [await find(db, connection_id)]
    async with db.read() as session:
        found = list((await session.execute(select(Connection).order_by(col(Connection.id)))).scalars())
    if not found:
        raise Fault("there is no connection yet; make one: esteira connect tiny --merchant NAME")
    return found


def shown_database() -> str:
    """The database's address without user and password."""
    return settings().database.rpartition("@")[2]


def prepare_prefect() -> None:
    """Give Prefect our settings before its first import: without them it would report its use to its makers."""
    if "prefect" not in sys.modules:
        prefect_env.apply(settings())


def _unusable(error: Exception) -> str:
    # A driver's text may repeat the address with its password; its kind is enough. A ValueError is our own.
    if isinstance(error, ValueError):
        return str(error)
    return (
        f"the hub's database ({shown_database()}) cannot be used ({type(error).__name__}): check ESTEIRA_DATABASE_URL, "
        "or that ESTEIRA_HOME is a folder that can be written"
    )
