"""`drain-inbox` as a real flow run: one lives at a time, an event costs no task run, and Prefect sees nobody's data."""

import asyncio
import time
from collections.abc import Iterator

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.states import Pending

from flows.drain_inbox import drain_inbox
from flows.track_orders import track_orders
from hub import inbox, leases
from hub.db import Database
from hub.inbox import Arrival
from hub.settings import settings
from tasks.drain import PATH
from tests.contract.conftest import sandbox, served
from tests.contract.subjects import Sandbox
from tests.flows import canary
from tests.flows.conftest import _keys
from tests.flows.erp import MERCHANT
from tests.flows.live import Live
from tests.flows.trade import LINES
from tests.prefect import seen
from web.bell import Bell

__all__ = ["_keys", "sandbox", "served"]

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ESTEIRA_DATABASE_URL", database_url)
    monkeypatch.setenv("ESTEIRA_TINY_SEARCH_LAG_S", "0")
    monkeypatch.setenv("ESTEIRA_INBOX_QUIET_S", "1")
    settings.cache_clear()
    yield
    settings.cache_clear()


async def _tell(erp: Live, topic: str, body: str) -> None:
    async with erp.db.write() as session:
        await inbox.store(session, [Arrival(erp.id, MERCHANT, topic, body.encode())])


async def _until_it_lives(db: Database) -> None:
    async with asyncio.timeout(30):
        while True:
            async with db.read() as session:
                if await leases.is_held(session, PATH):
                    return
            await asyncio.sleep(0.02)


async def test_events_are_seen_to_as_they_come_by_one_run_and_a_second_one_steps_aside(
    db: Database, sandbox: Sandbox, prefect_client: PrefectClient
) -> None:
    erp = await Live.open(db, sandbox, "tiny_v2")
    assert isinstance(erp, Live)
    await erp.order("1001", LINES, **canary.PERSON)
    await erp.export()
    order_id = (await erp.bound("1001")).external_id
    words = f'"cliente": {{"nome": "{canary.PERSON["buyer_name"]}", "cpfCnpj": "{canary.CPF}"}}'
    event = f'{{"tipo": "atualizacao_pedido", "dados": {{"id": "{order_id}", {words}}}}}'
    draining = asyncio.create_task(drain_inbox())
    await _until_it_lives(db)
    assert await drain_inbox() == [], "another drain lives"
    for situation, stage in (("preparando_envio", "preparing"), ("enviado", "shipped")):
        erp.edit(order_id, situacao=situation)
        await _tell(erp, "pedidos", event)
        async with asyncio.timeout(20):
            while (await erp.known("1001")).stage != stage:
                await asyncio.sleep(0.02)
    (summary,) = await draining
    assert (summary.outcome, summary.tally.changed) == ("done", 2)
    assert await erp.states() == {"done"}

    runs = await seen.runs_of(prefect_client, "drain-inbox")
    # Task runs are recorded a while after they ended: those of a later run are there, so the drain's would be.
    await track_orders(erp.id)
    assert await seen.recorded_tasks(prefect_client, (await seen.runs_of(prefect_client, "track-orders"))[-1:])
    assert await seen.tasks_of(prefect_client, runs) == [], "a task run for each event costs more than the event"
    assert any(artifact.key == "drain-inbox" for artifact in await seen.artifacts_of(prefect_client, runs))
    for text in await seen.texts_of(prefect_client, runs):
        assert not canary.found_in(text, (*canary.WORDS, "demo-token")), text


async def test_an_event_stored_at_the_very_end_of_a_drain_is_seen_to_by_it(
    db: Database, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESTEIRA_INBOX_QUIET_S", "0.2")
    settings.cache_clear()
    erp = await Live.open(db, sandbox, "tiny_v2")
    assert isinstance(erp, Live)
    told = False
    due = inbox.due

    async def late(session: object) -> list[str]:
        """What the last look finds came just before it, when the web app still saw this drain alive."""
        nonlocal told
        async with db.read() as look:
            alive = await leases.is_held(look, PATH)
        if not alive and not told:
            told = True
            await _tell(erp, "estoque", '{"tipo": "estoque", "dados": {"idProduto": 1}}')
        async with db.read() as fresh:
            return await due(fresh)

    monkeypatch.setattr("hub.inbox.due", late)
    await drain_inbox()
    assert told
    assert await erp.states() == {"done"}


async def _asked(bell: Bell, minute: int) -> None:
    """Asked for once there is an answer: a busy server on SQLite says 503 at times, and the bell asks again then."""
    async with asyncio.timeout(30):
        while (state := await bell._ask(minute, set())) == "":
            await asyncio.sleep(0.1)
    assert state == "SCHEDULED"


async def test_without_a_worker_one_run_waits_however_often_the_bell_asks(
    db: Database, prefect_server: str, prefect_client: PrefectClient
) -> None:
    """Asked under a key of its own each time, as the bell does from one minute to the next."""
    deployment = await prefect_client.create_deployment(await prefect_client.create_flow(drain_inbox), name=PATH)
    bell = Bell(db, prefect_server)
    now = time.time_ns()  # the server knows the keys of the tests before
    for minute in range(5):
        await _asked(bell, now + minute)
    filters = FlowRunFilter.model_validate({"deployment_id": {"any_": [deployment]}})
    (run,) = await prefect_client.read_flow_runs(flow_run_filter=filters)
    await prefect_client.set_flow_run_state(run.id, Pending(), force=True)
    await _asked(bell, now + 5)
    assert len(await prefect_client.read_flow_runs(flow_run_filter=filters)) == 2, "one is taken, perhaps for good"
    await prefect_client.delete_deployment(deployment)
