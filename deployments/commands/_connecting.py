"""A merchant's account connected: its credentials taken in, stored encrypted, and put to the test."""

import getpass
import sys
from dataclasses import dataclass
from typing import Any

from deployments.commands import _checking, _consent, _policies
from deployments.commands import _shown as shown
from deployments.commands._hub import opened
from deployments.errors import Fault
from hub import connections
from hub.credentials import TokenStore
from hub.db import Database
from hub.policy import Policy
from hub.settings import settings
from hub.tables import Connection
from hub.texts_systems import SYSTEMS
from providers.consent import Consent, OAuthApp
from providers.registry import KINDS


@dataclass(frozen=True)
class Given:
    """What was given on the command line; credentials are kept out of its `repr`."""

    kind: str
    merchant: str
    connection: str
    policy: tuple[str, ...]
    token: str | None
    client_id: str | None
    client_secret: str | None
    redirect_uri: str | None
    code: str | None
    access_token: str | None
    refresh_token: str | None

    def __repr__(self) -> str:
        """Without the credentials."""
        return f"Given(kind={self.kind!r}, merchant={self.merchant!r}, connection={self.connection!r})"


async def run(given: Given, *, as_json: bool) -> int:
    """Connect and check. Returns the exit code: 1 when the consent is still to be given or the check failed."""
    with shown.progress():
        async with opened(migrated=True) as db:
            connection_id = _id_of(given)
            async with db.read() as session:
                standing = await session.get(Connection, connection_id)
            _policies.chosen(given.policy, {})  # before anything is asked for
            if not KINDS[given.kind].oauth:
                await _store(db, given, connection_id, {"token": _token(given)})
            elif not await _by_consent(db, given, connection_id, standing, as_json=as_json):
                return 1
            checked = await _checking.check(db, connection_id)
    _checking.show([checked], as_json=as_json)
    return 0 if checked.works else 1


async def _by_consent(
    db: Database, given: Given, connection_id: str, standing: Connection | None, *, as_json: bool
) -> bool:
    """Get a pair of tokens: given, or by the merchant's consent. False when the consent is still to come."""
    app = _app(given.kind)
    before: dict[str, Any] = dict(standing.credentials) if standing else {}
    own, client_id, secret = _client(app, given, before)
    if given.access_token or given.refresh_token:
        if not given.refresh_token:
            raise Fault("--access-token came without --refresh-token: it would end within hours; give both")
        pair = {"access_token": given.access_token or "", "refresh_token": given.refresh_token}
        await _store(db, given, connection_id, own | pair)
        return True
    same_app = client_id == app.client(before)[0]
    consent = Consent.read(before) if given.code and same_app else None
    if consent is None:
        if given.code:
            raise Fault("--code came first: run the command without it, and give the consent at the address it prints")
        consent = _consent.new(connection_id, given.redirect_uri or _default_redirect(given.kind))
        # The tokens of before stay until the new ones are there: a consent that is never given must cost nothing.
        await _store(db, given, connection_id, {**before, **own, "consent": consent.as_dict()})
    pasted = given.code or _pasted(app.address(consent, client_id), consent.redirect_uri, given.kind, as_json=as_json)
    if not pasted:
        return await _came_by_itself(db, connection_id, consent)
    tokens = await _consent.tokens(app, consent, pasted, client_id, secret, given.kind)
    await _store(db, given, connection_id, own | tokens)
    return True


def _app(kind: str) -> OAuthApp:
    made = KINDS[kind].app
    assert made is not None, f"{kind} has no consent"
    return made()


def _client(app: OAuthApp, given: Given, before: dict[str, Any]) -> tuple[dict[str, Any], str, str]:
    """What is stored of the app, its id, and its secret. Nothing is stored of ours, which the settings hold."""
    ours = given.client_id in (None, "", app.client_id) and app.client_id and app.client_secret
    if ours and not before.get("client_id"):
        return {}, app.client_id, app.client_secret
    client_id = given.client_id or before.get("client_id") or ""
    if not client_id:
        raise Fault(_MISSING_APP[given.kind])
    same_app = client_id == before.get("client_id")
    secret = given.client_secret or (before.get("client_secret") if same_app else "") or _asked("client secret", given)
    return {"client_id": client_id, "client_secret": secret}, client_id, secret


_MISSING_APP = {
    "tiny_v3": "--client-id is missing: the app's, from the extension “Gestão de Aplicativos” in Tiny",
    "contaazul": (
        "--client-id is missing: the app's, from Conta Azul's portal of developers; or set ESTEIRA_CONTAAZUL_CLIENT_ID "
        "and ESTEIRA_CONTAAZUL_CLIENT_SECRET for all connections"
    ),
    "tagplus": (
        "--client-id is missing: the app's, from TagPlus's portal of developers; or set ESTEIRA_TAGPLUS_CLIENT_ID and "
        "ESTEIRA_TAGPLUS_CLIENT_SECRET for all connections"
    ),
}


async def _came_by_itself(db: Database, connection_id: str, consent: Consent) -> bool:
    """Whether the web app's door took the consent meanwhile: it takes it out, and stores the tokens."""
    async with db.read() as session:
        found = await session.get(Connection, connection_id)
    held = found.credentials if found else {}
    return Consent.read(held) != consent and bool(held.get("access_token"))


async def _store(db: Database, given: Given, connection_id: str, credentials: dict[str, Any]) -> None:
    """Store the credentials, under the lock that keeps a refresh from happening meanwhile; raises Fault."""
    async with TokenStore(db, connection_id).locked(), db.write() as session:
        standing = await session.get(Connection, connection_id)
        kind = KINDS[given.kind]
        policy = _policies.chosen(given.policy, dict(standing.policy) if standing else dict(kind.defaults))
        if standing is None and policy is None:
            policy = Policy.model_validate(kind.defaults)
        try:
            await connections.install(
                session,
                merchant=given.merchant,
                kind=given.kind,
                side=kind.side,
                credentials=credentials,
                policy=policy,
                connection_id=connection_id,
            )
        except ValueError as error:
            raise Fault(str(error)) from error


def _id_of(given: Given) -> str:
    try:
        return connections.slug(given.connection or f"{connections.slug(given.merchant, longest=60)}-{given.kind}")
    except ValueError as error:
        raise Fault(f"--merchant or --connection: {error}") from error


def _token(given: Given) -> str:
    token = (given.token or _asked("token", given)).strip()
    if not token or len(token.split()) > 1:
        raise Fault("the token is empty or has blanks in it (it is not shown here): copy it whole, and only it")
    return token


def _asked(what: str, given: Given) -> str:
    """A secret typed without echo, or the first line of what is piped in."""
    if sys.stdin.isatty():
        return getpass.getpass(f"{what} (not shown): ")
    line = sys.stdin.readline().strip()
    if not line:
        system = "TINY" if given.kind.startswith("tiny") else given.kind.upper()
        name = f"ESTEIRA_{system}_{what.upper().replace(' ', '_')}"
        raise Fault(f"no {what} was given: use --{what.replace(' ', '-')}, {name}, or pipe it in")
    return line


def _pasted(address: str, redirect_uri: str, kind: str, *, as_json: bool) -> str:
    """Show where the consent is given and take what came of it; '' where nobody is there to paste it."""
    if as_json:
        shown.as_json({"authorize_url": address, "redirect_uri": redirect_uri})
        return ""
    name = SYSTEMS[kind].name
    print(
        f"Open this address in a browser that is signed in to {name}, and consent:\n\n  {address}\n\n"
        f"The app at {name} must have {redirect_uri} as its redirect address. Where that is this hub's own and the web "
        "app runs (`esteira up`), the page that comes says that it is connected, and all is done. Otherwise copy the "
        "address that the consent ends at, though the page may not open: the code in it works once, and for a minute "
        "or so."
    )
    if not sys.stdin.isatty():
        print("\nThen run the same command again with --code 'THAT ADDRESS'.")
        return ""
    return input("\nThe address it ended at (or Enter, when the page said that it is connected): ").strip()


def _default_redirect(kind: str) -> str:
    return f"{settings().door}/oauth/{kind}/callback"
