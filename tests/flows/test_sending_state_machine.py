"""Whatever merchant, network and vendor do, in any order: nothing is doubled, nothing lost, everything told."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.erp import Erp
from tests.flows.erp_fixtures import contaazul
from tests.flows.exploring import LAG_S, be_patient, explored, fresh_world
from tests.flows.sending_world import World

__all__ = ["contaazul"]

HAPPENINGS = (
    *("offer", "offer", "select", "unselect", "rate", "order", "pay", "pay", "cancel", "refund", "retry", "wait"),
    *("push", "push", "export", "export", "both", "killed", "during", "during", "expire", "lose", "lose"),
)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(HAPPENINGS),
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
    be_patient(monkeypatch, clock, {"CONTAAZUL": "providers.contaazul.provider"})
    return clock


FOUND = {
    # What went wrong here before, by how it was told.
    "an entry stays failed when its record goes through by another": [
        ("offer", 0, 3),
        ("select", 0, 0),
        ("push", 0, 0),
        ("offer", 0, 0),
        ("push", 0, 0),
    ],
    "cancelled after a lost answer, the run breaks": [
        ("pay", 0, 1),
        ("lose", 2, 0),
        ("export", 0, 0),
        ("cancel", 0, 0),
        ("wait", 1, 0),
        ("export", 0, 0),
    ],
    "taken off the selection, its notice stays": [
        ("offer", 0, 3),
        ("select", 0, 0),
        ("push", 0, 0),
        ("unselect", 0, 0),
    ],
    "cancelled before it could be sent, its notice stays": [
        ("offer", 0, 3),
        ("pay", 0, 1),
        ("export", 0, 0),
        ("cancel", 0, 0),
        ("export", 0, 0),
    ],
    "killed behind a product's create, another entry of it is sent within the lag": [
        ("select", 0, 0),
        ("killed", 1, 3),
        ("push", 0, 0),
    ],
    "killed behind a customer's create, the order is sent within the lag": [
        ("pay", 0, 1),
        ("killed", 0, 3),
        ("export", 0, 0),
    ],
    "killed behind the create of an order's item": [("pay", 0, 1), ("killed", 0, 7), ("export", 0, 0)],
    "killed behind the create of an order's item, then pushed": [
        ("select", 0, 0),
        ("pay", 0, 1),
        ("killed", 0, 7),
        ("push", 0, 0),
    ],
    "refused after a lost answer, then mended": [
        ("pay", 0, 1),
        ("lose", 2, 0),
        ("export", 0, 0),
        ("offer", 1, 3),
        ("order", 0, 1),
        ("wait", 1, 0),
        ("export", 0, 0),
        ("offer", 1, 0),
        ("retry", 0, 0),
        ("export", 0, 0),
    ],
    "edited while it is being sent": [("pay", 0, 1), ("during", 0, 4)],
    "another rule while a product is being made": [("select", 0, 0), ("during", 3, 0)],
    "another rule while others wait in the same run": [("select", 0, 0), ("select", 1, 0), ("during", 3, 0)],
    "both runs make one product": [("select", 0, 0), ("pay", 0, 1), ("both", 0, 0)],
    "taken off the selection while nobody knows whether it was made": [
        ("select", 0, 0),
        ("lose", 0, 2),
        ("push", 0, 0),
        ("unselect", 0, 0),
        ("wait", 1, 0),
        ("push", 0, 0),
    ],
    "a price changes while its product's create has no answer": [
        ("select", 0, 0),
        ("lose", 0, 0),
        ("push", 0, 0),
        ("offer", 0, 1),
        ("push", 0, 0),
    ],
}


@explored(60)
@given(steps=STEPS)
async def test_nothing_is_doubled_or_lost_and_everything_is_told(
    steps: list[tuple[str, int, int]], sandbox: Sandbox, patient: Clock, tmp_path: Path, _migrated_sqlite: Path
) -> None:
    await live(steps, sandbox, patient, tmp_path, _migrated_sqlite)


@pytest.mark.parametrize("steps", FOUND.values(), ids=FOUND.keys())
async def test_what_went_wrong_before(
    steps: list[tuple[str, int, int]], sandbox: Sandbox, patient: Clock, tmp_path: Path, _migrated_sqlite: Path
) -> None:
    await live(steps, sandbox, patient, tmp_path, _migrated_sqlite)


async def live(steps: list[tuple[str, int, int]], sandbox: Sandbox, clock: Clock, folder: Path, migrated: Path) -> None:
    """Do the steps in a world of their own and check after each of them, and when all has settled."""
    async with fresh_world(sandbox, clock, folder, migrated) as db:
        world = World(await Erp.connect(db, sandbox, price_adjustment="5.00"), clock, LAG_S)
        for step, which, what in [*BEGIN, *steps]:
            await getattr(world, step)(which, what)
            await world.check()
        await world.settle()
        await world.check_settled()
