"""All product mappings of a connection forgotten, so that they are made anew."""

import contextlib

import typer

from deployments.commands import _shown as shown
from deployments.commands._hub import find, opened
from deployments.errors import Fault
from hub import bindings
from hub.leases import lease

PATHS = ("pull-catalog", "pull-stock", "push-products")
"""The paths that write product mappings: one that is under way would make them while they are deleted."""


async def run(connection_id: str, *, yes: bool, dry_run: bool, as_json: bool) -> int:
    """Delete the mappings of one connection. Returns the exit code."""
    async with opened() as db, contextlib.AsyncExitStack() as leases:
        connection = await find(db, connection_id)
        async with db.read() as session:
            counted = await bindings.mappings(session, connection)
        if not dry_run:
            if not yes:
                _ask(counted)
            for path in PATHS:
                if await leases.enter_async_context(lease(db, f"{path}:{connection.id}")) is None:
                    raise Fault(f"{path} of {connection.id} is running: wait for its end and run this again")
            async with db.write() as session:
                counted = await bindings.forget_mappings(session, connection)
    if as_json:
        shown.as_json({"connection": connection_id, "deleted": not dry_run, **counted._asdict()})
        return 0
    verb = "would be deleted" if dry_run else "deleted"
    shown.say(f"{counted.products} mappings {verb}, {counted.held} refused records forgotten")
    if not dry_run:
        shown.say(f"the next pull matches anew, or now: esteira sync pull-catalog --connection {connection_id}")
    return 0


def _ask(counted: bindings.Mappings) -> None:
    """Raises Fault when the answer is no, or when nobody is there to ask."""
    lost = f"; {counted.unmatchable} have neither SKU nor GTIN and will come as new ones" if counted.unmatchable else ""
    try:
        agreed = typer.confirm(f"Delete {counted.products} product mappings{lost}?", err=True)
    except typer.Abort:
        raise Fault("nobody answered: --yes deletes without asking") from None
    if not agreed:
        raise Fault("nothing was deleted")
