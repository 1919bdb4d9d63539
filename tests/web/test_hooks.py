"""The webhook doors: who gets in, what is stored before the answer, and what the answer is."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from hub import connections, crypto, doors, inbox
from hub.db import Database
from hub.tables import Connection, InboxEvent, Notice
from hub.tables.tenancy import ConnectionState
from providers.contract import Event, Hint, Subject, UnreadableEventError
from providers.registry import KINDS
from tests.hub.shop import connect, one, rows
from web.api.gate import MOST_BYTES, Rates
from web.hooks import HookDoor, without_key


class Vendor:
    """A vendor's webhooks, as plain as they can be."""

    TOPICS: ClassVar[dict[str, str]] = {"produto": "Produtos"}
    HAS_SECRET = True

    @staticmethod
    def authentic(secret: str, headers: Mapping[str, str]) -> bool:
        return bool(secret) and headers.get("x-hub-secret") == secret

    @staticmethod
    def read(topic: str, body: bytes, media_type: str) -> Event:
        try:
            told = json.loads(body)
        except ValueError as error:
            raise UnreadableEventError(f"received {len(body)} bytes that are no JSON") from error
        answer = [{"sku": told["answer"]}] if "answer" in told else None
        return Event((Hint(Subject.PRODUCT, str(told.get("id"))),), told.get("cnpj", ""), answer)


class SilentBell:
    """Counts how often it was rung."""

    def __init__(self) -> None:
        self.rung = 0

    def ring(self) -> None:
        self.rung += 1

    async def close(self) -> None:
        return


@pytest.fixture
async def door(db: Database, app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A door of an active connection: its path and its secret."""
    monkeypatch.setitem(KINDS, "contaazul", replace(KINDS["contaazul"], webhooks=Vendor()))
    connection = await connect(db, "loja-sol-erp", kind="contaazul")
    async with db.write() as session:
        connection.account = crypto.blind_index("11222333000181", "account.document")
        session.add(connection)
        await doors.ensure(session, connection, Vendor.TOPICS, has_secret=True)
        (made,) = await doors.of(session, connection.id)
    return f"{doors.PATH}/{made.key}", made.secret


@pytest.fixture
def bell(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> SilentBell:
    made = SilentBell()
    monkeypatch.setattr("web.hooks.Bell.of", lambda db, config: made)
    return made


@pytest.fixture
async def vendor(app: FastAPI, door: tuple[str, str], bell: SilentBell) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://esteira", headers={"x-hub-secret": door[1]}
    ) as client:
        yield client


async def test_an_event_is_stored_before_it_is_answered_and_the_bell_is_rung(
    vendor: httpx.AsyncClient, door: tuple[str, str], db: Database, bell: SilentBell
) -> None:
    answer = await vendor.post(door[0], json={"id": 7})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    event = await one(db, InboxEvent)
    assert (event.connection_id, event.topic, event.state, json.loads(event.body)) == (
        "loja-sol-erp",
        "produto",
        "pending",
        {"id": 7},
    )
    assert bell.rung == 1


async def test_what_the_vendor_waits_for_is_the_answer(vendor: httpx.AsyncClient, door: tuple[str, str]) -> None:
    assert (await vendor.post(door[0], json={"id": 7, "answer": "CAN-1"})).json() == [{"sku": "CAN-1"}]


async def test_an_unknown_address_is_not_found(vendor: httpx.AsyncClient, door: tuple[str, str], db: Database) -> None:
    for path in (f"{doors.PATH}/nobody", f"{doors.PATH}/{'x' * 500}", door[0][:-1]):
        assert (await vendor.post(path, json={"id": 7})).status_code == 404
    assert await rows(db, InboxEvent) == []


@pytest.mark.parametrize("secret", ["", "wrong", None])
async def test_a_wrong_secret_is_refused_and_nothing_is_stored(
    vendor: httpx.AsyncClient, door: tuple[str, str], db: Database, secret: str | None
) -> None:
    vendor.headers.pop("x-hub-secret")
    headers = {} if secret is None else {"x-hub-secret": secret}
    assert (await vendor.post(door[0], json={"id": 7}, headers=headers)).status_code == 401
    assert await rows(db, InboxEvent) == []


async def test_what_is_no_json_is_refused_and_kept_for_inspection(
    vendor: httpx.AsyncClient, door: tuple[str, str], db: Database, bell: SilentBell
) -> None:
    for _ in range(3):
        assert (await vendor.post(door[0], content=b'{"id": ')).status_code == 400
    event = await one(db, InboxEvent)
    assert (event.state, event.body, event.copies) == ("broken", '{"id": ', 3)
    assert "7 bytes" in event.reason
    assert bell.rung == 0
    async with db.read() as session:
        assert await inbox.due(session) == []


async def test_a_removed_integration_is_gone_at_once(
    vendor: httpx.AsyncClient, door: tuple[str, str], db: Database
) -> None:
    assert (await vendor.post(door[0], json={"id": 7})).status_code == 200
    async with db.write() as session:
        await connections.mark(session, "loja-sol-erp", ConnectionState.NOT_INSTALLED)
    assert (await vendor.post(door[0], json={"id": 8})).status_code == 410
    assert len(await rows(db, InboxEvent)) == 1


async def test_an_event_of_another_companys_account_is_told_and_not_seen_to(
    vendor: httpx.AsyncClient, door: tuple[str, str], db: Database, bell: SilentBell
) -> None:
    assert (await vendor.post(door[0], json={"id": 7, "cnpj": "11222333000181"})).status_code == 200
    assert await rows(db, Notice) == []
    assert (await vendor.post(door[0], json={"id": 8, "cnpj": "99888777000166"})).status_code == 200
    states = {json.loads(event.body)["id"]: event.state for event in await rows(db, InboxEvent)}
    assert states == {7: "pending", 8: "ignored"}
    assert (await one(db, Notice)).code == "inbox.other_account"
    assert bell.rung == 1


async def test_a_body_that_is_too_large_is_refused(
    vendor: httpx.AsyncClient, door: tuple[str, str], db: Database
) -> None:
    assert (await vendor.post(door[0], content=b" " * (MOST_BYTES + 1))).status_code == 413
    assert await rows(db, InboxEvent) == []


async def test_an_address_takes_so_many_calls_and_others_are_not_held_up(
    vendor: httpx.AsyncClient, door: tuple[str, str], app: FastAPI, db: Database
) -> None:
    hooks: HookDoor = app.state.hooks
    now = 0.0
    hooks.rates = Rates(per_second=1, burst=3, now=lambda: now)
    async with db.write() as session:
        other = await connections.find(session, "loja-sol-erp")
        await doors.ensure(session, other, ("produto", "pedido"), has_secret=True)
        second = next(one for one in await doors.of(session, other.id) if one.topic == "pedido")
    answers = [(await vendor.post(door[0], json={"id": number})).status_code for number in range(5)]
    assert answers == [200, 200, 200, 429, 429]
    path = f"{doors.PATH}/{second.key}"
    assert (await vendor.post(path, json={}, headers={"x-hub-secret": second.secret})).status_code == 200
    now += 1
    assert (await vendor.post(door[0], json={"id": 9})).status_code == 200


async def test_an_address_takes_so_many_bytes(
    vendor: httpx.AsyncClient, door: tuple[str, str], app: FastAPI, db: Database
) -> None:
    """Few calls, each as large as may be, fill a disk as well."""
    app.state.hooks.weights = Rates(per_second=1, burst=1000)
    answers = [await vendor.post(door[0], json={"id": n, "filler": "x" * 300}) for n in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert "1000 bytes" in answers[-1].json()["detail"] and int(answers[-1].headers["retry-after"]) > 100
    assert len(await rows(db, InboxEvent)) == 3


async def test_so_many_broken_ones_are_kept(
    vendor: httpx.AsyncClient, door: tuple[str, str], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MOST_BROKEN", 3)
    answers = [await vendor.post(door[0], content=f"no json {n}") for n in range(5)]
    assert {answer.status_code for answer in answers} == {400}
    assert len(await rows(db, InboxEvent)) == 3


async def test_a_thousand_at_once_are_all_stored_in_a_few_transactions(
    vendor: httpx.AsyncClient, door: tuple[str, str], db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[int] = []
    store = inbox.store

    async def counted(session: Any, arrivals: Any) -> set[str]:
        stored.append(len(arrivals))
        return await store(session, arrivals)

    monkeypatch.setattr("hub.inbox.store", counted)
    answers = await asyncio.gather(*(vendor.post(door[0], json={"id": number}) for number in range(1000)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await rows(db, InboxEvent)) == sum(stored) == 1000
    assert len(stored) < 300


async def test_a_database_that_is_away_is_said_so_and_the_next_event_is_stored(
    vendor: httpx.AsyncClient, door: tuple[str, str], db: Database, monkeypatch: pytest.MonkeyPatch, bell: SilentBell
) -> None:
    async def away(session: Any, arrivals: Any) -> set[str]:
        raise OperationalError("insert", {}, OSError("gone"))

    with monkeypatch.context() as broken:
        broken.setattr("hub.inbox.store", away)
        answer = await vendor.post(door[0], json={"id": 7})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert (await vendor.post(door[0], json={"id": 7})).status_code == 200
    assert len(await rows(db, InboxEvent)) == bell.rung == 1


def test_the_servers_log_does_not_show_the_key(app: FastAPI) -> None:
    assert without_key in logging.getLogger("uvicorn.access").filters, "an app that has doors sees to it"
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', None, None)
    record.args = ("127.0.0.1:1", "POST", "/hooks/abcdef?x=1", "1.1", 200)
    assert without_key(record)
    assert "abcdef" not in record.getMessage()
    record.args = ("127.0.0.1:1", "GET", "/health", "1.1", 200)
    assert without_key(record) and "/health" in record.getMessage()


async def test_connections_have_doors_of_their_own(db: Database, door: tuple[str, str]) -> None:
    other: Connection = await connect(db, "loja-lua-erp", kind="contaazul", merchant="loja-lua")
    async with db.write() as session:
        await doors.ensure(session, other, Vendor.TOPICS, has_secret=True)
        (theirs,) = await doors.of(session, other.id)
    assert theirs.key not in door[0] and theirs.secret != door[1]


async def test_one_merchants_secret_opens_no_other_merchants_door(
    vendor: httpx.AsyncClient, door: tuple[str, str], db: Database
) -> None:
    other = await connect(db, "loja-lua-erp", kind="contaazul", merchant="loja-lua")
    async with db.write() as session:
        await doors.ensure(session, other, Vendor.TOPICS, has_secret=True)
        (theirs,) = await doors.of(session, other.id)
    path = f"{doors.PATH}/{theirs.key}"
    assert (await vendor.post(path, json={"id": 7})).status_code == 401
    assert (await vendor.post(path, json={"id": 7}, headers={"x-hub-secret": theirs.secret})).status_code == 200
    assert (await one(db, InboxEvent)).merchant_id == "loja-lua"
