"""Paid orders, from the store into an ERP: each exactly once, whoever runs it and however often."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from hub import outbox, selling
from hub.changes import Change
from hub.notices import Draft, raise_notices
from hub.orders import EDIT
from hub.records import OutgoingCustomer, OutgoingOrder, Problem
from hub.selling import NotSendableError, Sale
from hub.tables import Order
from providers.contract import Attempt, CallFailed, OrderSink, Outcome
from tasks import push, sending
from tasks.sending import Job
from tasks.tracking import tracked
from tasks.work import Work

KIND = "order"


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


async def _send_order(work: Work, job: Job) -> str:
    sale = await _read(work, job.record_id)
    known = sale.bound.get((KIND, job.record_id))
    if known is not None and _is_dead(sale):
        return await _take_back(work, job, sale, known.external_id)
    if known is not None:
        return await _nothing_to_do(work, job, sale)
    if job.attempt.get("order"):
        # Dead or not: what an earlier attempt left over there must be known before anything is decided, and before an
        # order that was spoilt meanwhile is refused.
        found = await _look(work, job, selling.order(sale, prove=False))
        if found is not None and _is_dead(sale):
            await _bind(work, job, found, _content(job, sale), ends=False)
            return await _take_back(work, job, sale, found)
        if found is not None:
            await _bind(work, job, found, _content(job, sale))
            return "created"
    if not _is_due(sale):
        return await _nothing_to_do(work, job, sale)
    return await _create(work, job, *await _outgoing(work, sale))


async def _create(work: Work, job: Job, sale: Sale, outgoing: OutgoingOrder) -> str:
    """Write down what the create will use, create, bind: a death or a lost answer in between can be looked into.

    Until here calls were made, in which the order may have been cancelled or edited. It is read for the last time in
    the transaction that writes the attempt down; who changes it after that finds an entry that is being sent.
    """
    sink: OrderSink = work.provider
    attempt = _attempt(job) or await sink.prepare_order(outgoing)
    async with work.commit() as session:
        now = await session.get(Order, sale.order.id)
        same = now is not None and now.content_hash == sale.order.content_hash
        is_same = same and _is_due(replace(sale, order=now))
        if is_same:
            noted = {"order": True, "content": sale.order.content_hash, **attempt.values}
            await sending.note_in(session, work, job, noted)
    if not is_same:
        return await _send_order(work, job)
    external_id = await sink.create_order(outgoing, attempt)
    await _bind(work, job, external_id, sale.order.content_hash)
    return "created"


async def _read(work: Work, order_id: str) -> Sale:
    async with work.db.read() as session:
        found = await selling.sale(session, work.connection.id, order_id)
    if found is None:
        raise NotSendableError("order.not_sent", [Problem("order", "unknown", order_id)])
    return found


async def _outgoing(work: Work, sale: Sale) -> tuple[Sale, OutgoingOrder]:
    """The order as it is to stand over there, its customer and its items there already.

    Making those takes calls, in which the order may have changed: it is read again after them.
    """
    while True:
        outgoing = selling.order(sale)  # proved before anybody is created for an order that cannot be sent
        unknown = [line.sku or line.name for line in sale.lines if line.product_id is None]
        if unknown:
            problems = [Problem("item", "unknown", sku) for sku in unknown]
            raise NotSendableError("order.not_sent", problems, number=sale.order.number)
        missing = sorted(
            {line.product_id or "" for line in sale.lines if not sale.ref("product", line.product_id or "")}
        )
        if outgoing.customer_ref and not missing:
            return sale, outgoing
        if not outgoing.customer_ref:
            await _make_customer(work, selling.customer(sale))
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
            if await selling.bound(session, work.connection.id, "customer", [wanted.record_id]):
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
            if failed.outcome is not Outcome.REJECTED:
                raise
            work.log.warning("%s: %s: not cancelled over there: %s", work.connection.id, job.record_id, failed.reason)
    async with work.commit() as session:
        await sending.settle(session, work, job, state="sent")
        if told:
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


async def _nothing_to_do(work: Work, job: Job, sale: Sale) -> str:
    """Not to be sent, or over there already; where that is another version of it, edited while it was being sent, the
    merchant is told as of any other edit."""
    known = sale.bound.get((KIND, sale.order.id))
    async with work.commit() as session:
        await sending.settle(session, work, job, state="skipped")
        await sending.cured(session, work, KIND, job.record_id)
        if known is not None and known.sent_hash != sale.order.content_hash:
            await _tell_of_edit(session, work, sale.order)
    return "skipped"


async def _tell_of_edit(session: AsyncSession, work: Work, order: Order) -> None:
    draft = Draft("order.edited", work.connection.id, EDIT, order.id, {"number": order.number})
    await raise_notices(session, work.connection.merchant_id, [draft])


async def _bind(work: Work, job: Job, external_id: str, content: str, *, ends: bool = True) -> None:
    """`content` is the hash of the order as it was sent: one edited meanwhile must not pass for the one over there.

    Settling gives the claim away, so it does not end what has something to be told still.
    """
    async with work.commit() as session:
        await sending.bind(session, work, KIND, job.record_id, external_id, content)
        if ends:
            await sending.settle(session, work, job, state="sent")
            await sending.cured(session, work, KIND, job.record_id)
            now = await session.get(Order, job.record_id)
            if now is not None and now.content_hash != content:
                await _tell_of_edit(session, work, now)


def _content(job: Job, sale: Sale) -> str:
    """The hash of what an earlier attempt sent."""
    return str(job.attempt.get("content") or sale.order.content_hash)


def _is_dead(sale: Sale) -> bool:
    return sale.order.state in ("cancelled", "refunded")


def _is_due(sale: Sale) -> bool:
    return not _is_dead(sale) and sale.order.payment_state == "paid"


def _attempt(job: Job) -> Attempt | None:
    values = {key: value for key, value in job.attempt.items() if key not in ("order", "content")}
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
    if (KIND, order.id) in sale.bound or order.payment_state != "paid":
        work.tally.unchanged += 1
        return
    told = (f"total: {outgoing.total}", f"items: {len(outgoing.items)}", f"instalments: {len(outgoing.instalments)}")
    work.changes.append(Change("create", "", "", order.number, told))
    work.tally.created += 1
