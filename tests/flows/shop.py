"""A merchant's shop fed by one account of the sandbox: run its pulls, and see all that the hub knows afterwards."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
from sqlalchemy import select
from sqlmodel import col

import flows.pull_catalog
import flows.pull_stock
from hub import connections
from hub.db import Database
from hub.notices import standing_notices
from hub.policy import Policy
from hub.tables import (
    Binding,
    Connection,
    Cursor,
    KitItem,
    OutboxEntry,
    Picture,
    Price,
    Product,
    Quarantined,
    RelatedProduct,
    RunReport,
    Stock,
    Worklist,
)
from hub.tables.tenancy import ConnectionState
from hub.types import plain
from providers.contract import CatalogSource, StockSource
from providers.registry import KINDS
from tasks.paths import PathFailed, run_path
from tasks.work import Summary, Work
from tests.contract.subjects import ACCOUNTS, Sandbox
from tests.hub.shop import written

BUSINESS = frozenset(("product", "price", "stock", "picture", "kit_item", "related_product", "outbox"))
"""The tables that hold what a store shows, and what tells the other systems of it."""

_OURS = frozenset(("id", "merchant_id", "parent_id", "created_at", "updated_at"))


def free(**choices: Any) -> Policy:
    """A policy without a limit of calls."""
    return Policy(**{"calls_per_minute": 0, **choices})


@dataclass
class Shop:
    """One connection of kind `kind` to the sandbox's account `demo`."""

    db: Database
    sandbox: Sandbox
    kind: str
    id: str

    @classmethod
    async def connect(
        cls,
        db: Database,
        sandbox: Sandbox,
        kind: str,
        policy: Policy | None = None,
        features: dict[str, Any] | None = None,
        merchant: str = "Loja Sol",
        **credentials: Any,
    ) -> "Shop":
        """An active connection with working credentials, but for those given."""
        async with db.write() as session:
            made = await connections.install(
                session,
                merchant=merchant,
                kind=kind,
                side=KINDS[kind].side,
                credentials={**ACCOUNTS[kind](sandbox), **credentials},
                policy=policy or free(),
            )
            made.features = features or {}
            made.state = ConnectionState.ACTIVE
        return cls(db, sandbox, kind, made.id)

    async def pull_catalog(self, dry_run: bool = False, outcome: str = "done") -> Summary:
        """Pull the products; the run must end as `outcome` says."""
        return await self._run("pull-catalog", CatalogSource, flows.pull_catalog.pull_one, dry_run, outcome)

    async def pull_stock(self, dry_run: bool = False, outcome: str = "done") -> Summary:
        """Pull the balances; the run must end as `outcome` says."""
        return await self._run("pull-stock", StockSource, flows.pull_stock.pull_one, dry_run, outcome)

    async def pull_all(self) -> list[Summary]:
        """Pull the products of every connection that is due, as the schedule does."""
        return await run_path(
            "pull-catalog",
            CatalogSource,
            flows.pull_catalog.pull_one,
            None,
            wanted=lambda _: True,
            dry_run=False,
            db=self.db,
        )

    async def connection(self) -> Connection:
        """The connection as it stands."""
        async with self.db.read() as session:
            return await connections.find(session, self.id)

    async def change(self, **values: Any) -> None:
        """Change the connection: `policy`, `features`, `credentials`, `state`."""
        async with self.db.write() as session:
            found = await connections.find(session, self.id)
            for name, value in values.items():
                setattr(found, name, value)
            session.add(found)

    async def reports(self) -> list[RunReport]:
        """The reports of its runs, oldest first."""
        async with self.db.read() as session:
            mine = select(RunReport).where(col(RunReport.connection_id) == self.id)
            return list((await session.execute(mine.order_by(col(RunReport.started_at)))).scalars())

    async def cursor(self, stream: str = "catalog") -> dict[str, Any]:
        """Where a stream stands."""
        async with self.db.read() as session:
            found = await session.get(Cursor, (self.id, stream))
        return dict(found.position) if found else {}

    def forget_calls(self) -> None:
        """Begin to count calls anew."""
        self.sandbox.ask("DELETE", "/calls")

    def calls(self) -> Counter[str]:
        """Calls that the sandbox got since then, by operation."""
        return Counter(call["operation"] for call in self.sandbox.calls())

    # What the merchant does in Tiny.

    def theirs(self, sku: str) -> dict[str, Any]:
        """The one product of that SKU as it stands over there."""
        (found,) = self.sandbox.products(sku)
        return found

    def key(self, sku: str) -> str:
        """Their id of the one product of that SKU."""
        return str(self.theirs(sku)["id"])

    def create(self, **fields: Any) -> str:
        """The merchant makes a product; its id."""
        return str(self.sandbox.ask("POST", "/tiny/accounts/demo/products", **fields)["id"])

    def edit(self, key: str, **fields: Any) -> None:
        """The merchant edits a product."""
        self.sandbox.ask("PATCH", f"/tiny/accounts/demo/products/{key}", **fields)

    def delete(self, key: str, *, hard: bool = False) -> None:
        """The merchant deletes a product; `hard` leaves no trace of it."""
        self.sandbox.ask("DELETE", f"/tiny/accounts/demo/products/{key}{'?hard=1' if hard else ''}")

    def count(self, key: str, deposit: str | None = None, **told: float) -> None:
        """The merchant sets `balance` or `reserved` in a deposit."""
        self.sandbox.ask("POST", f"/tiny/accounts/demo/products/{key}/stock", deposit=deposit, **told)

    def write_variations(self, parent_sku: str, *rows: dict[str, Any]) -> None:
        """The merchant saves a parent's form with these variations, and with no other."""
        told = self.theirs(parent_sku)
        kept = ("codigo", "nome", "unidade", "preco", "origem", "situacao", "tipo", "ncm")
        form = {key: told[key] for key in kept} | {"sequencia": 1, "id": told["id"], "classe_produto": "V"}
        form["variacoes"] = [{"variacao": row} for row in rows]
        data = {"token": "demo-token", "formato": "json", "produto": json.dumps({"produtos": [{"produto": form}]})}
        answer = httpx.post(f"{self.sandbox.url}/tiny/api2/produto.alterar.php", data=data)
        assert answer.json()["retorno"]["status"] == "OK", answer.text

    def script(self, operation: str, nth: int, *steps: dict[str, Any], when: str = "after") -> None:
        """Do `steps` over there at the nth call of `operation`."""
        self.sandbox.ask("POST", "/scripts", match={"operation": operation, "nth": nth}, when=when, do=list(steps))

    def seed(self, **catalogue: Any) -> None:
        """Fill the account."""
        self.sandbox.ask("POST", "/tiny/accounts/demo/seed", **catalogue)

    def scripts_ran(self) -> bool:
        """Whether every script met its call, and did what it says."""
        scripts = self.sandbox.ask("GET", "/scripts")["scripts"]
        return all(script["ran_at_call"] and not script["error"] for script in scripts)

    # What the hub knows.

    async def state(self) -> dict[str, Any]:
        """Everything the hub knows about the connection, comparable: without ids of ours and without times.

        `products` by their external id (`ours:SKU` where a product of the merchant is not bound here), `quarantined`
        external id → problems, `notices` key → (code, params), `worklist` stream → ids, `bindings` external id →
        (seen_hash, gone, parent_ref), `cursors` stream → keys that it holds, `outbox`.
        """
        async with self.db.read() as session:

            async def all_of(model: Any, *where: Any) -> list[Any]:
                return list((await session.execute(select(model).where(*where))).scalars())

            merchant = (await connections.find(session, self.id)).merchant_id
            bindings = await all_of(Binding, col(Binding.connection_id) == self.id)
            named = {b.record_id: b.external_id for b in bindings}
            products = await all_of(Product, col(Product.merchant_id) == merchant)
            named |= {p.id: f"ours:{p.sku}" for p in products if p.id not in named}
            told: dict[str, dict[str, Any]] = {}
            for product in products:
                columns = {key: value for key, value in product.model_dump().items() if key not in _OURS}
                told[named[product.id]] = {
                    **{key: _shown(value) for key, value in columns.items()},
                    "parent": named.get(product.parent_id or ""),
                    "price": None,
                    "pictures": [],
                    "kit": [],
                    "related": [],
                    "stock": {},
                }
            for price in await all_of(Price, col(Price.merchant_id) == merchant):
                told[named[price.product_id]]["price"] = {
                    name: _shown(getattr(price, name)) for name in ("list_price", "promotional_price", "cost_price")
                }
            for picture in await all_of(Picture, col(Picture.merchant_id) == merchant):
                told[named[picture.product_id]]["pictures"].append((picture.position, picture.url))
            for item in await all_of(KitItem, col(KitItem.merchant_id) == merchant):
                part = (item.position, item.component_ref, named.get(item.component_id or ""), _shown(item.quantity))
                told[named[item.kit_id]]["kit"].append(part)
            for related in await all_of(RelatedProduct, col(RelatedProduct.merchant_id) == merchant):
                other = (related.position, related.related_ref, named.get(related.related_id or ""))
                told[named[related.product_id]]["related"].append(other)
            for stock in await all_of(Stock, col(Stock.connection_id) == self.id):
                told[named[stock.product_id]]["stock"][stock.deposit] = {
                    "name": stock.name,
                    "physical": _shown(stock.physical),
                    "reserved": _shown(stock.reserved),
                    "available": _shown(stock.available),
                    "counted": stock.counted,
                }
            for one in told.values():
                for parts in ("pictures", "kit", "related"):
                    one[parts].sort()
            worklist: dict[str, list[str]] = {}
            for waiting in await all_of(Worklist, col(Worklist.connection_id) == self.id):
                worklist.setdefault(waiting.stream, []).append(waiting.external_id)
            return {
                "products": told,
                "quarantined": {
                    q.external_id: q.problems
                    for q in await all_of(Quarantined, col(Quarantined.connection_id) == self.id)
                },
                "notices": {n.key: (n.code, n.params) for n in await standing_notices(session, merchant)},
                "worklist": {stream: sorted(ids) for stream, ids in worklist.items()},
                "bindings": {b.external_id: (b.seen_hash, b.gone, b.parent_ref) for b in bindings},
                "cursors": {
                    c.stream: sorted(c.position) for c in await all_of(Cursor, col(Cursor.connection_id) == self.id)
                },
                "outbox": sorted(
                    (e.connection_id, e.kind, named.get(e.record_id, ""), e.state)
                    for e in await all_of(OutboxEntry, col(OutboxEntry.merchant_id) == merchant)
                ),
            }

    async def products(self) -> dict[str, dict[str, Any]]:
        """The `products` of `state`."""
        found: dict[str, dict[str, Any]] = (await self.state())["products"]
        return found

    async def by_sku(self, sku: str) -> dict[str, Any]:
        """The one product of ours with that SKU."""
        (found,) = [product for product in (await self.products()).values() if product["sku"] == sku]
        return found

    async def record_id(self, external_id: str) -> str:
        """Our id of the product bound to theirs."""
        async with self.db.read() as session:
            mine = select(col(Binding.record_id)).where(
                col(Binding.connection_id) == self.id, col(Binding.external_id) == external_id
            )
            return (await session.execute(mine)).scalar_one()

    async def _run(
        self, path: str, needs: type, steps: Callable[[Work], Awaitable[None]], dry_run: bool, outcome: str
    ) -> Summary:
        try:
            ended = await run_path(path, needs, steps, self.id, wanted=lambda _: True, dry_run=dry_run, db=self.db)
        except PathFailed as failed:
            if not failed.summaries:
                raise
            ended = list(failed.summaries)
        (summary,) = ended
        assert summary.outcome == outcome, f"{summary.outcome}: {summary.detail}"
        return summary


@contextmanager
def written_in(db: Database) -> Iterator[set[str]]:
    """The tables that statements of the block changed rows of, or were sent many rows for."""
    found: set[str] = set()
    with written(db) as statements:
        yield found
    found |= {statement.split()[1] for statement in statements}


def flat(product: dict[str, Any]) -> dict[str, Any]:
    """A product without its hashes, to be compared by content."""
    return {key: value for key, value in product.items() if not key.endswith("_hash")}


def differing(before: dict[str, Any], after: dict[str, Any]) -> dict[str, set[str]]:
    """Per external id, the keys of the product that are not the same in two states; new and lost ones whole."""
    found: dict[str, set[str]] = {}
    one, other = before["products"], after["products"]
    for key in {*one, *other}:
        mine, yours = one.get(key, {}), other.get(key, {})
        names = {name for name in {*mine, *yours} if mine.get(name) != yours.get(name)}
        if names:
            found[key] = names
    return found


def _shown(value: Any) -> Any:
    return plain(value) if isinstance(value, Decimal) else value
