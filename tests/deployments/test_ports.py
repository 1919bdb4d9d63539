import socket

import pytest

from deployments import ports
from deployments.ports import Door, PortTaken


def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            ports.check([Door("web app", "127.0.0.1", port, "ESTEIRA_WEB_PORT")])
    assert f"port {port} on 127.0.0.1 (web app)" in str(caught.value)
    assert "set ESTEIRA_WEB_PORT to another port" in str(caught.value)


def test_every_taken_port_is_named_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        doors = [
            Door("one", "127.0.0.1", one.getsockname()[1], "ESTEIRA_ONE"),
            Door("two", "127.0.0.1", two.getsockname()[1], "ESTEIRA_TWO"),
        ]
        with pytest.raises(PortTaken, match=r"(?s)ESTEIRA_ONE.*ESTEIRA_TWO"):
            ports.check(doors)


def test_two_doors_on_one_port_are_refused_although_it_is_free() -> None:
    port = ports.free()
    doors = [Door("a", "127.0.0.1", port, "ESTEIRA_A"), Door("b", "127.0.0.1", port, "ESTEIRA_B")]
    with pytest.raises(PortTaken, match=f"ESTEIRA_B and ESTEIRA_A are both {port}"):
        ports.check(doors)


def test_free_ports_pass_and_stay_free() -> None:
    door = Door("a", "127.0.0.1", ports.free(), "ESTEIRA_A")
    ports.check([door])
    ports.check([door])


async def test_answers_tells_a_listener_from_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert await ports.answers("127.0.0.1", port)
    assert not await ports.answers("127.0.0.1", port)
