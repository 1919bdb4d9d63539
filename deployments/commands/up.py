"""`esteira up`."""

import asyncio
from typing import Annotated

import typer

from hub.settings import settings


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("up")(up)


def up(
    sandbox: Annotated[bool, typer.Option(help="Start the vendors' simulators, too.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show what each program writes.")] = False,
) -> None:
    """Run everything: Prefect with its deployments, the web app, the sandbox. Ctrl-C ends it."""
    from deployments.up import Parts  # noqa: PLC0415 slow, see the package
    from deployments.up import up as run_all  # noqa: PLC0415

    raise typer.Exit(asyncio.run(run_all(settings(), Parts(sandbox=sandbox), echo=verbose)))
