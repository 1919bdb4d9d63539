"""The flows against the sandbox over real HTTP; outside of a flow run their tasks are plain functions."""

from collections.abc import Iterator

import pytest

from hub import crypto
from hub.db import Database
from hub.settings import settings
from hub.start import keyring
from tests.contract.conftest import hub_db, sandbox, served
from tests.contract.subjects import Sandbox
from tests.flows import live
from tests.flows.clockwork import Clock
from tests.flows.shop import Shop

__all__ = ["hub_db", "sandbox", "served"]


@pytest.fixture(autouse=True)
def _keys() -> Iterator[None]:
    before = crypto.use(keyring(settings()))
    yield
    crypto.use(before)


@pytest.fixture(autouse=True)
def _patience(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers may take long on a machine under load; what a stall does is tested with less of it."""
    monkeypatch.setenv("ESTEIRA_READ_TIMEOUT_S", "10")
    sandbox.ask("POST", "/settings", refresh_token_s=10 * 86_400)  # tests jump over days in one leap
    settings.cache_clear()


@pytest.fixture(params=["tiny_v2", "tiny_v3"])
def kind(request: pytest.FixtureRequest) -> str:
    """Both of Tiny's APIs."""
    return str(request.param)


@pytest.fixture
async def shop(hub_db: Database, sandbox: Sandbox, kind: str) -> Shop:
    """A shop by each API, on SQLite."""
    return await Shop.connect(hub_db, sandbox, kind)


@pytest.fixture
async def v2(hub_db: Database, sandbox: Sandbox) -> Shop:
    """A shop by v2 with the update lists."""
    return await Shop.connect(hub_db, sandbox, "tiny_v2", features={"update_lists": True})


@pytest.fixture
async def v3(hub_db: Database, sandbox: Sandbox) -> Shop:
    """A shop by v3."""
    return await Shop.connect(hub_db, sandbox, "tiny_v3")


@pytest.fixture(params=["update lists", "listing", "v3"])
async def mode(request: pytest.FixtureRequest, hub_db: Database, sandbox: Sandbox) -> Shop:
    """The three ways to find changes out: v2's lists that forget, its whole listing, v3's filters by date."""
    kind = "tiny_v3" if request.param == "v3" else "tiny_v2"
    return await Shop.connect(hub_db, sandbox, kind, features={"update_lists": request.param == "update lists"})


@pytest.fixture
def clock(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Both clocks in the test's hand."""
    return Clock(sandbox, monkeypatch)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search of Tiny and of TagPlus shows at once what was made."""
    monkeypatch.setenv("ESTEIRA_TINY_SEARCH_LAG_S", "0")
    monkeypatch.setenv("ESTEIRA_TAGPLUS_SEARCH_LAG_S", "0")
    settings.cache_clear()


@pytest.fixture
def web(database_url: str, at_once: None) -> Iterator[str]:
    """Our web app, served for real."""
    with live.served(database_url) as url:
        yield url
