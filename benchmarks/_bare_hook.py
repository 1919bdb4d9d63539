"""The bare thing to measure the webhook doors against: a FastAPI endpoint that does one insert. Nothing else of ours.

`uvicorn --factory benchmarks._bare_hook:create_app`, its database in BARE_DATABASE_URL.
"""

import os
from datetime import UTC, datetime
from uuid import uuid4

from fastapi import FastAPI, Request
from sqlalchemy import Column, DateTime, LargeBinary, MetaData, String, Table, event
from sqlalchemy.ext.asyncio import create_async_engine

EVENTS = Table(
    "bare_event",
    MetaData(),
    Column("id", String(32), primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
)


def create_app() -> FastAPI:
    """The app; its one table is made at the start."""
    engine = create_async_engine(os.environ["BARE_DATABASE_URL"])
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine.sync_engine, "connect")
        def _on_connect(dbapi: object, _record: object) -> None:
            cursor = dbapi.cursor()  # type: ignore[attr-defined]
            cursor.execute("PRAGMA busy_timeout = 30000")
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = NORMAL")
            cursor.close()

    app = FastAPI()

    @app.on_event("startup")
    async def _make() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(EVENTS.metadata.create_all)

    @app.post("/hook")
    async def hook(request: Request) -> dict[str, bool]:
        body = await request.body()
        async with engine.begin() as connection:
            await connection.execute(EVENTS.insert().values(id=uuid4().hex, body=body, received_at=datetime.now(UTC)))
        return {"ok": True}

    return app
