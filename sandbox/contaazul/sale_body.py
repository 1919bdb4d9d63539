"""Sale bodies: what create and update take (`reference/contaazul.md` §6.3, §6.5)."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sandbox.contaazul.checks import Field, Refused, check, missing
from sandbox.contaazul.records import Person, Sale, discount_of, line_total, money
from sandbox.contaazul.store import Store
from sandbox.core.settings import Settings

PAYMENTS = (
    "BOLETO_BANCARIO", "CARTAO_CREDITO", "CARTAO_DEBITO", "CARTEIRA_DIGITAL", "CASHBACK", "CHEQUE", "CREDITO_LOJA",
    "CREDITO_VIRTUAL", "DEPOSITO_BANCARIO", "DINHEIRO", "OUTRO", "DEBITO_AUTOMATICO", "LINK_PAGAMENTO",
    "PIX_PAGAMENTO_INSTANTANEO", "COBRANCA_PIX", "PROGRAMA_FIDELIDADE", "SEM_PAGAMENTO", "TRANSFERENCIA_BANCARIA",
    "VALE_ALIMENTACAO", "VALE_COMBUSTIVEL", "VALE_PRESENTE", "VALE_REFEICAO",
)  # fmt: skip
CREATED = ("EM_ANDAMENTO", "APROVADO")
UPDATED = (*CREATED, "FATURADO", "CANCELADO")
_TEXT, _UUID = Field("text"), Field("uuid")
_ABOVE = Field("number", required=True, above_zero=True)
_NEEDED_UUID, _NEEDED_DATE = Field("uuid", required=True), Field("date", required=True)
_BASE = {
    "id_cliente": _NEEDED_UUID,
    "numero": Field("int", required=True),
    "situacao": Field("text", required=True, choices=CREATED),
    "data_venda": _NEEDED_DATE,
    "itens": Field("list", required=True, filled=True, fields={
        "id": _NEEDED_UUID, "quantidade": _ABOVE, "valor": _ABOVE, "descricao": _TEXT, "valor_custo": Field("number"),
        "itens_kit": Field("list", fields={
            "id_produto": _NEEDED_UUID, "id_kit": _NEEDED_UUID, "quantidade": Field("number", required=True),
            "valor": Field("number", required=True)})}),
    "condicao_pagamento": Field("object", required=True, fields={
        "opcao_condicao_pagamento": Field("text", required=True),
        "parcelas": Field("list", required=True, filled=True, fields={
            "data_vencimento": _NEEDED_DATE, "valor": Field("number", required=True), "descricao": _TEXT}),
        "tipo_pagamento": Field("text", choices=PAYMENTS), "id_conta_financeira": _UUID, "nsu": _TEXT}),
    "composicao_de_valor": Field("object", fields={
        "frete": Field("number"),
        "desconto": Field("object", fields={
            "tipo": Field("text", required=True, choices=("PORCENTAGEM", "VALOR")),
            "valor": Field("number", required=True)})}),
    "id_categoria": _UUID, "id_centro_custo": _UUID, "id_vendedor": _UUID,
    "observacoes": _TEXT, "observacoes_pagamento": _TEXT,
}  # fmt: skip
_UPDATE = {
    **_BASE,
    "situacao": Field("text", required=True, choices=UPDATED),
    "id_natureza_operacao": _UUID,
    "versao": Field("int", required=True),
}
_CONDITION = re.compile(r"À vista|(\d{1,4}(?:, ?\d{1,4})*)|(\d{1,3})x")


def check_create(store: Store, settings: Settings, body: Mapping[str, Any]) -> None:
    """Refuse a wrong body of POST /v1/venda, one complaint at a time."""
    check(body, _BASE)
    _check_rest(store, settings, body, None)


def check_update(store: Store, settings: Settings, body: Mapping[str, Any], sale: Sale) -> None:
    """Refuse a wrong body of PUT /v1/venda/{id}: the whole sale and a `versao` that is not 0 (§6.5)."""
    check(body, _UPDATE)
    if not body["versao"]:
        raise missing("versao")
    _check_rest(store, settings, body, sale)
    _known("id_natureza_operacao", body, [row["uuid"] for row in store.lookups.natures])


def values(store: Store, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a sale for a checked body."""
    worth = body.get("composicao_de_valor") or {}
    person = store.person(body["id_cliente"])
    return {
        "numero": body["numero"],
        "situacao": body["situacao"],
        "data_venda": body["data_venda"],
        "id_cliente": body["id_cliente"].lower(),
        "client": {} if person is None else client_of(person),
        "itens": tuple(_line(store, row) for row in body["itens"]),
        "payment": _payment(store, body["condicao_pagamento"]),
        "freight": float(worth.get("frete") or 0),
        "discount": worth.get("desconto"),
        "id_categoria": body.get("id_categoria") or store.lookups.categories[0]["id"],
        "id_centro_custo": body.get("id_centro_custo"),
        "id_vendedor": body.get("id_vendedor"),
        "observacoes": body.get("observacoes") or "",
        "observacoes_pagamento": body.get("observacoes_pagamento") or "",
        "request": dict(body),
    }


def client_of(person: Person) -> dict[str, Any]:
    """Return what a sale keeps of its client, who may be deleted later."""
    fields, address = person.fields, person.address
    return {
        "uuid": person.id, "nome": person.nome, "documento": person.documento, "tipo_pessoa": fields["tipo_pessoa"],
        "email": fields.get("email") or "", "telefone": fields.get("telefone_celular") or "",
        "id_legado": person.id_legado, "endereco": address,
    }  # fmt: skip


def _check_rest(store: Store, settings: Settings, body: Mapping[str, Any], sale: Sale | None) -> None:
    if body["numero"] <= 0:
        raise missing("numero")
    if store.person(body["id_cliente"]) is None:
        raise Refused(400, f"Cliente não encontrado: {body['id_cliente']}")
    lookups = store.lookups
    _known("id_categoria", body, [c["id"] for c in lookups.categories if c["tipo"] == "RECEITA"])
    _known("id_centro_custo", body, [c["id"] for c in lookups.cost_centres])
    _known("id_vendedor", body, [s["id"] for s in lookups.sellers])
    _known("id_conta_financeira", body["condicao_pagamento"], [b["id"] for b in lookups.banks])
    for row in body["itens"]:
        product = store.product(row["id"])
        if product is None or product.children:
            raise Refused(400, f"Item não encontrado: {row['id']}")
    _check_money(settings, body)
    if store.number_taken(body["numero"], sale):
        following = store.next_number()
        raise Refused(
            400, f"Já existe uma venda com o número {body['numero']}. O próximo número disponível é {following}."
        )


def _check_money(settings: Settings, body: Mapping[str, Any]) -> None:
    worth, payment = body.get("composicao_de_valor") or {}, body["condicao_pagamento"]
    freight, discount = money(worth.get("frete") or 0), worth.get("desconto")
    gross = sum((line_total(row) for row in body["itens"]), Decimal(0))
    if freight < 0 or (discount and discount["valor"] < 0):
        raise Refused(400, "Frete e desconto não podem ser negativos")
    off = discount_of(gross, discount)
    if off > gross + freight:
        raise Refused(400, "O desconto não pode ser maior que o valor da venda")
    found = _CONDITION.fullmatch(payment["opcao_condicao_pagamento"])
    if found is None:
        raise Refused(400, "O campo condicao_pagamento.opcao_condicao_pagamento é inválido")
    rows = payment["parcelas"]
    days, times = found.groups()
    count = int(times) if times else len(days.split(",")) if days else 1
    if settings.contaazul_check_installment_count and count != len(rows):
        raise Refused(400, f"A condição de pagamento pede {count} parcela(s), mas foram enviadas {len(rows)}")
    if any(row["valor"] < 0 for row in rows):
        raise Refused(400, "O valor da parcela não pode ser negativo")
    total, paid = gross + freight - off, sum((Decimal(str(row["valor"])) for row in rows), Decimal(0))
    if settings.contaazul_check_installments and paid != total:
        raise Refused(400, f"A soma das parcelas ({paid:.2f}) é diferente do valor total da venda ({total:.2f})")


def _known(name: str, body: Mapping[str, Any], ids: list[str]) -> None:
    value = body.get(name)
    if value is not None and value.lower() not in ids:
        raise Refused(400, f"{name} não encontrado(a): {value}")


def _line(store: Store, row: Mapping[str, Any]) -> dict[str, Any]:
    product = store.product(row["id"])
    return {
        "id": store.uuid("linha"),
        "id_item": row["id"].lower(),
        "nome": "" if product is None else product.nome,
        "sku": "" if product is None else product.codigo_sku,
        "descricao": row.get("descricao") or "",
        "tipo": "KIT_PRODUTOS" if product is not None and product.kit else "PRODUTO",
        "quantidade": row["quantidade"],
        "valor": row["valor"],
        "custo": row.get("valor_custo") or (0.0 if product is None else product.cost),
        "itens_kit": row.get("itens_kit") or [],
    }


def _payment(store: Store, body: Mapping[str, Any]) -> dict[str, Any]:
    standard = next(b["id"] for b in store.lookups.banks if b["conta_padrao"])
    return {
        "id_legado": store.legacy("condicao"),
        "tipo_pagamento": body.get("tipo_pagamento") or "OUTRO",
        "id_conta_financeira": body.get("id_conta_financeira") or standard,
        "opcao_condicao_pagamento": body["opcao_condicao_pagamento"],
        "nsu": body.get("nsu") or "",
        "parcelas": [
            {
                "id": store.uuid("parcela"),
                "numero": at,
                "data_vencimento": row["data_vencimento"],
                "valor": row["valor"],
                "descricao": row.get("descricao") or "",
            }
            for at, row in enumerate(body["parcelas"], 1)
        ],
    }
