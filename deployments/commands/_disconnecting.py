"""A connection taken down: the consent taken back where the system can be told, the credentials forgotten."""

from deployments.commands import _shown as shown
from deployments.commands._hub import find, opened
from deployments.errors import Fault
from hub import texts
from providers.accounts import disconnect
from providers.contract import CallFailed


async def run(connection_id: str, *, force: bool, as_json: bool) -> int:
    """Disconnect one connection. Returns the exit code; raises Fault where the system did not take it."""
    with shown.progress():
        async with opened() as db:
            connection = await find(db, connection_id)
            name = texts.system_label(connection.kind)
            try:
                told = await disconnect(db, connection, force=force)
            except CallFailed as failed:
                raise Fault(
                    f"{name} did not take the consent back ({failed}): run it again later, or forget the credentials "
                    "here with --force and end the consent at its screens"
                ) from failed
    if as_json:
        shown.as_json({"connection": connection_id, "revoked": told})
    else:
        how = f"its consent was taken back at {name}" if told else f"{name} could not be told: end the access there"
        print(f"{connection_id} is disconnected and its credentials are forgotten; {how}.")
    return 0
