"""What a provider's mapper hands to the hub: canonical records, free of any vendor's spelling."""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class ProductKind(StrEnum):
    """How a product is sold. Only `simple`, `variation`, `kit` and `service` can be put in a cart."""

    SIMPLE = "simple"
    PARENT = "parent"
    VARIATION = "variation"
    KIT = "kit"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class KitPart:
    """One component of a kit, by the vendor's id of it."""

    external_id: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """A product as one vendor tells it. Weights in kg, measures in cm, prices in reais.

    Texts are as received but for outer blanks; documents and codes are not checked yet (`hub.catalog.problems` does).
    None means "not told": it is stored as unknown. A price of None is no price; a promotional price of zero is none.
    """

    external_id: str
    kind: ProductKind
    name: str
    sku: str | None = None
    parent_ref: str = ""
    active: bool = True
    description: str = ""
    brand: str = ""
    category: str = ""
    unit: str = ""
    gtin: str = ""
    ncm: str = ""
    cest: str = ""
    origin: str = ""
    warranty: str = ""
    weight_net: Decimal | None = None
    weight_gross: Decimal | None = None
    height: Decimal | None = None
    width: Decimal | None = None
    length: Decimal | None = None
    list_price: Decimal | None = None
    promotional_price: Decimal | None = None
    cost_price: Decimal | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    pictures: tuple[str, ...] = ()
    kit: tuple[KitPart, ...] = ()
    related: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DepositBalance:
    """The balance in one deposit. `key` is what stays when it is renamed, where the vendor has such an id."""

    key: str
    name: str
    physical: Decimal
    reserved: Decimal | None
    available: Decimal | None
    counted: bool = True


@dataclass(frozen=True, slots=True)
class StockRecord:
    """The stock of one product: the account's own totals, and each deposit. Balances may be negative.

    `as_of` is when the question was asked, not when the answer came: what was sold in between is not in it.
    """

    external_id: str
    physical: Decimal
    reserved: Decimal
    available: Decimal
    deposits: tuple[DepositBalance, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a record cannot be taken: `field` in our spelling, `reason` a machine word, `received` as it came."""

    field: str
    reason: str
    received: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A record of theirs that cannot be read, with every reason and the payload as it came (JSON text)."""

    external_id: str
    problems: tuple[Problem, ...]
    payload: str
    name: str = ""
    sku: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingProduct:
    """A product of ours as it is to stand in an ERP: the price has the % rule applied, once.

    `stock` is given at creation only where an ERP takes it no other way.
    """

    record_id: str
    sku: str
    name: str
    price: Decimal
    kind: ProductKind = ProductKind.SIMPLE
    active: bool = True
    description: str = ""
    brand: str = ""
    category: str = ""
    unit: str = ""
    gtin: str = ""
    ncm: str = ""
    cest: str = ""
    origin: str = ""
    weight_net: Decimal | None = None
    weight_gross: Decimal | None = None
    height: Decimal | None = None
    width: Decimal | None = None
    length: Decimal | None = None
    stock: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OutgoingAddress:
    """An address; `postal_code` 8 digits, `uf` two letters."""

    street: str = ""
    number: str = ""
    complement: str = ""
    district: str = ""
    city: str = ""
    uf: str = ""
    postal_code: str = ""
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingCustomer:
    """A buyer. `document` is a CPF or CNPJ without mask, or empty for a guest."""

    record_id: str
    name: str
    document: str = ""
    email: str = ""
    phone: str = ""
    address: OutgoingAddress = OutgoingAddress()

    def __repr__(self) -> str:
        """Our id alone: the rest is somebody's personal data, and a repr ends in a log."""
        return f"OutgoingCustomer({self.record_id})"


@dataclass(frozen=True, slots=True)
class OutgoingItem:
    """One line of an order; `external_id` is the ERP's id of the product."""

    external_id: str
    sku: str
    name: str
    quantity: Decimal
    unit_price: Decimal


@dataclass(frozen=True, slots=True)
class OutgoingInstalment:
    """One instalment of the payment."""

    due: date
    amount: Decimal


@dataclass(frozen=True, slots=True)
class OutgoingOrder:
    """A paid order, its totals checked: the items less `discount` plus `freight` are `total`, the instalments too.

    `marker` is the text by which the order is known again over there.
    """

    record_id: str
    number: str
    marker: str
    customer_ref: str
    items: tuple[OutgoingItem, ...]
    discount: Decimal
    freight: Decimal
    total: Decimal
    payment_method: str
    instalments: tuple[OutgoingInstalment, ...]
    placed_on: date
    notes: str = ""
    delivery: OutgoingAddress = OutgoingAddress()
    stage: str = "approved"
    """How far it has come (`hub.stages`): what its situation over there is to be."""
    customer: OutgoingCustomer | None = None
    """The buyer, for systems that take a customer within the order."""
    known_on: date | None = None
    """The day on which the hub got the order: nothing of ours was over there before. `placed_on` is the store's word,
    may lie ahead, and moves with an edit."""

    def __repr__(self) -> str:
        """Without address and notes, which are personal data."""
        return f"OutgoingOrder({self.number}, {len(self.items)} items, {self.total})"


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """A note of a vendor's listing.

    `external_id` is their id of it, empty where the access key is all that they know it by; `order_ref` their id of the
    order that it was issued for, where the row tells it; `state` what the row says of it in our words (`authorised`,
    `cancelled`, `denied`, `pending`), empty where only the document tells; `link` a page that shows it.
    """

    access_key: str
    number: str
    status: str
    external_id: str = ""
    order_ref: str = ""
    state: str = ""
    link: str = ""
    series: str = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """How an order was shipped, as the system that ships it tells it."""

    tracking_code: str
    tracking_url: str = ""
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """How an order stands over there.

    `stage` is ours (`hub.stages`), empty for a situation that has none; `told` is the vendor's own word. `as_of` is
    when the question was asked. `number` is the store's number that the order carries over there, `erp_number` its own.
    """

    external_id: str
    stage: str
    told: str
    as_of: datetime
    parcel: Parcel | None = None
    number: str = ""
    erp_number: str = ""
