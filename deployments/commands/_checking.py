"""A connection put to the test: who the account is, what it may do, and whether it is still the same account."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlmodel import col

from deployments.commands import _shown as shown
from deployments.commands._hub import chosen, find, opened, prepare_prefect
from hub import connections, fiscal, texts
from hub.crypto import blind_index
from hub.db import Database
from hub.notices import WHOLE_CONNECTION, Draft, clear_notices, raise_notices
from hub.tables import Connection
from hub.tables.tenancy import ConnectionState
from providers.contract import Account, CallFailed
from providers.http import OverHttp
from providers.registry import open_provider


@dataclass(frozen=True)
class Checked:
    """What a check found. `document` is masked; `reason` is for ops, `text` for the merchant, both of a failure."""

    connection: str
    kind: str
    works: bool
    account: str = ""
    document: str = ""
    per_minute: int | None = None
    features: dict[str, Any] = field(default_factory=dict)
    same_account_as: tuple[str, ...] = ()
    reason: str = ""
    text: texts.Text | None = None


async def run(connection_id: str | None, *, as_json: bool) -> int:
    """Check one connection or all, and show what was found. Returns the exit code."""
    with shown.progress():
        async with opened() as db:
            # One that was switched off on purpose is checked, and so switched on, by its name only.
            wanted = [
                c for c in await chosen(db, connection_id) if connection_id or c.state != ConnectionState.INACTIVE
            ]
            found = [await check(db, connection.id) for connection in wanted]
    show(found, as_json=as_json)
    return 0 if all(one.works for one in found) else 1


async def check(db: Database, connection_id: str) -> Checked:
    """Check one connection and keep what was found: its state, its account, its features, its notices."""
    connection = await find(db, connection_id)
    async with open_provider(db, connection) as provider:
        try:
            account = await provider.check()
        except CallFailed as failed:
            return await _failed(db, connection, failed)
        index = blind_index(account.document, "account.document") if account.document else ""
        if index and connection.account and index != connection.account:
            return await _other_account(db, connection, account)
        async with db.write() as session:
            await connections.checked(session, connection.id, index or connection.account, account.features)
            await clear_notices(session, connection.merchant_id, connection.id, WHOLE_CONNECTION)
        await _carry_quota_over(db, connection.id, provider)
    return Checked(
        connection.id,
        connection.kind,
        works=True,
        account=account.name,
        document=fiscal.mask_document(account.document) if account.document else "",
        per_minute=account.per_minute,
        features=account.features,
        same_account_as=await _same_account(db, connection.id, index),
    )


def show(found: Sequence[Checked], *, as_json: bool) -> None:
    """A table of what works, and on stderr each that does not: a line for ops, then the merchant's text."""
    if as_json:
        shown.as_json({"connections": [_as_dict(one) for one in found]})
    elif working := [one for one in found if one.works]:
        columns = ("connection", "system", "account", "document", "calls/min", "features")
        shown.table("Connections that work", columns, [_row(one) for one in working])
    for one in found:
        if one.same_account_as:
            shown.warn(f"{one.connection}: the same account as {', '.join(one.same_account_as)}; they share its quota")
        if not one.works:
            shown.warn(f"{one.connection}: {one.reason}")
            if one.text:
                shown.warn(f"  {one.text.title}\n  {one.text.body}\n  {one.text.action}")


async def _failed(db: Database, connection: Connection, failed: CallFailed) -> Checked:
    prepare_prefect()
    from tasks.work import tell  # noqa: PLC0415 imports Prefect, which takes seconds

    await tell(db, connection, failed)
    params = {"kind": connection.kind, "code": failed.code, "detail": failed.detail[:200]}
    text = texts.render(f"connection.{failed.reason}", params)
    return Checked(connection.id, connection.kind, works=False, reason=str(failed), text=text)


async def _other_account(db: Database, connection: Connection, account: Account) -> Checked:
    """The new credential leads elsewhere: a pull would retire every product of the company that was here before."""
    document = fiscal.mask_document(account.document)
    reason = (
        f"the credential leads to another account ({document}) than the one connected before: give the former "
        "account's credential, or make a connection of its own for this one (esteira connect … --connection NEW-ID)"
    )
    draft = Draft(
        code="connection.other_account",
        connection_id=connection.id,
        kind=WHOLE_CONNECTION,
        params={"kind": connection.kind},
    )
    async with db.write() as session:
        await connections.mark(session, connection.id, ConnectionState.INACTIVE, reason)
        await raise_notices(session, connection.merchant_id, [draft])
    text = texts.render(draft.code, draft.params)
    return Checked(connection.id, connection.kind, works=False, document=document, reason=reason, text=text)


async def _carry_quota_over(db: Database, connection_id: str, before: Any) -> None:
    """The quota is counted by account from the first check on, and until then by connection.

    Without this the first calls of a run that follows at once would not know of those that the check made in the
    vendor's same window, and would go over it.
    """
    async with open_provider(db, await find(db, connection_id)) as after:
        if not (isinstance(before, OverHttp) and isinstance(after, OverHttp)):
            return
        old, new = before.http.limiter, after.http.limiter
        if old.key != new.key and old.per_minute:
            await new.learn(old.per_minute)
            await new.hold(60 / old.per_minute)


async def _same_account(db: Database, connection_id: str, index: str) -> tuple[str, ...]:
    if not index:
        return ()
    async with db.read() as session:
        others = await session.execute(
            select(col(Connection.id))
            .where(col(Connection.account) == index, col(Connection.id) != connection_id)
            .order_by(col(Connection.id))
        )
        return tuple(others.scalars())


def _row(one: Checked) -> tuple[Any, ...]:
    features = ", ".join(f"{name}={value}" for name, value in one.features.items() if name != "per_minute")
    limit = "no limit" if one.per_minute == 0 else one.per_minute or "not told"
    return one.connection, texts.system_label(one.kind), one.account, one.document, limit, features


def _as_dict(one: Checked) -> dict[str, Any]:
    return {
        "connection": one.connection,
        "kind": one.kind,
        "works": one.works,
        "account": one.account,
        "document": one.document,
        "calls_per_minute": one.per_minute,
        "features": one.features,
        "same_account_as": list(one.same_account_as),
        "reason": one.reason,
        "text": {"title": one.text.title, "body": one.text.body, "action": one.text.action} if one.text else None,
    }
