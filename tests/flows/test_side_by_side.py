"""Two processes on the same connection at the same time."""

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from hub.db import Database
from hub.tables import Binding, Product, RunReport
from tests.contract.subjects import Sandbox
from tests.flows.driving import Driver, driver, driving
from tests.flows.shop import Shop, free

__all__ = ["driver", "driving"]


@pytest.mark.parametrize("job", ["pull-catalog", "pull-stock"])
async def test_of_two_pulls_at_once_one_works_and_the_other_steps_aside(
    job: str, sandbox: Sandbox, db: Database, driver: Driver
) -> None:
    shop = await Shop.connect(db, sandbox, "tiny_v2", policy=free())
    if job == "pull-stock":
        await shop.pull_catalog()
    # Every answer takes long enough that the second one begins while the first is at work.
    sandbox.ask("POST", "/settings", latency_ms=50)
    ends = driver.side_by_side([{"job": job, "connection": shop.id}] * 2)
    assert sorted(end.outcome for end in ends) == ["done", "skipped"]
    aside = next(end for end in ends if end.outcome == "skipped")
    assert "before-http" not in aside.passed, "who steps aside calls nobody"
    async with db.read() as session:
        products = (await session.execute(select(func.count()).select_from(Product))).scalar_one()
        bindings = (await session.execute(select(func.count()).select_from(Binding))).scalar_one()
        worked = select(func.count()).where(col(RunReport.path) == job, col(RunReport.outcome) == "done")
        assert (await session.execute(worked)).scalar_one() == 1
    assert products == bindings > 60


@pytest.mark.parametrize(("vendor", "job"), [("tiny_v3", "ten-calls"), ("contaazul", "ten-looks")])
async def test_twenty_tasks_in_two_processes_on_an_expired_token_refresh_it_once(
    vendor: str, job: str, sandbox: Sandbox, db: Database, driver: Driver
) -> None:
    shop = await Shop.connect(db, sandbox, vendor, policy=free())
    sandbox.ask("POST", "/clock", advance_s=14401)
    ends = driver.side_by_side([{"job": job, "connection": shop.id}] * 2)
    assert [end.outcome for end in ends] == ["done", "done"]
    refreshes = [call for call in sandbox.calls() if "token" in call["operation"]]
    assert len(refreshes) == 1
    answered = [call for call in sandbox.calls() if call["status"] == 200 and call not in refreshes]
    assert len(answered) == 20
