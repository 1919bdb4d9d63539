"""What a schedule or an order asks of a shop's history is found by an index, however long the shop has been selling.

The plans are read, and no clock: a time that is short here says nothing about a shop of ten years.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection as SyncConnection
from sqlalchemy import event

from hub import bindings, holding, invoice_watch, outbox
from hub.clock import utcnow
from hub.db import Database, insert_rows
from hub.outbox import Target
from hub.policy import Policy
from hub.tables import Binding, Connection, Invoice, Order, OrderItem, OutboxEntry, Product
from tests.hub.shop import apply, connect, count, of_ours, product
from tests.hub.shop import balance as told

MANY = 2000
TENANCY = {"merchant_id", "connection_id", "kind"}
"""What narrows a look-up to all that one account has ever sold, and no further."""
LONG = ("invoice", "binding", "outbox", "order_item", "sales_order")
"""Tables that grow with every order."""


@pytest.fixture
async def erp(db: Database) -> Connection:
    """An ERP that tells stock and takes orders, and has had very many of them for months."""
    made = await connect(db, "loja-sol-erp", takes=("order", "stock"), policy=Policy(orders="all"))
    await apply(db, made, product("1"))
    await count(db, made, told("1", "10", as_of=utcnow()))
    cup = await of_ours(db, made, "1")
    long_ago = utcnow() - timedelta(days=40)
    orders: list[Order] = []
    others: list[Any] = []
    for number in range(MANY):
        order = Order(
            id=f"{number:032x}", merchant_id="loja-sol", number=str(number), source="", state="paid", total=Decimal(10)
        )
        order.items_total, order.discount, order.freight, order.placed_at = (
            Decimal(10),
            Decimal(0),
            Decimal(0),
            long_ago,
        )
        common = {"merchant_id": "loja-sol", "connection_id": made.id}
        orders.append(order)
        others.append(_item(order, cup))
        others.append(_binding(order, long_ago, common))
        others.append(OutboxEntry(**common, kind="order", record_id=order.id, state="sent", sent_at=long_ago))
        if number % 2:
            others.append(_invoice(order, long_ago, common))
    async with db.write() as session:
        for rows in (orders, others):
            for model in {type(row): None for row in rows}:
                some = [row.model_dump() for row in rows if type(row) is model]
                await insert_rows(session, model.__table__, some)
    if not db.is_sqlite:
        async with db.engine.begin() as connection:
            await connection.exec_driver_sql("analyze")
    return made


def _item(order: Order, cup: Product) -> OrderItem:
    return OrderItem(
        order_id=order.id,
        position=0,
        merchant_id="loja-sol",
        product_id=cup.id,
        sku="CAN-1",
        name="Caneca",
        quantity=Decimal(1),
        unit_price=Decimal(10),
        discount=Decimal(0),
    )


def _binding(order: Order, at: Any, common: dict[str, str]) -> Binding:
    return Binding(
        **common,
        kind="order",
        record_id=order.id,
        external_id=f"v{order.number}",
        created_at=at,
        stock_read_at=at,
        told="approved",
    )


def _invoice(order: Order, at: Any, common: dict[str, str]) -> Invoice:
    return Invoice(
        **common,
        order_id=order.id,
        external_id=f"n{order.number}",
        access_key=f"{int(order.number):044d}",
        number=order.number,
        series="1",
        model="55",
        state="authorised",
        total=Decimal(10),
        issued_at=at,
    )


async def test_orders_that_wait_for_an_invoice_are_found_without_reading_every_note(
    db: Database, erp: Connection
) -> None:
    with asked(db) as statements:
        found = [one async for some in invoice_watch.waiting(db, erp, utcnow(), timedelta(days=60)) for one in some]
    assert len(found) == MANY / 2
    # PostgreSQL may well read the notes once for all the orders: what counts is that it does not do so for each.
    assert await histories_read(db, statements, of=["invoice"], once=True) == []


async def test_notes_that_are_held_are_found_by_their_day_and_by_their_id(db: Database, erp: Connection) -> None:
    with asked(db) as statements:
        async with db.read() as session:
            assert await invoice_watch.held(session, erp, utcnow() - timedelta(days=15)) == []
            assert [*await invoice_watch.held_as(session, erp, ["n1", "n2"])] == ["n1"]
            assert [*await invoice_watch.orders_of(session, erp, ["v1"])] == ["v1"]
    assert await histories_read(db, statements) == []


async def test_what_orders_hold_is_found_without_reading_all_that_was_ever_sold(db: Database, erp: Connection) -> None:
    cup = await of_ours(db, erp, "1")
    with asked(db) as statements:
        async with db.write() as session:
            assert await holding.held(session, erp, {cup.id: utcnow()}) == {}
            await holding.refresh(session, "loja-sol", [cup.id])
            assert not await holding.is_moving(session, erp, cup.id)
            await holding.note_count(session, "loja-sol", {cup.id: Decimal(5)})
    assert await histories_read(db, statements) == []


async def test_a_walk_over_the_products_of_one_connection_passes_over_its_orders(db: Database, erp: Connection) -> None:
    with asked(db) as statements:
        async for _ in bindings.due(db, erp, utcnow(), timedelta(hours=2), with_variations=True):
            pass
        async for _ in bindings.stock_due(db, erp, utcnow(), timedelta(hours=2)):
            pass
    assert len(statements) > 1
    assert await histories_read(db, statements) == []


async def test_a_change_is_queued_without_a_look_at_the_queue(db: Database, erp: Connection) -> None:
    """By the insert alone, which finds the entry that is there by its key: most of a queue has been sent long ago."""
    target = Target(erp.id, frozenset({"order"}), selected_only=False)
    with asked(db) as statements:
        async with db.write() as session:
            assert await outbox.enqueue(session, "loja-sol", [(f"{1:032x}", "order")], [target]) == 1
    assert statements == []


@contextmanager
def asked(db: Database) -> Iterator[list[tuple[str, Any]]]:
    """Collects the questions that are asked of the database, those before an update among them."""
    found: list[tuple[str, Any]] = []

    def look(_c: SyncConnection, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.lstrip().lower().startswith(("select", "update")) and not many:
            found.append((statement, parameters))

    event.listen(db.engine.sync_engine, "before_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(db.engine.sync_engine, "before_cursor_execute", look)


async def histories_read(
    db: Database,
    statements: list[tuple[str, Any]],
    of: Sequence[str] = LONG,
    *,
    once: bool = False,
) -> list[str]:
    """The steps of the statements' plans that go through everything that an account has ever sold; with `once` those
    that do so again and again."""
    assert statements
    found: list[str] = []
    async with db.engine.connect() as connection:
        if db.is_sqlite:
            for statement, parameters in statements:
                rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                found += [step for *_, step in rows if _reads_all_sqlite(step, of)]
            return found
        await connection.exec_driver_sql("set enable_seqscan = off")
        for statement, parameters in statements:
            rows = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            told = rows.scalar_one()
            plan = (json.loads(told) if isinstance(told, str) else told)[0]["Plan"]
            steps = [node for node in _nodes(plan) if not once or node["Actual Loops"] > 1]
            found += [step for node in steps if (step := _reads_all_postgres(node, of))]
    return found


def _reads_all_sqlite(step: str, of: Sequence[str]) -> bool:
    """`SCAN invoice`, or `SEARCH binding USING INDEX … (connection_id=? AND kind=?)`."""
    told = re.match(rf"(SCAN|SEARCH) ({'|'.join(of)})\b(?:.*\((.*)\))?", step)
    return bool(told) and (told[1] == "SCAN" or _is_tenancy_only(told[3] or ""))


def _reads_all_postgres(node: dict[str, Any], of: Sequence[str]) -> str:
    condition = node.get("Index Cond", "")
    if node["Node Type"] == "Seq Scan" and node["Relation Name"] in of:
        return f"Seq Scan on {node['Relation Name']}"
    is_long = any(name in node.get("Index Name", "") for name in of)
    return f"{node['Index Name']}: {condition}" if is_long and _is_tenancy_only(condition) else ""


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _is_tenancy_only(condition: str) -> bool:
    narrowed = set(re.findall(r"\b([a-z_]+)\b *(?:\)?::text)? *(?:[=<>]|IN\b|IS\b)", condition))
    return not narrowed - TENANCY
