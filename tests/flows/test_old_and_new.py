"""A pull and the drain of webhooks on the same products at the same time: the pull's older reading undoes nothing."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from hub import changes, store
from hub.db import Database
from hub.records import ProductKind, ProductRecord, StockRecord
from hub.store import Offer
from hub.tables import Binding, Product
from providers.contract import Gone
from tasks import catalog, stock
from tasks.catalog import Batch
from tasks.stock import StockBatch
from tasks.work import Run, Summary, Work
from tests.contract.subjects import Sandbox
from tests.flows.shop import Shop
from tests.hub.shop import one, rows


@pytest.fixture
async def both(db: Database, sandbox: Sandbox) -> Shop:
    """A shop by v2 with ten products, on each database."""
    made = await Shop.connect(db, sandbox, "tiny_v2")
    made.seed(catalog="generated", size=10)
    return made


async def run(shop: Shop, path: str, steps: Callable[[Work], Awaitable[None]]) -> Summary:
    """One run under a lease of its own."""
    summary = await Run(shop.db, path, steps).for_connection(await shop.connection())
    assert summary.outcome == "done", summary.detail
    return summary


async def drain(shop: Shop, *ids: str) -> Summary:
    """What the drain does with events about products: bare ids, no listing and no cursor."""

    async def steps(work: Work) -> None:
        await catalog.take(work, Batch(ids))
        await catalog.link(work)

    return await run(shop, "drain-inbox", steps)


async def pull_meanwhile(
    shop: Shop, key: str, meanwhile: Callable[[], Awaitable[Any]], *, retire: bool = False
) -> Summary:
    """A pull of one product that is overtaken between its reading and its writing."""

    async def steps(work: Work) -> None:
        read = work.provider.read_product

        async def read_and_dawdle(external_id: str) -> Any:
            answer = await read(external_id)
            await meanwhile()
            return answer

        work.provider.read_product = read_and_dawdle
        await catalog.take(work, Batch((key,), {key: "row as listed before"}, retire=retire))

    return await run(shop, "pull-catalog", steps)


async def test_an_edit_that_the_drain_brought_stays(both: Shop) -> None:
    await both.pull_catalog()
    key = next(iter(await both.products()))

    async def edited() -> None:
        both.edit(key, nome="Nome novo", preco=77)
        await drain(both, key)

    summary = await pull_meanwhile(both, key, edited)
    assert (summary.tally.changed, summary.tally.unchanged) == (0, 1)
    found = (await both.products())[key]
    assert (found["name"], found["price"]["list_price"]) == ("Nome novo", "77")
    assert (await one(both.db, Binding, external_id=key)).seen_hash != "row as listed before"
    await both.pull_catalog()
    assert (await both.products())[key] == found


async def test_a_product_that_the_drain_saw_deleted_stays_out(both: Shop) -> None:
    await both.pull_catalog()
    key = next(iter(await both.products()))

    async def deleted() -> None:
        both.delete(key)
        await drain(both, key)

    await pull_meanwhile(both, key, deleted)
    assert not (await both.products())[key]["active"]


async def test_one_that_seemed_missing_and_is_back_stays_in(both: Shop) -> None:
    await both.pull_catalog()
    key = next(iter(await both.products()))
    both.delete(key)

    async def restored() -> None:
        both.edit(key, situacao="A")
        await drain(both, key)

    await pull_meanwhile(both, key, restored, retire=True)
    assert (await both.products())[key]["active"]


async def test_a_product_that_both_bring_for_the_first_time_is_there_once(both: Shop) -> None:
    key = both.create(codigo="NOVO-1", nome="Novo", preco=10)

    async def brought() -> None:
        both.edit(key, preco=11)
        await drain(both, key)

    await pull_meanwhile(both, key, brought)
    assert [(p.sku, p.id) for p in await rows(both.db, Product)] == [("NOVO-1", await both.record_id(key))]
    assert (await both.products())[key]["price"]["list_price"] == "11"


async def test_a_family_that_events_tell_of_is_tied_together(both: Shop) -> None:
    both.seed(catalog="generated", size=10, variations_share=0.5)
    family = [p for p in both.sandbox.products() if p["tipoVariacao"] in ("P", "V")]
    await drain(both, *(str(p["id"]) for p in family))
    found = await both.products()
    parents = {str(p["id"]) for p in family if p["tipoVariacao"] == "P"}
    assert parents
    assert {found[str(p["id"])]["parent"] in parents for p in family if p["tipoVariacao"] == "V"} == {True}


async def test_a_sku_that_the_store_took_meanwhile_is_met_by_planning_again(
    both: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan says "create", and before it is written the store has made a product of that SKU: on PostgreSQL in a
    transaction of its own; SQLite has no such moment, so there the same insert is made in the plan's own."""
    key = both.create(codigo="NOVO-1", nome="Novo do ERP", preco=10)
    planned, merchant = changes.plan, (await both.connection()).merchant_id
    tries = 0

    async def then_the_store(session: Any, *given: Any, **told: Any) -> changes.Plan:
        nonlocal tries
        tries += 1
        made = await planned(session, *given, **told)
        if tries == 1:
            record = ProductRecord("NOVO-1", ProductKind.SIMPLE, "Novo da loja", "NOVO-1", list_price=Decimal(9))
            if both.db.is_sqlite:
                await store.put_product(session, merchant, Offer(record))
            else:
                async with both.db.write() as other:
                    await store.put_product(other, merchant, Offer(record))
        return made

    monkeypatch.setattr(changes, "plan", then_the_store)
    await drain(both, key)
    assert tries == 2
    stored = await one(both.db, Product)
    assert (stored.name, (await one(both.db, Binding)).record_id) == ("Novo do ERP", stored.id)


async def test_what_fails_twice_is_not_hidden(both: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    key = both.create(codigo="NOVO-1", nome="Novo do ERP", preco=10)
    planned, merchant = changes.plan, (await both.connection()).merchant_id
    tries = 0

    async def then_the_store(session: Any, *given: Any, **told: Any) -> changes.Plan:
        nonlocal tries
        tries += 1
        made = await planned(session, *given, **told)
        record = ProductRecord("NOVO-1", ProductKind.SIMPLE, "Novo da loja", "NOVO-1", list_price=Decimal(9))
        await store.put_product(session, merchant, Offer(record))
        return made

    monkeypatch.setattr(changes, "plan", then_the_store)
    with pytest.raises(Exception, match="IntegrityError"):
        await drain(both, key)
    assert tries == 2
    assert await rows(both.db, Product) == []


async def test_a_balance_that_the_drain_brought_stays(both: Shop) -> None:
    await both.pull_catalog()
    await both.pull_stock()
    key = next(iter(await both.products()))
    both.count(key, balance=50)

    async def moved() -> None:
        both.count(key, balance=3)

        async def steps(work: Work) -> None:
            await stock.take(work, StockBatch((key,)))

        await run(both, "drain-inbox", steps)

    async def steps(work: Work) -> None:
        read = work.provider.read_stock

        async def read_and_dawdle(external_id: str) -> StockRecord | Gone:
            answer: StockRecord | Gone = await read(external_id)
            await moved()
            return answer

        work.provider.read_stock = read_and_dawdle
        await stock.take(work, StockBatch((key,)))

    await run(both, "pull-stock", steps)
    assert (await both.products())[key]["stock_quantity"] == "3"
