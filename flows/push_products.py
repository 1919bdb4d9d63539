"""Products from the store into the ERP, their prices under the merchant's % rule."""

import functools

from prefect import flow

from hub.tables import Connection
from tasks import push
from tasks.paths import run_name, run_path
from tasks.sending import overlapped
from tasks.work import Summary, Work


@flow(name="push-products", flow_run_name=run_name("push-products"), persist_result=False)
async def push_products(connection: str | None = None, dry_run: bool = False) -> list[Summary]:
    """Send every due connection, or the one named, the products and prices that wait for it.

    With `dry_run` nothing is sent: the log tells what would be, with the old price and the new one.
    """
    return await run_path("push-products", push.ProductSink, push_one, connection, wanted=_is_wanted, dry_run=dry_run)


async def push_one(work: Work) -> None:
    """Send what waits, batch by batch."""
    await overlapped(push.batches(work), functools.partial(push.send, work))


def _is_wanted(connection: Connection) -> bool:
    return bool({"product", "price", "stock"} & set(connection.features.get("takes", ())))
