"""What holds for every test: no network but loopback, none of the developer's settings, databases made and dropped."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import URL, make_url

from deployments import prefect_env
from hub.db import Database
from hub.migrate import upgrade
from hub.settings import Settings, settings
from tests import loopback_only

POSTGRES = "ESTEIRA_TEST_POSTGRES"
"""Names a PostgreSQL server (`postgresql+asyncpg://USER@HOST/DATABASE`) where databases may be made and dropped."""

_HOME = Path(tempfile.mkdtemp(prefix="esteira-tests-"))
_numbers = itertools.count(1)


def _isolate() -> None:
    """Before anything of ours or of Prefect is used: it reads its settings once, at import."""
    loopback_only.install()
    site = str(Path(__file__).with_name("loopback_site"))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [site, os.environ.get("PYTHONPATH")]))
    for name in [name for name in os.environ if name.startswith(("ESTEIRA_", "PREFECT_")) and name != POSTGRES]:
        del os.environ[name]
    Settings.model_config["env_file"] = None
    os.environ["ESTEIRA_HOME"] = str(_HOME)
    prefect_env.apply(Settings())
    # No server runs there: a flow called outside of `prefect_server` fails at once.
    del os.environ["PREFECT_API_URL"]
    # Automations look for what did not happen every 5 s; their tests need not wait so long.
    os.environ["PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY"] = "PT1S"


# At import, not in `pytest_configure`: the conftest of a folder below may import Prefect before that is called.
_isolate()


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(autouse=True)
def _nothing_left_the_machine() -> Iterator[None]:
    yield
    attempts = loopback_only.forget()
    if attempts:
        pytest.fail("tried to leave this machine: " + "; ".join(attempts))


@pytest.fixture(autouse=True)
def _settings_are_read_anew() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("template") / "esteira.db"
    asyncio.run(upgrade(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture(scope="session")
def _migrated_postgres() -> Iterator[URL]:
    server = make_url(os.environ[POSTGRES])
    template = server.set(database=f"esteira_test_{os.getpid()}_template")
    asyncio.run(_on_server(f'create database "{template.database}"'))
    try:
        asyncio.run(upgrade(template.render_as_string(hide_password=False)))
        yield template
    finally:
        asyncio.run(_on_server(f'drop database "{template.database}" with (force)'))


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty hub database at the newest schema, of the test's own: on SQLite, and on PostgreSQL if there is one."""
    if request.param == "sqlite":
        file = tmp_path / "esteira.db"
        shutil.copyfile(request.getfixturevalue("_migrated_sqlite"), file)
        yield f"sqlite+aiosqlite:///{file}"
        return
    if not os.environ.get(POSTGRES):
        pytest.skip(f"{POSTGRES} names no server")
    template: URL = request.getfixturevalue("_migrated_postgres")
    own = template.set(database=f"esteira_test_{os.getpid()}_{next(_numbers)}")
    asyncio.run(_on_server(f'create database "{own.database}" template "{template.database}"'))
    try:
        yield own.render_as_string(hide_password=False)
    finally:
        asyncio.run(_on_server(f'drop database "{own.database}" with (force)'))


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """The opened database of `database_url`."""
    opened = Database.open(database_url)
    yield opened
    await opened.close()


async def _on_server(statement: str) -> None:
    # From the server's own database: one that serves as a template must have nobody connected.
    address = make_url(os.environ[POSTGRES]).set(drivername="postgresql")
    connection = await asyncpg.connect(address.render_as_string(hide_password=False), timeout=10)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
