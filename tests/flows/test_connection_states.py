"""What a run may make of its connection's state: one that was removed stays removed, and only an answer of the vendor
brings one back whose token was refused."""

import httpx
import pytest

from hub import connections, doors
from hub.db import Database
from hub.notices import WHOLE_CONNECTION, Draft, raise_notices
from hub.records import OutgoingProduct
from hub.tables import Connection
from hub.tables.tenancy import ConnectionState
from providers.accounts import disconnect
from providers.contract import StockSource
from providers.tagplus.provider import TagPlus
from tasks.paths import PathFailed
from tasks.work import Work
from tests.contract.subjects import Sandbox
from tests.contract.vendors import VENDORS
from tests.flows import live
from tests.flows.clockwork import Clock
from tests.flows.erp import MERCHANT
from tests.flows.live import Live

NEW = ("CAN-3", "CAN-4", "CAN-5", "CAN-6")


@pytest.fixture
async def erp(db: Database, sandbox: Sandbox, web: str, monkeypatch: pytest.MonkeyPatch) -> Live:
    """A shop that sends one record after the other, four new products among what waits."""
    monkeypatch.setattr("tasks.work.UNDER_WAY", 1)
    made = await live.opened(db, sandbox, "tagplus", web)
    for sku in NEW:
        await made.offer(sku, "25.00")
    return made


async def connection_of(erp: Live) -> Connection:
    async with erp.db.read() as session:
        return await connections.find(session, erp.id)


async def set_state(erp: Live, state: ConnectionState) -> None:
    async with erp.db.write() as session:
        await connections.mark(session, erp.id, state)


async def raised(erp: Live, code: str) -> None:
    async with erp.db.write() as session:
        await raise_notices(session, MERCHANT, [Draft(code, erp.id, WHOLE_CONNECTION, params={"kind": "tagplus"})])


def removed_at_first_create(erp: Live, monkeypatch: pytest.MonkeyPatch, *, revoked: bool) -> None:
    """The merchant removes the integration while the first product is being created."""
    create = TagPlus.create_product
    gone: list[bool] = []

    async def creating(provider: TagPlus, product: OutgoingProduct) -> str:
        if not gone:
            gone.append(await disconnect(erp.db, await connection_of(erp)))
            if revoked:
                erp.sandbox.ask("POST", f"{erp.account}/revoke")
        return await create(provider, product)

    monkeypatch.setattr(TagPlus, "create_product", creating)


def there(erp: Live) -> set[str]:
    return {row["codigo"] for row in erp.sandbox.ask("GET", f"{erp.account}/products")} & set(NEW)


async def test_nothing_more_is_written_to_a_connection_that_was_removed_in_mid_run(
    erp: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as removed:
        removed_at_first_create(erp, removed, revoked=False)
        summary = await erp.push()
    assert (summary.outcome, len(there(erp))) == ("stopped", 1), "what was under way, and no other"
    assert ((await connection_of(erp)).state, await erp.notices()) == (ConnectionState.NOT_INSTALLED, [])
    async with erp.db.write() as session:
        found = await connections.find(session, erp.id)
        found.credentials, found.state = VENDORS["tagplus"](erp.sandbox).credentials(), ConnectionState.ACTIVE
        session.add(found)
    await erp.push()
    assert there(erp) == set(NEW), "who comes back goes on from there"


async def test_a_token_refused_after_the_removal_does_not_bring_the_connection_back(
    erp: Live, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed_at_first_create(erp, monkeypatch, revoked=True)
    with pytest.raises(PathFailed, match="token"):
        await erp.push()
    assert ((await connection_of(erp)).state, await erp.notices()) == (ConnectionState.NOT_INSTALLED, [])
    async with erp.db.read() as session:
        (door,) = [door for door in await doors.of(session, erp.id) if door.topic == "produto"]
    event = {"event_type": "produto_alterado", "data": [{"id": 1}]}
    async with httpx.AsyncClient(base_url=web) as vendor:
        answer = await vendor.post(f"{doors.PATH}/{door.key}", json=event, headers={"x-hub-secret": door.secret})
    assert answer.status_code == 410, answer.text
    assert await queued_for(erp) == 0


async def queued_for(erp: Live) -> int:
    """How many entries another product brings."""
    before = len(await erp.entries())
    await erp.offer("CAN-9", "25.00")
    return len(await erp.entries()) - before


async def test_one_switched_off_in_mid_run_is_not_marked_by_its_token(
    erp: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = TagPlus.create_product

    async def creating(provider: TagPlus, product: OutgoingProduct) -> str:
        await set_state(erp, ConnectionState.INACTIVE)
        erp.sandbox.ask("POST", f"{erp.account}/revoke")
        return await create(provider, product)

    monkeypatch.setattr(TagPlus, "create_product", creating)
    with pytest.raises(PathFailed, match="token"):
        await erp.push()
    assert ((await connection_of(erp)).state, await erp.notices()) == (ConnectionState.INACTIVE, [])


async def test_a_run_of_a_lost_connection_brings_it_back_unless_it_is_removed_meanwhile(erp: Live) -> None:
    await set_state(erp, ConnectionState.DISCONNECTED)
    await erp.pull_stock()
    assert (await connection_of(erp)).state == ConnectionState.ACTIVE

    async def removed_meanwhile(work: Work) -> None:
        await work.provider.check()
        await set_state(erp, ConnectionState.NOT_INSTALLED)

    await set_state(erp, ConnectionState.DISCONNECTED)
    await erp._run("pull-stock", StockSource, removed_meanwhile, False)
    assert (await connection_of(erp)).state == ConnectionState.NOT_INSTALLED


async def test_a_run_without_a_call_takes_no_notice_back(erp: Live) -> None:
    await erp.push()
    await raised(erp, "connection.debt")
    summary = await erp.export()
    assert (summary.outcome, summary.tally.calls) == ("done", 0)
    assert await erp.notices() == ["connection.debt"], "the debt may stand, nobody has asked"
    await erp.pull_stock()
    assert await erp.notices() == []


async def without_notes(erp: Live) -> None:
    """The merchant has consented to everything but the invoices, and the path that pulls them has met that."""
    await erp.consent([scope for scope in erp.scopes() if "nfe" not in scope])
    with pytest.raises(PathFailed, match="permission"):
        await erp.pull_invoices()


async def test_what_one_path_is_refused_is_told_until_that_path_is_let_in(erp: Live) -> None:
    scopes = erp.scopes()
    await without_notes(erp)
    await erp.pull_stock()
    assert await erp.notices() == ["connection.permission"], "the path that has its permission took it back"
    await erp.consent(scopes)
    await erp.pull_invoices()
    assert await erp.notices() == []


async def test_a_refusal_that_no_run_met_for_a_day_is_no_longer_told(erp: Live, clock: Clock) -> None:
    await without_notes(erp)
    clock.advance(hours=23)
    await erp.pull_stock()
    assert await erp.notices() == ["connection.permission"]
    clock.advance(hours=2)
    await erp.pull_stock()
    assert await erp.notices() == []


async def test_a_run_without_a_call_brings_no_lost_connection_back(erp: Live) -> None:
    await raised(erp, "connection.token")
    await set_state(erp, ConnectionState.DISCONNECTED)
    summary = await erp.export()
    assert (summary.outcome, summary.tally.calls) == ("done", 0)
    assert ((await connection_of(erp)).state, await erp.notices()) == (
        ConnectionState.DISCONNECTED,
        ["connection.token"],
    )


@pytest.mark.parametrize("path", ["without a call", "with calls"])
async def test_a_dry_run_leaves_state_and_notices(erp: Live, path: str) -> None:
    await raised(erp, "connection.token")
    await set_state(erp, ConnectionState.DISCONNECTED)
    summary = await (erp.track if path == "with calls" else erp.push)(dry_run=True)
    assert (summary.outcome, summary.tally.calls > 0) == ("done", path == "with calls")
    assert ((await connection_of(erp)).state, await erp.notices()) == (
        ConnectionState.DISCONNECTED,
        ["connection.token"],
    )
