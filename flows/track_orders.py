"""How orders that were sent move on over there, into the store and to its other systems; and buyers told by e-mail."""

from prefect import flow

from hub.policy import Policy
from hub.tables import Connection
from tasks import mailing, order_states
from tasks.paths import run_name, run_path
from tasks.work import Summary, Work


@flow(name="track-orders", flow_run_name=run_name("track-orders"), persist_result=False)
async def track_orders(connection: str | None = None, dry_run: bool = False) -> list[Summary]:
    """Read how the orders stand that were sent to every due connection, or the one named; then send the e-mails that
    are due, of all merchants.

    With `dry_run` nothing is written or sent: the log tells what would be.
    """
    try:
        return await run_path(
            "track-orders", order_states.OrderStateSource, track_one, connection, wanted=_is_wanted, dry_run=dry_run
        )
    finally:
        if not dry_run:
            await mailing.send_due()


async def track_one(work: Work) -> None:
    """Read what has changed, batch by batch."""
    async for batch in order_states.batches(work):
        await order_states.read_batch(work, batch)


def _is_wanted(connection: Connection) -> bool:
    return Policy.model_validate(connection.policy).order_states in ("both", "from_erp")
