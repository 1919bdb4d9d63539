"""Orders out of a spreadsheet's rows, one item a row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from deployments.commands import _shown as shown
from deployments.commands._columns import ORDERS, head
from deployments.commands._rows import BATCH, BadCellError, BadRow, DryRunEnds, Reader, Tally, said, sentences
from deployments.commands._sheets import Row, Sheet
from hub import orders, payments
from hub.clock import utcnow
from hub.db import Database
from hub.orders import OrderRefused
from hub.payments import Happened, PaymentEvent, PaymentRefusedError
from hub.types import plain
from web.api.models import OrderIn
from web.api.orders import placed

REFERENCE = "planilha"
"""The reference of the payment of an order that a spreadsheet calls paid: the same file again is the same payment."""


async def take_orders(
    db: Database, merchant_id: str, sheet: Sheet, fields: Mapping[str, str], tally: Tally, *, dry_run: bool
) -> None:
    """Take the orders in, each in a transaction; a dry run does it all in one, and undoes that."""
    reader = Reader(sheet, fields, ORDERS)
    key = next(name for name, of in fields.items() if of == "number")
    groups: dict[str, list[Row]] = {}
    for row in sheet.rows:
        number = _plain_text(row.cells[key])
        if number:
            groups.setdefault(number, []).append(row)
        else:
            tally.bad.append(BadRow(row.line, "", "the order's number is empty"))
    if dry_run:
        try:
            async with db.write() as session:
                for number, rows in groups.items():
                    await _put_order(session, merchant_id, number, rows, reader, tally)
                raise DryRunEnds
        except DryRunEnds:
            return
    for place, (number, rows) in enumerate(groups.items(), start=1):
        refused = None
        async with db.write() as session:
            refused = await _put_order(session, merchant_id, number, rows, reader, tally)
        if refused is not None:
            async with db.write() as session:
                await orders.note_refusal(session, merchant_id, refused)
        if place % BATCH == 0:
            shown.warn(f"{place} of {len(groups)} orders")


async def _put_order(
    session: AsyncSession, merchant_id: str, number: str, rows: Sequence[Row], reader: Reader, tally: Tally
) -> OrderRefused | None:
    """Put one order of the file. It goes in with all of its lines or not at all: half an order is another order."""
    about = f"order {number}"
    try:
        body, paid_at = _order_of(rows, reader)
        wanted = OrderIn.model_validate(body)
        async with session.begin_nested():
            put = await orders.put_order(session, merchant_id, placed(wanted))
            # What is paid already was told by another door, and is not paid once more because a file says so, too.
            if paid_at is not None and put.order.state == "created":
                event = PaymentEvent(REFERENCE, Happened.APPROVED, wanted.total, wanted.payment_method, at=paid_at)
                await payments.record(session, merchant_id, number, event)
        tally.count(put.outcome)
    except _BadLineError as error:
        tally.bad.append(BadRow(error.line, about, str(error)))
    except ValidationError as error:
        tally.bad.append(BadRow(rows[0].line, about, said(error, ORDERS)))
    except OrderRefused as error:
        why = str(error) if error.totals is not None else sentences(error.problems)
        tally.bad.append(BadRow(rows[0].line, about, why))
        return error
    except PaymentRefusedError as error:
        tally.bad.append(BadRow(rows[0].line, about, str(error)))
    return None


class _BadLineError(ValueError):
    """One line of an order that cannot be read."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line = line


def _order_of(rows: Sequence[Row], reader: Reader) -> tuple[dict[str, Any], datetime | None]:
    """The order that its rows tell together, one an item; and when it was paid, if it was."""
    whole: dict[str, Any] = {}
    items = []
    for row in rows:
        try:
            told = reader.read(row)
        except BadCellError as error:
            raise _BadLineError(row.line, str(error)) from error
        items.append({name.removeprefix("item."): told.pop(name) for name in list(told) if name.startswith("item.")})
        for name, value in told.items():
            if whole.setdefault(name, value) != value:
                why = f"column {head(ORDERS, name)!r} differs from the lines before of the same order"
                raise _BadLineError(row.line, why)
    if source := whole.pop("source", ""):
        raise _BadLineError(rows[0].line, f"it came from the connection {source!r}; orders of the store itself go in")
    paid, paid_at = whole.pop("paid", "paid_at" in whole), whole.pop("paid_at", None)
    body: dict[str, Any] = {"items": items}
    for name, value in whole.items():
        outer, _, inner = name.partition(".")
        if inner:
            body.setdefault(outer, {})[inner] = value
        else:
            body[outer] = value
    if "instalments" in body and body["instalments"].isdigit():
        body["instalments"] = int(body["instalments"])
    return body, (paid_at or body.get("placed_at") or utcnow()) if paid else None


def _plain_text(cell: str | Decimal) -> str:
    return plain(cell) if isinstance(cell, Decimal) else cell
