"""What a note means for its order: stored, refused or lost, and what the merchant is told."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub import crypto, invoice_rows, invoice_watch, invoices, nfe, texts
from hub.clock import utcnow
from hub.db import Database
from hub.invoice_rows import InvoiceState, next_state
from hub.invoice_watch import FINAL, Held, Waiting
from hub.invoices import ENDED, KIND, LOST, Find, Recheck
from hub.notices import standing_notices
from hub.policy import Policy
from hub.records import InvoiceRow, Problem
from hub.tables import Binding, Connection, Customer, Invoice, Order
from tests.hub.notes import BUYER, COMPANY, event, key, note, zipped
from tests.hub.shop import connect, one, rows, written

PLACED = datetime(2026, 11, 19, 15, tzinfo=UTC)
LISTED = InvoiceRow(key(), "1", "EMITIDA")
HOLE = re.compile(r"[{}]|\bNone\b")


async def sell(
    db: Database,
    connection: Connection,
    number: str = "1001",
    *,
    state: str = "paid",
    total: str = "150",
    buyer: str = BUYER,
    bound_for: timedelta = timedelta(hours=1),
) -> Waiting:
    """An order of the store that is over there."""
    async with db.write() as session:
        customer = Customer(merchant_id=connection.merchant_id, document=buyer, name="Cliente Inventado")
        session.add(customer)
        await session.flush()
        zero = Decimal(0)
        order = Order(
            merchant_id=connection.merchant_id, number=number, customer_id=customer.id, state=state,
            items_total=Decimal(total), discount=zero, freight=zero, total=Decimal(total), placed_at=PLACED,
        )  # fmt: skip
        session.add(order)
        await session.flush()
        bound = Binding(
            merchant_id=connection.merchant_id, connection_id=connection.id, kind="order", record_id=order.id,
            external_id=f"venda-{number}", created_at=utcnow() - bound_for,
        )  # fmt: skip
        session.add(bound)
    return Waiting(order.id, number, bound.external_id, PLACED, bound.created_at)


async def found(db: Database, connection: Connection, order: Waiting, document: bytes, **told: Any) -> invoices.Plan:
    """A note was found for the order."""
    paper = nfe.read(document)
    notes = [each for each in (paper if isinstance(paper, list) else [paper]) if isinstance(each, nfe.Nfe)]
    return await take(db, connection, [Find(order, each, **told) for each in notes])


async def take(
    db: Database,
    connection: Connection,
    finds: Sequence[Find] = (),
    rechecks: Sequence[Recheck] = (),
    asked: Sequence[Waiting] = (),
) -> invoices.Plan:
    async with db.write() as session:
        return await invoices.apply(session, connection, finds, rechecks, asked)


async def held(db: Database, connection: Connection) -> Held:
    async with db.read() as session:
        (only,) = await invoice_watch.held(session, connection, datetime(2000, 1, 1, tzinfo=UTC))
    return only


async def waiting(db: Database, connection: Connection, now: datetime | None = None) -> list[Waiting]:
    chunks = invoice_watch.waiting(db, connection, now or utcnow(), timedelta(days=60))
    return [each async for some in chunks for each in some]


async def codes(db: Database) -> list[str]:
    async with db.read() as session:
        return sorted(notice.code for notice in await standing_notices(session))


async def know(db: Database, connection: Connection, company: str) -> Connection:
    """`check` has found out whose account it is."""
    async with db.write() as session:
        stored = await session.get(Connection, connection.id)
        assert stored
        stored.account = crypto.blind_index(company, "account.document")
    return stored


async def test_an_orders_note_is_stored_with_everything_that_a_store_shows(db: Database, erp: Connection) -> None:
    order = await sell(db, erp)
    planned = await found(db, erp, order, note(7), row=LISTED)
    stored = await one(db, Invoice)
    assert (stored.order_id, stored.connection_id, stored.state) == (order.order_id, erp.id, "authorised")
    assert (stored.access_key, stored.number, stored.series, stored.model) == (key(7), "7", "1", "55")
    assert (stored.protocol, stored.total, stored.issuer) == ("135260000000001", Decimal(150), COMPANY)
    assert stored.issued_at == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert stored.extra["listed_as"] == "EMITIDA"
    assert [line.op for line in planned.lines] == ["create"]
    assert await codes(db) == []
    assert await waiting(db, erp) == []


@pytest.mark.parametrize("encoding", ["UTF-8", "ISO-8859-1"])
async def test_the_document_comes_back_byte_for_byte_and_lies_encrypted(
    db: Database, erp: Connection, encoding: str
) -> None:
    document = note(dest="<dest><xNome>João</xNome></dest>").decode().replace("UTF-8", encoding).encode(encoding)
    await found(db, erp, await sell(db, erp), document)
    assert invoice_rows.document(await one(db, Invoice)) == document
    async with db.read() as session:
        raw = (await (await session.connection()).exec_driver_sql("select xml from invoice")).scalar_one()
    assert "infNFe" not in raw
    assert len(raw) > 500


async def test_found_twice_nothing_is_written_twice(db: Database, erp: Connection) -> None:
    order = await sell(db, erp)
    await found(db, erp, order, note())
    with written(db) as tables:
        planned = await found(db, erp, order, note())
    assert planned.creates == []
    assert not {table for table in tables if "invoice" in table or "notice" in table}


async def test_a_note_of_the_test_environment_never_reaches_the_store(db: Database, erp: Connection) -> None:
    order = await sell(db, erp)
    await found(db, erp, order, note(test=True))
    assert await rows(db, Invoice) == []
    assert await codes(db) == ["invoice.test"]
    assert [each.order_id for each in await waiting(db, erp)] == [order.order_id]
    await found(db, erp, order, note(2))
    assert await codes(db) == [], "the cause is gone"


async def test_the_issuer_must_be_the_accounts_own_company_where_that_is_known(db: Database, erp: Connection) -> None:
    order = await sell(db, erp)
    other = await know(db, erp, "00000000000191")
    await found(db, other, order, note())
    assert await rows(db, Invoice) == []
    (notice,) = await rows(db, invoices.Notice)
    assert notice.params["problems"] == [{"field": "issuer", "reason": "differs", "received": "**.***.***/****-95"}]
    await found(db, await know(db, erp, COMPANY), order, note())
    assert (await one(db, Invoice)).issuer == COMPANY
    assert await codes(db) == []


@pytest.mark.parametrize("told", [{"purpose": "4"}, {"direction": "0"}, {"protocol": None}, {"cstat": "539"}])
async def test_returns_and_notes_without_an_authorisation_are_no_invoice(
    db: Database, erp: Connection, told: dict[str, Any]
) -> None:
    await found(db, erp, await sell(db, erp), note(**told))
    assert await rows(db, Invoice) == []
    assert await codes(db) == []


async def test_a_note_belongs_to_one_order(db: Database, erp: Connection) -> None:
    first, second = await sell(db, erp, "1001"), await sell(db, erp, "1002")
    await found(db, erp, first, note())
    await found(db, erp, second, note())
    assert (await one(db, Invoice)).order_id == first.order_id
    assert await codes(db) == ["invoice.refused"]


async def test_of_one_batch_too(db: Database, erp: Connection) -> None:
    first, second = await sell(db, erp, "1001"), await sell(db, erp, "1002")
    paper = nfe.read_note(note(), key())
    await take(db, erp, [Find(first, paper), Find(second, paper)])
    assert (await one(db, Invoice)).order_id == first.order_id


async def test_merchants_do_not_meet(db: Database, erp: Connection) -> None:
    other = await connect(db, "loja-lua-tiny", merchant="loja-lua")
    await found(db, erp, await sell(db, erp), note())
    await found(db, other, await sell(db, other), note())
    assert len(await rows(db, Invoice)) == 2
    assert await codes(db) == []


@pytest.mark.parametrize(
    ("buyer", "total", "order_ref", "taken"),
    [
        (BUYER, "150", "", True),
        (BUYER, "300", "", True),  # half of the goods
        ("11144477735", "150", "", True),  # the buyer's company
        ("11144477735", "300", "", False),
        ("11144477735", "300", "<xPed>1001</xPed>", True),
        ("", "300", "", False),
    ],
)
async def test_a_note_that_has_nothing_of_the_order_is_not_its_own(
    db: Database, erp: Connection, buyer: str, total: str, order_ref: str, taken: bool
) -> None:
    await found(db, erp, await sell(db, erp, buyer=buyer, total=total), note(order=order_ref))
    assert len(await rows(db, Invoice)) == taken
    assert await codes(db) == ([] if taken else ["invoice.refused"])


async def test_a_denied_note_is_told_and_the_order_goes_on_waiting(db: Database, erp: Connection) -> None:
    order = await sell(db, erp)
    await found(db, erp, order, note(cstat="302"))
    assert (await one(db, Invoice)).state == "denied"
    assert await codes(db) == ["invoice.denied"]
    (still,) = await waiting(db, erp)
    assert still.ended == {key()}
    await take(db, erp, asked=[still])
    assert await codes(db) == ["invoice.denied"], "asking without an answer is no cure"
    await found(db, erp, order, note(2))
    assert await codes(db) == []


async def test_a_note_that_cannot_be_read_is_told_until_nothing_is_wrong(db: Database, erp: Connection) -> None:
    order = await sell(db, erp)
    await take(db, erp, [Find(order, problem=Problem("note", "unreadable", "document: not_xml"))])
    assert await codes(db) == ["invoice.refused"]
    await take(db, erp, asked=[order])
    assert await codes(db) == []


# What becomes of a note.


async def look(db: Database, erp: Connection, document: bytes | None, *, listed: bool, **told: Any) -> invoices.Plan:
    paper = nfe.read_note(document, key()) if document else None
    recheck = Recheck(await held(db, erp), LISTED if listed else None, paper, gone=document is None, **told)
    return await take(db, erp, rechecks=[recheck])


async def test_a_correction_leaves_the_note_valid(db: Database, erp: Connection) -> None:
    await found(db, erp, await sell(db, erp), note(), row=LISTED)
    await look(db, erp, zipped(note(), event(key(), sequence=1), event(key(), sequence=2)), listed=True)
    stored = await one(db, Invoice)
    assert stored.state == "corrected"
    assert [each["sequence"] for each in stored.extra["corrections"]] == [1, 2]
    assert invoice_rows.document(stored) == note()
    assert await codes(db) == []
    assert await waiting(db, erp) == []


async def test_a_note_that_is_gone_counts_as_cancelled_and_the_order_waits_again(db: Database, erp: Connection) -> None:
    order = await sell(db, erp)
    await found(db, erp, order, note())
    await look(db, erp, None, listed=False)
    assert (await one(db, Invoice)).state == "cancelled"
    assert await codes(db) == ["invoice.gone"]
    (again,) = await waiting(db, erp)
    assert (again.order_id, again.ended) == (order.order_id, {key()})
    assert again.since > order.since
    await found(db, erp, again, note(2))
    assert await codes(db) == []
    assert {each.state for each in await rows(db, Invoice)} == {"cancelled", "authorised"}


async def test_a_cancellation_that_the_document_tells_is_told_as_such(db: Database, erp: Connection) -> None:
    await found(db, erp, await sell(db, erp), note())
    await look(db, erp, zipped(note(), event(key(), "110111")), listed=False)
    assert (await one(db, Invoice)).state == "cancelled"
    assert await codes(db) == ["invoice.cancelled"]


async def test_a_note_that_left_the_list_only_is_asked_about_and_stays_valid(db: Database, erp: Connection) -> None:
    await found(db, erp, await sell(db, erp), note(issued="<dhEmi>2020-01-01T00:00:00-03:00</dhEmi>"))
    await look(db, erp, note(), listed=False)
    stored = await one(db, Invoice)
    assert (stored.state, "unlisted_at" in stored.extra) == ("authorised", True)
    assert await codes(db) == ["invoice.unlisted"]
    await look(db, erp, note(), listed=True)
    assert "unlisted_at" not in (await one(db, Invoice)).extra
    assert await codes(db) == []


async def test_nothing_is_said_of_a_young_note_that_another_clock_may_not_list_yet(
    db: Database, erp: Connection
) -> None:
    young = (utcnow() - timedelta(hours=1)).isoformat(timespec="seconds")
    await found(db, erp, await sell(db, erp), note(issued=f"<dhEmi>{young}</dhEmi>"))
    await look(db, erp, note(), listed=False)
    assert await codes(db) == []


async def test_never_from_cancelled_back_to_authorised(db: Database, erp: Connection) -> None:
    await found(db, erp, await sell(db, erp), note())
    await look(db, erp, None, listed=False)
    await look(db, erp, note(), listed=True)
    stored = await one(db, Invoice)
    assert (stored.state, stored.extra["listed_again"]) == ("cancelled", True)
    assert await codes(db) == ["invoice.listed_again"]


@pytest.mark.parametrize("state", list(InvoiceState))
@pytest.mark.parametrize("told", list(InvoiceState))
def test_states_only_go_forward(state: InvoiceState, told: InvoiceState) -> None:
    after = next_state(state, told)
    assert after in (state, told)
    if state not in FINAL:
        assert after == state
    if state is InvoiceState.CORRECTED:
        assert after != InvoiceState.AUTHORISED


async def test_an_order_that_was_cancelled_needs_no_invoice(db: Database, erp: Connection) -> None:
    order = await sell(db, erp)
    await found(db, erp, order, note())
    async with db.write() as session:
        (await session.get(Order, order.order_id)).state = "cancelled"  # type: ignore[union-attr]
    await look(db, erp, None, listed=False)
    assert (await one(db, Invoice)).state == "cancelled"
    assert await codes(db) == []
    assert await waiting(db, erp) == []


async def test_what_was_said_of_an_order_goes_when_it_ends(db: Database, erp: Connection) -> None:
    order, other = await sell(db, erp), await sell(db, erp, "1002")
    await found(db, erp, order, note(test=True))
    await found(db, erp, other, note(2, test=True))
    async with db.write() as session:
        (await session.get(Order, order.order_id)).state = "refunded"  # type: ignore[union-attr]
    async with db.write() as session:
        await invoices.drop_stale_notices(session, erp)
    async with db.read() as session:
        assert [notice.subject for notice in await standing_notices(session)] == [other.order_id]


async def test_what_is_said_of_an_unpaid_order_stands_where_all_orders_are_sent(db: Database) -> None:
    erp = await connect(db, "loja-sol-todos", policy=Policy(orders="all"))
    order, other = await sell(db, erp, state="created"), await sell(db, erp, "1002", state="created")
    await found(db, erp, order, note())
    await look(db, erp, None, listed=False)
    await found(db, erp, other, note(2, test=True))
    assert await codes(db) == ["invoice.gone", "invoice.test"]
    async with db.write() as session:
        await invoices.drop_stale_notices(session, erp)
    assert await codes(db) == ["invoice.gone", "invoice.test"]


# Which orders wait.


async def test_paid_orders_that_are_over_there_wait_for_sixty_days(db: Database, erp: Connection) -> None:
    paid = await sell(db, erp, "1")
    await sell(db, erp, "2", state="created")
    await sell(db, erp, "3", state="cancelled")
    await sell(db, erp, "4", bound_for=timedelta(days=61))
    other = await connect(db, "loja-sol-outro")
    await sell(db, other, "5")
    (only,) = await waiting(db, erp)
    assert (only.order_id, only.number, only.external_id, only.asked_at) == (paid.order_id, "1", "venda-1", None)
    assert (only.placed_at, only.since) == (PLACED, paid.since)
    now = utcnow()
    async with db.write() as session:
        await invoice_watch.mark_asked(session, erp, [paid.order_id], now)
    assert (await waiting(db, erp))[0].asked_at == now


async def test_where_all_orders_are_sent_an_unpaid_one_waits_too(db: Database) -> None:
    """It is approved and invoiced over there, and a store that takes its money at the door never calls it paid."""
    erp = await connect(db, "loja-sol-todos", policy=Policy(orders="all"))
    unpaid = await sell(db, erp, "1", state="created")
    await sell(db, erp, "2", state="cancelled")
    await sell(db, erp, "3", state="refunded")
    assert [each.order_id for each in await waiting(db, erp)] == [unpaid.order_id]


async def test_many_orders_come_in_chunks(db: Database, erp: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoice_watch, "CHUNK", 2)
    made = {(await sell(db, erp, str(number))).order_id for number in range(5)}
    assert {each.order_id for each in await waiting(db, erp)} == made


# Words.


def test_every_notice_has_words_and_no_name_of_anybody() -> None:
    source = Path(invoices.__file__).read_text()
    used = set(re.findall(r'"(invoice\.\w+)"', source)) | {f"invoice.{state}" for state in ENDED}
    assert len(used) == 7
    for code in used:
        assert texts.knows(code)
        for params in ({}, {"kind": "tiny_v3", "number": "1001", "note": "7", "series": "1"}):
            text = texts.render(code, params)
            assert not HOLE.search(text.title + text.body + text.action)
    for problem in ("issuer", "access_key"):
        assert "Emitente" in texts.FIELDS["issuer"]
        assert texts.sentence({"field": problem, "reason": "check_digit", "received": "***"})
    assert texts.label("group", KIND) == "nota fiscal"
    assert LOST != KIND
