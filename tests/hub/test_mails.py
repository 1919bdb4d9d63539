"""A mail to a buyer: one of a kind an order, taken out once, never twice after a death, and given up in time."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from hub import mails, payments, texts_mails
from hub.buyers import Buyer
from hub.clock import utcnow
from hub.db import Database
from hub.mails import PAUSES, Letter
from hub.tables import Connection, Mail, Notice, Order, Shipment
from tests.hub.shop import connect, one, rows
from tests.hub.test_orders import CANARY, SHOP, placed, put


@pytest.fixture
async def erp(db: Database) -> Connection:
    return await connect(db, "loja-sol-erp")


@pytest.fixture
async def order(db: Database, erp: Connection) -> Order:
    return (await put(db, placed())).order


async def queue(db: Database, order: Order, kind: str = "delivered") -> None:
    async with db.write() as session:
        await mails.queue(session, order, kind, "loja-sol-erp")


async def claim(db: Database) -> Letter | None:
    async with db.write() as session:
        return await mails.claim(session)


async def change(db: Database, **values: Any) -> None:
    async with db.write() as session:
        await session.execute(update(Mail).values(**values))


async def sweep(db: Database) -> dict[str, int]:
    async with db.write() as session:
        return await mails.sweep(session)


async def is_due(db: Database) -> bool:
    async with db.read() as session:
        return await mails.is_due(session)


async def test_a_claimed_mail_says_how_things_stand_now(db: Database, order: Order) -> None:
    await queue(db, order, "shipped")
    async with db.write() as session:
        for code, at in (("BR1", -2), ("BR2", -1)):
            session.add(
                Shipment(
                    merchant_id=SHOP,
                    order_id=order.id,
                    tracking_code=code,
                    tracking_url=f"https://rastreio.example/{code}",
                    carrier="Correios",
                    updated_at=utcnow() + timedelta(minutes=at),
                )
            )
        await mails.parcel_came(session, order.id)
    letter = await claim(db)
    assert letter is not None
    assert (letter.kind, letter.number, letter.store, letter.tracking_code) == ("shipped", "1001", SHOP, "BR2")
    assert CANARY in letter.address
    assert CANARY not in repr(letter)
    assert await claim(db) is None, "it is in hand"
    assert (await one(db, Mail)).state == "sending"
    text = texts_mails.body(letter)
    assert "https://rastreio.example/BR2" in text
    assert text.startswith("Olá, Compra!")
    assert texts_mails.subject(letter) == "Seu pedido 1001 foi enviado"


async def test_the_news_that_it_left_waits_for_the_code_and_the_other_does_not(db: Database, order: Order) -> None:
    await queue(db, order, "shipped")
    assert (await claim(db), await is_due(db)) == (None, False)
    await queue(db, order, "delivered")
    letter = await claim(db)
    assert letter is not None and letter.kind == "delivered"


async def test_queued_again_it_stays_what_it_is(db: Database, order: Order) -> None:
    await queue(db, order)
    await change(db, state="sent")
    await queue(db, order)
    assert (await one(db, Mail)).state == "sent"


@pytest.mark.parametrize("what", ["the order was cancelled", "the buyer has no address"])
async def test_what_has_nothing_to_say_or_nobody_to_go_to_is_passed_over(
    db: Database, erp: Connection, what: str
) -> None:
    nobody = Buyer("Visitante Inventado")
    order = (await put(db, placed(buyer=nobody) if "address" in what else placed())).order
    other = (await put(db, placed("1002"))).order
    await queue(db, order)
    await queue(db, other)
    if "cancelled" in what:
        async with db.write() as session:
            await payments.cancel(session, SHOP, "1001")
    letter = await claim(db)
    assert letter is not None and letter.number == "1002"
    assert sorted(mail.state for mail in await rows(db, Mail)) == ["sending", "skipped"]
    assert await rows(db, Notice, kind=mails.KIND) == []


async def test_the_pauses_grow_and_the_last_one_stays(db: Database, order: Order) -> None:
    await queue(db, order)
    for pause in (*PAUSES, PAUSES[-1]):
        letter = await claim(db)
        assert letter is not None
        async with db.write() as session:
            await mails.again(session, letter, "RCPT: 450")
        mail = await one(db, Mail)
        assert mail.state == "pending"
        assert pause - timedelta(minutes=1) < mail.not_before - utcnow() <= pause
        await change(db, not_before=None)


async def test_a_sender_that_died_leaves_it_unknown_and_it_is_not_repeated(db: Database, order: Order) -> None:
    await queue(db, order)
    assert await claim(db)
    assert (await sweep(db), await is_due(db)) == ({}, False), "its sender may be alive"
    await change(db, not_before=utcnow() - timedelta(seconds=1))
    assert await is_due(db)
    assert await sweep(db) == {"unknown": 1}
    assert (await claim(db), (await one(db, Mail)).state) == (None, "unknown")
    assert (await one(db, Notice)).code == "mail.unknown"


@pytest.mark.parametrize(
    ("tried", "state", "code"),
    [
        ({}, "skipped", "mail.no_server"),
        ({"attempts": 3}, "failed", "mail.too_late"),
        ({"reason": "connect: ConnectionRefusedError"}, "failed", "mail.too_late"),
    ],
    ids=["no server", "tried", "its server was tried"],
)
async def test_after_three_days_it_is_no_news_any_more(
    db: Database, order: Order, tried: dict[str, Any], state: str, code: str
) -> None:
    await queue(db, order)
    await change(db, **tried, created_at=utcnow() - timedelta(days=2, hours=23))
    assert await sweep(db) == {}
    await change(db, created_at=utcnow() - timedelta(days=3, seconds=1))
    assert await sweep(db) == {state: 1}
    assert ((await one(db, Mail)).state, (await one(db, Notice)).code) == (state, code)


async def test_that_there_is_no_server_is_told_once_and_taken_back_when_a_mail_goes(db: Database, order: Order) -> None:
    await queue(db, order)
    await queue(db, (await put(db, placed("1002"))).order)
    await change(db, created_at=utcnow() - timedelta(days=4))
    assert await sweep(db) == {"skipped": 2}
    assert (await one(db, Notice)).code == "mail.no_server"
    await queue(db, (await put(db, placed("1003"))).order)
    letter = await claim(db)
    assert letter is not None
    async with db.write() as session:
        await mails.sent(session, letter.id)
    assert (await one(db, Notice)).cleared_at is not None


@pytest.mark.parametrize(("days", "queued"), [(2.9, 1), (3.1, 0)])
async def test_what_may_have_happened_days_ago_is_not_written(
    db: Database, order: Order, days: float, queued: int
) -> None:
    async with db.write() as session:
        await mails.queue(session, order, "delivered", "loja-sol-erp", since=utcnow() - timedelta(days=days))
    assert len(await rows(db, Mail)) == queued


async def test_an_end_that_comes_late_changes_nothing(db: Database, order: Order) -> None:
    await queue(db, order)
    letter = await claim(db)
    assert letter is not None
    await change(db, state="unknown")
    async with db.write() as session:
        await mails.sent(session, letter.id)
        await mails.again(session, letter, "late")
        await mails.give_up(session, letter.id, "failed", "late")
    assert ((await one(db, Mail)).state, await rows(db, Notice)) == ("unknown", [])
