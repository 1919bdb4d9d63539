"""A shop that rests for weeks keeps its consent."""

from datetime import timedelta
from pathlib import Path

import yaml

from hub.credentials import TokenStore
from hub.db import Database
from providers.registry import KINDS
from tasks import keeping
from tasks.paths import run_path
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.trade import LINES, Trade


def every() -> timedelta:
    """How often the schedule comes, as prefect.yaml has it."""
    path = Path(__file__).resolve().parents[2] / "prefect.yaml"
    told = next(one for one in yaml.safe_load(path.read_text())["deployments"] if one["name"] == "keep-alive")
    (schedule,) = told["schedules"]
    minute, hours, *rest = schedule["cron"].split()
    assert minute.isdecimal() and hours.startswith("*/") and rest == ["*"] * 3
    return timedelta(hours=int(hours.removeprefix("*/")))


def test_the_schedule_comes_often_enough_for_each_system_even_if_it_fails_once() -> None:
    lives = {"tagplus": timedelta(days=14), "tiny_v3": timedelta(days=1)}
    ages = {kind: made.app().refresh_after for kind, made in KINDS.items() if made.app}
    assert {kind for kind, age in ages.items() if age} == lives.keys()
    for kind, life in lives.items():
        assert ages[kind] + 2 * every() < life, kind


async def test_a_consent_of_tiny_v3_that_nothing_uses_outlives_its_day(
    db: Database, sandbox: Sandbox, clock: Clock
) -> None:
    """Every pull is off, and no order comes."""
    sandbox.ask("POST", "/settings", refresh_token_s=86_400)
    erp = await Trade.open(db, sandbox, "tiny_v3", pull_products=False, pull_stock=False, pull_invoices=False)
    for _ in range(3 * int(timedelta(days=1) / every())):
        clock.advance(seconds=int(every().total_seconds()))
        await run_path("keep-alive", keeping.NEEDS, keeping.renew, None, wanted=keeping.is_wanted, dry_run=False, db=db)
    assert 3 <= await renewals(sandbox) <= 6
    await erp.offer("CAN-1", "25.00")
    sandbox.ask("POST", f"{erp.account}/products", codigo="CAN-1", nome="Caneca", preco="25.00")
    await erp.order("1001", LINES[:1])
    assert (await erp.export()).tally.created == 1


async def renewals(sandbox: Sandbox) -> int:
    return sum("token" in call["operation"] for call in sandbox.calls())


async def test_a_consent_is_renewed_once_a_week_and_outlives_the_fortnight_it_would_end_in(
    db: Database, sandbox: Sandbox, clock: Clock
) -> None:
    erp = await Trade.open(db, sandbox, "tagplus")
    idle = await Trade.open(db, sandbox, "tiny_v2")
    before = await TokenStore(db, erp.id).load()
    for _ in range(28):
        clock.advance(seconds=86_400)
        ended = await run_path(
            "keep-alive", keeping.NEEDS, keeping.renew, None, wanted=keeping.is_wanted, dry_run=False, db=db
        )
        assert [summary.connection for summary in ended] == [erp.id] != [idle.id]
    assert 3 <= await renewals(sandbox) <= 4
    assert (await TokenStore(db, erp.id).load()).version > before.version
    erp.forget()
    await erp.offer("CAN-1", "25.00")
    assert (await erp.push()).tally.created == 1
