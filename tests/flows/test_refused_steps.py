"""A step of an order that an ERP does not take: the order is over there, and the merchant is not told otherwise."""

import pytest
from sqlalchemy import update

from hub import texts
from hub.db import Database
from hub.notices import standing_notices
from hub.settings import settings
from hub.tables import OutboxEntry
from tasks.sending import MOST_ATTEMPTS
from tests.contract.subjects import Sandbox
from tests.flows.erp import MERCHANT
from tests.flows.test_track_orders import set_to
from tests.flows.trade import LINES, Trade, opened

pytestmark = pytest.mark.usefixtures("at_once")

STEPS = {
    "tiny_v2": "pedido.alterar.situacao",
    "tiny_v3": "PUT /pedidos/{id}/situacao",
    "tagplus": "PATCH /pedidos/{id}",
}


@pytest.fixture(params=sorted(STEPS))
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def refused(db: Database, sandbox: Sandbox, source: str, monkeypatch: pytest.MonkeyPatch) -> Trade:
    """An order that is over there, and whose next step is never taken."""
    erp = await opened(db, sandbox, source)
    await erp.order("1001", LINES, pay=False)
    await erp.export()
    await erp.pay("1001", (await erp.known("1001")).total)
    monkeypatch.setenv("ESTEIRA_RETRY_ATTEMPTS", "1")
    settings.cache_clear()
    erp.sandbox.fault("error_500", times=None, match={"operation": STEPS[source]})
    for _ in range(MOST_ATTEMPTS):
        assert await erp.waiting() == ["pending"]
        await erp.export()
        async with erp.db.write() as session:
            await session.execute(update(OutboxEntry).values(not_before=None))
    assert await erp.waiting() == ["failed"]
    return erp


async def test_the_merchant_hears_that_the_order_is_there_and_its_state_is_not(refused: Trade) -> None:
    async with refused.db.read() as session:
        (notice,) = await standing_notices(session, MERCHANT)
    assert notice.code == "order.not_moved"
    told = texts.render(notice.code, notice.params)
    assert told.title == "Situação do pedido não atualizada: 1001"
    assert "Não lance o pedido outra vez" in told.action


async def test_moved_by_hand_over_there_nothing_is_left_to_do(refused: Trade) -> None:
    set_to(refused, (await refused.bound("1001")).external_id, "approved")
    await refused.track()
    assert (await refused.waiting(), await refused.told()) == (["sent"], [])
    refused.forget()
    await refused.export()
    assert refused.writes() == []


async def test_one_word_for_two_steps_is_compared_and_done(refused: Trade) -> None:
    await refused.tell("1001", "shipped")
    await refused.export()
    async with refused.db.write() as session:
        await session.execute(update(OutboxEntry).values(state="failed"))
    set_to(refused, (await refused.bound("1001")).external_id, "approved")
    await refused.track()
    refused.sandbox.ask("DELETE", "/faults")
    await refused.export()
    assert (await refused.waiting(), await refused.told()) == (["sent"], [])
    assert refused.stands() == ["B" if refused.kind == "tagplus" else "enviado"]
