"""What the simulated vendors send by themselves: webhooks over real HTTP, to loopback addresses only."""

import asyncio
import ipaddress
import random
import ssl
import time
from collections import Counter, deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from sandbox.core.clock import Clock, iso
from sandbox.core.settings import Settings, Spec

KEPT = 50_000
AT_ONCE = 32
STATES = ("pending", "held", "lost", "refused", "delivered", "gave_up")

DELIVERY_SETTINGS = {
    "webhook_lose_every": Spec(0, "every n-th event is never sent; 0 = none"),
    "webhook_copies": Spec(1, "how many times each event is delivered", low=1),
    "webhook_delay_s": Spec(0.0, "real seconds until an event is sent"),
    "webhook_hold": Spec(False, "events are collected; nothing is sent until deliveries/flush"),
    "webhook_timeout_s": Spec(5.0, "real seconds the receiver has to answer", low=0.001),
    "webhook_retry_speed": Spec(60.0, "the pauses between attempts are divided by it", low=0.001),
}


@dataclass(slots=True)
class Delivery:
    """One copy of an event and its attempts."""

    id: int
    vendor: str
    account: str
    event: str
    url: str
    headers: dict[str, str]
    body: bytes
    pauses: tuple[float, ...]
    on_answer: Callable[[int, bytes], None] | None
    copy: int = 1
    state: str = "pending"
    attempts: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the delivery for the control API; its headers may hold secrets and stay out."""
        return {
            "id": self.id,
            "vendor": self.vendor,
            "account": self.account,
            "event": self.event,
            "url": self.url,
            "body": _readable(self.body),
            "copy": self.copy,
            "state": self.state,
            "attempts": self.attempts,
        }


class Deliveries:
    """Sends events in tasks of the running loop; settings lose, double, delay or hold them."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self.clock = clock
        self.settings = settings
        self._tasks: set[asyncio.Task[None]] = set()
        self.forget()

    def post(
        self,
        *,
        vendor: str,
        account: str,
        event: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        retry_after_s: Sequence[float] = (),
        on_answer: Callable[[int, bytes], None] | None = None,
    ) -> None:
        """Send an event soon: a POST whose answer is right when its status is 200 to 299.

        Otherwise it is sent again after each of `retry_after_s` (divided by `webhook_retry_speed`).
        `on_answer(status, body)` hears the right answer, once per copy. Needs a running loop.
        """
        self._events += 1
        every = int(self.settings.webhook_lose_every)
        lost = bool(every) and self._events % every == 0
        for copy in range(1, 2 if lost else int(self.settings.webhook_copies) + 1):
            delivery = Delivery(
                next(self._ids), vendor, account, event, url, dict(headers), body, tuple(retry_after_s), on_answer, copy
            )
            self._all.append(delivery)
            self._begin(delivery, lost)

    def select(self, vendor: str | None, account: str | None, event: str | None) -> list[dict[str, Any]]:
        """Return the deliveries of a vendor, account, event."""
        return [
            d.as_dict()
            for d in self._all
            if vendor in (None, d.vendor) and account in (None, d.account) and event in (None, d.event)
        ]

    def totals(self) -> dict[str, int]:
        """Return how many deliveries are in each state, of how many events, with how many attempts."""
        states = Counter(d.state for d in self._all)
        attempts = sum(len(d.attempts) for d in self._all)
        return {"events": self._events, "attempts": attempts, **{state: states[state] for state in STATES}}

    async def flush(self, *, shuffle_seed: int | None = None, copies: int = 1, reverse: bool = False) -> dict[str, int]:
        """Send what is held, one after the other, each `copies` times; return when all was tried once."""
        held = [d for d in self._all if d.state == "held"]
        if reverse:
            held.reverse()
        if shuffle_seed is not None:
            random.Random(shuffle_seed).shuffle(held)
        queue: list[Delivery] = []
        for delivery in held:
            delivery.state = "pending"
            queue.append(delivery)
            queue.extend(self._copied(delivery, at + 2) for at in range(copies - 1))
        await asyncio.wait({self._spawn(self._send_in_order(queue))})
        return {"sent": len(queue), **Counter(d.state for d in queue)}

    async def wait(self, seconds: float) -> bool:
        """Wait until nothing is pending, `seconds` at most; tell whether that came."""
        until = time.monotonic() + seconds
        while self._tasks:
            left = until - time.monotonic()
            if left <= 0:
                return False
            await asyncio.wait(set(self._tasks), timeout=left)
        return True

    def forget(self) -> None:
        """Forget every event; what is pending or held is never sent."""
        self.close()
        self._all: deque[Delivery] = deque(maxlen=KEPT)
        self._events = 0
        self._ids = count(1)
        self._gate = asyncio.Semaphore(AT_ONCE)

    def close(self) -> None:
        """Give up everything under way."""
        for task in self._tasks:
            task.cancel()
        self._tasks = set()

    def _begin(self, delivery: Delivery, lost: bool) -> None:
        if lost:
            delivery.state = "lost"
        elif not is_loopback(delivery.url):
            delivery.state = "refused"
        elif self.settings.webhook_hold:
            delivery.state = "held"
        else:
            self._spawn(self._deliver(delivery, float(self.settings.webhook_delay_s)))

    def _copied(self, delivery: Delivery, copy: int) -> Delivery:
        twin = replace(delivery, id=next(self._ids), copy=copy, attempts=[])
        self._all.append(twin)
        return twin

    async def _send_in_order(self, queue: list[Delivery]) -> None:
        for delivery in queue:
            if not await self._attempt(delivery):
                self._spawn(self._retry(delivery))

    async def _deliver(self, delivery: Delivery, delay: float) -> None:
        if delay:
            await asyncio.sleep(delay)
        if not await self._attempt(delivery):
            await self._retry(delivery)

    async def _retry(self, delivery: Delivery) -> None:
        for pause in delivery.pauses:
            await asyncio.sleep(pause / self.settings.webhook_retry_speed)
            if await self._attempt(delivery):
                return
        delivery.state = "gave_up"

    async def _attempt(self, delivery: Delivery) -> bool:
        started = time.perf_counter()
        outcome: dict[str, Any]
        answer: httpx.Response | None = None
        try:
            async with self._gate:
                answer = await _send(delivery, float(self.settings.webhook_timeout_s))
            outcome = {"status": answer.status_code}
        except (httpx.HTTPError, httpx.InvalidURL) as problem:
            outcome = {"error": f"{type(problem).__name__}: {problem}"}
        milliseconds = round((time.perf_counter() - started) * 1000, 2)
        delivery.attempts.append({**outcome, "ms": milliseconds, "at": iso(self.clock.now())})
        if answer is None or not answer.is_success:
            return False
        delivery.state = "delivered"
        if delivery.on_answer is not None:
            delivery.on_answer(answer.status_code, answer.content)
        return True

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def is_loopback(url: str) -> bool:
    """Tell whether a URL is plain HTTP to this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
        return parts.scheme == "http" and (host == "localhost" or ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False


async def _send(delivery: Delivery, seconds: float) -> httpx.Response:
    # Plain HTTP only: a bare context spares the reading of certificates.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    async with httpx.AsyncClient(verify=context, timeout=seconds, trust_env=False) as client:
        return await client.post(delivery.url, headers=delivery.headers, content=delivery.body)


def _readable(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
