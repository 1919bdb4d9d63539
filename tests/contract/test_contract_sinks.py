"""What every system that products and orders are sent to must do: find, create, bring up to date, cancel, once each."""

import asyncio
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
BUYERS = [
    replace(BUYER, record_id=f"a{n}" * 16, document=d)
    for n, d in enumerate(("52998224725", "11144477735", "12345678909"))
]
COMPANIES = [
    replace(BUYER, record_id=f"c{n}" * 16, document=d)
    for n, d in enumerate(("11222333000181", "11444777000161", "04252011000110"))
]


def an_order(customer_ref: str, product: str, number: str = "1001", **rest: Any) -> OutgoingOrder:
    """Two mugs of 32.90, 5.80 less and 10.00 of freight: 70.00 in three instalments."""
    parts = (Decimal("23.34"), Decimal("23.33"), Decimal("23.33"))
    made = OutgoingOrder(
        record_id=f"{int(number):032x}",
        number=number,
        marker=f"Pedido {number} · esteira {int(number):032x}",
        customer_ref=customer_ref,
        items=(OutgoingItem(product, "CANECA-1", "Caneca azul", Decimal(2), Decimal("32.90")),),
        discount=Decimal("5.80"),
        freight=Decimal("10.00"),
        total=Decimal("70.00"),
        payment_method="credit_card",
        instalments=tuple(
            OutgoingInstalment(DAY + timedelta(days=30 * place), part) for place, part in enumerate(parts, start=1)
        ),
        placed_on=DAY,
        customer=BUYER,
    )
    return replace(made, **rest)


@pytest.fixture
async def shop(sink: Subject) -> AsyncIterator[tuple[Any, str, str]]:
    """An open provider, a customer and a product over there."""
    async with sink.opened() as provider:
        customer = "" if provider.customer_in_order else await provider.create_customer(BUYER)
        is_taker = isinstance(provider, ProductSink)
        yield provider, customer, await provider.create_product(MUG) if is_taker else sink.vendor.make_product(MUG)


async def test_it_has_the_capabilities_it_claims(sink: Subject) -> None:
    document = sink.vendor.company()
    async with sink.opened() as provider:
        for wanted in (OrderSink, InvoiceSource):
            assert capability(provider, wanted) is provider
        account = await provider.check()
    assert account.name and account.document == document
    takes = account.features["takes"]
    assert takes == list(KINDS[sink.kind].takes)
    assert "order" in takes
    assert ("product" in takes) is KINDS[sink.kind].can(ProductSink)


async def test_a_product_is_created_found_by_its_sku_alone_and_brought_up_to_date(product_sink: Subject) -> None:
    async with product_sink.opened() as provider:
        assert await provider.find_products(MUG.sku) == []
        created = await provider.create_product(MUG)
        await provider.create_product(replace(MUG, sku="CANECA-10", name="CANECA-1 grande"))
        assert [found.external_id for found in await provider.find_products(MUG.sku)] == [created]
        assert await provider.find_products("CANECA") == []
        await provider.update_product(created, replace(MUG, price=Decimal("29.99"), name="Caneca azul 300 ml"))
    told = product_sink.vendor.product(MUG.sku)
    assert "29.99" in told and "Caneca azul 300 ml" in told and "7891234567895" in told


async def test_many_products_cost_one_look_up_a_code(product_sink: Subject) -> None:
    async with product_sink.opened() as provider:
        await asyncio.gather(*(provider.create_product(replace(MUG, sku=f"C-{n}")) for n in range(10)))
        assert provider.calls == 10 + product_sink.vendor.look_ups


@pytest.mark.parametrize("bad", [{"ncm": "00"}, {"unit": "BALDE"}])
async def test_a_code_that_is_not_there_is_refused_with_words_and_nothing_is_made(
    product_sink: Subject, bad: dict[str, str]
) -> None:
    async with product_sink.opened() as provider:
        with pytest.raises(CallFailed) as raised:
            await provider.create_product(replace(MUG, **bad))
        assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "validation")
        assert next(iter(bad.values())) in raised.value.detail
        assert await provider.find_products(MUG.sku) == []


async def test_a_customer_is_found_by_document_however_it_is_searched(customer_sink: Subject) -> None:
    for number, search in enumerate(customer_sink.vendor.document_searches):
        if search:
            customer_sink.sandbox.ask("POST", "/settings", **search)
        async with customer_sink.opened() as provider:
            for wanted in (BUYERS[number], COMPANIES[number]):
                assert await provider.find_customers(wanted) == []
                created = await provider.create_customer(wanted)
                assert [found.external_id for found in await provider.find_customers(wanted)] == [created]


async def test_a_guest_is_found_again_and_is_nobody_else(customer_sink: Subject) -> None:
    async with customer_sink.opened() as provider:
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
    (sale,) = sink.vendor.sales()
    assert sale.approved
    assert sale.instalments == tuple(part.amount for part in order.instalments)
    assert order.marker in sale.notes


async def test_orders_at_once_in_two_openings_get_a_number_each(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    orders = [an_order(customer, product, str(number)) for number in range(1001, 1021)]

    async def send(to: Any, order: OutgoingOrder) -> str:
        created: str = await to.create_order(order, await to.prepare_order(order))
        return created

    async with sink.opened() as other:
        created = await asyncio.gather(*(send([provider, other][n % 2], order) for n, order in enumerate(orders)))
    there = sink.vendor.sales()
    assert len(set(created)) == len(there) == len({sale.number for sale in there}) == 20


async def test_what_orders_have_in_common_is_asked_for_once(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    before = provider.calls
    for number in range(1001, 1011):
        order = an_order(customer, product, str(number))
        await provider.create_order(order, await provider.prepare_order(order))
    assert provider.calls - before == sink.vendor.calls_for_ten_orders


async def test_a_number_that_somebody_took_meanwhile_costs_another(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    attempt = await provider.prepare_order(an_order(customer, product, "1001"))
    async with sink.opened() as other:
        order = an_order(customer, product, "1002")
        taken = await other.create_order(order, attempt)
    created = await provider.create_order(an_order(customer, product, "1001"), attempt)
    assert created != taken
    assert len(sink.vendor.sales()) == 2


async def test_a_sale_whose_answer_was_lost_is_found_and_not_made_again(
    sink: Subject, shop: tuple[Any, str, str]
) -> None:
    provider, customer, product = shop
    order = an_order(customer, product)
    attempt = await provider.prepare_order(order)
    sink.sandbox.fault("answer_lost", match={"operation": sink.vendor.creates_order})
    with pytest.raises(CallFailed) as raised:
        await provider.create_order(order, attempt)
    assert raised.value.outcome is Outcome.UNKNOWN
    found = await provider.find_order(order, attempt)
    assert found and [found.external_id] == [sale.id for sale in sink.vendor.sales()]


async def test_creating_again_while_the_search_lags_finds_the_first_sale(
    sink: Subject, shop: tuple[Any, str, str]
) -> None:
    """Nothing shows that it is there: it is looked for until any search must show it."""
    provider, customer, product = shop
    provider.search_lag_s = 1.2
    order = an_order(customer, product)
    attempt = await provider.prepare_order(order)
    sink.vendor.lag(1)
    sink.sandbox.fault("answer_lost", match={"operation": sink.vendor.creates_order})
    with pytest.raises(CallFailed):
        await provider.create_order(order, attempt)
    assert await provider.find_order(order, attempt) is None
    created = await provider.create_order(order, attempt)
    assert [created.external_id] == [sale.id for sale in sink.vendor.sales()]


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
    (sale,) = sink.vendor.sales()
    assert sale.cancelled
    before = provider.calls
    assert await provider.cancel_order(created, order) is True
    assert provider.calls == before + 1
    found = await provider.find_order(order, Attempt())
    assert found and not found.active


async def test_a_sale_that_was_invoiced_is_not_cancelled(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    order = an_order(customer, product)
    created = await provider.create_order(order, await provider.prepare_order(order))
    sink.vendor.invoice(created)
    assert await provider.cancel_order(created, order) is False


async def test_a_sale_that_is_not_there_needs_no_cancelling(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    assert await provider.cancel_order(sink.vendor.nobody, an_order(customer, product)) is True


async def test_an_order_that_is_refused_is_told_with_the_vendors_words(
    sink: Subject, shop: tuple[Any, str, str]
) -> None:
    provider, customer, product = shop
    order = sink.vendor.refusable(an_order(customer, product))
    before = provider.calls
    with pytest.raises(CallFailed) as raised:
        await provider.create_order(order, await provider.prepare_order(order))
    assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "validation")
    assert raised.value.detail
    assert provider.calls - before <= 3
    assert sink.vendor.sales() == []


async def test_the_invoice_of_a_sale_is_listed_and_read(sink: Subject, shop: tuple[Any, str, str]) -> None:
    provider, customer, product = shop
    order = an_order(customer, product)
    created = await provider.create_order(order, await provider.prepare_order(order))
    today = date.fromisoformat(sink.sandbox.ask("GET", "/clock")["now"][:10])
    first, last = today - timedelta(days=40), today + timedelta(days=1)
    assert await provider.invoices_of_order(created, first, last) == []
    sink.vendor.invoice(created)
    (row,) = await provider.invoices_of_order(created, first, last)
    assert len(row.access_key) == 44
    assert row.state in ("", "authorised")
    assert row.order_ref == created or not provider.rows_tell_order
    (listed,) = [one async for page in provider.list_invoices(first, last) for one in page]
    assert (listed.external_id, listed.access_key) == (row.external_id, row.access_key)
    assert (listed.status, listed.state) == (row.status, row.state)
    assert listed.order_ref == created or not provider.rows_tell_order
    key = row.external_id or row.access_key
    assert (await provider.read_invoice(key)).lstrip().startswith(b"<")
    if sink.vendor.correct(row.access_key):
        assert (await provider.read_invoice(key)).startswith(b"PK")
    assert type(await provider.read_invoice(sink.vendor.no_note)).__name__ == "Gone"


async def test_an_account_that_is_shut_is_told_as_such(sink: Subject) -> None:
    reason = sink.vendor.shut()
    async with sink.opened() as provider:
        with pytest.raises(CallFailed) as raised:
            await provider.check()
    assert (raised.value.outcome, raised.value.reason) == (sink.vendor.shut_as, reason)


async def test_a_consent_taken_back_ends_the_connection(sink: Subject) -> None:
    if not KINDS[sink.kind].can(Revocable):
        return
    async with sink.opened() as provider:
        await provider.revoke()
        await provider.revoke()
    async with sink.opened(access_token="", refresh_token="spent") as provider:
        with pytest.raises(CallFailed) as raised:
            await provider.check()
    assert (raised.value.outcome, raised.value.reason) == (Outcome.REAUTH, "token")


async def test_the_quota_is_kept_without_one_answer_over_it(product_sink: Subject) -> None:
    """The account's usual quota, at a clock five times as fast: calls as fast as they may go."""
    sandbox = product_sink.sandbox
    calls = product_sink.vendor.tighten(clock_rate=5)
    async with product_sink.opened(policy=Policy()) as provider:
        provider.http.limiter.clock_rate = 5
        await asyncio.gather(*(provider.find_products(f"S-{n}") for n in range(calls)))
    assert sandbox.ask("GET", "/calls/summary")["over_limit_answers"] == 0


async def test_over_the_quota_the_account_waits_and_goes_on(product_sink: Subject) -> None:
    product_sink.sandbox.fault("over_quota", times=2)
    async with product_sink.opened() as provider:
        assert await provider.find_products("X") == []
        assert provider.calls == 3


async def test_an_expired_token_is_renewed_once_by_twenty_tasks(product_sink: Subject) -> None:
    async with product_sink.opened() as provider, product_sink.opened() as other:
        product_sink.sandbox.ask("POST", "/clock", advance_s=product_sink.vendor.token_life_s)
        await asyncio.gather(*(one.find_products("X") for one in [provider, other] * 10))
    assert product_sink.sandbox.ask("GET", "/calls/summary")["refreshes"] == 1


async def test_nothing_personal_and_no_secret_is_logged(sink: Subject, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    buyer = replace(BUYER, name="Canário da Silva", email="canario@example.com")
    async with sink.opened() as provider:
        customer = "" if provider.customer_in_order else await provider.create_customer(buyer)
        sink.sandbox.fault("error_500", times=None)
        order = an_order(customer, "5", customer=buyer)
        with pytest.raises(CallFailed) as raised:
            await provider.create_order(order, Attempt({"numero": 5}))
    told = caplog.text + str(raised.value) + repr(buyer) + repr(order)
    for canary in ("Canário", "canario@", BUYER.document, "demo-client-secret", "Bearer"):
        assert canary not in told
