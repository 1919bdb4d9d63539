"""How far an order has come, in words that every system's own situations are mapped to.

An order only ever goes forward. Both sides move it and their messages cross, so each keeps the furthest stage that it
has heard of: whatever the order of arrival, the end is the same, and nobody answers a message with another.
"""

from collections.abc import Iterable
from enum import StrEnum


class Stage(StrEnum):
    """From placed to delivered. `cancelled` ends it from anywhere."""

    OPEN = "open"
    APPROVED = "approved"
    """Paid."""
    PREPARING = "preparing"
    INVOICED = "invoiced"
    READY = "ready"
    SHIPPED = "shipped"
    NOT_DELIVERED = "not_delivered"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"


_RANK = {stage.value: place for place, stage in enumerate(Stage)}
SENT = (Stage.SHIPPED, Stage.NOT_DELIVERED, Stage.DELIVERED)
"""Stages in which the parcel has left the shop."""


def further(one: str, other: str) -> str:
    """The one that has come further; '' is no stage at all."""
    return one if rank(one) >= rank(other) else other


def is_further(one: str, than: str) -> bool:
    """Whether the first has come further than the second."""
    return rank(one) > rank(than)


def rank(stage: str) -> int:
    """The place of a stage in an order's life; -1 for none, or for one that this version does not know."""
    return _RANK.get(stage, -1)


def earliest(stage: str, told_as: Iterable[str]) -> str:
    """The stage that a system's word is to us, where the merchant had it stand for others (`told_as`) besides.

    What we have told comes back, and says no more than we said: an approved order that the ERP calls "preparing" by the
    merchant's choice has not been prepared by coming back.
    """
    return min((stage, *told_as), key=rank) if stage else ""


def of_order(state: str, stage: str) -> Stage:
    """The stage of an order whose money stands at `state` and whose goods have come to `stage`."""
    if state in ("cancelled", "refunded"):
        return Stage.CANCELLED
    begun = Stage.APPROVED if state == "paid" else Stage.OPEN
    return Stage(further(stage, begun))
