"""An application served by a thread of the tests' own process, for tests that need no process of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from sandbox.app import create_app
from sandbox.core.server import make_server


@contextlib.contextmanager
def sandbox_in_a_thread() -> Iterator[str]:
    """Serve a new sandbox while the block runs; gives its address."""
    with served_in_a_thread(create_app()) as url:
        yield url


@contextlib.contextmanager
def served_in_a_thread(app: Any) -> Iterator[str]:
    """Serve an ASGI application while the block runs; gives its address."""
    server, listener = make_server(app)
    ready = threading.Event()
    server.on_ready = ready.set
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    assert ready.wait(10), "the server did not start"
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(10)
