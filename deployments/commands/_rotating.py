"""Every encrypted value of the database brought under the newest key, page by page."""

import logging
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

import hub.tables  # noqa: F401 fills the metadata
from deployments.commands import _shown as shown
from deployments.commands._hub import opened
from hub import crypto
from hub.crypto import EncryptedJson, EncryptedText, SecretUnreadable
from hub.db import Database

PAGE = 500
_LOG = logging.getLogger("esteira.keys")


@dataclass
class Counts:
    """Values met in one column; `unreadable` are opened by none of the keys."""

    column: str
    values: int = 0
    rotated: int = 0
    unreadable: int = 0
    moved: int = 0
    """Changed by somebody else in between, and so under that process's newest key."""


@dataclass(frozen=True)
class Sealed:
    """A table with encrypted columns, seen with their tokens as plain text."""

    table: Any
    key: tuple[str, ...]
    columns: tuple[str, ...]
    counts: dict[str, Counts] = field(default_factory=dict)


async def run(*, as_json: bool) -> int:
    """Rotate every encrypted column. Returns the exit code: 1 when a value could not be read."""
    with shown.progress():
        async with opened() as db:
            found = [counts for sealed in sealed_tables() for counts in await rotate(db, sealed)]
    if as_json:
        shown.as_json({"columns": [vars(counts) for counts in found]})
    else:
        rows = [(one.column, one.values, one.rotated, one.moved, one.unreadable) for one in found]
        shown.table("Encrypted columns", ("column", "values", "rotated", "changed meanwhile", "unreadable"), rows)
    unreadable = sum(one.unreadable for one in found)
    if unreadable:
        shown.warn(
            f"{unreadable} values are opened by none of the keys: put back the key that they were written with, behind "
            "the newest one, and run this again"
        )
        return 1
    shown.warn("every value is under the newest key; once everything that runs was restarted with it, drop the others")
    return 0


def sealed_tables() -> list[Sealed]:
    """Every table that has an encrypted column, in the order of their names."""
    found = []
    for table in sorted(SQLModel.metadata.tables.values(), key=lambda one: one.name):
        columns = tuple(c.name for c in table.columns if isinstance(c.type, EncryptedText | EncryptedJson))
        if not columns:
            continue
        key = tuple(c.name for c in table.primary_key.columns)
        # A shadow of the table whose encrypted columns are mere text: tokens are moved about, nothing is decrypted.
        bare = [sa.column(name, table.c[name].type) for name in key] + [sa.column(name, sa.Text()) for name in columns]
        counts = {name: Counts(f"{table.name}.{name}") for name in columns}
        found.append(Sealed(sa.table(table.name, *bare), key, columns, counts))
    return found


async def rotate(db: Database, sealed: Sealed) -> list[Counts]:
    """Rotate one table. Each page is a transaction; what was done stays done, and is passed over the next time."""
    last: tuple[Any, ...] | None = None
    while True:
        async with db.write() as session:
            rows = await _page(session, sealed, last)
            for row in rows:
                await _rotate_row(session, sealed, row)
        if rows:
            last = tuple(rows[-1][: len(sealed.key)])
            done = ", ".join(f"{c.column} {c.rotated} of {c.values}" for c in sealed.counts.values())
            _LOG.info("rotated: %s", done)
        if len(rows) < PAGE:
            return list(sealed.counts.values())


async def _page(session: AsyncSession, sealed: Sealed, last: tuple[Any, ...] | None) -> list[Any]:
    key = [sealed.table.c[name] for name in sealed.key]
    query = sa.select(*key, *(sealed.table.c[name] for name in sealed.columns)).order_by(*key).limit(PAGE)
    if last is not None:
        query = query.where(sa.tuple_(*key) > sa.tuple_(*(sa.literal(v) for v in last)))
    return list(await session.execute(query))


async def _rotate_row(session: AsyncSession, sealed: Sealed, row: Any) -> None:
    width = len(sealed.key)
    here = [sealed.table.c[name] == value for name, value in zip(sealed.key, row[:width], strict=True)]
    for name, token in zip(sealed.columns, row[width:], strict=True):
        if token is None:
            continue
        counts = sealed.counts[name]
        counts.values += 1
        keyring = crypto.current()
        if not keyring.needs_rotation(token):
            continue
        try:
            new = keyring.rotate(token)
        except SecretUnreadable:
            counts.unreadable += 1
            continue
        column = sealed.table.c[name]
        # Only over the very token that was read: a refresh that stored a newer one in between must not be undone.
        written = await session.execute(
            sa.update(sealed.table).where(*here, column == token).values({name: new}).returning(column)
        )
        if written.first() is None:
            counts.moved += 1
        else:
            counts.rotated += 1
