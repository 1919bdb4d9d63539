"""Which product of ours a record of theirs is: by binding, then SKU, then GTIN, never by name.

Two products that share a name are common; two that share a SKU are one product or a mistake of the merchant's, and only
the merchant knows which. So an ambiguous match is refused with a notice, and nothing is guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
    frees: str | None = None
    """The product of ours that has to give this record's SKU up first."""


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one product it could be, or one that is somebody else's already."""

    prepared: Prepared
    problem: Problem


@dataclass(slots=True)
class _Batch:
    """What the decisions on one batch share."""

    bound: dict[str, Known]
    by_sku: dict[str, Known]
    by_gtin: dict[str, list[Known]]
    leaving: set[str]
    """Products of ours whose own record, in this batch, has another SKU now: the old one is free."""
    taken: dict[str, str] = field(default_factory=dict)
    """The SKUs that earlier records got, with the id of each."""
    claimed: set[str] = field(default_factory=set)
    """The products of ours that earlier records got by GTIN."""


async def match(
    session: AsyncSession, merchant_id: str, connection_id: str, records: Sequence[Prepared]
) -> list[Match | Ambiguous]:
    """Match each record, in their order; of two new ones with one SKU the first gets it.

    Two products that have swapped their SKUs over there are matched together: one by one, each would wait for ever for
    the other to let go. One that is refused keeps its old SKU, so who wanted that is looked at again.
    """
    bound = await _bound(session, merchant_id, connection_id, [p.record.external_id for p in records])
    owned = {id_: known.sku for id_, known in bound.items()}
    skus = {p.data["sku"] for p in records if p.data["sku"] and owned.get(p.record.external_id) != p.data["sku"]}
    by_sku = await _by_sku(session, merchant_id, connection_id, skus)
    gtins = {
        p.data["gtin_key"]
        for p in records
        if p.data["gtin_key"] and p.record.external_id not in bound and p.data["sku"] not in by_sku
    }
    by_gtin = await _by_gtin(session, merchant_id, connection_id, gtins)
    leaving = {
        known.record_id
        for p in records
        if (known := bound.get(p.record.external_id)) is not None and known.sku != p.data["sku"]
    }
    while True:
        batch = _Batch(bound, by_sku, by_gtin, leaving)
        decided = [_decide(p, batch) for p in records]
        refused = {found.prepared.record.external_id for found in decided if isinstance(found, Ambiguous)}
        staying = leaving & {known.record_id for id_, known in bound.items() if id_ in refused}
        if not staying:
            return decided
        leaving -= staying


def _decide(prepared: Prepared, batch: _Batch) -> Match | Ambiguous:
    external_id, sku = prepared.record.external_id, prepared.data["sku"]
    known = batch.bound.get(external_id)
    frees = None
    if sku:
        first = batch.taken.setdefault(sku, external_id)
        if first != external_id:
            return Ambiguous(prepared, Problem("sku", "repeated", f"{sku} ({first})"))
        owner = batch.by_sku.get(sku)
        if owner is not None and (known is None or owner.record_id != known.record_id):
            # A product that was deleted over there must not keep its SKU from the one that got it next.
            if owner.record_id in batch.leaving or (known is not None and owner.gone and not owner.active):
                frees = owner.record_id
            elif known is None and owner.external_id is None:
                return Match(prepared, owner)
            elif known is None and (owner.gone or (not owner.active and prepared.record.active)):
                return Match(prepared, owner, rebind=True)
            else:
                return Ambiguous(prepared, Problem("sku", "repeated", f"{sku} ({owner.external_id or 'loja'})"))
    if known is not None:
        return Match(prepared, known, frees=frees)
    return _by_its_gtin(prepared, batch, frees)


def _by_its_gtin(prepared: Prepared, batch: _Batch, frees: str | None) -> Match | Ambiguous:
    """Among the products that nobody else of this batch is by SKU."""
    gtin = prepared.data["gtin_key"] or ""
    free = [p for p in batch.by_gtin.get(gtin, []) if p.record_id not in batch.claimed and p.sku not in batch.by_sku]
    if len(free) > 1:
        skus = ", ".join(sorted(p.sku or "sem código" for p in free))
        return Ambiguous(prepared, Problem("gtin", "ambiguous", f"{prepared.data['gtin']} ({skus})"))
    if free:
        batch.claimed.add(free[0].record_id)
        return Match(prepared, free[0], frees=frees)
    return Match(prepared, None, frees=frees)


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
