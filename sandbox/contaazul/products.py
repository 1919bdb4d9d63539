"""Products: list, detail, create, patch, delete, look-ups (`reference/contaazul.md` §4)."""

from typing import Any

from sandbox.contaazul import lookups
from sandbox.contaazul.api import ApiCall, paged
from sandbox.contaazul.checks import Refused
from sandbox.contaazul.product_body import PATCHABLE, build, check_patch, patched
from sandbox.contaazul.product_view import detail, row
from sandbox.contaazul.records import Product
from sandbox.contaazul.store import Store

_ORDERS = {
    "NOME": lambda p: (p.nome.casefold(), p.id_legado),
    "CODIGO": lambda p: (p.codigo_sku.casefold(), p.id_legado),
    "VALOR_VENDA": lambda p: (p.price, p.id_legado),
}


def list_products(call: ApiCall) -> dict[str, Any]:
    """GET /v1/produtos: variations show inside their parents."""
    query, store = call.query, call.store
    page, size = query.page()
    order = query.choice("campo_ordenacao", tuple(_ORDERS))
    descending = query.choice("direcao_ordenacao", ("ASC", "DESC")) == "DESC"
    sku = query.text("sku")
    found = [p for p in _candidates(store, sku) if p.parent is None]
    for test in _filters(call):
        found = [p for p in found if test(p)]
    found.sort(key=_ORDERS[order] if order else lambda p: p.id_legado, reverse=descending)
    rows = [row(store, product) for product in paged(found, page, size)]
    return {"items": call.rows(rows), "totalItems": call.total(len(found))}


def get_product(call: ApiCall) -> dict[str, Any]:
    """GET /v1/produtos/{id}."""
    return detail(call.store, _product(call))


def create_product(call: ApiCall) -> Any:
    """POST /v1/produtos: only `nome` is required; the stock can be given here and never again (§4.5)."""
    body = call.json()
    refuse = call.settings.contaazul_duplicate_sku == "refuse"
    product = build(call.store, body, refuse_duplicates=refuse)
    return call.created(detail(call.store, product))


def patch_product(call: ApiCall) -> None:
    """PATCH /v1/produtos/{id} → 204: a flat body of the fields of §4.4."""
    product, body = _product(call), call.json()
    unknown = [name for name in body if name not in PATCHABLE]
    if unknown and call.settings.contaazul_product_patch == "refuse":
        raise Refused(400, f"O campo {unknown[0]} não pode ser alterado")
    check_patch(body)
    values = patched(call.store, product, body)
    call.store.products.edit(product, **values, versao=product.versao + 1, changed_at=call.now)


def delete_product(call: ApiCall) -> None:
    """DELETE /v1/produtos/{id} → 204: physical (§4.6)."""
    remove(call.store, _product(call))


def remove(store: Store, product: Product) -> None:
    """Take a product and its variations out."""
    for child in product.children:
        if child in store.products.rows:
            store.products.remove(store.products.rows[child])
    store.products.remove(product)
    parent = store.products.rows.get(product.parent or "")
    if parent is not None:
        store.products.edit(parent, children=tuple(i for i in parent.children if i != product.id))


def list_categories(call: ApiCall) -> dict[str, Any]:
    """GET /v1/produtos/categorias."""
    wanted = call.query.text("busca_textual").casefold()
    return _lookup(call, [c for c in call.store.lookups.product_categories if wanted in c["descricao"].casefold()])


def list_ncms(call: ApiCall) -> dict[str, Any]:
    """GET /v1/produtos/ncm."""
    return _lookup(call, lookups.find_ncms(call.query.text("busca_textual")))


def list_cests(call: ApiCall) -> dict[str, Any]:
    """GET /v1/produtos/cest."""
    return _lookup(call, lookups.find_cests(call.query.text("busca_textual")))


def list_units(call: ApiCall) -> dict[str, Any]:
    """GET /v1/produtos/unidades-medida."""
    return _lookup(call, lookups.find_units(call.query.text("busca_textual")))


def list_brands(call: ApiCall) -> dict[str, Any]:
    """GET /v1/produtos/ecommerce-marcas: without a text it finds nothing (§4.6)."""
    wanted = call.query.text("busca_textual").casefold()
    return _lookup(call, [b for b in call.store.lookups.brands if wanted and wanted in b["nome"].casefold()])


def list_shop_categories(call: ApiCall) -> dict[str, Any]:
    """GET /v1/produtos/ecommerce-categorias: short or absent terms are 400 (§4.6)."""
    wanted = call.query.text("busca_textual").casefold()
    if len(wanted) < 3:
        raise Refused(400, "O parâmetro busca_textual deve ter no mínimo 3 caracteres")
    rows = [c for c in call.store.lookups.shop_categories if wanted in c["descricao"].casefold()]
    return {"id": call.store.lookups.uuid("loja", "raiz"), "versao": 1, "items": call.rows(rows)}


def _lookup(call: ApiCall, found: list[dict[str, Any]]) -> dict[str, Any]:
    page, size = call.query.page()
    return {"items": call.rows(paged(found, page, size)), "total_items": call.total(len(found))}


def _candidates(store: Store, sku: str) -> list[Product]:
    if not sku:
        return list(store.products.visible())
    fitting = [p for p in store.products.visible([("sku", sku)]) if p.codigo_sku == sku]
    # A variation shows in the row of its parent.
    found = {p.id: p for p in fitting if p.parent is None}
    for product in fitting:
        parent = store.products.rows.get(product.parent or "")
        if parent is not None:
            found[parent.id] = parent
    return list(found.values())


def _filters(call: ApiCall) -> list[Any]:
    query = call.query
    status = query.choice("status", ("ATIVO", "INATIVO"))
    text = query.text("busca").casefold()
    low, high = query.number("valor_venda_inicial"), query.number("valor_venda_final")
    shop, kits = query.flag("integracao_ecommerce_ativo"), query.flag("produtos_kit_ativo")
    changed = query.changed()
    tests: list[Any] = []
    if status:
        tests.append(lambda p: p.status == status)
    if text:
        tests.append(lambda p: any(text in v.casefold() for v in (p.nome, p.codigo_ean, p.codigo_sku)))
    if low is not None:
        tests.append(lambda p: p.price >= low)
    if high is not None:
        tests.append(lambda p: p.price <= high)
    if shop is not None:
        tests.append(lambda p: bool(p.ecommerce.get("integracao_ativa")) is shop)
    if kits is not None:
        tests.append(lambda p: bool(p.kit) is kits)
    if changed is not None:
        tests.append(lambda p: changed[0] <= p.changed_at < changed[1])
    return tests


def _product(call: ApiCall) -> Product:
    product = call.store.product(call.uuid())
    if product is None:
        raise Refused(404, "Produto não encontrado")
    return product
