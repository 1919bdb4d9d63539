"""What a provider's mapper hands to the hub: canonical records, free of any vendor's spelling."""

from dataclasses import dataclass, field
from datetime import datetime
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
