"""`esteira migrate`."""

import asyncio

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    app.command("migrate")(migrate)


def migrate() -> None:
    """Bring the hub's database to the newest schema; nothing happens when it is there already."""
    from deployments.commands._hub import opened, shown_database  # noqa: PLC0415 slow, see the package
    from deployments.commands._shown import progress, say  # noqa: PLC0415

    async def run() -> None:
        async with opened(migrated=True):
            say(f"the hub's database is at the newest schema: {shown_database()}")

    with progress():
        asyncio.run(run())
