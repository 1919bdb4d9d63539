"""The `esteira` command: `main` reads `.env`, finds the verb and turns faults into one line and an exit code."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from dotenv import load_dotenv
from pydantic import ValidationError

from deployments.commands import (
    check,
    connect,
    demo,
    disconnect,
    export_file,
    import_file,
    inbox,
    keys,
    mappings,
    migrate,
    notices,
    policy,
    queue,
    sandbox,
    status,
    sync,
    token,
    up,
)
from deployments.errors import Fault
from hub.version import installed_version

COMMANDS = (
    up,
    demo,
    sandbox,
    migrate,
    connect,
    disconnect,
    check,
    policy,
    mappings,
    queue,
    sync,
    inbox,
    status,
    notices,
    import_file,
    export_file,
    token,
    keys,
)
"""The verbs, in the order in which `esteira --help` lists them."""


def main() -> None:
    """The entry point of the `esteira` script."""
    # First of all, so that what it says of PREFECT_* is there when Prefect is imported, and reaches the children.
    load_dotenv(Path(".env"))
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one verb. Returns the exit code: 0 only when all went well."""
    try:
        make_app()(list(arguments), prog_name="esteira")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Fault as fault:
        print(f"esteira: {fault}", file=sys.stderr)
        return fault.exit_code
    except ValidationError as error:
        if error.title != "Settings":
            raise
        print(f"esteira: {_wrong_settings(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def make_app() -> typer.Typer:
    """The command with all of its verbs."""
    app = typer.Typer(
        help="The hub that keeps Brazilian online shops and their ERPs in step.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(_options)
    for command in COMMANDS:
        command.register(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"esteira {installed_version()}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    pass


def _wrong_settings(error: ValidationError) -> str:
    """Each setting that does not fit: its name, what is valid, what was received (save secrets)."""
    lines = []
    for fault in error.errors(include_url=False):
        name = "_".join(["ESTEIRA", *(str(part).upper() for part in fault["loc"])])
        secret = any(word in name for word in ("KEY", "AUTH", "DATABASE"))
        received = "a value that is not shown" if secret else repr(fault["input"])
        lines.append(f"{name} received {received}: {fault['msg']}; see .env.example")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
