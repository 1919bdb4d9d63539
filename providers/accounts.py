"""A connection put to the test, and taken down: what the command line and the web do alike."""

from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import connections, doors, fiscal, selection
from hub.clock import utcnow
from hub.credentials import TokenStore
from hub.crypto import blind_index
from hub.db import Database
from hub.notices import WHOLE_CONNECTION, Draft, clear_notices, raise_notices, standing_notice
from hub.tables import Connection
from hub.tables.tenancy import ConnectionState
from providers.contract import Account, CallFailed, Outcome, Provider, Revocable
from providers.http import OverHttp
from providers.oauth import OAuth
from providers.registry import kind, open_provider

ACCOUNT = "account"
"""What notices are about that only a check clears: those of `WHOLE_CONNECTION` go with the next run that works."""
PERMISSION_STANDS = timedelta(days=1)
"""So long another path's missing permission is told of after a run last met it: that path may be switched off."""


@dataclass(frozen=True, slots=True)
class Verified:
    """The account that a connection leads to; `same_account_as` are other connections that lead there too."""

    account: Account
    same_account_as: tuple[str, ...] = field(default=())


class OtherAccountError(Exception):
    """The credential leads to another company than before. The connection was switched off, and the merchant told."""

    def __init__(self, draft: Draft, document: str, text: str) -> None:
        self.draft = draft
        self.document = document
        super().__init__(text)


async def verify(db: Database, connection: Connection) -> Verified:
    """Ask the account who it is, and keep what was found: its state, its account, its features, its notices.

    Raises CallFailed, when the merchant was told already, and OtherAccountError.
    """
    async with open_provider(db, connection) as provider:
        try:
            account = await provider.check()
        except CallFailed as failed:
            await tell(db, connection, failed)
            raise
        index = blind_index(account.document, "account.document") if account.document else ""
        if _is_another(connection, account, index):
            raise await _other_account(db, connection, account)
        async with db.write() as session:
            known_as = index or connection.account
            fresh = await connections.checked(session, connection.id, known_as, account.features)
            await selection.catch_up(session, connection.id, fresh)
            if webhooks := kind(connection.kind).webhooks:
                await doors.ensure(session, connection, webhooks.TOPICS, has_secret=webhooks.HAS_SECRET)
            await clear_notices(session, connection.merchant_id, connection.id, WHOLE_CONNECTION)
            await _tell_refused(session, connection, account)
        await _carry_quota_over(db, connection.id, provider)
    return Verified(account, await _same_account(db, connection.id, index))


async def keep_alive(db: Database, connection: Connection) -> bool:
    """Renew the tokens of a connection that has been idle for so long that they might end; returns whether they were.

    Of systems that say so only (`OAuthApp.refresh_after`): a TagPlus refresh token lives two weeks by inference, and
    a shop that is closed for a fortnight would have to consent again (`reference/tagplus.md §2.3`). Cheap where nothing
    is due: one row is read. Raises CallFailed, when the merchant was told already of a token that is refused.
    """
    app = kind(connection.kind).app
    age = app().refresh_after if app else None
    if age is None:
        return False
    async with open_provider(db, connection) as provider:
        auth = provider.http.auth if isinstance(provider, OverHttp) else None
        try:
            return isinstance(auth, OAuth) and await auth.renew_idle(age)
        except CallFailed as failed:
            if failed.outcome is Outcome.REAUTH:
                await tell(db, connection, failed)
            raise


async def tell(db: Database, connection: Connection, failed: CallFailed, path: str = "") -> None:
    """Tell the merchant by a notice; a connection whose token is refused for good is marked so.

    `path` is the sync path that was refused, for `answered` to know. `connection` is as it was when the work began.
    One that was switched off or removed since then stays as it is, and nobody is told: the refusal of a token that was
    taken back is no news.
    """
    lost = failed.outcome is Outcome.REAUTH and failed.reason == "token"
    draft = Draft(
        code=f"connection.{failed.reason}",
        connection_id=connection.id,
        kind=WHOLE_CONNECTION,
        params={"kind": connection.kind, "code": failed.code, "detail": failed.detail[:200], "path": path},
    )
    async with db.write() as session:
        if connection.state not in connections.OFF and await connections.is_off(session, connection.id, lock=True):
            return
        if lost:
            await connections.mark(session, connection.id, ConnectionState.DISCONNECTED, str(failed))
        await raise_notices(session, connection.merchant_id, [draft])


async def answered(session: AsyncSession, connection: Connection, path: str) -> None:
    """The account answered `path`: it is connected, and what the merchant was told of it is over.

    A permission that another path misses is not: the path that has its permission would take the notice back every
    few minutes, and the one that has none would raise it again. For how long: `PERMISSION_STANDS`.
    """
    await connections.works_again(session, connection.id)
    told = await standing_notice(session, connection.merchant_id, connection.id, WHOLE_CONNECTION)
    if told is None or (
        told.code == "connection.permission"
        and told.params.get("path", path) != path
        and told.last_at > utcnow() - PERMISSION_STANDS
    ):
        return
    await clear_notices(session, connection.merchant_id, connection.id, WHOLE_CONNECTION)


async def disconnect(db: Database, connection: Connection, *, force: bool = False) -> bool:
    """Take the consent back where the system can be told, forget the credentials, and mark it `não instalada`.

    Returns whether the system was told: False where it cannot be, or does not know the credential any more. Raises
    CallFailed where it did not go through, and nothing was forgotten then: without the token nobody could revoke it.
    `force` forgets all the same. Records and bindings stay: who comes back goes on from there.
    """
    told = False
    async with open_provider(db, connection) as provider:
        if isinstance(provider, Revocable):
            try:
                await provider.revoke()
                told = True
            except CallFailed as failed:
                if failed.outcome is not Outcome.REAUTH and not force:
                    raise
    async with TokenStore(db, connection.id).locked(), db.write() as session:
        found = await connections.find(session, connection.id)
        found.credentials = {}
        found.credentials_version += 1
        found.state = ConnectionState.NOT_INSTALLED
        found.state_reason = "disconnected"
        session.add(found)
        await clear_notices(session, found.merchant_id, found.id, WHOLE_CONNECTION)
    return told


async def _tell_refused(session: AsyncSession, connection: Connection, account: Account) -> None:
    """Tell the merchant what the account will refuse (`features["permissions"]`, by our word for it, and
    `features["missing_scopes"]`, by the vendor's), or take back that it was told."""
    permissions: dict[str, bool] = account.features.get("permissions") or {}
    scopes: list[str] = account.features.get("missing_scopes") or []
    problems = [{"field": "permission", "reason": name, "received": ""} for name, may in permissions.items() if not may]
    problems += [{"field": "scope", "reason": "missing", "received": name} for name in scopes]
    if not problems:
        await clear_notices(session, connection.merchant_id, connection.id, ACCOUNT)
        return
    draft = Draft("account.refused", connection.id, ACCOUNT, params={"kind": connection.kind, "problems": problems})
    await raise_notices(session, connection.merchant_id, [draft])


def _is_another(connection: Connection, account: Account, index: str) -> bool:
    """Whether the credential leads to another account than before: by the system's own id of it, where it tells one
    (`features["uid"]`), else by the document, of which an ERP with branches may show now one and now another."""
    before, now = connection.features.get("uid"), account.features.get("uid")
    if before and now:
        return bool(before != now)
    return bool(index and connection.account and index != connection.account)


async def _other_account(db: Database, connection: Connection, account: Account) -> OtherAccountError:
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
    return OtherAccountError(draft, document, reason)


async def _carry_quota_over(db: Database, connection_id: str, before: Provider) -> None:
    """The quota is counted by account from the first check on, and until then by connection.

    Without this the first calls of a run that follows at once would not know of those that the check made in the
    vendor's same window, and would go over it.
    """
    async with db.read() as session:
        connection = await connections.find(session, connection_id)
    async with open_provider(db, connection) as after:
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
