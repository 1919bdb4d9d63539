"""Notes by a list that names their orders and states, and by events: a vendor played by a few rows."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import pytest

import flows.pull_invoices
import tasks.work
from hub.db import Database
from hub.policy import Policy
from hub.records import InvoiceRow
from hub.tables import Binding, Connection, Invoice
from providers.contract import CallFailed, Gone, InvoiceLookup, InvoiceSource, Outcome
from tasks.invoices import take_events
from tasks.work import Run, Summary, Work
from tests.flows.clockwork import Clock
from tests.hub.notes import event, key, note, zipped
from tests.hub.shop import connect, one, rows, written
from tests.hub.test_invoices import codes, sell, waiting


@dataclass
class Listing:
    """An ERP whose listing tells everything but the document. `log` is what it was asked."""

    rows: dict[str, InvoiceRow] = field(default_factory=dict)
    documents: dict[str, bytes] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    kind = "vendor"
    longest_window_days = 30
    rows_tell_order = True
    calls = 0

    def issue(self, number: int, order: str, state: str = "authorised", **told: Any) -> InvoiceRow:
        """A note stands there, with the document of its approval."""
        row = InvoiceRow(
            access_key=key(number), number=str(number), status=state[0].upper(), external_id=f"n{number}",
            order_ref=order, state=state, link=f"https://danfe.example/{number}", series="1",
        )  # fmt: skip
        self.rows[row.external_id] = replace(row, **told)
        self.documents.setdefault(row.external_id, note(number))
        return self.rows[row.external_id]

    def change(self, number: int, state: str, **told: Any) -> None:
        """The note's row tells another state; the document stays that of the approval, as TagPlus has it."""
        row = self.rows[f"n{number}"]
        self.rows[row.external_id] = replace(row, **{"state": state, "status": state[0].upper(), **told})

    async def invoices_of_order(self, order_id: str, first: date, last: date) -> list[InvoiceRow]:
        raise AssertionError("no order is asked for by itself")

    async def list_invoices(self, first: date, last: date) -> AsyncIterator[list[InvoiceRow]]:
        self.log.append(f"list {(last - first).days + 1}")
        yield list(self.rows.values())

    async def read_invoice(self, row_id: str) -> bytes | Gone:
        self.log.append(f"read {row_id}")
        return self.documents.get(row_id, Gone(row_id))

    async def per_minute(self) -> int | None:
        return None

    async def close(self) -> None:
        pass

    def asked(self) -> list[str]:
        """What it was asked since the last time that this was asked."""
        said, self.log = self.log, []
        return said


class Vendor(Listing):
    """One that can be asked for a note by its id besides."""

    async def find_invoice(self, external_id: str) -> InvoiceRow | Gone:
        self.log.append(f"find {external_id}")
        return self.rows.get(external_id, Gone(external_id))


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch) -> Vendor:
    made = Vendor()
    assert isinstance(made, InvoiceSource) and isinstance(made, InvoiceLookup)
    monkeypatch.setattr(tasks.work, "open_provider", lambda _db, _connection: made)
    return made


@pytest.fixture
async def erp(db: Database) -> Connection:
    return await connect(db, "loja-sol-vendor", kind="tagplus", takes=("order",))


async def pull(db: Database, erp: Connection, *, dry_run: bool = False) -> Summary:
    summary = await Run(db, "pull-invoices", flows.pull_invoices.pull_one, dry_run).for_connection(erp)
    assert summary.outcome == "done", summary.detail
    return summary


async def tell(db: Database, erp: Connection, *ids: str) -> dict[str, str]:
    """Events about these notes."""
    answers: dict[str, str] = {}

    async def steps(work: Work) -> None:
        answers.update(await take_events(work, ids))

    summary = await Run(db, "drain-inbox", steps).for_connection(erp)
    assert summary.outcome == "done", summary.detail
    return answers


async def states(db: Database) -> dict[str, str]:
    return {invoice.number: invoice.state for invoice in await rows(db, Invoice)}


# By the listing.


async def test_the_listing_finds_the_notes_of_all_orders_and_others_cost_nothing(
    db: Database, erp: Connection, vendor: Vendor
) -> None:
    order = await sell(db, erp, "1001")
    for number in ("1002", "1003"):
        await sell(db, erp, number)
    vendor.issue(7, "venda-1001")
    vendor.issue(8, "of somebody else")
    summary = await pull(db, erp)
    assert vendor.asked() == ["list 30", "list 30", "list 1", "read n7"], "sixty days, and the one note of ours"
    stored = await one(db, Invoice)
    assert (stored.order_id, stored.state, stored.access_key) == (order.order_id, "authorised", key(7))
    assert (stored.external_id, stored.link) == ("n7", "https://danfe.example/7")
    assert (summary.tally.created, summary.tally.unchanged) == (1, 2)
    assert [b.read_at is not None for b in await rows(db, Binding)] == [True, False, False]


async def test_the_schedule_finds_the_note_of_an_order_that_was_invoiced_before_it_was_paid(
    db: Database, vendor: Vendor
) -> None:
    """Where all orders are sent, only the webhook brought it, and a lost webhook never came again."""
    erp = await connect(db, "loja-sol-vendor", kind="tagplus", takes=("order",), policy=Policy(orders="all"))
    order = await sell(db, erp, state="created")
    vendor.issue(1, order.external_id)
    assert (await pull(db, erp)).tally.created == 1
    vendor.change(1, "cancelled")
    await pull(db, erp)
    assert await states(db) == {"1": "cancelled"}
    assert await codes(db) == ["invoice.cancelled"]


async def test_with_nothing_new_a_run_is_one_listing_and_no_row(
    db: Database, erp: Connection, vendor: Vendor, clock: Clock
) -> None:
    await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001")
    await pull(db, erp)
    vendor.asked()
    clock.advance(minutes=15)
    with written(db) as tables:
        await pull(db, erp)
    assert vendor.asked() == ["list 15"]
    assert {statement.split()[1] for statement in tables} <= {"run_report", "lease", "cursor"}


async def test_who_was_away_for_weeks_lists_those_weeks(
    db: Database, erp: Connection, vendor: Vendor, clock: Clock
) -> None:
    await pull(db, erp)
    vendor.asked()
    clock.advance(days=40)
    await sell(db, erp, "1001")
    await pull(db, erp)
    assert vendor.asked() == ["list 30", "list 12"]


async def test_a_draft_is_nothing_and_is_found_when_it_is_a_note(db: Database, erp: Connection, vendor: Vendor) -> None:
    await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001", "pending", access_key="")
    await pull(db, erp)
    assert not [call for call in vendor.asked() if call.startswith("read")]
    assert await states(db) == {}
    vendor.issue(7, "venda-1001")
    await pull(db, erp)
    assert await states(db) == {"7": "authorised"}


@pytest.mark.parametrize("ended", ["cancelled", "denied"])
async def test_what_the_row_says_counts_before_the_document_of_the_approval(
    db: Database, erp: Connection, vendor: Vendor, ended: str
) -> None:
    await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001")
    await pull(db, erp)
    vendor.change(7, ended)
    vendor.asked()
    await pull(db, erp)
    assert vendor.asked() == ["list 15"], "the row says it all"
    assert await states(db) == {"7": ended}
    assert await codes(db) == [f"invoice.{ended}"]
    vendor.change(7, "authorised")
    await pull(db, erp)
    assert await states(db) == {"7": ended}, "never back"
    assert len(await waiting(db, erp)) == 1
    vendor.issue(9, "venda-1001")
    await pull(db, erp)
    assert await states(db) == {"7": ended, "9": "authorised"}
    assert await codes(db) == []


async def test_a_note_cancelled_before_it_was_seen_is_taken_as_cancelled(
    db: Database, erp: Connection, vendor: Vendor
) -> None:
    await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001", "cancelled")
    await pull(db, erp)
    stored = await one(db, Invoice)
    assert (stored.state, bool(stored.xml)) == ("cancelled", True)
    assert await codes(db) == ["invoice.cancelled"]
    vendor.asked()
    await pull(db, erp)
    assert vendor.asked() == ["list 15"], "it is known to have ended"


async def test_an_ended_note_without_a_document_is_kept_by_its_key(
    db: Database, erp: Connection, vendor: Vendor
) -> None:
    order = await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001", "denied")
    vendor.documents.clear()
    await pull(db, erp)
    stored = await one(db, Invoice)
    assert (stored.state, stored.xml, stored.number, stored.series, stored.model) == ("denied", "", "7", "1", "55")
    assert await codes(db) == ["invoice.denied"]
    assert [each.order_id for each in await waiting(db, erp)] == [order.order_id]


async def test_an_ended_note_without_a_key_is_told_and_the_order_goes_on_waiting(
    db: Database, erp: Connection, vendor: Vendor
) -> None:
    await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001", "denied", access_key="")
    await pull(db, erp)
    assert await rows(db, Invoice) == []
    assert await codes(db) == ["invoice.denied"]
    assert len(await waiting(db, erp)) == 1
    vendor.issue(8, "venda-1001")
    await pull(db, erp)
    assert await codes(db) == []


async def test_a_note_that_cannot_be_read_is_read_again_when_the_list_changes_or_hourly(
    db: Database, erp: Connection, vendor: Vendor, clock: Clock
) -> None:
    await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001")
    vendor.documents["n7"] = b"<html>"
    await pull(db, erp)
    assert await codes(db) == ["invoice.refused"]
    vendor.asked()
    clock.advance(minutes=15)
    await pull(db, erp)
    assert vendor.asked() == ["list 15"]
    vendor.issue(8, "of somebody else")
    clock.advance(minutes=15)
    await pull(db, erp)
    assert vendor.asked() == ["list 15", "read n7"]
    vendor.documents["n7"] = note(7)
    clock.advance(hours=1)
    await pull(db, erp)
    assert await states(db) == {"7": "authorised"}
    assert await codes(db) == []


async def test_a_dry_run_shows_what_a_real_run_then_does(db: Database, erp: Connection, vendor: Vendor) -> None:
    for number in ("1001", "1002"):
        await sell(db, erp, number)
    vendor.issue(7, "venda-1001")
    await pull(db, erp)
    vendor.change(7, "cancelled")
    vendor.issue(8, "venda-1002")
    shown = (await pull(db, erp, dry_run=True)).changes
    assert sorted((c.op, c.external_id, c.name) for c in shown) == [
        ("create", "8", "1002"),
        ("deactivate", "7", "1001"),
    ]
    assert await states(db) == {"7": "authorised"}
    tally = (await pull(db, erp)).tally
    assert (tally.created, tally.changed) == (1, 1)


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_merchant_may_do_without_invoices(db: Database, wanted: bool) -> None:
    policy = Policy(pull_invoices=wanted)
    made = await connect(db, "loja-sol-outra", kind="tagplus", takes=("order",), policy=policy)
    assert flows.pull_invoices._is_wanted(made) is wanted


# By events.


async def test_an_event_brings_the_note_of_an_order(db: Database, erp: Connection, vendor: Vendor) -> None:
    order = await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001")
    assert await tell(db, erp, "n7") == {"n7": "done"}
    assert vendor.asked() == ["find n7", "read n7"]
    assert (await one(db, Invoice)).order_id == order.order_id
    assert await tell(db, erp, "n7") == {"n7": "done"}, "told twice"
    await pull(db, erp)
    assert await states(db) == {"7": "authorised"}


async def test_what_is_not_there_yet_is_for_later_and_what_is_not_ours_is_unknown(
    db: Database, erp: Connection, vendor: Vendor
) -> None:
    await sell(db, erp, "1001")
    elsewhere = await connect(db, "loja-sol-outra", kind="tagplus", takes=("order",))
    await sell(db, elsewhere, "2001")
    vendor.issue(1, "venda-1001", "pending")
    vendor.issue(2, "venda-1001", access_key="")
    vendor.issue(3, "venda-1001")
    del vendor.documents["n3"]
    vendor.issue(4, "venda-of-nobody")
    vendor.issue(5, "")
    vendor.issue(6, "venda-2001")
    vendor.issue(8, "venda-1001")
    answers = await tell(db, erp, "n0", "n1", "n2", "n3", "n4", "n5", "n6", "n8")
    assert answers == {
        "n0": "later", "n1": "later", "n2": "later", "n3": "later",
        "n4": "unknown", "n5": "unknown", "n6": "unknown", "n8": "done",
    }  # fmt: skip
    assert await states(db) == {"8": "authorised"}


async def test_events_in_any_order_never_make_a_cancelled_note_valid(
    db: Database, erp: Connection, vendor: Vendor
) -> None:
    await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001", "cancelled")
    await tell(db, erp, "n7")
    vendor.change(7, "authorised")
    assert await tell(db, erp, "n7") == {"n7": "done"}
    assert await states(db) == {"7": "cancelled"}


async def test_a_cancellation_that_comes_by_an_event_is_told(db: Database, erp: Connection, vendor: Vendor) -> None:
    await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001")
    await tell(db, erp, "n7")
    vendor.change(7, "cancelled", order_ref="")
    assert await tell(db, erp, "n7") == {"n7": "done"}, "known by the note itself"
    assert await states(db) == {"7": "cancelled"}
    assert await codes(db) == ["invoice.cancelled"]


async def test_a_correction_that_comes_by_an_event_is_kept(db: Database, erp: Connection, vendor: Vendor) -> None:
    await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001")
    await tell(db, erp, "n7")
    vendor.documents["n7"] = zipped(note(7), event(key(7)))
    await tell(db, erp, "n7")
    assert await states(db) == {"7": "corrected"}


@pytest.mark.parametrize("first", ["pull", "drain"])
async def test_what_another_run_learnt_between_reading_and_writing_is_not_undone(
    db: Database, erp: Connection, vendor: Vendor, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note is read as authorised; before that is written, another run has written that it was cancelled."""
    await sell(db, erp, "1001")
    vendor.issue(7, "venda-1001")
    if first == "drain":
        await tell(db, erp, "n7")
    read, done = vendor.read_invoice, False

    async def read_and_dawdle(row_id: str) -> bytes | Gone:
        nonlocal done
        answer = await read(row_id)
        if not done:
            done = True
            vendor.change(7, "cancelled")
            assert await tell(db, erp, "n7") == {"n7": "done"}
            vendor.change(7, "authorised")
        return answer

    monkeypatch.setattr(vendor, "read_invoice", read_and_dawdle)
    if first == "drain":
        vendor.change(7, "authorised", status="other")
    await pull(db, erp)
    assert done
    assert await states(db) == {"7": "cancelled"}
    assert await codes(db) == ["invoice.cancelled"]


async def test_a_vendor_that_is_down_leaves_the_events_to_the_drain(
    db: Database, erp: Connection, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(_: str) -> InvoiceRow | Gone:
        raise CallFailed(Outcome.RETRY, "server", operation="find")

    monkeypatch.setattr(vendor, "find_invoice", down)
    raised: list[CallFailed] = []

    async def steps(work: Work) -> None:
        try:
            await take_events(work, ["n7"])
        except CallFailed as failed:
            raised.append(failed)

    await Run(db, "drain-inbox", steps).for_connection(erp)
    assert [failed.outcome for failed in raised] == [Outcome.RETRY]


async def test_a_system_that_finds_no_note_by_an_id_knows_none_of_them(
    db: Database, erp: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = Listing()
    monkeypatch.setattr(tasks.work, "open_provider", lambda _db, _connection: listing)
    assert await tell(db, erp, "n7", "n8") == {"n7": "unknown", "n8": "unknown"}
    assert listing.asked() == []
