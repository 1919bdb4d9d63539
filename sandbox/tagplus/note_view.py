"""How NF-e read (`reference/tagplus.md` §9.1)."""

from typing import Any

from sandbox.core.clock import local, local_text
from sandbox.core.documents import masked
from sandbox.tagplus.customers import addresses
from sandbox.tagplus.order_body import line_total, total
from sandbox.tagplus.order_view import bills, items, user
from sandbox.tagplus.product_view import named
from sandbox.tagplus.query import View, changed, created, kept
from sandbox.tagplus.store import Row, Store
from sandbox.tagplus.values import money

_ZEROS = (
    "valor_seguro", "valor_bc_icms", "valor_icms", "valor_bc_icms_st", "valor_icms_st", "valor_ipi", "valor_pis",
    "valor_cofins", "valor_fcp", "valor_ibs", "valor_cbs",
)  # fmt: skip


def addressee(store: Store, note: Row) -> Row | None:
    """Return the customer a note goes to, by entity."""
    return store.customers.first("id_entidade", note["destinatario"])


def _party(store: Store, note: Row) -> dict[str, Any] | None:
    row = addressee(store, note)
    if row is None:
        return None
    return {
        "id": row["id_entidade"], "tipo": row["tipo"], "razao_social": row["razao_social"],
        "cpf": masked(row["cpf"]) if row["cpf"] else None, "cnpj": masked(row["cnpj"]) if row["cnpj"] else None,
        "enderecos": addresses(store, row),
    }  # fmt: skip


def _client(store: Store, note: Row) -> dict[str, Any] | None:
    row = addressee(store, note)
    shown = ("ativo", "codigo", "tipo", "razao_social", "exterior")
    return None if row is None else {"id": row.id, **{name: row[name] for name in shown}}


def _order(store: Store, note: Row) -> dict[str, Any] | None:
    order = store.orders.rows.get(note["pedido_os_vinculada"])
    return None if order is None else {"id": order.id, "numero": order["numero"], "tipo": "P"}


def _lines(store: Store, note: Row) -> list[dict[str, Any]]:
    shown = items(store, note, "produto")
    for line in shown:
        product = store.products.rows.get(line["produto"]["id"])
        if product is not None:
            line["produto"] |= {
                "codigo_barras": product["codigo_barras"],
                "categoria": named(store, "categorias", product["categoria"]),
            }
    return shown


def moment(at: float | None) -> str | None:
    """Return a moment as notes write it: ISO 8601 in São Paulo time."""
    return None if at is None else local(at).isoformat(timespec="seconds")


def _day(_: Store, note: Row) -> str | None:
    at = note.moments.get("issued_at")
    return None if at is None else local_text(at, "%Y-%m-%d")


_PLAIN = (
    "id_nota", "tipo", "status", "serie", "numero", "numero_fatura", "chave_acesso", "cfop", "modalidade_frete",
    "finalidade_emissao", "indicador_presenca", "consumidor_final", "valor_frete", "valor_desconto", "inf_fisco",
    "inf_contribuinte", "observacoes", "numero_pedido", "justificativa", "processando", "historico",
)  # fmt: skip
NOTES = View(
    fields={
        "id": lambda _, row: row.id,
        **{name: kept(name) for name in _PLAIN},
        **{name: (lambda *_: 0) for name in _ZEROS},
        "destinatario": _party,
        "cliente": _client,
        "emitente": kept("emitente"),
        "vendedor": lambda store, row: user(store, row["vendedor"]),
        "funcionario": lambda store, row: user(store, row["funcionario"]),
        "data_criacao": lambda _, row: moment(row.created_at),
        "data_confirmacao": lambda _, row: moment(row.moments.get("issued_at")),
        "data_emissao": lambda _, row: moment(row.moments.get("issued_at")),
        "data_alteracao": lambda _, row: moment(row.changed_at),
        "data_entrada_saida": _day,
        "itens": _lines,
        "faturas": bills,
        "valor_outras_despesas": kept("valor_acrescimo"),
        "valor_produtos": lambda _, row: money(sum(line_total(item) for item in row["itens"])),
        "valor_nota": lambda _, row: total(row.data),
        "pedido_os_vinculada": _order,
        "xml_aprovacao": lambda _, row: None if "file_lost_at" in row.moments else row["xml"],
        "xml_cancelamento": kept("xml_cancelamento"),
        "possui_xml_banco": lambda _, row: bool(row["xml"]),
        "possui_xml_s3": lambda _, row: bool(row["xml"]),
        "tem_cce": lambda *_: False,
        "link": lambda *_: None,
    },
    main=("id", "id_nota", "numero", "serie", "cfop", "valor_nota", "data_entrada_saida", "destinatario"),
    searched=("numero", "chave_acesso", "numero_pedido"),
    dates={
        "data_alteracao": changed,
        "data_criacao": created,
        "data_emissao": lambda row: row.moments.get("issued_at"),
        "data_confirmacao": lambda row: row.moments.get("issued_at"),
    },
    item_only=("historico", "xml_aprovacao", "xml_cancelamento"),
)


def stored(store: Store, note: Row) -> dict[str, Any]:
    """Return a note for the control API: everything, with the last body as it came."""
    return {**NOTES.whole(store, note), "xml": note["xml"], "origem": note.origin, "request": note.request}
