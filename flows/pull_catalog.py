"""Products from the ERP into the store."""

from prefect import flow

from hub import repricing
from hub.policy import Policy
from hub.tables import Connection
from tasks import catalog
from tasks.paths import run_name, run_path
from tasks.work import Summary, Work


@flow(name="pull-catalog", flow_run_name=run_name("pull-catalog"), persist_result=False)
async def pull_catalog(connection: str | None = None, dry_run: bool = False) -> list[Summary]:
    """Bring the products of every due connection, or of the one named, into the store; or their prices alone.

    With `dry_run` nothing is written: the log tells what would be.
    """
    return await run_path(
        "pull-catalog", catalog.CatalogSource, pull_one, connection, wanted=_is_wanted, dry_run=dry_run
    )


async def pull_one(work: Work) -> None:
    """Read what is new or changed, page by page, and tie up what belongs together."""
    async for batch in catalog.batches(work):
        await catalog.take(work, batch)
    await catalog.link(work)


def _is_wanted(connection: Connection) -> bool:
    policy = Policy.model_validate(connection.policy)
    return policy.pull_products or repricing.is_wanted(policy)
