"""Orders move on over there and here: each side hears of the other's news once, and never of its own."""

import random
from typing import Any

import pytest

from hub import order_queue
from hub.db import Database
from providers.contract import CallFailed, Outcome
from providers.tagplus.provider import TagPlus
from tasks import order_states
from tasks.paths import PathFailed, run_path
from tasks.work import Work
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.shop import written_in
from tests.flows.trade import LINES, Trade, opened

pytestmark = pytest.mark.usefixtures("at_once")


@pytest.fixture(params=["tiny_v2", "tiny_v3", "tagplus"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def erp(db: Database, sandbox: Sandbox, source: str) -> Trade:
    return await opened(db, sandbox, source)


def set_to(erp: Trade, external_id: str, stage: str) -> None:
    """The merchant moves an order on in the ERP."""
    if erp.kind == "tagplus":
        erp.edit(external_id, status={"approved": "B", "cancelled": "C"}[stage])
    else:
        words = {"approved": "aprovado", "preparing": "preparando_envio", "cancelled": "cancelado"}
        words |= {"shipped": "enviado", "delivered": "entregue"}
        erp.edit(external_id, situacao=words[stage])


class TestAnIntegrationThatTinyDoesNotHave:
    async def test_the_merchant_is_told_until_an_order_is_tied_to_one(self, db: Database, sandbox: Sandbox) -> None:
        erp = await opened(db, sandbox, "tiny_v3", ecommerce_id="4711")
        await erp.order("1001", LINES)
        await erp.export()
        assert await erp.told() == ["order.integration_unknown"]
        await erp.export()
        assert await erp.told() == ["order.integration_unknown"], "nothing new is known"
        sandbox.ask("POST", f"{erp.account}/integrations", id=4711, name="Loja Sol")
        await erp.order("1002", LINES)
        await erp.export()
        assert await erp.told() == []

    async def test_two_lost_answers_make_no_second_order(self, db: Database, sandbox: Sandbox) -> None:
        erp = await opened(db, sandbox, "tiny_v3", ecommerce_id="4711")
        await erp.order("1001", LINES)
        for _ in range(2):
            sandbox.fault("answer_lost", match={"operation": "POST /pedidos"})
            await erp.export()
        await erp.export()
        assert (len(erp.there()), await erp.waiting()) == (1, ["sent"])


class TestSent:
    async def test_all_orders_go_from_their_placing_on_and_follow(self, erp: Trade) -> None:
        await erp.order("1001", LINES, pay=False)
        summary = await erp.export()
        assert (summary.tally.created, summary.tally.failed) == (1, 0), await erp.told()
        assert erp.stands() == ["A" if erp.kind == "tagplus" else "aberto"]
        await erp.pay("1001", (await erp.known("1001")).total)
        assert (await erp.export()).tally.changed == 1
        assert erp.stands() == ["B" if erp.kind == "tagplus" else "aprovado"]
        await erp.tell("1001", "shipped")
        await erp.export()
        assert erp.stands() == ["B" if erp.kind == "tagplus" else "enviado"]
        assert (await erp.bound("1001")).told == "shipped"
        await erp.cancel("1001")
        await erp.export()
        told = await erp.bound("1001")
        settled = ("enviado", "shipped") if erp.kind != "tagplus" else ("C", "cancelled")
        assert (*erp.stands(), told.told) == settled, "what has left the shop is not cancelled by us"

    async def test_told_up_to_date_nothing_is_called(self, erp: Trade) -> None:
        await erp.order("1001", LINES)
        await erp.export()
        async with erp.db.write() as session:
            await order_queue.enqueue(session, await erp.known("1001"))
        assert await erp.waiting() == ["pending"]
        assert (await erp.export()).tally.calls == 0
        assert await erp.waiting() == ["sent"]

    async def test_a_policy_of_paid_orders_sends_no_other(self, db: Database, sandbox: Sandbox, source: str) -> None:
        erp = await opened(db, sandbox, source, orders="paid")
        await erp.order("1001", LINES, pay=False)
        assert await erp.waiting() == []
        await erp.pay("1001", (await erp.known("1001")).total)
        await erp.export()
        assert len(erp.there()) == 1

    async def test_a_policy_of_none_sends_nothing_even_what_waits(
        self, db: Database, sandbox: Sandbox, source: str
    ) -> None:
        erp = await opened(db, sandbox, source)
        await erp.order("1001", LINES)
        await Trade.open(db, sandbox, source, orders="none")
        await erp.order("1002", LINES)
        await erp.export()
        assert (erp.there(), await erp.waiting()) == ([], ["skipped"])

    async def test_who_is_not_told_of_states_hears_of_a_cancellation_only(
        self, db: Database, sandbox: Sandbox, source: str
    ) -> None:
        erp = await opened(db, sandbox, source, order_states="from_erp")
        await erp.order("1001", LINES)
        await erp.export()
        before = erp.stands()
        await erp.tell("1001", "shipped")
        await erp.export()
        assert erp.stands() == before
        await erp.cancel("1001")
        await erp.export()
        assert erp.stands() == ["C" if erp.kind == "tagplus" else "cancelado"]

    async def test_a_create_without_an_answer_is_told_what_happened_meanwhile(self, erp: Trade) -> None:
        await erp.order("1001", LINES, pay=False)
        create = "pedido.incluir" if erp.kind == "tiny_v2" else "POST /pedidos"
        erp.sandbox.fault("answer_lost", match={"operation": create})
        await erp.export()
        assert await erp.waiting() == ["unknown"]
        await erp.pay("1001", (await erp.known("1001")).total)
        await erp.export()
        assert erp.stands() == ["B" if erp.kind == "tagplus" else "aprovado"]
        assert ((await erp.bound("1001")).told, await erp.waiting()) == ("approved", ["sent"])

    async def test_a_dry_run_shows_the_step_and_calls_nobody(self, erp: Trade) -> None:
        await erp.order("1001", LINES, pay=False)
        await erp.export()
        await erp.tell("1001", "shipped")
        with written_in(erp.db) as tables:
            summary = await erp.export(dry_run=True)
        assert [change.groups for change in summary.changes] == [("stage: open → shipped",)]
        assert summary.tally.calls == 0
        assert not tables & {"outbox", "binding", "sales_order"}

    async def test_no_document_no_order_at_tagplus_when_all_are_sent(self, db: Database, sandbox: Sandbox) -> None:
        erp = await opened(db, sandbox, "tagplus")
        await erp.order("1001", LINES, document="")
        await erp.export()
        assert erp.there() == []
        assert await erp.told() == ["order.not_sent"]


class TestTracked:
    async def test_an_order_moves_on_over_there(self, erp: Trade) -> None:
        await erp.order("1001", LINES, pay=False)
        await erp.export()
        await erp.track()
        set_to(erp, (await erp.bound("1001")).external_id, "approved")
        summary = await erp.track()
        assert summary.tally.changed == 1
        assert ((await erp.known("1001")).stage, (await erp.bound("1001")).told) == ("approved", "approved")
        erp.forget()
        await erp.export()
        assert erp.writes() == [], "what it told itself it does not hear again"
        with written_in(erp.db) as tables:
            again = await erp.track()
        assert again.tally.changed == 0
        assert tables <= {"cursor", "lease", "quota", "run_report"}

    @pytest.mark.parametrize("source", ["tiny_v2", "tiny_v3", "tagplus"])
    async def test_a_word_of_the_merchants_own_choice_comes_back_as_what_was_told(
        self, db: Database, sandbox: Sandbox, source: str
    ) -> None:
        own = {"open": "B"} if source == "tagplus" else {"open": "preparando_envio", "approved": "preparando_envio"}
        erp = await opened(db, sandbox, source, status_map=own)
        await erp.order("1001", LINES, pay=False)
        await erp.export()
        assert erp.stands() == ["B" if source == "tagplus" else "preparando_envio"]
        summary = await erp.track()
        assert (summary.tally.changed, (await erp.known("1001")).stage) == (0, "")

    async def test_cancelled_over_there_is_cancelled_here_and_told(self, erp: Trade) -> None:
        await erp.order("1001", LINES)
        await erp.export()
        set_to(erp, (await erp.bound("1001")).external_id, "cancelled")
        await erp.track()
        assert (await erp.known("1001")).state == "cancelled"
        assert await erp.told() == ["order.cancelled_by_erp_paid"]
        erp.forget()
        await erp.export()
        assert erp.writes() == []
        assert await erp.told() == ["order.cancelled_by_erp_paid"]

    async def test_cancelled_over_there_before_it_was_bound_it_is_learnt_all_the_same(
        self, erp: Trade, clock: Clock
    ) -> None:
        await erp.order("1001", LINES, pay=False)
        create = "pedido.incluir" if erp.kind == "tiny_v2" else "POST /pedidos"
        erp.sandbox.fault("answer_lost", match={"operation": create})
        await erp.export()
        (there,) = erp.there()
        set_to(erp, str(there["id"]), "cancelled")
        clock.advance(minutes=5)
        await erp.track()
        clock.advance(minutes=30)  # what was listed then is listed no more
        await erp.track()
        await erp.pay("1001", (await erp.known("1001")).total)
        await erp.export()
        assert (await erp.bound("1001")).told == "cancelled"
        await erp.track()
        assert (await erp.known("1001")).state == "cancelled"
        assert await erp.told() == ["order.cancelled_by_erp_paid"]
        erp.forget()
        await erp.track()
        assert not any("{id}" in call["operation"] or "obter" in call["operation"] for call in erp.sandbox.calls())

    async def test_deleted_over_there_is_told_once(self, erp: Trade) -> None:
        await erp.order("1001", LINES)
        await erp.export()
        await erp.track()
        external_id = (await erp.bound("1001")).external_id
        erp.delete(external_id)
        assert await _taken(erp, [external_id]) == {external_id: "done"}
        assert await erp.told() == ["order.gone"]
        assert (await erp.bound("1001")).gone
        await erp.tell("1001", "shipped")
        erp.forget()
        assert (await erp.export()).tally.failed == 0
        assert erp.writes() == []

    async def test_deleted_over_there_and_moved_on_here_is_gone_and_no_failure(self, erp: Trade) -> None:
        await erp.order("1001", LINES, pay=False)
        await erp.export()
        erp.delete((await erp.bound("1001")).external_id)
        await erp.pay("1001", (await erp.known("1001")).total)
        erp.forget()
        assert (await erp.export()).tally.failed == 0
        assert (erp.writes(), await erp.told(), await erp.waiting()) == ([], ["order.gone"], ["sent"])
        assert (await erp.bound("1001")).gone
        await erp.track()
        assert await erp.told() == ["order.gone"]

    async def test_an_event_of_an_order_that_is_not_bound_is_unknown(self, erp: Trade) -> None:
        await erp.order("1001", LINES)
        await erp.export()
        external_id = (await erp.bound("1001")).external_id
        set_to(erp, external_id, "cancelled")
        assert await _taken(erp, ["999999", external_id]) == {"999999": "unknown", external_id: "done"}
        assert (await erp.known("1001")).state == "cancelled"

    async def test_a_dry_run_shows_and_writes_nothing(self, erp: Trade) -> None:
        await erp.order("1001", LINES)
        await erp.export()
        set_to(erp, (await erp.bound("1001")).external_id, "cancelled")
        summary = await erp.track(dry_run=True)
        assert [change.groups for change in summary.changes] == [("stage: approved → cancelled",)]
        assert (await erp.known("1001")).state == "paid"
        await erp.track()
        assert (await erp.known("1001")).state == "cancelled"

    async def test_one_order_that_is_not_shown_does_not_stop_the_others(
        self, db: Database, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        erp = await opened(db, sandbox, "tagplus")
        for number in ("1001", "1002"):
            await erp.order(number, LINES)
        await erp.export()
        for number in ("1001", "1002"):
            set_to(erp, (await erp.bound(number)).external_id, "cancelled")
        hidden, read = (await erp.bound("1001")).external_id, TagPlus.read_order

        async def refuse(provider: TagPlus, external_id: str) -> Any:
            if external_id == hidden:
                raise CallFailed(Outcome.REJECTED, "validation", operation="GET /pedidos/{id}")
            return await read(provider, external_id)

        with monkeypatch.context() as closed:
            closed.setattr(TagPlus, "read_order", refuse)
            summary = await erp.track()
            assert (summary.outcome, summary.tally.failed) == ("done", 1)
            with pytest.raises(PathFailed, match="rejected"):
                await _taken(erp, [hidden])
        assert [(await erp.known(number)).state for number in ("1001", "1002")] == ["paid", "cancelled"]
        await erp.track()
        assert [(await erp.known(number)).state for number in ("1001", "1002")] == ["cancelled"] * 2

    async def test_an_account_that_is_closed_in_mid_run_is_told_and_no_order_is_to_blame(
        self, db: Database, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        erp = await opened(db, sandbox, "tagplus")
        await erp.order("1001", LINES)
        await erp.export()
        read = TagPlus.read_order

        async def in_debt(provider: TagPlus, external_id: str) -> Any:
            sandbox.ask("POST", erp.account, debt=True)
            return await read(provider, external_id)

        with monkeypatch.context() as closed:
            closed.setattr(TagPlus, "read_order", in_debt)
            with pytest.raises(PathFailed, match="debt"):
                await erp.track()
        assert await erp.told() == ["connection.debt"]
        sandbox.ask("POST", erp.account, debt=False)
        assert (await erp.track()).tally.failed == 0
        assert await erp.told() == []


class TestParcels:
    @pytest.mark.parametrize("source", ["tiny_v2", "tiny_v3"], indirect=True)
    async def test_a_tracking_code_comes_into_the_store(self, erp: Trade) -> None:
        await erp.order("1001", LINES)
        await erp.export()
        external_id = (await erp.bound("1001")).external_id
        tracking = {"codigo": "BR123456789BR", "url": "https://rastreio.example/BR123456789BR"}
        erp.edit(external_id, situacao="enviado", tracking=tracking)
        await erp.track()
        (parcel,) = await erp.parcels()
        assert (parcel.tracking_code, parcel.tracking_url) == tuple(tracking.values())
        assert (parcel.state, parcel.connection_id) == ("shipped", erp.id)
        set_to(erp, external_id, "delivered")
        await erp.track()
        assert [one.state for one in await erp.parcels()] == ["delivered"]


class TestNoPingPong:
    async def test_a_hundred_rounds_of_changes_on_all_sides_settle_each_at_once(
        self, hub_db: Database, sandbox: Sandbox
    ) -> None:
        """Eight orders, three sides that move any of them to anything at random; after one pass all is told, and the
        next pass writes nothing anywhere."""
        tiny = await opened(hub_db, sandbox, "tiny_v2")
        plus = await opened(hub_db, sandbox, "tagplus")
        chance, numbers = random.Random(4), [str(1001 + place) for place in range(8)]
        for number in numbers:
            await tiny.order(number, LINES, pay=chance.random() < 0.5)
        for erp in (tiny, plus):
            await erp.export()
        moved = 0
        for turn in range(100):
            number = chance.choice(numbers)
            await tiny.tell(number, chance.choice(["preparing", "ready", "shipped", "delivered"]))
            stage = chance.choice(["approved", "preparing", "shipped", *["cancelled"] * (turn % 10 == 9)])
            set_to(tiny, (await tiny.bound(chance.choice(numbers))).external_id, stage)
            set_to(plus, (await plus.bound(chance.choice(numbers))).external_id, "approved")
            sandbox.ask("DELETE", "/calls")
            await _pass(tiny, plus)
            moved += len(tiny.writes()) + len(plus.writes())
            sandbox.ask("DELETE", "/calls")
            with written_in(hub_db) as tables:
                await _pass(tiny, plus)
            assert (tiny.writes(), plus.writes()) == ([], []), f"round {turn} does not settle"
            assert tables <= {"cursor", "lease", "quota", "run_report", "binding"}
        sandbox.ask("DELETE", "/calls")
        with written_in(hub_db) as tables:
            for _ in range(5):
                await _pass(tiny, plus)
        assert (tiny.writes(), plus.writes()) == ([], [])
        assert tables <= {"cursor", "lease", "quota", "run_report"}
        ended = [(await tiny.known(number)).state for number in numbers]
        assert moved > len(numbers), "the rounds moved something"
        assert "cancelled" in ended

    async def test_news_of_one_erp_reach_the_other(self, db: Database, sandbox: Sandbox) -> None:
        tiny, plus = await opened(db, sandbox, "tiny_v2"), await opened(db, sandbox, "tagplus")
        await tiny.order("1001", LINES)
        await _pass(tiny, plus)
        set_to(plus, (await plus.bound("1001")).external_id, "cancelled")
        await _pass(tiny, plus)
        assert tiny.stands() == ["cancelado"]
        assert await tiny.told() == ["order.cancelled_by_erp_paid"]


async def _pass(*erps: Trade) -> None:
    """Every flow once for every connection."""
    for erp in erps:
        await erp.track()
    for erp in erps:
        await erp.export()


async def _taken(erp: Trade, external_ids: list[str]) -> dict[str, str]:
    """What the drain does with ids of events."""
    ended: dict[str, str] = {}

    async def steps(work: Work) -> None:
        ended.update(await order_states.take(work, external_ids))

    needs = order_states.OrderStateSource
    await run_path("drain-inbox", needs, steps, erp.id, wanted=lambda _: True, dry_run=False, db=erp.db)
    return ended
