"""Writing products: closed schema, prices, stock, variations, kits, images (`reference/tagplus.md` §6.2, §6.4)."""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from sandbox.tagplus.accounts import Actor
from sandbox.tagplus.checks import Field, Refused, check, forbidden, invalid, optional
from sandbox.tagplus.query import find
from sandbox.tagplus.stock import STOCK_KEYS, check_settable, set_stock
from sandbox.tagplus.store import Row, Store
from sandbox.tagplus.values import number

_NUMBER, _INT, _BOOL, _TEXT = Field("number"), Field("int"), Field("bool"), Field()
_SIZE = {name: Field("number", low=0) for name in ("altura", "largura", "comprimento", "peso")}
_PRICE_TYPE = {"id": _INT, "nome": _TEXT, "padrao": _BOOL, "lucro": _NUMBER}
_PRICE = {
    "id": _INT, "valor_venda": Field("number", low=0), "lucro_utilizado": _NUMBER,
    "tipo_valor_venda": Field("object", fields=_PRICE_TYPE),
}  # fmt: skip
IMAGE = {"id": _TEXT, "principal": _BOOL, "extensao": _TEXT, "url": _TEXT, "base64": _TEXT}
_PART = {"produto": Field("int", required=True), "qtd": Field("number", required=True, low=0)}
_FIELDS: dict[str, Field] = {
    "descricao": Field(required=True, short=1), "id": _INT, "codigo_externo": Field(long=50), "ativo": _BOOL,
    "codigo": _TEXT, "codigo_barras": _TEXT, "codigo_barras_tributavel": Field(short=8, long=14),
    "imagem_principal": _INT, "categoria": _INT, "departamento": _INT,
    "estoque": Field("object", fields=dict.fromkeys(STOCK_KEYS, _NUMBER)), "qtd_revenda": _NUMBER,
    "data_validade": Field("date"), "unidade_entrada": _INT, "unidade_saida": _INT, "unidade_entrada_tributacao": _INT,
    "unidade_entrada_inventario": _INT, "taxa_conversao_saida": _NUMBER, "taxa_conversao_inventario": _NUMBER,
    "taxa_conversao_tributacao": _NUMBER, "tipo": Field(choices=("N", "K", "G")), "finalidade": Field(pattern=r"\d{2}"),
    "cfop": Field(pattern=r"\d\.\d{3}"), "cest": Field(short=7, long=7), "cst_a": Field(choices=tuple("012345678")),
    "indicador_escala": Field(choices=("", "S", "N")), "localizacao_estoque": Field(long=82),
    "codigo_fornecedor_xml": _BOOL, "cnpj_fabricante": Field("cnpj"), "cnpj_produtor": Field("cnpj"),
    "embalagem": Field("object", fields=_SIZE), "valor_venda_varejo": Field("number", low=0),
    "custo_utilizado": _NUMBER, "custo_outras_despesas": _NUMBER, "serie": _BOOL, "vendido_separado": _BOOL,
    "comercializavel": _BOOL, **_SIZE, "tipo_producao": Field(choices=("", "P", "T")), "observacoes": _TEXT,
    "atributos": Field("list"), "mapa_integracao": Field("list"), "produto_integracao": Field("list"),
    "nota_fiscal_entrada": Field("list"), "ajuste_estoque": Field("list"),
    "valores_venda": Field("list", fields=_PRICE), "aliquota_ipi": _NUMBER, "aliquota_icms": _NUMBER,
    "aliquota_pis": _NUMBER, "aliquota_cofins": _NUMBER, "aliquota_irpj": _NUMBER, "aliquota_cpp": _NUMBER,
    "aliquota_csll": _NUMBER, "comissao": _NUMBER, "comissao_produto": _NUMBER, "id_pai": _INT,
    "itens_vinculados": Field("list", fields=_PART), "modalidades": Field("list", item="int"),
    "fornecedores": Field("list", item="int"), "imagens": Field("list", fields=IMAGE), "tributo_ncm": Field(long=8),
    "sincroniza": _BOOL, "ignorar_estoque": _BOOL, "valor_oferta": _NUMBER, "vender_de": _TEXT, "vender_ate": _TEXT,
    "descricao_curta": _TEXT, "descricao_longa": _TEXT, "filtro_grade": Field(choices=("", "F", "P", "T", "S")),
    "criar_composicao": _BOOL, "desfazer_composicao": _BOOL, "quantidade_composicao": _NUMBER,
}  # fmt: skip
_CHILD = optional(_FIELDS, "tipo", "id_pai")
CREATE = {**_FIELDS, "filhos": Field("list", fields=_CHILD)}
PATCH = optional(CREATE, "id", "tipo")
BULK_PATCH = {**PATCH, "id": Field("int", required=True)}
_REFERENCES = {
    "categoria": "categorias", "departamento": "departamentos", "unidade_entrada": "unidades",
    "unidade_saida": "unidades",
    "unidade_entrada_tributacao": "unidades", "unidade_entrada_inventario": "unidades",
}  # fmt: skip
#: Sent and taken, but no part of the record.
_ORDERS = ("filtro_grade", "criar_composicao", "desfazer_composicao", "quantidade_composicao", "filhos", "id")
_NEW: dict[str, Any] = {
    "ativo": True, "tipo": "N", "codigo_barras": "", "codigo_externo": None, "unidade_saida": 1, "unidade_entrada": 1,
    "categoria": None, "sincroniza": False, "ignorar_estoque": False, "serie": False, "vendido_separado": True,
    "comercializavel": True, "descricao_curta": "", "descricao_longa": "", "valor_venda_varejo": None,
    "valores_venda": [], "imagens": [], "id_pai": None, "itens_vinculados": [], "tributo_ncm": None,
}  # fmt: skip


def create(actor: Actor, raw: Any) -> Row:
    """Make a product from a body, with the variations in `filhos`."""
    body = check(raw, CREATE)
    _check_children(actor.store, body.get("tipo", "N"), body)
    row = _add(actor, body, raw)
    for at, child in enumerate(body.get("filhos", ())):
        _add_child(actor, row, child, at)
    actor.wrote("produtos", "C", row.id, "produto_criado")
    return row


def patch(actor: Actor, row: Row, raw: Any, schema: Mapping[str, Field] = PATCH) -> Row:
    """Change a product: what is not sent is kept."""
    store, body = actor.store, check(raw, schema)
    stock = _stock_of(body)
    if stock:
        message = "O usuário não tem permissão para alterar o estoque do produto."
        actor.need("alterar_estoque_produto", "permissao_alterar_estoque_produto", message, row.id, "qtd_revenda")
        check_settable(store, row, stock)
    _check_children(store, row["tipo"], body)
    values = _values(store, body, row)
    if "imagem_principal" in body:
        main = str(body["imagem_principal"])
        values["imagens"] = [{**one, "principal": one["id"] == main} for one in row["imagens"]]
    store.products.edit(row, values)
    row.request = raw
    if stock:
        set_stock(actor, row, stock)
    for at, child in enumerate(body.get("filhos", ())):
        _patch_child(actor, row, child, at)
    actor.wrote("produtos", "A", row.id, "produto_alterado")
    return row


def remove(actor: Actor, row: Row) -> None:
    """Delete a product; 403 while anything hangs on it."""
    store = actor.store
    used = any(
        item["produto_servico"] == row.id
        for table in ("pedidos", "nfes", "ajustes_estoque")
        for other in store.tables[table].rows.values()
        for item in other["itens"]
    )
    if used or store.products.having("id_pai", row.id):
        message = "O produto possui vinculos, portanto não pode ser apagado, se preferir ele pode ser desativado."
        raise forbidden("apagar_produto_vinculado", message, row.id)
    store.products.remove(row)
    actor.wrote("produtos", "E", row.id, "produto_apagado")


def decoded(text: str) -> bytes:
    """Return the bytes of an image; Refused(422) when they are not base64."""
    try:
        return base64.b64decode(text.partition("base64,")[2] or text, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(422, "base64_formato_invalido", "Base64 inválido", [{"id": None, "field": "base64"}]) from None


def image(store: Store, body: Mapping[str, Any], row_id: int, first: bool) -> dict[str, Any]:
    """Return an image as it is stored."""
    ident, kind = str(next(store.serials)), body.get("extensao") or "jpg"
    content = base64.b64encode(decoded(body.get("base64") or "")).decode()
    url = body.get("url") or f"imagens/{row_id}/{ident}.{kind}"
    return {"id": ident, "principal": body.get("principal", first), "extensao": kind, "url": url, "base64": content}


def _add(actor: Actor, body: Mapping[str, Any], raw: Any) -> Row:
    store = actor.store
    if body.get("id_pai") is not None:
        _parent(store, body["id_pai"])
        body = {**body, "tipo": "G"}
    stock = {**dict.fromkeys(STOCK_KEYS, 0), **_stock_of(body)}
    values = {**_NEW, **_values(store, {**body}, None), "estoque": {k: number(v) for k, v in stock.items()}}
    row_id = next(store.products.ids)
    values["codigo"] = body.get("codigo") or str(row_id)
    values["imagens"] = [image(store, one, row_id, at == 0) for at, one in enumerate(body.get("imagens", ()))]
    return store.products.add(values, origin=actor.origin, request=raw, row_id=row_id)


def _check_children(store: Store, kind: str, body: Mapping[str, Any]) -> None:
    if body.get("filhos") and kind != "G":
        raise invalid("/filhos", "Somente produtos do tipo G têm filhos")
    for child in body.get("filhos", ()):
        _values(store, child, None)
        for grade in child.get("modalidades", ()):
            _grade(store, grade)


def _add_child(actor: Actor, parent: Row, child: Mapping[str, Any], at: int) -> Row:
    names = [_grade(actor.store, grade) for grade in child.get("modalidades", ())]
    shared = {k: v for k, v in parent.data.items() if k in ("categoria", "unidade_saida", "tributo_ncm", "ativo") and v}
    text = f"{parent['descricao']} - {' / '.join(names) or at + 1}"
    body = {**shared, "descricao": text, **child, "id_pai": parent.id}
    if "valor_venda_varejo" not in child and parent["valor_venda_varejo"] is not None:
        body["valor_venda_varejo"] = parent["valor_venda_varejo"]
    row = _add(actor, body, child)
    actor.wrote("produtos", "C", row.id, "produto_criado")
    return row


def _patch_child(actor: Actor, parent: Row, child: Mapping[str, Any], at: int) -> None:
    if child.get("id") is None:
        _add_child(actor, parent, child, at)
        return
    row = find(actor.store.products, child["id"], "Produto", "filhos")
    patch(actor, row, {k: v for k, v in child.items() if k != "id"})


def _grade(store: Store, grade_id: int) -> str:
    return str(find(store.tables["modalidades_grade"], grade_id, "Modalidade", "modalidades")["descricao"])


def _parent(store: Store, parent_id: int) -> Row:
    parent = find(store.products, parent_id, "Produto", "id_pai")
    if parent["tipo"] != "G" or parent["id_pai"] is not None:
        raise invalid("/id_pai", "O produto pai deve ser do tipo G")
    return parent


def _stock_of(body: Mapping[str, Any]) -> dict[str, float]:
    stock = dict(body.get("estoque", {}))
    if "qtd_revenda" in body:
        stock["qtd_revenda"] = body["qtd_revenda"]
    return stock


def _values(store: Store, body: Mapping[str, Any], row: Row | None) -> dict[str, Any]:
    for name, table in _REFERENCES.items():
        if name in body:
            find(store.tables[table], body[name], name.replace("_", " ").capitalize(), name)
    code = body.get("codigo")
    taken = [other for other in store.products.having("codigo", code) if other is not row] if code else []
    if taken and store.settings.tagplus_duplicate_codigo == "refuse":
        raise Refused(
            422, "operacao_nao_permitida", "Código já utilizado", [{"id": str(taken[0].id), "field": "codigo"}]
        )
    if "codigo_barras_tributavel" in body and not _is_ean(body["codigo_barras_tributavel"]):
        raise invalid("/codigo_barras_tributavel", "Código de barras inválido")
    for part in body.get("itens_vinculados", ()):
        find(store.products, part["produto"], "Produto", "itens_vinculados")
    values = {
        k: v for k, v in body.items() if k not in (*_ORDERS, "estoque", "qtd_revenda", "imagens", "imagem_principal")
    }
    return {**values, **_prices(store, body, [] if row is None else row["valores_venda"])}


def _prices(store: Store, body: Mapping[str, Any], before: list[dict[str, Any]]) -> dict[str, Any]:
    if "valor_venda_varejo" not in body and "valores_venda" not in body:
        return {}
    rows = {price["tipo_valor_venda"]["id"]: price for price in before}
    types = store.tables["tipos_valor_venda"].rows
    default = next((t.id for t in types.values() if t["padrao"]), 1)
    for price in body.get("valores_venda", ()):
        kind = (price.get("tipo_valor_venda") or {}).get("id", default)
        known = next((p for p in before if p["id"] == price.get("id")), None)
        _price(store, rows, known["tipo_valor_venda"]["id"] if known else kind, price)
    if "valor_venda_varejo" in body:
        _price(store, rows, default, {"valor_venda": body["valor_venda_varejo"]})
    retail = rows.get(default)
    return {
        "valores_venda": list(rows.values()),
        "valor_venda_varejo": None if retail is None else retail["valor_venda"],
    }


def _price(store: Store, rows: dict[int, dict[str, Any]], kind: int, price: Mapping[str, Any]) -> None:
    table = find(store.tables["tipos_valor_venda"], kind, "Tipo de valor de venda", "valores_venda")
    old = rows.get(kind) or {"id": next(store.serials), "valor_venda": 0, "lucro_utilizado": table["lucro"]}
    shown = {"id": kind, **{k: table[k] for k in ("nome", "padrao", "lucro")}}
    new = {k: v for k, v in price.items() if k in ("valor_venda", "lucro_utilizado")}
    rows[kind] = {**old, **new, "tipo_valor_venda": shown}


def _is_ean(text: str) -> bool:
    if not text.isdigit() or len(text) not in (8, 12, 13, 14):
        return False
    total = sum(int(c) * (3 if at % 2 == 0 else 1) for at, c in enumerate(reversed(text[:-1])))
    return (10 - total % 10) % 10 == int(text[-1])
