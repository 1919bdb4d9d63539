"""Conta Azul's internal ids of fiscal codes and units, asked for once an opening (`reference/contaazul.md §4.6`)."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from hub.records import OutgoingProduct
from providers.contaazul import mapper
from providers.contaazul.client import Client
from providers.contaazul.mapper import Ids
from providers.contract import CallFailed, Outcome


@dataclass
class Lookups:
    """What the account's tables say. Of many tasks that want the same code one asks and the others wait for it."""

    client: Client
    _known: dict[str, Any] = field(default_factory=dict)
    _turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    async def of(self, product: OutgoingProduct) -> Ids:
        """The ids of a product's codes. Raises CallFailed, `rejected` for a code that is not in their table."""
        return Ids(
            ncm=await self._code("ncm", product.ncm),
            cest=await self._code("cest", product.cest),
            unit=await self._unit(product.unit),
        )

    async def _code(self, table: str, code: str) -> int | None:
        if not code:
            return None

        async def search() -> int | None:
            async for rows in self.client.codes(table, code):
                if (found := mapper.code_id(rows, code)) is not None:
                    return found
            return None

        found: int | None = await self._once(f"{table}:{code}", search)
        if found is None:
            raise _unknown(table, code, f"A Conta Azul não tem o {table.upper()} {code} na sua tabela")
        return found

    async def _unit(self, unit: str) -> int | None:
        if not unit:
            return None

        async def whole_table() -> list[Any]:
            """It is short, and its search may look at names only, not at abbreviations."""
            return [row async for page in self.client.codes("unidades-medida", "") for row in page]

        rows: list[Any] = await self._once("unidades-medida", whole_table)
        found = mapper.unit_id(rows, unit)
        if found is None:
            there = ", ".join(sorted({str(row.get("abreviacao")) for row in rows if isinstance(row, dict)})[:30])
            raise _unknown("unidades-medida", unit, f"A Conta Azul não tem a unidade “{unit}”; ela tem: {there}")
        return found

    async def _once(self, key: str, ask: Callable[[], Awaitable[Any]]) -> Any:
        async with self._turns[key]:
            if key not in self._known:
                self._known[key] = await ask()
            return self._known[key]


def _unknown(table: str, code: str, words: str) -> CallFailed:
    operation = f"GET /v1/produtos/{table}"
    return CallFailed(Outcome.REJECTED, "validation", operation=operation, code=code, detail=words)
