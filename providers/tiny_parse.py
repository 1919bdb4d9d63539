"""Reading what both of Tiny's APIs write, however it is spelt (`reference/tiny.md §2.6`, `§4.3`).

Ids and numbers come as numbers or as text, collections as a list, one object, `""`, `null` or not at all, rows bare or
in a wrapper of one key, and "no id" is `"0"`, `0`, `""` or null. Nothing here raises for any JSON: what cannot be read
is collected as a problem, and the record is refused with all of its problems at once.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Context, Decimal
from hashlib import blake2b
from typing import Any

from hub.records import Problem, Refused


@dataclass(slots=True)
class Reader:
    """Reads the fields of one payload and remembers what it could not read."""

    problems: list[Problem] = field(default_factory=list)

    def text(self, name: str, value: Any) -> str:
        """The value as text without outer blanks; numbers are cast (a numeric SKU comes as one), nothing is ''."""
        kind = type(value)
        if kind in _SPELLINGS or not value:
            return text(value)
        self.refuse(name, "not_a_text", value)
        return ""

    def number(self, name: str, value: Any) -> Decimal | None:
        """The exact number, None where there is none (null, '', an empty list)."""
        if value is None or value == "":
            return None
        found = number(value)
        if isinstance(found, Decimal):
            return found
        if found:
            self.refuse(name, found, value)
        return None

    def positive(self, name: str, value: Any) -> Decimal | None:
        """A number where zero says that there is none, as in a promotional price."""
        return self.number(name, value) or None

    def code(self, name: str, value: Any, known: Mapping[str, Any], absent: Any) -> Any:
        """What a one-letter code stands for; `absent` when it is not told. An unknown letter is a problem."""
        letter = text(value).upper()
        if not letter:
            return absent
        if letter not in known:
            self.refuse(name, "unknown_code", value)
            return absent
        return known[letter]

    def refuse(self, name: str, reason: str, received: Any) -> None:
        """Remember why the record cannot be taken."""
        self.problems.append(Problem(name, reason, shown(received)))

    def refused(self, payload: Any) -> Refused:
        """The record, refused with everything that was found."""
        row = payload if isinstance(payload, dict) else {}
        return Refused(
            external_id=identity(row.get("id")),
            problems=tuple(self.problems),
            payload=as_json(payload),
            name=text(row.get("nome") or row.get("descricao")),
            sku=text(row.get("codigo") or row.get("sku")),
        )


def text(value: Any) -> str:
    """Text without outer blanks; '' for what is neither text nor number.

    NUL and halves of surrogate pairs are taken out: JSON can spell them, no database takes them.
    """
    if type(value) is not str:
        if value is None or isinstance(value, (bool, dict, list, tuple)):
            return ""
        value = str(value)
    stripped: str = value.strip()
    if "\0" in stripped:
        stripped = stripped.replace("\0", "").strip()
    if stripped.isascii():
        return stripped
    return stripped.encode("utf-8", "ignore").decode()


def identity(value: Any) -> str:
    """An id as text; '' for "no id"."""
    found = text(value)
    return "" if found == "0" or len(found) > MOST_ID_LETTERS else found


def number(value: Any) -> Decimal | str:
    """The exact number, or why it is none: a reason, or '' for an empty collection, which PHP writes for "nothing".

    More than 10 places are rounded half-up: nobody types them, they are the noise of somebody's binary arithmetic
    (59.900000000000006). A comma is refused and not guessed at: "1,234" is one real or a thousand.
    """
    kind = type(value)
    if kind is Decimal:
        found: Decimal = value
    elif kind is int:
        found = Decimal(value)
    elif kind is str:
        if not _NUMBER.fullmatch(value):
            return "not_a_number" if value.strip() else ""
        found = Decimal(value.strip())
    elif kind is float:
        found = Decimal(repr(value))
    elif kind in (list, dict):
        return "not_a_number" if value else ""
    else:
        return "not_a_number"
    if not found.is_finite():
        return "not_a_number"
    places = found.as_tuple().exponent
    if found and found.adjusted() >= MOST_DIGITS:
        return "too_large"
    if type(places) is int and not -10 <= places <= MOST_DIGITS:
        found = found.quantize(_TEN_PLACES, context=_EXACT).normalize(_EXACT) if found else _ZERO
    return found


def many(value: Any, wrapper: str = "") -> list[Any]:
    """The rows of a collection in whatever form it came, out of their wrappers of one key.

    PHP writes a list with a gap in it as an object of positions: `{"0": …, "2": …}`.
    """
    if not value:
        return []
    if isinstance(value, dict) and all(key.isdecimal() for key in value):
        value = list(value.values())
    rows = value if isinstance(value, list) else [value]
    if not wrapper:
        return rows
    bare: list[Any] = []
    for row in rows:
        inner = row[wrapper] if isinstance(row, dict) and wrapper in row else row
        if isinstance(inner, list):
            bare.extend(inner)
        else:
            bare.append(inner)
    return bare


def one(value: Any) -> dict[str, Any]:
    """One object, also where it came as a list of one; {} where there is none."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else {}


def whole(value: Any) -> int | None:
    """A count (a page number, a total), None when it cannot be read as one."""
    found = text(value)
    return int(found) if found.isascii() and found.isdigit() and len(found) <= MOST_DIGITS else None


def grade(value: Any) -> dict[str, str]:
    """What sets a variation apart: `{"Cor": "Azul"}`, or `[{"chave": "Cor", "valor": "Azul"}]`."""
    if isinstance(value, dict) and "chave" not in value:
        pairs = [(text(key), text(of)) for key, of in value.items()]
    else:
        rows = [row for row in many(value) if isinstance(row, dict)]
        pairs = [(text(row.get("chave")), text(row.get("valor"))) for row in rows]
    return {key: of for key, of in pairs if key}


def document(value: Any) -> str:
    """A CNPJ or CPF without its dots and dashes: since July 2026 a CNPJ may hold letters."""
    return "".join(letter for letter in text(value).upper() if letter.isascii() and letter.isalnum())


def addresses(*values: Any) -> tuple[str, ...]:
    """Addresses of pictures, each once, in their order."""
    return tuple(dict.fromkeys(found for value in values if (found := text(value))))


def fingerprint(row: Mapping[str, Any]) -> str:
    """A mark that differs whenever anything in a listing's row does, but for 12 against "12" and null against ""."""
    told = {key: value if type(value) in _AS_IT_IS else text(value) for key, value in row.items()}
    return blake2b(_encode(told).encode(), digest_size=16).hexdigest()


def as_json(payload: Any) -> str:
    """The payload as JSON text, for whoever has to find out what came (exact numbers appear as text)."""
    try:
        return _encode(payload)
    except RecursionError:
        return '"nested too deeply to be kept"'


def shown(value: Any) -> str:
    """What came, short enough for a notice."""
    received = text(value) if not isinstance(value, (dict, list)) else as_json(value)
    received = received or repr(value)
    return received if len(received) <= MOST_SHOWN else f"{received[:MOST_SHOWN]}…"


MOST_ID_LETTERS = 60
MOST_DIGITS = 13
"""Digits before the dot that the hub stores."""
MOST_SHOWN = 100

_SPELLINGS = frozenset((str, int, Decimal, float))
_NUMBER = re.compile(r"\s*[+-]?(?:[0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,40})\s*")
_ZERO = Decimal(0)
_TEN_PLACES = Decimal("1e-10")
_EXACT = Context(prec=100, rounding=ROUND_HALF_UP)
_AS_IT_IS = frozenset((str, bool, dict, list))
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=str).encode
