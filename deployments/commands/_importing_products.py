"""Products out of a spreadsheet's rows, one a row, by SKU."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from deployments.commands import _shown as shown
from deployments.commands._columns import PRODUCTS
from deployments.commands._rows import BATCH, BadCellError, BadRow, DryRunEnds, Reader, Tally, said, sentences
from deployments.commands._sheets import Row, Sheet
from hub import store
from hub.db import Database, chunked
from hub.store import Offer
from hub.tables import Product
from web.api.models import ProductIn, ProductPatch
from web.api.products import offer


async def take_products(
    db: Database, merchant_id: str, sheet: Sheet, fields: Mapping[str, str], tally: Tally, *, dry_run: bool
) -> None:
    """Take the rows in, in batches; a dry run does it all in one transaction, and undoes that."""
    reader = Reader(sheet, fields, PRODUCTS)
    told: list[tuple[Row, dict[str, Any]]] = []
    for row in sheet.rows:
        try:
            told.append((row, reader.read(row)))
        except BadCellError as error:
            tally.bad.append(BadRow(row.line, _sku(row, fields), str(error)))
    # Parents first: their variations may stand anywhere in the file.
    told.sort(key=lambda one: one[1].get("kind", "").lower() != "parent")
    first: dict[str, int] = {}
    batches = chunked(told, BATCH)
    if dry_run:
        try:
            async with db.write() as session:
                for batch in batches:
                    await _put_products(session, merchant_id, batch, tally, first)
                raise DryRunEnds
        except DryRunEnds:
            return
    for number, batch in enumerate(batches, start=1):
        async with db.write() as session:
            await _put_products(session, merchant_id, batch, tally, first)
        if len(batches) > 1:
            shown.warn(f"{min(number * BATCH, len(told))} of {len(told)} rows")


async def _put_products(
    session: AsyncSession,
    merchant_id: str,
    batch: Sequence[tuple[Row, dict[str, Any]]],
    tally: Tally,
    first: dict[str, int],
) -> None:
    skus = {told["sku"] for _, told in batch if "sku" in told}
    rows = await session.execute(
        select(Product).where(col(Product.merchant_id) == merchant_id, col(Product.sku).in_(skus))
    )
    standing = {product.sku: product for product in rows.scalars()}
    offers: list[tuple[Row, Offer]] = []
    for row, told in batch:
        sku = told.pop("sku", "")
        try:
            if not sku:
                raise BadCellError("the SKU is empty")
            if first.setdefault(sku, row.line) != row.line:
                raise BadCellError(f"the same SKU stands in line {first[sku]}")
            known = standing.get(sku)
            made = _new(sku, told) if known is None else _known(await store.offer_of(session, known), told)
            offers.append((row, made))
        except BadCellError as error:
            tally.bad.append(BadRow(row.line, sku, str(error)))
        except ValidationError as error:
            tally.bad.append(BadRow(row.line, sku, said(error, PRODUCTS)))
    answers = await store.put_products(session, merchant_id, [made for _, made in offers])
    for (row, _), kept in zip(offers, answers, strict=True):
        if kept.refused is not None:
            tally.bad.append(BadRow(row.line, kept.sku, sentences(kept.refused.problems)))
        else:
            tally.count(kept.outcome)


def _new(sku: str, told: Mapping[str, Any]) -> Offer:
    if "name" not in told:
        raise BadCellError("the product is new and has no name")
    prices = {name: Decimal(told[name]) for name in _PRICES if name in told}
    product = ProductIn.model_validate(_body(told))
    return offer(sku, product, {**dict.fromkeys(_PRICES), **prices}, priced=True)


def _known(standing: Offer, told: Mapping[str, Any]) -> Offer:
    """The product as it stands with what the row tells. What kind it is and whose variation stays as it was made."""
    patch = ProductPatch.model_validate(_body({n: v for n, v in told.items() if n not in ("kind", "parent_sku")}))
    given = {name: getattr(patch, name) for name in patch.model_fields_set - {"price", "stock"}}
    if patch.price is not None:
        given |= patch.price.model_dump(exclude_unset=True)
    return store.amended(standing, given, patch.stock)


_PRICES = ("list_price", "promotional_price", "cost_price")


def _body(told: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the store API's body, so that both doors have one rule."""
    prices = {name: told[name] for name in _PRICES if name in told}
    return {n: v for n, v in told.items() if n not in _PRICES} | ({"price": prices} if prices else {})


def _sku(row: Row, fields: Mapping[str, str]) -> str:
    return next((str(row.cells[name]) for name, of in fields.items() if of == "sku"), "")
