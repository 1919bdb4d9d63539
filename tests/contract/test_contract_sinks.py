"""What every system that products and orders are sent to must do: find, create, bring up to date, cancel, once each."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hub.policy import Policy
from hub.records import OutgoingCustomer, OutgoingInstalment, OutgoingItem, OutgoingOrder, OutgoingProduct
from providers.contract import Attempt, CallFailed, InvoiceSource, OrderSink, Outcome, ProductSink, Revocable
from providers.registry import KINDS, capability
from tests.contract.subjects import Subject

DAY = date(2026, 3, 2)
MUG = OutgoingProduct(
    record_id="01",
    sku="CANECA-1",
    name="Caneca azul",
    price=Decimal("32.90"),
    unit="UN",
    ncm="69120000",
    gtin="7891234567895",
    origin="0",
    weight_net=Decimal("0.350"),
    stock=Decimal(7),
)
BUYER = OutgoingCustomer(record_id="a1" * 16, name="Compradora Exemplo", document="52998224725")
GUEST = OutgoingCustomer(record_id="b2" * 16, name="Visitante Exemplo")


def an_order(customer: str, product: str, number: str = "1001", **rest: Any) -> OutgoingOrder:
    """Two mugs of 32.90, 5.80 less and 10.00 of freight: 70.00 in three instalments."""
    parts = (Decimal("23.34"), Decimal("23.33"), Decimal("23.33"))
    made = OutgoingOrder(
        record_id=f"{int(number):032x}",
        number=number,
        marker=f"Pedido {number} · esteira {int(number):032x}",
        customer_ref=customer,
        items=(OutgoingItem(product, "CANECA-1", "Caneca azul", Decimal(2), Decimal("32.90")),),
        discount=Decimal("5.80"),
        freight=Decimal("10.00"),
        total=Decimal("70.00"),
        payment_method="credit_card",
        instalments=tuple(
            OutgoingInstalment(DAY + timedelta(days=30 * place), part) for place, part in enumerate(parts, start=1)
        ),
        placed_on=DAY,
    )
    return replace(made, **rest)


def sales(sink: Subject) -> list[dict[str, Any]]:
    found: Any = sink.sandbox.ask("GET", "/contaazul/accounts/demo/sales")
    rows: list[dict[str, Any]] = found["sales"] if isinstance(found, dict) else found
    return rows


@pytest.fixture
async def shop(sink: Subject) -> AsyncIterator[tuple[Any, str, str]]:
    """An open provider, a customer and a product over there."""
    sink.sandbox.ask("POST", "/settings", contaazul_auto_invoice=False)
    async with sink.opened() as provider:
        yield provider, await provider.create_customer(BUYER), await provider.create_product(MUG)


async def test_it_has_the_capabilities_it_claims(sink: Subject) -> None:
    async with sink.opened() as provider:
        for wanted in (ProductSink, OrderSink, InvoiceSource, Revocable):
            assert capability(provider, wanted) is provider
        account = await provider.check()
    assert account.name and account.document
    assert account.features["takes"] == list(KINDS[sink.kind].takes) == ["product", "price", "order"]


async def test_a_product_is_created_found_by_its_sku_alone_and_brought_up_to_date(sink: Subject) -> None:
    async with sink.opened() as provider:
        assert await provider.find_products(MUG.sku) == []
        created = await provider.create_product(MUG)
        await provider.create_product(replace(MUG, sku="CANECA-10", name="CANECA-1 grande"))
        assert [found.external_id for found in await provider.find_products(MUG.sku)] == [created]
        assert await provider.find_products("CANECA") == []
        await provider.update_product(created, replace(MUG, price=Decimal("29.99"), name="Caneca azul 300 ml"))
    (there,) = [
        row
        for row in sink.sandbox.ask("GET", "/contaazul/accounts/demo/products")
        if row.get("codigo_sku", row.get("codigo")) == MUG.sku
    ]
    told = json.dumps(there, ensure_ascii=False)
    assert "29.99" in told and "Caneca azul 300 ml" in told and "7891234567895" in told


async def test_many_products_cost_one_look_up_a_code(sink: Subject) -> None:
    async with sink.opened() as provider:
        await asyncio.gather(*(provider.create_product(replace(MUG, sku=f"C-{n}")) for n in range(10)))
        assert provider.calls == 10 + 2


@pytest.mark.parametrize("bad", [{"ncm": "00"}, {"unit": "BALDE"}])
async def test_a_code_that_is_not_there_is_refused_with_words_and_nothing_is_made(
    sink: Subject, bad: dict[str, str]
) -> None:
    async with sink.opened() as provider:
        with pytest.raises(CallFailed) as raised:
            await provider.create_product(replace(MUG, **bad))
        assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "validation")
        assert next(iter(bad.values())) in raised.value.detail
        assert await provider.find_products(MUG.sku) == []


@pytest.mark.parametrize("search", ["both", "digits", "masked"])
async def test_a_customer_is_found_by_document_however_it_is_searched(sink: Subject, search: str) -> None:
    sink.sandbox.ask("POST", "/settings", contaazul_document_search=search)
    company = replace(BUYER, record_id="c3" * 16, document="11222333000181")
    async with sink.opened() as provider:
        for wanted in (BUYER, company):
            assert await provider.find_customers(wanted) == []
            created = await provider.create_customer(wanted)
            assert [found.external_id for found in await provider.find_customers(wanted)] == [created]


async def test_a_guest_is_found_again_and_is_nobody_else(sink: Subject) -> None:
    async with sink.opened() as provider:
        await provider.create_customer(BUYER)
        assert await provider.find_customers(GUEST) == []
        created = await provider.create_customer(GUEST)
        assert [found.external_id for found in await provider.find_customers(GUEST)] == [created]
        assert await provider.find_customers(replace(GUEST, record_id="d4" * 16)) == []


async def test_an_order_is_created_with_totals_that_agree(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    order = an_order(customer, product)
    created = await provider.create_order(order, await provider.prepare_order(order))
    assert (await provider.find_order(order, Attempt())).external_id == created
    (sale,) = sales(sink)
    request = sale["request"]
    assert sum(part["valor"] for part in request["condicao_pagamento"]["parcelas"]) == pytest.approx(70)
    assert request["condicao_pagamento"]["opcao_condicao_pagamento"] == "3x"
    assert order.marker in request["observacoes"]


async def test_orders_at_once_in_two_openings_get_a_number_each(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    orders = [an_order(customer, product, str(number)) for number in range(1001, 1021)]

    async def send(to: Any, order: OutgoingOrder) -> str:
        created: str = await to.create_order(order, await to.prepare_order(order))
        return created

    async with sink.opened() as other:
        created = await asyncio.gather(*(send([provider, other][n % 2], order) for n, order in enumerate(orders)))
    there = sales(sink)
    assert len(set(created)) == len(there) == len({sale["numero"] for sale in there}) == 20


async def test_numbers_are_asked_for_once(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    before = provider.calls
    for number in range(1001, 1011):
        order = an_order(customer, product, str(number))
        await provider.create_order(order, await provider.prepare_order(order))
    assert provider.calls - before == 11


async def test_a_number_that_somebody_took_meanwhile_costs_another(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    attempt = await provider.prepare_order(an_order(customer, product, "1001"))
    async with sink.opened() as other:
        order = an_order(customer, product, "1002")
        taken = await other.create_order(order, attempt)
    created = await provider.create_order(an_order(customer, product, "1001"), attempt)
    assert created != taken
    assert len(sales(sink)) == 2


async def test_a_sale_whose_answer_was_lost_is_found_and_not_made_again(
    sink: Subject, shop: tuple[Any, str, str]
) -> None:
    provider, customer, product = shop
    order = an_order(customer, product)
    attempt = await provider.prepare_order(order)
    sink.sandbox.fault("answer_lost", match={"operation": "POST /v1/venda"})
    with pytest.raises(CallFailed) as raised:
        await provider.create_order(order, attempt)
    assert raised.value.outcome is Outcome.UNKNOWN
    found = await provider.find_order(order, attempt)
    assert found and [found.external_id] == [sale["id"] for sale in sales(sink)]


async def test_creating_again_while_the_search_lags_finds_the_first_sale(
    sink: Subject, shop: tuple[Any, str, str]
) -> None:
    """Its number is taken, and by nobody that the search shows: it is looked for until any search must show it."""
    provider, customer, product = shop
    provider.search_lag_s = 1.2
    order = an_order(customer, product)
    attempt = await provider.prepare_order(order)
    sink.sandbox.ask("POST", "/settings", contaazul_search_lag_s=1)
    sink.sandbox.fault("answer_lost", match={"operation": "POST /v1/venda"})
    with pytest.raises(CallFailed):
        await provider.create_order(order, attempt)
    assert await provider.find_order(order, attempt) is None
    created = await provider.create_order(order, attempt)
    assert [created] == [sale["id"] for sale in sales(sink)]


async def test_another_order_of_the_same_day_and_customer_is_not_ours(
    sink: Subject, shop: tuple[Any, str, str]
) -> None:
    provider, customer, product = shop
    first, second = an_order(customer, product, "100"), an_order(customer, product, "1001")
    await provider.create_order(first, await provider.prepare_order(first))
    assert await provider.find_order(second, Attempt({"numero": 1})) is None


async def test_an_order_is_cancelled_whole_and_once(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    order = an_order(customer, product)
    created = await provider.create_order(order, await provider.prepare_order(order))
    assert await provider.cancel_order(created, order) is True
    (sale,) = sales(sink)
    assert sale["situacao"] == "CANCELADO"
    before = provider.calls
    assert await provider.cancel_order(created, order) is True
    assert provider.calls == before + 1
    found = await provider.find_order(order, Attempt())
    assert found and not found.active


async def test_a_sale_that_was_invoiced_is_not_cancelled(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    order = an_order(customer, product)
    created = await provider.create_order(order, await provider.prepare_order(order))
    sink.sandbox.ask("POST", f"/contaazul/accounts/demo/sales/{created}/invoice")
    assert await provider.cancel_order(created, order) is False


async def test_a_sale_that_is_not_there_needs_no_cancelling(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    nobody = "00000000-0000-4000-8000-000000000000"
    assert await provider.cancel_order(nobody, an_order(customer, product)) is True


async def test_an_order_that_is_refused_is_told_with_the_vendors_words(
    sink: Subject, shop: tuple[Any, str, str]
) -> None:
    provider, customer, product = shop
    order = replace(an_order(customer, product), freight=Decimal(11))
    before = provider.calls
    with pytest.raises(CallFailed) as raised:
        await provider.create_order(order, await provider.prepare_order(order))
    assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "validation")
    assert raised.value.detail
    assert provider.calls - before <= 3
    assert sales(sink) == []


async def test_the_invoice_of_a_sale_is_listed_and_read(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    order = an_order(customer, product)
    created = await provider.create_order(order, await provider.prepare_order(order))
    today = date.fromisoformat(sink.sandbox.ask("GET", "/clock")["now"][:10])
    first, last = today - timedelta(days=40), today + timedelta(days=1)
    assert await provider.invoices_of_order(created, first, last) == []
    sink.sandbox.ask("POST", f"/contaazul/accounts/demo/sales/{created}/invoice")
    (row,) = await provider.invoices_of_order(created, first, last)
    assert (len(row.access_key), row.status) == (44, "EMITIDA")
    assert [row] == [one async for page in provider.list_invoices(first, last) for one in page]
    assert (await provider.read_invoice(row.access_key)).lstrip().startswith(b"<")
    corrected = f"/contaazul/accounts/demo/invoices/{row.access_key}/correct"
    sink.sandbox.ask("POST", corrected, text="A cor da caneca é azul")
    assert (await provider.read_invoice(row.access_key)).startswith(b"PK")
    assert type(await provider.read_invoice("1" * 44)).__name__ == "Gone"


async def test_a_plan_without_the_api_is_told_as_such(sink: Subject) -> None:
    sink.sandbox.ask("POST", "/contaazul/accounts/demo", plan_has_api=False)
    async with sink.opened() as provider:
        with pytest.raises(CallFailed) as raised:
            await provider.check()
    assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "plan")


async def test_a_consent_taken_back_ends_the_connection(sink: Subject) -> None:
    async with sink.opened() as provider:
        await provider.revoke()
        await provider.revoke()
    async with sink.opened(access_token="", refresh_token="spent") as provider:
        with pytest.raises(CallFailed) as raised:
            await provider.check()
    assert (raised.value.outcome, raised.value.reason) == (Outcome.REAUTH, "token")


async def test_the_quota_is_kept_without_one_answer_over_it(sink: Subject) -> None:
    """600 a minute and 10 a second, at a clock five times as fast: 60 calls as fast as they may go."""
    sandbox = sink.sandbox
    sandbox.ask("POST", "/contaazul/accounts/demo", per_second=10, per_minute=600)
    sandbox.ask("POST", "/settings", clock_rate=5)
    async with sink.opened(policy=Policy()) as provider:
        provider.http.limiter.clock_rate = 5
        await asyncio.gather(*(provider.find_products(f"S-{n}") for n in range(60)))
    assert sandbox.ask("GET", "/calls/summary")["over_limit_answers"] == 0


async def test_over_the_quota_the_account_waits_and_goes_on(sink: Subject) -> None:
    sink.sandbox.fault("over_quota", times=2)
    async with sink.opened() as provider:
        assert await provider.find_products("X") == []
        assert provider.calls == 3


async def test_an_expired_token_is_renewed_once_by_twenty_tasks(sink: Subject) -> None:
    async with sink.opened() as provider, sink.opened() as other:
        sink.sandbox.ask("POST", "/clock", advance_s=2 * 3600)
        await asyncio.gather(*(one.find_products("X") for one in [provider, other] * 10))
    assert sink.sandbox.ask("GET", "/calls/summary")["refreshes"] == 1


async def test_nothing_personal_and_no_secret_is_logged(sink: Subject, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    buyer = replace(BUYER, name="Canário da Silva", email="canario@example.com")
    async with sink.opened() as provider:
        customer = await provider.create_customer(buyer)
        sink.sandbox.fault("error_500", times=None)
        with pytest.raises(CallFailed) as raised:
            await provider.create_order(an_order(customer, "x"), Attempt({"numero": 5}))
    told = caplog.text + str(raised.value) + repr(buyer)
    for canary in ("Canário", "canario@", BUYER.document, "demo-client-secret", "Bearer"):
        assert canary not in told
