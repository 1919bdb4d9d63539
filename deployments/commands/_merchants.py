"""Merchants, found by the name that ops type."""

from sqlalchemy import select
from sqlmodel import col

from deployments.errors import Fault
from hub.connections import slug
from hub.db import Database
from hub.tables import Merchant


async def find(db: Database, name: str) -> str:
    """The id of the merchant of that name. Raises Fault, which lists those there are."""
    wanted = _slug(name)
    async with db.read() as session:
        if await session.get(Merchant, wanted) is not None:
            return wanted
        ids = sorted((await session.execute(select(col(Merchant.id)))).scalars())
    there = ", ".join(ids) if ids else "none yet"
    raise Fault(
        f"--merchant received {name!r}; there are: {there}. A new one is made by: esteira token new --merchant NAME, "
        "or esteira connect"
    )


async def find_or_make(db: Database, name: str) -> tuple[str, bool]:
    """The id of the merchant of that name, made if there is none, and whether it was."""
    wanted = _slug(name)
    async with db.write() as session:
        if await session.get(Merchant, wanted) is not None:
            return wanted, False
        session.add(Merchant(id=wanted, name=name[:200]))
    return wanted, True


def _slug(name: str) -> str:
    try:
        return slug(name, longest=60)
    except ValueError as error:
        raise Fault(f"--merchant {error}") from error
