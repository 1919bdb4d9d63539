"""Orders, from the store into an ERP: each exactly once, whoever runs it and however often; and how they move on.

Which orders go, and whether their progress is told, the connection's policy says. An order that is over there and has
come no further here than was told either way costs no call.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from hub import lost, order_watch, outbox, progress, selling
from hub.changes import Change
from hub.clock import utcnow
from hub.notices import Draft, raise_notices, raise_once
from hub.orders import EDIT
from hub.records import OutgoingCustomer, OutgoingOrder, Problem
from hub.selling import Bound, NotSendableError, Sale
from hub.stages import Stage, further, is_further
from hub.tables import Order
from providers.contract import (
    Attempt,
    CallFailed,
    CatalogSource,
    Found,
    Gone,
    OrderSink,
    OrderStateSink,
    Outcome,
    ProductSink,
)
from tasks import order_states, push, sending
from tasks.sending import Job
from tasks.tracking import tracked
from tasks.work import Work

KIND = "order"
NOTED = ("order", "content", "stage")
"""What an attempt holds of ours, beside what the provider wants to find again."""


async def batches(work: Work) -> AsyncIterator[list[Job]]:
    """What waits to be sent, batch by batch; a dry run looks and claims nothing."""
    if work.dry_run:
        async with work.db.read() as session:
            waiting = await outbox.waiting(session, work.connection, (KIND,))
        yield [Job(record_id, ()) for record_id in waiting]
        return
    async for jobs in sending.claimed(work, (KIND,)):
        yield jobs


@tracked("send orders")
async def send(work: Work, jobs: Sequence[Job]) -> None:
    """Send a batch of orders, or in a dry run show what would be sent."""
    if work.dry_run:
        for job in jobs:
            await _show(work, job)
        return
    await sending.send_all(work, jobs, _send_order, KIND)


async def _send_order(work: Work, job: Job, *, again: bool = False) -> str:
    sale = await _read(work, job.record_id)
    known = sale.bound.get((KIND, job.record_id))
    if known is not None:
        return await _bring_up(work, job, sale, known)
    if job.attempt.get("order"):
        # Dead or not: what an earlier attempt left over there must be known before anything is decided, and before an
        # order that was spoilt meanwhile is refused.
        found = await _look(work, job, selling.order(sale, prove=False))
        if found is not None:
            sent_hash = str(job.attempt.get("content") or "")
            return await _take_up(work, job, sale, Bound(found, sent_hash or sale.order.content_hash, _told(work, job)))
    if not _is_due(work, sale):
        return await _end(work, job, sale, "skipped")
    sale, outgoing = await _outgoing(work, sale)
    try:
        return await _create(work, job, sale, outgoing)
    except CallFailed as failed:
        # Once: what was just found or made, and is not there either, is the vendor's fault and not to be made for ever.
        if again or not failed.missing or not await _is_lost(work, sale, failed.missing):
            raise
    return await _send_order(work, job, again=True)


def _told(work: Work, job: Job) -> str:
    """How far an order that was found has been told: it was left by an attempt of ours, but perhaps by one before the
    last, at an earlier stage. Where it can be brought up it is looked at; otherwise the attempt's word is taken, unless
    the order was there before the first."""
    return "" if _tells_states(work) or "there" in job.attempt else str(job.attempt.get("stage") or "")


async def _take_up(work: Work, job: Job, sale: Sale, there: Bound) -> str:
    """An order that was there already: bound with what is known of it, and brought to where it stands here."""
    await _bind(work, job, there, ends=False)
    await _bring_up(work, job, sale, there)
    return "created"


async def _bring_up(work: Work, job: Job, sale: Sale, there: Bound) -> str:
    """An order that is over there: bring it to where it stands here, if it is behind."""
    outgoing = selling.order(sale, prove=False)
    stage = outgoing.stage
    if not _is_behind(work, outgoing, there):
        return await _end(work, job, sale, "unchanged", there)
    if stage == Stage.CANCELLED:
        return await _take_back(work, job, sale, there.external_id)
    sink: OrderStateSink = work.provider
    word = sink.states_told(outgoing)
    if not word or word == sink.states_told(replace(outgoing, stage=there.told)):
        return await _end(work, job, sale, "unchanged", there, told=stage)
    try:
        stands_at = await sink.move_order(there.external_id, outgoing)
    except CallFailed as failed:
        if failed.outcome is not Outcome.REJECTED or failed.reason != "not_found":
            raise
        return await _gone(work, job, sale, there)
    return await _end(work, job, sale, "sent", there, told=further(stage, stands_at))


async def _gone(work: Work, job: Job, sale: Sale, there: Bound) -> str:
    """It was deleted over there, and its next step is the first to notice: the merchant is told, and nothing is sent of
    it any more."""
    async with work.commit() as session:
        await sending.settle(session, work, job, state="sent")
        await sending.cured(session, work, KIND, job.record_id)
        for one in await order_watch.bound(session, work.connection, [there.external_id]):
            await order_states.note_gone(session, work, one, sale.order.number)
    return "unchanged"


def _is_behind(work: Work, outgoing: OutgoingOrder, there: Bound) -> bool:
    """Whether there is anything to be told. A cancellation always is."""
    if there.gone or not is_further(outgoing.stage, there.told):
        return False
    return _tells_states(work) or outgoing.stage == Stage.CANCELLED


def _tells_states(work: Work) -> bool:
    return isinstance(work.provider, OrderStateSink) and work.policy.order_states in ("both", "to_erp")


async def _create(work: Work, job: Job, sale: Sale, outgoing: OutgoingOrder) -> str:
    """Write down what the create will use, create, bind: a death or a lost answer in between can be looked into.

    Until here calls were made, in which the order may have been cancelled or edited. It is read for the last time in
    the transaction that writes the attempt down; who changes it after that finds an entry that is being sent.
    """
    sink: OrderSink = work.provider
    attempt = _attempt(job) or await sink.prepare_order(outgoing)
    async with work.commit() as session:
        now = await session.get(Order, sale.order.id)
        is_same = (
            now is not None
            and now.content_hash == sale.order.content_hash
            and selling.stage(now) == outgoing.stage
            and _is_due(work, replace(sale, order=now))
        )
        if is_same:
            noted = {"content": sale.order.content_hash, "stage": str(outgoing.stage), **attempt.values}
            await sending.note_in(session, work, job, {"order": True, **noted})
    if not is_same:
        return await _send_order(work, job)
    created = await sink.create_order(outgoing, attempt)
    if isinstance(created, Found):
        # Nobody knows at which stage it was made: the hub may have been set back to a backup.
        return await _take_up(work, job, sale, Bound(created.external_id, sale.order.content_hash, ""))
    await _bind(work, job, Bound(created, sale.order.content_hash, outgoing.stage))
    return "created"


async def _read(work: Work, order_id: str) -> Sale:
    async with work.db.read() as session:
        found = await selling.sale(session, work.connection.id, order_id)
    if found is None:
        raise NotSendableError("order.not_sent", [Problem("order", "unknown", order_id)])
    return found


async def _outgoing(work: Work, sale: Sale) -> tuple[Sale, OutgoingOrder]:
    """The order as it is to stand over there, its customer and its items there already; but for a customer that goes
    within the order, and items that a system which takes no products knows by their SKU.

    Making those takes calls, in which the order may have changed: it is read again after them.
    """
    sink: OrderSink = work.provider
    makes_items = isinstance(work.provider, ProductSink)
    while True:
        outgoing = selling.order(sale)  # proved before anybody is created for an order that cannot be sent
        buyer = selling.customer(sale)
        unknown = [line.sku or line.name for line in sale.lines if makes_items and line.product_id is None]
        if unknown:
            problems = [Problem("item", "unknown", sku) for sku in unknown]
            raise NotSendableError("order.not_sent", problems, number=sale.order.number)
        wanted = {line.product_id or "" for line in sale.lines if makes_items}
        missing = sorted(product_id for product_id in wanted if not sale.is_there("product", product_id))
        has_buyer = sale.is_there("customer", buyer.record_id) or sink.customer_in_order
        if has_buyer and not missing:
            return sale, outgoing
        if not has_buyer:
            await _make_customer(work, buyer)
        made = [_make_product(work, product_id, sale.order.number) for product_id in missing]
        # Not `all_of`: it ends the others at the first refusal, and what they were creating would be there unbound.
        for ended in await asyncio.gather(*made, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended
        sale = await _read(work, sale.order.id)


async def _make_customer(work: Work, wanted: OutgoingCustomer) -> None:
    """The buyer, found over there by document or created, once."""
    sink: OrderSink = work.provider
    async with work.turns[wanted.record_id]:
        async with work.db.read() as session:
            known = await selling.bound(session, work.connection.id, "customer", [wanted.record_id])
            if any(not there.gone for there in known.values()):
                return
        async with sending.out_of_turn(work, ("customer",), wanted.record_id) as job:
            there = await sink.find_customers(wanted)
            if there:
                external_id = there[0].external_id
            else:
                await sending.note(work, job, {"create": "customer"})
                external_id = await sink.create_customer(wanted)
            async with work.commit() as session:
                await sending.bind(session, work, "customer", wanted.record_id, external_id, "")
                await sending.settle(session, work, job, state="sent")


async def _is_lost(work: Work, sale: Sale, kind: str) -> bool:
    """An order was refused, as its buyer or an item is not over there any more: noted, so that the next send looks for
    it, or makes it. False where it cannot be told which."""
    if kind == "customer" and sale.order.customer_id:
        async with work.commit() as session:
            await lost.mark_customer(session, work.connection, sale.order.customer_id)
        return True
    if kind != "product" or not isinstance(work.provider, CatalogSource):
        return False
    asked_at = utcnow()
    ids = sorted({sale.ref("product", line.product_id or "") for line in sale.lines} - {""})
    readings = [await work.provider.read_product(external_id) for external_id in ids]
    gone = [reading.external_id for reading in readings if isinstance(reading, Gone)]
    async with work.commit() as session:
        await lost.mark_products(session, work.connection, gone, asked_at)
    return bool(gone)


async def _make_product(work: Work, product_id: str, number: str) -> None:
    async with work.turns[product_id]:
        try:
            await push.ensure(work, product_id)
        except NotSendableError as refused:
            raise NotSendableError("order.not_sent", refused.problems, number=number) from refused


async def _look(work: Work, job: Job, outgoing: OutgoingOrder) -> str | None:
    sink: OrderSink = work.provider
    attempt = _attempt(job) or Attempt()
    found = await sink.find_order(outgoing, attempt)
    return found.external_id if found else None


async def _take_back(work: Work, job: Job, sale: Sale, external_id: str) -> str:
    """A sale that is over there was cancelled or refunded here: told as far as the ERP's API goes, asked of the
    merchant where it does not."""
    sink: OrderSink = work.provider
    order = sale.order
    told = False
    if order.state == "cancelled":
        try:
            told = await sink.cancel_order(external_id, selling.order(sale, prove=False))
        except CallFailed as failed:
            if failed.outcome is not Outcome.REJECTED or sending.is_of_all(failed):
                raise
            work.log.warning("%s: %s: not cancelled over there: %s", work.connection.id, job.record_id, failed.reason)
    async with work.commit() as session:
        await sending.settle(session, work, job, state="sent")
        if told:
            await progress.note_told(session, work.connection.id, job.record_id, Stage.CANCELLED)
            await sending.cured(session, work, KIND, job.record_id)
        else:
            draft = Draft(
                f"order.tell_{order.state}",
                work.connection.id,
                KIND,
                job.record_id,
                {"number": order.number, "kind": work.connection.kind},
            )
            await raise_notices(session, work.connection.merchant_id, [draft])
    return "sent"


async def _end(work: Work, job: Job, sale: Sale, did: str, there: Bound | None = None, *, told: str = "") -> str:
    """Not to be sent, or over there as far as it can be told. Where that is another version of it, edited while it was
    being sent, the merchant is told as of any other edit; but once, as this comes by with every later step of it.
    """
    async with work.commit() as session:
        await sending.settle(session, work, job, state="skipped" if there is None else "sent")
        await sending.cured(session, work, KIND, job.record_id)
        if told:
            await progress.note_told(session, work.connection.id, job.record_id, told)
        if there is not None and there.sent_hash != sale.order.content_hash and not _is_dead(sale):
            await raise_once(session, work.connection.merchant_id, _edited(work, sale.order))
    return did


def _edited(work: Work, order: Order) -> Draft:
    return Draft("order.edited", work.connection.id, EDIT, order.id, {"number": order.number})


async def _bind(work: Work, job: Job, there: Bound, *, ends: bool = True) -> None:
    """Its hash is of the order as it was sent: one edited meanwhile must not pass for the one over there.

    Settling gives the claim away, so it does not end what has something to be told still.
    """
    async with work.commit() as session:
        await sending.bind(session, work, KIND, job.record_id, there.external_id, there.sent_hash)
        await progress.note_told(session, work.connection.id, job.record_id, there.told)
        if ends:
            await sending.settle(session, work, job, state="sent")
            await sending.cured(session, work, KIND, job.record_id)
            now = await session.get(Order, job.record_id)
            if now is not None and now.content_hash != there.sent_hash:
                await raise_notices(session, work.connection.merchant_id, [_edited(work, now)])


def _is_dead(sale: Sale) -> bool:
    return sale.order.state in ("cancelled", "refunded")


def _is_due(work: Work, sale: Sale) -> bool:
    if _is_dead(sale) or work.policy.orders == "none":
        return False
    return work.policy.orders == "all" or sale.order.payment_state == "paid"


def _attempt(job: Job) -> Attempt | None:
    values = {key: value for key, value in job.attempt.items() if key not in NOTED}
    return Attempt(values) if job.attempt.get("order") else None


async def _show(work: Work, job: Job) -> None:
    sale = await _read(work, job.record_id)
    order = sale.order
    try:
        outgoing = selling.order(sale)
    except NotSendableError as refused:
        fields = tuple(f"{problem.field}: {problem.received}" for problem in refused.problems)
        work.changes.append(Change("refuse", "", "", order.number, fields))
        work.tally.failed += 1
        return
    there = sale.bound.get((KIND, order.id))
    if there is not None and _is_behind(work, outgoing, there):
        stage = f"stage: {there.told or 'unknown'} → {outgoing.stage}"
        work.changes.append(Change("update", there.external_id, "", order.number, (stage,)))
        work.tally.changed += 1
        return
    if there is not None or not _is_due(work, sale):
        work.tally.unchanged += 1
        return
    told = (
        f"total: {outgoing.total}",
        f"items: {len(outgoing.items)}",
        f"instalments: {len(outgoing.instalments)}",
        f"stage: {outgoing.stage}",
    )
    work.changes.append(Change("create", "", "", order.number, told))
    work.tally.created += 1
