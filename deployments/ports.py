"""The ports we listen on: free ones on request, and a clear word beforehand about those that are taken."""

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass

from deployments.errors import Fault


@dataclass(frozen=True)
class Door:
    """Where a program is to listen, and the setting that says so."""

    name: str
    host: str
    port: int
    setting: str


class PortTaken(Fault):
    """Somebody listens already where we are to listen."""


def check(doors: list[Door]) -> None:
    """Raise `PortTaken`, naming every port that is taken and its setting, unless we could listen on all of them."""
    clashes = [
        f"{door.setting} and {other.setting} are both {door.port}"
        for place, door in enumerate(doors)
        for other in doors[:place]
        if door.port == other.port
    ]
    taken = [
        f"port {door.port} on {door.host} ({door.name}) cannot be used: {why}; set {door.setting} to another port, "
        "or stop what uses it"
        for door in doors
        if (why := _why_not(door))
    ]
    if clashes or taken:
        raise PortTaken("\n".join([*clashes, *taken]))


def free(host: str = "127.0.0.1") -> int:
    """A port on which nobody listens at this moment."""
    with socket.create_server((host, 0), family=_family(host)) as listener:
        return int(listener.getsockname()[1])


async def answers(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        async with asyncio.timeout(2):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _why_not(door: Door) -> str:
    try:
        with socket.create_server((door.host, door.port), family=_family(door.host)):
            return ""
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
