from decimal import Decimal

from hub.db import Database
from hub.linking import link
from hub.records import KitPart, ProductKind
from hub.tables import Connection, KitItem, RelatedProduct
from tests.hub.shop import apply, connect, of_ours, product, rows, written

VARIATION, PARENT, KIT = ProductKind.VARIATION, ProductKind.PARENT, ProductKind.KIT


async def linked(db: Database, connection: Connection) -> int:
    async with db.write() as session:
        return await link(session, connection)


async def parent_of(db: Database, connection: Connection, external_id: str) -> str | None:
    return (await of_ours(db, connection, external_id)).parent_id


async def test_a_variation_that_came_before_its_parent_is_linked_when_the_parent_comes(
    db: Database, erp: Connection
) -> None:
    await apply(db, erp, product("2", kind=VARIATION, parent_ref="1"))
    assert await linked(db, erp) == 0
    await apply(db, erp, product("1", kind=PARENT))
    assert await linked(db, erp) == 1
    assert await parent_of(db, erp, "2") == (await of_ours(db, erp, "1")).id


async def test_components_and_related_products_are_linked_as_they_come(db: Database, erp: Connection) -> None:
    kit = product("1", kind=KIT, kit=(KitPart("2", Decimal(1)), KitPart("3", Decimal(2))), related=("3", "4"))
    await apply(db, erp, kit, product("2"))
    assert await linked(db, erp) == 1
    await apply(db, erp, product("3"))
    assert await linked(db, erp) == 2
    two, three = await of_ours(db, erp, "2"), await of_ours(db, erp, "3")
    assert [item.component_id for item in await rows(db, KitItem)] == [two.id, three.id]
    assert [item.related_id for item in await rows(db, RelatedProduct)] == [three.id, None]


async def test_with_nothing_open_nothing_is_written(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", kind=PARENT), product("2", kind=VARIATION, parent_ref="1", related=("9",)))
    assert await linked(db, erp) == 1
    with written(db) as found:
        assert await linked(db, erp) == 0
    assert found == set()


async def test_the_parts_of_an_edited_kit_are_linked_again(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", kind=KIT, kit=(KitPart("2", Decimal(1)),)), product("2"), product("3"))
    await linked(db, erp)
    await apply(db, erp, product("1", kind=KIT, kit=(KitPart("3", Decimal(1)), KitPart("2", Decimal(1)))))
    assert await linked(db, erp) == 2
    ids = [(await of_ours(db, erp, n)).id for n in ("3", "2")]
    assert [item.component_id for item in await rows(db, KitItem)] == ids


async def test_a_variation_that_moves_to_another_parent_follows(db: Database, erp: Connection) -> None:
    await apply(
        db,
        erp,
        product("1", kind=PARENT),
        product("2", kind=PARENT),
        product("3", kind=VARIATION, parent_ref="1"),
    )
    await linked(db, erp)
    await apply(db, erp, product("3", kind=VARIATION, parent_ref="2"))
    assert await linked(db, erp) == 1
    assert await parent_of(db, erp, "3") == (await of_ours(db, erp, "2")).id


async def test_a_variation_that_becomes_a_product_of_its_own_has_no_parent(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", kind=PARENT), product("3", kind=VARIATION, parent_ref="1"))
    await linked(db, erp)
    await apply(db, erp, product("3", kind=ProductKind.SIMPLE))
    await linked(db, erp)
    assert await parent_of(db, erp, "3") is None


async def test_the_same_ids_of_another_account_are_other_products(db: Database, erp: Connection) -> None:
    other = await connect(db, "loja-lua-tiny", merchant="loja-lua")
    await apply(db, other, product("1", kind=PARENT))
    await apply(db, erp, product("2", kind=VARIATION, parent_ref="1", related=("1",)))
    assert await linked(db, erp) == 0
    assert await linked(db, other) == 0


async def test_a_product_is_never_its_own_parent(db: Database, erp: Connection) -> None:
    await apply(db, erp, product("1", kind=VARIATION, parent_ref="1"))
    assert await linked(db, erp) == 0
    assert await parent_of(db, erp, "1") is None
