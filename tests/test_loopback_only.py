import asyncio
import os
import socket
import subprocess
import sys

import httpx
import pytest

from tests import loopback_only
from tests.loopback_only import NotLoopback

ELSEWHERE = "192.0.2.1"


def test_a_connection_to_elsewhere_is_refused() -> None:
    with socket.socket() as connection, pytest.raises(NotLoopback, match=ELSEWHERE):
        connection.connect((ELSEWHERE, 80))
    assert loopback_only.forget() == [f"socket.connect to {(ELSEWHERE, 80)!r}"]


async def test_asyncio_and_httpx_are_refused_too() -> None:
    with pytest.raises(NotLoopback):
        await asyncio.open_connection(ELSEWHERE, 80)
    async with httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(NotLoopback):
            await client.get("http://api.example.com/")
    assert len(loopback_only.forget()) == 2


def test_a_datagram_is_refused() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sender, pytest.raises(NotLoopback):
        sender.sendto(b"x", (ELSEWHERE, 53))
    assert loopback_only.forget()


def test_a_name_is_not_even_looked_up() -> None:
    with pytest.raises(NotLoopback):
        socket.getaddrinfo("api.example.com", 443)
    with pytest.raises(NotLoopback):
        socket.gethostbyname("api.example.com")
    assert len(loopback_only.forget()) == 2


def test_an_unknown_host_can_be_met_without_a_resolver() -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("shop.invalid", 443)
    assert loopback_only.forget() == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_is_reached(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection((host, server.getsockname()[1]), timeout=5).close()


def test_a_unix_socket_is_reached(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = os.path.relpath(tmp_path_factory.mktemp("s") / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(path)
        server.listen()
        client.connect(path)


def test_a_child_process_is_refused() -> None:
    script = f"import socket; socket.create_connection(({ELSEWHERE!r}, 80), timeout=1)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "NotLoopback" in done.stderr
