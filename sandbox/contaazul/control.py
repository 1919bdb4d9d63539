"""Control routes of the Conta Azul simulator: accounts, first tokens, seeds, the merchant's edits."""

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.contaazul import invoices
from sandbox.contaazul.accounts import Grant
from sandbox.contaazul.merchant import Merchant
from sandbox.contaazul.vendor import ContaAzul
from sandbox.core.control import answer, body_of

PREFIX = "/_sandbox/contaazul/accounts"
_ONE = PREFIX + "/{name}"


def routes(vendor: Callable[[], ContaAzul]) -> list[Route]:
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
        vendor().settle()
        chosen = vendor().account(request.path_params["name"])
        if request.method == "POST":
            chosen.change(await body_of(request))
        return answer(chosen.as_dict())

    async def tokens(request: Request) -> Response:
        chosen = vendor().account(request.path_params["name"])
        return answer(vendor().issue(Grant(chosen)))

    return [
        Route(PREFIX, accounts, methods=["GET", "POST"]),
        Route(_ONE, account, methods=["GET", "POST"]),
        Route(_ONE + "/tokens", tokens, methods=["POST"]),
        *_simple_edits(vendor),
        *_product_routes(vendor),
        *_person_routes(vendor),
        *_sale_routes(vendor),
        *_invoice_routes(vendor),
    ]


def _simple_edits(vendor: Callable[[], ContaAzul]) -> list[Route]:
    def edit(op: str) -> Route:
        async def run(request: Request) -> Response:
            step = {**await body_of(request), "op": op, "account": request.path_params["name"]}
            return answer(vendor().edit(step, None))

        return Route(f"{_ONE}/{op}", run, methods=["POST"])

    return [edit("revoke"), edit("spend"), edit("seed")]


def _product_routes(vendor: Callable[[], ContaAzul]) -> list[Route]:
    async def many(request: Request) -> Response:
        merchant = _merchant(vendor(), request)
        if request.method == "POST":
            return answer(merchant.edit("create_product", {"product": await body_of(request)}), 201)
        sku, store = request.query_params.get("sku"), merchant.store
        found = store.products.rows.values() if sku is None else store.products.having(("sku", sku))
        return answer([merchant.show_product(product) for product in found])

    async def one(request: Request) -> Response:
        merchant = _merchant(vendor(), request)
        step: dict[str, Any] = {"id": request.path_params["id"]}
        if request.method == "GET":
            return answer(merchant.show_product(merchant.product(step)))
        if request.method == "PATCH":
            return answer(merchant.edit("patch_product", {**step, "fields": await body_of(request)}))
        return answer(merchant.edit("delete_product", step))

    async def stock(request: Request) -> Response:
        step = {**await body_of(request), "id": request.path_params["id"]}
        return answer(_merchant(vendor(), request).edit("stock", step))

    return [
        Route(_ONE + "/products", many, methods=["GET", "POST"]),
        Route(_ONE + "/products/{id}", one, methods=["GET", "PATCH", "DELETE"]),
        Route(_ONE + "/products/{id}/stock", stock, methods=["POST"]),
    ]


def _person_routes(vendor: Callable[[], ContaAzul]) -> list[Route]:
    async def many(request: Request) -> Response:
        merchant = _merchant(vendor(), request)
        if request.method == "POST":
            return answer(merchant.edit("create_person", {"person": await body_of(request)}), 201)
        return answer([merchant.show_person(person) for person in merchant.store.people.rows.values()])

    async def one(request: Request) -> Response:
        merchant = _merchant(vendor(), request)
        step: dict[str, Any] = {"id": request.path_params["id"]}
        if request.method == "PATCH":
            return answer(merchant.edit("patch_person", {**step, "fields": await body_of(request)}))
        return answer(merchant.edit("delete_person", step))

    return [
        Route(_ONE + "/people", many, methods=["GET", "POST"]),
        Route(_ONE + "/people/{id}", one, methods=["PATCH", "DELETE"]),
    ]


def _sale_routes(vendor: Callable[[], ContaAzul]) -> list[Route]:
    async def many(request: Request) -> Response:
        merchant = _merchant(vendor(), request)
        if request.method == "POST":
            return answer(merchant.edit("create_sale", {"sale": await body_of(request)}), 201)
        query, rows = request.query_params, merchant.store.sales.rows.values()
        found = [s for s in rows if query.get("deleted") == "1" or not s.deleted]
        if "numero" in query:
            found = [s for s in found if str(s.numero) == query["numero"]]
        return answer([merchant.show_sale(sale) for sale in found])

    async def one(request: Request) -> Response:
        merchant = _merchant(vendor(), request)
        step: dict[str, Any] = {"id": request.path_params["id"]}
        if request.method == "GET":
            return answer(merchant.show_sale(merchant.sale(step)))
        if request.method == "PATCH":
            return answer(merchant.edit("patch_sale", {**step, "fields": await body_of(request)}))
        return answer(merchant.edit("delete_sale", step))

    async def invoice(request: Request) -> Response:
        step = {**await body_of(request), "id": request.path_params["id"]}
        return answer(_merchant(vendor(), request).edit("issue_invoice", step), 201)

    return [
        Route(_ONE + "/sales", many, methods=["GET", "POST"]),
        Route(_ONE + "/sales/{id}", one, methods=["GET", "PATCH", "DELETE"]),
        Route(_ONE + "/sales/{id}/invoice", invoice, methods=["POST"]),
    ]


def _invoice_routes(vendor: Callable[[], ContaAzul]) -> list[Route]:
    async def many(request: Request) -> Response:
        return answer([invoices.show(note) for note in _merchant(vendor(), request).store.invoices])

    def change(verb: str) -> Route:
        async def run(request: Request) -> Response:
            step = {**await body_of(request), "chave": request.path_params["chave"]}
            return answer(_merchant(vendor(), request).edit(f"{verb}_invoice", step))

        return Route(f"{_ONE}/invoices/{{chave}}/{verb}", run, methods=["POST"])

    return [Route(_ONE + "/invoices", many), change("cancel"), change("correct")]


def _merchant(vendor: ContaAzul, request: Request) -> Merchant:
    vendor.settle()
    return Merchant(vendor.account(request.path_params["name"]))
