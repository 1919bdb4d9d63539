"""What a measured program has used of its machine, by its own account."""

import resource
import sys
import time
from pathlib import Path
from typing import Any


class Usage:
    """Seconds and CPU seconds from here on, and the peak memory of the whole process, imports included."""

    def __init__(self) -> None:
        self._wall = time.perf_counter()
        self._cpu = _cpu()

    @classmethod
    def of_process(cls) -> "Usage":
        """The same, but the CPU seconds are those of the whole process so far, imports included."""
        made = cls()
        made._cpu = 0.0
        return made

    def report(self) -> dict[str, Any]:
        """`seconds`, `cpu_seconds` (all threads) and `peak_mb` (MB of 10^6 bytes)."""
        return {
            "seconds": time.perf_counter() - self._wall,
            "cpu_seconds": _cpu() - self._cpu,
            "peak_mb": _peak_bytes() / 1e6,
        }


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_bytes() -> int:
    """Linux hands a parent's `ru_maxrss` down to the children that it spawns, hence `VmHWM` where there is one."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
