"""Tokens of the store API: made, listed, ended."""

from deployments.commands import _merchants as merchants
from deployments.commands import _shown as shown
from deployments.commands._hub import opened
from deployments.errors import Fault
from hub import api_tokens


async def make(merchant: str, label: str, *, as_json: bool) -> None:
    """Make a token; alone on stdout, so that it can go into a file or a pipe."""
    async with opened() as db:
        merchant_id, is_new = await merchants.find_or_make(db, merchant)
        async with db.write() as session:
            row, token = await api_tokens.make(session, merchant_id, label)
    if is_new:
        shown.warn(f"the merchant {merchant_id!r} is new")
    if as_json:
        shown.as_json({"id": row.id, "merchant": merchant_id, "token": token.reveal()})
        return
    shown.say(token.reveal())
    shown.warn(f"Token {row.id} of {merchant_id}. It is shown this once; end it with: esteira token revoke {row.id}")


async def show(merchant: str | None, *, as_json: bool) -> None:
    """The tokens as they stand."""
    async with opened() as db:
        merchant_id = None if merchant is None else await merchants.find(db, merchant)
        async with db.read() as session:
            rows = await api_tokens.every(session, merchant_id)
    if as_json:
        shown.as_json({"tokens": [row.model_dump(exclude={"token_hash"}) for row in rows]})
        return
    shown.table(
        "Tokens",
        ("id", "merchant", "label", "made", "last used", "revoked"),
        [
            (
                row.id,
                row.merchant_id,
                row.label,
                shown.moment(row.created_at),
                shown.moment(row.last_used_at),
                shown.moment(row.revoked_at),
            )
            for row in rows
        ],
    )


async def end(token_id: str) -> None:
    """Revoke a token. Raises Fault when there is none of that id."""
    async with opened() as db, db.write() as session:
        try:
            row = await api_tokens.revoke(session, token_id)
        except api_tokens.UnknownTokenError as error:
            raise Fault(str(error)) from error
    shown.say(f"token {row.id} of {row.merchant_id} is revoked")
