"""What webhooks told, seen to: joined by record, read from the vendor, applied; and each event's end written down."""

import traceback
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from hub import connections, inbox, worklist
from hub.bindings import bound_of, never_counted
from hub.inbox import Taken
from hub.leases import LeaseLostError
from hub.notices import Draft, clear_notices, raise_notices
from hub.outbox import waiting
from hub.policy import Policy
from providers.contract import (
    CallFailed,
    CatalogSource,
    Hint,
    InvoiceSource,
    OrderStateSource,
    Outcome,
    StockSource,
    Subject,
    UnreadableEventError,
)
from providers.registry import KINDS
from tasks import catalog, invoices, order_states, stock
from tasks.catalog import Batch
from tasks.sending import is_of_all
from tasks.stock import StockBatch
from tasks.work import Work, is_withdrawn

AT_ONCE = 200
"""Events taken out together: so many deaths' worth of work is done again."""
MOST_TRIES = inbox.MOST_TRIES
AWAY_TRIES = MOST_TRIES + 14
"""How often a record is read whose vendor answers with an error: for eight hours, the last ones half an hour apart."""
EARLY_TRIES = 6
"""How often a record is looked for that is not there yet: an event may come before the vendor's own reading shows what
it tells of. What is missing after these 49 s is not coming. (An order of ours that is on its way is waited for longer.)
"""
IN_A_ROW = 3
"""After so many records that end in an error, one after the other, it is the vendor and none of them."""
AWAY = frozenset(("unreachable", "unknown_host", "timeout", "maintenance"))
"""Reasons that say nothing about the record that was asked for."""
NO_RECORDS_FAULT = (LeaseLostError, OperationalError, InterfaceError, PoolTimeoutError, OSError)
"""Ends the batch, which the next drain takes up: the lease went to another, or our own database is away."""
NOTICE = "inbox"
NOTHING = "tells of nothing that is followed here"

Read = Callable[[Work, Sequence[str]], Awaitable[dict[str, str]]]
"""Reads records and applies them; returns those that are not `done`, with `unknown` (not ours, so far) or `later`."""


@dataclass
class Joined:
    """The events of one batch by what they are about: ten events about one product are one reading of it."""

    by_hint: dict[Hint, list[Taken]] = field(default_factory=dict)
    ignored: list[Taken] = field(default_factory=list)
    unreadable: list[tuple[Taken, str]] = field(default_factory=list)

    def ids(self, subject: Subject) -> list[str]:
        """Their ids of the records of one kind, in the order in which they were told of."""
        return [hint.external_id for hint in self.by_hint if hint.subject is subject]

    def of(self, subject: Subject, external_ids: Iterable[str]) -> list[Taken]:
        """The events about these records, each once."""
        found = {e.id: e for id_ in external_ids for e in self.by_hint.get(Hint(subject, id_), ())}
        return list(found.values())


async def see_to(work: Work, *, first: bool = False) -> int:
    """Take due events of one connection and see to them; returns how many there were.

    `first` puts back what an earlier drain of this connection left when it died. Raises CallFailed for what is the
    whole connection's matter; then the events wait.
    """
    async with work.commit() as session:
        if first:
            await inbox.recover(session, work.connection)
        # A drain lives for hours: the merchant may have changed the policy, or switched the connection off.
        now = await connections.find(session, work.connection.id)
        if now.state in connections.OFF:
            return 0
        work.policy = Policy.model_validate(now.policy)
        events = await inbox.take(session, work.connection, limit=AT_ONCE)
    if events:
        await _see_to(work, events)
    return len(events)


def join(kind: str, events: Sequence[Taken]) -> Joined:
    """Read the events and join those about the same record. Pure."""
    webhooks = KINDS[kind].webhooks
    joined = Joined()
    for event in events:
        try:
            told = webhooks.read(event.topic, event.body, event.media_type) if webhooks else None
        except UnreadableEventError as error:
            joined.unreadable.append((event, str(error)))
            continue
        if told is None or not told.hints:
            joined.ignored.append(event)
            continue
        for hint in told.hints:
            joined.by_hint.setdefault(hint, []).append(event)
    return joined


async def _see_to(work: Work, events: Sequence[Taken]) -> None:
    joined = join(work.connection.kind, events)
    ends = Ends()
    for event, why in joined.unreadable:
        ends.add(event, "failed", why)
    for event in joined.ignored:
        ends.add(event, "ignored", NOTHING)
    refused: CallFailed | None = None
    for subject, read in _readers(work):
        ids = joined.ids(subject)
        if ids and (refused is None or is_withdrawn(refused)):
            try:
                await _read_some(work, ends, joined, subject, read, ids)
                continue
            except CallFailed as failed:
                # The token is refused, or the account owes: nothing of this connection can be read, and no event is to
                # blame. Where only a permission is missing, records of another kind may be read all the same.
                refused = failed
        for event in joined.of(subject, ids):
            ends.add(event, "shut", str(refused))
    for event in events:
        if event.id not in ends.of:
            ends.add(event, "ignored", "the policy does not follow this")
    await _write(work, ends)
    if refused is not None:
        raise refused


@dataclass
class Ends:
    """How each event ended. One about several records ends as the worst of them."""

    of: dict[str, tuple[str, Taken, str]] = field(default_factory=dict)
    """Event id → (end, event, why)."""

    def add(self, event: Taken, end: str, why: str = "") -> None:
        """It ended so, unless it ended worse already."""
        known = self.of.get(event.id)
        if known is None or _WORSE.index(end) > _WORSE.index(known[0]):
            self.of[event.id] = (end, event, why)

    def again(self, event: Taken, why: str, *, most: int = MOST_TRIES, gives_up: str = "failed") -> None:
        """To be tried again; after so many tries it is given up."""
        self.add(event, "later" if event.attempts + 1 < most else gives_up, why)

    def groups(self) -> dict[tuple[str, str], list[Taken]]:
        """Events by (end, why)."""
        found: dict[tuple[str, str], list[Taken]] = {}
        for end, event, why in self.of.values():
            found.setdefault((end, why), []).append(event)
        return found


_WORSE = ("ignored", "done", "shut", "later", "failed")


async def _write(work: Work, ends: Ends) -> None:
    """Write every end down, with a notice where anything failed; it goes when nothing that failed is left."""
    connection, extra = work.connection, work.tally.extra
    async with work.commit() as session:
        for (end, said), events in ends.groups().items():
            if end in ("later", "shut"):
                await inbox.put_off(session, events, said, counted=end == "later")
            else:
                await inbox.finish(session, [event.id for event in events], end, said)
            extra[end] = extra.get(end, 0) + len(events)
            work.tally.failed += len(events) if end == "failed" else 0
        failed = await inbox.count_failed(session, connection.id)
        if failed:
            draft = Draft("inbox.failed", connection.id, NOTICE, params={"kind": connection.kind, "count": failed})
            await raise_notices(session, connection.merchant_id, [draft])
        else:
            await clear_notices(session, connection.merchant_id, connection.id, NOTICE)


async def _read_some(
    work: Work, ends: Ends, joined: Joined, subject: Subject, read: Read, ids: Sequence[str]
) -> CallFailed | None:
    """Read records of one kind together; when that breaks, one by one, so that only the one to blame is put aside.

    Returns the vendor's error about one record. Raises CallFailed for what is the whole connection's matter.
    """
    try:
        left = await read(work, ids)
    except CallFailed as failed:
        if is_of_all(failed) or is_withdrawn(failed) or failed.reason in AWAY:
            raise
        if len(ids) > 1:
            await _one_by_one(work, ends, joined, subject, read, ids)
            return None
        most = MOST_TRIES if failed.outcome is Outcome.REJECTED else AWAY_TRIES
        for event in joined.of(subject, ids):
            ends.again(event, f"{subject}: {failed}", most=most)
        return failed
    except NO_RECORDS_FAULT:
        raise
    except Exception as bug:  # noqa: BLE001 whatever a record does to us, the others go on
        if len(ids) > 1:
            await _one_by_one(work, ends, joined, subject, read, ids)
            return None
        # Its text may hold anything of the record; where it was raised is enough to find it.
        at = traceback.extract_tb(bug.__traceback__)[-1]
        where = f"{type(bug).__name__} at {Path(at.filename).name}:{at.lineno}"
        work.log.error("%s: %s %s: %s", work.connection.id, subject, ids[0], where)
        for event in joined.of(subject, ids):
            ends.again(event, f"{subject}: {where}")
    else:
        _note(ends, joined, subject, ids, left)
    return None


async def _one_by_one(work: Work, ends: Ends, joined: Joined, subject: Subject, read: Read, ids: Sequence[str]) -> None:
    """Read records alone. A vendor that answers nothing but errors is not asked for all of them."""
    errors = 0
    for external_id in ids:
        failed = await _read_some(work, ends, joined, subject, read, [external_id])
        errors = errors + 1 if failed is not None and failed.outcome is not Outcome.REJECTED else 0
        if failed is not None and errors == IN_A_ROW:
            raise failed


def _note(ends: Ends, joined: Joined, subject: Subject, ids: Sequence[str], left: dict[str, str]) -> None:
    """Write down how records that were read ended, as `Read` says."""
    for event in joined.of(subject, [id_ for id_ in ids if id_ not in left]):
        ends.add(event, "done")
    for external_id, why in left.items():
        for event in joined.of(subject, [external_id]):
            if why == "not_ours":
                ends.add(event, "ignored", f"{subject}: of no order of this shop")
            else:  # an order that is on its way is bound within a few runs, or given up
                most = MOST_TRIES if why == "unknown" else EARLY_TRIES
                ends.again(event, f"{subject}: not there yet", most=most, gives_up="ignored")


def _readers(work: Work) -> list[tuple[Subject, Read]]:
    """What this connection follows, in the order in which one thing leads to another."""
    policy, provider = work.policy, work.provider
    found: list[tuple[Subject, Read]] = []
    if isinstance(provider, CatalogSource) and (policy.pull_products or policy.pull_prices):
        found.append((Subject.PRODUCT, _products))
    if isinstance(provider, StockSource) and policy.pull_stock:
        found.append((Subject.STOCK, _balances))
    if isinstance(provider, OrderStateSource) and policy.order_states in ("both", "from_erp"):
        found.append((Subject.ORDER, _orders))
    if isinstance(provider, InvoiceSource) and policy.pull_invoices:
        found.append((Subject.INVOICE, _invoices))
    return found


async def _products(work: Work, ids: Sequence[str]) -> dict[str, str]:
    """A product that is new is read with its balance: nobody tells of one that never moved."""
    async with work.db.read() as session:
        known = await bound_of(session, work.connection, ids)
    gone = await catalog.take(work, Batch(tuple(ids)))
    await catalog.link(work)
    async with work.db.read() as session:
        new = await never_counted(session, work.connection, ids)
    if new and work.policy.pull_stock and isinstance(work.provider, StockSource):
        await stock.take(work, StockBatch(tuple(new)))
    # One that we never had is not deleted: it is so new that it is not shown yet.
    return {external_id: "later" for external_id in gone if external_id not in known}


async def _balances(work: Work, ids: Sequence[str]) -> dict[str, str]:
    """A balance, and those of the kits that it is a component of, which the vendor tells nobody of."""
    await stock.take(work, StockBatch(tuple(ids)))
    async with work.db.read() as session:
        kits = await worklist.waiting(session, work.connection, stock.STREAM)
    if kits:
        await stock.take(work, StockBatch(tuple(kits[:AT_ONCE]), from_worklist=True))
    return {}


async def _orders(work: Work, ids: Sequence[str]) -> dict[str, str]:
    under_way = await _orders_under_way(work)
    return _sorted(await order_states.take(work, ids), under_way=under_way)


async def _invoices(work: Work, ids: Sequence[str]) -> dict[str, str]:
    under_way = await _orders_under_way(work)
    return _sorted(await invoices.take_events(work, ids), under_way=under_way)


async def _orders_under_way(work: Work) -> bool:
    """Whether an order of ours may be over there already without our having written it down. Asked before the reading:
    one that is bound in between is found by it."""
    async with work.db.read() as session:
        return bool(await waiting(session, work.connection, ("order",)))


def _sorted(ended: dict[str, str], *, under_way: bool) -> dict[str, str]:
    """What is unknown may be the order that is being sent at this moment; with none on its way it is not ours."""
    left = {external_id: how for external_id, how in ended.items() if how != "done"}
    return {id_: "not_ours" if how == "unknown" and not under_way else how for id_, how in left.items()}
