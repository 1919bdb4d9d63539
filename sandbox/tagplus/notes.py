"""The life of NF-e: made, sent, approved or denied, cancelled, voided (`reference/tagplus.md` §9)."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sandbox.core.documents import masked
from sandbox.core.nfe import SERIES, UF_CODES, Client, Draft, Issuer, Line, access_key, cancellation, document, protocol
from sandbox.tagplus import order_body
from sandbox.tagplus.accounts import Account, Actor
from sandbox.tagplus.checks import Field, Refused, check, forbidden, not_found, optional
from sandbox.tagplus.customers import city
from sandbox.tagplus.lookups import USER_ID
from sandbox.tagplus.note_view import addressee, moment
from sandbox.tagplus.query import find
from sandbox.tagplus.stock import quantities, settle_row
from sandbox.tagplus.store import Row, Store
from sandbox.tagplus.values import exact

#: What sending may come to: approved, denied.
OUTCOMES = ("A", "2")
CANCEL_WINDOW_S = 86_400.0
_DONE = {"A": "Nota aprovada", "2": "Nota denegada", "S": "Nota cancelada", "4": "Numeração inutilizada"}
_EVENTS = {"A": "nfe_aprovada", "2": "nfe_denegada", "S": "nfe_cancelada"}
_CFOP = r"\d\.\d{3}"
_MONEY, _TEXT, _INT = Field("number", low=0), Field(), Field("int")
_TAXES = (
    "valor_icms", "valor_cofins_st", "valor_pis_st", "valor_bc_icms_mono_retencao", "valor_icms_mono_retido",
    "valor_fcp", "valor_fcp_st", "valor_fcp_st_ret", "valor_pis_retido", "valor_cofins_retido", "valor_csll_retido",
    "base_calculo_irrf", "valor_irrf_retido", "base_calculo_previdencia_social", "valor_previdencia_social",
)  # fmt: skip
BODY = {
    "destinatario": Field("int", required=True), "itens": Field("list", required=True, fields=order_body.ITEM),
    "cfop": Field(required=True, pattern=_CFOP), "tipo": Field(choices=("E", "S")),
    "status": Field(choices=("0", "N", "A", "S", "2", "4")), "serie": _INT,
    "numero": Field("int", low=1, high=999_999_999), "numero_fatura": Field(long=10), "emitente": Field("object"),
    "cpf_cnpj_responsavel_retirada": _TEXT, "ie_retirada": _TEXT, "data_contingencia": Field("date"),
    "hora_contingencia": Field("time"), "justificativa_contingencia": Field(short=15),
    "cpf_cnpj_responsavel_entrega": _TEXT, "ie_entrega": _TEXT, "dados_entrega_nome": _TEXT,
    "dados_entrega_telefone": _TEXT, "data_criacao": Field("moment"), "data_emissao": Field("moment"),
    "data_entrada_saida": Field("date"), "hora_entrada_saida": Field("time"),
    "modalidade_frete": Field(choices=("0", "1", "2", "3", "4", "9")), "movimentacao_mercadoria": Field("bool"),
    "notas_referenciadas": Field("list"), "finalidade_emissao": Field("int", choices=(1, 2, 3, 4, 9)),
    "indicador_presenca": Field("int", choices=(0, 1, 2, 3, 5, 9)),
    "indicador_intermediador": Field("int", choices=(0, 1)), "intermediador": _INT,
    "tipo_emissao": Field("int", choices=(1, 2, 3, 4, 5, 6, 7, 8)), "vendedor": _INT, "consumidor_final": Field("bool"),
    "uso_livre_contribuinte": Field("list"), "econf": Field("list"), "transportadora": Field("object"),
    "valor_frete": _MONEY, "valor_seguro": _MONEY, "valor_outras_despesas": _MONEY, "valor_desconto": _MONEY,
    **dict.fromkeys(_TAXES, _MONEY), "faturas": Field("list", fields=order_body.BILL), "inf_fisco": _TEXT,
    "inf_contribuinte": _TEXT, "observacoes": _TEXT, "numero_pedido": _TEXT, "justificativa": Field(short=15),
    "pedido_os_vinculada": _INT, "abater_icms_desonerado": Field("bool"), "endereco_destinatario": _INT,
    "endereco_entrega": _INT, "endereco_emitente": _INT, "endereco_retirada": _INT,
}  # fmt: skip
PATCH = optional(BODY)
REASON = {"justificativa": Field(required=True, short=15)}
_NEW: dict[str, Any] = {
    "tipo": "S", "status": "N", "serie": SERIES, "numero_fatura": None, "chave_acesso": None, "modalidade_frete": "0",
    "finalidade_emissao": 1, "indicador_presenca": 2, "consumidor_final": True, "valor_frete": 0, "valor_desconto": 0,
    "valor_acrescimo": 0, "faturas": [], "observacoes": "", "numero_pedido": None, "justificativa": None,
    "processando": False, "historico": [], "xml": "", "xml_cancelamento": None, "pedido_os_vinculada": None,
}  # fmt: skip


def create(actor: Actor, raw: Any) -> Row:
    """Make a draft from a body (POST /nfes)."""
    body = check(raw, BODY)
    return _add(actor, _values(actor, body), raw)


def patch(actor: Actor, note: Row, raw: Any) -> Row:
    """Change a draft; 403 for an issued note."""
    body = check(raw, PATCH)
    if note["status"] != "N":
        raise forbidden("alterar_nota_nao_autorizado", "Esta nota não pode ser alterada.", note.id)
    actor.store.notes.edit(note, _values(actor, body))
    note.request = raw
    actor.wrote("nfes", "A", note.id, "nfe_alterada")
    return note


def remove(actor: Actor, note: Row) -> None:
    """Delete a draft; 403 for an issued note."""
    if note["status"] != "N" or note["processando"]:
        raise forbidden("alterar_nota_nao_autorizado", "Esta nota não pode ser apagada.", note.id)
    actor.store.notes.remove(note)
    actor.wrote("nfes", "E", note.id, "nfe_apagada")


def from_order(actor: Actor, order: Row) -> Row:
    """Make a draft of an order, linked to it."""
    customer = actor.store.customers.rows.get(order["cliente"]) if order["cliente"] else None
    shared = ("itens", "faturas", "valor_frete", "valor_desconto", "valor_acrescimo", "vendedor", "observacoes")
    values = {
        **{name: order[name] for name in shared}, "destinatario": None if customer is None else customer["id_entidade"],
        "cfop": _cfop(actor, customer), "pedido_os_vinculada": order.id, "numero_pedido": order["codigo_externo"],
    }  # fmt: skip
    return _add(actor, values, None)


def send(actor: Actor, note: Row, outcome: str = "A", quiet: bool = False) -> None:
    """Send a draft to the tax office: its outcome comes with the delay of the setting."""
    store = actor.store
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome is one of {', '.join(OUTCOMES)}, got {outcome!r}")
    if note["status"] != "N" or note["processando"]:
        raise forbidden("operacao_nao_permitida", "A nota já foi enviada.", note.id)
    customer = addressee(store, note)
    if customer is None or not (customer["cpf"] or customer["cnpj"]):
        data = [{"id": str(note.id), "field": "destinatario"}]
        raise Refused(422, "campo_obrigatorio", "O destinatário precisa de CPF ou CNPJ.", data)
    if not note["itens"]:
        data = [{"id": str(note.id), "field": "itens"}]
        raise Refused(422, "campo_obrigatorio", "A nota não tem itens.", data)
    store.notes.edit(note, {"processando": True})
    store.due.append((store.clock.now() + store.settings.tagplus_nfe_delay_s, note.id, outcome, quiet))


def cancel(actor: Actor, note: Row, reason: str, quiet: bool = False) -> None:
    """Ask for a note to be cancelled; 500 while it is under way, 403 when it is not approved or too old."""
    store, now = actor.store, actor.store.clock.now()
    issued = note.moments.get("issued_at", now)
    if note["processando"] or (note["status"] == "A" and now < issued + store.settings.tagplus_nfe_busy_s):
        raise Refused(500, "erro_interno", "A nota ainda está sendo processada, tente novamente em instantes.")
    if note["status"] != "A":
        raise forbidden("operacao_nao_permitida", "A nota não está aprovada.", note.id)
    if actor.api and now >= issued + CANCEL_WINDOW_S:
        raise forbidden("operacao_nao_permitida", "O prazo de cancelamento de 24 horas terminou.", note.id)
    store.notes.edit(note, {"justificativa": reason, "processando": True})
    store.due.append((now + store.settings.tagplus_nfe_cancel_delay_s, note.id, "S", quiet))


def void(actor: Actor, note: Row, reason: str) -> None:
    """Void the number of a draft."""
    if note["status"] != "N" or note["processando"]:
        raise forbidden("operacao_nao_permitida", "Somente notas não enviadas podem ser inutilizadas.", note.id)
    actor.store.notes.edit(note, {"justificativa": reason, **_finished(note, "4", actor.store.clock.now())})
    actor.wrote("nfes", "A", note.id, "nfe_alterada")


def settle_notes(account: Account) -> None:
    """Let the outcomes that are due happen, each at its own moment."""
    store, now = account.store, account.clock.now()
    due = sorted(entry for entry in store.due if entry[0] <= now)
    store.due = [entry for entry in store.due if entry[0] > now]
    for at, note_id, outcome, quiet in due:
        note = store.notes.rows.get(note_id)
        if note is None:
            continue
        with store.quiet(quiet):
            _finish(Actor(account, api=False), note, outcome, at)


def _finish(actor: Actor, note: Row, outcome: str, at: float) -> None:
    store = actor.store
    values = _finished(note, outcome, at)
    if outcome == "S":
        draft = _draft(actor.account, note, note.moments["issued_at"])
        paper = cancellation(note["chave_acesso"], draft.issuer, False, protocol(draft), note["justificativa"], at)
        values["xml_cancelamento"] = paper.decode()
        store.notes.edit(note, values)
    else:
        draft = _draft(actor.account, note, at)
        key = access_key(draft)
        values |= {"chave_acesso": key, "xml": document(draft, key).decode() if outcome == "A" else ""}
        hidden = at + store.settings.tagplus_nfe_hidden_s
        store.notes.edit(note, values, moments={"issued_at": at, "hidden_until": hidden})
    store.log("nota_fiscal", "A", note.id)
    _settle_order(actor, note)
    store.emit(_EVENTS[outcome], note.id)


def _finished(note: Row, outcome: str, at: float) -> dict[str, Any]:
    line = {"data": moment(at), "status": outcome, "evento": _DONE[outcome]}
    return {"status": outcome, "processando": False, "historico": [*note["historico"], line]}


def _settle_order(actor: Actor, note: Row) -> None:
    """Bring the order of a note, or the stock where it has none, in line with its status."""
    store, approved = actor.store, note["status"] == "A"
    order = store.orders.rows.get(note["pedido_os_vinculada"]) if note["pedido_os_vinculada"] else None
    if order is None and approved and store.settings.tagplus_note_makes_order:
        order = _order_of(actor, note)
    if order is None:
        takes = approved and store.settings.tagplus_orders_move_stock
        settle_row(actor, note, "nfes", quantities(note["itens"]) if takes else {})
        return
    if note["status"] == "2":
        return
    store.orders.edit(order, {"returned": not approved}, touch=approved)
    if approved and order["status"] == "A" and store.settings.tagplus_note_confirms_order:
        order_body.set_status(actor, order, "B")
    else:
        order_body.settle_order(actor, order)


def _order_of(actor: Actor, note: Row) -> Row:
    customer = addressee(actor.store, note)
    items = [{k: v for k, v in item.items() if k not in ("id", "cfop") and v is not None} for item in note["itens"]]
    body: dict[str, Any] = {
        "itens": items,
        "valor_frete": note["valor_frete"],
        "valor_desconto": note["valor_desconto"],
    }
    order = order_body.create(actor, body if customer is None else {**body, "cliente": customer.id})
    actor.store.notes.edit(note, {"pedido_os_vinculada": order.id}, touch=False)
    return order


def _add(actor: Actor, values: Mapping[str, Any], raw: Any) -> Row:
    store, account = actor.store, actor.account
    issuer = {"id": 1, "tipo": "J", "razao_social": account.company, "cpf": None, "cnpj": masked(account.cnpj)}
    number = values.get("numero") or next(store.note_numbers)
    data = {
        **_NEW, **values, "numero": number, "id_nota": next(store.note_ids), "emitente": issuer, "taken": {},
        "funcionario": USER_ID,
    }  # fmt: skip
    note = store.notes.add(data, origin=actor.origin, request=raw)
    actor.wrote("nfes", "C", note.id, "nfe_criada")
    return note


def _values(actor: Actor, body: Mapping[str, Any]) -> dict[str, Any]:
    store = actor.store
    if "destinatario" in body and store.customers.first("id_entidade", body["destinatario"]) is None:
        raise not_found("Destinatário", body["destinatario"], "destinatario")
    if "pedido_os_vinculada" in body:
        find(store.orders, body["pedido_os_vinculada"], "Pedido", "pedido_os_vinculada")
    values = {k: v for k, v in body.items() if k not in ("status", "emitente", "data_criacao", "data_emissao")}
    if "itens" in body:
        values["itens"] = [order_body.priced(actor, item, at) for at, item in enumerate(body["itens"])]
    if "faturas" in body:
        values["faturas"] = [order_body.billed(store, bill, at) for at, bill in enumerate(body["faturas"])]
    if "valor_outras_despesas" in body:
        values["valor_acrescimo"] = values.pop("valor_outras_despesas")
    return values


def _cfop(actor: Actor, customer: Row | None) -> str:
    address = _address(actor.store, customer)
    return "5.102" if address.get("estado") in (None, actor.account.uf) else "6.102"


def _address(store: Store, customer: Row | None) -> dict[str, Any]:
    if customer is None or not customer["enderecos"]:
        return {}
    one = next((a for a in customer["enderecos"] if a.get("principal")), customer["enderecos"][0])
    place = city(store, one.get("id_cidade"))
    named = {} if place is None else {
        "id_cidade": place["codigo"], "cidade": place["nome"], "estado": place["estado"]["sigla"],
    }  # fmt: skip
    return {**one, "id_cidade": None, **named}


def _draft(account: Account, note: Row, at: float) -> Draft:
    store = account.store
    customer = addressee(store, note)
    assert customer is not None
    mail = next((c["descricao"] for c in customer["contatos"] if "@" in str(c.get("descricao"))), "")
    bill = note["faturas"][0]["forma_pagamento"] if note["faturas"] else None
    form = None if bill is None else store.tables["formas_pagamento"].rows.get(bill)
    order = store.orders.rows.get(note["pedido_os_vinculada"] or 0)
    about = f"NF-e {note['numero']}" if order is None else f"Pedido {order['numero']}"
    return Draft(
        issuer=Issuer(account.cnpj, account.company, account.company, account.uf, UF_CODES[account.uf]),
        client=Client(customer["cpf"] or customer["cnpj"], customer["razao_social"], mail, _address(store, customer)),
        lines=tuple(_line(store, note, item) for item in note["itens"]),
        freight=exact(note["valor_frete"]),
        discount=exact(note["valor_desconto"]),
        other=exact(note["valor_acrescimo"]) + sum((exact(i["valor_acrescimo"]) for i in note["itens"]), Decimal(0)),
        payment="99" if form is None else form["forma_pagamento_base_tpag"],
        payment_name="Outros" if form is None else form["descricao"],
        about=about,
        number=note["numero"],
        issued_at=at,
        test=False,
    )


def _line(store: Store, note: Row, item: Mapping[str, Any]) -> Line:
    product = store.products.rows.get(item["produto_servico"])
    data: Mapping[str, Any] = {} if product is None else product.data
    unit = store.tables["unidades"].rows.get(data.get("unidade_saida", 1))
    return Line(
        sku=str(data.get("codigo") or item["produto_servico"]),
        gtin=data.get("codigo_barras") or "SEM GTIN",
        ncm=data.get("tributo_ncm") or "00000000",
        unit="UN" if unit is None else unit["sigla"],
        name=data.get("descricao") or "Produto",
        quantity=exact(item["qtd"]),
        price=exact(item["valor_unitario"]),
        cfop=(item.get("cfop") or note["cfop"]).replace(".", ""),
        discount=exact(item["valor_desconto"]),
    )
