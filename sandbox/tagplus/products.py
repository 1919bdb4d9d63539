"""The API's operations on products, their images and bulk writes (`reference/tagplus.md` §6)."""

from collections.abc import Callable
from typing import Any

from sandbox.tagplus import product_body
from sandbox.tagplus.api import DELETED, Answer, ApiCall
from sandbox.tagplus.checks import Field, Refused, check, invalid, not_found
from sandbox.tagplus.product_view import PRODUCTS, fits_grade
from sandbox.tagplus.store import Row

_NEW_IMAGE = {**product_body.IMAGE, "extensao": Field(required=True), "base64": Field(required=True)}
_OLD_IMAGE = {**product_body.IMAGE, "id": Field(required=True), "extensao": Field(required=True)}


def list_products(call: ApiCall) -> Answer:
    """GET /produtos."""
    wanted = call.query.get("filtro_grade", "")
    if wanted not in ("", "F", "P", "T", "S"):
        raise invalid("filtro_grade", f"Valor não permitido: '{wanted}'", 1)
    return _list(call, wanted)


def list_families(call: ApiCall) -> Answer:
    """GET /produtos/pais_e_filhos: parents and children in one array."""
    return _list(call, "T")


def _list(call: ApiCall, wanted: str) -> Answer:
    answer = call.listing(PRODUCTS, call.store.products, lambda row: fits_grade(call.store, row, wanted))
    return Answer([linked(call, row) for row in answer.body], headers=answer.headers)


def get_product(call: ApiCall) -> Any:
    """GET /produtos/{id}."""
    return _shown(call, call.row(call.store.products, "Produto"))


def create_product(call: ApiCall) -> Answer:
    """POST /produtos."""
    return Answer(_shown(call, product_body.create(call.actor, call.json())), 201)


def patch_product(call: ApiCall) -> Any:
    """PATCH /produtos/{id}."""
    return _shown(call, product_body.patch(call.actor, call.row(call.store.products, "Produto"), call.json()))


def delete_product(call: ApiCall) -> Any:
    """DELETE /produtos/{id}."""
    product_body.remove(call.actor, call.row(call.store.products, "Produto"))
    return DELETED


def bulk_create(call: ApiCall) -> Any:
    """POST /bulk/produtos."""
    return _bulk(call, lambda body: product_body.create(call.actor, body))


def bulk_patch(call: ApiCall) -> Any:
    """PATCH /bulk/produtos: each with its `id`."""

    def one(raw: Any) -> Row:
        body = check(raw, product_body.BULK_PATCH)
        row = call.store.products.rows.get(body.pop("id"))
        if row is None:
            raise not_found("Produto", raw["id"], "id")
        return product_body.patch(call.actor, row, body)

    return _bulk(call, one)


def _bulk(call: ApiCall, one: Callable[[Any], Row]) -> Any:
    bodies = call.json()
    if not isinstance(bodies, list):
        raise invalid("", "Tipo inválido: esperado array", 0)
    done: dict[str, list[dict[str, Any]]] = {"success": [], "errors": []}
    for at, body in enumerate(bodies):
        try:
            row = one(body)
        except Refused as refused:
            done["errors"].append({"item": at, **refused.as_dict()})
        else:
            done["success"].append({"item": at, "id": row.id, "codigo": row["codigo"]})
    return [done]


def list_images(call: ApiCall) -> Any:
    """GET /produtos/imagens/{id}."""
    row = call.row(call.store.products, "Produto")
    return [{**image, "url": _link(call, image["url"])} for image in row["imagens"]]


def create_image(call: ApiCall) -> Answer:
    """POST /produtos/imagens/{id}."""
    row, body = call.row(call.store.products, "Produto"), check(call.json(), _NEW_IMAGE)
    image = product_body.image(call.store, body, row.id, not row["imagens"])
    _keep_images(call, row, [*_demoted(row, image), image])
    return Answer({**image, "url": _link(call, image["url"])}, 201)


def patch_image(call: ApiCall) -> Answer:
    """PATCH /produtos/imagens/{id}, answered 201 by the reference."""
    row, body = call.row(call.store.products, "Produto"), check(call.json(), _OLD_IMAGE)
    old = next((i for i in row["imagens"] if i["id"] == body["id"]), None)
    if old is None:
        raise not_found("Imagem", body["id"], "id")
    new = {**old, **{k: v for k, v in body.items() if k != "url"}}
    product_body.decoded(new["base64"])
    _keep_images(call, row, [new if i["id"] == new["id"] else i for i in _demoted(row, new)])
    return Answer({**new, "url": _link(call, new["url"])}, 201)


def delete_image(call: ApiCall) -> Any:
    """DELETE /produtos/imagens/{id}?nome_arquivo=: the id, or the file name of the image."""
    row, name = call.row(call.store.products, "Produto"), call.query.get("nome_arquivo", "")
    kept = [i for i in row["imagens"] if name not in (i["id"], f"{i['id']}.{i['extensao']}")]
    if len(kept) == len(row["imagens"]):
        raise not_found("Imagem", name, "nome_arquivo")
    _keep_images(call, row, kept)
    return DELETED


def _demoted(row: Row, image: dict[str, Any]) -> list[dict[str, Any]]:
    if not image["principal"]:
        return list(row["imagens"])
    return [{**one, "principal": False} for one in row["imagens"]]


def _keep_images(call: ApiCall, row: Row, images: list[dict[str, Any]]) -> None:
    call.store.products.edit(row, {"imagens": images})
    call.actor.wrote("produtos", "A", row.id, "produto_alterado")


def _shown(call: ApiCall, row: Row) -> dict[str, Any]:
    return linked(call, PRODUCTS.whole(call.store, row))


def linked(call: ApiCall, shown: dict[str, Any]) -> dict[str, Any]:
    """Return a product with the whole address of its main image."""
    main = shown.get("imagem_principal")
    if not main:
        return shown
    return {**shown, "imagem_principal": {**main, "url": _link(call, main["url"])}}


def _link(call: ApiCall, url: str) -> str:
    return url if "://" in url else f"{call.base}/tagplus/files/{call.me.name}/{url}"
