"""The bell asks for one run of the drain when events wait and nobody comes; it outlasts a Prefect that is away."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from hub import crypto, inbox
from hub.db import Database
from hub.inbox import Arrival
from hub.leases import lease
from tests.hub.children import TEST_KEY
from tests.hub.shop import connect
from tests.serving import served_in_a_thread
from web import bell as bells
from web.bell import DRAIN, Bell

pytestmark = pytest.mark.usefixtures("_keys")


@pytest.fixture
def _keys() -> object:
    before = crypto.use(crypto.Keyring((TEST_KEY,), TEST_KEY))
    yield
    crypto.use(before)


class Prefect:
    """As much of Prefect's API as the bell asks for; `is_away` refuses every call."""

    def __init__(self) -> None:
        self.is_away = False
        self.asked: list[dict[str, Any]] = []
        self.refused = 0
        self.looked = 0
        self.ended: set[str] = set()
        """Keys of runs that have ended: asked for again they are brought back, and nothing begins."""
        self.going: set[str] = set()
        """Keys of runs that go on."""
        self.waiting = False
        """Whether a run that was asked for still waits for a worker."""
        self.app = Starlette(
            routes=[
                Route("/api/deployments/name/{flow}/{name}", self._find),
                Route("/api/deployments/{id}/create_flow_run", self._create, methods=["POST"]),
                Route("/api/flow_runs/filter", self._filter, methods=["POST"]),
            ]
        )

    @property
    def runs(self) -> set[str]:
        return {run["idempotency_key"] for run in self.asked}

    async def _find(self, request: Request) -> JSONResponse:
        if self.is_away:
            self.refused += 1
            return JSONResponse({}, 503)
        assert request.path_params == {"flow": DRAIN, "name": DRAIN}
        return JSONResponse({"id": "the-drain"})

    async def _filter(self, request: Request) -> JSONResponse:
        self.looked += 1
        return JSONResponse([{"id": "a-run"}] if self.waiting else [])

    async def _create(self, request: Request) -> JSONResponse:
        assert request.path_params["id"] == "the-drain"
        run = json.loads(await request.body())
        self.asked.append({**run, "auth": request.headers.get("authorization", "")})
        key = run["idempotency_key"]
        state = "COMPLETED" if key in self.ended else "RUNNING" if key in self.going else "SCHEDULED"
        return JSONResponse({"id": "a-run", "state": {"type": state}}, 201)


@pytest.fixture
def prefect() -> Iterator[tuple[Prefect, str]]:
    made = Prefect()
    with served_in_a_thread(made.app) as url:
        yield made, f"{url}/api"


@pytest.fixture
async def store(db: Database) -> Callable[[], Awaitable[None]]:
    await connect(db, "loja-sol-tiny")

    async def stored() -> None:
        async with db.write() as session:
            await inbox.store(session, [Arrival("loja-sol-tiny", "loja-sol", "estoque", b"{}")])

    return stored


@pytest.fixture
def first_key(monkeypatch: pytest.MonkeyPatch) -> str:
    """The time stands still; the first key of its minute."""
    now = 1_790_000_000.0
    monkeypatch.setattr(bells.time, "time", lambda: now)
    return f"{DRAIN}-{int(now // bells.BUCKET_S)}-0"


async def rung(db: Database, url: str, store: Callable[[], Awaitable[None]]) -> Bell:
    """A bell that was rung for an event."""
    bell = Bell(db, url)
    await store()
    bell.ring()
    return bell


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_hundred_events_ask_for_one_run(
    db: Database, prefect: tuple[Prefect, str], store: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = prefect
    minutes = iter(range(10_000))
    monkeypatch.setattr(bells, "_bucket", lambda: 1 + next(minutes) // 4)  # minutes end meanwhile
    monkeypatch.setattr(bells, "AGAIN_S", 0.05)
    bell = Bell(db, url, auth="ops:secret")
    await store()
    for _ in range(100):
        bell.ring()
    await until(lambda: len(server.asked) >= 5)
    await bell.close()
    run = server.asked[0]
    assert len(server.runs) == 1, "asked again while nobody comes, and it is still one"
    assert run["idempotency_key"].startswith(DRAIN)
    assert run["auth"] == "Basic b3BzOnNlY3JldA=="
    assert run["parameters"] == {"connection": None, "dry_run": False}


async def test_two_processes_that_ask_at_once_ask_with_one_key(
    db: Database, prefect: tuple[Prefect, str], store: Callable[[], Awaitable[None]], first_key: str
) -> None:
    server, url = prefect
    await store()
    pair = [Bell(db, url), Bell(db, url)]
    for bell in pair:
        bell.ring()
    await until(lambda: len(server.asked) >= 2)
    for bell in pair:
        await bell.close()
    assert len(server.runs) == 1


async def test_nothing_is_asked_of_prefect_while_a_drain_lives(
    db: Database, prefect: tuple[Prefect, str], store: Callable[[], Awaitable[None]]
) -> None:
    server, url = prefect
    bell = Bell(db, url)
    await store()
    async with lease(db, DRAIN) as held:
        assert held is not None
        bell.ring()
        await until(lambda: not bell._rung.is_set())
    await bell.close()
    assert server.asked == []


async def test_a_prefect_that_is_away_is_asked_again_until_it_is_there(
    db: Database, prefect: tuple[Prefect, str], store: Callable[[], Awaitable[None]]
) -> None:
    server, url = prefect
    server.is_away = True
    bell = Bell(db, url, first_pause_s=0.01)
    await store()
    bell.ring()
    await until(lambda: server.refused >= 3)
    server.is_away = False
    await until(lambda: bool(server.asked))
    await bell.close()
    assert len(server.runs) == 1


async def test_a_drain_that_has_just_ended_does_not_stand_in_the_way_of_the_next(
    db: Database,
    prefect: tuple[Prefect, str],
    store: Callable[[], Awaitable[None]],
    first_key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Within one key's time: found by the benchmark, where one of three cold starts took twenty seconds."""
    server, url = prefect
    monkeypatch.setattr(bells, "AGAIN_S", 0.05)
    bell = await rung(db, url, store)
    await until(lambda: bool(server.asked))
    server.ended |= server.runs
    await until(lambda: len(server.runs) == 2)
    await until(lambda: server.asked[-1]["idempotency_key"] not in server.ended)
    await bell.close()


async def test_a_drain_that_has_drained_and_not_yet_ended_is_followed_by_another(
    db: Database,
    prefect: tuple[Prefect, str],
    store: Callable[[], Awaitable[None]],
    first_key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Found by the benchmark: asked for every two seconds, a run that took four to end cost the event four."""
    server, url = prefect
    monkeypatch.setattr(bells, "SOON_S", 0.05)
    server.going = {first_key}
    bell = await rung(db, url, store)
    await until(lambda: len(server.runs) == 2, seconds=bells.AGAIN_S / 2)
    assert len(server.asked) == 3, "the one that goes on has a moment to begin"
    await bell.close()


async def test_a_run_that_was_going_and_begins_to_drain_is_the_only_one(
    db: Database, prefect: tuple[Prefect, str], store: Callable[[], Awaitable[None]], first_key: str
) -> None:
    server, url = prefect
    server.going = {first_key}
    bell = await rung(db, url, store)
    await until(lambda: bool(server.asked))
    async with lease(db, DRAIN) as held:
        assert held is not None
        bell.ring()
        await until(lambda: not bell._rung.is_set())  # done with the first event, and on to the next
    assert len(server.asked) == 1
    await bell.close()


async def test_a_run_that_ended_without_draining_is_followed_by_another(
    db: Database, prefect: tuple[Prefect, str], store: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = prefect
    monkeypatch.setattr(bells, "BUCKET_S", 0.05)
    monkeypatch.setattr(bells, "AGAIN_S", 0.05)
    bell = await rung(db, url, store)
    await until(lambda: len(server.runs) >= 2)
    await bell.close()


async def test_while_a_run_waits_for_a_worker_no_other_is_asked_for(
    db: Database, prefect: tuple[Prefect, str], store: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a night without a worker would leave a run for each of its minutes, and the morning would start them all."""
    server, url = prefect
    server.waiting = True
    monkeypatch.setattr(bells, "BUCKET_S", 0.05)
    monkeypatch.setattr(bells, "AGAIN_S", 0.05)
    bell = await rung(db, url, store)
    await until(lambda: server.looked >= 5)
    assert server.asked == []
    server.waiting = False
    await until(lambda: bool(server.asked))
    await bell.close()


async def test_an_address_where_nobody_answers_loses_nothing(
    db: Database, store: Callable[[], Awaitable[None]]
) -> None:
    bell = Bell(db, "http://127.0.0.1:9/api", first_pause_s=0.01)
    await store()
    assert await bell._ask(1, set()) == ""
    async with db.read() as session:
        assert await inbox.due(session) == ["loja-sol-tiny"]
