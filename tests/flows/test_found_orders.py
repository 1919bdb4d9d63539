"""An order that is over there already is bound with what is known of it, and brought to where it stands here."""

from typing import Any

import pytest
from sqlalchemy import delete
from sqlmodel import col

from hub.db import Database
from hub.tables import Binding, OutboxEntry
from providers.contaazul.provider import ContaAzul
from providers.contract import CallFailed, Outcome
from providers.registry import KINDS
from tests.contract.subjects import Sandbox
from tests.flows.erp_fixtures import contaazul
from tests.flows.trade import LINES, WRITES, Trade, opened

__all__ = ["contaazul"]

pytestmark = pytest.mark.usefixtures("at_once")

OPEN = {"tiny_v2": "aberto", "tiny_v3": "aberto", "tagplus": "A"}
APPROVED = {"tiny_v2": "aprovado", "tiny_v3": "aprovado", "tagplus": "B"}


@pytest.fixture(params=["tiny_v2", "tiny_v3", "tagplus"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def erp(db: Database, sandbox: Sandbox, source: str) -> Trade:
    return await opened(db, sandbox, source)


async def set_back(erp: Trade) -> None:
    """The hub is a backup of before the order was sent: it knows nothing of it over there."""
    async with erp.db.write() as session:
        for table in (Binding, OutboxEntry):
            await session.execute(delete(table).where(col(table.connection_id) == erp.id, col(table.kind) == "order"))


async def pay(erp: Trade, number: str) -> None:
    await erp.pay(number, (await erp.known(number)).total)


async def test_one_sent_before_a_backup_and_paid_since_is_brought_up(erp: Trade) -> None:
    await erp.order("1001", LINES, pay=False)
    await erp.export()
    assert erp.stands() == [OPEN[erp.kind]]
    await set_back(erp)
    await pay(erp, "1001")
    assert (await erp.export()).tally.created == 1
    assert erp.stands() == [APPROVED[erp.kind]]
    assert ((await erp.bound("1001")).told, await erp.waiting()) == ("approved", ["sent"])


@pytest.mark.parametrize("source", ["tiny_v2", "tiny_v3"], indirect=True)
async def test_one_that_was_there_before_the_first_try_is_brought_up_after_a_death_too(
    erp: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt is written down with the stage of now; the order was made at an earlier one."""
    await erp.order("1001", LINES, pay=False)
    await erp.export()
    await set_back(erp)
    await pay(erp, "1001")

    async def die(*_: object) -> str:
        raise CallFailed(Outcome.UNKNOWN, "timeout", operation="create")

    with monkeypatch.context() as dying:
        dying.setattr(KINDS[erp.kind].provider, "create_order", die)
        await erp.export()
    assert await erp.waiting() == ["unknown"]
    await erp.export()
    assert erp.stands() == [APPROVED[erp.kind]]
    assert (await erp.bound("1001")).told == "approved"


@pytest.mark.parametrize("source", ["tiny_v2"], indirect=True)
async def test_one_that_ours_is_refused_for_as_its_double_is_brought_up(erp: Trade, sandbox: Sandbox) -> None:
    """Code 30: the search did not show it before the create, and does after."""
    await erp.order("1001", LINES, pay=False)
    await erp.export()
    await set_back(erp)
    await pay(erp, "1001")
    sandbox.ask("POST", "/settings", duplicate_order="refuse", search_lag_s=3600)
    await erp.export()
    assert await erp.waiting() == ["unknown"]
    sandbox.ask("POST", "/settings", search_lag_s=0)
    await erp.export()
    assert erp.stands() == [APPROVED["tiny_v2"]]
    assert (await erp.bound("1001")).told == "approved"


async def test_one_left_by_an_attempt_at_an_earlier_stage_is_brought_up(erp: Trade, sandbox: Sandbox) -> None:
    await erp.order("1001", LINES, pay=False)
    sandbox.fault("answer_lost", match={"operation": WRITES[erp.kind][0]})
    await erp.export()
    await pay(erp, "1001")
    await erp.export()
    assert erp.stands() == [APPROVED[erp.kind]]
    assert (await erp.bound("1001")).told == "approved"


async def test_where_states_are_not_told_nothing_is_claimed_of_one_that_was_there(
    db: Database, sandbox: Sandbox, source: str
) -> None:
    """What the store shows of its goods would count on an approved order."""
    erp = await opened(db, sandbox, source, order_states="none")
    await erp.order("1001", LINES, pay=False)
    await erp.export()
    await set_back(erp)
    await pay(erp, "1001")
    await erp.export()
    assert erp.stands() == [OPEN[erp.kind]]
    assert ((await erp.bound("1001")).told, await erp.waiting()) == ("", ["sent"])


async def test_a_sale_that_holds_the_number_of_an_attempt_is_claimed_to_know_nothing(
    db: Database, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Conta Azul: the answer was lost while the order was open, and the search shows it at the second try."""
    erp = await opened(db, sandbox, "contaazul")
    await erp.order("1001", LINES, pay=False)
    sandbox.fault("answer_lost", match={"operation": "POST /v1/venda"})
    await erp.export()
    await pay(erp, "1001")
    hidden, find = [True], ContaAzul.find_order

    async def hides_once(*told: Any) -> Any:
        return None if hidden and hidden.pop() else await find(*told)

    monkeypatch.setattr(ContaAzul, "find_order", hides_once)
    await erp.export()
    assert len(erp.sales()) == 1
    assert ((await erp.bound("1001")).told, await erp.waiting()) == ("", ["sent"])
