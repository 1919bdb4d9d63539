"""Bodies of POST and PUT /pedidos (`reference/tiny.md` §5.3)."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sandbox.tiny.body import LONGEST_DAYS, check_person, clip
from sandbox.tiny.order_body import CLIENT
from sandbox.tiny.records import ZERO, Installment, Item, Order, digits, money
from sandbox.tiny.situations import BY_NUMBER
from sandbox.tiny.tables import RECEIVING, SHIPPING, Form, by_id
from sandbox.tiny.trade import Trade
from sandbox.tiny.v2_writes import RecordError
from sandbox.tiny.v3 import V3Error, invalid
from sandbox.tiny.v3_body import amount, day, group, ident, missing, rows, text, whole

_DELIVERY = {
    "endereco": "endereco",
    "enderecoNro": "numero",
    "complemento": "complemento",
    "bairro": "bairro",
    "municipio": "cidade",
    "cep": "cep",
    "uf": "uf",
    "fone": "fone",
    "nomeDestinatario": "nome_destinatario",
    "cpfCnpj": "cpf_cnpj",
    "tipoPessoa": "tipo_pessoa",
    "ie": "ie",
}
_AMOUNTS = {"fretePagoEmpresa": "frete_empresa", "pesoBruto": "peso_bruto", "pesoLiquido": "peso_liquido"}


def create_order(trade: Trade, body: dict[str, Any]) -> Order:
    """Check and keep an order; contact and products must exist."""
    contact_id = whole(body, "idContato")
    absent = [name for name, value in (("idContato", contact_id), ("itens", body.get("itens"))) if not value]
    if absent:
        raise missing(*absent)
    contact = trade.contacts.get(contact_id or 0)
    if contact is None:
        raise invalid("idContato", "Contato não encontrado")
    items = [_item(trade, row) for row in rows(body, "itens")]
    now = trade.now()
    client = {name: contact.fields.get(name, "") for name in (*CLIENT, "celular")}
    client["nome_fantasia"] = contact.fields.get("fantasia", "")
    order = Order(0, 0, now, now, situation(body, "aberto"), day(body, "data") or "", contact.id, client, items)
    order.origin, order.request = "v3", body
    _fill(trade, order, body)
    _links(trade, order, body)
    payment = group(body, "pagamento")
    order.form = _form(RECEIVING, ident(payment, "formaRecebimento"), "formaRecebimento")
    order.mean = _form(RECEIVING, ident(payment, "meioPagamento"), "meioPagamento")
    order.installments = _installments(payment, order) or [
        Installment(0, order.date, order.total, "", order.form, order.mean)
    ]
    order.payments = _payments(body)
    order.id, order.number = trade.new_id(), trade.order_number()
    trade.add_order(order)
    return order


def update_order(trade: Trade, order: Order, body: dict[str, Any]) -> None:
    """Write the six things PUT /pedidos/{id} takes; other keys are ignored."""
    planned, sent = day(body, "dataPrevista"), day(body, "dataEnvio")
    notes, internal = text(body, "observacoes"), text(body, "observacoesInternas")
    installments, payments = _installments(group(body, "pagamento"), order), _payments(body)
    with trade.editing(order):
        order.planned = order.planned if planned is None else planned
        order.sent = order.sent if sent is None else sent
        order.notes = order.notes if notes is None else _cut(trade, "observacoes", notes, 100)
        if internal is not None:
            order.internal_notes = _cut(trade, "observacoesInternas", internal, 100)
        order.installments = installments or order.installments
        order.payments = payments if body.get("pagamentosIntegrados") is not None else order.payments


def situation(body: Mapping[str, Any], default: str | None) -> str:
    """Return the situation a body names by number; without one the default, or 400."""
    number = whole(body, "situacao")
    if number is None:
        if default is None:
            raise missing("situacao")
        return default
    if number not in BY_NUMBER:
        raise invalid("situacao", "O valor informado para o campo situacao é inválido")
    return BY_NUMBER[number]


def dispatch_fields(trade: Trade, body: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a dispatch that were given, by the names of `dispatch`."""
    fields: dict[str, Any] = {}
    pairs = (("codigoRastreamento", "codigo", 20), ("urlRastreamento", "url", 120), ("observacoes", "observacoes", 100))
    for theirs, mine, longest in pairs:
        value = text(body, theirs)
        if value is not None:
            fields[mine] = _cut(trade, theirs, value, longest)
    if ident(body, "formaEnvio"):
        fields["forma_envio"] = _form(SHIPPING, ident(body, "formaEnvio"), "formaEnvio")
    if ident(body, "formaFrete"):
        fields["forma_frete"] = freight_name(ident(body, "formaFrete"))
    for theirs, mine in (
        ("fretePagoEmpresa", "frete_empresa"),
        ("pesoBruto", "peso_bruto"),
        ("pesoLiquido", "peso_liquido"),
    ):
        number = amount(body, theirs)
        if number is not None:
            fields[mine] = float(number)
    if whole(body, "volumes") is not None:
        fields["volumes"] = body["volumes"]
    if day(body, "dataPrevista") is not None:
        fields["data_prevista"] = day(body, "dataPrevista")
    carrier = whole(body, "idContatoTransportadora")
    if carrier:
        fields["transportadora"] = _carrier(trade, carrier, "idContatoTransportadora")
    return fields


def _cut(trade: Trade, name: str, value: str | None, longest: int) -> str:
    try:
        return clip(trade.settings, name, value, longest)
    except RecordError as error:
        raise invalid(name, error.texts[0]) from None


def freight_name(freight_id: int) -> str:
    """Return the name of a way of freight; 400 for an unknown id."""
    for form in SHIPPING:
        for number, name, _ in form.freights:
            if number == freight_id:
                return name
    raise invalid("formaFrete", "Forma de frete não encontrada")


def _item(trade: Trade, row: dict[str, Any]) -> Item:
    number = ident(row, "produto")
    product = trade.store.products.get(number)
    if product is None or product.situacao == "E":
        raise invalid("itens", f"Produto {number} não encontrado")
    quantity, price = amount(row, "quantidade"), amount(row, "valorUnitario")
    if quantity is None or quantity <= 0:
        raise invalid("quantidade", "A quantidade deve ser maior que zero")
    price = Decimal(str(product.preco)) if price is None else price
    info = text(row, "infoAdicional") or ""
    return Item(number, product.codigo, product.nome, product.unidade, quantity, price, info, product.tipo)


def _fill(trade: Trade, order: Order, body: dict[str, Any]) -> None:
    order.planned, order.sent = day(body, "dataPrevista") or "", day(body, "dataEnvio") or ""
    order.delivered = day(body, "dataEntrega") or ""
    order.notes = _cut(trade, "observacoes", text(body, "observacoes"), 100)
    order.internal_notes = _cut(trade, "observacoesInternas", text(body, "observacoesInternas"), 100)
    # Cut at 50 without a word (§5.3 [R]).
    order.purchase_number = (text(body, "numeroOrdemCompra") or "")[:50]
    order.discount = money(amount(body, "valorDesconto") or ZERO)
    order.freight = money(amount(body, "valorFrete") or ZERO)
    order.other = money(amount(body, "valorOutrasDespesas") or ZERO)
    order.price_list = ident(body, "listaPreco")
    order.seller_id = ident(body, "vendedor")
    order.seller_name = f"Vendedor {order.seller_id}" if order.seller_id else ""
    operation = ident(body, "naturezaOperacao")
    order.operation = (operation, "Venda de mercadorias") if operation else order.operation
    address = group(body, "enderecoEntrega")
    if address:
        order.delivery = {mine: text(address, theirs) or "" for theirs, mine in _DELIVERY.items()}
        order.delivery["cpf_cnpj"] = digits(order.delivery["cpf_cnpj"])
        wrong = check_person(trade.settings, order.delivery)
        if wrong:
            details = [("enderecoEntrega", what) for what in wrong]
            raise V3Error(400, "Ocorreram erros de validação", *details)


def _links(trade: Trade, order: Order, body: dict[str, Any]) -> None:
    deposit_id = ident(body, "deposito")
    if deposit_id and all(deposit.id != deposit_id for deposit in trade.store.deposits):
        raise invalid("deposito", "Depósito não encontrado")
    order.deposit_id = deposit_id
    shop = group(body, "ecommerce")
    known, number = trade.events.integrations.get(whole(shop, "id") or 0), text(shop, "numeroPedidoEcommerce")
    if known is not None:
        # The number sticks only with a registered integration (§5.3 [R]).
        order.shop_id, order.shop_name = known.id, known.name
        order.shop_number = (number or "")[:50]
    carrier = group(body, "transportador")
    order.freight_by = text(carrier, "fretePorConta") or ""
    if order.freight_by not in ("", "R", "D", "T", "3", "4", "S"):
        raise invalid("fretePorConta", "O valor informado para o campo fretePorConta é inválido")
    order.shipping = _form(SHIPPING, ident(carrier, "formaEnvio"), "formaEnvio")
    order.freight_kind = freight_name(ident(carrier, "formaFrete")) if ident(carrier, "formaFrete") else ""
    order.tracking = (text(carrier, "codigoRastreamento") or "")[:20]
    order.tracking_url = (text(carrier, "urlRastreamento") or "")[:120]
    carrier_id = whole(carrier, "id") or 0
    if carrier_id:
        order.carrier = _carrier(trade, carrier_id, "transportador")
        order.dispatch["id_transportadora"] = carrier_id
    if ident(body, "intermediador"):
        order.intermediary = {"nome": "Intermediador", "cnpj": "", "cnpjPagamento": ""}


def _carrier(trade: Trade, contact_id: int, field: str) -> str:
    contact = trade.contacts.get(contact_id)
    if contact is None:
        raise invalid(field, "Transportador não encontrado")
    return contact.fields["nome"]


def _form(table: tuple[Form, ...], form_id: int, field: str) -> str:
    if not form_id:
        return ""
    form = by_id(table, form_id)
    if form is None:
        raise invalid(field, f"{field} não encontrado")
    return form.code


def _installments(payment: dict[str, Any], order: Order) -> list[Installment]:
    found = []
    for row in rows(payment, "parcelas"):
        days, value = whole(row, "dias") or 0, amount(row, "valor")
        if not 0 <= days <= LONGEST_DAYS:
            raise invalid("dias", "O valor informado para o campo dias é inválido")
        due = day(row, "data")
        if not due and order.date:
            due = (date.fromisoformat(order.date) + timedelta(days)).isoformat()
        form = _form(RECEIVING, ident(row, "formaRecebimento"), "formaRecebimento") or order.form
        mean = _form(RECEIVING, ident(row, "meioPagamento"), "meioPagamento") or order.mean
        found.append(Installment(days, due or "", money(value or ZERO), text(row, "observacoes") or "", form, mean))
    return found


def _payments(body: dict[str, Any]) -> list[dict[str, str]]:
    return [
        {
            "valor": str(amount(row, "valor") or 0),
            "tipo_pagamento": str(whole(row, "tipoPagamento") or ""),
            "cnpj_intermediador": text(row, "cnpjIntermediador") or "",
            "codigo_autorizacao": text(row, "codigoAutorizacao") or "",
            "codigo_bandeira": str(whole(row, "codigoBandeira") or ""),
        }
        for row in rows(body, "pagamentosIntegrados")
    ]
