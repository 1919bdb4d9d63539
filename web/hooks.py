"""The webhook doors: `/hooks/{key}`. Authenticated, limited, stored, and answered before any work is done.

404  no such address          401  the vendor's secret is wrong        413  larger than 1 MB
410  the integration was removed here      400  no event: kept for inspection        429  faster than any vendor
200  stored: `{"ok": true}`, or what the vendor waits for (Tiny's mapping of a product)
"""

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hub import crypto, doors, inbox
from hub.db import Database
from hub.doors import Opened
from hub.inbox import Arrival
from hub.notices import Draft, raise_notices
from hub.settings import Settings
from providers.contract import Event, UnreadableEventError
from providers.registry import KINDS
from web.api.gate import Rates, body_within
from web.api.problems import ProblemError
from web.bell import Bell
from web.hub import Hub

logger = logging.getLogger(__name__)

KNOWN_FOR_S = 5.0
"""A door is looked up again after this long. Whether its integration still stands is asked with every event."""
MOST_KNOWN = 10_000
MOST_TOGETHER = 500
BYTES_PER_SECOND, BYTES_AT_ONCE = 1_000_000, 64_000_000
"""What an address takes in; a vendor's busiest hour stays far below it, and whoever learnt an address fills no disk."""
OK = {"ok": True}


def hook_door(config: Settings, hub: Hub) -> "HookDoor":
    """The doors on the hub's database; `route` is where they stand, `close` ends what they began."""
    logging.getLogger("uvicorn.access").addFilter(without_key)
    return HookDoor(hub, config)


def without_key(record: logging.LogRecord) -> bool:
    """Take the key out of the server's line about a call: whoever has it can knock. The path is its third argument."""
    if isinstance(record.args, tuple) and len(record.args) > 2 and str(record.args[2]).startswith(f"{doors.PATH}/"):
        record.args = (*record.args[:2], f"{doors.PATH}/…", *record.args[3:])
    return True


class HookDoor:
    """What stands between the internet and the inbox."""

    def __init__(self, hub: Hub, config: Settings) -> None:
        self._hub = hub
        self._config = config
        self._known: dict[str, tuple[float, Opened]] = {}
        self._intake: Intake | None = None
        self.rates = Rates(per_second=config.hooks_per_second, burst=config.hooks_burst)
        self.weights = Rates(per_second=BYTES_PER_SECOND, burst=BYTES_AT_ONCE)
        self.route = Route(f"{doors.PATH}/{{key}}", self.receive, methods=["POST"])

    async def receive(self, request: Request) -> Response:
        """Take one webhook."""
        door = await self._door(request.path_params["key"])
        kind = KINDS.get(door.kind)
        webhooks = kind.webhooks if kind else None
        if webhooks is None or not webhooks.authentic(door.secret, request.headers):
            said = "Paste the secret that `esteira status --connection ID` shows."
            raise ProblemError(401, "unauthorised", "The secret is wrong", said)
        self._count(door, self.rates, 1, "calls")
        body = await body_within(request)
        self._count(door, self.weights, len(body), "bytes")
        media_type = request.headers.get("content-type", "")
        try:
            event = webhooks.read(door.topic, body, media_type)
        except UnreadableEventError as error:
            await self._store(Arrival(**_of(door), body=body, media_type=media_type, state="broken", reason=str(error)))
            raise ProblemError(400, "no-event", "This is no event", str(error)) from error
        if _is_anothers(door, event):
            return await self._misplaced(door, body, media_type)
        await self._store(Arrival(**_of(door), body=body, media_type=media_type))
        self._bell.ring()
        return JSONResponse(OK if event.answer is None else event.answer)

    async def close(self) -> None:
        """End what runs beside the calls."""
        if self._intake is not None:
            await self._intake.close()
            await self._intake.bell.close()

    async def _door(self, key: str) -> Opened:
        now = time.monotonic()
        at, door = self._known.get(key, (0.0, None))
        if door is None or now - at > KNOWN_FOR_S:
            async with self._hub.db.read() as session:
                door = await doors.find(session, key)
            if door is None:
                raise ProblemError(404, "not-found", "Not found", "There is no such address.")
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = (now, door)
        return door

    @staticmethod
    def _count(door: Opened, rates: Rates, units: int, name: str) -> None:
        wait = rates.take(f"{door.connection_id}:{door.topic}", units)
        if wait > 0:
            said = f"This address takes {rates.burst} {name} in one go, then {rates.per_second:.0f} a second."
            headers = {"Retry-After": str(max(1, math.ceil(wait)))}
            raise ProblemError(429, "too-many-requests", "Too many requests", said, headers=headers)

    async def _store(self, arrival: Arrival) -> None:
        """Stored once this returns. A database that is away is told as such, so that the vendor sends it again."""
        try:
            stands = await self._stored.put(arrival)
        except (SQLAlchemyError, OSError) as error:
            logger.error("an event of %s could not be stored: %s", arrival.connection_id, type(error).__name__)
            said = "Nothing was stored: send it again."
            raise ProblemError(503, "not-stored", "Not stored", said, headers={"Retry-After": "5"}) from error
        if not stands:
            raise ProblemError(410, "gone", "The integration was removed", "Take this address out over there.")

    async def _misplaced(self, door: Opened, body: bytes, media_type: str) -> Response:
        """An event of another company's account: somebody pasted this address into it. It is kept and told; the answer
        is a good one, as a vendor that is refused tries for hours, and the merchant reads the notice and no log."""
        why = "of another account than the one connected"
        await self._store(Arrival(**_of(door), body=body, media_type=media_type, state="ignored", reason=why))
        draft = Draft("inbox.other_account", door.connection_id, "inbox_account", params={"kind": door.kind})
        async with self._hub.db.write() as session:
            await raise_notices(session, door.merchant_id, [draft])
        return JSONResponse(OK)

    @property
    def _stored(self) -> "Intake":
        if self._intake is None:
            self._intake = Intake(self._hub.db, Bell.of(self._hub.db, self._config))
        return self._intake

    @property
    def _bell(self) -> Bell:
        return self._stored.bell


@dataclass
class Intake:
    """Stores what comes in together in one transaction: a burst of a thousand takes a few, and every call is answered
    after the one that holds its event."""

    db: Database
    bell: Bell
    _waiting: list[tuple[Arrival, asyncio.Future[bool]]] = field(default_factory=list)
    _writer: asyncio.Task[None] | None = None

    async def put(self, arrival: Arrival) -> bool:
        """Store it; False when its integration was removed. Raises what the database raises."""
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, stored))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        return await stored

    async def close(self) -> None:
        """Wait for what is being stored."""
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            try:
                async with self.db.write() as session:
                    removed = await inbox.store(session, [arrival for arrival, _ in together])
            except BaseException as error:
                _end(together, error)
                if not isinstance(error, Exception):
                    raise
                continue
            for arrival, stored in together:
                if not stored.done():  # its caller has gone
                    stored.set_result(arrival.connection_id not in removed)


def _end(together: Sequence[tuple[Arrival, asyncio.Future[bool]]], error: BaseException) -> None:
    for _, stored in together:
        if not stored.done():
            if isinstance(error, Exception):
                stored.set_exception(error)
            else:
                stored.cancel()


def _of(door: Opened) -> dict[str, Any]:
    return {"connection_id": door.connection_id, "merchant_id": door.merchant_id, "topic": door.topic}


def _is_anothers(door: Opened, event: Event) -> bool:
    """Whether the event names another account than the one connected, as far as both are known."""
    if not event.document or not door.account:
        return False
    return crypto.blind_index(event.document, "account.document") != door.account
