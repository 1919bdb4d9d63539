"""What we know of a connection's records: what was last seen, what is due to be read again."""

import zlib
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.db import Database
from hub.matching import AMBIGUOUS
from hub.tables import Binding, Connection, Cursor, Product, Quarantined

CHUNK = 1000
AGAIN = timedelta(hours=1)
"""An ambiguous record is tried again this often: its cure may lie in another product, which no row of its own shows."""


class Piece(NamedTuple):
    """What a walk over the bindings needs of each."""

    id: str
    external_id: str
    read_at: datetime | None
    stock_read_at: datetime | None


class Mappings(NamedTuple):
    """What forgetting a connection's mappings is about: products bound, those of them that no SKU or GTIN can match
    again, and records held in quarantine."""

    products: int
    unmatchable: int
    held: int


async def mappings(session: AsyncSession, connection: Connection) -> Mappings:
    """Count what `forget_mappings` would delete."""
    bound = (col(Binding.connection_id) == connection.id, col(Binding.kind) == "product")
    nameless = (func.coalesce(col(Product.sku), "") == "", func.coalesce(col(Product.gtin), "") == "")
    held = (col(Quarantined.connection_id) == connection.id, col(Quarantined.kind) == "product")
    counts = [
        select(func.count()).select_from(Binding).where(*bound),
        select(func.count())
        .select_from(Binding)
        .join(Product, col(Product.id) == col(Binding.record_id))
        .where(*bound, *nameless),
        select(func.count()).select_from(Quarantined).where(*held),
    ]
    return Mappings(*[(await session.execute(query)).scalar_one() for query in counts])


async def forget_mappings(session: AsyncSession, connection: Connection) -> Mappings:
    """Forget which product of ours is which of theirs, and how far their lists were read: the next pull matches all of
    them anew, by SKU, then GTIN. The products themselves, orders and invoices stay. Call it in one transaction.
    """
    counted = await mappings(session, connection)
    for table in (Binding, Quarantined):
        await session.execute(
            delete(table).where(col(table.connection_id) == connection.id, col(table.kind) == "product")
        )
    await session.execute(
        delete(Cursor).where(col(Cursor.connection_id) == connection.id, col(Cursor.stream).in_(PRODUCT_STREAMS))
    )
    return counted


PRODUCT_STREAMS = ("catalog", "stock")
"""The cursors that speak of products."""


async def last_seen(session: AsyncSession, connection: Connection, external_ids: Collection[str]) -> dict[str, str]:
    """The listing fingerprint last seen of each id that is bound or held in quarantine."""
    seen: dict[str, str] = {}
    for table in (Binding, Quarantined):
        rows = await session.execute(
            select(col(table.external_id), col(table.seen_hash)).where(
                col(table.connection_id) == connection.id,
                col(table.kind) == "product",
                col(table.external_id).in_(external_ids),
            )
        )
        seen |= {row.external_id: row.seen_hash for row in rows}
    return seen


async def read_later(
    session: AsyncSession, connection: Connection, external_ids: Collection[str], as_of: datetime
) -> set[str]:
    """Which of the products were asked for after `as_of`, by whoever has written them since."""
    found: set[str] = set()
    for table in (Binding, Quarantined):
        rows = await session.execute(
            select(col(table.external_id)).where(
                col(table.connection_id) == connection.id,
                col(table.kind) == "product",
                col(table.external_id).in_(external_ids),
                col(table.read_at) > as_of,
            )
        )
        found.update(rows.scalars())
    return found


async def bound_of(session: AsyncSession, connection: Connection, external_ids: Collection[str]) -> set[str]:
    """Which of the ids are products of ours."""
    rows = await session.execute(
        select(col(Binding.external_id)).where(
            col(Binding.connection_id) == connection.id,
            col(Binding.kind) == "product",
            col(Binding.external_id).in_(external_ids),
        )
    )
    return set(rows.scalars())


async def adopt(session: AsyncSession, connection: Connection, fingerprints: Mapping[str, str]) -> None:
    """Note the fingerprint of rows whose record was read by other means (a variation, with its parent)."""
    for external_id, fingerprint in fingerprints.items():
        await session.execute(
            update(Binding)
            .where(
                col(Binding.connection_id) == connection.id,
                col(Binding.kind) == "product",
                col(Binding.external_id) == external_id,
            )
            .values(seen_hash=fingerprint)
        )


async def missing(db: Database, connection: Connection, listed: Collection[str], *, with_variations: bool) -> list[str]:
    """Ids that are bound and living, or held in quarantine, but were not listed.

    Read in pieces: a catalogue may be large.
    """
    found: list[str] = []
    living: list[ColumnElement[bool]] = [col(Binding.gone).is_(False)]
    if not with_variations:
        living.append(col(Binding.parent_ref) == "")
    async for rows in _pieces(db, connection, living):
        found += [row.external_id for row in rows if row.external_id not in listed]
    async with db.read() as session:
        held = await session.execute(
            select(col(Quarantined.external_id)).where(
                col(Quarantined.connection_id) == connection.id, col(Quarantined.kind) == "product"
            )
        )
        unlisted = [external_id for external_id in held.scalars() if external_id not in listed]
    return list(dict.fromkeys(found + unlisted))


async def due(
    db: Database,
    connection: Connection,
    now: datetime,
    period: timedelta,
    *,
    with_variations: bool,
    read_before: datetime | None = None,
) -> AsyncIterator[list[str]]:
    """Ids whose details are due to be read again, in chunks: each once in half to nearly a whole `period`.

    Where in that span is a hash of the id, so a catalogue that was read in one go on Monday does not fall due in one go
    on Tuesday. `read_before` makes everything due that was last read before it.
    """
    long_ago = col(Binding.read_at) < max(now - period / 2, read_before or now - period)
    # Never read is what we have sent there, where no listing shows it (a variation, say).
    living = [col(Binding.gone).is_(False), or_(col(Binding.read_at).is_(None), long_ago)]
    if not with_variations:
        living.append(col(Binding.parent_ref) == "")
    async for rows in _pieces(db, connection, living):
        ids = [row.external_id for row in rows if _is_due(row.external_id, row.read_at, now, period, read_before)]
        if ids:
            yield ids


async def stock_due(
    db: Database, connection: Connection, now: datetime, period: timedelta, *, read_before: datetime | None = None
) -> AsyncIterator[list[str]]:
    """The same for balances: those never read first, then by age. What cannot be sold has none."""
    never = [col(Binding.gone).is_(False), col(Binding.stock_read_at).is_(None)]
    old = [
        col(Binding.gone).is_(False),
        col(Binding.stock_read_at) < max(now - period / 2, read_before or now - period),
    ]
    for living in (never, old):
        async for rows in _pieces(db, connection, living, sellable_only=True):
            ids = [r.external_id for r in rows if _is_due(r.external_id, r.stock_read_at, now, period, read_before)]
            if ids:
                yield ids


async def never_counted(session: AsyncSession, connection: Connection, external_ids: Collection[str]) -> list[str]:
    """Those of the products whose balance was never read."""
    rows = await session.execute(
        select(col(Binding.external_id)).where(
            col(Binding.connection_id) == connection.id,
            col(Binding.kind) == "product",
            col(Binding.external_id).in_(external_ids),
            col(Binding.gone).is_(False),
            col(Binding.stock_read_at).is_(None),
        )
    )
    return list(rows.scalars())


async def quarantined_due(session: AsyncSession, connection: Connection, now: datetime, period: timedelta) -> list[str]:
    """Ids of refused records that are worth another look."""
    rows = await session.execute(
        select(col(Quarantined.external_id), col(Quarantined.problems), col(Quarantined.read_at)).where(
            col(Quarantined.connection_id) == connection.id,
            col(Quarantined.kind) == "product",
            or_(col(Quarantined.read_at).is_(None), col(Quarantined.read_at) < now - min(AGAIN, period)),
        )
    )
    return [external_id for external_id, problems, read_at in rows if _worth_it(problems, read_at, now, period)]


def share(external_id: str) -> float:
    """Where in the period an id falls due: 0.5 to 0.96, the same each time."""
    return 0.5 + 0.46 * (zlib.crc32(external_id.encode()) % 1000) / 1000


def _is_due(
    external_id: str, read_at: datetime | None, now: datetime, period: timedelta, read_before: datetime | None
) -> bool:
    if read_at is None or (read_before is not None and read_at < read_before):
        return True
    return read_at < now - period * share(external_id)


def _worth_it(
    problems: Iterable[Mapping[str, str]], read_at: datetime | None, now: datetime, period: timedelta
) -> bool:
    ambiguous = any(problem["reason"] in AMBIGUOUS for problem in problems)
    return ambiguous or read_at is None or read_at < now - period


async def _pieces(
    db: Database, connection: Connection, living: Sequence[ColumnElement[bool]], *, sellable_only: bool = False
) -> AsyncIterator[list[Piece]]:
    """Bindings in pieces by id. Between two pieces no transaction is open."""
    last = ""
    while True:
        query = (
            select(col(Binding.id), col(Binding.external_id), col(Binding.read_at), col(Binding.stock_read_at))
            .where(
                col(Binding.connection_id) == connection.id,
                col(Binding.kind) == "product",
                col(Binding.id) > last,
                *living,
            )
            .order_by(col(Binding.id))
            .limit(CHUNK)
        )
        if sellable_only:
            query = query.join(Product, col(Product.id) == col(Binding.record_id)).where(
                col(Product.kind).not_in(["parent", "service"])
            )
        async with db.read() as session:
            rows = [Piece(*row) for row in await session.execute(query)]
        if rows:
            yield rows
        if len(rows) < CHUNK:
            return
        last = rows[-1].id
