"""`esteira sandbox`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from deployments.errors import Fault
from hub.settings import settings


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("sandbox")(sandbox)


def sandbox(
    olist: Annotated[
        Path | None, typer.Option(help="Serve the products of the Olist CSV files in this folder.")
    ] = None,
    size: Annotated[
        int | None, typer.Option(min=1, help="Invent so many products, or read so many of --olist.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Default: ESTEIRA_SANDBOX_PORT.")] = None,
) -> None:
    """Run the simulators of the vendors' APIs on 127.0.0.1. Ctrl-C ends it."""
    if olist is not None and not olist.is_dir():
        raise Fault(f"--olist received {str(olist)!r}, which is no folder: name the one with the olist_*.csv files")
    arguments = ["--port", str(settings().sandbox_port if port is None else port)]
    if olist is not None:
        arguments += ["--olist", str(olist.absolute())]
    if size is not None:
        arguments += ["--size", str(size)]
    # In place of this process, so that Ctrl-C and the exit code are the simulator's own.
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "sandbox", *arguments])  # noqa: S606 no shell is meant
