"""Orders, contacts and invoices as the simulated ERP stores them; text groups use the names of v2 writes."""

from collections import Counter
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.core import documents

#: A document without its mask, and with it.
digits, masked = documents.plain, documents.masked
CENT = Decimal("0.01")
ZERO = Decimal(0)


@dataclass(slots=True, eq=False)
class Item:
    """A line; without `product_id` it is free text and moves no stock."""

    product_id: int
    sku: str
    name: str
    unit: str
    quantity: Decimal
    price: Decimal
    info: str = ""
    kind: str = "P"

    @property
    def total(self) -> Decimal:
        """Quantity × price in centavos."""
        return (self.quantity * self.price).quantize(CENT, ROUND_HALF_UP)


@dataclass(slots=True, eq=False)
class Installment:
    """One instalment; `date` is ISO, `form` and `mean` are texts of v2."""

    days: int
    date: str
    value: Decimal
    notes: str = ""
    form: str = ""
    mean: str = ""


@dataclass(slots=True, eq=False)
class Contact:
    """A customer, supplier or carrier; `fields` has the names of contato.incluir, documents without mask."""

    id: int
    fields: dict[str, str]
    created_at: float
    changed_at: float
    types: list[str] = field(default_factory=list)
    people: list[dict[str, str]] = field(default_factory=list)
    origin: str = "merchant"
    request: Any = None
    writes: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True, eq=False)
class Order:
    """An order. Days are ISO texts, "" when there is none; `situation` is a code of v2."""

    id: int
    number: int
    created_at: float
    changed_at: float
    situation: str
    date: str
    contact_id: int
    client: dict[str, str]
    items: list[Item]
    delivery: dict[str, str] | None = None
    planned: str = ""
    invoiced: str = ""
    sent: str = ""
    delivered: str = ""
    freight: Decimal = ZERO
    discount: Decimal = ZERO
    other: Decimal = ZERO
    installments: list[Installment] = field(default_factory=list)
    form: str = ""
    mean: str = ""
    carrier: str = ""
    freight_by: str = ""
    shipping: str = ""
    freight_kind: str = ""
    tracking: str = ""
    tracking_url: str = ""
    #: What a dispatch says beside that: volumes, weights, freight paid, notes.
    dispatch: dict[str, Any] = field(default_factory=dict)
    purchase_number: str = ""
    shop_number: str = ""
    shop_id: int = 0
    shop_name: str = ""
    seller_id: int = 0
    seller_name: str = ""
    notes: str = ""
    internal_notes: str = ""
    deposit_id: int = 0
    markers: list[tuple[int, str]] = field(default_factory=list)
    intermediary: dict[str, str] | None = None
    payments: list[dict[str, str]] = field(default_factory=list)
    operation: tuple[int, str] = (1, "Venda de mercadorias")
    price_list: int = 0
    invoice_id: int = 0
    #: product id → quantity this order reserves or has taken out of its deposit.
    held: dict[int, float] = field(default_factory=dict)
    taken: dict[int, float] = field(default_factory=dict)
    history: list[tuple[float, str]] = field(default_factory=list)
    origin: str = "merchant"
    request: Any = None
    writes: Counter[str] = field(default_factory=Counter)

    @property
    def products_total(self) -> Decimal:
        """The sum of the lines."""
        return sum((item.total for item in self.items), ZERO)

    @property
    def total(self) -> Decimal:
        """Lines + freight + other expenses - discount."""
        return self.products_total + self.freight + self.other - self.discount


@dataclass(slots=True, eq=False)
class Invoice:
    """A note made of an order as it was then; `situation` is a number of §3.10."""

    id: int
    order_id: int
    number: int
    series: int
    model: int
    situation: int
    created_at: float
    #: The order at that time: clients, lines and amounts of the note.
    sale: Order
    issued_at: float = 0.0
    key: str = ""
    xml: str = ""
    cancellation: str = ""
    reason: str = ""
    writes: Counter[str] = field(default_factory=Counter)


def money(value: Decimal) -> Decimal:
    """Return an amount in centavos."""
    return value.quantize(CENT, ROUND_HALF_UP)


def masked_cep(cep: str) -> str:
    """Return a CEP as reads show it: 95.700-000."""
    text = digits(cep)
    return f"{text[:2]}.{text[2:5]}-{text[5:]}" if len(text) == 8 else cep
