"""Tiny's orders and notes over real HTTP: found before created, found after silence, moved on once, cancelled, read."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from hub import nfe
from hub.policy import Policy
from hub.records import OutgoingAddress, OutgoingCustomer, OutgoingInstalment, OutgoingItem, OutgoingOrder
from hub.stages import Stage
from providers import tiny_orders
from providers.contract import (
    Attempt,
    CallFailed,
    Found,
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
from tests.contract.conftest import hub_db, sandbox, served
from tests.contract.subjects import Subject

__all__ = ["hub_db", "sandbox", "served"]

ACCOUNT = "/tiny/accounts/demo"
CREATES = {"tiny_v2": "pedido.incluir", "tiny_v3": "POST /pedidos"}
MOVES = {"tiny_v2": "pedido.alterar.situacao", "tiny_v3": "PUT /pedidos/{id}/situacao"}
DAY = datetime.now(UTC).date()
SKU = "CAN-300"
INTEGRATION = "8390"
EVER = (date(2000, 1, 1), date(2100, 1, 1))
WHERE = OutgoingAddress("Rua das Flores", "10", "", "Centro", "Curitiba", "PR", "80010000", "Ana Exemplo")
BUYER = OutgoingCustomer("a1" * 16, "Compradora Exemplo", "52998224725", "c@example.com", "41999990000", WHERE)


@dataclass
class Shop:
    """One kind of connection to the simulated account, open, with a contact where orders need one."""

    subject: Subject
    provider: Any
    contact: str

    def order(self, number: str = "1001", **rest: Any) -> OutgoingOrder:
        record = f"{int(number):032x}"
        made = OutgoingOrder(
            record_id=record,
            number=number,
            marker=f"Pedido {number} · esteira {record}",
            customer_ref=self.contact,
            items=(OutgoingItem("", SKU, "Caneca", Decimal(2), Decimal("32.90")),),
            discount=Decimal("5.80"),
            freight=Decimal("10.00"),
            total=Decimal("70.00"),
            payment_method="pix",
            instalments=(OutgoingInstalment(DAY, Decimal("70.00")),),
            placed_on=DAY,
            notes="Presente 🎁 “para a Žofia”",
            delivery=WHERE,
            customer=BUYER,
        )
        return replace(made, **rest)

    async def send(self, order: OutgoingOrder) -> str:
        created = await self.provider.create_order(order, await self.provider.prepare_order(order))
        return created.external_id if isinstance(created, Found) else str(created)

    def there(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.subject.sandbox.ask("GET", f"{ACCOUNT}/orders")
        return found

    def edit(self, external_id: str, **changes: Any) -> None:
        self.subject.sandbox.ask("PATCH", f"{ACCOUNT}/orders/{external_id}", **changes)

    def invoice(self, external_id: str, **told: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.subject.sandbox.ask("POST", f"{ACCOUNT}/orders/{external_id}/invoice", **told)
        return made

    def set(self, **settings: Any) -> None:
        self.subject.sandbox.ask("POST", "/settings", **settings)

    def count(self, operation: str) -> int:
        return sum(call["operation"] == operation for call in self.subject.sandbox.calls())

    @property
    def create(self) -> str:
        return CREATES[self.subject.kind]

    @property
    def move(self) -> str:
        return MOVES[self.subject.kind]


@pytest.fixture(params=["tiny_v2", "tiny_v3"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[INTEGRATION, ""], ids=["integration", "direct"])
def policy(request: pytest.FixtureRequest) -> Policy:
    """With the id of an integration, and without, where v3 does not even keep the store's number."""
    return Policy(calls_per_minute=0, ecommerce_id=request.param)


@pytest.fixture
async def shop(kind: str, policy: Policy, hub_db: Any, sandbox: Any) -> AsyncIterator[Shop]:
    sandbox.ask("POST", f"{ACCOUNT}/integrations", id=int(INTEGRATION), name="Loja Sol")
    subject = Subject(kind, hub_db, sandbox)
    async with subject.opened(policy=policy) as provider:
        provider.search_lag_s = 0.2
        contact = "" if provider.customer_in_order else await provider.create_customer(BUYER)
        yield Shop(subject, provider, contact)


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


async def test_an_order_of_the_same_number_that_is_there_already_is_not_made_again(shop: Shop) -> None:
    """The hub was set back to a backup: it knows nothing of the order that it sent. v3 without an integration keeps no
    number of the store: there the buyer's orders of those days are looked through."""
    order = shop.order()
    created = await shop.send(order)
    assert await shop.send(order) == created
    assert len(shop.there()) == shop.count(shop.create) == 1


async def test_another_orders_number_that_holds_ours_is_not_ours(shop: Shop) -> None:
    longer = await shop.send(shop.order("10010"))
    created = await shop.send(shop.order("1001"))
    assert created != longer
    found = await shop.provider.find_order(shop.order("1001"), Attempt())
    assert found and found.external_id == created
    assert await shop.provider.find_order(shop.order("100"), Attempt()) is None


async def test_another_stores_order_of_the_same_number_is_left_alone(shop: Shop) -> None:
    """Two stores of one merchant count from 1001 each."""
    fields = {
        "cliente": {"nome": "Outra Pessoa"},
        "itens": [{"item": {"codigo": SKU, "descricao": "x", "unidade": "UN", "quantidade": 1, "valor_unitario": 5}}],
        "numero_pedido_ecommerce": "1001",
        "id_ecommerce": 1,
    }
    shop.subject.sandbox.ask("POST", f"{ACCOUNT}/orders", **fields)
    assert await shop.provider.find_order(shop.order(), Attempt()) is None
    await shop.send(shop.order())
    assert len(shop.there()) == 2


@pytest.mark.parametrize("lag_s", [0.0, 0.3])
async def test_an_order_whose_answer_was_lost_is_found_and_not_made_again(shop: Shop, lag_s: float) -> None:
    order = shop.order()
    attempt = await shop.provider.prepare_order(order)
    shop.set(search_lag_s=lag_s)
    shop.subject.sandbox.fault("answer_lost", match={"operation": shop.create})
    with pytest.raises(CallFailed) as raised:
        await shop.provider.create_order(order, attempt)
    assert raised.value.outcome is Outcome.UNKNOWN
    if lag_s:
        assert await shop.provider.find_order(order, attempt) is None
        shop.subject.sandbox.ask("POST", "/clock", advance_s=1)
    found = await shop.provider.find_order(order, attempt)
    (sale,) = shop.there()
    assert found and found.external_id == str(sale["id"])


@pytest.mark.parametrize("policy", [Policy(calls_per_minute=0, ecommerce_id="4711")], ids=["unregistered"])
class TestAnIntegrationThatTinyDoesNotHave:
    """Its id was mistyped, or it was deleted: v3 does not keep the store's number then (`reference/tiny.md §5.3`)."""

    async def test_lost_answers_make_no_second_order(self, shop: Shop) -> None:
        order = shop.order()
        attempt = await shop.provider.prepare_order(order)
        shop.subject.sandbox.fault("answer_lost", match={"operation": shop.create})
        with pytest.raises(CallFailed):
            await shop.provider.create_order(order, attempt)
        found = await shop.provider.find_order(order, attempt)
        (sale,) = shop.there()
        assert found and found.external_id == str(sale["id"])

    async def test_an_order_that_the_hub_has_forgotten_is_not_made_again(self, shop: Shop) -> None:
        order = shop.order()
        created = await shop.send(order)
        assert await shop.send(order) == created
        assert len(shop.there()) == 1

    async def test_it_is_noticed_with_the_first_order_that_is_made(self, shop: Shop) -> None:
        assert shop.provider.integration == ""
        await shop.send(shop.order())
        if shop.subject.kind == "tiny_v3":  # v2 takes any id without a word, and tells it again
            assert shop.provider.integration == "unknown"


async def test_an_integration_that_tiny_has_is_seen_once(shop: Shop) -> None:
    for number in ("1001", "1002", "1003"):
        await shop.send(shop.order(number))
    chosen = bool(shop.provider.policy.ecommerce_id)
    assert shop.provider.integration == ("known" if chosen else "")
    reads = "pedido.obter" if shop.subject.kind == "tiny_v2" else "GET /pedidos/{id}"
    if chosen:
        assert shop.count(reads) == 1


async def test_many_orders_of_one_buyer_are_not_read_for_each_other(shop: Shop) -> None:
    for number in range(1001, 1011):
        await shop.send(shop.order(str(number)))
    reads = "pedido.obter" if shop.subject.kind == "tiny_v2" else "GET /pedidos/{id}"
    assert shop.count(reads) <= 1


@pytest.mark.parametrize("kind", ["tiny_v3"])
@pytest.mark.parametrize("policy", [Policy(calls_per_minute=0)], ids=["direct"])
@pytest.mark.parametrize("days", ["created", "own"])
@pytest.mark.parametrize("buyer", [BUYER, replace(BUYER, record_id="b2" * 16, document="")], ids=["document", "guest"])
async def test_an_order_placed_days_ago_is_found_whichever_day_the_filter_means(
    shop: Shop, days: str, buyer: OutgoingCustomer
) -> None:
    shop.set(v3_days=days)
    contact = shop.contact if buyer.document else await shop.provider.create_customer(buyer)
    order = shop.order(placed_on=DAY - timedelta(days=2), customer=buyer, customer_ref=contact)
    created = await shop.send(order)
    assert await shop.send(order) == created
    found = await shop.provider.find_order(order, Attempt())
    assert found and found.external_id == created
    assert len(shop.there()) == 1


@pytest.mark.parametrize("kind", ["tiny_v2"])
@pytest.mark.parametrize("policy", [Policy(calls_per_minute=0, ecommerce_id=INTEGRATION)])
class TestRefusedAsADouble:
    """Code 30: an order of that number is there (`reference/tiny.md §7`)."""

    async def lost(self, shop: Shop, order: OutgoingOrder) -> Attempt:
        attempt: Attempt = await shop.provider.prepare_order(order)
        shop.set(duplicate_order="refuse")
        shop.subject.sandbox.fault("answer_lost", match={"operation": shop.create})
        with pytest.raises(CallFailed):
            await shop.provider.create_order(order, attempt)
        return attempt

    async def test_the_double_is_ours_and_is_the_one(self, shop: Shop) -> None:
        order = shop.order()
        attempt = await self.lost(shop, order)
        (sale,) = shop.there()
        assert await shop.provider.create_order(order, attempt) == Found(str(sale["id"]))
        assert len(shop.there()) == 1

    async def test_a_search_that_lags_is_given_its_time(self, shop: Shop) -> None:
        shop.set(search_lag_s=0.1)
        order = shop.order()
        attempt = await self.lost(shop, order)
        (sale,) = shop.there()
        assert await shop.provider.create_order(order, attempt) == Found(str(sale["id"]))

    async def test_a_double_that_no_search_shows_is_not_known(self, shop: Shop) -> None:
        shop.set(search_lag_s=3600)
        order = shop.order()
        attempt = await self.lost(shop, order)
        with pytest.raises(CallFailed) as raised:
            await shop.provider.create_order(order, attempt)
        assert (raised.value.outcome, raised.value.reason) == (Outcome.UNKNOWN, "taken")

    async def test_a_double_that_is_another_stores_is_told_to_the_merchant(self, shop: Shop) -> None:
        other = replace(shop.order(), record_id="f" * 32, marker=f"Pedido 1001 · esteira {'f' * 32}")
        await shop.send(other)
        shop.set(duplicate_order="refuse")
        with pytest.raises(CallFailed) as raised:
            await shop.send(shop.order())
        assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "validation")
        assert "não é desta loja" in raised.value.detail
        assert len(shop.there()) == 1


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
