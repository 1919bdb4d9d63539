"""What a shop sold: orders, their buyers and payments, and the invoices that came back."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from hub.crypto import EncryptedJson
from hub.tables._columns import exact_, id_, json_, merchant_, moment_, sealed_, stamped_, within_merchant


class Customer(SQLModel, table=True):
    """A buyer. Everything personal is encrypted; the document is searched by its blind index only."""

    __table_args__ = (
        UniqueConstraint("merchant_id", "id"),
        UniqueConstraint("merchant_id", "document_index"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    document_index: str | None = Field(default=None, max_length=64)
    document: str = sealed_()
    name: str = sealed_()
    email: str = sealed_()
    phone: str = sealed_()
    created_at: datetime = stamped_()
    updated_at: datetime = stamped_()


class Order(SQLModel, table=True):
    """An order of the store, unique by the store's own number."""

    __tablename__ = "sales_order"  # ORDER is a word of SQL's
    __table_args__ = (
        UniqueConstraint("merchant_id", "id"),
        UniqueConstraint("merchant_id", "source", "number"),
        within_merchant("customer_id", "customer"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    source: str = Field(default="", max_length=80)
    """The connection that the order came from; empty for the built-in store."""
    number: str = Field(max_length=60)
    customer_id: str | None = Field(default=None, max_length=32)
    state: str = Field(default="created", max_length=20)
    payment_state: str = Field(default="pending", max_length=20)
    stage: str = Field(default="", max_length=20)
    """How far its goods have come (`hub.stages`), as the ERP or the store told; empty before either said anything."""
    items_total: Decimal | None = exact_(nullable=False)
    discount: Decimal | None = exact_(nullable=False)
    freight: Decimal | None = exact_(nullable=False)
    total: Decimal | None = exact_(nullable=False)
    notes: str = sealed_()
    content_hash: str = Field(default="", max_length=32)
    payment_method: str = Field(default="", max_length=40)
    instalments: int = 1
    placed_at: datetime | None = moment_(nullable=False)
    paid_at: datetime | None = moment_()
    created_at: datetime = stamped_()
    updated_at: datetime = stamped_()


class OrderItem(SQLModel, table=True):
    """One line of an order; the product may be unknown to us yet."""

    __tablename__ = "order_item"
    __table_args__ = (within_merchant("order_id", "sales_order"), within_merchant("product_id", "product"))

    order_id: str = Field(primary_key=True, max_length=32)
    position: int = Field(primary_key=True)
    merchant_id: str = merchant_()
    product_id: str | None = Field(default=None, max_length=32)
    sku: str = Field(default="", max_length=60)
    name: str = Field(max_length=400)
    quantity: Decimal | None = exact_(nullable=False)
    unit_price: Decimal | None = exact_(nullable=False)
    discount: Decimal | None = exact_(nullable=False)


class Payment(SQLModel, table=True):
    """One payment of an order, by the store's own reference."""

    __table_args__ = (
        within_merchant("order_id", "sales_order"),
        UniqueConstraint("order_id", "reference"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    order_id: str = Field(max_length=32)
    reference: str = Field(max_length=80)
    method: str = Field(default="", max_length=40)
    state: str = Field(default="pending", max_length=20)
    amount: Decimal | None = exact_(nullable=False)
    instalments: int = 1
    paid_at: datetime | None = moment_()


class Address(SQLModel, table=True):
    """Where an order is sent or billed (`role`). Encrypted whole; only the state stays readable, for analysts."""

    __table_args__ = (within_merchant("order_id", "sales_order"),)

    order_id: str = Field(primary_key=True, max_length=32)
    role: str = Field(primary_key=True, max_length=10)
    merchant_id: str = merchant_()
    uf: str = Field(default="", max_length=2)
    details: dict[str, Any] = Field(default_factory=dict, sa_column=Column(EncryptedJson(), nullable=False))


class Invoice(SQLModel, table=True):
    """An NF-e issued for an order. The 44-character key is its identity and is unique per merchant."""

    __table_args__ = (
        UniqueConstraint("merchant_id", "access_key"),
        Index("ix_invoice_order", "merchant_id", "order_id"),
        Index("ix_invoice_issued", "connection_id", "issued_at"),
        Index("ix_invoice_theirs", "connection_id", "external_id"),
        within_merchant("order_id", "sales_order"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    order_id: str | None = Field(default=None, max_length=32)
    connection_id: str = Field(max_length=80)
    external_id: str = Field(default="", max_length=60)
    access_key: str = Field(max_length=44)
    number: str = Field(max_length=20)
    series: str = Field(max_length=6)
    model: str = Field(max_length=4)
    state: str = Field(max_length=20)
    protocol: str = Field(default="", max_length=20)
    total: Decimal | None = exact_(nullable=False)
    link: str = Field(default="", sa_column=Column(Text, nullable=False))
    issuer: str = Field(default="", max_length=14)
    xml: str = sealed_()
    extra: dict[str, Any] = json_()
    issued_at: datetime | None = moment_(nullable=False)
    updated_at: datetime = stamped_()


class Shipment(SQLModel, table=True):
    """A parcel of an order, as the system that ships it tells of it."""

    __table_args__ = (UniqueConstraint("order_id", "tracking_code"), within_merchant("order_id", "sales_order"))

    id: str = id_()
    merchant_id: str = merchant_()
    order_id: str = Field(max_length=32)
    connection_id: str = Field(default="", max_length=80)
    state: str = Field(default="shipped", max_length=20)
    carrier: str = Field(default="", max_length=80)
    tracking_code: str = Field(default="", max_length=60)
    tracking_url: str = Field(default="", sa_column=Column(Text, nullable=False))
    shipped_at: datetime | None = moment_()
    delivered_at: datetime | None = moment_()
    updated_at: datetime = stamped_()


class Mail(SQLModel, table=True):
    """An e-mail that a buyer is to get about an order: one of each kind, ever.

    It is marked `sending` before it leaves, so that after a death nobody sends it a second time: whether it arrived is
    then not known (`unknown`).
    """

    __table_args__ = (
        UniqueConstraint("order_id", "kind"),
        Index("ix_mail_due", "state", "not_before"),
        within_merchant("order_id", "sales_order"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    connection_id: str = Field(default="", max_length=80)
    order_id: str = Field(max_length=32)
    kind: str = Field(max_length=20)
    state: str = Field(default="pending", max_length=10)
    attempts: int = 0
    not_before: datetime | None = moment_()
    reason: str = Field(default="", max_length=500)
    created_at: datetime = stamped_()
    sent_at: datetime | None = moment_()
