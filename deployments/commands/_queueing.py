"""What goes out to an ERP: selected, failed, queued again."""

from collections.abc import Sequence

from deployments.commands import _shown as shown
from deployments.commands._hub import find, opened
from deployments.errors import Fault
from hub import lost, outbox, selection, texts
from hub.notices import standing_notices
from hub.selection import UnknownSkuError
from hub.tables import Order, Product

MOST_ROWS = 50


async def select(connection_id: str, skus: Sequence[str], *, everything: bool, as_json: bool) -> int:
    """Select and queue; with nothing named, show what is not integrated. Returns the exit code."""
    async with opened() as db:
        connection = await find(db, connection_id)
        if not skus and not everything:
            async with db.read() as session:
                missing = await selection.not_integrated(session, connection)
            _show_missing(connection_id, missing, as_json=as_json)
            return 0
        try:
            async with db.write() as session:
                count = await selection.select_products(session, connection, None if everything else skus)
        except UnknownSkuError as error:
            raise Fault(str(error)) from error
    if as_json:
        shown.as_json({"connection": connection_id, "selected": count})
    else:
        shown.say(f"{count} products selected and queued; sent by the next push-products, or now: "
                  f"esteira sync push-products --connection {connection_id}")  # fmt: skip
    return 0


async def unselect(connection_id: str, skus: Sequence[str], *, as_json: bool) -> int:
    """Take products off the selection. Returns the exit code."""
    async with opened() as db:
        connection = await find(db, connection_id)
        try:
            async with db.write() as session:
                count = await selection.unselect_products(session, connection, skus)
        except UnknownSkuError as error:
            raise Fault(str(error)) from error
    if as_json:
        shown.as_json({"connection": connection_id, "unselected": count})
    else:
        shown.say(f"{count} products taken off; what is over there stays there")
    return 0


async def show_failed(connection_id: str | None, *, as_json: bool) -> int:
    """What could not be sent, with the merchant's text. Returns the exit code: 1 when there is any."""
    async with opened() as db:
        if connection_id is not None:
            await find(db, connection_id)
        async with db.read() as session:
            entries = await outbox.failed(session, connection_id)
            notices = {(n.connection_id, n.subject): n for n in await standing_notices(session)}
            names = {}
            for entry in entries:
                model = Order if entry.kind == "order" else Product
                found = await session.get(model, entry.record_id)
                names[entry.record_id] = (found.number if isinstance(found, Order) else found.sku) if found else ""
    rows = []
    for entry in entries:
        notice = notices.get((entry.connection_id, entry.record_id))
        why = texts.render(notice.code, notice.params).body if notice else entry.reason
        rows.append((entry.connection_id, entry.kind, names[entry.record_id], entry.record_id, why))
    if as_json:
        keys = ("connection", "kind", "name", "record", "reason")
        shown.as_json({"failed": [dict(zip(keys, row, strict=True)) for row in rows]})
    elif rows:
        shown.table("Not sent", ("connection", "kind", "SKU or order", "record", "why"), rows[:MOST_ROWS])
        if len(rows) > MOST_ROWS:
            shown.say(f"… and {len(rows) - MOST_ROWS} more; --json lists all of them")
        shown.say("Once mended: esteira retry --connection CONNECTION [RECORD…]")
    else:
        shown.say("nothing failed")
    return 1 if rows else 0


async def retry(connection_id: str, records: Sequence[str] | None, *, as_json: bool) -> int:
    """Queue failed entries again. Returns the exit code."""
    async with opened() as db:
        connection = await find(db, connection_id)
        async with db.write() as session:
            await lost.forget_products(session, connection, records)
            count = await outbox.retry(session, connection, records)
    if as_json:
        shown.as_json({"connection": connection_id, "queued": count})
    else:
        shown.say(f"{count} entries queued again")
    return 0


def _show_missing(connection_id: str, skus: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        shown.as_json({"connection": connection_id, "not_integrated": list(skus)})
        return
    shown.table(f"Não integrado: {connection_id}", ("SKU",), [(sku,) for sku in skus[:MOST_ROWS]])
    if len(skus) > MOST_ROWS:
        shown.say(f"… and {len(skus) - MOST_ROWS} more; --json lists all of them")
    shown.say(f"Select them: esteira select --connection {connection_id} SKU… (or --all)")
