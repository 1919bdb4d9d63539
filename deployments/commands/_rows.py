"""What the imports share: a row's cells read as what their columns hold, the tally, and why a row did not go in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from deployments.commands._columns import FLAG, NUMBER, PICTURES, TIME, Columns, head
from deployments.commands._sheets import Decimals, NotANumberError, Row, Sheet
from hub import texts
from hub.clock import from_sao_paulo, parse_br, parse_iso_br
from hub.records import Problem
from hub.types import plain

BATCH = 200
YES, NO = (
    frozenset({"sim", "s", "1", "true", "x", "yes", "verdadeiro"}),
    frozenset({"nao", "não", "n", "0", "false", "no", "falso"}),
)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that did not go in, and why."""

    line: int
    about: str
    reason: str


@dataclass(slots=True)
class Tally:
    """What became of a file's records."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: list[BadRow] = field(default_factory=list)

    def count(self, outcome: str) -> None:
        """Count one record that went in."""
        name = "changed" if outcome == "edited" else outcome
        setattr(self, name, getattr(self, name) + 1)


class DryRunEnds(Exception):
    """Undoes the transaction of a dry run: what it shows is what a real run does, because it did it."""


class BadCellError(ValueError):
    """A cell that cannot be read, with the head of its column."""


class Reader:
    """Reads a row's cells as what their columns hold; an empty cell is left out."""

    def __init__(self, sheet: Sheet, fields: Mapping[str, str], columns: Columns) -> None:
        self.fields = fields
        self.types = {name: columns[of][0] for name, of in fields.items()}
        numbers = [name for name, kind in self.types.items() if kind == NUMBER]
        self.decimals = Decimals.of(row.cells[name] for row in sheet.rows for name in numbers)

    def read(self, row: Row) -> dict[str, Any]:
        """The fields of a row. Raises BadCellError."""
        return {of: self._cell(name, row.cells[name]) for name, of in self.fields.items() if row.cells[name] != ""}

    def _cell(self, name: str, cell: str | Decimal) -> Any:
        kind = self.types[name]
        try:
            if kind == NUMBER:
                return plain(self.decimals.read(cell))
            if isinstance(cell, Decimal):
                return _digits(cell)
            if kind == FLAG:
                return _flag(cell)
            if kind == TIME:
                return _time(cell)
            return cell.replace("|", " ").split() if kind == PICTURES else cell
        except (NotANumberError, ValueError) as error:
            raise BadCellError(f"column {name!r}: {error}") from error


def _digits(cell: Decimal) -> str:
    """A code in a cell that Excel holds as a number: its digits, where they are all there."""
    if cell != cell.to_integral_value() or abs(cell) >= 10**15:
        raise ValueError(f"received the number {plain(cell)}; format the column as text and write the code again")
    return plain(cell)


def _flag(cell: str) -> bool:
    if cell.lower() in YES | NO:
        return cell.lower() in YES
    raise ValueError(f"received {cell[:20]!r}; valid are sim and não")


def _time(cell: str) -> datetime:
    """A time in São Paulo, but where the cell names another offset."""
    if cell[:3].count("/") and (found := parse_br(f"{cell}:00" if cell.count(":") == 1 else cell)) is not None:
        return found
    try:
        told = datetime.fromisoformat(cell)
        return told if told.tzinfo else from_sao_paulo(told)
    except ValueError:
        found = parse_iso_br(cell)
        if found is None:
            raise ValueError(f"received {cell[:30]!r}; valid is dd/mm/aaaa hh:mm:ss or aaaa-mm-dd hh:mm:ss") from None
        return found


def said(error: ValidationError, columns: Columns) -> str:
    """What does not fit, by the heads of the columns, without what was received: it may be somebody's data."""
    found = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        path = [str(part) for part in fault["loc"] if not isinstance(part, int)]
        names = (".".join(path), ".".join(["item", *path[1:]]), path[-1])
        name = next((head(columns, name) for name in names if name in columns), ".".join(path))
        found.append(f"column {name!r}: {str(fault['msg']).removeprefix('Value error, ')}")
    return "; ".join(dict.fromkeys(found))


def sentences(problems: Sequence[Problem]) -> str:
    return "; ".join(
        texts.sentence({"field": one.field, "reason": one.reason, "received": one.received}) for one in problems
    )
