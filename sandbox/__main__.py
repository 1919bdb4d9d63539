"""`python -m sandbox`: serve the simulators on a loopback address."""

import argparse
import asyncio
import sys
from pathlib import Path

from sandbox.app import create_app
from sandbox.core.server import check_loopback, make_server


def main(arguments: list[str] | None = None) -> int:
    """Serve until interrupted; 2 when an option is wrong."""
    options = _parser().parse_args(arguments)
    try:
        check_loopback(options.host)
        app = create_app(
            plan=options.plan,
            size=options.size,
            olist=options.olist,
            clock_rate=options.clock_rate,
            settings={"latency_ms": options.latency_ms},
        )
        server, listener = make_server(app, options.host, options.port)
    except (ValueError, OSError) as problem:
        print(f"sandbox: {problem}", file=sys.stderr)
        return 2
    host = f"[{options.host}]" if ":" in options.host else options.host
    ready = f"sandbox listening on http://{host}:{listener.getsockname()[1]}"
    server.on_ready = lambda: print(ready, flush=True)
    asyncio.run(server.serve(sockets=[listener]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m sandbox", description="Simulators of the vendors' APIs.")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8790, help="0 takes any free port (default 8790)")
    parser.add_argument("--olist", type=Path, metavar="FOLDER", help="products of the Olist data set")
    parser.add_argument("--size", type=int, metavar="N", help="generate N products, or read N of --olist")
    parser.add_argument("--latency-ms", type=float, default=0.0, metavar="N", help="real time of each answer")
    parser.add_argument("--clock-rate", type=float, default=1.0, metavar="X", help="sandbox seconds a second")
    parser.add_argument("--plan", default="evoluir", help="plan of the account demo (or `unlimited`)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
