"""What a provider must be able to do, and the words in which it answers.

A flow asks for a capability, never for a kind: `provider(connection, CatalogSource)`. A provider is a folder with the
same files as every other one and gives the capabilities it has, put together in its `provider.py`.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Literal, Protocol, Self, runtime_checkable

from hub.records import (
    InvoiceRow,
    OrderStatus,
    OutgoingCustomer,
    OutgoingOrder,
    OutgoingProduct,
    ProductRecord,
    Refused,
    StockRecord,
)


class Outcome(StrEnum):
    """What an answer means for us, and so what happens next (design, section 3)."""

    OK = "ok"
    RETRY = "retry"
    SLOW_DOWN = "slow_down"
    REAUTH = "reauth"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


class CallFailed(Exception):
    """A call that did not end in `ok`. Its text is for ops and holds no secret and no personal data.

    `reason` is a stable machine word of ours that picks the merchant's text (`token`, `permission`, `blocked`,
    `not_found`, `no_service`, `unknown_host`, `unreachable`, `timeout`, `cut`, `maintenance`, `quota`, `unreadable`,
    `server`, `validation`, `debt`, `plan`); `code` and `detail` are the vendor's own. `not_found` is said of a record,
    `no_service` of an address that the vendor does not have. `missing` is the kind of a record that an order names and
    that is not there any more (`customer`, `product`), where the vendor says which.
    """

    def __init__(
        self,
        outcome: Outcome,
        reason: str,
        *,
        operation: str,
        status: int | None = None,
        code: str = "",
        detail: str = "",
        wait_s: float | None = None,
        missing: str = "",
    ) -> None:
        self.outcome = outcome
        self.reason = reason
        self.operation = operation
        self.status = status
        self.code = code
        self.detail = detail
        self.wait_s = wait_s
        self.missing = missing
        parts = [f"{operation}: {outcome} ({reason})"]
        if status is not None:
            parts.append(f"HTTP {status}")
        if code:
            parts.append(f"code {code}")
        if detail:
            parts.append(repr(detail[:300]))
        super().__init__(", ".join(parts))

    def worded(self, detail: str) -> "CallFailed":
        """The same failure with another `detail`; itself when that is what it says already."""
        if detail == self.detail:
            return self
        return CallFailed(
            self.outcome,
            self.reason,
            operation=self.operation,
            status=self.status,
            code=self.code,
            detail=detail,
            wait_s=self.wait_s,
            missing=self.missing,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a vendor's listing. `fingerprint` changes whenever anything in the row changes.

    `follows_parent` marks a variation whose content comes with its parent's details: it is read by the parent, and
    by itself only when its row changes later.
    """

    external_id: str
    fingerprint: str
    follows_parent: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing; `next` is the page to ask for after it, None at the end; `of` how many there are."""

    rows: tuple[Row, ...]
    next: int | None
    of: int | None = None


@dataclass(frozen=True, slots=True)
class StockPage:
    """One page of a vendor's list of stock changes: the balances themselves, so nothing else needs to be read."""

    records: tuple[StockRecord | Refused, ...]
    next: int | None


@dataclass(frozen=True, slots=True)
class Gone:
    """The record is no longer there: deleted over there, or the id was never known."""

    external_id: str


Reading = tuple[ProductRecord | Refused, ...]
"""What one detail read brings: the product, with its variations where the vendor hands them over together."""


class Feed(StrEnum):
    """How a vendor tells what has changed."""

    NONE = "none"
    SINCE = "since"
    """A filter: the same question gets the same answer again."""
    CONSUMED = "consumed"
    """A list that forgets what it told: it is asked once, and what it says is committed before anything else."""


@dataclass(frozen=True, slots=True)
class Account:
    """What `check` found out. `document` is the account's own CNPJ or CPF, digits and letters only."""

    name: str
    document: str
    per_minute: int | None = None
    features: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class Provider(Protocol):
    """One open connection to one account. Use it as an async context manager; it closes its HTTP client."""

    kind: str

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *error: object) -> None: ...

    async def check(self) -> Account:
        """Ask the account who it is and what it may do. Raises CallFailed."""

    async def close(self) -> None:
        """Close the HTTP client."""

    async def per_minute(self) -> int | None:
        """The calls a minute that the account allows, as far as it is known; 0 is no limit."""

    @property
    def calls(self) -> int:
        """Calls made to the vendor since it was opened."""


@runtime_checkable
class CatalogSource(Protocol):
    """Products can be read from it."""

    catalog_feed: Feed
    variations_in_parent: bool
    """True where a product's details bring its variations along; False where each is listed and read by itself."""

    async def list_products(self, page: int) -> Page:
        """One page of everything that is there (active and inactive), from page 1. Raises CallFailed."""

    def changed_products(self, since: datetime) -> AsyncIterator[Page]:
        """Pages of what has changed since (aware time). Only where `catalog_feed` is not NONE. Raises CallFailed.

        A CONSUMED list raises `unknown` where an answer got lost: what was in it is told to nobody again, and only
        the listing can find it.
        """

    async def read_product(self, external_id: str) -> Reading | Gone:
        """All details of one product. Raises CallFailed."""


@runtime_checkable
class StockSource(Protocol):
    """Balances can be read from it."""

    stock_feed: Feed

    def changed_stock(self, since: datetime) -> AsyncIterator[StockPage]:
        """Pages of balances changed since. Only where `stock_feed` is not NONE. Raises CallFailed as above."""

    async def read_stock(self, external_id: str) -> StockRecord | Refused | Gone:
        """The balances of one product, now. Raises CallFailed."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record over there that answers to a natural key of ours, compared for equality and not by likeness."""

    external_id: str
    active: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a create may have left over there, as JSON values; see `OrderSink.prepare_order`. `there` among them is the
    id of an order that was there before the first try."""

    values: dict[str, Any] = field(default_factory=dict)


@runtime_checkable
class ProductSink(Protocol):
    """Products can be written to it."""

    search_lag_s: float
    """How long a new record may take to show in a search."""
    stock_at_creation_only: bool

    def product_body(self, product: OutgoingProduct, *, creates: bool) -> dict[str, Any]:
        """All that would be sent, for a dry run and for the hash of what was sent. Pure."""

    async def find_products(self, sku: str) -> list[Found]:
        """Products of exactly that SKU. Raises CallFailed."""

    async def create_product(self, product: OutgoingProduct) -> str:
        """Create it and return its id over there. Raises CallFailed; `unknown` when nobody knows whether it was."""

    async def update_product(self, external_id: str, product: OutgoingProduct) -> None:
        """Bring it up to date, price and data. Repeatable. Raises CallFailed."""


@runtime_checkable
class OrderSink(Protocol):
    """Orders can be written to it."""

    search_lag_s: float
    customer_in_order: bool
    """Whether the buyer goes within the order: then no customer is looked for or created beforehand."""

    async def find_customers(self, customer: OutgoingCustomer) -> list[Found]:
        """Customers of exactly that CPF or CNPJ; a guest without one by our own id, if it was created by us.

        Raises CallFailed.
        """

    async def create_customer(self, customer: OutgoingCustomer) -> str:
        """Create a customer and return its id over there. Raises CallFailed."""

    async def prepare_order(self, order: OutgoingOrder) -> Attempt:
        """What the create will use that must be known if its answer is lost (a number drawn from a series, say).

        The caller commits it before it creates. Raises CallFailed.
        """

    async def create_order(self, order: OutgoingOrder, attempt: Attempt) -> str | Found:
        """Create it and return its id over there; `Found` where it is there already, made at whatever stage it had
        then. Raises CallFailed; `unknown` when nobody knows whether it was created."""

    async def find_order(self, order: OutgoingOrder, attempt: Attempt) -> Found | None:
        """The order that an earlier attempt may have left, known by its marker. Raises CallFailed."""

    async def cancel_order(self, external_id: str, order: OutgoingOrder) -> bool:
        """Cancel it over there; False where the system cannot be told. Raises CallFailed."""


IntegrationState = Literal["", "known", "unknown"]


@runtime_checkable
class OrderIntegration(Protocol):
    """Orders are tied to an integration of the merchant's choice, and only a look at one that was made tells whether
    the vendor has it: '' until then."""

    integration: IntegrationState


@runtime_checkable
class OrderStateSink(Protocol):
    """An order that is over there already can be moved on as it moves on here."""

    def states_told(self, order: OutgoingOrder) -> str:
        """What the vendor would be told for the order's stage, in its own word; '' where it has none for it. Pure."""

    async def move_order(self, external_id: str, order: OutgoingOrder) -> str:
        """Bring it to the order's stage, unless it has come as far or further over there: it is read before it is
        written. Returns the stage at which it stands then. Repeatable. Raises CallFailed.
        """


@runtime_checkable
class OrderStateSource(Protocol):
    """How the orders over there stand can be read."""

    def changed_orders(self, since: datetime) -> AsyncIterator[list[Row]]:
        """Rows of orders changed since (aware time), page by page; where the vendor's filter is coarser, of more.

        Raises CallFailed.
        """

    async def read_order(self, external_id: str) -> OrderStatus | Gone:
        """How one order stands now, with its parcel where it has one. Raises CallFailed."""


@runtime_checkable
class InvoiceSource(Protocol):
    """Invoices can be read from it."""

    longest_window_days: int
    rows_tell_order: bool
    """Whether the rows of a listing name the order: then a listing finds every order's note, and none is asked for."""

    async def invoices_of_order(self, order_id: str, first: date, last: date) -> list[InvoiceRow]:
        """Notes issued for an order of theirs between two days, both counted. Raises CallFailed."""

    def list_invoices(self, first: date, last: date) -> AsyncIterator[list[InvoiceRow]]:
        """All notes issued between two days, both counted, page by page. Raises CallFailed."""

    async def read_invoice(self, row_id: str) -> bytes | Gone:
        """The note's document as it comes: XML, or a ZIP where it was corrected. Raises CallFailed.

        `row_id` is the row's `external_id`, or its access key where it has none.
        """


@runtime_checkable
class InvoiceLink(Protocol):
    """The page that shows a note is told by a call of its own, and not by the listing."""

    async def linked(self, row: InvoiceRow) -> InvoiceRow:
        """The row with that page where it has one. Raises CallFailed."""


@runtime_checkable
class ListsByCreation(Protocol):
    """The days of a listing may be those on which a note was made: a draft may be issued weeks after."""

    lists_by_creation: Literal[True]


@runtime_checkable
class InvoiceLookup(Protocol):
    """One note can be asked for by the id that an event names."""

    async def find_invoice(self, external_id: str) -> InvoiceRow | Gone:
        """The note's row, its key empty while it has none. Raises CallFailed."""


@runtime_checkable
class Revocable(Protocol):
    """The merchant's consent can be taken back over there."""

    async def revoke(self) -> None:
        """Take it back; one that is gone already is as good. Raises CallFailed."""


class Subject(StrEnum):
    """What an event is about, and so what is read when it comes."""

    PRODUCT = "product"
    STOCK = "stock"
    ORDER = "order"
    INVOICE = "invoice"


@dataclass(frozen=True, slots=True)
class Hint:
    """Something happened to that record of theirs. What, the record itself tells."""

    subject: Subject
    external_id: str


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook, read. No hints: nothing that we follow (an unknown kind of event, a freight quotation).

    `document` is the account's own CNPJ where the event tells it, digits and letters only. `answer` is what the vendor
    waits for at once, as JSON values; None where any 200 will do.
    """

    hints: tuple[Hint, ...] = ()
    document: str = ""
    answer: Any = None


class UnreadableEventError(ValueError):
    """A webhook whose body is not what its vendor sends; the text says what was received and what is valid."""


class Webhooks(Protocol):
    """How a system's webhooks are authenticated and read: the module `webhooks` of its folder. All of it is pure.

    Only `read` is asked before the answer, so it must be quick; everything else about an event waits for the drain.
    """

    TOPICS: Mapping[str, str]
    """Topic → how the vendor's screen calls it, in Portuguese. One address each."""
    HAS_SECRET: bool
    """Whether the vendor sends a secret of ours along."""

    def authentic(self, secret: str, headers: Mapping[str, str]) -> bool:
        """Whether the headers (names in lower case) show who sent it; compared in constant time."""

    def read(self, topic: str, body: bytes, media_type: str) -> Event:
        """What the event says. Raises UnreadableEventError."""
