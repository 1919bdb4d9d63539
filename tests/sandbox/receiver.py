"""A webhook receiver over real HTTP, for the tests of this folder."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """What arrived: (headers with lower-case names, body); `answers` are the statuses to give, then 200."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], Any]] = []
        self.answers: list[int] = []
        self.body = b"{}"
        self.arrived = threading.Event()
        self.url = ""

    @property
    def bodies(self) -> list[Any]:
        return [body for _, body in self.got]


@contextlib.contextmanager
def receiver() -> Iterator[Receiver]:
    """Serve a receiver on a free loopback port while the block runs."""
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            state.got.append(({k.lower(): v for k, v in self.headers.items()}, json.loads(raw)))
            state.arrived.set()
            self.send_response(state.answers.pop(0) if state.answers else 200)
            self.send_header("content-length", str(len(state.body)))
            self.end_headers()
            self.wfile.write(state.body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
