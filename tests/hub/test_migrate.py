import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import inspect
from sqlmodel import SQLModel

import hub.tables
from hub import migrate
from hub.db import Database
from hub.records import ProductKind
from hub.tables import Connection
from tests.hub.children import all_at_once
from tests.hub.shop import apply, everything, product

assert hub.tables, "fills the metadata"
OURS = {table.name for table in SQLModel.metadata.sorted_tables}


async def alembic(db: Database, act: Callable[[SyncConnection], object]) -> None:
    async with db.engine.connect() as connection:
        await connection.run_sync(act)
        await connection.commit()


async def tables(db: Database) -> set[str]:
    async with db.engine.connect() as connection:
        return set(await connection.run_sync(lambda c: inspect(c).get_table_names()))


@pytest.fixture
async def nothing(db: Database, database_url: str) -> str:
    """A database that was never migrated."""
    await alembic(db, lambda c: command.downgrade(migrate.config(c), "base"))
    async with db.engine.begin() as connection:
        await connection.exec_driver_sql("drop table alembic_version")
    return database_url


async def test_an_upgrade_makes_everything_from_nothing(nothing: str, db: Database) -> None:
    assert await tables(db) == set()
    assert not await migrate.is_current(nothing)
    await migrate.upgrade(nothing)
    assert await tables(db) == OURS | {"alembic_version"}
    assert await migrate.is_current(nothing)


async def test_models_and_migrations_say_the_same(db: Database) -> None:
    await alembic(db, lambda c: command.check(migrate.config(c)))


async def test_an_upgrade_of_the_newest_keeps_everything(db: Database, database_url: str, erp: Connection) -> None:
    await apply(db, erp, product("1"), product("2"))
    before = await everything(db)
    await migrate.upgrade(database_url)
    assert await everything(db) == before


async def test_two_processes_that_start_together_migrate_once(nothing: str, db: Database) -> None:
    assert await all_at_once(("migrate", nothing), ("migrate", nothing)) == ["migrated", "migrated"]
    assert await migrate.is_current(nothing)


async def test_a_failing_migration_leaves_the_old_schema_whole(
    nothing: str, db: Database, newer: Callable[[str], None]
) -> None:
    newer("op.create_table('half', sa.Column('id', sa.Integer()))\n    raise RuntimeError('in the middle')")
    with pytest.raises(RuntimeError, match="in the middle"):
        await migrate.upgrade(nothing)
    assert "half" not in await tables(db)
    assert not await migrate.is_current(nothing)


async def test_a_table_that_is_rebuilt_keeps_the_rows_that_hang_on_it(
    db: Database, database_url: str, erp: Connection, newer: Callable[[str], None]
) -> None:
    """SQLite alters a table by dropping it: with foreign keys on, that deletes every price, picture and binding."""
    await apply(
        db,
        erp,
        product("1", kind=ProductKind.PARENT, pictures=("https://fotos.example/1.jpg",)),
        product("2", kind=ProductKind.VARIATION, parent_ref="1"),
    )
    before = await everything(db)
    newer(
        "with op.batch_alter_table('product', recreate='always' if op.get_bind().dialect.name == 'sqlite' else 'auto')"
        " as batch:\n        batch.add_column(sa.Column('shelf', sa.String(10), nullable=True))"
    )
    await migrate.upgrade(database_url)
    assert await everything(db) == before


@pytest.fixture
def newer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Adds a revision of the test's own after the newest one."""

    def add(body: str) -> None:
        scripts = tmp_path / "migrations"
        shutil.copytree(migrate.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
        head = migrate.newest()
        (scripts / "versions" / "9999_of_the_test.py").write_text(
            f"import sqlalchemy as sa\nfrom alembic import op\n\nrevision = '9999'\ndown_revision = {head!r}\n\n\n"
            f"def upgrade() -> None:\n    {body}\n"
        )
        monkeypatch.setattr(migrate, "SCRIPTS", scripts)

    return add
