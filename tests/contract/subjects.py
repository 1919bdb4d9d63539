"""The kinds of the registry under test, and the simulator they are tested against."""

import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from hub import connections
from hub.db import Database
from hub.policy import Policy
from hub.tables import Connection
from providers.contract import Provider
from providers.registry import KINDS, open_provider
from tests.contract.vendors import VENDORS

ROOT = Path(__file__).resolve().parents[2]


class Sandbox:
    """The control API of a running sandbox."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=f"{url}/_sandbox", timeout=10, verify=False)

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self.http.request(method, path, json=body or None)
        assert answer.is_success, answer.text
        return answer.json()

    def fault(self, fault: str, times: int | None = 1, **rest: Any) -> None:
        self.ask("POST", "/faults", fault=fault, times=times, **rest)

    def calls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", "/calls")
        return found

    def products(self, sku: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"/tiny/accounts/demo/products{sku and f'?sku={sku}'}")
        return found

    def account(self, **changes: Any) -> None:
        self.ask("POST", "/tiny/accounts/demo", **changes)


def _credentials(kind: str) -> Callable[[Sandbox], dict[str, Any]]:
    return lambda sandbox: VENDORS[kind](sandbox).credentials()


ACCOUNTS = {kind: _credentials(kind) for kind in VENDORS}
"""How to get working credentials of each kind from its simulator."""


@dataclass
class Subject:
    """One kind of provider under test."""

    kind: str
    db: Database
    sandbox: Sandbox

    @functools.cached_property
    def vendor(self) -> Any:
        """What its simulator is told and asked beside the API: see `vendors`."""
        return VENDORS[self.kind](self.sandbox)

    @contextlib.asynccontextmanager
    async def opened(
        self, *, policy: Policy | None = None, features: dict[str, Any] | None = None, **credentials: Any
    ) -> AsyncIterator[Any]:
        """A provider with working credentials, but for those given; without a quota unless the policy says so."""
        connection = await self.connection(policy or Policy(calls_per_minute=0), features or {}, credentials)
        provider: Provider = open_provider(self.db, connection)
        async with provider:
            yield provider

    async def connection(self, policy: Policy, features: dict[str, Any], credentials: dict[str, Any]) -> Connection:
        good = self.vendor.credentials()
        async with self.db.write() as session:
            made = await connections.install(
                session,
                merchant="Loja Sol",
                kind=self.kind,
                side=KINDS[self.kind].side,
                credentials={**good, **credentials},
                policy=policy,
            )
            made.features = features
        async with self.db.read() as session:
            return await connections.find(session, made.id)
