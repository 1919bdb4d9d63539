"""Orders from the store into the ERP, each exactly once, and how they move on."""

import functools

from prefect import flow

from hub.tables import Connection
from tasks import integration, orders
from tasks.paths import run_name, run_path
from tasks.sending import overlapped
from tasks.work import Summary, Work


@flow(name="export-orders", flow_run_name=run_name("export-orders"), persist_result=False)
async def export_orders(connection: str | None = None, dry_run: bool = False) -> list[Summary]:
    """Send every due connection, or the one named, its orders; tell it of those cancelled after, and how far they came.

    With `dry_run` nothing is sent: the log tells what would be.
    """
    return await run_path("export-orders", orders.OrderSink, export_one, connection, wanted=_is_wanted, dry_run=dry_run)


async def export_one(work: Work) -> None:
    """Send what waits, batch by batch."""
    await overlapped(orders.batches(work), functools.partial(orders.send, work))
    await integration.tell(work)


def _is_wanted(connection: Connection) -> bool:
    return "order" in connection.features.get("takes", ())
