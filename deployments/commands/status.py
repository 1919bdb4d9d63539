"""`esteira status`."""

import asyncio
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("status")(status)


def status(
    connection: Annotated[str | None, typer.Option(help="The id of one connection; all of them by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the connections: state, products, last runs, notices, cursors, events; of one named, its webhook addresses.

    The addresses and the secret open the inbox to whoever has them: paste them at the vendor's and nowhere else.
    """
    from deployments.commands._reading import show_status  # noqa: PLC0415 slow, see the package

    asyncio.run(show_status(connection, as_json=as_json))
