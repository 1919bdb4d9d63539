"""The register of one account: tables with what lists see while the search lags, counters, the audit log."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from sandbox.core.clock import Clock, local_text
from sandbox.core.settings import Settings
from sandbox.tagplus import lookups

INDEXED = ("codigo", "codigo_externo", "numero", "id_pai", "cpf", "cnpj", "id_entidade", "pedido_os_vinculada")
_EVENTS = {"C": "Criou um novo registro de {}", "A": "Alterou um registro de {}", "E": "Apagou um registro de {}"}


@dataclass(slots=True, eq=False)
class Row:
    """A record. `data` is replaced at every edit, never changed inside: what lists see late shares it."""

    id: int
    data: dict[str, Any]
    created_at: float
    changed_at: float
    origin: str = "ERP"
    #: the last body as it came.
    request: Any = None
    #: other moments: confirmed_at, issued_at, …
    moments: dict[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.data.get(name)


class Table:
    """Rows by id in the order of creation, indexed by the fields of INDEXED."""

    def __init__(self, clock: Clock, lag_s: Callable[[], float], first_id: int = 1) -> None:
        self.rows: dict[int, Row] = {}
        self.ids = count(first_id)
        self._clock = clock
        self._lag_s = lag_s
        self._index: dict[tuple[str, str], dict[int, None]] = {}
        self._lagged: dict[int, list[tuple[float, Row | None]]] = {}

    def add(self, data: dict[str, Any], *, origin: str = "ERP", request: Any = None, row_id: int | None = None) -> Row:
        """Add a record with the next id."""
        now = self._clock.now()
        row = Row(next(self.ids) if row_id is None else row_id, data, now, now, origin, request)
        self.rows[row.id] = row
        self._file(row)
        self._lag(row.id, None)
        return row

    def edit(
        self, row: Row, values: dict[str, Any], *, touch: bool = True, moments: dict[str, float] | None = None
    ) -> None:
        """Give fields (and moments) of a row new values; `touch` moves its date of alteration."""
        before = copy(row)
        row.data = {**row.data, **values}
        row.moments = {**row.moments, **(moments or {})}
        if touch:
            row.changed_at = self._clock.now()
        self._unfile(before)
        self._file(row)
        self._lag(row.id, before)

    def remove(self, row: Row) -> None:
        """Take a row out."""
        del self.rows[row.id]
        self._unfile(row)
        self._lag(row.id, row)

    def having(self, name: str, value: Any) -> list[Row]:
        """Return the rows with a value in an indexed field, as they are now."""
        return [self.rows[i] for i in self._index.get((name, str(value)), ())]

    def first(self, name: str, value: Any) -> Row | None:
        """Return the first row with a value in an indexed field."""
        return next(iter(self.having(name, value)), None)

    def visible(self, name: str | None = None, value: Any = None) -> Iterator[Row]:
        """Yield the rows lists see now; with an indexed field at least those that have the value."""
        self._prune()
        ids = self.rows if name is None else dict.fromkeys(self._index.get((name, str(value)), ()))
        for row_id in ids:
            if row_id not in self._lagged:
                yield self.rows[row_id]
        for waiting in self._lagged.values():
            if waiting[0][1] is not None:
                yield waiting[0][1]

    def _keys(self, row: Row) -> Iterator[tuple[str, str]]:
        for name in INDEXED:
            if row.data.get(name) is not None:
                yield name, str(row.data[name])

    def _file(self, row: Row) -> None:
        for key in self._keys(row):
            self._index.setdefault(key, {})[row.id] = None

    def _unfile(self, row: Row) -> None:
        for key in self._keys(row):
            self._index.get(key, {}).pop(row.id, None)

    def _lag(self, row_id: int, before: Row | None) -> None:
        lag = self._lag_s()
        if lag > 0:
            seen = None if before is None else copy(before)
            self._lagged.setdefault(row_id, []).append((self._clock.now() + lag, seen))

    def _prune(self) -> None:
        now = self._clock.now()
        for row_id in list(self._lagged):
            waiting = [entry for entry in self._lagged[row_id] if entry[0] > now]
            if waiting:
                self._lagged[row_id] = waiting
            else:
                del self._lagged[row_id]


#: What a table is called → the entity of the audit log.
TABLES = {
    "produtos": "produto", "clientes": "cliente", "pedidos": "pedido", "nfes": "nota_fiscal",
    "ajustes_estoque": "ajuste_estoque", "webhooks": "webhook", **{name: name for name in lookups.TABLES},
}  # fmt: skip
#: Number spaces that overlap on purpose: id of one record is the number or entity of another.
FIRST = {"clientes": 601, "pedidos": 1001, "nfes": 2601, "produtos": 15, "ajustes_estoque": 301}
FIRST_ENTITY, FIRST_NUMBER, FIRST_NOTE_ID = 604, 998, 2604


class Store:
    """Everything in an account."""

    def __init__(self, clock: Clock, settings: Settings, emit: Callable[[str, int], None]) -> None:
        self.clock = clock
        self.settings = settings
        self._emit = emit
        self._quiet = False
        self.clear()
        self.webhooks = Table(clock, _never)

    def clear(self) -> None:
        """Forget everything but the registrations of webhooks; the look-ups start anew."""
        self.tables = {
            name: Table(self.clock, _never if name in lookups.TABLES else self._lag, FIRST.get(name, 1))
            for name in TABLES
            if name != "webhooks"
        }
        self.activities = Table(self.clock, _never)
        self.entities = count(FIRST_ENTITY)
        self.numbers = count(FIRST_NUMBER)
        self.note_ids = count(FIRST_NOTE_ID)
        self.note_numbers = count(1)
        self.serials = count(9001)
        #: (due, note id, outcome, quiet) of notes under way.
        self.due: list[tuple[float, int, str, bool]] = []
        for name, rows in lookups.TABLES.items():
            for row in rows:
                self.tables[name].add({k: v for k, v in row.items() if k != "id"}, row_id=row.get("id"))

    def table(self, name: str) -> Table:
        """Return a table by its path."""
        return self.webhooks if name == "webhooks" else self.tables[name]

    @property
    def products(self) -> Table:
        """Products, parents and variations."""
        return self.tables["produtos"]

    @property
    def customers(self) -> Table:
        """Customers."""
        return self.tables["clientes"]

    @property
    def orders(self) -> Table:
        """Orders."""
        return self.tables["pedidos"]

    @property
    def notes(self) -> Table:
        """NF-e."""
        return self.tables["nfes"]

    def note_event(self, table: str, kind: str, row_id: int, event: str = "", app: str = "") -> None:
        """Write the audit log (kinds C, A, E) and tell the world, unless it is to stay quiet."""
        self.log(TABLES.get(table, table), kind, row_id, app)
        if event:
            self.emit(event, row_id)

    def log(self, entity: str, kind: str, row_id: int, app: str = "") -> None:
        """Write one line of the audit log."""
        self.activities.add(
            {
                "evento": _EVENTS[kind].format(entity), "tipo_evento": kind, "entidade": entity,
                "id_entidade": str(row_id), "nome_app": app,
            }
        )  # fmt: skip

    def emit(self, event: str, row_id: int) -> None:
        """Fire an event."""
        if not self._quiet:
            self._emit(event, row_id)

    @contextmanager
    def quiet(self, on: bool = True) -> Iterator[None]:
        """Fire no event while the block runs."""
        before, self._quiet = self._quiet, self._quiet or on
        try:
            yield
        finally:
            self._quiet = before

    def _lag(self) -> float:
        return float(self.settings.tagplus_search_lag_s)


def _never() -> float:
    return 0.0


def stamp(at: float | None) -> str | None:
    """Return a moment as `YYYY-MM-DD HH:MM:SS`."""
    return None if at is None else local_text(at, "%Y-%m-%d %H:%M:%S")
