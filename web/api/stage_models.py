"""How a shop tells of its own progress with an order."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, StringConstraints, field_validator

from web.api.models import Given
from web.api.values import Text


class TrackingIn(Given):
    """How a parcel goes. `code` is what it is known by: the same code again is the same parcel."""

    code: Annotated[Text, StringConstraints(min_length=1, max_length=60)]
    url: Annotated[Text, StringConstraints(max_length=2000, pattern="^(https?://.+)?$")] = ""
    carrier: Annotated[Text, StringConstraints(max_length=80)] = ""


class StageIn(Given):
    """How far the shop has come with an order; `at`: since when, now if it is left out.

    An order only goes forward: an earlier stage than the one that it has come to changes nothing. It is paid by its
    payments, and cancelled by `POST /orders/{number}/cancel`.
    """

    stage: Literal["preparing", "invoiced", "ready", "shipped", "not_delivered", "delivered"]
    tracking: TrackingIn | None = None
    at: AwareDatetime | None = None

    @field_validator("stage", mode="before")
    @classmethod
    def _not_by_this_door(cls, value: object) -> object:
        if value == "cancelled":
            raise ValueError("an order is cancelled by POST /orders/{number}/cancel")
        if value in ("open", "approved"):
            raise ValueError("an order is placed by POST /orders and approved by its payments")
        return value
