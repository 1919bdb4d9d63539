"""TagPlus as a taker of products and orders, and as a source of products, prices, stock, order states and invoices."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any

from hub.db import Database
from hub.policy import Policy
from hub.quota import Limiter
from hub.records import (
    InvoiceRow,
    OrderStatus,
    OutgoingCustomer,
    OutgoingOrder,
    OutgoingProduct,
    Problem,
    Refused,
    StockRecord,
)
from hub.selling import NotSendableError
from hub.settings import settings
from hub.tables import Connection
from providers.consent import OAuthApp
from providers.contract import Account, Attempt, CallFailed, Feed, Found, Gone, Outcome, Page, Reading, Row, StockPage
from providers.http import Http, OverHttp
from providers.tagplus import elsewhere, mapper, people, reading
from providers.tagplus.client import PAGE_ROWS, VERSION, Client
from providers.tagplus.codes import CANCELLED, CONFIRMED, OPEN, STAGE_OF_STATUS, STOCK_REFUSALS, TABLES
from providers.tagplus.errors import Judge
from providers.tagplus.invoices import Notes
from providers.tagplus.lookups import Lookups
from providers.tiny_account import gone, rows
from providers.tiny_parse import text

logger = logging.getLogger(__name__)

PER_MINUTE = 120
"""No limit is published (`§3`): two calls a second, as one integrator after the other got by with."""
AT_ONCE = 1
"""As little is known of calls side by side (`§3`): one after the other, unless the merchant says otherwise."""
REFRESH_AFTER = timedelta(days=7)
"""The refresh token's life is not told; two weeks by inference (`§2.3`)."""
_FORWARD = (OPEN, CONFIRMED, CANCELLED)


class TagPlus(OverHttp):
    """One company's ERP, as one of its users."""

    kind = "tagplus"
    takes = ("product", "price", "stock", "order")
    catalog_feed = Feed.SINCE
    stock_feed = Feed.SINCE
    variations_in_parent = False
    search_lag_s: float = 5.0
    customer_in_order = False
    stock_at_creation_only = False
    longest_window_days = 30
    rows_tell_order = True

    def __init__(self, client: Client, policy: Policy, features: dict[str, Any] | None = None) -> None:
        super().__init__(client.http)
        self.client = client
        self.search_lag_s = settings().tagplus_search_lag_s
        self._policy = policy
        told = features or {}
        self._allowed: dict[str, bool] = dict(told.get("permissions") or {})
        self._has_log = bool(told.get("activity_log"))
        self._lookups = Lookups(client)
        self._files = elsewhere.opened(client.http)
        self._notes = Notes(client, client.http.base_url, self._files)
        self._left: set[str] = set()
        """Codes of orders that were posted here and may be there: their answers have not come."""

    @classmethod
    def open(cls, db: Database, connection: Connection) -> "TagPlus":
        """Make the client; nothing is called yet."""
        policy = Policy.model_validate(connection.policy)
        http = Http(
            system=f"{cls.kind} {connection.id}",
            base_url=settings().tagplus_api_url,
            auth=cls.app().auth(db, connection),
            judge=Judge(),
            limiter=Limiter(db, f"tagplus:{connection.account or connection.id}", PER_MINUTE),
            at_once=policy.calls_at_once or AT_ONCE,
            fixed_limit=policy.calls_per_minute,
            headers=VERSION,
        )
        return cls(Client(http), policy, connection.features)

    async def close(self) -> None:
        """Close every connection."""
        await self._files.close()
        await super().close()

    @staticmethod
    def app() -> OAuthApp:
        """How consent is asked for and tokens are got (`reference/tagplus.md §2`). Its gateway refuses a spent refresh
        token as an `invalid_request`, which is inferred from what Kong does."""
        s = settings()
        return OAuthApp(
            authorize_url=s.tagplus_authorize_url,
            token_url=s.tagplus_token_url,
            scope=s.tagplus_scope,
            client_id=s.tagplus_client_id,
            client_secret=s.tagplus_client_secret.get_secret_value(),
            names_redirect=False,
            refusals=frozenset(("invalid_request",)),
            refresh_after=REFRESH_AFTER,
        )

    async def check(self) -> Account:
        """What the user's profile allows and which tables the consent covers; and whose ERP it is, as far as its own
        notes tell: `/me` is about the user.

        What will be refused for all of that is not taken at all: queued, every record of it would end as a notice.
        """
        me = await self.client.me()
        allowed = reading.allowed(await self.client.permissions())
        closed = [table for table in TABLES if not await self.client.may_read(table)]
        if self._policy.calls_per_minute is None:
            await self.http.limiter.learn(PER_MINUTE)
        self._allowed, self._has_log = allowed, "registro_atividades" not in closed
        issuer, name = ("", "") if "nfes" in closed else reading.issuer(await self.client.newest_notes())
        features = {
            "takes": [kind for kind in self.takes if kind not in reading.not_taken(allowed, closed)],
            "permissions": allowed,
            "missing_scopes": closed,
            "activity_log": self._has_log,
            "uid": text(me.get("erp_uid")),
            "update_lists": False,
            "per_minute": PER_MINUTE,
        }
        name = name or text(me.get("gestao_id")) or text(me.get("nome"))
        return Account(name, issuer or reading.company(me), await self.per_minute(), features)

    # Products and stock, as a source.

    async def list_products(self, page: int) -> Page:
        """100 rows of everything, variations among them."""
        return await self._page(page)

    async def changed_products(self, since: datetime) -> AsyncIterator[Page]:
        """Pages of products changed since, each once; then those that only the activity log tells of.

        Pages shift while they are read, so an answer of many pages is walked through until a walk brings nothing new.
        The log is the net for deletions, which no list of products can show, and for changes that `data_alteracao` may
        not show (`§10`, `§11.4`).
        """
        seen: set[str] = set()
        walk = True
        while walk:
            page: int | None = 1
            walk = False
            while page is not None:
                found = await self._page(page, since)
                fresh = tuple({row.external_id: row for row in found.rows if row.external_id not in seen}.values())
                seen.update(row.external_id for row in fresh)
                walk = walk or (bool(fresh) and (page > 1 or found.next is not None))
                page = found.next
                if fresh:
                    yield Page(fresh, page)
        if self._has_log:
            async for page_ in self._logged(since, seen):
                yield page_

    async def read_product(self, external_id: str) -> Reading | Gone:
        """All details of one product or variation."""
        try:
            told, _ = await self.client.product(external_id)
        except CallFailed as failed:
            return gone(external_id, failed)
        return (reading.product(told),)

    async def read_stock(self, external_id: str) -> StockRecord | Refused | Gone:
        """The balance of one product or variation."""
        try:
            told, asked_at = await self.client.product(external_id)
        except CallFailed as failed:
            return gone(external_id, failed)
        return reading.stock(told, asked_at)

    async def changed_stock(self, since: datetime) -> AsyncIterator[StockPage]:
        """All balances, 100 a call: whether a sale touches `data_alteracao` is not known, so no filter by it is
        trusted. More than has changed is told, and nothing is missed."""
        page: int | None = 1
        while page is not None:
            listing = await self.client.balances(page)
            counted = [told for told in listing.rows if reading.is_counted(told)]
            page = listing.next
            yield StockPage(tuple(reading.stock(told, listing.asked_at) for told in counted), page)

    # Products, as a sink.

    def product_body(self, product: OutgoingProduct, *, creates: bool) -> dict[str, Any]:
        """All that would be sent, the unit by its abbreviation where TagPlus's id of it goes out. Pure.

        Stock is left out where the user may not change it: TagPlus would refuse the price along with it.
        """
        body = mapper.new_product if creates else mapper.changed_product
        return body(product, stock=self._allowed.get("stock", True))

    async def find_products(self, sku: str) -> list[Found]:
        """Products and variations of exactly that code. A code that only a family of variations has is `rejected`:
        bound to it, orders would name what cannot be sold, and a new product would be called the same."""
        listed = await self.client.products_of_code(sku) if sku else []
        found = reading.products_of_code(listed, sku)
        if not found and (families := reading.families_of_code(listed, sku)):
            words = f"No TagPlus “{sku}” é o código de um produto com variações (nº {', '.join(families)}), que não "
            words += "se vende; mude lá o código dele, ou na loja o deste"
            raise CallFailed(Outcome.REJECTED, "validation", operation="GET /produtos", code="family", detail=words)
        return found

    async def create_product(self, product: OutgoingProduct) -> str:
        """Create it. A unit that TagPlus does not have is `rejected`, and nothing is sent."""
        return await self.client.create_product(await self._sendable(product, creates=True))

    async def update_product(self, external_id: str, product: OutgoingProduct) -> None:
        """Data, price, and the stock if it is given. Where the stock alone is refused (a kit's, that TagPlus reckons
        itself; a permission taken away), the rest goes all the same, and then the refusal is told."""
        body = await self._sendable(product, creates=False)
        try:
            await self.client.patch_product(external_id, body)
        except CallFailed as failed:
            if "estoque" in body and failed.code in STOCK_REFUSALS:
                await self.client.patch_product(external_id, {k: v for k, v in body.items() if k != "estoque"})
            raise

    # Orders, as a sink.

    async def find_customers(self, customer: OutgoingCustomer) -> list[Found]:
        """Customers of exactly that CPF or CNPJ; a guest by our own id. Where all orders are sent, a buyer needs a
        document (the article of Nuvemshop)."""
        if not customer.document and self._policy.orders == "all":
            raise NotSendableError("order.not_sent", [Problem("document", "needed", "")])
        return await people.find(self.client, customer)

    async def create_customer(self, customer: OutgoingCustomer) -> str:
        """Create a customer."""
        return await self.client.create_customer(mapper.new_customer(customer, await self._lookups.people(customer)))

    async def prepare_order(self, order: OutgoingOrder) -> Attempt:
        """What the order will be called over there: our id."""
        return Attempt({"codigo_externo": mapper.order_code(order)})

    async def create_order(self, order: OutgoingOrder, attempt: Attempt) -> str | Found:
        """Create it, unless it is there: nothing over there refuses a code that is taken (`§8.1`).

        What was posted here without an answer is looked for until any search must show it: the paths wait before they
        come back, and a double would cost more than the wait.
        """
        code = mapper.order_code(order)
        found = await self.find_order(order, attempt)
        if found is None and code in self._left:
            await asyncio.sleep(self.search_lag_s)
            found = await self.find_order(order, attempt)
        if found is not None:
            return found
        form = await self._lookups.payment(order)
        self._left.add(code)
        try:
            external_id = await self.client.create_order(mapper.new_order(order, self._policy, form))
        except CallFailed as failed:
            if failed.outcome is Outcome.REJECTED:
                self._left.discard(code)
            raise
        self._left.discard(code)
        return external_id

    async def find_order(self, order: OutgoingOrder, attempt: Attempt) -> Found | None:
        """By our code, compared by us, among the orders made since the day before we had it: if the filter by the code
        is ignored, that bounds what is walked through. `data_criacao` is TagPlus's own day, which a date of the store's
        may lie ahead of."""
        code = str(attempt.values.get("codigo_externo") or mapper.order_code(order))
        first = min(order.placed_on, order.known_on or order.placed_on)
        async for payloads in self.client.orders_of_code(code, first - timedelta(days=1)):
            if found := reading.order_of_code(payloads, code):
                return found
        return None

    async def cancel_order(self, external_id: str, order: OutgoingOrder) -> bool:
        """Set it to cancelled. False where that is refused, or something hangs on it: a note is cancelled by hand."""
        try:
            told, _ = await self.client.order(external_id)
        except CallFailed as failed:
            gone(external_id, failed)
            return True
        if reading.status(told) == CANCELLED:
            return True
        if reading.has_note(told):
            return False
        try:
            await self.client.patch_order(external_id, {"status": CANCELLED})
        except CallFailed as failed:
            if failed.outcome is not Outcome.REJECTED or failed.reason != "validation":
                raise
            logger.warning("%s: order %s is not cancelled over there: %s", self.http.system, external_id, failed.code)
            return False
        return True

    # The state of orders, both ways.

    def states_told(self, order: OutgoingOrder) -> str:
        """A open, B confirmed or C cancelled."""
        return mapper.told_status(order.stage, self._policy)

    async def move_order(self, external_id: str, order: OutgoingOrder) -> str:
        """Set the status that belongs to the order's stage, if it has not come as far. It never goes back: a cancelled
        order stays so, and a confirmed one is not opened again.

        One that was sent before anybody knew how it would be paid has no bill yet: it gets it as it is confirmed.
        """
        told, _ = await self.client.order(external_id)
        now, wanted = reading.status(told), self.states_told(order)
        is_ahead = now not in _FORWARD or not wanted or _FORWARD.index(wanted) <= _FORWARD.index(now)
        if is_ahead or (wanted == CANCELLED and reading.has_note(told)):
            return STAGE_OF_STATUS.get(now, "")
        body: dict[str, Any] = {"status": wanted}
        if wanted == CONFIRMED and not told.get("faturas"):
            body |= mapper.bill(order, await self._lookups.payment(order))
        await self.client.patch_order(external_id, body)
        return STAGE_OF_STATUS[wanted]

    async def changed_orders(self, since: datetime) -> AsyncIterator[list[Row]]:
        """Rows of orders changed since, the merchant's own among them."""
        async for payloads in self.client.changed_orders(since):
            yield list(rows(payloads, reading.order_row))

    async def read_order(self, external_id: str) -> OrderStatus | Gone:
        """How one order stands. TagPlus's orders know no parcel."""
        try:
            told, asked_at = await self.client.order(external_id)
        except CallFailed as failed:
            return gone(external_id, failed)
        return reading.as_meant(reading.order_status(external_id, told, asked_at), self._policy)

    # Invoices.

    async def invoices_of_order(self, order_id: str, first: date, last: date) -> list[InvoiceRow]:
        """Notes tied to one order: no filter finds them, so they are picked out of the listing (`§9.1`)."""
        return [row async for page in self._notes.listed(first, last) for row in page if row.order_ref == order_id]

    async def list_invoices(self, first: date, last: date) -> AsyncIterator[list[InvoiceRow]]:
        """All notes issued between two days, page by page, each with the order that it is tied to."""
        async for page in self._notes.listed(first, last):
            yield page

    async def find_invoice(self, external_id: str) -> InvoiceRow | Gone:
        """One note, by the id that an event names."""
        return await self._notes.find(external_id)

    async def read_invoice(self, row_id: str) -> bytes | Gone:
        """The note's XML."""
        return await self._notes.read(row_id)

    async def _page(self, page: int, since: datetime | None = None) -> Page:
        listing = await self.client.products(page, since)
        return Page(rows(listing.rows, reading.row), next=listing.next, of=listing.pages)

    async def _logged(self, since: datetime, seen: set[str]) -> AsyncIterator[Page]:
        """Products that the activity log names and no page did: as they are listed now, or for a look by their id."""
        named: dict[str, None] = {}
        try:
            async for entries in self.client.activities(since):
                named |= dict.fromkeys(key for key in reading.touched_products(entries) if key not in seen)
        except CallFailed as failed:
            if failed.outcome is not Outcome.REJECTED or failed.reason != "permission":
                raise
            logger.warning("%s: the activity log is closed to us: %s", self.http.system, failed.reason)
            self._has_log = False
        ids = list(named)
        for start in range(0, len(ids), PAGE_ROWS):
            wanted = ids[start : start + PAGE_ROWS]
            listed = {row.external_id: row for row in rows(await self.client.products_of_ids(wanted), reading.row)}
            yield Page(tuple(listed.get(key) or Row(key, "not listed") for key in wanted), None)

    async def _sendable(self, product: OutgoingProduct, *, creates: bool) -> dict[str, Any]:
        if words := mapper.unfit(product):
            operation = "POST /produtos" if creates else "PATCH /produtos/{id}"
            raise CallFailed(Outcome.REJECTED, "validation", operation=operation, detail=words)
        return mapper.with_unit(self.product_body(product, creates=creates), await self._lookups.unit(product))
