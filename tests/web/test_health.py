from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from hub.settings import Settings
from hub.version import installed_version
from web.app import create_app


def client(app: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://esteira")


def app_on(database_url: str) -> FastAPI:
    return create_app(Settings(database_url=database_url))


async def test_health_tells_the_version_and_asks_nothing_of_the_database() -> None:
    async with client(app_on("postgresql+asyncpg://nobody@127.0.0.1:1/none")) as web:
        answer = await web.get("/health")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "version": installed_version()}


async def test_ready_on_a_migrated_database(database_url: str) -> None:
    async with client(app_on(database_url)) as web:
        answer = await web.get("/ready")
    assert answer.status_code == 200
    assert answer.json() == {"ready": True, "reasons": []}


async def test_not_ready_before_the_migration(tmp_path: Path) -> None:
    async with client(app_on(f"sqlite+aiosqlite:///{tmp_path / 'new.db'}")) as web:
        answer = await web.get("/ready")
    assert answer.status_code == 503
    assert "not at the newest schema" in answer.json()["reasons"][0]


@pytest.mark.parametrize(
    "url",
    ["postgresql+asyncpg://someone:s3cret-word@127.0.0.1:1/none", "sqlite+aiosqlite:////proc/no/such/folder/x.db"],
)
async def test_not_ready_without_a_database_and_no_password_in_the_answer(url: str) -> None:
    async with client(app_on(url)) as web:
        answer = await web.get("/ready")
    assert answer.status_code == 503
    assert "does not answer" in answer.json()["reasons"][0]
    assert "s3cret-word" not in answer.text


async def test_the_docs_page_lists_the_operations_and_loads_nothing() -> None:
    async with client(app_on("sqlite+aiosqlite:///unused.db")) as web:
        page = (await web.get("/docs")).text
        assert (await web.get("/openapi.json")).status_code == 200
    assert "/health" in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
