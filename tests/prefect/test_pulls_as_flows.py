"""The pulls as real flow runs on a real Prefect server: what ops see of them, and what must not be seen."""

from collections.abc import Iterator
from typing import Any

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun

from flows.pull_catalog import pull_catalog
from flows.pull_stock import pull_stock
from hub.settings import settings
from tasks.paths import PathFailed
from tests.contract.conftest import sandbox, served
from tests.contract.subjects import Sandbox
from tests.flows.conftest import _keys
from tests.flows.shop import Shop
from tests.prefect import seen

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
    tasks = await seen.recorded_tasks(prefect_client, [run])
    assert [task.name.rpartition("-")[0] for task in tasks] == ["read and apply products"], (
        "one batch, not a task a product"
    )
    (artifact,) = await seen.artifacts_of(prefect_client, [run])
    assert artifact.key == "pull-catalog" and shop.id in str(artifact.data)
    (report,) = await shop.reports()
    assert report.flow_run_id == str(run.id) and report.created == summary.tally.created


async def test_an_idle_pull_costs_no_task(shop: Shop, prefect_client: PrefectClient) -> None:
    await shop.pull_catalog()
    await pull_catalog(shop.id)
    idle = await _last(prefect_client, "pull-catalog")
    # Task runs are recorded a while after they ended: those of a later run are there, so these would be.
    await pull_stock(shop.id)
    assert await seen.recorded_tasks(prefect_client, [await _last(prefect_client, "pull-stock")])
    assert not await seen.tasks_of(prefect_client, [idle])


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
    runs = await seen.runs_of(prefect_client, shop.id)
    assert await seen.recorded_tasks(prefect_client, runs)
    shown = " ".join(await seen.texts_of(prefect_client, runs))
    for secret in ("demo-token", "Caneca", "Camiseta", "Loja Demo"):
        assert secret not in shown


async def _last(client: PrefectClient, prefix: str) -> FlowRun:
    return (await seen.runs_of(client, prefix))[-1]
