"""`esteira select`, `unselect`, `failed`, `retry`: what goes out to an ERP, and what did not."""

import asyncio
from typing import Annotated

import typer

Connection = Annotated[str, typer.Option(help="The id of the connection.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    app.command("select")(select)
    app.command("unselect")(unselect)
    app.command("failed")(failed)
    app.command("retry")(retry)


def select(
    connection: Connection,
    sku: Annotated[list[str] | None, typer.Argument(help="SKUs to be sent; of a parent, all its variations.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that can be sold.")] = False,
    as_json: AsJson = False,
) -> None:
    """Select products for an ERP: they are queued, and sent by the next push. Without SKUs: show what is not sent."""
    from deployments.commands import _queueing  # noqa: PLC0415 slow, see the package

    raise typer.Exit(asyncio.run(_queueing.select(connection, sku or [], everything=everything, as_json=as_json)))


def unselect(
    connection: Connection,
    sku: Annotated[list[str], typer.Argument(help="SKUs that are no longer kept up to date over there.")],
    as_json: AsJson = False,
) -> None:
    """Take products off the selection. What is over there stays there."""
    from deployments.commands import _queueing  # noqa: PLC0415

    raise typer.Exit(asyncio.run(_queueing.unselect(connection, sku, as_json=as_json)))


def failed(
    connection: Annotated[str | None, typer.Option(help="The id of one connection; all of them by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what could not be sent, and why."""
    from deployments.commands import _queueing  # noqa: PLC0415

    raise typer.Exit(asyncio.run(_queueing.show_failed(connection, as_json=as_json)))


def retry(
    connection: Connection,
    record: Annotated[list[str] | None, typer.Argument(help="Ids that `failed` shows; all of them by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Queue again what failed, once its cause is mended; the next push or export sends it."""
    from deployments.commands import _queueing  # noqa: PLC0415

    raise typer.Exit(asyncio.run(_queueing.retry(connection, record or None, as_json=as_json)))
