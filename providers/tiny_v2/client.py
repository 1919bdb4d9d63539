"""The services of Tiny v2 that we use, one method each (`reference/tiny.md §2.1`, `§3`)."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import httpx

from hub.clock import format_br
from providers.contract import CallFailed, Outcome
from providers.http import Answer, Http
from providers.tiny_parse import identity, many, one, text, whole
from providers.tiny_v2.errors import INVOICE_XML, records, retorno

PAGE_ROWS = 100
MOST_PAGES = 1000
_WRAPPERS = {"produtos": "produto", "pedidos": "pedido", "notas_fiscais": "nota_fiscal"}


@dataclass(frozen=True, slots=True)
class Token:
    """The account's static token. It goes into the form, never into the address: addresses are logged."""

    value: str

    async def sign(self, request: httpx.Request) -> int:
        """Nothing: the form holds the token already."""
        return 0

    async def refused(self, version: int) -> bool:
        """There is no newer one to be had."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """The token, which some errors repeat."""
        return (self.value,)


@dataclass(frozen=True, slots=True)
class Listing:
    """One page as it came: its rows out of their wrappers, the number of pages, and when it was asked for."""

    rows: list[Any]
    pages: int
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Client:
    """Calls to one account. Every method raises CallFailed."""

    http: Http
    token: Token

    async def info(self) -> dict[str, Any]:
        """The account: `razao_social`, `cnpj_cpf` and others."""
        return one(_told(await self._ask("info", "info.php")).get("conta"))

    async def search_products(self, page: int) -> Listing:
        """A page of all products, active and inactive; an empty search lists all [R]."""
        return _listing(page, await self._ask("produtos.pesquisa", "produtos.pesquisa.php", pesquisa="", pagina=page))

    async def get_product(self, external_id: str) -> Any:
        """The details of a product or a variation. An unknown id is `not_found`."""
        return _told(await self._ask("produto.obter", "produto.obter.php", id=external_id)).get("produto")

    async def get_stock(self, external_id: str) -> tuple[Any, datetime]:
        """The balances of a product or a variation, and when they were asked for."""
        answer = await self._ask("produto.obter.estoque", "produto.obter.estoque.php", id=external_id)
        return _told(answer).get("produto"), answer.asked_at

    async def product_updates(self, since: datetime, page: int, *, probe: bool = False) -> Listing:
        """Products changed since. What is read leaves the list; see `_updates`."""
        return await self._updates("lista.atualizacoes.produtos", since, page, probe)

    async def stock_updates(self, since: datetime, page: int, *, probe: bool = False) -> Listing:
        """Balances changed since, complete. What is read leaves the list; see `_updates`."""
        return await self._updates("lista.atualizacoes.estoque", since, page, probe)

    async def orders(self, **filters: str) -> AsyncIterator[list[Any]]:
        """Rows of pedidos.pesquisa that the filters let through, page by page; one filter at least is asked for."""
        async for rows in self._pages("pedidos.pesquisa", "pedidos", filters):
            yield rows

    async def get_order(self, external_id: str) -> tuple[Any, datetime]:
        """All of an order, and when it was asked for. An unknown id is `not_found`."""
        answer = await self._ask("pedido.obter", "pedido.obter.php", id=external_id)
        return _told(answer).get("pedido"), answer.asked_at

    async def create_order(self, body: Mapping[str, Any]) -> str:
        """The new order's id: its `numero`, which people see, is of no use in other calls (`§8`)."""
        written = json.dumps({"pedido": body})
        answer = await self._ask("pedido.incluir", "pedido.incluir.php", writes=True, pedido=written)
        for record in records(_told(answer)):
            if external_id := identity(record.get("id")):
                return external_id
        detail = "the answer tells no id"  # it was created, as far as the status goes, and nobody knows as what
        raise CallFailed(Outcome.UNKNOWN, "unreadable", operation="pedido.incluir", detail=detail)

    async def set_situation(self, external_id: str, word: str) -> None:
        """Move an order. Repeated after a passing fault, as it has the same effect however often it is done."""
        await self._ask("pedido.alterar.situacao", "pedido.alterar.situacao", id=external_id, situacao=word)

    async def invoices(self, first: date, last: date) -> AsyncIterator[list[Any]]:
        """Rows of the notes issued between two days that went out, page by page."""
        window = {"tipoNota": "S", "dataInicial": f"{first:%d/%m/%Y}", "dataFinal": f"{last:%d/%m/%Y}"}
        async for rows in self._pages("notas.fiscais.pesquisa", "notas_fiscais", window):
            yield rows

    async def get_invoice(self, external_id: str) -> Any:
        """All of a note but its document. An unknown id is `not_found`."""
        return _told(await self._ask("nota.fiscal.obter", "nota.fiscal.obter.php", id=external_id)).get("nota_fiscal")

    async def invoice_link(self, external_id: str) -> str:
        """The page that shows the note's DANFE, '' for none."""
        told = _told(await self._ask("nota.fiscal.obter.link", "nota.fiscal.obter.link.php", id=external_id))
        return text(told.get("link_nfe")) or text(told.get("link_nota_fiscal"))

    async def invoice_xml(self, external_id: str) -> bytes:
        """The answer with the note's document in it, as it came."""
        return (await self._ask(INVOICE_XML, f"{INVOICE_XML}.php", id=external_id)).body

    async def _pages(self, service: str, rows_in: str, filters: Mapping[str, str]) -> AsyncIterator[list[Any]]:
        for page in range(1, MOST_PAGES + 1):
            fields: dict[str, Any] = {**filters, "pagina": page}
            listing = _listing(page, await self._ask(service, f"{service}.php", **fields), rows_in)
            if listing.rows:
                yield listing.rows
            if page >= listing.pages:
                return

    async def _updates(self, service: str, since: datetime, page: int, probe: bool) -> Listing:
        """Reading takes the rows off the list, so it counts as a write: an answer that got lost is not asked for again
        as if nothing had happened, it is `unknown`, and the caller has to find out by the listing what was in it.
        """
        fields = {"dataAlteracao": format_br(since), "pagina": page}
        return _listing(page, await self._ask(service, service, writes=not probe, **fields))

    async def _ask(self, operation: str, path: str, *, writes: bool = False, **fields: Any) -> Answer:
        form = {"token": self.token.value, "formato": "json", **fields}
        return await self.http.ask(operation, "POST", path, data=form, writes=writes)


def _listing(page: int, answer: Answer, rows_in: str = "produtos") -> Listing:
    """A full page without a readable number of pages may have another one behind it: code 23 ends it then."""
    told = _told(answer)
    rows = many(told.get(rows_in), _WRAPPERS[rows_in])
    pages = whole(told.get("numero_paginas"))
    if pages is None:
        pages = page + 1 if len(rows) >= PAGE_ROWS else page
    return Listing(rows, pages if rows else 0, answer.asked_at)


def _told(answer: Answer) -> dict[str, Any]:
    told = retorno(answer)
    return told if isinstance(told, dict) else {}
