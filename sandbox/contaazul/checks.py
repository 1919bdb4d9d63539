"""Checks of request bodies: one complaint at a time, as the vendor does (`reference/contaazul.md` §3.4)."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

UUID = re.compile(r"[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
UUID_TEXT = "O valor informado deve estar no formato UUID válido"
INT64 = 2**63
#: Numbers beyond are no money and no quantity, and too long for reckoning in centavos.
HUGE = 1e12


class Refused(Exception):
    """The call fails with an HTTP status and a sentence."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body: its kind and bounds.

    Kinds: text, int, number, bool, date, uuid, object (with `fields`), list (of objects with `fields`, else of
    `item`). `above_zero` numbers must be greater than 0.
    """

    kind: str
    required: bool = False
    choices: tuple[str, ...] = ()
    longest: int = 0
    fields: "Mapping[str, Field] | None" = None
    item: str = "text"
    filled: bool = False
    above_zero: bool = False


def check(body: Mapping[str, Any], fields: Mapping[str, Field], path: str = "") -> None:
    """Raise Refused(400) for the first field that is missing or wrong; unknown fields are not looked at."""
    for name, field in fields.items():
        value, where = body.get(name), f"{path}{name}"
        if value is None or (field.required and field.kind in ("text", "date", "uuid") and value == ""):
            if field.required:
                raise missing(where)
            continue
        _check_value(value, field, where)


def missing(where: str) -> Refused:
    """Return the complaint about a missing field."""
    return Refused(400, f"O campo {where} é obrigatório")


def is_date(value: Any) -> bool:
    """Tell whether a value is a text YYYY-MM-DD that names a day."""
    if not isinstance(value, str) or not DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def is_uuid(value: Any) -> bool:
    """Tell whether a value is a text in UUID form."""
    return isinstance(value, str) and UUID.fullmatch(value) is not None


def _check_value(value: Any, field: Field, where: str) -> None:
    if not _fits(value, field.kind):
        raise Refused(400, _WRONG[field.kind].format(where))
    if field.choices and value not in field.choices:
        raise Refused(400, f"O valor '{value}' não é válido para o campo {where}")
    if field.longest and len(value) > field.longest:
        raise Refused(400, f"O campo {where} deve ter no máximo {field.longest} caracteres")
    if field.above_zero and value <= 0:
        raise Refused(400, f"O campo {where} deve ser maior que zero")
    if field.filled and not value:
        raise missing(where)
    if field.kind == "object" and field.fields:
        check(value, field.fields, f"{where}.")
    elif field.kind == "list":
        _check_items(value, field, where)


def _check_items(rows: list[Any], field: Field, where: str) -> None:
    for at, row in enumerate(rows):
        if field.fields is None:
            _check_value(row, Field(field.item), f"{where}[{at}]")
        elif not isinstance(row, dict):
            raise Refused(400, _WRONG["object"].format(f"{where}[{at}]"))
        else:
            check(row, field.fields, f"{where}[{at}].")


_WRONG = {
    "text": "O campo {} deve ser um texto",
    "int": "O campo {} deve ser um número inteiro",
    "number": "O campo {} deve ser um número",
    "bool": "O campo {} deve ser verdadeiro ou falso",
    "date": "O campo {} deve estar no formato yyyy-MM-dd",
    "uuid": UUID_TEXT + " ({})",
    "object": "O campo {} deve ser um objeto",
    "list": "O campo {} deve ser uma lista",
}


def _fits(value: Any, kind: str) -> bool:
    if kind in ("int", "number") and isinstance(value, bool):
        return False
    if kind == "int":
        return isinstance(value, int) and -INT64 <= value < INT64
    if kind == "number":
        return isinstance(value, int | float) and math.isfinite(value) and abs(value) < HUGE
    if kind == "date":
        return is_date(value)
    if kind == "uuid":
        return is_uuid(value)
    return isinstance(value, {"text": str, "bool": bool, "object": dict, "list": list}[kind])
