"""What webhooks told, as soon as they tell it."""

from prefect import flow

from tasks.drain import drain
from tasks.paths import run_name
from tasks.work import Summary


@flow(name="drain-inbox", flow_run_name=run_name("drain-inbox"), persist_result=False)
async def drain_inbox(connection: str | None = None, dry_run: bool = False) -> list[Summary]:
    """Read the records that events told of, and stay until no more events come; of one connection, until it has none.

    With `dry_run` nothing is read or written: the log tells what would be.
    """
    return await drain(connection, dry_run=dry_run)
