"""`track-orders` as a real flow run on a real Prefect server: what it does, and what must not be seen of it there."""

from collections.abc import Iterator

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter, LogFilter
from prefect.logging.handlers import APILogHandler

from flows.track_orders import track_orders
from hub.db import Database
from hub.settings import settings
from tests.contract.conftest import sandbox, served
from tests.contract.subjects import Sandbox
from tests.flows import canary
from tests.flows.conftest import _keys
from tests.flows.postman import Postman, postman
from tests.flows.trade import LINES, Trade

__all__ = ["_keys", "postman", "sandbox", "served"]

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(autouse=True)
def _on_this_database(database_url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ESTEIRA_DATABASE_URL", database_url)
    monkeypatch.setenv("ESTEIRA_TINY_SEARCH_LAG_S", "0")
    settings.cache_clear()
    yield
    settings.cache_clear()


async def test_an_order_moves_on_its_buyer_is_told_and_prefect_is_not(
    db: Database, sandbox: Sandbox, postman: Postman, prefect_client: PrefectClient
) -> None:
    erp = await Trade.open(db, sandbox, "tiny_v2", mail_shipped=True)
    await erp.order("1001", LINES, **canary.PERSON)
    await erp.order("1002", LINES, **canary.PERSON)
    await erp.export()
    for number in ("1001", "1002"):
        tracking = {"codigo": f"BR{number}", "url": f"https://rastreio.example/BR{number}"}
        erp.edit((await erp.bound(number)).external_id, situacao="enviado", tracking=tracking)
    postman.answers = {"RCPT": [f"550 <{canary.PERSON['email']}> unknown"]}
    (shown,) = await track_orders(erp.id, dry_run=True)
    assert (shown.tally.changed, postman.asked) == (2, [])
    (summary,) = await track_orders(erp.id)
    assert (summary.outcome, summary.tally.changed) == ("done", 2)
    assert (await erp.known("1001")).stage == "shipped"
    assert postman.asked == [canary.PERSON["email"]] * 2
    assert len(postman.taken) == 1
    assert await erp.told() == ["mail.failed"]

    await APILogHandler.aflush()
    every = await prefect_client.read_flow_runs(flow_run_filter=FlowRunFilter())
    runs = [run for run in every if run.name == f"track-orders · {erp.id}"]
    assert runs
    logs = await prefect_client.read_logs(
        log_filter=LogFilter.model_validate({"flow_run_id": {"any_": [run.id for run in runs]}}), limit=200
    )
    assert any("e-mails: 1 failed, 1 sent" in log.message for log in logs)
    artifacts, tasks = await prefect_client.read_artifacts(), await prefect_client.read_task_runs()
    assert any(task.name.startswith("read how orders stand") for task in tasks)
    words = (*canary.WORDS, *await canary.secrets(erp), "demo-token", "rastreio.example")
    for held in (*runs, *logs, *artifacts, *tasks):
        text = held.model_dump_json()
        assert not canary.found_in(text, words), text
