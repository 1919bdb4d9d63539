"""Asks Prefect for one run of `drain-inbox` when events wait and no drain lives.

By its REST API and not by its client: an import of Prefect takes two seconds and 80 MB, and the web app needs one call.
"""

import asyncio
import base64
import contextlib
import logging
import os
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from hub import inbox, leases
from hub.clock import utcnow
from hub.db import Database
from hub.settings import Settings

logger = logging.getLogger(__name__)

DRAIN = "drain-inbox"
"""The deployment, the flow, and the lease of the drain that lives."""
BUCKET_S = 60.0
"""Requests within this time carry one idempotency key: whoever asks, in whatever process, asks for one run."""
MOST_BUCKETS = 5
AGAIN_S = 2.0
"""A run that was asked for is asked after this often, until it has begun to drain."""
SOON_S = 1.0
"""A run that is going and does not drain has this long to begin: else it is one that is about to end, or is dead."""
LONGEST_PAUSE_S = 30.0
ENDED = frozenset(("COMPLETED", "FAILED", "CRASHED", "CANCELLED"))
MOST_RUNS = 20
"""Runs that one key's time may see come and go: more only where drains end within three seconds."""


@dataclass
class Bell:
    """Rung for every event that was stored; asks for a run at most."""

    db: Database
    api_url: str
    auth: str = ""
    first_pause_s: float = 1.0
    _rung: asyncio.Event = field(default_factory=asyncio.Event)
    _ringing: asyncio.Task[None] | None = None

    @classmethod
    def of(cls, db: Database, config: Settings) -> "Bell":
        """The bell of this process: `esteira up` tells where Prefect is, and the settings do otherwise."""
        url = os.environ.get("PREFECT_API_URL") or f"http://127.0.0.1:{config.prefect_port}/api"
        auth = config.prefect_auth.get_secret_value() or os.environ.get("PREFECT_API_AUTH_STRING", "")
        return cls(db, url.rstrip("/"), auth)

    def ring(self) -> None:
        """Something was stored. Returns at once."""
        self._rung.set()
        if self._ringing is None or self._ringing.done():
            self._ringing = asyncio.create_task(self._answer())

    async def close(self) -> None:
        """Stop asking: what waits is found by the schedule, or by the next event."""
        if self._ringing is not None:
            self._ringing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ringing

    async def _answer(self) -> None:
        """While the bell is rung: look whether anybody sees to what waits, and ask for a run if nobody does."""
        while True:
            await self._rung.wait()
            self._rung.clear()
            pause, bucket, over = self.first_pause_s, _bucket(), set[str]()
            while await self._nobody_comes():
                # The key stays while the run it asked for is on its way, across a minute's end too; not for ever, as a
                # run whose worker died before it began never ends.
                bucket = bucket if _bucket() - bucket < MOST_BUCKETS else _bucket()
                state = await self._ask(bucket, over)
                # A run takes seconds to begin; asked for twice it is still one. Where Prefect is away the pauses grow.
                pause = {"": min(pause * 2, LONGEST_PAUSE_S), "RUNNING": SOON_S}.get(state, AGAIN_S)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._comes()

    async def _nobody_comes(self) -> bool:
        async with self.db.read() as session:
            return not await leases.is_held(session, DRAIN) and bool(await inbox.due(session))

    async def _comes(self) -> None:
        """Until a drain lives."""
        while True:
            async with self.db.read() as session:
                if await leases.is_held(session, DRAIN):
                    return
            await asyncio.sleep(0.5)

    async def _ask(self, bucket: int, over: set[str]) -> str:
        """Ask for one run unless one waits; that run's state, '' where Prefect is away. An event is not lost for it.

        The key of a run that has ended brings that one back and makes no new one: a drain may have come and gone within
        the key's time, so the next key of that time is tried. So it is for one that goes on without draining, as it
        does for a second or two at its end: met once it is put into `over`, and met there it counts as ended.
        """
        headers = {}
        if self.auth:
            headers["Authorization"] = f"Basic {base64.b64encode(self.auth.encode()).decode()}"
        try:
            # Not through a proxy: Prefect is on this machine or in its network.
            async with httpx.AsyncClient(base_url=self.api_url, headers=headers, timeout=5, trust_env=False) as client:
                found = await client.get(f"/deployments/name/{DRAIN}/{DRAIN}")
                deployment = found.raise_for_status().json()["id"]
                waiting = await client.post("/flow_runs/filter", json=_waiting(deployment))
                if waiting.raise_for_status().json():
                    return "SCHEDULED"
                path = f"/deployments/{deployment}/create_flow_run"
                for number in range(MOST_RUNS):
                    key = f"{DRAIN}-{bucket}-{number}"
                    made = await client.post(path, json=_run(key))
                    state = str((made.raise_for_status().json().get("state") or {}).get("type") or "SCHEDULED")
                    if state in ENDED or key in over:
                        continue
                    if state == "RUNNING":
                        over.add(key)
                    return state
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, AttributeError) as error:
            status = f" {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else ""
            logger.warning("no drain could be asked for (%s%s); the events wait", type(error).__name__, status)
            return ""
        return "SCHEDULED"  # all of this key's time: the next one's is asked for soon


def _bucket() -> int:
    return int(time.time() // BUCKET_S)


def _waiting(deployment: str) -> dict[str, Any]:
    """A run that is due and that no worker has taken yet: one by the schedule does as well as one that we asked for.

    Without a worker, a run for each minute would pile up. `Pending` does not count: a worker that died between taking
    a run and starting it leaves it so for good.
    """
    return {
        "flow_runs": {
            "deployment_id": {"any_": [deployment]},
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "expected_start_time": {"before_": utcnow().isoformat()},
        },
        "limit": 1,
    }


def _run(key: str) -> dict[str, Any]:
    return {
        "state": {"type": "SCHEDULED"},
        "idempotency_key": key,
        "parameters": {"connection": None, "dry_run": False},
    }
