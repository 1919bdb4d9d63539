"""`prefect.yaml` and what `esteira up` does with it, on a real server; the flows are stand-ins with the signature."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.responses import DeploymentResponse
from prefect.states import Scheduled

from deployments import provision
from deployments.prefect_env import ROOT

FLOW = '''from prefect import flow


@flow(name="{name}")
async def {function}(connection: str | None = None, dry_run: bool = False) -> list[str]:
    """Stand-in."""
    return []
'''


PATHS = (
    ("pull-catalog", "path:catalog"),
    ("pull-stock", "path:stock"),
    ("pull-invoices", "path:invoices"),
    ("push-products", "path:products"),
    ("export-orders", "path:orders"),
    ("track-orders", "path:progress"),
    ("drain-inbox", "path:inbox"),
    ("keep-alive", "path:consents"),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    shutil.copy(ROOT / "prefect.yaml", folder)
    (folder / "flows").mkdir()
    for name, _ in PATHS:
        function = name.replace("-", "_")
        (folder / "flows" / f"{function}.py").write_text(FLOW.format(name=name, function=function))
    return folder


@pytest.fixture
def record(root: Path) -> Iterator[Path]:
    return root / "deployed.json"


@pytest.fixture
async def deployed(prefect_client: PrefectClient, root: Path, record: Path) -> PrefectClient:
    await provision.ensure_pool(prefect_client)
    await provision.deploy_if_changed(prefect_client, root, record)
    return prefect_client


async def named(client: PrefectClient, name: str) -> DeploymentResponse:
    return await client.read_deployment_by_name(f"{name}/{name}")


async def test_the_paths_are_deployed_as_ops_find_them(deployed: PrefectClient, root: Path) -> None:
    for name, tag in PATHS:
        found = await named(deployed, name)
        assert found.work_pool_name == "esteira"
        assert set(found.tags) == {"esteira", tag, "autorerun"}
        assert found.parameters == {"connection": None, "dry_run": False}
        assert found.description
        assert found.entrypoint == f"flows/{name.replace('-', '_')}.py:{name.replace('-', '_')}"
        (schedule,) = found.schedules
        assert schedule.schedule.timezone == "America/Sao_Paulo"
        assert schedule.slug
        # Filled in when deploying: no machine's folder stands in the file.
        assert found.pull_steps == [{"prefect.deployments.steps.set_working_directory": {"directory": str(root)}}]


async def test_ops_may_run_one_connection_beside_the_scheduled_run(deployed: PrefectClient) -> None:
    found = await named(deployed, "pull-catalog")
    assert found.global_concurrency_limit is not None
    assert found.global_concurrency_limit.limit > 1
    assert found.concurrency_options is not None
    assert found.concurrency_options.collision_strategy == "ENQUEUE"


async def test_deployed_again_only_when_something_changed(deployed: PrefectClient, root: Path, record: Path) -> None:
    assert not await provision.deploy_if_changed(deployed, root, record)
    flow = root / "flows" / "pull_stock.py"
    flow.write_text(flow.read_text() + "\n# another line\n")
    assert await provision.deploy_if_changed(deployed, root, record)
    assert not await provision.deploy_if_changed(deployed, root, record)


async def test_a_deployment_that_is_gone_is_made_again_although_no_file_changed(
    deployed: PrefectClient, root: Path, record: Path
) -> None:
    await deployed.delete_deployment((await named(deployed, "pull-stock")).id)
    assert await provision.deploy_if_changed(deployed, root, record)
    assert await named(deployed, "pull-stock")


async def test_what_ops_paused_stays_paused_over_a_deploy(deployed: PrefectClient, root: Path, record: Path) -> None:
    catalog = await named(deployed, "pull-catalog")
    await deployed.pause_deployment(catalog.id)
    record.unlink()
    assert await provision.deploy_if_changed(deployed, root, record)
    assert (await named(deployed, "pull-catalog")).paused
    assert not (await named(deployed, "pull-stock")).paused
    await deployed.resume_deployment(catalog.id)


async def test_a_flow_that_cannot_be_imported_is_told_with_its_reason(
    deployed: PrefectClient, root: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "root"
    shutil.copytree(root, broken)
    flow = broken / "flows" / "pull_stock.py"
    flow.write_text(f"{flow.read_text()}\nraise RuntimeError('the key is missing')\n")
    with pytest.raises(provision.DeployFailed, match="the key is missing"):
        await provision.deploy_if_changed(deployed, broken, tmp_path / "deployed.json")


async def test_of_the_runs_that_were_missed_the_newest_is_left(deployed: PrefectClient) -> None:
    catalog = await named(deployed, "pull-catalog")
    now = datetime.now(UTC)
    by_hand = await deployed.create_flow_run_from_deployment(
        catalog.id, state=Scheduled(scheduled_time=now - timedelta(hours=5))
    )
    # As the scheduler had done before the machine was switched off for three hours.
    hours = {"start_time": (now - timedelta(hours=3)).isoformat(), "end_time": now.isoformat(), "min_runs": 6}
    (await deployed._client.post(f"/deployments/{catalog.id}/schedule", json=hours)).raise_for_status()

    assert await provision.skip_missed(deployed) == 5
    assert await provision.skip_missed(deployed) == 0

    runs = await deployed.read_flow_runs(
        deployment_filter=DeploymentFilter.model_validate({"id": {"any_": [catalog.id]}}),
        flow_run_filter=FlowRunFilter.model_validate({"expected_start_time": {"before_": now}}),
    )
    left = [run for run in runs if run.state_name != "Cancelled"]
    assert len(runs) == 7
    assert by_hand.id in {run.id for run in left}
    (newest,) = [run for run in left if run.auto_scheduled]
    assert newest.expected_start_time == max(run.expected_start_time for run in runs if run.auto_scheduled)
