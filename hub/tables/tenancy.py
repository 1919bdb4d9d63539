"""Who we work for, and the accounts that they connected."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, UniqueConstraint
from sqlmodel import Field, SQLModel

from hub.crypto import EncryptedJson
from hub.tables._columns import json_, merchant_, moment_, stamped_


class ConnectionState(StrEnum):
    """The state of a connection as the merchant reads it."""

    ACTIVE = "ativa"
    INACTIVE = "inativa"
    DISCONNECTED = "não conectada"
    NOT_INSTALLED = "não instalada"


class Merchant(SQLModel, table=True):
    """The shop's owner, our tenant. Its id is the short name that ops chose (`loja-sol`)."""

    id: str = Field(primary_key=True, max_length=60)
    name: str = Field(max_length=200)
    created_at: datetime = stamped_()


class Connection(SQLModel, table=True):
    """One account of one system for one merchant. Its id is readable (`loja-sol-tiny`): ops type it in Prefect's UI."""

    __table_args__ = (UniqueConstraint("merchant_id", "id"),)

    id: str = Field(primary_key=True, max_length=80)
    merchant_id: str = merchant_()
    kind: str = Field(max_length=40)
    side: str = Field(max_length=10)
    state: str = Field(default=ConnectionState.NOT_INSTALLED, max_length=20)
    state_reason: str = Field(default="", max_length=500)
    account: str = Field(default="", max_length=64)
    """A blind index of the account's own document: tells whether two connections lead to the same account."""
    credentials: dict[str, Any] = Field(default_factory=dict, sa_column=Column(EncryptedJson(), nullable=False))
    credentials_version: int = 0
    """Goes up by one with every refresh; whoever holds an older version re-reads before it refreshes."""
    policy: dict[str, Any] = json_()
    features: dict[str, Any] = json_()
    """What `check` found out about the account: plan limit, extensions, deposits."""
    checked_at: datetime | None = moment_()
    created_at: datetime = stamped_()
