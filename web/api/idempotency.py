"""`Idempotency-Key`: a write that is sent again gets the first one's answer, and nothing happens twice.

The answer is kept for a day, encrypted: it may hold people's data. A process that dies between a write and the noting
of its answer leaves the key at work; after `LEFT_AFTER` it may be used again, and does no harm then, since every write
here is known by a key of its own too (SKU, order number, payment reference).
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

from fastapi import Request, Response
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from hub import crypto
from hub.clock import utcnow
from hub.db import Database, upsert_rows
from hub.ids import new_id
from hub.tables import IdempotencyKey
from web.api.problems import ProblemError

LONGEST_KEY = 200
KEPT = timedelta(hours=24)
LEFT_AFTER = timedelta(minutes=1)
AT_WORK = 0
HEADERS = ("location", "content-type")
PASSING = frozenset({409, 429, 503})
"""Answers that another try may change: their key is free again."""


async def once(db: Database, merchant_id: str, request: Request, run: Callable[[], Awaitable[Response]]) -> Response:
    """Run a write, unless its key was used: then the answer of that time, or 422 where it was another request.

    409 while the first one is still at work.
    """
    key = request.headers["idempotency-key"].strip()
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        said = f"Valid is an Idempotency-Key of 1 to {LONGEST_KEY} printable ASCII characters."
        raise ProblemError(400, "idempotency-key", "The Idempotency-Key does not fit", said)
    mine, before = await _claim(db, merchant_id, key, await _fingerprint(request))
    if before is not None:
        return before
    try:
        answer = await run()
    except BaseException:
        await _release(db, mine)
        raise
    if answer.status_code >= 500 or answer.status_code in PASSING:
        await _release(db, mine)
    else:
        await _keep(db, mine, answer)
    return answer


async def _fingerprint(request: Request) -> str:
    target = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(target + await request.body()).hexdigest()


async def _claim(db: Database, merchant_id: str, key: str, fingerprint: str) -> tuple[str, Response | None]:
    """The id of the row that is ours now, or the answer that was given to it."""
    now = utcnow()
    async with db.write() as session:
        await _forget(session, merchant_id)
        row = {
            "id": new_id(),
            "merchant_id": merchant_id,
            "key": key,
            "request_hash": fingerprint,
            "status": AT_WORK,
            "answer": {},
            "created_at": now,
        }
        table = IdempotencyKey.__table__  # type: ignore[attr-defined]
        await upsert_rows(session, table, [row], key=["merchant_id", "key"], update=[])
        query = select(IdempotencyKey).where(
            col(IdempotencyKey.merchant_id) == merchant_id, col(IdempotencyKey.key) == key
        )
        found = (await session.execute(query.with_for_update())).scalar_one()
        if found.id == row["id"]:
            return found.id, None
        if found.request_hash != fingerprint:
            said = "It was used with another request. Give every write a key of its own."
            raise ProblemError(422, "idempotency-key-reused", "The Idempotency-Key was used before", said)
        if found.status != AT_WORK:
            return found.id, _unpacked(found)
        if found.created_at > now - LEFT_AFTER:
            said = "The first request with this Idempotency-Key is still at work. Send it again in a moment."
            raise ProblemError(409, "idempotency-key-at-work", "Still at work", said, headers={"Retry-After": "1"})
        # The one who had it is gone. With an id of ours, it can neither keep nor release what is not its own any more.
        found.id, found.created_at = str(row["id"]), now
        return found.id, None


async def _forget(session: AsyncSession, merchant_id: str) -> None:
    await session.execute(
        delete(IdempotencyKey).where(
            col(IdempotencyKey.merchant_id) == merchant_id, col(IdempotencyKey.created_at) < utcnow() - KEPT
        )
    )


async def _release(db: Database, row_id: str) -> None:
    async with db.write() as session:
        await session.execute(delete(IdempotencyKey).where(col(IdempotencyKey.id) == row_id))


async def _keep(db: Database, row_id: str, answer: Response) -> None:
    said = {
        "body": bytes(answer.body).decode(),
        "headers": {name: answer.headers[name] for name in HEADERS if name in answer.headers},
    }
    sealed = crypto.current().encrypt(json.dumps(said))
    async with db.write() as session:
        await session.execute(
            update(IdempotencyKey)
            .where(col(IdempotencyKey.id) == row_id)
            .values(status=answer.status_code, answer={"sealed": sealed})
        )


def _unpacked(found: IdempotencyKey) -> Response:
    said = json.loads(crypto.current().decrypt(found.answer["sealed"]))
    headers = {**said["headers"], "Idempotency-Replayed": "true"}
    return Response(said["body"].encode(), found.status, headers=headers)
