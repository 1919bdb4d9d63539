"""The automations on a real server: what they do to a run, and that making them twice makes them once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event
from prefect.states import Completed, Crashed, Running, Scheduled

from deployments import automations, provision

LEAST = timedelta(seconds=10)
"""Prefect takes no shorter time for what did not happen."""


@flow(name="invented")
async def invented() -> None:
    """Never run: the tests say what becomes of its runs."""


async def schedule(client: PrefectClient, *tags: str) -> UUID:
    """A run of a deployment: the server reruns no other."""
    flow_id = await client.create_flow(invented)
    deployment_id = await client.create_deployment(flow_id, name="invented")
    return (await client.create_flow_run_from_deployment(deployment_id, tags=tags)).id


async def begin(client: PrefectClient, *tags: str) -> UUID:
    run = await schedule(client, *tags)
    await client.set_flow_run_state(run, Running(), force=True)
    return run


def beat(run: UUID) -> None:
    emit_event(event=automations.HEARTBEAT, resource={"prefect.resource.id": f"prefect.flow-run.{run}"})


async def until(condition: Callable[[], Awaitable[bool]], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.2)


async def silent_until(condition: Callable[[], Awaitable[bool]], speak: Callable[[], Awaitable[None]]) -> None:
    """Speak, then be silent until it is noticed; again where it was not: a server on SQLite loses an event at times."""
    for left in (2, 1, 0):
        await speak()
        try:
            await until(condition, 25)
            break
        except TimeoutError:
            if not left:
                raise


async def state(client: PrefectClient, run: UUID) -> str:
    return (await client.read_flow_run(run)).state_name or ""


@pytest.fixture
async def made(prefect_client: PrefectClient) -> PrefectClient:
    await automations.ensure(prefect_client, zombie_after=LEAST, rerun_after=LEAST)
    return prefect_client


async def test_made_twice_they_are_there_once_and_hold_the_newest(prefect_client: PrefectClient) -> None:
    await automations.ensure(prefect_client)
    await automations.ensure(prefect_client, zombie_after=timedelta(seconds=45))
    present = await prefect_client.read_automations()
    assert sorted(each.name for each in present) == ["rerun-crashed", "zombies-to-crashed"]
    (zombies,) = await prefect_client.read_automations_by_name(automations.ZOMBIES)
    assert zombies.trigger.within == timedelta(seconds=45)


async def test_unchanged_ones_are_left_alone(prefect_client: PrefectClient, monkeypatch: pytest.MonkeyPatch) -> None:
    await automations.ensure(prefect_client)

    async def refuse(*_: object) -> None:
        raise AssertionError("nothing had changed")

    monkeypatch.setattr(prefect_client, "update_automation", refuse)
    monkeypatch.setattr(prefect_client, "create_automation", refuse)
    await automations.ensure(prefect_client)


async def test_one_that_ops_switched_off_stays_off(prefect_client: PrefectClient) -> None:
    await automations.ensure(prefect_client)
    (reruns,) = await prefect_client.read_automations_by_name(automations.RERUNS)
    await prefect_client.pause_automation(reruns.id)
    try:
        await automations.ensure(prefect_client, rerun_after=timedelta(seconds=77))
        (again,) = await prefect_client.read_automations_by_name(automations.RERUNS)
        assert (again.enabled, again.trigger.within) == (False, timedelta(seconds=77))
    finally:
        await prefect_client.resume_automation(reruns.id)


async def test_a_silent_run_crashes_and_begins_again_and_the_others_are_left(made: PrefectClient) -> None:
    """All cases in one test, because each waits the 10 s that Prefect asks for at least."""
    zombie = await begin(made, automations.AUTORERUN_TAG)
    untagged = await begin(made)
    finished = await begin(made, automations.AUTORERUN_TAG)
    never_began = await schedule(made, automations.AUTORERUN_TAG)
    worn_out = await begin(made, automations.AUTORERUN_TAG)
    for _ in range(automations.MOST_RUNS - 1):
        # Not through Crashed: that starts the clock, and only the event of the next Running stops it, which a server
        # on SQLite drops when the database stays locked. Then the run began again, and the test blamed the run count.
        await made.set_flow_run_state(worn_out, Scheduled(), force=True)
        await made.set_flow_run_state(worn_out, Running(), force=True)
    assert (await made.read_flow_run(worn_out)).run_count == automations.MOST_RUNS

    beat(finished)
    await made.set_flow_run_state(finished, Completed())
    await made.set_flow_run_state(worn_out, Crashed())
    await made.set_flow_run_state(never_began, Crashed())

    async def last_heard_of() -> None:
        beat(untagged)
        # The zombie's last heartbeat was forgotten: `esteira up` puts every unfinished run under watch when it starts.
        assert await provision.watch_unfinished(made) >= 1

    await silent_until(lambda: is_(made, untagged, "Crashed"), last_heard_of)
    assert "No heartbeat for 10 s" in ((await read(made, untagged)).state.message or "")
    await until(lambda: is_(made, zombie, "AwaitingRetry"), 40)

    assert await state(made, untagged) == "Crashed"
    assert await state(made, finished) == "Completed"
    # A flow that cannot be imported ends like this; started again it would never end.
    assert await state(made, never_began) == "Crashed"
    assert await state(made, worn_out) == "Crashed"


async def is_(client: PrefectClient, run: UUID, name: str) -> bool:
    return await state(client, run) == name


async def read(client: PrefectClient, run: UUID) -> FlowRun:
    return await client.read_flow_run(run)
