"""Records of ours made ready to be sent: products with the % rule applied, orders with their totals proved."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import orjson
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import money, outbox, selection, stages
from hub.clock import to_sao_paulo
from hub.policy import Policy
from hub.records import (
    OutgoingAddress,
    OutgoingCustomer,
    OutgoingInstalment,
    OutgoingItem,
    OutgoingOrder,
    OutgoingProduct,
    Problem,
    ProductKind,
)
from hub.stages import Stage
from hub.tables import Address, Binding, Connection, Customer, Order, OrderItem, OutboxEntry, Price, Product
from hub.types import plain

DAYS_BETWEEN_INSTALMENTS = 30


class NotSendableError(Exception):
    """The record cannot be sent as it is; `code` names the notice, `problems` say why."""

    def __init__(self, code: str, problems: Sequence[Problem], **params: str) -> None:
        self.code = code
        self.problems = tuple(problems)
        self.params = params
        super().__init__(f"{code}: " + "; ".join(f"{p.field} {p.reason} ({p.received})" for p in problems))


@dataclass(frozen=True, slots=True)
class Bound:
    """Where a record of ours is over there, and the hash of what was last sent.

    `told` is, of an order, the furthest stage that was told either way; `gone`, that it was deleted over there.
    """

    external_id: str
    sent_hash: str
    told: str = ""
    gone: bool = False


async def product(session: AsyncSession, record_id: str, policy: Policy) -> OutgoingProduct:
    """The product as it is now, its price under the policy's % rule. Raises NotSendableError."""
    found = await session.get(Product, record_id)
    price = await session.get(Price, record_id)
    if found is None:
        raise NotSendableError("product.not_sent", [Problem("product", "unknown", record_id)])
    problems = []
    if found.kind == ProductKind.PARENT:
        problems.append(Problem("product", "parent", found.sku or ""))
    if not found.sku:
        problems.append(Problem("sku", "empty", ""))
    if price is None or not price.list_price:
        problems.append(Problem("list_price", "missing", plain(price.list_price) if price and price.list_price else ""))
    elif not money.adjust(price.list_price, policy.price_adjustment):
        told = f"{money.brl(price.list_price)} ({policy.price_adjustment} %)"
        problems.append(Problem("list_price", "rounds_to_zero", told))
    if problems:
        raise NotSendableError("product.not_sent", problems, sku=found.sku or "", name=found.name[:120])
    assert price is not None and price.list_price is not None
    return OutgoingProduct(
        record_id=found.id,
        sku=found.sku or "",
        name=found.name,
        price=money.adjust(price.list_price, policy.price_adjustment),
        kind=ProductKind(found.kind),
        active=found.active,
        description=found.description,
        brand=found.brand,
        category=found.category,
        unit=found.unit,
        gtin=found.gtin or "",
        ncm=found.ncm or "",
        cest=found.cest or "",
        origin=found.origin,
        weight_net=found.weight_net,
        weight_gross=found.weight_gross,
        height=found.height,
        width=found.width,
        length=found.length,
        stock=found.stock_quantity,
    )


async def stock_of(session: AsyncSession, record_id: str) -> Decimal | None:
    """What the store shows of a product at this moment; None where it was never counted."""
    found = await session.execute(select(col(Product.stock_quantity)).where(col(Product.id) == record_id))
    return found.scalar_one_or_none()


async def store_price(session: AsyncSession, record_id: str) -> Decimal:
    """The price that stands in the store, in reais; zero where there is none."""
    found = await session.get(Price, record_id)
    return (found.list_price if found else None) or Decimal(0)


@dataclass(frozen=True, slots=True)
class Sale:
    """An order as it is now, with all that sending it takes: read in one go, as it is read for every one sent."""

    order: Order
    lines: tuple[OrderItem, ...]
    buyer: Customer | None
    delivery: OutgoingAddress
    bound: Mapping[tuple[str, str], Bound]
    """By (kind, our id): where the order, its customer and its products are over there, those that are."""

    def ref(self, kind: str, record_id: str) -> str:
        """Their id of a record of ours; empty where it is not bound."""
        known = self.bound.get((kind, record_id))
        return known.external_id if known else ""

    def is_there(self, kind: str, record_id: str) -> bool:
        """Whether a record of ours is bound, and was not deleted over there since."""
        known = self.bound.get((kind, record_id))
        return known is not None and not known.gone


async def sale(session: AsyncSession, connection_id: str, order_id: str) -> Sale | None:
    """Read an order for one connection; None when there is none of that id."""
    rows = await session.execute(
        select(Order, Customer, Address)
        .outerjoin(Customer, col(Customer.id) == col(Order.customer_id))
        .outerjoin(Address, (col(Address.order_id) == col(Order.id)) & (col(Address.role) == "delivery"))
        .where(col(Order.id) == order_id)
    )
    found = rows.one_or_none()
    if found is None:
        return None
    order, buyer, address = found
    lines = await session.execute(
        select(OrderItem).where(col(OrderItem.order_id) == order_id).order_by(col(OrderItem.position))
    )
    items = tuple(lines.scalars())
    records = {order_id, order.customer_id, *(line.product_id for line in items)} - {None}
    bindings = await session.execute(
        select(col(Binding.kind), col(Binding.record_id), *_bound_columns()).where(
            col(Binding.connection_id) == connection_id,
            col(Binding.kind).in_(("order", "customer", "product")),
            col(Binding.record_id).in_(records),
        )
    )
    bound = {(kind, record_id): Bound(*rest) for kind, record_id, *rest in bindings}
    return Sale(order, items, buyer, _address(address), bound)


def customer(sale: Sale) -> OutgoingCustomer:
    """The buyer of an order, with the delivery address. Raises NotSendableError when the order has none."""
    found = sale.buyer
    if found is None:
        raise NotSendableError("order.not_sent", [Problem("customer", "missing", "")], number=sale.order.number)
    return OutgoingCustomer(
        record_id=found.id,
        name=found.name,
        document=found.document,
        email=found.email,
        phone=found.phone,
        address=sale.delivery,
    )


def order(sale: Sale, *, prove: bool = True) -> OutgoingOrder:
    """The order with every total proved to the centavo; what is not bound yet has no id in it.

    Without `prove` it serves to know again what is over there already. Raises NotSendableError with both totals when
    they differ: an ERP that is sent items, discount and freight computes a total of its own, and a sale of another
    value than was paid is found by an accountant months later.
    """
    found = sale.order
    goods = sum((money.money((line.quantity or 0) * (line.unit_price or 0)) for line in sale.lines), Decimal(0))
    discount = (found.discount or Decimal(0)) + sum((line.discount or Decimal(0) for line in sale.lines), Decimal(0))
    computed = goods - discount + (found.freight or Decimal(0))
    if prove and computed != found.total:
        received = f"{money.brl(computed)} ≠ {money.brl(found.total or 0)}"
        raise NotSendableError("order.not_sent", [Problem("total", "differs", received)], number=found.number)
    assert found.placed_at is not None and found.total is not None
    placed_on = to_sao_paulo(found.placed_at).date()
    parts = money.split(found.total, max(1, found.instalments))
    first = 0 if len(parts) == 1 else DAYS_BETWEEN_INSTALMENTS
    return OutgoingOrder(
        record_id=found.id,
        number=found.number,
        marker=marker(found),
        customer_ref=sale.ref("customer", found.customer_id or ""),
        items=tuple(
            OutgoingItem(
                sale.ref("product", line.product_id or ""),
                line.sku,
                line.name,
                line.quantity or Decimal(0),
                line.unit_price or Decimal(0),
            )
            for line in sale.lines
        ),
        discount=discount,
        freight=found.freight or Decimal(0),
        total=found.total,
        payment_method=found.payment_method,
        instalments=tuple(
            OutgoingInstalment(placed_on + timedelta(days=first + DAYS_BETWEEN_INSTALMENTS * place), amount)
            for place, amount in enumerate(parts)
        ),
        placed_on=placed_on,
        notes=found.notes,
        delivery=sale.delivery,
        stage=stage(found),
        customer=customer(sale) if sale.buyer else None,
        known_on=to_sao_paulo(found.created_at).date(),
    )


def stage(found: Order) -> Stage:
    """How far an order has come, by its money and by its goods."""
    return stages.of_order(found.state, found.stage)


def hushed(words: str, sale: Sale) -> str:
    """A vendor's words without what they quote of the buyer: they are shown in notices, logs and reports.

    “Já existe uma pessoa com o documento 529.982.247-25” says as much without the number.
    """
    buyer, where = sale.buyer, sale.delivery
    numbers = [where.postal_code, *((buyer.document, buyer.phone) if buyer else ())]
    texts = [where.street, where.complement, where.recipient, sale.order.notes]
    texts += (buyer.name, *buyer.name.split(), buyer.email) if buyer else ()
    patterns = [r"[.\-/() ]*".join(re.findall(r"\w", number)) for number in numbers]
    patterns += [re.escape(text.strip()) for text in texts]
    for pattern in patterns:
        if len(pattern) >= SHORTEST_QUOTED:
            words = re.sub(rf"(?<!\w){pattern}(?!\w)", "•••", words, flags=re.IGNORECASE)
    return words


SHORTEST_QUOTED = 4
"""Shorter parts of a name or a street are words of everybody's ("de", "Rua")."""


def marker(found: Order) -> str:
    """The text in a sale's notes by which an order of ours is known again over there."""
    return f"Pedido {found.number} · esteira {found.id}"


async def bound(session: AsyncSession, connection_id: str, kind: str, record_ids: Sequence[str]) -> dict[str, Bound]:
    """Where records of ours are over there: by our id."""
    rows = await session.execute(
        select(col(Binding.record_id), *_bound_columns()).where(
            col(Binding.connection_id) == connection_id,
            col(Binding.kind) == kind,
            col(Binding.record_id).in_(record_ids),
        )
    )
    return {record_id: Bound(*rest) for record_id, *rest in rows}


def _bound_columns() -> tuple[Any, ...]:
    """What `Bound` is made of, in its order."""
    return col(Binding.external_id), col(Binding.sent_hash), col(Binding.told), col(Binding.gone)


def body_hash(body: Mapping[str, Any]) -> str:
    """A hash of what was, or would be, sent."""
    packed = orjson.dumps(body, option=orjson.OPT_SORT_KEYS, default=plain)
    return hashlib.blake2b(packed, digest_size=16).hexdigest()


async def change_policy(session: AsyncSession, connection: Connection, policy: Policy) -> int:
    """Set the policy, and queue just the prices that the new % rule changes; returns how many.

    Where products are no longer selected but all sent, those that were not selected are queued too.
    """
    before = Policy.model_validate(connection.policy)
    connection.policy = policy.model_dump(mode="json", exclude_defaults=True)
    session.add(connection)
    if before.send_mode != policy.send_mode:
        await selection.queue_everything(session, connection, policy, connection.features.get("takes", ()))
    if before.price_adjustment == policy.price_adjustment:
        return 0
    there = select(col(Binding.record_id)).where(
        col(Binding.connection_id) == connection.id, col(Binding.kind) == "product"
    )
    # Not bound yet, but the price that the old rule gave may be on its way.
    under_way = select(col(OutboxEntry.record_id)).where(
        col(OutboxEntry.connection_id) == connection.id, col(OutboxEntry.state).in_(["claimed", "unknown"])
    )
    rows = await session.execute(
        select(col(Price.product_id), col(Price.list_price)).where(
            or_(col(Price.product_id).in_(there), col(Price.product_id).in_(under_way)),
            col(Price.list_price).is_not(None),
        )
    )
    moved = [
        (product_id, "price")
        for product_id, price in rows
        if money.adjust(price, before.price_adjustment) != money.adjust(price, policy.price_adjustment)
    ]
    target = outbox.Target(connection.id, frozenset({"price"}), selected_only=policy.send_mode == "selected")
    return await outbox.enqueue(session, connection.merchant_id, moved, [target])


async def policy_of(session: AsyncSession, connection_id: str) -> Policy:
    """The policy as it stands now: a run that took it along would send under a rule that was changed meanwhile."""
    stored = await session.execute(select(col(Connection.policy)).where(col(Connection.id) == connection_id))
    return Policy.model_validate(stored.scalar_one())


async def named(session: AsyncSession, kind: str, record_id: str) -> dict[str, str]:
    """What the merchant knows a record by, for a notice about it."""
    if kind == "order":
        sold = await session.get(Order, record_id)
        return {"number": sold.number} if sold else {}
    offered = await session.get(Product, record_id)
    return {"sku": offered.sku or "", "name": offered.name[:120]} if offered else {}


def _address(found: Address | None) -> OutgoingAddress:
    if found is None:
        return OutgoingAddress()
    known = {name: str(value) for name, value in found.details.items() if name in OutgoingAddress.__slots__}
    return OutgoingAddress(**{"uf": found.uf, **known})
