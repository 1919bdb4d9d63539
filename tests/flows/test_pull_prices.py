"""The store keeps the products, and an ERP's prices of those come back: what is asked there, and what it changes."""

from collections import Counter
from decimal import Decimal

import pytest

import flows.pull_catalog
from hub import store
from hub.db import Database
from hub.policy import Policy
from hub.records import ProductKind, ProductRecord
from hub.store import Offer
from hub.tables import Binding
from tasks import catalog
from tasks.catalog import Batch
from tasks.work import Run, Work
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.shop import BUSINESS, Shop, free, written_in
from tests.hub.shop import one

DETAILS = {"tiny_v2": "produto.obter", "tiny_v3": "GET /produtos/{id}"}
PRICES_ONLY = {"pull_products": False, "pull_prices": True}


@pytest.fixture(params=["update lists", "listing", "v3"])
async def priced(request: pytest.FixtureRequest, db: Database, sandbox: Sandbox) -> Shop:
    """A shop whose ERP has ten products, two of which the store has too; by each way of finding changes out."""
    kind = "tiny_v3" if request.param == "v3" else "tiny_v2"
    features = {"update_lists": request.param == "update lists"}
    made = await Shop.connect(db, sandbox, kind, policy=free(**PRICES_ONLY), features=features)
    made.seed(catalog="generated", size=10)
    for product in sandbox.products()[:2]:
        await bind(made, product["codigo"], str(product["id"]))
    return made


async def bind(shop: Shop, sku: str, key: str) -> None:
    """The store has the product, and it is over there as `key`."""
    merchant = (await shop.connection()).merchant_id
    record = ProductRecord(sku, ProductKind.SIMPLE, f"{sku} da loja", sku, list_price=Decimal("1.00"))
    async with shop.db.write() as session:
        kept = await store.put_product(session, merchant, Offer(record))
        session.add(
            Binding(
                merchant_id=merchant, connection_id=shop.id, kind="product", record_id=kept.record_id, external_id=key
            )
        )


async def test_prices_of_bound_products_come_and_no_other_is_read(priced: Shop, sandbox: Sandbox) -> None:
    ours = {str(p["id"]): Decimal(str(p["preco"])) for p in sandbox.products()[:2]}
    priced.forget_calls()
    shown = (await priced.pull_catalog(dry_run=True)).changes
    assert sorted((c.op, c.external_id, c.groups) for c in shown) == [
        ("update", key, ("price",)) for key in sorted(ours)
    ]
    assert priced.calls()[DETAILS[priced.kind]] == 2
    summary = await priced.pull_catalog()
    assert (summary.tally.created, summary.tally.changed, summary.tally.failed) == (0, 2, 0)
    found = await priced.products()
    assert {key: Decimal(p["price"]["list_price"]) for key, p in found.items()} == ours
    assert all(p["name"].endswith(" da loja") for p in found.values())
    assert (await priced.state())["notices"] == {}


async def test_an_edit_over_there_costs_one_reading(priced: Shop, clock: Clock) -> None:
    await priced.pull_catalog()
    mine, other = priced.sandbox.products()[0], priced.sandbox.products()[5]
    clock.advance(minutes=20)
    priced.edit(str(mine["id"]), preco=77)
    priced.edit(str(other["id"]), preco=78)
    priced.create(codigo="NOVO-1", nome="Novo", preco=1)
    clock.advance(minutes=5)
    priced.forget_calls()
    assert (await priced.pull_catalog()).tally.changed == 1
    assert priced.calls()[DETAILS[priced.kind]] == 1
    found = await priced.products()
    assert found[str(mine["id"])]["price"]["list_price"] == "77"
    assert len(found) == 2
    clock.advance(minutes=20)
    priced.forget_calls()
    with written_in(priced.db) as tables:
        await priced.pull_catalog()
    assert not tables & BUSINESS
    assert priced.calls()[DETAILS[priced.kind]] == 0


async def test_what_is_deleted_over_there_stays_in_the_store(priced: Shop, clock: Clock) -> None:
    await priced.pull_catalog()
    key = str(priced.sandbox.products()[0]["id"])
    priced.delete(key)
    clock.advance(hours=24)
    await priced.pull_catalog()
    assert (await priced.products())[key]["active"]
    clock.advance(minutes=20)
    priced.forget_calls()
    await priced.pull_catalog()
    assert priced.calls()[DETAILS[priced.kind]] == 0, "asked for, and not again in every run"


async def test_only_ours_are_read_again_when_their_day_has_passed(priced: Shop, clock: Clock) -> None:
    await priced.pull_catalog()
    clock.advance(hours=30)
    priced.forget_calls()
    await priced.pull_catalog()
    assert priced.calls()[DETAILS[priced.kind]] == 2


async def test_under_a_rule_nothing_is_pulled(priced: Shop) -> None:
    await priced.change(policy=free(**PRICES_ONLY, price_adjustment=Decimal(10)).model_dump(mode="json"))
    before = await priced.products()
    priced.forget_calls()

    async def steps(work: Work) -> None:
        await catalog.take(work, Batch(tuple(before)))

    await Run(priced.db, "drain-inbox", steps).for_connection(await priced.connection())
    assert await priced.products() == before
    assert priced.calls() == Counter()
    assert not flows.pull_catalog._is_wanted(await priced.connection())


async def test_a_rule_set_in_the_middle_of_a_run_leaves_the_stores_prices(priced: Shop) -> None:
    before = await priced.products()

    async def steps(work: Work) -> None:
        ruled = free(**PRICES_ONLY, price_adjustment=Decimal(10))
        await priced.change(policy=ruled.model_dump(mode="json"))
        await catalog.take(work, Batch(tuple(before)))

    await Run(priced.db, "pull-catalog", steps).for_connection(await priced.connection())
    assert await priced.products() == before


@pytest.mark.parametrize(
    ("policy", "wanted"),
    [(Policy(), True), (Policy(**PRICES_ONLY), True), (Policy(pull_products=False), False)],
)
async def test_which_connections_are_due(v2: Shop, policy: Policy, wanted: bool) -> None:
    await v2.change(policy=policy.model_dump(mode="json"))
    assert flows.pull_catalog._is_wanted(await v2.connection()) is wanted


async def test_an_event_about_a_product_of_ours_brings_its_price(priced: Shop, sandbox: Sandbox) -> None:
    mine, other = (str(p["id"]) for p in sandbox.products()[1:3])
    priced.edit(mine, preco=55, nome="Outro nome")
    priced.forget_calls()

    async def steps(work: Work) -> None:
        await catalog.take(work, Batch((mine, other)))
        await catalog.link(work)

    await Run(priced.db, "drain-inbox", steps).for_connection(await priced.connection())
    found = await priced.products()
    assert found[mine]["price"]["list_price"] == "55"
    assert set(found) == {mine, str(sandbox.products()[0]["id"])}
    assert priced.calls()[DETAILS[priced.kind]] == 1
    assert (await one(priced.db, Binding, external_id=mine)).read_at is not None


@pytest.mark.parametrize("kind", ["tiny_v2", "tiny_v3"], indirect=True)
async def test_a_variation_of_ours_is_read_though_its_parent_is_not_ours(
    hub_db: Database, sandbox: Sandbox, kind: str
) -> None:
    shop = await Shop.connect(hub_db, sandbox, kind, policy=free(**PRICES_ONLY))
    shop.seed(catalog="generated", size=10, variations_share=0.5)
    child = next(p for p in sandbox.products() if p["tipoVariacao"] == "V")
    await bind(shop, child["codigo"], str(child["id"]))
    await shop.pull_catalog()
    found = await shop.products()
    assert set(found) == {str(child["id"])}
    assert Decimal(found[str(child["id"])]["price"]["list_price"]) == Decimal(str(child["preco"]))
