"""What an ERP tells by webhook stands in the store after the drain: over real HTTP, both ways it may go wrong."""

from typing import Any

import pytest
from sqlalchemy import update

from hub import connections, inbox
from hub.db import Database
from hub.inbox import MOST_TRIES, Arrival
from hub.settings import settings
from hub.tables import InboxEvent, OutboxEntry
from hub.tables.tenancy import ConnectionState
from providers.contract import CallFailed, Outcome
from tasks import catalog
from tasks import inbox as inbox_tasks
from tasks.drain import drain
from tasks.paths import PathFailed
from tests.contract.subjects import Sandbox
from tests.flows import live
from tests.flows.erp import MERCHANT
from tests.flows.live import Live
from tests.flows.trade import LINES


@pytest.fixture(params=["tiny_v2", "tiny_v3", "tagplus"])
def source(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def erp(db: Database, sandbox: Sandbox, source: str, web: str) -> Live:
    return await live.opened(db, sandbox, source, web)


@pytest.fixture
async def tagplus(db: Database, sandbox: Sandbox, web: str) -> Live:
    return await live.opened(db, sandbox, "tagplus", web)


async def sold(erp: Live) -> str:
    """A paid order that is over there; their id of it."""
    await erp.order("1001", LINES)
    await erp.export()
    return (await erp.bound("1001")).external_id


async def due_again(db: Database) -> None:
    """The pauses are over."""
    async with db.write() as session:
        await session.execute(update(InboxEvent).values(not_before=None))


async def repriced(erp: Live, count: int, price: str) -> None:
    """So many products of ours have another price over there, and each was told of."""
    for number in range(3, count + 1):
        await erp.offer(f"CAN-{number}", "20.00")
    await erp.push()
    for number in range(1, count + 1):
        erp.reprice(f"CAN-{number}", price)
    erp.arrive()


async def test_a_price_and_a_balance_of_theirs_stand_in_the_store(erp: Live) -> None:
    erp.reprice("CAN-1", "31.40")
    erp.count("CAN-2", 3)
    erp.arrive()
    await erp.drain()
    assert await erp.shown() == {"CAN-1": ("31.40", "10"), "CAN-2": ("26.10", "3")}
    assert await erp.states() == {"done"}


async def test_an_order_moves_on_in_the_store(erp: Live) -> None:
    order_id = await sold(erp)
    is_tagplus = erp.kind == "tagplus"  # which knows no more of an order than open, confirmed, cancelled
    words = {"status": "C"} if is_tagplus else {"situacao": "enviado"}
    erp.edit(order_id, **words)
    erp.arrive()
    await erp.drain()
    order = await erp.known("1001")
    assert (order.state if erp.kind == "tagplus" else order.stage) == (
        "cancelled" if erp.kind == "tagplus" else "shipped"
    )
    assert await erp.states() <= {"done", "ignored"}


async def test_a_note_comes_to_its_order_and_never_back_from_cancelled(erp: Live) -> None:
    note = erp.invoice(await sold(erp))
    erp.arrive()
    await erp.drain()
    assert await erp.notes() == ["authorised"]
    erp.cancel_note(note)
    erp.arrive()
    if erp.kind == "tagplus":
        await erp.drain()
    else:
        await erp.pull_invoices()  # Tiny tells nobody of a cancelled note
    assert await erp.notes() == ["cancelled"]
    async with erp.db.write() as session:
        await inbox.replay(session, state="done")
    await erp.drain()
    assert await erp.notes() == ["cancelled"], "the approval came once more"


async def test_an_event_of_a_note_whose_order_is_not_written_down_yet_waits_for_it(tagplus: Live) -> None:
    tagplus.sandbox.fault("answer_lost", match={"operation": "POST /pedidos"})
    await tagplus.order("1001", LINES)
    await tagplus.export()
    (there,) = tagplus.there()
    tagplus.invoice(str(there["id"]))
    tagplus.arrive()
    await tagplus.drain()
    assert await tagplus.notes() == []
    assert "pending" in await tagplus.states()
    async with tagplus.db.write() as session:
        await session.execute(update(OutboxEntry).values(not_before=None))
    await tagplus.export()
    await due_again(tagplus.db)
    await tagplus.drain()
    assert await tagplus.notes() == ["authorised"]
    assert len(tagplus.there()) == 1


async def test_orders_of_others_are_passed_over_without_a_call(erp: Live) -> None:
    item = {"descricao": "X", "unidade": "UN", "quantidade": 1, "valor_unitario": 5}
    body = {} if erp.kind == "tagplus" else {"cliente": {"nome": "Outro"}, "itens": [item]}
    erp.sandbox.ask("POST", f"{erp.account}/orders", **body)
    erp.arrive()
    erp.forget()
    await erp.drain()
    assert await erp.states() == {"ignored"}
    assert erp.sandbox.calls() == []


async def test_ten_events_about_one_product_are_one_reading(tagplus: Live) -> None:
    for balance in range(10):
        tagplus.count("CAN-1", balance)
    tagplus.arrive()
    tagplus.forget()
    await tagplus.drain()
    assert len(tagplus.sandbox.calls()) <= 2
    assert (await tagplus.shown())["CAN-1"][1] == "9"


@pytest.mark.parametrize("raised", [KeyError, RuntimeError, RecursionError])
async def test_a_poison_event_fails_alone_is_told_and_can_be_replayed(
    tagplus: Live, monkeypatch: pytest.MonkeyPatch, raised: type[Exception]
) -> None:
    bad = tagplus.key("CAN-1")
    take = catalog.take

    async def poisoned(work: Any, batch: Any) -> list[str]:
        if bad in batch.ids:
            raise raised("a field that nobody thought of")
        return await take(work, batch)

    tagplus.reprice("CAN-1", "31.40")
    tagplus.reprice("CAN-2", "32.40")
    tagplus.arrive()
    with monkeypatch.context() as broken:
        broken.setattr("tasks.catalog.take", poisoned)
        for _ in range(MOST_TRIES):
            await tagplus.drain()
            await due_again(tagplus.db)
    assert {sku: price for sku, (price, _) in (await tagplus.shown()).items()} == {"CAN-1": "25.00", "CAN-2": "32.40"}
    assert await tagplus.states() == {"failed", "done"}
    assert "inbox.failed" in await tagplus.notices()
    (failed,) = [event for event in await tagplus.events() if event.state == "failed"]
    assert raised.__name__ in failed.reason and "nobody thought" not in failed.reason
    async with tagplus.db.write() as session:
        await inbox.replay(session, connection_id=tagplus.id)
    await tagplus.drain()
    assert (await tagplus.shown())["CAN-1"][0] == "31.40"
    assert "inbox.failed" not in await tagplus.notices()


async def test_a_vendor_that_is_away_is_asked_again_and_no_event_is_lost(
    erp: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESTEIRA_RETRY_ATTEMPTS", "1")
    settings.cache_clear()
    erp.count("CAN-1", 4)
    erp.arrive()
    erp.sandbox.fault("error_500", times=None)
    await erp.drain()
    assert await erp.states() == {"pending"}
    erp.sandbox.ask("DELETE", "/faults")
    await due_again(erp.db)
    await erp.drain()
    assert (await erp.shown())["CAN-1"][1] == "4"


async def test_one_record_that_answers_with_an_error_takes_no_other_down(
    tagplus: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them were put off together, met the bad one again each time, and failed together."""
    monkeypatch.setenv("ESTEIRA_RETRY_ATTEMPTS", "1")
    settings.cache_clear()
    await repriced(tagplus, 10, "31.40")
    bad = tagplus.key("CAN-4")
    tagplus.sandbox.fault("error_500", times=None, match={"operation": f"GET /produtos/{bad}*"})
    await tagplus.drain()
    prices = {sku: price for sku, (price, _) in (await tagplus.shown()).items()}
    assert prices.pop("CAN-4") == "20.00"
    assert set(prices.values()) == {"31.40"}
    assert await tagplus.states() == {"done", "pending"}
    tagplus.sandbox.ask("DELETE", "/faults")
    await due_again(tagplus.db)
    await tagplus.drain()
    assert (await tagplus.shown())["CAN-4"][0] == "31.40"


async def test_a_vendor_that_answers_nothing_but_errors_is_not_asked_for_every_record(
    tagplus: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESTEIRA_RETRY_ATTEMPTS", "1")
    settings.cache_clear()
    await repriced(tagplus, 20, "31.40")
    tagplus.sandbox.fault("error_500", times=None)
    tagplus.forget()
    with pytest.raises(PathFailed):
        await tagplus.drain()
    assert len(tagplus.sandbox.calls()) <= 20 + inbox_tasks.IN_A_ROW
    assert await tagplus.states() == {"pending"}
    tries = [event.attempts for event in await tagplus.events()]
    assert 0 < sum(tries) < len(tries), "those that were asked for; the others are not to blame"


async def test_an_event_about_two_records_is_not_done_while_one_of_them_is_unread(
    tagplus: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`produto_alterado` tells of a product and of its balance; the product was read, and then the token refused."""

    async def refused(work: Any, batch: Any) -> None:
        raise CallFailed(Outcome.REAUTH, "token", operation="GET /produtos/{id}")

    tagplus.sandbox.ask("POST", "/settings", webhook_hold=True)
    tagplus.count("CAN-1", 4)
    tagplus.sandbox.ask("DELETE", "/deliveries")
    tagplus.reprice("CAN-1", "31.40")
    tagplus.arrive(copies=1)
    with monkeypatch.context() as broken, pytest.raises(PathFailed):
        broken.setattr("tasks.stock.take", refused)
        await tagplus.drain()
    assert (await tagplus.shown())["CAN-1"] == ("31.40", "10")
    assert await tagplus.states() == {"pending"}
    async with tagplus.db.write() as session:
        await connections.mark(session, tagplus.id, ConnectionState.ACTIVE)
    await due_again(tagplus.db)
    await tagplus.drain()
    assert (await tagplus.shown())["CAN-1"] == ("31.40", "4")


async def test_a_product_that_is_not_shown_yet_is_looked_for_again(db: Database, sandbox: Sandbox, web: str) -> None:
    erp = await live.opened(db, sandbox, "tiny_v2", web)
    first, second = int(erp.key("CAN-1")), int(erp.key("CAN-2"))
    body = f'{{"tipo": "produto", "dados": {{"id": "{second + (second - first)}"}}}}'  # as the simulator numbers them
    async with db.write() as session:
        await inbox.store(session, [Arrival(erp.id, MERCHANT, "produto", body.encode())])
    await erp.drain()
    assert "pending" in await erp.states()
    fields = {"codigo": "CAN-10", "nome": "Produto CAN-10", "preco": "9.90", "estoque": 3}
    sandbox.ask("POST", f"{erp.account}/products", **fields)
    assert erp.key("CAN-10") in body
    await due_again(db)
    await erp.drain()
    assert (await erp.shown())["CAN-10"] == ("9.90", "3")
    assert await erp.states() == {"done"}


async def test_what_never_shows_is_given_up_without_a_notice(db: Database, sandbox: Sandbox, web: str) -> None:
    erp = await live.opened(db, sandbox, "tiny_v2", web)
    async with db.write() as session:
        body = b'{"tipo": "produto", "dados": {"id": "999999"}}'
        await inbox.store(session, [Arrival(erp.id, MERCHANT, "produto", body)])
    for _ in range(inbox_tasks.EARLY_TRIES):
        await erp.drain()
        await due_again(db)
    assert await erp.states() == {"ignored"} and await erp.notices() == []


async def test_events_wait_for_a_connection_whose_token_is_refused(db: Database, sandbox: Sandbox, web: str) -> None:
    erp = await live.opened(db, sandbox, "tiny_v2", web)
    sandbox.account(token="another-token")
    erp.count("CAN-1", 4)
    erp.arrive()
    with pytest.raises(PathFailed):
        await erp.drain()
    (event,) = await erp.events()
    assert (event.state, event.attempts) == ("pending", 0)
    async with db.write() as session:
        found = await connections.find(session, erp.id)
        assert found.state == ConnectionState.DISCONNECTED
        found.credentials = {"token": "another-token"}
        found.state = ConnectionState.ACTIVE
        session.add(found)
    await due_again(db)
    await erp.drain()
    assert (await erp.shown())["CAN-1"][1] == "4"


async def test_events_wait_for_an_account_in_debt_and_all_take_effect_when_it_has_paid(tagplus: Live) -> None:
    order_id = await sold(tagplus)
    tagplus.reprice("CAN-1", "31.40")
    tagplus.count("CAN-2", 3)
    tagplus.invoice(order_id)
    tagplus.arrive()
    tagplus.sandbox.ask("POST", tagplus.account, debt=True)
    for _ in range(MOST_TRIES):
        with pytest.raises(PathFailed, match="debt"):
            await tagplus.drain()
        async with tagplus.db.read() as session:
            assert await inbox.due(session) == [], "it is not asked all the time"
        await due_again(tagplus.db)
    assert {(event.state, event.attempts) for event in await tagplus.events()} == {("pending", 0)}
    assert await tagplus.notices() == ["connection.debt"]
    tagplus.sandbox.ask("POST", tagplus.account, debt=False)
    await tagplus.drain()
    assert (await tagplus.states(), await tagplus.notices()) == ({"done"}, [])
    assert ((await tagplus.shown())["CAN-1"][0], (await tagplus.shown())["CAN-2"][1]) == ("31.40", "3")
    assert await tagplus.notes() == ["authorised"]


async def test_where_a_scope_is_missing_its_events_wait_and_the_others_take_effect(tagplus: Live) -> None:
    note = tagplus.invoice(await sold(tagplus))
    tagplus.count("CAN-2", 3)
    tagplus.arrive()
    scopes = tagplus.scopes()
    await tagplus.consent([scope for scope in scopes if "nfe" not in scope])
    for _ in range(MOST_TRIES):
        with pytest.raises(PathFailed, match="permission"):
            await tagplus.drain()
        await due_again(tagplus.db)
    assert (await tagplus.shown())["CAN-2"][1] == "3"
    assert {(event.state, event.attempts) for event in await tagplus.events()} == {("done", 0), ("pending", 0)}
    assert await tagplus.notices() == ["connection.permission"]
    await tagplus.consent(scopes)
    await tagplus.drain()
    assert (await tagplus.states(), await tagplus.notes()) == ({"done"}, ["authorised"]), note


async def test_what_the_policy_does_not_follow_is_ignored(erp: Live) -> None:
    async with erp.db.write() as session:
        found = await connections.find(session, erp.id)
        found.policy = {**found.policy, "pull_stock": False}
        session.add(found)
    erp.count("CAN-1", 4)
    erp.arrive()
    await erp.drain()
    assert await erp.states() <= {"ignored", "done"}
    assert (await erp.shown())["CAN-1"][1] == "10"


async def test_a_dry_run_tells_and_leaves_everything(erp: Live) -> None:
    erp.count("CAN-1", 4)
    erp.arrive()
    erp.forget()
    (summary,) = await drain(erp.id, dry_run=True, db=erp.db)
    assert summary.changes and summary.changes[0].op == "read"
    assert await erp.states() == {"pending"} and erp.sandbox.calls() == []
