"""What both of Tiny's APIs have in common beyond their spelling: one account with one quota."""

import logging
from collections.abc import Callable
from typing import Any

from hub.db import Database
from hub.policy import Policy
from hub.quota import Limiter
from hub.tables import Connection
from providers.contract import CallFailed, Gone, Outcome, Row

logger = logging.getLogger(__name__)

ASSUMED_PER_MINUTE = 20
"""The smallest plan, until the account tells its own limit (`reference/tiny.md §2.3`)."""
AT_ONCE_WITHOUT_LIMIT = 30


def limiter(db: Database, connection: Connection) -> Limiter:
    """The account's turns, which v2 and v3 share [R]; by the connection until the account is known.

    The first calls go at the pace that `check` was told. It was told to the connection's turns, not to the account's:
    at the pace of the smallest plan, 30 tasks would take the turns of the next 90 seconds.
    """
    assumed = int(connection.features.get("per_minute") or ASSUMED_PER_MINUTE)
    return Limiter(db, f"tiny:{connection.account or connection.id}", assumed)


def at_once(connection: Connection, policy: Policy) -> int:
    """A quarter of the calls a minute may be under way at the same time (`reference/tiny.md §2.3`), or as many as the
    policy says."""
    if policy.calls_at_once is not None:
        return policy.calls_at_once
    limit = policy.calls_per_minute
    if limit is None:
        limit = int(connection.features.get("per_minute") or ASSUMED_PER_MINUTE)
    return max(1, limit // 4) if limit else AT_ONCE_WITHOUT_LIMIT


def gone(external_id: str, failed: CallFailed) -> Gone:
    """A record that is not there is an answer; every other failure is raised."""
    if failed.outcome is Outcome.REJECTED and failed.reason == "not_found":
        return Gone(external_id)
    raise failed


def rows(payloads: list[Any], read: Callable[[Any], Row | None]) -> tuple[Row, ...]:
    """The rows that have an id. One without cannot be asked for: ops are told, the others go on.

    Raises CallFailed where there are rows and none has one: an empty page would pass for the end of the list.
    """
    found = [row for payload in payloads if (row := read(payload)) is not None]
    if payloads and not found:
        detail = f"{len(payloads)} rows came, and none has a readable id"
        raise CallFailed(Outcome.UNKNOWN, "unreadable", operation="listing", detail=detail)
    if len(found) < len(payloads):
        lost = len(payloads) - len(found)
        logger.warning("%d of %d rows of a listing have no readable id and were passed over", lost, len(payloads))
    return tuple(found)
