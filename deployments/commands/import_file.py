"""`esteira import`."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class What(StrEnum):
    """What a spreadsheet may bring."""

    PRODUCTS = "products"
    ORDERS = "orders"


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("import")(import_file)


def import_file(
    what: Annotated[What, typer.Argument(help="products: one a row, by SKU. orders: one item a row.")],
    file: Annotated[Path, typer.Argument(help="CSV (; or , or tabs; decimal comma or point) or XLSX.")],
    merchant: Annotated[str, typer.Option(help="The shop that it is for.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go in; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, with every bad row.")] = False,
) -> None:
    """Take products or orders in from a spreadsheet. An empty cell leaves what stands.

    Bad rows are told with their line and reason, and the good ones go in. The same file again changes nothing.
    """
    from deployments.commands._importing import run  # noqa: PLC0415 slow, see the package

    raise typer.Exit(asyncio.run(run(what.value, file, merchant, dry_run=dry_run, as_json=as_json)))
