import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.processes import Group, Log, Program, StartFailed, how_it_ended

LIVES = "import time; print('alive', flush=True); time.sleep(600)"
DEAF = "import signal, time; signal.signal(15, signal.SIG_IGN); print('alive', flush=True); time.sleep(600)"
WITH_CHILD = (
    "import subprocess, sys, time;"
    "child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)']);"
    "print(child.pid, flush=True); time.sleep(600)"
)


def program(name: str, code: str, cwd: Path) -> Program:
    return Program(name, (sys.executable, "-S", "-c", code), dict(os.environ), cwd)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that has ended and waits for its parent to look is dead for our purpose.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[-1].split()[0] != "Z"


def members(group: int) -> list[int]:
    found = subprocess.run(["ps", "-A", "-o", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in found.splitlines()]
    return [int(pid) for pid, pgid, stat in rows if int(pgid) == group and not stat.startswith("Z")]


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def logged(folder: Path, name: str) -> list[str]:
    path = folder / f"{name}.log"
    return path.read_text().splitlines() if path.exists() else []


async def test_leaving_ends_the_programs_and_their_children(tmp_path: Path) -> None:
    async with Group("g", tmp_path) as group:
        await group.keep(program("parent", WITH_CHILD, tmp_path))
        await until(lambda: bool(logged(tmp_path, "parent")))
        child = int(logged(tmp_path, "parent")[0])
        number = group.id
        assert child in members(number)
        assert len(members(number)) == 3
    assert members(number) == []
    assert not lives(child)


async def test_a_program_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    group = Group("g", tmp_path, grace_s=0.3)
    async with group:
        await group.keep(program("deaf", DEAF, tmp_path))
        await until(lambda: bool(logged(tmp_path, "deaf")))
        number, began = group.id, time.monotonic()
    assert 0.3 <= time.monotonic() - began < 5
    assert members(number) == []


async def test_hurry_cuts_the_grace_short(tmp_path: Path) -> None:
    group = Group("g", tmp_path, grace_s=60)
    async with group:
        await group.keep(program("deaf", DEAF, tmp_path))
        await until(lambda: bool(logged(tmp_path, "deaf")))
        group.hurry()
        began = time.monotonic()
    assert time.monotonic() - began < 5


async def test_a_program_that_dies_is_said_and_started_again(tmp_path: Path) -> None:
    said: list[str] = []
    async with Group("g", tmp_path, say=said.append, first_wait_s=0.05) as group:
        await group.keep(program("frail", "print('here', flush=True); raise SystemExit(3)", tmp_path))
        await until(lambda: len(logged(tmp_path, "frail")) >= 3)
    assert said[0].startswith("frail ended with exit code 3; starting it again in 0.05 s (its log: ")
    # Later each time, so that what cannot live does not fill the machine.
    assert "in 0.1 s" in said[1]


async def test_a_killed_program_is_started_again_while_its_child_still_holds_its_output(tmp_path: Path) -> None:
    async with Group("g", tmp_path, say=lambda _: None, first_wait_s=0.05) as group:
        await group.keep(program("parent", WITH_CHILD, tmp_path))
        await until(lambda: bool(logged(tmp_path, "parent")))
        child = int(logged(tmp_path, "parent")[0])
        (parent,) = set(members(group.id)) - {group.id, child}
        os.kill(parent, signal.SIGKILL)
        await until(lambda: len(logged(tmp_path, "parent")) >= 2)
        assert lives(child)
    assert not lives(child)


async def test_a_program_that_ends_before_it_is_ready_fails_the_start_with_its_last_words(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    async with Group("g", tmp_path, say=lambda _: None) as group:
        await group.keep(program("broken", "print('no database here', flush=True); raise SystemExit(4)", tmp_path))
        with pytest.raises(
            StartFailed, match=r"(?s)broken ended with exit code 4 before it was ready.*no database here"
        ):
            await group.ready("broken", never, timeout_s=10)


async def test_a_program_that_is_never_ready_fails_the_start(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    async with Group("g", tmp_path) as group:
        await group.keep(program("slow", LIVES, tmp_path))
        with pytest.raises(StartFailed, match=r"slow was not ready within 0.2 s"):
            await group.ready("slow", never, timeout_s=0.2)


async def test_run_waits_for_a_good_end_and_tells_a_bad_one(tmp_path: Path) -> None:
    async with Group("g", tmp_path) as group:
        await group.run(program("good", "print('done')", tmp_path), timeout_s=10)
        with pytest.raises(StartFailed, match=r"(?s)bad ended with exit code 1.*ValueError: what"):
            await group.run(program("bad", "raise ValueError('what')", tmp_path), timeout_s=10)
        with pytest.raises(StartFailed, match=r"long did not end within 0.2 s"):
            await group.run(program("long", LIVES, tmp_path), timeout_s=0.2)


async def test_echo_shows_each_line_with_its_program(tmp_path: Path) -> None:
    said: list[str] = []
    async with Group("g", tmp_path, say=said.append, echo=True) as group:
        await group.run(program("talker", "print('one'); print('two')", tmp_path), timeout_s=10)
        await until(lambda: len(said) == 2)
    assert said == ["  talker | one", "  talker | two"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_survives_a_parent_that_is_killed(tmp_path: Path) -> None:
    """The parent, the program and the program's child are three generations; the guard ends the last two."""
    script = f"""
import asyncio, os, sys
from pathlib import Path
from deployments.processes import Group, Program
async def main():
    async with Group("g", Path({str(tmp_path)!r})) as group:
        await group.keep(Program("parent", (sys.executable, "-S", "-c", {WITH_CHILD!r}), dict(os.environ), Path.cwd()))
        await group.keep(Program("deaf", (sys.executable, "-S", "-c", {DEAF!r}), dict(os.environ), Path.cwd()))
        print(group.id, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        group = int(parent.stdout.readline())
        asyncio.run(until(lambda: bool(logged(tmp_path, "parent")) and bool(logged(tmp_path, "deaf"))))
        assert len(members(group)) == 4
        parent.kill()
    asyncio.run(until(lambda: members(group) == []))


async def test_a_log_keeps_one_older_file_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deployments.processes.LOG_BYTES", 1000)
    log = Log(tmp_path / "a.log", echo=None)
    pipe = log.open_pipe()
    for number in range(40):
        os.write(pipe, f"{number:04} {'x' * 94}\n".encode())
        await asyncio.sleep(0)
    await until(lambda: log.tail and log.tail[-1].startswith("0039"))
    os.close(pipe)
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "a.log.1"]
    assert all(path.stat().st_size <= 4100 for path in tmp_path.iterdir())


def test_an_end_is_told_in_words() -> None:
    assert how_it_ended(2) == "ended with exit code 2"
    assert how_it_ended(-signal.SIGKILL) == "was ended by SIGKILL"
