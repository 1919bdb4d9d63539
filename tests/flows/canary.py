"""A buyer whose data is planted to be looked for afterwards, wherever it may not be."""

import logging
import sqlite3
import traceback
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from hub import connections
from hub.records import OutgoingAddress
from tests.flows.erp import Erp

CPF = "93541134780"
PERSON: dict[str, Any] = {
    "document": CPF,
    "buyer_name": "Zulmira Canário de Teste",
    "email": "zulmira.canario@loja.example",
    "phone": "11987650123",
    "delivery": OutgoingAddress(
        street="Travessa do Canário Plantado",
        number="7171",
        complement="Fundos do Viveiro",
        district="Jardim das Gaiolas",
        city="São Paulo",
        uf="SP",
        postal_code="01310930",
        recipient="Zulmira Canário de Teste",
    ),
    "notes": "Deixar com a vizinha Gertrudes",
}
WORDS = (
    CPF,
    "935.411.347-80",
    "Zulmira",
    "zulmira.canario",
    "11987650123",
    "Travessa do Can",
    "Fundos do Viveiro",
    "01310930",
    "01310-930",
    "Gertrudes",
)
SECRETS = ("client_secret", "access_token", "refresh_token")


def forms(word: str) -> set[str]:
    """The ways in which a text may be written: as it is, escaped for JSON, in a URL, in lower case."""
    escaped = word.encode("ascii", "backslashreplace").decode()
    return {word, escaped, word.replace(" ", "%20"), word.replace(" ", "+"), word.casefold()}


def found_in(text: str, words: Iterable[str]) -> list[str]:
    """The planted words that a text holds."""
    folded = text.casefold()
    return [word for word in words if any(form in text or form.casefold() in folded for form in forms(word))]


async def secrets(erp: Erp) -> set[str]:
    """The tokens of the connection as they are now."""
    async with erp.db.read() as session:
        held = (await connections.find(session, erp.id)).credentials
    return {str(held[name]) for name in SECRETS if held.get(name)}


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """What any logger says in the block, down to DEBUG, with the tracebacks."""
    said: list[str] = []

    class Keeps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(f"{record.name}: {record.getMessage()} {_trace(record)}")

    keeps = Keeps(logging.DEBUG)
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    before = [(logger, logger.level, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.disabled = False
        if logger is logging.root or not logger.propagate:
            logger.addHandler(keeps)
    try:
        yield said
    finally:
        for logger, level, disabled in before:
            logger.removeHandler(keeps)
            logger.setLevel(level)
            logger.disabled = disabled


def stored(folder: Path) -> Iterator[tuple[str, str]]:
    """(table.column, value) of everything that lies in the SQLite databases of a folder, as it lies there."""
    for file in folder.glob("*.db"):
        with closing(sqlite3.connect(file)) as raw:
            raw.text_factory = lambda value: value.decode("utf-8", "replace")
            for (table,) in raw.execute("select name from sqlite_master where type = 'table'").fetchall():
                rows = raw.execute(f'select * from "{table}"')
                names = [column[0] for column in rows.description]
                for row in rows:
                    for name, value in zip(names, row, strict=True):
                        yield (
                            f"{table}.{name}",
                            value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value),
                        )


def told_by(error: BaseException) -> str:
    """All that an exception says, with its causes and its traceback."""
    return "".join(traceback.format_exception(error)) + repr(error)


def _trace(record: logging.LogRecord) -> str:
    return "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
