"""A vendor's records meet the hub: what is the same is left alone, what differs is written and queued for the others.

`plan` reads and decides, `write` writes exactly what was decided: a dry run shows what a real run does, because it is
the same decision.

A schedule and the drain of webhooks read the same records side by side, and who asked first may be the last to write.
So every reading carries the time before it was asked for (`as_of`), and never undoes one that was asked for later.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import bindings, outbox, quarantine, selling
from hub.catalog import GROUPS, Prepared, prepare, refuse
from hub.clock import utcnow
from hub.db import in_turn, insert_rows, upsert_rows
from hub.ids import new_id
from hub.matching import Ambiguous, Match, match
from hub.records import ProductKind, ProductRecord, Refused
from hub.tables import Binding, Connection, KitItem, Picture, Price, Product, RelatedProduct

KIND = "product"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of what is, or would be, written. `op` is create, update, deactivate, refuse or none."""

    op: str
    external_id: str
    sku: str
    name: str
    groups: tuple[str, ...] = ()


@dataclass(slots=True)
class Plan:
    """What is to be written for one page of records."""

    connection: Connection
    as_of: datetime
    creates: list[tuple[str, Prepared]] = field(default_factory=list)
    updates: list[tuple[str, Prepared, tuple[str, ...]]] = field(default_factory=list)
    unchanged: list[Prepared] = field(default_factory=list)
    bindings: list[tuple[str, Prepared]] = field(default_factory=list)
    """(record id, record) to be bound anew."""
    rebound: list[tuple[str, Prepared]] = field(default_factory=list)
    """(binding id, record) whose binding moves to the record's id over there."""
    refused: list[Refused] = field(default_factory=list)
    retired: list[tuple[str, str]] = field(default_factory=list)
    """(record id, external id) of products that are gone over there."""
    gone: list[str] = field(default_factory=list)
    """All ids that are gone over there, whether we had a product of them or refused to take one."""
    freed: list[str] = field(default_factory=list)
    """Record ids of products whose SKU goes to another one of this page."""
    stale: list[str] = field(default_factory=list)
    """Their ids of records that somebody asked for later than we did, and has written already: left alone."""

    def changes(self) -> list[Change]:
        """The plan, line by line."""
        lines = [Change("create", p.record.external_id, p.record.sku or "", p.record.name) for _, p in self.creates]
        for _, p, groups in self.updates:
            lines.append(Change("update", p.record.external_id, p.record.sku or "", p.record.name, groups))
        lines += [Change("deactivate", external_id, "", "") for _, external_id in self.retired]
        for refused in self.refused:
            fields = tuple(sorted({problem.field for problem in refused.problems}))
            lines.append(Change("refuse", refused.external_id, refused.sku, refused.name, fields))
        return lines


async def apply(
    session: AsyncSession,
    connection: Connection,
    readings: Iterable[ProductRecord | Refused],
    seen: Mapping[str, str],
    *,
    as_of: datetime,
    gone: Sequence[str] = (),
) -> Plan:
    """Plan and write in the caller's transaction. `seen` are listing fingerprints by their id; see `plan`, `write`.

    Pages of one merchant are applied one after the other: what was decided on is not changed by another page before it
    is written.
    """
    await in_turn(session, f"records:{connection.merchant_id}")
    planned = await plan(session, connection, readings, as_of=as_of, gone=gone)
    await write(session, planned, seen)
    return planned


async def plan(
    session: AsyncSession,
    connection: Connection,
    readings: Iterable[ProductRecord | Refused],
    *,
    as_of: datetime,
    gone: Sequence[str] = (),
) -> Plan:
    """Decide what the records change. `gone` are ids that are no longer there. Writes nothing.

    `as_of` is the time before the first of the readings was asked for. Of two readings of one id the later one counts.
    """
    planned = Plan(connection, as_of)
    latest: dict[str, Prepared | Refused] = {}
    for reading in readings:
        prepared = reading if isinstance(reading, Refused) else prepare(reading)
        latest[prepared.external_id if isinstance(prepared, Refused) else prepared.record.external_id] = prepared
    overtaken = await bindings.read_later(session, connection, {*latest, *gone}, as_of)
    planned.stale = [external_id for external_id in dict.fromkeys([*latest, *gone]) if external_id in overtaken]
    planned.gone = [external_id for external_id in gone if external_id not in overtaken]
    latest = {external_id: found for external_id, found in latest.items() if external_id not in overtaken}
    planned.refused = [found for found in latest.values() if isinstance(found, Refused)]
    fit = [found for found in latest.values() if isinstance(found, Prepared)]
    is_ruled = await _is_ruled(session, connection)
    for found in await match(session, connection.merchant_id, connection.id, fit):
        if isinstance(found, Ambiguous):
            planned.refused.append(refuse(found.prepared.record, [found.problem]))
        else:
            _sort_in(planned, _with_own_price(found) if is_ruled else found)
    planned.retired = await _retirable(session, connection, planned.gone)
    return planned


async def write(session: AsyncSession, planned: Plan, seen: Mapping[str, str]) -> None:
    """Write a plan, and in the same transaction the outbox entries of every other connection that wants it."""
    connection = planned.connection
    await _write_products(session, planned)
    await _write_parts(session, planned)
    await _write_bindings(session, planned, seen)
    await _forget_sent(session, planned)
    await quarantine.release(session, connection, KIND, _mended(planned))
    await quarantine.hold(session, connection, KIND, planned.refused, seen, planned.as_of)
    changed = [(record, group) for record, _ in planned.creates for group in GROUPS]
    changed += [(record, group) for record, _, groups in planned.updates for group in groups]
    changed += [(record, "data") for record in [*planned.freed, *(record for record, _ in planned.retired)]]
    if changed:
        wanted_by = await outbox.targets(session, connection.merchant_id, connection.id)
        await outbox.enqueue(session, connection.merchant_id, changed, wanted_by)


async def absent_variations(session: AsyncSession, connection_id: str, families: Mapping[str, set[str]]) -> list[str]:
    """Their ids of variations bound under a parent that no longer lists them.

    `families` maps a parent's id to the ids of the variations that its details brought, for vendors that hand a product
    over whole: there, a variation that is missing from its parent is gone, and no listing row will ever say so.
    """
    if not families:
        return []
    rows = await session.execute(
        select(col(Binding.parent_ref), col(Binding.external_id)).where(
            col(Binding.connection_id) == connection_id,
            col(Binding.kind) == KIND,
            col(Binding.parent_ref).in_(list(families)),
            col(Binding.gone).is_(False),
        )
    )
    return [external_id for parent, external_id in rows if external_id not in families[parent]]


def _mended(planned: Plan) -> list[str]:
    """Ids that there is nothing to complain about any more: taken as they are now, or gone."""
    taken = [p.record.external_id for _, p in planned.creates]
    taken += [p.record.external_id for _, p, _ in planned.updates]
    taken += [p.record.external_id for p in planned.unchanged]
    return taken + planned.gone


async def _is_ruled(session: AsyncSession, connection: Connection) -> bool:
    """Whether the prices over there are of a % rule's making: what the store's 100 became there, 110, would come back
    as the store's, and go out again as 121."""
    if not {"product", "price"} & set(connection.features.get("takes", ())):
        return False
    return bool((await selling.policy_of(session, connection.id)).price_adjustment)


def _with_own_price(found: Match) -> Match:
    """The same with the price that our product has; a product that is new to us has only the one that is told."""
    if found.known is None:
        return found
    hashes = {**found.prepared.hashes, "price": found.known.hashes["price"]}
    return replace(found, prepared=replace(found.prepared, hashes=hashes))


def _sort_in(planned: Plan, found: Match) -> None:
    prepared, known = found.prepared, found.known
    if found.frees is not None:
        planned.freed.append(found.frees)
    if known is None:
        record_id = new_id()
        planned.creates.append((record_id, prepared))
        planned.bindings.append((record_id, prepared))
        return
    changed = tuple(group for group in GROUPS if known.hashes[group] != prepared.hashes[group])
    if changed:
        planned.updates.append((known.record_id, prepared, changed))
    else:
        planned.unchanged.append(prepared)
    if known.binding_id is None:
        planned.bindings.append((known.record_id, prepared))
    elif found.rebind or known.gone:
        planned.rebound.append((known.binding_id, prepared))


async def _retirable(session: AsyncSession, connection: Connection, gone: Sequence[str]) -> list[tuple[str, str]]:
    if not gone:
        return []
    rows = await session.execute(
        select(col(Binding.record_id), col(Binding.external_id)).where(
            col(Binding.connection_id) == connection.id,
            col(Binding.kind) == KIND,
            col(Binding.external_id).in_(gone),
            col(Binding.gone).is_(False),
        )
    )
    return [(record_id, external_id) for record_id, external_id in rows]


async def _write_products(session: AsyncSession, planned: Plan) -> None:
    now = utcnow()
    merchant_id = planned.connection.merchant_id
    table = Product.__table__  # type: ignore[attr-defined]
    if planned.freed:
        await session.execute(update(table).where(table.c.id.in_(planned.freed)).values(sku=None, updated_at=now))
    new = [
        {
            "id": record_id,
            "merchant_id": merchant_id,
            **prepared.data,
            **{f"{group}_hash": prepared.hashes[group] for group in GROUPS},
            "stock_hash": "",
            "created_at": now,
            "updated_at": now,
        }
        for record_id, prepared in planned.creates
    ]
    await insert_rows(session, table, new)
    changed = [
        {
            "b_id": record_id,
            **prepared.data,
            **{f"{group}_hash": prepared.hashes[group] for group in GROUPS},
            "updated_at": now,
        }
        for record_id, prepared, _ in planned.updates
    ]
    if changed:
        await session.execute(update(table).where(table.c.id == bindparam("b_id")), changed)
        alone = [id_ for id_, prepared, _ in planned.updates if prepared.record.kind is not ProductKind.VARIATION]
        orphaned = update(table).where(table.c.id.in_(alone), table.c.parent_id.is_not(None))
        await session.execute(orphaned.values(parent_id=None))
    if planned.retired:
        # An empty hash is equal to no content: the product comes back whole if it is ever sold again over there.
        await session.execute(
            update(table)
            .where(table.c.id.in_([record_id for record_id, _ in planned.retired]))
            .values(active=False, data_hash="", updated_at=now)
        )
        await session.execute(
            update(Binding)
            .where(
                col(Binding.connection_id) == planned.connection.id,
                col(Binding.kind) == KIND,
                col(Binding.external_id).in_([external_id for _, external_id in planned.retired]),
            )
            .values(gone=True, seen_hash="", read_at=planned.as_of)
        )
    prices = Price.__table__  # type: ignore[attr-defined]
    new_prices = [_price_row(record_id, prepared, merchant_id, now) for record_id, prepared in planned.creates]
    await insert_rows(session, prices, new_prices)
    changed_prices = [
        _price_row(record_id, prepared, merchant_id, now)
        for record_id, prepared, groups in planned.updates
        if "price" in groups
    ]
    await upsert_rows(session, prices, changed_prices, key=["product_id"])


def _price_row(record_id: str, prepared: Prepared, merchant_id: str, now: datetime) -> dict[str, Any]:
    return {"product_id": record_id, "merchant_id": merchant_id, **prepared.price, "updated_at": now}


async def _write_parts(session: AsyncSession, planned: Plan) -> None:
    """Pictures, components and related products: those of a changed product are replaced whole."""
    created = list(planned.creates)
    for model, owner, group in (
        (Picture, col(Picture.product_id), "pictures"),
        (KitItem, col(KitItem.kit_id), "data"),
        (RelatedProduct, col(RelatedProduct.product_id), "data"),
    ):
        touched = [record_id for record_id, _, groups in planned.updates if group in groups]
        if touched:
            await session.execute(delete(model).where(owner.in_(touched)))
    with_pictures = created + [(r, p) for r, p, groups in planned.updates if "pictures" in groups]
    with_parts = created + [(r, p) for r, p, groups in planned.updates if "data" in groups]
    merchant = {"merchant_id": planned.connection.merchant_id}
    pictures = [
        {"product_id": record_id, "position": position, "url": url, **merchant}
        for record_id, prepared in with_pictures
        for position, url in enumerate(prepared.record.pictures)
    ]
    kits = [
        {
            "kit_id": record_id,
            "position": position,
            "component_ref": part.external_id,
            "quantity": part.quantity,
            **merchant,
        }
        for record_id, prepared in with_parts
        for position, part in enumerate(prepared.record.kit)
    ]
    related = [
        {"product_id": record_id, "position": position, "related_ref": reference, **merchant}
        for record_id, prepared in with_parts
        for position, reference in enumerate(prepared.record.related)
    ]
    await insert_rows(session, Picture.__table__, pictures)  # type: ignore[attr-defined]
    await insert_rows(session, KitItem.__table__, kits)  # type: ignore[attr-defined]
    await insert_rows(session, RelatedProduct.__table__, related)  # type: ignore[attr-defined]


async def _forget_sent(session: AsyncSession, planned: Plan) -> None:
    """What we sent last does not stand there any more: the same content, queued later, is news to them."""
    if planned.updates:
        theirs = (col(Binding.connection_id) == planned.connection.id, col(Binding.kind) == KIND)
        edited = [record_id for record_id, *_ in planned.updates]
        await session.execute(update(Binding).where(*theirs, col(Binding.record_id).in_(edited)).values(sent_hash=""))


async def _write_bindings(session: AsyncSession, planned: Plan, seen: Mapping[str, str]) -> None:
    now = utcnow()
    connection = planned.connection
    fresh = {prepared.record.external_id for _, prepared in planned.bindings}
    rows = [
        {
            "id": new_id(),
            "merchant_id": connection.merchant_id,
            "connection_id": connection.id,
            "kind": KIND,
            "record_id": record_id,
            "external_id": prepared.record.external_id,
            "parent_ref": prepared.record.parent_ref,
            "seen_hash": seen.get(prepared.record.external_id, ""),
            "sent_hash": "",
            "read_at": planned.as_of,
            "gone": False,
            "created_at": now,
        }
        for record_id, prepared in planned.bindings
    ]
    table = Binding.__table__  # type: ignore[attr-defined]
    await insert_rows(session, table, rows)
    if planned.rebound:
        await session.execute(
            update(table).where(table.c.id == bindparam("b_id")),
            [
                {
                    "b_id": binding_id,
                    "external_id": prepared.record.external_id,
                    "parent_ref": prepared.record.parent_ref,
                    "gone": False,
                    "stock_read_at": None,
                }
                for binding_id, prepared in planned.rebound
            ],
        )
    known = [p for _, p, _ in planned.updates] + planned.unchanged
    again = [
        {
            "b_external_id": prepared.record.external_id,
            "parent_ref": prepared.record.parent_ref,
            "read_at": planned.as_of,
            **({"seen_hash": seen[external_id]} if (external_id := prepared.record.external_id) in seen else {}),
        }
        for prepared in known
        if prepared.record.external_id not in fresh
    ]
    here = (
        table.c.connection_id == connection.id,
        table.c.kind == KIND,
        table.c.external_id == bindparam("b_external_id"),
    )
    for rows_alike in ([r for r in again if "seen_hash" in r], [r for r in again if "seen_hash" not in r]):
        if rows_alike:
            await session.execute(update(table).where(*here), rows_alike)
