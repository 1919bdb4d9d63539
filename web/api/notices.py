"""`/notices`: what the merchant has to know or do, in Portuguese."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select
from sqlmodel import col

from hub import texts
from hub.db import Database
from hub.tables import Connection, Notice
from web.api.gate import Caller, GatedRoute, caller_of, db_of
from web.api.models import NoticeOut, NoticePage
from web.api.pages import CursorText, Limit, page

routes = APIRouter(route_class=GatedRoute, tags=["notices"])


@routes.get("/notices")
async def list_notices(
    db: Annotated[Database, Depends(db_of)],
    who: Annotated[Caller, Depends(caller_of)],
    limit: Limit = 50,
    cursor: CursorText = None,
    every: Annotated[bool, Query(alias="all", description="those that are settled, too")] = False,
) -> NoticePage:
    """The notices that stand; each goes by itself when its cause is gone."""
    query = select(Notice).where(col(Notice.merchant_id) == who.merchant_id)
    if not every:
        query = query.where(col(Notice.cleared_at).is_(None))
    async with db.read() as session:
        rows, following = await page(session, query, Notice, limit, cursor)
        found = await session.execute(
            select(col(Connection.id), col(Connection.kind)).where(col(Connection.merchant_id) == who.merchant_id)
        )
        kinds = dict(found.tuples().all())
    return NoticePage(items=[notice_out(row, kinds.get(row.connection_id, "")) for row in rows], next_cursor=following)


def notice_out(notice: Notice, kind: str) -> NoticeOut:
    """A notice with its words; `kind` is that of its connection."""
    text = texts.render(notice.code, {"kind": kind, **notice.params})
    return NoticeOut(
        id=notice.id,
        code=notice.code,
        connection=notice.connection_id,
        about=notice.subject,
        title=text.title,
        body=text.body,
        action=text.action,
        first_at=notice.first_at,
        last_at=notice.last_at,
        cleared_at=notice.cleared_at,
    )
