"""The door at which a consent comes back, in a browser's place, against the sandbox's Conta Azul and Tiny."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from hub import connections, crypto
from hub.clock import utcnow
from hub.db import Database
from hub.notices import standing_notices
from hub.settings import Settings, settings
from hub.start import open_hub
from hub.tables import Connection
from providers.consent import Consent
from providers.registry import KINDS
from tests.serving import sandbox_in_a_thread
from web.app import create_app
from web.oauth import without_query

BACK = "http://localhost:8080/oauth/{}/callback"


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with sandbox_in_a_thread() as address:
        yield address


@pytest.fixture
async def door(
    served: str, tmp_path: Path, _migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator["Door"]:
    (tmp_path / "esteira.db").write_bytes(_migrated_sqlite.read_bytes())
    chosen = {
        "HOME": str(tmp_path),
        "CONTAAZUL_API_URL": f"{served}/contaazul",
        "CONTAAZUL_AUTHORIZE_URL": f"{served}/contaazul/oauth/authorize",
        "CONTAAZUL_TOKEN_URL": f"{served}/contaazul/oauth/token",
        "CONTAAZUL_CLIENT_ID": "demo-client",
        "CONTAAZUL_CLIENT_SECRET": "demo-client-secret",
        "TINY_V3_URL": f"{served}/tiny/public-api/v3",
        "TINY_V3_AUTHORIZE_URL": f"{served}/tiny/realms/tiny/protocol/openid-connect/auth",
        "TINY_V3_TOKEN_URL": f"{served}/tiny/realms/tiny/protocol/openid-connect/token",
        "TAGPLUS_API_URL": f"{served}/tagplus/api",
        "TAGPLUS_AUTHORIZE_URL": f"{served}/tagplus/authorize",
        "TAGPLUS_TOKEN_URL": f"{served}/tagplus/api/oauth2/token",
        "RETRY_ATTEMPTS": "1",
    }
    for name, value in chosen.items():
        monkeypatch.setenv(f"ESTEIRA_{name}", value)
    settings.cache_clear()
    before = crypto.use(None)
    await asyncio.to_thread(lambda: httpx.post(f"{served}/_sandbox/reset").raise_for_status())
    db = open_hub(Settings())
    web = httpx.AsyncClient(transport=httpx.ASGITransport(create_app(Settings())), base_url="http://esteira")
    yield Door(db, web, served)
    await web.aclose()
    await db.close()
    crypto.use(before)


class Door:
    """A hub with a connection that waits for its consent, and a browser."""

    def __init__(self, db: Database, web: httpx.AsyncClient, served: str) -> None:
        self.db = db
        self.web = web
        self.served = served

    async def ask(self, kind: str = "contaazul", **stored: Any) -> str:
        """Ask for a consent; where it ended, code and state in it."""
        made = KINDS[kind].app
        assert made
        consent = Consent.new(f"loja-sol-{kind.replace('_', '-')}", BACK.format(kind))
        own = {} if kind == "contaazul" else {"client_id": "demo-client", "client_secret": "demo-client-secret"}
        async with self.db.write() as session:
            standing = await session.get(Connection, f"loja-sol-{kind.replace('_', '-')}")
            before = dict(standing.credentials) if standing else {}
            await connections.install(
                session,
                merchant="Loja Sol",
                kind=kind,
                side="erp",
                credentials={**before, **own, "consent": {**consent.as_dict(), **stored}},
            )
        address = made().address(consent, "demo-client")
        answer = await asyncio.to_thread(httpx.get, address, follow_redirects=False)
        assert answer.status_code in (302, 303), answer.text
        return str(answer.headers["location"])

    async def back(self, ended_at: str) -> httpx.Response:
        parts = urlsplit(ended_at)
        return await self.web.get(f"{parts.path}?{parts.query}")

    async def connection(self, kind: str = "contaazul") -> Connection:
        async with self.db.read() as session:
            return await connections.find(session, f"loja-sol-{kind.replace('_', '-')}")

    def control(self, path: str, **body: Any) -> None:
        httpx.post(f"{self.served}/_sandbox{path}", json=body).raise_for_status()


@pytest.mark.parametrize("kind", [kind for kind, one in KINDS.items() if one.oauth])
async def test_a_consent_connects_the_account(door: Door, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # TagPlus knows one address an app, registered over there (`reference/tagplus.md §2.1`).
    door.control("/tagplus/accounts/demo", redirect_uri=BACK.format("tagplus"))
    ended_at = await door.ask(kind)
    page = await door.back(ended_at)
    assert page.status_code == 200
    assert "conectado" in page.text and '<html lang="pt-BR">' in page.text
    found = await door.connection(kind)
    assert found.state == "ativa"
    assert found.credentials["access_token"] and found.credentials["refresh_token"]
    assert "consent" not in found.credentials
    code = parse_qs(urlsplit(ended_at).query)["code"][0]
    for secret in (found.credentials["access_token"], found.credentials["refresh_token"], "demo-client-secret"):
        assert secret not in page.text + "".join(r.getMessage() for r in caplog.records if r.name.startswith("web"))
    assert code not in page.text


async def test_what_the_account_takes_is_known_from_then_on(door: Door) -> None:
    await door.back(await door.ask())
    features = (await door.connection()).features
    assert features["takes"] == ["product", "price", "order"]
    assert features["id_empresa"]


async def test_the_page_is_kept_nowhere_and_tells_no_other_site(door: Door) -> None:
    headers = (await door.back(await door.ask())).headers
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert "default-src 'none'" in headers["content-security-policy"]


async def test_a_state_works_once(door: Door) -> None:
    ended_at = await door.ask()
    await door.back(ended_at)
    before = (await door.connection()).credentials
    page = await door.back(ended_at)
    assert page.status_code == 400
    assert "já foi usada" in page.text
    assert (await door.connection()).credentials == before


async def test_two_at_once_make_one_exchange(door: Door) -> None:
    ended_at = await door.ask()
    pages = await asyncio.gather(*(door.back(ended_at) for _ in range(5)))
    assert sorted(page.status_code for page in pages) == [200, 400, 400, 400, 400]


async def test_a_forged_state_is_refused_and_spoils_nothing(door: Door) -> None:
    ended_at = await door.ask()
    forged = ended_at.replace("state=", "state=x")
    assert (await door.back(forged)).status_code == 400
    assert (await door.back(ended_at)).status_code == 200


async def test_the_state_of_one_connection_does_not_serve_another_system(door: Door) -> None:
    ended_at = await door.ask()
    page = await door.back(ended_at.replace("/oauth/contaazul/", "/oauth/tiny_v3/"))
    assert page.status_code == 400
    assert not (await door.connection()).credentials.get("access_token")


async def test_a_consent_that_comes_too_late(door: Door) -> None:
    page = await door.back(await door.ask(asked_at=(utcnow() - timedelta(hours=1)).isoformat()))
    assert page.status_code == 400
    assert "demorou demais" in page.text


@pytest.mark.parametrize("path", ["/oauth/bling/callback?state=a.b&code=c", "/oauth/tiny_v2/callback?state=a.b&code=c"])
async def test_a_system_without_a_consent_has_no_door(door: Door, path: str) -> None:
    assert (await door.web.get(path)).status_code == 404


@pytest.mark.parametrize("query", ["", "?code=c", "?state=&code=c", "?state=x.nobody&code=c", "?state=" + "x" * 400])
async def test_an_address_without_a_known_state(door: Door, query: str) -> None:
    assert (await door.web.get(f"/oauth/contaazul/callback{query}")).status_code in (400, 422)


async def test_a_consent_that_was_not_given_costs_nothing_that_was_there(door: Door) -> None:
    await door.back(await door.ask())
    tokens = (await door.connection()).credentials
    state = parse_qs(urlsplit(await door.ask()).query)["state"][0]
    page = await door.web.get("/oauth/contaazul/callback", params={"state": state, "error": "<script>access_denied"})
    assert page.status_code == 400
    assert "não concedida" in page.text and "<script>" not in page.text
    assert tokens["access_token"] and (await door.connection()).credentials == tokens


async def test_a_code_that_is_refused(door: Door) -> None:
    ended_at = await door.ask()
    page = await door.back(ended_at.replace("code=", "code=x"))
    assert page.status_code == 502
    assert "venceu ou já foi usado" in page.text
    assert (await door.connection()).state == "não instalada"


async def test_a_plan_without_the_api_is_told_on_the_page_and_by_a_notice(door: Door) -> None:
    door.control("/contaazul/accounts/demo", plan_has_api=False)
    page = await door.back(await door.ask())
    assert page.status_code == 502
    assert "o plano não inclui a API" in page.text
    async with door.db.read() as session:
        assert [notice.code for notice in await standing_notices(session)] == ["connection.plan"]


async def test_another_company_is_not_mixed_in(door: Door) -> None:
    await door.back(await door.ask())
    door.control("/contaazul/accounts/demo", cnpj="11222333000181")
    page = await door.back(await door.ask())
    assert page.status_code == 409
    assert (await door.connection()).state == "inativa"


def test_the_servers_log_tells_no_code() -> None:
    line = '%s - "%s %s HTTP/%s" %d'
    record = logging.LogRecord(
        "uvicorn.access", 20, "", 0, line, ("ip", "GET", "/oauth/contaazul/callback?code=c&state=s", "1.1", 200), None
    )
    assert without_query(record)
    assert record.getMessage() == 'ip - "GET /oauth/contaazul/callback HTTP/1.1" 200'
