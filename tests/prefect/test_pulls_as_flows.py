"""The pulls as real flow runs on a real Prefect server: what ops see of them, and what must not be seen."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactFilter, FlowRunFilter, LogFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun, TaskRun

from flows.pull_catalog import pull_catalog
from flows.pull_stock import pull_stock
from hub.settings import settings
from tasks.paths import PathFailed
from tests.contract.conftest import sandbox, served
from tests.contract.subjects import Sandbox
from tests.flows.conftest import _keys
from tests.flows.shop import Shop

__all__ = ["_keys", "sandbox", "served"]

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def on_this_database(database_url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Flows open the database that the settings name."""
    monkeypatch.setenv("ESTEIRA_DATABASE_URL", database_url)
    monkeypatch.setenv("ESTEIRA_READ_TIMEOUT_S", "10")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.fixture
async def shop(db: Any, sandbox: Sandbox, on_this_database: None) -> Shop:
    return await Shop.connect(db, sandbox, "tiny_v2", features={"update_lists": True})


async def test_a_pull_is_a_run_with_its_table_its_name_and_one_task_a_batch(
    shop: Shop, prefect_client: PrefectClient
) -> None:
    (summary,) = await pull_catalog(shop.id)
    assert summary.outcome == "done"
    run = await _last(prefect_client, "pull-catalog")
    assert run.name == f"pull-catalog · {shop.id}" and run.state is not None and run.state.is_completed()
    tasks = await _recorded_tasks(prefect_client, run)
    assert [task.name[:23] for task in tasks] == ["read and apply products"], "one batch, not a task a product"
    (artifact,) = await prefect_client.read_artifacts(
        artifact_filter=ArtifactFilter.model_validate({"flow_run_id": {"any_": [run.id]}})
    )
    assert artifact.key == "pull-catalog" and shop.id in str(artifact.data)
    (report,) = await shop.reports()
    assert report.flow_run_id == str(run.id) and report.created == summary.tally.created


async def test_an_idle_pull_costs_no_task(shop: Shop, prefect_client: PrefectClient) -> None:
    await shop.pull_catalog()
    await pull_catalog(shop.id)
    idle = await _last(prefect_client, "pull-catalog")
    # Task runs are recorded a while after they ended: those of a later run are there, so these would be.
    await pull_stock(shop.id)
    assert await _recorded_tasks(prefect_client, await _last(prefect_client, "pull-stock"))
    assert not await _tasks(prefect_client, idle)


async def test_a_named_connection_that_fails_is_a_failed_run_with_the_reason(
    shop: Shop, sandbox: Sandbox, prefect_client: PrefectClient
) -> None:
    sandbox.account(token="another-token")
    with pytest.raises(PathFailed, match=shop.id):
        await pull_stock(shop.id)
        await pull_catalog(shop.id)
    run = await _last(prefect_client, "pull-")
    assert run.state is not None and run.state.is_failed()


async def test_prefect_holds_no_token_no_payload_and_no_name(shop: Shop, prefect_client: PrefectClient) -> None:
    await pull_catalog(shop.id)
    await pull_stock(shop.id)
    runs = await prefect_client.read_flow_runs(flow_run_filter=FlowRunFilter())
    logs = await prefect_client.read_logs(
        log_filter=LogFilter.model_validate({"flow_run_id": {"any_": [run.id for run in runs]}}), limit=200
    )
    artifacts = await prefect_client.read_artifacts()
    seen = " ".join(
        [*(run.model_dump_json() for run in runs), *(a.model_dump_json() for a in artifacts), *map(str, logs)]
    )
    for secret in ("demo-token", "Caneca", "Camiseta", "Loja Demo"):
        assert secret not in seen


async def _recorded_tasks(client: PrefectClient, run: FlowRun) -> list[TaskRun]:
    """The task runs of a flow run, once the server has recorded any."""
    async with asyncio.timeout(30):
        while not (found := await _tasks(client, run)):
            await asyncio.sleep(0.1)
    return found


async def _tasks(client: PrefectClient, run: FlowRun) -> list[TaskRun]:
    mine = TaskRunFilter.model_validate({"flow_run_id": {"any_": [run.id]}})
    return list(await client.read_task_runs(task_run_filter=mine))


async def _last(client: PrefectClient, prefix: str) -> FlowRun:
    runs = await client.read_flow_runs(flow_run_filter=FlowRunFilter())
    mine = [run for run in runs if run.name.startswith(prefix)]
    return max(mine, key=lambda run: run.created or run.expected_start_time)  # type: ignore[type-var,return-value]
