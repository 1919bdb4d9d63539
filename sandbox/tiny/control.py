"""Control routes of the Tiny simulator: accounts, first tokens, catalogues, the merchant's edits."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.core.control import answer, body_of
from sandbox.tiny.accounts import Grant
from sandbox.tiny.control_trade import trade_routes
from sandbox.tiny.oauth import issue
from sandbox.tiny.vendor import Tiny, show

PREFIX = "/_sandbox/tiny/accounts"


def routes(tiny: Callable[[], Tiny]) -> list[Route]:
    """Return the routes; `tiny` gives the present state, which a reset replaces."""

    async def accounts(request: Request) -> Response:
        if request.method == "GET":
            return answer([account.as_dict() for account in tiny().accounts.values()])
        body = await body_of(request)
        name = body.pop("name", None)
        seed = body.pop("seed", None)
        account = tiny().create_account(str(name), body)
        if seed is not None:
            tiny().seed(account, seed)
        return answer(account.as_dict(), 201)

    async def account(request: Request) -> Response:
        chosen = tiny().account(request.path_params["name"])
        if request.method == "POST":
            tiny().change_account(chosen, await body_of(request))
        return answer(chosen.as_dict())

    async def tokens(request: Request) -> Response:
        chosen = tiny().account(request.path_params["name"])
        return answer(issue(chosen, Grant(chosen), tiny().settings))

    async def seed(request: Request) -> Response:
        chosen = tiny().account(request.path_params["name"])
        return answer({"products": tiny().seed(chosen, await body_of(request))})

    async def products(request: Request) -> Response:
        chosen = tiny().account(request.path_params["name"])
        if request.method == "POST":
            step = {"op": "create", "product": await body_of(request)}
            return answer(tiny().edit(step, chosen.name), 201)
        sku = request.query_params.get("sku")
        found = chosen.store.products.values() if sku is None else chosen.store.by_sku(sku)
        return answer([show(chosen, product) for product in found])

    async def product(request: Request) -> Response:
        chosen = tiny().account(request.path_params["name"])
        step: dict[str, Any] = {"id": request.path_params["id"]}
        if request.method == "GET":
            return answer(show(chosen, tiny().product(chosen, step)))
        if request.method == "PATCH":
            fields = await body_of(request)
            step |= {"op": "patch", "quiet": fields.pop("quiet", False), "fields": fields}
        else:
            step |= {"op": "delete", "hard": request.query_params.get("hard") == "1"}
        return answer(tiny().edit(step, chosen.name))

    async def stock(request: Request) -> Response:
        step = {**await body_of(request), "op": "stock", "id": request.path_params["id"]}
        return answer(tiny().edit(step, request.path_params["name"]))

    return [
        Route(PREFIX, accounts, methods=["GET", "POST"]),
        Route(PREFIX + "/{name}", account, methods=["GET", "POST"]),
        Route(PREFIX + "/{name}/v3-tokens", tokens, methods=["POST"]),
        Route(PREFIX + "/{name}/seed", seed, methods=["POST"]),
        Route(PREFIX + "/{name}/products", products, methods=["GET", "POST"]),
        Route(PREFIX + "/{name}/products/{id:int}", product, methods=["GET", "PATCH", "DELETE"]),
        Route(PREFIX + "/{name}/products/{id:int}/stock", stock, methods=["POST"]),
        *trade_routes(tiny),
    ]
