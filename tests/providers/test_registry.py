"""Every system that the hub can speak to."""

from typing import Any, Protocol, runtime_checkable

import pytest

from hub.tables import Connection
from providers.contract import CatalogSource, Feed, StockSource
from providers.registry import (
    KINDS,
    LacksCapabilityError,
    UnknownKindError,
    capability,
    kind,
    kinds_with,
    open_provider,
)


@runtime_checkable
class Teleporter(Protocol):
    """What no system can do."""

    reach: int

    async def teleport(self) -> None: ...


TINY = ("tiny_v2", "tiny_v3")


def connection(of: str, **rest: Any) -> Connection:
    return Connection(id=f"loja-sol-{of}", merchant_id="loja-sol", kind=of, side="erp", **rest)


@pytest.mark.parametrize("name", sorted(KINDS))
async def test_every_kind_opens_without_a_call(name: str, db: Any) -> None:
    async with open_provider(db, connection(name)) as provider:
        assert (provider.kind, provider.calls, KINDS[name].kind) == (name, 0, name)
        assert await provider.per_minute() is None


def test_an_unknown_kind_is_told_with_the_valid_ones() -> None:
    with pytest.raises(
        UnknownKindError, match=r"received the kind 'bling'; valid are contaazul, tagplus, tiny_v2, tiny_v3"
    ):
        kind("bling")


async def test_a_capability_is_given_or_refused_clearly(db: Any) -> None:
    async with open_provider(db, connection("tiny_v2")) as provider:
        assert capability(provider, CatalogSource) is provider  # type: ignore[type-abstract]
        with pytest.raises(LacksCapabilityError, match="tiny_v2 is no Teleporter"):
            capability(provider, Teleporter)  # type: ignore[type-abstract]


def test_kinds_are_found_by_what_they_can_do() -> None:
    assert set(kinds_with(CatalogSource)) == set(kinds_with(StockSource)) == {"tagplus", "tiny_v2", "tiny_v3"}
    assert kinds_with(Teleporter) == []


@pytest.mark.parametrize(
    ("features", "policy", "feed"),
    [
        ({"update_lists": True}, {}, Feed.CONSUMED),
        ({"update_lists": True}, {"update_lists": "never"}, Feed.NONE),
        ({"update_lists": False}, {}, Feed.NONE),
        ({}, {}, Feed.NONE),
    ],
)
async def test_tinys_update_lists_are_read_where_they_are_and_may_be(
    db: Any, features: dict[str, Any], policy: dict[str, Any], feed: Feed
) -> None:
    provider: Any = open_provider(db, connection("tiny_v2", features=features, policy=policy))
    async with provider:
        assert provider.catalog_feed is provider.stock_feed is feed


@pytest.mark.parametrize(
    ("features", "policy", "at_once"),
    [
        ({}, {}, 5),
        ({"per_minute": 60}, {}, 15),
        ({"per_minute": None}, {}, 5),
        ({"per_minute": 60}, {"calls_per_minute": 8}, 2),
        ({}, {"calls_per_minute": 1}, 1),
        ({}, {"calls_per_minute": 0}, 30),
        ({"per_minute": 60}, {"calls_at_once": 3}, 3),
    ],
)
async def test_a_quarter_of_the_quota_may_be_under_way(
    db: Any, features: dict[str, Any], policy: dict[str, Any], at_once: int
) -> None:
    for name in TINY:
        provider: Any = open_provider(db, connection(name, features=features, policy=policy))
        async with provider:
            assert provider.http.at_once == at_once


async def test_both_apis_of_one_account_share_one_quota(db: Any) -> None:
    keys = set()
    for name in TINY:
        provider: Any = open_provider(db, connection(name, account="indice-cego"))
        async with provider:
            keys.add(provider.http.limiter.key)
    assert keys == {"tiny:indice-cego"}
