"""How products show: in the list and in the detail (`reference/contaazul.md` §4.1, §4.2)."""

from typing import Any

from sandbox.contaazul import lookups
from sandbox.contaazul.records import Product
from sandbox.contaazul.store import Store
from sandbox.contaazul.times import utc_micros, utc_nanos


def row(store: Store, product: Product) -> dict[str, Any]:
    """Return a product as GET /v1/produtos lists it: the SKU is `codigo` here."""
    return {
        **_row(store, product),
        "contagem_agregacao": len(product.children) or 1,
        "produtos_variacao": [
            {**_row(store, child), "aggregationCount": 1, "id_produto_pai_variacao": product.id}
            for child in children(store, product)
        ],
        "ultima_atualizacao": utc_micros(product.changed_at),
    }


def detail(store: Store, product: Product) -> dict[str, Any]:
    """Return a product as GET /v1/produtos/{id} shows it: the price lives in `estoque`."""
    stock = store.balance(product)
    body = {
        "id": product.id,
        "id_legado": product.id_legado,
        "nome": product.nome,
        "descricao": product.descricao,
        "ativo": product.status == "ATIVO",
        "status": product.status,
        "formato": product.formato,
        "codigo_sku": product.codigo_sku,
        "codigo_ean": product.codigo_ean,
        "categoria": _category(store, product.categoria),
        "unidade_medida": _unit(product.unidade),
        "id_centro_custo": product.id_centro_custo,
        "estoque": {
            "valor_venda": product.price,
            "custo_medio": product.cost,
            "quantidade_disponivel": stock - product.reserved,
            "quantidade_reservada": product.reserved,
            "quantidade_total": stock,
            "minimumStock": product.lowest,
            "maximumStock": product.highest,
        },
        "fiscal": _fiscal(product),
        "pesos_dimensoes": product.sizes,
        "ecommerce": _shop(store, product),
        "imagens": [],
        "conversao_unidade_medida": [
            {**c, "unidade_medida": _unit((c.get("unidade_medida") or {}).get("id"))} for c in product.conversions
        ],
        "versao": product.versao,
        "ultima_atualizacao": utc_nanos(product.changed_at),
    }
    if product.kit:
        body["detalhe_kit"] = _kit(store, product)
    if product.types:
        body["variacao"] = _variation(store, product)
    return body


def children(store: Store, product: Product) -> list[Product]:
    """Return the variations of a product that exist."""
    return [store.products.rows[i] for i in product.children if i in store.products.rows]


def _row(store: Store, product: Product) -> dict[str, Any]:
    return {
        "id": product.id,
        "id_legado": product.id_legado,
        "nome": product.nome,
        "codigo": product.codigo_sku,
        "ean": product.codigo_ean,
        "tipo": "PRODUTO",
        "status": product.status,
        "saldo": store.balance(product),
        "valor_venda": product.price,
        "custo_medio": product.cost,
        "estoque_minimo": product.lowest,
        "estoque_maximo": product.highest,
        "nivel_estoque": "PADRAO",
        "movido": product.moved,
        "integracao_ecommerce_ativada": bool(product.ecommerce.get("integracao_ativa")),
    }


def _category(store: Store, number: int) -> dict[str, Any] | None:
    return next((c for c in store.lookups.product_categories if c["id"] == number), None)


def _unit(number: int | None) -> dict[str, Any] | None:
    found = lookups.unit(number)
    return None if found is None else {"id": found["id"], "descricao": found["descricao"]}


def _fiscal(product: Product) -> dict[str, Any]:
    fiscal = product.fiscal
    return {
        "origem": fiscal.get("origem") or "NACIONAL",
        "tipo_produto": fiscal.get("tipo_produto") or "MERCADORIA_PARA_REVENDA",
        "ncm": None if fiscal.get("ncm") is None else lookups.ncm(fiscal["ncm"]),
        "cest": None if fiscal.get("cest") is None else lookups.cest(fiscal["cest"]),
        "unidade_medida": _unit(fiscal.get("unidade_medida")),
    }


def _shop(store: Store, product: Product) -> dict[str, Any]:
    shop = {"condicao": "NOVO", "integracao_ativa": False, **product.ecommerce}
    brand = (shop.get("marca") or {}).get("id")
    shop["marca"] = next((b for b in store.lookups.brands if b["id"] == brand), None)
    return shop


def _kit(store: Store, product: Product) -> dict[str, Any]:
    items = []
    for at, part in enumerate(product.kit, 1):
        found = store.product(part["id_produto"])
        price = part.get("valor_unitario") or (0.0 if found is None else found.price)
        items.append(
            {
                "id_item": store.lookups.uuid("kit", f"{product.id}/{at}"),
                "id_produto": part["id_produto"],
                "codigo": "" if found is None else found.codigo_sku,
                "nome": "" if found is None else found.nome,
                "quantidade": part["quantidade"],
                "valor_unitario": price,
                "valor_total": part.get("valor_total") or round(price * part["quantidade"], 2),
                "versao": 0,
            }
        )
    return {"items": items, "valor_venda_kit": product.kit_price or product.price}


def _variation(store: Store, product: Product) -> dict[str, Any]:
    types = [
        {"id": store.lookups.uuid("tipo", f"{product.id}/{at}"), "descricao": t["descricao"], "opcoes": t["opcoes"]}
        for at, t in enumerate(product.types, 1)
    ]
    rows = [
        {
            "id": child.id,
            "nome": child.nome,
            "codigo_sku": child.codigo_sku,
            "codigo_ean": child.codigo_ean,
            "saldo": child.stock,
            "valor_venda": child.price,
            "opcoes": list(child.options),
            "movido": child.moved,
            "relacionado_manualmente": False,
            "versao": child.versao,
        }
        for child in children(store, product)
    ]
    return {"tipos": types, "produtos": rows}
