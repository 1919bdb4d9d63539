"""Refresh tokens that work once: what can go wrong between the refresh and its storing."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from hub import connections, crypto
from hub.clock import utcnow
from hub.credentials import TokenStore
from hub.db import Database
from providers import oauth
from providers.contract import CallFailed, Outcome
from providers.oauth import OAuth, token_request

REFUSED = CallFailed(Outcome.REAUTH, "token", operation="oauth/token", status=400, code="invalid_grant")


@pytest.fixture(autouse=True)
def _keys() -> Iterator[None]:
    before = crypto.use(crypto.Keyring([crypto.generate_key()], crypto.generate_key()))
    yield
    crypto.use(before)


@pytest.fixture
async def store(db: Database) -> TokenStore:
    """The stored pair number 1, whose access token ended an hour ago."""
    ended = (utcnow() - timedelta(hours=1)).isoformat()
    pair = {"access_token": "access-1", "refresh_token": "refresh-1", "expires_at": ended, "lifetime_s": 60}
    async with db.write() as session:
        made = await connections.install(session, merchant="Loja Sol", kind="tiny_v3", side="erp", credentials=pair)
    return TokenStore(db, made.id)


def opened(store: TokenStore) -> OAuth:
    return OAuth(store, "https://token.invalid/", "client", "secret")


async def bearer(auth: OAuth) -> str:
    request = httpx.Request("GET", "https://api.invalid/")
    await auth.sign(request)
    return request.headers["Authorization"].removeprefix("Bearer ")


def answers(monkeypatch: pytest.MonkeyPatch, *given: Any) -> list[dict[str, str]]:
    """Make the token endpoint answer so, one after the other; returns the forms that it receives."""
    forms: list[dict[str, str]] = []
    left = list(given)

    async def ask(url: str, form: dict[str, str], **_rest: Any) -> dict[str, Any]:
        forms.append(form)
        answer = left.pop(0)
        if callable(answer):
            answer = await answer()
        if isinstance(answer, Exception):
            raise answer
        found: dict[str, Any] = answer
        return found

    monkeypatch.setattr(oauth, "token_request", ask)
    return forms


def pair(number: int, **rest: Any) -> dict[str, Any]:
    return {
        "access_token": f"access-{number}",
        "refresh_token": f"refresh-{number}",
        "expires_in": 14400,
        **rest,
    }


async def test_the_new_pair_is_stored_before_it_is_used(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = answers(monkeypatch, pair(2))
    assert await bearer(opened(store)) == "access-2"
    assert [form["refresh_token"] for form in forms] == ["refresh-1"]
    stored = await store.load()
    assert (stored.access, stored.refresh, stored.lifetime_s) == ("access-2", "refresh-2", 14400)


async def test_a_lost_race_looks_like_a_lost_grant_and_is_none(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def somebody_was_faster() -> CallFailed:
        stored = await store.load()
        await store.save(access="access-9", refresh="refresh-9", lifetime_s=14400, after=stored.version)
        return REFUSED

    answers(monkeypatch, somebody_was_faster)
    assert await bearer(opened(store)) == "access-9"


async def test_a_refused_grant_without_a_race_is_a_lost_connection(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, REFUSED)
    with pytest.raises(CallFailed) as raised:
        await bearer(opened(store))
    assert raised.value.outcome is Outcome.REAUTH
    assert (await store.load()).refresh == "refresh-1"


async def test_a_pair_stored_by_somebody_else_meanwhile_is_kept(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connected_anew() -> dict[str, Any]:
        stored = await store.load()
        await store.save(access="access-9", refresh="refresh-9", lifetime_s=14400, after=stored.version)
        return pair(2)

    answers(monkeypatch, connected_anew)
    assert await bearer(opened(store)) == "access-9"
    assert (await store.load()).refresh == "refresh-9"


async def test_two_openings_share_what_the_first_one_got(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = answers(monkeypatch, pair(2))
    assert [await bearer(opened(store)), await bearer(opened(store))] == ["access-2", "access-2"]
    assert len(forms) == 1


async def test_a_refused_version_that_was_renewed_already_is_not_renewed_again(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    forms = answers(monkeypatch, pair(2))
    auth = opened(store)
    old = (await store.load()).version
    assert await auth.refused(old)
    assert await auth.refused(old)
    assert len(forms) == 1


@pytest.mark.parametrize("lifetime", [None, "", "soon", -5, 1.5])
async def test_a_lifetime_that_makes_no_sense_is_none(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch, lifetime: Any
) -> None:
    answers(monkeypatch, pair(2, expires_in=lifetime))
    assert await bearer(opened(store)) == "access-2"
    assert (await store.load()).expires_at is None


async def test_a_connection_without_tokens_asks_nobody(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = await store.load()
    await store.save(access="", refresh="", lifetime_s=0, after=stored.version)
    forms = answers(monkeypatch)
    with pytest.raises(CallFailed) as raised:
        await bearer(opened(store))
    assert (raised.value.outcome, raised.value.reason, forms) == (Outcome.REAUTH, "token", [])


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        (400, b'{"error": "invalid_grant", "error_description": "refresh-1"}', Outcome.REAUTH, "invalid_grant"),
        (401, b'{"error": "unauthorized_client"}', Outcome.REAUTH, "unauthorized_client"),
        (400, b'{"error": "temporarily_unavailable"}', Outcome.RETRY, "temporarily_unavailable"),
        (503, b"<html>", Outcome.RETRY, ""),
        (200, b"{}", Outcome.RETRY, ""),
        (200, b"[1]", Outcome.RETRY, ""),
    ],
)
async def test_the_token_endpoints_answers(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, outcome: Outcome, code: str
) -> None:
    async def post(self: httpx.AsyncClient, url: str, **rest: Any) -> httpx.Response:
        return httpx.Response(status, content=body)

    monkeypatch.setattr(httpx.AsyncClient, "post", post)
    with pytest.raises(CallFailed) as raised:
        await token_request("https://token.invalid/", {"refresh_token": "refresh-1"})
    assert (raised.value.outcome, raised.value.code) == (outcome, code)
    assert "refresh-1" not in str(raised.value)


async def test_an_endpoint_out_of_reach_is_a_passing_fault() -> None:
    with pytest.raises(CallFailed) as raised:
        await token_request("http://127.0.0.1:9/", {"refresh_token": "refresh-1"})
    assert raised.value.outcome is Outcome.RETRY
    assert raised.value.__cause__ is None


async def test_a_word_of_the_endpoints_own_refuses_for_good_where_it_is_said_to(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def post(self: httpx.AsyncClient, url: str, **rest: Any) -> httpx.Response:
        return httpx.Response(400, json={"error": "invalid_request", "error_description": "Invalid refresh_token"})

    monkeypatch.setattr(httpx.AsyncClient, "post", post)
    outcomes = []
    for words in (frozenset[str](), frozenset(("invalid_request",))):
        with pytest.raises(CallFailed) as raised:
            await bearer(OAuth(store, "https://token.invalid/", "client", "secret", refusals=words))
        outcomes.append(raised.value.outcome)
    assert outcomes == [Outcome.RETRY, Outcome.REAUTH]


async def test_an_idle_pair_is_renewed_by_its_age_and_once(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = answers(monkeypatch, pair(2))
    assert not await opened(store).renew_idle(timedelta(hours=2)), "it was got an hour and a minute ago"
    renewed = await asyncio.gather(*(opened(store).renew_idle(timedelta(hours=1)) for _ in range(5)))
    assert any(renewed)
    assert [form["refresh_token"] for form in forms] == ["refresh-1"]
