"""`esteira demo`."""

import asyncio

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("demo")(demo)


def demo() -> None:
    """Run the main job on invented data against the simulated ERP, show what was done, and end."""
    from deployments.demo import run  # noqa: PLC0415 slow, see the package

    raise typer.Exit(asyncio.run(run()))
