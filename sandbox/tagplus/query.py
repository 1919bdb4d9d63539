"""Lists: main fields, `fields`, equality filters, `q`, dates, order, pages (`reference/tagplus.md` §4)."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.core.clock import parse_local
from sandbox.core.documents import masked, plain
from sandbox.tagplus.checks import Refused, not_found
from sandbox.tagplus.store import INDEXED, Row, Store, Table, stamp

Getter = Callable[[Store, Row], Any]
Moment = Callable[[Row], float | None]
PAGE_SIZE = 20
RESERVED = frozenset(
    {"page", "per_page", "sort", "fields", "q", "since", "until", "access_token", "filtro_grade", "nome_arquivo"}
)
DOCUMENTS = ("cpf", "cnpj")
_TRUE, _FALSE = ("1", "true"), ("0", "false")


def created(row: Row) -> float | None:
    """Return when a row was made."""
    return row.created_at


def changed(row: Row) -> float | None:
    """Return when a row was changed."""
    return row.changed_at


def kept(name: str) -> Getter:
    """Return the getter of a field as it is stored."""
    return lambda _, row: row.data.get(name)


@dataclass(frozen=True, slots=True)
class View:
    """How rows of one kind read: every field, the main ones, those `q` looks into, the dates to filter by."""

    fields: Mapping[str, Getter]
    main: tuple[str, ...]
    searched: tuple[str, ...] = ()
    dates: Mapping[str, Moment] = field(default_factory=lambda: {"data_alteracao": changed, "data_criacao": created})
    default_date: str = "data_alteracao"
    #: `fields=*` leaves these out (§4: an item can hold more).
    item_only: tuple[str, ...] = ()
    #: What `q` looks into besides fields; never shown.
    unseen: tuple[Getter, ...] = ()

    def whole(self, store: Store, row: Row) -> dict[str, Any]:
        """Return every field, as items do."""
        return {name: get(store, row) for name, get in self.fields.items()}

    def pick(self, store: Store, row: Row, names: Iterable[str]) -> dict[str, Any]:
        """Return some fields."""
        return {name: self.fields[name](store, row) for name in names}


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list and how many pages there are."""

    rows: list[dict[str, Any]]
    pages: int


class Listing:
    """Answers one list call from the parameters and headers that came."""

    def __init__(self, store: Store, view: View, params: Mapping[str, str], date_filter: str = "") -> None:
        self.store = store
        self.view = view
        self.params = params
        self.date_filter = date_filter

    def run(self, table: Table, fits: Callable[[Row], bool] = lambda _: True, main: tuple[str, ...] = ()) -> Page:
        """Return the page asked for of the rows that fit."""
        filters = self._filters()
        indexed = next(
            (n for n in filters if n in INDEXED and n not in DOCUMENTS and "," not in filters[n] and filters[n]), None
        )
        rows = table.visible() if indexed is None else table.visible(indexed, filters[indexed])
        found = [row for row in rows if fits(row) and self._passes(row, filters)]
        self._search(found)
        self._range(found)
        self._sort(found)
        page, size = (
            self._whole("page", 1),
            min(self._whole("per_page", PAGE_SIZE), int(self.store.settings.tagplus_page_cap)),
        )
        names = self._names(main or self.view.main)
        shown = [self.view.pick(self.store, row, names) for row in found[(page - 1) * size : page * size]]
        return Page(shown, -(-len(found) // size))

    def _names(self, main: tuple[str, ...]) -> list[str]:
        wanted = self.params.get("fields", "")
        if wanted == "*":
            return [name for name in self.view.fields if name not in self.view.item_only]
        if not wanted:
            return list(main)
        return [name for name in (part.strip() for part in wanted.split(",")) if name in self.view.fields]

    def _filters(self) -> dict[str, str]:
        filters = {name: value for name, value in self.params.items() if name not in RESERVED}
        for name in list(filters):
            if re.search(r"[\[\].<>:]", name):
                raise Refused(422, "filtro_invalido", f"Filtro inválido: {name}", [{"id": None, "field": name}])
            if name not in self.view.fields:
                if self.store.settings.tagplus_unknown_filter == "refuse":
                    raise Refused(422, "filtro_invalido", f"Filtro desconhecido: {name}", [{"id": None, "field": name}])
                del filters[name]
        if self.store.settings.tagplus_code_filter == "ignored":
            filters.pop("codigo_externo", None)
        return filters

    def _passes(self, row: Row, filters: Mapping[str, str]) -> bool:
        style = self.store.settings.tagplus_document_filter
        for name, wanted in filters.items():
            value = self.view.fields[name](self.store, row)
            if name in DOCUMENTS:
                if not _same_document(value, wanted, style):
                    return False
            elif not any(_equals(value, part) for part in wanted.split(",")):
                return False
        return True

    def _search(self, rows: list[Row]) -> None:
        term = folded(self.params.get("q", ""))
        if term:
            searched = [*(self.view.fields[name] for name in self.view.searched), *self.view.unseen]
            rows[:] = [row for row in rows if any(term in folded(_text(get(self.store, row))) for get in searched)]

    def _range(self, rows: list[Row]) -> None:
        since, until = (self._moment(name) for name in ("since", "until"))
        name = self.date_filter or self.view.default_date
        if name not in self.view.dates:
            raise Refused(422, "filtro_invalido", f"X-Data-Filter inválido: {name}", [{"id": None, "field": name}])
        if since is None and until is None:
            return
        moment = self.view.dates[name]
        rows[:] = [
            row
            for row in rows
            if (at := moment(row)) is not None
            and (since is None or int(at) >= since)
            and (until is None or int(at) <= until)
        ]

    def _moment(self, name: str) -> float | None:
        text = self.params.get(name, "").strip()
        if not text:
            return None
        if re.fullmatch(r"-?\d{1,12}", text):
            return float(text)
        try:
            return parse_local(text, "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
        except ValueError:
            raise Refused(422, "data_invalida", f"Data inválida: {text}", [{"id": None, "field": name}]) from None

    def _sort(self, rows: list[Row]) -> None:
        keys = [part.strip() for part in self.params.get("sort", "").split(",") if part.strip()]
        rows.sort(key=lambda row: row.id)
        for key in reversed(keys):
            name = key.lstrip("-")
            if name not in self.view.fields:
                raise Refused(422, "ordenacao_invalida", f"Ordenação inválida: {name}", [{"id": None, "field": "sort"}])
            get = self.view.fields[name]
            rows.sort(key=lambda row, get=get: _order(get(self.store, row)), reverse=key.startswith("-"))  # type: ignore[misc]

    def _whole(self, name: str, default: int) -> int:
        text = self.params.get(name, "")
        if not text:
            return default
        if not re.fullmatch(r"\d{1,9}", text) or int(text) < 1:
            raise Refused(422, "paginacao_invalida", f"Valor inválido: {text}", [{"id": None, "field": name}])
        return int(text)


def find(table: Table, text: Any, what: str = "Registro", field_name: str | None = None) -> Row:
    """Return the row with an id; Refused(404) when there is none."""
    number = int(text) if str(text).isascii() and str(text).isdigit() else -1
    row = table.rows.get(number)
    if row is None:
        raise not_found(what, text, field_name)
    return row


def show_date(row: Row, name: str) -> str | None:
    """Return one of a row's moments as text."""
    return stamp(row.moments.get(name))


def folded(text: str) -> str:
    """Return a text as the database compares it: without case and accents."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold().strip()


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_text, value))
    return "" if value is None else str(value)


def _same_document(value: Any, wanted: str, style: str) -> bool:
    digits = plain(str(value or ""))
    if not digits:
        return False
    forms = {"digits": (digits,), "masked": (masked(digits),), "both": (digits, masked(digits))}[style]
    return wanted in forms


def _equals(value: Any, wanted: str) -> bool:
    if isinstance(value, dict):
        value = value.get("id")
    if isinstance(value, bool):
        return wanted.lower() in (_TRUE if value else _FALSE)
    if value is None:
        return wanted == ""
    if isinstance(value, int | float):
        if value in (0, 1) and wanted.lower() in (*_TRUE, *_FALSE):
            return wanted.lower() in (_TRUE if value else _FALSE)
        try:
            return float(wanted) == float(value)
        except ValueError:
            return False
    return str(value) == wanted


def _order(value: Any) -> tuple[int, float, str]:
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, int | float):
        return (1, float(value), "")
    if isinstance(value, dict):
        return _order(value.get("id"))
    return (2, 0.0, folded(str(value)))
