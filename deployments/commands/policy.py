"""`esteira policy`."""

import asyncio
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("policy")(policy)


def policy(
    connection: Annotated[str, typer.Argument(help="The id of the connection.")],
    choice: Annotated[
        list[str] | None, typer.Argument(help="KEY=VALUE, as often as needed; KEY= is the default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show a connection's policy, or change it; a changed % rule queues just the prices that it changes."""
    from deployments.commands._policies import run  # noqa: PLC0415 slow, see the package

    raise typer.Exit(asyncio.run(run(connection, choice or [], as_json=as_json)))
