"""Whatever the merchant, the network and the vendor do, in any order: nothing doubled, nothing lost, everything told."""

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from hub import settings as hub_settings
from hub.db import Database
from tests.contract.subjects import Sandbox
from tests.flows import sending_world
from tests.flows.clockwork import Clock
from tests.flows.erp import Erp
from tests.flows.erp_fixtures import contaazul
from tests.flows.sending_world import World

__all__ = ["contaazul"]

LAG_S = 30.0

STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["offer", "offer", "select", "unselect", "rate", "order", "pay", "pay", "cancel", "refund", "retry", "wait"]
            + ["expire", "lose", "lose", "push", "push", "export", "export", "both", "killed", "during", "during"]
        ),
        st.integers(0, 5),
        st.integers(0, 11),
    ),
    min_size=8,
    max_size=24,
)


BEGIN = [("offer", 0, 0), ("offer", 1, 1), ("order", 0, 0)]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Clock:
    """A search that lags, on clocks in the test's hand; who waits for it in a run waits by them too."""
    monkeypatch.setenv("ESTEIRA_CONTAAZUL_SEARCH_LAG_S", str(LAG_S))
    monkeypatch.setenv("ESTEIRA_RETRY_ATTEMPTS", "2")
    hub_settings.settings.cache_clear()

    class Waits:
        @staticmethod
        async def sleep(seconds: float) -> None:
            clock.advance(seconds=seconds)

    monkeypatch.setattr("providers.contaazul.provider.asyncio", Waits)
    return clock


@settings(
    deadline=None,
    max_examples=25,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
@given(steps=STEPS)
async def test_nothing_is_doubled_or_lost_and_everything_is_told(
    steps: list[tuple[str, int, int]], sandbox: Sandbox, patient: Clock, tmp_path: Path, _migrated_sqlite: Path
) -> None:
    file = tmp_path / "world.db"
    for old in tmp_path.glob("world.db*"):
        old.unlink()
    shutil.copyfile(_migrated_sqlite, file)
    sending_world.empty(sandbox, LAG_S)
    patient.ahead *= 0
    db = Database.open(f"sqlite+aiosqlite:///{file}")
    try:
        world = World(await Erp.connect(db, sandbox, price_adjustment="10.00"), patient, LAG_S)
        for step, which, what in [*BEGIN, *steps]:
            await getattr(world, step)(which, what)
            await world.check()
        await world.settle()
        await world.check_settled()
    finally:
        await db.close()
