"""The built-in store and its door: what was selected for an ERP, who may call the API, what was answered already."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, UniqueConstraint
from sqlmodel import Field, SQLModel

from hub.tables._columns import id_, json_, merchant_, moment_, stamped_, within_merchant


class Selection(SQLModel, table=True):
    """The merchant chose this product to be sent to that connection (send mode `selected`)."""

    __table_args__ = (
        within_merchant("connection_id", "connection"),
        within_merchant("product_id", "product"),
    )

    connection_id: str = Field(primary_key=True, max_length=80)
    product_id: str = Field(primary_key=True, max_length=32)
    merchant_id: str = merchant_()
    selected_at: datetime = stamped_()


class ApiToken(SQLModel, table=True):
    """A bearer token of the store API. Only its SHA-256 is stored: whoever reads the database cannot call the API."""

    __tablename__ = "api_token"

    id: str = id_()
    merchant_id: str = merchant_()
    token_hash: str = Field(max_length=64, unique=True)
    label: str = Field(default="", max_length=80)
    created_at: datetime = stamped_()
    last_used_at: datetime | None = moment_()
    revoked_at: datetime | None = moment_()


class IdempotencyKey(SQLModel, table=True):
    """A write of the store API that was answered: the same key gets the same answer, with another body a refusal."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("merchant_id", "key"), Index("ix_idempotency_key_age", "created_at"))

    id: str = id_()
    merchant_id: str = merchant_()
    key: str = Field(max_length=200)
    request_hash: str = Field(max_length=64)
    status: int = 0
    """0 while the first request is still at work."""
    answer: dict[str, Any] = json_()
    created_at: datetime = stamped_()
