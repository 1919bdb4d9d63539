"""Leads a process group and ends it when the process that started it is gone, even by kill -9.

Run as `python -I -S guard.py` with a pipe as its standard input, whose other end only the parent holds. While the
parent lives nothing happens. When the parent is gone the pipe ends, and the group gets SIGTERM, then SIGKILL. It
imports nothing of ours, so that it starts in 20 ms and costs little.

Linux could tell each child of its parent's death (PR_SET_PDEATHSIG), but not a child's child: the flow run that a
worker started would go on writing without anybody to stop it. A group has them all, and works on macOS too.
"""

import os
import signal
import sys
import time

GRACE_S = 5.0
STEP_S = 0.05


def main() -> None:
    """Wait for the parent's end, then end the group."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    group = os.getpgrp()
    os.killpg(group, signal.SIGTERM)
    if os.fork() > 0:
        # The leader ends as the others do, so that the group is empty when they have ended.
        os._exit(0)
    os.setpgid(0, 0)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and _has_members(group):
        time.sleep(STEP_S)
    if _has_members(group):
        os.killpg(group, signal.SIGKILL)


def _has_members(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
