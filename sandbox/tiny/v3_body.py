"""Typed reading of v3 bodies and queries; a wrong type is the 400 Tiny words (`reference/tiny.md` §4.3)."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from sandbox.core.clock import parse_local
from sandbox.tiny.body import LARGEST
from sandbox.tiny.v3 import V3Call, V3Error, invalid, wrong_type

LIMIT = 100
_PHP = {dict: "stdClass", list: "array", str: "string", bool: "bool", int: "int", float: "float"}


def php(value: Any) -> str:
    """Return the name PHP gives the type of a value."""
    return _PHP.get(type(value), "null")


def whole(body: Mapping[str, Any], name: str) -> int | None:
    """Return a whole number, None when it is left out or null."""
    value = body.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise wrong_type(name, php(value), "int")
    return value


def amount(body: Mapping[str, Any], name: str) -> Decimal | None:
    """Return a number, None when it is left out or null."""
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(name, php(value), "float")
    found = Decimal(str(value))
    if not found.is_finite() or abs(found) > LARGEST:
        raise invalid(name, f"O valor informado para o campo {name} é inválido")
    return found


def text(body: Mapping[str, Any], name: str) -> str | None:
    """Return a text, None when it is left out or null."""
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise wrong_type(name, php(value), "string")
    return value


def day(body: Mapping[str, Any], name: str) -> str | None:
    """Return a day YYYY-MM-DD (a time behind it is cut), None when it is left out or null."""
    value = text(body, name)
    if not value or value.startswith("0000-00-00"):
        return None if value is None else ""
    try:
        return date.fromisoformat(value[:10]).isoformat()
    except ValueError:
        raise invalid(name, f"O campo {name} deve estar no formato AAAA-MM-DD") from None


def group(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a nested object, empty when it is left out or null."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise wrong_type(name, php(value), "stdClass")
    return value


def rows(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a list of objects, empty when it is left out or null."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong_type(name, php(value), "array")
    for row in value:
        if not isinstance(row, dict):
            raise wrong_type(name, php(row), "stdClass")
    return value


def ident(body: Mapping[str, Any], name: str) -> int:
    """Return the id inside a nested object `{id}`; 0 when there is none."""
    return whole(group(body, name), "id") or 0


def query_whole(call: V3Call, name: str, default: int | None = None) -> int | None:
    """Return a whole number of the query; 400 when it is none."""
    value = call.query.get(name, "")
    if not value:
        return default
    if not (value.isascii() and value.isdigit()):
        raise wrong_type(name, "string", "int")
    return int(value)


def query_day(call: V3Call, name: str) -> str:
    """Return a day of the query; 400 when it has a time part or is no day."""
    value = call.query.get(name, "")
    if not value:
        return ""
    try:
        if len(value) != 10:
            raise ValueError(value)
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise invalid(name, f"O campo {name} deve estar no formato AAAA-MM-DD") from None


def query_time(call: V3Call, name: str) -> float | None:
    """Return a moment of the query, a plain day as its midnight; 400 when it is none."""
    value = call.query.get(name, "")
    if not value:
        return None
    try:
        return parse_local(value, "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
    except ValueError:
        raise invalid(name, f"O campo {name} deve estar no formato AAAA-MM-DD HH:MM:SS") from None


def page(call: V3Call, found: list[Any]) -> tuple[list[Any], dict[str, int]]:
    """Cut the rows from `offset` on, `limit` of them (100 at most [I]), and say how many there are."""
    limit, offset = query_whole(call, "limit", LIMIT), query_whole(call, "offset", 0)
    assert limit is not None
    assert offset is not None
    if limit < 1:
        raise invalid("limit", "O campo limit deve ser maior que zero")
    limit = min(limit, LIMIT)
    return found[offset : offset + limit], {"limit": limit, "offset": offset, "total": len(found)}


def ordered(call: V3Call, found: list[Any]) -> list[Any]:
    """Return rows, given oldest first, as `orderBy` asks: newest first without it [I]."""
    order = call.query.get("orderBy", "")
    if order not in ("", "asc", "desc"):
        raise invalid("orderBy", "O campo orderBy deve ser asc ou desc")
    return found if order == "asc" else found[::-1]


def missing(*names: str) -> V3Error:
    """Return the 400 of required fields that were not sent."""
    details = [(name, f"O campo {name} é obrigatório") for name in names]
    return V3Error(400, "Ocorreram erros de validação", *details)
