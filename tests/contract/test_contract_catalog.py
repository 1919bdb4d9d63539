"""What every provider must do as a source of products and of stock."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from hub.catalog import prepare
from hub.clock import utcnow
from hub.policy import Policy
from hub.records import ProductKind, ProductRecord, Refused, StockRecord
from providers.contract import CatalogSource, Feed, Gone, Provider, StockSource
from providers.registry import capability
from tests.contract.subjects import Subject

NOBODY = "999999999999"


async def listed(source: CatalogSource) -> list[Any]:
    rows, page, pages = [], 1, 0
    while True:
        found = await source.list_products(page)
        rows += found.rows
        pages += 1
        if found.next is None:
            assert found.of in (None, pages)
            return rows
        assert found.next == page + 1
        page = found.next


async def everything(source: CatalogSource) -> dict[str, ProductRecord | Refused]:
    found: dict[str, ProductRecord | Refused] = {}
    for row in await listed(source):
        if not row.follows_parent:
            reading = await source.read_product(row.external_id)
            assert not isinstance(reading, Gone)
            assert not set(found) & {record.external_id for record in reading}, "told twice"
            found.update({record.external_id: record for record in reading})
    return found


async def test_it_is_a_provider_with_the_capabilities_it_claims(subject: Subject) -> None:
    async with subject.opened() as provider:
        assert isinstance(provider, Provider)
        assert provider.kind == subject.kind
        assert capability(provider, CatalogSource) is provider  # type: ignore[type-abstract]
        assert capability(provider, StockSource) is provider  # type: ignore[type-abstract]
        assert provider.calls == 0


async def test_check_tells_the_account(subject: Subject) -> None:
    document = subject.vendor.company()
    async with subject.opened() as provider:
        account = await provider.check()
    assert account.name
    assert account.document == document
    assert "update_lists" in account.features


async def test_check_learns_the_quota(subject: Subject) -> None:
    subject.vendor.limited()
    async with subject.opened(policy=Policy()) as provider:
        account = await provider.check()
        limits = (account.per_minute, account.features["per_minute"], await provider.per_minute())
    assert limits == (subject.vendor.per_minute,) * 3


async def test_every_product_is_listed_once_and_read(subject: Subject) -> None:
    async with subject.opened() as provider:
        rows = await listed(provider)
        found = await everything(provider)
    assert len({row.external_id for row in rows}) == len(rows) > 60
    assert set(found) == subject.vendor.on_sale()
    kinds = {record.kind for record in found.values() if isinstance(record, ProductRecord)}
    assert {ProductKind.SIMPLE, ProductKind.PARENT, ProductKind.VARIATION, ProductKind.KIT} <= kinds


async def test_three_products_are_bad_and_the_others_are_fit_for_a_shop(subject: Subject) -> None:
    async with subject.opened() as provider:
        found = await everything(provider)
    bad = [record for record in found.values() if isinstance(record, Refused) or isinstance(prepare(record), Refused)]
    assert len(bad) == subject.vendor.bad_products == 3, bad


async def test_families_and_kits_hang_together(subject: Subject) -> None:
    async with subject.opened() as provider:
        found = await everything(provider)
    records = [record for record in found.values() if isinstance(record, ProductRecord)]
    variations = [record for record in records if record.kind is ProductKind.VARIATION]
    assert variations
    for variation in variations:
        parent = found[variation.parent_ref]
        assert isinstance(parent, ProductRecord) and parent.kind is ProductKind.PARENT
        assert variation.attributes
    kits = [record for record in records if record.kind is ProductKind.KIT]
    assert kits
    assert all(kit.kit and all(part.external_id in found for part in kit.kit) for kit in kits)
    assert {record.kind for record in records if record.parent_ref} == {ProductKind.VARIATION}


async def test_a_row_changes_with_its_product_and_with_nothing_else(subject: Subject) -> None:
    async with subject.opened() as provider:
        rows = await listed(provider)
        chosen = next(row.external_id for row in rows if not row.follows_parent)
        before = {row.external_id: row.fingerprint for row in rows}
        assert before == {row.external_id: row.fingerprint for row in await listed(provider)}
        subject.sandbox.ask("POST", "/clock", advance_s=5)
        subject.vendor.reprice(chosen, "77.77")
        after = {row.external_id: row.fingerprint for row in await listed(provider)}
        reading = await provider.read_product(chosen)
    assert [key for key in before if before[key] != after[key]] == [chosen]
    assert reading[0].list_price == Decimal("77.77")


async def test_an_unknown_id_is_gone(subject: Subject) -> None:
    async with subject.opened() as provider:
        assert await provider.read_product(NOBODY) == Gone(NOBODY)
        assert await provider.read_stock(NOBODY) == Gone(NOBODY)


async def test_a_variation_is_read_the_same_by_its_own_id(subject: Subject) -> None:
    async with subject.opened() as provider:
        found = await everything(provider)
        variation = next(
            record
            for record in found.values()
            if isinstance(record, ProductRecord) and record.kind is ProductKind.VARIATION
        )
        reading = await provider.read_product(variation.external_id)
    assert variation in reading


async def test_balances_are_read(subject: Subject) -> None:
    chosen, count = subject.vendor.count()
    asked = utcnow()
    async with subject.opened() as provider:
        found = await provider.read_stock(chosen)
    assert isinstance(found, StockRecord)
    assert found.external_id == chosen
    assert (found.physical, found.reserved, found.available) == (count.physical, count.reserved, count.available)
    assert {deposit.name: (deposit.physical, deposit.counted) for deposit in found.deposits} == count.deposits
    assert len({deposit.key for deposit in found.deposits}) == len(count.deposits)
    assert asked <= found.as_of <= utcnow()


@pytest.mark.parametrize("types", ["clean", "messy"])
async def test_every_balance_is_read_however_it_is_spelt(subject: Subject, types: str) -> None:
    subject.vendor.spell(types)
    async with subject.opened() as provider:
        for record in [r for r in (await everything(provider)).values() if isinstance(r, ProductRecord)][:40]:
            found = await provider.read_stock(record.external_id)
            assert isinstance(found, StockRecord), found


async def test_messy_types_mean_the_same(subject: Subject) -> None:
    async with subject.opened() as provider:
        clean = await everything(provider)
        subject.vendor.spell("messy")
        messy = await everything(provider)
    for key, record in clean.items():
        if isinstance(record, ProductRecord):
            assert _unpriced(messy[key]) == _unpriced(record)


def _unpriced(record: ProductRecord | Refused) -> ProductRecord | Refused:
    """A price of zero may come as null: none, or nought, it is not told which."""
    return replace(record, list_price=record.list_price or None) if isinstance(record, ProductRecord) else record


@pytest.mark.parametrize("list_is", ["consume", "since"])
async def test_what_changed_is_told(subject: Subject, list_is: str) -> None:
    sandbox = subject.sandbox
    sandbox.ask("POST", "/settings", update_list=list_is)
    async with subject.opened(features={"update_lists": True}) as provider:
        if provider.catalog_feed is Feed.NONE:
            return
        since = utcnow()
        sandbox.ask("POST", "/clock", advance_s=3600)
        [page async for page in provider.changed_products(since)]
        chosen = sorted(row.external_id for row in await listed(provider) if not row.follows_parent)[:5]
        sandbox.ask("POST", "/clock", advance_s=3600)
        edited = sandbox.ask("GET", "/clock")["now"]
        for number, key in enumerate(chosen):
            subject.vendor.reprice(key, str(50 + number))
        pages = [page async for page in provider.changed_products(datetime.fromisoformat(edited))]
    told = {row.external_id for page in pages for row in page.rows}
    assert set(chosen) <= told
    assert len(told) < 30
