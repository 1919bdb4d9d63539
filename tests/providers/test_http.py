"""The one way to call a vendor: repetition, quota, secrets."""

import asyncio
import json
import logging
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest

from hub.clock import utcnow
from hub.db import Database
from hub.quota import Limiter
from hub.settings import settings
from providers.contract import CallFailed, Outcome
from providers.http import UNREADABLE, Answer, Http, status_failure

SECRET = "segredo-42"
Reply = Callable[[httpx.Request], httpx.Response] | httpx.Response | Exception


@dataclass
class Token:
    """Signs with the newest of its versions; `refused` says whether there is a newer one."""

    versions: int = 1
    current: int = 1
    renewed: list[int] = field(default_factory=list)

    async def sign(self, request: httpx.Request) -> int:
        request.headers["Authorization"] = f"Bearer {SECRET}-{self.current}"
        return self.current

    async def refused(self, version: int) -> bool:
        self.renewed.append(version)
        self.current = min(self.versions, version + 1)
        return self.current > version

    def secrets(self) -> tuple[str, ...]:
        return (f"{SECRET}-{self.current}",)


def judge(operation: str, answer: Answer) -> CallFailed | None:
    if failed := status_failure(operation, answer, slow_down_s=30.0, detail=answer.body.decode(errors="replace")):
        return failed
    if answer.payload is UNREADABLE:
        return CallFailed(Outcome.RETRY, "unreadable", operation=operation, status=answer.status)
    return None


class Vendor(httpx.AsyncBaseTransport):
    """Answers with what it was told, one after the other; the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, httpx.Response):
            return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)
        return reply(request)


def ok(payload: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(200, json=payload or {"a": 1}, headers={n.replace("_", "-"): v for n, v in headers.items()})


Opened = Callable[..., Http]


@pytest.fixture
def clock() -> list[float]:
    """The present time of the limiter, moved by its own sleeping."""
    return [1_000_000.0]


@pytest.fixture
def open_http(db: Database, clock: list[float], monkeypatch: pytest.MonkeyPatch) -> Opened:
    monkeypatch.setenv("ESTEIRA_RETRY_FIRST_WAIT_S", "0.001")
    settings.cache_clear()

    async def sleep(seconds: float) -> None:
        clock[0] += seconds
        await asyncio.sleep(0)

    def opened(vendor: Vendor, auth: Any = None, per_minute: int = 60, **rest: Any) -> Http:
        limiter = Limiter(db, "test", per_minute, now=lambda: clock[0], sleep=sleep)
        return Http("test", "https://vendor.invalid/api", auth or Token(), judge, limiter, 5, transport=vendor, **rest)

    return opened


async def failure_of(call: Awaitable[Any]) -> CallFailed:
    with pytest.raises(CallFailed) as raised:
        await call
    return raised.value


async def test_decimals_stay_exact(open_http: Opened) -> None:
    vendor = Vendor(httpx.Response(200, content=b'{"preco": 19.90, "n": 3}'))
    assert await open_http(vendor).get("x", "x") == {"preco": Decimal("19.90"), "n": 3}


@pytest.mark.parametrize("body", [b"<html>", b'{"a": ', b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b"1" * 5000])
async def test_a_body_that_is_no_json_is_unreadable(open_http: Opened, body: bytes) -> None:
    failed = await failure_of(open_http(Vendor(httpx.Response(200, content=body))).get("x", "x"))
    assert failed.reason == "unreadable"


FAULTS: list[Reply] = [
    httpx.Response(500),
    httpx.Response(503, content=b"<html>"),
    httpx.Response(200, content=b'{"a": '),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("late"),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("cut"),
    httpx.DecodingError("broken gzip"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_read_is_repeated_after_a_passing_fault(open_http: Opened, fault: Reply) -> None:
    vendor = Vendor(fault, fault, ok())
    assert await open_http(vendor).get("x", "x") == {"a": 1}
    assert len(vendor.requests) == 3


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_read_gives_up_after_so_many_faults(open_http: Opened, fault: Reply) -> None:
    vendor = Vendor(fault)
    failed = await failure_of(open_http(vendor).get("x", "x"))
    assert failed.outcome is Outcome.RETRY
    assert len(vendor.requests) == settings().retry_attempts


@pytest.mark.parametrize(
    ("fault", "tries", "outcome"),
    [
        (httpx.ReadTimeout("late"), 1, Outcome.UNKNOWN),
        (httpx.ReadError("reset"), 1, Outcome.UNKNOWN),
        (httpx.DecodingError("gzip"), 1, Outcome.UNKNOWN),
        (httpx.Response(200, content=b'{"a": '), 1, Outcome.UNKNOWN),
        (httpx.Response(500), 1, Outcome.UNKNOWN),
        (httpx.ConnectError("refused"), 5, Outcome.RETRY),
        (httpx.ConnectTimeout("late"), 5, Outcome.RETRY),
    ],
    ids=str,
)
async def test_a_write_is_repeated_only_where_it_cannot_have_been_done(
    open_http: Opened, fault: Reply, tries: int, outcome: Outcome
) -> None:
    vendor = Vendor(fault)
    failed = await failure_of(open_http(vendor).form("x", "x", {"a": "1"}, writes=True))
    assert (failed.outcome, len(vendor.requests)) == (outcome, tries)


async def test_over_quota_is_waited_out_and_is_no_fault(open_http: Opened, clock: list[float]) -> None:
    slow = httpx.Response(429)
    vendor = Vendor(slow, httpx.Response(500), slow, slow, httpx.Response(500), slow, slow, ok())
    begun = clock[0]
    assert await open_http(vendor).get("x", "x") == {"a": 1}
    assert clock[0] - begun >= 5 * 30


async def test_over_quota_stops_every_call_of_the_account(open_http: Opened, clock: list[float]) -> None:
    sent: list[float] = []

    def reply(request: httpx.Request) -> httpx.Response:
        sent.append(clock[0])
        return httpx.Response(429) if len(sent) == 1 else ok()

    http = open_http(Vendor(reply))
    await asyncio.gather(*(http.get("x", "x") for _ in range(8)))
    # The four that were under way may have left before the answer came; whoever still had a turn gave it back.
    assert all(moment >= sent[0] + 30 for moment in sent[5:])
    assert len(sent) == 9


async def test_an_account_that_stays_over_quota_is_given_up(open_http: Opened) -> None:
    vendor = Vendor(httpx.Response(429))
    failed = await failure_of(open_http(vendor).get("x", "x"))
    assert (failed.outcome, len(vendor.requests)) == (Outcome.SLOW_DOWN, 20)


async def test_an_empty_window_is_waited_out_before_the_vendor_has_to_say_so(
    open_http: Opened, clock: list[float]
) -> None:
    headers = {"remaining_header": "X-Remaining", "reset_header": "X-Reset"}
    http = open_http(Vendor(ok(X_Remaining="0", X_Reset="17"), ok()), **headers)
    begun = clock[0]
    await http.get("x", "x")
    await http.get("x", "x")
    assert 17 <= clock[0] - begun < 18.5


async def test_the_account_tells_its_own_limit(open_http: Opened, clock: list[float]) -> None:
    http = open_http(Vendor(ok(x_limit_api="120")), per_minute=20, limit_header="x-limit-api")
    await http.get("x", "x")
    assert await http.limiter.limit() == 120


@pytest.mark.parametrize("told", ["0", "", "many", "-5", "1e3"])
async def test_a_limit_that_makes_no_sense_is_not_taken(open_http: Opened, told: str) -> None:
    http = open_http(Vendor(ok(x_limit_api=told)), limit_header="x-limit-api")
    await http.get("x", "x")
    assert await http.limiter.limit() is None


async def test_the_merchants_choice_overrides_the_account(open_http: Opened, clock: list[float]) -> None:
    http = open_http(Vendor(ok(x_limit_api="120")), limit_header="x-limit-api", fixed_limit=6)
    for _ in range(7):
        await http.get("x", "x")
    assert await http.limiter.limit() == 6
    assert clock[0] - 1_000_000.0 >= 60


async def test_a_choice_of_no_limit_ends_with_the_choice(open_http: Opened, clock: list[float]) -> None:
    free = open_http(Vendor(ok()), fixed_limit=0)
    for _ in range(50):
        await free.get("x", "x")
    assert clock[0] == 1_000_000.0
    bound = open_http(Vendor(ok()), per_minute=20)
    for _ in range(12):
        await bound.get("x", "x")
    assert clock[0] - 1_000_000.0 >= 10 * 3


async def test_a_refused_token_is_renewed_once(open_http: Opened) -> None:
    token = Token(versions=2)
    vendor = Vendor(httpx.Response(401), ok())
    assert await open_http(vendor, token).get("x", "x") == {"a": 1}
    assert [r.headers["Authorization"][-1] for r in vendor.requests] == ["1", "2"]


async def test_a_token_refused_for_good_is_told(open_http: Opened) -> None:
    vendor = Vendor(httpx.Response(401))
    failed = await failure_of(open_http(vendor, Token(versions=9)).get("x", "x"))
    assert (failed.outcome, len(vendor.requests)) == (Outcome.REAUTH, 2)


async def test_no_secret_is_in_any_text(open_http: Opened, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, content=f"bad: {request.headers['Authorization']}".encode())

    failed = await failure_of(open_http(Vendor(echo)).get("x", "x"))
    broken = await failure_of(open_http(Vendor(httpx.ReadError("reset"))).get("x", "x"))
    assert "bad: Bearer ••••" in str(failed)
    texts = [repr(e) for error in (failed, broken) for e in (error, error.__cause__)]
    assert SECRET not in "".join(texts) + caplog.text
    assert broken.__cause__ is None


async def test_an_unknown_host_is_told_apart(open_http: Opened) -> None:
    def lookup(request: httpx.Request) -> httpx.Response:
        try:
            raise socket.gaierror(-2, "Name or service not known")
        except socket.gaierror as error:
            raise httpx.ConnectError("failed") from error

    failed = await failure_of(open_http(Vendor(lookup)).get("x", "x"))
    assert (failed.outcome, failed.reason) == (Outcome.RETRY, "unknown_host")


async def test_no_more_calls_at_once_than_allowed(open_http: Opened) -> None:
    under_way, most = 0, 0

    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1
            return httpx.Response(200, content=json.dumps({"a": 1}))

    http = open_http(Slow(), fixed_limit=0)
    await asyncio.gather(*(http.get("x", "x") for _ in range(30)))
    assert most == 5


async def test_an_answer_tells_when_it_was_asked_for(open_http: Opened) -> None:
    http = open_http(Vendor(httpx.Response(500), ok()))
    before = utcnow()
    answer = await http.ask("x", "GET", "x")
    assert before <= answer.asked_at <= utcnow()
