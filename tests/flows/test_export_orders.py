"""Paid orders out to Conta Azul: each exactly once, its totals to the centavo."""

from decimal import Decimal

import pytest

from hub import payments
from hub.db import Database
from tests.contract.subjects import Sandbox
from tests.flows.driving import Driver, driver, driving
from tests.flows.erp import MERCHANT, Erp
from tests.flows.erp_fixtures import contaazul

__all__ = ["contaazul", "driver", "driving"]

LINES = [("CAN-1", "2", "25.00"), ("CAN-2", "1", "26.10")]


@pytest.fixture
async def erp(db: Database, sandbox: Sandbox) -> Erp:
    made = await Erp.connect(db, sandbox)
    await made.offer("CAN-1", "25.00")
    await made.offer("CAN-2", "26.10")
    return made


async def test_a_paid_order_becomes_one_sale_with_customer_items_and_totals(erp: Erp) -> None:
    await erp.order("1001", LINES, discount=Decimal("5.00"), freight=Decimal("12.34"), instalments=3)
    summary = await erp.export()
    assert (summary.tally.created, summary.tally.failed) == (1, 0), await erp.notices()
    (sale,) = erp.sales()
    sent = sale["request"]
    assert [(item["quantidade"], item["valor"]) for item in sent["itens"]] == [(2, 25), (1, 26.1)]
    parts = [Decimal(str(part["valor"])) for part in sent["condicao_pagamento"]["parcelas"]]
    assert len(parts) == 3 and sum(parts) == Decimal("83.44")
    assert sent["composicao_de_valor"]["frete"] == 12.34
    assert len(erp.people()) == 1 and len(erp.products()) == 2
    assert (await erp.export()).tally.calls == 0


async def test_what_is_not_fully_paid_is_not_sent(erp: Erp) -> None:
    await erp.order("1001", LINES, pay=False)
    await erp.export()
    await erp.pay("1001", Decimal("50.00"))
    await erp.export()
    assert not erp.sales()
    await erp.pay("1001", Decimal("26.10"), "p2")
    await erp.export()
    assert len(erp.sales()) == 1


async def test_two_orders_of_one_new_customer_make_one_customer(erp: Erp) -> None:
    await erp.order("1001", LINES)
    await erp.order("1002", LINES)
    await erp.export()
    assert (len(erp.sales()), len(erp.people()), len(erp.products())) == (2, 1, 2)


async def test_a_guest_without_a_document_is_exported(erp: Erp) -> None:
    await erp.order("1001", LINES, document="")
    await erp.export()
    assert len(erp.sales()) == 1, await erp.notices()


async def test_fifty_orders_by_two_processes_with_every_event_twice_are_fifty_sales(
    erp: Erp, sandbox: Sandbox, driver: Driver
) -> None:
    for number in range(50):
        for _ in range(2):
            await erp.order(f"{number}", LINES)
    sandbox.ask("POST", "/settings", latency_ms=20)
    ends = driver.side_by_side([{"job": "export-orders", "connection": erp.id}] * 2)
    assert sorted(end.outcome for end in ends) == ["done", "skipped"]
    numbers = [sale["observacoes"] for sale in erp.sales()]
    assert len(numbers) == len(set(numbers)) == 50


async def test_a_lost_answer_with_a_lagging_search_ends_in_one_sale(
    erp: Erp, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    await erp.order("1001", LINES)
    sandbox.ask("POST", "/settings", contaazul_search_lag_s=3)
    sandbox.fault("answer_lost", match={"operation": "POST /v1/venda"})
    await erp.export()
    assert await _state(erp) == "unknown"
    await erp.export()
    assert len(erp.sales()) == 1, "a rerun before the search shows it does not create another"
    assert await _state(erp) == "unknown"
    sandbox.ask("POST", "/clock", advance_s=4)
    await erp.export()
    assert len(erp.sales()) == 1
    assert await _state(erp) == "sent"


async def test_one_poison_order_is_told_and_the_others_go(erp: Erp) -> None:
    for number in range(20):
        await erp.order(f"{number}", [("NADA", "1", "1.00")] if number == 7 else LINES)
    summary = await erp.export()
    assert (summary.tally.created, summary.tally.failed) == (19, 1)
    assert "order.not_sent" in await erp.notices()
    await erp.offer("NADA", "1.00")
    assert len(erp.sales()) == 19


async def test_a_cancelled_order_is_cancelled_there_and_a_refund_asks_the_merchant(erp: Erp) -> None:
    await erp.order("1001", LINES)
    await erp.order("1002", LINES)
    await erp.export()
    async with erp.db.write() as session:
        await payments.cancel(session, MERCHANT, "1001")
        await payments.refund(session, MERCHANT, "1002")
    await erp.export()
    cancelled = [sale for sale in erp.sales() if "1001" in sale["observacoes"]]
    assert cancelled[0]["situacao"] == "CANCELADO"
    assert "order.tell_refunded" in await erp.notices()


async def test_an_edited_order_raises_a_notice_and_no_second_sale(erp: Erp) -> None:
    await erp.order("1001", LINES)
    await erp.export()
    await erp.order("1001", [("CAN-1", "3", "25.00")], pay=False)
    await erp.export()
    assert len(erp.sales()) == 1
    assert "order.edited" in await erp.notices()


async def _state(erp: Erp) -> str:
    """The state of the one order's entry; its buyer and its items have entries too."""
    (state,) = [state for (kind, _), state in (await erp.entries()).items() if kind == "order"]
    return state
