"""`esteira disconnect`."""

import asyncio
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("disconnect")(disconnect)


def disconnect(
    connection: Annotated[str, typer.Argument(help="The connection's id.")],
    force: Annotated[
        bool, typer.Option("--force", help="Forget the credentials though the system could not be told.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Take a consent back and forget the credentials. What was integrated stays, for who connects again."""
    from deployments.commands._disconnecting import run  # noqa: PLC0415 slow, see the package

    raise typer.Exit(asyncio.run(run(connection, force=force, as_json=as_json)))
