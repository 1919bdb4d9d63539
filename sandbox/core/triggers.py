"""Which call a fault or a script waits for."""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

MATCH_KEYS = ("account", "operation", "call", "nth")


class Trigger:
    """Fits calls by account, operation (a glob), absolute index in the call log, or nth fitting call.

    `operation` is compared with the operation name (`produto.obter`, `GET /produtos/{id}`) and with the call
    as it came (`GET /produtos/123`).
    """

    __slots__ = ("account", "call", "nth", "operation", "seen")

    def __init__(self, match: Mapping[str, Any] | None) -> None:
        match = match or {}
        wrong = [key for key in match if key not in MATCH_KEYS]
        if wrong:
            raise ValueError(f"match knows {', '.join(MATCH_KEYS)}; got {', '.join(wrong)}")
        self.account = _text(match, "account")
        self.operation = _text(match, "operation")
        self.call = _count(match, "call")
        self.nth = _count(match, "nth")
        self.seen = 0

    def fires(self, account: str | None, operation: str, concrete: str, index: int) -> bool:
        """Count the call if it fits and say whether this is the one waited for."""
        if self.account is not None and self.account != account:
            return False
        glob = self.operation
        if glob is not None and not (fnmatchcase(operation, glob) or fnmatchcase(concrete, glob)):
            return False
        if self.call is not None and self.call != index:
            return False
        self.seen += 1
        return self.nth is None or self.nth == self.seen

    def as_dict(self) -> dict[str, Any]:
        """Return the match as it was given."""
        return {key: getattr(self, key) for key in MATCH_KEYS if getattr(self, key) is not None}


def _text(match: Mapping[str, Any], key: str) -> str | None:
    value = match.get(key)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"match.{key} is a text, got {value!r}")
    return value


def _count(match: Mapping[str, Any], key: str) -> int | None:
    value = match.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"match.{key} is a whole number from 1, got {value!r}")
    return value
