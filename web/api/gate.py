"""What every request to the store API passes: size, token, rate, and the idempotency key of a write.

The answers are 413, 401 (no token, or none of ours), 403 (one that was revoked), 429 with `Retry-After`, and those of
`web.api.idempotency`.
"""

import math
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from hub import api_tokens
from hub.db import Database
from web.api.idempotency import once
from web.api.problems import ProblemError, told
from web.hub import Hub

MOST_BYTES = 1024 * 1024
"""Of a request's body: an order of 500 lines has a tenth of it."""
PER_SECOND = 10.0
BURST = 50
"""Calls that a token may make in one go after a rest; then `PER_SECOND`. Counted in each process by itself."""
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it was."""

    merchant_id: str
    token_id: str


@dataclass
class Rates:
    """How fast each token calls (GCRA, as `hub.quota`, but in memory: a database row a read would cost more)."""

    per_second: float = PER_SECOND
    burst: int = BURST
    now: Callable[[], float] = time.monotonic
    _due: dict[str, float] = field(default_factory=dict)

    def take(self, token_id: str, units: int = 1) -> float:
        """Seconds to wait until a call of so many units may be made; 0 when it may now, and only then is it counted."""
        now, gap = self.now(), 1 / self.per_second
        due = max(self._due.get(token_id, now), now)
        if due - now > (self.burst - units) * gap + 1e-9:
            return due - now - (self.burst - units) * gap
        self._due[token_id] = due + units * gap
        return 0.0


class GatedRoute(APIRoute):
    """A route of the store API."""

    def get_route_handler(self) -> Handler:
        """The route's handler behind the gate."""
        inner = super().get_route_handler()

        async def handle(request: Request) -> Response:
            request.state.caller = caller = await _admitted(request)
            # Where Starlette keeps it for the route, which reads it once more.
            request._body = await body_within(request)

            async def run() -> Response:
                try:
                    return await inner(request)
                except Exception as error:
                    problem = told(request, error)
                    if problem is None:
                        raise
                    return problem

            if request.method not in WRITES or "idempotency-key" not in request.headers:
                return await run()
            return await once(hub_of(request).db, caller.merchant_id, request, run)

        return handle


def hub_of(request: Request) -> Hub:
    """The app's hub."""
    found: Hub = request.app.state.hub
    return found


def db_of(request: Request) -> Database:
    """The app's database; a dependency of the routes."""
    return hub_of(request).db


def caller_of(request: Request) -> Caller:
    """Who calls; a dependency of the routes."""
    found: Caller = request.state.caller
    return found


async def _admitted(request: Request) -> Caller:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unauthorised("The header `Authorization: Bearer <token>` is missing.", "")
    db = hub_of(request).db
    async with db.read() as session:
        row = await api_tokens.find(session, token.strip())
    if row is None:
        raise _unauthorised("Nobody has this token. A new one: esteira token new --merchant NAME", "invalid_token")
    if row.revoked_at is not None:
        said = "This token was revoked. A new one: esteira token new --merchant NAME"
        raise ProblemError(403, "token-revoked", "The token was revoked", said)
    rates: Rates = request.app.state.rates
    wait = rates.take(row.id)
    if wait > 0:
        said = f"A token may make {rates.burst} calls in one go, then {rates.per_second:g} a second."
        headers = {"Retry-After": str(max(1, math.ceil(wait)))}
        raise ProblemError(429, "too-many-requests", "Too many requests", said, headers=headers)
    await api_tokens.used(db, row)
    return Caller(row.merchant_id, row.id)


def _unauthorised(detail: str, error: str) -> ProblemError:
    challenge = f'Bearer realm="esteira", error="{error}"' if error else 'Bearer realm="esteira"'
    return ProblemError(401, "unauthorised", "A valid token is needed", detail, headers={"WWW-Authenticate": challenge})


async def body_within(request: Request) -> bytes:
    """The body, read no further than is allowed: what a client says of its length is not believed.

    Raises ProblemError (413).
    """
    told_length = request.headers.get("content-length", "")
    if told_length.isdigit() and int(told_length) > MOST_BYTES:
        raise _too_large()
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _too_large() -> ProblemError:
    return ProblemError(413, "too-large", "The body is too large", f"Valid are {MOST_BYTES} bytes at most.")
