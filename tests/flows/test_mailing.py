"""Mails to buyers, by a real SMTP server on loopback: each arrives once, or is known not to, or is not repeated."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from hub import orders, progress
from hub.clock import utcnow
from hub.db import Database
from hub.policy import Policy
from hub.records import Parcel
from hub.settings import settings
from hub.tables import Connection, Mail, Merchant, Notice, Order
from tasks import mailing
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.erp import placed
from tests.flows.postman import Postman, postman
from tests.flows.trade import LINES, Trade
from tests.hub.shop import connect, one, rows

__all__ = ["postman"]

SHOP = "loja-sol"
CANARY = "canario-de-teste"
ADDRESS = f"{CANARY}@comprador.example"
PARCEL = Parcel("BR123456789BR", "https://rastreio.example/BR123456789BR", "Correios")


@pytest.fixture
async def erp(db: Database) -> Connection:
    wanted = Policy(orders="all", mail_shipped=True, mail_delivered=True)
    made = await connect(db, "loja-sol-erp", policy=wanted)
    async with db.write() as session:
        await session.execute(update(Merchant).values(name="Loja do Sol & Cia"))
    return made


Ship = Callable[..., Awaitable[Order]]


@pytest.fixture
def ship(db: Database, erp: Connection) -> Ship:
    """An order that the ERP says has been shipped."""

    async def make(
        number: str = "1001", stage: str = "shipped", email: str = ADDRESS, name: str = "Ana Teste"
    ) -> Order:
        order = placed(number, LINES, email=email, buyer_name=name)
        async with db.write() as session:
            put = await orders.put_order(session, SHOP, order)
            await progress.advance(
                session, SHOP, put.order, stage, source_connection=erp.id, as_of=utcnow(), parcel=PARCEL
            )
        return put.order

    return make


async def change(db: Database, **values: Any) -> None:
    async with db.write() as session:
        await session.execute(update(Mail).values(**values))


async def states(db: Database) -> list[str]:
    return sorted(mail.state for mail in await rows(db, Mail))


async def test_the_buyer_is_told_once_by_the_shop_with_the_link(db: Database, ship: Ship, postman: Postman) -> None:
    await ship()
    assert await mailing.send_due(db) == {"sent": 1}
    assert await mailing.send_due(db) == {}
    (mail,) = postman.taken
    assert str(mail["From"]) == "Loja do Sol & Cia <pedidos@loja.example>"
    assert str(mail["To"]) == f"Ana Teste <{ADDRESS}>"
    assert str(mail["Subject"]) == "Seu pedido 1001 foi enviado"
    assert mail.get_content_type() == "text/plain"
    assert PARCEL.tracking_url in mail.get_content()
    assert abs(datetime.now(UTC) - mail["Date"].datetime) < timedelta(minutes=5)
    kept = await one(db, Mail)
    assert (kept.state, str(mail["Message-ID"])) == ("sent", f"<{kept.id}@loja.example>")


async def test_twenty_senders_at_once_send_each_mail_once(db: Database, ship: Ship, postman: Postman) -> None:
    for number in range(5):
        await ship(str(number))
    await asyncio.gather(*(mailing.send_due(db) for _ in range(20)))
    await mailing.send_due(db)
    assert sorted(str(mail["Subject"]).split()[2] for mail in postman.taken) == ["0", "1", "2", "3", "4"]


async def test_without_a_server_it_waits_three_days(db: Database, ship: Ship, monkeypatch: pytest.MonkeyPatch) -> None:
    await ship()
    assert await mailing.send_due(db) == {}
    assert (await states(db), (await one(db, Mail)).attempts) == (["pending"], 0)
    await change(db, created_at=utcnow() - timedelta(days=3))
    assert await mailing.send_due(db) == {"skipped": 1}
    assert (await states(db), (await one(db, Notice)).code) == (["skipped"], "mail.no_server")


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
async def test_not_now_is_asked_again_later(db: Database, ship: Ship, postman: Postman, step: str) -> None:
    postman.answers = {step: ["451 mailbox is busy"]}
    await ship()
    assert await mailing.send_due(db) == {"again": 1}
    assert await mailing.send_due(db) == {}, "not before its pause is over"
    mail = await one(db, Mail)
    assert (mail.state, mail.attempts) == ("pending", 1)
    await change(db, not_before=utcnow())
    assert await mailing.send_due(db) == {"sent": 1}
    assert len(postman.taken) == 1


@pytest.mark.parametrize("step", ["RCPT", "DATA"])
async def test_never_is_told_to_the_merchant_and_the_others_go(
    db: Database, ship: Ship, postman: Postman, step: str
) -> None:
    postman.answers = {step: [f"550 no such user {ADDRESS}"]}
    await ship("1001")
    await ship("1002")
    assert await mailing.send_due(db) == {"failed": 1, "sent": 1}
    notice = await one(db, Notice)
    assert (notice.code, notice.params) == ("mail.failed", {"number": "1001"})


async def test_an_answer_that_got_lost_is_not_asked_for_twice(db: Database, ship: Ship, postman: Postman) -> None:
    postman.answers = {"DATA": ["drop"]}
    await ship()
    assert await mailing.send_due(db) == {"unknown": 1}
    await change(db, not_before=utcnow() - timedelta(days=1))
    await mailing.send_due(db)
    assert len(postman.taken) == 1, "it was taken, as nobody could know"
    assert ((await one(db, Mail)).state, (await one(db, Notice)).code) == ("unknown", "mail.unknown")


async def test_a_connection_that_breaks_before_the_text_has_sent_nothing(
    db: Database, ship: Ship, postman: Postman
) -> None:
    postman.answers = {"RCPT": ["drop"]}
    await ship()
    assert await mailing.send_due(db) == {"again": 1}
    await change(db, not_before=utcnow())
    assert await mailing.send_due(db) == {"sent": 1}


async def test_a_sender_killed_in_the_middle_leaves_it_unknown(
    db: Database, ship: Ship, postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    await ship()
    with monkeypatch.context() as dying:
        dying.setattr(mailing, "send", die)
        with suppress(Killed):
            await mailing.send_due(db)
    assert await states(db) == ["sending"]
    assert await mailing.send_due(db) == {}, "its sender may be alive still"
    await change(db, not_before=utcnow() - timedelta(seconds=1))
    assert await mailing.send_due(db) == {"unknown": 1}
    assert postman.taken == []


async def test_a_server_that_is_down_is_asked_once_and_not_mail_by_mail(
    db: Database, ship: Ship, postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await ship(str(number))
    with monkeypatch.context() as down:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            down.setenv("ESTEIRA_SMTP_PORT", str(free.getsockname()[1]))
        settings.cache_clear()
        assert await mailing.send_due(db) == {"down": 1}
        assert await mailing.send_due(db) == {}
    settings.cache_clear()
    assert sorted(mail.attempts for mail in await rows(db, Mail)) == [0, 0, 1]
    await change(db, not_before=utcnow())
    assert await mailing.send_due(db) == {"sent": 3}


async def test_a_server_that_is_down_for_three_days_is_told_for_each_mail(
    db: Database, ship: Ship, postman: Postman
) -> None:
    postman.answers = {"MAIL": ["421 closing"]}
    for number in range(3):
        await ship(str(number))
    assert await mailing.send_due(db) == {"down": 1}
    await change(db, created_at=utcnow() - timedelta(days=3))
    assert await mailing.send_due(db) == {}, "it waits for its pause"
    await change(db, not_before=utcnow())
    assert await mailing.send_due(db) == {"failed": 3}
    assert {notice.code for notice in await rows(db, Notice)} == {"mail.too_late"}
    assert len(await rows(db, Notice)) == 3


@pytest.mark.parametrize("answer", ["550 sender refused", "421 closing"])
async def test_a_refused_sender_is_no_fault_of_the_mail(
    db: Database, ship: Ship, postman: Postman, answer: str
) -> None:
    postman.answers = {"MAIL": [answer]}
    await ship()
    assert await mailing.send_due(db) == {"down": 1}
    await change(db, not_before=utcnow())
    assert await mailing.send_due(db) == {"sent": 1}


async def test_nothing_goes_in_clear_where_tls_was_asked_for(
    db: Database, ship: Ship, postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESTEIRA_SMTP_TLS", "starttls")
    monkeypatch.setenv("ESTEIRA_SMTP_USER", "pedidos")
    monkeypatch.setenv("ESTEIRA_SMTP_PASSWORD", CANARY)
    settings.cache_clear()
    await ship()
    assert await mailing.send_due(db) == {"down": 1}
    assert (postman.asked, postman.taken) == ([], [])


async def test_without_an_address_of_the_shop_nothing_is_tried(
    db: Database, ship: Ship, postman: Postman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ESTEIRA_SMTP_FROM", "Loja do Sol")
    settings.cache_clear()
    await ship()
    assert await mailing.send_due(db) == {}
    assert (await states(db), postman.asked) == (["pending"], [])


@pytest.mark.parametrize(
    "email", ["sem arroba", "a@b@c", "a@loja.example\r\nBcc: outro@loja.example", "a b@loja.example", "é@loja.example"]
)
async def test_what_is_no_address_fails_and_writes_to_nobody(
    db: Database, ship: Ship, postman: Postman, email: str
) -> None:
    await ship(email=email)
    assert await mailing.send_due(db) == {"failed": 1}
    assert postman.asked == []


async def test_a_name_brings_no_header_along(db: Database, ship: Ship, postman: Postman) -> None:
    await ship(name="José\r\nBcc: outro@loja.example")
    assert await mailing.send_due(db) == {"sent": 1}
    (mail,) = postman.taken
    assert mail["Bcc"] is None
    assert postman.asked == [ADDRESS]
    assert mail.get_content().startswith("Olá, José!")


async def test_nothing_of_the_buyer_is_told_to_anybody_else(
    db: Database, ship: Ship, postman: Postman, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    postman.answers = {"RCPT": [f"550 <{ADDRESS}> unknown", f"450 <{ADDRESS}> busy"], "DATA": [f"554 {ADDRESS}"]}
    for number in range(4):
        await ship(str(number))
    await mailing.send_due(db)
    kept = [repr(mail.model_dump()) for mail in await rows(db, Mail)]
    told = [repr(notice.model_dump()) for notice in await rows(db, Notice)]
    assert len(told) == 2
    ours = [record.getMessage() for record in caplog.records if record.name != "mail.log"]  # which is the server's own
    assert "e-mails: 1 again, 2 failed, 1 sent" in ours
    for said in (*kept, *told, *ours):
        assert CANARY not in said


async def test_the_last_look_at_the_order_is_at_the_sending(db: Database, ship: Ship, postman: Postman) -> None:
    order = await ship()
    async with db.write() as session:
        await progress.advance(session, SHOP, order, "cancelled", source_connection=None, as_of=utcnow())
    assert await mailing.send_due(db) == {}
    assert (await states(db), postman.asked) == (["skipped"], [])


async def test_a_connection_that_comes_back_after_days_mails_no_old_news(
    db: Database, sandbox: Sandbox, postman: Postman, clock: Clock
) -> None:
    erp = await Trade.open(db, sandbox, "tiny_v2", mail_shipped=True, mail_delivered=True)
    await erp.offer("CAN-1", "25.00")
    await erp.order("1001", LINES)
    await erp.export()
    await erp.track()
    external_id = (await erp.bound("1001")).external_id
    clock.advance(days=1)
    erp.edit(external_id, situacao="enviado", tracking={"codigo": PARCEL.tracking_code, "url": PARCEL.tracking_url})
    clock.advance(days=20)
    await erp.track()
    await mailing.send_due(db)
    assert ((await erp.known("1001")).stage, postman.taken) == ("shipped", [])
    clock.advance(days=2)
    erp.edit(external_id, situacao="entregue")
    await erp.track()
    await mailing.send_due(db)
    assert [str(mail["Subject"]) for mail in postman.taken] == ["Seu pedido 1001 foi entregue"]


async def test_from_the_erp_to_the_buyer(db: Database, sandbox: Sandbox, postman: Postman) -> None:
    erp = await Trade.open(db, sandbox, "tiny_v2", mail_shipped=True, mail_delivered=True)
    await erp.offer("CAN-1", "25.00")
    await erp.order("1001", LINES)
    await erp.export()
    external_id = (await erp.bound("1001")).external_id
    tracking = {"codigo": PARCEL.tracking_code, "url": PARCEL.tracking_url}
    erp.edit(external_id, situacao="enviado", tracking=tracking)
    await erp.track()
    erp.edit(external_id, situacao="entregue")
    await mailing.send_due(db)
    for _ in range(3):
        await erp.track()
        await mailing.send_due(db)
    assert [str(mail["Subject"]) for mail in postman.taken] == [
        "Seu pedido 1001 foi enviado",
        "Seu pedido 1001 foi entregue",
    ]
    assert PARCEL.tracking_url in postman.taken[0].get_content()
