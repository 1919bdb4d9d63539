"""Tiny v2's update lists: read once and forgotten, or a filter by date, or gone in the middle of it all."""

from typing import Any

import pytest

from hub.db import Database
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.shop import Shop, flat, free
from tests.flows.truth import expected

LIST = "lista.atualizacoes.produtos"


def edit_many(shop: Shop, many: int) -> list[str]:
    """Edit the details of so many products, in a way that no listing shows."""
    keys = [str(product["id"]) for product in shop.sandbox.products()][:many]
    for key in keys:
        shop.edit(key, descricao_complementar=f"<p>nova {key}</p>")
    return keys


async def right(shop: Shop) -> bool:
    stockless = {"stock": {}, "stock_quantity": None}
    found = {key: flat(product) | stockless for key, product in (await shop.products()).items()}
    return found == expected("tiny_v2", shop.sandbox.products())


@pytest.mark.parametrize("types", ["clean", "messy"])
@pytest.mark.parametrize("lists", ["consume", "since", "off"])
async def test_no_change_is_lost_however_the_lists_behave(
    v2: Shop, sandbox: Sandbox, clock: Clock, lists: str, types: str
) -> None:
    sandbox.ask("POST", "/settings", update_list=lists, types=types)
    v2.seed(catalog="generated", size=12, variations_share=0.2)
    await v2.pull_catalog()
    for _ in range(2):
        clock.advance(minutes=30)
        edit_many(v2, 3)
        v2.edit(v2.key("GER-000005"), preco=5)
        v2.create(codigo="", nome="Novo e sem código", preco=4)
        v2.delete(v2.key("GER-000006")) if sandbox.products("GER-000006")[0]["situacao"] == "A" else None
        await v2.pull_catalog()
    if lists != "consume":  # a filter by the date of editing tells of no new product; without lists, see the listing
        clock.next_day()
        await v2.pull_catalog()
    state = await v2.state()
    truth = expected("tiny_v2", sandbox.products())
    assert {key: flat(p) for key, p in state["products"].items() if p["active"]} == truth
    assert not state["worklist"] and "asking" not in str(state["cursors"])


@pytest.mark.parametrize("lists", ["consume", "since"])
async def test_a_list_of_many_pages_is_told_whole(v2: Shop, sandbox: Sandbox, clock: Clock, lists: str) -> None:
    sandbox.ask("POST", "/settings", update_list=lists)
    v2.seed(catalog="generated", size=130)
    await v2.pull_catalog()
    clock.advance(minutes=30)
    edit_many(v2, 120)
    v2.forget_calls()
    summary = await v2.pull_catalog()
    assert summary.tally.changed == 120 and summary.tally.mode == "changes"
    assert v2.calls() == {LIST: 3 if lists == "since" else 2, "produto.obter": 120}
    assert await right(v2)


@pytest.mark.parametrize("fault", ["answer_lost", "cut_json", "error_500", "reset"])
async def test_a_list_whose_answer_got_lost_costs_a_whole_reading_and_no_change(
    v2: Shop, sandbox: Sandbox, fault: str
) -> None:
    v2.seed(catalog="generated", size=6)
    await v2.pull_catalog()
    edit_many(v2, 2)
    sandbox.fault(fault, match={"operation": LIST})
    await v2.pull_catalog(outcome="failed")
    assert "asking" in await v2.cursor()
    v2.forget_calls()
    summary = await v2.pull_catalog()
    assert summary.tally.changed == 2
    assert v2.calls()["produto.obter"] == 6
    assert await right(v2) and "asking" not in await v2.cursor()
    await v2.pull_catalog()  # where the list had not been read, it tells the same once more
    v2.forget_calls()
    await v2.pull_catalog()
    assert v2.calls() == {LIST: 1}


@pytest.mark.parametrize("fault", ["error_500", "over_quota", "answer_lost"])
async def test_a_fault_after_the_list_was_told_costs_no_whole_reading(v2: Shop, sandbox: Sandbox, fault: str) -> None:
    v2.seed(catalog="generated", size=12)
    await v2.pull_catalog()
    keys = edit_many(v2, 3)
    sandbox.fault(fault, times=None, match={"operation": "produto.obter"})
    await v2.pull_catalog(outcome="failed")
    assert (await v2.state())["worklist"] == {"catalog": sorted(keys)}
    sandbox.ask("DELETE", "/faults")
    v2.forget_calls()
    summary = await v2.pull_catalog()
    assert summary.tally.changed == 3
    assert v2.calls() == {"produto.obter": 3, LIST: 1}
    assert await right(v2) and not (await v2.state())["worklist"]


@pytest.mark.parametrize("path", ["catalog", "stock"])
async def test_a_question_that_never_reached_the_list_costs_no_whole_reading(
    v2: Shop, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    v2.seed(catalog="generated", size=6)
    await v2.pull_catalog()
    await v2.pull_stock()
    await v2.pull_stock()
    keys = edit_many(v2, 2)
    v2.count(keys[0], balance=4)
    run = v2.pull_catalog if path == "catalog" else v2.pull_stock
    before = await v2.cursor(path)
    sandbox.fault("over_quota", times=None, match={"operation": "lista.*"})
    await run(outcome="failed")
    assert await v2.cursor(path) == before
    sandbox.ask("DELETE", "/faults")
    v2.forget_calls()
    assert (await run()).tally.changed == (2 if path == "catalog" else 1)
    assert v2.calls()["produto.obter"] + v2.calls()["produto.obter.estoque"] == (2 if path == "catalog" else 0)


async def test_the_extension_switched_off_in_mid_life_leaves_the_listing(v2: Shop, sandbox: Sandbox) -> None:
    v2.seed(catalog="generated", size=6)
    await v2.pull_catalog()
    await v2.pull_stock()
    sandbox.account(realtime_stock=False)
    v2.edit(v2.key("GER-000001"), preco=3)
    summary = await v2.pull_catalog()
    assert (summary.tally.changed, summary.tally.mode) == (1, "listing")
    assert (await v2.connection()).features["update_lists"] is False
    v2.forget_calls()
    v2.edit(v2.key("GER-000002"), preco=3)
    assert (await v2.pull_catalog()).tally.changed == 1
    assert v2.calls() == {"produtos.pesquisa": 1, "produto.obter": 1}
    assert not (await v2.state())["notices"] and await right(v2)


async def test_the_extension_switched_off_in_mid_life_leaves_reading_the_stock_by_turns(
    v2: Shop, sandbox: Sandbox, clock: Clock
) -> None:
    v2.seed(catalog="generated", size=6)
    await v2.pull_catalog()
    await v2.pull_stock()
    sandbox.account(realtime_stock=False)
    v2.count(v2.key("GER-000001"), balance=4321)
    clock.advance(hours=6)
    await v2.pull_stock()
    assert (await v2.connection()).features["update_lists"] is False
    assert (await v2.by_sku("GER-000001"))["stock_quantity"] == "4321"
    assert not (await v2.state())["notices"]


async def test_an_account_that_is_shut_out_of_everything_keeps_its_lists(v2: Shop, sandbox: Sandbox) -> None:
    v2.seed(catalog="generated", size=3)
    await v2.pull_catalog()
    sandbox.account(access=False)  # the same code 5, to every question
    await v2.pull_catalog(outcome="failed")
    (notice,) = (await v2.state())["notices"].values()
    assert notice[0] == "connection.blocked"
    sandbox.account(access=True)
    v2.forget_calls()
    await v2.pull_catalog()
    assert v2.calls() == {LIST: 1}
    assert not (await v2.state())["notices"]


async def test_another_integration_keeps_the_lists_where_the_policy_says_so(hub_db: Database, sandbox: Sandbox) -> None:
    shop = await Shop.connect(
        hub_db, sandbox, "tiny_v2", policy=free(update_lists="never"), features={"update_lists": True}
    )
    shop.seed(catalog="generated", size=3)
    await shop.pull_catalog()
    edit_many(shop, 2)
    waiting: Any = sandbox.ask("GET", "/tiny/accounts")[0]["waiting_changes"]
    await shop.pull_catalog()
    await shop.pull_stock()
    assert sandbox.ask("GET", "/tiny/accounts")[0]["waiting_changes"] == waiting == {"products": 2, "stock": 0}
    assert not [name for name in shop.calls() if name.startswith("lista.")]
