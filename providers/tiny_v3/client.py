"""The operations of Tiny v3 that we use, one method each (`reference/tiny.md §5.1` to `§5.5`)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from providers.contract import CallFailed, Outcome
from providers.http import Answer, Http
from providers.tiny_parse import identity, many, one, text, whole

PAGE_ROWS = 100
MOST_PAGES = 1000


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
        return await self._list("GET /produtos", "produtos", offset, filters)

    async def _list(self, operation: str, path: str, offset: int, filters: Mapping[str, str]) -> Listing:
        answer = await self._get(operation, path, limit=PAGE_ROWS, offset=offset, **filters)
        payload = one(answer.payload)
        rows, total = many(payload.get("itens")), whole(one(payload.get("paginacao")).get("total"))
        more = len(rows) >= PAGE_ROWS if total is None else bool(rows) and offset + len(rows) < total
        return Listing(rows, more, None if total is None else -(-total // PAGE_ROWS))

    async def get_product(self, external_id: str) -> Any:
        """The details of a product with its variations. An unknown id is `not_found`."""
        return (await self._get("GET /produtos/{id}", f"produtos/{_part(external_id)}")).payload

    async def get_kit(self, external_id: str) -> Any:
        """The components of a kit: a bare array."""
        return (await self._get("GET /produtos/{id}/kit", f"produtos/{_part(external_id)}/kit")).payload

    async def get_stock(self, external_id: str) -> tuple[Any, datetime]:
        """The balances of a product or a variation, and when they were asked for."""
        answer = await self._get("GET /estoque/{id}", f"estoque/{_part(external_id)}")
        return answer.payload, answer.asked_at

    async def products_of_code(self, sku: str) -> list[Any]:
        """Rows that the filter by code lets through, so the caller has to compare."""
        return [row async for rows in self._pages("GET /produtos", "produtos", {"codigo": sku}) for row in rows]

    async def contacts(self, **filters: str) -> list[Any]:
        """Contacts that the filters let through, so the caller has to compare."""
        return [row async for rows in self._pages("GET /contatos", "contatos", filters) for row in rows]

    async def create_contact(self, body: Mapping[str, Any]) -> str:
        """The new contact's id."""
        return await self._create("POST /contatos", "contatos", body)

    async def ways_of_receipt(self) -> list[Any]:
        """The account's forms of receipt."""
        operation = "GET /formas-recebimento"
        return [row async for rows in self._pages(operation, "formas-recebimento", {}) for row in rows]

    async def orders(self, **filters: str) -> AsyncIterator[list[Any]]:
        """Rows of the orders that the filters let through, page by page."""
        async for rows in self._pages("GET /pedidos", "pedidos", filters):
            yield rows

    async def get_order(self, external_id: str) -> tuple[Any, datetime]:
        """All of an order, and when it was asked for. An unknown id is `not_found`."""
        answer = await self._get("GET /pedidos/{id}", f"pedidos/{_part(external_id)}")
        return answer.payload, answer.asked_at

    async def create_order(self, body: Mapping[str, Any]) -> str:
        """The new order's id."""
        return await self._create("POST /pedidos", "pedidos", body)

    async def label_order(self, external_id: str, label: str) -> None:
        """Put a label on an order."""
        operation, path = "POST /pedidos/{id}/marcadores", f"pedidos/{_part(external_id)}/marcadores"
        await self.http.ask(operation, "POST", path, content=[{"descricao": label}], writes=True)

    async def set_situation(self, external_id: str, code: int) -> None:
        """Move an order. Repeated after a passing fault, as it has the same effect however often it is done."""
        path = f"pedidos/{_part(external_id)}/situacao"
        await self.http.ask("PUT /pedidos/{id}/situacao", "PUT", path, content={"situacao": code})

    async def invoices(self, **filters: str) -> AsyncIterator[list[Any]]:
        """Rows of the notes that went out and that the filters let through, page by page."""
        async for rows in self._pages("GET /notas", "notas", {"tipo": "S", **filters}):
            yield rows

    async def get_invoice(self, external_id: str) -> Any:
        """All of a note but its document. An unknown id is `not_found`."""
        return (await self._get("GET /notas/{id}", f"notas/{_part(external_id)}")).payload

    async def invoice_link(self, external_id: str) -> str:
        """The page that shows the note's DANFE, '' for none."""
        answer = await self._get("GET /notas/{id}/link", f"notas/{_part(external_id)}/link")
        return text(one(answer.payload).get("link"))

    async def invoice_xml(self, external_id: str) -> dict[str, Any]:
        """`xmlNfe` and `xmlCancelamento`, either of which may be empty."""
        return one((await self._get("GET /notas/{id}/xml", f"notas/{_part(external_id)}/xml")).payload)

    async def _pages(self, operation: str, path: str, filters: Mapping[str, str]) -> AsyncIterator[list[Any]]:
        for page in range(MOST_PAGES):
            listing = await self._list(operation, path, page * PAGE_ROWS, filters)
            if listing.rows:
                yield listing.rows
            if not listing.more:
                return

    async def _create(self, operation: str, path: str, body: Mapping[str, Any]) -> str:
        """200 by the documents, 201 seen on orders [R]."""
        answer = await self.http.ask(operation, "POST", path, content=body, writes=True)
        external_id = identity(one(answer.payload).get("id"))
        if not external_id:  # it was created, as far as the status goes, and nobody knows as what
            detail = "the answer tells no id"
            raise CallFailed(Outcome.UNKNOWN, "unreadable", operation=operation, status=answer.status, detail=detail)
        return external_id

    async def _get(self, operation: str, path: str, **params: Any) -> Answer:
        return await self.http.ask(operation, "GET", path, params=params or None)


def _part(external_id: str) -> str:
    return quote(external_id, safe="")
