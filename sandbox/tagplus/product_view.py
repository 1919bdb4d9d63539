"""How products read (`reference/tagplus.md` §6.3)."""

from collections.abc import Mapping
from typing import Any

from sandbox.tagplus.query import Getter, View, kept
from sandbox.tagplus.stock import balance
from sandbox.tagplus.store import Row, Store, stamp

_PLAIN = (
    "codigo_externo", "codigo", "codigo_barras", "codigo_barras_tributavel", "descricao", "tipo", "data_validade",
    "taxa_conversao_saida", "taxa_conversao_inventario", "taxa_conversao_tributacao", "finalidade", "cfop", "cest",
    "cst_a", "indicador_escala", "localizacao_estoque", "cnpj_fabricante", "cnpj_produtor", "embalagem",
    "custo_utilizado", "custo_outras_despesas", "serie", "vendido_separado", "comercializavel", "peso", "largura",
    "altura", "comprimento", "observacoes", "tributo_ncm", "ignorar_estoque", "valor_oferta", "vender_de", "vender_ate",
    "descricao_curta", "descricao_longa", "id_pai", "valor_venda_varejo",
)  # fmt: skip
_LOOKUPS = {
    "categoria": "categorias", "departamento": "departamentos", "unidade_entrada": "unidades",
    "unidade_saida": "unidades",
    "unidade_entrada_tributacao": "unidades", "unidade_entrada_inventario": "unidades",
}  # fmt: skip


def flag(store: Store, value: Any) -> Any:
    """Return a boolean of products as this API writes it (§4)."""
    return int(bool(value)) if store.settings.tagplus_flags == "numbers" else bool(value)


def _flag(name: str) -> Getter:
    return lambda store, row: flag(store, row[name])


def named(store: Store, table: str, row_id: Any) -> dict[str, Any] | None:
    """Return `{id, descricao}` (and the sign of a unit) of a look-up."""
    row = None if row_id is None else store.tables[table].rows.get(row_id)
    if row is None:
        return None
    sign = {"sigla": row["sigla"]} if row["sigla"] else {}
    return {"id": row.id, **sign, "descricao": row["descricao"]}


def _lookup(field: str, table: str) -> Getter:
    return lambda store, row: named(store, table, row[field])


def _stock(store: Store, row: Row) -> dict[str, Any]:
    return {**row["estoque"], "qtd_revenda": balance(store, row)}


def _children(store: Store, row: Row) -> list[dict[str, Any]]:
    return [
        {"id": c.id, "codigo": c["codigo"], "descricao": c["descricao"], "qtd_revenda": balance(store, c)}
        for c in store.products.having("id_pai", row.id)
    ]


def _grade_code(store: Store, row: Row) -> str:
    parent = store.products.rows.get(row["id_pai"]) if row["id_pai"] else None
    return "" if parent is None else str(parent["codigo"])


def _main_image(_: Store, row: Row) -> dict[str, Any] | None:
    image = next((i for i in row["imagens"] if i["principal"]), None)
    return None if image is None else {"id": image["id"], "url": image["url"], "principal": True}


def _parts(store: Store, row: Row) -> list[dict[str, Any]]:
    return [
        {"produto": {"id": p["produto"], "descricao": store.products.rows[p["produto"]]["descricao"]}, "qtd": p["qtd"]}
        for p in row["itens_vinculados"]
        if p["produto"] in store.products.rows
    ]


_FIELDS: Mapping[str, Getter] = {
    "id": lambda _, row: row.id,
    "ativo": _flag("ativo"),
    "sincroniza": _flag("sincroniza"),
    "codigo_grade": _grade_code,
    **{name: kept(name) for name in _PLAIN},
    **{field: _lookup(field, table) for field, table in _LOOKUPS.items()},
    "estoque": _stock,
    "qtd_revenda": balance,
    "valores_venda": kept("valores_venda"),
    "fornecedores": lambda _, row: [{"id": entity} for entity in row["fornecedores"] or ()],
    "atributos": lambda _, row: row["atributos"] or [],
    "modalidades": lambda _, row: row["modalidades"] or [],
    "filhos": _children,
    "itens_vinculados": _parts,
    "imagem_principal": _main_image,
    "imagens": lambda _, row: [image["id"] for image in row["imagens"]],
    "data_criacao": lambda _, row: stamp(row.created_at),
    "data_alteracao": lambda _, row: stamp(row.changed_at),
}
PRODUCTS = View(
    fields=_FIELDS,
    main=("codigo", "descricao"),
    searched=("codigo", "descricao", "codigo_barras", "codigo_externo"),
    item_only=("atributos", "observacoes"),
)


def fits_grade(store: Store, row: Row, wanted: str) -> bool:
    """Tell whether `filtro_grade` shows a product: simple and parents by default (§6.3)."""
    child = row["id_pai"] is not None
    parent = not child and row["tipo"] == "G"
    return {"": not child, "F": child, "P": parent, "T": parent or child, "S": True}[wanted]
