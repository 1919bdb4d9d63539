"""What a Prefect server holds of our runs. It serves one file after the other, so everything is asked for page by page,
and what it writes down a while after it happened is awaited."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import ArtifactFilter, LogFilter, TaskRunFilter
from prefect.client.schemas.objects import Artifact, FlowRun, Log, TaskRun
from prefect.logging.handlers import APILogHandler

T = TypeVar("T")
PAGE = 200
"""The most that the server answers with."""


async def runs_of(client: PrefectClient, word: str) -> list[FlowRun]:
    """The flow runs with that in their name, the newest last."""
    found = [run for run in await _all(client.read_flow_runs) if word in run.name]
    return sorted(found, key=lambda run: run.created or run.expected_start_time)  # type: ignore[arg-type,return-value]


async def tasks_of(client: PrefectClient, runs: Sequence[FlowRun]) -> list[TaskRun]:
    """The task runs that are recorded by now."""
    return await _all(client.read_task_runs, task_run_filter=TaskRunFilter.model_validate(_of(runs)))


async def recorded_tasks(client: PrefectClient, runs: Sequence[FlowRun]) -> list[TaskRun]:
    """The task runs, once the server has recorded any: it does so a while after they ended."""
    async with asyncio.timeout(30):
        while not (found := await tasks_of(client, runs)):
            await asyncio.sleep(0.1)
    return found


async def artifacts_of(client: PrefectClient, runs: Sequence[FlowRun]) -> list[Artifact]:
    return await _all(client.read_artifacts, artifact_filter=ArtifactFilter.model_validate(_of(runs)))


async def logs_of(client: PrefectClient, runs: Sequence[FlowRun]) -> list[Log]:
    await APILogHandler.aflush()
    return await _all(client.read_logs, log_filter=LogFilter.model_validate(_of(runs)))


async def texts_of(client: PrefectClient, runs: Sequence[FlowRun]) -> list[str]:
    """All that the server holds of these runs, as it would show it."""
    held = [*runs, *await logs_of(client, runs), *await artifacts_of(client, runs), *await tasks_of(client, runs)]
    return [each.model_dump_json() for each in held]


def _of(runs: Sequence[FlowRun]) -> dict[str, Any]:
    return {"flow_run_id": {"any_": [run.id for run in runs]}}


async def _all(read: Callable[..., Awaitable[Sequence[T]]], **asked: Any) -> list[T]:
    found: list[T] = []
    while True:
        page = await read(**asked, limit=PAGE, offset=len(found))
        found += page
        if len(page) < PAGE:
            return found
