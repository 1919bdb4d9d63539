"""Every kind in the registry, opened on the sandbox over real HTTP. A new system adds a line to `subjects.ACCOUNTS`."""

import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hub import crypto
from hub.db import Database
from hub.settings import settings
from hub.start import keyring
from providers.contract import CatalogSource, OrderSink, ProductSink
from providers.registry import KINDS, kinds_with
from tests.contract.subjects import ROOT, Sandbox, Subject

CLOCK_RATE = 1000
"""The vendor's minute takes 60 ms where a test waits for it."""


def takes_customer_in_order(kind: str) -> bool:
    """Whether its orders bring their customer along."""
    return bool(getattr(KINDS[kind].provider, "customer_in_order", False))


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """The address of a sandbox in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the sandbox did not start"
        yield found[0]
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def sandbox(served: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A freshly reset sandbox, and our settings pointing to it, with short waits."""
    chosen = {
        "TINY_V2_URL": f"{served}/tiny/api2",
        "TINY_V3_URL": f"{served}/tiny/public-api/v3",
        "TINY_V3_TOKEN_URL": f"{served}/tiny/realms/tiny/protocol/openid-connect/token",
        "CONTAAZUL_API_URL": f"{served}/contaazul",
        "CONTAAZUL_AUTHORIZE_URL": f"{served}/contaazul/oauth/authorize",
        "CONTAAZUL_TOKEN_URL": f"{served}/contaazul/oauth/token",
        "TAGPLUS_API_URL": f"{served}/tagplus/api",
        "TAGPLUS_AUTHORIZE_URL": f"{served}/tagplus/authorize",
        "TAGPLUS_TOKEN_URL": f"{served}/tagplus/api/oauth2/token",
        "QUOTA_CLOCK_RATE": str(CLOCK_RATE),
        "RETRY_FIRST_WAIT_S": "0.01",
        "READ_TIMEOUT_S": "0.5",
    }
    for name, value in chosen.items():
        monkeypatch.setenv(f"ESTEIRA_{name}", value)
    settings.cache_clear()
    made = Sandbox(served)
    made.ask("POST", "/reset")
    made.account(plan="unlimited")
    made.ask("POST", "/contaazul/accounts/demo", per_second=None, per_minute=None)
    yield made
    made.http.close()


@pytest.fixture
async def hub_db(tmp_path: Path, _migrated_sqlite: Path) -> AsyncIterator[Database]:
    """A hub's database with its keys; what is tested here is the vendor's side, so SQLite is enough."""
    file = tmp_path / "esteira.db"
    shutil.copyfile(_migrated_sqlite, file)
    before = crypto.use(keyring(settings()))
    opened = Database.open(f"sqlite+aiosqlite:///{file}")
    yield opened
    await opened.close()
    crypto.use(before)


@pytest.fixture(params=sorted(kinds_with(CatalogSource)))
def subject(request: pytest.FixtureRequest, hub_db: Database, sandbox: Sandbox) -> Subject:
    """Each kind whose products can be read, in turn, with products to be read."""
    made = Subject(request.param, hub_db, sandbox)
    made.vendor.stock_up()
    return made


@pytest.fixture(params=sorted(kinds_with(OrderSink)))
def sink(request: pytest.FixtureRequest, hub_db: Database, sandbox: Sandbox) -> Subject:
    """Each kind that orders can be sent to, in turn."""
    made = Subject(request.param, hub_db, sandbox)
    made.vendor.open_up()
    return made


@pytest.fixture(params=[kind for kind in sorted(kinds_with(OrderSink)) if not takes_customer_in_order(kind)])
def customer_sink(request: pytest.FixtureRequest, hub_db: Database, sandbox: Sandbox) -> Subject:
    """Each kind that customers are sent to before their orders, in turn."""
    made = Subject(request.param, hub_db, sandbox)
    made.vendor.open_up()
    return made


@pytest.fixture(params=sorted(set(kinds_with(OrderSink)) & set(kinds_with(ProductSink))))
def product_sink(request: pytest.FixtureRequest, hub_db: Database, sandbox: Sandbox) -> Subject:
    """Each kind that products can be sent to besides, in turn."""
    made = Subject(request.param, hub_db, sandbox)
    made.vendor.open_up()
    return made
