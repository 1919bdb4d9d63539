"""How orders read (`reference/tagplus.md` §8.1)."""

from typing import Any

from sandbox.core.clock import local_text
from sandbox.tagplus.customers import brief
from sandbox.tagplus.order_body import line_total, total
from sandbox.tagplus.product_view import named
from sandbox.tagplus.query import Getter, View, kept
from sandbox.tagplus.store import Row, Store, stamp
from sandbox.tagplus.values import money


def created_at(row: Row) -> float:
    """Return the date of an order, which the body may name."""
    return row.moments.get("created_at", row.created_at)


def _part(moment: str, pattern: str) -> Getter:
    def get(_: Store, row: Row) -> str | None:
        at = created_at(row) if moment == "created_at" else row.moments.get(moment)
        return None if at is None else local_text(at, pattern)

    return get


def user(store: Store, user_id: Any) -> dict[str, Any] | None:
    """Return an ERP user as orders show it."""
    row = None if user_id is None else store.tables["usuarios"].rows.get(user_id)
    return None if row is None else {"id": row.id, "nome": row["nome"]}


def items(store: Store, row: Row, key: str = "produto_servico") -> list[dict[str, Any]]:
    """Return the lines of an order or note; a product that is gone leaves its id."""
    shown = []
    for item in row["itens"]:
        product = store.products.rows.get(item["produto_servico"])
        about: dict[str, Any] = {"id": item["produto_servico"]}
        if product is not None:
            about |= {name: product[name] for name in ("codigo", "descricao", "tipo")}
        rest = {k: v for k, v in item.items() if k != "produto_servico"}
        shown.append({**rest, key: about, "valor_subtotal": money(line_total(item))})
    return shown


def bills(store: Store, row: Row) -> list[dict[str, Any]]:
    """Return the bills of an order or note."""
    return [
        {**bill, "forma_pagamento": named(store, "formas_pagamento", bill["forma_pagamento"])}
        for bill in row["faturas"]
    ]


_PLAIN = (
    "codigo_externo", "numero", "numero_fatura", "status", "data_entrega", "hora_entrega", "valor_frete",
    "valor_desconto", "valor_acrescimo", "valor_troco", "observacoes", "integracao",
)  # fmt: skip
ORDERS = View(
    fields={
        "id": lambda _, row: row.id,
        **{name: kept(name) for name in _PLAIN},
        "data_criacao": _part("created_at", "%Y-%m-%d"),
        "hora_criacao": _part("created_at", "%H:%M:%S"),
        "data_abertura": _part("created_at", "%Y-%m-%d"),
        "data_confirmacao": _part("confirmed_at", "%Y-%m-%d"),
        "hora_confirmacao": _part("confirmed_at", "%H:%M:%S"),
        "data_alteracao": lambda _, row: stamp(row.changed_at),
        "departamento": lambda store, row: named(store, "departamentos", row["departamento"]),
        "cliente": lambda store, row: brief(store, row["cliente"]),
        "funcionario": lambda store, row: user(store, row["funcionario"]),
        "vendedor": lambda store, row: user(store, row["vendedor"]),
        "itens": items,
        "faturas": bills,
        "valor_total": lambda _, row: total(row.data),
        "possui_vinculo": lambda store, row: bool(store.notes.having("pedido_os_vinculada", row.id)),
    },
    main=(
        "id", "numero", "status", "data_criacao", "hora_criacao", "data_entrega", "hora_entrega", "data_confirmacao",
        "departamento", "cliente",
    ),
    searched=("numero", "codigo_externo", "observacoes"),
    dates={
        "data_alteracao": lambda row: row.changed_at,
        "data_criacao": created_at,
        "data_confirmacao": lambda row: row.moments.get("confirmed_at"),
    },
    item_only=("possui_vinculo",),
)  # fmt: skip


def stored(store: Store, row: Row) -> dict[str, Any]:
    """Return an order for the control API: everything, with the last body as it came."""
    return {**ORDERS.whole(store, row), "origem": row.origin, "request": row.request}
