"""Tiny's orders and notes over real HTTP: created whole, moved on once, cancelled, read."""

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hub import nfe
from hub.policy import Policy
from hub.records import OutgoingCustomer, OutgoingItem
from hub.stages import Stage
from providers import tiny_orders
from providers.contract import (
    Attempt,
    CallFailed,
    Gone,
    InvoiceLookup,
    InvoiceSource,
    OrderSink,
    OrderStateSink,
    OrderStateSource,
    Outcome,
    ProductSink,
)
from providers.registry import KINDS, capability
from tests.contract.subjects import Subject
from tests.providers.tiny_shop import (
    ACCOUNT,
    BUYER,
    DAY,
    EVER,
    SKU,
    WHERE,
    Shop,
    hub_db,
    kind,
    policy,
    sandbox,
    served,
    shop,
)

__all__ = ["hub_db", "kind", "policy", "sandbox", "served", "shop"]


async def test_it_has_the_capabilities_it_claims(shop: Shop) -> None:
    for wanted in (OrderSink, OrderStateSink, OrderStateSource, InvoiceSource, InvoiceLookup):
        assert capability(shop.provider, wanted) is shop.provider
    assert not isinstance(shop.provider, ProductSink)
    account = await shop.provider.check()
    assert account.features["takes"] == list(KINDS[shop.subject.kind].takes) == ["order"]
    assert "update_lists" in account.features and "per_minute" in account.features


@pytest.mark.parametrize("types", ["clean", "messy"])
async def test_an_order_is_created_whole_and_found_again(shop: Shop, types: str) -> None:
    shop.set(types=types, wide_characters="refuse", long_values="refuse", city_check="exact")
    order = shop.order()
    created = await shop.send(order)
    (sale,) = shop.there()
    assert (str(sale["id"]), sale["situacao"], sale["total_pedido"]) == (created, "aprovado", 70)
    assert (sale["obs"], sale["obs_internas"]) == ('Presente "para a Zofia"', order.marker)
    assert sale["cliente"]["cpf_cnpj"] == BUYER.document
    assert sale["endereco_entrega"]["nome_destinatario"] == "Ana Exemplo"
    assert sum(part["valor"] for part in sale["parcelas"]) == 70
    (item,) = sale["itens"]
    assert item["id_produto"] and item["codigo"] == SKU
    found = await shop.provider.find_order(order, Attempt())
    assert found and (found.external_id, found.active) == (created, True)
    status = await shop.provider.read_order(created)
    assert (status.stage, status.parcel, bool(status.erp_number)) == ("approved", None, True)


async def test_deposit_nature_and_label_go_along(kind: str, hub_db: Any, sandbox: Any) -> None:
    if kind == "tiny_v2":
        chosen, nature = (
            {"order_deposit": "Loja Física", "operation_nature": "Venda fora do estado"},
            (0, "Venda fora do estado"),
        )
    else:
        chosen, nature = {"order_deposit": "5002", "operation_nature": "7001"}, (7001, "Venda de mercadorias")
    policy = Policy(calls_per_minute=0, **chosen)
    subject = Subject(kind, hub_db, sandbox)
    async with subject.opened(policy=policy) as provider:
        contact = "" if provider.customer_in_order else await provider.create_customer(BUYER)
        shop = Shop(subject, provider, contact)
        await shop.send(shop.order())
    (sale,) = shop.there()
    assert sale["id_deposito"] == 5002
    assert sale["marcadores"] == ["Esteira"]
    assert (sale["natureza_operacao"]["id"] or 0, sale["natureza_operacao"]["nome"]) == nature


@pytest.mark.parametrize("kind", ["tiny_v3"])
class TestItemsAndContactsOfV3:
    async def test_an_item_that_tiny_has_no_product_for_is_refused_before_anything_is_noted(self, shop: Shop) -> None:
        order = shop.order(items=(OutgoingItem("", "NAO-EXISTE", "x", Decimal(1), Decimal(1)),))
        with pytest.raises(CallFailed) as raised:
            await shop.provider.prepare_order(order)
        assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "validation")
        assert "NAO-EXISTE" in raised.value.detail
        assert shop.there() == []

    async def test_two_products_of_one_code_are_not_guessed_at(self, shop: Shop) -> None:
        for name in ("Um", "Outro"):
            shop.subject.sandbox.ask("POST", f"{ACCOUNT}/products", codigo="DUPLO", nome=name)
        with pytest.raises(CallFailed, match="2 produtos com o código DUPLO"):
            await shop.provider.prepare_order(
                shop.order(items=(OutgoingItem("", "DUPLO", "x", Decimal(1), Decimal(1)),))
            )

    async def test_many_orders_ask_for_a_product_once(self, shop: Shop) -> None:
        for number in range(1001, 1006):
            await shop.send(shop.order(str(number)))
        assert shop.count("GET /produtos") == shop.count("GET /formas-recebimento") == 1

    async def test_customers_by_document_and_guests_by_our_code(self, shop: Shop) -> None:
        company = replace(BUYER, record_id="c3" * 16, document="11222333000181")
        guest = OutgoingCustomer("b2" * 16, "Visitante Exemplo")
        for wanted in (company, guest):
            assert await shop.provider.find_customers(wanted) == []
            created = await shop.provider.create_customer(wanted)
            assert [found.external_id for found in await shop.provider.find_customers(wanted)] == [created]
        assert await shop.provider.find_customers(replace(guest, record_id="d4" * 16)) == []

    async def test_created_with_201_is_created(self, shop: Shop) -> None:
        shop.set(v3_created_status="201")
        assert await shop.send(shop.order()) == str(shop.there()[0]["id"])


@pytest.mark.parametrize("kind", ["tiny_v2"])
async def test_the_customer_goes_within_the_order_and_is_one_for_two_orders(shop: Shop) -> None:
    assert shop.provider.customer_in_order
    assert await shop.provider.find_customers(BUYER) == []
    for number in ("1001", "1002"):
        await shop.send(shop.order(number))
    guest = OutgoingCustomer("b2" * 16, "Visitante Exemplo", address=WHERE)
    for number in ("1003", "1004"):
        await shop.send(shop.order(number, customer=guest))
    assert len(shop.subject.sandbox.ask("GET", f"{ACCOUNT}/contacts")) == 2


@pytest.mark.parametrize("kind", ["tiny_v2"])
async def test_a_city_that_tiny_does_not_have_is_refused_in_its_words(shop: Shop) -> None:
    shop.set(city_check="exact")
    order = shop.order(customer=replace(BUYER, address=replace(WHERE, city="Lugar Nenhum")))
    with pytest.raises(CallFailed) as raised:
        await shop.send(order)
    assert (raised.value.outcome, raised.value.reason, raised.value.code) == (Outcome.REJECTED, "validation", "31")
    assert "idade" in raised.value.detail


class TestProgress:
    async def test_an_order_is_moved_on_once_and_never_back(self, shop: Shop) -> None:
        order = shop.order()
        created = await shop.send(order)
        moved = replace(order, stage="shipped")
        assert shop.provider.states_told(moved) == "enviado"
        assert await shop.provider.move_order(created, moved) == "shipped"
        assert await shop.provider.move_order(created, moved) == "shipped"
        assert await shop.provider.move_order(created, replace(order, stage="preparing")) == "shipped"
        assert shop.there()[0]["situacao"] == "enviado"
        assert shop.count(shop.move) == 1

    @pytest.mark.parametrize("stage", [stage.value for stage in Stage if stage is not Stage.OPEN])
    async def test_each_stage_reaches_its_situation(self, shop: Shop, stage: str) -> None:
        order = shop.order(stage="open")
        created = await shop.send(order)
        assert await shop.provider.move_order(created, replace(order, stage=stage)) == stage
        assert (await shop.provider.read_order(created)).stage == stage

    @pytest.mark.parametrize("kind", ["tiny_v2"])
    @pytest.mark.parametrize("stage", [stage.value for stage in Stage])
    async def test_a_situation_cut_to_fifteen_letters_is_known(self, shop: Shop, stage: str) -> None:
        shop.set(order_situation="cut")
        created = await shop.send(shop.order(stage=stage))
        assert (await shop.provider.read_order(created)).stage == stage

    @pytest.mark.parametrize("kind", ["tiny_v2"])
    async def test_a_situation_that_nobody_knows_is_no_stage_and_is_logged_once(
        self, shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        created = await shop.send(shop.order())
        monkeypatch.delitem(tiny_orders._BY_WORD, "aprovado")
        for _ in range(2):
            assert (await shop.provider.read_order(created)).stage == ""
        assert caplog.text.count("unknown situation of an order: Aprovado") == 1

    async def test_what_the_merchant_did_meanwhile_counts(self, shop: Shop) -> None:
        order = shop.order()
        created = await shop.send(order)
        shop.edit(created, situacao="entregue")
        assert await shop.provider.move_order(created, replace(order, stage="shipped")) == "delivered"
        assert shop.count(shop.move) == 0

    async def test_a_lost_answer_to_a_move_is_harmless(self, shop: Shop) -> None:
        order = shop.order()
        created = await shop.send(order)
        shop.subject.sandbox.fault("answer_lost", match={"operation": shop.move})
        assert await shop.provider.move_order(created, replace(order, stage="shipped")) == "shipped"

    async def test_changes_are_listed_with_a_mark_that_tells_them(self, shop: Shop) -> None:
        since = datetime.now(UTC) - timedelta(minutes=5)
        order = shop.order()
        created = await shop.send(order)
        (first,) = await self.rows(shop, since)
        shop.edit(created, obs="outra coisa")
        assert await self.rows(shop, since) == [first]
        shop.edit(created, situacao="enviado", tracking={"codigo": "AA123456785BR", "url": "https://r.example/AA1"})
        (changed,) = await self.rows(shop, since)
        assert changed.external_id == first.external_id == created
        assert changed.fingerprint != first.fingerprint

    async def test_a_parcel_is_read(self, shop: Shop) -> None:
        created = await shop.send(shop.order())
        told = {"codigo": "AA123456785BR", "url": "https://r.example/AA1", "transportadora": "Transportes Exemplo"}
        shop.edit(created, situacao="enviado", tracking=told)
        status = await shop.provider.read_order(created)
        assert status.stage == "shipped"
        assert (status.parcel.tracking_code, status.parcel.tracking_url) == (told["codigo"], told["url"])

    async def test_an_order_that_was_deleted_is_gone(self, shop: Shop) -> None:
        assert await shop.provider.read_order("123") == Gone("123")

    async def rows(self, shop: Shop, since: datetime) -> list[Any]:
        return [row async for rows in shop.provider.changed_orders(since) for row in rows]


class TestCancelling:
    async def test_it_is_cancelled_once(self, shop: Shop) -> None:
        order = shop.order()
        created = await shop.send(order)
        assert await shop.provider.cancel_order(created, order) is True
        assert shop.there()[0]["situacao"] == "cancelado"
        assert await shop.provider.cancel_order(created, order) is True
        assert shop.count(shop.move) == 1
        found = await shop.provider.find_order(order, Attempt())
        assert found and not found.active

    async def test_what_has_a_note_is_the_merchants_to_cancel(self, shop: Shop) -> None:
        order = shop.order()
        created = await shop.send(order)
        shop.invoice(created)
        assert await shop.provider.cancel_order(created, order) is False
        assert await shop.provider.move_order(created, replace(order, stage="cancelled")) == "invoiced"
        assert shop.there()[0]["situacao"] == "faturado"

    async def test_one_that_is_not_there_needs_no_cancelling(self, shop: Shop) -> None:
        assert await shop.provider.cancel_order("123", shop.order()) is True


class TestInvoices:
    async def test_the_note_of_an_order_is_found_listed_and_read(self, shop: Shop) -> None:
        created = await shop.send(shop.order())
        assert await shop.provider.invoices_of_order(created, *EVER) == []
        made = shop.invoice(created)
        (row,) = await shop.provider.invoices_of_order(created, *EVER)
        assert (row.external_id, row.access_key, row.state) == (str(made["id"]), made["chave_acesso"], "authorised")
        assert row.order_ref == created
        assert row.link == made["link"]
        (listed,) = [one async for rows in shop.provider.list_invoices(DAY - timedelta(1), DAY) for one in rows]
        assert (listed.external_id, listed.access_key, listed.state) == (row.external_id, row.access_key, row.state)
        assert (listed.order_ref == created) is shop.provider.rows_tell_order
        assert await shop.provider.find_invoice(row.external_id) == row
        document = await shop.provider.read_invoice(row.external_id)
        assert nfe.read_note(document, row.access_key).status is nfe.NoteStatus.AUTHORISED

    @pytest.mark.parametrize("form", ["nested", "cdata", "escaped"])
    async def test_the_document_is_the_same_bytes_in_each_form(self, shop: Shop, form: str) -> None:
        shop.set(xml_form=form)
        made = shop.invoice(await shop.send(shop.order()))
        document = await shop.provider.read_invoice(str(made["id"]))
        assert document.decode() in made["xml"]

    async def test_a_cancelled_note_says_so(self, shop: Shop) -> None:
        made = shop.invoice(await shop.send(shop.order()))
        shop.subject.sandbox.ask("POST", f"{ACCOUNT}/invoices/{made['id']}/cancel")
        row = await shop.provider.find_invoice(str(made["id"]))
        assert row.state == "cancelled"
        document = await shop.provider.read_invoice(row.external_id)
        assert nfe.read_note(document, row.access_key).status is nfe.NoteStatus.CANCELLED

    async def test_a_pending_note_is_no_document(self, shop: Shop) -> None:
        made = shop.invoice(await shop.send(shop.order()), outcome=1)
        row = await shop.provider.find_invoice(str(made["id"]))
        assert (row.state, row.link) == ("pending", "")
        assert await shop.provider.read_invoice(row.external_id) == Gone(row.external_id)

    async def test_what_is_not_there_is_gone(self, shop: Shop) -> None:
        assert await shop.provider.find_invoice("123") == Gone("123")
        assert await shop.provider.read_invoice("123") == Gone("123")
        assert await shop.provider.invoices_of_order("123", *EVER) == []


async def test_nothing_personal_and_no_secret_is_logged(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    canary = replace(BUYER, name="Canário da Silva", email="canario@example.com")
    order = shop.order(customer=canary, notes="segredo do canário")
    await shop.send(order)
    shop.subject.sandbox.fault("error_500", times=None)
    with pytest.raises(CallFailed) as raised:
        await shop.provider.create_order(replace(order, number="5"), Attempt())
    told = caplog.text + str(raised.value) + repr(order)
    for secret in ("Canário", "canario@", BUYER.document, "segredo", "demo-token", "Bearer"):
        assert secret not in told
