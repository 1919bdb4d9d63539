"""A catalogue that moves while it is read: between two pages, in a search that lags, while the clocks change."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.db import Database
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.shop import Shop, flat
from tests.flows.truth import expected

DETAILS = {"tiny_v2": "produto.obter", "tiny_v3": "GET /produtos/{id}"}
LISTING = {"tiny_v2": "produtos.pesquisa", "tiny_v3": "GET /produtos"}
SAO_PAULO = ZoneInfo("America/Sao_Paulo")


async def living(shop: Shop) -> dict[str, dict[str, object]]:
    """What the store shows, by their ids, without what is gone over there."""
    state = await shop.state()
    return {key: flat(product) for key, product in state["products"].items() if not state["bindings"][key][1]}


@pytest.mark.parametrize("order", ["name", "newest"])
async def test_a_first_pull_is_right_whatever_moves_between_its_pages(shop: Shop, order: str) -> None:
    shop.seed(catalog="generated", size=210)
    shop.sandbox.ask("POST", "/settings", order=order)
    listed = sorted(shop.sandbox.products(), key=lambda p: (p["nome"].casefold(), p["id"]))
    if order == "newest":
        listed = sorted(listed, key=lambda p: -p["id"])
    on_page_1, on_page_3 = listed[5]["id"], listed[205]["id"]
    shop.script(
        LISTING[shop.kind],
        1,
        {"op": "delete", "id": on_page_1, "hard": True},  # the first row of page 2 is on page 1 now
        {"op": "delete", "id": listed[6]["id"]},
        {"op": "patch", "id": listed[7]["id"], "fields": {"descricao_complementar": "mudou"}},
    )
    shop.script(
        LISTING[shop.kind],
        2,
        {"op": "create", "product": {"codigo": "NOVO-1", "nome": "AAA entrou na página 1", "preco": 1}},
        {"op": "patch", "id": on_page_3, "fields": {"nome": "AAA mudou de página", "preco": 2}},
        {"op": "patch", "id": listed[8]["id"], "fields": {"situacao": "I"}},
    )
    await shop.pull_catalog()
    assert shop.scripts_ran()
    assert await living(shop) == expected(shop.kind, shop.sandbox.products())
    assert not (await shop.state())["notices"]


async def test_a_listing_that_moves_loses_nothing_and_deactivates_nobody(hub_db: Database, sandbox: Sandbox) -> None:
    shop = await Shop.connect(hub_db, sandbox, "tiny_v2")
    shop.seed(catalog="generated", size=205)
    await shop.pull_catalog()
    listed = sorted(sandbox.products(), key=lambda p: (p["nome"].casefold(), p["id"]))
    shop.script(
        "produtos.pesquisa",
        1,
        {"op": "delete", "id": listed[3]["id"], "hard": True},
        {"op": "patch", "id": listed[100]["id"], "fields": {"preco": 3.5}},  # moves to page 1, unseen in this walk
        {"op": "patch", "id": listed[150]["id"], "fields": {"nome": "AAA", "preco": 4.5}},
    )
    shop.forget_calls()
    await shop.pull_catalog()
    deleted = str(listed[3]["id"])  # shown before it was
    assert {k: p for k, p in (await living(shop)).items() if k != deleted} == expected("tiny_v2", sandbox.products())
    assert shop.calls()["produto.obter"] == 2, "two that no page showed, and no other"
    await shop.pull_catalog()
    assert await living(shop) == expected("tiny_v2", sandbox.products())
    products = await shop.products()
    assert [key for key, product in products.items() if not product["active"]] == [str(listed[3]["id"])]


async def test_many_products_edited_in_one_second_are_all_found_though_the_pages_of_changes_move(
    v3: Shop, clock: Clock
) -> None:
    v3.seed(catalog="generated", size=130)
    await v3.pull_catalog()
    clock.advance(hours=2)
    sandbox = v3.sandbox
    # One moment for all, and longer ago than the next run's question reaches back.
    moment = clock.now() - timedelta(minutes=30)
    listed = sorted(sandbox.products(), key=lambda p: (p["nome"].casefold(), p["id"]))
    for product in listed[:120]:
        sandbox.ask("POST", "/settings", now=moment.isoformat())
        v3.edit(product["id"], preco=1 + product["preco"])
    sandbox.ask("POST", "/settings", now=clock.now().isoformat())
    v3.script("GET /produtos", 4, {"op": "delete", "id": listed[2]["id"]})
    v3.forget_calls()
    await v3.pull_catalog()
    assert v3.scripts_ran()
    clock.advance(minutes=30)
    await v3.pull_catalog()
    found, truth = await v3.products(), expected("tiny_v3", sandbox.products())
    wrong = [
        product["codigo"]
        for product in listed
        if (key := str(product["id"])) in truth and flat(found[key]) != truth[key]
    ]
    assert wrong == []


async def test_a_search_that_lags_behind_is_caught_up_with(mode: Shop, clock: Clock) -> None:
    mode.seed(catalog="generated", size=6)
    await mode.pull_catalog()
    mode.sandbox.ask("POST", "/settings", search_lag_s=120)
    clock.advance(minutes=15)
    key = mode.key("GER-000001")
    mode.edit(key, preco=77)
    new = mode.create(codigo="NOVO", nome="Ainda não achado", preco=5)
    mode.delete(mode.key("GER-000003"), hard=True)
    await mode.pull_catalog()  # the search still shows what was
    clock.advance(minutes=15)
    await mode.pull_catalog()
    products = await mode.products()
    assert products[key]["price"]["list_price"] == "77"
    assert products[new]["name"] == "Ainda não achado"
    clock.next_day()
    await mode.pull_catalog()
    assert await living(mode) == expected(mode.kind, mode.sandbox.products())


MOMENTS = {
    "summer time begins": datetime(2018, 11, 3, 22, 30, tzinfo=SAO_PAULO),
    "summer time ends": datetime(2019, 2, 16, 21, 30, tzinfo=SAO_PAULO),
    "midnight of today's year": datetime(2026, 12, 31, 22, 30, tzinfo=SAO_PAULO),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
@pytest.mark.parametrize("filtering", ["v2 consumed", "v2 by date", "v3"])
async def test_no_change_is_missed_when_the_clocks_change(
    hub_db: Database, sandbox: Sandbox, clock: Clock, moment: datetime, filtering: str
) -> None:
    clock.put(moment)
    sandbox.ask("POST", "/settings", update_list="since" if filtering == "v2 by date" else "consume")
    kind = "tiny_v3" if filtering == "v3" else "tiny_v2"
    shop = await Shop.connect(hub_db, sandbox, kind, features={"update_lists": kind == "tiny_v2"})
    shop.seed(catalog="generated", size=12)
    await shop.pull_catalog()
    keys = [str(product["id"]) for product in sandbox.products()]
    for step in range(6):
        clock.advance(minutes=40)
        shop.edit(keys[step], preco=100 + step)
        clock.advance(minutes=1)
        shop.forget_calls()
        await shop.pull_catalog()
        assert (await shop.products())[keys[step]]["price"]["list_price"] == str(100 + step)
        # What was edited in the hour that comes twice may be read twice; not the whole catalogue.
        assert shop.calls()[DETAILS[kind]] <= 4
