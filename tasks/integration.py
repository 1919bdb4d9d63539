"""The integration that a merchant chose for his orders: he is told where the vendor does not have it."""

from hub.notices import Draft, clear_notices, raise_notices
from providers.contract import OrderIntegration
from tasks.work import Work

KIND = "integration"


async def tell(work: Work) -> None:
    """Raise the notice, or clear it: known by the orders that this run has made, or as none is chosen any more.

    An order that goes without its integration is there, but Tiny tells nothing back of it and may not know the store's
    number of it. Nothing says so over there: the merchant would notice by what does not come.
    """
    if work.dry_run or not isinstance(work.provider, OrderIntegration):
        return
    chosen, state = work.policy.ecommerce_id.strip(), work.provider.integration
    connection = work.connection
    if chosen and state == "unknown":
        params = {"kind": connection.kind, "received": chosen}
        draft = Draft("order.integration_unknown", connection.id, KIND, params=params)
        async with work.commit() as session:
            await raise_notices(session, connection.merchant_id, [draft])
    elif not chosen or state == "known":
        async with work.commit() as session:
            await clear_notices(session, connection.merchant_id, connection.id, KIND)
