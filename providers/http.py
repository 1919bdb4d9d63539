"""The one way to call a vendor: quota before each call, time-outs, back-off with jitter, answers turned into outcomes.

A provider brings three things: how to sign a request (`Auth`), how to read an answer (`judge`, in its `errors.py`), and
its limiter. What comes out is a parsed payload or a `CallFailed`, never an httpx exception: those carry the request,
and the request carries the token.
"""

import asyncio
import json
import logging
import random
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn, Protocol, Self

import httpx
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from hub.clock import utcnow
from hub.quota import Limiter
from hub.settings import settings
from providers.contract import CallFailed, Outcome
from providers.lanes import Lanes, proxy_for

logger = logging.getLogger(__name__)

LONGEST_WAIT_S = 60.0
MOST_SLOW_DOWNS = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `payload` is the parsed JSON (decimals as `Decimal`), or `UNREADABLE` when the body is not JSON.

    `asked_at` is when the request went out, after its wait for a turn and for earlier attempts.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    payload: Any
    asked_at: datetime = field(default_factory=utcnow)


UNREADABLE: Any = object()
"""The body is no JSON: an HTML error page, an answer cut in the middle, XML."""

Judge = Callable[[str, Answer], CallFailed | None]
"""(operation, answer) → what went wrong, or None for `ok`. A plain table in each provider's `errors.py`."""


class Auth(Protocol):
    """How requests are signed."""

    async def sign(self, request: httpx.Request) -> int:
        """Put the credential into the request; returns the credential's version."""

    async def refused(self, version: int) -> bool:
        """The vendor refused that version. True when there is a newer one: sign and send again."""

    def secrets(self) -> tuple[str, ...]:
        """What must never appear in a text."""


@dataclass
class Http:
    """Calls to one account of one vendor. `at_once` calls at most are under way in this process.

    The vendor's headers, where it has them: `limit_header` tells the calls a minute, `remaining_header` those left in
    this window and `reset_header` the seconds until the next. `fixed_limit` is the merchant's own choice of the first;
    0 is no limit at all. `headers` go with every call.
    """

    system: str
    base_url: str
    auth: Auth
    judge: Judge
    limiter: Limiter
    at_once: int
    limit_header: str = ""
    remaining_header: str = ""
    reset_header: str = ""
    fixed_limit: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    transport: httpx.AsyncBaseTransport | None = None
    calls: int = 0
    attempts: int = field(default_factory=lambda: settings().retry_attempts)
    first_wait_s: float = field(default_factory=lambda: settings().retry_first_wait_s)

    def __post_init__(self) -> None:
        s = settings()
        self._client = httpx.AsyncClient(
            transport=self.transport or Lanes(proxy_for(self.base_url)),
            base_url=self.base_url.rstrip("/") + "/",
            timeout=httpx.Timeout(s.read_timeout_s, connect=s.connect_timeout_s),
            headers={"Accept": "application/json", "User-Agent": "esteira", **self.headers},
        )
        self._room = asyncio.Semaphore(self.at_once)

    async def get(self, operation: str, path: str, params: Mapping[str, Any] | None = None) -> Any:
        """Read; repeated after any passing fault."""
        return await self.call(operation, "GET", path, params=params)

    async def form(self, operation: str, path: str, fields: Mapping[str, Any], *, writes: bool = False) -> Any:
        """Post a form (Tiny v2 reads by POST too: say whether it `writes`)."""
        return await self.call(operation, "POST", path, data=fields, writes=writes)

    async def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        content: Any = None,
        writes: bool = False,
    ) -> Any:
        """Make one call and return its payload; see `ask`."""
        answer = await self.ask(operation, method, path, params=params, data=data, content=content, writes=writes)
        return answer.payload

    async def ask(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        content: Any = None,
        headers: Mapping[str, str] | None = None,
        writes: bool = False,
    ) -> Answer:
        """Make one call and return its answer. Raises CallFailed.

        A write is repeated only where the request cannot have been carried out: the connection failed before it left,
        or the vendor said so (quota). A write that got no answer is `unknown`, and only the caller can find out.
        """

        def request() -> httpx.Request:
            return self._client.build_request(method, path, params=params, data=data, json=content, headers=headers)

        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_passing),
            stop=stop_after_attempt(self.attempts),
            wait=self._pause,
            before_sleep=self._say,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await self._within_quota(operation, request, writes)
        raise AssertionError("tenacity ended without an answer")

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _within_quota(self, operation: str, request: Callable[[], httpx.Request], writes: bool) -> Answer:
        """One attempt. Being told to slow down is no fault and counts as none: the next turn comes after the pause."""
        for slowed in range(MOST_SLOW_DOWNS):
            try:
                return await self._authorised(operation, request, writes)
            except CallFailed as failed:
                if failed.outcome is not Outcome.SLOW_DOWN or slowed + 1 == MOST_SLOW_DOWNS:
                    raise
                logger.warning("%s: %s; all calls of this account wait", self.system, failed)
        raise AssertionError("unreachable: the last round returns or raises")

    async def _authorised(self, operation: str, request: Callable[[], httpx.Request], writes: bool) -> Answer:
        """One call; when the token is refused and there is a newer one, once more with that."""
        for last in (False, True):
            signed = request()
            async with self._room:
                # Signed twice: the first time may take seconds (a refresh), in which the turns of all those who wait
                # for it would pass, to be used up in one burst; the second only picks up a newer token.
                await self.auth.sign(signed)
                await self._turn()
                version = await self.auth.sign(signed)
                answer = await self._send(operation, signed, writes)
            failed = self.judge(operation, answer)
            if failed is None:
                return answer
            if writes and failed.outcome is Outcome.RETRY and failed.reason in ("unreadable", "server"):
                failed.outcome = Outcome.UNKNOWN
            if failed.outcome is Outcome.SLOW_DOWN:
                await self.limiter.hold(failed.wait_s or LONGEST_WAIT_S)
            if last or failed.outcome is not Outcome.REAUTH or not await self.auth.refused(version):
                raise self._scrubbed(failed)
        raise AssertionError("unreachable: the second round raises or returns")

    async def _turn(self) -> None:
        if self.fixed_limit is not None:
            await self.limiter.learn(self.fixed_limit)
        elif self.limiter.per_minute == 0:  # a choice of "no limit" that was taken back; no vendor tells a 0
            await self.limiter.learn(self.limiter.assumed)
        await self.limiter.turn()

    async def _send(self, operation: str, request: httpx.Request, writes: bool) -> Answer:
        self.calls += 1
        asked_at = utcnow()
        try:
            response = await self._client.send(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            reason = "unknown_host" if _is_name_error(error) else "unreachable"
            raise self._failed(Outcome.RETRY, reason, operation, error) from None
        except httpx.TimeoutException as error:
            raise self._failed(Outcome.UNKNOWN if writes else Outcome.RETRY, "timeout", operation, error) from None
        except httpx.RequestError as error:  # a reset, a broken gzip stream: an answer was on its way
            raise self._failed(Outcome.UNKNOWN if writes else Outcome.RETRY, "cut", operation, error) from None
        await self._heed(response.headers)
        return Answer(response.status_code, response.headers, response.content, _parsed(response.content), asked_at)

    async def _heed(self, headers: Mapping[str, str]) -> None:
        """Take over what the vendor tells about the quota, on good answers and on bad ones."""
        limit = _count(headers, self.limit_header)
        if limit and self.fixed_limit is None:
            await self.limiter.learn(limit)
        if _count(headers, self.remaining_header) == 0 and (reset := _count(headers, self.reset_header)):
            await self.limiter.hold(min(reset, LONGEST_WAIT_S))

    def _failed(self, outcome: Outcome, reason: str, operation: str, error: Exception) -> CallFailed:
        """Only the kind of the error is kept: the error itself holds the request, headers and all."""
        return CallFailed(outcome, reason, operation=operation, detail=type(error).__name__)

    def _scrubbed(self, failed: CallFailed) -> CallFailed:
        """Some vendors repeat the request in their errors, token included."""
        detail = failed.detail
        for secret in self.auth.secrets():
            if secret:
                detail = detail.replace(secret, "••••")
        return failed.worded(detail)

    def _pause(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, CallFailed) and error.wait_s is not None:
            return error.wait_s * random.uniform(1, 2) / self.limiter.clock_rate  # noqa: S311 no secret hangs on it
        growing = wait_exponential(multiplier=self.first_wait_s, max=LONGEST_WAIT_S)
        return growing(state) + wait_random(0, self.first_wait_s)(state)

    def _say(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause = state.next_action.sleep if state.next_action else 0.0
        logger.warning("%s: attempt %d: %s; again in %.1f s", self.system, state.attempt_number, error, pause)


class OverHttp:
    """What every provider that speaks through one `Http` has in common: it counts its calls and can be closed."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @property
    def calls(self) -> int:
        """Calls made to the vendor since it was opened."""
        return self.http.calls

    async def per_minute(self) -> int | None:
        """The calls a minute: the merchant's own choice, or what the account told; None when it is not known yet."""
        return await self.http.limiter.limit() if self.http.fixed_limit is None else self.http.fixed_limit

    async def close(self) -> None:
        """Close every connection."""
        await self.http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()


def status_failure(operation: str, answer: Answer, *, slow_down_s: float, detail: str = "") -> CallFailed | None:
    """What an HTTP status other than 2xx means where the vendor does not say otherwise; None for 2xx."""
    status = answer.status
    if 200 <= status < 300:
        return None
    outcome, reason = Outcome.REJECTED, "validation"
    if status in (408, 425) or status >= 500 or status < 400:
        outcome, reason = Outcome.RETRY, "server"
    elif status in _STATUSES:
        outcome, reason = _STATUSES[status]
    return CallFailed(
        outcome,
        reason,
        operation=operation,
        status=status,
        detail=detail or described(answer),
        wait_s=slow_down_s if outcome is Outcome.SLOW_DOWN else None,
    )


def described(answer: Answer) -> str:
    """An answer without its content, which may hold anything: its type and its size."""
    return f"{answer.headers.get('content-type', 'no content type')}, {len(answer.body)} bytes"


_STATUSES = {
    401: (Outcome.REAUTH, "token"),
    403: (Outcome.REJECTED, "permission"),
    404: (Outcome.REJECTED, "no_service"),
    429: (Outcome.SLOW_DOWN, "quota"),
}


def _without_query(record: logging.LogRecord) -> bool:
    """httpx prints the address of every call at INFO; what is searched for, a buyer's CPF say, stands in its query."""
    if isinstance(record.args, tuple):
        record.args = tuple(a.copy_with(query=None) if isinstance(a, httpx.URL) else a for a in record.args)
    return True


logging.getLogger("httpx").addFilter(_without_query)


def _parsed(body: bytes) -> Any:
    """The JSON with exact decimals, None for an empty body, or UNREADABLE."""
    if not body:
        return None
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError):
        return UNREADABLE


def _no_constant(name: str) -> NoReturn:
    """NaN and Infinity are no JSON, though Python takes them."""
    raise ValueError(name)


def _count(headers: Mapping[str, str], name: str) -> int | None:
    told = headers.get(name, "") if name else ""
    return int(told) if told.isascii() and told.isdigit() and len(told) < 10 else None


def _is_passing(error: BaseException) -> bool:
    return isinstance(error, CallFailed) and error.outcome is Outcome.RETRY


def _is_name_error(error: BaseException) -> bool:
    """Whether a name could not be resolved: httpx keeps the cause several links down the chain."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, socket.gaierror):
            return True
        seen = seen.__cause__ or seen.__context__
    return False
