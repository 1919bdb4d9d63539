"""Run a path for every connection that it is due for, or for the one that ops named."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from prefect.artifacts import acreate_table_artifact
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.runtime import flow_run

from hub import connections
from hub.db import Database
from hub.migrate import is_current
from hub.settings import settings
from hub.start import open_hub
from hub.tables import Connection
from providers.registry import kinds_with
from tasks.work import Run, Summary, Work, run_logger

MOST_RUNS = 3
"""A crashed run comes back by itself (an automation of ours); one that crashed this often stays down."""


class PathFailed(Exception):
    """At least one connection failed; the text names each with its reason. `summaries` are of those that ended."""

    def __init__(self, text: str, summaries: Sequence[Summary] = ()) -> None:
        super().__init__(text)
        self.summaries = tuple(summaries)


async def run_path(
    path: str,
    needs: type,
    steps: Callable[[Work], Awaitable[None]],
    connection: str | None,
    *,
    wanted: Callable[[Connection], bool],
    dry_run: bool,
    db: Database | None = None,
) -> list[Summary]:
    """Run `steps` for each connection, many at a time, and leave a table in Prefect.

    `needs` is the capability that the provider must have, `wanted` the policy's word on it. Raises PathFailed when the
    named connection failed; of many, one merchant's refused token is that merchant's notice, not a red run for ops.
    """
    stop_after_too_many_crashes(path)
    hub_db = db or await opened()
    try:
        run = Run(hub_db, path, steps, dry_run, flow_run_id=flow_run_id(), log=run_logger())
        chosen = await _chosen(hub_db, connection, needs, wanted, run)
        room = asyncio.Semaphore(settings().connections_at_once)

        async def one(target: Connection) -> Summary | Exception:
            async with room:
                try:
                    return await run.for_connection(target)
                except Exception as error:  # a bug met with one merchant must not stop the other 499
                    run.log.exception("%s: %s broke", target.id, path)
                    return error

        ended = await asyncio.gather(*(one(target) for target in chosen))
    finally:
        if db is None:
            await hub_db.close()
    summaries = [end for end in ended if isinstance(end, Summary)]
    await publish(path, summaries)
    broken = [
        f"{c.id}: {type(e).__name__}: {e}" for c, e in zip(chosen, ended, strict=True) if isinstance(e, Exception)
    ]
    failed = [f"{s.connection}: {s.detail}" for s in summaries if s.outcome == "failed"]
    if broken or (connection is not None and failed):
        raise PathFailed("; ".join(broken + failed), summaries)
    return summaries


def run_name(path: str) -> Callable[[], str]:
    """How Prefect shows a run: `pull-catalog · loja-sol-tiny`, or `pull-catalog · all`."""
    return lambda: f"{path} · {flow_run.parameters.get('connection') or 'all'}"


async def opened() -> Database:
    """The hub's database. Raises PathFailed when it is not at the newest schema."""
    if not await is_current(settings().database):
        raise PathFailed("the hub's database is not at the newest schema; run: esteira migrate")
    return open_hub()


async def _chosen(
    db: Database, named: str | None, needs: type, wanted: Callable[[Connection], bool], run: Run
) -> list[Connection]:
    kinds = kinds_with(needs)
    async with db.read() as session:
        if named is None:
            return [c for c in await connections.active(session, kinds) if wanted(c)]
        found = await connections.find(session, named)
    if found.kind not in kinds:
        raise PathFailed(f"{named} is of kind {found.kind!r}, which cannot do this; valid are {sorted(kinds)}")
    if found.state in connections.OFF:
        raise PathFailed(f"{named} is {found.state!r}; make it work first: esteira check --connection {named}")
    if not wanted(found):
        raise PathFailed(f"the policy of {named} says no to {run.path}; change it: esteira policy {named} KEY=VALUE")
    return [found]


async def publish(path: str, summaries: list[Summary]) -> None:
    """A table of the run in Prefect: ids and counts, never names, documents or tokens."""
    if FlowRunContext.get() is None:
        return
    rows: list[dict[str, Any]] = [
        {
            "connection": s.connection,
            "outcome": s.outcome,
            "mode": s.tally.mode,
            "read": s.tally.read,
            "created": s.tally.created,
            "changed": s.tally.changed,
            "unchanged": s.tally.unchanged,
            "failed": s.tally.failed,
            "calls": s.tally.calls,
            "seconds": round(s.tally.seconds, 1),
            "longest wait, s": s.tally.extra.get("longest_wait_s", ""),
            "quota share": "no limit" if (share := s.tally.share(s.per_minute)) is None else str(share),
        }
        for s in summaries
    ]
    await acreate_table_artifact(table=rows, key=path, description=f"What `{path}` did for each connection.")  # type: ignore[misc]


def stop_after_too_many_crashes(path: str) -> None:
    """Raise PathFailed in a run that has crashed too often."""
    if FlowRunContext.get() is not None and (count := flow_run.run_count or 0) > MOST_RUNS:
        raise PathFailed(f"{path} was begun {count} times and never ended; look into the logs before rerunning it")


async def ask_for_next_run() -> None:
    """Ask for another run of this run's deployment, to begin at once: one that has lived long enough leaves work."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None or context.flow_run.deployment_id is None:
        return
    async with get_client() as client:
        await client.create_flow_run_from_deployment(
            context.flow_run.deployment_id,
            # Asked for once, also where this run is begun again after a crash.
            idempotency_key=f"after-{context.flow_run.id}",
        )


def flow_run_id() -> str:
    """The id of the flow run that this is, '' outside one."""
    return str(flow_run.id or "") if FlowRunContext.get() is not None else ""
