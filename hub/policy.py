"""The merchant's choices on one connection: validated, with defaults from the source articles (design, section 8)."""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from hub import money
from hub.stages import Stage


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
    pull_prices: bool = False
    """Where the store keeps the products (`pull_products` off): the ERP's prices come back to those it has. Without a
    % rule only, as a price that the rule made cannot be told from one that the merchant made."""
    send_mode: Literal["automatic", "selected"] = "automatic"
    price_adjustment: Decimal = Decimal(0)
    """Percent put on every price sent, from the store's price each time."""

    orders: Literal["paid", "all", "none"] = "paid"
    """Which of the store's orders go to the ERP: those that were paid, all from their placing on, or none."""
    order_states: Literal["both", "to_erp", "from_erp", "none"] = "both"
    """Which way the progress of an order is told once the ERP has it. A cancellation in the store is always told."""
    status_map: dict[Stage, str] = Field(default_factory=dict)
    """What the ERP calls a stage, where the merchant wants another of its situations than the default."""
    order_label: str = Field(default="Esteira", max_length=30)
    """The name under which the ERP shows who made an order."""
    order_deposit: str = Field(default="", max_length=100)
    """The deposit that orders take their goods from, by name (Tiny v2) or id (v3); empty is the ERP's own choice."""
    operation_nature: str = Field(default="", max_length=50)
    """The tax operation of orders, by name (Tiny v2) or id (v3); empty is the ERP's own choice."""
    ecommerce_id: str = Field(default="", max_length=20)
    """The id of the e-commerce integration in Tiny: without it Tiny tells nothing back of an order."""
    pull_invoices: bool = True
    mail_shipped: bool = False
    """Tell the buyer by e-mail that the parcel left, with its tracking code."""
    mail_delivered: bool = False
    """Tell the buyer by e-mail that the parcel was delivered."""

    @field_validator("price_adjustment")
    @classmethod
    def _within_the_rule(cls, value: Decimal) -> Decimal:
        return money.percent(value)
