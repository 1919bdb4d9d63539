"""Products, from the store into an ERP: find → post → bind, one record at a time, a batch a task.

A stock goes out where the ERP takes it and the store's word is the last (`hub.holding.to_tell`): what the store shows,
and on top of it what orders hold that the ERP has not got yet, as it takes those off by itself.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from hub import holding, lost, outbox, selling
from hub.changes import Change
from hub.clock import utcnow
from hub.money import brl
from hub.notices import Draft, raise_once
from hub.policy import Policy
from hub.records import OutgoingProduct, Problem
from hub.selection import is_selected
from hub.selling import Bound, NotSendableError
from providers.contract import CallFailed, Outcome, ProductSink
from tasks import sending
from tasks.sending import Job
from tasks.tracking import tracked
from tasks.work import Work

ALL_KINDS = ("product", "price", "stock")
STOCK_WAIT_S = 60.0
"""A stock that cannot be told, as an order of the product is on its way, is looked at again after this."""
KIND = "product"


async def batches(work: Work) -> AsyncIterator[list[Job]]:
    """What waits to be sent, batch by batch; a dry run looks and claims nothing."""
    if work.dry_run:
        async with work.db.read() as session:
            waiting = await outbox.waiting(session, work.connection, _kinds(work))
        yield [Job(record_id, ()) for record_id in waiting]
        return
    async for jobs in sending.claimed(work, _kinds(work)):
        yield jobs


@tracked("send products")
async def send(work: Work, jobs: Sequence[Job]) -> None:
    """Send a batch of products, or in a dry run show what would be sent."""
    if work.dry_run:
        async with work.db.read() as session:
            counted = set(await outbox.waiting(session, work.connection, ("stock",)))
        for job in jobs:
            await _show(work, job, counted=job.record_id in counted)
        return
    await sending.send_all(work, jobs, _send_product, KIND)


async def ensure(work: Work, record_id: str) -> str:
    """Their id of a product that something else needs (an order's item): sent now when it is not there yet.

    Raises CallFailed and NotSendableError.
    """
    if known := await _bound(work, record_id):
        return known.external_id
    sink: ProductSink = work.provider
    async with sending.out_of_turn(work, _kinds(work), record_id) as job:
        if known := await _bound(work, record_id):  # by the run that has just let go of it
            async with work.commit() as session:
                await sending.give_back(session, work, job)
            return known.external_id
        wanted = await _to_create(work, record_id)
        there = await _find(sink, wanted)
        if there is None:
            await sending.note(work, job, {"create": wanted.sku})
            external_id = await sink.create_product(wanted)
            await _done(work, sink, job, wanted, external_id, created=True)
            return external_id
        later = "pending" if await _is_wanted(work, record_id) else "skipped"
        async with work.commit() as session:  # brought up to date when its own turn comes
            await sending.bind(session, work, KIND, record_id, there, "")
            theirs = _keeps_its_stock(job, await selling.policy_of(session, work.connection.id))
            for entry in job.entries:
                state = "sent" if theirs and entry.kind == "stock" else later
                await outbox.settle(session, entry, work.held.holder, state=state)
            if later == "skipped":
                await sending.cured(session, work, KIND, record_id)
        return there


async def _bound(work: Work, record_id: str) -> Bound | None:
    async with work.db.read() as session:
        known = (await selling.bound(session, work.connection.id, KIND, [record_id])).get(record_id)
    return None if known is None or known.gone else known


def _kinds(work: Work) -> tuple[str, ...]:
    """Of the kinds of record about products, those that the system takes; its creates are noted under the first."""
    return tuple(kind for kind in ALL_KINDS if kind in work.provider.takes)


async def _to_create(work: Work, record_id: str) -> OutgoingProduct:
    """The product as it is to be over there, by what stands at this moment: read it after it was claimed."""
    async with work.db.read() as session:
        wanted = await selling.product(session, record_id, await selling.policy_of(session, work.connection.id))
        return await _with_stock(session, work, wanted, counted=True, creates=True)


async def _with_stock(
    session: AsyncSession, work: Work, wanted: OutgoingProduct, *, counted: bool, creates: bool
) -> OutgoingProduct:
    """The product with the stock that is to be told along with it, if any is.

    A balance is absolute: beside a new price it would undo what the ERP has sold since the balance was read from there.
    So it goes only where the store has counted; and at a create, where nobody else can have.
    """
    if creates:
        stock = await holding.whole(session, work.connection, wanted.record_id, wanted.stock)
    elif work.provider.stock_at_creation_only or (work.policy.pull_stock and not counted):
        stock = None
    else:
        stock = await holding.to_tell(session, work.connection, wanted.record_id, wanted.stock)
    return replace(wanted, stock=stock)


def _keeps_its_stock(job: Job, policy: Policy) -> bool:
    """Whether a product that was found by its SKU stays with the stock that it has there, which then comes back.

    The store's count is of before the two knew each other, and would put the shelf of the ERP to the store's number.
    What an earlier attempt of ours has left there has our stock already.
    """
    return policy.pull_stock and not job.attempt


def _has_counted(job: Job) -> bool:
    return any(entry.kind == "stock" for entry in job.entries)


async def _is_wanted(work: Work, record_id: str) -> bool:
    async with work.db.read() as session:
        return await _is_chosen(session, work, record_id, await selling.policy_of(session, work.connection.id))


async def _is_chosen(session: AsyncSession, work: Work, record_id: str, policy: Policy) -> bool:
    """Whether the merchant (still) wants it there: one may be taken off the selection while it is on its way."""
    return policy.send_mode != "selected" or await is_selected(session, work.connection.id, record_id)


async def _send_product(work: Work, job: Job) -> str:
    """Find, post, bind. What is bound and as it was last sent costs no call."""
    sink: ProductSink = work.provider
    async with work.db.read() as session:
        known = (await selling.bound(session, work.connection.id, KIND, [job.record_id])).get(job.record_id)
        policy = await selling.policy_of(session, work.connection.id)
        chosen = await _is_chosen(session, work, job.record_id, policy)
        # Not chosen any more, but it may have been made: then it is looked for, and bound if it was.
        wanted = None
        if chosen or (known is None and job.attempt):
            plain = await selling.product(session, job.record_id, policy)
            wanted = await _with_stock(session, work, plain, counted=_has_counted(job), creates=False)
    if wanted is None:
        return await _skip(work, job)
    theirs = _keeps_its_stock(job, policy)
    if known is None or known.gone:
        return await _first_time(work, sink, job, wanted, theirs=theirs, was_there=known is not None)
    ended = "unchanged"
    if known.sent_hash != _sent_hash(sink, wanted):
        asked_at = utcnow()
        try:
            await sink.update_product(known.external_id, wanted)
        except CallFailed as failed:
            if failed.outcome is not Outcome.REJECTED or failed.reason != "not_found":
                raise
            async with work.commit() as session:
                await lost.mark_products(session, work.connection, [known.external_id], asked_at)
            return await _first_time(work, sink, job, wanted, theirs=theirs, was_there=True)
        ended = "sent"
    await _done(work, sink, job, wanted, known.external_id)
    return ended


async def _first_time(
    work: Work, sink: ProductSink, job: Job, wanted: OutgoingProduct, *, theirs: bool, was_there: bool = False
) -> str:
    """A product with our SKU that is there already is bound and brought up to date, never doubled; its stock is
    `theirs` or ours.

    The look-up stands before every create, so it also finds what an earlier create left whose answer was lost. What
    `was_there` and was deleted is not made again by itself.
    """
    external_id = await _find(sink, wanted)
    if external_id is None and was_there:
        raise lost.refusal(wanted.sku)
    if external_id is None and not await _is_wanted(work, job.record_id):
        return await _skip(work, job)
    if external_id:
        wanted = replace(wanted, stock=None) if theirs else wanted
        await sink.update_product(external_id, wanted)
        await _done(work, sink, job, wanted, external_id, created=True, theirs=theirs)
        return "created"
    if not wanted.active:
        raise NotSendableError("product.not_sent", [Problem("product", "inactive", wanted.sku)], sku=wanted.sku)
    wanted = await _to_create(work, job.record_id)
    await sending.note(work, job, {"create": wanted.sku})
    external_id = await sink.create_product(wanted)
    await _done(work, sink, job, wanted, external_id, created=True)
    return "created"


async def _skip(work: Work, job: Job) -> str:
    async with work.commit() as session:
        await sending.settle(session, work, job, state="skipped")
        await sending.cured(session, work, KIND, job.record_id)
    return "skipped"


async def _find(sink: ProductSink, wanted: OutgoingProduct) -> str | None:
    there = await sink.find_products(wanted.sku)
    if len(there) > 1:
        ids = ", ".join(found.external_id for found in there)
        raise NotSendableError(
            "product.not_sent", [Problem("sku", "repeated", f"{wanted.sku} ({ids})")], sku=wanted.sku
        )
    return there[0].external_id if there else None


async def _done(
    work: Work,
    sink: ProductSink,
    job: Job,
    wanted: OutgoingProduct,
    external_id: str,
    *,
    created: bool = False,
    theirs: bool = False,
) -> None:
    connection = work.connection
    async with work.commit() as session:
        await sending.bind(session, work, KIND, job.record_id, external_id, _sent_hash(sink, wanted))
        await _settle(session, work, job, wanted, theirs=theirs)
        await sending.cured(session, work, KIND, job.record_id)
        if created and sink.stock_at_creation_only:
            draft = Draft("stock.at_creation_only", connection.id, "stock_policy", params={"kind": connection.kind})
            await raise_once(session, connection.merchant_id, draft)


async def _settle(session: AsyncSession, work: Work, job: Job, wanted: OutgoingProduct, *, theirs: bool) -> None:
    """Sent; but for a stock that an order has overtaken. One that stays `theirs` was not sent at all, and is not to be.

    One that was being sent when we looked, or began to be while we sent, may have been taken off before our balance
    arrived, which has put it back. What is right is known when that order has arrived, and is told then. Until it is,
    no balance that is read over there is believed (`unknown`).
    """
    for entry in job.entries:
        again = entry.kind == "stock" and not theirs and not await _stands(session, work, wanted)
        state, wait_s = ("unknown", STOCK_WAIT_S) if again else ("sent", None)
        await outbox.settle(session, entry, work.held.holder, state=state, wait_s=wait_s)


async def _stands(session: AsyncSession, work: Work, wanted: OutgoingProduct) -> bool:
    """Whether the stock over there is what it is to be, as far as we know at this moment."""
    if work.provider.stock_at_creation_only:
        return True
    if await holding.is_moving(session, work.connection, wanted.record_id):
        return False
    shown = await selling.stock_of(session, wanted.record_id)
    return await holding.to_tell(session, work.connection, wanted.record_id, shown) in (None, wanted.stock)


def _sent_hash(sink: ProductSink, wanted: OutgoingProduct) -> str:
    return selling.body_hash(sink.product_body(wanted, creates=False))


async def _show(work: Work, job: Job, *, counted: bool) -> None:
    sink: ProductSink = work.provider
    async with work.db.read() as session:
        try:
            plain = await selling.product(session, job.record_id, await selling.policy_of(session, work.connection.id))
        except NotSendableError as refused:
            fields = tuple(f"{problem.field}: {problem.reason}" for problem in refused.problems)
            work.changes.append(
                Change("refuse", "", refused.params.get("sku", ""), refused.params.get("name", ""), fields)
            )
            work.tally.failed += 1
            return
        known = (await selling.bound(session, work.connection.id, KIND, [job.record_id])).get(job.record_id)
        if known is not None and known.gone:
            work.changes.append(Change("refuse", "", plain.sku, plain.name, ("product: gone",)))
            work.tally.failed += 1
            return
        wanted = await _with_stock(session, work, plain, counted=counted, creates=known is None)
        store_price = await selling.store_price(session, job.record_id)
    if known is not None and known.sent_hash == _sent_hash(sink, wanted):
        work.tally.unchanged += 1
        return
    body = sink.product_body(wanted, creates=known is None)
    shown = tuple(f"{name}: {value}" for name, value in body.items())
    price = f"{brl(store_price)} → {brl(wanted.price)}"
    work.changes.append(
        Change(_op(known), known.external_id if known else "", wanted.sku, wanted.name, (price, *shown))
    )
    work.tally.changed += known is not None
    work.tally.created += known is None


def _op(known: Bound | None) -> str:
    return "create" if known is None else "update"
