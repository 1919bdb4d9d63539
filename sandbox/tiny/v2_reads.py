"""Reading services of API v2 (`reference/tiny.md` §3.1 to §3.6)."""

from collections.abc import Callable
from typing import Any, TypeVar

from sandbox.core.clock import days_before, parse_local
from sandbox.tiny import v2_render
from sandbox.tiny.product import Product
from sandbox.tiny.search import Query
from sandbox.tiny.v2 import Answer, V2Call, V2Error

PAGE = 100
LOOK_BACK_DAYS = 30
DATE_TIMES = ("%d/%m/%Y %H:%M:%S", "%d/%m/%Y")
Row = TypeVar("Row")


def info(call: V2Call) -> Answer:
    """info: whose token this is (§3.1)."""
    account = call.me
    return {
        "conta": {
            "razao_social": account.company,
            "cnpj_cpf": account.cnpj,
            "fantasia": account.company.removesuffix(" Comércio Ltda"),
            "endereco": "Rua das Esteiras",
            "numero": "18",
            "bairro": "Centro",
            "complemento": "Sala 2",
            "cidade": "Bento Gonçalves",
            "estado": "RS",
            "cep": "95.700-000",
            "fone": "(54) 3000-0000",
            "email": f"contato@{account.name}.example",
            "inscricao_estadual": "0000000-00",
            "regime_tributario": "Simples Nacional",
        }
    }


def search(call: V2Call) -> Answer:
    """produtos.pesquisa: part of name or code, 100 rows a page, active and inactive unless asked (§3.2)."""
    if "pesquisa" not in call.form:
        raise V2Error(10, "O parâmetro pesquisa é obrigatório e não foi informado")
    situation = call.form.get("situacao", "").strip()
    if situation not in ("", "A", "I", "E"):
        raise V2Error(10, f'O parâmetro situacao deve ser A, I ou E, valor enviado "{situation}"')
    query = Query(
        text=call.form["pesquisa"].strip(),
        gtin=call.form.get("gtin") or None,
        situations=situation or "AI",
        created_since=_date_time(call, "dataCriacao") if call.form.get("dataCriacao") else None,
        tag=call.number("idTag") if call.form.get("idTag") else None,
        price_list=call.number("idListaPreco") if call.form.get("idListaPreco") else None,
    )
    found = call.me.search.find(query, call.settings.order)
    rows, paging = _page(call, found)
    wrapped = [{"produto": v2_render.search_row(p, call.values(p.id))} for p in rows]
    return {**paging, "produtos": wrapped}


def get(call: V2Call) -> Answer:
    """produto.obter; an unknown id is code 20 here (recorded, §3.3)."""
    product = _product(call, 20)
    values = call.values(product.id)
    body = v2_render.detail(call.me.store, product, values)
    return {"status_processamento": values.status("3"), "produto": body}


def get_stock(call: V2Call) -> Answer:
    """produto.obter.estoque; an unknown id is code 32 (§3.3)."""
    product = _product(call, 32)
    values = call.values(product.id)
    body = v2_render.stock(call.me.store, product, values)
    return {"status_processamento": values.status("3"), "produto": body}


def get_structure(call: V2Call) -> Answer:
    """produto.obter.estrutura: the parts of a kit or of a manufactured product (§3.6)."""
    product = _product(call, 32)
    values = call.values(product.id)
    body = v2_render.structure(call.me.store, product, values)
    return {"status_processamento": values.status(3), "produto": body}


def product_changes(call: V2Call) -> Answer:
    """lista.atualizacoes.produtos (§3.5)."""
    return _changes(call, call.me.store.changed, lambda product: product.alterado, v2_render.change_row)


def stock_changes(call: V2Call) -> Answer:
    """lista.atualizacoes.estoque (§3.5)."""
    store = call.me.store

    def row(product: Product, at: float, values: Any) -> dict[str, Any]:
        return v2_render.stock_change_row(store, product, at, values)

    return _changes(call, store.stock_changed, lambda product: product.estoque_em, row)


def _changes(
    call: V2Call,
    waiting: dict[int, float],
    dated: Callable[[Product], float | None],
    render: Callable[[Product, float, Any], dict[str, Any]],
) -> Answer:
    mode = call.settings.update_list
    if mode == "off" or not call.me.realtime_stock:
        raise V2Error(5)
    since = _date_time(call, "dataAlteracao")
    store = call.me.store
    if mode == "since":
        since = max(since, days_before(store.clock.now(), LOOK_BACK_DAYS))
        times = {p.id: at for p in store.products.values() if (at := dated(p)) is not None}
    else:
        times = waiting
    rows = sorted((at, i) for i, at in times.items() if at >= since and i in store.products)
    shown, paging = _page(call, rows)
    if mode == "consume":
        # Literally "records leave the list once read": what was page 2 is page 1 of the next call.
        for _, product_id in shown:
            del waiting[product_id]
    wrapped = [{"produto": render(store.products[i], at, call.values(i))} for at, i in shown]
    return {**paging, "produtos": wrapped}


def _page(call: V2Call, found: list[Row]) -> tuple[list[Row], dict[str, str]]:
    """Cut the asked page out; code 20 when there is nothing at all, 23 past the end (§2.7)."""
    number = call.number("pagina", 1)
    if not found:
        raise V2Error(20)
    pages = -(-len(found) // PAGE)
    if not 1 <= number <= pages:
        raise V2Error(23)
    shown = found[(number - 1) * PAGE : number * PAGE]
    return shown, {"pagina": str(number), "numero_paginas": str(pages)}


def _product(call: V2Call, missing: int) -> Product:
    product = call.me.store.products.get(call.number("id"))
    if product is None:
        raise V2Error(missing)
    return product


def _date_time(call: V2Call, name: str) -> float:
    value = call.text(name)
    try:
        return parse_local(value, *DATE_TIMES)
    except ValueError:
        text = f'O parâmetro {name} deve conter uma data válida, valor enviado "{value}"'
        raise V2Error(10, text) from None
