"""What both of Tiny's APIs do alike with orders and invoices, whatever each calls it.

An order is looked for by the store's number before each create and after each silence: no create of Tiny's can be
repeated (`reference/tiny.md §7`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, Protocol

from hub.clock import parse_br, parse_iso_br, to_sao_paulo, utcnow
from hub.policy import Policy
from hub.records import InvoiceRow, OrderStatus, OutgoingOrder
from hub.settings import settings
from hub.stages import Stage, is_further, rank
from providers.contract import Attempt, CallFailed, Found, Gone, IntegrationState, Outcome
from providers.http import Http, OverHttp
from providers.tiny_account import gone
from providers.tiny_notes import WATCH_DAYS, issued_on
from providers.tiny_orders import (
    Candidate,
    Situation,
    is_ours,
    mark,
    marked_as,
    newest,
    rejected,
    shop_number,
    situation_for,
    stage_meant,
    told_for,
)

logger = logging.getLogger(__name__)

MOST_CANDIDATES = 20
"""Orders of one number, or of one buyer and day, whose details are looked at."""


class Words(Protocol):
    """The pure functions of a `tiny_v…/orders.py` that the paths here need."""

    def status(self, payload: Any, external_id: str, as_of: datetime) -> OrderStatus:
        """How an order stands."""

    def candidate(self, payload: Any, external_id: str) -> Candidate:
        """Whose an order is."""

    def invoice_id(self, payload: Any) -> str:
        """The note that it was invoiced with."""


class OrdersToTiny(OverHttp):
    """Orders into Tiny, and how they stand there."""

    takes = ("order",)
    search_lag_s: float = 10.0
    may_drop_numbers = False
    """Whether an order may be there without the store's number, so that a search by it cannot say that it is not."""

    def __init__(self, http: Http, policy: Policy, words: Words) -> None:
        super().__init__(http)
        self.search_lag_s = settings().tiny_search_lag_s
        self.policy = policy
        self._words = words
        self._left: set[str] = set()
        self._marked: dict[str, str] = {}
        """Their id → ours, of orders that were made or looked at: what is marked as another's is not read again for
        each order of a buyer who has many."""
        self._odd: set[str] = set()
        self.integration: IntegrationState = ""
        self._looked_at_integration = False

    async def prepare_order(self, order: OutgoingOrder) -> Attempt:
        """Look for the order's number before the first try: another program of the merchant's may have made it, or we,
        before the hub was set back to a backup."""
        found = await self._find(order, by_day=self.may_drop_numbers and self.integration != "known")
        return Attempt({"there": found.external_id}) if found else Attempt()

    async def create_order(self, order: OutgoingOrder, attempt: Attempt) -> str | Found:
        """Create it; one that is there already is the one.

        What an earlier try of this opening may have left is looked for until any search must show it.
        """
        if there := str(attempt.values.get("there") or ""):
            return Found(there)
        if order.record_id in self._left and (left := await self._found_in_time(order)):
            return left
        self._left.add(order.record_id)
        try:
            external_id = await self._post(order)
        except CallFailed as failed:
            if not self._is_duplicate(failed):
                if failed.outcome is Outcome.REJECTED:
                    self._left.discard(order.record_id)
                raise
            other = await self._the_other(order, failed)
            self._left.discard(order.record_id)
            return other
        self._left.discard(order.record_id)
        self._marked[external_id] = marked_as(mark(order))
        await self._see_integration(external_id, order)
        return external_id

    async def find_order(self, order: OutgoingOrder, attempt: Attempt) -> Found | None:
        """By the store's number, compared for equality; then among the buyer's orders since that day, as Tiny may not
        have kept the number: v3 does for an integration only that it has (`§5.3`). Known by our marker."""
        return await self._find(order, by_day=True)

    async def cancel_order(self, external_id: str, order: OutgoingOrder) -> bool:
        """Set it to cancelled. False for one that has a note: that has to be cancelled first, by hand."""
        try:
            payload, asked_at = await self._order(external_id)
        except CallFailed as failed:
            gone(external_id, failed)
            return True
        now = self._words.status(payload, external_id, asked_at).stage
        if now == Stage.CANCELLED:
            return True
        if self._is_settled(payload, now):
            return False
        await self._set(external_id, situation_for(self.policy, Stage.CANCELLED))
        return True

    def states_told(self, order: OutgoingOrder) -> str:
        """Tiny's word for the order's stage, the merchant's own choice before the table's. Pure."""
        return told_for(self.policy, order.stage)

    async def move_order(self, external_id: str, order: OutgoingOrder) -> str:
        """Read where it stands, and move it on only if it is behind. What has a note is not cancelled."""
        wanted = situation_for(self.policy, order.stage)
        payload, asked_at = await self._order(external_id)
        now = self._words.status(payload, external_id, asked_at).stage
        if rank(now) >= rank(wanted.stage):
            return now
        if wanted.stage is Stage.CANCELLED and self._is_settled(payload, now):
            return now
        await self._set(external_id, wanted)
        return wanted.stage.value

    async def read_order(self, external_id: str) -> OrderStatus | Gone:
        """How one order stands now."""
        try:
            payload, asked_at = await self._order(external_id)
        except CallFailed as failed:
            return gone(external_id, failed)
        status = self._words.status(payload, external_id, asked_at)
        if status.told and not status.stage and status.told not in self._odd:
            self._odd.add(status.told)
            logger.warning("%s: unknown situation of an order: %.40s", self.http.system, status.told)
        return replace(status, stage=stage_meant(self.policy, status.told))

    def _is_settled(self, payload: Any, stage: str) -> bool:
        return bool(self._words.invoice_id(payload)) or is_further(stage, Stage.PREPARING)

    async def _see_integration(self, external_id: str, order: OutgoingOrder) -> None:
        """Once an opening, by the first order that it makes: whether Tiny has the integration that was chosen. No
        answer of a create says so; v3 lets an unknown one go without a word, and the store's number with it."""
        chosen = self.policy.ecommerce_id.strip()
        if not chosen or self._looked_at_integration:
            return
        self._looked_at_integration = True
        try:
            payload, _ = await self._order(external_id)
        except CallFailed as failed:  # the order is there, whatever this says; the next one is asked
            logger.warning("%s: order %s was not read after it was made: %s", self.http.system, external_id, failed)
            self._looked_at_integration = False
            return
        there = self._words.candidate(payload, external_id)
        is_tied = there.ecommerce == chosen and there.number == shop_number(order)
        self.integration = "known" if is_tied else "unknown"

    async def _find(self, order: OutgoingOrder, *, by_day: bool) -> Found | None:
        found: list[Candidate] = []
        if self.policy.ecommerce_id.strip() or not self.may_drop_numbers:
            found = await self._ours(await self._numbered(order), order)
        if not found and by_day:
            found = await self._ours(await self._of_the_day(order), order)
        return Found(found[0].external_id, not found[0].cancelled) if found else None

    async def _ours(self, external_ids: list[str], order: OutgoingOrder) -> list[Candidate]:
        """Those that are this order, the marked ones first."""
        mine = marked_as(mark(order))
        unknown = [one for one in external_ids if self._marked.get(one, mine) == mine]
        there = await self._candidates(newest(unknown)[:MOST_CANDIDATES])
        marked = [one for one in there if mark(order) in " ".join(one.notes.split())]
        return [*marked, *(one for one in there if is_ours(one, order, self.policy.ecommerce_id.strip()))]

    async def _candidates(self, external_ids: list[str]) -> list[Candidate]:
        """Details of orders."""
        found = []
        for external_id in external_ids:
            try:
                payload, _ = await self._order(external_id)
            except CallFailed as failed:
                gone(external_id, failed)
                continue
            there = self._words.candidate(payload, external_id)
            if record_id := marked_as(there.notes):
                self._marked[external_id] = record_id
            found.append(there)
        return found

    async def _the_other(self, order: OutgoingOrder, failed: CallFailed) -> Found:
        """The order that ours was refused for as its double. The rule behind that refusal is not told (`§3.8`), so it
        is success only where the other is the same order; a search that lags is given its time."""
        found = await self._found_in_time(order)
        if found is not None:
            return found
        if await self._numbered(order):
            words = f"{failed.detail}: o pedido de número {order.number} que está no Olist Tiny não é desta loja"
            raise failed.worded(words)
        raise CallFailed(
            Outcome.UNKNOWN, "taken", operation=failed.operation, code=failed.code, detail=failed.detail
        ) from None

    async def _found_in_time(self, order: OutgoingOrder) -> Found | None:
        """The order, looked for again once the search must show it."""
        found = await self._find(order, by_day=True)
        if found is None:
            await asyncio.sleep(self.search_lag_s)
            found = await self._find(order, by_day=True)
        return found

    # What each API does in its own way.

    async def _order(self, external_id: str) -> tuple[Any, datetime]:
        raise NotImplementedError

    async def _post(self, order: OutgoingOrder) -> str:
        raise NotImplementedError

    async def _numbered(self, order: OutgoingOrder) -> list[str]:
        """Ids of orders of exactly the store's number."""
        raise NotImplementedError

    async def _of_the_day(self, order: OutgoingOrder) -> list[str]:
        """Ids of the buyer's orders of those `days`, those left out that carry another number."""
        raise NotImplementedError

    async def _set(self, external_id: str, situation: Situation) -> None:
        raise NotImplementedError

    def _is_duplicate(self, failed: CallFailed) -> bool:
        raise NotImplementedError


class InvoicesOfTiny(OrdersToTiny):
    """Invoices out of Tiny."""

    longest_window_days = WATCH_DAYS

    async def list_invoices(self, first: date, last: date) -> AsyncIterator[list[InvoiceRow]]:
        """All notes issued between two days that went out, in whatever situation, page by page."""
        async for rows in self._invoices(first, last):
            found = [row for row in map(self._invoice_row, rows) if row is not None]
            if len(found) < len(rows):
                logger.warning("%d of %d notes of a listing have no id", len(rows) - len(found), len(rows))
            yield [row for row in found if row.access_key]

    async def find_invoice(self, external_id: str) -> InvoiceRow | Gone:
        """One note by its id, with the page that shows its DANFE where it has one."""
        try:
            payload = await self._invoice(external_id)
        except CallFailed as failed:
            return gone(external_id, failed)
        row = self._invoice_row(payload)
        return await self.linked(row) if row else Gone(external_id)

    async def linked(self, row: InvoiceRow) -> InvoiceRow:
        """With the page that shows its DANFE. That is given for a draft too (`§3.10`), and is worth nothing then."""
        if row.state != "authorised":
            return row
        try:
            return replace(row, link=await self._link(row.external_id))
        except CallFailed as failed:
            if failed.outcome is not Outcome.REJECTED:
                raise
            return row

    async def _invoice(self, external_id: str) -> Any:
        raise NotImplementedError

    async def _link(self, external_id: str) -> str:
        raise NotImplementedError

    def _invoice_row(self, payload: Any) -> InvoiceRow | None:
        raise NotImplementedError

    def _invoices(self, first: date, last: date) -> AsyncIterator[list[Any]]:
        raise NotImplementedError


def days(order: OutgoingOrder) -> tuple[date, date]:
    """The days among which an order is looked for: whether the filter means an order's own date or that of its creation
    is not certain (`/pedidos` of the OpenAPI says creation), so from the one to the other; with one more on each side
    for clocks that disagree at midnight."""
    return order.placed_on - timedelta(days=1), to_sao_paulo(utcnow()).date() + timedelta(days=1)


def is_within(payload: Any, first: date, last: date) -> bool:
    """Whether a note was issued between two days, both counted; one whose date cannot be read is not left out."""
    told = issued_on(payload)
    try:
        at = parse_br(told) if "/" in told else parse_iso_br(told)
    except ValueError:
        return True
    return at is None or first <= to_sao_paulo(at).date() <= last


def sku_refused(sku: str, found: int) -> CallFailed:
    """An item that v3 cannot take: it wants the product's own id (`§1`)."""
    if found:
        return rejected("GET /produtos", f"o Olist Tiny tem {found} produtos com o código {sku}; valeria um só")
    return rejected("GET /produtos", f"o Olist Tiny não tem produto com o código {sku or '(vazio)'}")
