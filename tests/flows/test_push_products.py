"""Products out to Conta Azul: selected ones, the % rule from the store's price each time, never doubled."""

from decimal import Decimal
from typing import Any

import pytest

from hub import connections, selling
from hub.db import Database
from hub.policy import Policy
from tests.contract.subjects import Sandbox
from tests.flows.erp import ACCOUNT, Erp
from tests.flows.erp_fixtures import contaazul

__all__ = ["contaazul"]


@pytest.fixture
async def erp(db: Database, sandbox: Sandbox) -> Erp:
    return await Erp.connect(db, sandbox, price_adjustment=Decimal(10))


async def test_only_what_was_selected_is_sent_with_the_rule_on_its_price(erp: Erp) -> None:
    await erp.offer("CAN-1", "25.00")
    await erp.offer("CAN-2", "26.00")
    await erp.select("CAN-1")
    summary = await erp.push()
    assert (summary.tally.created, summary.tally.failed) == (1, 0)
    there = erp.products()
    assert list(there) == ["CAN-1"]
    assert _price(there) == Decimal("27.50")


async def test_a_later_price_follows_from_the_stores_price_and_an_unchanged_one_costs_no_call(erp: Erp) -> None:
    await erp.offer("CAN-1", "25.00")
    await erp.select("CAN-1")
    await erp.push()
    for price, wanted in (("30.00", "33.00"), ("30.05", "33.06"), ("30.00", "33.00")):
        await erp.offer("CAN-1", price)
        assert (await erp.push()).tally.calls == 1
        assert _price(erp.products()) == Decimal(wanted)
    assert (await erp.push()).tally.calls == 0


async def test_an_existing_product_of_the_same_sku_is_bound_and_not_doubled(erp: Erp) -> None:
    erp.sandbox.ask("POST", f"{ACCOUNT}/products", nome="Caneca de lá", codigo_sku="CAN-1", estoque={"valor_venda": 9})
    await erp.offer("CAN-1", "25.00")
    await erp.select("CAN-1")
    await erp.push()
    assert _price(erp.products()) == Decimal("27.50")


async def test_a_changed_rule_queues_just_the_prices_that_it_changes(erp: Erp) -> None:
    await erp.offer("CAN-1", "25.00")
    await erp.offer("BALA", "0.01")
    await erp.select("CAN-1", "BALA")
    await erp.push()
    async with erp.db.write() as session:
        connection = await connections.find(session, erp.id)
        changed = Policy.model_validate({**connection.policy, "price_adjustment": "12.00"})
        assert await selling.change_policy(session, connection, changed) == 1, "0.01 is 0.01 under both rules"
    assert (await erp.push()).tally.calls == 1
    assert _price(erp.products()) == Decimal("28.00")


@pytest.mark.parametrize("price", [None, "0.00"])
async def test_a_missing_or_zero_price_is_not_sent_and_told(erp: Erp, price: str | None) -> None:
    await erp.offer("CAN-1", price)
    await erp.offer("CAN-2", "26.00")
    await erp.select("CAN-1", "CAN-2")
    summary = await erp.push()
    assert (summary.tally.created, summary.tally.failed) == (1, 1)
    assert list(erp.products()) == ["CAN-2"]
    assert "product.not_sent" in await erp.notices()
    await erp.offer("CAN-1", "25.00")
    await erp.push()
    assert sorted(erp.products()) == ["CAN-1", "CAN-2"]
    assert "product.not_sent" not in await erp.notices()


async def test_a_dry_run_shows_old_price_and_new_and_sends_nothing(erp: Erp) -> None:
    await erp.offer("CAN-1", "25.00")
    await erp.select("CAN-1")
    (change,) = (await erp.push(dry_run=True)).changes
    assert change.op == "create" and "25,00" in change.groups[0] and "27,50" in change.groups[0]
    assert not erp.products()
    assert (await erp.push()).tally.created == 1


async def test_stock_at_creation_only_is_said_once(erp: Erp) -> None:
    for sku in ("CAN-1", "CAN-2"):
        await erp.offer(sku, "25.00")
        await erp.select(sku)
        await erp.push()
    assert (await erp.notices()).count("stock.at_creation_only") == 1


async def test_a_create_whose_answer_was_lost_is_found_and_not_repeated(erp: Erp) -> None:
    await erp.offer("CAN-1", "25.00")
    await erp.select("CAN-1")
    erp.sandbox.fault("answer_lost", match={"operation": "POST /v1/produtos"})
    await erp.push()
    assert "unknown" in (await erp.entries()).values() and "sent" not in (await erp.entries()).values()
    assert (await erp.push()).tally.failed == 0
    assert list(erp.products()) == ["CAN-1"]
    assert set((await erp.entries()).values()) == {"sent"}


async def test_a_product_deactivated_in_the_store_stays_over_there(erp: Erp) -> None:
    await erp.offer("CAN-1", "25.00")
    await erp.select("CAN-1")
    await erp.push()
    before = erp.products()["CAN-1"]["status"]
    await erp.offer("CAN-1", "25.00", active=False)
    await erp.push()
    assert erp.products()["CAN-1"]["status"] == before


def _price(there: dict[str, Any], sku: str = "CAN-1") -> Decimal:
    return Decimal(str(there[sku]["estoque"]["valor_venda"]))
