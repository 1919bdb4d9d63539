"""Which product of ours a record of theirs is: by binding, then SKU, then GTIN, never by name.

Two products that share a name are common; two that share a SKU are one product or a mistake of the merchant's, and only
the merchant knows which. So an ambiguous match is refused with a notice, and nothing is guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub.catalog import GROUPS, Prepared
from hub.records import Problem
from hub.tables import Binding, Product

AMBIGUOUS = frozenset({"repeated", "ambiguous"})
"""The reasons of problems that lie between two products, not within one."""


@dataclass(frozen=True, slots=True)
class Known:
    """A product of ours as it stands, with its binding on the connection in question (None: not bound there)."""

    record_id: str
    sku: str | None
    active: bool
    hashes: dict[str, str]
    binding_id: str | None
    external_id: str | None
    gone: bool


@dataclass(frozen=True, slots=True)
class Match:
    """`known` is the product of ours, or None for a new one. `rebind` moves a binding off an id that is dead."""

    prepared: Prepared
    known: Known | None
    rebind: bool = False


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one product it could be, or one that is somebody else's already."""

    prepared: Prepared
    problem: Problem


async def match(
    session: AsyncSession, merchant_id: str, connection_id: str, records: Sequence[Prepared]
) -> list[Match | Ambiguous]:
    """Match each record, in their order; of two new ones with one SKU the first gets it."""
    bound = await _bound(session, merchant_id, connection_id, [p.record.external_id for p in records])
    skus = {
        sku
        for p in records
        if (sku := p.data["sku"]) and not ((known := bound.get(p.record.external_id)) is not None and known.sku == sku)
    }
    by_sku = await _by_sku(session, merchant_id, connection_id, skus)
    gtins = {
        p.data["gtin_key"]
        for p in records
        if p.data["gtin_key"] and p.record.external_id not in bound and p.data["sku"] not in by_sku
    }
    by_gtin = await _by_gtin(session, merchant_id, connection_id, gtins)
    taken: dict[str, str] = {}
    claimed: set[str] = set()
    return [_decide(p, bound, by_sku, by_gtin, taken, claimed) for p in records]


def _decide(
    prepared: Prepared,
    bound: dict[str, Known],
    by_sku: dict[str, Known],
    by_gtin: dict[str, list[Known]],
    taken: dict[str, str],
    claimed: set[str],
) -> Match | Ambiguous:
    """`taken` are SKUs, `claimed` products of ours, that earlier records of this very batch got."""
    external_id, sku = prepared.record.external_id, prepared.data["sku"]
    known = bound.get(external_id)
    if sku:
        first = taken.setdefault(sku, external_id)
        if first != external_id:
            return Ambiguous(prepared, Problem("sku", "repeated", f"{sku} ({first})"))
        owner = by_sku.get(sku)
        if known is not None and owner is not None and owner.record_id != known.record_id:
            return Ambiguous(prepared, Problem("sku", "repeated", f"{sku} ({owner.external_id or 'loja'})"))
        if known is None and owner is not None:
            if owner.external_id is None:
                claimed.add(owner.record_id)
                return Match(prepared, owner)
            if owner.gone or (not owner.active and prepared.record.active):
                return Match(prepared, owner, rebind=True)
            return Ambiguous(prepared, Problem("sku", "repeated", f"{sku} ({owner.external_id})"))
    if known is not None:
        return Match(prepared, known)
    free = [p for p in by_gtin.get(prepared.data["gtin_key"] or "", []) if p.record_id not in claimed]
    if len(free) > 1:
        skus = ", ".join(p.sku or "sem código" for p in free)
        return Ambiguous(prepared, Problem("gtin", "ambiguous", f"{prepared.data['gtin']} ({skus})"))
    if free:
        claimed.add(free[0].record_id)
        return Match(prepared, free[0])
    return Match(prepared, None)


_PRODUCT = (
    col(Product.id),
    col(Product.sku),
    col(Product.active),
    col(Product.data_hash),
    col(Product.price_hash),
    col(Product.pictures_hash),
)
_BINDING = (col(Binding.id), col(Binding.external_id), col(Binding.gone))


def _known(row: Sequence[object]) -> Known:
    record_id, sku, active, data, price, pictures, binding_id, external_id, gone = row
    return Known(
        record_id=record_id,  # type: ignore[arg-type]
        sku=sku,  # type: ignore[arg-type]
        active=bool(active),
        hashes=dict(zip(GROUPS, (data, price, pictures), strict=True)),  # type: ignore[arg-type]
        binding_id=binding_id,  # type: ignore[arg-type]
        external_id=external_id,  # type: ignore[arg-type]
        gone=bool(gone),
    )


async def _bound(
    session: AsyncSession, merchant_id: str, connection_id: str, external_ids: Sequence[str]
) -> dict[str, Known]:
    query = (
        select(*_PRODUCT, *_BINDING)
        .join(Binding, col(Binding.record_id) == col(Product.id))
        .where(
            col(Product.merchant_id) == merchant_id,
            col(Binding.connection_id) == connection_id,
            col(Binding.kind) == "product",
            col(Binding.external_id).in_(external_ids),
        )
    )
    known = [_known(row) for row in await session.execute(query)]
    return {k.external_id: k for k in known if k.external_id is not None}


async def _by_sku(session: AsyncSession, merchant_id: str, connection_id: str, skus: set[str]) -> dict[str, Known]:
    if not skus:
        return {}
    rows = await session.execute(
        _with_binding(connection_id).where(col(Product.merchant_id) == merchant_id, col(Product.sku).in_(skus))
    )
    return {k.sku: k for k in map(_known, rows) if k.sku is not None}


async def _by_gtin(
    session: AsyncSession, merchant_id: str, connection_id: str, gtins: set[str]
) -> dict[str, list[Known]]:
    """Products by GTIN that are not bound on this connection: a bound one is another product with the same code."""
    if not gtins:
        return {}
    rows = await session.execute(
        _with_binding(connection_id)
        .add_columns(col(Product.gtin_key))
        .where(
            col(Product.merchant_id) == merchant_id,
            col(Product.gtin_key).in_(gtins),
            col(Binding.id).is_(None),
        )
        .order_by(col(Product.id))
    )
    found: dict[str, list[Known]] = {}
    for *row, gtin in rows:
        found.setdefault(gtin, []).append(_known(row))
    return found


def _with_binding(connection_id: str):  # type: ignore[no-untyped-def]
    here = and_(
        col(Binding.record_id) == col(Product.id),
        col(Binding.connection_id) == connection_id,
        col(Binding.kind) == "product",
    )
    return select(*_PRODUCT, *_BINDING).outerjoin(Binding, here)
