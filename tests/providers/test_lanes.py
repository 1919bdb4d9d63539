"""Connections to one vendor, each kept by itself."""

import asyncio
import contextlib
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx
import pytest

from providers.lanes import Lanes, proxy_for


@dataclass
class Server:
    """Answers `/` with a body; `/broken` with no gzip; `/wait` when `go` is set; `/close` and closes."""

    url: str = ""
    connections: int = 0
    requests: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                self.asked.set()
                path = head.split()[1]
                if path == b"/wait":
                    await self.go.wait()
                body, encoding = b"{}", b""
                if path == b"/broken":
                    body, encoding = b"\x00" + gzip.compress(b"x" * 100)[1:], b"content-encoding: gzip\r\n"
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n%s\r\n%s" % (len(body), encoding, body))
                await writer.drain()
                if path == b"/close":
                    break
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self.closed.set()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    async with listening:
        yield made
        made.go.set()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=Lanes(), timeout=5) as opened:
        yield opened


async def test_one_call_after_the_other_uses_one_connection(server: Server, client: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert (await client.get(server.url)).json() == {}
    assert (server.connections, server.requests) == (1, 5)


async def test_calls_at_once_get_a_connection_each_and_share_them_later(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.go.set()
    for _ in range(3):
        await asyncio.gather(*(client.get(f"{server.url}/wait") for _ in range(8)))
    assert (server.connections, server.requests) == (8, 24)


async def test_a_body_that_cannot_be_decoded_leaves_the_connection_usable(
    server: Server, client: httpx.AsyncClient
) -> None:
    for _ in range(2):
        with pytest.raises(httpx.DecodingError):
            await client.get(f"{server.url}/broken")
        assert (await client.get(server.url)).status_code == 200


async def test_a_cancelled_call_leaves_no_connection_that_waits_for_its_answer(
    server: Server, client: httpx.AsyncClient
) -> None:
    waiting = asyncio.create_task(client.get(f"{server.url}/wait"))
    await server.asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await client.get(server.url)).status_code == 200
    assert server.connections == 2


async def test_a_connection_that_the_vendor_closed_is_opened_anew(server: Server, client: httpx.AsyncClient) -> None:
    assert (await client.get(f"{server.url}/close")).status_code == 200
    await server.closed.wait()
    assert (await client.get(server.url)).status_code == 200
    assert server.connections == 2


@pytest.mark.parametrize(
    ("surroundings", "proxy"),
    [
        ({}, None),
        ({"https_proxy": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"https_proxy": "proxy.example:3128"}, "http://proxy.example:3128"),
        ({"http_proxy": "http://proxy.example:3128"}, None),
        ({"all_proxy": "http://proxy.example:3128"}, "http://proxy.example:3128"),
        ({"https_proxy": "http://proxy.example:3128", "no_proxy": "vendor.example"}, None),
        ({"https_proxy": "http://proxy.example:3128", "no_proxy": "*"}, None),
        ({"https_proxy": "http://proxy.example:3128", "no_proxy": "localhost"}, "http://proxy.example:3128"),
    ],
)
def test_the_proxy_of_the_surroundings_is_used(
    monkeypatch: pytest.MonkeyPatch, surroundings: dict[str, str], proxy: str | None
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    assert proxy_for("https://api.vendor.example/v2") == proxy


async def test_a_call_goes_by_the_proxy(server: Server) -> None:
    async with httpx.AsyncClient(transport=Lanes(server.url)) as client:
        assert (await client.get("http://vendor.invalid/")).json() == {}
    assert server.requests == 1
