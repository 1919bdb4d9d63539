"""Control routes of the TagPlus simulator: accounts, first tokens, seeds, the merchant's edits."""

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.core.control import answer, body_of
from sandbox.tagplus.merchant import Merchant
from sandbox.tagplus.store import Row, Table
from sandbox.tagplus.vendor import TagPlus

PREFIX = "/_sandbox/tagplus/accounts"
_ONE = PREFIX + "/{name}"
_Work = Callable[[Request], Awaitable[Response]]


def routes(vendor: Callable[[], TagPlus]) -> list[Route]:
    """Return the routes; `vendor` gives the present state, which a reset replaces."""

    async def accounts(request: Request) -> Response:
        if request.method == "GET":
            return answer([account.as_dict() for account in vendor().accounts.values()])
        body = await body_of(request)
        name, seed = body.pop("name", None), body.pop("seed", None)
        account = vendor().create_account(str(name), body)
        if seed is not None:
            vendor().seed(account, seed)
        return answer(account.as_dict(), 201)

    async def account(request: Request) -> Response:
        chosen = vendor().account(request.path_params["name"])
        if request.method == "POST":
            chosen.change(await body_of(request))
        return answer(chosen.as_dict())

    async def tokens(request: Request) -> Response:
        scopes = (await body_of(request)).get("scopes")
        if scopes is not None and not isinstance(scopes, list):
            raise ValueError(f"scopes is a list, got {scopes!r}")
        return answer(vendor().first_tokens(vendor().account(request.path_params["name"]), scopes))

    return [
        Route(PREFIX, accounts, methods=["GET", "POST"]),
        Route(_ONE, account, methods=["GET", "POST"]),
        Route(_ONE + "/tokens", tokens, methods=["POST"]),
        _step(vendor, "/revoke", "revoke"),
        _step(vendor, "/seed", "seed"),
        *_rows(vendor, "products", "product", "sku", "codigo"),
        _step(vendor, "/products/{id}/stock", "stock"),
        *_rows(vendor, "customers", "customer", "codigo", "codigo"),
        *_rows(vendor, "orders", "order", "codigo_externo", "codigo_externo"),
        _step(vendor, "/orders/{id}/invoice", "issue_invoice", 201),
        *_rows(vendor, "invoices", "note", "chave", "chave_acesso", ("GET",)),
        _step(vendor, "/invoices/{id}/send", "send_invoice"),
        _step(vendor, "/invoices/{id}/cancel", "cancel_invoice"),
        _step(vendor, "/invoices/{id}/void", "void_invoice"),
        *_rows(vendor, "webhooks", "webhook", "url", "url", ("GET", "POST", "DELETE")),
    ]


def _step(vendor: Callable[[], TagPlus], path: str, op: str, status: int = 200) -> Route:
    async def run(request: Request) -> Response:
        named = {"id": request.path_params["id"]} if "id" in request.path_params else {}
        step = {**await body_of(request), **named, "op": op, "account": request.path_params["name"]}
        return answer(vendor().edit(step, None), status)

    return Route(_ONE + path, run, methods=["POST"])


def _rows(
    vendor: Callable[[], TagPlus],
    path: str,
    what: str,
    key: str,
    field: str,
    methods: tuple[str, ...] = ("GET", "POST", "PATCH", "DELETE"),
) -> list[Route]:
    """Return the routes of one kind of record; GET of many filters by `key`, `?quiet=1` fires no event."""

    async def many(request: Request) -> Response:
        if request.method == "POST":
            return answer(_edit(vendor(), request, f"create_{what}", {what: await body_of(request)}), 201)
        merchant = _merchant(vendor(), request)
        show = getattr(merchant, f"show_{what}")
        wanted = request.query_params.get(key)
        rows = [r for r in _table(merchant, path).rows.values() if wanted is None or str(r[field]) == wanted]
        return answer([show(row) for row in rows])

    async def one(request: Request) -> Response:
        step: dict[str, Any] = {"id": request.path_params["id"]}
        if request.method == "GET":
            merchant = _merchant(vendor(), request)
            row: Row = getattr(merchant, what)(step)
            return answer(getattr(merchant, f"show_{what}")(row))
        if request.method == "PATCH":
            return answer(_edit(vendor(), request, f"patch_{what}", {**step, "fields": await body_of(request)}))
        return answer(_edit(vendor(), request, f"delete_{what}", step))

    return [
        Route(f"{_ONE}/{path}", many, methods=[m for m in ("GET", "POST") if m in methods]),
        Route(f"{_ONE}/{path}/{{id}}", one, methods=[m for m in ("GET", "PATCH", "DELETE") if m in methods]),
    ]


def _edit(vendor: TagPlus, request: Request, op: str, step: dict[str, Any]) -> Any:
    quiet = request.query_params.get("quiet") in ("1", "true")
    return vendor.edit({**step, "op": op, "account": request.path_params["name"], "quiet": quiet}, None)


def _table(merchant: Merchant, path: str) -> Table:
    store = merchant.store
    tables = {"products": store.products, "customers": store.customers, "orders": store.orders, "invoices": store.notes}
    return tables.get(path, store.webhooks)


def _merchant(vendor: TagPlus, request: Request) -> Merchant:
    vendor.settle()
    return Merchant(vendor.account(request.path_params["name"]))
