"""`esteira notices`."""

import asyncio
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("notices")(notices)


def notices(
    connection: Annotated[str | None, typer.Option(help="The id of one connection; all of them by default.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that are settled, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the notices that stand, in the merchant's words."""
    from deployments.commands._reading import show_notices  # noqa: PLC0415 slow, see the package

    asyncio.run(show_notices(connection, every=every, as_json=as_json))
