"""The store API's bodies: what it takes and what it gives. Unknown fields are refused: a misspelt one would be lost.

Money is text with a decimal point ("29.90"), never a JSON number: a number is read as a binary fraction by half of the
programs that meet it, and 0.1 + 0.2 is not 0.3 there.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator

from hub import fiscal
from hub.payments import LONGEST_REFERENCE, Happened
from hub.stages import Stage
from web.api.values import Money, Number, Picture, Quantity, Sku, Text, Uf, UnitPrice


class Body(BaseModel):
    """A body of the API. What was received is in no error of it: it may be somebody's data, and errors are logged."""

    model_config = ConfigDict(hide_input_in_errors=True)


class Given(Body):
    """What is taken."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class PriceIn(Given):
    """Prices in reais. What is left out stays as it is; null takes a price away."""

    list_price: UnitPrice | None = None
    promotional_price: UnitPrice | None = None
    cost_price: UnitPrice | None = None


class StockIn(Given):
    """What the store has of a product, all in all."""

    quantity: Quantity


class ProductIn(Given):
    """A product as the store has it, whole: what is left out becomes empty, but for `price` and `stock`, which stay."""

    name: Annotated[Text, StringConstraints(min_length=1, max_length=400)]
    kind: Literal["simple", "parent", "variation", "service"] = "simple"
    parent_sku: Annotated[str | None, Field(description="the SKU of the `parent` that a `variation` belongs to")] = None
    active: bool = True
    description: Annotated[Text, StringConstraints(max_length=60_000)] = ""
    brand: Text = ""
    category: Text = ""
    unit: Text = ""
    gtin: Text = ""
    ncm: Text = ""
    cest: Text = ""
    origin: Text = ""
    warranty: Text = ""
    weight_net: Annotated[Quantity | None, Field(description="kg")] = None
    weight_gross: Annotated[Quantity | None, Field(description="kg")] = None
    height: Annotated[Quantity | None, Field(description="cm")] = None
    width: Annotated[Quantity | None, Field(description="cm")] = None
    length: Annotated[Quantity | None, Field(description="cm")] = None
    attributes: Annotated[dict[Text, Text], Field(max_length=50)] = Field(default_factory=dict)
    pictures: Annotated[list[Picture], Field(max_length=30)] = Field(default_factory=list)
    price: PriceIn | None = None
    stock: Quantity | None = None


class ProductPatch(Given):
    """Fields of a product to be changed; what is left out stays."""

    name: Annotated[Text, StringConstraints(min_length=1, max_length=400)] | None = None
    active: bool | None = None
    description: Annotated[Text, StringConstraints(max_length=60_000)] | None = None
    brand: Text | None = None
    category: Text | None = None
    unit: Text | None = None
    gtin: Text | None = None
    ncm: Text | None = None
    cest: Text | None = None
    origin: Text | None = None
    warranty: Text | None = None
    weight_net: Quantity | None = None
    weight_gross: Quantity | None = None
    height: Quantity | None = None
    width: Quantity | None = None
    length: Quantity | None = None
    attributes: Annotated[dict[Text, Text], Field(max_length=50)] | None = None
    pictures: Annotated[list[Picture], Field(max_length=30)] | None = None
    price: PriceIn | None = None
    stock: Quantity | None = None


class PriceOut(Body):
    """Prices as they stand, in reais."""

    list_price: UnitPrice | None
    promotional_price: UnitPrice | None
    cost_price: UnitPrice | None


class ProductOut(Body):
    """A product as it stands in the store."""

    sku: str
    name: str
    kind: str
    parent_sku: str | None
    active: bool
    description: str
    brand: str
    category: str
    unit: str
    gtin: str
    ncm: str
    cest: str
    origin: str
    warranty: str
    weight_net: Quantity | None
    weight_gross: Quantity | None
    height: Quantity | None
    width: Quantity | None
    length: Quantity | None
    attributes: dict[str, Any]
    pictures: list[str]
    price: PriceOut
    stock: Quantity | None
    created_at: datetime
    updated_at: datetime


class AddressIn(Given):
    """An address; `postal_code` (CEP) of 8 digits, with or without hyphen."""

    street: Annotated[Text, StringConstraints(max_length=200)] = ""
    number: Annotated[Text, StringConstraints(max_length=20)] = ""
    complement: Annotated[Text, StringConstraints(max_length=100)] = ""
    district: Annotated[Text, StringConstraints(max_length=100)] = ""
    city: Annotated[Text, StringConstraints(max_length=100)] = ""
    uf: Uf = ""
    postal_code: Text = ""
    recipient: Annotated[Text, StringConstraints(max_length=200)] = ""

    @field_validator("postal_code")
    @classmethod
    def _whole(cls, value: str) -> str:
        return fiscal.cep(value) if value else ""


class CustomerIn(Given):
    """Who bought. `document` is a CPF or CNPJ, with or without mask; left out for a guest who gave none."""

    name: Annotated[Text, StringConstraints(min_length=1, max_length=200)]
    document: Text = ""
    email: Annotated[Text, StringConstraints(max_length=200)] = ""
    phone: Annotated[Text, StringConstraints(max_length=40)] = ""

    @field_validator("document")
    @classmethod
    def _normal(cls, value: str) -> str:
        return fiscal.document(value) if value else ""


class ItemIn(Given):
    """One line of an order; `discount` is of the whole line."""

    sku: Sku
    name: Annotated[Text, StringConstraints(max_length=400)] = ""
    quantity: Quantity
    unit_price: UnitPrice
    discount: Money = Decimal(0)


class OrderIn(Given):
    """An order as it was placed. Each line is rounded to the centavo; lines − discounts + freight must be `total`."""

    number: Number
    placed_at: AwareDatetime
    customer: CustomerIn
    items: Annotated[list[ItemIn], Field(min_length=1, max_length=500)]
    discount: Money = Decimal(0)
    freight: Money = Decimal(0)
    total: Money
    payment_method: Annotated[Text, StringConstraints(max_length=40)] = ""
    instalments: Annotated[int, Field(ge=1, le=99)] = 1
    notes: Annotated[Text, StringConstraints(max_length=4000)] = ""
    delivery: AddressIn | None = None
    billing: AddressIn | None = None


class PaymentIn(Given):
    """One event of one payment, which is known by `reference`.

    `amount`: of `approved`, what was paid (needed unless `created` told it); of `refunded`, all that was given back of
    this payment so far, left out for the whole of it. Events may come twice, late, and in any order.
    """

    reference: Annotated[Text, StringConstraints(min_length=1, max_length=LONGEST_REFERENCE)]
    event: Happened
    amount: Money | None = None
    method: Annotated[Text, StringConstraints(max_length=40)] = ""
    instalments: Annotated[int, Field(ge=1, le=99)] | None = None
    at: AwareDatetime | None = None


class CustomerOut(Body):
    """Who bought."""

    name: str
    document: str
    email: str
    phone: str


class ItemOut(Body):
    """One line of an order; `known` tells whether the store has a product of that SKU."""

    sku: str
    name: str
    quantity: Quantity
    unit_price: UnitPrice
    discount: Money
    known: bool


class PaymentOut(Body):
    """A payment as it stands; `refunded` is what was given back of it."""

    reference: str
    state: str
    amount: Money
    refunded: Money
    method: str
    instalments: int
    paid_at: datetime | None


OrderStage = Annotated[
    Stage, Field(description="how far it has come, by its money and its goods; a refunded order is `cancelled` here")
]


class OrderRow(Body):
    """An order in a list: without people."""

    number: str
    source: str
    state: Literal["created", "paid", "cancelled", "refunded"]
    payment_state: Literal["pending", "partly_paid", "paid", "cancelled", "refunded"]
    stage: OrderStage
    total: Money
    placed_at: datetime
    paid_at: datetime | None
    updated_at: datetime


class OrderOut(OrderRow):
    """An order, whole."""

    items_total: Money
    discount: Money
    freight: Money
    payment_method: str
    instalments: int
    notes: str
    customer: CustomerOut | None
    items: list[ItemOut]
    payments: list[PaymentOut]
    delivery: dict[str, str] | None
    billing: dict[str, str] | None


class SystemState(Body):
    """Where an order stands in one ERP: `waiting`, `sent`, `failed`, `unknown` (an answer got lost), `skipped`."""

    connection: str
    system: str
    state: str
    external_id: str | None
    sent_at: datetime | None


class InvoiceOut(Body):
    """An invoice (NF-e) issued for an order."""

    access_key: str
    order: str | None
    number: str
    series: str
    model: str
    state: str
    protocol: str
    total: Money
    link: str
    issued_at: datetime
    has_xml: bool


class ShipmentOut(Body):
    """A parcel of an order; `state` is `ready` (it has a code, and has not left), `shipped` or `delivered`."""

    state: str
    carrier: str
    tracking_code: str
    tracking_url: str
    shipped_at: datetime | None
    delivered_at: datetime | None


class OrderState(Body):
    """An order's state, where it stands in each ERP, its invoices and its parcels."""

    number: str
    state: str
    payment_state: str
    stage: OrderStage
    paid_at: datetime | None
    updated_at: datetime
    systems: list[SystemState]
    invoices: list[InvoiceOut]
    shipments: list[ShipmentOut]


class NoticeOut(Body):
    """A notice to the merchant, in Portuguese: what happened (`title`, `body`), what to do (`action`)."""

    id: str
    code: str
    connection: str
    about: str
    title: str
    body: str
    action: str
    first_at: datetime
    last_at: datetime
    cleared_at: datetime | None


class ProductPage(Body):
    """A page of products; `next_cursor` is null on the last one."""

    items: list[ProductOut]
    next_cursor: str | None


class OrderPage(Body):
    """A page of orders."""

    items: list[OrderRow]
    next_cursor: str | None


class InvoicePage(Body):
    """A page of invoices."""

    items: list[InvoiceOut]
    next_cursor: str | None


class NoticePage(Body):
    """A page of notices."""

    items: list[NoticeOut]
    next_cursor: str | None


class FieldError(Body):
    """What is wrong in one place of a request; `merchant` says it in Portuguese, where it is the merchant's to mend."""

    pointer: str
    detail: str
    merchant: str | None = None


class ProblemOut(Body):
    """Every error's answer (RFC 9457), `application/problem+json`."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] = []
