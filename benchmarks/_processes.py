"""The simulator and the measured programs, each in a process of its own."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
START_S = 120.0


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running simulator."""

    url: str
    pid: int

    @property
    def addresses(self) -> dict[str, str]:
        """The environment that leads the hub to it."""
        return {
            "ESTEIRA_TINY_V2_URL": f"{self.url}/tiny/api2",
            "ESTEIRA_TINY_V3_URL": f"{self.url}/tiny/public-api/v3",
            "ESTEIRA_TINY_V3_TOKEN_URL": f"{self.url}/tiny/realms/tiny/protocol/openid-connect/token",
            "ESTEIRA_CONTAAZUL_API_URL": f"{self.url}/contaazul",
            "ESTEIRA_CONTAAZUL_TOKEN_URL": f"{self.url}/contaazul/oauth/token",
        }

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """One call of its control API."""
        answer = httpx.request(method, f"{self.url}/_sandbox/{path}", json=body, timeout=60, trust_env=False)
        answer.raise_for_status()
        return answer.json()

    def calls(self) -> dict[str, Any]:
        """The totals of the calls since they were last forgotten."""
        return dict(self.control("GET", "calls/summary"))

    def forget_calls(self) -> None:
        """Begin to count anew."""
        self.control("DELETE", "calls")


@contextlib.asynccontextmanager
async def sandbox(*options: str) -> AsyncIterator[Sandbox]:
    """Run `python -m sandbox` on a free port while the block runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sandbox", "--port", "0", *options, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), START_S)).decode()
        if "listening on" not in line:
            raise RuntimeError(f"the simulator did not start: {line!r}")
        yield Sandbox(line.split()[-1], process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def measured(module: str, task: Mapping[str, Any], env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run `python -m benchmarks.<module>` on a task given as JSON; returns the JSON that it prints last."""
    with tempfile.TemporaryFile() as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"benchmarks.{module}",
            json.dumps(task),
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
        )
        try:
            out, _ = await process.communicate()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            errors.seek(0)
            said = errors.read().decode()[-4000:]
            raise RuntimeError(f"benchmarks.{module} ended with {process.returncode}:\n{said}")
    return dict(json.loads(out.decode().splitlines()[-1]))
