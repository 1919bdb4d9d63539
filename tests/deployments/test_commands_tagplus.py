"""`esteira connect tagplus`, against the sandbox over HTTP."""

import io
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx
import prefect  # noqa: F401 with the settings of tests/conftest.py: no verb gives it others here
import pytest

from deployments import cli
from deployments.commands import check, connect, disconnect
from hub import crypto
from hub.settings import settings
from tests.deployments.test_commands_contaazul import stored
from tests.serving import sandbox_in_a_thread

Esteira = Callable[..., SimpleNamespace]
SHOP = ("connect", "tagplus", "--merchant", "Loja Sol")
ACCOUNT = "/_sandbox/tagplus/accounts/demo"
DOOR = "http://localhost:8080/oauth/tagplus/callback"


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    with sandbox_in_a_thread() as address:
        yield address


@pytest.fixture
def home(tmp_path: Path, served: str, monkeypatch: pytest.MonkeyPatch, _migrated_sqlite: Path) -> Iterator[Path]:
    shutil.copyfile(_migrated_sqlite, tmp_path / "esteira.db")
    chosen = {
        "HOME": str(tmp_path),
        "TAGPLUS_API_URL": f"{served}/tagplus/api",
        "TAGPLUS_AUTHORIZE_URL": f"{served}/tagplus/authorize",
        "TAGPLUS_TOKEN_URL": f"{served}/tagplus/api/oauth2/token",
        "TAGPLUS_CLIENT_ID": "demo-client",
        "TAGPLUS_CLIENT_SECRET": "demo-client-secret",
        "RETRY_ATTEMPTS": "2",
        "RETRY_FIRST_WAIT_S": "0.01",
    }
    for name, value in chosen.items():
        monkeypatch.setenv(f"ESTEIRA_{name}", value)
    settings.cache_clear()
    httpx.post(f"{served}/_sandbox/reset").raise_for_status()
    httpx.post(f"{served}{ACCOUNT}", json={"redirect_uri": DOOR}).raise_for_status()
    before = crypto.use(None)
    yield tmp_path
    crypto.use(before)


@pytest.fixture
def esteira(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Esteira:
    monkeypatch.setattr(cli, "COMMANDS", (connect, disconnect, check))

    def run(*arguments: str) -> SimpleNamespace:
        monkeypatch.setattr(sys, "stdin", io.StringIO(""))
        capsys.readouterr()
        code = cli.run(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return SimpleNamespace(code=code, out=out, err=err, json=json.loads(out) if "--json" in arguments else None)

    return run


def test_by_the_consent_in_two_steps_with_the_address_that_the_app_has(esteira: Esteira, home: Path) -> None:
    asked = esteira(*SHOP, "--json").json["authorize_url"]
    query = parse_qs(urlsplit(asked).query)
    assert "redirect_uri" not in query, "TagPlus supports none"
    assert "read:registro_atividades" in query["scope"][0].split()
    ended_at = httpx.get(asked, follow_redirects=False).headers["location"]
    assert ended_at.startswith(f"{DOOR}?")
    ran = esteira(*SHOP, "--code", ended_at)
    assert ran.code == 0, ran.err
    state, credentials, policy = stored(home)
    assert state == "ativa"
    assert set(credentials) == {"access_token", "refresh_token", "expires_at", "lifetime_s"}
    assert policy == {"pull_products": False, "pull_prices": True}
    assert esteira("check").code == 0


def test_a_code_works_once(esteira: Esteira, home: Path) -> None:
    asked = esteira(*SHOP, "--json").json["authorize_url"]
    ended_at = httpx.get(asked, follow_redirects=False).headers["location"]
    assert esteira(*SHOP, "--code", ended_at).code == 0
    again = esteira(*SHOP, "--code", ended_at)
    assert again.code == 1
    assert "Traceback" not in again.err


def test_without_any_app_it_says_where_to_get_one(esteira: Esteira, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESTEIRA_TAGPLUS_CLIENT_ID", "")
    settings.cache_clear()
    ran = esteira(*SHOP)
    assert ran.code == 1
    assert "ESTEIRA_TAGPLUS_CLIENT_ID" in ran.err


def test_disconnecting_forgets_though_there_is_nothing_to_revoke(esteira: Esteira, home: Path) -> None:
    asked = esteira(*SHOP, "--json").json["authorize_url"]
    esteira(*SHOP, "--code", httpx.get(asked, follow_redirects=False).headers["location"])
    ran = esteira("disconnect", "loja-sol-tagplus", "--json")
    assert (ran.code, ran.json["revoked"]) == (0, False)
    assert stored(home)[1] == {}
