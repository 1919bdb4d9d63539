"""`esteira up`: Prefect's server, the deployments, a worker, the web app and the sandbox, started and ended as one."""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

import httpx
from sqlalchemy.exc import SQLAlchemyError

from deployments import ports
from deployments.errors import Fault
from deployments.ports import Door
from deployments.prefect_env import ROOT, prefect_env, reachable
from deployments.processes import Group, Probe, Program, Say, StartFailed
from hub.migrate import upgrade
from hub.settings import Settings

SERVER_START_S = 180.0
"""A new database takes Prefect 22 s on two idle cores; a busy machine several times that."""
START_S = 60.0
PROVISION_S = 180.0


class AlreadyUp(Fault):
    """Another `esteira up` runs on the same home."""


@dataclass(frozen=True)
class Parts:
    """What is started besides Prefect's server."""

    worker: bool = True
    """The worker, and with it the work pool, the deployments and the automations."""
    web: bool = True
    sandbox: bool = True
    sandbox_options: tuple[str, ...] = ()
    """Options of `python -m sandbox`, as `("--size", "200")`."""


@dataclass(frozen=True)
class Running:
    """What was started, and where it answers."""

    settings: Settings
    """Those given, with the ports that are really used."""
    prefect_env: dict[str, str] = field(repr=False)
    """The Prefect settings that reach this server; see `prefect_env.apply`."""
    addresses: dict[str, str]
    """From a name for people to the address: `Prefect`, `Web`, `API`, `Sandbox`."""


async def up(settings: Settings, parts: Parts, *, echo: bool = False, say: Say = print) -> int:
    """Start everything and keep it running until SIGINT or SIGTERM. Returns the exit code.

    Raises:
        AlreadyUp, PortTaken, NotProtected, StartFailed: it could not start; nothing of it is left running.
    """
    groups: list[Group] = []
    asked: list[float] = []
    task = asyncio.current_task()

    def stop() -> None:
        asked.append(time.monotonic())
        if len(asked) == 1:
            say("stopping…")
            if task:
                task.cancel()
        else:
            for group in groups:
                group.hurry()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    try:
        async with running(settings, parts, echo=echo, say=say, groups=groups) as started:
            say("\nEsteira is up. Ctrl-C ends it.\n")
            for name, address in started.addresses.items():
                say(f"  {name:<10} {address}")
            say(f"\n  logs in {started.settings.home / 'logs'}\n")
            await asyncio.Event().wait()
    except asyncio.CancelledError:
        if not asked:
            raise
        say(f"stopped in {time.monotonic() - asked[0]:.1f} s")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)
    return 0


@contextlib.asynccontextmanager
async def running(
    settings: Settings,
    parts: Parts,
    *,
    free_ports: bool = False,
    echo: bool = False,
    say: Say = print,
    groups: list[Group] | None = None,
) -> AsyncIterator[Running]:
    """Start the parts, wait until each answers, and end all of them on leaving.

    Leaving takes 15 s at most: the worker and its flow runs get SIGTERM first, while the server still takes their last
    words, then all the others; what is left is killed. If this process dies at once, the guards do the same.

    Args:
        settings: home, ports, bind host, databases.
        parts: what to start besides Prefect's server.
        free_ports: listen on any free ports instead of those set (for a demo or a test beside a running Esteira).
        echo: say what the programs write, too.
        say: takes each line for the terminal.
        groups: gets the process groups, for a caller who may want to `hurry` them.

    Raises:
        AlreadyUp, PortTaken, NotProtected, StartFailed: it could not start; nothing of it is left running.
    """
    settings = settings.model_copy(update={"home": settings.home.absolute()})
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone_in(settings):
        if free_ports:
            chosen = {name: ports.free() for name in ("prefect_port", "web_port", "sandbox_port")}
            settings = settings.model_copy(update=chosen)
        ports.check(_doors(settings, parts))
        extra = prefect_env(settings)
        programs = _Programs(settings, parts, extra)
        logs = settings.home / "logs"
        async with (
            Group("services", logs, say, echo) as services,
            # Entered last and so ended first: a flow run that is told to end reports it to a server that still runs.
            Group("work", logs, say, echo) as work,
        ):
            if groups is not None:
                groups.extend([work, services])
            await _start(settings, parts, programs, services, work, say)
            yield Running(settings, extra, _addresses(settings, parts))


async def _start(
    settings: Settings, parts: Parts, programs: "_Programs", services: Group, work: Group, say: Say
) -> None:
    await _migrate(settings)
    say("starting Prefect's server (about 10 s, on a new database about half a minute)")
    await services.keep(programs.server())
    if parts.web:
        await services.keep(programs.web())
    if parts.sandbox:
        await services.keep(programs.sandbox())
    await services.ready("prefect", _says_ok(f"{_base(settings, settings.prefect_port)}/api/ready"), SERVER_START_S)
    if parts.worker:
        say("registering the deployments")
        await services.run(programs.provision(), PROVISION_S)
        await work.keep(programs.worker())
    if parts.web:
        await services.ready("web", _says_ok(f"{_base(settings, settings.web_port)}/health"), START_S)
    if parts.sandbox:
        await services.ready("sandbox", lambda: ports.answers("127.0.0.1", settings.sandbox_port), START_S)


async def _migrate(settings: Settings) -> None:
    try:
        await upgrade(settings.database)
    except (OSError, ValueError, SQLAlchemyError) as error:
        # The driver's text may repeat the address with its password; its kind is enough.
        reason = str(error).splitlines()[0] if isinstance(error, ValueError) else type(error).__name__
        shown = settings.database.split("@")[-1]
        raise StartFailed(
            f"the hub's database {shown} cannot be used ({reason}): check ESTEIRA_DATABASE_URL"
        ) from error


class _Programs:
    """The command and environment of each program."""

    def __init__(self, settings: Settings, parts: Parts, extra: dict[str, str]) -> None:
        self.settings, self.parts = settings, parts
        self.env = {
            **os.environ,
            **extra,
            # The programs run in ROOT: what was relative to our folder must not become relative to theirs.
            "ESTEIRA_HOME": str(settings.home),
            "ESTEIRA_WEB_PORT": str(settings.web_port),
            "ESTEIRA_PREFECT_PORT": str(settings.prefect_port),
            "ESTEIRA_SANDBOX_PORT": str(settings.sandbox_port),
            # A proxy of the surroundings must not get the talk between our own programs.
            "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1,localhost,::1"])),
            "PYTHONUNBUFFERED": "1",
        }

    def server(self) -> Program:
        where = ("--host", self.settings.bind_host, "--port", str(self.settings.prefect_port))
        return self._python("prefect", "-m", "prefect", "--no-prompt", "server", "start", *where)

    def provision(self) -> Program:
        return self._python("provision", "-m", "deployments.provision")

    def worker(self) -> Program:
        # The limit is the worker's own, kept in memory: a pool's slots are eaten by runs that died with their worker.
        limit = ("--limit", str(self.settings.runs_at_once))
        start = ("worker", "start", "--pool", "esteira", "--type", "process", "--install-policy", "never")
        return self._python("worker", "-m", "prefect", "--no-prompt", *start, *limit)

    def web(self) -> Program:
        where = ("--host", self.settings.bind_host, "--port", str(self.settings.web_port))
        patience = ("--timeout-graceful-shutdown", "5")
        return self._python("web", "-m", "uvicorn", "--factory", "web.app:create_app", *where, *patience)

    def sandbox(self) -> Program:
        port = ("--port", str(self.settings.sandbox_port))
        return self._python("sandbox", "-m", "sandbox", *port, *self.parts.sandbox_options)

    def _python(self, name: str, *arguments: str) -> Program:
        return Program(name, (sys.executable, *arguments), self.env, ROOT)


@contextlib.contextmanager
def _alone_in(settings: Settings) -> Iterator[None]:
    """Hold the home's lock; the system frees it however this process ends."""
    with (settings.home / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise AlreadyUp(
                f"Esteira is up already on {settings.home} (process {file.read().strip() or 'unknown'}): stop that "
                "one, or name another folder in ESTEIRA_HOME"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _doors(settings: Settings, parts: Parts) -> list[Door]:
    doors = [Door("Prefect's server", settings.bind_host, settings.prefect_port, "ESTEIRA_PREFECT_PORT")]
    if parts.web:
        doors.append(Door("web app", settings.bind_host, settings.web_port, "ESTEIRA_WEB_PORT"))
    if parts.sandbox:
        doors.append(Door("sandbox", "127.0.0.1", settings.sandbox_port, "ESTEIRA_SANDBOX_PORT"))
    return doors


def _addresses(settings: Settings, parts: Parts) -> dict[str, str]:
    found = {"Prefect": _base(settings, settings.prefect_port)}
    if parts.web:
        web = _base(settings, settings.web_port)
        found |= {"Web": web, "API": f"{web}/docs", "Health": f"{web}/ready"}
    if parts.sandbox:
        found["Sandbox"] = f"http://127.0.0.1:{settings.sandbox_port}"
    return found


def _base(settings: Settings, port: int) -> str:
    return f"http://{reachable(settings.bind_host)}:{port}"


def _says_ok(address: str) -> Probe:
    async def probe() -> bool:
        try:
            # Not through a proxy: the address is one of this machine.
            async with httpx.AsyncClient(trust_env=False, timeout=2) as client:
                return (await client.get(address)).status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    return probe
