"""Makes a running Prefect server ours: work pool, deployments, automations; run as `python -m deployments.provision`.

A process of its own, because Prefect reads its settings once, at import, and because the supervisor stays small
without it. Everything may be repeated: what is there and right is left alone.
"""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import prefect
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter, WorkPoolFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events import Event, Resource
from prefect.events.clients import get_events_client
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.settings import get_current_settings
from prefect.states import Cancelled

from deployments import automations

POOL = "esteira"
PAGE = 200
DEPLOY_S = 120


class DeployFailed(RuntimeError):
    """`prefect deploy --all` did not end well; the text holds what it said."""


async def provision(root: Path, record: Path) -> None:
    """Make the work pool, the deployments of `root/prefect.yaml` and the automations; skip what was missed.

    Args:
        root: the folder of `prefect.yaml` and `flows/`.
        record: the file that remembers what was deployed last.

    Raises:
        DeployFailed: Prefect refused the deployments.
    """
    async with get_client() as client:
        await ensure_pool(client)
        if await deploy_if_changed(client, root, record):
            print("deployments registered")
        else:
            print("deployments unchanged")
        await automations.ensure(client)
        await watch_unfinished(client)
        skipped = await skip_missed(client)
        if skipped:
            print(f"{skipped} runs that were missed while nothing ran are skipped: a later one does their work")


async def ensure_pool(client: PrefectClient) -> None:
    """Make the process work pool `esteira`, unless it is there."""
    try:
        await client.read_work_pool(POOL)
    except ObjectNotFound:
        try:
            await client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        except ObjectAlreadyExists:
            # Made by another process in between: as good.
            return


async def deploy_if_changed(client: PrefectClient, root: Path, record: Path) -> bool:
    """Deploy all of `prefect.yaml` if it or a flow has changed, or a deployment is gone; tell whether it was done.

    Not each time: a deploy sets the parameters that ops changed back. Nor does it leave a paused deployment paused,
    so those are paused again here.
    """
    fingerprint = _fingerprint(root)
    deployed = await _read_deployments(client)
    present = sorted(str(deployment.id) for deployment in deployed)
    if present and _read_record(record) == {"fingerprint": fingerprint, "deployments": present}:
        return False
    paused = [deployment.id for deployment in deployed if deployment.paused]
    await asyncio.to_thread(_deploy_all, root)
    for deployment_id in paused:
        await client.pause_deployment(deployment_id)
    deployed = await _read_deployments(client)
    await asyncio.to_thread(_import_flows, root, [each.entrypoint for each in deployed if each.entrypoint])
    present = sorted(str(deployment.id) for deployment in deployed)
    _write_record(record, {"fingerprint": fingerprint, "deployments": present})
    return True


async def watch_unfinished(client: PrefectClient) -> int:
    """Have the zombie automation watch every run that is said to be at work; count them.

    It watches a run from its last heartbeat on, and forgets that when it is changed, or when the server is killed
    before it has written it down: a run that was going then would run for ever, and one that was about to begin would
    hold its slot for ever. A heartbeat in their name starts the watch anew: who lives sends the next one himself.
    """
    unfinished = await _read_runs(
        client, {"state": {"type": {"any_": [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]}}}
    )
    async with get_events_client() as events:
        for run in unfinished:
            resource = Resource.model_validate({"prefect.resource.id": f"prefect.flow-run.{run.id}"})
            await events.emit(Event(event=automations.HEARTBEAT, resource=resource))
    return len(unfinished)


async def skip_missed(client: PrefectClient) -> int:
    """Cancel the scheduled runs that fell due while nothing ran, save the newest of each deployment; count them.

    Prefect would start all of them at once: sixteen for a path of every half hour after a night switched off. A pull
    reads all that changed since the last one, so one run does the work of sixteen. Runs that a person asked for stay.
    """
    missed: defaultdict[UUID | None, list[FlowRun]] = defaultdict(list)
    due = {
        "state": {"type": {"any_": [StateType.SCHEDULED]}},
        "next_scheduled_start_time": {"before_": datetime.now(UTC)},
    }
    for run in await _read_runs(client, due):
        if run.auto_scheduled:
            missed[run.deployment_id].append(run)
    skipped = 0
    for runs in missed.values():
        runs.sort(key=_due_at)
        for run in runs[:-1]:
            await client.set_flow_run_state(
                run.id, Cancelled(message="Skipped: missed, and a later run does its work.")
            )
            skipped += 1
    return skipped


def _due_at(run: FlowRun) -> datetime:
    return run.next_scheduled_start_time or run.expected_start_time or datetime.now(UTC)


async def _read_runs(client: PrefectClient, wanted: dict[str, object]) -> list[FlowRun]:
    found: list[FlowRun] = []
    filter_ = FlowRunFilter.model_validate(wanted)
    while page := await client.read_flow_runs(
        flow_run_filter=filter_, sort=FlowRunSort.ID_DESC, limit=PAGE, offset=len(found)
    ):
        found.extend(page)
    return found


async def _read_deployments(client: PrefectClient) -> list[DeploymentResponse]:
    return await client.read_deployments(
        work_pool_filter=WorkPoolFilter.model_validate({"name": {"any_": [POOL]}}),
        deployment_filter=DeploymentFilter.model_validate({"tags": {"all_": ["esteira"]}}),
    )


def _fingerprint(root: Path) -> str:
    """What the stored deployments depend on: the file, the flows (whose signature is stored), place and version."""
    digest = hashlib.sha256(f"{root}\n{prefect.__version__}\n".encode())
    for path in [root / "prefect.yaml", *sorted((root / "flows").glob("**/*.py"))]:
        digest.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _read_record(record: Path) -> object:
    try:
        return json.loads(record.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        # Cut off by a crash, or never written: deploy.
        return None


def _write_record(record: Path, deployed: object) -> None:
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(json.dumps(deployed))


def _deploy_all(root: Path) -> None:
    done = _run(root, "-m", "prefect", "--no-prompt", "deploy", "--all")
    if done.returncode != 0:
        raise DeployFailed(f"`prefect deploy --all` ended with exit code {done.returncode}:\n{done.stdout.strip()}")


def _import_flows(root: Path, entrypoints: list[str]) -> None:
    """`prefect deploy` takes a flow that cannot be imported without a word, if it can read its signature.

    Every run of it would end as Crashed. Better to hear it now.
    """
    script = (
        "import sys; from prefect.flows import load_flow_from_entrypoint;"
        "[load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False) for entrypoint in sys.argv[1:]]"
    )
    done = _run(root, "-c", script, *entrypoints)
    if done.returncode != 0:
        raise DeployFailed(f"a flow of {', '.join(entrypoints)} cannot be imported:\n{done.stdout.strip()}")


def _run(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    # Also what was set in this process only, as a test does.
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, **settings, "ESTEIRA_ROOT": str(root)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=DEPLOY_S,
    )


def main() -> None:
    """Provision the server that PREFECT_API_URL names, from the environment that `prefect_env` makes."""
    record = Path(os.environ["PREFECT_HOME"]) / "deployed.json"
    try:
        asyncio.run(provision(Path(os.environ["ESTEIRA_ROOT"]), record))
    except DeployFailed as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
