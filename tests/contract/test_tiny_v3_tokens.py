"""Tiny v3's refresh tokens work once: however many tasks meet an expired token, one refresh."""

import asyncio
import os
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from hub.clock import utcnow
from hub.credentials import TokenStore
from hub.db import Database
from hub.policy import Policy
from providers.contract import CallFailed, Outcome
from tests.contract.subjects import ROOT, Sandbox, Subject


@pytest.fixture
def tiny_v3(hub_db: Database, sandbox: Sandbox) -> Subject:
    return Subject("tiny_v3", hub_db, sandbox)


def refreshes(subject: Subject) -> int:
    found: int = subject.sandbox.ask("GET", "/calls/summary")["refreshes"]
    return found


async def test_twenty_tasks_on_an_expired_token_refresh_it_once(tiny_v3: Subject) -> None:
    async with tiny_v3.opened() as provider, tiny_v3.opened() as other:
        # One connection, opened twice as by two runs: each has its own idea of the tokens, the stored pair is one.
        tiny_v3.sandbox.ask("POST", "/clock", advance_s=4 * 3600 + 60)
        pages = await asyncio.gather(*(one.list_products(1) for one in [provider, other] * 10))
    assert all(page.rows for page in pages)
    assert refreshes(tiny_v3) == 1
    assert (await TokenStore(tiny_v3.db, "loja-sol-tiny-v3").load()).access


TEN_CALLS = """
import asyncio, sys
from pathlib import Path
from hub import connections
from hub.start import open_hub
from providers.registry import open_provider

async def main():
    db = open_hub()
    async with db.read() as session:
        connection = await connections.find(session, "loja-sol-tiny-v3")
    async with open_provider(db, connection) as provider:
        print("ready", flush=True)
        sys.stdin.readline()
        pages = await asyncio.gather(*(provider.list_products(1) for _ in range(10)))
    await db.close()
    print(sum(bool(page.rows) for page in pages))

asyncio.run(main())
"""


def ten_calls(db: Database) -> "subprocess.Popen[str]":
    """A process that makes ten calls at once when it is told to."""
    url = db.engine.url.render_as_string(hide_password=False)
    return subprocess.Popen(
        [sys.executable, "-c", TEN_CALLS],
        cwd=ROOT,
        env={**os.environ, "ESTEIRA_DATABASE_URL": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_twenty_tasks_in_two_processes_refresh_it_once(tiny_v3: Subject) -> None:
    credentials = {"access_token": "expired", "expires_at": (utcnow() - timedelta(hours=1)).isoformat()}
    await tiny_v3.connection(Policy(calls_per_minute=0), {}, credentials)
    processes = [ten_calls(tiny_v3.db) for _ in range(2)]
    for process in processes:
        assert process.stdout and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [await asyncio.to_thread(process.communicate, timeout=60) for process in processes]
    assert [out for out, _ in ended] == ["10\n", "10\n"]
    assert refreshes(tiny_v3) == 1


async def test_a_token_about_to_end_is_refreshed_before_it_is_refused(tiny_v3: Subject) -> None:
    ending = (utcnow() + timedelta(minutes=4)).isoformat()
    async with tiny_v3.opened(expires_at=ending) as provider:
        assert (await provider.list_products(1)).rows
        assert provider.calls == 1
    assert refreshes(tiny_v3) == 1


async def test_a_burned_refresh_token_is_a_lost_connection(tiny_v3: Subject) -> None:
    async with tiny_v3.opened() as provider:
        first = await TokenStore(tiny_v3.db, "loja-sol-tiny-v3").load()
        tiny_v3.sandbox.ask("POST", "/clock", advance_s=4 * 3600 + 60)
        await provider.list_products(1)
    used = {"access_token": "", "refresh_token": first.refresh}
    async with tiny_v3.opened(**used) as provider:
        with pytest.raises(CallFailed) as raised:
            await provider.list_products(1)
    assert (raised.value.outcome, raised.value.code) == (Outcome.REAUTH, "invalid_grant")
    assert first.refresh not in str(raised.value)


async def test_revoked_access_is_a_lost_connection(tiny_v3: Subject) -> None:
    async with tiny_v3.opened() as provider:
        await provider.list_products(1)
        tiny_v3.sandbox.account(revoke_v3=True)
        with pytest.raises(CallFailed) as raised:
            await provider.list_products(1)
    assert raised.value.outcome is Outcome.REAUTH


async def test_a_missing_permission_is_told_by_check(tiny_v3: Subject) -> None:
    tiny_v3.sandbox.account(v3_permissions=["info:read"])
    async with tiny_v3.opened() as provider:
        with pytest.raises(CallFailed) as raised:
            await provider.check()
    assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "permission")


async def test_variations_that_are_listed_follow_their_parent(tiny_v3: Subject) -> None:
    async with tiny_v3.opened() as provider:
        without = await provider.list_products(1)
        tiny_v3.sandbox.ask("POST", "/settings", v3_variations_in_list=True)
        rows, page = [], 1
        while page is not None:
            found = await provider.list_products(page)
            rows, page = [*rows, *found.rows], found.next
    assert not any(row.follows_parent for row in without.rows)
    following = [row for row in rows if row.follows_parent]
    assert following
    assert {row.external_id for row in rows if not row.follows_parent} >= {row.external_id for row in without.rows}


async def test_an_idle_account_costs_two_calls(tiny_v3: Subject) -> None:
    async with tiny_v3.opened() as provider:
        pages = [page async for page in provider.changed_products(utcnow() + timedelta(days=1))]
        assert pages == []
        assert provider.calls == 2


async def test_a_product_created_but_never_edited_is_told_once(tiny_v3: Subject) -> None:
    sandbox = tiny_v3.sandbox
    sandbox.ask("POST", "/clock", advance_s=86_400)
    since = datetime.fromisoformat(sandbox.ask("GET", "/clock")["now"])
    sandbox.ask("POST", "/clock", advance_s=10)
    made = sandbox.ask("POST", "/tiny/accounts/demo/products", nome="Copo", codigo="COPO-1", unidade="UN", preco="9.90")
    async with tiny_v3.opened() as provider:
        pages = [page async for page in provider.changed_products(since)]
    assert [row.external_id for page in pages for row in page.rows] == [str(made["id"])]
