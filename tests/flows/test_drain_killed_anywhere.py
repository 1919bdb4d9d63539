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
