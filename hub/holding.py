"""What the store's own orders hold that an ERP has not got yet: the store shows the ERP's balance less that.

An ERP takes an order off its balance when it has the order, approved. Until then the store has sold what the balance
still shows, and after that the order must not be taken off a second time: so it counts by when the balance was asked
for. In doubt an order counts. That shows too little until the next balance, and never sells what is not there.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Any

from sqlalchemy import and_, or_, select, union
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import outbox, stages, stock
from hub.clock import utcnow
from hub.db import upsert_rows
from hub.policy import Policy
from hub.records import DepositBalance, StockRecord
from hub.stages import Stage
from hub.tables import Binding, Connection, KitItem, Order, OrderItem, OutboxEntry, Product, Stock
from hub.tables.tenancy import ConnectionState

RESERVED = timedelta(days=3)
"""How long an order that nobody has paid holds its goods."""
UNSETTLED = ("pending", "claimed", "unknown", "failed")
"""States of an outbox entry whose order the ERP is still to get."""
SENDING = ("claimed", "unknown")
"""States in which nobody can say whether it is there already."""
TOTAL = ""
"""The deposit of the account's own total."""
COUNTED = "#loja"
"""The deposit of the store's own count: newer than the ERP's balance, until the ERP's balance moves after it."""
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of an order that may hold. `got_at` is since when the ERP has the order, None where it has not."""

    quantity: Decimal
    got_at: datetime | None

    def holds(self, as_of: datetime) -> bool:
        """Whether a balance asked for at that time does not know of it."""
        return self.got_at is None or self.got_at >= as_of


@dataclass(slots=True)
class _Lines:
    """The lines and kits around some products."""

    of: dict[str, list[_Line]] = field(default_factory=lambda: defaultdict(list))
    parts: dict[str, list[tuple[str, Decimal]]] = field(default_factory=lambda: defaultdict(list))
    """Kit → its components and how many of each."""
    kits: dict[str, list[tuple[str, Decimal]]] = field(default_factory=lambda: defaultdict(list))
    """Component → the kits that it is in."""

    def held(self, product_id: str, as_of: datetime) -> Decimal:
        """What is held of a product. Of a kit: as many as its scarcest component could still be short of."""
        own = self._direct(product_id, as_of)
        short = (
            (self._with_kits(part, as_of) / each).to_integral_value(ROUND_CEILING)
            for part, each in self.parts.get(product_id, ())
            if each > 0
        )
        return max([own, *short]) if product_id in self.parts else self._with_kits(product_id, as_of)

    def _direct(self, product_id: str, as_of: datetime) -> Decimal:
        return sum((line.quantity for line in self.of.get(product_id, ()) if line.holds(as_of)), ZERO)

    def _with_kits(self, product_id: str, as_of: datetime) -> Decimal:
        kits = (each * self._direct(kit, as_of) for kit, each in self.kits.get(product_id, ()))
        return self._direct(product_id, as_of) + sum(kits, ZERO)


async def held(session: AsyncSession, connection: Connection, as_of: Mapping[str, datetime]) -> dict[str, Decimal]:
    """What is held of each product, for a balance asked for at the time given with it; what is not held is left out."""
    policy = Policy.model_validate(connection.policy)
    if not as_of or policy.orders == "none" or "order" not in connection.features.get("takes", ()):
        return {}
    lines = _Lines()
    await _read_kits(session, lines, as_of)
    around = {*as_of, *lines.parts, *lines.kits}
    around |= {other for some in (*lines.parts.values(), *lines.kits.values()) for other, _ in some}
    await _read_lines(session, connection, policy, lines, around, min(as_of.values()))
    found = {product_id: lines.held(product_id, moment) for product_id, moment in as_of.items()}
    return {product_id: quantity for product_id, quantity in found.items() if quantity}


async def refresh(session: AsyncSession, merchant_id: str, product_ids: Collection[str]) -> None:
    """Orders of these products came, went or reached an ERP: what the store shows of them follows, by the last balance.

    In the caller's transaction, which has the products until it ends.
    """
    touched = await _affected(session, product_ids)
    if not touched:
        return
    mine = select(Product).where(col(Product.merchant_id) == merchant_id, col(Product.id).in_(touched))
    # Orders that come in refer to the products, and so lock their keys: were those not left free, two orders of one
    # product would wait for each other.
    in_order = mine.order_by(col(Product.sku), col(Product.id)).with_for_update(key_share=True)
    products = {p.id: p for p in (await session.execute(in_order.execution_options(populate_existing=True))).scalars()}
    for connection, balances in await _balances(session, merchant_id, list(products)):
        policy = Policy.model_validate(connection.policy)
        away = await held(session, connection, {id_: known.as_of for id_, known in balances.items()})
        moved = []
        for product_id, known in balances.items():
            quantity = shown(known.base(policy), away.get(product_id, ZERO))
            if products[product_id].stock_quantity != quantity:
                products[product_id].stock_quantity = quantity
                products[product_id].updated_at = utcnow()
                moved.append((product_id, "stock"))
        await session.flush()
        if moved:
            wanted_by = await outbox.targets(session, merchant_id, connection.id)
            await outbox.enqueue(session, merchant_id, moved, wanted_by)


async def refresh_order(session: AsyncSession, order: Order) -> None:
    """The same for the products of an order whose state has changed."""
    await refresh(session, order.merchant_id, await products_of(session, order.id))


def note_approved(binding: Binding, stage: str) -> None:
    """An order comes to this stage on a connection: since when it is approved there is noted with it.

    Of an order's binding `stock_read_at` says that. Balances asked for later know of the order, so what the store shows
    does not change by it: only the next balance counts otherwise.
    """
    approved = stages.rank(Stage.APPROVED)
    if stages.rank(binding.told) < approved <= stages.rank(stage):
        binding.stock_read_at = utcnow()


async def products_of(session: AsyncSession, order_id: str) -> set[str]:
    """The products of an order that we know."""
    rows = await session.execute(select(col(OrderItem.product_id)).where(col(OrderItem.order_id) == order_id))
    return {product_id for product_id in rows.scalars() if product_id}


def shown(balance: Decimal, away: Decimal) -> Decimal:
    """What the store may show of a balance."""
    return max(ZERO, balance - away)


async def note_count(session: AsyncSession, merchant_id: str, counts: Mapping[str, Decimal]) -> None:
    """The store has counted these products itself: where the ERP takes stock, that is newer than its balance.

    The count is what may still be sold; what orders hold at this moment comes on top of it, as in the ERP's own.
    """
    now = utcnow()
    for connection, balances in await _balances(session, merchant_id, list(counts)):
        if "stock" not in connection.features.get("takes", ()):
            continue
        away = await held(session, connection, dict.fromkeys(balances, now))
        rows = [
            {
                "product_id": product_id,
                "connection_id": connection.id,
                "deposit": COUNTED,
                "merchant_id": merchant_id,
                "name": "",
                "physical": counts[product_id] + away.get(product_id, ZERO),
                "reserved": ZERO,
                "available": counts[product_id] + away.get(product_id, ZERO),
                "counted": False,
                "as_of": now,
            }
            for product_id in balances
        ]
        key = ["product_id", "connection_id", "deposit"]
        await upsert_rows(session, Stock.__table__, rows, key=key)  # type: ignore[attr-defined]


async def to_tell(
    session: AsyncSession, connection: Connection, product_id: str, quantity: Decimal | None
) -> Decimal | None:
    """The stock that an ERP is to be told of a product of which the store shows `quantity`; None: nothing.

    The orders that it has not got come on top, as it will take them off by itself. Nothing is told where the ERP's own
    balance is the last word; nor while an order of the product is being sent, of which nobody knows whether it has been
    taken off already (`is_moving`).
    """
    if quantity is None or await is_moving(session, connection, product_id):
        return None
    for source, balances in await _balances(session, connection.merchant_id, [product_id]):
        if source.id == connection.id and not balances[product_id].is_counted:
            return None
    return await whole(session, connection, product_id, quantity)


async def whole(
    session: AsyncSession, connection: Connection, product_id: str, quantity: Decimal | None
) -> Decimal | None:
    """The stock that an ERP is to have of a product of which the store shows `quantity`, whoever spoke last."""
    if quantity is None:
        return None
    away = await held(session, connection, {product_id: utcnow()})
    return quantity + away.get(product_id, ZERO)


async def is_moving(session: AsyncSession, connection: Connection, product_id: str) -> bool:
    """Whether an order of the product is on its way to the ERP at this moment."""
    around = await _affected(session, [product_id])
    found = await session.execute(
        select(col(OutboxEntry.id))
        .join(OrderItem, col(OrderItem.order_id) == col(OutboxEntry.record_id))
        .where(
            col(OutboxEntry.connection_id) == connection.id,
            col(OutboxEntry.kind) == "order",
            col(OutboxEntry.state).in_(SENDING),
            col(OrderItem.product_id).in_(around),
        )
        .limit(1)
    )
    return found.first() is not None


async def mastered_elsewhere(session: AsyncSession, connection: Connection, product_ids: Sequence[str]) -> set[str]:
    """Products whose stock another connection of the merchant tells: of several that do, the first by id."""
    found = await _balances(session, connection.merchant_id, product_ids)
    return {product_id for other, balances in found if other.id < connection.id for product_id in balances}


@dataclass(slots=True)
class _Balance:
    """The last balance of one product on one connection, with the store's own count where that is newer."""

    rows: dict[str, Stock] = field(default_factory=dict)

    @property
    def is_counted(self) -> bool:
        return COUNTED in self.rows

    @property
    def as_of(self) -> datetime:
        told = self.rows[COUNTED if self.is_counted else TOTAL].as_of
        assert told is not None
        return told

    def base(self, policy: Policy) -> Decimal:
        """What may be sold before any order is taken off."""
        if self.is_counted:
            return self.rows[COUNTED].physical or ZERO
        total = self.rows[TOTAL]
        deposits = tuple(
            DepositBalance(row.deposit, row.name, row.physical or ZERO, row.reserved, row.available, row.counted)
            for key, row in self.rows.items()
            if key not in (TOTAL, COUNTED)
        )
        told = (total.physical or ZERO, total.reserved or ZERO, total.available or ZERO)
        return stock.quantity(StockRecord("", *told, deposits, self.as_of), policy)


async def _balances(
    session: AsyncSession, merchant_id: str, product_ids: Sequence[str]
) -> list[tuple[Connection, dict[str, _Balance]]]:
    """By connection: the products whose stock it tells, with their last balances."""
    rows = await session.execute(
        select(Stock, Connection)
        .join(Connection, col(Connection.id) == col(Stock.connection_id))
        .where(
            col(Stock.merchant_id) == merchant_id,
            col(Stock.product_id).in_(product_ids),
            col(Connection.state).in_([ConnectionState.ACTIVE, ConnectionState.DISCONNECTED]),
        )
        .order_by(col(Stock.connection_id), col(Stock.product_id))
        .execution_options(populate_existing=True)
    )
    by_connection: dict[str, tuple[Connection, dict[str, _Balance]]] = {}
    source: dict[str, str] = {}
    for row, connection in rows:
        if not Policy.model_validate(connection.policy).pull_stock:
            continue
        if source.setdefault(row.product_id, connection.id) == connection.id:
            _, found = by_connection.setdefault(connection.id, (connection, {}))
            found.setdefault(row.product_id, _Balance()).rows[row.deposit] = row
    return [
        (connection, {id_: known for id_, known in found.items() if TOTAL in known.rows})
        for connection, found in by_connection.values()
    ]


async def _affected(session: AsyncSession, product_ids: Iterable[str]) -> set[str]:
    """The products, the components of those that are kits, and the kits that any of all these is in."""
    touched = set(product_ids)
    if touched:
        parts = select(col(KitItem.component_id)).where(col(KitItem.kit_id).in_(list(touched)))
        touched |= {part for part in (await session.execute(parts)).scalars() if part}
        kits = select(col(KitItem.kit_id)).where(col(KitItem.component_id).in_(list(touched)))
        touched |= set((await session.execute(kits)).scalars())
    return touched


async def _read_kits(session: AsyncSession, lines: _Lines, product_ids: Collection[str]) -> None:
    columns = (col(KitItem.kit_id), col(KitItem.component_id), col(KitItem.quantity))
    known = col(KitItem.component_id).is_not(None)
    own = await session.execute(select(*columns).where(col(KitItem.kit_id).in_(list(product_ids)), known))
    for kit, part, each in own:
        lines.parts[kit].append((str(part), each or ZERO))
    within = {*product_ids, *(part for parts in lines.parts.values() for part, _ in parts)}
    for kit, part, each in await session.execute(select(*columns).where(col(KitItem.component_id).in_(list(within)))):
        lines.kits[str(part)].append((kit, each or ZERO))


async def _read_lines(
    session: AsyncSession,
    connection: Connection,
    policy: Policy,
    lines: _Lines,
    product_ids: Collection[str],
    earliest: datetime,
) -> None:
    since = utcnow() - RESERVED
    here, queued = (
        and_(
            col(table.connection_id) == connection.id,
            col(table.kind) == "order",
            col(table.record_id) == col(Order.id),
        )
        for table in (Binding, OutboxEntry)
    )
    rows = await session.execute(
        select(
            col(OrderItem.product_id),
            col(OrderItem.quantity),
            col(Order.state),
            col(Order.placed_at),
            col(OutboxEntry.state),
            col(Binding.told),
            col(Binding.gone),
            col(Binding.created_at),
            col(Binding.stock_read_at),
        )
        .join(Order, col(Order.id) == col(OrderItem.order_id))
        .outerjoin(Binding, here)
        .outerjoin(OutboxEntry, queued)
        .where(
            col(Order.merchant_id) == connection.merchant_id,
            col(Order.source) != connection.id,
            col(Order.state).in_(("created", "paid")),
            col(Order.id).in_(_candidates(connection, since, earliest)),
            col(OrderItem.product_id).in_(list(product_ids)),
        )
    )
    for product_id, quantity, state, placed_at, entry, told, gone, bound_at, approved_at in rows:
        is_recent = placed_at >= since
        if state == "created" and not is_recent:
            continue
        # Before an order's stage was told along with it, only paid ones were sent.
        stage = told or (Stage.APPROVED if policy.orders == "paid" else "")
        if bound_at is not None and not gone and stages.rank(stage) >= stages.rank(Stage.APPROVED):
            lines.of[product_id].append(_Line(quantity, approved_at or bound_at))
        elif is_recent or entry in UNSETTLED:
            lines.of[product_id].append(_Line(quantity, None))


def _candidates(connection: Connection, since: datetime, earliest: datetime) -> Any:
    """Ids of orders that may hold anything: those of the last days, by their ids, which grow with the time; those on
    their way; those that got there since the balance. Never all that the shop has ever sold."""
    made_since = int((since - timedelta(days=1)).timestamp() * 1000)
    return union(
        select(col(Order.id)).where(
            col(Order.merchant_id) == connection.merchant_id, col(Order.id) >= f"{max(0, made_since):012x}"
        ),
        select(col(OutboxEntry.record_id)).where(
            col(OutboxEntry.connection_id) == connection.id,
            col(OutboxEntry.kind) == "order",
            col(OutboxEntry.state).in_(UNSETTLED),
        ),
        select(col(Binding.record_id)).where(
            col(Binding.connection_id) == connection.id,
            col(Binding.kind) == "order",
            or_(col(Binding.created_at) >= earliest, col(Binding.stock_read_at) >= earliest),
        ),
    )
