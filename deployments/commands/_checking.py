"""A connection put to the test: who the account is, what it may do, and whether it is still the same account."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deployments.commands import _shown as shown
from deployments.commands._hub import chosen, find, opened
from hub import fiscal, texts
from hub.db import Database
from hub.tables.tenancy import ConnectionState
from providers import accounts
from providers.contract import CallFailed


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
    try:
        found = await accounts.verify(db, connection)
    except CallFailed as failed:
        params = {"kind": connection.kind, "code": failed.code, "detail": failed.detail[:200]}
        text = texts.render(f"connection.{failed.reason}", params)
        return Checked(connection.id, connection.kind, works=False, reason=str(failed), text=text)
    except accounts.OtherAccountError as other:
        text = texts.render(other.draft.code, other.draft.params)
        return Checked(
            connection.id, connection.kind, works=False, document=other.document, reason=str(other), text=text
        )
    account = found.account
    return Checked(
        connection.id,
        connection.kind,
        works=True,
        account=account.name,
        document=fiscal.mask_document(account.document) if account.document else "",
        per_minute=account.per_minute,
        features=account.features,
        same_account_as=found.same_account_as,
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
