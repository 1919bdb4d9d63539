"""Keeps every test and its child processes on this machine: a connection to anywhere else is refused and remembered.

An audit hook sees the calls of every library that goes through Python's `socket`, and cannot be taken out again.
`tests/conftest.py` installs it and fails a test that tried, even if the test swallowed the error. Child processes get
it by `tests/loopback_site/sitecustomize.py`, which `tests/conftest.py` puts on their PYTHONPATH.
"""

import functools
import ipaddress
import socket
import sys
from typing import Any

ATTEMPTS: list[str] = []
"""What was refused in this process, since the last `forget`."""

_CONNECTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}


class NotLoopback(RuntimeError):
    """Not an OSError: code under test takes those for a vendor that is out of reach, and would go on."""


@functools.cache
def install() -> None:
    """Refuse, from now on and in this whole process, whatever leaves the machine. Once is enough."""
    sys.addaudithook(_hook)


def forget() -> list[str]:
    """What was refused since the last call, and forget it."""
    found = list(ATTEMPTS)
    ATTEMPTS.clear()
    return found


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _CONNECTS:
        connection, address = arguments[0], arguments[1]
        if connection.family in (socket.AF_INET, socket.AF_INET6) and address and not _is_here(address[0]):
            _refuse(f"{event} to {address!r}")
    elif event in _LOOKUPS:
        host = arguments[0]
        if isinstance(host, bytes):
            host = host.decode(errors="replace")
        if not _is_here(host):
            if host.endswith(".invalid"):
                # What every resolver answers for this domain (RFC 6761), without asking one.
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            _refuse(f"{event} of {host!r}")


def _is_here(host: str | None) -> bool:
    if not host or host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.split("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_unspecified


def _refuse(what: str) -> None:
    ATTEMPTS.append(what)
    raise NotLoopback(
        f"{what}: tests reach 127.0.0.0/8, ::1 and localhost only; serve it by the sandbox or a local server"
    )
