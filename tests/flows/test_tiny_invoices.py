"""Tiny's notes found by the schedule, by both of its APIs, over real HTTP."""

import pytest

import flows.pull_invoices
from hub.db import Database
from hub.tables import Invoice
from providers.contract import InvoiceSource
from tasks.work import Summary
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.trade import LINES, Trade
from tests.hub.shop import one, rows


@pytest.fixture(params=["tiny_v2", "tiny_v3"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def erp(db: Database, sandbox: Sandbox, source: str, monkeypatch: pytest.MonkeyPatch) -> Trade:
    monkeypatch.setenv("ESTEIRA_TINY_SEARCH_LAG_S", "0")
    made = await Trade.open(db, sandbox, source, orders="all")
    for sku, price in (("CAN-1", "25.00"), ("CAN-2", "26.10")):
        await made.offer(sku, price)
        sandbox.ask("POST", f"{made.account}/products", codigo=sku, nome=f"Produto {sku}", preco=price)
    return made


async def pull(erp: Trade) -> Summary:
    return await erp._run("pull-invoices", InvoiceSource, flows.pull_invoices.pull_one, False)


async def sold(erp: Trade, number: str) -> str:
    await erp.order(number, LINES)
    await erp.export()
    return (await erp.bound(number)).external_id


async def test_a_note_that_the_schedule_finds_has_the_page_that_shows_it(erp: Trade, sandbox: Sandbox) -> None:
    """v3's listing tells of a note all but that page."""
    made = sandbox.ask("POST", f"{erp.account}/orders/{await sold(erp, '1001')}/invoice")
    assert (await pull(erp)).tally.created == 1
    stored = await one(erp.db, Invoice)
    assert made["link"] and (stored.state, stored.link) == ("authorised", made["link"])


async def test_the_page_is_asked_for_once_and_of_our_notes_only(erp: Trade, sandbox: Sandbox) -> None:
    for number in ("1001", "1002"):
        sandbox.ask("POST", f"{erp.account}/orders/{await sold(erp, number)}/invoice")
    other = sandbox.ask("POST", f"{erp.account}/orders", cliente={"nome": "Outra Pessoa"}, itens=[_item()])
    sandbox.ask("POST", f"{erp.account}/orders/{other['id']}/invoice")
    erp.forget()
    for _ in range(2):
        await pull(erp)
    asked = [call["operation"] for call in sandbox.calls()]
    assert sum(name in ("GET /notas/{id}/link", "nota.fiscal.obter.link") for name in asked) == 2


async def test_a_draft_of_weeks_ago_that_is_issued_today_is_found_within_a_day(
    erp: Trade, sandbox: Sandbox, clock: Clock
) -> None:
    """Days of v3's listing are days of creation by its OpenAPI, and the draft's is out of the days that are watched."""
    draft = sandbox.ask("POST", f"{erp.account}/orders/{await sold(erp, '1001')}/invoice", outcome=1)
    for _ in range(20):
        clock.advance(seconds=86_400)
        await pull(erp)
    assert await rows(erp.db, Invoice) == []
    sandbox.ask("POST", f"{erp.account}/invoices/{draft['id']}/emit")
    clock.advance(seconds=86_400)
    await pull(erp)
    assert (await one(erp.db, Invoice)).state == "authorised"


def _item() -> dict[str, dict[str, object]]:
    return {"item": {"codigo": "CAN-1", "descricao": "x", "unidade": "UN", "quantidade": 1, "valor_unitario": 5}}
