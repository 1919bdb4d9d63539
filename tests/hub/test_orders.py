"""Orders and their payments: each taken once, paid only when all of it was paid, and told to those that must know."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update
from sqlmodel import col

from hub import buyers, crypto, orders, payments
from hub.buyers import Buyer
from hub.db import Database
from hub.orders import Line, OrderRefused, PlacedOrder, Put
from hub.payments import Happened, PaymentEvent, PaymentRefusedError, UnknownOrderError
from hub.policy import Policy
from hub.records import OutgoingAddress
from hub.store import Offer, put_products
from hub.tables import (
    Address,
    Binding,
    Connection,
    Customer,
    Merchant,
    Notice,
    Order,
    OrderItem,
    OutboxEntry,
    Payment,
)
from tests.hub.shop import NOON, connect, one, product, queued, rows, written

SHOP = "loja-sol"
DOCUMENT = "529.982.247-25"  # the made-up number of every textbook
CANARY = "canario-inventado"
D = Decimal


@pytest.fixture
async def buys(db: Database) -> Connection:
    """An ERP that takes orders, and only chosen products."""
    return await connect(db, "loja-sol-erp", takes=("product", "order"), policy=Policy(send_mode="selected"))


@pytest.fixture
async def shop(db: Database) -> None:
    """The merchant alone, without any connection."""
    async with db.write() as session:
        session.add(Merchant(id=SHOP, name="Loja Sol"))


def placed(number: str = "1001", **told: Any) -> PlacedOrder:
    """Two cups and a plate: 2 × 29.90 + 15.00 − 1.00 (line) − 3.80 (order) + 20.00 = 90.00."""
    return PlacedOrder(
        **{
            "number": number,
            "placed_at": NOON,
            "buyer": Buyer("Compra Inventada Ltda", DOCUMENT, f"{CANARY}@loja.example", "11900000000"),
            "lines": (
                Line("CAN-1", "Caneca", D(2), D("29.90")),
                Line("PRA-1", "Prato", D(1), D("15.00"), D("1.00")),
            ),
            "discount": D("3.80"),
            "freight": D("20.00"),
            "total": D("90.00"),
            "payment_method": "pix",
            "notes": f"Deixar com {CANARY}",
            "delivery": OutgoingAddress(street=f"Rua {CANARY}", number="1", uf="SP", postal_code="01310100"),
            **told,
        }
    )


async def put(db: Database, order: PlacedOrder, merchant: str = SHOP) -> Put:
    async with db.write() as session:
        return await orders.put_order(session, merchant, order)


async def tell(db: Database, number: str, *events: PaymentEvent) -> Order:
    for event in events:
        async with db.write() as session:
            order = await payments.record(session, SHOP, number, event)
    return order


def approved(amount: str = "90.00", reference: str = "p1", **more: Any) -> PaymentEvent:
    return PaymentEvent(reference, Happened.APPROVED, D(amount), **more)


async def codes(db: Database) -> list[str]:
    return sorted(n.code for n in await rows(db, Notice) if n.cleared_at is None)


async def bind(db: Database, connection: Connection, order: Order, sent_hash: str = "") -> None:
    """As the sender leaves it: bound, and the entry sent."""
    async with db.write() as session:
        session.add(
            Binding(
                merchant_id=order.merchant_id,
                connection_id=connection.id,
                kind="order",
                record_id=order.id,
                external_id="77",
                sent_hash=sent_hash or order.content_hash,
            )
        )
        await session.execute(update(OutboxEntry).where(col(OutboxEntry.record_id) == order.id).values(state="sent"))


class TestIntake:
    async def test_an_order_is_held_with_its_lines_its_buyer_and_its_address(self, db: Database, shop: None) -> None:
        async with db.write() as session:
            (kept,) = await put_products(session, SHOP, [Offer(product("1"))])
        assert (await put(db, placed())).outcome == "created"
        order = await one(db, Order)
        assert (order.source, order.state, order.payment_state) == ("", "created", "pending")
        assert (order.items_total, order.discount, order.freight, order.total) == (D("73.8"), D("3.8"), D(20), D(90))
        cup, plate = await rows(db, OrderItem)
        assert (cup.product_id, plate.product_id) == (kept.record_id, None)
        assert (await one(db, Customer)).document == "52998224725"
        address = await one(db, Address)
        assert (address.uf, address.details["postal_code"]) == ("SP", "01310100")

    async def test_personal_data_lies_nowhere_in_clear(self, db: Database, buys: Connection) -> None:
        await put(db, placed())
        await tell(db, "1001", approved())
        async with db.read() as session:
            for table in ("customer", "sales_order", "address", "order_item", "payment", "notice", "outbox"):
                raw = (await session.execute(text(f"select * from {table}"))).all()
                assert CANARY not in str(raw)
                assert "52998224725" not in str(raw)

    async def test_personal_data_is_in_no_repr(self) -> None:
        assert CANARY not in repr(placed())
        assert DOCUMENT not in repr(placed())

    async def test_handed_in_again_nothing_is_written(self, db: Database, shop: None) -> None:
        first = await put(db, placed())
        with written(db) as found:
            again = await put(db, placed())
        assert (again.outcome, again.order.id) == ("unchanged", first.order.id)
        assert found == set()

    async def test_the_same_amounts_written_otherwise_are_the_same_order(self, db: Database, shop: None) -> None:
        await put(db, placed())
        assert (await put(db, placed(total=D("90.0"), freight=D(20)))).outcome == "unchanged"
        unmasked = replace(placed().buyer, document="52998224725")
        assert (await put(db, placed(buyer=unmasked))).outcome == "unchanged"

    async def test_two_merchants_may_have_the_same_number_and_the_same_buyer(self, db: Database, shop: None) -> None:
        await connect(db, "loja-lua-erp", merchant="loja-lua")
        await put(db, placed())
        await put(db, placed(), merchant="loja-lua")
        assert len(await rows(db, Order)) == 2
        assert len({c.merchant_id for c in await rows(db, Customer)}) == 2

    async def test_one_buyer_is_one_customer_and_guests_are_one_each(self, db: Database, shop: None) -> None:
        guest = Buyer("Visitante Inventado")
        await put(db, placed("1"))
        await put(db, placed("2", buyer=Buyer("Compra Inventada S.A.", "52998224725")))
        await put(db, placed("3", buyer=guest))
        await put(db, placed("4", buyer=guest))
        first, second, third, fourth = (order.customer_id for order in await rows(db, Order))
        assert first == second
        assert len({second, third, fourth}) == 3
        known = await one(db, Customer, document_index=crypto.blind_index("52998224725", buyers.DOCUMENT))
        assert known.name == "Compra Inventada S.A."
        assert known.email == f"{CANARY}@loja.example", "what the second order does not tell stays"

    async def test_a_guest_who_turns_out_to_be_known_leaves_nothing_behind(self, db: Database, shop: None) -> None:
        await put(db, placed(buyer=Buyer("Visitante Inventado")))
        edited = await put(db, placed())
        assert edited.outcome == "edited"
        assert (await one(db, Customer)).id == (await one(db, Order)).customer_id

    async def test_an_edit_replaces_lines_and_address(self, db: Database, shop: None) -> None:
        await put(db, placed())
        await put(
            db, placed(lines=(Line("CAN-1", "Caneca", D(1), D("73.80")),), delivery=None, notes="", freight=D("20.00"))
        )
        assert [(line.position, line.quantity) for line in await rows(db, OrderItem)] == [(0, D(1))]
        assert await rows(db, Address) == []

    async def test_a_line_finds_its_product_when_that_comes_later(self, db: Database, shop: None) -> None:
        await put(db, placed())
        async with db.write() as session:
            (kept,) = await put_products(session, SHOP, [Offer(product("1"))])
        assert (await rows(db, OrderItem))[0].product_id == kept.record_id


class TestTotals:
    async def test_a_centavo_too_much_is_refused_with_both_totals(self, db: Database, shop: None) -> None:
        with pytest.raises(OrderRefused) as refused:
            await put(db, placed(total=D("90.01")))
        assert "stated as 90.01" in str(refused.value)
        assert "come to 90.00" in str(refused.value)
        assert await rows(db, Order) == []
        assert await rows(db, Customer) == []

    async def test_the_notice_names_both_and_goes_when_the_order_comes_right(self, db: Database, shop: None) -> None:
        with pytest.raises(OrderRefused) as refused:
            await put(db, placed(total=D("90.01")))
        async with db.write() as session:
            await orders.note_refusal(session, SHOP, refused.value)
        notice = await one(db, Notice)
        assert (notice.params["stated"], notice.params["computed"]) == ("R$\u00a090,01", "R$\u00a090,00")
        await put(db, placed())
        assert await codes(db) == []

    async def test_a_refused_edit_changes_nothing_and_the_old_order_again_clears_its_notice(
        self, db: Database, shop: None
    ) -> None:
        await put(db, placed())
        with pytest.raises(OrderRefused) as refused:
            await put(db, placed(total=D("1.00")))
        async with db.write() as session:
            await orders.note_refusal(session, SHOP, refused.value)
        assert (await one(db, Order)).total == D(90)
        assert (await put(db, placed())).outcome == "unchanged"
        assert await codes(db) == []

    @pytest.mark.parametrize(
        ("told", "field"),
        [
            ({"lines": ()}, "items"),
            ({"discount": D("-1")}, "discount"),
            ({"freight": D("1.001")}, "freight"),
            ({"total": D("NaN")}, "total"),
            ({"instalments": 0}, "instalments"),
            ({"number": "9" * 61}, "number"),
            ({"buyer": Buyer("")}, "customer"),
            ({"buyer": Buyer("Compra Inventada", "529.982.247-26")}, "document"),
            ({"lines": (Line("A", "a", D(0), D(1)),)}, "quantity"),
            ({"lines": (Line("", "a", D(1), D(1)),)}, "sku"),
            ({"lines": (Line("A", "a", D(1), D("Infinity")),)}, "unit_price"),
        ],
    )
    def test_what_cannot_be_is_refused_by_its_name(self, told: dict[str, Any], field: str) -> None:
        with pytest.raises(OrderRefused) as refused:
            orders.checked(placed(**told))
        assert field in {problem.field for problem in refused.value.problems}
        assert "529.982" not in str(refused.value)

    @given(
        st.lists(
            st.tuples(
                st.decimals("0.001", "9999", places=3), st.decimals(0, 9999, places=4), st.decimals(0, 9, places=2)
            ),
            min_size=1,
            max_size=8,
        ),
        st.decimals(0, 99, places=2),
        st.decimals(0, 99, places=2),
        st.sampled_from([D("0.01"), D("-0.01"), D("10")]),
    )
    def test_the_true_total_is_taken_and_no_other(
        self, lines: list[tuple[Decimal, Decimal, Decimal]], discount: Decimal, freight: Decimal, off: Decimal
    ) -> None:
        made = tuple(Line(f"S{n}", "x", *line) for n, line in enumerate(lines))
        draft = placed(lines=made, discount=discount, freight=freight, total=D(0))
        true = orders.totals(draft).computed
        centavos = sum(int((q * u * 100).quantize(D(1), "ROUND_HALF_UP")) for q, u, _ in lines)
        assert true == D(centavos) / 100 - sum(d for *_, d in lines) - discount + freight
        if true >= 0:
            assert orders.checked(replace(draft, total=true)).agree
        if true + off >= 0:
            with pytest.raises(OrderRefused):
                orders.checked(replace(draft, total=true + off))


class TestPayments:
    async def test_partly_paid_is_not_paid(self, db: Database, buys: Connection) -> None:
        await put(db, placed())
        order = await tell(db, "1001", approved("89.99"))
        assert (order.state, order.payment_state, order.paid_at) == ("created", "partly_paid", None)
        assert await queued(db, buys) == {}
        order = await tell(db, "1001", approved("0.01", "p2", at=NOON))
        assert (order.state, order.payment_state) == ("paid", "paid")
        assert order.paid_at is not None
        assert await queued(db, buys) == {("order", order.id): 1}

    async def test_only_who_takes_orders_is_told_and_never_the_source(self, db: Database, buys: Connection) -> None:
        other = await connect(db, "loja-sol-outra", side="store", takes=("product",))
        source = await connect(db, "loja-sol-shop", side="store", takes=("order",))
        async with db.write() as session:
            await orders.put_order(session, SHOP, placed(source=source.id))
            await payments.pay(session, SHOP, "1001", "p1", D(90), source.id)
        assert await queued(db, other) == {}
        assert await queued(db, source) == {}
        assert len(await queued(db, buys)) == 1

    async def test_a_doubled_event_changes_nothing(self, db: Database, buys: Connection) -> None:
        await put(db, placed())
        events = (PaymentEvent("p1", Happened.CREATED, D(90)), approved(at=NOON))
        before = await tell(db, "1001", *events)
        with written(db) as found:
            await tell(db, "1001", *events)
        assert found == set()
        assert await queued(db, buys) == {("order", before.id): 1}

    @pytest.mark.parametrize(
        "order",
        list(itertools.permutations([Happened.CREATED, Happened.APPROVED, Happened.REFUNDED]))
        + list(itertools.permutations([Happened.CREATED, Happened.APPROVED, Happened.CANCELLED])),
    )
    async def test_the_events_of_a_payment_may_come_in_any_order(
        self, db: Database, buys: Connection, order: Sequence[Happened]
    ) -> None:
        await put(db, placed())
        events = [PaymentEvent("p1", event, D(90) if event is Happened.APPROVED else None) for event in order]
        found = await tell(db, "1001", *events)
        ended = "refunded" if Happened.REFUNDED in order else "cancelled"
        assert (found.state, found.payment_state) == (ended, ended)
        assert (await one(db, Payment)).state == ended

    async def test_an_approval_after_its_payment_was_cancelled_sends_nothing(
        self, db: Database, buys: Connection
    ) -> None:
        await put(db, placed())
        await tell(db, "1001", PaymentEvent("p1", Happened.CANCELLED), approved())
        assert await queued(db, buys) == {}

    async def test_a_payment_that_lapsed_leaves_room_for_another(self, db: Database, buys: Connection) -> None:
        await put(db, placed())
        order = await tell(
            db, "1001", PaymentEvent("boleto", Happened.CREATED, D(90)), PaymentEvent("boleto", Happened.CANCELLED)
        )
        assert (order.state, order.payment_state) == ("created", "cancelled")
        assert (await tell(db, "1001", approved())).state == "paid"
        assert len(await queued(db, buys)) == 1

    async def test_an_approval_needs_an_amount_and_cannot_have_two(self, db: Database, shop: None) -> None:
        await put(db, placed())
        with pytest.raises(PaymentRefusedError, match="tells no amount"):
            await tell(db, "1001", PaymentEvent("p1", Happened.APPROVED))
        await tell(db, "1001", PaymentEvent("p2", Happened.CREATED, D(90)), PaymentEvent("p2", Happened.APPROVED))
        assert (await one(db, Order)).payment_state == "paid"
        with pytest.raises(PaymentRefusedError, match=r"approved with 90 and now comes with 91"):
            await tell(db, "1001", approved("91.00", "p2"))

    @pytest.mark.parametrize("reference", ["", "x" * 90, "p1#refund"])
    async def test_a_reference_that_cannot_be_is_refused(self, db: Database, shop: None, reference: str) -> None:
        await put(db, placed())
        with pytest.raises(PaymentRefusedError, match="reference"):
            await tell(db, "1001", approved(reference=reference))

    async def test_an_event_of_an_unknown_order_is_told_so(self, db: Database, shop: None) -> None:
        with pytest.raises(UnknownOrderError, match="before its payments"):
            await tell(db, "9", approved())
        assert await rows(db, Payment) == []

    async def test_a_free_order_is_paid_by_an_approval_of_nothing(self, db: Database, buys: Connection) -> None:
        await put(db, placed(discount=D("93.80"), total=D(0)))
        assert (await one(db, Order)).payment_state == "pending"
        assert (await tell(db, "1001", approved("0.00"))).state == "paid"

    async def test_the_method_is_taken_from_the_payment_where_the_order_tells_none(
        self, db: Database, shop: None
    ) -> None:
        await put(db, placed(payment_method=""))
        order = await tell(db, "1001", approved(method="cartao_credito", instalments=3))
        assert (order.payment_method, order.instalments) == ("cartao_credito", 3)
        assert (await put(db, placed(payment_method=""))).outcome == "unchanged"


class TestEnd:
    async def test_cancelled_before_it_was_paid_it_is_never_queued(self, db: Database, buys: Connection) -> None:
        await put(db, placed())
        async with db.write() as session:
            await payments.cancel(session, SHOP, "1001")
        order = await tell(db, "1001", approved())
        assert (order.state, order.payment_state) == ("cancelled", "paid")
        assert await queued(db, buys) == {}
        assert await codes(db) == ["order.paid_after_end"]
        await tell(db, "1001", PaymentEvent("p1", Happened.REFUNDED))
        assert await codes(db) == []

    @pytest.mark.parametrize("end", ["cancel", "refund"])
    async def test_a_bound_order_that_ends_is_queued_again_once(self, db: Database, buys: Connection, end: str) -> None:
        await put(db, placed())
        order = await tell(db, "1001", approved())
        await bind(db, buys, order)
        for _ in range(2):
            async with db.write() as session:
                await getattr(payments, end)(session, SHOP, "1001")
        entry = await one(db, OutboxEntry)
        assert (entry.state, entry.version) == ("pending", 2)
        assert (await one(db, Order)).state == ("cancelled" if end == "cancel" else "refunded")
        assert await codes(db) == []

    async def test_one_that_is_just_being_sent_is_looked_at_again(self, db: Database, buys: Connection) -> None:
        await put(db, placed())
        await tell(db, "1001", approved())
        async with db.write() as session:
            await session.execute(update(OutboxEntry).values(state="claimed", claimed_by="somebody"))
        async with db.write() as session:
            await payments.cancel(session, SHOP, "1001")
        entry = await one(db, OutboxEntry)
        assert (entry.state, entry.version) == ("claimed", 2), "its end will see the new version"

    async def test_given_back_in_part_it_stays_paid_and_the_merchant_is_told(
        self, db: Database, buys: Connection
    ) -> None:
        await put(db, placed())
        await tell(db, "1001", approved())
        order = await tell(db, "1001", PaymentEvent("p1", Happened.REFUNDED, D("30.00")))
        assert (order.state, order.payment_state) == ("paid", "paid")
        assert await codes(db) == ["order.partly_refunded"]
        assert (await one(db, Notice)).params["returned"] == "R$\u00a030,00"
        await tell(db, "1001", PaymentEvent("p1", Happened.REFUNDED, D("10.00")))
        assert (await one(db, Notice)).params["returned"] == "R$\u00a030,00", "an older event takes nothing back"
        order = await tell(db, "1001", PaymentEvent("p1", Happened.REFUNDED, D("90.00")))
        assert (order.state, order.payment_state) == ("refunded", "refunded")
        assert await codes(db) == []

    async def test_a_part_given_back_may_be_told_before_the_approval(self, db: Database, buys: Connection) -> None:
        await put(db, placed())
        order = await tell(db, "1001", PaymentEvent("p1", Happened.REFUNDED, D("30.00")), approved())
        assert (order.state, order.payment_state) == ("paid", "paid")
        assert len(await queued(db, buys)) == 1


class TestEdit:
    async def test_edited_after_export_it_raises_a_notice_that_goes_when_it_is_as_sent(
        self, db: Database, buys: Connection
    ) -> None:
        await put(db, placed())
        order = await tell(db, "1001", approved())
        await bind(db, buys, order)
        await put(db, placed(notes="Outra observação"))
        assert await codes(db) == ["order.edited"]
        assert (await one(db, Notice)).params == {"number": "1001"}
        assert (await one(db, OutboxEntry)).state == "sent"
        await put(db, placed())
        assert await codes(db) == []

    async def test_edited_before_export_it_is_sent_as_it_is_now_without_a_notice(
        self, db: Database, buys: Connection
    ) -> None:
        await put(db, placed())
        await tell(db, "1001", approved())
        async with db.write() as session:
            await session.execute(update(OutboxEntry).values(state="failed"))
        await put(db, placed(notes="Outra observação"))
        entry = await one(db, OutboxEntry)
        assert (entry.state, entry.version) == ("pending", 2)
        assert await codes(db) == []

    async def test_made_dearer_it_is_not_paid_any_more(self, db: Database, buys: Connection) -> None:
        await put(db, placed())
        await tell(db, "1001", approved())
        await put(db, placed(freight=D("30.00"), total=D("100.00")))
        order = await one(db, Order)
        assert (order.state, order.payment_state, order.paid_at) == ("created", "partly_paid", None)
        assert (await tell(db, "1001", approved("10.00", "p2"))).state == "paid"

    async def test_made_cheaper_it_may_become_paid(self, db: Database, buys: Connection) -> None:
        await put(db, placed())
        await tell(db, "1001", approved("80.00"))
        await put(db, placed(freight=D("10.00"), total=D("80.00")))
        assert (await one(db, Order)).state == "paid"
        assert len(await queued(db, buys)) == 1

    async def test_an_edit_of_an_order_that_was_cancelled_raises_nothing(self, db: Database, buys: Connection) -> None:
        await put(db, placed())
        await bind(db, buys, await tell(db, "1001", approved()))
        await put(db, placed(notes="Outra"))
        async with db.write() as session:
            await payments.cancel(session, SHOP, "1001")
        assert await codes(db) == []
        await put(db, placed(notes="Mais outra", placed_at=NOON + timedelta(hours=1)))
        assert await codes(db) == []


async def test_an_order_of_another_connection_with_the_same_number_is_another_one(db: Database, shop: None) -> None:
    source = await connect(db, "loja-sol-shop", side="store")
    await put(db, placed())
    await put(db, placed(source=source.id))
    assert len({order.id for order in await rows(db, Order)}) == 2
