"""A shop that rests for weeks keeps its consent."""

from hub.credentials import TokenStore
from hub.db import Database
from tasks import keeping
from tasks.paths import run_path
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.trade import Trade


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
