"""A path run by hand: as a flow run where Prefect's server is up, as plain functions elsewhere."""

import importlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import httpx

from deployments.commands import _shown as shown
from deployments.commands._hub import find, opened, prepare_prefect
from deployments.errors import Fault
from hub import connections, texts
from hub.notices import WHOLE_CONNECTION, standing_notices

if TYPE_CHECKING:
    from tasks.work import Summary

MOST_ROWS = 50
"""Changes that a dry run shows in its table; --json has them all."""


async def run(path: str, connection: str | None, *, dry_run: bool, as_json: bool) -> int:
    """Run the path and show what it did. Returns the exit code: 1 when any connection failed."""
    async with opened() as db:
        if connection is not None:
            await find(db, connection)
        else:
            async with db.read() as session:
                if not await connections.active(session):
                    raise Fault("no connection is active: esteira connect tiny --merchant NAME, or esteira check")
    prepare_prefect()
    flow = _flow(path)
    run_it: Callable[..., Awaitable[list[Summary]]] = flow if await prefect_answers() else flow.fn
    from tasks.paths import PathFailed  # noqa: PLC0415 imports Prefect, after its settings are there

    broke = ""
    with shown.progress():
        try:
            summaries: Sequence[Summary] = await run_it(connection=connection, dry_run=dry_run)
        except PathFailed as failed:
            broke, summaries = str(failed), failed.summaries
    if as_json:
        shown.as_json(_as_dict(path, summaries, dry_run=dry_run, error=broke))
    elif dry_run:
        _show_changes(path, summaries)
    else:
        _show_counts(path, summaries)
    lost = [one for one in summaries if one.outcome == "failed"]
    for one in lost:
        shown.warn(f"{one.connection}: {path} failed: {one.detail}")
    if broke and not lost:
        shown.warn(f"{path} failed: {broke}")
    await _say_what_to_do({one.connection for one in lost})
    return 1 if broke or lost else 0


async def prefect_answers() -> bool:
    """Whether a Prefect server is up where our flows would report to."""
    from prefect.settings import PREFECT_API_URL  # noqa: PLC0415 imports Prefect, after its settings are there

    address = PREFECT_API_URL.value()
    if not address:
        return False
    try:
        # Not through a proxy: the address is one of this machine.
        async with httpx.AsyncClient(trust_env=False, timeout=1) as client:
            return (await client.get(f"{address}/health")).status_code == httpx.codes.OK
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _flow(path: str) -> Any:
    """The flow of a path: `pull-catalog` is `pull_catalog` in `flows.pull_catalog`."""
    name = path.replace("-", "_")
    return getattr(importlib.import_module(f"flows.{name}"), name)


def _show_counts(path: str, summaries: Sequence["Summary"]) -> None:
    columns = ("connection", "outcome", "how", "read", "created", "changed", "unchanged", "failed", "calls", "seconds",
               "quota used")  # fmt: skip
    rows = [
        (
            one.connection,
            texts.label("outcome", one.outcome),
            texts.label("mode", one.tally.mode),
            one.tally.read,
            one.tally.created,
            one.tally.changed,
            one.tally.unchanged,
            one.tally.failed,
            one.tally.calls,
            round(one.tally.seconds, 1),
            "no limit" if (share := one.tally.share(one.per_minute)) is None else f"{share:.0%}",
        )
        for one in summaries
    ]
    shown.table(f"{path}: {texts.label('path', path)}", columns, rows)
    if refused := sum(one.tally.failed for one in summaries):
        shown.warn(f"{refused} records were refused; what to correct: esteira notices")


def _show_changes(path: str, summaries: Sequence["Summary"]) -> None:
    rows = [(one.connection, change) for one in summaries for change in one.changes]
    shown.table(
        f"{path}: what would be written",
        ("connection", "what", "SKU", "id", "name", "groups"),
        [
            (
                connection,
                texts.label("op", change.op),
                change.sku,
                change.external_id,
                change.name[:60],
                ", ".join(texts.FIELDS.get(group) or texts.label("group", group) for group in change.groups),
            )
            for connection, change in rows[:MOST_ROWS]
        ],
    )
    if len(rows) > MOST_ROWS:
        shown.say(f"… and {len(rows) - MOST_ROWS} more; --json lists all of them")
    counts: dict[str, int] = {}
    for _, change in rows:
        counts[change.op] = counts.get(change.op, 0) + 1
    told = ", ".join(f"{count} to {op}" for op, count in counts.items()) or "nothing"
    unchanged = sum(one.tally.unchanged for one in summaries)
    shown.say(f"{told}; {unchanged} unchanged. Nothing was written.")


async def _say_what_to_do(lost: set[str]) -> None:
    """The merchants' own texts of the connections that failed."""
    if not lost:
        return
    async with opened() as db, db.read() as session:
        notices = await standing_notices(session)
    for notice in notices:
        if notice.kind == WHOLE_CONNECTION and notice.connection_id in lost:
            text = texts.render(notice.code, notice.params)
            shown.warn(f"  {notice.connection_id}: {text.title}\n    {text.body}\n    {text.action}")


def _as_dict(path: str, summaries: Sequence["Summary"], *, dry_run: bool, error: str) -> dict[str, Any]:
    rows = []
    for one in summaries:
        row: dict[str, Any] = {
            "connection": one.connection,
            "outcome": one.outcome,
            "detail": one.detail,
            "mode": one.tally.mode,
            "read": one.tally.read,
            "created": one.tally.created,
            "changed": one.tally.changed,
            "unchanged": one.tally.unchanged,
            "failed": one.tally.failed,
            "calls": one.tally.calls,
            "seconds": round(one.tally.seconds, 3),
            "quota_share": one.tally.share(one.per_minute),
        }
        if dry_run:
            row["changes"] = [
                {"op": c.op, "sku": c.sku, "external_id": c.external_id, "name": c.name, "groups": list(c.groups)}
                for c in one.changes
            ]
        rows.append(row)
    return {"path": path, "dry_run": dry_run, "error": error, "connections": rows}
