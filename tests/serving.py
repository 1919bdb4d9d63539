"""The sandbox served by a thread of the tests' own process, for tests that need no process of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from sandbox.app import create_app
from sandbox.core.server import make_server


@contextlib.contextmanager
def sandbox_in_a_thread() -> Iterator[str]:
    """Serve a new sandbox while the block runs; gives its address."""
    server, listener = make_server(create_app())
    ready = threading.Event()
    server.on_ready = ready.set
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    assert ready.wait(10), "the sandbox did not start"
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
