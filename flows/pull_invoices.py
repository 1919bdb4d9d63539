"""Invoices from the ERP into the store."""

from prefect import flow

from hub.policy import Policy
from hub.tables import Connection
from tasks import invoices
from tasks.paths import run_name, run_path
from tasks.work import Summary, Work


@flow(name="pull-invoices", flow_run_name=run_name("pull-invoices"), persist_result=False)
async def pull_invoices(connection: str | None = None, dry_run: bool = False) -> list[Summary]:
    """Bring the invoices of exported orders from every due connection, or from the one named, into the store.

    With `dry_run` nothing is written: the log tells what would be.
    """
    return await run_path(
        "pull-invoices", invoices.InvoiceSource, pull_one, connection, wanted=_is_wanted, dry_run=dry_run
    )


async def pull_one(work: Work) -> None:
    """Look for the notes of orders that have none, and at those that changed or left the list."""
    async for batch in invoices.batches(work):
        await invoices.take(work, batch)


def _is_wanted(connection: Connection) -> bool:
    """Where orders go, invoices come from; an ERP that only gives products has none of our orders."""
    return "order" in connection.features.get("takes", ()) and Policy.model_validate(connection.policy).pull_invoices
