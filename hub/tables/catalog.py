"""What a shop sells: products, their variations and kits, pictures, prices and stock."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from hub.tables._columns import exact_, id_, json_, merchant_, moment_, stamped_, within_merchant


class Product(SQLModel, table=True):
    """A product, or one variation of it (`parent_id`). Never removed: what the ERP drops turns inactive here.

    The four hashes are of the content by field group as last applied; they decide what has changed.
    """

    __table_args__ = (
        UniqueConstraint("merchant_id", "id"),
        UniqueConstraint("merchant_id", "sku"),
        Index("ix_product_gtin", "merchant_id", "gtin_key"),
        within_merchant("parent_id", "product"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    parent_id: str | None = Field(default=None, max_length=32, index=True)
    kind: str = Field(default="simple", max_length=12)
    sku: str | None = Field(default=None, max_length=60)
    name: str = Field(max_length=400)
    description: str = Field(default="", sa_column=Column(Text, nullable=False))
    brand: str = Field(default="", max_length=200)
    category: str = Field(default="", max_length=400)
    unit: str = Field(default="", max_length=10)
    gtin: str | None = Field(default=None, max_length=20)
    gtin_key: str | None = Field(default=None, max_length=14)
    ncm: str | None = Field(default=None, max_length=8)
    cest: str | None = Field(default=None, max_length=9)
    origin: str = Field(default="", max_length=1)
    weight_net: Decimal | None = exact_()
    weight_gross: Decimal | None = exact_()
    height: Decimal | None = exact_()
    width: Decimal | None = exact_()
    length: Decimal | None = exact_()
    warranty: str = Field(default="", max_length=200)
    attributes: dict[str, Any] = json_()
    active: bool = True
    stock_quantity: Decimal | None = exact_()
    """What the store may show, by the policy of the connection that masters stock; null until it was first read."""
    data_hash: str = Field(default="", max_length=32)
    price_hash: str = Field(default="", max_length=32)
    stock_hash: str = Field(default="", max_length=32)
    pictures_hash: str = Field(default="", max_length=32)
    created_at: datetime = stamped_()
    updated_at: datetime = stamped_()


class Price(SQLModel, table=True):
    """The list price and the promotional one, in reais."""

    __table_args__ = (within_merchant("product_id", "product"),)

    product_id: str = Field(primary_key=True, max_length=32)
    merchant_id: str = merchant_()
    list_price: Decimal | None = exact_()
    promotional_price: Decimal | None = exact_()
    cost_price: Decimal | None = exact_()
    updated_at: datetime = stamped_()


class Stock(SQLModel, table=True):
    """The balance of one product in one deposit of one connection; the empty deposit is the account's own total."""

    __table_args__ = (
        within_merchant("product_id", "product"),
        within_merchant("connection_id", "connection"),
    )

    product_id: str = Field(primary_key=True, max_length=32)
    connection_id: str = Field(primary_key=True, max_length=80)
    deposit: str = Field(primary_key=True, max_length=120)
    merchant_id: str = merchant_()
    name: str = Field(default="", max_length=120)
    physical: Decimal | None = exact_()
    reserved: Decimal | None = exact_()
    available: Decimal | None = exact_()
    counted: bool = True
    """False for a deposit that the account leaves out of its total (Tiny's `desconsiderar`)."""
    as_of: datetime | None = moment_(nullable=False)


class Picture(SQLModel, table=True):
    """One picture of a product, by its place in the gallery."""

    __table_args__ = (within_merchant("product_id", "product"),)

    product_id: str = Field(primary_key=True, max_length=32)
    position: int = Field(primary_key=True)
    merchant_id: str = merchant_()
    url: str = Field(sa_column=Column(Text, nullable=False))


class KitItem(SQLModel, table=True):
    """One component of a kit. `component_ref` is the source's id; `component_id` follows once we know the product."""

    __tablename__ = "kit_item"
    __table_args__ = (
        within_merchant("kit_id", "product"),
        within_merchant("component_id", "product"),
    )

    kit_id: str = Field(primary_key=True, max_length=32)
    position: int = Field(primary_key=True)
    merchant_id: str = merchant_()
    component_ref: str = Field(max_length=60)
    component_id: str | None = Field(default=None, max_length=32, index=True)
    quantity: Decimal | None = exact_(nullable=False)


class RelatedProduct(SQLModel, table=True):
    """A product to be offered beside another one; resolved like a kit's component."""

    __tablename__ = "related_product"
    __table_args__ = (
        within_merchant("product_id", "product"),
        within_merchant("related_id", "product"),
    )

    product_id: str = Field(primary_key=True, max_length=32)
    position: int = Field(primary_key=True)
    merchant_id: str = merchant_()
    related_ref: str = Field(max_length=60)
    related_id: str | None = Field(default=None, max_length=32)
