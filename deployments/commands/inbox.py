"""`esteira inbox`: what webhooks told, and what became of it."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer


class State(StrEnum):
    """Where an event stands."""

    PENDING = "pending"
    TAKEN = "taken"
    DONE = "done"
    IGNORED = "ignored"
    FAILED = "failed"
    BROKEN = "broken"


Connection = Annotated[str | None, typer.Option(help="The id of one connection; all of them by default.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the verbs to the command."""
    inbox = typer.Typer(help="Webhooks: what came, what became of it, and doing it again.", no_args_is_help=True)
    inbox.command("list")(list_events)
    inbox.command("replay")(replay)
    inbox.command("renew")(renew)
    app.add_typer(inbox, name="inbox")


def list_events(
    connection: Connection = None,
    state: Annotated[State | None, typer.Option(help="Only events that stand so.")] = None,
    body: Annotated[bool, typer.Option("--body", help="Show the bodies too: they may hold people's data.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the newest events."""
    from deployments.commands import _inbox  # noqa: PLC0415 slow, see the package

    asyncio.run(_inbox.show(connection, state.value if state else None, body=body, as_json=as_json))


def replay(
    event: Annotated[list[str] | None, typer.Argument(help="Ids that `inbox list` shows.")] = None,
    connection: Connection = None,
    state: Annotated[State, typer.Option(help="Without ids: all events that stand so.")] = State.FAILED,
    as_json: AsJson = False,
) -> None:
    """Have events seen to again: those named, or all that failed. A drain takes them up within minutes, or at once by
    `esteira sync drain-inbox --connection ID`."""
    from deployments.commands import _inbox  # noqa: PLC0415

    raise typer.Exit(asyncio.run(_inbox.replay(event or [], connection, state.value, as_json=as_json)))


def renew(
    connection: Annotated[str, typer.Option(help="The id of the connection.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a connection other webhook addresses, where the former ones have leaked. Paste the new ones at the vendor's:
    what is still sent to the former is lost, and found by the schedules."""
    from deployments.commands import _inbox  # noqa: PLC0415

    if not yes:
        typer.confirm(f"The addresses of {connection} will lead nowhere from now on. Go on?", abort=True)
    raise typer.Exit(asyncio.run(_inbox.renew(connection, as_json=as_json)))
