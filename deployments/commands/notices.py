"""`esteira notices` and `esteira archive`."""

import asyncio
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command("notices")(notices)
    app.command("archive")(archive)


def notices(
    connection: Annotated[str | None, typer.Option(help="The id of one connection; all of them by default.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Those that are settled, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the notices that stand, in the merchant's words."""
    from deployments.commands._reading import show_notices  # noqa: PLC0415 slow, see the package

    asyncio.run(show_notices(connection, every=every, as_json=as_json))


def archive(
    notice: Annotated[list[str], typer.Argument(help="Ids that `notices` shows in brackets.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Put notices away that were seen to. One whose cause is still there comes back."""
    from deployments.commands import _reading  # noqa: PLC0415

    raise typer.Exit(asyncio.run(_reading.archive(notice, as_json=as_json)))
