"""The verbs as ops type them: `cli.run` in this process, on a home of the test's own, against the sandbox over HTTP."""

import io
import json
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import prefect  # noqa: F401 with the settings of tests/conftest.py: no verb gives it others here
import pytest

from deployments import cli
from deployments.commands import _syncing, check, connect, inbox, keys, mappings, migrate, notices, status, sync
from hub import crypto
from hub.settings import settings
from tests.serving import sandbox_in_a_thread

TOKEN = "demo-token"
VERBS = (migrate, connect, check, sync, inbox, status, notices, keys, mappings)
Esteira = Callable[..., SimpleNamespace]


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """The address of a sandbox served by a thread."""
    with sandbox_in_a_thread() as address:
        yield address


@pytest.fixture
def tiny(served: str) -> Iterator[httpx.Client]:
    """The sandbox's control, freshly reset; its account `demo` has no quota."""
    with httpx.Client(base_url=f"{served}/_sandbox", timeout=10) as client:
        client.post("/reset").raise_for_status()
        client.post("/tiny/accounts/demo", json={"plan": "unlimited"}).raise_for_status()
        yield client


@pytest.fixture
def home(
    tmp_path: Path, served: str, tiny: httpx.Client, monkeypatch: pytest.MonkeyPatch, _migrated_sqlite: Path
) -> Iterator[Path]:
    """A home with a migrated database, whose Tiny is the sandbox."""
    shutil.copyfile(_migrated_sqlite, tmp_path / "esteira.db")
    realm = f"{served}/tiny/realms/tiny/protocol/openid-connect"
    for name, value in {
        "ESTEIRA_HOME": str(tmp_path),
        "ESTEIRA_TINY_V2_URL": f"{served}/tiny/api2",
        "ESTEIRA_TINY_V3_URL": f"{served}/tiny/public-api/v3",
        "ESTEIRA_TINY_V3_AUTHORIZE_URL": f"{realm}/auth",
        "ESTEIRA_TINY_V3_TOKEN_URL": f"{realm}/token",
        "ESTEIRA_RETRY_ATTEMPTS": "2",
        "ESTEIRA_RETRY_FIRST_WAIT_S": "0.01",
    }.items():
        monkeypatch.setenv(name, value)
    settings.cache_clear()
    before = crypto.use(None)
    yield tmp_path
    crypto.use(before)


@pytest.fixture
def esteira(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Esteira:
    """Runs a verb; gives its exit code, what it wrote, and its JSON object if it wrote one."""
    monkeypatch.setattr(cli, "COMMANDS", VERBS)

    def run(*arguments: str, stdin: str = "") -> SimpleNamespace:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = cli.run(arguments)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return SimpleNamespace(
            code=code, out=out, err=err, json=json.loads(out) if "--json" in arguments and out else None
        )

    return run


def connect_v2(esteira: Esteira, *more: str) -> SimpleNamespace:
    return esteira(
        "connect", "tiny", "--merchant", "Loja Sol", "--token", TOKEN, "--policy", "calls_per_minute=0", *more
    )


def row(home: Path, query: str) -> Any:
    with sqlite3.connect(home / "esteira.db") as database:
        return database.execute(query).fetchone()


class TestConnect:
    def test_a_token_is_stored_encrypted_checked_and_never_shown(self, esteira: Esteira, home: Path) -> None:
        ran = connect_v2(esteira)
        assert ran.code == 0
        assert "Loja Demo" in ran.out
        assert "**.***.***/****-" in ran.out
        state, account, features, credentials = row(
            home, "select state, account, features, credentials from connection where id = 'loja-sol-tiny-v2'"
        )
        assert state == "ativa"
        assert len(account) == 64
        assert json.loads(features)["update_lists"] is True
        assert crypto.current().decrypt(credentials) == json.dumps({"token": TOKEN}, separators=(",", ":"))
        assert TOKEN not in ran.out + ran.err
        assert all(TOKEN.encode() not in file.read_bytes() for file in home.glob("esteira.db*"))

    def test_the_token_may_come_from_the_environment_or_a_pipe(
        self, esteira: Esteira, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unlimited = ("--policy", "calls_per_minute=0")
        piped = esteira("connect", "tiny", "--merchant", "Loja Lua", *unlimited, stdin=f"{TOKEN}\n")
        monkeypatch.setenv("ESTEIRA_TINY_TOKEN", TOKEN)
        named = esteira("connect", "tiny", "--merchant", "Loja Mar", *unlimited)
        assert (piped.code, named.code) == (0, 0)
        assert "they share its quota" in named.err
        assert TOKEN not in piped.out + piped.err + named.out + named.err

    @pytest.mark.parametrize("stdin", ["", "\n", "half of a token\n"])
    def test_without_a_token_nothing_is_made(self, esteira: Esteira, home: Path, stdin: str) -> None:
        ran = esteira("connect", "tiny", "--merchant", "Loja Lua", stdin=stdin)
        assert ran.code == 1
        assert ran.err.count("\n") == 1
        assert "token" in ran.err
        assert "half" not in ran.err
        assert row(home, "select count(*) from connection") == (0,)

    def test_a_refused_token_is_told_to_ops_and_to_the_merchant_and_a_good_one_clears_it(
        self, esteira: Esteira, home: Path
    ) -> None:
        wrong = esteira("connect", "tiny", "--merchant", "Loja Sol", "--token", "not-the-token")
        assert wrong.code == 1
        assert "loja-sol-tiny-v2: info: reauth (token), code 2" in wrong.err
        assert "“Token API”" in wrong.err
        assert "not-the-token" not in wrong.out + wrong.err
        assert row(home, "select state from connection") == ("não conectada",)
        assert [n["code"] for n in esteira("notices", "--json").json["notices"]] == ["connection.token"]

        assert connect_v2(esteira).code == 0
        assert row(home, "select state, state_reason from connection") == ("ativa", "")
        assert esteira("notices", "--json").json == {"notices": []}
        assert len(esteira("notices", "--all", "--json").json["notices"]) == 1
        assert "resolvido em" in esteira("notices", "--all").out

    def test_a_policy_is_checked_and_choices_made_before_stay(self, esteira: Esteira, home: Path) -> None:
        unknown = connect_v2(esteira, "--policy", "colour=red")
        assert unknown.code == 1
        assert "received 'colour=red'; valid are:" in unknown.err
        assert "stock_basis=available|physical (default: available)" in unknown.err
        wrong = connect_v2(esteira, "--policy", "stock_basis=all", "--policy", "reread_hours=1")
        assert wrong.code == 1
        assert "--policy stock_basis received 'all'; valid: available|physical" in wrong.err
        assert "--policy reread_hours received '1'; valid: a whole number from 2 to 168" in wrong.err
        assert row(home, "select count(*) from connection") == (0,)

        assert connect_v2(esteira, "--policy", "stock_basis=physical", "--policy", "deposit=Loja Física").code == 0
        assert connect_v2(esteira, "--policy", "deposit=").code == 0
        assert json.loads(row(home, "select policy from connection")[0]) == {
            "calls_per_minute": 0,
            "orders": "all",
            "stock_basis": "physical",
        }

    def test_situations_of_ones_own_are_told_stage_by_stage(self, esteira: Esteira, home: Path) -> None:
        assert connect_v2(esteira, "--policy", "status_map=approved:preparando_envio, open:aberto").code == 0
        kept = json.loads(row(home, "select policy from connection")[0])["status_map"]
        assert kept == {"approved": "preparando_envio", "open": "aberto"}
        wrong = connect_v2(esteira, "--policy", "status_map=paid:aprovado")
        assert wrong.code == 1
        assert "--policy status_map received 'paid'; valid: STAGE:WORD,… with open, approved" in wrong.err

    def test_a_token_of_another_company_switches_the_connection_off(
        self, esteira: Esteira, home: Path, tiny: httpx.Client
    ) -> None:
        tiny.post("/tiny/accounts", json={"name": "outra", "plan": "unlimited"}).raise_for_status()
        assert connect_v2(esteira).code == 0
        ran = connect_v2(esteira, "--token", "outra-token")
        assert ran.code == 1
        assert "leads to another account" in ran.err
        assert "outra empresa" in ran.err
        assert row(home, "select state from connection") == ("inativa",)
        assert "is 'inativa'" in esteira("sync", "pull-catalog", "--connection", "loja-sol-tiny-v2").err
        assert esteira("check", "--json").json == {"connections": []}

        assert connect_v2(esteira).code == 0
        assert row(home, "select state from connection") == ("ativa",)

    def test_an_id_that_is_taken_is_refused(self, esteira: Esteira) -> None:
        assert connect_v2(esteira, "--connection", "sol").code == 0
        ran = esteira("connect", "tiny", "--merchant", "Loja Lua", "--token", TOKEN, "--connection", "sol")
        assert ran.code == 1
        assert "belongs to merchant 'loja-sol'" in ran.err

    def test_the_quota_goes_on_under_the_accounts_name(
        self, esteira: Esteira, home: Path, tiny: httpx.Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ESTEIRA_QUOTA_CLOCK_RATE", "100")
        settings.cache_clear()
        tiny.post("/tiny/accounts/demo", json={"plan": "evoluir"}).raise_for_status()
        ran = esteira("connect", "tiny", "--merchant", "Loja Sol", "--token", TOKEN, "--json")
        assert ran.json["connections"][0]["calls_per_minute"] == 60
        (account,) = row(home, "select account from connection")
        per_minute, due = row(home, f"select per_minute, tat from quota where key = 'tiny:{account}'")
        (before,) = row(home, "select tat from quota where key = 'tiny:loja-sol-tiny-v2'")
        assert per_minute == 60
        assert due >= before


class TestConnectV3:
    APP = ("--merchant", "Loja Sol", "--api", "v3", "--client-id", "demo-client")

    @staticmethod
    def consent(authorize_url: str) -> str:
        answer = httpx.get(authorize_url, follow_redirects=False)
        assert answer.status_code == 302
        return answer.headers["location"]

    def begin(self, esteira: Esteira, *more: str) -> str:
        ran = esteira("connect", "tiny", *self.APP, "--json", *more, stdin="demo-client-secret\n")
        assert ran.code == 1, "not connected yet"
        return str(ran.json["authorize_url"])

    def test_by_the_consent_in_two_steps(self, esteira: Esteira, home: Path) -> None:
        url = self.begin(esteira, "--redirect-uri", "http://localhost:8080/back", "--policy", "calls_per_minute=0")
        ended_at = self.consent(url)
        assert ended_at.startswith("http://localhost:8080/back?state=")
        ran = esteira("connect", "tiny", "--merchant", "Loja Sol", "--api", "v3", "--code", ended_at)
        assert ran.code == 0
        assert "Olist Tiny (API v3)" in ran.out
        (credentials,) = row(home, "select credentials from connection where state = 'ativa'")
        stored = json.loads(crypto.current().decrypt(credentials))
        assert set(stored) == {
            "client_id",
            "client_secret",
            "access_token",
            "refresh_token",
            "expires_at",
            "lifetime_s",
        }
        assert stored["access_token"] not in ran.out + ran.err
        assert "demo-client-secret" not in ran.out + ran.err

        again = esteira("connect", "tiny", *self.APP, "--code", ended_at)
        assert again.code == 1, "that consent is used up"
        assert "run the command without it" in again.err

    def test_a_consent_of_somebody_else_or_one_refused_is_no_consent(
        self, esteira: Esteira, tiny: httpx.Client
    ) -> None:
        url = self.begin(esteira)
        forged = self.consent(url).replace("state=", "state=x")
        assert "its state differs" in esteira("connect", "tiny", *self.APP, "--code", forged).err
        tiny.post("/tiny/accounts/demo", json={"consent": False}).raise_for_status()
        refused = esteira("connect", "tiny", *self.APP, "--code", self.consent(url))
        assert refused.code == 1
        assert "the consent was not given (access_denied)" in refused.err

    def test_a_code_works_once(self, esteira: Esteira, served: str) -> None:
        ended_at = self.consent(self.begin(esteira))
        code = ended_at.rpartition("code=")[2]
        form = {"grant_type": "authorization_code", "client_id": "demo-client", "client_secret": "demo-client-secret"}
        form |= {"code": code, "redirect_uri": "http://localhost:8080/oauth/tiny_v3/callback"}
        httpx.post(settings().tiny_v3_token_url, data=form).raise_for_status()
        ran = esteira("connect", "tiny", *self.APP, "--code", code)
        assert ran.code == 1
        assert "it works once" in ran.err
        assert code not in ran.err

    def test_by_a_pair_obtained_elsewhere(self, esteira: Esteira, tiny: httpx.Client) -> None:
        pair = tiny.post("/tiny/accounts/demo/v3-tokens").json()
        given = ("--client-secret", "demo-client-secret", "--policy", "calls_per_minute=0")
        half = esteira("connect", "tiny", *self.APP, *given, "--access-token", pair["access_token"])
        assert half.code == 1
        assert "give both" in half.err
        tokens = ("--access-token", pair["access_token"], "--refresh-token", pair["refresh_token"])
        assert esteira("connect", "tiny", *self.APP, *given, *tokens).code == 0

    def test_the_old_tokens_stay_until_the_new_consent_is_there(self, esteira: Esteira, tiny: httpx.Client) -> None:
        self.test_by_a_pair_obtained_elsewhere(esteira, tiny)
        self.begin(esteira)
        assert esteira("check").code == 0


class TestSync:
    def test_a_dry_run_writes_nothing_and_the_real_run_writes_just_that(self, esteira: Esteira, home: Path) -> None:
        connect_v2(esteira, "--policy", "update_lists=never")
        dry = esteira("sync", "pull-catalog", "--dry-run", "--json")
        assert dry.code == 0
        assert row(home, "select (select count(*) from product) + (select count(*) from cursor)") == (0,)
        changes = dry.json["connections"][0]["changes"]
        creates = {change["external_id"] for change in changes if change["op"] == "create"}
        assert len(creates) > 50
        assert {change["sku"] for change in changes if change["op"] == "refuse"} >= {"RUIM-GTIN", "RUIM-PRECO"}

        real = esteira("sync", "pull-catalog", "--json")
        assert real.code == 0
        done = real.json["connections"][0]
        assert (done["outcome"], done["created"], done["failed"]) == ("done", len(creates), len(changes) - len(creates))
        assert "changes" not in done
        with sqlite3.connect(home / "esteira.db") as database:
            assert {external_id for (external_id,) in database.execute("select external_id from binding")} == creates

        again = esteira("sync", "pull-catalog")
        assert again.code == 0
        assert "concluída" in again.out
        assert "loja-sol-tiny-v2: done:" in again.err

    def test_a_dry_run_shows_the_first_fifty_and_counts_the_rest(self, esteira: Esteira) -> None:
        connect_v2(esteira, "--policy", "update_lists=never")
        shown = esteira("sync", "pull-catalog", "--dry-run").out
        assert shown.count("│ criar") + shown.count("│ recusar") == 50
        assert "more; --json lists all of them" in shown
        assert "Nothing was written." in shown

    def test_stock_is_pulled_for_what_the_catalogue_brought(self, esteira: Esteira, home: Path) -> None:
        connect_v2(esteira)
        esteira("sync", "pull-catalog")
        ran = esteira("sync", "pull-stock", "--connection", "loja-sol-tiny-v2", "--json")
        assert ran.code == 0
        assert ran.json["connections"][0]["changed"] > 50
        assert row(home, "select count(*) from product where stock_quantity is not null")[0] > 50

    @pytest.mark.parametrize("named", [(), ("--connection", "loja-sol-tiny-v2")])
    def test_a_failed_connection_is_no_success_and_says_what_to_do(
        self, esteira: Esteira, tiny: httpx.Client, named: tuple[str, ...]
    ) -> None:
        connect_v2(esteira)
        tiny.post("/tiny/accounts/demo", json={"token": "a-new-token"}).raise_for_status()
        ran = esteira("sync", "pull-catalog", "--json", *named)
        assert ran.code == 1
        assert ran.json["connections"][0]["outcome"] == "failed"
        assert "loja-sol-tiny-v2: pull-catalog failed: " in ran.err
        assert "reauth (token)" in ran.err
        assert "Gere um token" in ran.err

    def test_what_is_not_there_is_named_with_what_is(self, esteira: Esteira) -> None:
        assert "no connection is active: esteira connect" in esteira("sync", "pull-catalog").err
        connect_v2(esteira)
        unknown = esteira("sync", "pull-catalog", "--connection", "loja-lua")
        assert unknown.code == 1
        assert "'loja-lua'; there are: loja-sol-tiny-v2" in unknown.err
        path = esteira("sync", "pull-orders")
        assert path.code == 2
        assert "pull-catalog" in path.err

    def test_what_the_policy_forbids_is_not_run(self, esteira: Esteira) -> None:
        connect_v2(esteira, "--policy", "pull_products=false")
        ran = esteira("sync", "pull-catalog", "--connection", "loja-sol-tiny-v2")
        assert ran.code == 1
        assert "the policy of loja-sol-tiny-v2 says no" in ran.err

    async def test_prefect_is_asked_whether_it_is_there(self, served: str) -> None:
        from prefect.settings import PREFECT_API_URL, temporary_settings

        assert not await _syncing.prefect_answers()
        with temporary_settings({PREFECT_API_URL: f"{served}/api"}):
            assert not await _syncing.prefect_answers(), "somebody answers there, but not Prefect"


class TestReading:
    def test_status_tells_how_each_connection_stands(self, esteira: Esteira) -> None:
        connect_v2(esteira)
        esteira("sync", "pull-catalog")
        (found,) = esteira("status", "--json").json["connections"]
        assert found["connection"] == "loja-sol-tiny-v2"
        assert found["state"] == "ativa"
        assert found["products"] > 50
        assert found["notices"] == found["refused"] == 3
        assert [(run["path"], run["outcome"]) for run in found["runs"]] == [("pull-catalog", "done")]
        assert "swept_at" in found["cursors"]["catalog"]
        shown = esteira("status", "--connection", "loja-sol-tiny-v2")
        assert shown.code == 0
        assert "Ativa" in shown.out
        assert "concluída" in shown.out

    def test_only_the_last_run_of_a_path_is_shown(self, esteira: Esteira) -> None:
        connect_v2(esteira)
        for _ in range(2):
            esteira("sync", "pull-catalog")
        (found,) = esteira("status", "--json").json["connections"]
        assert [(run["path"], run["mode"]) for run in found["runs"]] == [("pull-catalog", "changes")]

    def test_notices_are_the_merchants_words(self, esteira: Esteira) -> None:
        connect_v2(esteira)
        esteira("sync", "pull-catalog")
        shown = esteira("notices").out
        assert "Produto não integrado: SKU RUIM-GTIN" in shown
        assert "o dígito verificador não confere" in shown
        assert "no Olist Tiny" in shown
        assert "3 avisos." in shown
        found = esteira("notices", "--json").json["notices"]
        assert {one["code"] for one in found} == {"product.refused"}
        assert all(one["ops"].startswith("loja-sol-tiny-v2 product ") for one in found)

    def test_with_nothing_made_yet_they_say_how_to_begin(self, esteira: Esteira) -> None:
        assert "esteira connect tiny" in esteira("status").err
        assert esteira("notices").out == "Nenhum aviso.\n"

    def test_an_escape_sequence_in_a_name_does_not_reach_the_terminal(
        self, esteira: Esteira, tiny: httpx.Client
    ) -> None:
        product = {"codigo": "ESC", "nome": "Nome \x1b[31mvermelho [bold]", "preco": "-1"}
        tiny.post("/tiny/accounts/demo/products", json=product).raise_for_status()
        connect_v2(esteira)
        esteira("sync", "pull-catalog")
        shown = esteira("notices").out
        assert "\x1b" not in shown
        assert "vermelho [bold]" in shown


class TestMigrate:
    def test_a_new_home_says_what_to_do_and_migrate_does_it(
        self, esteira: Esteira, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ESTEIRA_HOME", str(tmp_path / "new" / "home"))
        settings.cache_clear()
        before = esteira("status")
        assert before.code == 1
        assert "run: esteira migrate" in before.err
        assert esteira("migrate").code == 0
        assert "esteira connect" in esteira("status").err

    def test_a_database_out_of_reach_is_one_line_without_its_password(
        self, esteira: Esteira, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ESTEIRA_DATABASE_URL", "postgresql+asyncpg://shop:very-secret@127.0.0.1:1/hub")
        settings.cache_clear()
        ran = esteira("status")
        assert ran.code == 1
        assert "127.0.0.1:1/hub" in ran.err
        assert "very-secret" not in ran.err

    def test_a_vendor_out_of_reach_is_told(self, esteira: Esteira, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ESTEIRA_TINY_V2_URL", "http://127.0.0.1:1/api2")
        settings.cache_clear()
        ran = connect_v2(esteira)
        assert ran.code == 1
        assert "retry (unreachable)" in ran.err
        assert "entre na sua conta do Olist Tiny" in ran.err
        assert row(home, "select state from connection") == ("não instalada",)


def test_the_whole_way_on_either_database(esteira: Esteira, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESTEIRA_DATABASE_URL", database_url)
    settings.cache_clear()
    assert connect_v2(esteira).code == 0
    assert esteira("sync", "pull-catalog").code == 0
    assert esteira("sync", "pull-stock", "--dry-run").code == 0
    (found,) = esteira("status", "--json").json["connections"]
    assert (found["state"], found["refused"], found["gone"]) == ("ativa", 3, 0)
    assert found["runs"][0]["outcome"] == "done"
    assert len(esteira("notices", "--all", "--json").json["notices"]) == 3
    assert esteira("keys", "rotate").code == 0


def test_every_verb_is_in_the_command() -> None:
    assert set(VERBS) <= set(cli.COMMANDS)


class TestMappings:
    NAMED = ("mappings", "delete", "--connection", "loja-sol-tiny-v2")

    def test_they_are_counted_deleted_after_a_yes_and_made_anew(self, esteira: Esteira, home: Path) -> None:
        connect_v2(esteira)
        esteira("sync", "pull-catalog")
        (bound,) = row(home, "select count(*) from binding")
        (products,) = row(home, "select count(*) from product")
        assert bound > 60

        dry = esteira(*self.NAMED, "--dry-run", "--json")
        assert (dry.code, dry.json["products"], dry.json["deleted"]) == (0, bound, False)
        for answer, why in (("n\n", "nothing was deleted"), ("", "--yes deletes without asking")):
            asked = esteira(*self.NAMED, stdin=answer)
            assert asked.code == 1
            assert why in asked.err
        assert row(home, "select count(*) from binding") == (bound,)

        assert esteira(*self.NAMED, stdin="y\n").code == 0
        assert row(home, "select count(*) from binding") == (0,)
        assert row(home, "select count(*) from product") == (products,)
        esteira("sync", "pull-catalog")
        assert row(home, "select count(*) from binding") == (bound,)

    def test_a_pull_under_way_is_waited_for(self, esteira: Esteira, home: Path) -> None:
        connect_v2(esteira)
        with sqlite3.connect(home / "esteira.db") as database:
            held = ("pull-stock:loja-sol-tiny-v2", "elsewhere:1:0:x", time.time() + 3600)
            database.execute("insert into lease (key, holder, until) values (?, ?, ?)", held)
        ran = esteira(*self.NAMED, "--yes")
        assert ran.code == 1
        assert "pull-stock of loja-sol-tiny-v2 is running" in ran.err

    def test_a_connection_that_is_not_there(self, esteira: Esteira, home: Path) -> None:
        assert esteira("mappings", "delete", "--connection", "nobody", "--yes").code == 1
