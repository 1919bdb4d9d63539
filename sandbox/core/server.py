"""The HTTP server: uvicorn on a loopback address, with a way to break a connection on purpose."""

import asyncio
import ipaddress
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_LINGER_RESET = struct.pack("ii", 1, 0)


class SandboxProtocol(H11Protocol):
    """uvicorn's HTTP protocol, telling the application the transport of its connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the transport where the application finds it: `scope["state"]`."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class SandboxServer(uvicorn.Server):
    """A server that tells when it answers."""

    on_ready: Callable[[], None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then call `on_ready`."""
        await super().startup(sockets)
        if self.started and self.on_ready is not None:
            self.on_ready()


def make_server(app: Any, host: str = "127.0.0.1", port: int = 0) -> tuple[SandboxServer, socket.socket]:
    """Return a server for `app` and its bound socket (port 0 = any free port).

    Run it with `await server.serve(sockets=[listener])`. Raises ValueError for an address that is not loopback,
    because the control API has no password, and OSError for a port that is taken.
    """
    check_loopback(host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's delay off only for sockets that name TCP: without it every answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    config = uvicorn.Config(
        app,
        http=SandboxProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=1,
        backlog=512,
    )
    return SandboxServer(config), listener


def check_loopback(host: str) -> None:
    """Raise ValueError unless `host` is a loopback address."""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(
            f"the sandbox answers anyone who reaches it and listens on loopback only; got host {host!r}, "
            "use 127.0.0.1, ::1 or localhost"
        )


async def drop(scope: Scope, receive: Receive) -> None:
    """Reset the connection of a request (TCP RST): the client reads an error, not an end of file."""
    transport = _transport(scope)
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    transport.abort()
    await _gone(receive)


async def finish(scope: Scope, receive: Receive) -> None:
    """Close the connection of a request after what was already sent has left."""
    _transport(scope).close()
    await _gone(receive)


def _transport(scope: Scope) -> asyncio.Transport:
    transport = scope.get("state", {}).get("transport")
    if transport is None:
        raise RuntimeError("connection faults need sandbox.core.server.make_server to serve the application")
    return transport  # type: ignore[no-any-return]


async def _gone(receive: Receive) -> None:
    # uvicorn answers 500 for an application that returns before it has noticed the lost connection.
    while (await receive())["type"] != "http.disconnect":
        continue
