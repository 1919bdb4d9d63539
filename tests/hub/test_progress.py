"""An order only goes forward, whoever tells of it and in whatever order; and who told of it never hears of it again."""

import asyncio
import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlmodel import col

from hub import payments, progress, stages
from hub.db import Database
from hub.policy import Policy
from hub.progress import Advance
from hub.records import Parcel
from hub.stages import Stage
from hub.tables import Binding, Connection, Mail, Notice, Order, OutboxEntry, Shipment
from tests.hub.shop import NOON, connect, one, queued, rows, written
from tests.hub.test_orders import approved, bind, placed, put, tell

SHOP = "loja-sol"
PARCEL = Parcel("BR123456789BR", "https://rastreio.example/BR123456789BR", "Correios")
ALL = Policy(orders="all")


@pytest.fixture
async def one_erp(db: Database) -> Connection:
    return await connect(db, "loja-sol-erp", takes=("order",), policy=ALL)


@pytest.fixture
async def other_erp(db: Database) -> Connection:
    return await connect(db, "loja-sol-outro", kind="tagplus", takes=("order",))


@pytest.fixture
async def order(db: Database, one_erp: Connection, other_erp: Connection) -> Order:
    """A paid order that both have, told as approved, with nothing queued."""
    await put(db, placed())
    found = await tell(db, "1001", approved())
    for erp in (one_erp, other_erp):
        await bind(db, erp, found)
    async with db.write() as session:
        await session.execute(update(Binding).values(told="approved"))
    await settle(db)
    return found


async def settle(db: Database) -> None:
    async with db.write() as session:
        await session.execute(update(OutboxEntry).values(state="sent"))


async def told(
    db: Database,
    order: Order,
    stage: str,
    source: Connection | None,
    parcel: Parcel | None = None,
    minutes: int = 0,
) -> Advance:
    async with db.write() as session:
        return await progress.advance(
            session,
            SHOP,
            order,
            stage,
            source_connection=source.id if source else None,
            as_of=NOON + timedelta(minutes=minutes),
            parcel=parcel,
        )


async def waiting(db: Database) -> list[str]:
    return sorted(entry.connection_id for entry in await rows(db, OutboxEntry, state="pending"))


async def known(db: Database) -> dict[str, str]:
    return {binding.connection_id: binding.told for binding in await rows(db, Binding, kind="order")}


async def codes(db: Database) -> list[str]:
    return sorted(notice.code for notice in await rows(db, Notice) if notice.cleared_at is None)


class TestStages:
    async def test_what_one_erp_tells_the_other_hears_and_the_first_does_not(
        self, db: Database, order: Order, one_erp: Connection, other_erp: Connection
    ) -> None:
        advance = await told(db, order, "shipped", one_erp)
        assert (advance.before, advance.after, advance.is_news) == (Stage.APPROVED, Stage.SHIPPED, True)
        assert (await one(db, Order)).stage == "shipped"
        assert await waiting(db) == [other_erp.id]
        assert await known(db) == {one_erp.id: "shipped", other_erp.id: "approved"}

    async def test_what_the_store_tells_all_hear(
        self, db: Database, order: Order, one_erp: Connection, other_erp: Connection
    ) -> None:
        await told(db, order, "preparing", None)
        assert await waiting(db) == [one_erp.id, other_erp.id]

    @pytest.mark.parametrize("stage", ["shipped", "preparing", "approved", "open", "", "of a later version"])
    async def test_late_and_doubled_news_write_nothing(
        self, db: Database, order: Order, one_erp: Connection, stage: str
    ) -> None:
        await told(db, order, "shipped", one_erp, PARCEL)
        await settle(db)
        with written(db) as found:
            advance = await told(db, order, stage, one_erp, PARCEL if stage == "shipped" else None, minutes=1)
        assert (found, advance.is_news) == (set(), False)

    @pytest.mark.parametrize("arrival", list(itertools.permutations(["preparing", "invoiced", "shipped", "delivered"])))
    async def test_in_whatever_order_news_come_the_end_is_the_same(
        self, db: Database, order: Order, one_erp: Connection, other_erp: Connection, arrival: Sequence[str]
    ) -> None:
        for place, stage in enumerate(arrival):
            await told(db, order, stage, (one_erp, other_erp, None)[place % 3])
        assert (await one(db, Order)).stage == "delivered"
        assert all(stages.rank(stage) <= stages.rank("delivered") for stage in (await known(db)).values())

    async def test_a_policy_that_tells_nothing_is_queued_for_nothing(
        self, db: Database, order: Order, one_erp: Connection, other_erp: Connection
    ) -> None:
        async with db.write() as session:
            values = Policy(order_states="from_erp").model_dump(mode="json", exclude_defaults=True)
            await session.execute(update(Connection).where(col(Connection.id) == other_erp.id).values(policy=values))
        await told(db, order, "shipped", one_erp)
        assert await waiting(db) == []

    async def test_who_does_not_have_a_paid_order_is_not_asked_to_take_it_by_its_progress_unless_it_wants_all(
        self, db: Database, one_erp: Connection, other_erp: Connection
    ) -> None:
        await put(db, placed())
        found = await one(db, Order)
        await settle(db)
        await told(db, found, "preparing", None)
        assert await waiting(db) == [one_erp.id], "the other wants paid orders only"

    async def test_one_message_twenty_times_at_once_is_one(
        self, db: Database, order: Order, one_erp: Connection, other_erp: Connection
    ) -> None:
        ended = await asyncio.gather(*(told(db, order, "shipped", one_erp, PARCEL) for _ in range(20)))
        assert [advance.moved for advance in ended].count(True) == 1
        assert len(await rows(db, Shipment)) == 1
        assert (await queued(db, other_erp))["order", order.id] == 2


class TestRefusedSteps:
    """A step that an ERP refused, and that somebody makes there by hand."""

    @pytest.fixture
    async def refused(self, db: Database, order: Order, one_erp: Connection) -> Order:
        await told(db, order, "shipped", None)
        async with db.write() as session:
            await session.execute(
                update(OutboxEntry).where(col(OutboxEntry.connection_id) == one_erp.id).values(state="failed")
            )
            notice = progress.Draft("order.not_moved", one_erp.id, "order", order.id, {"number": "1001"})
            await progress.raise_notices(session, SHOP, [notice])
        return order

    async def state(self, db: Database, erp: Connection) -> str:
        return (await one(db, OutboxEntry, connection_id=erp.id)).state

    @pytest.mark.parametrize("stage", ["shipped", "delivered", "cancelled"])
    async def test_as_far_over_there_as_here_it_is_done(
        self, db: Database, refused: Order, one_erp: Connection, stage: str
    ) -> None:
        await told(db, refused, stage, one_erp)
        assert await self.state(db, one_erp) == "sent"
        assert "order.not_moved" not in await codes(db)

    async def test_further_and_not_as_far_it_is_compared_again(
        self, db: Database, refused: Order, one_erp: Connection
    ) -> None:
        await told(db, refused, "preparing", one_erp)
        assert (await self.state(db, one_erp), await codes(db)) == ("pending", ["order.not_moved"])

    async def test_what_it_told_before_is_no_reason_to_try_again(
        self, db: Database, refused: Order, one_erp: Connection, other_erp: Connection
    ) -> None:
        await told(db, refused, "approved", one_erp)
        await told(db, refused, "delivered", other_erp)
        async with db.write() as session:
            await session.execute(
                update(OutboxEntry).where(col(OutboxEntry.connection_id) == one_erp.id).values(state="failed")
            )
        await told(db, refused, "approved", one_erp)
        assert (await self.state(db, one_erp), await codes(db)) == ("failed", ["order.not_moved"])


class TestCancelled:
    async def test_an_erp_cancels_an_order_and_the_others_are_told(
        self, db: Database, order: Order, one_erp: Connection, other_erp: Connection
    ) -> None:
        advance = await told(db, order, "cancelled", one_erp)
        assert (advance.after, (await one(db, Order)).state) == (Stage.CANCELLED, "cancelled")
        assert await waiting(db) == [other_erp.id]
        assert (await known(db))[one_erp.id] == "cancelled"
        assert await codes(db) == ["order.cancelled_by_erp_paid"]
        await settle(db)
        with written(db) as found:
            await told(db, order, "cancelled", one_erp, minutes=1)
        assert found == set()

    async def test_without_money_nothing_is_asked_to_be_given_back(
        self, db: Database, one_erp: Connection, other_erp: Connection
    ) -> None:
        await put(db, placed())
        found = await one(db, Order)
        await bind(db, one_erp, found)
        await told(db, found, "cancelled", one_erp)
        assert await codes(db) == ["order.cancelled_by_erp"]

    async def test_what_was_asked_of_the_merchant_is_done_over_there(
        self, db: Database, order: Order, one_erp: Connection
    ) -> None:
        async with db.write() as session:
            await payments.cancel(session, SHOP, "1001")
            notice = progress.Draft("order.tell_cancelled", one_erp.id, "order", order.id, {"number": "1001"})
            await progress.raise_notices(session, SHOP, [notice])
        assert await codes(db) == ["order.tell_cancelled"]
        await told(db, order, "cancelled", one_erp)
        assert await codes(db) == []

    async def test_nothing_moves_a_cancelled_order(
        self, db: Database, order: Order, one_erp: Connection, other_erp: Connection
    ) -> None:
        await told(db, order, "cancelled", one_erp)
        await settle(db)
        advance = await told(db, order, "delivered", other_erp)
        assert not advance.moved
        assert (await waiting(db), await rows(db, Mail)) == ([], [])


class TestParcels:
    async def test_a_parcel_is_kept_and_moves_with_its_order(
        self, db: Database, order: Order, one_erp: Connection
    ) -> None:
        await told(db, order, "ready", one_erp, PARCEL)
        parcel = await one(db, Shipment)
        assert (parcel.state, parcel.tracking_code, parcel.carrier) == ("ready", "BR123456789BR", "Correios")
        assert (parcel.connection_id, parcel.shipped_at) == (one_erp.id, None)
        await told(db, order, "shipped", one_erp, PARCEL, minutes=1)
        await told(db, order, "delivered", None, minutes=2)
        parcel = await one(db, Shipment)
        assert (parcel.state, parcel.shipped_at, parcel.delivered_at) == (
            "delivered",
            NOON + timedelta(minutes=1),
            NOON + timedelta(minutes=2),
        )

    async def test_two_systems_that_word_one_parcel_differently_come_to_rest(
        self, db: Database, order: Order, one_erp: Connection, other_erp: Connection
    ) -> None:
        await told(db, order, "shipped", one_erp, Parcel("BR1", carrier="Correios"))
        filled = await told(db, order, "shipped", other_erp, Parcel("BR1", "https://x.example/BR1", "CORREIOS PAC"))
        assert filled.parcel
        parcel = await one(db, Shipment)
        assert (parcel.carrier, parcel.tracking_url) == ("Correios", "https://x.example/BR1")
        with written(db) as found:
            for minute in range(1, 4):
                await told(db, order, "shipped", one_erp, Parcel("BR1", carrier="Correios"), minute)
                other = Parcel("BR1", "https://x.example/BR1", "CORREIOS PAC")
                await told(db, order, "shipped", other_erp, other, minute)
        assert found == set()

    async def test_an_old_message_does_not_put_the_parcel_back(
        self, db: Database, order: Order, one_erp: Connection
    ) -> None:
        await told(db, order, "shipped", one_erp, PARCEL, minutes=5)
        late = await told(db, order, "shipped", one_erp, Parcel("BR123456789BR", carrier="Jadlog"), minutes=1)
        assert (late.is_news, (await one(db, Shipment)).carrier) == (False, "Correios")


class TestMails:
    @pytest.fixture
    async def telling(self, db: Database, one_erp: Connection) -> Connection:
        async with db.write() as session:
            policy = Policy(orders="all", mail_shipped=True, mail_delivered=True)
            values = policy.model_dump(mode="json", exclude_defaults=True)
            await session.execute(update(Connection).where(col(Connection.id) == one_erp.id).values(policy=values))
        return one_erp

    async def test_each_mail_is_queued_once_whatever_comes_how_often(
        self, db: Database, order: Order, telling: Connection, other_erp: Connection
    ) -> None:
        for stage in ("shipped", "not_delivered", "shipped", "delivered", "delivered", "shipped"):
            await told(db, order, stage, telling, PARCEL)
        mails = await rows(db, Mail)
        assert sorted((mail.kind, mail.state) for mail in mails) == [("delivered", "pending"), ("shipped", "pending")]

    async def test_a_parcel_without_its_code_waits_for_it(
        self, db: Database, order: Order, telling: Connection
    ) -> None:
        await told(db, order, "shipped", telling)
        assert (await one(db, Mail)).not_before is not None
        await told(db, order, "shipped", telling, PARCEL)
        assert (await one(db, Mail)).not_before is None

    @pytest.mark.parametrize("source", ["an ERP whose switches are off", "the store"])
    async def test_who_does_not_want_it_has_no_mail_sent(
        self, db: Database, order: Order, telling: Connection, other_erp: Connection, source: str
    ) -> None:
        await told(db, order, "delivered", other_erp if source.startswith("an ERP") else None, PARCEL)
        assert await rows(db, Mail) == []

    async def test_a_mail_is_undone_with_the_stage(self, db: Database, order: Order, telling: Connection) -> None:
        with pytest.raises(RuntimeError):
            async with db.write() as session:
                await progress.advance(
                    session, SHOP, order, "shipped", source_connection=telling.id, as_of=NOON, parcel=PARCEL
                )
                raise RuntimeError
        assert (await rows(db, Mail), await rows(db, Shipment)) == ([], [])


class TestQueue:
    """`orders`: which orders a connection is queued for, from the placing on."""

    async def test_all_is_queued_when_placed_and_when_it_moves(self, db: Database, one_erp: Connection) -> None:
        await put(db, placed())
        order = await one(db, Order)
        assert await queued(db, one_erp) == {("order", order.id): 1}
        await tell(db, "1001", approved())
        assert await queued(db, one_erp) == {("order", order.id): 2}
        await tell(db, "1001", approved())
        assert await queued(db, one_erp) == {("order", order.id): 2}

    async def test_paid_is_queued_when_paid(self, db: Database, other_erp: Connection) -> None:
        await put(db, placed())
        assert await queued(db, other_erp) == {}
        await tell(db, "1001", approved())
        assert len(await queued(db, other_erp)) == 1

    async def test_none_is_never_queued(self, db: Database) -> None:
        shut = await connect(db, "loja-sol-fechada", takes=("order",), policy=Policy(orders="none"))
        await put(db, placed())
        await tell(db, "1001", approved())
        await told(db, await one(db, Order), "shipped", None)
        assert await queued(db, shut) == {}

    async def test_an_edit_of_an_order_that_waits_is_one_send_more(self, db: Database, one_erp: Connection) -> None:
        await put(db, placed())
        edited: Any = placed(notes="Embrulhar")
        await put(db, edited)
        assert list((await queued(db, one_erp)).values()) == [2]
