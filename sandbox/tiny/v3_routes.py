"""Operations of API v3 on products and stock (`reference/tiny.md` §5.2)."""

from typing import Any

from sandbox.core.clock import parse_local
from sandbox.tiny import v3_render
from sandbox.tiny.product import Product
from sandbox.tiny.search import Query
from sandbox.tiny.v2_writes import RecordError, move_stock
from sandbox.tiny.v3 import Route, V3Call, V3Error, invalid, wrong_type

LIMIT = 100
DATE_TIMES = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
_PHP_TYPES = {dict: "stdClass", list: "array", str: "string", bool: "bool", int: "int", float: "float"}


def info(call: V3Call) -> dict[str, Any]:
    """GET /info: whose grant this is (§5.5)."""
    account = call.me
    return {
        "razaoSocial": account.company,
        "cpfCnpj": account.cnpj,
        "fantasia": account.company.removesuffix(" Comércio Ltda"),
        "enderecoEmpresa": {
            "endereco": "Rua das Esteiras",
            "numero": "18",
            "complemento": "Sala 2",
            "bairro": "Centro",
            "municipio": "Bento Gonçalves",
            "cep": "95.700-000",
            "uf": "RS",
            "pais": "Brasil",
        },
        "fone": "(54) 3000-0000",
        "email": f"contato@{account.name}.example",
        "inscricaoEstadual": "0000000-00",
        "regimeTributario": 1,
    }


def list_products(call: V3Call) -> dict[str, Any]:
    """GET /produtos: filters of §5.2; an empty result is 200 with no rows (§4.3).

    Whether variations are rows of their own is not known: the OpenAPI gives the row a `tipoVariacao` with V in
    its enum, but the same enum serves GET /produtos/{id}, and the row names no parent. They are left out by
    default, so that a client must read them from the parent; the setting `v3_variations_in_list` shows them.
    Without `situacao` active and inactive ones are shown, as v2 does [I]. A `limit` above 100 counts as 100
    [I]: the maximum is not documented.
    """
    query, query_text = call.query, call.query.get
    situation = query_text("situacao", "")
    if situation not in ("", "A", "I", "E"):
        raise invalid("situacao", "O campo situacao deve ser A, I ou E")
    wanted = Query(
        name=query_text("nome", "").strip(),
        code=query.get("codigo") or None,
        gtin=str(_whole(call, "gtin", 0)) if query.get("gtin") else None,
        situations=situation or "AI",
        created_since=_since(call, "dataCriacao"),
        changed_since=_since(call, "dataAlteracao"),
        price_list=_whole(call, "idListaPreco", 0) if query.get("idListaPreco") else None,
        variations=call.settings.v3_variations_in_list,
    )
    limit, offset = _whole(call, "limit", LIMIT), _whole(call, "offset", 0)
    if limit < 1:
        raise invalid("limit", "O campo limit deve ser maior que zero")
    limit = min(limit, LIMIT)
    found = call.me.search.find(wanted, call.settings.order)
    return {
        "itens": [v3_render.row(p, call.messy) for p in found[offset : offset + limit]],
        "paginacao": {"limit": limit, "offset": offset, "total": len(found)},
    }


def get_product(call: V3Call) -> dict[str, Any]:
    """GET /produtos/{id}."""
    return v3_render.detail(call.me.store, _product(call), call.messy)


def get_kit(call: V3Call) -> list[dict[str, Any]]:
    """GET /produtos/{id}/kit: a bare array, empty for what is no kit [I]."""
    return v3_render.parts(call.me.store, _product(call).kit)


def get_stock(call: V3Call) -> dict[str, Any]:
    """GET /estoque/{id}."""
    return v3_render.stock(call.me.store, _product(call))


def put_price(call: V3Call) -> dict[str, Any]:
    """PUT /produtos/{id}/preco: 200 with the new prices; a promotional price left out is kept [I]."""
    product, body = _product(call), call.json()
    if "preco" not in body:
        raise invalid("preco", "O campo preco é obrigatório")
    fields = {"preco": _decimal(body, "preco")}
    if "precoPromocional" in body:
        promotional = body["precoPromocional"]
        fields["preco_promocional"] = 0.0 if promotional is None else _decimal(body, "precoPromocional")
    call.me.store.patch(product, fields)
    return {"preco": product.preco, "precoPromocional": product.preco_promocional}


def post_stock(call: V3Call) -> dict[str, Any]:
    """POST /estoque/{id}: B, E or S on a deposit; a kit is refused with 400 (§5.2 [R])."""
    product, body = _product(call), call.json()
    missing = [key for key in ("tipo", "quantidade", "precoUnitario") if body.get(key) is None]
    if missing:
        rows = [(key, f"O campo {key} é obrigatório") for key in missing]
        raise V3Error(400, "Ocorreram erros de validação", *rows)
    if body["tipo"] not in ("B", "E", "S"):
        raise invalid("tipo", "O campo tipo deve ser B, E ou S")
    _decimal(body, "precoUnitario")
    store = call.me.store
    try:
        if body.get("data"):
            parse_local(str(body["data"]), *DATE_TIMES)
    except ValueError:
        raise invalid("data", "O campo data deve estar no formato AAAA-MM-DD HH:MM:SS") from None
    chosen = body.get("deposito") or {}
    if not isinstance(chosen, dict):
        raise wrong_type("deposito", _php(chosen), "stdClass")
    deposit = (
        next((d for d in store.deposits if d.id == chosen["id"]), None) if chosen.get("id") else store.deposit(None)
    )
    if deposit is None:
        raise invalid("deposito", "Depósito não encontrado")
    try:
        move_stock(store, product, deposit, body["tipo"], _decimal(body, "quantidade"))
    except RecordError as error:
        raise V3Error(400, error.texts[0]) from None
    return {"idLancamento": store.entry_id()}


ROUTES = (
    Route("GET", "/info", "info:read", info),
    Route("GET", "/produtos", "produtos:read", list_products),
    Route("GET", "/produtos/{id}", "produtos:read", get_product),
    Route("GET", "/produtos/{id}/kit", "produtos:read", get_kit),
    Route("PUT", "/produtos/{id}/preco", "produtos:write", put_price),
    Route("GET", "/estoque/{id}", "estoque:read", get_stock),
    Route("POST", "/estoque/{id}", "estoque:write", post_stock),
)


def _product(call: V3Call) -> Product:
    product = call.me.store.products.get(call.number())
    if product is None:
        raise V3Error(404)
    return product


def _whole(call: V3Call, name: str, default: int) -> int:
    value = call.query.get(name, "")
    if not value:
        return default
    if not (value.isascii() and value.isdigit()):
        raise wrong_type(name, "string", "int")
    return int(value)


def _since(call: V3Call, name: str) -> float | None:
    value = call.query.get(name)
    if not value:
        return None
    try:
        return parse_local(value, *DATE_TIMES)
    except ValueError:
        raise invalid(name, f"O campo {name} deve estar no formato AAAA-MM-DD HH:MM:SS") from None


def _decimal(body: dict[str, Any], name: str) -> float:
    value = body[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(name, _php(value), "float")
    return float(value)


def _php(value: Any) -> str:
    return _PHP_TYPES.get(type(value), "null")
