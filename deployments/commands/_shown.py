"""How the verbs speak: tables and texts on stdout, or one JSON object; progress and what went wrong on stderr."""

import contextlib
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table
from rich.text import Text

from hub.clock import to_sao_paulo
from hub.settings import settings

PIPE_WIDTH = 160
"""Columns of a table that goes into a file or a pipe; on a terminal its own width holds."""

LOGGERS = ("esteira", "hub", "providers", "tasks")


def say(text: str) -> None:
    """A line for people, on stdout."""
    print(printable(text))


def warn(text: str) -> None:
    """A line about what went wrong or goes on, on stderr."""
    print(printable(text), file=sys.stderr)


def as_json(found: Any) -> None:
    """One JSON object on stdout."""
    print(json.dumps(found, ensure_ascii=False, default=_plain))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on stdout. Cells of numbers stand to the right."""
    made = Table(title=title, title_justify="left", header_style="bold", title_style="bold")
    for place, column in enumerate(columns):
        numbers = bool(rows) and all(isinstance(row[place], int | float | Decimal) for row in rows)
        made.add_column(column, justify="right" if numbers else "left", overflow="fold")
    for row in rows:
        # As Text and not as str: a product's name may hold what rich takes for markup.
        made.add_row(*(Text(printable("" if cell is None else str(cell))) for cell in row))
    _console(sys.stdout).print(made)


@contextlib.contextmanager
def progress() -> Iterator[None]:
    """While the block runs, our log lines are shown on stderr."""
    handler = RichHandler(console=_console(sys.stderr), show_path=False, markup=False, rich_tracebacks=False)
    handler.setFormatter(logging.Formatter("%(message)s"))
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(settings().log_level.upper())
        # Prefect puts a handler of its own on the root when it is imported: each line would come twice.
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


def printable(text: str) -> str:
    """The text without what steers a terminal: names come from outside, and an escape sequence may be in one."""
    return "".join(letter if letter.isprintable() or letter in "\n\u00a0" else "·" for letter in text)


def moment(at: datetime | None) -> str:
    """A time as ops read it: São Paulo's clock."""
    return f"{to_sao_paulo(at):%d/%m/%Y %H:%M:%S}" if at else ""


def _console(stream: Any) -> Console:
    return Console(file=stream, width=None if stream.isatty() else PIPE_WIDTH, highlight=False)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"no JSON for {type(value).__name__}")
