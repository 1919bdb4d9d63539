"""Balances from the ERP into the store."""

from prefect import flow

from hub.policy import Policy
from hub.tables import Connection
from tasks import stock
from tasks.paths import run_name, run_path
from tasks.work import Summary, Work


@flow(name="pull-stock", flow_run_name=run_name("pull-stock"), persist_result=False)
async def pull_stock(connection: str | None = None, dry_run: bool = False) -> list[Summary]:
    """Bring the balances of every due connection, or of the one named, into the store.

    With `dry_run` nothing is written: the log tells what would be.
    """
    return await run_path("pull-stock", stock.StockSource, pull_one, connection, wanted=_is_wanted, dry_run=dry_run)


async def pull_one(work: Work) -> None:
    """Read what has moved and what was not read for long."""
    async for batch in stock.batches(work):
        await stock.take(work, batch)


def _is_wanted(connection: Connection) -> bool:
    return Policy.model_validate(connection.policy).pull_stock
