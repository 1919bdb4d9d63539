"""Consents of shops that rest, kept alive."""

from prefect import flow

from tasks import keeping
from tasks.paths import run_name, run_path
from tasks.work import Summary


@flow(name="keep-alive", flow_run_name=run_name("keep-alive"), persist_result=False)
async def keep_alive(connection: str | None = None, dry_run: bool = False) -> list[Summary]:
    """Renew the tokens of every connection, or of the one named, that nobody has renewed for long: an unused consent
    ends after two weeks with TagPlus, after a day with Tiny's API v3, and the merchant would have to give it again.
    """
    return await run_path(
        "keep-alive", keeping.NEEDS, keeping.renew, connection, wanted=keeping.is_wanted, dry_run=dry_run
    )
