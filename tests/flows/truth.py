"""What the hub must know of a product, worked out from how the sandbox itself keeps it (design, section 8)."""

import re
from decimal import Decimal
from typing import Any

from hub.types import plain


def expected(kind: str, theirs: list[dict[str, Any]], bad: tuple[str, ...] = ()) -> dict[str, dict[str, Any]]:
    """By external id, every product that is not deleted and not one of the `bad` SKUs, as `Shop.state` shows it."""
    by_id = {product["id"]: product for product in theirs}
    return {
        str(product["id"]): _product(kind, product, by_id.get(product["pai"]))
        for product in theirs
        if product["situacao"] != "E" and product["codigo"] not in bad
    }


def _product(kind: str, told: dict[str, Any], parent: dict[str, Any] | None) -> dict[str, Any]:
    v3 = kind == "tiny_v3"
    # v3 hands a variation over within its parent, with what sets it apart; the rest is the parent's.
    whole = parent if v3 and parent else told
    variation = told["tipoVariacao"] == "V"
    digits = "".join(letter for letter in told["gtin"] if letter.isdigit())
    return {
        "kind": _kind(told, v3),
        "sku": told["codigo"] or None,
        "name": told["nome"],
        "description": whole["descricao_complementar"],
        "brand": whole["marca"],
        "category": whole["categoria"].replace(" >> ", " > ") if v3 else whole["categoria"],
        "unit": whole["unidade"],
        "gtin": digits or None,
        "gtin_key": digits.zfill(14) if digits else None,
        "ncm": re.sub(r"\D", "", whole["ncm"]) or None,
        "cest": None if v3 else told.get("cest") or None,
        "origin": whole["origem"],
        "warranty": whole.get("garantia", ""),
        "weight_net": _number(whole["peso_liquido"]),
        "weight_gross": _number(whole["peso_bruto"]),
        "height": _number(whole["altura_embalagem"]),
        "width": _number(whole["largura_embalagem"]),
        "length": _number(whole["comprimento_embalagem"]),
        "attributes": told.get("grade", {}) if variation else {},
        "active": told["situacao"] == "A",
        "parent": str(told["pai"]) if variation else None,
        "price": {
            "list_price": _number(told["preco"]),
            "promotional_price": _number(told["preco_promocional"]) if told["preco_promocional"] else None,
            "cost_price": _number(told["preco_custo"]) if told["preco_custo"] else None,
        },
        "pictures": [] if v3 and variation else list(enumerate([*told["anexos"], *told.get("imagens_externas", [])])),
        "kit": [(at, str(key), str(key), _number(much)) for at, (key, much) in enumerate(told.get("kit", []))],
        "related": [],
        "stock": {},
        "stock_quantity": None,
    }


def _kind(told: dict[str, Any], v3: bool) -> str:
    if told["tipo"] == "S" and not v3:
        return "service"
    if told["tipoVariacao"] != "N":
        return {"P": "parent", "V": "variation"}[told["tipoVariacao"]]
    return "kit" if told["classe_produto"] == "K" else "simple"


def _number(value: float) -> str:
    return plain(Decimal(repr(value)))
