"""What the database itself refuses, whoever writes."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from hub.db import Database
from hub.tables import (
    Address,
    Binding,
    Connection,
    Cursor,
    Customer,
    InboxEvent,
    Invoice,
    KitItem,
    Merchant,
    Notice,
    Order,
    OrderItem,
    OutboxEntry,
    Payment,
    Picture,
    Price,
    Product,
    Quarantined,
    RelatedProduct,
    RunReport,
    Stock,
    Worklist,
)
from tests.hub.shop import NOON, connect, rows

ZERO = Decimal(0)
SUN, MOON = "loja-sol", "loja-lua"


@pytest.fixture
async def shops(db: Database) -> None:
    """Two merchants, each with an ERP, two products and a customer with an order."""
    for merchant in (SUN, MOON):
        await connect(db, f"{merchant}-tiny", merchant=merchant)
    await write(
        db,
        *(product_(merchant, number) for merchant in (SUN, MOON) for number in "12"),
        *(Customer(id=f"{merchant}-c", merchant_id=merchant) for merchant in (SUN, MOON)),
        *(order_(merchant, "1") for merchant in (SUN, MOON)),
    )


async def write(db: Database, *made: SQLModel) -> None:
    async with db.write() as session:
        session.add_all(made)


def product_(merchant: str, number: str, **told: Any) -> Product:
    return Product(**{"id": f"{merchant}-{number}", "merchant_id": merchant, "name": "Caneca", "sku": number, **told})


def order_(merchant: str, number: str, **told: Any) -> Order:
    amounts = dict.fromkeys(("items_total", "discount", "freight", "total"), ZERO)
    own = {"id": f"{merchant}-o{number}", "merchant_id": merchant, "number": number, "placed_at": NOON}
    return Order(**{**amounts, **own, **told})


def of_connection(model: type[SQLModel], **told: Any) -> SQLModel:
    return model(**{"merchant_id": SUN, "connection_id": f"{SUN}-tiny", "kind": "product", **told})


def invoice(**told: Any) -> Invoice:
    base: dict[str, Any] = {"merchant_id": SUN, "connection_id": f"{SUN}-tiny", "access_key": "3" * 44, "number": "1"}
    return Invoice(
        **{**base, "series": "1", "model": "55", "state": "approved", "total": ZERO, "issued_at": NOON, **told}
    )


def payment(**told: Any) -> Payment:
    base: dict[str, Any] = {"merchant_id": SUN, "order_id": f"{SUN}-o1", "reference": "pix-1"}
    return Payment(**{**base, "amount": ZERO, **told})


Told = dict[str, Any]
BOUND = partial(of_connection, Binding)
QUEUED = partial(of_connection, OutboxEntry)
HELD = partial(of_connection, Quarantined)
EVENT = partial(InboxEvent, merchant_id=SUN, connection_id=f"{SUN}-tiny", topic="t", body="{}")
RAISED = partial(Notice, merchant_id=SUN, code="c")
BUYER = partial(Customer, merchant_id=SUN)
UNIQUE: dict[str, tuple[Callable[..., SQLModel], Told, Told, Told]] = {
    # rule: (what, one row, a row that clashes with it, a row that does not)
    "their id is bound once a connection": (
        BOUND,
        {"external_id": "7", "record_id": "r7"},
        {"external_id": "7", "record_id": "r8"},
        {"external_id": "7", "record_id": "r7", "kind": "order"},
    ),
    "our record is bound once a connection": (
        BOUND,
        {"external_id": "7", "record_id": "r7"},
        {"external_id": "8", "record_id": "r7"},
        {"external_id": "8", "record_id": "r8"},
    ),
    "a record waits once a kind": (QUEUED, {"record_id": "r"}, {"record_id": "r"}, {"record_id": "r", "kind": "stock"}),
    "an event comes in once": (EVENT, {"dedupe_key": "d"}, {"dedupe_key": "d"}, {"dedupe_key": "e"}),
    "a refused record is held once": (HELD, {"external_id": "7"}, {"external_id": "7"}, {"external_id": "8"}),
    "a SKU is one product's": (partial(product_, SUN, "9"), {"sku": "S7"}, {"sku": "S7"}, {"sku": "S8"}),
    "a key is one invoice's": (invoice, {"access_key": "7" * 44}, {"access_key": "7" * 44}, {"access_key": "8" * 44}),
    "a number is one order's": (partial(order_, SUN, "9"), {}, {}, {"source": f"{SUN}-tiny"}),
    "a reference is one payment's": (payment, {"reference": "a"}, {"reference": "a"}, {"reference": "b"}),
    "a notice stands once": (RAISED, {"key": "a"}, {"key": "a"}, {"key": "b"}),
    "a document is one customer's": (BUYER, {"document_index": "a"}, {"document_index": "a"}, {"document_index": "b"}),
}


@pytest.mark.usefixtures("shops")
@pytest.mark.parametrize("rule", UNIQUE)
async def test_a_unique_key_is_enforced(db: Database, rule: str) -> None:
    make, first, clash, other = UNIQUE[rule]
    await write(db, make(id="first", **first))
    with pytest.raises(IntegrityError, match=r"(?i)unique"):
        await write(db, make(id="clash", **clash))
    await write(db, make(id="other", **other))


@pytest.mark.usefixtures("shops")
async def test_two_merchants_may_use_the_same_codes(db: Database) -> None:
    await write(db, Notice(merchant_id=SUN, key="K", code="c"), Notice(merchant_id=MOON, key="K", code="c"))
    found = await rows(db, Product, sku="1")
    assert {product.merchant_id for product in found} == {SUN, MOON}


@pytest.mark.usefixtures("shops")
async def test_products_without_a_sku_are_many(db: Database) -> None:
    await write(db, product_(SUN, "8", sku=None), product_(SUN, "9", sku=None))


ACROSS: dict[str, Callable[[str], SQLModel]] = {
    # given the id prefix of the merchant that the row refers to; the row itself is always SUN's
    "variation → parent": lambda of: product_(SUN, "9", parent_id=f"{of}-1"),
    "price → product": lambda of: Price(merchant_id=SUN, product_id=f"{of}-1"),
    "picture → product": lambda of: Picture(merchant_id=SUN, product_id=f"{of}-1", position=0, url="u"),
    "kit → product": lambda of: KitItem(
        merchant_id=SUN, kit_id=f"{of}-1", position=0, component_ref="1", quantity=Decimal(1)
    ),
    "kit → component": lambda of: KitItem(
        merchant_id=SUN, kit_id=f"{SUN}-1", position=0, component_ref="1", component_id=f"{of}-2", quantity=Decimal(1)
    ),
    "related → product": lambda of: RelatedProduct(merchant_id=SUN, product_id=f"{of}-1", position=0, related_ref="1"),
    "product → related": lambda of: RelatedProduct(
        merchant_id=SUN, product_id=f"{SUN}-1", position=0, related_ref="1", related_id=f"{of}-2"
    ),
    "stock → product": lambda of: Stock(
        merchant_id=SUN, product_id=f"{of}-1", connection_id=f"{SUN}-tiny", deposit="", as_of=NOON
    ),
    "stock → connection": lambda of: Stock(
        merchant_id=SUN, product_id=f"{SUN}-1", connection_id=f"{of}-tiny", deposit="", as_of=NOON
    ),
    "binding → connection": lambda of: of_connection(
        Binding, connection_id=f"{of}-tiny", record_id="r", external_id="e"
    ),
    "outbox → connection": lambda of: of_connection(OutboxEntry, connection_id=f"{of}-tiny", record_id="r"),
    "inbox → connection": lambda of: InboxEvent(
        merchant_id=SUN, connection_id=f"{of}-tiny", topic="t", dedupe_key="d", body=""
    ),
    "cursor → connection": lambda of: Cursor(merchant_id=SUN, connection_id=f"{of}-tiny", stream="s"),
    "worklist → connection": lambda of: Worklist(
        merchant_id=SUN, connection_id=f"{of}-tiny", stream="s", external_id="1"
    ),
    "quarantined → connection": lambda of: of_connection(Quarantined, connection_id=f"{of}-tiny", external_id="e"),
    "order → customer": lambda of: order_(SUN, "9", customer_id=f"{of}-c"),
    "item → order": lambda of: item(order_id=f"{of}-o1"),
    "item → product": lambda of: item(product_id=f"{of}-1"),
    "payment → order": lambda of: payment(order_id=f"{of}-o1"),
    "address → order": lambda of: Address(merchant_id=SUN, order_id=f"{of}-o1", role="delivery"),
    "invoice → order": lambda of: invoice(order_id=f"{of}-o1"),
}


def item(**told: Any) -> OrderItem:
    base: dict[str, Any] = {"merchant_id": SUN, "order_id": f"{SUN}-o1", "position": 0, "name": "Caneca"}
    return OrderItem(**{**base, **dict.fromkeys(("quantity", "unit_price", "discount"), ZERO), **told})


@pytest.mark.usefixtures("shops")
@pytest.mark.parametrize("reference", ACROSS)
async def test_a_reference_never_leaves_its_merchant(db: Database, reference: str) -> None:
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"):
        await write(db, ACROSS[reference](MOON))
    await write(db, ACROSS[reference](SUN))


def test_every_row_belongs_to_a_merchant() -> None:
    shared = {"merchant", "lease", "quota"}
    for table in SQLModel.metadata.sorted_tables:
        if table.name not in shared:
            assert not table.c.merchant_id.nullable, table.name
            assert any(key.column.table.name == "merchant" for key in table.c.merchant_id.foreign_keys), table.name


def test_every_reference_to_a_tenants_row_names_the_merchant_too() -> None:
    for table in SQLModel.metadata.sorted_tables:
        for key in table.foreign_key_constraints:
            if key.referred_table.name != "merchant":
                assert "merchant_id" in key.column_keys, f"{table.name} → {key.referred_table.name}"


@pytest.mark.usefixtures("shops")
async def test_a_merchant_who_leaves_takes_everything_along(db: Database) -> None:
    await write(db, of_connection(Binding, record_id="r", external_id="e"), invoice(order_id=f"{SUN}-o1"), payment())
    async with db.write() as session:
        await session.delete(await session.get(Merchant, SUN))
    for model in (Product, Connection, Binding, Order, Customer, Invoice, Payment, RunReport):
        assert all(row.merchant_id == MOON for row in await rows(db, model)), model
    assert len(await rows(db, Product)) == 2
