"""kill -9 at every HTTP call and every commit of a push and an export: every product and every order exactly once."""

from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from hub.db import Database
from tests.contract.subjects import Sandbox
from tests.flows.driving import POINTS, Driver, begin_anew, driver, driving
from tests.flows.erp import Erp
from tests.flows.erp_fixtures import contaazul

__all__ = ["contaazul", "driver", "driving"]

LINES = [("CAN-1", "2", "25.00"), ("CAN-2", "1", "26.10")]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_push_killed_at_any_point_and_run_again_sends_each_product_once(
    sandbox: Sandbox, db: Database, driver: Driver
) -> None:
    async def prepare() -> Erp:
        erp = await _shop(db, sandbox)
        sandbox.ask("POST", "/contaazul/accounts/demo/products", nome="De lá", codigo_sku="CAN-2")
        await erp.select("CAN-1", "CAN-2")
        return erp

    def is_right(erp: Erp) -> None:
        prices = {sku: Decimal(str(there["estoque"]["valor_venda"])) for sku, there in erp.products().items()}
        assert prices == {"CAN-1": Decimal("27.50"), "CAN-2": Decimal("28.71")}

    await _die_everywhere(prepare, is_right, "push-products", driver, db)


async def test_an_export_killed_at_any_point_and_run_again_sells_each_order_once(
    sandbox: Sandbox, db: Database, driver: Driver
) -> None:
    async def prepare() -> Erp:
        erp = await _shop(db, sandbox)
        await erp.order("1001", LINES)
        await erp.order("1002", LINES, document="")
        return erp

    def is_right(erp: Erp) -> None:
        sold = sorted(sale["observacoes"].split("·")[0].strip() for sale in erp.sales())
        assert sold == ["Pedido 1001", "Pedido 1002"]
        assert len(erp.people()) == 2 and len(erp.products()) == 2

    await _die_everywhere(prepare, is_right, "export-orders", driver, db)


async def _die_everywhere(
    prepare: Callable[[], Awaitable[Erp]], is_right: Callable[[Erp], None], job: str, driver: Driver, db: Database
) -> None:
    erp = await prepare()
    undisturbed = driver.run(job, erp.id)
    assert undisturbed.outcome == "done"
    is_right(erp)
    deaths = 0
    for point in POINTS:
        for index in range(1, undisturbed.passed[point] + 1):
            await begin_anew(db)
            erp = await prepare()
            deaths += driver.run(job, erp.id, point, index).outcome == "killed"
            assert driver.run(job, erp.id).outcome == "done", f"rerun after a death {point} {index}"
            try:
                is_right(erp)
            except AssertionError as wrong:
                raise AssertionError(f"killed {point} {index}: {wrong}") from wrong
            assert set((await erp.entries()).values()) <= {"sent", "skipped"}, f"killed {point} {index}"
    assert deaths >= 0.9 * sum(undisturbed.passed.values())


async def _shop(db: Database, sandbox: Sandbox) -> Erp:
    sandbox.ask("POST", "/reset", catalog="empty")
    erp = await Erp.connect(db, sandbox, price_adjustment=Decimal(10))
    await erp.offer("CAN-1", "25.00")
    await erp.offer("CAN-2", "26.10")
    return erp
