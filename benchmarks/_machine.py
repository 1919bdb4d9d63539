"""What a figure was measured on, and what other processes used."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def facts() -> dict[str, str | int | float]:
    """The machine in words: without them a figure says nothing."""
    return {
        "cores": os.cpu_count() or 0,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "prefect": version("prefect"),
        "httpx": version("httpx"),
        "load_before": round(os.getloadavg()[0], 2),
    }


def described(of: dict[str, str | int | float]) -> str:
    """The facts as one line."""
    return (
        f"{of['cores']} cores, {of['memory_gb']} GB, {of['system']}, Python {of['python']}, Prefect {of['prefect']}, "
        f"httpx {of['httpx']}, load before {of['load_before']}"
    )


def peak_mb(*, group: int) -> float:
    """Peak memory of every living process of a process group, added up, in MB of 10^6 bytes."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            status = stat.with_name("status").read_text() if int(fields[2]) == group else ""
        except OSError:
            continue  # it ended while we looked
        total += sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
    return total / 1e6


def cpu_seconds(*, pid: int | None = None, group: int | None = None) -> float:
    """CPU seconds that a process, or every living process of a process group, has used; 0 where there is no /proc."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = stat.read_text().partition(" (")
        except OSError:
            continue  # it ended while we looked
        fields = rest.rpartition(")")[2].split()
        if int(number) == pid or int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
