"""An invented shop to try the hub on: what an ERP tells of it, and what the hub holds of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection as SyncConnection
from sqlalchemy import event, select
from sqlmodel import SQLModel, col

from hub import changes, connections, stocktaking
from hub.changes import Plan
from hub.clock import utcnow
from hub.db import Database
from hub.policy import Policy
from hub.records import DepositBalance, ProductKind, ProductRecord, Refused, StockRecord
from hub.stocktaking import StockPlan
from hub.tables import Binding, Connection, OutboxEntry, Product
from hub.tables.tenancy import ConnectionState

NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)


async def connect(
    db: Database,
    connection_id: str,
    *,
    merchant: str = "loja-sol",
    kind: str = "tiny_v2",
    side: str = "erp",
    takes: Sequence[str] = (),
    policy: Policy | None = None,
) -> Connection:
    """An active connection, and its merchant."""
    async with db.write() as session:
        made = await connections.install(
            session,
            merchant=merchant,
            kind=kind,
            side=side,
            credentials={},
            policy=policy,
            connection_id=connection_id,
        )
        made.state = ConnectionState.ACTIVE
        made.features = {"takes": list(takes)} if takes else {}
    return made


def product(external_id: str = "1", **told: Any) -> ProductRecord:
    """A product as an ERP tells it."""
    return ProductRecord(
        **{
            "external_id": external_id,
            "kind": ProductKind.SIMPLE,
            "name": "Caneca de louça",
            "sku": f"CAN-{external_id}",
            "list_price": Decimal("29.90"),
            **told,
        }
    )


def balance(external_id: str = "1", physical: str = "10", reserved: str = "0", **told: Any) -> StockRecord:
    """A balance as an ERP tells it, in no deposit."""
    return StockRecord(
        **{
            "external_id": external_id,
            "physical": Decimal(physical),
            "reserved": Decimal(reserved),
            "available": Decimal(physical) - Decimal(reserved),
            "deposits": (),
            "as_of": NOON,
            **told,
        }
    )


def deposit(key: str, physical: str, available: str | None = None, **told: Any) -> DepositBalance:
    """The balance in one deposit."""
    known = Decimal(available) if available is not None else None
    return DepositBalance(
        key=key, name=told.pop("name", key), physical=Decimal(physical), reserved=None, available=known, **told
    )


async def apply(
    db: Database,
    connection: Connection,
    *readings: ProductRecord | Refused,
    seen: Mapping[str, str] | None = None,
    gone: Sequence[str] = (),
    as_of: datetime | None = None,
) -> Plan:
    """Apply records in one transaction, read just now unless `as_of` says when."""
    async with db.write() as session:
        return await changes.apply(session, connection, readings, seen or {}, as_of=as_of or utcnow(), gone=gone)


async def count(
    db: Database, connection: Connection, *balances: StockRecord, policy: Policy | None = None
) -> StockPlan:
    """Apply balances in one transaction."""
    async with db.write() as session:
        return await stocktaking.apply_stock(session, connection, balances, policy or Policy())


async def rows(db: Database, model: type[Any], **where: Any) -> list[Any]:
    """The rows of a table, in the order of their keys."""
    query = select(model).order_by(*model.__table__.primary_key)
    for name, value in where.items():
        query = query.where(getattr(model, name) == value)
    async with db.read() as session:
        return list((await session.execute(query)).scalars())


async def one(db: Database, model: type[Any], **where: Any) -> Any:
    """The only row there is."""
    found = await rows(db, model, **where)
    assert len(found) == 1, f"{len(found)} rows of {model.__name__} with {where}"
    return found[0]


async def of_ours(db: Database, connection: Connection, external_id: str) -> Product:
    """The product that their id is bound to."""
    query = (
        select(Product)
        .join(Binding, col(Binding.record_id) == col(Product.id))
        .where(col(Binding.connection_id) == connection.id, col(Binding.external_id) == external_id)
    )
    async with db.read() as session:
        return (await session.execute(query)).scalar_one()


async def queued(db: Database, connection: Connection) -> dict[tuple[str, str], int]:
    """The versions of a connection's outbox entries by (kind, record id)."""
    return {(e.kind, e.record_id): e.version for e in await rows(db, OutboxEntry, connection_id=connection.id)}


async def everything(db: Database, but: Iterable[str] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """All that the hub holds, to be compared; `but` names columns (`binding.read_at`) to look past."""
    held: dict[str, list[tuple[Any, ...]]] = {}
    async with db.read() as session:
        for table in SQLModel.metadata.sorted_tables:
            columns = [c for c in table.c if f"{table.name}.{c.name}" not in but]
            found = await session.execute(select(*columns))
            held[table.name] = sorted(tuple(map(repr, row)) for row in found)
    return held


@contextmanager
def written(db: Database) -> Iterator[set[str]]:
    """Collects `verb table` of every statement that changed a row, or was sent for many rows at once."""
    found: set[str] = set()

    def look(
        _c: SyncConnection, cursor: Any, statement: str, _parameters: Any, _context: Any, executemany: bool
    ) -> None:
        words = statement.replace('"', "").lower().split()
        if words[0] in ("insert", "update", "delete") and (executemany or cursor.rowcount != 0):
            found.add(f"{words[0]} {words[1] if words[0] == 'update' else words[2]}")

    engine = db.engine.sync_engine
    event.listen(engine, "after_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(engine, "after_cursor_execute", look)
