"""The demo's drain does not outlive the demo."""

import asyncio
from typing import NoReturn

import pytest

import flows.drain_inbox
from deployments import demo_live
from hub.db import Database
from hub.leases import lease
from tasks.drain import PATH


class StepBroke(Exception):
    """A step of the demo that breaks."""


async def _never_quiet(db: Database, ended: list[str]) -> NoReturn:
    async with lease(db, PATH):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("drain")
    raise AssertionError


async def test_a_step_that_breaks_ends_the_drain(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    monkeypatch.setenv("ESTEIRA_INBOX_QUIET_S", "3")
    monkeypatch.setattr(flows.drain_inbox, "drain_inbox", lambda: _never_quiet(db, ended))
    with pytest.raises(StepBroke):
        async with demo_live._drain(db):
            raise StepBroke
    assert ended == ["drain"]


async def test_a_drain_that_breaks_is_told(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks() -> None:
        raise StepBroke

    monkeypatch.setenv("ESTEIRA_INBOX_QUIET_S", "3")
    monkeypatch.setattr(flows.drain_inbox, "drain_inbox", breaks)
    with pytest.raises(StepBroke):
        async with demo_live._drain(db):
            pass
