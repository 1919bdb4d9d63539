"""One HTTP exchange with a simulated vendor: read, log, break as told, answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sandbox.core.calllog import CallLog, Entry
from sandbox.core.clock import Clock
from sandbox.core.faults import REFUSALS, Fault, Faults
from sandbox.core.scripts import Edit, Scripts, play
from sandbox.core.server import drop, finish
from sandbox.core.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

HTML = "text/html; charset=UTF-8"
JSON = "application/json; charset=utf-8"
_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


@dataclass(slots=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    query: bytes
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def content_type(self) -> str:
        """The Content-Type header, empty when absent."""
        return self.headers.get(b"content-type", b"").decode("latin-1")


@dataclass(slots=True)
class Reply:
    """An answer; `code` is the vendor's error code, `over_limit` says it refused for the quota."""

    status: int
    body: bytes = b""
    media: str = JSON
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    code: int | str | None = None
    over_limit: bool = False


class Call(Protocol):
    """What a vendor understood of a request."""

    account: str | None
    api: str
    operation: str
    concrete: str
    params: dict[str, Any]
    counted: bool

    def admit(self) -> Reply | None:
        """Check credential and quota at arrival; the refusal, or None to go on."""

    def enter(self) -> None:
        """Count the call as being worked on."""

    def leave(self) -> None:
        """Count the call as answered."""

    def work(self) -> Reply:
        """Do what was asked."""

    def refuse(self, fault: str) -> Reply:
        """Word the refusal a fault of REFUSALS asks for."""

    def expire_token(self) -> Reply | None:
        """Make the caller's access token invalid from now on; the refusal where tokens do not expire."""

    def spoil(self, reply: Reply) -> Reply:
        """Return the answer with other types than documented."""


class World(Protocol):
    """What an exchange needs of the running sandbox."""

    clock: Clock
    settings: Settings
    log: CallLog
    faults: Faults
    scripts: Scripts


def page(status: int, title: str) -> Reply:
    """Return an HTML page, as web servers and proxies answer."""
    return Reply(status, _PAGE.format(title).encode(), HTML)


async def read_request(scope: Scope, receive: Receive) -> Request:
    """Read the whole request of an ASGI scope."""
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return Request(scope["method"], scope["path"], scope["query_string"], dict(scope["headers"]), body)


async def exchange(
    world: World,
    open_call: Callable[[Request], Call],
    edit: Edit,
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answer one vendor request: log it, let planted faults and scripts act, send the answer.

    The log entry is complete before a byte of the answer leaves, so that a client that has its answer also
    finds its call in the log.
    """
    started = time.perf_counter()
    request = await read_request(scope, receive)
    call = open_call(request)
    log, at = world.log, world.clock.now()
    where = (call.account, call.operation, call.concrete)
    index = log.begin(call.account, call.operation, at, call.counted, getattr(call, "window", None))
    reply: Reply | None = None
    fault = None
    try:
        fault = world.faults.take(*where, index)
        scripts = world.scripts.claim(*where, index)
        play(scripts, "before", call.account, edit)
        reply = await _decide(world, call, fault)
        play(scripts, "after", call.account, edit)
    finally:
        log.end(
            Entry(
                index,
                at,
                call.account,
                call.api,
                call.operation,
                call.params,
                None if reply is None else reply.status,
                None if reply is None else reply.code,
                reply is not None and reply.over_limit,
                None if fault is None else fault.name,
                (time.perf_counter() - started) * 1000,
            )
        )
    await _deliver(reply, call, fault, scope, receive, send)


async def _decide(world: World, call: Call, fault: Fault | None) -> Reply | None:
    name = None if fault is None else fault.name
    if name == "reset":
        return None
    refusal = _planted_refusal(call, name) or call.admit()
    held = refusal is None
    if held:
        call.enter()
    try:
        if fault is not None and name == "stall":
            await asyncio.sleep(world.settings.stall_s if fault.stall_s is None else fault.stall_s)
        if world.settings.latency_ms:
            await asyncio.sleep(world.settings.latency_ms / 1000)
        return refusal or call.work()
    finally:
        if held:
            call.leave()


def _planted_refusal(call: Call, fault: str | None) -> Reply | None:
    if fault is None:
        return None
    if fault in REFUSALS:
        return call.refuse(fault)
    if fault == "token_expired":
        return call.expire_token()
    pages = {
        "error_500": (500, "500 Internal Server Error"),
        "error_503": (503, "503 Service Temporarily Unavailable"),
        "html": (200, "Aguarde um instante"),
    }
    return page(*pages[fault]) if fault in pages else None


async def _deliver(
    reply: Reply | None, call: Call, fault: Fault | None, scope: Scope, receive: Receive, send: Send
) -> None:
    name = None if fault is None else fault.name
    if reply is None or name == "answer_lost":
        await drop(scope, receive)
        return
    if name == "wrong_type":
        reply = call.spoil(reply)
    elif name == "cut_json":
        reply = replace(reply, body=reply.body[: len(reply.body) // 2])
    elif name == "cut_connection":
        half = reply.body[: len(reply.body) // 2]
        await _send_head(reply, len(reply.body), send)
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await finish(scope, receive)
        return
    await _send_head(reply, len(reply.body), send)
    await send({"type": "http.response.body", "body": reply.body})


async def _send_head(reply: Reply, length: int, send: Send) -> None:
    headers = list(reply.headers)
    if reply.status not in (204, 304):
        headers.append((b"content-length", b"%d" % length))
        headers.append((b"content-type", reply.media.encode("latin-1")))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
