"""Tiny v3 as a source of products, stock and invoices, and as a taker of orders."""

import logging
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any, Literal

from hub.clock import format_iso_br, to_sao_paulo
from hub.db import Database
from hub.policy import Policy
from hub.records import InvoiceRow, OutgoingCustomer, OutgoingOrder, Refused, StockRecord
from hub.settings import settings
from hub.tables import Connection
from providers.consent import OAuthApp
from providers.contract import Account, Attempt, CallFailed, Feed, Found, Gone, Outcome, Page, Reading, Row, StockPage
from providers.http import Http
from providers.tiny_account import at_once, gone, limiter, rows
from providers.tiny_notes import as_document, packed, row_v3
from providers.tiny_orders import Situation, guest_code, latin, shop_number
from providers.tiny_parse import document, identity, one, text
from providers.tiny_sink import InvoicesOfTiny, days, is_within, sku_refused
from providers.tiny_v3 import errors, mapper, orders
from providers.tiny_v3.client import PAGE_ROWS, Client

logger = logging.getLogger(__name__)

REFRESH_AFTER = timedelta(hours=12)
"""The refresh token lives a day (`§4.1`): with everything off and no orders nothing else would renew it."""


class TinyV3(InvoicesOfTiny):
    """One account of Tiny by OAuth."""

    kind = "tiny_v3"
    catalog_feed = Feed.SINCE
    stock_feed = Feed.NONE
    variations_in_parent = True
    customer_in_order = False
    rows_tell_order = True
    may_drop_numbers = True
    lists_by_creation: Literal[True] = True
    """`dataInicial` and `dataFinal` of /notas: "data de criação", says the OpenAPI."""

    def __init__(self, client: Client, policy: Policy) -> None:
        super().__init__(client.http, policy, orders)
        self.client = client
        self._items: dict[str, str] = {}
        self._ways: list[Any] | None = None

    @classmethod
    def open(cls, db: Database, connection: Connection) -> "TinyV3":
        """Make the client; nothing is called yet."""
        policy = Policy.model_validate(connection.policy)
        http = Http(
            system=f"{cls.kind} {connection.id}",
            base_url=settings().tiny_v3_url,
            auth=cls.app().auth(db, connection),
            judge=errors.judge,
            limiter=limiter(db, connection),
            at_once=at_once(connection, policy),
            limit_header="X-RateLimit-Limit",
            remaining_header="X-RateLimit-Remaining",
            reset_header="X-RateLimit-Reset",
            fixed_limit=policy.calls_per_minute,
        )
        return cls(Client(http), policy)

    @staticmethod
    def app() -> OAuthApp:
        """How consent is asked for (`reference/tiny.md §4.1`)."""
        return OAuthApp(
            settings().tiny_v3_authorize_url, settings().tiny_v3_token_url, "openid", refresh_after=REFRESH_AFTER
        )

    async def check(self) -> Account:
        """Who the account is. The first products are asked for too: an app without that permission is told here."""
        account = await self.client.info()
        await self.client.list_products(0)
        per_minute = await self.per_minute()
        return Account(
            name=text(account.get("fantasia")) or text(account.get("razaoSocial")),
            document=document(account.get("cpfCnpj")),
            per_minute=per_minute,
            features={"takes": list(self.takes), "update_lists": False, "per_minute": per_minute},
        )

    async def list_products(self, page: int) -> Page:
        """100 rows of everything; variations are rows that follow their parent."""
        return await self._page(page)

    async def changed_products(self, since: datetime) -> AsyncIterator[Page]:
        """Pages of products edited or created since; each product once.

        A product that was never edited has no `dataAlteracao` and would be missed by that filter alone, so an idle
        account costs two calls.

        Pages shift while they are read: a product deleted from page 1 moves the first of page 2 to where we have been.
        So an answer of many pages is walked through until a walk brings nothing new.
        """
        seen: set[str] = set()
        for name in ("dataAlteracao", "dataCriacao"):
            walk = True
            while walk:
                page: int | None = 1
                walk = False
                while page is not None:
                    found = await self._page(page, **{name: format_iso_br(since)})
                    fresh = tuple({row.external_id: row for row in found.rows if row.external_id not in seen}.values())
                    seen.update(row.external_id for row in fresh)
                    walk = walk or (bool(fresh) and (page > 1 or found.next is not None))
                    page = found.next
                    if fresh:
                        yield Page(fresh, page)

    async def read_product(self, external_id: str) -> Reading | Gone:
        """Details of one product with its variations; of a variation, its parent's whole family.

        The family is mapped from one answer only, so that a variation looks the same whichever way it was asked for.
        """
        try:
            told = await self.client.get_product(external_id)
        except CallFailed as failed:
            return gone(external_id, failed)
        parent_id = mapper.parent_of(told)
        if not parent_id or parent_id == external_id:
            return await self._tree(external_id, told)
        try:
            family = await self._tree(parent_id, await self.client.get_product(parent_id))
        except CallFailed as failed:
            gone(parent_id, failed)
            family = ()
        if any(record.external_id == external_id for record in family):
            return family
        return (*family, *mapper.tree(told))  # it was taken out of its family, or has lost its parent

    async def read_stock(self, external_id: str) -> StockRecord | Refused | Gone:
        """The balances of one product or variation."""
        try:
            payload, asked_at = await self.client.get_stock(external_id)
        except CallFailed as failed:
            return gone(external_id, failed)
        return mapper.stock(payload, asked_at)

    async def changed_stock(self, since: datetime) -> AsyncIterator[StockPage]:
        """No pages: v3 has no list of balances, `stock_feed` says so."""
        nothing: tuple[StockPage, ...] = ()
        for page in nothing:
            yield page

    async def find_customers(self, customer: OutgoingCustomer) -> list[Found]:
        """Contacts of exactly that CPF or CNPJ; a guest by the code that we gave."""
        if customer.document:
            return orders.contacts(await self.client.contacts(cpfCnpj=customer.document), customer)
        return orders.contacts(await self.client.contacts(codigo=guest_code(customer)), customer)

    async def create_customer(self, customer: OutgoingCustomer) -> str:
        """Create a contact."""
        return await self.client.create_contact(orders.contact(customer))

    async def prepare_order(self, order: OutgoingOrder) -> Attempt:
        """The products first: an item that Tiny has no product for is refused before anything is written down."""
        await self._resolve(order)
        return await super().prepare_order(order)

    async def create_order(self, order: OutgoingOrder, attempt: Attempt) -> str | Found:
        """Create it, then put the label on it, which is a call of its own and no reason to fail."""
        created = await super().create_order(order, attempt)
        label = latin(self.policy.order_label, 50)
        if label and isinstance(created, str):
            try:
                await self.client.label_order(created, label)
            except CallFailed as failed:
                logger.warning("%s: order %s goes without its label: %s", self.kind, created, failed)
        return created

    async def changed_orders(self, since: datetime) -> AsyncIterator[list[Row]]:
        """Rows of orders changed since the day before: the filter takes a date only, by a clock that is not ours."""
        day = to_sao_paulo(since).date() - timedelta(days=1)
        async for found in self.client.orders(dataAtualizacao=day.isoformat()):
            yield list(rows(found, orders.row))

    async def invoices_of_order(self, order_id: str, first: date, last: date) -> list[InvoiceRow]:
        """Notes of one order; a filter that was ignored lets everybody's through, so the rows are looked at."""
        window = {"dataInicial": first.isoformat(), "dataFinal": last.isoformat()}
        told = [row async for page in self.client.invoices(idVenda=order_id, **window) for row in page]
        found = [row for payload in told if is_within(payload, first, last) and (row := row_v3(payload)) is not None]
        return [await self.linked(row) for row in found if row.access_key and row.order_ref in ("", order_id)]

    async def read_invoice(self, row_id: str) -> bytes | Gone:
        """The note's XML as it was told, in a ZIP with its cancellation where it has one."""
        try:
            told = await self.client.invoice_xml(row_id)
        except CallFailed as failed:
            return gone(row_id, failed)
        return packed(as_document(told.get("xmlNfe")), as_document(told.get("xmlCancelamento"))) or Gone(row_id)

    async def _resolve(self, order: OutgoingOrder) -> None:
        """Their ids of items that are not bound, by SKU. Raises CallFailed, `rejected` for one that is not there."""
        for sku in {item.sku for item in order.items if not item.external_id} - set(self._items):
            found = orders.products(await self.client.products_of_code(sku), sku) if sku else []
            if len(found) != 1:
                raise sku_refused(sku, len(found))
            self._items[sku] = found[0]

    async def _way(self, method: str) -> str:
        """The account's form of receipt; an app that may not read them sends orders without one."""
        if self._ways is None:
            try:
                self._ways = await self.client.ways_of_receipt()
            except CallFailed as failed:
                if failed.outcome is not Outcome.REJECTED:
                    raise
                self._ways = []
        return orders.way_id(self._ways, method)

    async def _order(self, external_id: str) -> tuple[Any, datetime]:
        return await self.client.get_order(external_id)

    async def _post(self, order: OutgoingOrder) -> str:
        await self._resolve(order)
        body = orders.body(order, self.policy, self._items, await self._way(order.payment_method))
        return await self.client.create_order(body)

    async def _numbered(self, order: OutgoingOrder) -> list[str]:
        wanted = shop_number(order)
        found = [row async for page in self.client.orders(numeroPedidoEcommerce=wanted) for row in page]
        return [identity(one(row).get("id")) for row in found if orders.row_number(row) == wanted]

    async def _of_the_day(self, order: OutgoingOrder) -> list[str]:
        first, last = days(order)
        filters = {"dataInicial": first.isoformat(), "dataFinal": last.isoformat(), **orders.buyer_filter(order)}
        found = [row async for page in self.client.orders(**filters) for row in page]
        found = [row for row in found if orders.row_number(row) in ("", shop_number(order))]
        return [identity(one(row).get("id")) for row in found if orders.is_buyers(row, order)]

    async def _set(self, external_id: str, situation: Situation) -> None:
        await self.client.set_situation(external_id, situation.code)

    def _is_duplicate(self, failed: CallFailed) -> bool:
        return False  # whether v3 refuses doubles is not known (`§11`), nor how it would say so

    async def _invoice(self, external_id: str) -> Any:
        return await self.client.get_invoice(external_id)

    async def _link(self, external_id: str) -> str:
        return await self.client.invoice_link(external_id)

    def _invoice_row(self, payload: Any) -> InvoiceRow | None:
        return row_v3(payload)

    def _invoices(self, first: date, last: date) -> AsyncIterator[list[Any]]:
        return self.client.invoices(dataInicial=first.isoformat(), dataFinal=last.isoformat())

    async def _page(self, page: int, **filters: str) -> Page:
        listing = await self.client.list_products((page - 1) * PAGE_ROWS, **filters)
        return Page(rows(listing.rows, mapper.row), next=page + 1 if listing.more else None, of=listing.pages)

    async def _tree(self, external_id: str, told: Any) -> Reading:
        """A kit's components are asked for where the details come without them."""
        kit = await self.client.get_kit(external_id) if mapper.wants_kit(told) else None
        return mapper.tree(told, kit)
