"""`esteira import`: a spreadsheet's rows into the store; the good ones go in, the bad are told with their lines."""

from pathlib import Path

from deployments.commands import _merchants as merchants
from deployments.commands import _shown as shown
from deployments.commands._columns import ORDERS, PRODUCTS, TOLD_ONLY, Columns, by_head, head
from deployments.commands._hub import opened
from deployments.commands._importing_orders import take_orders
from deployments.commands._importing_products import take_products
from deployments.commands._rows import BadRow, Tally
from deployments.commands._sheets import Sheet, read_sheet
from deployments.errors import Fault

MOST_SHOWN = 50


async def run(what: str, path: Path, merchant: str, *, dry_run: bool, as_json: bool) -> int:
    """Import a file. Returns the exit code: 1 when any row did not go in."""
    columns = PRODUCTS if what == "products" else ORDERS
    sheet = read_sheet(path, by_head(columns))
    fields = _fields(sheet, columns, path)
    async with opened() as db:
        merchant_id = await merchants.find(db, merchant)
        tally = Tally(bad=[BadRow(line, "", said) for line, said in sheet.broken])
        if what == "products":
            await take_products(db, merchant_id, sheet, fields, tally, dry_run=dry_run)
        else:
            await take_orders(db, merchant_id, sheet, fields, tally, dry_run=dry_run)
    _show(what, tally, dry_run=dry_run, as_json=as_json)
    return 1 if tally.bad else 0


def _show(what: str, tally: Tally, *, dry_run: bool, as_json: bool) -> None:
    tally.bad.sort(key=lambda row: row.line)
    if as_json:
        bad = [{"line": row.line, "about": row.about, "reason": row.reason} for row in tally.bad]
        counts = {"created": tally.created, "changed": tally.changed, "unchanged": tally.unchanged}
        shown.as_json({"what": what, "dry_run": dry_run, **counts, "bad": bad})
        return
    for row in tally.bad[:MOST_SHOWN]:
        shown.warn(f"line {row.line}: {f'{row.about}: ' if row.about else ''}{row.reason}")
    if len(tally.bad) > MOST_SHOWN:
        shown.warn(f"… and {len(tally.bad) - MOST_SHOWN} more; --json has them all")
    would = "would be " if dry_run else ""
    shown.say(
        f"{what}: {would}{tally.created} created, {tally.changed} changed, {tally.unchanged} unchanged; "
        f"{len(tally.bad)} rows not taken"
    )


def _fields(sheet: Sheet, columns: Columns, path: Path) -> dict[str, str]:
    """The field of each column. Raises Fault for a column that nobody knows: a misspelt one would be lost silently."""
    heads = by_head(columns)
    found: dict[str, str] = {}
    valid = ", ".join(head(columns, name) for name in columns)
    if not sheet.columns:
        raise Fault(f"{path.name} has no head; its first row names the columns. Valid are: {valid}")
    for name in sheet.columns:
        if not name or name in TOLD_ONLY:
            continue
        if name not in heads:
            raise Fault(f"{path.name} has the column {name!r}; valid are: {valid}")
        if heads[name] in found.values():
            raise Fault(f"{path.name} has two columns for {head(columns, heads[name])!r}: one is {name!r}")
        found[name] = heads[name]
    key = "sku" if columns is PRODUCTS else "number"
    if key not in found.values():
        raise Fault(
            f"{path.name} has no column {head(columns, key)!r}; it has: {', '.join(filter(None, sheet.columns))}"
        )
    return found
