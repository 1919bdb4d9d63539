"""Orders, payments, invoices and notices by the store API."""

from base64 import b64encode
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from hub.db import Database
from hub.tables import Binding, Connection, Invoice, Order, OutboxEntry, Shipment
from tests.hub.shop import NOON, connect, one, queued, rows
from tests.web.conftest import order

APPROVED = {"reference": "p1", "event": "approved", "amount": "70.00", "method": "pix"}
KEY = "35260811222333000181550010000001231000001234"


@pytest.fixture
async def erp(sol: httpx.AsyncClient, db: Database) -> Connection:
    return await connect(db, "loja-sol-erp", takes=("order",))


async def test_from_the_order_to_the_state_in_the_erp(sol: httpx.AsyncClient, db: Database, erp: Connection) -> None:
    made = await sol.post("/orders", json=order())
    assert made.status_code == 201
    assert made.headers["location"] == "/api/v1/orders/1001"
    body = made.json()
    assert (body["total"], body["items_total"], body["items"][0]["known"]) == ("70.00", "59.80", False)
    assert body["customer"]["document"] == "52998224725"
    assert body["delivery"]["postal_code"] == "01310100"

    half = await sol.post("/orders/1001/payments", json={**APPROVED, "amount": "69.99"})
    assert (half.json()["payment_state"], await queued(db, erp)) == ("partly_paid", {})
    rest = await sol.post("/orders/1001/payments", json={**APPROVED, "reference": "p2", "amount": "0.01"})
    assert (rest.json()["state"], len(await queued(db, erp))) == ("paid", 1)

    state = (await sol.get("/orders/1001/state")).json()
    assert [(s["connection"], s["state"], s["external_id"]) for s in state["systems"]] == [
        ("loja-sol-erp", "waiting", None)
    ]
    found = await one(db, Order)
    async with db.write() as session:
        session.add(
            Binding(
                merchant_id="loja-sol",
                connection_id=erp.id,
                kind="order",
                record_id=found.id,
                external_id="77",
                sent_hash=found.content_hash,
            )
        )
        await session.execute(update(OutboxEntry).values(state="sent", sent_at=NOON))
    state = (await sol.get("/orders/1001/state")).json()
    assert [(s["state"], s["external_id"]) for s in state["systems"]] == [("sent", "77")]

    assert (await sol.post("/orders", json=order(notes="Embrulhar"))).status_code == 200
    (notice,) = (await sol.get("/notices")).json()["items"]
    assert (notice["code"], notice["connection"]) == ("order.edited", "loja-sol-erp")
    assert "1001" in notice["title"]
    cancelled = await sol.post("/orders/1001/cancel")
    assert cancelled.json()["state"] == "cancelled"
    assert (await sol.get("/notices")).json()["items"] == []
    assert (await sol.get("/notices?all=true")).json()["items"][0]["cleared_at"] is not None


async def test_handed_in_again_it_is_the_same_order(sol: httpx.AsyncClient, db: Database) -> None:
    first = await sol.post("/orders", json=order())
    again = await sol.post("/orders", json=order())
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await rows(db, Order)) == 1


async def test_totals_that_differ_are_refused_with_both_and_told_to_the_merchant(
    sol: httpx.AsyncClient, db: Database
) -> None:
    refused = await sol.post("/orders", json=order(total="70.01"))
    assert refused.status_code == 422
    problem = refused.json()
    assert problem["type"] == "urn:esteira:problem:order-totals"
    assert problem["totals"] == {"stated": "70.01", "computed": "70.00"}
    assert await rows(db, Order) == []
    (notice,) = (await sol.get("/notices")).json()["items"]
    assert "R$\u00a070,01" in notice["body"]
    assert "R$\u00a070,00" in notice["body"]
    await sol.post("/orders", json=order())
    assert (await sol.get("/notices")).json()["items"] == []


@pytest.mark.parametrize(
    ("told", "pointer"),
    [
        ({"total": 70.0}, "#/total"),
        ({"total": "70.001"}, "#/total"),
        ({"placed_at": "2026-08-03T09:00:00"}, "#/placed_at"),
        ({"items": []}, "#/items"),
        ({"number": "10/01"}, "#/number"),
        ({"customer": {"name": "Compra", "document": "529.982.247-26"}}, "#/customer/document"),
        ({"delivery": {"postal_code": "1310100"}}, "#/delivery/postal_code"),
        ({"delivery": {"uf": "sp"}}, "#/delivery/uf"),
        ({"instalments": 0}, "#/instalments"),
    ],
)
async def test_what_does_not_fit_is_named_without_peoples_data(
    sol: httpx.AsyncClient, told: dict[str, Any], pointer: str
) -> None:
    answer = await sol.post("/orders", json=order(**told))
    assert answer.status_code == 422
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}
    assert "529.982" not in answer.text
    assert "Inventada" not in answer.text


async def test_payments_are_refused_in_words(sol: httpx.AsyncClient) -> None:
    assert (await sol.post("/orders/1/payments", json=APPROVED)).status_code == 404
    await sol.post("/orders", json=order())
    no_amount = await sol.post("/orders/1001/payments", json={"reference": "p9", "event": "approved"})
    assert (no_amount.status_code, no_amount.json()["type"]) == (422, "urn:esteira:problem:payment-refused")
    assert (await sol.post("/orders/1001/payments", json={**APPROVED, "event": "paid"})).status_code == 422


async def test_what_was_given_back_is_shown(sol: httpx.AsyncClient) -> None:
    await sol.post("/orders", json=order())
    await sol.post("/orders/1001/payments", json=APPROVED)
    back = await sol.post("/orders/1001/payments", json={"reference": "p1", "event": "refunded", "amount": "20.00"})
    assert back.json()["payments"] == [
        {
            "reference": "p1",
            "state": "approved",
            "amount": "70.00",
            "refunded": "20.00",
            "method": "pix",
            "instalments": 1,
            "paid_at": back.json()["paid_at"],
        }
    ]
    whole = await sol.post("/orders/1001/payments", json={"reference": "p1", "event": "refunded"})
    assert (whole.json()["state"], whole.json()["payments"][0]["refunded"]) == ("refunded", "70.00")


async def test_the_list_holds_no_people_and_filters_by_state(sol: httpx.AsyncClient) -> None:
    for number in ("1", "2", "3"):
        await sol.post("/orders", json=order(number))
    await sol.post("/orders/2/payments", json=APPROVED)
    listed = await sol.get("/orders?limit=2")
    assert [o["number"] for o in listed.json()["items"]] == ["1", "2"]
    assert "Inventada" not in listed.text
    assert "529982" not in listed.text
    assert [o["number"] for o in (await sol.get("/orders?state=paid")).json()["items"]] == ["2"]
    future = (await sol.get("/orders", params={"updated_since": "2999-01-01T00:00:00Z"})).json()
    assert future["items"] == []


@pytest.mark.parametrize("encoding", ["utf-8", "base64"])
async def test_invoices_are_read_by_order_and_their_xml_byte_for_byte(
    sol: httpx.AsyncClient, db: Database, erp: Connection, encoding: str
) -> None:
    raw = "<nfeProc><x>ação</x></nfeProc>".encode("utf-8" if encoding == "utf-8" else "latin-1")
    await sol.post("/orders", json=order())
    found = await one(db, Order)
    async with db.write() as session:
        session.add(
            Invoice(
                merchant_id="loja-sol",
                order_id=found.id,
                connection_id=erp.id,
                access_key=KEY,
                number="123",
                series="1",
                model="55",
                state="authorised",
                total=Decimal("70.00"),
                xml=raw.decode() if encoding == "utf-8" else b64encode(raw).decode(),
                extra={"encoding": encoding},
                issued_at=NOON,
            )
        )
    (listed,) = (await sol.get("/invoices?order=1001")).json()["items"]
    assert (listed["access_key"], listed["order"], listed["total"], listed["has_xml"]) == (KEY, "1001", "70.00", True)
    assert (await sol.get("/orders/1001/invoices")).json() == [listed]
    assert (await sol.get("/orders/1001/state")).json()["invoices"] == [listed]
    assert (await sol.get(f"/invoices/{KEY}")).json() == listed
    assert (await sol.get("/invoices?order=9")).json()["items"] == []
    xml = await sol.get(f"/invoices/{KEY}/xml")
    assert xml.content == raw
    assert xml.headers["content-type"] == "application/xml"
    assert KEY in xml.headers["content-disposition"]


async def test_parcels_are_read_back_with_the_state(sol: httpx.AsyncClient, db: Database) -> None:
    await sol.post("/orders", json=order())
    assert (await sol.get("/orders/1001/shipments")).json() == []
    found = await one(db, Order)
    async with db.write() as session:
        session.add(Shipment(merchant_id="loja-sol", order_id=found.id, carrier="Correios", tracking_code="BR1"))
    (parcel,) = (await sol.get("/orders/1001/state")).json()["shipments"]
    assert (parcel["carrier"], parcel["tracking_code"], parcel["state"]) == ("Correios", "BR1", "shipped")


class TestStage:
    """`PUT /orders/{number}/stage`: the shop tells how far it has come."""

    async def test_the_order_moves_on_and_the_erp_that_has_it_is_told(
        self, sol: httpx.AsyncClient, db: Database, erp: Connection
    ) -> None:
        await sol.post("/orders", json=order())
        await sol.post("/orders/1001/payments", json=APPROVED)
        found = await one(db, Order)
        async with db.write() as session:
            here = {"merchant_id": "loja-sol", "connection_id": erp.id, "kind": "order", "record_id": found.id}
            session.add(Binding(**here, external_id="77", sent_hash=found.content_hash, told="approved"))
            await session.execute(update(OutboxEntry).values(state="sent"))
        tracking = {"code": "BR1", "url": "https://rastreio.example/BR1", "carrier": "Correios"}
        body = {"stage": "shipped", "tracking": tracking, "at": "2026-08-03T09:00:00-03:00"}
        answer = await sol.put("/orders/1001/stage", json=body)
        assert answer.status_code == 200
        state = answer.json()
        assert (state["stage"], [one["state"] for one in state["systems"]]) == ("shipped", ["waiting"])
        assert state["shipments"] == [
            {
                "state": "shipped",
                "carrier": "Correios",
                "tracking_code": "BR1",
                "tracking_url": "https://rastreio.example/BR1",
                "shipped_at": "2026-08-03T12:00:00Z",
                "delivered_at": None,
            }
        ]
        assert (await sol.get("/orders/1001/state")).json() == state
        assert (await sol.get("/orders/1001")).json()["stage"] == "shipped"
        assert (await sol.get("/orders")).json()["items"][0]["stage"] == "shipped"
        version = await queued(db, erp)
        late = await sol.put("/orders/1001/stage", json={"stage": "preparing"})
        assert (late.status_code, late.json()) == (200, state)
        assert await queued(db, erp) == version, "nothing new, nobody is told"

    async def test_without_news_the_stage_is_the_moneys(self, sol: httpx.AsyncClient) -> None:
        placed = await sol.post("/orders", json=order())
        assert placed.json()["stage"] == "open"
        paid = await sol.post("/orders/1001/payments", json=APPROVED)
        assert paid.json()["stage"] == "approved"
        cancelled = await sol.post("/orders/1001/cancel")
        assert cancelled.json()["stage"] == "cancelled"
        moved = await sol.put("/orders/1001/stage", json={"stage": "shipped"})
        assert moved.json()["stage"] == "cancelled", "it has ended"

    @pytest.mark.parametrize(
        ("body", "pointer", "words"),
        [
            (
                {"stage": "sent"},
                "#/stage",
                "'preparing', 'invoiced', 'ready', 'shipped', 'not_delivered' or 'delivered'",
            ),
            ({"stage": "cancelled"}, "#/stage", "POST /orders/{number}/cancel"),
            ({"stage": "approved"}, "#/stage", "by its payments"),
            ({}, "#/stage", "required"),
            ({"stage": "shipped", "tracking": {}}, "#/tracking/code", "required"),
            ({"stage": "shipped", "tracking": {"code": "1", "url": "javascript:x"}}, "#/tracking/url", "pattern"),
            ({"stage": "shipped", "at": "2026-08-03T09:00:00"}, "#/at", "timezone"),
            ({"stage": "shipped", "carrier": "Correios"}, "#/carrier", "not permitted"),
        ],
    )
    async def test_what_does_not_fit_is_told_with_what_does(
        self, sol: httpx.AsyncClient, body: dict[str, Any], pointer: str, words: str
    ) -> None:
        await sol.post("/orders", json=order())
        answer = await sol.put("/orders/1001/stage", json=body)
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error["pointer"] == pointer
        assert words in error["detail"]

    async def test_no_merchant_moves_anothers_order(self, sol: httpx.AsyncClient, lua: httpx.AsyncClient) -> None:
        await sol.post("/orders", json=order())
        assert (await lua.put("/orders/1001/stage", json={"stage": "shipped"})).status_code == 404
        assert (await sol.get("/orders/1001")).json()["stage"] == "open"

    async def test_a_time_to_come_is_now(self, sol: httpx.AsyncClient) -> None:
        await sol.post("/orders", json=order())
        body = {"stage": "shipped", "tracking": {"code": "BR1"}, "at": "2999-01-01T00:00:00Z"}
        (parcel,) = (await sol.put("/orders/1001/stage", json=body)).json()["shipments"]
        assert parcel["shipped_at"] < "2999"
