"""Posts webhooks and times the answers; run as `python -m benchmarks._hook_load TASK`, TASK being JSON:

{"url", "count", "at_once", "headers", "body", "per_second": 0 = as fast as it goes}. `body` holds `%d`, the number of
the event. A client of a few lines on asyncio's streams: httpx takes longer for a call than the server that is measured.
"""

import asyncio
import json
import sys
import time
from typing import Any
from urllib.parse import urlsplit


async def run(task: dict[str, Any]) -> dict[str, Any]:
    """Post everything; `seconds` for all, `ms` of each answer from the moment it was due, `accepted` answers of 200."""
    parts = urlsplit(task["url"])
    head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in task.get("headers", {}).items()
    )
    numbers = iter(range(task["count"]))
    began = time.perf_counter()
    ms: list[float] = []
    accepted = 0

    async def caller() -> None:
        nonlocal accepted
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for number in numbers:
            due = began + number / task["per_second"] if task["per_second"] else time.perf_counter()
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            body = task["body"] % number
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            status = await _answer(reader)
            ms.append((time.perf_counter() - due) * 1000)
            accepted += status == b"200"
        writer.close()

    await asyncio.gather(*(caller() for _ in range(task["at_once"])))
    return {"seconds": time.perf_counter() - began, "ms": ms, "accepted": accepted}


async def _answer(reader: asyncio.StreamReader) -> bytes:
    status = (await reader.readline()).split()[1]
    length = 0
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    await reader.readexactly(length)
    return status


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(json.loads(sys.argv[1])))))
