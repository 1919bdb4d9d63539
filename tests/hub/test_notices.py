from typing import Any

import pytest

from hub.db import Database
from hub.notices import Draft, archive, clear_notices, raise_notices, standing_notices
from hub.tables import Connection, Notice
from tests.hub.shop import connect, one, written


def draft(connection: Connection, subject: str = "1", **told: Any) -> Draft:
    return Draft(
        **{"code": "product.refused", "connection_id": connection.id, "kind": "product", **told}, subject=subject
    )


async def tell(db: Database, connection: Connection, *drafts: Draft) -> None:
    async with db.write() as session:
        await raise_notices(session, connection.merchant_id, drafts)


async def clear(db: Database, connection: Connection, kind: str = "product", subjects: Any = None) -> None:
    async with db.write() as session:
        await clear_notices(session, connection.merchant_id, connection.id, kind, subjects)


async def standing(db: Database, merchant: str | None = None) -> list[str]:
    async with db.read() as session:
        return [notice.subject for notice in await standing_notices(session, merchant)]


async def test_a_notice_stands_until_its_cause_is_gone(db: Database, erp: Connection) -> None:
    await tell(db, erp, draft(erp, params={"problems": [{"field": "gtin"}]}))
    assert await standing(db) == ["1"]
    await clear(db, erp, subjects=["1"])
    assert await standing(db) == []
    found = await one(db, Notice)
    assert found.cleared_at is not None
    assert found.params == {"problems": [{"field": "gtin"}]}


async def test_raised_again_it_is_the_same_one_with_the_newest_words(db: Database, erp: Connection) -> None:
    await tell(db, erp, draft(erp, params={"n": 1}))
    before = await one(db, Notice)
    await tell(db, erp, draft(erp, code="stock.refused", params={"n": 2}))
    after = await one(db, Notice)
    assert (after.id, after.first_at, after.code, after.params) == (
        before.id,
        before.first_at,
        "stock.refused",
        {"n": 2},
    )
    assert after.last_at > before.last_at


async def test_a_cleared_one_stands_again(db: Database, erp: Connection) -> None:
    await tell(db, erp, draft(erp))
    await clear(db, erp)
    await tell(db, erp, draft(erp))
    assert await standing(db) == ["1"]
    assert (await one(db, Notice)).cleared_at is None


async def test_two_drafts_of_one_subject_are_one_notice(db: Database, erp: Connection) -> None:
    await tell(db, erp, draft(erp, params={"n": 1}), draft(erp, params={"n": 2}))
    assert (await one(db, Notice)).params == {"n": 2}


async def test_clearing_touches_only_its_connection_kind_and_subjects(
    db: Database, erp: Connection, store: Connection
) -> None:
    other = await connect(db, "loja-lua-tiny", merchant="loja-lua")
    await tell(db, erp, draft(erp, "1"), draft(erp, "2"), draft(erp, "3", kind="stock"), draft(store, "4"))
    await tell(db, other, draft(other, "5"))
    await clear(db, erp, subjects=["1", "3", "4", "5"])
    assert sorted(await standing(db)) == ["2", "3", "4", "5"]
    await clear(db, erp)
    assert sorted(await standing(db)) == ["3", "4", "5"]
    assert await standing(db, "loja-lua") == ["5"]


async def test_clearing_where_nothing_stands_writes_nothing(db: Database, erp: Connection) -> None:
    await tell(db, erp, draft(erp))
    await clear(db, erp)
    with written(db) as found:
        await clear(db, erp)
        await clear(db, erp, subjects=["1", "2"])
        await tell(db, erp)
    assert found == set()


async def test_the_newest_stands_first(db: Database, erp: Connection) -> None:
    for subject in ("1", "2", "3", "1"):
        await tell(db, erp, draft(erp, subject))
    assert await standing(db) == ["1", "3", "2"]


async def test_a_notice_appears_with_the_transaction_of_its_cause(db: Database, erp: Connection) -> None:
    with pytest.raises(LookupError):
        async with db.write() as session:
            await raise_notices(session, erp.merchant_id, [draft(erp)])
            raise LookupError("the page could not be applied")
    assert await standing(db) == []


async def test_an_archived_notice_comes_back_only_with_its_cause(db: Database, erp: Connection) -> None:
    draft = Draft("order.tell_refunded", erp.id, "order", "1", {"number": "1001"})
    async with db.write() as session:
        await raise_notices(session, erp.merchant_id, [draft])
    async with db.write() as session:
        (standing,) = await standing_notices(session, erp.merchant_id)
        assert await archive(session, standing.id)
        assert not await archive(session, standing.id)
    async with db.write() as session:
        assert not await standing_notices(session, erp.merchant_id)
        await raise_notices(session, erp.merchant_id, [draft])
        assert [notice.id for notice in await standing_notices(session, erp.merchant_id)] == [standing.id]
