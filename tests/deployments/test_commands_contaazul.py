"""`esteira connect contaazul` and `esteira disconnect`, against the sandbox over HTTP."""

import asyncio
import io
import json
import shutil
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import prefect  # noqa: F401 with the settings of tests/conftest.py: no verb gives it others here
import pytest

from deployments import cli
from deployments.commands import check, connect, disconnect
from hub import crypto
from hub.settings import Settings, settings
from tests.serving import sandbox_in_a_thread
from web.app import create_app as create_web

Esteira = Callable[..., SimpleNamespace]
SHOP = ("connect", "contaazul", "--merchant", "Loja Sol")
DEMO = "/_sandbox/contaazul/accounts/demo"


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with sandbox_in_a_thread() as address:
        yield address


@pytest.fixture
def home(tmp_path: Path, served: str, monkeypatch: pytest.MonkeyPatch, _migrated_sqlite: Path) -> Iterator[Path]:
    shutil.copyfile(_migrated_sqlite, tmp_path / "esteira.db")
    chosen = {
        "HOME": str(tmp_path),
        "CONTAAZUL_API_URL": f"{served}/contaazul",
        "CONTAAZUL_AUTHORIZE_URL": f"{served}/contaazul/oauth/authorize",
        "CONTAAZUL_TOKEN_URL": f"{served}/contaazul/oauth/token",
        "CONTAAZUL_CLIENT_ID": "demo-client",
        "CONTAAZUL_CLIENT_SECRET": "demo-client-secret",
        "RETRY_ATTEMPTS": "2",
        "RETRY_FIRST_WAIT_S": "0.01",
    }
    for name, value in chosen.items():
        monkeypatch.setenv(f"ESTEIRA_{name}", value)
    settings.cache_clear()
    httpx.post(f"{served}/_sandbox/reset").raise_for_status()
    before = crypto.use(None)
    yield tmp_path
    crypto.use(before)


@pytest.fixture
def esteira(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Esteira:
    monkeypatch.setattr(cli, "COMMANDS", (connect, disconnect, check))

    def run(*arguments: str, stdin: str = "") -> SimpleNamespace:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = cli.run(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return SimpleNamespace(code=code, out=out, err=err, json=json.loads(out) if "--json" in arguments else None)

    return run


def stored(home: Path) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """State, credentials and policy of the one connection."""
    with sqlite3.connect(home / "esteira.db") as database:
        (row,) = database.execute("select state, credentials, policy from connection").fetchall()
    return row[0], json.loads(crypto.current().decrypt(row[1])), json.loads(row[2])


def consent(esteira: Esteira, *more: str) -> str:
    """The address that the consent of a first step ended at."""
    ran = esteira(*SHOP, "--json", *more)
    assert ran.code == 1, "not connected yet"
    answer = httpx.get(ran.json["authorize_url"], follow_redirects=False)
    return str(answer.headers["location"])


def test_by_the_consent_in_two_steps_with_the_app_of_the_settings(esteira: Esteira, home: Path) -> None:
    ended_at = consent(esteira)
    assert ended_at.startswith("http://localhost:8080/oauth/contaazul/callback?")
    ran = esteira(*SHOP, "--code", ended_at)
    assert ran.code == 0, ran.err
    assert "Conta Azul" in ran.out
    state, credentials, policy = stored(home)
    assert state == "ativa"
    assert set(credentials) == {"access_token", "refresh_token", "expires_at", "lifetime_s"}, (
        "the app is not ours to copy"
    )
    assert policy == {"send_mode": "selected"}
    assert esteira("check").code == 0


def test_an_app_of_the_merchants_own(esteira: Esteira, home: Path, served: str) -> None:
    httpx.post(f"{served}{DEMO}", json={"client_id": "own", "client_secret": "own-secret"}).raise_for_status()
    ended_at = consent(
        esteira, "--client-id", "own", "--client-secret", "own-secret", "--policy", "send_mode=automatic"
    )
    assert esteira(*SHOP, "--client-id", "own", "--code", ended_at).code == 0
    _, credentials, policy = stored(home)
    assert (credentials["client_id"], credentials["client_secret"], policy) == ("own", "own-secret", {})


def test_without_any_app_it_says_where_to_get_one(esteira: Esteira, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESTEIRA_CONTAAZUL_CLIENT_ID", "")
    settings.cache_clear()
    ran = esteira(*SHOP)
    assert ran.code == 1
    assert "ESTEIRA_CONTAAZUL_CLIENT_ID" in ran.err


def test_what_came_by_the_door_needs_no_code(esteira: Esteira, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits at the terminal: while the command waits, the browser comes back to the web app."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def consents(_prompt: str) -> str:
        ran = httpx.get(shown[0], follow_redirects=False)

        async def back() -> httpx.Response:
            transport = httpx.ASGITransport(create_web(Settings()))
            async with httpx.AsyncClient(transport=transport) as browser:
                return await browser.get(ran.headers["location"])

        answers: list[httpx.Response] = []
        thread = threading.Thread(target=lambda: answers.append(asyncio.run(back())))
        thread.start()
        thread.join()
        assert answers[0].status_code == 200
        return ""

    from providers.consent import OAuthApp

    shown: list[str] = []
    address = OAuthApp.address

    def remembered(self: OAuthApp, *rest: Any) -> str:
        shown.append(address(self, *rest))
        return shown[-1]

    monkeypatch.setattr(OAuthApp, "address", remembered)
    monkeypatch.setattr("builtins.input", consents)
    monkeypatch.setattr(io, "StringIO", Terminal)
    ran = esteira(*SHOP)
    assert ran.code == 0, ran.err
    assert stored(home)[0] == "ativa"


def test_disconnecting_revokes_and_forgets(esteira: Esteira, home: Path) -> None:
    esteira(*SHOP, "--code", consent(esteira))
    token = stored(home)[1]["access_token"]
    ran = esteira("disconnect", "loja-sol-contaazul", "--json")
    assert (ran.code, ran.json) == (0, {"connection": "loja-sol-contaazul", "revoked": True})
    state, credentials, _ = stored(home)
    assert (state, credentials) == ("não instalada", {})
    assert token not in ran.out + ran.err
    assert esteira("check", "--connection", "loja-sol-contaazul").code == 1


def test_a_system_out_of_reach_keeps_the_token_unless_forced(esteira: Esteira, home: Path, served: str) -> None:
    esteira(*SHOP, "--code", consent(esteira))
    httpx.post(f"{served}/_sandbox/faults", json={"fault": "error_500", "times": None}).raise_for_status()
    ran = esteira("disconnect", "loja-sol-contaazul")
    assert ran.code == 1
    assert "--force" in ran.err
    assert stored(home)[1]["access_token"]
    forced = esteira("disconnect", "loja-sol-contaazul", "--force", "--json")
    assert (forced.code, forced.json["revoked"]) == (0, False)
    assert stored(home)[1] == {}


def test_a_consent_that_is_gone_already_is_forgotten_all_the_same(esteira: Esteira, home: Path, served: str) -> None:
    esteira(*SHOP, "--code", consent(esteira))
    httpx.post(f"{served}{DEMO}/revoke").raise_for_status()
    assert esteira("disconnect", "loja-sol-contaazul").code == 0
    assert stored(home)[1] == {}
