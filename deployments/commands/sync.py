"""`esteira sync`."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer


class Path(StrEnum):
    """The paths that can be run by hand, named as their flows."""

    PULL_CATALOG = "pull-catalog"
    PULL_STOCK = "pull-stock"
    PUSH_PRODUCTS = "push-products"
    EXPORT_ORDERS = "export-orders"
    TRACK_ORDERS = "track-orders"
    PULL_INVOICES = "pull-invoices"
    DRAIN_INBOX = "drain-inbox"
    KEEP_ALIVE = "keep-alive"


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("sync")(sync)


def sync(
    path: Annotated[Path, typer.Argument(help="What to run.")],
    connection: Annotated[
        str | None, typer.Option(help="The id of one connection; all that are due by default.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Run one path now and wait for its end. It is seen in Prefect's UI if its server is up."""
    from deployments.commands._syncing import run  # noqa: PLC0415 slow, see the package

    raise typer.Exit(asyncio.run(run(path.value, connection, dry_run=dry_run, as_json=as_json)))
