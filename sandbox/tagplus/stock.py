"""Stock: balances, movements by orders and adjustments, absolute values (`reference/tagplus.md` §6.5)."""

from collections.abc import Mapping
from typing import Any

from sandbox.tagplus.accounts import Actor
from sandbox.tagplus.api import DELETED, Answer, ApiCall
from sandbox.tagplus.checks import Field, Refused, check, forbidden, optional
from sandbox.tagplus.query import View, created, find, kept, show_date
from sandbox.tagplus.store import Row, Store, stamp
from sandbox.tagplus.values import money, number

STOCK_KEYS = ("qtd_revenda", "qtd_min", "qtd_max", "qtd_consumo", "qtd_imobilizado")
_ITEM = {
    "item": Field("int"), "produto_servico": Field("int", required=True), "qtd": Field("number", required=True, low=0),
    "valor_unitario": Field("number", low=0), "valor_desconto": Field("number", low=0),
    "valor_acrescimo": Field("number", low=0), "detalhes": Field(),
}  # fmt: skip
_BODY = {
    "tipo": Field(required=True, choices=("C", "D", "E", "S")),
    "itens": Field("list", required=True, fields=_ITEM),
    "status": Field(choices=("N", "A", "S")), "codigo_externo": Field(long=50), "numero": Field(),
    "numero_fatura": Field(long=10), "entidade": Field("int"), "pedido_os_vinculada": Field("int"),
    "data_criacao": Field("moment"), "data_confirmacao": Field("moment"), "observacoes": Field(),
    "valor_frete": Field("number"), "valor_total": Field("number"), "valor_outros": Field("number"),
    "faturas": Field("list"),
}  # fmt: skip
_CHANGE = optional(_BODY)


def balance(store: Store, product: Row) -> float:
    """Return a product's stock: a parent's is the sum of its variations, a kit's how many its parts make."""
    if product["itens_vinculados"]:
        parts = [(store.products.rows.get(p["produto"]), p["qtd"]) for p in product["itens_vinculados"]]
        return number(
            min(0.0 if row is None or not qtd else row["estoque"]["qtd_revenda"] // qtd for row, qtd in parts)
        )
    children = store.products.having("id_pai", product.id)
    if children:
        return number(sum(child["estoque"]["qtd_revenda"] for child in children))
    return number(product["estoque"]["qtd_revenda"])


def set_stock(actor: Actor, product: Row, values: Mapping[str, float]) -> None:
    """Give a product absolute quantities; a changed `qtd_revenda` fires its event."""
    check_settable(actor.store, product, values)
    before = product["estoque"]["qtd_revenda"]
    actor.store.products.edit(product, {"estoque": {**product["estoque"], **values}})
    if product["estoque"]["qtd_revenda"] != before:
        _tell(actor, product)


def check_settable(store: Store, product: Row, values: Mapping[str, float]) -> None:
    """Refuse (403) to set what is reckoned: the stock of a kit, or of a parent."""
    if "qtd_revenda" in values and (product["itens_vinculados"] or store.products.having("id_pai", product.id)):
        message = "O estoque deste produto é calculado pelos seus itens."
        raise forbidden("operacao_nao_permitida", message, product.id, "qtd_revenda")


def move(actor: Actor, product: Row, delta: float) -> None:
    """Add to a product's stock; a kit moves its parts."""
    store = actor.store
    if product["itens_vinculados"]:
        for part in product["itens_vinculados"]:
            row = store.products.rows.get(part["produto"])
            if row is not None:
                move(actor, row, delta * part["qtd"])
        return
    stock = {**product["estoque"], "qtd_revenda": number(product["estoque"]["qtd_revenda"] + delta)}
    store.products.edit(product, {"estoque": stock, "moved": True}, touch=store.settings.tagplus_movements_date_product)
    _tell(actor, product)


def settle_row(actor: Actor, row: Row, table: str, wanted: Mapping[int, float]) -> None:
    """Bring the stock in line with what an order or adjustment takes (product id → quantity)."""
    store, taken = actor.store, row["taken"] or {}
    for product_id in dict.fromkeys((*taken, *wanted)):
        delta = taken.get(product_id, 0.0) - wanted.get(product_id, 0.0)
        product = store.products.rows.get(product_id)
        if product is not None and delta:
            move(actor, product, delta)
    store.table(table).edit(row, {"taken": dict(wanted)}, touch=False)


def quantities(items: list[dict[str, Any]], sign: int = 1) -> dict[int, float]:
    """Return product id → quantity of the items."""
    found: dict[int, float] = {}
    for item in items:
        found[item["produto_servico"]] = found.get(item["produto_servico"], 0.0) + sign * item["qtd"]
    return found


def _tell(actor: Actor, product: Row) -> None:
    actor.store.log("produto_estoque", "A", product.id, actor.account.client_id if actor.api else "")
    actor.store.emit("estoque_revenda_alterado", product.id)


def _items(store: Store, row: Row) -> list[dict[str, Any]]:
    shown = []
    for at, item in enumerate(row["itens"]):
        product = store.products.rows.get(item["produto_servico"])
        named = {"codigo": product["codigo"], "descricao": product["descricao"]} if product else {}
        shown.append({**item, "item": at + 1, "produto_servico": {"id": item["produto_servico"], **named}})
    return shown


_KEPT = ("tipo", "codigo_externo", "numero", "numero_fatura", "entidade", "pedido_os_vinculada", "status")
ADJUSTMENTS = View(
    fields={
        "id": lambda _, row: row.id,
        **{name: kept(name) for name in _KEPT},
        "data_criacao": lambda _, row: stamp(row.created_at),
        "data_confirmacao": lambda _, row: show_date(row, "confirmed_at"),
        "itens": _items,
        "observacoes": kept("observacoes"),
        "valor_frete": kept("valor_frete"),
        "valor_total": lambda _, row: money(sum(i["qtd"] * (i.get("valor_unitario") or 0) for i in row["itens"])),
        "data_alteracao": lambda _, row: stamp(row.changed_at),
    },
    main=("id", "tipo", "codigo_externo", "numero", "status", "data_criacao", "data_confirmacao", "valor_total"),
    searched=("codigo_externo", "numero", "observacoes"),
    dates={
        "data_alteracao": lambda row: row.changed_at,
        "data_criacao": created,
        "data_confirmacao": lambda row: row.moments.get("confirmed_at"),
    },
)


def build(actor: Actor, raw: Any) -> Row:
    """Make a movement of stock from a body; an approved one moves the stock at once."""
    store, body = actor.store, check(raw, _BODY)
    _check_items(store, body)
    data = {"status": "N", **body}
    row = store.tables["ajustes_estoque"].add({**data, "taken": {}}, origin=actor.origin, request=raw)
    store.tables["ajustes_estoque"].edit(row, {"numero": body.get("numero") or str(row.id)}, touch=False)
    actor.wrote("ajustes_estoque", "C", row.id)
    _settle(actor, row)
    return row


def _check_items(store: Store, body: Mapping[str, Any]) -> None:
    if not body.get("itens", [1]):
        raise Refused(422, "campo_obrigatorio", "Informe ao menos um item", [{"id": None, "field": "itens"}])
    for item in body.get("itens", ()):
        find(store.products, item["produto_servico"], "Produto", "produto_servico")


def _settle(actor: Actor, row: Row) -> None:
    approved = row["status"] == "A"
    # Purchases (C) and entries (E) come in, exits (S) go out; a return (D) is one of a customer's.
    sign = 1 if row["tipo"] == "S" else -1
    if approved and "confirmed_at" not in row.moments:
        actor.store.tables["ajustes_estoque"].edit(row, {}, moments={"confirmed_at": actor.store.clock.now()})
    settle_row(actor, row, "ajustes_estoque", quantities(row["itens"], sign) if approved else {})


def list_adjustments(call: ApiCall) -> Answer:
    """GET /ajustes_estoque."""
    return call.listing(ADJUSTMENTS, call.store.tables["ajustes_estoque"])


def get_adjustment(call: ApiCall) -> Any:
    """GET /ajustes_estoque/{id}."""
    return ADJUSTMENTS.whole(call.store, call.row(call.store.tables["ajustes_estoque"]))


def create_adjustment(call: ApiCall) -> Answer:
    """POST /ajustes_estoque."""
    return Answer(ADJUSTMENTS.whole(call.store, build(call.actor, call.json())), 201)


def patch_adjustment(call: ApiCall) -> Any:
    """PATCH /ajustes_estoque/{id}."""
    table = call.store.tables["ajustes_estoque"]
    row, body = call.row(table), check(call.json(), _CHANGE)
    _check_items(call.store, body)
    table.edit(row, body)
    call.actor.wrote("ajustes_estoque", "A", row.id)
    _settle(call.actor, row)
    return ADJUSTMENTS.whole(call.store, row)


def delete_adjustment(call: ApiCall) -> Any:
    """DELETE /ajustes_estoque/{id}: what it moved goes back."""
    table = call.store.tables["ajustes_estoque"]
    row = call.row(table)
    settle_row(call.actor, row, "ajustes_estoque", {})
    table.remove(row)
    call.actor.wrote("ajustes_estoque", "E", row.id)
    return DELETED
