"""The store API, version 1: the door by which a shop platform keeps its products and hands in its orders."""

from fastapi import APIRouter, Depends, Header, Security
from fastapi.security import HTTPBearer

from web.api import invoices, notices, orders, products
from web.api.gate import BURST, MOST_BYTES, PER_SECOND
from web.api.models import ProblemOut

PREFIX = "/api/v1"

DESCRIPTION = f"""
The store API ({PREFIX}) is how a shop platform keeps products, prices and stock here, hands in orders and payments, and
reads invoices and order states back.

Every call needs `Authorization: Bearer <token>`; a token belongs to one merchant (`esteira token new --merchant NAME`).
A token may make {BURST} calls in one go, then {PER_SECOND:g} a second; beyond that the answer is 429 with Retry-After.
Bodies are JSON of {MOST_BYTES // 1024} KB at most. Money is text with a decimal point: "29.90".

Every write may carry an Idempotency-Key (1 to 200 characters, kept for 24 hours): sent again with the same body it gets
the same answer and nothing happens twice; with another body the answer is 422, while the first is at work 409.
Errors are problems of RFC 9457 (application/problem+json). Lists come in pages: give `next_cursor` back as `cursor`.
"""


def store_api() -> APIRouter:
    """Every route of the store API."""
    bearer = HTTPBearer(auto_error=False, scheme_name="token", description="A token of `esteira token new`")
    routes = APIRouter(
        prefix=PREFIX,
        dependencies=[Security(bearer), Depends(_idempotency_key)],
        responses={
            401: {"model": ProblemOut, "description": "No token, or none of ours"},
            422: {"model": ProblemOut, "description": "The request does not fit; `errors` says where"},
            429: {"model": ProblemOut, "description": "Too many calls; Retry-After says how long to wait"},
        },
    )
    for part in (products, orders, invoices, notices):
        routes.include_router(part.routes)
    return routes


def _idempotency_key(
    idempotency_key: str | None = Header(default=None, description="of a write: makes it safe to send again"),
) -> None:
    """For the API's description; the gate reads the header itself."""
