"""`esteira up` as its user runs it: whole, in a process of its own, on a home of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deployments import ports
from deployments.prefect_env import ROOT

START_S = 150


class Up:
    """A running `esteira up`, its words and its addresses."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path, env: dict[str, str]) -> None:
        self.process, self.log, self.env = process, log, env
        self.prefect = f"http://127.0.0.1:{env['ESTEIRA_PREFECT_PORT']}/api"
        self.web = f"http://127.0.0.1:{env['ESTEIRA_WEB_PORT']}"

    def wait(self) -> None:
        deadline = time.monotonic() + START_S
        while "Esteira is up" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def family(self) -> set[int]:
        """Every process of the session that `esteira up` leads, without those that have ended."""
        rows = subprocess.run(["ps", "-A", "-o", "pid=,sess=,stat="], capture_output=True, text=True, check=True)
        parts = [row.split() for row in rows.stdout.splitlines()]
        return {int(pid) for pid, sess, stat in parts if int(sess) == self.process.pid and stat[0] != "Z"}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    env = {
        **os.environ,
        "ESTEIRA_HOME": str(tmp_path / "home"),
        "ESTEIRA_PREFECT_PORT": str(ports.free()),
        "ESTEIRA_WEB_PORT": str(ports.free()),
        "ESTEIRA_SANDBOX_PORT": str(ports.free()),
    }
    log = tmp_path / "up.log"
    command = [sys.executable, "-m", "deployments.cli", "up"]
    with log.open("w") as words:
        process = subprocess.Popen(
            command, cwd=ROOT, env=env, stdout=words, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
    started = Up(process, log, env)
    try:
        yield started
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for pid in started.family():
            os.kill(pid, signal.SIGKILL)


def test_up_answers_everywhere_and_ctrl_c_leaves_nothing(up: Up) -> None:
    up.wait()
    assert httpx.get(f"{up.web}/health").json()["status"] == "ok"
    assert httpx.get(f"{up.web}/ready").json() == {"ready": True, "reasons": []}
    assert httpx.get(f"http://127.0.0.1:{up.env['ESTEIRA_SANDBOX_PORT']}/").status_code < 500

    deployments = httpx.post(f"{up.prefect}/deployments/filter", json={}).json()
    assert {each["name"] for each in deployments} == {
        "pull-catalog",
        "pull-stock",
        "pull-invoices",
        "push-products",
        "export-orders",
        "track-orders",
        "drain-inbox",
        "keep-alive",
    }
    assert {each["work_pool_name"] for each in deployments} == {"esteira"}
    automations = httpx.post(f"{up.prefect}/automations/filter", json={}).json()
    assert {each["name"] for each in automations} == {"zombies-to-crashed", "rerun-crashed"}

    again = subprocess.run(up.process.args, cwd=ROOT, env=up.env, capture_output=True, text=True, check=False)  # type: ignore[call-overload]
    assert again.returncode == 1
    assert f"process {up.process.pid}" in again.stderr

    began = time.monotonic()
    os.kill(up.process.pid, signal.SIGINT)
    assert up.process.wait(timeout=20) == 0
    assert time.monotonic() - began < 15
    assert up.family() == set()
    for port in ("PREFECT", "WEB", "SANDBOX"):
        assert up.env[f"ESTEIRA_{port}_PORT"] in up.log.read_text()
