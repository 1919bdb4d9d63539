"""Rows of one kind with indexes, and what lists see of them while the search lags behind."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from copy import copy
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from sandbox.core.clock import Clock


class Row(Protocol):
    """What a row needs: a UUID and its index keys."""

    id: str

    def keys(self) -> Iterable[Hashable]:
        """Return the keys the row can be found by."""


R = TypeVar("R", bound=Row)


@dataclass(slots=True)
class Lagged(Generic[R]):
    """How lists showed a row until `until`; None = not at all."""

    until: float
    seen: R | None


class Register(Generic[R]):
    """Rows by id in the order of creation.

    A row is edited between `before = copy(row)` and `changed(row, before)`, and only by giving its attributes new
    values, never inside them: the copy shares what they hold.
    """

    def __init__(self, clock: Clock, lag_s: Callable[[], float]) -> None:
        self.rows: dict[str, R] = {}
        self._clock = clock
        self._lag_s = lag_s
        self._index: dict[Hashable, dict[str, None]] = {}
        self._lagged: dict[str, list[Lagged[R]]] = {}

    def add(self, row: R) -> R:
        """Add a row."""
        self.rows[row.id] = row
        self._file(row)
        self._lag(row.id, None)
        return row

    def edit(self, row: R, **values: object) -> None:
        """Give attributes of a row new values."""
        before = copy(row)
        for name, value in values.items():
            setattr(row, name, value)
        self._unfile(before)
        self._file(row)
        self._lag(row.id, before)

    def remove(self, row: R) -> None:
        """Take a row out."""
        del self.rows[row.id]
        self._unfile(row)
        self._lag(row.id, row)

    def having(self, key: Hashable) -> list[R]:
        """Return the rows with a key, as they are now."""
        return [self.rows[i] for i in self._index.get(key, ())]

    def visible(self, keys: Iterable[Hashable] | None = None) -> Iterator[R]:
        """Yield the rows lists see now.

        With `keys` at least every visible row that has one of them, so that the caller still filters.
        """
        self._prune()
        lagged = self._lagged
        if keys is None:
            ids: Iterable[str] = self.rows
        else:
            ids = dict.fromkeys(i for key in keys for i in self._index.get(key, ()))
        for row_id in ids:
            if row_id not in lagged:
                yield self.rows[row_id]
        for waiting in lagged.values():
            if waiting[0].seen is not None:
                yield waiting[0].seen

    def _file(self, row: R) -> None:
        for key in tuple(row.keys()):
            self._index.setdefault(key, {})[row.id] = None

    def _unfile(self, row: R) -> None:
        for key in tuple(row.keys()):
            ids = self._index.get(key, {})
            ids.pop(row.id, None)
            if not ids:
                self._index.pop(key, None)

    def _lag(self, row_id: str, before: R | None) -> None:
        lag = self._lag_s()
        if lag > 0:
            seen = None if before is None else copy(before)
            self._lagged.setdefault(row_id, []).append(Lagged(self._clock.now() + lag, seen))

    def _prune(self) -> None:
        if not self._lagged:
            return
        now = self._clock.now()
        for row_id in list(self._lagged):
            waiting = [lag for lag in self._lagged[row_id] if lag.until > now]
            if waiting:
                self._lagged[row_id] = waiting
            else:
                del self._lagged[row_id]
