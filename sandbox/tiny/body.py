"""Reading texts, amounts, days and places of v2 writes; what is wrong is a RecordError 31."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from sandbox.core.settings import Settings
from sandbox.tiny.cities import known_city
from sandbox.tiny.product import as_text
from sandbox.tiny.records import digits
from sandbox.tiny.v2_writes import RecordError

#: Larger amounts are no amounts, and days lie within ten years.
LARGEST, LONGEST_DAYS = Decimal(1_000_000_000), 3650


def read_json(text: str) -> Any:
    """Return what a form field holds (JSONDecodeError when it is no JSON); integers beyond 64 bits stay texts."""
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 19 else digits)


def clip(settings: Settings, name: str, value: Any, longest: int) -> str:
    """Return a text no longer than its field, or refuse or keep it, as the setting `long_values` says."""
    text = as_text(value).strip()
    if len(text) <= longest or settings.long_values == "keep":
        return text
    if settings.long_values == "refuse":
        raise RecordError(31, f"O campo {name} deve ter no máximo {longest} caracteres")
    return text[:longest]


def texts(settings: Settings, row: Mapping[str, Any], lengths: Mapping[str, int]) -> dict[str, str]:
    """Return the texts of a group by their names, "" for what it leaves out."""
    return {name: clip(settings, name, row.get(name), longest) for name, longest in lengths.items()}


def amount(row: Mapping[str, Any], name: str, default: str = "0") -> Decimal:
    """Return a decimal written as number or text; an empty one is `default`."""
    value = row.get(name)
    text = as_text(value).strip() or default
    try:
        if isinstance(value, bool):
            raise InvalidOperation
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or abs(found) > LARGEST:
        raise RecordError(31, f"O campo {name} deve ser um número, valor enviado {text!r}")
    return found


def whole(row: Mapping[str, Any], name: str) -> int:
    """Return an id written as number or text; "", "0" and null are 0."""
    text = as_text(row.get(name)).strip() or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise RecordError(31, f"O campo {name} deve ser um número inteiro, valor enviado {text!r}")
    return int(text)


def iso_day(row: Mapping[str, Any], name: str) -> str:
    """Return a day written dd/mm/yyyy as ISO; "" when it is empty."""
    text = as_text(row.get(name)).strip()
    if not text:
        return ""
    try:
        return datetime.strptime(text, "%d/%m/%Y").date().isoformat()
    except ValueError:
        raise RecordError(31, f"O campo {name} deve conter uma data válida, valor enviado {text!r}") from None


def check_person(settings: Settings, row: Mapping[str, str], suffix: str = "") -> list[str]:
    """Return what is wrong with kind of person, CEP and city of a group of texts."""
    wrong = []
    if row.get("tipo_pessoa", "").upper() not in ("", "F", "J", "E", "X"):
        wrong.append("O tipo de pessoa deve ser F, J ou E")
    cep, city = row.get(f"cep{suffix}", ""), row.get(f"cidade{suffix}", "")
    # A CEP with a dot was refused (§2.6 [R]).
    if cep and ("." in cep or not digits(cep).isdigit() or len(digits(cep)) != 8):
        wrong.append("O CEP informado é inválido")
    if settings.city_check != "off" and city:
        exact = settings.city_check == "exact"
        if not known_city(city, row.get(f"uf{suffix}", ""), exact):
            wrong.append("Cidade não encontrada")
    return wrong


def check_wide(settings: Settings, *values: str) -> None:
    """Refuse characters above U+00FF when the setting says so (§2.2 [R])."""
    if settings.wide_characters == "refuse" and any(ord(c) > 255 for text in values for c in text):
        raise RecordError(31, "O texto contém caracteres inválidos")


def unwrapped(row: Mapping[str, Any], name: str, wrapper: str) -> list[Mapping[str, Any]]:
    """Return the rows of a collection without their wrappers; what is no object is left out."""
    rows = row.get(name)
    inner = [r.get(wrapper, r) for r in rows if isinstance(r, dict)] if isinstance(rows, list) else []
    return [r for r in inner if isinstance(r, dict)]
