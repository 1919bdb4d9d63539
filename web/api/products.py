"""`/products`: the store's catalogue, by SKU."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import store
from hub.db import Database
from hub.records import ProductKind, ProductRecord
from hub.store import Kept, Offer
from hub.tables import Picture, Price, Product
from web.api.gate import Caller, GatedRoute, caller_of, db_of
from web.api.models import PriceIn, PriceOut, ProductIn, ProductOut, ProductPage, ProductPatch, StockIn
from web.api.pages import CursorText, Limit, page
from web.api.problems import ProblemError, refused_product
from web.api.values import Sku

routes = APIRouter(route_class=GatedRoute, tags=["products"])
Db = Annotated[Database, Depends(db_of)]
Who = Annotated[Caller, Depends(caller_of)]


@routes.get("/products")
async def list_products(
    db: Db,
    who: Who,
    limit: Limit = 50,
    cursor: CursorText = None,
    active: bool | None = None,
    updated_since: Annotated[AwareDatetime | None, Query(description="only what has changed since")] = None,
) -> ProductPage:
    """The products, oldest first."""
    query = select(Product).where(col(Product.merchant_id) == who.merchant_id, col(Product.sku).is_not(None))
    if active is not None:
        query = query.where(col(Product.active).is_(active))
    if updated_since is not None:
        query = query.where(col(Product.updated_at) >= updated_since)
    async with db.read() as session:
        rows, following = await page(session, query, Product, limit, cursor)
        return ProductPage(items=await shown(session, rows), next_cursor=following)


@routes.put("/products/{sku:path}/price")
async def put_price(db: Db, who: Who, sku: Sku, price: PriceIn) -> ProductOut:
    """Change a product's prices. A price that is left out stays."""
    return await _changed(db, who, sku, ProductPatch(price=price))


@routes.put("/products/{sku:path}/stock")
async def put_stock(db: Db, who: Who, sku: Sku, stock: StockIn) -> ProductOut:
    """Set what the store has of a product."""
    return await _changed(db, who, sku, ProductPatch(stock=stock.quantity))


@routes.get("/products/{sku:path}")
async def get_product(db: Db, who: Who, sku: Sku) -> ProductOut:
    """One product."""
    async with db.read() as session:
        return await _one(session, who, sku)


@routes.put("/products/{sku:path}", responses={201: {"model": ProductOut, "description": "Created"}})
async def put_product(db: Db, who: Who, sku: Sku, product: ProductIn, response: Response) -> ProductOut:
    """Create a product, or replace it. `price` and `stock` may be left out: they stay as they are."""
    async with db.write() as session:
        kept = await store.put_product(session, who.merchant_id, await _offer(session, who, sku, product))
        _or_raise(kept)
        found = await _one(session, who, sku)
    response.status_code = 201 if kept.outcome == "created" else 200
    return found


@routes.patch("/products/{sku:path}")
async def patch_product(db: Db, who: Who, sku: Sku, patch: ProductPatch) -> ProductOut:
    """Change some fields of a product."""
    return await _changed(db, who, sku, patch)


@routes.delete("/products/{sku:path}", status_code=204)
async def delete_product(db: Db, who: Who, sku: Sku) -> Response:
    """Take a product out of the store: it becomes inactive. In the ERP it stays, and has to be deleted there."""
    async with db.write() as session:
        await store.deactivate(session, who.merchant_id, sku)
    return Response(status_code=204)


def offer(sku: str, product: ProductIn, prices: dict[str, Decimal | None], *, priced: bool) -> Offer:
    """What a body says, as the hub's rules take it. `prices` are those to stand; without `priced` they stay."""
    told = product.model_dump(exclude={"price", "stock", "parent_sku", "kind", "pictures"})
    record = ProductRecord(
        external_id=sku,
        sku=sku,
        kind=ProductKind(product.kind),
        parent_ref=product.parent_sku or "",
        pictures=tuple(product.pictures),
        **told,
        **prices,
    )
    groups = {"data", "pictures", "price"} if priced else {"data", "pictures"}
    return Offer(record, told=frozenset(groups), stock=product.stock)


async def shown(session: AsyncSession, products: Sequence[Product]) -> list[ProductOut]:
    """Products as they are given, with their prices, pictures and parents in one query each."""
    ids = [product.id for product in products]
    rows = await session.execute(select(Price).where(col(Price.product_id).in_(ids)))
    prices = {price.product_id: price for price in rows.scalars()}
    gallery = await session.execute(
        select(Picture).where(col(Picture.product_id).in_(ids)).order_by(col(Picture.position))
    )
    pictures: dict[str, list[str]] = {}
    for picture in gallery.scalars():
        pictures.setdefault(picture.product_id, []).append(picture.url)
    of = {product.parent_id for product in products if product.parent_id}
    parents = dict(
        (await session.execute(select(col(Product.id), col(Product.sku)).where(col(Product.id).in_(of)))).tuples().all()
    )
    return [
        _shown(product, prices.get(product.id), pictures.get(product.id, []), parents.get(product.parent_id or ""))
        for product in products
    ]


def _shown(product: Product, price: Price | None, pictures: list[str], parent_sku: str | None) -> ProductOut:
    names = ProductOut.model_fields.keys() - {"sku", "parent_sku", "gtin", "ncm", "cest", "pictures", "price", "stock"}
    return ProductOut(
        sku=product.sku or "",
        parent_sku=parent_sku,
        gtin=product.gtin or "",
        ncm=product.ncm or "",
        cest=product.cest or "",
        pictures=pictures,
        price=PriceOut(
            list_price=price.list_price if price else None,
            promotional_price=price.promotional_price if price else None,
            cost_price=price.cost_price if price else None,
        ),
        stock=product.stock_quantity,
        **{name: getattr(product, name) for name in names},
    )


async def _one(session: AsyncSession, who: Caller, sku: str) -> ProductOut:
    query = select(Product).where(col(Product.merchant_id) == who.merchant_id, col(Product.sku) == sku)
    found = (await session.execute(query)).scalar()
    if found is None:
        raise store.UnknownProductError(f"the store has no product with the SKU {sku!r}")
    return (await shown(session, [found]))[0]


async def _offer(session: AsyncSession, who: Caller, sku: str, product: ProductIn) -> Offer:
    """The body; prices that it leaves out are those that stand."""
    if product.price is None:
        return offer(sku, product, {}, priced=False)
    prices: dict[str, Decimal | None] = {}
    if product.price.model_fields_set != PriceIn.model_fields.keys():
        query = (
            select(Price)
            .join(Product, col(Product.id) == col(Price.product_id))
            .where(col(Product.merchant_id) == who.merchant_id, col(Product.sku) == sku)
        )
        standing = (await session.execute(query)).scalar()
        if standing is not None:
            prices = {name: getattr(standing, name) for name in PriceIn.model_fields}
    prices |= product.price.model_dump(exclude_unset=True)
    return offer(sku, product, prices, priced=True)


async def _changed(db: Database, who: Caller, sku: str, patch: ProductPatch) -> ProductOut:
    """Change what the patch names; only the field groups that it names are looked at."""
    named = patch.model_fields_set
    if empty := sorted(name for name in named - {"price", *_MAY_BE_NULL} if getattr(patch, name) is None):
        errors = [{"pointer": f"#/{name}", "detail": "null is no value for it; leave it out"} for name in empty]
        raise ProblemError(422, "invalid", "The request does not fit", "See `errors`.", errors=errors)
    given: dict[str, Any] = {name: getattr(patch, name) for name in named - {"price", "stock"}}
    if patch.price is not None:
        given |= patch.price.model_dump(exclude_unset=True)
    async with db.write() as session:
        standing = await store.offer_of(session, await store.find(session, who.merchant_id, sku))
        wanted = store.amended(standing, given, patch.stock)
        _or_raise(await store.put_product(session, who.merchant_id, wanted))
        return await _one(session, who, sku)


_MAY_BE_NULL = frozenset({"weight_net", "weight_gross", "height", "width", "length"})


def _or_raise(kept: Kept) -> None:
    if kept.refused is not None:
        raise refused_product(kept.refused)
