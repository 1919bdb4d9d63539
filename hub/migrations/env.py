"""Alembic's environment: runs on the connection that `hub.migrate` hands over."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlmodel import SQLModel
from sqlmodel.sql.sqltypes import AutoString

import hub.tables  # noqa: F401 fills the metadata
from hub.crypto import EncryptedJson, EncryptedText
from hub.types import Exact, Json, Moment


def render(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our column types by their own names; the encrypted ones as the text that they are stored as."""
    if kind != "type":
        return False
    if isinstance(item, AutoString):
        return f"sa.String(length={item.length})"
    if isinstance(item, EncryptedText | EncryptedJson):
        return "sa.Text()"
    if isinstance(item, Moment | Exact) or item is Json:
        name = "Json" if item is Json else f"{type(item).__name__}"
        autogen.imports.add(f"from hub.types import {name}")
        return name if item is Json else f"{name}()"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=render,
)
with context.begin_transaction():
    context.run_migrations()
