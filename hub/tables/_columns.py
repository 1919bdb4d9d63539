"""The few column shapes that every table shares.

Each function makes a new `Field`: SQLAlchemy gives a column to one table only.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint
from sqlmodel import Field, SQLModel

from hub.clock import utcnow
from hub.crypto import EncryptedText
from hub.ids import new_id
from hub.types import Exact, Json, Moment

SQLModel.metadata.naming_convention = {
    # A constraint without a name cannot be named by the migration that drops it.
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def id_() -> Any:
    """Our own identifier, made in the process."""
    return Field(default_factory=new_id, primary_key=True, max_length=32)


def merchant_() -> Any:
    """The tenant that the row belongs to."""
    return Field(sa_column=Column(ForeignKey("merchant.id", ondelete="CASCADE"), nullable=False, index=True))


def json_(default: Any = dict) -> Any:
    """A document column, never null."""
    return Field(default_factory=default, sa_column=Column(Json, nullable=False))


def exact_(nullable: bool = True) -> Any:
    """An exact decimal."""
    return Field(default=None, sa_column=Column(Exact(), nullable=nullable))


def moment_(nullable: bool = True, index: bool = False, primary_key: bool = False) -> Any:
    """A point in time that nobody fills in by itself."""
    return Field(default=None, sa_column=Column(Moment(), nullable=nullable, index=index, primary_key=primary_key))


def stamped_() -> Any:
    """A point in time that is now unless said otherwise."""
    return Field(default_factory=utcnow, sa_column=Column(Moment(), nullable=False))


def sealed_() -> Any:
    """An encrypted text."""
    return Field(default="", sa_column=Column(EncryptedText(), nullable=False))


def within_merchant(column: str, table: str) -> ForeignKeyConstraint:
    """A reference that cannot leave its tenant: (merchant, id) on both sides.

    With a plain reference to `id`, one wrong variable in a bulk insert would hang one merchant's price on another
    merchant's product, and no query scoped by merchant would ever show it.
    """
    return ForeignKeyConstraint(["merchant_id", column], [f"{table}.merchant_id", f"{table}.id"], ondelete="CASCADE")


__all__ = ["datetime", "exact_", "id_", "json_", "merchant_", "moment_", "sealed_", "stamped_", "within_merchant"]
