"""Tiny v2 as a source of products and of stock."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta

from hub.clock import utcnow
from hub.db import Database
from hub.policy import Policy
from hub.records import Refused, StockRecord
from hub.settings import settings
from hub.tables import Connection
from providers.contract import Account, CallFailed, Feed, Gone, Outcome, Page, Reading, StockPage
from providers.http import Http, OverHttp
from providers.tiny_account import at_once, gone, limiter, rows
from providers.tiny_parse import document, fingerprint, text
from providers.tiny_v2 import errors, mapper
from providers.tiny_v2.client import Client, Listing, Token

LONGEST_LOOK_BACK = timedelta(days=30)
"""Further back the update lists do not go [R]."""


class TinyV2(OverHttp):
    """One account of Tiny by its static token."""

    kind = "tiny_v2"
    catalog_feed = Feed.NONE
    stock_feed = Feed.NONE
    variations_in_parent = False

    def __init__(self, client: Client, *, update_lists: bool) -> None:
        super().__init__(client.http)
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
        return cls(Client(http, token), update_lists=has_lists)

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
            features={"update_lists": has_lists, "per_minute": per_minute},
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
