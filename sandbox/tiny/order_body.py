"""Orders as pedido.incluir takes them: customer, lines, money, links to product, shop and deposit (§3.8)."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sandbox.core.clock import local
from sandbox.tiny.body import LONGEST_DAYS, amount, check_person, check_wide, clip, iso_day, texts, unwrapped, whole
from sandbox.tiny.contact_body import customer
from sandbox.tiny.product import Product, as_text
from sandbox.tiny.records import Installment, Item, Order, digits, money
from sandbox.tiny.situations import plain, read_situation
from sandbox.tiny.trade import Trade
from sandbox.tiny.v2_writes import RecordError

_ADDRESS = {"endereco": 50, "numero": 10, "complemento": 50, "bairro": 30, "cep": 10, "cidade": 30, "uf": 30}
CLIENT = {
    "codigo": 30, "nome": 30, "nome_fantasia": 60, "tipo_pessoa": 1, "cpf_cnpj": 18, "ie": 18, "rg": 10, **_ADDRESS,
    "pais": 50, "fone": 40, "email": 50,
}  # fmt: skip
DELIVERY = {"tipo_pessoa": 1, "cpf_cnpj": 18, **_ADDRESS, "fone": 40, "nome_destinatario": 60, "ie": 18}
_HEAD = {
    "forma_pagamento": 30, "meio_pagamento": 100, "nome_transportador": 30, "frete_por_conta": 1, "forma_envio": 30,
    "forma_frete": 30, "numero_ordem_compra": 10, "nome_vendedor": 50, "obs": 100, "obs_internas": 100,
    "numero_pedido_ecommerce": 50, "nome_deposito": 100, "ecommerce": 50, "nome_natureza_operacao": 80,
}  # fmt: skip
_INTERMEDIARY = {"nome": 60, "cnpj": 18, "cnpjPagamento": 18}
_PAYMENT = ("valor", "tipo_pagamento", "cnpj_intermediador", "codigo_autorizacao", "codigo_bandeira")
#: E is a legacy value of the official samples.
FREIGHT_BY = ("", "R", "D", "T", "3", "4", "S", "E")


def create_order(trade: Trade, body: Mapping[str, Any], origin: str) -> Order:
    """Check and keep an order; RecordError 31 tells everything that is wrong with it, 30 a repeated one."""
    head = texts(trade.settings, body, _HEAD)
    raw_client = body.get("cliente") if isinstance(body.get("cliente"), dict) else {}
    assert isinstance(raw_client, dict)
    client = texts(trade.settings, raw_client, CLIENT)
    raw_delivery = body.get("endereco_entrega")
    delivery = texts(trade.settings, raw_delivery, DELIVERY) if isinstance(raw_delivery, dict) else None
    rows = unwrapped(body, "itens", "item")
    _check(trade, head, client, delivery, rows)
    shop_id, shop_name = _shop(trade, whole(body, "id_ecommerce"), head["ecommerce"])
    _check_duplicate(trade, head["numero_pedido_ecommerce"], shop_id, shop_name)
    situation = _situation(body)
    deposit_id = _deposit(trade, head["nome_deposito"])
    now = trade.now()
    order = Order(
        trade.new_id(), trade.order_number(), now, now, situation, iso_day(body, "data_pedido"), 0,
        {**client, "cpf_cnpj": digits(client["cpf_cnpj"])}, [_item(trade, row) for row in rows],
    )  # fmt: skip
    order.date = order.date or local(now).date().isoformat()
    order.planned = iso_day(body, "data_prevista")
    order.delivery = delivery if delivery and any(delivery.values()) else None
    order.deposit_id, order.shop_id, order.shop_name = deposit_id, shop_id, shop_name
    _fill(trade, order, head, body)
    order.contact_id = customer(trade, client, as_text(raw_client.get("atualizar_cliente")).upper() != "N").id
    order.origin, order.request = origin, body
    trade.add_order(order)
    return order


def update_order(trade: Trade, order: Order, body: Mapping[str, Any]) -> None:
    """pedido.alterar: planned date, notes, instalments, purchase number; the rest is ignored (§3.8 [R])."""
    if trade.frozen(order):
        raise RecordError(31, "O pedido possui nota fiscal ou estoque lançado e não pode ser alterado")
    planned = iso_day(body, "data_prevista") if "data_prevista" in body else order.planned
    head = texts(trade.settings, body, {k: _HEAD[k] for k in ("obs", "obs_internas", "numero_ordem_compra")})
    check_wide(trade.settings, head["obs"], head["obs_internas"])
    installments = _installments(body, order)
    with trade.editing(order):
        order.planned = planned
        order.notes = head["obs"] if "obs" in body else order.notes
        order.internal_notes = head["obs_internas"] if "obs_internas" in body else order.internal_notes
        if "numero_ordem_compra" in body:
            order.purchase_number = head["numero_ordem_compra"]
        if "parcelas" in body:
            order.installments = installments


def _check(
    trade: Trade, head: dict[str, str], client: dict[str, str], delivery: dict[str, str] | None, rows: list[Any]
) -> None:
    wrong = []
    if not client["nome"]:
        wrong.append("O nome do cliente deve ser informado")
    wrong += check_person(trade.settings, client) + check_person(trade.settings, delivery or {})
    if not rows:
        wrong.append("É necessário informar ao menos um item para o pedido")
    if head["frete_por_conta"].upper() not in FREIGHT_BY:
        wrong.append("O campo frete_por_conta é inválido")
    for row in rows:
        missing = [n for n in ("descricao", "unidade", "quantidade", "valor_unitario") if as_text(row.get(n)) == ""]
        wrong += [f"O campo {name} do item deve ser informado" for name in missing]
    if wrong:
        raise RecordError(31, *dict.fromkeys(wrong))
    check_wide(trade.settings, head["obs"], head["obs_internas"])


def _check_duplicate(trade: Trade, number: str, shop_id: int, shop_name: str) -> None:
    # "Same numero_pedido_ecommerce for the same integration" is only the best reading (§3.8 [I]).
    if trade.settings.duplicate_order == "accept" or not number:
        return
    same = [o for o in trade.with_shop_number(number) if (o.shop_id, o.shop_name) == (shop_id, shop_name)]
    if same:
        raise RecordError(30, "Registro em duplicidade")


def _situation(body: Mapping[str, Any]) -> str:
    text = as_text(body.get("situacao")).strip()
    code = read_situation(text) if text else "aberto"
    if code is None:
        raise RecordError(31, f"A situação {text!r} não existe")
    return code


def _shop(trade: Trade, shop_id: int, name: str) -> tuple[int, str]:
    # An integration that is not registered stays a name; an unknown id alone is dropped [I].
    rows = trade.events.integrations
    known = rows.get(shop_id) or next((s for s in rows.values() if name and plain(s.name) == plain(name)), None)
    return (0, name) if known is None else (known.id, known.name)


def _deposit(trade: Trade, name: str) -> int:
    if not name:
        return 0
    deposit = trade.store.deposit(name)
    if deposit is None:
        raise RecordError(31, f"Depósito {name!r} não encontrado")
    return deposit.id


def _item(trade: Trade, row: Mapping[str, Any]) -> Item:
    product = _linked(trade, row)
    quantity, price = amount(row, "quantidade"), amount(row, "valor_unitario")
    if quantity <= 0 or price < 0:
        raise RecordError(31, "A quantidade do item deve ser maior que zero e o valor não pode ser negativo")
    sku = clip(trade.settings, "codigo", row.get("codigo"), 30)
    return Item(
        0 if product is None else product.id,
        sku if product is None else product.codigo,
        clip(trade.settings, "descricao", row.get("descricao"), 120),
        clip(trade.settings, "unidade", row.get("unidade"), 3),
        quantity,
        price,
        as_text(row.get("informacao_adicional")),
        "P" if product is None else product.tipo,
    )


def _linked(trade: Trade, row: Mapping[str, Any]) -> Product | None:
    product = trade.store.products.get(whole(row, "id_produto"))
    sku = as_text(row.get("codigo")).strip()
    if product is None and sku:
        product = next((p for p in trade.store.by_sku(sku) if p.situacao != "E"), None)
    return product


def _fill(trade: Trade, order: Order, head: dict[str, str], body: Mapping[str, Any]) -> None:
    order.form, order.mean = head["forma_pagamento"], head["meio_pagamento"]
    order.carrier, order.freight_by = head["nome_transportador"], head["frete_por_conta"].upper()
    order.shipping, order.freight_kind = head["forma_envio"].upper(), head["forma_frete"]
    order.purchase_number, order.shop_number = head["numero_ordem_compra"], head["numero_pedido_ecommerce"]
    order.notes, order.internal_notes = head["obs"], head["obs_internas"]
    order.seller_id, order.seller_name = whole(body, "id_vendedor"), head["nome_vendedor"]
    order.price_list = whole(body, "id_lista_preco")
    order.freight, order.discount, order.other = (
        money(amount(body, name)) for name in ("valor_frete", "valor_desconto", "outras_despesas")
    )
    # `natureza_operacao` is silently ignored here (§3.8 [R]).
    operation = whole(body, "id_natureza_operacao"), head["nome_natureza_operacao"]
    order.operation = operation if any(operation) else order.operation
    order.markers = _markers(trade, body)
    intermediary = body.get("intermediador")
    if isinstance(intermediary, dict) and any(intermediary.values()):
        order.intermediary = texts(trade.settings, intermediary, _INTERMEDIARY)
    rows = unwrapped(body, "pagamentos_integrados", "pagamento_integrado")
    order.payments = [_payment(row) for row in rows]
    order.installments = _installments(body, order)


def _payment(row: Mapping[str, Any]) -> dict[str, str]:
    amount(row, "valor")
    whole(row, "tipo_pagamento")
    whole(row, "codigo_bandeira")
    return {name: as_text(row.get(name)) for name in _PAYMENT}


def _markers(trade: Trade, body: Mapping[str, Any]) -> list[tuple[int, str]]:
    names = {number: name for name, number in trade.markers.items()}
    found = []
    for row in unwrapped(body, "marcadores", "marcador"):
        name = clip(trade.settings, "descricao", row.get("descricao"), 50)
        name = name or names.get(whole(row, "id"), "")
        if name:
            found.append(trade.marker(name))
    return found


def _installments(body: Mapping[str, Any], order: Order) -> list[Installment]:
    rows = unwrapped(body, "parcelas", "parcela")
    if not rows:
        return [Installment(0, order.date, order.total, "", order.form, order.mean)]
    return [_installment(row, order) for row in rows]


def _installment(row: Mapping[str, Any], order: Order) -> Installment:
    days, day = whole(row, "dias"), iso_day(row, "data")
    if days > LONGEST_DAYS:
        raise RecordError(31, f"O campo dias é inválido, valor enviado {days}")
    if not day:
        day = (date.fromisoformat(order.date) + timedelta(days)).isoformat() if order.date else ""
    value: Decimal = money(amount(row, "valor"))
    form, mean = as_text(row.get("forma_pagamento")), as_text(row.get("meio_pagamento"))
    return Installment(days, day, value, as_text(row.get("obs"))[:100], form or order.form, mean or order.mean)
