"""Invoices back from Conta Azul: each to its order, and what becomes of them afterwards."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlmodel import col

import flows.pull_invoices
from hub import crypto, invoice_rows
from hub.cursors import position
from hub.db import Database
from hub.invoice_watch import Waiting
from hub.tables import Connection, Invoice, Lease, Merchant, Order, Quota
from providers.contaazul.provider import ContaAzul
from providers.contract import InvoiceSource
from tasks.invoices import STREAM, _windows, is_due
from tasks.paths import PathFailed, run_path
from tasks.work import Summary
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.driving import Driver, driver, driving
from tests.flows.erp import ACCOUNT, Erp
from tests.flows.erp_fixtures import contaazul
from tests.hub.shop import written

__all__ = ["contaazul", "driver", "driving"]

LINES = [("CAN-1", "2", "25.00")]
NOW = datetime(2026, 11, 22, 15, tzinfo=UTC)
POINTS = ("before-http", "before-commit", "after-commit")
LIST, READ = "GET /v1/notas-fiscais", "GET /v1/notas-fiscais/{chave}"


class Notes:
    """The ERP's screen for notes, and the run that looks for them."""

    def __init__(self, erp: Erp) -> None:
        self.erp = erp
        self.sandbox = erp.sandbox

    async def sell(self, number: str, **rest: Any) -> str:
        """A paid order that is over there; the sale's id."""
        await self.erp.order(number, LINES, **rest)
        await self.erp.export()
        return next(sale["id"] for sale in self.erp.sales() if f"Pedido {number} " in sale["observacoes"])

    async def told(self) -> list[str]:
        """The codes of the standing notices, but for the one that a first sale leaves about stock."""
        return [code for code in await self.erp.notices() if code != "stock.at_creation_only"]

    def issue(self, sale: str, **how: Any) -> dict[str, Any]:
        """The merchant issues the sale's note."""
        made: dict[str, Any] = self.sandbox.ask("POST", f"{ACCOUNT}/sales/{sale}/invoice", **how)
        return made

    def change(self, note: dict[str, Any], verb: str, **how: Any) -> None:
        """The merchant cancels or corrects a note."""
        self.sandbox.ask("POST", f"{ACCOUNT}/invoices/{note['chave_acesso']}/{verb}", **how)

    async def pull(self, *, dry_run: bool = False) -> Summary:
        """One run of the path."""
        (summary,) = await run_path(
            "pull-invoices", InvoiceSource, flows.pull_invoices.pull_one, self.erp.id, wanted=lambda _: True,
            dry_run=dry_run, db=self.erp.db,
        )  # fmt: skip
        return summary

    async def stored(self) -> dict[str, Invoice]:
        """The invoices by their order's number, the latest where there are more."""
        async with self.erp.db.read() as session:
            rows = await session.execute(
                select(Order.number, Invoice).join(Order, col(Order.id) == col(Invoice.order_id)).order_by(Invoice.id)
            )
            return dict(rows.tuples().all())

    def asked(self) -> list[str]:
        """What was called since the last time that this was asked."""
        calls = [call["operation"] for call in self.sandbox.calls()]
        self.sandbox.ask("DELETE", "/calls")
        return calls


def tables_of(statements: set[str]) -> set[str]:
    return {statement.split()[1] for statement in statements}


@pytest.fixture
async def notes(db: Database, sandbox: Sandbox) -> Notes:
    sandbox.ask("POST", "/settings", contaazul_auto_invoice=False)
    erp = await Erp.connect(db, sandbox)
    await erp.offer("CAN-1", "25.00")
    company = sandbox.ask("GET", ACCOUNT)["cnpj"]
    async with db.write() as session:
        (await session.get(Connection, erp.id)).account = crypto.blind_index(company, "account.document")
    return Notes(erp)


async def test_the_note_of_a_sale_comes_back_to_its_order(notes: Notes) -> None:
    sale = await notes.sell("1001")
    await notes.sell("1002")
    issued = notes.issue(sale)
    summary = await notes.pull()
    assert (summary.outcome, summary.tally.created, summary.tally.failed) == ("done", 1, 0)
    (found,) = (await notes.stored()).values()
    assert (await notes.stored()).keys() == {"1001"}
    assert (found.access_key, found.state) == (issued["chave_acesso"], "authorised")
    assert (found.number, found.series, found.model) == (str(issued["numero"]), str(issued["serie"]), issued["modelo"])
    assert found.protocol == issued["protocolo"]
    assert str(found.total) == "50"
    assert invoice_rows.document(found).decode() == issued["xml"]
    assert await notes.told() == []


async def test_a_run_with_nothing_to_do_costs_one_call_and_writes_nothing(notes: Notes, clock: Clock) -> None:
    sale = await notes.sell("1001")
    await notes.sell("1002")
    notes.issue(sale)
    await notes.pull()
    notes.asked()
    clock.advance(minutes=15)
    with written(notes.erp.db) as tables:
        summary = await notes.pull()
    assert notes.asked() == [LIST]
    assert (summary.tally.read, summary.tally.unchanged) == (1, 1)
    assert tables_of(tables) <= {"run_report", "lease", "quota"}


async def test_an_order_is_asked_for_again_as_soon_as_there_is_news(notes: Notes, clock: Clock) -> None:
    sale, other = await notes.sell("1001"), await notes.sell("1002")
    await notes.pull()
    clock.advance(minutes=15)
    assert (await notes.pull()).tally.created == 0
    notes.issue(sale)
    clock.advance(minutes=15)
    assert (await notes.pull()).tally.created == 1
    notes.issue(other)
    clock.advance(minutes=15)
    assert (await notes.pull()).tally.created == 1
    assert (await notes.stored()).keys() == {"1001", "1002"}


async def test_news_that_came_too_early_for_an_order_is_not_forgotten(notes: Notes, clock: Clock) -> None:
    sale = await notes.sell("1001")
    clock.advance(days=3)
    await notes.pull()
    notes.issue(sale)
    clock.advance(minutes=15)
    assert (await notes.pull()).tally.created == 0, "an order of three days is asked for hourly"
    clock.advance(minutes=45)
    assert (await notes.pull()).tally.created == 1


async def test_a_note_issued_weeks_after_the_sale_is_found_in_windows_of_fifteen_days(notes: Notes) -> None:
    placed = datetime.now(UTC) - timedelta(days=40)
    sale = await notes.sell("1001", placed_at=placed)
    notes.issue(sale)
    notes.asked()
    assert (await notes.pull()).tally.created == 1
    assert notes.asked() == [LIST, *[LIST] * 3, READ], "the list, three windows of the sale, the note"


async def test_a_note_of_the_test_environment_stays_out(notes: Notes) -> None:
    sale = await notes.sell("1001")
    notes.issue(sale, test=True)
    summary = await notes.pull()
    assert (summary.tally.created, summary.tally.failed) == (0, 1)
    assert await notes.stored() == {}
    assert await notes.told() == ["invoice.test"]


async def test_another_companys_note_stays_out_and_the_others_come_in(notes: Notes) -> None:
    first, second = await notes.sell("1001"), await notes.sell("1002")
    notes.sandbox.ask("POST", ACCOUNT, cnpj="11222333000181")
    notes.issue(first)
    notes.sandbox.ask("POST", ACCOUNT, cnpj="12345678000195")
    company = crypto.blind_index("12345678000195", "account.document")
    async with notes.erp.db.write() as session:
        (await session.get(Connection, notes.erp.id)).account = company  # type: ignore[union-attr]
    notes.issue(second)
    assert (await notes.pull()).tally.created == 1
    assert (await notes.stored()).keys() == {"1002"}
    assert await notes.told() == ["invoice.refused"]


async def test_a_corrected_note_comes_in_a_zip_and_stays_valid(notes: Notes, clock: Clock) -> None:
    sale = await notes.sell("1001")
    note = notes.issue(sale)
    await notes.pull()
    notes.change(note, "correct", text="Onde se lê caixa, leia-se volume.")
    clock.advance(minutes=15)
    assert (await notes.pull()).tally.changed == 1
    found = (await notes.stored())["1001"]
    assert found.state == "corrected"
    assert len(found.extra["corrections"]) == 1
    assert invoice_rows.document(found).decode() == note["xml"]
    notes.asked()
    await notes.pull()
    assert notes.asked() == [LIST], "a corrected note is not read again and again"


async def test_a_note_corrected_before_it_was_ever_seen_is_read_out_of_its_zip(notes: Notes) -> None:
    note = notes.issue(await notes.sell("1001"))
    notes.change(note, "correct", text="Onde se lê caixa, leia-se volume.")
    await notes.pull()
    assert (await notes.stored())["1001"].state == "corrected"


async def test_a_cancelled_note_is_noticed_although_the_list_no_longer_shows_it(notes: Notes, clock: Clock) -> None:
    sale = await notes.sell("1001")
    note = notes.issue(sale)
    notes.issue(await notes.sell("1002"))
    await notes.pull()
    notes.change(note, "cancel")
    clock.advance(minutes=15)
    await notes.pull()
    assert {number: found.state for number, found in (await notes.stored()).items()} == {
        "1001": "cancelled",
        "1002": "authorised",
    }
    assert await notes.told() == ["invoice.gone"]
    notes.issue(sale)
    clock.advance(minutes=15)
    await notes.pull()
    assert (await notes.stored())["1001"].state == "authorised"
    assert await notes.told() == [], "the order has a note again"


async def test_where_the_document_is_still_given_out_nobody_can_tell_and_the_merchant_is_asked(
    notes: Notes, clock: Clock
) -> None:
    notes.sandbox.ask("POST", "/settings", contaazul_cancelled_by_key="xml")
    note = notes.issue(await notes.sell("1001"))
    await notes.pull()
    notes.change(note, "cancel")
    clock.advance(hours=1)
    await notes.pull()
    assert await notes.told() == [], "it is too young: the list may count its day by another clock"
    clock.advance(hours=3)
    await notes.pull()
    assert (await notes.stored())["1001"].state == "authorised"
    assert await notes.told() == ["invoice.unlisted"]
    notes.asked()
    clock.advance(minutes=15)
    await notes.pull()
    assert notes.asked() == [LIST], "once a day is enough"


async def test_a_dry_run_shows_what_a_real_run_then_does(notes: Notes, clock: Clock) -> None:
    sale, other = await notes.sell("1001"), await notes.sell("1002")
    note = notes.issue(sale)
    await notes.pull()
    notes.change(note, "cancel")
    fresh = notes.issue(other)
    clock.advance(minutes=15)
    with written(notes.erp.db) as tables:
        shown = (await notes.pull(dry_run=True)).changes
    assert tables_of(tables) <= {"lease", "quota"}
    assert sorted((c.op, c.external_id, c.name) for c in shown) == [
        ("create", str(fresh["numero"]), "1002"),
        ("deactivate", str(note["numero"]), "1001"),
    ]
    tally = (await notes.pull()).tally
    assert (tally.created, tally.changed) == (1, 1)


async def test_a_filter_that_the_vendor_ignores_gives_nobody_anothers_note(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def everything_there(self: ContaAzul, order_id: str, first: date, last: date) -> list[Any]:
        return [row async for page in self.list_invoices(first, last) for row in page]

    monkeypatch.setattr(ContaAzul, "invoices_of_order", everything_there)
    await notes.erp.offer("CAN-2", "26.10")
    mine = await notes.sell("1001")
    await notes.erp.order("1002", [("CAN-2", "3", "26.10")], document="11144477735")
    await notes.erp.export()
    note = notes.issue(mine)
    await notes.pull()
    stored = await notes.stored()
    assert {number: found.access_key for number, found in stored.items()} == {"1001": note["chave_acesso"]}
    assert await notes.told() == ["invoice.refused"]


async def test_a_vendor_that_is_down_stops_the_run_and_the_next_goes_on(notes: Notes) -> None:
    notes.issue(await notes.sell("1001"))
    notes.sandbox.fault("error_500", times=None, match={"operation": READ})
    with pytest.raises(PathFailed):
        await notes.pull()
    assert await notes.stored() == {}
    assert await notes.told() == ["connection.server"]
    notes.sandbox.ask("DELETE", "/faults")
    await notes.pull()
    assert (await notes.stored()).keys() == {"1001"}
    assert await notes.told() == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_killed_at_any_point_and_run_again_each_note_is_there_once(
    db: Database, sandbox: Sandbox, driver: Driver
) -> None:
    async def prepare() -> Notes:
        sandbox.ask("POST", "/reset")
        sandbox.ask("POST", "/settings", contaazul_auto_invoice=False)
        async with db.write() as session:
            for table in (Merchant, Lease, Quota):
                await session.execute(delete(table))
        made = Notes(await Erp.connect(db, sandbox))
        await made.erp.offer("CAN-1", "25.00")
        sale = await made.sell("1001")
        issued = made.issue(sale)
        await made.pull()
        made.change(issued, "cancel")
        made.issue(sale)
        return made

    await die_everywhere(prepare, driver)


async def die_everywhere(prepare: Callable[[], Awaitable[Notes]], driver: Driver) -> None:
    undisturbed = driver.run("pull-invoices", (await prepare()).erp.id)
    assert undisturbed.outcome == "done"
    deaths = 0
    for point in POINTS:
        for index in range(1, undisturbed.passed[point] + 1):
            made = await prepare()
            deaths += driver.run("pull-invoices", made.erp.id, point, index).outcome == "killed"
            assert driver.run("pull-invoices", made.erp.id).outcome == "done"
            async with made.erp.db.read() as session:
                states = sorted((await session.execute(select(col(Invoice.state)))).scalars())
                cursor = await position(session, await session.get(Connection, made.erp.id), STREAM)  # type: ignore[arg-type]
            assert states == ["authorised", "cancelled"], f"after {point} {index}"
            assert cursor["listed"]
            assert await made.told() == []
    assert deaths >= 0.9 * sum(undisturbed.passed[point] for point in POINTS)


# When and for which days.


def order(waited: timedelta, asked: timedelta | None) -> Waiting:
    asked_at = NOW - asked if asked is not None else None
    return Waiting("o", "1", "v", NOW - waited, NOW - waited, asked_at)


@pytest.mark.parametrize(
    ("days", "asked_minutes", "quiet", "due"),
    [
        (0, None, True, True),
        (59, None, True, True),
        (1, 15, False, True),
        (1, 15, True, False),
        (1, 60, True, True),
        (3, 15, False, False),
        (3, 60, False, True),
        (3, 60, True, False),
        (14, 60, False, True),
        (16, 60, False, False),
        (16, 24 * 60 - 3, False, True),
        (59, 24 * 60, True, True),
    ],
)
def test_how_often_an_order_is_asked_for(days: int, asked_minutes: int | None, quiet: bool, due: bool) -> None:
    asked = timedelta(minutes=asked_minutes) if asked_minutes is not None else None
    news_at = NOW - timedelta(days=70) if quiet else NOW
    assert is_due(order(timedelta(days=days), asked), NOW, news_at) is due


@pytest.mark.parametrize("days", [0, 1, 14, 15, 16, 44, 59])
def test_the_windows_cover_every_day_from_the_sale_to_today(days: int) -> None:
    today = NOW.date()
    windows = list(_windows(order(timedelta(days=days), None), today, 15))
    covered = [first + timedelta(days=n) for first, last in windows for n in range((last - first).days + 1)]
    assert covered == [today - timedelta(days=n) for n in range(days, -1, -1)]
    assert all((last - first).days < 15 for first, last in windows)


def test_an_order_asked_for_yesterday_costs_one_call() -> None:
    today = NOW.date()
    asked = order(timedelta(days=50), timedelta(days=1))
    assert list(_windows(asked, today, 15)) == [(today - timedelta(days=14), today)]
    late = order(timedelta(days=50), timedelta(days=20))
    assert next(iter(_windows(late, today, 15)))[0] == today - timedelta(days=33)
    assert list(_windows(order(timedelta(days=-1), None), today, 15)) == [(today, today)]
