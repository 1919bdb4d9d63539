"""Tiny v3 as a source of products and of stock."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from hub.clock import format_iso_br
from hub.credentials import TokenStore
from hub.db import Database
from hub.policy import Policy
from hub.records import Refused, StockRecord
from hub.settings import settings
from hub.tables import Connection
from providers.consent import OAuthApp
from providers.contract import Account, CallFailed, Feed, Gone, Page, Reading, StockPage
from providers.http import Http, OverHttp
from providers.oauth import OAuth
from providers.tiny_account import at_once, gone, limiter, rows
from providers.tiny_parse import document, text
from providers.tiny_v3 import errors, mapper
from providers.tiny_v3.client import PAGE_ROWS, Client


class TinyV3(OverHttp):
    """One account of Tiny by OAuth."""

    kind = "tiny_v3"
    catalog_feed = Feed.SINCE
    stock_feed = Feed.NONE
    variations_in_parent = True

    def __init__(self, client: Client) -> None:
        super().__init__(client.http)
        self.client = client

    @classmethod
    def open(cls, db: Database, connection: Connection) -> "TinyV3":
        """Make the client; nothing is called yet."""
        policy = Policy.model_validate(connection.policy)
        auth = OAuth(
            store=TokenStore(db, connection.id),
            token_url=settings().tiny_v3_token_url,
            client_id=str(connection.credentials.get("client_id", "")),
            client_secret=str(connection.credentials.get("client_secret", "")),
        )
        http = Http(
            system=f"{cls.kind} {connection.id}",
            base_url=settings().tiny_v3_url,
            auth=auth,
            judge=errors.judge,
            limiter=limiter(db, connection),
            at_once=at_once(connection, policy),
            limit_header="X-RateLimit-Limit",
            remaining_header="X-RateLimit-Remaining",
            reset_header="X-RateLimit-Reset",
            fixed_limit=policy.calls_per_minute,
        )
        return cls(Client(http))

    @staticmethod
    def app() -> OAuthApp:
        """How consent is asked for (`reference/tiny.md §4.1`)."""
        return OAuthApp(settings().tiny_v3_authorize_url, settings().tiny_v3_token_url, scope="openid")

    async def check(self) -> Account:
        """Who the account is. The first products are asked for too: an app without that permission is told here."""
        account = await self.client.info()
        await self.client.list_products(0)
        per_minute = await self.per_minute()
        return Account(
            name=text(account.get("fantasia")) or text(account.get("razaoSocial")),
            document=document(account.get("cpfCnpj")),
            per_minute=per_minute,
            features={"update_lists": False, "per_minute": per_minute},
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

    async def _page(self, page: int, **filters: str) -> Page:
        listing = await self.client.list_products((page - 1) * PAGE_ROWS, **filters)
        return Page(rows(listing.rows, mapper.row), next=page + 1 if listing.more else None, of=listing.pages)

    async def _tree(self, external_id: str, told: Any) -> Reading:
        """A kit's components are asked for where the details come without them."""
        kit = await self.client.get_kit(external_id) if mapper.wants_kit(told) else None
        return mapper.tree(told, kit)
