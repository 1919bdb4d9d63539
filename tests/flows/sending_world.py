"""A merchant who sells while everything goes wrong: the steps of `test_sending_state_machine`, what must hold after."""

from collections.abc import Awaitable, Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
from sqlalchemy import select
from sqlmodel import col

from hub import connections, money, outbox, payments, selection, selling
from hub.notices import standing_notices
from hub.policy import Policy
from hub.tables import Binding, Notice, Order, OrderItem, OutboxEntry, Price, Product, Selection
from tasks.paths import PathFailed
from tasks.work import Summary, all_of
from tests.flows.clockwork import Clock
from tests.flows.erp import ACCOUNT, MERCHANT, Erp

SKUS = ("CAN-1", "CAN-2")
PRICES = ("25.00", "30.05", "0.01", None)
RATES = ("10.00", "-50.00", "12.34")
DOCUMENTS = ("52998224725", "")
CREATES = ("POST /v1/produtos", "POST /v1/pessoas", "POST /v1/venda")
FAULTS = ("answer_lost", "error_500", "reset", "cut_json")
WAITS = ("pending", "claimed", "unknown")


class Killed(BaseException):
    """The process dies here: nothing that follows is done, and nothing catches it."""


@dataclass
class World:
    """One shop, its ERP, and the clock of both. Every step takes two small numbers, so that a failure shrinks well."""

    erp: Erp
    clock: Clock
    lag_s: float
    paid: set[str] = field(default_factory=set)
    """Orders (by our id) that were paid at some time."""
    sold: set[str] = field(default_factory=set)
    """SKUs in orders that were paid at some time."""
    wanted: set[str] = field(default_factory=set)
    """SKUs that were selected or over there before this step."""
    events: int = 0

    # What the merchant does. Each of these is one short transaction, so it can also happen in the middle of a run.

    async def offer(self, which: int, price: int) -> None:
        await self.erp.offer(SKUS[which % 2], PRICES[price % 4])

    async def select(self, which: int, _: int) -> None:
        with suppress(selection.UnknownSkuError):
            await self.erp.select(SKUS[which % 2])

    async def unselect(self, which: int, _: int) -> None:
        with suppress(selection.UnknownSkuError):
            async with self.erp.db.write() as session:
                connection = await connections.find(session, self.erp.id)
                await selection.unselect_products(session, connection, [SKUS[which % 2]])

    async def rate(self, which: int, _: int) -> None:
        async with self.erp.db.write() as session:
            connection = await connections.find(session, self.erp.id)
            changed = Policy.model_validate({**connection.policy, "price_adjustment": RATES[which % 3]})
            await selling.change_policy(session, connection, changed)

    async def order(self, which: int, what: int) -> None:
        """A new order, or another version of one that was handed in before."""
        skus = [SKUS[:1], SKUS[1:], SKUS][what % 3]
        lines = [(sku, str(1 + what // 6), "25.00") for sku in skus]
        await self.erp.order(f"{which % 2}", lines, pay=False, document=DOCUMENTS[what % 2])

    async def pay(self, which: int, part: int) -> None:
        with suppress(payments.UnknownOrderError):
            async with self.erp.db.write() as session:
                order = await payments.find(session, MERCHANT, f"{which % 2}")
                self.events += 1
                amount = order.total if part else Decimal("1.00")
                await payments.pay(session, MERCHANT, order.number, f"p{self.events}", amount or Decimal(1))

    async def cancel(self, which: int, _: int) -> None:
        with suppress(payments.UnknownOrderError):
            async with self.erp.db.write() as session:
                await payments.cancel(session, MERCHANT, f"{which % 2}")

    async def refund(self, which: int, _: int) -> None:
        with suppress(payments.UnknownOrderError):
            async with self.erp.db.write() as session:
                await payments.refund(session, MERCHANT, f"{which % 2}")

    async def retry(self, _: int, __: int) -> None:
        """“Corrigir e reenviar”."""
        async with self.erp.db.write() as session:
            await outbox.retry(session, await connections.find(session, self.erp.id))

    # What time and the vendor do.

    async def wait(self, long: int, _: int) -> None:
        self.clock.advance(seconds=[self.lag_s / 2, self.lag_s, 3600.0][long % 3])

    async def expire(self, _: int, __: int) -> None:
        self.erp.sandbox.fault("token_expired")

    async def lose(self, which: int, how: int) -> None:
        self.erp.sandbox.fault(FAULTS[how % 4], match={"operation": CREATES[which % 3]})

    # The runs.

    async def push(self, _: int, __: int) -> None:
        await _ended(self.erp.push())

    async def export(self, _: int, __: int) -> None:
        await _ended(self.erp.export())

    async def both(self, _: int, __: int) -> None:
        await all_of([self.push(0, 0), self.export(0, 0)])

    async def killed(self, which: int, where: int) -> None:
        """A run that dies before its nth call leaves, or after it was carried out and before its answer is read."""

        async def die() -> None:
            raise Killed

        with suppress(Killed), at_call(1 + where // 2, die, after=bool(where % 2)):
            await (self.push if which % 2 else self.export)(0, 0)

    async def during(self, which: int, where: int) -> None:
        """The merchant does something while the nth call of a run is under way."""
        actions: list[Callable[[int, int], Awaitable[None]]] = [
            self.order,
            self.cancel,
            self.offer,
            self.rate,
            self.unselect,
            self.pay,
        ]
        action = actions[which % 6]

        async def act() -> None:
            await action(where // 6, where)

        with at_call(1 + where % 6, act, after=True):
            await (self.push if action in (self.offer, self.rate, self.unselect) else self.export)(0, 0)

    async def settle(self) -> None:
        """The faults are over, what was mended is sent again, and the runs come as long as something waits."""
        self.erp.sandbox.ask("DELETE", "/faults")
        await self.retry(0, 0)
        for _ in range(12):
            self.clock.advance(seconds=2 * 3600)
            await self.erp.push()
            await self.erp.export()
            # A buyer whose order was cancelled is looked for again when the next order needs it.
            entries = (await self.erp.entries()).items()
            if not {state for (kind, _), state in entries if kind != "customer"} & set(WAITS):
                return
        raise AssertionError(f"these never end: {await self.erp.entries()}")

    # What must hold.

    async def check(self) -> None:
        """After every step."""
        seen = await self._seen()
        self.paid |= {order.id for order in seen.orders.values() if order.payment_state == "paid"}
        self.sold |= {line.sku for order in self.paid for line in seen.lines[order]}
        chosen = {sku for sku, product in seen.products.items() if product.id in seen.selected}
        there = set(self.erp.products())
        assert there <= self.sold | self.wanted | chosen, "what was not selected is over there"
        self.wanted = there | chosen
        documents = [person["documento"] for person in self.erp.people() if person.get("documento")]
        assert len(documents) == len(set(documents)), "a customer is there twice"
        marks = [mark_of(sale) for sale in self.erp.sales()]
        assert len(marks) == len(set(marks)), "an order is there twice"
        assert set(marks) <= self.paid, "an unpaid order is over there"
        told = {(notice.kind, notice.subject): notice for notice in seen.notices}
        for entry in seen.entries:
            kind = "product" if entry.kind in ("product", "price") else entry.kind
            if entry.state == "failed":
                assert (kind, entry.record_id) in told, f"{entry.kind} {entry.record_id} failed and nobody is told"
        open_records = {entry.record_id for entry in seen.entries if entry.state in (*WAITS, "failed")}
        for (_, subject), notice in told.items():
            if notice.code.endswith(".not_sent"):
                assert subject in open_records, f"the cause of {notice.code} is gone, the notice is not"

    async def check_settled(self) -> None:
        """When nothing waits any more."""
        await self.check()
        seen = await self._seen()
        there = self.erp.products()
        for sku, product in seen.products.items():
            price = seen.prices.get(product.id)
            if product.id in seen.selected and price:
                assert sku in there, f"{sku} was selected and is not there"
                assert Decimal(str(there[sku]["estoque"]["valor_venda"])) == money.adjust(price, seen.rate), sku
            if product.id in seen.selected and not price:
                assert (product.id in seen.bound) or ("product", product.id) in seen.told, f"{sku}: nobody is told"
        sales = {mark_of(sale): sale for sale in self.erp.sales()}
        for order in seen.orders.values():
            await self._check_order(seen, order, sales.get(order.id))
        guests = [person for person in self.erp.people() if not person.get("documento")]
        assert len(guests) <= len(seen.orders), "a guest is there twice"

    async def _check_order(self, seen: "Seen", order: Order, sale: dict[str, Any] | None) -> None:
        lines = seen.lines[order.id]
        sendable = all(line.product_id and self._can_be_sent(seen, line.product_id) for line in lines)
        code = seen.told.get(("order", order.id))
        if sale is None:
            assert not (order.payment_state == "paid" and order.state == "paid" and sendable), f"{order.number} is lost"
            if order.state == "paid" and order.payment_state == "paid":
                assert code == "order.not_sent"
            return
        if order.state == "cancelled":
            assert sale["situacao"] == "CANCELADO" or code == "order.tell_cancelled", f"{order.number} was cancelled"
        elif order.state == "refunded":
            assert code == "order.tell_refunded", f"{order.number} was refunded and nobody is told"
        else:
            sent = [(Decimal(str(item["quantidade"])), item["id"]) for item in sale["request"]["itens"]]
            ours = [(line.quantity, seen.bound.get(line.product_id or "")) for line in lines]
            if sent != ours:
                assert seen.told.get(("order_edit", order.id)) == "order.edited", f"the edit of {order.number} is lost"

    def _can_be_sent(self, seen: "Seen", product_id: str) -> bool:
        return product_id in seen.bound or bool(seen.prices.get(product_id))

    async def _seen(self) -> "Seen":
        async with self.erp.db.read() as session:

            async def rows(model: Any) -> list[Any]:
                return list((await session.execute(select(model))).scalars())

            connection = await connections.find(session, self.erp.id)
            bindings = (
                await session.execute(select(Binding).where(col(Binding.connection_id) == self.erp.id))
            ).scalars()
            lines: dict[str, list[OrderItem]] = {}
            for line in sorted(await rows(OrderItem), key=lambda line: line.position):
                lines.setdefault(line.order_id, []).append(line)
            notices = await standing_notices(session, MERCHANT)
            return Seen(
                rate=Policy.model_validate(connection.policy).price_adjustment,
                products={product.sku: product for product in await rows(Product)},
                prices={price.product_id: price.list_price for price in await rows(Price)},
                selected={chosen.product_id for chosen in await rows(Selection)},
                orders={order.id: order for order in await rows(Order)},
                lines=lines,
                bound={binding.record_id: binding.external_id for binding in bindings if binding.kind == "product"},
                entries=await rows(OutboxEntry),
                notices=notices,
                told={(notice.kind, notice.subject): notice.code for notice in notices},
            )


@dataclass(frozen=True)
class Seen:
    """What the hub knows."""

    rate: Decimal
    products: dict[str, Product]
    prices: dict[str, Decimal | None]
    selected: set[str]
    orders: dict[str, Order]
    lines: dict[str, list[OrderItem]]
    bound: dict[str, str]
    entries: list[OutboxEntry]
    notices: list[Notice]
    told: dict[tuple[str, str], str]


async def _ended(run: Awaitable[Summary]) -> None:
    """A run may stop at what the vendor did; what breaks it is a bug."""
    try:
        await run
    except PathFailed as failed:
        assert failed.summaries, failed


def mark_of(sale: dict[str, Any]) -> str:
    """Our id of the order that a sale is marked with."""
    first: str = sale["observacoes"].splitlines()[0]
    return first.rpartition(" ")[2]


@contextmanager
def at_call(nth: int, act: Callable[[], Awaitable[None]], *, after: bool) -> Any:
    """Do something at the nth HTTP call of the block: before the request leaves, or when its answer is there."""
    send, calls = httpx.AsyncClient.send, 0

    async def watched(client: httpx.AsyncClient, request: httpx.Request, **options: Any) -> httpx.Response:
        nonlocal calls
        calls += 1
        mine = calls == nth
        if mine and not after:
            await act()
        response = await send(client, request, **options)
        if mine and after:
            await act()
        return response

    httpx.AsyncClient.send = watched  # type: ignore[method-assign]
    try:
        yield
    finally:
        httpx.AsyncClient.send = send  # type: ignore[method-assign]


def empty(world_sandbox: Any, lag_s: float) -> None:
    """A sandbox as new, its search `lag_s` behind."""
    world_sandbox.ask("POST", "/reset")
    world_sandbox.ask("POST", "/settings", contaazul_search_lag_s=lag_s, contaazul_auto_invoice=False)
    world_sandbox.ask("POST", ACCOUNT, per_second=None, per_minute=None)
