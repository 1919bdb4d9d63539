"""One merchant, three ERPs, and webhooks that get lost, doubled and mixed up: the steps of `test_live_state_machine`.

Conta Azul is sent products and orders as in `sending_world`. TagPlus keeps the same products in step both ways and
issues the invoices; Tiny gets every order and tells how it is shipped. Nothing that the ERPs post arrives before a step
says so.
"""

from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlmodel import col

from hub import connections, outbox, payments, progress, stages
from hub.clock import utcnow
from hub.stages import Stage
from hub.tables import Binding, InboxEvent, Invoice, Order, OrderItem, OutboxEntry
from tasks.paths import PathFailed
from tasks.work import Summary
from tests.flows.erp import MERCHANT
from tests.flows.live import Live
from tests.flows.sending_world import SKUS, WAITS, Killed, World, at_call
from tests.flows.trade import WRITES

SITUATIONS = {
    "aberto": "open",
    "aprovado": "approved",
    "preparando_envio": "preparing",
    "faturado": "invoiced",
    "pronto_envio": "ready",
    "enviado": "shipped",
    "nao_entregue": "not_delivered",
    "entregue": "delivered",
    "cancelado": "cancelled",
}
TOLD = (Stage.PREPARING, Stage.READY, Stage.SHIPPED, Stage.DELIVERED)
LOST = ("POST /pedidos", "pedido.incluir", "PATCH /pedidos/{id}", "pedido.alterar.situacao", "PATCH /produtos/{id}")
FAULTS = ("answer_lost", "error_500", "reset", "cut_json")
ENDED = ("cancelled", "denied")


@dataclass
class LiveWorld(World):
    """`erp` is Conta Azul; every step takes two small numbers, so that a failure shrinks well."""

    tagplus: Live = field(kw_only=True)
    tiny: Live = field(kw_only=True)
    stage: dict[str, str] = field(default_factory=dict)
    """Our order id → the furthest stage that the store has shown."""
    ended: set[str] = field(default_factory=set)
    """Keys of notes that the store has shown as cancelled or denied."""

    @property
    def both_live(self) -> tuple[Live, Live]:
        return self.tagplus, self.tiny

    # What happens in the ERPs.

    async def moves(self, which: int, what: int) -> None:
        """The merchant moves an order on, or cancels it, in TagPlus or in Tiny."""
        erp = self.both_live[which % 2]
        for order in erp.there():
            if await self._ours(erp, f"{which // 2 % 2}") != str(order["id"]):
                continue
            if erp is self.tagplus:
                if order["status"] != "C" and not self._notes(str(order["id"])):
                    erp.edit(str(order["id"]), status="C" if what % 6 == 0 else "B")
            else:
                now, wanted = str(order["situacao"]), list(SITUATIONS)[1 + what % 8]
                if now != "cancelado" and stages.is_further(SITUATIONS[wanted], SITUATIONS[now]):
                    erp.edit(str(order["id"]), situacao=wanted)

    async def counts(self, which: int, what: int) -> None:
        """A balance moves in TagPlus."""
        for product in self._products(SKUS[which % 2]):
            path = f"{self.tagplus.account}/products/{product['id']}/stock"
            self.tagplus.sandbox.ask("POST", path, balance=what + 1)

    async def reprices(self, which: int, what: int) -> None:
        """A price is changed in TagPlus."""
        for product in self._products(SKUS[which % 2]):
            path = f"{self.tagplus.account}/products/{product['id']}"
            self.tagplus.sandbox.ask("PATCH", path, valor_venda_varejo=20.25 + what)

    async def notes(self, which: int, what: int) -> None:
        """TagPlus issues the note of an order, or cancels it."""
        order_id = await self._ours(self.tagplus, f"{which % 2}")
        there = {str(order["id"]): order for order in self.tagplus.there()}
        if order_id not in there:
            return
        issued = self._notes(order_id)
        if issued and what % 3 == 0:
            self.tagplus.cancel_note(str(issued[-1]["id"]))
        elif not issued and there[order_id]["status"] != "C":
            self.tagplus.invoice(order_id)

    # What becomes of their webhooks.

    async def deliver(self, seed: int, copies: int) -> None:
        """All that they posted arrives, mixed up, some of it more than once."""
        self.tagplus.sandbox.ask("POST", "/deliveries/flush", shuffle_seed=seed, copies=1 + copies % 3)

    async def drop(self, _: int, __: int) -> None:
        """All that they posted is lost."""
        self.tagplus.sandbox.ask("DELETE", "/deliveries")

    async def drain(self, which: int, _: int) -> None:
        await _ended(self.both_live[which % 2].drain())

    async def drain_killed(self, which: int, where: int) -> None:
        """A drain that dies before its nth call, or after it."""

        async def die() -> None:
            raise Killed

        with suppress(Killed), at_call(1 + where // 2, die, after=bool(where % 2)):
            await self.drain(which, 0)

    # What we do and what the store tells.

    async def sends(self, which: int, _: int) -> None:
        """Orders, and TagPlus's products, go out."""
        erp = self.both_live[which % 2]
        if erp is self.tagplus:
            await _ended(erp.push())
        await _ended(erp.export())

    async def schedules(self, which: int, _: int) -> None:
        """What finds what no event told."""
        erp = self.both_live[which % 2]
        await _ended(erp.track())
        if erp is self.tagplus:
            for path in (erp.pull_catalog, erp.pull_stock, erp.pull_invoices):
                await _ended(path())

    async def tells(self, which: int, what: int) -> None:
        """The store tells how it ships an order."""
        with suppress(payments.UnknownOrderError):
            async with self.erp.db.write() as session:
                order = await payments.find(session, MERCHANT, f"{which % 2}")
                if order.state == "paid":
                    stage = TOLD[what % len(TOLD)]
                    await progress.advance(session, MERCHANT, order, stage, source_connection=None, as_of=utcnow())

    async def lose_theirs(self, which: int, how: int) -> None:
        self.erp.sandbox.fault(FAULTS[how % 4], match={"operation": LOST[which % len(LOST)]})

    async def settle(self) -> None:
        """The faults are over, what was posted has come or is lost for good, and the runs come as long as need be."""
        self.erp.sandbox.ask("DELETE", "/faults")
        for _ in range(14):
            await self._retry_all()
            await self._round()
            if not await self._waits():
                return
        raise AssertionError(f"these never end: {await self._entries()}")

    async def check_quiet(self) -> None:
        """Another round tells nobody anything."""
        self.erp.sandbox.ask("DELETE", "/calls")
        await self._round()
        calls = [call["operation"] for call in self.erp.sandbox.calls()]
        writes = [
            call for call in calls if call.startswith(("POST /", "PUT /", "PATCH /")) or call in WRITES["tiny_v2"]
        ]
        assert writes == [], "a settled world is written to"

    async def _round(self) -> None:
        self.clock.advance(seconds=2 * 3600)
        await self.push(0, 0)
        await self.export(0, 0)
        for which in (0, 1):
            await self.sends(which, 0)
            self.tagplus.sandbox.ask("POST", "/deliveries/flush")
            await self.drain(which, 0)
            await self.schedules(which, 0)

    async def _retry_all(self) -> None:
        async with self.erp.db.write() as session:
            for one in (self.erp, *self.both_live):
                await outbox.retry(session, await connections.find(session, one.id))

    async def _waits(self) -> bool:
        return any(state in WAITS for kind, state in await self._entries() if kind != "customer")

    async def _entries(self) -> list[tuple[str, str]]:
        async with self.erp.db.read() as session:
            rows = await session.execute(select(col(OutboxEntry.kind), col(OutboxEntry.state)))
            return [(kind, state) for kind, state in rows]

    # What must hold.

    async def check(self) -> None:
        """After every step."""
        await super().check()
        tiny = [mark_of(str(order.get("obs_internas") or "")) for order in self.tiny.there()]
        tagplus = [mark_of(str(order.get("observacoes") or "")) for order in self.tagplus.there()]
        for marks in (tiny, tagplus):
            assert len(marks) == len(set(marks)), "an order is there twice"
        assert set(tagplus) <= self.paid, "TagPlus has an unpaid order"
        skus = [product["codigo"] for product in self.tagplus.sandbox.ask("GET", f"{self.tagplus.account}/products")]
        assert len(skus) == len(set(skus)), "a product is in TagPlus twice"
        async with self.erp.db.read() as session:
            orders = list((await session.execute(select(Order))).scalars())
            notes = list((await session.execute(select(Invoice))).scalars())
        for order in orders:
            assert not stages.is_further(self.stage.get(order.id, ""), order.stage), f"{order.number} went back"
            self.stage[order.id] = order.stage
        for note in notes:
            assert note.access_key not in self.ended or note.state in ENDED, "a note came back from cancelled"
        self.ended |= {note.access_key for note in notes if note.state in ENDED}

    async def check_settled(self) -> None:
        """When nothing waits any more."""
        await super().check_settled()
        async with self.erp.db.read() as session:
            orders = list((await session.execute(select(Order))).scalars())
            notes = {note.access_key: note.state for note in (await session.execute(select(Invoice))).scalars()}
            events = set((await session.execute(select(col(InboxEvent.state)))).scalars())
            held = await session.execute(
                select(col(OrderItem.sku), func.sum(OrderItem.quantity))
                .join(Order, col(Order.id) == col(OrderItem.order_id))
                .where(col(Order.state) == "created")
                .group_by(col(OrderItem.sku))
            )
            unpaid = dict(held.tuples().all())
        assert events <= {"done", "ignored"}, f"events are left: {events}"
        shown = await self.tagplus.shown()
        situations = {mark_of(str(o.get("obs_internas") or "")): SITUATIONS[o["situacao"]] for o in self.tiny.there()}
        for order in orders:
            theirs = situations.get(order.id)
            if theirs is None:
                assert order.state != "paid", f"{order.number} is not in Tiny"
                continue
            if order.state == "refunded":  # no ERP is told of a refund: the merchant is
                continue
            ours = stages.of_order(order.state, order.stage)
            if ours is Stage.CANCELLED:  # what has left the shop is not cancelled by us
                assert theirs == "cancelled" or stages.is_further(theirs, "ready") or theirs == "invoiced"
            else:
                assert theirs == ours, f"{order.number} is {ours} here and {theirs} in Tiny"
        for product in self.tagplus.sandbox.ask("GET", f"{self.tagplus.account}/products"):
            price, stock = shown.get(product["codigo"], ("", ""))
            if price:
                assert f"{product['valor_venda_varejo']:.2f}" == price, product["codigo"]
                least, most = (
                    max(product["qtd_revenda"] - unpaid.get(product["codigo"], 0), 0),
                    max(product["qtd_revenda"], 0),
                )
                assert least <= int(stock) <= most, f"{product['codigo']}: {stock} here, {most} in TagPlus"
        bound = {order_id for number in ("0", "1") if (order_id := await self._ours(self.tagplus, number))}
        for note in self.tagplus.sandbox.ask("GET", f"{self.tagplus.account}/invoices"):
            state = {"A": "authorised", "S": "cancelled"}.get(note["status"])
            of_ours = str((note.get("pedido_os_vinculada") or {}).get("id")) in bound
            if state and (of_ours or note["chave_acesso"] in notes):
                assert notes.get(note["chave_acesso"]) == state, note["chave_acesso"]

    def _products(self, sku: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.tagplus.sandbox.ask("GET", f"{self.tagplus.account}/products")
        return [product for product in found if product["codigo"] == sku]

    def _notes(self, order_id: str) -> list[dict[str, Any]]:
        """Approved notes of an order in TagPlus."""
        found: list[dict[str, Any]] = self.tagplus.sandbox.ask("GET", f"{self.tagplus.account}/invoices")
        return [
            note
            for note in found
            if note["status"] == "A" and str((note.get("pedido_os_vinculada") or {}).get("id")) == order_id
        ]

    async def _ours(self, erp: Live, number: str) -> str:
        """Their id of an order of ours, '' where it is not bound."""
        async with self.erp.db.read() as session:
            found = await session.execute(
                select(col(Binding.external_id))
                .join(Order, col(Order.id) == col(Binding.record_id))
                .where(col(Binding.connection_id) == erp.id, col(Binding.kind) == "order", col(Order.number) == number)
            )
            return str(found.scalar_one_or_none() or "")


def mark_of(notes: str) -> str:
    """Our id of the order that an order of theirs is marked with."""
    return notes.splitlines()[0].rpartition(" ")[2] if notes else ""


async def _ended(run: Awaitable[Summary]) -> None:
    """A run may stop at what the vendor did; what breaks it is a bug."""
    try:
        await run
    except PathFailed as failed:
        assert failed.summaries, failed
