"""Filters and pages of the v2 searches over orders, notes and contacts (`reference/tiny.md` §2.7)."""

from typing import TypeVar

from sandbox.core.clock import local, parse_local
from sandbox.tiny.v2 import V2Call, V2Error

PAGE = 100
Row = TypeVar("Row")


def cut_page(call: V2Call, found: list[Row]) -> tuple[list[Row], dict[str, str]]:
    """Cut the asked page out; code 20 when there is nothing at all, 23 past the end."""
    number = call.number("pagina", 1)
    if not found:
        raise V2Error(20)
    pages = -(-len(found) // PAGE)
    if not 1 <= number <= pages:
        raise V2Error(23)
    shown = found[(number - 1) * PAGE : number * PAGE]
    return shown, {"pagina": str(number), "numero_paginas": str(pages)}


def need_filter(call: V2Call, names: tuple[str, ...]) -> None:
    """Refuse a search without any of its filters with code 10."""
    if not any(given(call, name) for name in names):
        raise V2Error(10, "É necessário informar ao menos um parâmetro de pesquisa")


def given(call: V2Call, name: str) -> str:
    """Return an optional parameter, "" when it was not sent."""
    return call.form.get(name, "").strip()


def day_filter(call: V2Call, name: str) -> str:
    """Return a day as ISO, "" when it was not sent; code 10 when it is none."""
    moment = time_filter(call, name)
    return "" if moment is None else local(moment).date().isoformat()


def time_filter(call: V2Call, name: str) -> float | None:
    """Return a moment (a plain day counts from midnight), None when it was not sent; code 10 when it is none."""
    value = given(call, name)
    if not value:
        return None
    try:
        return parse_local(value, "%d/%m/%Y %H:%M:%S", "%d/%m/%Y")
    except ValueError:
        text = f'O parâmetro {name} deve conter uma data válida, valor enviado "{value}"'
        raise V2Error(10, text) from None
