"""A Prefect server for a benchmark whose flows run as ops run them."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.processes import Group
from deployments.up import Parts, running
from hub.settings import Settings


@dataclass(frozen=True, slots=True)
class Prefect:
    """The running server: how a flow reaches it, and its process group."""

    env: dict[str, str]
    group: int


@contextlib.asynccontextmanager
async def prefect_server(folder: Path, say: Any) -> AsyncIterator[Prefect]:
    """A server as `esteira up` runs it, on a home and a port of its own."""
    settings = Settings(home=folder / "prefect", database_url="", prefect_database_url="", bind_host="127.0.0.1")
    groups: list[Group] = []
    parts = Parts(worker=False, web=False, sandbox=False)
    async with running(settings, parts, free_ports=True, say=say, groups=groups) as started:
        _, services = groups
        yield Prefect(started.prefect_env, services.id)
