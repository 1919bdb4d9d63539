"""The operations of Tiny v3 that we use, one method each (`reference/tiny.md §5.1`, `§5.2`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from providers.http import Answer, Http
from providers.tiny_parse import many, one, whole

PAGE_ROWS = 100


@dataclass(frozen=True, slots=True)
class Listing:
    """One page as it came, whether there are rows behind it, and how many pages there are if that is told."""

    rows: list[Any]
    more: bool
    pages: int | None


@dataclass(frozen=True, slots=True)
class Client:
    """Calls to one account. Every method raises CallFailed."""

    http: Http

    async def info(self) -> dict[str, Any]:
        """The account: `razaoSocial`, `cpfCnpj` and others."""
        return one((await self._get("GET /info", "info")).payload)

    async def list_products(self, offset: int, **filters: str) -> Listing:
        """100 products from `offset` on; filters: `dataAlteracao`, `dataCriacao`, `situacao`."""
        answer = await self._get("GET /produtos", "produtos", limit=PAGE_ROWS, offset=offset, **filters)
        payload = one(answer.payload)
        rows, total = many(payload.get("itens")), whole(one(payload.get("paginacao")).get("total"))
        more = len(rows) >= PAGE_ROWS if total is None else bool(rows) and offset + len(rows) < total
        return Listing(rows, more, None if total is None else -(-total // PAGE_ROWS))

    async def get_product(self, external_id: str) -> Any:
        """The details of a product with its variations. An unknown id is `not_found`."""
        return (await self._get("GET /produtos/{id}", f"produtos/{quote(external_id, safe='')}")).payload

    async def get_kit(self, external_id: str) -> Any:
        """The components of a kit: a bare array."""
        return (await self._get("GET /produtos/{id}/kit", f"produtos/{quote(external_id, safe='')}/kit")).payload

    async def get_stock(self, external_id: str) -> tuple[Any, datetime]:
        """The balances of a product or a variation, and when they were asked for."""
        answer = await self._get("GET /estoque/{id}", f"estoque/{quote(external_id, safe='')}")
        return answer.payload, answer.asked_at

    async def _get(self, operation: str, path: str, **params: Any) -> Answer:
        return await self.http.ask(operation, "GET", path, params=params or None)
