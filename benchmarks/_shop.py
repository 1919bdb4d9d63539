"""A merchant of the built-in store whose ERP is the simulated Conta Azul; its products are bound on both sides."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks._machine import cpu_seconds
from benchmarks._prefect import Prefect
from benchmarks._processes import Sandbox, measured
from hub import connections, selling, store
from hub.clock import utcnow
from hub.db import Database, chunked, insert_rows
from hub.ids import new_id
from hub.migrate import upgrade
from hub.policy import Policy
from hub.records import ProductKind, ProductRecord
from hub.settings import Settings
from hub.start import open_hub
from hub.store import Offer
from hub.tables import Binding
from providers.registry import open_provider

MERCHANT = "loja-de-medir"
ACCOUNT = "contaazul/accounts/demo"
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Shop:
    """A hub of its own, with one connection to the simulator's account."""

    settings: Settings
    served: Sandbox
    prefect: Prefect
    connection: str
    db: Database

    async def run(self, path: str, **env: str) -> dict[str, Any]:
        """Run a flow in a process of its own; `calls_told` and `log` are the simulator's own count."""
        env = {
            **self.prefect.env,
            **self.served.addresses,
            "ESTEIRA_HOME": str(self.settings.home),
            "ESTEIRA_DATABASE_URL": self.settings.database,
            **env,
        }
        self.served.forget_calls()
        before = cpu_seconds(group=self.prefect.group), cpu_seconds(pid=self.served.pid)
        found = await measured("_our_send", {"path": path, "connection": self.connection}, env)
        found["prefect_cpu_seconds"] = cpu_seconds(group=self.prefect.group) - before[0]
        found["sandbox_cpu_seconds"] = cpu_seconds(pid=self.served.pid) - before[1]
        found["log"] = self.served.calls()
        found["calls_told"] = found["log"]["total"]
        return found

    async def put(self, offers: Sequence[Offer]) -> list[str]:
        """Keep products in the store; returns our ids of them, in their order."""
        ids: list[str] = []
        for chunk in chunked(offers, CHUNK):
            async with self.db.write() as session:
                kept = await store.put_products(session, MERCHANT, chunk)
            if wrong := [one for one in kept if one.outcome == "refused"]:
                raise RuntimeError(f"the store refused {wrong[0]}")
            ids += [one.record_id for one in kept]
        return ids

    async def bind(self, kind: str, pairs: Sequence[tuple[str, str]], hashes: Sequence[str] = ()) -> None:
        """Write down that records of ours are over there: (our id, their id), and what was last sent of each."""
        rows = [
            {
                "id": new_id(),
                "merchant_id": MERCHANT,
                "connection_id": self.connection,
                "kind": kind,
                "record_id": ours,
                "external_id": theirs,
                "parent_ref": "",
                "seen_hash": "",
                "sent_hash": hashes[place] if hashes else "",
                "gone": False,
                "created_at": utcnow(),
            }
            for place, (ours, theirs) in enumerate(pairs)
        ]
        async with self.db.write() as session:
            await insert_rows(session, Binding.__table__, rows)  # type: ignore[attr-defined]

    def products(self) -> list[dict[str, Any]]:
        """Their products, as the simulator's owner sees them."""
        return list(self.served.control("GET", f"{ACCOUNT}/products"))


@contextlib.asynccontextmanager
async def shop(
    home: Path, served: Sandbox, prefect: Prefect, policy: Policy, *, products: int, people: int
) -> AsyncIterator[Shop]:
    """A new hub and an account with so many products and people; every product is in both and bound."""
    settings = Settings(home=home, database_url="")
    home.mkdir(parents=True)  # noqa: ASYNC240 nothing else runs here
    await upgrade(settings.database)
    served.control("POST", f"{ACCOUNT}/seed", {"products": products, "people": people})
    tokens = served.control("POST", f"{ACCOUNT}/tokens")
    credentials = {
        "client_id": "demo-client",
        "client_secret": "demo-client-secret",
        "access_token": tokens["access_token"],
        "refresh_token": tokens["refresh_token"],
        "lifetime_s": tokens["expires_in"],
    }
    db = open_hub(settings)
    try:
        async with db.write() as session:
            made = await connections.install(
                session, merchant=MERCHANT, kind="contaazul", side="erp", credentials=credentials, policy=policy
            )
            await connections.checked(session, made.id, "medida", {"takes": ["product", "price", "order"]})
        opened = Shop(settings, served, prefect, made.id, db)
        await _bind_all(opened)
        yield opened
    finally:
        await db.close()


def offer(theirs: dict[str, Any], *, raised: Decimal = Decimal(0), description: str = "Produto de medir.") -> Offer:
    """A product of theirs as the store has it, its price so many reais higher."""
    record = ProductRecord(
        external_id=theirs["codigo_sku"],
        kind=ProductKind.SIMPLE,
        name=theirs["nome"],
        sku=theirs["codigo_sku"],
        description=description,
        unit="UN",
        ncm="69120000",
        list_price=price_of(theirs) + raised,
    )
    return Offer(record)


def price_of(theirs: dict[str, Any]) -> Decimal:
    """What a product costs over there, in reais."""
    return Decimal(str(theirs["estoque"]["valor_venda"])).quantize(Decimal("0.01"))


async def _bind_all(of: Shop) -> None:
    """Keep their products in the store too, and take it that each was sent just as it stands."""
    theirs = of.products()
    ids = await of.put([offer(one) for one in theirs])
    async with of.db.read() as session:
        connection = await connections.find(session, of.connection)
        policy = Policy.model_validate(connection.policy)
        async with open_provider(of.db, connection) as provider:
            bodies = [provider.product_body(await selling.product(session, one, policy), creates=False) for one in ids]
    pairs = [(ours, one["id"]) for ours, one in zip(ids, theirs, strict=True)]
    await of.bind("product", pairs, [selling.body_hash(body) for body in bodies])
