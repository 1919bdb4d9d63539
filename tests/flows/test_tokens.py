"""Refresh tokens that work once, lost races and revoked grants, against the simulator's token endpoint."""

import pytest

from hub import connections
from hub.credentials import Tokens, TokenStore
from hub.db import Database
from hub.settings import settings
from providers.contract import CallFailed, Outcome
from providers.oauth import OAuth, token_request
from tests.contract.subjects import Sandbox
from tests.flows.shop import Shop, free


@pytest.fixture
async def shop(db: Database, sandbox: Sandbox) -> Shop:
    return await Shop.connect(db, sandbox, "tiny_v3", policy=free())


async def test_a_lost_race_reads_the_winners_pair_and_carries_on(shop: Shop, db: Database) -> None:
    class Overtaken(TokenStore):
        """Between its reading of the pair and its use of it another process refreshes: its lease had run out."""

        async def load(self) -> Tokens:
            tokens = await super().load()
            if not overtaken:
                overtaken.append(tokens)
                await _win(TokenStore(db, shop.id), tokens)
            return tokens

    overtaken: list[Tokens] = []
    loser = _oauth(shop, Overtaken(db, shop.id))
    assert await loser.refused(1)
    stored = await TokenStore(db, shop.id).load()
    assert stored.version == overtaken[0].version + 1
    assert (await loser.store.load()).access == stored.access


async def test_a_revoked_grant_is_reauth_and_says_no_secret(shop: Shop, db: Database) -> None:
    shop.sandbox.account(revoke_v3=True)
    before = await TokenStore(db, shop.id).load()
    with pytest.raises(CallFailed) as caught:
        await _oauth(shop, TokenStore(db, shop.id)).refused(before.version)
    assert caught.value.outcome is Outcome.REAUTH
    for secret in (before.access, before.refresh, "demo-client-secret"):
        assert secret not in str(caught.value) and secret not in repr(caught.value.__context__)


async def test_the_new_pair_is_stored_before_it_is_used(shop: Shop, db: Database) -> None:
    before = await TokenStore(db, shop.id).load()
    auth = _oauth(shop, TokenStore(db, shop.id))
    await auth.refused(before.version)
    async with db.read() as session:
        found = await connections.find(session, shop.id)
    assert found.credentials_version == before.version + 1
    assert found.credentials["refresh_token"] != before.refresh


def _oauth(shop: Shop, store: TokenStore) -> OAuth:
    return OAuth(store, settings().tiny_v3_token_url, "demo-client", "demo-client-secret")


async def _win(store: TokenStore, tokens: Tokens) -> None:
    """What the other process did: refresh, and store the pair."""
    form = {"grant_type": "refresh_token", "client_id": "demo-client", "client_secret": "demo-client-secret"}
    answer = await token_request(settings().tiny_v3_token_url, {**form, "refresh_token": tokens.refresh})
    await store.save(
        access=answer["access_token"], refresh=answer["refresh_token"], lifetime_s=14400, after=tokens.version
    )
