"""Tiny's orders over real HTTP: looked for before a create and after a silence, and never made twice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.policy import Policy
from hub.records import OutgoingCustomer, OutgoingOrder
from providers.contract import (
    Attempt,
    CallFailed,
    Found,
    Outcome,
)
from tests.providers.tiny_shop import (
    ACCOUNT,
    BUYER,
    DAY,
    INTEGRATION,
    SKU,
    Shop,
    hub_db,
    kind,
    policy,
    sandbox,
    served,
    shop,
)

__all__ = ["hub_db", "kind", "policy", "sandbox", "served", "shop"]


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
