"""`esteira check`."""

import asyncio
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("check")(check)


def check(
    connection: Annotated[str | None, typer.Option(help="The id of one connection; all of them by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Ask each account who it is and what it may do; what works becomes active."""
    from deployments.commands._checking import run  # noqa: PLC0415 slow, see the package

    raise typer.Exit(asyncio.run(run(connection, as_json=as_json)))
