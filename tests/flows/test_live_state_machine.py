"""Whatever three ERPs, their webhooks, the merchant and the network do: nothing is doubled, lost, or undone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.db import Database
from tests.contract.subjects import Sandbox
from tests.flows import live
from tests.flows.clockwork import Clock
from tests.flows.erp import Erp
from tests.flows.erp_fixtures import contaazul
from tests.flows.exploring import LAG_S, be_patient, explored, fresh_world
from tests.flows.live import Live
from tests.flows.live_world import LiveWorld

__all__ = ["contaazul"]

WAITING = {
    "CONTAAZUL": "providers.contaazul.provider",
    "TINY": "providers.tiny_sink",
    "TAGPLUS": "providers.tagplus.provider",
}
HAPPENINGS = (
    *("offer", "select", "order", "pay", "pay", "cancel", "refund", "retry", "wait", "expire"),
    *("push", "export", "killed", "sends", "sends", "sends", "lose", "lose_theirs", "lose_theirs"),
    *("moves", "moves", "tells", "counts", "reprices", "notes", "notes"),
    *("deliver", "deliver", "drop", "drain", "drain", "drain_killed", "schedules"),
)
STEPS = st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(0, 5), st.integers(0, 11)), min_size=8, max_size=26)
BEGIN = [("offer", 0, 0), ("offer", 1, 1), ("order", 0, 0), ("pay", 0, 1), ("sends", 0, 0), ("sends", 1, 0)]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Clock:
    """Searches that lag, on clocks in the test's hand; who waits for one in a run waits by them too."""
    be_patient(monkeypatch, clock, WAITING)
    return clock


@explored(30)
@given(steps=STEPS)
async def test_nothing_is_doubled_lost_or_undone(
    steps: list[tuple[str, int, int]], sandbox: Sandbox, patient: Clock, tmp_path: Path, _migrated_sqlite: Path
) -> None:
    await play(steps, sandbox, patient, tmp_path, _migrated_sqlite)


async def play(steps: list[tuple[str, int, int]], sandbox: Sandbox, clock: Clock, folder: Path, migrated: Path) -> None:
    """Do the steps in a world of their own and check after each of them, and when all has settled."""
    async with fresh_world(sandbox, clock, folder, migrated) as db:
        sandbox.ask("POST", "/reset", catalog="empty")
        sandbox.account(plan="unlimited")
        lags = {f"{system}search_lag_s": LAG_S for system in ("contaazul_", "tagplus_", "")}
        sandbox.ask("POST", "/settings", contaazul_auto_invoice=False, webhook_hold=True, **lags)
        sandbox.ask("POST", "/contaazul/accounts/demo", per_second=None, per_minute=None)
        with live.served(str(db.engine.url)) as web:
            world = await made(db, sandbox, clock, web)
            for step, which, what in [*BEGIN, *steps]:
                await getattr(world, step)(which, what)
                await world.check()
            await world.settle()
            await world.check_settled()
            await world.check_quiet()


async def made(db: Database, sandbox: Sandbox, clock: Clock, web: str) -> LiveWorld:
    """One merchant with the three of them."""
    erp = await Erp.connect(db, sandbox, price_adjustment="5.00")
    tagplus = await Live.open(db, sandbox, "tagplus")
    tiny = await Live.open(
        db, sandbox, "tiny_v2", pull_products=False, pull_stock=False, pull_invoices=False, ecommerce_id="8390"
    )
    assert isinstance(tagplus, Live) and isinstance(tiny, Live)
    await tagplus.listen(web)
    await tiny.listen(web)
    return LiveWorld(erp, clock, LAG_S, tagplus=tagplus, tiny=tiny)
