"""TagPlus's calls: headers, pages, and filters that may do nothing."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from hub.db import Database
from hub.policy import Policy
from hub.quota import Limiter
from providers.contract import Attempt, CallFailed, Found, Outcome
from providers.http import Http
from providers.tagplus.client import VERSION, Client
from providers.tagplus.errors import Judge
from providers.tagplus.provider import TagPlus
from tests.providers.test_http import Token, Vendor
from tests.providers.test_tagplus_mapper import BUYER, ORDER

SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)


def opened(db: Database, *replies: Any, policy: Policy | None = None) -> tuple[TagPlus, Vendor]:
    vendor = Vendor(*replies)
    http = Http(
        "tagplus test",
        "https://api.vendor.invalid",
        Token(),
        Judge(),
        Limiter(db, "tagplus:test", 0),
        2,
        headers=VERSION,
        transport=vendor,
        attempts=1,
        first_wait_s=0.0,
    )
    return TagPlus(Client(http), policy or Policy()), vendor


def table(rows: list[dict[str, Any]], *, told: bool = False, most: int = 100) -> Any:
    """Answers pages of these rows, whatever is filtered by; with `told` it says how many pages there are."""

    def answer(request: httpx.Request) -> httpx.Response:
        size = min(most, int(request.url.params["per_page"]))
        first = (int(request.url.params["page"]) - 1) * size
        headers = {"X-Total-Pages": str(-(-len(rows) // size))} if told else {}
        return httpx.Response(200, content=json.dumps(rows[first : first + size]).encode(), headers=headers)

    return answer


def many(count: int, **rest: Any) -> list[dict[str, Any]]:
    return [{"id": n, "codigo": f"S-{n}", "codigo_externo": f"x-{n}", **rest} for n in range(1, count + 1)]


async def test_every_call_says_the_version_and_each_date_its_field(db: Database) -> None:
    provider, vendor = opened(db, httpx.Response(200, json=[]))
    [page async for page in provider.changed_products(SINCE)]
    [page async for page in provider.changed_orders(SINCE)]
    [page async for page in provider.list_invoices(date(2026, 3, 1), date(2026, 3, 2))]
    await provider.find_order(ORDER, Attempt())
    await provider.list_products(1)
    fields = [request.headers.get("X-Data-Filter") for request in vendor.requests]
    assert fields == ["data_alteracao", "data_alteracao", "data_emissao", "data_criacao", None]
    assert {request.headers["X-Api-Version"] for request in vendor.requests} == {"2.0"}
    since = [request.url.params.get("since") for request in vendor.requests]
    assert since == ["2026-03-01 09:00:00"] * 2 + ["2026-03-01 00:00:00"] * 2 + [None], "São Paulo's clock"
    assert vendor.requests[2].url.params["until"] == "2026-03-02 23:59:59"


@pytest.mark.parametrize("count", [0, 1, 99, 100, 101, 250])
@pytest.mark.parametrize("told", [True, False])
async def test_pages_are_walked_to_their_end(db: Database, count: int, told: bool) -> None:
    provider, _ = opened(db, table(many(count), told=told))
    rows, page = [], 1
    while page is not None:
        found = await provider.list_products(page)
        rows += found.rows
        page = found.next
    assert [row.external_id for row in rows] == [str(n) for n in range(1, count + 1)]


async def test_a_smaller_page_than_asked_for_is_no_end_where_the_pages_are_told(db: Database) -> None:
    provider, _ = opened(db, table(many(120), told=True, most=50))
    assert [row.external_id for page in (1, 2, 3) for row in (await provider.list_products(page)).rows][-1] == "120"
    assert (await provider.list_products(1)).next == 2


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 100, 120])
async def test_a_vendor_whose_pages_are_smaller_and_who_tells_no_number_is_walked_to_the_end(
    db: Database, count: int
) -> None:
    for provider in (opened(db, table(many(count), most=50))[0] for _ in range(2)):
        rows, page = [], 1
        while page is not None:
            found = await provider.list_products(page)
            rows += found.rows
            page = found.next
        assert [row.external_id for row in rows] == [str(n) for n in range(1, count + 1)]


async def test_a_walk_that_is_taken_up_in_the_middle_goes_on(db: Database) -> None:
    provider, _ = opened(db, table(many(120), most=50))
    assert (await provider.list_products(2)).next == 3
    assert (await provider.list_products(3)).next is None


async def test_a_table_that_knows_no_pages_is_read_twice_and_not_for_ever(db: Database) -> None:
    rows = httpx.Response(200, json=many(7))
    provider, vendor = opened(db, rows)
    assert len(await provider.client.products_of_code("S-1")) >= 7
    assert len(vendor.requests) == 2


async def test_nothing_found_may_be_a_404(db: Database) -> None:
    provider, _ = opened(db, httpx.Response(404, json={"error_code": "nao_encontrado"}))
    assert await provider.find_products("S-1") == []
    assert (await provider.list_products(1)).rows == ()


async def test_what_is_no_list_is_no_empty_one(db: Database) -> None:
    provider, _ = opened(db, httpx.Response(200, json={"data": []}))
    with pytest.raises(CallFailed) as raised:
        await provider.list_products(1)
    assert (raised.value.outcome, raised.value.reason) == (Outcome.RETRY, "unreadable")


async def test_a_filter_that_does_nothing_costs_calls_and_no_double(db: Database) -> None:
    provider, vendor = opened(db, table(many(250)))
    assert [found.external_id for found in await provider.find_products("S-249")] == ["249"]
    assert await provider.find_products("S-999") == []
    ours = [*many(250), {"id": 251, "codigo_externo": ORDER.record_id, "status": "A"}]
    provider, vendor = opened(db, table(ours))
    found = await provider.find_order(ORDER, Attempt())
    assert found is not None and found.external_id == "251"
    assert await provider.create_order(ORDER, Attempt()) == Found("251")
    assert {request.method for request in vendor.requests} == {"GET"}


async def test_a_search_that_finds_everybody_finds_nobody(db: Database) -> None:
    provider, vendor = opened(db, table(many(500, cpf="111.444.777-35")))
    assert await provider.find_customers(BUYER) == []
    searched = [{k: v for k, v in r.url.params.items() if k in ("q", "cpf", "cnpj")} for r in vendor.requests]
    assert searched == [{"q": "52998224725"}, {"cpf": "529.982.247-25"}, {"cpf": "52998224725"}]


async def test_a_create_that_tells_no_id_may_have_been_one(db: Database) -> None:
    provider, _ = opened(db, httpx.Response(201, json={"numero": 7}))
    with pytest.raises(CallFailed) as raised:
        await provider.client.create_order({"status": "A"})
    assert raised.value.outcome is Outcome.UNKNOWN


async def test_of_payment_forms_only_what_is_needed_is_asked(db: Database) -> None:
    """The whole answer holds secrets of payment gateways (`§10`)."""
    forms = [{"id": 3, "ativo": 1, "descricao": "PIX", "forma_pagamento_base": 15, "qtd_max_parcelas": 1}]
    provider, vendor = opened(db, table([]), table(forms, told=True), httpx.Response(201, json={"id": 9}))
    assert await provider.create_order(ORDER, Attempt()) == "9"
    asked = vendor.requests[1].url
    assert asked.path == "/formas_pagamento"
    assert set(asked.params["fields"].split(",")) == {
        "id",
        "ativo",
        "descricao",
        "forma_pagamento_base",
        "qtd_max_parcelas",
    }
    body = json.loads(vendor.requests[2].content)
    assert sum(Decimal(str(part["valor_parcela"])) for part in body["faturas"][0]["parcelas"]) == ORDER.total
