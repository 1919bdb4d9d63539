"""`esteira mappings`: which product of the store is which over there."""

import asyncio
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    mappings = typer.Typer(help="Which product of the store is which over there.", no_args_is_help=True)
    mappings.command("delete")(delete)
    mappings.callback()(_group)  # keeps `delete` a verb of its own while it is the only one
    app.add_typer(mappings, name="mappings")


def _group() -> None:
    pass


def delete(
    connection: Annotated[str, typer.Option("--connection", help="The connection's id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and delete nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Delete all product mappings of a connection: the next pull matches them anew, by SKU, then GTIN."""
    from deployments.commands._mapping import run  # noqa: PLC0415 slow, see the package

    raise typer.Exit(asyncio.run(run(connection, yes=yes, dry_run=dry_run, as_json=as_json)))
