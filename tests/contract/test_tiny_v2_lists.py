"""Tiny v2's update lists over the wire, of more rows than fit on a page, under both readings of the reference."""

from datetime import datetime
from typing import Any

import pytest

from hub.db import Database
from hub.policy import Policy
from hub.records import StockRecord
from providers.contract import Feed
from tests.contract.subjects import Sandbox, Subject


@pytest.fixture
def tiny_v2(hub_db: Database, sandbox: Sandbox) -> Subject:
    subject = Subject("tiny_v2", hub_db, sandbox)
    sandbox.ask("POST", "/tiny/accounts/demo/seed", catalog="generated", size=260)
    return subject


async def edited(subject: Subject) -> tuple[set[str], datetime]:
    """Edit 230 products an hour after everything else; which they are and since when they were edited."""
    sandbox = subject.sandbox
    async with subject.opened(features={"update_lists": True}) as provider:
        [page async for page in provider.changed_products(datetime.fromisoformat(now(sandbox)))]
    sandbox.ask("POST", "/clock", advance_s=3600)
    since = datetime.fromisoformat(now(sandbox))
    products = [p for p in sandbox.products() if p["situacao"] != "E"][:230]
    for product in products:
        sandbox.ask("PATCH", f"/tiny/accounts/demo/products/{product['id']}", preco="33.33")
        path = f"/tiny/accounts/demo/products/{product['id']}/stock"
        sandbox.ask("POST", path, deposit="Depósito Geral", balance=77, reserved=0)
    return {str(product["id"]) for product in products}, since


def now(sandbox: Sandbox) -> str:
    found: str = sandbox.ask("GET", "/clock")["now"]
    return found


@pytest.mark.parametrize("list_is", ["consume", "since"])
async def test_every_change_is_told(tiny_v2: Subject, list_is: str) -> None:
    chosen, since = await edited(tiny_v2)
    tiny_v2.sandbox.ask("POST", "/settings", update_list=list_is)
    async with tiny_v2.opened(features={"update_lists": True}) as provider:
        told = [row.external_id async for page in provider.changed_products(since) for row in page.rows]
        calls = provider.calls
        balances: list[Any] = [record async for page in provider.changed_stock(since) for record in page.records]
    assert chosen <= set(told)
    assert len(told) == len(set(told))
    assert calls == 3 + (list_is == "since")
    known = {record.external_id: record for record in balances if isinstance(record, StockRecord)}
    assert chosen <= set(known)
    deposits = [d.physical for key in chosen for d in known[key].deposits if d.name == "Depósito Geral"]
    assert deposits == [77] * 230


async def test_a_list_left_to_another_integration_is_not_read(tiny_v2: Subject) -> None:
    policy = Policy(calls_per_minute=0, update_lists="never")
    async with tiny_v2.opened(features={"update_lists": True}, policy=policy) as provider:
        assert provider.catalog_feed is provider.stock_feed is Feed.NONE
