"""Spreadsheets read and written with nothing lost on the way: text stays text, numbers are exact, formulas stay dead.

CSV comes from Brazilian and other Excels alike: parted by `;`, `,` or tabs, in UTF-8 or Windows-1252, with a decimal
comma or point. What cannot be told apart is refused, never guessed: "1.234" is a thousand or a little more than one.
"""

import contextlib
import csv
import importlib.util
import io
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from deployments.errors import Fault

SUFFIXES = (".csv", ".xlsx")
MOST_BYTES = 200 * 1024 * 1024
DELIMITERS = (";", ",", "\t")
LONGEST_CELL = 32_767
"""Excel's own limit; a longer text makes it call the file damaged."""

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
"""With one of these first a cell is a formula to Excel, and a product's name may come from a stranger."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")


@dataclass(frozen=True, slots=True)
class Row:
    """One row by its column names; `line` is where it stands in the file. A number cell of XLSX is a Decimal."""

    line: int
    cells: dict[str, str | Decimal]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A spreadsheet: its columns as they are headed, its rows, and rows that could not be told apart into cells."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    broken: tuple[tuple[int, str], ...] = ()


class NotANumberError(ValueError):
    """A cell that is no number, or one of two; the text says what was received and what is valid."""


@dataclass(frozen=True, slots=True)
class Decimals:
    """How a file writes numbers: `mark` is its decimal mark, None where no cell tells."""

    mark: str | None

    @classmethod
    def of(cls, cells: Iterable[str | Decimal]) -> "Decimals":
        """What the cells of number columns tell together; nothing, where they contradict each other."""
        marks = {mark for cell in cells if isinstance(cell, str) and (mark := _mark(_bare(cell)))}
        return cls(marks.pop() if len(marks) == 1 else None)

    def read(self, cell: str | Decimal) -> Decimal:
        """The number in a cell. Raises NotANumberError."""
        if isinstance(cell, Decimal):
            return cell
        text = _bare(cell)
        if _WHOLE.fullmatch(text):
            return Decimal(text)
        mark = _mark(text)
        if mark is None and _EITHER.fullmatch(text):
            if self.mark is None:
                raise NotANumberError(
                    f"received {cell[:40]!r}, which is either thousands or decimals, and no other cell tells which: "
                    "write 1234,00 or 1,2340"
                )
            mark = self.mark
        if mark is None:
            raise NotANumberError(f"received {cell[:40]!r}; valid is a number, as 1234,56 or 1234.56")
        return Decimal(text.replace("." if mark == "," else ",", "").replace(",", "."))


def read_sheet(path: Path, known: Iterable[str]) -> Sheet:
    """Read a CSV or XLSX file; `known` are column names by which the delimiter of a CSV is found. Raises Fault."""
    _suffix(path)
    try:
        if path.stat().st_size > MOST_BYTES:
            raise Fault(f"{path} has more than {MOST_BYTES // 1024 // 1024} MB: split it")
        return _read_xlsx(path) if path.suffix.lower() == ".xlsx" else _read_csv(path, set(known))
    except OSError as error:
        raise Fault(f"{path} cannot be read: {error.strerror or type(error).__name__}") from error


def write_sheet(path: Path, columns: Sequence[str], rows: Sequence[dict[str, Any]], *, force: bool) -> int:
    """Write rows as CSV for a Brazilian Excel (UTF-8 with BOM, `;`, decimal comma) or as XLSX; returns cells cut short.

    The file appears whole or not at all, readable for its owner only. Raises Fault.
    """
    import pandas as pd  # noqa: PLC0415 slow, see the package

    is_xlsx = _suffix(path) == ".xlsx"
    if path.exists() and not force:
        raise Fault(f"{path} is there already; another name, or --force to replace it")
    plain = [{name: _harmless(row.get(name), xlsx=is_xlsx) for name in columns} for row in rows]
    cut = sum(isinstance(cell, str) and len(cell) > LONGEST_CELL for row in plain for cell in row.values())
    if is_xlsx:
        plain = [{n: c[:LONGEST_CELL] if isinstance(c, str) else c for n, c in row.items()} for row in plain]
    frame = pd.DataFrame(plain, columns=list(columns), dtype=object)
    with _replacing(path) as draft:
        if is_xlsx:
            frame.to_excel(draft, index=False, engine=_openpyxl())
        else:
            frame.to_csv(draft, index=False, sep=";", encoding="utf-8-sig", lineterminator="\r\n")
    return cut if is_xlsx else 0


_WHOLE = re.compile(r"[+-]?[0-9]+")
_EITHER = re.compile(r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}")
_BY_COMMA = re.compile(r"[+-]?([0-9]+|[1-9][0-9]{0,2}(\.[0-9]{3})+),[0-9]+")
_BY_POINT = re.compile(r"[+-]?([0-9]+|[1-9][0-9]{0,2}(,[0-9]{3})+)\.[0-9]+")
_THOUSANDS_POINT = re.compile(r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3}){2,}")
_THOUSANDS_COMMA = re.compile(r"[+-]?[1-9][0-9]{0,2}(,[0-9]{3}){2,}")


def _mark(text: str) -> str | None:
    """The decimal mark that a number tells by itself; None where it is one of two, or no number."""
    if _EITHER.fullmatch(text):
        return None
    if _BY_COMMA.fullmatch(text) or _THOUSANDS_POINT.fullmatch(text):
        return ","
    if _BY_POINT.fullmatch(text) or _THOUSANDS_COMMA.fullmatch(text):
        return "."
    return None


def _bare(cell: str) -> str:
    return cell.replace("R$", "").replace("\u00a0", "").replace(" ", "")


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise Fault(f"received the file {path.name!r}; valid are files that end in {' or '.join(SUFFIXES)}")
    return suffix


def _read_csv(path: Path, known: set[str]) -> Sheet:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")  # what an older Excel calls "CSV"
    heads = {mark: next(csv.reader([text.split("\n", 1)[0].rstrip("\r")], delimiter=mark), []) for mark in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda mark: sum(column_name(head) in known for head in heads[mark]))
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    columns: tuple[str, ...] = ()
    rows, broken, line = [], [], 1
    try:
        for cells in lines:
            first, line = line, lines.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _columns(cells)
            elif len(cells) > len(columns) and any(cell.strip() for cell in cells[len(columns) :]):
                said = f"has {len(cells)} cells, the head has {len(columns)}: is there a stray {delimiter!r}?"
                broken.append((first, said))
            else:
                padded = [*cells, *[""] * (len(columns) - len(cells))]
                rows.append(Row(first, {n: _text(c) for n, c in zip(columns, padded, strict=False)}))
    except csv.Error as error:
        raise Fault(f"{path.name}, line {line}: {error}") from error
    return Sheet(columns, tuple(rows), tuple(broken))


def _read_xlsx(path: Path) -> Sheet:
    import pandas as pd  # noqa: PLC0415 slow, see the package

    engine = _openpyxl()
    try:
        frame = pd.read_excel(path, header=None, dtype=object, engine=engine, keep_default_na=False, na_filter=False)
    except (ValueError, KeyError, EOFError, ArithmeticError, AttributeError) as error:
        raise Fault(f"{path.name} is no XLSX that can be read ({type(error).__name__})") from error
    except Exception as error:
        if type(error).__name__ not in ("BadZipFile", "InvalidFileException", "ParseError"):
            raise
        raise Fault(f"{path.name} is no XLSX that can be read ({type(error).__name__})") from error
    columns: tuple[str, ...] = ()
    rows = []
    for line, cells in enumerate(frame.itertuples(index=False, name=None), start=1):
        values = [_typed(cell) for cell in cells]
        if not any(value != "" for value in values):
            continue
        if not columns:
            columns = _columns([str(value) for value in values])
        else:
            rows.append(Row(line, dict(zip(columns, values, strict=True))))
    return Sheet(columns, tuple(rows))


def _columns(heads: Sequence[str]) -> tuple[str, ...]:
    names = tuple(column_name(head) for head in heads)
    if repeated := sorted({name for name in names if name and names.count(name) > 1}):
        raise Fault(f"the column {', '.join(repeated)} stands more than once in the head")
    return names


def column_name(head: str) -> str:
    """`Preço Unitário` → `preco_unitario`."""
    import unicodedata  # noqa: PLC0415

    plain = unicodedata.normalize("NFKD", head).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def _typed(cell: Any) -> str | Decimal:
    """A cell of XLSX. A number is told by Excel itself, so its mark is no question."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "sim" if cell else "não"
    if isinstance(cell, int):
        return Decimal(cell)
    if isinstance(cell, float):
        return Decimal(repr(cell)) if cell == cell else ""  # noqa: PLR0124 NaN is an empty cell
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ", timespec="seconds")
    return _text(str(cell))


def _text(cell: str) -> str:
    """The cell's text; the mark that an export of ours puts before what looks like a formula is taken off."""
    text = cell.strip(" \u00a0\n")
    return text[1:] if text.startswith("'") and text[1:2] in _DANGEROUS else text.strip()


def _harmless(value: Any, *, xlsx: bool) -> Any:
    """A value as it goes into a cell. A number stays one; a text that looks like a formula gets a `'` before it."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return value if xlsx else f"{value:f}".replace(".", ",")
    if isinstance(value, int):
        return value
    text = _CONTROL.sub("", str(value))
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def _openpyxl() -> Any:
    if importlib.util.find_spec("openpyxl") is None:
        raise Fault("XLSX needs the package openpyxl, which is not installed: run `make setup`, or use CSV")
    return "openpyxl"


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file beside it, moved into its place at the end."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix.lower(), dir=path.parent)
    except OSError as error:
        raise Fault(f"{path} cannot be written: {error.strerror}") from error
    os.close(descriptor)
    draft = Path(name)
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
