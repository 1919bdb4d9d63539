"""Conta Azul as a taker of products and orders, and as a source of invoices."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

from hub.db import Database
from hub.policy import Policy
from hub.quota import Limiter
from hub.records import InvoiceRow, OutgoingCustomer, OutgoingOrder, OutgoingProduct
from hub.settings import settings
from hub.tables import Connection
from providers.consent import OAuthApp
from providers.contaazul import mapper
from providers.contaazul.client import Client
from providers.contaazul.errors import Judge
from providers.contaazul.lookups import Lookups
from providers.contaazul.numbers import Numbers
from providers.contract import Account, Attempt, CallFailed, Found, Gone, Outcome
from providers.http import Http, OverHttp
from providers.tiny_account import gone
from providers.tiny_parse import document, text

logger = logging.getLogger(__name__)

PER_MINUTE = 600
"""Of all integrations of one ERP account together, and 10 a second: evenly spaced, the one is the other (`§3.2`)."""
SHARE = 0.975
"""Eleven calls then span 1.026 s: a window of a second has no more room for the network's jitter than that."""
AT_ONCE = 10
MOST_NUMBERS = 20
"""Numbers tried for one sale: each can be taken only by a sale that somebody made at this very time."""


class ContaAzul(OverHttp):
    """One company's account."""

    kind = "contaazul"
    takes = ("product", "price", "order")
    search_lag_s: float = 5.0
    stock_at_creation_only = True
    customer_in_order = False
    longest_window_days = 15
    rows_tell_order = False

    def __init__(self, client: Client, policy: Policy, company: str = "") -> None:
        super().__init__(client.http)
        self.client = client
        self.search_lag_s = settings().contaazul_search_lag_s
        self._policy = policy
        self._company = company
        self._lookups = Lookups(client)
        self._numbers = Numbers(client.next_number)

    @classmethod
    def open(cls, db: Database, connection: Connection) -> "ContaAzul":
        """Make the client; nothing is called yet."""
        policy = Policy.model_validate(connection.policy)
        http = Http(
            system=f"{cls.kind} {connection.id}",
            base_url=settings().contaazul_api_url,
            auth=cls.app().auth(db, connection),
            judge=Judge(),
            limiter=Limiter(db, f"contaazul:{connection.account or connection.id}", PER_MINUTE, share=SHARE),
            at_once=policy.calls_at_once or AT_ONCE,
            fixed_limit=policy.calls_per_minute,
        )
        return cls(Client(http), policy, str(connection.features.get("id_empresa") or ""))

    @staticmethod
    def app() -> OAuthApp:
        """How consent is asked for and tokens are got (`reference/contaazul.md §2`)."""
        s = settings()
        return OAuthApp(
            authorize_url=s.contaazul_authorize_url,
            token_url=s.contaazul_token_url,
            scope=s.contaazul_scope,
            basic=True,
            code_challenge=s.contaazul_code_challenge,
            client_id=s.contaazul_client_id,
            client_secret=s.contaazul_client_secret.get_secret_value(),
        )

    async def check(self) -> Account:
        """Which company it is. A plan without the API is refused here (`plan`)."""
        told = await self.client.account()
        if self._policy.calls_per_minute is None:
            await self.http.limiter.learn(PER_MINUTE)
        self._company = text(told.get("id_empresa"))
        return Account(
            name=text(told.get("nome_fantasia")) or text(told.get("razao_social")),
            document=document(told.get("documento")),
            per_minute=await self.per_minute(),
            features={"takes": list(self.takes), "id_empresa": self._company, "per_minute": PER_MINUTE},
        )

    async def revoke(self) -> None:
        """Take the company's consent back over there; one that is no longer there is as good. Raises CallFailed."""
        if not self._company:
            self._company = text((await self.client.account()).get("id_empresa"))
        try:
            await self.client.revoke(self._company)
        except CallFailed as failed:
            gone(self._company, failed)

    def product_body(self, product: OutgoingProduct, *, creates: bool) -> dict[str, Any]:
        """All that would be sent, NCM, CEST and unit as codes where Conta Azul's own ids of them go out. Pure."""
        return mapper.new_product(product) if creates else mapper.changed_product(product)

    async def find_products(self, sku: str) -> list[Found]:
        """Products and variations of exactly that SKU."""
        return mapper.products_of_sku(await self.client.products(sku), sku) if sku else []

    async def create_product(self, product: OutgoingProduct) -> str:
        """Create it, its stock with it. A code that Conta Azul does not have is `rejected`, and nothing is sent."""
        ids = await self._lookups.of(product)
        return await self.client.create_product(mapper.with_ids(mapper.new_product(product), ids))

    async def update_product(self, external_id: str, product: OutgoingProduct) -> None:
        """Name, codes, price and weights; everything else can be changed at its screens only (`§4.4`)."""
        ids = await self._lookups.of(product)
        await self.client.patch_product(external_id, mapper.with_ids(mapper.changed_product(product), ids))

    async def find_customers(self, customer: OutgoingCustomer) -> list[Found]:
        """People of exactly that CPF or CNPJ, active ones first; a guest by the code that we gave."""
        wanted = customer.document
        if not wanted:
            return await self._guests(customer)
        # Whether the filter wants the mask is not known, so it is asked for both ways in one call.
        rows = await self.client.people(documentos=",".join(dict.fromkeys((wanted, mapper.masked(wanted)))))
        return mapper.people_of_document(rows, wanted)

    async def create_customer(self, customer: OutgoingCustomer) -> str:
        """Create a customer."""
        return await self.client.create_person(mapper.person(customer))

    async def prepare_order(self, order: OutgoingOrder) -> Attempt:
        """Draw the number that the sale will be created with."""
        return Attempt({"numero": await self._numbers.draw()})

    async def create_order(self, order: OutgoingOrder, attempt: Attempt) -> str | Found:
        """Create the sale; where its number is taken by another, with the next one that is free.

        A number of an earlier attempt may be held by what that attempt left: that is looked into before another number
        is tried. One drawn just now cannot be.
        """
        number = int(attempt.values.get("numero") or 0) or await self._numbers.draw()
        for left in reversed(range(MOST_NUMBERS)):
            fresh = self._numbers.use(number)
            try:
                return await self.client.create_sale(mapper.sale(order, number))
            except CallFailed as failed:
                if not await self._is_taken(failed, number):
                    raise
                if not fresh:
                    if ours := await self._ours(order, number):
                        return ours
                    if not await self._holders(number):
                        # Taken by a sale that no search shows: it may be ours, and another number would double it.
                        raise CallFailed(
                            Outcome.UNKNOWN, "taken", operation=failed.operation, code=failed.code, detail=failed.detail
                        ) from None
                if not left:  # the sentence spoke of a number, and each of them can hardly have been taken
                    raise
            number = await self._numbers.draw(taken=number)
        raise AssertionError("unreachable: the last round returns or raises")

    async def find_order(self, order: OutgoingOrder, attempt: Attempt) -> Found | None:
        """By the number that was tried, then among the customer's sales of that day; known by the marker."""
        number = int(attempt.values.get("numero") or 0)
        if number and (found := await self._marked(order, numeros=str(number))):
            return found
        day = order.placed_on.isoformat()
        return await self._marked(order, data_inicio=day, data_fim=day, ids_clientes=order.customer_ref)

    async def cancel_order(self, external_id: str, order: OutgoingOrder) -> bool:
        """Set the sale to cancelled. False for one that was invoiced: its note has to be cancelled first, by hand."""
        try:
            detail = await self.client.sale(external_id)
        except CallFailed as failed:
            gone(external_id, failed)
            return True
        if mapper.is_cancelled(detail):
            return True
        if mapper.is_invoiced(detail):
            return False
        items = await self.client.sale_items(external_id)
        await self.client.put_sale(external_id, mapper.cancelled_sale(detail, items, order))
        return True

    async def invoices_of_order(self, order_id: str, first: date, last: date) -> list[InvoiceRow]:
        """Notes of one sale, cancelled ones not among them (`§7.1`). The rows do not tell the sale."""
        return [row async for page in self._invoices(first, last, id_venda=order_id) for row in page]

    async def list_invoices(self, first: date, last: date) -> AsyncIterator[list[InvoiceRow]]:
        """All notes issued and not cancelled between two days, window by window, page by page."""
        async for page in self._invoices(first, last):
            yield page

    async def read_invoice(self, access_key: str) -> bytes | Gone:
        """The note's XML, or a ZIP with the correction's event where it was corrected (`§7.2`)."""
        try:
            return await self.client.invoice(access_key)
        except CallFailed as failed:
            return gone(access_key, failed)

    async def _invoices(self, first: date, last: date, **filters: str) -> AsyncIterator[list[InvoiceRow]]:
        for start, end in windows(first, last, self.longest_window_days):
            async for rows in self.client.invoices(start, end, **filters):
                found = [row for row in map(mapper.invoice, rows) if row is not None]
                if len(found) < len(rows):
                    logger.warning("%d of %d notes of a listing have no key", len(rows) - len(found), len(rows))
                yield found

    async def _guests(self, customer: OutgoingCustomer) -> list[Found]:
        """Lists do not tell a person's code, and a filter that is ignored lets everybody through: details decide."""
        code = mapper.guest_code(customer)
        rows = await self.client.people(codigos_pessoa=code)
        found = []
        for row in rows[:MOST_CANDIDATES]:
            detail = await self.client.person(text(row.get("id")))
            if text(detail.get("codigo")) == code:
                found.append(Found(text(row.get("id")), detail.get("ativo") is not False))
        return found

    async def _is_taken(self, failed: CallFailed, number: int) -> bool:
        """Whether a create was refused for its number: the sentence tells one, or a sale of that number is there.

        The sentence alone would not do, as nobody promises its words; nor the search alone, as it lags.
        """
        if failed.outcome is not Outcome.REJECTED or failed.reason != "validation":
            return False
        return mapper.tells_number(failed.detail, number) or bool(await self._holders(number))

    async def _ours(self, order: OutgoingOrder, number: int) -> Found | None:
        """The sale that an earlier attempt of ours left, looked for until any search must show it."""
        attempt = Attempt({"numero": number})
        found = await self.find_order(order, attempt)
        if found is None:
            await asyncio.sleep(self.search_lag_s)
            found = await self.find_order(order, attempt)
        return found

    async def _holders(self, number: int) -> list[Any]:
        rows = await self.client.sales(numeros=str(number))
        return [row for row in rows if text(row.get("numero")) == str(number)]

    async def _marked(self, order: OutgoingOrder, **filters: str) -> Found | None:
        """The sale among those that the filters let through whose notes carry our marker; lists have no notes."""
        for row in await self.client.sales(**filters):
            if not _fits(row, filters):
                continue
            external_id = text(row.get("id"))
            try:
                detail = await self.client.sale(external_id)
            except CallFailed as failed:
                gone(external_id, failed)
                continue
            if mapper.is_marked(detail, order):
                return Found(external_id, not mapper.is_cancelled(detail))
        return None


def windows(first: date, last: date, most_days: int) -> list[tuple[date, date]]:
    """The days from first to last, both counted, in stretches of at most so many days."""
    found = []
    while first <= last:
        end = min(last, first + timedelta(days=most_days - 1))
        found.append((first, end))
        first = end + timedelta(days=1)
    return found


def _fits(row: dict[str, Any], filters: dict[str, str]) -> bool:
    """Whether a row is what was asked for: filters that the API does not know are ignored (`§3.5`)."""
    if "numeros" in filters:
        return text(row.get("numero")) == filters["numeros"]
    customer = row.get("cliente")
    told = text(customer.get("id")) if isinstance(customer, dict) else ""
    return not told or told == filters["ids_clientes"]


MOST_CANDIDATES = 5
"""People looked at for a guest's code: more only come where the filter was ignored."""
