"""Prices only: the store keeps the products, and the ERP's price of those that it has comes back.

The merchant's two places for a price are both right, each for what was said there last. What was queued here and is not
over there yet is newer than any reading, also where it was refused; what was asked for before our own price arrived
there is older than that. Of a product that was not selected nothing is sent, so nothing comes back either: what stands
there is what stood there before the store's last word. Without a % rule only: under one, a price of the rule's making
cannot be told from one that the merchant made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import bindings, lost, money, outbox, quarantine, selling
from hub.catalog import price_hash, refuse, unfit
from hub.changes import KIND, Change
from hub.clock import utcnow
from hub.db import in_turn, upsert_rows
from hub.policy import Policy
from hub.records import Problem, ProductRecord, Refused
from hub.tables import Binding, Connection, OutboxEntry, Price, Product

PRICES = ("list_price", "promotional_price", "cost_price")


@dataclass(frozen=True, slots=True)
class Repriced:
    """A product of ours with the prices that it is to have."""

    record_id: str
    record: ProductRecord
    prices: dict[str, Decimal | None]


@dataclass(slots=True)
class PricePlan:
    """What is to be written for one page of records."""

    connection: Connection
    as_of: datetime
    updates: list[Repriced] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    """Their ids of records that somebody asked for later, or whose price from here is, or was, on its way there."""

    def changes(self) -> list[Change]:
        """The plan, line by line."""
        lines = [
            Change("update", r.record.external_id, r.record.sku or "", r.record.name, ("price",)) for r in self.updates
        ]
        for refused in self.refused:
            fields = tuple(sorted({problem.field for problem in refused.problems}))
            lines.append(Change("refuse", refused.external_id, refused.sku, refused.name, fields))
        return lines


@dataclass(frozen=True, slots=True)
class _Standing:
    """A bound product's prices as they stand."""

    record_id: str
    prices: dict[str, Decimal | None]


def is_wanted(policy: Policy) -> bool:
    """Whether a connection's prices come back, and nothing else of its products."""
    return policy.pull_prices and not policy.pull_products and not policy.price_adjustment


async def apply(
    session: AsyncSession,
    connection: Connection,
    readings: Iterable[ProductRecord | Refused],
    seen: dict[str, str],
    *,
    as_of: datetime,
    gone: Sequence[str] = (),
) -> PricePlan:
    """Plan and write in the caller's transaction. `seen` are listing fingerprints by their id; `gone` are ids that are
    not there: of those that are bound the merchant is told."""
    readings = list(readings)
    await in_turn(session, f"records:{connection.merchant_id}")
    await _lock(session, connection, readings)
    planned = await plan(session, connection, readings, as_of=as_of)
    await write(session, planned, seen)
    await lost.mark_products(session, connection, gone, as_of)
    await lost.unmark_products(session, connection, [reading.external_id for reading in readings])
    await _mark_read(session, planned, gone, {})
    return planned


async def plan(
    session: AsyncSession, connection: Connection, readings: Iterable[ProductRecord | Refused], *, as_of: datetime
) -> PricePlan:
    """Decide which prices change. What is not bound is none of ours. Writes nothing.

    By the policy as it stands at this moment: a run may be hours old, and a % rule that was set meanwhile has gone out.
    """
    planned = PricePlan(connection, as_of)
    latest = {reading.external_id: reading for reading in readings}
    standing = await _standing(session, connection, list(latest))
    policy = await selling.policy_of(session, connection.id)
    if not is_wanted(policy):
        planned.stale = list(standing)
        return planned
    kept = await _not_sent(session, connection, policy, standing)
    newer = await bindings.read_later(session, connection, standing, as_of)
    newer |= await _on_its_way(session, connection, standing, as_of)
    for external_id, found in standing.items():
        reading = latest[external_id]
        if external_id in newer:
            planned.stale.append(external_id)
            continue
        if external_id in kept:
            planned.unchanged.append(external_id)
            continue
        if isinstance(reading, ProductRecord) and (problems := _problems(reading)):
            reading = refuse(reading, problems)
        if isinstance(reading, Refused):
            planned.refused.append(reading)
            continue
        prices = _told(reading, found.prices)
        if prices == found.prices:
            planned.unchanged.append(external_id)
        else:
            planned.updates.append(Repriced(found.record_id, reading, prices))
    return planned


async def write(session: AsyncSession, planned: PricePlan, seen: dict[str, str]) -> None:
    """Write a plan, with an outbox entry for every other connection that wants it."""
    connection, now = planned.connection, utcnow()
    rows = [
        {"product_id": one.record_id, "merchant_id": connection.merchant_id, **one.prices, "updated_at": now}
        for one in planned.updates
    ]
    await upsert_rows(session, Price.__table__, rows, key=["product_id"])  # type: ignore[attr-defined]
    for one in planned.updates:
        await session.execute(
            update(Product)
            .where(col(Product.id) == one.record_id)
            .values(price_hash=price_hash(one.prices), updated_at=now)
        )
    touched = [one.record_id for one in planned.updates]
    if touched:
        # What we sent last does not stand there any more: the same price is news again.
        here = (col(Binding.connection_id) == connection.id, col(Binding.kind) == KIND)
        await session.execute(update(Binding).where(*here, col(Binding.record_id).in_(touched)).values(sent_hash=""))
        wanted_by = await outbox.targets(session, connection.merchant_id, connection.id)
        await outbox.enqueue(session, connection.merchant_id, [(record, "price") for record in touched], wanted_by)
    taken = [one.record.external_id for one in planned.updates] + planned.unchanged
    await quarantine.release(session, connection, KIND, taken)
    await quarantine.hold(session, connection, KIND, planned.refused, seen, planned.as_of)
    await _mark_read(session, planned, taken, seen)


def _problems(record: ProductRecord) -> list[Problem]:
    """What is wrong with the prices; whatever else the record says is not looked at."""
    told = {name: getattr(record, name) for name in ("list_price", "promotional_price")}
    return [
        Problem(name, why, str(price)) for name, price in told.items() if price is not None and (why := unfit(price))
    ]


def _told(record: ProductRecord, now: dict[str, Decimal | None]) -> dict[str, Decimal | None]:
    """The prices after the reading: one that is not told stays, and so does one that is there as we have sent it.

    A list price of nothing is none: an ERP that has no price for a product says nothing about the store's.
    """
    after = dict(now)
    if record.list_price and not _is_echo(record.list_price, now["list_price"]):
        after["list_price"] = record.list_price
    if record.promotional_price is not None:
        after["promotional_price"] = record.promotional_price or None
    return after


def _is_echo(told: Decimal, ours: Decimal | None) -> bool:
    """A price with more places than two arrives over there rounded."""
    return ours is not None and told in (ours, money.adjust(ours, Decimal(0)))


async def _standing(session: AsyncSession, connection: Connection, external_ids: Sequence[str]) -> dict[str, _Standing]:
    prices = (col(Price.list_price), col(Price.promotional_price), col(Price.cost_price))
    rows = await session.execute(
        select(col(Binding.external_id), col(Product.id), *prices)
        .join(Product, col(Product.id) == col(Binding.record_id))
        .outerjoin(Price, col(Price.product_id) == col(Product.id))
        .where(*_here(connection, external_ids))
    )
    return {external_id: _Standing(id_, dict(zip(PRICES, told, strict=True))) for external_id, id_, *told in rows}


async def _on_its_way(
    session: AsyncSession, connection: Connection, standing: dict[str, _Standing], as_of: datetime
) -> set[str]:
    """The products that were, at the time of asking, not over there as they stand here."""
    by_record = {found.record_id: external_id for external_id, found in standing.items()}
    rows = await session.execute(
        select(col(OutboxEntry.record_id)).where(
            col(OutboxEntry.connection_id) == connection.id,
            col(OutboxEntry.kind).in_(("product", "price")),
            col(OutboxEntry.record_id).in_(list(by_record)),
            or_(
                # What was refused is still the store's newer word: it goes out once it is mended.
                col(OutboxEntry.state).in_(("pending", "claimed", "unknown", "failed")),
                and_(col(OutboxEntry.sent_at).is_not(None), col(OutboxEntry.sent_at) >= as_of),
            ),
        )
    )
    return {by_record[record_id] for record_id in rows.scalars()}


async def _not_sent(
    session: AsyncSession, connection: Connection, policy: Policy, standing: dict[str, _Standing]
) -> set[str]:
    """The products that are bound, through an order say, and whose prices are not sent as they were not selected."""
    if policy.send_mode != "selected":
        return set()
    selected = await outbox.selected(session, connection.id, {found.record_id for found in standing.values()})
    return {external_id for external_id, found in standing.items() if found.record_id not in selected}


async def _lock(session: AsyncSession, connection: Connection, readings: Sequence[ProductRecord | Refused]) -> None:
    """The products are ours until the transaction ends: an edit in the store waits, or is seen as queued."""
    ids = select(col(Binding.record_id)).where(*_here(connection, [reading.external_id for reading in readings]))
    mine = select(col(Product.id)).where(col(Product.id).in_(ids)).order_by(col(Product.sku), col(Product.id))
    await session.execute(mine.with_for_update(key_share=True))


async def _mark_read(
    session: AsyncSession, planned: PricePlan, external_ids: Sequence[str], seen: dict[str, str]
) -> None:
    """These were read; what was not taken as it was on its way is read again soon."""
    if external_ids:
        here = _here(planned.connection, external_ids)
        await session.execute(update(Binding).where(*here).values(read_at=planned.as_of))
    for external_id in external_ids:
        if external_id in seen:
            row = _here(planned.connection, [external_id])
            await session.execute(update(Binding).where(*row).values(seen_hash=seen[external_id]))


def _here(connection: Connection, external_ids: Sequence[str]) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Binding.connection_id) == connection.id,
        col(Binding.kind) == KIND,
        col(Binding.external_id).in_(external_ids),
    )
