"""Who gets in: tokens, one merchant never at another's rows, rate, size, idempotency; and errors of one shape."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text, update

from hub import api_tokens
from hub.clock import utcnow
from hub.db import Database
from hub.tables import ApiToken, IdempotencyKey, Invoice, Order, Product
from tests.hub.shop import NOON, connect, one, rows
from tests.web.conftest import order, product
from web.api import gate
from web.api.gate import Rates
from web.api.idempotency import KEPT, LEFT_AFTER

KEY = "35260811222333000181550010000001231000001234"


class TestToken:
    @pytest.mark.parametrize(
        "header",
        [None, "", "Bearer", "Bearer ", "Basic est_x", "Bearer est_short", "Bearer est_" + "x" * 43, "Bearer ünïcode"],
    )
    async def test_without_one_of_ours_there_is_no_way_in(self, sol: httpx.AsyncClient, header: str | None) -> None:
        sol.headers.pop("Authorization")
        headers = {} if header is None else {"Authorization": header.encode()}
        answer = await sol.get("/products", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.headers["content-type"] == "application/problem+json"

    async def test_a_revoked_one_is_told_so(self, sol: httpx.AsyncClient, db: Database) -> None:
        assert (await sol.get("/products")).status_code == 200
        async with db.write() as session:
            await api_tokens.revoke(session, (await one(db, ApiToken)).id)
        assert (await sol.get("/products")).status_code == 403

    async def test_it_is_stored_as_a_hash_and_its_use_is_noted_now_and_then(
        self, sol: httpx.AsyncClient, db: Database
    ) -> None:
        token = sol.headers["authorization"].split()[1]
        row = await one(db, ApiToken)
        assert token not in repr(row)
        assert row.last_used_at is None
        await sol.get("/products")
        noted = (await one(db, ApiToken)).last_used_at
        await sol.get("/products")
        assert noted is not None
        assert (await one(db, ApiToken)).last_used_at == noted

    async def test_a_body_that_does_not_fit_is_not_looked_at_without_one(self, sol: httpx.AsyncClient) -> None:
        answer = await sol.put("/products/X", json={"nonsense": 1}, headers={"Authorization": "Bearer no"})
        assert answer.status_code == 401


class TestIsolation:
    async def test_one_merchant_never_sees_or_moves_anothers_rows(
        self, sol: httpx.AsyncClient, lua: httpx.AsyncClient, db: Database
    ) -> None:
        erp = await connect(db, "loja-sol-erp", takes=("order",))
        await sol.put("/products/CAN-1", json=product())
        await sol.post("/orders", json=order())
        await sol.post("/orders", json=order("1002", total="1.00"))
        async with db.write() as session:
            session.add(
                Invoice(
                    merchant_id="loja-sol",
                    order_id=(await one(db, Order)).id,
                    connection_id=erp.id,
                    access_key=KEY,
                    number="1",
                    series="1",
                    model="55",
                    state="authorised",
                    total=Decimal(70),
                    xml="<x/>",
                    issued_at=NOON,
                )
            )
        before = (await sol.get("/products/CAN-1")).json(), (await sol.get("/orders/1001")).json()
        for path in ("/products", "/orders", "/invoices", "/notices?all=true"):
            assert len((await sol.get(path)).json()["items"]) == 1, path
            assert (await lua.get(path)).json()["items"] == [], path
        tries: list[tuple[str, str, Any]] = [
            ("GET", "/products/CAN-1", None),
            ("PATCH", "/products/CAN-1", {"name": "Minha"}),
            ("PUT", "/products/CAN-1/price", {"list_price": "1.00"}),
            ("PUT", "/products/CAN-1/stock", {"quantity": 0}),
            ("DELETE", "/products/CAN-1", None),
            ("GET", "/orders/1001", None),
            ("GET", "/orders/1001/state", None),
            ("GET", "/orders/1001/invoices", None),
            ("POST", "/orders/1001/payments", {"reference": "p", "event": "approved", "amount": "70.00"}),
            ("POST", "/orders/1001/cancel", None),
            ("GET", f"/invoices/{KEY}", None),
            ("GET", f"/invoices/{KEY}/xml", None),
        ]
        for method, path, body in tries:
            answer = await lua.request(method, path, json=body)
            assert answer.status_code == 404, (method, path)
            assert "Inventada" not in answer.text
        cursor = (await sol.get("/products?limit=1")).json()
        assert cursor["next_cursor"] is None
        assert ((await sol.get("/products/CAN-1")).json(), (await sol.get("/orders/1001")).json()) == before

    async def test_the_same_sku_number_and_key_of_two_merchants_do_not_meet(
        self, sol: httpx.AsyncClient, lua: httpx.AsyncClient, db: Database
    ) -> None:
        key = {"Idempotency-Key": "k1"}
        for client in (sol, lua):
            assert (await client.put("/products/CAN-1", json=product(), headers=key)).status_code == 201
            assert (await client.post("/orders", json=order())).status_code == 201
        assert len(await rows(db, Product)) == len(await rows(db, Order)) == 2

    async def test_every_route_of_the_api_asks_for_a_token(self, app: FastAPI, sol: httpx.AsyncClient) -> None:
        sol.headers.pop("Authorization")
        paths = {path: methods for path, methods in app.openapi()["paths"].items() if path.startswith("/api/")}
        assert len(paths) > 12
        for path, methods in paths.items():
            for method in methods:
                there = path.removeprefix("/api/v1").replace("{access_key}", KEY)
                answer = await sol.request(method, there.replace("{", "").replace("}", ""))
                assert answer.status_code == 401, (method, path)


class TestRate:
    async def test_a_token_that_calls_too_fast_is_told_how_long_to_wait(
        self, app: FastAPI, caller: Callable[..., Any]
    ) -> None:
        now = 100.0
        app.state.rates = Rates(per_second=0.5, burst=3, now=lambda: now)
        first, second = await caller("loja-sol"), await caller("loja-sol")
        assert [(await first.get("/products")).status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = await first.get("/products")
        assert refused.headers["retry-after"] == "2"
        assert refused.headers["content-type"] == "application/problem+json"
        assert (await second.get("/products")).status_code == 200, "each token has a rate of its own"
        now += 2
        assert [(await first.get("/products")).status_code for _ in range(2)] == [200, 429]

    def test_over_time_the_rate_is_held(self) -> None:
        clock = [0.0]
        rates = Rates(per_second=10, burst=5, now=lambda: clock[0])
        passed = 0
        for _ in range(1000):
            passed += rates.take("t") == 0
            clock[0] += 0.01
        assert 100 <= passed <= 105


class TestSize:
    async def test_too_large_a_body_is_refused_whatever_it_says_of_its_length(
        self, sol: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gate, "MOST_BYTES", 1000)

        async def dribble() -> Any:
            for _ in range(30):
                yield b" " * 100

        assert (await sol.put("/products/X", content=b" " * 1001)).status_code == 413
        assert (await sol.put("/products/X", content=dribble())).status_code == 413
        assert (await sol.put("/products/X", json=product())).status_code == 201


class TestIdempotency:
    KEY: ClassVar[dict[str, str]] = {"Idempotency-Key": "chave-1"}

    async def test_sent_again_it_is_answered_again_and_nothing_happens(
        self, sol: httpx.AsyncClient, db: Database
    ) -> None:
        first = await sol.post("/orders", json=order(), headers=self.KEY)
        await sol.post("/orders/1001/cancel")
        again = await sol.post("/orders", json=order(), headers=self.KEY)
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.json()["state"] == "created", "the answer of that time"
        assert (again.headers["idempotency-replayed"], again.headers["location"]) == ("true", first.headers["location"])
        assert "idempotency-replayed" not in first.headers

    async def test_the_kept_answer_is_encrypted(self, sol: httpx.AsyncClient, db: Database) -> None:
        await sol.post("/orders", json=order(), headers=self.KEY)
        async with db.read() as session:
            raw = str((await session.execute(text("select * from idempotency_key"))).all())
        assert "Inventada" not in raw
        assert "52998224725" not in raw

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/orders", order(notes="outro")),
            ("PUT", "/products/CAN-1", product()),
            ("POST", "/orders?x=1", order()),
        ],
    )
    async def test_with_another_request_it_is_refused(
        self, sol: httpx.AsyncClient, method: str, path: str, body: Any
    ) -> None:
        await sol.post("/orders", json=order(), headers=self.KEY)
        refused = await sol.request(method, path, json=body, headers=self.KEY)
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:esteira:problem:idempotency-key-reused")

    async def test_a_refusal_is_an_answer_too(self, sol: httpx.AsyncClient) -> None:
        first = await sol.post("/orders", json=order(total="1.00"), headers=self.KEY)
        again = await sol.post("/orders", json=order(total="1.00"), headers=self.KEY)
        assert (again.status_code, again.json()) == (first.status_code, first.json()) == (422, first.json())
        assert again.headers["content-type"] == "application/problem+json"

    async def test_two_at_once_happen_once(
        self, sol: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arrived, go_on = asyncio.Event(), asyncio.Event()
        put_product = gate.once.__globals__["_keep"]

        async def slow(*arguments: Any) -> None:
            arrived.set()
            await go_on.wait()
            await put_product(*arguments)

        monkeypatch.setitem(gate.once.__globals__, "_keep", slow)
        first = asyncio.create_task(sol.put("/products/CAN-1", json=product(), headers=self.KEY))
        await asyncio.wait_for(arrived.wait(), 20)
        meanwhile = await sol.put("/products/CAN-1", json=product(), headers=self.KEY)
        assert meanwhile.status_code == 409
        assert meanwhile.headers["retry-after"] == "1"
        go_on.set()
        assert (await first).status_code == 201
        assert (await sol.put("/products/CAN-1", json=product(), headers=self.KEY)).status_code == 201

    async def test_many_at_once_make_one_and_differ_in_nothing_else(self, sol: httpx.AsyncClient, db: Database) -> None:
        answers = await asyncio.gather(*(sol.post("/orders", json=order(), headers=self.KEY) for _ in range(8)))
        assert {a.status_code for a in answers} <= {201, 409}
        assert sum(a.status_code == 201 and "idempotency-replayed" not in a.headers for a in answers) == 1
        assert len(await rows(db, Order)) == 1

    async def test_after_a_fault_of_ours_the_key_is_free(
        self, sol: httpx.AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from hub import store

        async def broken(*_: Any) -> None:
            raise RuntimeError("Compra Inventada Ltda")

        sol._transport.raise_app_exceptions = False  # type: ignore[attr-defined]
        with monkeypatch.context() as patched:
            patched.setattr(store, "put_product", broken)
            failed = await sol.put("/products/CAN-1", json=product(), headers=self.KEY)
        assert failed.status_code == 500
        assert failed.headers["content-type"] == "application/problem+json"
        assert "Inventada" not in failed.text
        assert await rows(db, IdempotencyKey) == []
        assert (await sol.put("/products/CAN-1", json=product(), headers=self.KEY)).status_code == 201

    async def test_one_left_at_work_by_a_process_that_died_is_taken_over(
        self, sol: httpx.AsyncClient, db: Database
    ) -> None:
        await sol.put("/products/CAN-1", json=product(), headers=self.KEY)
        async with db.write() as session:
            await session.execute(update(IdempotencyKey).values(status=0, answer={}))
        assert (await sol.put("/products/CAN-1", json=product(), headers=self.KEY)).status_code == 409
        async with db.write() as session:
            await session.execute(update(IdempotencyKey).values(created_at=utcnow() - LEFT_AFTER * 2))
        assert (await sol.put("/products/CAN-1", json=product(), headers=self.KEY)).status_code == 200
        assert (await one(db, IdempotencyKey)).status == 200

    async def test_after_a_day_it_is_forgotten(self, sol: httpx.AsyncClient, db: Database) -> None:
        await sol.put("/products/CAN-1", json=product(), headers=self.KEY)
        async with db.write() as session:
            await session.execute(update(IdempotencyKey).values(created_at=utcnow() - KEPT - timedelta(minutes=1)))
        assert (await sol.put("/products/CAN-2", json=product(), headers=self.KEY)).status_code == 201

    @pytest.mark.parametrize("key", ["", "x" * 201, "a\tb"])
    async def test_a_key_that_cannot_be_is_refused(self, sol: httpx.AsyncClient, key: str) -> None:
        answer = await sol.put("/products/CAN-1", json=product(), headers={"Idempotency-Key": key})
        assert answer.status_code in (400, 422)

    async def test_reads_pay_it_no_heed(self, sol: httpx.AsyncClient, db: Database) -> None:
        await sol.get("/products", headers=self.KEY)
        assert await rows(db, IdempotencyKey) == []


class TestErrors:
    async def test_all_have_one_shape(self, sol: httpx.AsyncClient) -> None:
        answers = [
            await sol.get("/nothing"),
            await sol.delete("/orders"),
            await sol.get("/products/NADA"),
            await sol.put("/products/X", content=b"{", headers={"Content-Type": "application/json"}),
            await sol.get("/orders?state=odd"),
            await sol.get("/products/a%00b"),
            await sol.get("/invoices/short"),
        ]
        assert [a.status_code for a in answers] == [404, 405, 404, 422, 422, 422, 422]
        for answer in answers:
            assert answer.headers["content-type"] == "application/problem+json"
            body = json.loads(answer.content)
            assert {"type", "title", "status", "detail", "instance", "errors"} <= body.keys()
            assert body["status"] == answer.status_code
            assert body["instance"].startswith("/api/v1/")

    async def test_the_description_lists_every_body_and_the_token(self, app: FastAPI) -> None:
        openapi = app.openapi()
        assert openapi["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
        money = openapi["components"]["schemas"]["OrderIn"]["properties"]["total"]
        assert (money["type"], money["format"]) == ("string", "decimal")
        names = [p["name"] for p in openapi["paths"]["/api/v1/orders"]["post"]["parameters"]]
        assert "idempotency-key" in names
