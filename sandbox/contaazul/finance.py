"""Helpers of the sale payload and what its receivable shows (`reference/contaazul.md` §8)."""

from decimal import Decimal
from typing import Any

from sandbox.contaazul.api import Answer, ApiCall, paged
from sandbox.contaazul.checks import Field, Refused, check, is_uuid
from sandbox.contaazul.records import Sale
from sandbox.contaazul.sale_body import PAYMENTS
from sandbox.contaazul.times import local_day, local_moment

_KINDS = (
    "APLICACAO", "CAIXINHA", "CONTA_CORRENTE", "CARTAO_CREDITO", "INVESTIMENTO", "OUTROS", "MEIOS_RECEBIMENTO",
    "POUPANCA", "COBRANCAS_CONTA_AZUL", "RECEBA_FACIL_CARTAO",
)  # fmt: skip
_PAYMENT = {
    "data_pagamento": Field("date", required=True),
    "composicao_valor": Field("object", required=True, fields={
        "valor_bruto": Field("number", required=True, above_zero=True),
        **dict.fromkeys(("multa", "juros", "desconto", "taxa"), Field("number"))}),
    "conta_financeira": Field("uuid", required=True),
    "metodo_pagamento": Field("text", choices=(*PAYMENTS, "CARTAO_CREDITO_VIA_LINK", "PIX_COBRANCA")),
    "observacao": Field("text"), "nsu": Field("text"),
}  # fmt: skip


def list_categories(call: ApiCall) -> dict[str, Any]:
    """GET /v1/categorias: both paging parameters and `permite_apenas_filhos` are required."""
    query = call.query
    page, size = query.page(required=True)
    query.flag("permite_apenas_filhos", required=True)
    query.flag("apenas_filhos")
    kind = query.choice("tipo", ("RECEITA", "DESPESA"))
    text, name = query.text("busca").casefold(), query.text("nome").casefold()
    rising = query.choice("campo_ordenado_ascendente", ("NOME", "TIPO"))
    falling = query.choice("campo_ordenado_descendente", ("NOME", "TIPO"))
    rows = [
        c
        for c in call.store.lookups.categories
        if kind in ("", c["tipo"]) and text in c["nome"].casefold() and name in c["nome"].casefold()
    ]
    rows = _ordered(rows, rising.lower(), falling.lower())
    shown = [{k: v for k, v in c.items() if k != "ativo"} for c in paged(rows, page, size)]
    return {"itens_totais": call.total(len(rows)), "itens": call.rows(shown), "totais": _totals(rows)}


def list_accounts(call: ApiCall) -> dict[str, Any]:
    """GET /v1/conta-financeira."""
    query = call.query
    page, size = query.page()
    kinds = query.texts("tipos")
    if not set(kinds) <= set(_KINDS):
        raise Refused(400, "O valor fornecido no parâmetro 'tipos' não é válido.")
    name, active = query.text("nome").casefold(), query.flag("apenas_ativo")
    petty = query.flag("mostrar_caixinha")
    query.flag("esconde_conta_digital")
    rows = [
        b
        for b in call.store.lookups.banks
        if (not kinds or b["tipo"] in kinds)
        and name in b["nome"].casefold()
        and (not active or b["ativo"])
        and (petty is not False or b["tipo"] != "CAIXINHA")
    ]
    body = {"itens_totais": call.total(len(rows)), "itens": call.rows(paged(rows, page, size))}
    return {**body, "totais": _totals(rows)}


def get_balance(call: ApiCall) -> dict[str, Any]:
    """GET /v1/conta-financeira/{id}/saldo-atual: what was paid into it."""
    if not is_uuid(call.item):
        text = (
            f"O valor '{call.item}' fornecido no parâmetro 'id_conta_financeira' não é um identificador (uuid) válido."
        )
        raise Refused(400, text)
    if call.item.lower() not in {b["id"] for b in call.store.lookups.banks}:
        raise Refused(404, "Conta financeira não encontrada.")
    paid = [p for rows in call.store.payments.values() for p in rows if p["conta_financeira"] == call.item.lower()]
    return {"saldo_atual": float(sum(_gross(p) for p in paid))}


def list_cost_centres(call: ApiCall) -> dict[str, Any]:
    """GET /v1/centro-de-custo: the list key is `items`, the total key `itens_totais`."""
    query = call.query
    page, size = query.page(required=True)
    text, quick = query.text("busca").casefold(), query.choice("filtro_rapido", ("ATIVO", "INATIVO", "TODOS"))
    rising = query.text("campo_ordenado_ascendente").lower()
    falling = query.text("campo_ordenado_descendente").lower()
    wanted = {"ATIVO": (True,), "INATIVO": (False,)}.get(quick, (True, False))
    rows = [
        c
        for c in call.store.lookups.cost_centres
        if c["ativo"] in wanted and (text in c["nome"].casefold() or text in (c["codigo"] or "").casefold())
    ]
    rows = _ordered(
        rows, rising if rising in ("nome", "codigo") else "", falling if falling in ("nome", "codigo") else ""
    )
    body = {"itens_totais": call.total(len(rows)), "items": call.rows(paged(rows, page, size))}
    return {**body, "totais": _totals(rows)}


def create_cost_centre(call: ApiCall) -> dict[str, Any]:
    """POST /v1/centro-de-custo."""
    body = call.json()
    check(body, {"nome": Field("text", required=True), "codigo": Field("text")})
    centre = {**call.store.lookups.cost_centre(body.get("codigo") or "", body["nome"]), "id": call.store.uuid("centro")}
    call.store.lookups.cost_centres.append(centre)
    return centre


def list_installments(call: ApiCall) -> Answer:
    """GET /v1/financeiro/eventos-financeiros/{id_evento}/parcelas of a sale's receivable."""
    sale = call.store.sales.rows.get(call.store.sale_of.get(call.item.lower(), ""))
    if sale is None or sale.event_id != call.item.lower():
        raise Refused(404, "Evento financeiro não encontrado.")
    return Answer([_installment(call, sale, row) for row in sale.payment["parcelas"]])


def create_payment(call: ApiCall) -> dict[str, Any]:
    """POST /v1/financeiro/eventos-financeiros/parcelas/{id}/baixa: mark an instalment as paid."""
    row = _find_installment(call)
    body = call.json()
    check(body, _PAYMENT)
    if body["conta_financeira"].lower() not in {b["id"] for b in call.store.lookups.banks}:
        raise Refused(400, "Conta financeira não encontrada.")
    paid = call.store.payments.setdefault(row["id"], [])
    if sum(map(_gross, paid), _gross(body)) > Decimal(str(row["valor"])):
        raise Refused(400, "O valor da baixa é maior que o valor em aberto da parcela.")
    payment = {
        "id": call.store.uuid("baixa"), "versao": 0, **{name: body.get(name) for name in _PAYMENT},
        "conta_financeira": body["conta_financeira"].lower(),
    }  # fmt: skip
    paid.append(payment)
    return payment


def list_payments(call: ApiCall) -> Answer:
    """GET /v1/financeiro/eventos-financeiros/parcelas/{id}/baixa."""
    row = _find_installment(call)
    return Answer([_payment(row["id"], payment) for payment in call.store.payments.get(row["id"], [])])


def _find_installment(call: ApiCall) -> dict[str, Any]:
    wanted = call.uuid()
    sale = call.store.sales.rows.get(call.store.sale_of.get(wanted, ""))
    if sale is not None and sale.event_id is not None:
        for row in sale.payment["parcelas"]:
            if row["id"] == wanted:
                return dict(row)
    raise Refused(404, "Parcela não encontrada.")


def _installment(call: ApiCall, sale: Sale, row: dict[str, Any]) -> dict[str, Any]:
    bank = next((b for b in call.store.lookups.banks if b["id"] == sale.payment["id_conta_financeira"]), None)
    payments = call.store.payments.get(row["id"], [])
    worth, paid = Decimal(str(row["valor"])), sum(map(_gross, payments), Decimal(0))
    late = row["data_vencimento"] < local_day(call.now)
    open_status = "RECEBIDO_PARCIAL" if paid else "ATRASADO" if late else "PENDENTE"
    return {
        "id": row["id"],
        "versao": len(payments),
        "indice": row["numero"],
        "status": "QUITADO" if paid >= worth else open_status,
        "evento": {
            "id": sale.event_id,
            "data_competencia": sale.data_venda,
            "tipo": "RECEITA",
            "agendado": False,
            "condicao_pagamento": {"quantidade_parcelas": len(sale.payment["parcelas"]), "montante_fixo": False},
            "referencia": {"id": sale.id, "origem": "VENDA", "revisao": str(sale.versao)},
            "rateio": [_share(call, sale)],
        },
        "conciliado": False,
        "valor_pago": float(paid),
        "nao_pago": float(worth - paid),
        "data_vencimento": row["data_vencimento"],
        "data_pagamento_previsto": row["data_vencimento"],
        "descricao": row["descricao"],
        "conta_financeira": bank,
        "id_conta_financeira": sale.payment["id_conta_financeira"],
        "valor_composicao": {"valor_bruto": row["valor"], "valor_liquido": row["valor"], "multa": 0.0, "juros": 0.0,
                             "desconto": 0.0, "taxa": 0.0},
        "metodo_pagamento": sale.payment["tipo_pagamento"],
        "nsu": sale.payment["nsu"],
        "baixa_agendada": False,
        "baixas": [_payment(row["id"], payment) for payment in payments],
        "anexos": [],
        "solicitacoes_cobrancas": [],
        "data_alteracao": local_moment(sale.changed_at),
        "valor_total_liquido": row["valor"],
    }  # fmt: skip


def _share(call: ApiCall, sale: Sale) -> dict[str, Any]:
    names = {c["id"]: c["nome"] for c in call.store.lookups.categories}
    return {
        "id_categoria": sale.id_categoria,
        "nome_categoria": names.get(sale.id_categoria),
        "valor_bruto": float(sale.total),
        "rateio_centro_custo": [],
    }


def _payment(installment: str, payment: dict[str, Any]) -> dict[str, Any]:
    # Written as composicao_valor, read as valor_composicao (§8).
    shown = {name: value for name, value in payment.items() if name != "composicao_valor"}
    worth = {"multa": 0.0, "juros": 0.0, "desconto": 0.0, "taxa": 0.0, **payment["composicao_valor"]}
    return {
        **shown, "valor_composicao": worth, "id_parcela": installment, "origem": "VENDA",
        "tipo_evento_financeiro": "RECEITA",
    }  # fmt: skip


def _gross(payment: dict[str, Any]) -> Decimal:
    return Decimal(str(payment["composicao_valor"]["valor_bruto"]))


def _ordered(rows: list[dict[str, Any]], rising: str, falling: str) -> list[dict[str, Any]]:
    key = rising or falling
    return sorted(rows, key=lambda r: str(r[key] or "").casefold(), reverse=not rising) if key else rows


def _totals(rows: list[dict[str, Any]]) -> dict[str, int]:
    active = sum(row["ativo"] for row in rows)
    return {"ativo": active, "inativo": len(rows) - active, "todos": len(rows)}
