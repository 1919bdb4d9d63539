"""What both state machines share: how much they look for, searches that lag, and a world that begins empty."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from hub import settings as hub_settings
from hub.db import Database
from tests.contract.subjects import Sandbox
from tests.flows import sending_world
from tests.flows.clockwork import Clock

LAG_S = 30.0
"""After so many seconds the simulated searches show what was made."""


def explored(examples: int) -> settings:
    """So many examples, the same in every run."""
    return settings(
        deadline=None,
        max_examples=examples,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )


def be_patient(monkeypatch: pytest.MonkeyPatch, clock: Clock, systems: dict[str, str]) -> None:
    """Have the searches of `systems` (name in our settings → module that waits for them in a run) lag, by our clock."""

    class Waits:
        @staticmethod
        async def sleep(seconds: float) -> None:
            clock.advance(seconds=seconds)

    monkeypatch.setenv("ESTEIRA_RETRY_ATTEMPTS", "2")
    for name, module in systems.items():
        monkeypatch.setenv(f"ESTEIRA_{name}_SEARCH_LAG_S", str(LAG_S))
        monkeypatch.setattr(f"{module}.asyncio", Waits)
    hub_settings.settings.cache_clear()


@asynccontextmanager
async def fresh_world(sandbox: Sandbox, clock: Clock, folder: Path, migrated: Path) -> AsyncIterator[Database]:
    """An empty hub beside an empty Conta Azul, at the real time."""
    for old in folder.glob("world.db*"):
        old.unlink()
    file = folder / "world.db"
    shutil.copyfile(migrated, file)
    sending_world.empty(sandbox, LAG_S)
    clock.ahead *= 0
    db = Database.open(f"sqlite+aiosqlite:///{file}")
    try:
        yield db
    finally:
        await db.close()
