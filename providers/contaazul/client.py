"""The operations of Conta Azul that we use, one method each (`reference/contaazul.md §4` to `§7`)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import quote

from providers.contaazul.errors import READ_INVOICE
from providers.contract import CallFailed, Outcome
from providers.http import Answer, Http
from providers.tiny_parse import one, text

PAGE_ROWS = 100
"""A size that every listing takes; others are 400 (`§3.6`)."""
MOST_PAGES = 1000
PERSON_TYPES = "Física,Jurídica,Estrangeira"
PROFILE = "Cliente"


@dataclass(frozen=True, slots=True)
class Client:
    """Calls to one account. Every method raises CallFailed."""

    http: Http

    async def account(self) -> dict[str, Any]:
        """The connected company: `id_empresa`, `documento`, `razao_social`, `nome_fantasia`."""
        return one(await self._get("GET /v1/pessoas/conta-conectada", "v1/pessoas/conta-conectada"))

    async def revoke(self, company: str) -> None:
        """Take the company's consent back. An access token in hand works until its hour ends (`§2.5`)."""
        path = f"oauth/connections/{quote(company, safe='')}"
        await self.http.ask("DELETE /oauth/connections/{id_empresa}", "DELETE", path)

    async def products(self, sku: str) -> list[Any]:
        """Rows that the filter by SKU lets through: any row, if it was ignored, so the caller has to compare."""
        return [row async for page in self._pages("GET /v1/produtos", "v1/produtos", "items", sku=sku) for row in page]

    async def create_product(self, body: Mapping[str, Any]) -> str:
        """The new product's id."""
        return await self._create("POST /v1/produtos", "v1/produtos", body)

    async def patch_product(self, external_id: str, body: Mapping[str, Any]) -> None:
        """Set the fields given. Repeated after a passing fault: it has the same effect however often it is done."""
        await self.http.ask("PATCH /v1/produtos/{id}", "PATCH", f"v1/produtos/{_part(external_id)}", content=body)

    async def codes(self, table: str, wanted: str) -> AsyncIterator[list[Any]]:
        """Rows of a look-up table that the text is found in: `ncm`, `cest` `{id, codigo}`, `unidades-medida`."""
        search = {"busca_textual": wanted} if wanted else {}
        async for page in self._pages(f"GET /v1/produtos/{table}", f"v1/produtos/{table}", "items", **search):
            yield page

    async def people(self, **filters: str) -> list[Any]:
        """Customers that the filters let through, of any type: left out, the types would narrow the search."""
        given = {**filters, "tipos_pessoa": PERSON_TYPES, "tipo_perfil": PROFILE}
        return [row async for page in self._pages("GET /v1/pessoas", "v1/pessoas", "items", **given) for row in page]

    async def person(self, external_id: str) -> dict[str, Any]:
        """All details of one person. An unknown id is `not_found`."""
        return one(await self._get("GET /v1/pessoas/{id}", f"v1/pessoas/{_part(external_id)}"))

    async def create_person(self, body: Mapping[str, Any]) -> str:
        """The new person's id."""
        return await self._create("POST /v1/pessoas", "v1/pessoas", body)

    async def next_number(self) -> int:
        """The number of the next sale, as of now: nobody reserves it, and it may go back (`§6.2`)."""
        told = await self._get("GET /v1/venda/proximo-numero", "v1/venda/proximo-numero")
        return int(told) if isinstance(told, int) and told > 0 else 1

    async def sales(self, **filters: str) -> list[Any]:
        """Sales and budgets that the filters let through; deleted ones are not among them."""
        pages = self._pages("GET /v1/venda/busca", "v1/venda/busca", "itens", **filters)
        return [row async for page in pages for row in page]

    async def create_sale(self, body: Mapping[str, Any]) -> str:
        """The new sale's id. A number that is taken is a `rejected` like any other (`§6.3`)."""
        return await self._create("POST /v1/venda", "v1/venda", body)

    async def sale(self, external_id: str) -> dict[str, Any]:
        """A sale's details without its items. An unknown id is `not_found`."""
        return one(await self._get("GET /v1/venda/{id}", f"v1/venda/{_part(external_id)}"))

    async def sale_items(self, external_id: str) -> list[Any]:
        """The items of a sale."""
        pages = self._pages("GET /v1/venda/{id_venda}/itens", f"v1/venda/{_part(external_id)}/itens", "itens")
        return [row async for page in pages for row in page]

    async def put_sale(self, external_id: str, body: Mapping[str, Any]) -> None:
        """Replace a sale. Repeated after a passing fault, as it has the same effect however often it is done."""
        await self.http.ask("PUT /v1/venda/{id}", "PUT", f"v1/venda/{_part(external_id)}", content=body)

    async def invoices(self, first: date, last: date, **filters: str) -> AsyncIterator[list[Any]]:
        """Pages of notes of at most 15 days; both ends are asked for (`§7.1`)."""
        window = {"data_inicial": first.isoformat(), "data_final": last.isoformat()}
        async for page in self._pages("GET /v1/notas-fiscais", "v1/notas-fiscais", "itens", **window, **filters):
            yield page

    async def invoice(self, access_key: str) -> bytes:
        """The note's XML, or a ZIP for a corrected one. An unknown key is `not_found`."""
        path = f"v1/notas-fiscais/{_part(access_key)}"
        return (await self.http.ask(READ_INVOICE, "GET", path)).body

    async def _get(self, operation: str, path: str, **params: Any) -> Any:
        return await self.http.get(operation, path, params or None)

    async def _create(self, operation: str, path: str, body: Mapping[str, Any]) -> str:
        answer: Answer = await self.http.ask(operation, "POST", path, content=body, writes=True)
        external_id = text(one(answer.payload).get("id"))
        if not external_id:  # it was created, as far as the status goes, and nobody knows as what
            detail = "the answer tells no id"
            raise CallFailed(Outcome.UNKNOWN, "unreadable", operation=operation, status=answer.status, detail=detail)
        return external_id

    async def _pages(self, operation: str, path: str, rows_in: str, **params: str) -> AsyncIterator[list[Any]]:
        """Pages until one holds fewer rows than asked for: totals are wrong, and an empty list may be null (`§3.6`)."""
        for page in range(1, MOST_PAGES + 1):
            payload = await self._get(operation, path, pagina=page, tamanho_pagina=PAGE_ROWS, **params)
            found = one(payload).get(rows_in)
            if found is None and rows_in not in one(payload):
                detail = f"the answer has no list {rows_in!r}"
                raise CallFailed(Outcome.RETRY, "unreadable", operation=operation, detail=detail)
            rows = found if isinstance(found, list) else []
            if rows:
                yield rows
            if len(rows) < PAGE_ROWS:
                return


def _part(external_id: str) -> str:
    return quote(external_id, safe="")
