"""Query parameters: unknown ones are dropped, known ones checked (`reference/contaazul.md` §3.5 to §3.7)."""

import re
from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl

from sandbox.contaazul.checks import UUID_TEXT, Refused, is_date, is_uuid
from sandbox.core.clock import parse_local

SIZES = (10, 20, 50, 100, 200, 500, 1000)
SMALL_SIZES = (10, 20, 50, 100)
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}")
ORDER_TEXT = "A data de início não pode ser posterior à data de fim."


class Query:
    """The parameters of one call; every getter raises Refused(400) for a value the vendor would not take."""

    def __init__(self, raw: bytes) -> None:
        self.all: dict[str, list[str]] = {}
        for name, value in parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True):
            self.all.setdefault(name, []).append(value)

    def as_params(self) -> dict[str, Any]:
        """Return the parameters for the call log; repeated ones joined by commas."""
        return {name: ",".join(values)[:2000] for name, values in self.all.items()}

    def text(self, name: str) -> str:
        """Return a parameter, empty when absent."""
        return self.all.get(name, [""])[-1]

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """Return one of `choices`, or an empty text when absent."""
        value = self.text(name)
        if value and value not in choices:
            raise Refused(400, f"O valor '{value}' não é válido para o parâmetro {name}")
        return value

    def flag(self, name: str, required: bool = False) -> bool | None:
        """Return true, false, or None when absent."""
        value = self.text(name)
        if not value:
            if required:
                raise Refused(400, f"O parâmetro {name} é obrigatório")
            return None
        if value.lower() not in ("true", "false"):
            raise Refused(400, f"O parâmetro {name} deve ser true ou false")
        return value.lower() == "true"

    def number(self, name: str) -> float | None:
        """Return a decimal, or None when absent."""
        value = self.text(name)
        if not value:
            return None
        if not re.fullmatch(r"-?\d{1,15}(\.\d{1,10})?", value):
            raise Refused(400, f"O parâmetro {name} deve ser um número")
        return float(value)

    def whole(self, name: str, required: bool = False) -> int | None:
        """Return a whole number, or None when absent."""
        value = self.text(name)
        if not value:
            if required:
                raise Refused(400, f"O parâmetro {name} é obrigatório")
            return None
        return _whole(name, value)

    def page(self, sizes: tuple[int, ...] = SIZES, required: bool = False) -> tuple[int, int]:
        """Return page (from 1) and size (10 when absent)."""
        page = self.whole("pagina", required)
        if page is not None and page < 1:
            raise Refused(400, "O parâmetro pagina deve ser maior que zero")
        size = self.whole("tamanho_pagina", required)
        if size is not None and size not in sizes:
            allowed = ", ".join(map(str, sizes))
            raise Refused(400, f"O parâmetro tamanho_pagina deve ser um dos valores: {allowed}")
        return page or 1, size or 10

    def texts(self, name: str) -> list[str]:
        """Return the values of a list, given by repeating the key or with commas; `name[]` is refused (§6.4)."""
        if f"{name}[]" in self.all:
            raise Refused(400, f"O parâmetro {name}[] é inválido")
        return [part.strip() for value in self.all.get(name, ()) for part in value.split(",") if part.strip()]

    def uuids(self, name: str) -> list[str]:
        """Return the UUIDs of a list."""
        values = self.texts(name)
        if not all(map(is_uuid, values)):
            raise Refused(400, UUID_TEXT)
        return [value.lower() for value in values]

    def wholes(self, name: str) -> list[int]:
        """Return the whole numbers of a list."""
        return [_whole(name, value) for value in self.texts(name)]

    def days(self, start: str, end: str, longest: int = 0, required: bool = False) -> tuple[str, str] | None:
        """Return both ends (YYYY-MM-DD) of a range of days; one end alone is refused, as is more than `longest`."""
        first, last = self.text(start), self.text(end)
        if not first and not last and not required:
            return None
        for name, value in ((start, first), (end, last)):
            if not value:
                raise Refused(400, f"O parâmetro {name} é obrigatório")
            if not is_date(value):
                raise Refused(400, f"O parâmetro {name} deve estar no formato yyyy-MM-dd")
        if first > last:
            raise Refused(400, ORDER_TEXT)
        if longest and date.fromisoformat(last) - date.fromisoformat(first) > timedelta(days=longest):
            raise Refused(400, f"O período entre {start} e {end} não pode ser maior que {longest} dias")
        return first, last

    def changed(self) -> tuple[float, float] | None:
        """Return the range of `data_alteracao_de`, `data_alteracao_ate` in seconds since the epoch (§3.7)."""
        names = ("data_alteracao_de", "data_alteracao_ate")
        given = [self.text(name) for name in names]
        if not any(given):
            return None
        moments = []
        for name, value in zip(names, given, strict=True):
            if not value:
                raise Refused(400, f"O parâmetro {name} é obrigatório")
            try:
                if not _MOMENT.fullmatch(value):
                    raise ValueError(value)
                moments.append(parse_local(value, "%Y-%m-%dT%H:%M:%S"))
            except ValueError:
                raise Refused(400, f"O parâmetro {name} deve estar no formato yyyy-MM-ddTHH:mm:ss") from None
        if moments[0] > moments[1]:
            raise Refused(400, ORDER_TEXT)
        if moments[1] - moments[0] > 365 * 86_400:
            raise Refused(400, "O período entre data_alteracao_de e data_alteracao_ate não pode ser maior que 365 dias")
        # The end names a whole second: what was edited within it belongs to the range.
        return moments[0], moments[1] + 1


def _whole(name: str, value: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", value):
        raise Refused(400, f"O parâmetro {name} deve ser um número inteiro")
    return int(value)
