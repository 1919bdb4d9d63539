"""A key for the encrypted columns, one merchant with an ERP and a store; databases come from `tests/conftest.py`."""

from collections.abc import Iterator

import pytest

from hub import crypto
from hub.db import Database
from hub.tables import Connection
from tests.hub.children import TEST_KEY
from tests.hub.shop import connect

_KEYS = crypto.Keyring((TEST_KEY,), TEST_KEY)


@pytest.fixture(autouse=True)
def _keyring() -> Iterator[None]:
    before = crypto.use(_KEYS)
    yield
    crypto.use(before)


@pytest.fixture
async def erp(db: Database) -> Connection:
    """The connection that records come from in these tests."""
    return await connect(db, "loja-sol-tiny")


@pytest.fixture
async def store(db: Database, erp: Connection) -> Connection:
    """Another connection of the same merchant, which takes everything."""
    return await connect(db, "loja-sol-store", kind="webstore", side="store", takes=("product", "price", "stock"))
