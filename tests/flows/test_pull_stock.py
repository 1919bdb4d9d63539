"""Balances: which one the store shows, how changes are found, what is dropped, and that nothing of a list is lost."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlmodel import col, select

from hub.db import Database
from hub.policy import Policy
from hub.stocktaking import apply_stock
from hub.tables import Binding
from hub.texts import render
from hub.types import plain
from providers.contract import CallFailed, Outcome
from providers.registry import KINDS, open_provider
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.shop import BUSINESS, Shop, differing, free, written_in

GENERAL, STORE, DAMAGED = "Depósito Geral", "Loja Física", "Avariados"
STOCK = {"tiny_v2": "produto.obter.estoque", "tiny_v3": "GET /estoque/{id}"}


def two_deposits(shop: Shop) -> str:
    """A product with 10 and 4 in deposits that count, 100 in one that does not, and 3 and 1 reserved."""
    shop.seed(catalog="empty")
    return shop.create(
        codigo="P",
        nome="Produto",
        preco=5,
        estoque={GENERAL: {"saldo": 10, "reservado": 3}, STORE: {"saldo": 4, "reservado": 1}, DAMAGED: 100},
    )


async def shown(shop: Shop, key: str) -> str | None:
    quantity: str | None = (await shop.products())[key]["stock_quantity"]
    return quantity


# Which balance.


@pytest.mark.parametrize(
    ("choices", "by_v2", "by_v3"),
    [
        ({}, "10", "10"),
        ({"stock_basis": "physical"}, "14", "14"),
        # v2 does not split its reservations by deposit: all of them come off the chosen one.
        ({"deposit": (GENERAL, "5001")}, "6", "7"),
        ({"deposit": (STORE, "5002"), "stock_basis": "physical"}, "4", "4"),
        ({"deposit": (DAMAGED, "5003"), "stock_basis": "physical"}, "100", "100"),
        ({"deposit": ("Fechado", "9999")}, "0", "0"),
    ],
)
async def test_the_store_shows_the_balance_that_the_policy_names(
    hub_db: Database, sandbox: Sandbox, kind: str, choices: dict[str, Any], by_v2: str, by_v3: str
) -> None:
    if "deposit" in choices:
        choices = {**choices, "deposit": choices["deposit"][kind == "tiny_v3"]}
    shop = await Shop.connect(hub_db, sandbox, kind, policy=free(**choices))
    key = two_deposits(shop)
    await shop.pull_catalog()
    assert await shown(shop, key) is None
    summary = await shop.pull_stock()
    assert await shown(shop, key) == (by_v2 if kind == "tiny_v2" else by_v3)
    assert (summary.tally.read, summary.tally.changed) == (1, 1)


async def test_every_deposit_is_kept_with_its_own_balance(shop: Shop) -> None:
    key = two_deposits(shop)
    await shop.pull_catalog()
    await shop.pull_stock()
    rows = (await shop.products())[key]["stock"]
    assert {(row["name"], row["physical"], row["counted"]) for deposit, row in rows.items() if deposit} == {
        (GENERAL, "10", True),
        (STORE, "4", True),
        (DAMAGED, "100", False),
    }
    assert (rows[""]["physical"], rows[""]["reserved"], rows[""]["available"]) == ("14", "4", "10")
    if shop.kind == "tiny_v3":
        assert (rows["5001"]["reserved"], rows["5001"]["available"]) == ("3", "7")


async def test_balances_of_every_kind_of_product(shop: Shop) -> None:
    await shop.pull_catalog()
    await shop.pull_stock()
    state = await shop.state()
    products = {product["sku"]: product for product in state["products"].values()}
    for theirs in shop.sandbox.products():
        ours = state["products"].get(str(theirs["id"]))
        if ours is None or theirs["tipoVariacao"] == "P" or ours["kind"] == "service":
            continue
        counted = [row for name, row in theirs["estoque"].items() if name != DAMAGED]
        free_now = sum(Decimal(str(row["saldo"])) - Decimal(str(row["reservado"])) for row in counted)
        assert ours["stock_quantity"] == plain(max(Decimal(0), free_now)), theirs["codigo"]
    assert products["NEG-1"]["stock_quantity"] == "0"
    assert products["NEG-1"]["stock"][""]["physical"] == "-3"
    assert products["RESERVA-1"]["stock_quantity"] == "0"
    assert products["PRECO-4"]["stock_quantity"] == "37.5"
    assert int(products["KIT-CAFE"]["stock_quantity"]) > 0  # what its scarcest part allows
    assert products["CAM-BASIC-3"]["stock_quantity"] == "8"  # 6 and 3, one reserved
    assert products["CAM-BASIC"]["stock_quantity"] is None, "the parent of variations cannot be sold"


# How changes are found.


async def test_the_list_of_balances_costs_one_call_and_writes_what_it_tells(v2: Shop, clock: Clock) -> None:
    v2.seed(catalog="generated", size=8)
    await v2.pull_catalog()
    await v2.pull_stock()
    await v2.pull_stock()
    before = await v2.state()
    v2.forget_calls()
    with written_in(v2.db) as tables:
        await v2.pull_stock()
    assert v2.calls() == {"lista.atualizacoes.estoque": 1}
    assert not tables & {*BUSINESS, "binding"} and await v2.state() == before
    keys = [v2.key(f"GER-00000{n}") for n in (1, 2)]
    clock.advance(minutes=5)
    for key in keys:
        v2.count(key, balance=7)
    v2.forget_calls()
    summary = await v2.pull_stock()
    assert v2.calls() == {"lista.atualizacoes.estoque": 1}
    assert summary.tally.changed == 2
    after = await v2.state()
    assert differing(before, after) == {key: {"stock", "stock_quantity", "stock_hash"} for key in keys}
    assert {after["products"][key]["stock_quantity"] for key in keys} == {"7"}


@pytest.mark.parametrize("lists", ["consume", "since"])
async def test_a_list_of_many_pages_is_told_whole(v2: Shop, sandbox: Sandbox, clock: Clock, lists: str) -> None:
    sandbox.ask("POST", "/settings", update_list=lists)
    v2.seed(catalog="generated", size=130)
    await v2.pull_catalog()
    await v2.pull_stock()
    clock.advance(minutes=30)
    for product in sandbox.products()[:115]:
        v2.count(product["id"], balance=777)
    v2.forget_calls()
    assert (await v2.pull_stock()).tally.changed == 115
    assert set(v2.calls()) == {"lista.atualizacoes.estoque"}
    assert [p["stock_quantity"] for p in (await v2.products()).values()].count("777") == 115


async def test_without_a_list_every_balance_is_read_again_by_turns(mode: Shop, clock: Clock) -> None:
    listed = (await mode.connection()).features["update_lists"]
    mode.seed(catalog="generated", size=24)
    await mode.pull_catalog()
    await mode.pull_stock()
    mode.forget_calls()
    await mode.pull_stock()
    assert mode.calls()[STOCK[mode.kind]] == 0
    at_once = []
    for _ in range(6):
        clock.advance(hours=4 if listed else 1)
        mode.forget_calls()
        await mode.pull_stock()
        told = [call for call in mode.sandbox.calls() if call["operation"] == STOCK[mode.kind]]
        at_once.append({str(call["params"]["id"]) for call in told})
    assert set().union(*at_once) == set(await mode.products())
    assert at_once[0] == at_once[1] == set(), "nothing is due before half of its time is over"
    assert max(len(ids) for ids in at_once) < 24


async def test_a_quantity_counted_anew_is_found_by_turns(shop: Shop, clock: Clock) -> None:
    key = two_deposits(shop)
    await shop.pull_catalog()
    await shop.pull_stock()
    shop.count(key, deposit=GENERAL, balance=20)
    clock.advance(hours=6)
    await shop.pull_stock()
    assert await shown(shop, key) == "20"


# What is dropped, and what comes later.


async def test_a_balance_older_than_the_one_applied_is_dropped(shop: Shop, clock: Clock) -> None:
    key = two_deposits(shop)
    await shop.pull_catalog()
    connection = await shop.connection()
    async with open_provider(shop.db, connection) as provider:
        late = await provider.read_stock(key)  # type: ignore[attr-defined]
    shop.count(key, deposit=GENERAL, balance=0)
    clock.advance(hours=6)
    await shop.pull_stock()
    assert await shown(shop, key) == "0"
    async with shop.db.write() as session:
        planned = await apply_stock(session, connection, [late], Policy())
    assert [record.external_id for record in planned.stale] == [key]
    assert await shown(shop, key) == "0"


async def test_the_stock_of_a_product_that_is_not_here_yet_comes_with_it(mode: Shop, clock: Clock) -> None:
    mode.seed(catalog="generated", size=3)
    await mode.pull_catalog()
    await mode.pull_stock()
    clock.advance(minutes=5)
    key = mode.create(codigo="NOVO", nome="Novo", preco=5, estoque=12)
    await mode.pull_stock()
    assert key not in await mode.products()
    await mode.pull_catalog()
    await mode.pull_stock()
    assert await shown(mode, key) == "12"


async def test_what_is_gone_is_not_asked_for(shop: Shop, clock: Clock) -> None:
    shop.seed(catalog="generated", size=3)
    await shop.pull_catalog()
    key = shop.key("GER-000001")
    shop.delete(key, hard=True)
    assert (await shop.pull_stock()).tally.changed == 2
    clock.next_day()
    await shop.pull_catalog()
    clock.advance(hours=6)
    shop.forget_calls()
    await shop.pull_stock()
    assert shop.calls()[STOCK[shop.kind]] == 2


async def test_a_balance_that_cannot_be_read_is_a_notice_until_it_can(
    shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.seed(catalog="generated", size=4)
    await shop.pull_catalog()
    key, provider = shop.key("GER-000002"), KINDS[shop.kind].provider
    read = provider.read_stock  # type: ignore[attr-defined]

    async def refusing(self: Any, external_id: str) -> Any:
        if external_id == key:
            raise CallFailed(Outcome.REJECTED, "validation", operation="stock", code="31", detail="Saldo inválido")
        return await read(self, external_id)

    with monkeypatch.context() as patched:
        patched.setattr(provider, "read_stock", refusing)
        summary = await shop.pull_stock()
    assert (summary.tally.changed, summary.tally.failed) == (3, 1)
    ((code, params),) = (await shop.state())["notices"].values()
    assert code == "stock.refused" and "Saldo inválido" in render(code, params).body
    clock.advance(hours=6)
    await shop.pull_stock()
    assert not (await shop.state())["notices"]
    assert await shown(shop, key) is not None


# Dry runs and lost answers.


async def test_a_dry_run_loses_nothing_of_a_list_that_forgets(mode: Shop, clock: Clock) -> None:
    mode.seed(catalog="generated", size=5)
    await mode.pull_catalog()
    await mode.pull_stock()
    keys = [mode.key(f"GER-00000{n}") for n in (1, 2)]
    for key in keys:
        mode.count(key, balance=6)
    clock.advance(hours=6)
    before = await mode.state()
    with written_in(mode.db) as tables:
        dry = await mode.pull_stock(dry_run=True)
        again = await mode.pull_stock(dry_run=True)
    assert not tables & {*BUSINESS, "notice", "run_report", "binding"}
    assert dry.changes == again.changes
    assert {change.external_id for change in dry.changes} == set(keys)
    assert all((change.op, change.groups[1].rpartition(" ")[2]) == ("update", "6") for change in dry.changes)
    await mode.pull_stock()
    after = await mode.state()
    assert set(differing(before, after)) == set(keys)
    assert not after["worklist"]
    assert (await mode.pull_stock()).tally.changed == 0


@pytest.mark.parametrize("fault", ["answer_lost", "cut_json"])
async def test_a_list_whose_answer_got_lost_costs_a_whole_reading_and_no_change(
    v2: Shop, sandbox: Sandbox, fault: str
) -> None:
    v2.seed(catalog="generated", size=5)
    await v2.pull_catalog()
    await v2.pull_stock()
    v2.count(v2.key("GER-000001"), balance=99)
    sandbox.fault(fault, match={"operation": "lista.atualizacoes.estoque"})
    await v2.pull_stock(outcome="failed")
    v2.forget_calls()
    assert (await v2.pull_stock()).tally.changed == 1
    assert v2.calls()["produto.obter.estoque"] == 5
    assert (await v2.by_sku("GER-000001"))["stock_quantity"] == "99"
    v2.forget_calls()
    await v2.pull_stock()
    assert v2.calls() == {"lista.atualizacoes.estoque": 1}


async def test_the_time_of_a_reading_is_kept_for_what_did_not_change_too(shop: Shop, clock: Clock) -> None:
    key = two_deposits(shop)
    await shop.pull_catalog()
    await shop.pull_stock()

    async def read_at() -> Any:
        async with shop.db.read() as session:
            mine = select(col(Binding.stock_read_at)).where(col(Binding.external_id) == key)
            return (await session.execute(mine)).scalar_one()

    before = await read_at()
    clock.advance(hours=6)
    assert (await shop.pull_stock()).tally.unchanged == 1
    assert await read_at() - before >= timedelta(hours=6)
