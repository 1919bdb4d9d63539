"""Writing orders: closed schema, prices, status, totals (`reference/tagplus.md` §8)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sandbox.core.clock import local_text, parse_local
from sandbox.tagplus.accounts import Actor
from sandbox.tagplus.checks import Field, Refused, check, forbidden, invalid
from sandbox.tagplus.lookups import USER_ID
from sandbox.tagplus.query import find
from sandbox.tagplus.stock import quantities, settle_row
from sandbox.tagplus.store import Row, Store
from sandbox.tagplus.values import exact, money

_MONEY, _TEXT, _INT = Field("number", low=0), Field(), Field("int")
ITEM = {
    "item": _INT, "produto_servico": Field("int", required=True), "qtd": Field("number", low=0),
    "valor_unitario": _MONEY,
    "valor_venda": _INT, "valor_desconto": _MONEY, "valor_acrescimo": _MONEY, "detalhes": _TEXT, "cfop": _TEXT,
}  # fmt: skip
_INSTALMENT = {
    "parcela": _INT, "documento": _TEXT, "valor_parcela": _MONEY, "data_vencimento": Field("date"),
    "informacao_1": _TEXT, "informacao_2": _TEXT, "informacao_3": _TEXT,
}  # fmt: skip
BILL = {
    "item": _INT, "forma_pagamento": _INT, "qtd_parcelas": _INT, "valor_total_parcelas": _MONEY,
    "parcelas": Field("list", fields=_INSTALMENT),
}  # fmt: skip
BODY = {
    "codigo_externo": Field(long=50), "numero": _INT, "numero_fatura": Field(long=10),
    "status": Field(choices=("A", "B", "C")), "data_criacao": Field("date"), "hora_criacao": Field("time"),
    "data_entrega": Field("date"), "hora_entrega": Field("time"), "data_confirmacao": Field("date"),
    "hora_confirmacao": Field("time"), "departamento": _INT, "vendedor": _INT, "cliente": _INT,
    "itens": Field("list", fields=ITEM), "faturas": Field("list", fields=BILL), "valor_frete": _MONEY,
    "valor_desconto": _MONEY, "valor_acrescimo": _MONEY, "valor_troco": _MONEY, "observacoes": _TEXT,
    "integracao": _TEXT, "possui_vinculo": Field("bool"),
}  # fmt: skip
_REFERENCES = {"departamento": "departamentos", "vendedor": "usuarios", "cliente": "clientes"}
_NEW: dict[str, Any] = {
    "status": "A", "codigo_externo": None, "numero_fatura": None, "departamento": None, "vendedor": None,
    "cliente": None, "itens": [], "faturas": [], "valor_frete": 0, "valor_desconto": 0, "valor_acrescimo": 0,
    "valor_troco": 0, "observacoes": "", "integracao": None, "data_entrega": None, "hora_entrega": None,
}  # fmt: skip
_DATES = ("data_criacao", "hora_criacao", "data_confirmacao", "hora_confirmacao")


def create(actor: Actor, raw: Any) -> Row:
    """Make an order; an empty body makes an empty one, a `codigo_externo` may come again."""
    store, body = actor.store, check(raw, BODY)
    values = {**_NEW, **_values(actor, body)}
    status = values.pop("status")
    row = store.orders.add(
        {
            **values, "status": "A", "numero": body.get("numero") or next(store.numbers), "funcionario": USER_ID,
            "taken": {},
        },
        origin=actor.origin,
        request=raw,
    )  # fmt: skip
    store.orders.edit(row, {}, touch=False, moments=_moments(store, row, body))
    actor.wrote("pedidos", "C", row.id, "pedido_criado")
    if status != "A":
        set_status(actor, row, status)
    return row


def patch(actor: Actor, row: Row, raw: Any) -> Row:
    """Change an order: what is not sent is kept; `itens` and `faturas` are replaced."""
    store, body = actor.store, check(raw, BODY)
    status = body.get("status", row["status"])
    _check_status(actor, row, status)
    store.orders.edit(
        row, {k: v for k, v in _values(actor, body).items() if k != "status"}, moments=_moments(store, row, body)
    )
    row.request = raw
    actor.wrote("pedidos", "A", row.id, "pedido_alterado")
    if status != row["status"]:
        set_status(actor, row, status)
    else:
        settle_order(actor, row)
    return row


def remove(actor: Actor, row: Row) -> None:
    """Delete an order and give its stock back; 403 while an issued note hangs on it."""
    if issued_note(actor.store, row) is not None:
        raise forbidden("operacao_nao_permitida", "O pedido possui nota fiscal vinculada.", row.id)
    settle_row(actor, row, "pedidos", {})
    actor.store.orders.remove(row)
    actor.wrote("pedidos", "E", row.id, "pedido_apagado")


def set_status(actor: Actor, row: Row, status: str) -> None:
    """Give an order a status: confirming moves stock, leaving that status gives it back."""
    store = actor.store
    confirmed = {"confirmed_at": store.clock.now()} if status == "B" and "confirmed_at" not in row.moments else {}
    store.orders.edit(row, {"status": status}, moments=confirmed)
    settle_order(actor, row)
    if status == "B":
        actor.wrote("pedidos", "A", row.id, "pedido_confirmado")


def settle_order(actor: Actor, row: Row) -> None:
    """Bring the stock in line with an order's status; a cancelled note has given it back."""
    takes = row["status"] == "B" and not row["returned"] and actor.store.settings.tagplus_orders_move_stock
    settle_row(actor, row, "pedidos", quantities(row["itens"]) if takes else {})


def issued_note(store: Store, row: Row) -> Row | None:
    """Return the approved note of an order."""
    return next((n for n in store.notes.having("pedido_os_vinculada", row.id) if n["status"] == "A"), None)


def line_total(item: Mapping[str, Any]) -> Decimal:
    """Return what a line comes to."""
    gross = exact(item["qtd"]) * exact(item["valor_unitario"])
    return exact(money(gross)) - exact(item["valor_desconto"]) + exact(item["valor_acrescimo"])


def total(data: Mapping[str, Any]) -> float:
    """Return what an order or note comes to."""
    lines = sum((line_total(item) for item in data["itens"]), Decimal(0))
    extra = exact(data["valor_frete"]) + exact(data["valor_acrescimo"]) - exact(data["valor_desconto"])
    return money(lines + extra)


def priced(actor: Actor, item: Mapping[str, Any], at: int) -> dict[str, Any]:
    """Return a line as it is stored: with its price, or Refused when the product has none."""
    store = actor.store
    product = find(store.products, item["produto_servico"], "Produto", "produto_servico")
    _check_whole(store, product, item.get("qtd", 1), f"/itens/{at}/qtd")
    usual = product["valor_venda_varejo"]
    price = item.get("valor_unitario")
    if price is None and "valor_venda" in item:
        rows = product["valores_venda"]
        usual = price = next((p["valor_venda"] for p in rows if p["id"] == item["valor_venda"]), None)
    price = usual if price is None else price
    if price is None:
        data = [{"id": str(product.id), "field": "valor_unitario"}]
        raise Refused(422, "item_sem_valor_venda", "O item não possui valor de venda.", data)
    if price != usual:
        message = "O usuário não tem permissão para alterar o valor unitário."
        code = "permissao_alterar_valor_unitario"
        actor.need("funcionario_permissao_modificar_valor_unitario", code, message, product.id, "valor_unitario")
    return {
        "id": next(store.serials), "item": item.get("item", at + 1), "produto_servico": product.id,
        "qtd": item.get("qtd", 1),
        "valor_unitario": price, "valor_desconto": item.get("valor_desconto", 0),
        "valor_acrescimo": item.get("valor_acrescimo", 0), "detalhes": item.get("detalhes", ""),
        "cfop": item.get("cfop"),
    }  # fmt: skip


def billed(store: Store, bill: Mapping[str, Any], at: int) -> dict[str, Any]:
    """Return a bill as it is stored."""
    if "forma_pagamento" in bill:
        find(store.tables["formas_pagamento"], bill["forma_pagamento"], "Forma de pagamento", "forma_pagamento")
    parts = [
        {"id": next(store.serials), "parcela": number + 1, "informacao_1": None, "informacao_2": None,
         "informacao_3": None, "lancamento_financeiro_vinculado": None, **part}
        for number, part in enumerate(bill.get("parcelas", ()))
    ]  # fmt: skip
    worth = money(sum((exact(p.get("valor_parcela", 0)) for p in parts), Decimal(0)))
    return {
        "item": bill.get("item", at + 1), "forma_pagamento": bill.get("forma_pagamento"),
        "qtd_parcelas": bill.get("qtd_parcelas", len(parts)),
        "valor_total_parcelas": bill.get("valor_total_parcelas", worth), "parcelas": parts,
    }  # fmt: skip


def _check_whole(store: Store, product: Row, amount: float, path: str) -> None:
    """Refused for a part of what is sold whole (§4); where the product names no unit nobody can say."""
    unit = store.tables["unidades"].rows.get(product["unidade_saida"])
    if unit is not None and not unit["fracionado"] and amount != int(amount):
        raise invalid(path, f"A unidade {unit['sigla']} não permite quantidade fracionada: {amount}")


def _check_status(actor: Actor, row: Row, status: str) -> None:
    if row["status"] != "B" or status == "B":
        return
    message = "O usuário não tem permissão para estornar o pedido."
    actor.need("funcionario_permissao_estorno", "permissao_estornar_pedido", message, row.id, "status")
    if issued_note(actor.store, row) is not None:
        raise forbidden("operacao_nao_permitida", "O pedido possui nota fiscal aprovada.", row.id, "status")


def _values(actor: Actor, body: Mapping[str, Any]) -> dict[str, Any]:
    store = actor.store
    for name, table in _REFERENCES.items():
        if name in body:
            find(store.table(table), body[name], name.capitalize(), name)
    if "data_confirmacao" in body or "hora_confirmacao" in body:
        message = "O usuário não tem permissão para alterar a data de confirmação."
        code = "permissao_alterar_data_confirmacao_movimentacoes"
        actor.need("alterar_data_confirmacao_movimentacoes", code, message, None, "data_confirmacao")
    values = {k: v for k, v in body.items() if k not in (*_DATES, "numero", "possui_vinculo")}
    if "itens" in body:
        values["itens"] = [priced(actor, item, at) for at, item in enumerate(body["itens"])]
    if "faturas" in body:
        values["faturas"] = [billed(store, bill, at) for at, bill in enumerate(body["faturas"])]
    if "numero" in body:
        values["numero"] = body["numero"]
    return values


def _moments(store: Store, row: Row, body: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for kind, name in (("criacao", "created_at"), ("confirmacao", "confirmed_at")):
        if f"data_{kind}" in body or f"hora_{kind}" in body:
            now = row.moments.get(name, store.clock.now())
            day = body.get(f"data_{kind}", local_text(now, "%Y-%m-%d"))
            hour = body.get(f"hora_{kind}", local_text(now, "%H:%M:%S"))
            found[name] = parse_local(f"{day} {hour}", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M")
    return found
