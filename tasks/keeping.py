"""Consents kept alive: tokens that end when nobody uses them, renewed while nobody does."""

from hub.tables import Connection
from providers.accounts import keep_alive
from providers.contract import Provider
from providers.registry import kind
from tasks.work import Work

NEEDS = Provider


def is_wanted(connection: Connection) -> bool:
    """Whether its system lets an unused consent end."""
    app = kind(connection.kind).app
    return app is not None and app().refresh_after is not None


async def renew(work: Work) -> None:
    """Renew the tokens of one connection, if nobody has for as long as its system says. A dry run leaves them."""
    work.tally.read = 1
    if not work.dry_run and await keep_alive(work.db, work.connection):
        work.tally.changed = 1
    else:
        work.tally.unchanged = 1
