"""Paid orders, from the store into an ERP: each exactly once, whoever runs it and however often."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence

from hub import outbox, selling
from hub.changes import Change
from hub.notices import Draft, raise_notices
from hub.records import OutgoingOrder, Problem
from hub.selling import NotSendableError
from hub.tables import Order
from providers.contract import Attempt, OrderSink
from tasks import push, sending
from tasks.sending import Job
from tasks.tracking import tracked
from tasks.work import Work, all_of

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
    # Two orders of one new customer in a batch must make one customer; two new orders of one new product, one product.
    turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def send_order(work: Work, job: Job) -> str:
        return await _send_order(work, job, turns)

    await sending.send_all(work, jobs, send_order, KIND)


async def _send_order(work: Work, job: Job, turns: defaultdict[str, asyncio.Lock]) -> str:
    async with work.db.read() as session:
        order = await session.get(Order, job.record_id)
        known = (await selling.bound(session, work.connection.id, KIND, [job.record_id])).get(job.record_id)
    if order is None:
        raise NotSendableError("order.not_sent", [Problem("order", "unknown", job.record_id)])
    dead = order.state in ("cancelled", "refunded")
    if known is not None:
        return await (_take_back(work, job, order, known.external_id) if dead else _nothing_to_do(work, job))
    if job.attempt.get("order"):
        # Dead or not: what an earlier attempt left over there must be known before anything is decided.
        outgoing = await _outgoing(work, order, turns)
        found = await _look(work, job, outgoing)
        if found is not None:
            await _bind(work, job, outgoing, found)
            return await _take_back(work, job, order, found) if dead else "created"
    if dead or order.payment_state != "paid":
        return await _nothing_to_do(work, job)
    return await _create(work, job, await _outgoing(work, order, turns))


async def _create(work: Work, job: Job, outgoing: OutgoingOrder) -> str:
    """Write down what the create will use, create, bind: a death or a lost answer in between can be looked into."""
    sink: OrderSink = work.provider
    attempt = _attempt(job) or await sink.prepare_order(outgoing)
    await sending.note(work, job, {"order": True, **attempt.values})
    external_id = await sink.create_order(outgoing, attempt)
    await _bind(work, job, outgoing, external_id)
    return "created"


async def _outgoing(work: Work, order: Order, turns: defaultdict[str, asyncio.Lock]) -> OutgoingOrder:
    """The order as it is to stand over there, its customer and its items there already."""
    async with work.db.read() as session:
        lines = await selling.items(session, order.id)
        # Proved before anybody is created for an order that cannot be sent.
        await selling.order(session, order, "", defaultdict(str))
    unknown = [line.sku or line.name for line in lines if line.product_id is None]
    if unknown:
        problems = [Problem("item", "unknown", sku) for sku in unknown]
        raise NotSendableError("order.not_sent", problems, number=order.number)
    customer = await _customer(work, order, turns)

    async def item(product_id: str) -> tuple[str, str]:
        async with turns[product_id]:
            try:
                return product_id, await push.ensure(work, product_id)
            except NotSendableError as refused:
                raise NotSendableError("order.not_sent", refused.problems, number=order.number) from refused

    refs = dict(await all_of([item(product_id) for product_id in {line.product_id or "" for line in lines}]))
    async with work.db.read() as session:
        return await selling.order(session, order, customer, refs)


async def _customer(work: Work, order: Order, turns: defaultdict[str, asyncio.Lock]) -> str:
    """Their id of the buyer: bound, found by document, or created once."""
    sink: OrderSink = work.provider
    async with work.db.read() as session:
        wanted = await selling.customer(session, order)
    async with turns[wanted.record_id]:
        async with work.db.read() as session:
            known = await selling.bound(session, work.connection.id, "customer", [wanted.record_id])
        if wanted.record_id in known:
            return known[wanted.record_id].external_id
        there = await sink.find_customers(wanted)
        external_id = there[0].external_id if there else await sink.create_customer(wanted)
        async with work.commit() as session:
            await sending.bind(session, work, "customer", wanted.record_id, external_id, "")
        return external_id


async def _look(work: Work, job: Job, outgoing: OutgoingOrder) -> str | None:
    sink: OrderSink = work.provider
    attempt = _attempt(job) or Attempt()
    found = await sink.find_order(outgoing, attempt)
    return found.external_id if found else None


async def _take_back(work: Work, job: Job, order: Order, external_id: str) -> str:
    """A sale that is over there was cancelled or refunded here: told as far as the ERP's API goes, asked of the
    merchant where it does not."""
    sink: OrderSink = work.provider
    turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
    outgoing = await _outgoing(work, order, turns)
    told = order.state == "cancelled" and await sink.cancel_order(external_id, outgoing)
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


async def _nothing_to_do(work: Work, job: Job) -> str:
    async with work.commit() as session:
        await sending.settle(session, work, job, state="skipped")
    return "skipped"


async def _bind(work: Work, job: Job, outgoing: OutgoingOrder, external_id: str) -> None:
    async with work.db.read() as session:
        order = await session.get(Order, outgoing.record_id)
    async with work.commit() as session:
        await sending.bind(session, work, KIND, job.record_id, external_id, order.content_hash if order else "")
        await sending.settle(session, work, job, state="sent")
        await sending.cured(session, work, KIND, job.record_id)


def _attempt(job: Job) -> Attempt | None:
    values = {key: value for key, value in job.attempt.items() if key != "order"}
    return Attempt(values) if job.attempt.get("order") else None


async def _show(work: Work, job: Job) -> None:
    async with work.db.read() as session:
        order = await session.get(Order, job.record_id)
        known = await selling.bound(session, work.connection.id, KIND, [job.record_id])
        if order is None:
            return
        try:
            outgoing = await selling.order(session, order, "", defaultdict(str))
        except NotSendableError as refused:
            fields = tuple(f"{problem.field}: {problem.received}" for problem in refused.problems)
            work.changes.append(Change("refuse", "", "", order.number, fields))
            work.tally.failed += 1
            return
    if known or order.payment_state != "paid":
        work.tally.unchanged += 1
        return
    told = (f"total: {outgoing.total}", f"items: {len(outgoing.items)}", f"instalments: {len(outgoing.instalments)}")
    work.changes.append(Change("create", "", "", order.number, told))
    work.tally.created += 1
