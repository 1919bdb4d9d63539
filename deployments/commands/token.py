"""`esteira token`: who may call the store API."""

import asyncio
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    token = typer.Typer(help="The bearer tokens of the store API.", no_args_is_help=True)
    token.command("new")(new)
    token.command("list")(every)
    token.command("revoke")(revoke)
    app.add_typer(token, name="token")


def new(
    merchant: Annotated[str, typer.Option(help="The shop's name; a new one is made a merchant.")],
    label: Annotated[str, typer.Option(help="What the token is for, to know it again.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Make a token and print it. It can be read nowhere afterwards."""
    from deployments.commands._tokens import make  # noqa: PLC0415 slow, see the package

    asyncio.run(make(merchant, label, as_json=as_json))


def every(
    merchant: Annotated[str | None, typer.Option(help="Those of one shop; all of them by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """List the tokens: their ids, and not the tokens themselves."""
    from deployments.commands._tokens import show  # noqa: PLC0415 slow, see the package

    asyncio.run(show(merchant, as_json=as_json))


def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID", help="The token's id, as `token list` shows it.")],
) -> None:
    """End a token, for good and at once."""
    from deployments.commands._tokens import end  # noqa: PLC0415 slow, see the package

    asyncio.run(end(token_id))
