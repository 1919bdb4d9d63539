"""Products that are deleted, come back, change their SKU or their family; and products that the store had before."""

from typing import Any

import pytest
from sqlmodel import SQLModel

from hub.db import Database
from hub.fiscal import gtin_key
from hub.ids import new_id
from hub.tables import Product
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.shop import Shop, flat

GTIN = "7891000315507"


# Deleted and inactive.


async def test_a_product_deleted_in_tiny_is_deactivated_and_comes_back_when_restored(mode: Shop, clock: Clock) -> None:
    mode.seed(catalog="generated", size=5)
    await mode.pull_catalog()
    before, key = await mode.state(), mode.key("GER-000002")
    record = await mode.record_id(key)
    mode.delete(key)
    clock.next_day()
    await mode.pull_catalog()
    after = await mode.state()
    assert flat(after["products"][key]) == flat(before["products"][key]) | {"active": False}
    assert after["bindings"][key][1] is True
    assert [k for k in before["products"] if after["products"][k] != before["products"][k]] == [key]
    mode.edit(key, situacao="A")
    await mode.pull_catalog()
    assert await mode.record_id(key) == record
    restored = await mode.state()
    assert restored["products"] == before["products"]
    assert restored["bindings"][key][1] is False


async def test_a_product_deleted_without_a_trace_is_deactivated(mode: Shop, clock: Clock) -> None:
    mode.seed(catalog="generated", size=5, kits_share=0.5, seed=3)
    await mode.pull_catalog()
    key = mode.key("GER-000002")
    mode.delete(key, hard=True)
    clock.next_day()
    await mode.pull_catalog()
    products = await mode.products()
    assert [k for k, product in products.items() if not product["active"]] == [key]
    mode.forget_calls()
    clock.advance(hours=1)
    await mode.pull_catalog()
    assert not [call for call in mode.sandbox.calls() if str(call["params"].get("id")) == key], "asked for the dead"


async def test_lists_and_listings_tell_of_a_deletion_at_once(hub_db: Database, sandbox: Sandbox) -> None:
    for lists in (True, False):
        shop = await Shop.connect(
            hub_db, sandbox, "tiny_v2", merchant=f"Loja {lists}", features={"update_lists": lists}
        )
        shop.seed(catalog="generated", size=3)
        await shop.pull_catalog()
        key = shop.key("GER-000002")
        shop.delete(key)
        await shop.pull_catalog()
        assert (await shop.products())[key]["active"] is False


async def test_an_inactive_product_is_inactive_here_and_active_again_with_it(mode: Shop, clock: Clock) -> None:
    mode.seed(catalog="generated", size=3)
    await mode.pull_catalog()
    before, key = await mode.state(), mode.key("GER-000001")
    mode.edit(key, situacao="I")
    await mode.pull_catalog()
    assert (await mode.products())[key]["active"] is False
    clock.next_day()
    await mode.pull_catalog()
    assert (await mode.state())["bindings"][key][1] is False, "inactive is not gone"
    mode.edit(key, situacao="A")
    await mode.pull_catalog()
    assert (await mode.products()) == before["products"]


async def test_a_bad_product_that_is_deleted_takes_its_notice_along(mode: Shop, clock: Clock) -> None:
    mode.seed(catalog="generated", size=2)
    soft = mode.create(codigo="RUIM-1", nome="Preço errado", preco=-1)
    hard = mode.create(codigo="RUIM-2", nome="Preço errado", preco=-1)
    await mode.pull_catalog()
    assert set((await mode.state())["quarantined"]) == {soft, hard}
    mode.delete(soft)
    mode.delete(hard, hard=True)
    clock.next_day()
    await mode.pull_catalog()
    state = await mode.state()
    assert not state["quarantined"] and not state["notices"]
    assert len(state["products"]) == 2


# SKUs.


async def test_a_changed_sku_stays_the_same_product(shop: Shop) -> None:
    shop.seed(catalog="generated", size=3)
    await shop.pull_catalog()
    key = shop.key("GER-000001")
    record = await shop.record_id(key)
    shop.edit(key, codigo="OUTRO-SKU")
    await shop.pull_catalog()
    assert (await shop.products())[key]["sku"] == "OUTRO-SKU"
    assert await shop.record_id(key) == record
    assert len(await shop.products()) == 3


async def test_two_swapped_skus_are_swapped_here(shop: Shop) -> None:
    shop.seed(catalog="generated", size=3)
    await shop.pull_catalog()
    one, other = shop.key("GER-000001"), shop.key("GER-000002")
    records = await shop.record_id(one), await shop.record_id(other)
    shop.edit(one, codigo="GER-000002")
    shop.edit(other, codigo="GER-000001")
    await shop.pull_catalog()
    products = await shop.products()
    assert (products[one]["sku"], products[other]["sku"]) == ("GER-000002", "GER-000001")
    assert (await shop.record_id(one), await shop.record_id(other)) == records
    assert not (await shop.state())["notices"]


@pytest.mark.parametrize("hard", [False, True])
async def test_the_sku_of_a_deleted_product_used_again_is_the_same_product_of_ours(
    mode: Shop, clock: Clock, hard: bool
) -> None:
    mode.seed(catalog="generated", size=3)
    await mode.pull_catalog()
    old = mode.key("GER-000001")
    record = await mode.record_id(old)
    mode.delete(old, hard=hard)
    clock.next_day()
    await mode.pull_catalog()
    new = mode.create(codigo="GER-000001", nome="De volta", preco=10)
    await mode.pull_catalog()
    assert await mode.record_id(new) == record
    products = await mode.products()
    assert (products[new]["name"], products[new]["active"], len(products)) == ("De volta", True, 3)
    assert not (await mode.state())["notices"]


async def test_a_sku_used_again_in_the_same_breath_ends_with_the_new_product(mode: Shop, clock: Clock) -> None:
    mode.seed(catalog="generated", size=3)
    await mode.pull_catalog()
    old = mode.key("GER-000001")
    record = await mode.record_id(old)
    mode.delete(old, hard=True)
    new = mode.create(codigo="GER-000001", nome="De volta", preco=10)
    for _ in range(2):
        await mode.pull_catalog()
        clock.next_day()
    await mode.pull_catalog()
    state = await mode.state()
    assert await mode.record_id(new) == record
    assert old not in state["bindings"] and len(state["products"]) == 3
    assert state["products"][new]["active"] and not state["notices"]


async def test_of_two_products_with_one_sku_the_first_stays_and_a_notice_tells(shop: Shop, clock: Clock) -> None:
    shop.seed(catalog="generated", size=3)
    await shop.pull_catalog()
    before, first = await shop.state(), shop.key("GER-000001")
    second = shop.create(codigo="GER-000001", nome="Repetido", preco=5)
    await shop.pull_catalog()
    state = await shop.state()
    assert state["products"] == before["products"]
    assert [(p["reason"], p["received"]) for p in state["quarantined"][second]] == [
        ("repeated", f"GER-000001 ({first})")
    ]
    # The cure may lie in either of the two: here the first one gives the SKU up, and no row of the second changes.
    shop.edit(first, codigo="GER-000001-A")
    await shop.pull_catalog()
    clock.advance(hours=2)
    await shop.pull_catalog()
    cured = await shop.state()
    assert cured["products"][second]["sku"] == "GER-000001"
    assert not cured["notices"] and not cured["quarantined"]


async def test_two_new_products_with_one_sku_in_the_first_pull(shop: Shop) -> None:
    shop.seed(catalog="empty")
    keys = {shop.create(codigo="IGUAL", nome=f"Produto {n}", preco=5) for n in (1, 2)}
    await shop.pull_catalog()
    state = await shop.state()
    assert len(state["products"]) == len(state["quarantined"]) == 1
    assert {*state["products"], *state["quarantined"]} == keys


# What the store had before.


async def ours(shop: Shop, sku: str | None, **columns: Any) -> str:
    """A product that the merchant made in the store himself."""
    connection = await shop.connection()
    row: SQLModel = Product(
        id=new_id(),
        merchant_id=connection.merchant_id,
        sku=sku,
        **{"name": "Da loja", "gtin_key": gtin_key(columns.get("gtin")), **columns},
    )
    async with shop.db.write() as session:
        session.add(row)
    return row.id  # type: ignore[attr-defined, no-any-return]


async def test_a_product_of_the_store_is_found_by_its_sku_before_its_gtin(v2: Shop) -> None:
    v2.seed(catalog="empty")
    by_sku = await ours(v2, "IGUAL")
    by_gtin = await ours(v2, "DE-OUTRO-CODIGO", gtin=GTIN)
    key = v2.create(codigo="IGUAL", nome="Do ERP", preco=5, gtin=GTIN)
    await v2.pull_catalog()
    assert await v2.record_id(key) == by_sku != by_gtin
    products = await v2.products()
    assert products[key]["name"] == "Do ERP"
    assert products["ours:DE-OUTRO-CODIGO"]["name"] == "Da loja"
    assert len(products) == 2


async def test_a_product_of_the_store_is_found_by_its_gtin(v2: Shop) -> None:
    v2.seed(catalog="empty")
    mine = await ours(v2, "CODIGO-DA-LOJA", gtin="0" + GTIN)
    key = v2.create(codigo="CODIGO-DO-ERP", nome="Do ERP", preco=5, gtin=GTIN)
    await v2.pull_catalog()
    assert await v2.record_id(key) == mine
    assert (await v2.products())[key]["sku"] == "CODIGO-DO-ERP"
    assert len(await v2.products()) == 1


async def test_a_product_is_never_found_by_its_name(v2: Shop) -> None:
    v2.seed(catalog="empty")
    mine = await ours(v2, "CODIGO-DA-LOJA", name="Caneca azul")
    nameless = await ours(v2, None, name="Caneca azul")
    key = v2.create(codigo="CODIGO-DO-ERP", nome="Caneca azul", preco=5)
    bare = v2.create(codigo="", nome="Caneca azul", preco=5)
    await v2.pull_catalog()
    assert not {await v2.record_id(key), await v2.record_id(bare)} & {mine, nameless}
    assert len(await v2.products()) == 4


async def test_a_gtin_that_two_products_of_the_store_have_is_a_notice(v2: Shop, clock: Clock) -> None:
    v2.seed(catalog="empty")
    await ours(v2, "LOJA-1", gtin=GTIN)
    await ours(v2, "LOJA-2", gtin=GTIN)
    key = v2.create(codigo="CODIGO-DO-ERP", nome="Do ERP", preco=5, gtin=GTIN)
    await v2.pull_catalog()
    state = await v2.state()
    assert [problem["reason"] for problem in state["quarantined"][key]] == ["ambiguous"]
    assert len(state["products"]) == 2 and len(state["notices"]) == 1
    v2.edit(key, codigo="LOJA-2")
    clock.advance(hours=2)
    await v2.pull_catalog()
    state = await v2.state()
    assert state["products"][key]["sku"] == "LOJA-2" and set(state["products"]) == {key, "ours:LOJA-1"}
    assert not state["notices"]


async def test_one_product_of_the_store_that_two_of_theirs_fit_is_given_to_one_only(v2: Shop) -> None:
    v2.seed(catalog="empty")
    mine = await ours(v2, "IGUAL", gtin=GTIN)
    by_gtin = v2.create(codigo="ANTES-NA-LISTA", nome="A do ERP", preco=5, gtin=GTIN)
    by_sku = v2.create(codigo="IGUAL", nome="B do ERP", preco=5)
    await v2.pull_catalog()
    assert await v2.record_id(by_sku) == mine != await v2.record_id(by_gtin)


# Families.


@pytest.fixture(params=["v2 with lists", "v2 listing", "v3", "v3 with variations in its list"])
async def family(request: pytest.FixtureRequest, hub_db: Database, sandbox: Sandbox) -> Shop:
    """A shop with a parent of three variations beside two simple products."""
    sandbox.ask("POST", "/settings", v3_variations_in_list=request.param.endswith("in its list"))
    kind = "tiny_v2" if request.param.startswith("v2") else "tiny_v3"
    made = await Shop.connect(hub_db, sandbox, kind, features={"update_lists": request.param == "v2 with lists"})
    made.seed(catalog="generated", size=2)
    rows = [
        {"codigo": f"PAI-{size}", "grade": {"Tamanho": size}, "preco": 50, "estoque": at}
        for at, size in enumerate("PMG", 1)
    ]
    made.create(codigo="PAI", nome="Camiseta", preco=50, ncm="6109.10.00", variacoes=rows)
    return made


async def children(shop: Shop) -> dict[str | None, tuple[bool, str | None]]:
    """Per SKU of a variation: whether it is active, and its parent's id."""
    return {
        product["sku"]: (product["active"], product["parent"])
        for product in (await shop.products()).values()
        if product["kind"] == "variation"
    }


async def test_variations_come_with_their_parent(family: Shop) -> None:
    await family.pull_catalog()
    parent = family.key("PAI")
    assert await children(family) == {f"PAI-{size}": (True, parent) for size in "PMG"}
    medium = await family.by_sku("PAI-M")
    assert (medium["attributes"], medium["name"]) == ({"Tamanho": "M"}, "Camiseta - M")
    before = await family.state()
    for _ in range(2):
        family.forget_calls()
        assert (await family.pull_catalog()).tally.changed == 0
    assert await family.products() == before["products"]
    assert not {"produto.obter", "GET /produtos/{id}"} & set(family.calls())


async def test_an_edited_variation_is_written_and_its_family_is_not(family: Shop, clock: Clock) -> None:
    await family.pull_catalog()
    before = await family.products()
    clock.advance(minutes=1)
    key = family.key("PAI-M")
    family.edit(key, preco=47.5)
    summary = await family.pull_catalog()
    after = await family.products()
    assert summary.tally.changed == 1
    assert [k for k in after if after[k] != before[k]] == [key]
    assert after[key]["price"]["list_price"] == "47.5"


async def test_added_and_removed_variations_are_known_within_a_day(family: Shop, clock: Clock) -> None:
    await family.pull_catalog()
    record = await family.record_id(family.key("PAI-M"))
    clock.advance(minutes=1)
    family.write_variations(
        "PAI",
        {"codigo": "PAI-M", "preco": 50, "grade": {"Tamanho": "M"}},
        {"codigo": "PAI-GG", "preco": 55, "grade": {"Tamanho": "GG"}},
    )
    await family.pull_catalog()
    clock.next_day()
    await family.pull_catalog()
    parent = family.key("PAI")
    assert await children(family) == {
        "PAI-P": (False, parent),
        "PAI-M": (True, parent),
        "PAI-G": (False, parent),
        "PAI-GG": (True, parent),
    }
    assert await family.record_id(family.key("PAI-M")) == record


@pytest.mark.parametrize("hard", [False, True])
async def test_a_parent_that_is_deleted_takes_its_variations_along(family: Shop, clock: Clock, hard: bool) -> None:
    await family.pull_catalog()
    family.delete(family.key("PAI"), hard=hard)
    clock.next_day()
    await family.pull_catalog()
    products = await family.products()
    assert {p["sku"] for p in products.values() if p["active"]} == {"GER-000001", "GER-000002"}
    assert len(products) == 6


async def test_a_parent_that_is_restored_brings_its_variations_back(family: Shop, clock: Clock) -> None:
    await family.pull_catalog()
    before, keys = await family.products(), [family.key(f"PAI{end}") for end in ("", "-P", "-M", "-G")]
    family.delete(keys[0])
    clock.next_day()
    await family.pull_catalog()
    for key in keys:
        family.edit(key, situacao="A")
    await family.pull_catalog()
    clock.next_day()
    await family.pull_catalog()
    assert await family.products() == before


async def test_a_kit_whose_component_comes_later_is_closed_then(shop: Shop, clock: Clock) -> None:
    shop.seed(catalog="empty")
    part = shop.create(codigo="PARTE", nome="Parte", preco=-5)
    kit = shop.create(codigo="KIT", nome="Kit", preco=9, classe_produto="K", kit=[{"codigo": "PARTE", "quantidade": 2}])
    await shop.pull_catalog()
    assert (await shop.products())[kit]["kit"] == [(0, part, None, "2")]
    shop.edit(part, preco=5)
    await shop.pull_catalog()
    assert (await shop.products())[kit]["kit"] == [(0, part, part, "2")]
    clock.advance(seconds=2)
    shop.edit(kit, nome="Kit novo")  # the components are written anew with it, and closed anew
    await shop.pull_catalog()
    assert (await shop.products())[kit]["kit"] == [(0, part, part, "2")]
