"""One record among many that is refused: the others go, it is told in words, and it goes once it is mended."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from hub import connections, outbox, payments, store, texts
from hub.db import Database
from hub.notices import standing_notices
from hub.orders import put_order
from hub.records import OutgoingProduct, ProductKind, ProductRecord
from hub.store import Offer
from hub.tables import Notice
from providers.contaazul.provider import ContaAzul
from tests.contract.subjects import Sandbox
from tests.flows.erp import MERCHANT, Erp, placed
from tests.flows.erp_fixtures import contaazul

__all__ = ["contaazul"]

MANY = 1000
ORDERS = 300
POISON = 257
NO_SUCH_UNIT = "ARROBA"


@pytest.fixture
async def erp(hub_db: Database, sandbox: Sandbox) -> Erp:
    return await Erp.connect(hub_db, sandbox)


async def test_of_a_thousand_products_one_is_refused_and_the_others_go(erp: Erp) -> None:
    await _offer(erp, *(_product(number) for number in range(MANY)))
    await _offer(erp, _product(POISON, unit=NO_SUCH_UNIT))
    await erp.select()
    tally = (await erp.push()).tally
    assert (tally.created, tally.failed) == (MANY - 1, 1)
    assert set(erp.products()) == {f"CAN-{number}" for number in range(MANY)} - {f"CAN-{POISON}"}
    notice = await _the_notice(erp, "product.not_sent")
    told = texts.render(notice.code, notice.params)
    assert told.title == f"Produto não enviado: SKU CAN-{POISON}, Caneca {POISON}"
    assert f"A Conta Azul não tem a unidade “{NO_SUCH_UNIT}”" in told.body, "why, in the words of who refused it"
    assert "Corrija o produto na loja" in told.action

    assert (await erp.push()).tally.calls == 0, "what failed waits for the merchant"
    await _offer(erp, _product(POISON, unit="UN"))
    await _retry(erp)
    assert (await erp.push()).tally.created == 1
    assert len(erp.products()) == MANY
    assert "product.not_sent" not in await erp.notices()
    assert await _retry(erp) == 0


async def test_of_hundreds_of_orders_one_is_refused_and_the_others_go(erp: Erp) -> None:
    await _offer(erp, _product(1), _product(2, unit=NO_SUCH_UNIT))
    await _sell(erp, ORDERS, lambda number: "CAN-2" if number == POISON else "CAN-1")
    tally = (await erp.export()).tally
    assert (tally.created, tally.failed) == (ORDERS - 1, 1)
    notice = await _the_notice(erp, "order.not_sent")
    told = texts.render(notice.code, notice.params)
    assert told.title == f"Pedido não enviado: {POISON}"
    assert f"A Conta Azul não tem a unidade “{NO_SUCH_UNIT}”" in told.body

    await _offer(erp, _product(2, unit="UN"))
    assert await _retry(erp) == 1
    assert (await erp.export()).tally.created == 1
    numbers = [sale["observacoes"].split(" ")[1] for sale in erp.sales()]
    assert sorted(numbers) == sorted(str(number) for number in range(ORDERS)), "each once"
    assert "order.not_sent" not in await erp.notices()


async def test_the_erps_own_refusal_is_told_word_for_word_and_a_mended_order_goes_by_itself(erp: Erp) -> None:
    await _offer(erp, _product(1), _product(2))
    await erp.order("1001", [("CAN-1", "1", "25.00")])
    await erp.order("1002", [("CAN-1", "1", "25.00"), ("CAN-2", "1", "0.00")])
    tally = (await erp.export()).tally
    assert (tally.created, tally.failed) == (1, 1)
    notice = await _the_notice(erp, "order.not_sent")
    said = "O campo itens[1].valor deve ser maior que zero"
    assert f"recusou este registro e respondeu: “{said}”" in texts.render(notice.code, notice.params).body
    await erp.order("1002", [("CAN-1", "1", "25.00")], pay=False)
    await erp.export()
    assert len(erp.sales()) == 2
    assert "order.not_sent" not in await erp.notices()


async def test_a_record_that_breaks_our_own_code_does_not_stop_the_others(
    erp: Erp, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _offer(erp, *(_product(number) for number in range(20)))
    await erp.select()
    with monkeypatch.context() as broken:
        _break(broken, lambda sku: sku == "CAN-7")
        tally = (await erp.push()).tally
    assert (tally.created, tally.failed) == (19, 1)
    notice = await _the_notice(erp, "product.not_sent")
    told = texts.render(notice.code, notice.params)
    assert "erro interno LookupError" in told.body and "secreto" not in told.body
    await _retry(erp)
    assert (await erp.push()).tally.created == 1


def _break(monkeypatch: pytest.MonkeyPatch, is_broken: Callable[[str], bool]) -> None:
    create = ContaAzul.create_product

    async def creating(self: ContaAzul, product: OutgoingProduct) -> str:
        if is_broken(product.sku):
            raise LookupError("algo secreto")
        return await create(self, product)

    monkeypatch.setattr(ContaAzul, "create_product", creating)


def _product(number: int, unit: str = "") -> ProductRecord:
    sku = f"CAN-{number}"
    name = f"Caneca {number}"
    return ProductRecord(
        external_id=sku, kind=ProductKind.SIMPLE, name=name, sku=sku, list_price=Decimal("25.00"), unit=unit
    )


async def _offer(erp: Erp, *records: ProductRecord) -> None:
    async with erp.db.write() as session:
        await store.put_products(session, MERCHANT, [Offer(record) for record in records])


async def _sell(erp: Erp, many: int, sku_of: Callable[[int], str]) -> None:
    async with erp.db.write() as session:
        for number in range(many):
            await put_order(session, MERCHANT, placed(f"{number}", [(sku_of(number), "1", "25.00")]))
            await payments.pay(session, MERCHANT, f"{number}", "p1", Decimal("25.00"))


async def _retry(erp: Erp) -> int:
    async with erp.db.write() as session:
        return await outbox.retry(session, await connections.find(session, erp.id))


async def _the_notice(erp: Erp, code: str) -> Notice:
    async with erp.db.read() as session:
        (notice,) = [found for found in await standing_notices(session, MERCHANT) if found.code == code]
        return notice
