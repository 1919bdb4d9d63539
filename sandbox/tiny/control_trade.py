"""Control routes of the Tiny simulator: orders, notes, contacts, integrations, as the merchant."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.core.control import answer, body_of
from sandbox.tiny import invoices
from sandbox.tiny.contact_body import show_contact
from sandbox.tiny.merchant import Merchant, show_order
from sandbox.tiny.vendor import Tiny

_ONE = "/_sandbox/tiny/accounts/{name}"


def trade_routes(tiny: Callable[[], Tiny]) -> list[Route]:
    """Return the routes; `tiny` gives the present state, which a reset replaces."""
    return [*_order_routes(tiny), *_invoice_routes(tiny), *_contact_routes(tiny), *_integration_routes(tiny)]


def _order_routes(tiny: Callable[[], Tiny]) -> list[Route]:
    async def many(request: Request) -> Response:
        if request.method == "POST":
            body, quiet = await _body(request)
            return answer(_edit(tiny, request, "create_order", order=body, quiet=quiet), 201)
        trade = _merchant(tiny, request).trade
        number = request.query_params.get("numero_ecommerce")
        rows = trade.orders.values() if number is None else trade.with_shop_number(number)
        return answer([show_order(order) for order in rows])

    async def one(request: Request) -> Response:
        chosen = {"id": request.path_params["id"]}
        if request.method == "GET":
            return answer(show_order(_merchant(tiny, request).order(chosen)))
        body, quiet = await _body(request)
        if request.method == "PATCH":
            return answer(_edit(tiny, request, "patch_order", fields=body, quiet=quiet, **chosen))
        return answer(_edit(tiny, request, "delete_order", **chosen))

    async def invoice(request: Request) -> Response:
        body, quiet = await _body(request)
        step = {**body, "id": request.path_params["id"], "quiet": quiet}
        return answer(_edit(tiny, request, "invoice_order", **step), 201)

    return [
        Route(_ONE + "/orders", many, methods=["GET", "POST"]),
        Route(_ONE + "/orders/{id:int}", one, methods=["GET", "PATCH", "DELETE"]),
        Route(_ONE + "/orders/{id:int}/invoice", invoice, methods=["POST"]),
    ]


def _invoice_routes(tiny: Callable[[], Tiny]) -> list[Route]:
    async def many(request: Request) -> Response:
        return answer([invoices.show(note) for note in _merchant(tiny, request).trade.invoices.values()])

    def change(verb: str) -> Route:
        async def run(request: Request) -> Response:
            body, quiet = await _body(request)
            step = {**body, "invoice": request.path_params["id"], "quiet": quiet}
            return answer(_edit(tiny, request, f"{verb}_invoice", **step))

        return Route(f"{_ONE}/invoices/{{id:int}}/{verb}", run, methods=["POST"])

    return [Route(_ONE + "/invoices", many), change("emit"), change("cancel")]


def _contact_routes(tiny: Callable[[], Tiny]) -> list[Route]:
    async def many(request: Request) -> Response:
        if request.method == "POST":
            return answer(_edit(tiny, request, "create_contact", contact=await body_of(request)), 201)
        return answer([show_contact(contact) for contact in _merchant(tiny, request).trade.contacts.values()])

    async def one(request: Request) -> Response:
        step: dict[str, Any] = {"id": request.path_params["id"], "fields": await body_of(request)}
        return answer(_edit(tiny, request, "patch_contact", **step))

    return [
        Route(_ONE + "/contacts", many, methods=["GET", "POST"]),
        Route(_ONE + "/contacts/{id:int}", one, methods=["PATCH"]),
    ]


def _integration_routes(tiny: Callable[[], Tiny]) -> list[Route]:
    async def many(request: Request) -> Response:
        if request.method == "POST":
            return answer(_edit(tiny, request, "create_integration", fields=await body_of(request)), 201)
        rows = _merchant(tiny, request).trade.events.integrations.values()
        return answer([shop.as_dict() for shop in rows])

    async def one(request: Request) -> Response:
        chosen = {"integration": request.path_params["id"]}
        if request.method == "GET":
            return answer(_merchant(tiny, request).integration(chosen).as_dict())
        return answer(_edit(tiny, request, "patch_integration", fields=await body_of(request), **chosen))

    async def send(request: Request) -> Response:
        step = {**await body_of(request), "integration": request.path_params["id"]}
        return answer(_edit(tiny, request, "send_product", **step), 202)

    async def mappings(request: Request) -> Response:
        step = {"integration": request.path_params["id"], "product": request.path_params.get("product")}
        return answer(_edit(tiny, request, "unmap", **step))

    return [
        Route(_ONE + "/integrations", many, methods=["GET", "POST"]),
        Route(_ONE + "/integrations/{id:int}", one, methods=["GET", "PATCH"]),
        Route(_ONE + "/integrations/{id:int}/send", send, methods=["POST"]),
        Route(_ONE + "/integrations/{id:int}/mappings", mappings, methods=["DELETE"]),
        Route(_ONE + "/integrations/{id:int}/mappings/{product:int}", mappings, methods=["DELETE"]),
    ]


async def _body(request: Request) -> tuple[dict[str, Any], bool]:
    body = await body_of(request)
    quiet = bool(body.pop("quiet", False))
    return body, quiet


def _merchant(tiny: Callable[[], Tiny], request: Request) -> Merchant:
    return Merchant(tiny().account(request.path_params["name"]))


def _edit(tiny: Callable[[], Tiny], request: Request, op: str, **step: Any) -> Any:
    return tiny().edit({**step, "op": op}, request.path_params["name"])
