"""What the hub knows, read and shown: connections as they stand, and notices."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from deployments.commands import _shown as shown
from deployments.commands._hub import chosen, find, opened
from hub import doors, inbox, notices, texts
from hub.db import Database
from hub.tables import Binding, Connection, Cursor, Notice, Quarantined, RunReport, Worklist
from providers.registry import KINDS


async def show_status(connection_id: str | None, *, as_json: bool) -> None:
    """The connections as they stand."""
    async with opened() as db:
        wanted = await chosen(db, connection_id)
        async with db.read() as session:
            rows = await _status(session, wanted)
        if connection_id is not None:
            rows[0]["webhooks"] = await _doors(db, connection_id)
    if as_json:
        shown.as_json({"connections": rows})
        return
    shown.table(
        "Connections",
        (
            "connection",
            "system",
            "state",
            "products",
            "gone",
            "refused",
            "waiting",
            "events",
            "notices",
            "checked",
            "why",
        ),
        [
            (
                row["connection"],
                texts.system_label(row["kind"]),
                texts.label("state", row["state"]),
                row["products"],
                row["gone"],
                row["refused"],
                row["waiting"],
                sum(row["events"].get(state, 0) for state in ("pending", "taken")),
                row["notices"],
                shown.moment(row["checked_at"]),
                row["state_reason"],
            )
            for row in rows
        ],
    )
    runs = [(row["connection"], run) for row in rows for run in row["runs"]]
    if runs:
        _show_runs(runs)
    _show_doors(rows)
    cursors = [(row["connection"], name, position) for row in rows for name, position in row["cursors"].items()]
    if cursors:
        shown.table(
            "Cursors",
            ("connection", "stream", "stands at"),
            [(of, name, _place(position)) for of, name, position in cursors],
        )


async def _doors(db: Database, connection_id: str) -> list[dict[str, str]]:
    async with db.read() as session:
        found = await doors.of(session, connection_id)
    return [{"topic": door.topic, "address": doors.address(door), "secret": door.secret} for door in found]


def _show_doors(rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        if found := row.get("webhooks"):
            topics = KINDS[row["kind"]].webhooks
            labels = topics.TOPICS if topics else {}
            shown.table(
                f"Webhook addresses of {row['connection']}: paste each at the vendor's, and nowhere else",
                ("topic", "over there", "address", "secret"),
                [(one["topic"], labels.get(one["topic"], ""), one["address"], one["secret"] or "–") for one in found],
            )


async def show_notices(connection_id: str | None, *, every: bool, as_json: bool) -> None:
    """The notices in the merchant's words: those that stand, or every one."""
    async with opened() as db:
        if connection_id is not None:
            await find(db, connection_id)
        async with db.read() as session:
            query = select(Notice).order_by(col(Notice.last_at).desc(), col(Notice.id))
            if not every:
                query = query.where(col(Notice.cleared_at).is_(None))
            if connection_id is not None:
                query = query.where(col(Notice.connection_id) == connection_id)
            found = list((await session.execute(query)).scalars())
            kinds = dict((await session.execute(select(col(Connection.id), col(Connection.kind)))).tuples().all())
    rows = [_notice(notice, kinds) for notice in found]
    if as_json:
        shown.as_json({"notices": rows})
        return
    for row in rows:
        when = f"desde {shown.moment(row['first_at'])}"
        if row["cleared_at"]:
            when += f", resolvido em {shown.moment(row['cleared_at'])}"
        shown.say(f"{row['title']}\n  {', '.join(filter(None, (row['connection'], when)))}  [{row['id']}]")
        for line in (*row["body"].split("\n"), f"O que fazer: {row['action']}"):
            shown.say(f"  {line}")
        shown.say("")
    shown.say(f"{len(rows)} aviso{'' if len(rows) == 1 else 's'}." if rows else "Nenhum aviso.")


async def archive(notice_ids: Sequence[str], *, as_json: bool) -> int:
    """Put notices away that the merchant has seen to. Returns the exit code: 1 when one does not stand."""
    async with opened() as db, db.write() as session:
        put_away = {notice_id: await notices.archive(session, notice_id) for notice_id in notice_ids}
    if as_json:
        shown.as_json({"archived": [notice_id for notice_id, done in put_away.items() if done]})
    for notice_id, done in put_away.items():
        if not done:
            shown.warn(f"no notice {notice_id} stands; see those that do: esteira notices")
    return 0 if all(put_away.values()) else 1


def _show_runs(runs: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    counts = ("read", "created", "changed", "unchanged", "failed", "calls")
    shown.table(
        "Last runs",
        ("connection", "path", "began", "outcome", *counts, "seconds", "why"),
        [
            (
                of,
                run["path"],
                shown.moment(run["started_at"]),
                texts.label("outcome", run["outcome"]),
                *(run[count] for count in counts),
                round(run["seconds"], 1),
                run["detail"],
            )
            for of, run in runs
        ],
    )


def _place(position: Mapping[str, Any]) -> str:
    """A cursor's position for people: its times by the same clock as the other tables."""
    parts = []
    for name, value in position.items():
        if isinstance(value, Mapping):
            parts.append(f"{name} ({_place(value)})")
            continue
        shown_value = str(value)
        with contextlib.suppress(ValueError):
            shown_value = shown.moment(datetime.fromisoformat(shown_value))
        parts.append(f"{name} {shown_value}")
    return ", ".join(parts)


def _notice(notice: Notice, kinds: Mapping[str, str]) -> dict[str, Any]:
    text = texts.render(notice.code, {"kind": kinds.get(notice.connection_id, ""), **notice.params})
    return {
        "id": notice.id,
        "merchant": notice.merchant_id,
        "connection": notice.connection_id,
        "code": notice.code,
        "kind": notice.kind,
        "subject": notice.subject,
        "title": text.title,
        "body": text.body,
        "action": text.action,
        "ops": texts.ops_line(notice),
        "first_at": notice.first_at,
        "last_at": notice.last_at,
        "cleared_at": notice.cleared_at,
    }


async def _status(session: AsyncSession, wanted: Sequence[Connection]) -> list[dict[str, Any]]:
    ids = [connection.id for connection in wanted]
    living = case((col(Binding.gone).is_(False), 1))
    bound = await session.execute(
        select(col(Binding.connection_id), func.count(living), func.count())
        .where(col(Binding.connection_id).in_(ids), col(Binding.kind) == "product")
        .group_by(col(Binding.connection_id))
    )
    products = {of: (alive, every - alive) for of, alive, every in bound}
    refused = await _count(session, Quarantined, ids)
    waiting = await _count(session, Worklist, ids)
    notices = await _count(session, Notice, ids, col(Notice.cleared_at).is_(None))
    events = await inbox.counts(session, ids)
    runs = await _last_runs(session, ids)
    cursors: dict[str, dict[str, Any]] = {}
    for cursor in (await session.execute(select(Cursor).where(col(Cursor.connection_id).in_(ids)))).scalars():
        cursors.setdefault(cursor.connection_id, {})[cursor.stream] = cursor.position
    return [
        {
            "connection": one.id,
            "merchant": one.merchant_id,
            "kind": one.kind,
            "state": one.state,
            "state_reason": one.state_reason,
            "checked_at": one.checked_at,
            "features": one.features,
            "policy": one.policy,
            "products": products.get(one.id, (0, 0))[0],
            "gone": products.get(one.id, (0, 0))[1],
            "refused": refused.get(one.id, 0),
            "waiting": waiting.get(one.id, 0),
            "events": events.get(one.id, {}),
            "notices": notices.get(one.id, 0),
            "runs": runs.get(one.id, []),
            "cursors": cursors.get(one.id, {}),
        }
        for one in wanted
    ]


async def _count(session: AsyncSession, table: Any, ids: Sequence[str], *where: Any) -> dict[str, int]:
    of = col(table.connection_id)
    rows = await session.execute(select(of, func.count()).where(of.in_(ids), *where).group_by(of))
    return dict(rows.tuples().all())


async def _last_runs(session: AsyncSession, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """The last run of each path of each connection."""
    of, path, began = col(RunReport.connection_id), col(RunReport.path), col(RunReport.started_at)
    last = select(of, path, func.max(began).label("began")).where(of.in_(ids)).group_by(of, path).subquery()
    rows = await session.execute(
        select(RunReport)
        .join(last, (of == last.c.connection_id) & (path == last.c.path) & (began == last.c.began))
        .order_by(of, path)
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for report in rows.scalars():
        found.setdefault(report.connection_id, []).append(
            report.model_dump(exclude={"id", "merchant_id", "connection_id"})
        )
    return found
