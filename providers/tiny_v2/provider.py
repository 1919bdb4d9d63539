"""Tiny v2 as a source of products, stock and invoices, and as a taker of orders."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date, datetime, timedelta
from typing import Any

from hub.clock import format_br, utcnow
from hub.db import Database
from hub.policy import Policy
from hub.records import InvoiceRow, OutgoingCustomer, OutgoingOrder, Refused, StockRecord
from hub.settings import settings
from hub.tables import Connection
from providers.contract import Account, CallFailed, Feed, Found, Gone, Outcome, Page, Reading, Row, StockPage
from providers.http import Http
from providers.tiny_account import at_once, gone, limiter, rows
from providers.tiny_notes import document_in, row_v2
from providers.tiny_orders import Situation, latin, rejected, shop_number
from providers.tiny_parse import document, fingerprint, identity, one, text
from providers.tiny_sink import InvoicesOfTiny, days, is_within
from providers.tiny_v2 import errors, mapper, orders
from providers.tiny_v2.client import Client, Listing, Token

LONGEST_LOOK_BACK = timedelta(days=30)
"""Further back the update lists do not go [R]."""


class TinyV2(InvoicesOfTiny):
    """One account of Tiny by its static token."""

    kind = "tiny_v2"
    catalog_feed = Feed.NONE
    stock_feed = Feed.NONE
    variations_in_parent = False
    customer_in_order = True
    rows_tell_order = False

    def __init__(self, client: Client, policy: Policy, *, update_lists: bool) -> None:
        super().__init__(client.http, policy, orders)
        self.client = client
        if update_lists:
            self.catalog_feed = self.stock_feed = Feed.CONSUMED

    @classmethod
    def open(cls, db: Database, connection: Connection) -> "TinyV2":
        """Make the client; nothing is called yet."""
        policy = Policy.model_validate(connection.policy)
        token = Token(str(connection.credentials.get("token", "")).strip())
        http = Http(
            system=f"{cls.kind} {connection.id}",
            base_url=settings().tiny_v2_url,
            auth=token,
            judge=errors.judge,
            limiter=limiter(db, connection),
            at_once=at_once(connection, policy),
            limit_header="x-limit-api",
            fixed_limit=policy.calls_per_minute,
        )
        has_lists = bool(connection.features.get("update_lists")) and policy.update_lists == "auto"
        return cls(Client(http, token), policy, update_lists=has_lists)

    async def check(self) -> Account:
        """Who the account is, and whether it has the extension "API para estoque em tempo real".

        The lists are asked for changes of tomorrow: no such row exists, so nothing is taken off them.
        """
        account = await self.client.info()
        tomorrow = utcnow() + timedelta(days=1)
        has_lists = await _is_served(self.client.product_updates, tomorrow) and await _is_served(
            self.client.stock_updates, tomorrow
        )
        per_minute = await self.per_minute()
        return Account(
            name=text(account.get("fantasia")) or text(account.get("razao_social")),
            document=document(account.get("cnpj_cpf")),
            per_minute=per_minute,
            features={"takes": list(self.takes), "update_lists": has_lists, "per_minute": per_minute},
        )

    async def list_products(self, page: int) -> Page:
        """100 rows of the search over everything; variations are rows of their own."""
        listing = await self.client.search_products(page)
        return Page(rows(listing.rows, mapper.row), next=page + 1 if page < listing.pages else None, of=listing.pages)

    async def read_product(self, external_id: str) -> Reading | Gone:
        """Details of one product or variation."""
        try:
            return (mapper.product(await self.client.get_product(external_id)),)
        except CallFailed as failed:
            return gone(external_id, failed)

    async def read_stock(self, external_id: str) -> StockRecord | Refused | Gone:
        """The balances of one product or variation."""
        try:
            payload, asked_at = await self.client.get_stock(external_id)
        except CallFailed as failed:
            return gone(external_id, failed)
        return mapper.stock(payload, asked_at)

    async def changed_products(self, since: datetime) -> AsyncIterator[Page]:
        """Pages of changed products. Commit each page before asking for the next: it is told only once."""
        async for listing in updates(self.client.product_updates, since):
            yield Page(rows(listing.rows, mapper.row), next=None)

    async def changed_stock(self, since: datetime) -> AsyncIterator[StockPage]:
        """Pages of changed balances. Commit each page before asking for the next: it is told only once."""
        async for listing in updates(self.client.stock_updates, since):
            yield StockPage(tuple(mapper.stock(row, listing.asked_at) for row in listing.rows), next=None)

    async def find_customers(self, customer: OutgoingCustomer) -> list[Found]:
        """Nobody: the customer goes within the order, and Tiny knows it again by itself (`customer_in_order`)."""
        return []

    async def create_customer(self, customer: OutgoingCustomer) -> str:
        """Never: a contact made beforehand would cost a call of the five a minute and help nobody."""
        raise rejected("contato.incluir", "no Olist Tiny (API v2) o cliente vai dentro do pedido")

    async def changed_orders(self, since: datetime) -> AsyncIterator[list[Row]]:
        """Rows of orders changed since, page by page; an order may come twice, as pages shift."""
        async for found in self.client.orders(dataAtualizacao=format_br(since)):
            yield list(rows(found, orders.row))

    async def invoices_of_order(self, order_id: str, first: date, last: date) -> list[InvoiceRow]:
        """The note that the order names: a search by the store's number would find other stores' orders too."""
        try:
            payload, _ = await self._order(order_id)
            if not (external_id := orders.invoice_id(payload)):
                return []
            note = await self._invoice(external_id)
        except CallFailed as failed:
            gone(order_id, failed)
            return []
        row = row_v2(note)
        return [await self.linked(row)] if row and row.access_key and is_within(note, first, last) else []

    async def read_invoice(self, row_id: str) -> bytes | Gone:
        """The note's XML, byte for byte as it is within the answer; a note that was not authorised has none."""
        try:
            return document_in(await self.client.invoice_xml(row_id)) or Gone(row_id)
        except CallFailed as failed:
            return gone(row_id, failed)

    async def _order(self, external_id: str) -> tuple[Any, datetime]:
        return await self.client.get_order(external_id)

    async def _post(self, order: OutgoingOrder) -> str:
        return await self.client.create_order(orders.body(order, self.policy))

    async def _numbered(self, order: OutgoingOrder) -> list[str]:
        wanted = shop_number(order)
        found = [row async for page in self.client.orders(numeroEcommerce=wanted) for row in page]
        return [identity(one(row).get("id")) for row in found if orders.row_number(row) == wanted]

    async def _of_the_day(self, order: OutgoingOrder) -> list[str]:
        buyer = order.customer
        first, last = days(order)
        filters = {"dataInicial": orders.day(first), "dataFinal": orders.day(last)}
        if buyer and buyer.document:
            filters["cpf_cnpj"] = buyer.document
        name = latin(buyer.name, 30).casefold() if buyer else ""
        found = [row async for page in self.client.orders(**filters) for row in page]
        if "cpf_cnpj" not in filters:
            found = [row for row in found if latin(text(one(row).get("nome")), 30).casefold() == name]
        found = [row for row in found if orders.row_number(row) in ("", shop_number(order))]
        return [external_id for row in found if (external_id := identity(one(row).get("id")))]

    async def _set(self, external_id: str, situation: Situation) -> None:
        await self.client.set_situation(external_id, situation.word)

    def _is_duplicate(self, failed: CallFailed) -> bool:
        return failed.code == errors.DUPLICATE

    async def _invoice(self, external_id: str) -> Any:
        return await self.client.get_invoice(external_id)

    async def _link(self, external_id: str) -> str:
        return await self.client.invoice_link(external_id)

    def _invoice_row(self, payload: Any) -> InvoiceRow | None:
        return row_v2(payload)

    def _invoices(self, first: date, last: date) -> AsyncIterator[list[Any]]:
        return self.client.invoices(first, last)


async def updates(ask: Callable[[datetime, int], Awaitable[Listing]], since: datetime) -> AsyncIterator[Listing]:
    """All pages of an update list, whether reading empties it or not: the reference has both (`§3.5`).

    The official page says that a row leaves the list when it is read. Then what was page 2 is page 1 after page 1 was
    read, and whoever asks for page 2 skips 100 rows. tiny-mirror found a plain filter by time, where page 1 stays what
    it is and asking for it again never ends. So page 1 is asked for twice: if it comes back, the list is a filter and
    the other pages are read by their numbers; if not, page 1 is read until nothing is left. The second question costs
    no call where the list is consumed, and one where it is a filter, and none at all up to 100 rows.

    Half of the rows must come back unchanged: rows that change meanwhile move, and a product changed twice in a second
    may be told twice.
    """
    since = max(since, utcnow() - LONGEST_LOOK_BACK)
    before: set[str] = set()
    page = 1
    while True:
        listing = await ask(since, page)
        if not listing.rows:
            return
        marks = {fingerprint({"row": row}) for row in listing.rows}
        if page > 1:
            yield listing
        elif before and 2 * len(marks & before) >= len(marks):
            pass  # a filter: these rows were handed over already
        else:
            yield listing
            before = marks
            if listing.pages > 1:
                continue
        if page >= listing.pages:
            return
        page += 1


async def _is_served(ask: Callable[..., Awaitable[Listing]], since: datetime) -> bool:
    """Whether the account has the list. What an account without the extension answers is not known: any refusal."""
    try:
        await ask(since, 1, probe=True)
    except CallFailed as failed:
        if failed.outcome in (Outcome.REJECTED, Outcome.REAUTH):
            return False
        raise
    return True
