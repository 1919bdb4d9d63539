"""Whatever three ERPs, their webhooks, the merchant and the network do: nothing is doubled, lost, or undone."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hub import settings as hub_settings
from hub.db import Database
from tests.contract.subjects import Sandbox
from tests.flows import live, sending_world
from tests.flows.clockwork import Clock
from tests.flows.erp import Erp
from tests.flows.erp_fixtures import contaazul
from tests.flows.live import Live
from tests.flows.live_world import LiveWorld

__all__ = ["contaazul"]

LAG_S = 30.0
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
    for name in ("CONTAAZUL", "TINY", "TAGPLUS"):
        monkeypatch.setenv(f"ESTEIRA_{name}_SEARCH_LAG_S", str(LAG_S))
    monkeypatch.setenv("ESTEIRA_RETRY_ATTEMPTS", "2")
    hub_settings.settings.cache_clear()

    class Waits:
        @staticmethod
        async def sleep(seconds: float) -> None:
            clock.advance(seconds=seconds)

    for module in ("providers.contaazul.provider", "providers.tiny_sink", "providers.tagplus.provider"):
        monkeypatch.setattr(f"{module}.asyncio", Waits)
    return clock


@settings(
    deadline=None,
    max_examples=30,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
@given(steps=STEPS)
async def test_nothing_is_doubled_lost_or_undone(
    steps: list[tuple[str, int, int]], sandbox: Sandbox, patient: Clock, tmp_path: Path, _migrated_sqlite: Path
) -> None:
    await play(steps, sandbox, patient, tmp_path, _migrated_sqlite)


async def play(steps: list[tuple[str, int, int]], sandbox: Sandbox, clock: Clock, folder: Path, migrated: Path) -> None:
    """Do the steps in a world of their own and check after each of them, and when all has settled."""
    for old in folder.glob("world.db*"):
        old.unlink()
    file = folder / "world.db"
    shutil.copyfile(migrated, file)
    sending_world.empty(sandbox, LAG_S)
    sandbox.ask("POST", "/reset", catalog="empty")
    sandbox.account(plan="unlimited")
    sandbox.ask(
        "POST",
        "/settings",
        contaazul_search_lag_s=LAG_S,
        tagplus_search_lag_s=LAG_S,
        search_lag_s=LAG_S,
        contaazul_auto_invoice=False,
        webhook_hold=True,
    )
    sandbox.ask("POST", "/contaazul/accounts/demo", per_second=None, per_minute=None)
    clock.ahead *= 0
    url = f"sqlite+aiosqlite:///{file}"
    db = Database.open(url)
    try:
        with live.served(url) as web:
            world = await made(db, sandbox, clock, web)
            for step, which, what in [*BEGIN, *steps]:
                await getattr(world, step)(which, what)
                await world.check()
            await world.settle()
            await world.check_settled()
            await world.check_quiet()
    finally:
        await db.close()


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
