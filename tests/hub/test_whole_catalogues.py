"""A catalogue as a whole reaches a connection: at its first check, when nothing is selected any more, at any size."""

from decimal import Decimal
from typing import Any

import pytest

from hub import connections, outbox, selection, selling, store
from hub.db import Database
from hub.outbox import Target
from hub.policy import Policy
from hub.records import ProductKind, ProductRecord
from hub.store import Offer
from hub.tables import Connection, Product
from hub.tables.tenancy import ConnectionState
from tests.hub.shop import connect, queued, rows

MORE_THAN_VALUES = 33_000
"""More than a statement of PostgreSQL's takes values."""
TAKES = ["product", "price", "stock", "order"]


@pytest.fixture
async def shop(db: Database) -> dict[str, str]:
    """Two products that can be sold, and some that cannot; SKU → id."""
    await connect(db, "loja-sol-outra")
    for sku, told in {
        "CAN-1": {},
        "CAN-2": {},
        "OFF-1": {"active": False},
        "PAI-1": {"kind": ProductKind.PARENT},
    }.items():
        fields: dict[str, Any] = {"kind": ProductKind.SIMPLE, "name": sku, "list_price": Decimal(10), **told}
        async with db.write() as session:
            await store.put_product(session, "loja-sol", Offer(ProductRecord(external_id=sku, sku=sku, **fields)))
    return {found.sku: found.id for found in await rows(db, Product)}


async def install(db: Database, **policy: Any) -> Connection:
    """A connection that nobody has checked yet."""
    async with db.write() as session:
        made = await connections.install(
            session, merchant="loja-sol", kind="tagplus", side="erp", credentials={}, policy=Policy(**policy)
        )
    assert made.state == ConnectionState.NOT_INSTALLED
    return made


async def check(db: Database, erp: Connection, takes: list[str]) -> set[tuple[str, str]]:
    """`check` goes through; what waits then."""
    async with db.write() as session:
        fresh = await connections.checked(session, erp.id, "account", {"takes": takes})
        await selection.catch_up(session, erp.id, fresh)
    return set(await queued(db, erp))


def sent(shop: dict[str, str], *kinds: str) -> set[tuple[str, str]]:
    return {(kind, shop[sku]) for kind in kinds for sku in ("CAN-1", "CAN-2")}


async def test_what_was_there_before_the_connection_is_queued_by_its_first_check(
    db: Database, shop: dict[str, str]
) -> None:
    erp = await install(db)
    assert await check(db, erp, TAKES) == sent(shop, "product", "price")
    versions = await queued(db, erp)
    await check(db, erp, TAKES)
    assert await queued(db, erp) == versions, "the next check brings nothing"


async def test_the_stock_goes_along_where_the_store_keeps_it(db: Database, shop: dict[str, str]) -> None:
    erp = await install(db, pull_stock=False)
    assert await check(db, erp, TAKES) == sent(shop, "product", "price", "stock")


async def test_what_the_account_takes_from_now_on_is_queued_then(db: Database, shop: dict[str, str]) -> None:
    """The permission for products was given later, say."""
    erp = await install(db)
    assert await check(db, erp, ["order"]) == set()
    assert await check(db, erp, TAKES) == sent(shop, "product", "price")


async def test_with_send_mode_selected_nothing_is_queued_until_that_ends(db: Database, shop: dict[str, str]) -> None:
    erp = await install(db, send_mode="selected")
    assert await check(db, erp, TAKES) == set()
    for mode, waits in (("selected", set()), ("automatic", sent(shop, "product", "price"))):
        async with db.write() as session:
            connection = await connections.find(session, erp.id)
            assert await selling.change_policy(session, connection, Policy(send_mode=mode)) == 0
        assert set(await queued(db, erp)) == waits


async def test_a_catalogue_of_any_size_is_queued(db: Database) -> None:
    erp = await connect(db, "loja-sol-erp", takes=TAKES)
    changed = [(f"{number:032x}", "price") for number in range(MORE_THAN_VALUES)]
    async with db.write() as session:
        assert await outbox.enqueue(session, "loja-sol", changed, [_target(erp)]) == MORE_THAN_VALUES
    async with db.read() as session:
        assert len(await outbox.waiting(session, erp, ["price"])) == MORE_THAN_VALUES


async def test_of_a_catalogue_of_any_size_what_was_selected_is_queued(db: Database, shop: dict[str, str]) -> None:
    erp = await connect(db, "loja-sol-erp", takes=TAKES)
    everything = [f"{number:032x}" for number in range(MORE_THAN_VALUES)] + [shop["CAN-2"]]
    async with db.write() as session:
        await selection.select_products(session, erp, ["CAN-2"])
        assert await outbox.selected(session, erp.id, everything) == {shop["CAN-2"]}
        changed = [(id_, "price") for id_ in everything]
        assert await outbox.enqueue(session, "loja-sol", changed, [_target(erp, selected_only=True)]) == 1
    assert (await queued(db, erp))["price", shop["CAN-2"]] == 2


def _target(erp: Connection, *, selected_only: bool = False) -> Target:
    return Target(erp.id, frozenset({"product", "price"}), selected_only=selected_only)
