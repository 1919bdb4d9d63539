"""Checks of request bodies: closed schemas, every complaint at once (`reference/tagplus.md` §5)."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sandbox.core.documents import plain

HUGE = 1e12
#: Codes of the JSON-schema validator whose output the vendor passes on.
_TYPE, _ENUM, _LOW, _HIGH, _SHORT, _LONG, _PATTERN, _MISSING, _EXTRA = 0, 1, 101, 103, 200, 201, 202, 302, 303
_NAMES = {
    "text": "string",
    "int": "integer",
    "number": "number",
    "bool": "boolean",
    "object": "object",
    "list": "array",
}
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")


class Refused(Exception):
    """The call fails: status, `error_code`, sentence, the fields it is about, complaints of the schema."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        data: list[dict[str, Any]] | None = None,
        errors: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.data = data
        self.errors = errors

    def as_dict(self) -> dict[str, Any]:
        """Return the body of the answer."""
        body: dict[str, Any] = {
            "error_code": self.code, "message": self.message, "dev_message": f"sandbox: {self.message}",
            "data": self.data,
        }  # fmt: skip
        return body if self.errors is None else {**body, "errors": self.errors}


def not_found(what: str, value: Any, field: str | None = None) -> Refused:
    """Return the complaint about a record that is not there."""
    return Refused(404, "nao_encontrado", f"{what} não encontrado: {value}", [{"id": str(value), "field": field}])


def forbidden(code: str, message: str, row: Any = None, field: str | None = None) -> Refused:
    """Return a 403."""
    return Refused(403, code, message, [{"id": None if row is None else str(row), "field": field}])


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body: its kind and bounds.

    Kinds: text, int, number, bool, date, time, document, any, object (closed when it has `fields`), list (of objects
    with `fields`, else of `item`).
    """

    kind: str = "text"
    required: bool = False
    choices: tuple[Any, ...] = ()
    short: int = 0
    long: int = 0
    low: float | None = None
    high: float | None = None
    pattern: str = ""
    fields: "Mapping[str, Field] | None" = None
    item: str = "object"


def check(body: Any, fields: Mapping[str, Field]) -> dict[str, Any]:
    """Return the body; Refused(422) with every complaint when it is no object or breaks the closed schema."""
    errors = _object(body, fields, "")
    if errors:
        raise Refused(422, "schema_invalido", "Os dados enviados são inválidos.", None, errors)
    return dict(body)


def invalid(path: str, message: str, code: int = _PATTERN) -> Refused:
    """Return a 422 with one complaint about the value at `path`."""
    return Refused(
        422, "schema_invalido", "Os dados enviados são inválidos.", None, [_error(code, message, path, "/pattern")]
    )


def optional(fields: Mapping[str, Field], *without: str) -> dict[str, Field]:
    """Return the schema of a PATCH: nothing is required, `without` are not known."""
    return {
        name: Field(f.kind, False, f.choices, f.short, f.long, f.low, f.high, f.pattern, f.fields, f.item)
        for name, f in fields.items()
        if name not in without
    }


def _error(code: int, message: str, path: str, key: str) -> dict[str, Any]:
    return {"code": code, "message": message, "dataPath": path, "schemaKey": key, "subResults": None}


def _object(body: Any, fields: Mapping[str, Field], path: str) -> list[dict[str, Any]]:
    if not isinstance(body, dict):
        return [_wrong_type(body, "object", path)]
    errors = [
        _error(_MISSING, f"Campo obrigatório não encontrado: '{name}'", path, f"/required/{at}")
        for at, name in enumerate(n for n, f in fields.items() if f.required)
        if name not in body
    ]
    for name, value in body.items():
        where = f"{path}/{name}"
        if name not in fields:
            errors.append(_error(_EXTRA, f"Campo adicional não é permitido: '{name}'", where, "/additionalProperties"))
        else:
            errors.extend(_value(value, fields[name], where))
    return errors


def _value(value: Any, field: Field, path: str) -> list[dict[str, Any]]:
    if not _fits(value, field.kind):
        return [_wrong_type(value, field.kind, path)]
    if field.kind == "object":
        return [] if field.fields is None else _object(value, field.fields, path)
    if field.kind == "list":
        return _rows(value, field, path)
    return _bounds(value, field, path)


def _rows(rows: list[Any], field: Field, path: str) -> list[dict[str, Any]]:
    errors: list[dict[str, Any]] = []
    for at, row in enumerate(rows):
        inner = Field(field.item) if field.fields is None else Field("object", fields=field.fields)
        errors.extend(_value(row, inner, f"{path}/{at}"))
    return errors


def _bounds(value: Any, field: Field, path: str) -> list[dict[str, Any]]:
    errors = []
    if field.choices and value not in field.choices:
        errors.append(_error(_ENUM, f"Valor não permitido: '{value}'", path, "/enum"))
    if isinstance(value, str):
        if len(value) < field.short:
            errors.append(_error(_SHORT, f"Texto muito curto (mínimo {field.short})", path, "/minLength"))
        if field.long and len(value) > field.long:
            errors.append(_error(_LONG, f"Texto muito longo (máximo {field.long})", path, "/maxLength"))
        if field.pattern and not re.fullmatch(field.pattern, value):
            errors.append(_error(_PATTERN, f"Formato inválido: '{value}'", path, "/pattern"))
    elif field.low is not None and value < field.low:
        errors.append(_error(_LOW, f"Valor menor que {field.low:g}", path, "/minimum"))
    elif field.high is not None and value > field.high:
        errors.append(_error(_HIGH, f"Valor maior que {field.high:g}", path, "/maximum"))
    return errors


def _wrong_type(value: Any, kind: str, path: str) -> dict[str, Any]:
    wanted = _NAMES.get(kind, "string")
    return _error(_TYPE, f"Tipo inválido: {type(value).__name__} (esperado {wanted})", path, "/type")


def _fits(value: Any, kind: str) -> bool:
    if kind == "any":
        return value is not None
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    if kind == "number":
        right = isinstance(value, int | float) and not isinstance(value, bool)
        return right and math.isfinite(value) and abs(value) < HUGE
    if kind in ("object", "list"):
        return isinstance(value, dict if kind == "object" else list)
    return isinstance(value, str) and _reads(value, kind)


def _reads(value: str, kind: str) -> bool:
    if kind == "time":
        return _TIME.fullmatch(value) is not None
    if kind == "date":
        return re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) is not None and _is_day(value)
    if kind == "moment":
        return re.match(r"\d{4}-\d{2}-\d{2}", value) is not None and _is_day(value[:10])
    if kind == "cpf":
        return value == "" or len(plain(value)) == 11
    if kind == "cnpj":
        return value == "" or len(plain(value)) == 14
    return True


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
