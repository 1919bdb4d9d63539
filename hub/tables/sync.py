"""How a change travels: bindings, outbox, inbox, cursors, worklists, and what could not be read."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from hub.tables._columns import id_, json_, merchant_, moment_, sealed_, stamped_, within_merchant


class Binding(SQLModel, table=True):
    """Our record ⇄ their id on one connection, unique both ways.

    `seen_hash` is of their listing row as last seen, `sent_hash` of what we last sent. `read_at` and
    `stock_read_at` tell when the record's details and its stock were last read over there.
    """

    __table_args__ = (
        UniqueConstraint("connection_id", "kind", "external_id"),
        UniqueConstraint("connection_id", "kind", "record_id"),
        Index("ix_binding_family", "connection_id", "parent_ref"),
        Index("ix_binding_walk", "connection_id", "kind", "id"),
        Index("ix_binding_made", "connection_id", "kind", "created_at"),
        Index("ix_binding_counted", "connection_id", "kind", "stock_read_at"),
        within_merchant("connection_id", "connection"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    connection_id: str = Field(max_length=80)
    kind: str = Field(max_length=20)
    record_id: str = Field(max_length=32, index=True)
    external_id: str = Field(max_length=60)
    parent_ref: str = Field(default="", max_length=60)
    """Their id of the record's parent, kept until the parent itself is bound."""
    seen_hash: str = Field(default="", max_length=32)
    sent_hash: str = Field(default="", max_length=32)
    read_at: datetime | None = moment_()
    stock_read_at: datetime | None = moment_()
    gone: bool = False
    """True once the record was deleted or deactivated over there for good."""
    told: str = Field(default="", max_length=20)
    """Of an order: the furthest stage (`hub.stages`) that this connection has told us or was told by us."""
    created_at: datetime = stamped_()


class OutboxEntry(SQLModel, table=True):
    """ "This record must reach that connection". Holds no payload: the sender reads the record as it is then.

    `version` goes up with every change, so that an entry changed again while it was being sent is sent again.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("connection_id", "kind", "record_id"),
        Index("ix_outbox_due", "connection_id", "state", "not_before"),
        Index("ix_outbox_unsettled", "connection_id", "kind", "state", "record_id"),
        within_merchant("connection_id", "connection"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    connection_id: str = Field(max_length=80)
    kind: str = Field(max_length=20)
    record_id: str = Field(max_length=32)
    state: str = Field(default="pending", max_length=10)
    version: int = 1
    attempts: int = 0
    not_before: datetime | None = moment_()
    claimed_by: str = Field(default="", max_length=120)
    reason: str = Field(default="", max_length=500)
    attempt: dict[str, Any] = json_()
    """What the send under way may have left over there: written before the call, read when its answer was lost."""
    queued_at: datetime = stamped_()
    sent_at: datetime | None = moment_()
    updated_at: datetime = stamped_()


class Door(SQLModel, table=True):
    """One webhook address: a connection's, for one topic. Who reads the database cannot call it: the key is sealed."""

    __table_args__ = (
        UniqueConstraint("connection_id", "topic"),
        within_merchant("connection_id", "connection"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    connection_id: str = Field(max_length=80)
    topic: str = Field(max_length=30)
    key_hash: str = Field(max_length=64, unique=True)
    key: str = sealed_()
    secret: str = sealed_()
    """What the vendor sends along to show who it is; empty where it sends nothing."""
    created_at: datetime = stamped_()


class InboxEvent(SQLModel, table=True):
    """A webhook as it came, stored before anything else happens.

    An event says "something happened to that record"; the drain reads the record itself. So while one waits, another of
    the same content adds nothing: `dedupe_key` is of the content until the event is taken, and the event's own after.
    States: `pending → taken → done`, `ignored` (not ours), `failed` (poison), `broken` (could not even be parsed).
    """

    __tablename__ = "inbox"
    __table_args__ = (
        UniqueConstraint("connection_id", "dedupe_key"),
        Index("ix_inbox_due", "state", "not_before"),
        Index("ix_inbox_of_connection", "connection_id", "state"),
        within_merchant("connection_id", "connection"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    connection_id: str = Field(max_length=80)
    topic: str = Field(max_length=30)
    dedupe_key: str = Field(max_length=64)
    body: str = sealed_()
    """The bytes as they came, each as the character of its number (Latin-1)."""
    media_type: str = Field(default="", max_length=100)
    state: str = Field(default="pending", max_length=10)
    attempts: int = 0
    copies: int = 1
    """How many deliveries it stands for."""
    not_before: datetime | None = moment_()
    reason: str = Field(default="", max_length=500)
    received_at: datetime = stamped_()
    done_at: datetime | None = moment_()


class Cursor(SQLModel, table=True):
    """How far a stream of a connection has been read; moves in the same transaction as the data."""

    __table_args__ = (within_merchant("connection_id", "connection"),)

    connection_id: str = Field(primary_key=True, max_length=80)
    stream: str = Field(primary_key=True, max_length=30)
    merchant_id: str = merchant_()
    position: dict[str, Any] = json_()
    updated_at: datetime = stamped_()


class Worklist(SQLModel, table=True):
    """Ids that a list of theirs told us once and will not tell again.

    Tiny's update lists forget a row as soon as it was read: a crash after the answer would lose the change. So the
    ids are committed here first, and leave in the transaction that applies the record.
    """

    __table_args__ = (within_merchant("connection_id", "connection"),)

    connection_id: str = Field(primary_key=True, max_length=80)
    stream: str = Field(primary_key=True, max_length=30)
    external_id: str = Field(primary_key=True, max_length=60)
    merchant_id: str = merchant_()
    added_at: datetime = stamped_()


class Quarantined(SQLModel, table=True):
    """A record of theirs that could not be taken, as it came, with the reasons. Leaves when the record is mended."""

    __table_args__ = (
        UniqueConstraint("connection_id", "kind", "external_id"),
        within_merchant("connection_id", "connection"),
    )

    id: str = id_()
    merchant_id: str = merchant_()
    connection_id: str = Field(max_length=80)
    kind: str = Field(max_length=20)
    external_id: str = Field(max_length=60)
    seen_hash: str = Field(default="", max_length=32)
    problems: list[dict[str, Any]] = json_(list)
    payload: str = Field(default="", sa_column=Column(Text, nullable=False))
    read_at: datetime | None = moment_()
    first_at: datetime = stamped_()
