"""The app in this process, on a database of the test's own, with two merchants and a token of each."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from hub import api_tokens, crypto
from hub.db import Database
from hub.settings import Settings
from hub.tables import Merchant
from tests.hub.children import TEST_KEY
from web.api.gate import Rates
from web.app import create_app

_KEYS = crypto.Keyring((TEST_KEY,), TEST_KEY)


@pytest.fixture
def _keyring() -> Iterator[None]:
    before = crypto.use(_KEYS)
    yield
    crypto.use(before)


@pytest.fixture
def app(db: Database, database_url: str, _keyring: None) -> FastAPI:
    made = create_app(Settings(database_url=database_url), db)
    made.state.rates = Rates(per_second=1e6, burst=10**6)
    return made


@pytest.fixture
async def caller(app: FastAPI, db: Database) -> AsyncIterator[Callable[..., Any]]:
    """Makes a client that calls as a merchant, who is made with a first token."""
    clients: list[httpx.AsyncClient] = []

    async def make(merchant: str, **headers: str) -> httpx.AsyncClient:
        async with db.write() as session:
            if await session.get(Merchant, merchant) is None:
                session.add(Merchant(id=merchant, name=merchant))
                await session.flush()
            _, token = await api_tokens.make(session, merchant)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=True),
            base_url="http://esteira/api/v1",
            headers={"Authorization": f"Bearer {token.reveal()}", **headers},
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
async def sol(caller: Callable[..., Any]) -> httpx.AsyncClient:
    return await caller("loja-sol")


@pytest.fixture
async def lua(caller: Callable[..., Any]) -> httpx.AsyncClient:
    return await caller("loja-lua")


def order(number: str = "1001", **told: Any) -> dict[str, Any]:
    """An order of an invented buyer whose totals agree."""
    return {
        "number": number,
        "placed_at": "2026-08-03T09:00:00-03:00",
        "customer": {"name": "Compra Inventada Ltda", "document": "529.982.247-25", "email": "compra@loja.example"},
        "items": [{"sku": "CAN-1", "name": "Caneca", "quantity": 2, "unit_price": "29.90"}],
        "freight": "10.20",
        "total": "70.00",
        "delivery": {"street": "Rua Inventada", "uf": "SP", "postal_code": "01310-100"},
        **told,
    }


def product(**told: Any) -> dict[str, Any]:
    """A product as a shop platform tells it."""
    return {"name": "Caneca de louça", "price": {"list_price": "29.90"}, "stock": 5, **told}
