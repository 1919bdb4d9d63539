"""Every fault of the sandbox, and every way to be shut out: what passes is ridden out, what stays is told to both.

To the merchant by a notice in Portuguese that says what to do, to ops by one clear line; and no secret in either.
"""

import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from hub.connections import install
from hub.db import Database
from hub.notices import standing_notices
from hub.settings import settings
from hub.tables.tenancy import ConnectionState
from hub.texts import Text, knows, ops_line, render
from providers.registry import KINDS
from tests.contract.subjects import ACCOUNTS, Sandbox
from tests.flows.shop import Shop, flat
from tests.flows.truth import expected

DETAILS = {"tiny_v2": "produto.obter", "tiny_v3": "GET /produtos/{id}"}
LISTING = {"tiny_v2": "produtos.pesquisa", "tiny_v3": "GET /produtos"}
PASSING = {
    "over_quota": "quota",
    "concurrency": "quota",
    "maintenance": "maintenance",
    "unexpected_35": "server",
    "error_500": "server",
    "error_503": "server",
    "html": "unreadable",
    "stall": "timeout",
    "reset": "cut",
    "answer_lost": "cut",
    "cut_json": "unreadable",
    "cut_connection": "cut",
}
"""Faults that pass, and the reason that is told of them while they do not."""
LIKE_V3 = {"maintenance": "server"}
"""v3 has no answer of its own for these."""


@pytest.fixture(autouse=True)
def _short_waits(shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A small catalogue and little patience; and afterwards, whatever was tried, no secret in any line of the log."""
    shop.seed(catalog="generated", size=6, variations_share=0.3, kits_share=0.3, seed=4)
    shop.sandbox.ask("POST", "/settings", stall_s=1)
    monkeypatch.setenv("ESTEIRA_RETRY_ATTEMPTS", "3")
    monkeypatch.setenv("ESTEIRA_QUOTA_CLOCK_RATE", "20000")
    settings.cache_clear()
    caplog.set_level(logging.INFO)
    for name in ("esteira", "flows", "hub", "httpx", "providers", "tasks"):
        caplog.set_level(logging.DEBUG, name)
    yield
    assert_no_secret(caplog.text)


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESTEIRA_READ_TIMEOUT_S", "0.3")
    settings.cache_clear()


async def assert_undisturbed(shop: Shop) -> None:
    """The hub stands as after a run that met no fault."""
    state = await shop.state()
    assert {key: flat(product) for key, product in state["products"].items()} == expected(
        shop.kind, shop.sandbox.products()
    )
    assert not state["notices"] and not state["quarantined"] and not state["worklist"]
    assert state["cursors"] == {"catalog": ["fed_at", "swept_at"]}


def assert_no_secret(*texts: object) -> None:
    for secret in ("demo-token", "demo-client-secret", "segredo", "Bearer", "access.", "refresh."):
        assert secret not in " ".join(map(str, texts)), secret


async def failing(shop: Shop, path: str = "catalog") -> tuple[str, Text]:
    """Run a pull that must fail: its report, its notice and its line for ops; returns the reason and the words."""
    run = shop.pull_catalog if path == "catalog" else shop.pull_stock
    summary = await run(outcome="failed")
    report = (await shop.reports())[-1]
    assert (report.outcome, report.detail) == ("failed", summary.detail)
    async with shop.db.read() as session:
        (notice,) = await standing_notices(session)
    assert notice.code.startswith("connection.") and knows(notice.code)
    said, line = render(notice.code, notice.params), ops_line(notice)
    assert said.title and said.body and len(said.action) > 30
    reason = notice.code.partition(".")[2]
    assert f"({reason})" in summary.detail
    assert shop.id in line and notice.code in line
    assert_no_secret(summary, report, json.dumps(notice.params), notice.key, said, line)
    return reason, said


# Faults that pass.


@pytest.mark.parametrize("fault", sorted({*PASSING, "wrong_type"}))
@pytest.mark.usefixtures("_impatient")
async def test_a_fault_in_mid_run_is_ridden_out(shop: Shop, sandbox: Sandbox, fault: str) -> None:
    sandbox.fault(fault, match={"operation": LISTING[shop.kind], "nth": 1})
    sandbox.fault(fault, match={"operation": DETAILS[shop.kind], "nth": 3})
    await shop.pull_catalog()
    assert [planted["hits"] for planted in sandbox.ask("GET", "/faults")["faults"]] == [1, 1]
    await assert_undisturbed(shop)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [("tiny_v2", fault) for fault in sorted(PASSING)]
    + [("tiny_v3", fault) for fault in ("cut_json", "error_500", "maintenance", "over_quota", "reset", "stall")],
)
@pytest.mark.usefixtures("_impatient")
async def test_a_fault_that_stays_is_told_writes_nothing_by_halves_and_is_forgotten_when_it_is_over(
    shop: Shop, sandbox: Sandbox, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    sandbox.fault(fault, times=None, match={"operation": DETAILS[shop.kind]})
    reason, said = await failing(shop)
    assert reason == (LIKE_V3.get(fault, PASSING[fault]) if shop.kind == "tiny_v3" else PASSING[fault])
    assert "Olist Tiny" in said.title
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 1
    assert errors[0].startswith(f"{shop.id}: pull-catalog stopped: ") and f"({reason})" in errors[0]
    state = await shop.state()
    assert not state["products"] and not state["bindings"] and not state["cursors"] and not state["quarantined"]
    sandbox.ask("DELETE", "/faults")
    await shop.pull_catalog()
    await assert_undisturbed(shop)


@pytest.mark.parametrize("fault", ["html", "over_quota"])
async def test_a_fault_that_stays_at_the_listing_keeps_what_there_was(shop: Shop, sandbox: Sandbox, fault: str) -> None:
    await shop.pull_catalog()
    before = await shop.state()
    sandbox.fault(fault, times=None)
    await failing(shop)
    assert {**await shop.state(), "notices": {}} == before
    sandbox.ask("DELETE", "/faults")
    await shop.pull_catalog()
    assert await shop.state() == before


async def test_a_token_that_ends_in_mid_run(shop: Shop, sandbox: Sandbox) -> None:
    """v3 refreshes it and goes on; v2's does not end, so one that is refused is a matter for the merchant."""
    sandbox.fault("token_expired", match={"operation": DETAILS[shop.kind], "nth": 3})
    if shop.kind == "tiny_v2":
        assert (await failing(shop))[0] == "token"
        assert (await shop.connection()).state == ConnectionState.DISCONNECTED
    await shop.pull_catalog()
    assert (await shop.connection()).state == ConnectionState.ACTIVE
    assert sandbox.ask("GET", "/calls/summary")["refreshes"] == (1 if shop.kind == "tiny_v3" else 0)
    await assert_undisturbed(shop)


async def test_answers_that_are_always_of_the_wrong_types_are_read_or_refused_and_break_nothing(
    shop: Shop, sandbox: Sandbox
) -> None:
    sandbox.fault("wrong_type", times=None)
    await shop.pull_catalog()
    await shop.pull_stock()
    sandbox.ask("DELETE", "/faults")
    state = await shop.state()
    known = {*state["products"], *state["quarantined"]}
    assert known == set(expected(shop.kind, sandbox.products()))


# Shut out.


async def test_a_wrong_token_is_told_and_the_right_one_cures_it(
    hub_db: Database, sandbox: Sandbox, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = dict.fromkeys(("token", "access_token", "refresh_token"), "segredo-errado-42")
    shop = await Shop.connect(hub_db, sandbox, kind, **wrong)
    reason, said = await failing(shop)
    assert reason == "token"
    assert ("Token API" if kind == "tiny_v2" else "conectar de novo") in said.action
    assert (await shop.connection()).state == ConnectionState.DISCONNECTED
    async with hub_db.write() as session:
        await install(
            session, merchant="Loja Sol", kind=kind, side=KINDS[kind].side, credentials=ACCOUNTS[kind](sandbox)
        )
    await shop.pull_catalog()
    assert (await shop.connection()).state == ConnectionState.ACTIVE
    await assert_undisturbed(shop)


async def test_a_lost_connection_is_left_alone_until_somebody_names_it(shop: Shop, sandbox: Sandbox) -> None:
    await shop.change(credentials=dict.fromkeys(("token", "access_token", "client_id"), "segredo-errado-42"))
    await failing(shop)
    shop.forget_calls()
    assert await shop.pull_all() == []
    assert not shop.calls()


def point_to(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("ESTEIRA_TINY_V2_URL", f"{address}/tiny/api2")
    monkeypatch.setenv("ESTEIRA_TINY_V3_URL", f"{address}/tiny/public-api/v3")
    settings.cache_clear()


@pytest.mark.parametrize("path", ["catalog", "stock"])
async def test_an_unknown_host_is_told(
    shop: Shop, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    await shop.pull_catalog()
    with monkeypatch.context() as patched:
        point_to(patched, "http://nao-existe.invalid")
        before = await shop.products()
        reason, said = await failing(shop, path)
        assert reason == "unknown_host"
        assert "rede" in said.action
        assert await shop.products() == before
    point_to(monkeypatch, sandbox.url)
    await shop.pull_catalog()
    assert not (await shop.state())["notices"]


async def test_a_closed_port_is_told(shop: Shop, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:  # taken, and nobody listens
        bound.bind(("127.0.0.1", 0))
        with monkeypatch.context() as patched:
            point_to(patched, f"http://127.0.0.1:{bound.getsockname()[1]}")
            reason, said = await failing(shop)
    assert reason == "unreachable" and "navegador" in said.action
    point_to(monkeypatch, sandbox.url)
    await shop.pull_catalog()
    await assert_undisturbed(shop)


async def test_a_wrong_address_is_a_matter_for_ops(
    shop: Shop, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_to(monkeypatch, f"{sandbox.url}/nada")
    reason, said = await failing(shop)
    assert reason in ("no_service", "not_found", "unreadable") and "suporte da Esteira" in said.action


SHUT: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    # kind, what is done to the account, how it is undone, the reason, a word of what the merchant is told to do
    ("tiny_v2", {"blocked": True}, {"blocked": False}, "blocked", "fatura"),
    ("tiny_v2", {"access": False}, {"access": True}, "blocked", "extensão"),
    ("tiny_v2", {"token": "outro-token"}, {"token": "demo-token"}, "token", "Token API"),
    ("tiny_v3", {"blocked": True}, {"blocked": False}, "permission", "Gestão de Aplicativos"),
    (
        "tiny_v3",
        {"v3_permissions": ["info:read", "estoque:read"]},
        {"v3_permissions": ["info:read", "estoque:read", "produtos:read"]},
        "permission",
        "produtos",
    ),
]


@pytest.mark.parametrize(("kind", "change", "undo", "reason", "word"), SHUT)
async def test_access_taken_away_is_told_and_access_given_back_clears_it(
    shop: Shop, sandbox: Sandbox, change: dict[str, Any], undo: dict[str, Any], reason: str, word: str
) -> None:
    await shop.pull_catalog()
    before = await shop.state()
    sandbox.account(**change)
    told, said = await failing(shop)
    assert told == reason and word in said.action
    assert (await shop.state())["products"] == before["products"]
    sandbox.account(**undo)
    await shop.pull_catalog()
    assert await shop.state() == before


@pytest.mark.parametrize("kind", ["tiny_v3"])
async def test_a_consent_taken_back_is_told_until_the_merchant_connects_again(shop: Shop, sandbox: Sandbox) -> None:
    await shop.pull_catalog()
    before = await shop.state()
    sandbox.account(revoke_v3=True)
    reason, said = await failing(shop)
    assert reason == "token" and "conectar de novo" in said.action
    assert (await shop.connection()).state == ConnectionState.DISCONNECTED
    await shop.change(credentials=ACCOUNTS["tiny_v3"](sandbox))
    await shop.pull_catalog()
    assert await shop.state() == before


@pytest.mark.parametrize("kind", ["tiny_v3"])
async def test_a_permission_taken_away_between_two_products_is_no_fault_of_the_products(
    shop: Shop, sandbox: Sandbox
) -> None:
    shop.script(DETAILS[shop.kind], 3, {"op": "account", "changes": {"v3_permissions": ["info:read"]}}, when="before")
    assert (await failing(shop))[0] == "permission"
    assert not (await shop.state())["quarantined"]
    sandbox.account(v3_permissions=["info:read", "produtos:read", "estoque:read"])
    await shop.pull_catalog()
    await assert_undisturbed(shop)


@pytest.mark.parametrize("kind", ["tiny_v3"])
async def test_a_permission_for_the_stock_alone_stops_the_stock_alone(shop: Shop, sandbox: Sandbox) -> None:
    sandbox.account(v3_permissions=["info:read", "produtos:read"])
    await shop.pull_catalog()
    reason, said = await failing(shop, "stock")
    assert reason == "permission" and "estoque" in said.action
    assert {product["stock_quantity"] for product in (await shop.products()).values()} == {None}
