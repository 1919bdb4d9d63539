"""`esteira export`."""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class What(StrEnum):
    """What can be had as a spreadsheet."""

    PRODUCTS = "products"
    ORDERS = "orders"
    INVOICES = "invoices"
    NOTICES = "notices"


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("export")(export_file)


def export_file(
    what: Annotated[What, typer.Argument(help="What to write.")],
    file: Annotated[Path, typer.Argument(help="A name that ends in .csv or .xlsx.")],
    merchant: Annotated[str, typer.Option(help="The shop that it is of.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Write a shop's products, orders, invoices or notices into a spreadsheet, as a Brazilian Excel opens it.

    Orders hold people's data: the file is readable for its owner only; keep it so. What looks like a formula gets a '
    before it, which an import takes off again.
    """
    from deployments.commands._exporting import run  # noqa: PLC0415 slow, see the package

    asyncio.run(run(what.value, file, merchant, force=force, as_json=as_json))
