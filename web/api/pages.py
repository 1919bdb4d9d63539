"""Lists in pages: a cursor says after which row the next page begins, so rows that come meanwhile shift nothing."""

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query
from sqlalchemy import Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from web.api.problems import ProblemError

T = TypeVar("T")
_ID = re.compile(r"[0-9a-f]{32}")

Limit = Annotated[int, Query(ge=1, le=200, description="rows on a page")]
CursorText = Annotated[str | None, Query(max_length=80, description="`next_cursor` of the page before")]


async def page(
    session: AsyncSession, query: Select[tuple[T]], model: Any, limit: int, cursor: str | None
) -> tuple[Sequence[T], str | None]:
    """One page of rows by age, and the cursor of the next page; None on the last. Raises ProblemError."""
    if cursor is not None:
        query = query.where(col(model.id) > _after(cursor))
    rows = (await session.execute(query.order_by(col(model.id)).limit(limit + 1))).scalars().all()
    if len(rows) <= limit:
        return rows, None
    last: Any = rows[limit - 1]
    return rows[:limit], base64.urlsafe_b64encode(last.id.encode()).decode()


def _after(cursor: str) -> str:
    try:
        found = base64.urlsafe_b64decode(cursor.encode("ascii", "replace")).decode("ascii", "replace")
    except binascii.Error:
        found = ""
    if not _ID.fullmatch(found):
        said = "Valid is a `next_cursor` of an answer, as it came."
        raise ProblemError(422, "cursor", "The cursor does not fit", said)
    return found
