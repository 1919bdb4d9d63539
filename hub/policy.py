"""The merchant's choices on one connection: validated, with defaults from the source articles (design, section 8)."""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hub import money


class Policy(BaseModel):
    """What a connection may do. Unknown keys are refused: a misspelt choice would be silently the default."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pull_products: bool = True
    """Products of the ERP come into the store; existing ones are updated (Tiny's article)."""
    pull_stock: bool = True
    stock_basis: Literal["available", "physical"] = "available"
    """`available` is physical less reserved."""
    deposit: str | None = None
    """The one deposit that counts, by name (v2) or id (v3); None is the sum that the account itself gives."""
    reread_hours: int = Field(default=24, ge=2, le=24 * 7)
    """Every product's details are read again at least this often, whatever the listings say."""
    stock_reread_hours: int = Field(default=6, ge=1, le=24 * 7)
    """Where the account has no list of stock changes: every balance is read again at least this often."""
    update_lists: Literal["auto", "never"] = "auto"
    """Reading Tiny's update lists empties them for every other reader: `never` leaves them to another integration."""
    calls_per_minute: int | None = Field(default=None, ge=0)
    """Overrides the account's limit, for accounts shared with other integrations; 0 is no limit."""
    calls_at_once: int | None = Field(default=None, ge=1, le=100)
    """Overrides how many calls one process may have under way at the same time."""
    send_mode: Literal["automatic", "selected"] = "automatic"
    price_adjustment: Decimal = Decimal(0)
    """Percent put on every price sent, from the store's price each time."""

    @field_validator("price_adjustment")
    @classmethod
    def _within_the_rule(cls, value: Decimal) -> Decimal:
        return money.percent(value)
