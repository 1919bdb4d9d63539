"""`esteira keys`: the keys that secrets and people's data are encrypted by."""

import asyncio
import sys
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb to the command."""
    keys = typer.Typer(help="The keys that secrets and people's data are encrypted by.", no_args_is_help=True)
    keys.command("new")(new)
    keys.command("rotate")(rotate)
    app.add_typer(keys, name="keys")


def new() -> None:
    """Print a new key on stdout, and on stderr where to put it."""
    from hub.crypto import KEYS_SETTING, generate_key  # noqa: PLC0415 slow, see the package
    from hub.settings import settings  # noqa: PLC0415
    from hub.start import KEY_FILE  # noqa: PLC0415

    s = settings()
    where = (
        f"in {KEYS_SETTING}, in front of the others, with a comma behind it"
        if s.secret_keys.get_secret_value()
        else f"as the first line of {s.home / KEY_FILE}; the last line there is the index key and stays the last"
    )
    print(generate_key())
    print(
        f"Put it {where}. Keep the old keys. Then restart everything that runs, and run: esteira keys rotate",
        file=sys.stderr,
    )


def rotate(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Encrypt every stored secret anew by the newest key. May be interrupted and run again, while Esteira runs."""
    from deployments.commands._rotating import run  # noqa: PLC0415 slow, see the package

    raise typer.Exit(asyncio.run(run(as_json=as_json)))
