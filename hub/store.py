"""The built-in store's own catalogue: what a shop platform or a spreadsheet keeps here, by SKU.

The same tables and rules as for what an ERP tells; only that it comes from no connection. So every connection that
takes products is told, and stock is one quantity, without deposits (a deposit is a connection's).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import holding, outbox
from hub.catalog import GROUPS, Prepared, prepare, refuse, stock_hash
from hub.clock import utcnow
from hub.db import insert_rows, upsert_rows
from hub.ids import new_id
from hub.records import Problem, ProductKind, ProductRecord, Refused, StockRecord
from hub.tables import OrderItem, Picture, Price, Product

OWN_KINDS = frozenset({ProductKind.SIMPLE, ProductKind.PARENT, ProductKind.VARIATION, ProductKind.SERVICE})
"""What the store keeps by itself; kits come from an ERP, which knows what is in them."""

UNTOLD = "-"
"""A hash of a row that was just made: no content has it."""


class UnknownProductError(LookupError):
    """The store has no product of that SKU."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A product as the store has it. `record.parent_ref` is the parent's SKU; `external_id` is not looked at.

    Only the field groups in `told` are looked at, but for a new product, which takes all; `stock` of None leaves the
    quantity as it is.
    """

    record: ProductRecord
    told: frozenset[str] = frozenset(GROUPS)
    stock: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one offer."""

    sku: str
    outcome: Literal["created", "changed", "unchanged", "refused"]
    record_id: str = ""
    groups: tuple[str, ...] = ()
    refused: Refused | None = None


async def put_products(session: AsyncSession, merchant_id: str, offers: Sequence[Offer]) -> list[Kept]:
    """Create or replace products by SKU, in the caller's transaction; one answer an offer, in their order.

    What is refused is left out and the others go in. Whatever changed is queued, field group by field group, for every
    connection that wants it.
    """
    fit: dict[str, tuple[Offer, Prepared]] = {}
    answers: dict[int, Kept] = {}
    places: dict[str, int] = {}
    for place, offer in enumerate(offers):
        prepared = _prepare(offer)
        sku = offer.record.sku or ""
        if isinstance(prepared, Refused):
            answers[place] = Kept(sku, "refused", refused=prepared)
        elif sku in fit:
            repeated = refuse(offer.record, [Problem("sku", "repeated", sku)])
            answers[place] = Kept(sku, "refused", refused=repeated)
        else:
            fit[sku], places[sku] = (offer, prepared), place
    rows, made = await _locked(session, merchant_id, {sku: prepared for sku, (_, prepared) in fit.items()})
    parents = await _parents(session, merchant_id, [offer for offer, _ in fit.values()])
    changed: list[tuple[Product, Offer, Prepared, tuple[str, ...]]] = []
    for sku, (offer, prepared) in fit.items():
        parent = offer.record.parent_ref
        if parent and "data" in offer.told and parents.get(parent) is None:
            problem = refuse(offer.record, [Problem("parent_ref", "unknown", parent)])
            answers[places[sku]] = Kept(sku, "refused", refused=problem)
            if rows[sku].id in made:
                await session.delete(rows[sku])
            continue
        groups = _changed_groups(rows[sku], offer, prepared)
        outcome = "created" if rows[sku].id in made else "changed" if groups else "unchanged"
        answers[places[sku]] = Kept(sku, outcome, rows[sku].id, groups)  # type: ignore[arg-type]
        if groups:
            changed.append((rows[sku], offer, prepared, groups))
    await session.flush()
    await _write(session, merchant_id, changed, parents)
    await _link_lines(session, merchant_id, {row.sku or "": row.id for row, *_ in changed if row.id in made})
    counts = {row.id: offer.stock for row, offer, _, groups in changed if "stock" in groups and offer.stock is not None}
    await holding.note_count(session, merchant_id, counts)
    await _queue(session, merchant_id, [(row.id, group) for row, _, _, groups in changed for group in groups])
    return [answers[place] for place in range(len(offers))]


async def put_product(session: AsyncSession, merchant_id: str, offer: Offer) -> Kept:
    """The same for one product."""
    return (await put_products(session, merchant_id, [offer]))[0]


async def set_price(session: AsyncSession, merchant_id: str, sku: str, prices: Mapping[str, Decimal | None]) -> Kept:
    """Change prices of a product: `list_price`, `promotional_price`, `cost_price`; what is not named stays.

    Raises UnknownProductError.
    """
    offer = await offer_of(session, await find(session, merchant_id, sku))
    return await put_product(session, merchant_id, amended(offer, prices))


async def set_stock(session: AsyncSession, merchant_id: str, sku: str, quantity: Decimal) -> Kept:
    """Set what the store has of a product. Raises UnknownProductError."""
    offer = await offer_of(session, await find(session, merchant_id, sku))
    return await put_product(session, merchant_id, amended(offer, {}, quantity))


def amended(standing: Offer, given: Mapping[str, Any], stock: Decimal | None = None) -> Offer:
    """The product with these fields of its record changed; only the groups are looked at in which one differs.

    So a price told for an ERP's product does not touch its data, of which the ERP may know more than we tell (a kit's
    parts), nor does a whole row of a spreadsheet in which nothing was changed.
    """
    fields: dict[str, Any] = {name: tuple(value) if name == "pictures" else value for name, value in given.items()}
    told = {_GROUP_OF.get(name, "data") for name, value in fields.items() if getattr(standing.record, name) != value}
    return Offer(replace(standing.record, **fields), told=frozenset(told), stock=stock)


_GROUP_OF = {"pictures": "pictures", **dict.fromkeys(("list_price", "promotional_price", "cost_price"), "price")}


async def deactivate(session: AsyncSession, merchant_id: str, sku: str) -> Product:
    """Take a product out of the store. Nobody is told: what is deleted in the store stays in the ERP.

    The row stays, inactive: orders and bindings hang on it, and a product that comes back is the same one. Its empty
    hash is equal to no content, so that coming back is a change. Raises UnknownProductError.
    """
    found = await find(session, merchant_id, sku)
    if found.active:
        found.active, found.data_hash, found.updated_at = False, "", utcnow()
        await session.flush()
    return found


async def find(session: AsyncSession, merchant_id: str, sku: str) -> Product:
    """The product of that SKU, locked until the transaction ends. Raises UnknownProductError."""
    query = select(Product).where(col(Product.merchant_id) == merchant_id, col(Product.sku) == sku)
    found = (await session.execute(query.with_for_update().execution_options(populate_existing=True))).scalar()
    if found is None:
        raise UnknownProductError(f"the store has no product with the SKU {sku[:80]!r}")
    return found


async def offer_of(session: AsyncSession, product: Product) -> Offer:
    """The product as it stands, as it would have been put."""
    price = await session.get(Price, product.id) or Price(product_id=product.id, merchant_id=product.merchant_id)
    parent = await session.get(Product, product.parent_id) if product.parent_id else None
    pictures = await session.execute(
        select(col(Picture.url)).where(col(Picture.product_id) == product.id).order_by(col(Picture.position))
    )
    record = ProductRecord(
        external_id=product.sku or "",
        kind=ProductKind(product.kind),
        name=product.name,
        sku=product.sku,
        parent_ref=(parent.sku or "") if parent else "",
        active=product.active,
        description=product.description,
        brand=product.brand,
        category=product.category,
        unit=product.unit,
        gtin=product.gtin or "",
        ncm=product.ncm or "",
        cest=product.cest or "",
        origin=product.origin,
        warranty=product.warranty,
        weight_net=product.weight_net,
        weight_gross=product.weight_gross,
        height=product.height,
        width=product.width,
        length=product.length,
        list_price=price.list_price,
        promotional_price=price.promotional_price,
        cost_price=price.cost_price,
        attributes=dict(product.attributes),
        pictures=tuple(pictures.scalars()),
    )
    return Offer(record)


def _prepare(offer: Offer) -> Prepared | Refused:
    record = replace(offer.record, external_id=offer.record.sku or "")
    problems = []
    if not record.sku:
        problems.append(Problem("sku", "empty", ""))
    if offer.stock is not None and not (offer.stock.is_finite() and 0 <= offer.stock < 10**9):
        problems.append(Problem("physical", "range", str(offer.stock)))
    if record.kind is ProductKind.VARIATION and not record.parent_ref and "data" in offer.told:
        problems.append(Problem("parent_ref", "empty", ""))
    if record.parent_ref and record.parent_ref == record.sku:
        problems.append(Problem("parent_ref", "itself", record.parent_ref))
    prepared = prepare(record)
    if isinstance(prepared, Refused):
        return refuse(record, [*problems, *prepared.problems])
    return refuse(record, problems) if problems else prepared


async def _locked(
    session: AsyncSession, merchant_id: str, wanted: Mapping[str, Prepared]
) -> tuple[dict[str, Product], set[str]]:
    """The products of these SKUs, made where they are new, ours until the transaction ends; and the ids of the new.

    Sorted by SKU: two writers that met the same products in two orders would wait for each other for ever.
    """
    now = utcnow()
    blank = dict.fromkeys((f"{group}_hash" for group in (*GROUPS, "stock")), UNTOLD)
    rows = [
        {"id": new_id(), "merchant_id": merchant_id, **prepared.data, **blank, "created_at": now, "updated_at": now}
        for _, prepared in sorted(wanted.items())
    ]
    table = Product.__table__  # type: ignore[attr-defined]
    await upsert_rows(session, table, rows, key=["merchant_id", "sku"], update=[])
    query = (
        select(Product)
        .where(col(Product.merchant_id) == merchant_id, col(Product.sku).in_(list(wanted)))
        .order_by(col(Product.sku))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found = {product.sku or "": product for product in (await session.execute(query)).scalars()}
    return found, {str(row["id"]) for row in rows} & {product.id for product in found.values()}


async def _parents(session: AsyncSession, merchant_id: str, offers: Sequence[Offer]) -> dict[str, str]:
    skus = {offer.record.parent_ref for offer in offers if offer.record.parent_ref}
    if not skus:
        return {}
    rows = await session.execute(
        select(col(Product.sku), col(Product.id)).where(
            col(Product.merchant_id) == merchant_id, col(Product.sku).in_(skus), col(Product.kind) == "parent"
        )
    )
    return {sku: id_ for sku, id_ in rows if sku is not None}


def _changed_groups(row: Product, offer: Offer, prepared: Prepared) -> tuple[str, ...]:
    """The field groups that the offer changes."""
    told = GROUPS if row.data_hash == UNTOLD else [group for group in GROUPS if group in offer.told]
    changed = [group for group in told if getattr(row, f"{group}_hash") != prepared.hashes[group]]
    if offer.stock is not None and row.stock_quantity != offer.stock:
        changed.append("stock")
    return tuple(changed)


async def _write(
    session: AsyncSession,
    merchant_id: str,
    changed: Sequence[tuple[Product, Offer, Prepared, tuple[str, ...]]],
    parents: Mapping[str, str],
) -> None:
    now = utcnow()
    prices, pictures, galleries = [], [], []
    for row, offer, prepared, groups in changed:
        if "data" in groups:
            for name, value in prepared.data.items():
                setattr(row, name, value)
            if offer.record.kind in OWN_KINDS:
                row.parent_id = parents.get(offer.record.parent_ref)
        for group in groups:
            if group != "stock":
                setattr(row, f"{group}_hash", prepared.hashes[group])
        if "price" in groups:
            prices.append({"product_id": row.id, "merchant_id": merchant_id, **prepared.price, "updated_at": now})
        if "pictures" in groups:
            galleries.append(row.id)
            pictures += [
                {"product_id": row.id, "position": position, "url": url, "merchant_id": merchant_id}
                for position, url in enumerate(offer.record.pictures)
            ]
        _count(row, offer.stock, now)
        row.updated_at = now
    await session.flush()
    await upsert_rows(session, Price.__table__, prices, key=["product_id"])  # type: ignore[attr-defined]
    if galleries:
        await session.execute(delete(Picture).where(col(Picture.product_id).in_(galleries)))
    await insert_rows(session, Picture.__table__, pictures)  # type: ignore[attr-defined]


def _count(row: Product, stock: Decimal | None, now: datetime) -> None:
    if stock is not None:
        balance = StockRecord(row.sku or "", stock, Decimal(0), stock, (), now)
        row.stock_quantity, row.stock_hash = stock, stock_hash(balance, stock)
    elif row.stock_hash == UNTOLD:
        row.stock_hash = ""


async def _link_lines(session: AsyncSession, merchant_id: str, made: Mapping[str, str]) -> None:
    """Orders may have come before their products: their lines find the product now."""
    if made:
        table: Any = OrderItem.__table__  # type: ignore[attr-defined]
        await session.execute(
            update(table)
            .where(table.c.merchant_id == merchant_id, table.c.sku == bindparam("b_sku"), table.c.product_id.is_(None))
            .values(product_id=bindparam("b_product")),
            [{"b_sku": sku, "b_product": id_} for sku, id_ in made.items()],
        )


async def _queue(session: AsyncSession, merchant_id: str, changed: Sequence[tuple[str, str]]) -> None:
    if changed:
        await outbox.enqueue(session, merchant_id, changed, await outbox.targets(session, merchant_id))
