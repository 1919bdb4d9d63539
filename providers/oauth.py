"""OAuth with refresh tokens that work once: one refresh at a time, over all tasks and all processes."""

import asyncio
import contextlib
import json
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from hub.clock import utcnow
from hub.credentials import StaleTokensError, Tokens, TokenStore
from hub.settings import settings
from providers.contract import CallFailed, Outcome

logger = logging.getLogger(__name__)

AHEAD = timedelta(minutes=5)
"""Refresh this long before the access token ends, or half its life for one that lives shorter than that."""


@dataclass
class OAuth:
    """The tokens of one connection, as an `Auth` for `providers.http`."""

    store: TokenStore
    token_url: str
    client_id: str
    client_secret: str
    basic: bool = False
    """The client names itself by HTTP Basic (Conta Azul) and not in the form (Tiny)."""
    refusals: frozenset[str] = frozenset()
    """Words by which this endpoint refuses a refresh for good, beside those of RFC 6749; see `consent.OAuthApp`."""
    _tokens: Tokens | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def sign(self, request: httpx.Request) -> int:
        """Put the bearer token into the request, refreshed first when it is about to end."""
        tokens = self._tokens or await self._load()
        if not tokens.access or _is_ending(tokens, utcnow()):
            tokens = await self._renewed(tokens.version)
        request.headers["Authorization"] = f"Bearer {tokens.access}"
        return tokens.version

    async def refused(self, version: int) -> bool:
        """The vendor refused that version: get a newer one. Raises CallFailed when the connection is lost for good."""
        await self._renewed(version)
        return True

    async def renew_idle(self, age: timedelta) -> bool:
        """Renew the stored pair if it is older than `age`, or of no known age; returns whether it was due.

        Raises CallFailed. Whoever else renews it meanwhile has done it: there is one refresh.
        """
        tokens = await self._load()
        if tokens.refresh and _got_at(tokens) > utcnow() - age:
            return False
        await self._renewed(tokens.version)
        return True

    def secrets(self) -> tuple[str, ...]:
        """Both tokens and the client's secret."""
        tokens = self._tokens
        return (self.client_secret, *((tokens.access, tokens.refresh) if tokens else ()))

    async def _load(self) -> Tokens:
        self._tokens = await self.store.load()
        return self._tokens

    async def _renewed(self, version: int) -> Tokens:
        """Tokens newer than `version`.

        The refresh token is burned by its use, so of twenty tasks that meet the same 401 one may refresh and nineteen
        must read what it got. Two nets: the tasks of this process queue up here, the processes at a lease; and
        whoever comes in reads the stored pair again before it decides.
        """
        async with self._turn:
            if self._tokens and self._tokens.version > version:
                return self._tokens
            async with self.store.locked():
                stored = await self._load()
                if stored.version > version:
                    return stored
                return await self._refresh(stored)

    async def _refresh(self, stored: Tokens) -> Tokens:
        if not stored.refresh:
            detail = "the connection holds no refresh token; the merchant has to connect it"
            raise CallFailed(Outcome.REAUTH, "token", operation="oauth/token", detail=detail)
        try:
            answer = await self._ask(stored.refresh)
        except CallFailed as failed:
            if failed.outcome is not Outcome.REAUTH:
                raise
            # A lost race looks just like a revoked grant: somebody whose lease we did not see (its time had passed
            # while it waited for the vendor) may have stored a newer pair meanwhile.
            again = await self._load()
            if again.version > stored.version:
                return again
            raise
        if not answer.get("refresh_token"):
            # None came, so the one that was used is all there is; if it worked once only, the next refresh will tell.
            logger.warning("%s: a refresh brought no refresh token; the former is kept", self.store.connection_id)
        lifetime = str(answer.get("expires_in") or 0)
        try:
            self._tokens = await self.store.save(
                access=str(answer["access_token"]),
                refresh=str(answer.get("refresh_token") or stored.refresh),
                lifetime_s=int(lifetime) if lifetime.isdigit() else 0,
                after=stored.version,
            )
        except StaleTokensError:  # stored by somebody meanwhile (the merchant connected anew, say): theirs is kept
            return await self._load()
        return self._tokens

    async def _ask(self, refresh_token: str) -> dict[str, Any]:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return await ask_as_client(
            self.token_url, form, self.client_id, self.client_secret, basic=self.basic, refusals=self.refusals
        )


async def ask_as_client(
    url: str,
    form: dict[str, str],
    client_id: str,
    client_secret: str,
    *,
    basic: bool,
    refusals: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Ask a token endpoint as this client, named in the form or by HTTP Basic. Raises CallFailed as `token_request`."""
    if basic:
        return await token_request(url, form, basic=(client_id, client_secret), refusals=refusals)
    return await token_request(url, {**form, "client_id": client_id, "client_secret": client_secret}, refusals=refusals)


async def token_request(
    url: str,
    form: dict[str, str],
    basic: tuple[str, str] | None = None,
    refusals: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Ask a token endpoint (RFC 6749, section 5). Raises CallFailed: `reauth` when the grant is refused for good, by
    one of the RFC's words or of the endpoint's own `refusals`.

    `code` is the endpoint's `error`, but for a wrong client, which Conta Azul tells as an `invalid_grant` with the
    subtype `invalid_client` (`reference/contaazul.md §2.4`); `detail` is the subtype, if any.
    """
    s = settings()
    timeout = httpx.Timeout(s.read_timeout_s, connect=s.connect_timeout_s)
    signer = httpx.BasicAuth(*basic) if basic else httpx.USE_CLIENT_DEFAULT
    try:
        async with httpx.AsyncClient(timeout=timeout) as client:
            response = await client.post(url, data=form, auth=signer)
    except httpx.RequestError as error:
        raise CallFailed(Outcome.RETRY, "unreachable", operation="oauth/token", detail=type(error).__name__) from None
    answer: dict[str, Any] = {}
    with contextlib.suppress(ValueError, RecursionError):
        answer = json.loads(response.content)
    if response.status_code == 200 and isinstance(answer, dict) and answer.get("access_token"):
        return answer
    told = answer if isinstance(answer, dict) else {}
    code, subtype = str(told.get("error") or told.get("error_code") or ""), str(told.get("error_subtype") or "")
    if subtype == "invalid_client":
        code = subtype
    unfit_code = code == "invalid_request" and form.get("grant_type") == "authorization_code"
    refused = unfit_code or code in _REFUSALS | refusals
    raise CallFailed(
        Outcome.REAUTH if refused else Outcome.RETRY,
        "token" if refused else "server",
        operation="oauth/token",
        status=response.status_code,
        code=code,
        detail=subtype if subtype in _SUBTYPES else "",
    )


_REFUSALS = frozenset(("invalid_grant", "invalid_client", "unauthorized_client"))
_SUBTYPES = frozenset(("invalid_refresh_token", "access_revoked", "invalid_client"))
"""Those that are known: free text of an endpoint might repeat what it was sent."""


def _is_ending(tokens: Tokens, now: datetime) -> bool:
    if tokens.expires_at is None:
        return False
    return now >= tokens.expires_at - min(AHEAD, timedelta(seconds=tokens.lifetime_s / 2))


def _got_at(tokens: Tokens) -> datetime:
    """When the pair was got, as far as its end tells; long ago where nothing does."""
    if tokens.expires_at is None:
        return datetime.min.replace(tzinfo=UTC)
    return tokens.expires_at - timedelta(seconds=tokens.lifetime_s)
