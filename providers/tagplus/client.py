"""The operations of TagPlus that we use, one method each (`reference/tagplus.md §4`, `§6` to `§10`)."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import quote

from hub.clock import format_iso_br, utcnow
from providers.contract import CallFailed, Outcome
from providers.http import Answer, Http
from providers.tagplus.errors import READ_XML
from providers.tiny_parse import identity, one, whole

VERSION = {"X-Api-Version": "2.0"}
"""On every call (`§1`)."""
PAGE_ROWS = 100
"""The most that an integrator names (`§4`); the vendor is silent."""
MOST_PAGES = 10_000
MOST_WALKS = 1000
EVERYTHING = "S"
"""`filtro_grade`: parents, simple products and variations. Without it variations are left out (`§6.3`)."""

PRODUCT_ROW = (
    "id,tipo,ativo,codigo,codigo_barras,descricao,valor_venda_varejo,unidade_saida,peso,largura,altura,comprimento,"
    "tributo_ncm,id_pai,data_alteracao"
)
"""What a row tells, but no stock: a sale would change the row, and every sold product would be read again."""
BALANCE_ROW = "id,tipo,id_pai,estoque,qtd_revenda"
ORDER_ROW = "id,numero,status,codigo_externo,data_alteracao"
NOTE_ROW = "id,numero,serie,chave_acesso,status,tipo,pedido_os_vinculada,data_emissao"
CUSTOMER_ROW = "id,id_entidade,ativo,codigo,codigo_externo,cpf,cnpj"


@dataclass(frozen=True, slots=True)
class Listing:
    """One page as it came, the page after it (None at the end), how many pages there are if that is told, and when it
    was asked for."""

    rows: list[Any]
    next: int | None
    pages: int | None
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class Client:
    """Calls to one company's ERP, as the user who consented. Every method raises CallFailed."""

    http: Http
    _first: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Of each listing under way: how many rows its first page had, and the id of the first of them."""

    async def me(self) -> dict[str, Any]:
        """The user in whose name we act."""
        return one((await self._get("GET /me", "me")).payload)

    async def permissions(self) -> dict[str, Any]:
        """What that user's profile allows: names and booleans."""
        return one((await self._get("GET /me/permissoes", "me/permissoes")).payload)

    async def may_read(self, table: str) -> bool:
        """Whether the consent covers a table. One row without its contents is asked for."""
        try:
            await self._page(f"GET /{table}", table, 1, per_page=1, fields="id")
        except CallFailed as failed:
            if failed.outcome is Outcome.REJECTED and failed.reason == "permission":
                return False
            raise
        return True

    async def products(self, page: int, since: datetime | None = None) -> Listing:
        """100 products, variations among them, by their id: what is changed meanwhile moves nothing back."""
        filters: dict[str, Any] = {} if since is None else {"since": format_iso_br(since)}
        return await self._page(
            "GET /produtos",
            "produtos",
            page,
            by_date="data_alteracao" if since else "",
            fields=PRODUCT_ROW,
            filtro_grade=EVERYTHING,
            sort="id",
            **filters,
        )

    async def products_of_ids(self, ids: list[str]) -> list[Any]:
        """Rows of these products; of others too, if the filter was ignored."""
        wanted: dict[str, Any] = {"fields": PRODUCT_ROW, "filtro_grade": EVERYTHING, "id": ",".join(ids)}
        return (await self._page("GET /produtos", "produtos", 1, **wanted)).rows

    async def products_of_code(self, code: str) -> list[Any]:
        """Rows that the filter by code lets through: every one, if it was ignored, so the caller has to compare.

        A comma would make the filter a list of two (`§4`), so such a code is searched for instead.
        """
        search = {"q": code} if "," in code else {"codigo": code}
        fields = {"fields": "id,codigo,ativo,tipo,id_pai", "filtro_grade": EVERYTHING, "sort": "id"}
        return await self._all("GET /produtos", "produtos", **fields, **search)

    async def balances(self, page: int) -> Listing:
        """The stock of 100 products, variations among them."""
        wanted: dict[str, Any] = {"fields": BALANCE_ROW, "filtro_grade": EVERYTHING, "sort": "id"}
        return await self._page("GET /produtos", "produtos", page, **wanted)

    async def product(self, external_id: str) -> tuple[Any, datetime]:
        """All details of one product, and when they were asked for. An unknown id is `not_found`."""
        answer = await self._get("GET /produtos/{id}", f"produtos/{_part(external_id)}")
        return answer.payload, answer.asked_at

    async def create_product(self, body: Mapping[str, Any]) -> str:
        """The new product's id."""
        return await self._create("POST /produtos", "produtos", body)

    async def patch_product(self, external_id: str, body: Mapping[str, Any]) -> None:
        """Set the fields given; what is not sent is kept. It has the same effect however often it is done."""
        await self._patch("PATCH /produtos/{id}", f"produtos/{_part(external_id)}", body)

    async def activities(self, since: datetime) -> AsyncIterator[list[Any]]:
        """The ERP's own log of what was done in it, page by page."""
        wanted = {"since": format_iso_br(since), "fields": "id,tipo_evento,entidade,id_entidade", "sort": "id"}
        operation, path = "GET /registro_atividades", "registro_atividades"
        async for rows in self._pages(operation, path, by_date="data_criacao", **wanted):
            yield rows

    async def customers(self, **filters: Any) -> list[Any]:
        """One page of customers that the filters let through. The right filter leaves a handful."""
        return (await self._page("GET /clientes", "clientes", 1, fields=CUSTOMER_ROW, **filters)).rows

    async def customers_of_code(self, code: str) -> list[Any]:
        """Customers that the filter by our code lets through: every one, if it was ignored."""
        return await self._all("GET /clientes", "clientes", fields=CUSTOMER_ROW, codigo_externo=code, sort="id")

    async def create_customer(self, body: Mapping[str, Any]) -> str:
        """The new customer's id: `id`, which orders take, and not `id_entidade`, which notes take (`§7`)."""
        return await self._create("POST /clientes", "clientes", body)

    async def orders_of_code(self, code: str, since: date) -> AsyncIterator[list[Any]]:
        """Orders created since a day that the filter by our code lets through, newest first, page by page."""
        wanted = {"codigo_externo": code, "fields": ORDER_ROW, "since": f"{since.isoformat()} 00:00:00", "sort": "-id"}
        async for rows in self._pages("GET /pedidos", "pedidos", by_date="data_criacao", **wanted):
            yield rows

    async def changed_orders(self, since: datetime) -> AsyncIterator[list[Any]]:
        """Orders changed since, page by page."""
        wanted = {"fields": ORDER_ROW, "since": format_iso_br(since), "sort": "id"}
        async for rows in self._pages("GET /pedidos", "pedidos", by_date="data_alteracao", **wanted):
            yield rows

    async def order(self, external_id: str) -> tuple[dict[str, Any], datetime]:
        """All details of one order, and when they were asked for. An unknown id is `not_found`."""
        answer = await self._get("GET /pedidos/{id}", f"pedidos/{_part(external_id)}")
        return one(answer.payload), answer.asked_at

    async def create_order(self, body: Mapping[str, Any]) -> str:
        """The new order's id, which is not its number (`§8.1`)."""
        return await self._create("POST /pedidos", "pedidos", body)

    async def patch_order(self, external_id: str, body: Mapping[str, Any]) -> None:
        """Set the fields given; what is not sent is kept. It has the same effect however often it is done."""
        await self._patch("PATCH /pedidos/{id}", f"pedidos/{_part(external_id)}", body)

    async def notes(self, first: date, last: date) -> AsyncIterator[list[Any]]:
        """Notes issued between two days, both counted, page by page."""
        window = {"since": f"{first.isoformat()} 00:00:00", "until": f"{last.isoformat()} 23:59:59"}
        async for rows in self._pages(
            "GET /nfes", "nfes", by_date="data_emissao", fields=NOTE_ROW, sort="id", **window
        ):
            yield rows

    async def newest_notes(self) -> list[Any]:
        """The last few notes, with who issued them."""
        wanted: dict[str, Any] = {"fields": "id,tipo,emitente", "sort": "-id", "status": "A"}
        return (await self._page("GET /nfes", "nfes", 1, per_page=10, **wanted)).rows

    async def notes_of_key(self, access_key: str) -> list[Any]:
        """Notes that the filter by access key lets through."""
        return (await self._page("GET /nfes", "nfes", 1, fields=NOTE_ROW, chave_acesso=access_key)).rows

    async def note(self, external_id: str) -> dict[str, Any]:
        """All details of one note. An unknown id is `not_found`."""
        return one((await self._get("GET /nfes/{id}", f"nfes/{_part(external_id)}")).payload)

    async def note_xml(self, external_id: str) -> Answer:
        """Whatever the vendor answers to "returns the NF-e as XML" (`§9.1`): XML, a link to it, or a redirect."""
        return await self._get(READ_XML, f"nfes/gerar_link_xml/{_part(external_id)}")

    async def linked_xml(self, address: str) -> Answer:
        """What a link to the API's own host leads to. The token goes along, so no other host is asked."""
        return await self._get(READ_XML, address)

    async def table(self, name: str, fields: str, **filters: str) -> list[Any]:
        """All rows of a look-up table."""
        return await self._all(f"GET /{name}", name, fields=fields, **filters)

    async def _get(self, operation: str, path: str) -> Answer:
        return await self.http.ask(operation, "GET", path)

    async def _patch(self, operation: str, path: str, body: Mapping[str, Any]) -> None:
        await self.http.ask(operation, "PATCH", path, content=body)

    async def _create(self, operation: str, path: str, body: Mapping[str, Any]) -> str:
        answer = await self.http.ask(operation, "POST", path, content=body, writes=True)
        external_id = identity(one(answer.payload).get("id"))
        if not external_id:  # it was created, as far as the status goes, and nobody knows as what
            detail = "the answer tells no id"
            raise CallFailed(Outcome.UNKNOWN, "unreadable", operation=operation, status=answer.status, detail=detail)
        return external_id

    async def _all(self, operation: str, path: str, **params: Any) -> list[Any]:
        return [row async for rows in self._pages(operation, path, **params) for row in rows]

    async def _pages(self, operation: str, path: str, *, by_date: str = "", **params: Any) -> AsyncIterator[list[Any]]:
        page: int | None = 1
        while page is not None and page <= MOST_PAGES:
            listing = await self._page(operation, path, page, by_date=by_date, **params)
            if listing.rows:
                yield listing.rows
            page = listing.next

    async def _page(
        self, operation: str, path: str, page: int, *, by_date: str = "", per_page: int = PAGE_ROWS, **params: Any
    ) -> Listing:
        """One page: a bare array. `by_date` is the field that `since` and `until` mean, always told: what is meant
        without it differs between tables (`§4`)."""
        headers = {"X-Data-Filter": by_date} if by_date else None
        asked = {"page": page, "per_page": per_page, **params}
        try:
            answer = await self.http.ask(operation, "GET", path, params=asked, headers=headers)
        except CallFailed as failed:
            # The reference lists 404 among a listing's answers and does not say what for: nothing found, most likely.
            if failed.outcome is Outcome.REJECTED and failed.reason == "not_found":
                return Listing([], None, None, utcnow())
            raise
        if not isinstance(answer.payload, list):
            raise CallFailed(Outcome.RETRY, "unreadable", operation=operation, detail="the answer is no list")
        rows, pages = answer.payload, whole(answer.headers.get("X-Total-Pages"))
        more = page < pages and bool(rows) if pages else self._may_go_on(f"{path} {params}", page, rows)
        return Listing(rows, page + 1 if more else None, pages, answer.asked_at)

    def _may_go_on(self, listing: str, page: int, rows: list[Any]) -> bool:
        """Whether another page may follow where nobody tells how many there are: a short page may be the vendor's own
        size of a page, so it is compared with the first. One that begins as the first did is the first once more, of
        a table that knows no pages."""
        this = (len(rows), identity(one(rows[0]).get("id")) if rows else "")
        first = None if page == 1 else self._first.get(listing)
        if rows and (first is None or (this[0] >= first[0] and (this[1] != first[1] or not this[1]))):
            if len(self._first) >= MOST_WALKS:  # one of which only the first page is wanted never ends
                self._first.clear()
            self._first[listing] = first or this
            return True
        self._first.pop(listing, None)
        return False


def _part(external_id: str) -> str:
    return quote(external_id, safe="")
