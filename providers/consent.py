"""A merchant's consent by OAuth: asked for at an address, brought back with a code, exchanged for a pair of tokens.

The consent that is asked for lies with the connection's credentials until it comes back; only the one whose `state`
comes back is exchanged, once, and for a while only.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Self
from urllib.parse import quote, urlencode, urlsplit

from hub.clock import utcnow
from hub.credentials import TokenStore
from hub.db import Database
from hub.settings import settings
from hub.tables import Connection
from providers.oauth import OAuth, ask_as_client


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """How a system's consent is asked for. `client_id` and `client_secret` are ours, for connections without their own.

    `basic`: the client names itself by HTTP Basic at the token endpoint, and not in the form. `code_challenge`: the
    method of PKCE where the system takes it. `names_redirect`: the redirect address is told at both calls; TagPlus uses
    the one registered with the app and supports no other (`reference/tagplus.md §2.1`). `refusals`: words by which the
    token endpoint refuses a refresh for good, beside those of RFC 6749. `refresh_after`: how old a pair may grow that
    nothing uses before `accounts.keep_alive` renews it; None where an idle pair is left alone.
    """

    authorize_url: str
    token_url: str
    scope: str
    basic: bool = False
    code_challenge: Literal["", "S256"] = ""
    client_id: str = ""
    client_secret: str = ""
    names_redirect: bool = True
    refusals: frozenset[str] = frozenset()
    refresh_after: timedelta | None = None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"OAuthApp({self.authorize_url})"

    def client(self, credentials: Mapping[str, Any]) -> tuple[str, str]:
        """The app's id and secret of a connection: its own, or ours."""
        own = str(credentials.get("client_id") or "")
        if own and own != self.client_id:
            return own, str(credentials.get("client_secret") or "")
        return self.client_id, str(credentials.get("client_secret") or "") or self.client_secret

    def auth(self, db: Database, connection: Connection) -> OAuth:
        """The tokens of a connection, renewed as this system wants it; nothing is read yet."""
        client_id, client_secret = self.client(connection.credentials)
        return OAuth(
            store=TokenStore(db, connection.id),
            token_url=self.token_url,
            client_id=client_id,
            client_secret=client_secret,
            basic=self.basic,
            refusals=self.refusals,
        )

    def address(self, consent: "Consent", client_id: str) -> str:
        """Where the merchant gives the consent.

        Blanks become `+`, which Conta Azul's scope wants. Its address has its path behind a `#`, and the query belongs
        behind that: before the `#` it would never reach the page (`reference/contaazul.md §2.1`).
        """
        query = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": consent.redirect_uri,
            "scope": self.scope,
            "state": consent.state,
        }
        if not self.names_redirect:
            del query["redirect_uri"]
        if self.code_challenge:
            query |= {"code_challenge": consent.challenge, "code_challenge_method": self.code_challenge}
        joint = "&" if "?" in self.authorize_url else "?"
        return f"{self.authorize_url}{joint}{urlencode(query)}"


class ConsentError(ValueError):
    """What came back is not the consent that was asked for; `reason` is a machine word: `state`, `late`, `address`."""

    def __init__(self, reason: str, text: str) -> None:
        self.reason = reason
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Consent:
    """One consent that was asked for. What comes back must carry its `state`."""

    state: str
    redirect_uri: str
    verifier: str
    asked_at: str

    def __repr__(self) -> str:
        """Without the state and the verifier: with them anybody could bring a code."""
        return f"Consent(asked_at={self.asked_at})"

    @classmethod
    def new(cls, connection_id: str, redirect_uri: str) -> Self:
        """A consent to be asked for; its state names the connection. Raises ConsentError for a bad redirect address."""
        parts = urlsplit(redirect_uri)
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
            text = f"received {redirect_uri!r}; valid is the http(s) address that is registered on the app"
            raise ConsentError("address", text)
        state = f"{secrets.token_urlsafe(24)}.{quote(connection_id, safe='')}"
        return cls(state, redirect_uri, secrets.token_urlsafe(48), utcnow().isoformat())

    @classmethod
    def read(cls, credentials: Mapping[str, Any]) -> Self | None:
        """The consent that was asked for earlier, from the connection's credentials."""
        stored = credentials.get("consent")
        return cls(**stored) if isinstance(stored, dict) and set(stored) == set(cls.__slots__) else None

    @property
    def challenge(self) -> str:
        """What PKCE shows of the verifier beforehand (RFC 7636, S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def as_dict(self) -> dict[str, str]:
        """What is stored until it comes back."""
        return asdict(self)

    def verify(self, state: str) -> None:
        """Raises ConsentError when the state is another's, or came too late."""
        if not hmac.compare_digest(state.encode(), self.state.encode()):
            text = "that address belongs to another consent (its state differs): use the newest printed address"
            raise ConsentError("state", text)
        self.verify_age()

    def verify_age(self) -> None:
        """Raises ConsentError when the consent was asked for too long ago."""
        minutes = settings().consent_minutes
        if utcnow() - datetime.fromisoformat(self.asked_at) > timedelta(minutes=minutes):
            text = f"the consent came back after more than {minutes} minutes: ask for it again"
            raise ConsentError("late", text)


def connection_of(state: str) -> str:
    """The connection that a state names; '' for a state that is none of ours."""
    token, dot, connection_id = state.rpartition(".")
    return connection_id if token and dot else ""


async def take(db: Database, kind: str, state: str) -> tuple[Connection, Consent]:
    """The consent that this state was given for; taken out, so that it works once. Raises ConsentError.

    A state that is another's takes nothing: whoever guesses must not be able to spoil a consent that is under way.
    """
    connection_id = connection_of(state)
    async with db.write() as session:
        found = await session.get(Connection, connection_id, with_for_update=True) if connection_id else None
        consent = Consent.read(found.credentials) if found and found.kind == kind else None
        if found is None or consent is None:
            raise ConsentError("state", "nobody waits for that consent: it was used already, or never asked for")
        consent.verify(state)
        found.credentials = {name: value for name, value in found.credentials.items() if name != "consent"}
        session.add(found)
    return found, consent


async def exchange(app: OAuthApp, consent: Consent, code: str, client_id: str, client_secret: str) -> dict[str, Any]:
    """Exchange the code for a pair of tokens, as `hub.credentials` keeps them. Raises CallFailed."""
    form = {"grant_type": "authorization_code", "code": code}
    if app.names_redirect:
        form["redirect_uri"] = consent.redirect_uri
    if app.code_challenge:
        form["code_verifier"] = consent.verifier
    answer = await ask_as_client(app.token_url, form, client_id, client_secret, basic=app.basic)
    lifetime = str(answer.get("expires_in") or 0)
    seconds = int(lifetime) if lifetime.isdigit() else 0
    return {
        "access_token": str(answer["access_token"]),
        "refresh_token": str(answer.get("refresh_token") or ""),
        "expires_at": (utcnow() + timedelta(seconds=seconds)).isoformat() if seconds else None,
        "lifetime_s": seconds,
    }


async def keep(db: Database, connection_id: str, tokens: Mapping[str, Any]) -> None:
    """Store a pair that a consent brought, over whatever pair was there."""
    async with TokenStore(db, connection_id).locked(), db.write() as session:
        found = await session.get(Connection, connection_id, with_for_update=True)
        if found is None:
            raise LookupError(f"the connection {connection_id!r} was removed while its consent was under way")
        found.credentials = {**{k: v for k, v in found.credentials.items() if k != "consent"}, **tokens}
        found.credentials_version += 1
        session.add(found)
