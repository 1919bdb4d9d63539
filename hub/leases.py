"""Who works on what: one row per piece of work, with a time by which its holder must have shown life again."""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.db import Database, upsert_rows
from hub.ids import new_id
from hub.settings import settings
from hub.tables import Lease

logger = logging.getLogger(__name__)


class LeaseLostError(Exception):
    """Another process took the work over: this one was silent for longer than its lease."""


@dataclass
class Held:
    """A lease that is ours. Call `confirm` in every transaction that writes under it."""

    db: Database
    key: str
    holder: str
    ttl_s: float

    async def confirm(self, session: AsyncSession) -> None:
        """Prolong the lease within the caller's transaction; raise LeaseLostError, undoing it, if it is ours no more.

        Without this a process that slept through its lease (a suspended laptop, a stalled disk) would wake up and write
        its old page over what its successor has written since.
        """
        if not await _prolong(session, self):
            raise LeaseLostError(f"the lease on {self.key!r} was taken over after {self.ttl_s:g} s of silence")


@contextlib.asynccontextmanager
async def lease(db: Database, key: str, ttl_s: float | None = None) -> AsyncIterator[Held | None]:
    """Hold `key` while the block runs; None when somebody else holds it: step aside.

    A heartbeat prolongs it every third of its time. A lease left by a process of this machine that is no longer alive
    is taken over at once; one left by another machine when its time has passed.
    """
    held = Held(db, key, _holder(), ttl_s or settings().lease_ttl_s)
    if not await _take(held):
        yield None
        return
    heart = asyncio.create_task(_beat(held))
    try:
        yield held
    finally:
        heart.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await heart
        async with db.write() as session:
            await session.execute(delete(Lease).where(col(Lease.key) == key, col(Lease.holder) == held.holder))


@contextlib.asynccontextmanager
async def wait_for(db: Database, key: str, ttl_s: float, poll_s: float = 0.05) -> AsyncIterator[Held]:
    """Hold `key` while the block runs, however long somebody else holds it first."""
    while True:
        async with lease(db, key, ttl_s) as held:
            if held is not None:
                yield held
                return
        await asyncio.sleep(poll_s)


async def is_held(session: AsyncSession, key: str) -> bool:
    """Whether somebody works on it: within its time, and not dead as far as this machine can tell."""
    row = (await session.execute(select(Lease).where(col(Lease.key) == key))).scalar_one_or_none()
    return row is not None and row.until >= time.time() and not _is_dead(row.holder)


async def _take(held: Held) -> bool:
    async with held.db.write() as session:
        row = {"key": held.key, "holder": held.holder, "until": time.time() + held.ttl_s}
        holder = None
        while holder is None:
            # On PostgreSQL the row that was in the way may be given back before it is read: then it is free again.
            await upsert_rows(session, Lease.__table__, [row], key=["key"], update=[])  # type: ignore[attr-defined]
            found = await session.execute(select(col(Lease.holder)).where(col(Lease.key) == held.key))
            holder = found.scalar_one_or_none()
        if holder == held.holder:
            return True
        free = col(Lease.until) < time.time()
        if _is_dead(holder):
            free = or_(free, col(Lease.holder) == holder)
        taken = await session.execute(
            update(Lease)
            .where(col(Lease.key) == held.key, free)
            .values(holder=held.holder, until=time.time() + held.ttl_s)
            .returning(col(Lease.key))
        )
        return taken.first() is not None


async def _prolong(session: AsyncSession, held: Held) -> bool:
    kept = await session.execute(
        update(Lease)
        .where(col(Lease.key) == held.key, col(Lease.holder) == held.holder)
        .values(until=time.time() + held.ttl_s)
        .returning(col(Lease.key))
    )
    return kept.first() is not None


async def _beat(held: Held) -> None:
    while True:
        await asyncio.sleep(held.ttl_s / 3)
        try:
            async with held.db.write() as session:
                kept = await _prolong(session, held)
        except (SQLAlchemyError, OSError) as error:
            # A heart that stops at the first fault lets the lease lapse under a run that goes on.
            logger.warning("no heartbeat for the lease %s (%s); trying again", held.key, type(error).__name__)
            continue
        if not kept:
            logger.error("lease lost: %s; the next commit under it will be refused", held.key)
            return


def _holder() -> str:
    """`host:pid:start:random`. The start time tells a process from a later one that got the same number."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}:{new_id()[-8:]}"


def _is_dead(holder: str) -> bool:
    host, pid, started, _ = holder.rsplit(":", 3)
    return host == socket.gethostname() and _started(int(pid)) != started


def _started(pid: int) -> str:
    """When the process began, in the kernel's ticks; empty when there is none (or no /proc, where only time frees).

    A killed process whose parent has not asked for its end yet is still listed, as a zombie: it is none.
    """
    with contextlib.suppress(OSError, IndexError):
        state, *numbers = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        if state not in ("Z", "X"):
            return numbers[18]
    return ""
