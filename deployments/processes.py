"""Starts programs, keeps them running and ends all of them: with us, or without us when we are killed."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from deployments.errors import Fault

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
STEADY_AFTER_S = 60.0
"""A program that lived so long starts again after `FIRST_WAIT_S`, as if nothing had happened before."""

LOG_BYTES = 10_000_000
TAIL_LINES = 15
POLL_S = 0.1

Say = Callable[[str], None]
Probe = Callable[[], Awaitable[bool]]


class StartFailed(Fault):
    """A program ended before it was ready, or was not ready in time; the text holds the end of its log."""


@dataclass(frozen=True)
class Program:
    """What is started: its name in messages and logs, its command, and its whole environment."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path


@dataclass
class Group:
    """Programs in one process group, led by a guard that ends the group should this process die.

    Use as `async with Group("services", logs) as group`. Leaving it ends every process of the group, the programs'
    own children too: SIGTERM, up to `grace_s` seconds of patience, SIGKILL.
    """

    name: str
    logs: Path
    say: Say = print
    echo: bool = False
    """Also say each line that a program writes, with its name before it."""
    grace_s: float = 6.0
    first_wait_s: float = FIRST_WAIT_S

    _guard: asyncio.subprocess.Process | None = None
    _pipe: int = -1
    _processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    _keepers: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _logs: dict[str, "Log"] = field(default_factory=dict)
    _impatient: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        reading, self._pipe = os.pipe()
        guard = Path(__file__).with_name("guard.py")
        try:
            # The parent's end of the pipe is not inheritable: only our own death closes it.
            self._guard = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", str(guard), stdin=reading, process_group=0
            )
        finally:
            os.close(reading)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.end()

    @property
    def id(self) -> int:
        """The process group's number."""
        if self._guard is None:
            raise RuntimeError(f"the group {self.name!r} is not started: use it as `async with`")
        return self._guard.pid

    async def keep(self, program: Program) -> None:
        """Start a program; whenever it ends, say so and start it again, later each time (1 s, 2 s, … 30 s)."""
        process = await self._spawn(program)
        self._keepers[program.name] = asyncio.create_task(self._keep(program, process), name=program.name)

    async def run(self, program: Program, timeout_s: float) -> None:
        """Run a program to its end. Raises `StartFailed` unless it ends well within `timeout_s` seconds."""
        process = await self._spawn(program)
        try:
            code = await asyncio.wait_for(process.wait(), timeout_s)
        except TimeoutError:
            process.kill()
            raise StartFailed(self._with_tail(program.name, f"did not end within {timeout_s:g} s")) from None
        if code != 0:
            raise StartFailed(self._with_tail(program.name, how_it_ended(code)))

    async def ready(self, name: str, probe: Probe, timeout_s: float) -> None:
        """Wait until the probe of a kept program says yes. Raises `StartFailed` if it ends before, or is too slow."""
        process = self._processes[name]
        deadline = time.monotonic() + timeout_s
        while not await probe():
            if process.returncode is not None:
                raise StartFailed(self._with_tail(name, f"{how_it_ended(process.returncode)} before it was ready"))
            if time.monotonic() > deadline:
                raise StartFailed(self._with_tail(name, f"was not ready within {timeout_s:g} s"))
            await asyncio.sleep(POLL_S)

    def hurry(self) -> None:
        """End at once: the patience of a running or coming `end` is over."""
        self._impatient.set()

    async def end(self) -> None:
        """End every process of the group; may be called twice."""
        if self._guard is None:
            return
        for keeper in self._keepers.values():
            keeper.cancel()
        group, guard, self._guard = self._guard.pid, self._guard, None
        try:
            self._signal(group, signal.SIGTERM)
            await self._patience()
        finally:
            # Also what no longer has a parent among us, as the flow run of a worker that was killed.
            self._signal(group, signal.SIGKILL)
            os.close(self._pipe)
            for process in [*self._processes.values(), guard]:
                await process.wait()
            for log in self._logs.values():
                log.close()

    async def _patience(self) -> None:
        everyone = asyncio.create_task(self._all_ended())
        hurry = asyncio.create_task(self._impatient.wait())
        await asyncio.wait((everyone, hurry), timeout=self.grace_s, return_when=asyncio.FIRST_COMPLETED)
        everyone.cancel()
        hurry.cancel()

    async def _all_ended(self) -> bool:
        for process in self._processes.values():
            await process.wait()
        return True

    async def _keep(self, program: Program, process: asyncio.subprocess.Process) -> None:
        wait = self.first_wait_s
        while True:
            began = time.monotonic()
            code = await process.wait()
            if time.monotonic() - began > STEADY_AFTER_S:
                wait = self.first_wait_s
            log = self._logs[program.name].path
            self.say(f"{program.name} {how_it_ended(code)}; starting it again in {wait:g} s (its log: {log})")
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT_S)
            process = await self._spawn(program)

    async def _spawn(self, program: Program) -> asyncio.subprocess.Process:
        log = self._logs.get(program.name)
        if log is None:
            log = Log(self.logs / f"{program.name}.log", self._echo(program.name))
            self._logs[program.name] = log
        writing = log.open_pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *program.command,
                env=dict(program.env),
                cwd=program.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                process_group=self.id,
            )
        finally:
            os.close(writing)
        self._processes[program.name] = process
        return process

    def _echo(self, name: str) -> Say | None:
        return (lambda line: self.say(f"{name:>8} | {line}")) if self.echo else None

    def _with_tail(self, name: str, what: str) -> str:
        log = self._logs[name]
        return f"{name} {what}; the end of {log.path}:\n" + "\n".join(f"    {line}" for line in log.tail)

    @staticmethod
    def _signal(group: int, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, number)


class Log:
    """The file that a program's words go to, with one older file kept when it has grown to `LOG_BYTES`.

    The pipe is ours and not asyncio's, because there a process counts as running while anyone still holds its
    pipe, and the flow runs of a killed worker do.
    """

    def __init__(self, path: Path, echo: Say | None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._echo = echo
        self._file = path.open("ab")
        self._rest = b""
        self._pipes: set[int] = set()

    def open_pipe(self) -> int:
        """The writing end of a new pipe, for a child; the caller closes it. What comes through is logged."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        self._pipes.add(reading)
        asyncio.get_running_loop().add_reader(reading, self._read, reading)
        return writing

    def close(self) -> None:
        """Take what is still in the pipes, and close them and the file."""
        for pipe in list(self._pipes):
            while pipe in self._pipes and self._read(pipe):
                pass
            if pipe in self._pipes:
                self._drop(pipe)
        self._file.close()

    def _read(self, pipe: int) -> bool:
        try:
            words = os.read(pipe, 65_536)
        except BlockingIOError:
            return False
        if words:
            self._write(words)
        else:
            self._drop(pipe)
        return bool(words)

    def _drop(self, pipe: int) -> None:
        asyncio.get_running_loop().remove_reader(pipe)
        os.close(pipe)
        self._pipes.discard(pipe)

    def _write(self, words: bytes) -> None:
        self._file.write(words)
        self._file.flush()
        if self._file.tell() > LOG_BYTES:
            self._file.close()
            self.path.replace(self.path.with_suffix(".log.1"))
            self._file = self.path.open("ab")
        *lines, self._rest = (self._rest + words).split(b"\n")
        # A program that never ends its line must not fill our memory.
        self._rest = self._rest[-LOG_BYTES // 100 :]
        for raw in lines:
            line = raw.decode(errors="replace").rstrip()
            self.tail.append(line)
            if self._echo:
                self._echo(line)


def how_it_ended(code: int) -> str:
    """A return code in words."""
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
