"""What keeps the works running: notices, quotas, leases, run reports."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Float, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from hub.tables._columns import exact_, id_, json_, merchant_, moment_, stamped_


class Notice(SQLModel, table=True):
    """A keyed message to the merchant (aviso). Appears with its cause and goes when the cause is gone.

    The words are not stored: `code` names them in `hub.texts`, `params` fills them in.
    """

    __table_args__ = (
        UniqueConstraint("merchant_id", "key"),
        Index("ix_notice_open", "merchant_id", "cleared_at"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    key: str = Field(max_length=200)
    code: str = Field(max_length=60)
    connection_id: str = Field(default="", max_length=80)
    kind: str = Field(default="", max_length=20)
    subject: str = Field(default="", max_length=80)
    params: dict[str, Any] = json_()
    first_at: datetime = stamped_()
    last_at: datetime = stamped_()
    cleared_at: datetime | None = moment_()


class Quota(SQLModel, table=True):
    """The calls that one credential may make, shared by all processes (GCRA; see `hub.quota`)."""

    key: str = Field(primary_key=True, max_length=120)
    tat: float = Field(default=0.0, sa_column=Column(Float(53), nullable=False))
    """When the next call falls due, in seconds since 1970."""
    per_minute: int | None = None
    """The account's limit as the vendor last told it; null until it did, 0 for none."""


class Lease(SQLModel, table=True):
    """Who works on what, until when; see `hub.leases`."""

    key: str = Field(primary_key=True, max_length=160)
    holder: str = Field(max_length=160)
    until: float = Field(sa_column=Column(Float(53), nullable=False))


class RunReport(SQLModel, table=True):
    """What one run of a path did for one connection."""

    __tablename__ = "run_report"
    __table_args__ = (Index("ix_run_report_recent", "merchant_id", "started_at"),)

    id: str = id_()
    merchant_id: str = merchant_()
    connection_id: str = Field(max_length=80, index=True)
    path: str = Field(max_length=30)
    flow_run_id: str = Field(default="", max_length=36)
    mode: str = Field(default="", max_length=20)
    outcome: str = Field(max_length=20)
    read: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    failed: int = 0
    calls: int = 0
    seconds: Decimal | None = exact_(nullable=False)
    quota_share: Decimal | None = exact_()
    """Calls made, divided by those that the account allowed in the time; null where there is no limit."""
    detail: str = Field(default="", sa_column=Column(Text, nullable=False))
    extra: dict[str, Any] = json_()
    started_at: datetime | None = moment_(nullable=False)
