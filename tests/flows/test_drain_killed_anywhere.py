"""kill -9 at every HTTP call and every commit of a drain, then another drain: every event took effect, none twice."""

import pytest
from sqlalchemy import select
from sqlmodel import col

from hub import inbox
from hub.db import Database
from hub.inbox import Arrival
from hub.settings import settings
from hub.tables import InboxEvent, Invoice, Shipment
from tests.contract.subjects import Sandbox
from tests.flows.driving import POINTS, Driver, begin_anew, driver, driving
from tests.flows.erp import MERCHANT
from tests.flows.live import Live

__all__ = ["driver", "driving"]

LINE = [("CAN-1", "2", "25.00")]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_drain_killed_at_any_point_and_run_again_sees_to_each_event_once(
    sandbox: Sandbox, db: Database, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESTEIRA_TINY_SEARCH_LAG_S", "0")
    settings.cache_clear()
    undisturbed = driver.run("drain-inbox", (await _prepared(sandbox, db)).id)
    assert undisturbed.outcome == "done"
    assert await _end(db) == ({"done"}, ["authorised"], ["BR1"], "31.40", "4")
    deaths = 0
    for point in POINTS:
        for index in range(1, undisturbed.passed[point] + 1):
            await begin_anew(db)
            erp = await _prepared(sandbox, db)
            deaths += driver.run("drain-inbox", erp.id, point, index).outcome == "killed"
            assert driver.run("drain-inbox", erp.id).outcome == "done", f"rerun after a death {point} {index}"
            told = await _end(db)
            assert told == ({"done"}, ["authorised"], ["BR1"], "31.40", "4"), f"killed {point} {index}"
    assert deaths >= 0.9 * sum(undisturbed.passed.values())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_living_drain_of_two_connections_killed_here_and_there_is_taken_up_by_the_next(
    sandbox: Sandbox, db: Database, driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease and those of its workers lie there, and nobody lives who would give them back."""
    monkeypatch.setenv("ESTEIRA_TINY_SEARCH_LAG_S", "0")
    monkeypatch.setenv("ESTEIRA_INBOX_QUIET_S", "0.3")
    monkeypatch.setenv("ESTEIRA_INBOX_POLL_S", "0.02")
    settings.cache_clear()
    expected = ({"done"}, ["authorised"], ["BR1"], "31.40", "4"), "42.00"
    tagplus = await _with_tagplus(sandbox, db)
    undisturbed = driver.run("live-drain", "")
    assert undisturbed.outcome == "loja-sol-tagplus: done, loja-sol-tiny-v2: done"
    assert (await _end(db), (await tagplus.shown())["CAN-2"][0]) == expected
    deaths = 0
    for point in POINTS:
        for index in range(2, undisturbed.passed[point] + 1, 4):
            await begin_anew(db)
            tagplus = await _with_tagplus(sandbox, db)
            deaths += driver.run("live-drain", "", point, index).outcome == "killed"
            driver.run("live-drain", "")
            told = await _end(db), (await tagplus.shown())["CAN-2"][0]
            assert told == expected, f"killed {point} {index}"
    assert deaths >= 4


async def _with_tagplus(sandbox: Sandbox, db: Database) -> Live:
    """What is prepared in Tiny, and a price in TagPlus besides, of a product that Tiny has not got."""
    await _prepared(sandbox, db)
    tagplus = await Live.open(db, sandbox, "tagplus", pull_stock=False)
    assert isinstance(tagplus, Live)
    await tagplus.offer("CAN-2", "26.10")
    await tagplus.push()
    sandbox.ask("PATCH", f"{tagplus.account}/products/{tagplus.key('CAN-2')}", valor_venda_varejo=42.0)
    body = f'{{"event_type": "produto_alterado", "data": [{{"id": {tagplus.key("CAN-2")}}}]}}'
    async with db.write() as session:
        await inbox.store(session, [Arrival(tagplus.id, MERCHANT, "produto", body.encode())])
    return tagplus


async def _prepared(sandbox: Sandbox, db: Database) -> Live:
    """A price, a balance, a shipped order and its note: all of it is told and none of it read."""
    sandbox.ask("POST", "/reset", catalog="empty")
    sandbox.account(plan="unlimited")
    erp = await Live.open(db, sandbox, "tiny_v2")
    assert isinstance(erp, Live)
    sandbox.ask("POST", f"{erp.account}/products", codigo="CAN-1", nome="Caneca", preco="25.00", estoque=10)
    await erp.pull_catalog()
    await erp.order("1001", LINE)
    await erp.export()
    order_id, key = (await erp.bound("1001")).external_id, erp.key("CAN-1")
    sandbox.ask("PATCH", f"{erp.account}/products/{key}", preco="31.40")
    note = erp.invoice(order_id)
    erp.edit(order_id, situacao="enviado", tracking={"codigo": "BR1"})
    erp.count("CAN-1", 4)
    told = {
        "produto": f'{{"tipo": "produto", "dados": {{"id": "{key}"}}}}',
        "estoque": f'{{"tipo": "estoque", "dados": {{"idProduto": {key}}}}}',
        "pedidos": f'{{"tipo": "atualizacao_pedido", "dados": {{"id": "{order_id}"}}}}',
        "nota": f'{{"tipo": "nota_fiscal", "dados": {{"idNotaFiscalTiny": "{note}"}}}}',
    }
    async with db.write() as session:
        events = [Arrival(erp.id, MERCHANT, topic, body.encode()) for topic, body in told.items()]
        await inbox.store(session, events)
    return erp


async def _end(db: Database) -> tuple[set[str], list[str], list[str], str, str]:
    """States of the events and of the notes, tracking codes, and what the store shows."""
    async with db.read() as session:
        states = set((await session.execute(select(col(InboxEvent.state)))).scalars())
        notes = list((await session.execute(select(col(Invoice.state)))).scalars())
        codes = list((await session.execute(select(col(Shipment.tracking_code)))).scalars())
    price, stock = (await Live(db, None, "", "").shown())["CAN-1"]  # type: ignore[arg-type]
    return states, notes, codes, price, stock
