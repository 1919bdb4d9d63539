from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from hub import changes
from hub.changes import Change
from hub.clock import utcnow
from hub.db import Database
from hub.policy import Policy
from hub.records import KitPart, Problem, ProductKind, Refused
from hub.tables import (
    Binding,
    Connection,
    KitItem,
    OutboxEntry,
    Picture,
    Price,
    Product,
    Quarantined,
    RelatedProduct,
    Selection,
)
from hub.tables.tenancy import ConnectionState
from tests.hub.shop import apply, balance, connect, count, everything, of_ours, one, product, queued, rows, written

FULL: dict[str, Any] = {
    "description": "<p>Azul & branca 🎈</p>",
    "gtin": "7891000315507",
    "ncm": "6911.10.10",
    "weight_net": Decimal("0.3500"),
    "list_price": Decimal("29.9000"),
    "promotional_price": Decimal("24.90"),
    "attributes": {"Cor": "Azul"},
    "pictures": ("https://fotos.example/1.jpg", "https://fotos.example/2.jpg"),
    "kit": (KitPart("2", Decimal(1)), KitPart("3", Decimal("0.5"))),
    "related": ("4", "5"),
}


async def pictures(db: Database) -> list[str]:
    return [picture.url for picture in await rows(db, Picture)]


# What is written


async def test_a_new_record_is_stored_whole(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", kind=ProductKind.KIT, **FULL), seen={"1": "fingerprint"})
    stored, price, binding = await one(db, Product), await one(db, Price), await one(db, Binding)
    assert (stored.merchant_id, stored.kind, stored.sku, stored.active) == ("loja-sol", "kit", "CAN-1", True)
    assert (stored.description, stored.ncm, stored.weight_net) == (FULL["description"], "69111010", Decimal("0.35"))
    assert (stored.gtin, stored.gtin_key, stored.attributes) == ("7891000315507", "07891000315507", {"Cor": "Azul"})
    assert stored.stock_quantity is None
    assert (price.product_id, price.list_price, price.promotional_price) == (
        stored.id,
        Decimal("29.9"),
        Decimal("24.9"),
    )
    assert (binding.record_id, binding.external_id, binding.seen_hash) == (stored.id, "1", "fingerprint")
    assert binding.read_at is not None
    assert await pictures(db) == list(FULL["pictures"])
    assert [(k.component_ref, k.quantity) for k in await rows(db, KitItem)] == [("2", 1), ("3", Decimal("0.5"))]
    assert [r.related_ref for r in await rows(db, RelatedProduct)] == ["4", "5"]


async def test_the_same_page_again_moves_nothing_but_the_time_of_reading(
    db: Database, erp: Connection, store: Connection
) -> None:
    """What the listing shows unchanged is not read, and so costs nothing; what was read was read, and that is noted."""
    page = [product(str(n), **{**FULL, "gtin": ""}) for n in range(3)]
    seen = {str(n): f"f{n}" for n in range(3)}
    await apply(db, erp, *page, seen=seen)
    before, read_at = await everything(db, but=["binding.read_at"]), (await rows(db, Binding))[0].read_at
    with written(db) as found:
        plan = await apply(db, erp, *page, seen=seen)
    assert (len(plan.unchanged), plan.creates, plan.updates) == (3, [], [])
    assert found == {"update binding"}
    assert await everything(db, but=["binding.read_at"]) == before
    assert (await rows(db, Binding))[0].read_at > read_at


async def test_a_page_of_nothing_writes_nothing(db: Database, erp: Connection, store: Connection) -> None:
    with written(db) as found:
        await apply(db, erp)
    assert found == set()


@pytest.mark.parametrize(
    ("told", "groups", "tables"),
    [
        ({"name": "Xícara"}, ("data",), {"update product", "delete kit_item", "delete related_product"}),
        ({"list_price": Decimal("30.00")}, ("price",), {"update product", "insert price"}),
        ({"pictures": ("https://fotos.example/2.jpg",)}, ("pictures",), {"update product", "delete picture"}),
        ({"pictures": (), "promotional_price": None}, ("price", "pictures"), {"update product", "insert price"}),
    ],
)
async def test_only_the_group_that_changed_is_written(
    db: Database, erp: Connection, told: dict[str, Any], groups: tuple[str, ...], tables: set[str]
) -> None:
    await apply(db, erp, product("1", **FULL))
    with written(db) as found:
        plan = await apply(db, erp, product("1", **{**FULL, **told}))
    assert [(p.record.external_id, changed) for _, p, changed in plan.updates] == [("1", groups)]
    assert tables <= found
    untouched = {
        "data": {"delete kit_item", "delete related_product"},
        "price": {"insert price"},
        "pictures": {"delete picture", "insert picture"},
    }
    for group, theirs in untouched.items():
        if group not in groups:
            assert not theirs & found, f"{group} was not changed"


async def test_every_field_of_an_edit_arrives(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", **FULL))
    first = await one(db, Product)
    await apply(
        db,
        erp,
        product(
            "1",
            sku="XIC",
            name="Xícara",
            active=False,
            list_price=Decimal(10),
            pictures=("https://fotos.example/3.jpg",),
            kit=(KitPart("9", Decimal(2)),),
            related=(),
        ),
    )
    second, price = await one(db, Product), await one(db, Price)
    assert (second.id, second.created_at) == (first.id, first.created_at)
    assert second.updated_at > first.updated_at
    assert (second.sku, second.name, second.active, second.gtin, second.attributes) == (
        "XIC",
        "Xícara",
        False,
        None,
        {},
    )
    assert (price.list_price, price.promotional_price) == (Decimal(10), None)
    assert await pictures(db) == ["https://fotos.example/3.jpg"]
    assert [(k.position, k.component_ref) for k in await rows(db, KitItem)] == [(0, "9")]
    assert await rows(db, RelatedProduct) == []


async def test_of_two_readings_of_one_record_the_later_counts(db: Database, erp: Connection) -> None:
    """A variation comes with its parent, and by itself in the same batch."""
    refused = Refused("1", (Problem("name", "empty", ""),), "{}")
    await apply(db, erp, refused, product("1", name="Velho"), product("1", name="Novo"))
    assert (await one(db, Product)).name == "Novo"
    assert await rows(db, Quarantined) == []


async def test_a_plan_writes_nothing_and_shows_what_would_be_written(
    db: Database, erp: Connection, store: Connection
) -> None:
    await apply(db, erp, product("1"), product("2"), product("3"))
    page = [product("1", name="Xícara"), product("2"), product("4"), product("5", name="")]
    before = await everything(db)
    with written(db) as found:
        async with db.read() as session:
            planned = await changes.plan(session, erp, page, as_of=utcnow(), gone=["3"])
    assert found == set()
    assert await everything(db) == before
    assert planned.changes() == [
        Change("create", "4", "CAN-4", "Caneca de louça"),
        Change("update", "1", "CAN-1", "Xícara", ("data",)),
        Change("deactivate", "3", "", ""),
        Change("refuse", "5", "CAN-5", "", ("name",)),
    ]
    assert planned.changes() == (await apply(db, erp, *page, gone=["3"])).changes()


# The outbox


async def test_a_new_record_is_queued_for_the_other_connections_only(
    db: Database, erp: Connection, store: Connection
) -> None:
    second = await connect(db, "loja-sol-market", kind="market", side="store", takes=("product",))
    foreign = await connect(db, "loja-lua-store", merchant="loja-lua", side="store", takes=("product", "price"))
    silent = await connect(db, "loja-sol-silent", side="store")
    await apply(db, erp, product("1"))
    record = (await one(db, Product)).id
    assert await queued(db, store) == {("product", record): 1, ("price", record): 1}
    assert await queued(db, second) == {("product", record): 1}
    for connection in (erp, foreign, silent):
        assert await queued(db, connection) == {}
    assert {entry.merchant_id for entry in await rows(db, OutboxEntry)} == {"loja-sol"}


@pytest.mark.parametrize(
    ("told", "kinds"),
    [
        ({"name": "Xícara"}, {"product"}),
        ({"pictures": ()}, {"product"}),
        ({"list_price": Decimal(1)}, {"price"}),
        ({"list_price": Decimal(1), "pictures": (), "name": "Xícara"}, {"product", "price"}),
        ({}, set()),
    ],
)
async def test_what_changed_is_queued_and_nothing_else(
    db: Database, erp: Connection, store: Connection, told: dict[str, Any], kinds: set[str]
) -> None:
    await apply(db, erp, product("1", **FULL))
    async with db.write() as session:
        await session.execute(OutboxEntry.__table__.delete())  # type: ignore[attr-defined]
    await apply(db, erp, product("1", **{**FULL, **told}))
    assert {kind for kind, _ in await queued(db, store)} == kinds


async def test_a_burst_of_changes_is_one_entry_with_a_higher_version(
    db: Database, erp: Connection, store: Connection
) -> None:
    for name in ("Um", "Dois", "Três"):
        await apply(db, erp, product("1", name=name))
    record = (await one(db, Product)).id
    assert await queued(db, store) == {("product", record): 3, ("price", record): 1}


async def test_a_change_wakes_an_entry_that_was_done_or_had_failed(
    db: Database, erp: Connection, store: Connection
) -> None:
    await apply(db, erp, product("1"))
    ours = (col(OutboxEntry.kind) == "product",)
    for state in ("sent", "failed"):
        async with db.write() as session:
            await session.execute(
                update(OutboxEntry).where(*ours).values(state=state, attempts=5, not_before=utcnow(), reason="recusado")
            )
        await apply(db, erp, product("1", name=f"Caneca {state}"))
        entry = await one(db, OutboxEntry, kind="product")
        assert (entry.state, entry.attempts, entry.not_before) == ("pending", 0, None)


async def test_with_send_mode_selected_only_what_the_merchant_chose_is_queued(db: Database, erp: Connection) -> None:
    picky = await connect(db, "loja-sol-picky", side="store", takes=("product",), policy=Policy(send_mode="selected"))
    await apply(db, erp, product("1"), product("2"))
    assert await queued(db, picky) == {}
    chosen = await of_ours(db, erp, "1")
    async with db.write() as session:
        session.add(Selection(merchant_id="loja-sol", connection_id=picky.id, product_id=chosen.id))
    await apply(db, erp, product("1", name="Um"), product("2", name="Dois"))
    assert await queued(db, picky) == {("product", chosen.id): 1}


@pytest.mark.parametrize("state", ["claimed", "unknown"])
async def test_what_is_being_sent_or_may_have_been_gets_a_version_and_nothing_else(
    db: Database, erp: Connection, store: Connection, state: str
) -> None:
    """Made `pending` again, it would be sent by two at once, or a create whose answer was lost would be repeated."""
    await apply(db, erp, product("1"))
    later = utcnow().replace(microsecond=0)
    async with db.write() as session:
        await session.execute(update(OutboxEntry).values(state=state, attempts=2, not_before=later, claimed_by="me"))
    await apply(db, erp, product("1", name="Xícara"))
    entry = await one(db, OutboxEntry, kind="product")
    assert (entry.version, entry.state, entry.attempts, entry.not_before) == (2, state, 2, later)
    assert entry.claimed_by == "me"


@pytest.mark.parametrize(
    ("state", "waits"),
    [
        (ConnectionState.ACTIVE, True),
        (ConnectionState.DISCONNECTED, True),
        (ConnectionState.INACTIVE, False),
        (ConnectionState.NOT_INSTALLED, False),
    ],
)
async def test_a_connection_that_will_be_back_misses_nothing(
    db: Database, erp: Connection, store: Connection, state: ConnectionState, waits: bool
) -> None:
    async with db.write() as session:
        await session.execute(update(Connection).where(col(Connection.id) == store.id).values(state=state.value))
    await apply(db, erp, product("1"))
    assert bool(await queued(db, store)) is waits


async def test_a_change_never_goes_back_where_it_came_from(db: Database, erp: Connection, store: Connection) -> None:
    async with db.write() as session:
        await session.execute(
            update(Connection).where(col(Connection.id) == erp.id).values(features={"takes": ["product", "price"]})
        )
    await apply(db, erp, product("1"))
    await apply(db, erp, product("1", name="Xícara"), gone=["1"])
    assert await queued(db, erp) == {}
    assert await queued(db, store) != {}


# What is gone


async def test_a_product_that_is_gone_is_deactivated_and_not_dropped(
    db: Database, erp: Connection, store: Connection
) -> None:
    await apply(db, erp, product("1", **FULL), product("2"), seen={"1": "f1", "2": "f2"})
    versions = await queued(db, store)
    plan = await apply(db, erp, gone=["1", "never-heard-of"])
    gone = await of_ours(db, erp, "1")
    assert plan.retired == [(gone.id, "1")]
    assert (gone.active, gone.sku) == (False, "CAN-1")
    assert await pictures(db) == list(FULL["pictures"])
    binding = await one(db, Binding, external_id="1")
    assert (binding.gone, binding.seen_hash) == (True, "")
    assert (await of_ours(db, erp, "2")).active
    assert await queued(db, store) == {**versions, ("product", gone.id): 2}


async def test_gone_again_is_nothing_new(db: Database, erp: Connection, store: Connection) -> None:
    await apply(db, erp, product("1"))
    await apply(db, erp, gone=["1"])
    with written(db) as found:
        plan = await apply(db, erp, gone=["1"])
    assert plan.retired == []
    assert found == set()


async def test_gone_and_back_it_is_whole_again(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", **FULL))
    await apply(db, erp, gone=["1"])
    plan = await apply(db, erp, product("1", **FULL), seen={"1": "f1"})
    assert [groups for _, _, groups in plan.updates] == [("data",)]
    binding = await one(db, Binding)
    assert (binding.gone, binding.seen_hash) == (False, "f1")
    assert len(await rows(db, KitItem)) == 2


async def test_gone_on_one_connection_is_not_gone_on_another(db: Database, erp: Connection) -> None:
    other = await connect(db, "loja-sol-other", kind="other")
    await apply(db, erp, product("1", sku="A"))
    await apply(db, other, product("1", sku="A"))
    await apply(db, erp, gone=["1"])
    assert [(b.connection_id, b.gone) for b in await rows(db, Binding)] == [(erp.id, True), (other.id, False)]


async def test_a_retired_record_that_also_reads_as_inactive_is_retired(db: Database, erp: Connection) -> None:
    """What was not listed is asked for by its id, and answers that it is inactive."""
    await apply(db, erp, product("1"))
    await apply(db, erp, product("1", active=False), gone=["1"])
    assert not (await one(db, Product)).active
    assert (await one(db, Binding)).gone


# Families


async def test_variations_that_their_parent_no_longer_lists(db: Database, erp: Connection) -> None:
    variation = ProductKind.VARIATION
    await apply(
        db,
        erp,
        product("1", kind=ProductKind.PARENT),
        *(product(n, kind=variation, parent_ref="1") for n in ("2", "3", "4")),
        product("5", kind=variation, parent_ref="6"),
    )
    await apply(db, erp, gone=["4"])
    async with db.read() as session:
        assert await changes.absent_variations(session, erp.id, {"1": {"2"}}) == ["3"]
        assert await changes.absent_variations(session, erp.id, {"1": {"2", "3"}, "7": set()}) == []
        assert sorted(await changes.absent_variations(session, erp.id, {"1": set(), "6": set()})) == ["2", "3", "5"]
        assert await changes.absent_variations(session, erp.id, {}) == []


# Fingerprints


async def test_a_record_read_without_a_listing_keeps_the_fingerprint_last_seen(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1"), product("2"), seen={"1": "f1", "2": "f2"})
    await apply(db, erp, product("1", name="Xícara"), product("2"), seen={"2": "g2"})
    assert {b.external_id: b.seen_hash for b in await rows(db, Binding)} == {"1": "f1", "2": "g2"}


async def test_the_catalogue_leaves_the_stock_alone(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1"))
    await count(db, erp, balance("1", "7"))
    before = await one(db, Product)
    await apply(db, erp, product("1", name="Xícara", list_price=Decimal(1)))
    after = await one(db, Product)
    assert (
        (after.stock_quantity, after.stock_hash) == (before.stock_quantity, before.stock_hash) == (7, before.stock_hash)
    )
