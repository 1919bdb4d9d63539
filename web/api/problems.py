"""Errors as RFC 9457 problems: one shape for all of them, and nothing in it that a stranger may not read.

What was received is not repeated but where our own rules do so with people's data masked: an answer ends in the logs of
the shop platform.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.exceptions import HTTPException

from hub import texts
from hub.orders import OrderRefused
from hub.payments import PaymentRefusedError, UnknownOrderError
from hub.records import Refused
from hub.store import UnknownProductError

API = "/api/"
MEDIA_TYPE = "application/problem+json"


class ProblemError(Exception):
    """An error that is told as it is. `kind` names it for programs, in `type`."""

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(title)
        self.status, self.kind, self.title, self.detail = status, kind, title, detail
        self.errors, self.headers, self.more = list(errors), dict(headers or {}), dict(more or {})


def install(app: FastAPI) -> None:
    """Answer every error under /api/ as a problem, and leave the other doors as they are."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(ProblemError, _problem)
    app.add_exception_handler(Exception, _unforeseen)


def told(request: Request, error: Exception) -> Response | None:
    """The problem that an error is; None for one that nobody foresaw."""
    found = _known(error)
    return None if found is None else answer(request, found)


def answer(request: Request, problem: ProblemError) -> JSONResponse:
    """The answer to a problem."""
    body = {
        "type": f"urn:esteira:problem:{problem.kind}",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.url.path,
        "errors": problem.errors,
        **problem.more,
    }
    return JSONResponse(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def refused_product(refused: Refused) -> ProblemError:
    """A product that the catalogue's rules refuse, each reason with its sentence for the merchant."""
    errors = [
        {
            "pointer": f"#/{_POINTERS.get(problem.field, problem.field)}",
            "detail": problem.reason,
            "merchant": texts.sentence(
                {"field": problem.field, "reason": problem.reason, "received": problem.received}
            ),
        }
        for problem in refused.problems
    ]
    return ProblemError(422, "product-refused", "The product was refused", "See `errors`.", errors=errors)


_POINTERS = {
    "parent_ref": "parent_sku",
    "physical": "stock",
    **{name: f"price/{name}" for name in ("list_price", "promotional_price", "cost_price")},
}


def _known(error: Exception) -> ProblemError | None:
    if isinstance(error, ProblemError):
        return error
    if isinstance(error, RequestValidationError):
        return _of_validation(error)
    if isinstance(error, OrderRefused):
        return _of_order(error)
    if isinstance(error, UnknownOrderError | UnknownProductError):
        return ProblemError(404, "not-found", "Not found", str(error))
    if isinstance(error, PaymentRefusedError):
        return ProblemError(422, "payment-refused", "The payment event was refused", str(error))
    if isinstance(error, HTTPException):
        titles = {404: "Not found", 405: "Method not allowed"}
        title = titles.get(error.status_code, str(error.detail))
        return ProblemError(error.status_code, "http", title, str(error.detail), headers=error.headers)
    return None


def _of_validation(error: RequestValidationError) -> ProblemError:
    """Each fault with a JSON pointer into the body, or the name of the parameter; without what was received."""
    errors = []
    for fault in error.errors():
        where, *path = fault["loc"]
        place = "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in path)
        pointer = f"#/{place}" if where == "body" else f"{where}:{place}"
        errors.append({"pointer": pointer, "detail": str(fault["msg"]).removeprefix("Value error, ")})
    return ProblemError(422, "invalid", "The request does not fit", "See `errors`.", errors=errors)


def _of_order(error: OrderRefused) -> ProblemError:
    errors = [
        {
            "pointer": f"#/{problem.field}",
            "detail": problem.reason,
            "merchant": texts.sentence(
                {"field": problem.field, "reason": problem.reason, "received": problem.received}
            ),
        }
        for problem in error.problems
    ]
    if error.totals is None:
        return ProblemError(422, "order-refused", "The order was refused", "See `errors`.", errors=errors)
    totals = {"stated": f"{error.totals.stated:.2f}", "computed": f"{error.totals.computed:.2f}"}
    return ProblemError(
        422, "order-totals", "The totals do not agree", str(error), errors=errors, more={"totals": totals}
    )


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if request.url.path.startswith(API):
        return told(request, error) or PlainTextResponse("", error.status_code)
    return await http_exception_handler(request, error)


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if request.url.path.startswith(API):
        return answer(request, _of_validation(error))
    return await request_validation_exception_handler(request, error)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return answer(request, error)


async def _unforeseen(request: Request, _error: Exception) -> Response:
    if request.url.path.startswith(API):
        said = "Nothing is known to be wrong with the request: send it again, with the same Idempotency-Key."
        return answer(request, ProblemError(500, "internal", "A fault of ours", said))
    return PlainTextResponse("Internal Server Error", 500)
