"""Product bodies: what create and patch take, and the rows they make (`reference/contaazul.md` §4.3, §4.4, §4.7)."""

from collections.abc import Mapping
from typing import Any

from sandbox.contaazul import lookups
from sandbox.contaazul.checks import Field, Refused, check, missing
from sandbox.contaazul.records import Product
from sandbox.contaazul.store import Store

KINDS = (
    "MERCADORIA_PARA_REVENDA", "MATERIA_PRIMA", "EMBALAGEM", "PRODUTO_EM_PROCESSO", "PRODUTO_ACABADO", "SUBPRODUTO",
    "PRODUTO_INTERMEDIARIO", "MATERIAL_DE_USO_E_CONSUMO", "ATIVO_IMOBILIZADO", "SERVICOS", "OUTROS_INSUMOS", "OUTRAS",
)  # fmt: skip
ORIGINS = (
    "NACIONAL", "ESTRANGEIRA_IMPORTACAO_DIRETA", "ESTRANGEIRA_ADQUIRIDA_INTERNAMENTE",
    "NACIONAL_IMPORTACAO_SUPERIOR_40", "NACIONAL_PRODUCAO_CONFORMIDADE", "NACIONAL_IMPORTACAO_INFERIOR_40",
    "ESTRANGEIRA_IMPORTACAO_DIRETA_CAMEX", "ESTRANGEIRA_ADQUIRIDA_INTERNAMENTE_CAMEX",
    "NACIONAL_MERCDORIA_BEM_IMPORTACAO_SUPERIOR_70",
)  # fmt: skip
_TEXT, _NUMBER, _INT, _BOOL = Field("text"), Field("number"), Field("int"), Field("bool")
_REF = Field("object", fields={"id": Field("int", required=True)})
_TEXT_REF = Field("object", fields={"id": _TEXT})
CREATE = {
    "nome": Field("text", required=True),
    "codigo_sku": _TEXT, "codigo_ean": _TEXT, "descricao": _TEXT, "ativo": _BOOL, "id_centro_custo": _TEXT,
    "status": Field("text", choices=("ATIVO", "INATIVO")),
    "formato": Field("text", choices=("SIMPLES", "VARIACAO")),
    "categoria": _REF, "unidade_medida": _REF,
    "estoque": Field("object", fields=dict.fromkeys(
        ("valor_venda", "custo_medio", "estoque_disponivel", "estoque_minimo", "estoque_maximo"), _NUMBER)),
    "fiscal": Field("object", fields={
        "origem": Field("text", choices=ORIGINS), "tipo_produto": Field("text", choices=KINDS),
        "ncm": _REF, "cest": _REF, "unidade_medida": _REF}),
    "pesos_dimensoes": Field("object", fields={
        **dict.fromkeys(("altura", "largura", "profundidade", "peso_bruto", "peso_liquido"), _NUMBER),
        "volumes": _INT}),
    "ecommerce": Field("object", fields={
        "condicao": Field("text", choices=("NOVO", "USADO")), "integracao_ativa": _BOOL, "marca": _TEXT_REF,
        "categoria_ecommerce": _TEXT_REF, "titulo_seo": _TEXT, "url_seo": _TEXT, "descricao_seo": _TEXT,
        "descricao_adicional": _TEXT}),
    "detalhe_kit": Field("object", fields={
        "valor_venda": _NUMBER, "itens": Field("list", required=True, filled=True, fields={
        "id_produto": Field("uuid", required=True), "quantidade": Field("number", required=True, above_zero=True),
        "valor_unitario": _NUMBER, "valor_total": _NUMBER})}),
    "variacao": Field("object", fields={
        "tipos": Field("list", required=True, filled=True, fields={
            "descricao": Field("text", required=True),
            "opcoes": Field("list", required=True, filled=True, fields={
                "id": Field("text", required=True), "descricao": Field("text", required=True)})}),
        "produtos": Field("list", required=True, filled=True, fields={
            "nome": _TEXT, "codigo_sku": _TEXT, "codigo_ean": _TEXT, "valor_venda": _NUMBER, "saldo": _NUMBER,
            "opcoes": Field("list", required=True, filled=True, fields={"id": Field("text", required=True)})})}),
    "conversoes_unidade_medida": Field("list", fields={
        "fator": _NUMBER, "unidade_medida": _REF, "id_fornecedor": Field("list")}),
}  # fmt: skip
PATCHABLE = {
    "nome": _TEXT, "codigo_sku": _TEXT, "codigo_ean": _TEXT, "valor_venda": _NUMBER, "ncm": _INT, "cest": _INT,
    "unidade_medida": _INT, "peso_bruto": _NUMBER, "peso_liquido": _NUMBER,
}  # fmt: skip


def build(store: Store, body: Mapping[str, Any], *, refuse_duplicates: bool = False, origem: str = "API") -> Product:
    """Add a product and its variations from a body of POST /v1/produtos; Refused when it is wrong."""
    check(body, CREATE)
    if not body["nome"].strip():
        raise missing("nome")
    _check_ids(store, body)
    sku = body.get("codigo_sku") or store.auto_sku(body["nome"])
    variations = (body.get("variacao") or {}).get("produtos") or []
    _check_options(body)
    if refuse_duplicates:
        for code in (sku, *(row.get("codigo_sku") for row in variations)):
            if code and store.products.having(("sku", code)):
                raise Refused(400, f"Já existe um produto com o código {code}")
    product = _base(store, body, sku, origem)
    store.products.add(product)
    children = [_variation(store, product, row, body["variacao"]) for row in variations]
    product.children = tuple(child.id for child in children)
    for child in children:
        store.products.add(child)
    return product


def check_patch(body: Mapping[str, Any]) -> None:
    """Refuse a wrong PATCH body."""
    check(body, PATCHABLE)
    if "nome" in body and not (body["nome"] or "").strip():
        raise missing("nome")


def patched(store: Store, product: Product, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the new values of a product's attributes for a checked PATCH body."""
    given = {name: body[name] for name in PATCHABLE if body.get(name) is not None}
    _known("ncm", given.get("ncm"), lookups.ncm)
    _known("cest", given.get("cest"), lookups.cest)
    _known("unidade_medida", given.get("unidade_medida"), lookups.unit)
    values: dict[str, Any] = {k: given[k] for k in ("nome", "codigo_sku", "codigo_ean") if k in given}
    if "valor_venda" in given:
        values["price"] = float(given["valor_venda"])
    if "unidade_medida" in given:
        values["unidade"] = given["unidade_medida"]
    fiscal = {k: given[k] for k in ("ncm", "cest", "unidade_medida") if k in given}
    if fiscal:
        values["fiscal"] = {**product.fiscal, **fiscal}
    weights = {k: given[k] for k in ("peso_bruto", "peso_liquido") if k in given}
    if weights:
        values["sizes"] = {**product.sizes, **weights}
    return values


def _base(store: Store, body: Mapping[str, Any], sku: str, origem: str) -> Product:
    stock, fiscal, kit = body.get("estoque") or {}, dict(body.get("fiscal") or {}), body.get("detalhe_kit") or {}
    variation, now = body.get("variacao") or {}, store.clock.now()
    for name in ("ncm", "cest", "unidade_medida"):
        if fiscal.get(name) is not None:
            fiscal[name] = fiscal[name]["id"]
    unit = (body.get("unidade_medida") or {}).get("id") or fiscal.get("unidade_medida")
    active = body.get("status") != "INATIVO" and body.get("ativo") is not False
    return Product(
        id=store.uuid("produto"),
        id_legado=store.legacy("produto"),
        nome=body["nome"],
        codigo_sku=sku,
        created_at=now,
        changed_at=now,
        codigo_ean=body.get("codigo_ean") or "",
        descricao=body.get("descricao") or "",
        status="ATIVO" if active else "INATIVO",
        formato="VARIACAO" if variation else "SIMPLES",
        categoria=(body.get("categoria") or {}).get("id") or 1,
        unidade=unit,
        id_centro_custo=body.get("id_centro_custo"),
        price=float(stock.get("valor_venda") or 0),
        cost=float(stock.get("custo_medio") or 0),
        stock=0.0 if kit or variation else float(stock.get("estoque_disponivel") or 0),
        lowest=float(stock.get("estoque_minimo") or 0),
        highest=float(stock.get("estoque_maximo") or 0),
        fiscal=fiscal,
        sizes=dict(body.get("pesos_dimensoes") or {}),
        ecommerce=dict(body.get("ecommerce") or {}),
        kit=tuple(dict(part) for part in kit.get("itens") or ()),
        kit_price=kit.get("valor_venda"),
        conversions=tuple(body.get("conversoes_unidade_medida") or ()),
        types=tuple(variation.get("tipos") or ()),
        origem=origem,
        request=dict(body),
    )


def _variation(store: Store, parent: Product, row: Mapping[str, Any], block: Mapping[str, Any]) -> Product:
    named = {o["id"]: o["descricao"] for kind in block["tipos"] for o in kind["opcoes"]}
    options = tuple({"id": o["id"], "descricao": named[o["id"]]} for o in row["opcoes"])
    name = row.get("nome") or " ".join((parent.nome, *(o["descricao"] for o in options)))
    return Product(
        id=store.uuid("produto"),
        id_legado=store.legacy("produto"),
        nome=name,
        codigo_sku=row.get("codigo_sku") or store.auto_sku(name),
        created_at=parent.created_at,
        changed_at=parent.changed_at,
        codigo_ean=row.get("codigo_ean") or "",
        status=parent.status,
        categoria=parent.categoria,
        unidade=parent.unidade,
        price=parent.price if row.get("valor_venda") is None else float(row["valor_venda"]),
        cost=parent.cost,
        stock=float(row.get("saldo") or 0),
        fiscal=parent.fiscal,
        parent=parent.id,
        options=options,
        origem=parent.origem,
    )


def _check_options(body: Mapping[str, Any]) -> None:
    block = body.get("variacao") or {}
    known = {o["id"] for kind in block.get("tipos") or () for o in kind["opcoes"]}
    for row in block.get("produtos") or ():
        for option in row["opcoes"]:
            if option["id"] not in known:
                raise Refused(400, f"A opção {option['id']} não existe em variacao.tipos")


def _check_ids(store: Store, body: Mapping[str, Any]) -> None:
    fiscal = body.get("fiscal") or {}
    categories = {row["id"] for row in store.lookups.product_categories}
    _known("categoria", (body.get("categoria") or {}).get("id"), lambda i: i in categories)
    _known("unidade_medida", (body.get("unidade_medida") or {}).get("id"), lookups.unit)
    _known("ncm", (fiscal.get("ncm") or {}).get("id"), lookups.ncm)
    _known("cest", (fiscal.get("cest") or {}).get("id"), lookups.cest)
    _known("unidade_medida", (fiscal.get("unidade_medida") or {}).get("id"), lookups.unit)
    for part in (body.get("detalhe_kit") or {}).get("itens") or ():
        _known("id_produto", part["id_produto"], store.product)


def _known(name: str, value: Any, find: Any) -> None:
    if value is not None and not find(value):
        raise Refused(400, f"{name} não encontrado(a): {value}")
