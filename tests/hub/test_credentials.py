import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from hub.clock import utcnow
from hub.connections import install
from hub.credentials import StaleTokensError, Tokens, TokenStore
from hub.db import Database
from hub.tables import Connection
from tests.hub.children import all_at_once
from tests.hub.shop import one


@pytest.fixture
async def tokens(db: Database) -> TokenStore:
    async with db.write() as session:
        made = await install(
            session,
            merchant="Loja Sol",
            kind="tiny_v3",
            side="erp",
            credentials={"client_id": "abc", "access_token": "old-access", "refresh_token": "old-refresh"},
        )
    return TokenStore(db, made.id)


async def test_what_was_installed_is_loaded(tokens: TokenStore) -> None:
    assert await tokens.load() == Tokens("old-access", "old-refresh", None, 0, version=1)


async def test_the_next_pair_replaces_the_one_it_follows_and_leaves_the_rest(tokens: TokenStore, db: Database) -> None:
    saved = await tokens.save(access="new-access", refresh="new-refresh", lifetime_s=14_400, after=1)
    assert saved == await tokens.load()
    assert (saved.access, saved.refresh, saved.lifetime_s, saved.version) == ("new-access", "new-refresh", 14_400, 2)
    assert saved.expires_at is not None
    assert abs(saved.expires_at - utcnow() - timedelta(hours=4)) < timedelta(seconds=10)
    assert (await one(db, Connection)).credentials["client_id"] == "abc"


async def test_a_pair_that_came_second_is_refused_and_the_newer_one_stays(tokens: TokenStore) -> None:
    first = await tokens.save(access="a", refresh="a", lifetime_s=60, after=1)
    with pytest.raises(StaleTokensError, match="version 1 was to be followed, found 2"):
        await tokens.save(access="b", refresh="b", lifetime_s=60, after=1)
    assert await tokens.load() == first


async def test_of_two_that_follow_the_same_pair_at_once_one_is_stored(tokens: TokenStore) -> None:
    ended = await asyncio.gather(
        *(tokens.save(access=name, refresh=name, lifetime_s=60, after=1) for name in "abcd"), return_exceptions=True
    )
    stored = [end for end in ended if isinstance(end, Tokens)]
    assert len(stored) == 1
    assert sum(isinstance(end, StaleTokensError) for end in ended) == 3
    assert await tokens.load() == stored[0]


async def test_a_pair_without_a_lifetime_never_expires(tokens: TokenStore) -> None:
    assert (await tokens.save(access="a", refresh="r", lifetime_s=0, after=1)).expires_at is None


async def test_new_credentials_make_an_old_refresh_stale(tokens: TokenStore, db: Database) -> None:
    """The merchant authorises again while a refresh with the old token is under way."""
    async with db.write() as session:
        await install(
            session, merchant="Loja Sol", kind="tiny_v3", side="erp", credentials={"access_token": "authorised-again"}
        )
    with pytest.raises(StaleTokensError):
        await tokens.save(access="late", refresh="late", lifetime_s=60, after=1)
    assert (await tokens.load()).access == "authorised-again"


async def test_nothing_readable_lies_in_the_database(tokens: TokenStore, db: Database) -> None:
    await tokens.save(access="new-access", refresh="new-refresh", lifetime_s=60, after=1)
    async with db.read() as session:
        stored = (await session.execute(text("select credentials from connection"))).scalar_one()
    assert "access" not in stored
    assert "refresh" not in stored


async def test_tokens_show_no_secret(tokens: TokenStore) -> None:
    shown = repr(await tokens.load()) + str(await tokens.load()) + f"{await tokens.load()}"
    assert "old" not in shown


async def test_one_task_refreshes_at_a_time(tokens: TokenStore) -> None:
    inside = most = 0

    async def refresh() -> None:
        nonlocal inside, most
        async with tokens.locked():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*(refresh() for _ in range(5)))
    assert most == 1


async def test_two_connections_refresh_at_the_same_time(tokens: TokenStore, db: Database) -> None:
    async with asyncio.timeout(5), tokens.locked(), TokenStore(db, "loja-lua-tiny").locked():
        pass


async def test_processes_refresh_one_after_the_other(tokens: TokenStore, database_url: str) -> None:
    """No pair is ever stale: with single-use tokens, each one would be a merchant who has to authorise again."""
    job = ("refresh_tokens", database_url, tokens.connection_id, 5)
    assert await all_at_once(job, job) == [10, 10]
    assert (await tokens.load()).version == 21
