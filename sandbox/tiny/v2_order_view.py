"""Orders as API v2 shows them (`reference/tiny.md` §3.7)."""

from decimal import Decimal
from typing import Any

from sandbox.tiny.event_bodies import day
from sandbox.tiny.order_body import DELIVERY
from sandbox.tiny.records import Installment, Item, Order, masked, masked_cep
from sandbox.tiny.situations import show_situation
from sandbox.tiny.trade import Trade
from sandbox.tiny.values import Values


def search_row(order: Order, values: Values, how: str) -> dict[str, Any]:
    """A row of pedidos.pesquisa: no lines."""
    return {
        "id": values.ident(order.id, int),
        "numero": values.ident(order.number, int),
        "numero_ecommerce": order.shop_number,
        "data_pedido": day(order.date),
        "data_prevista": day(order.planned),
        "nome": order.client.get("nome", ""),
        "valor": _money(order.total, values),
        "id_vendedor": values.ident(order.seller_id, str) if order.seller_id else "",
        "nome_vendedor": order.seller_name,
        "situacao": show_situation(order.situation, how, True, values.variant),
        "codigo_rastreamento": order.tracking[:25],
    }


def detail(trade: Trade, order: Order, values: Values, how: str) -> dict[str, Any]:
    """The body of pedido.obter."""
    deposit = trade.deposit(order)
    row: dict[str, Any] = {
        "id": values.ident(order.id, str),
        "numero": values.ident(order.number, str),
        "numero_ecommerce": order.shop_number,
        "data_pedido": day(order.date),
        "data_prevista": day(order.planned),
        "data_faturamento": day(order.invoiced),
        "data_envio": day(order.sent),
        "data_entrega": day(order.delivered),
        "id_lista_preco": values.ident(order.price_list, str),
        "descricao_lista_preco": "",
        "cliente": person(order.client, values),
    }
    if order.delivery:
        row["endereco_entrega"] = person(order.delivery, values)
    row["itens"] = [{"item": _item(item, values)} for item in order.items]
    parcels = [{"parcela": _installment(parcel, values)} for parcel in order.installments]
    values.collection(row, "parcelas", parcels, [])
    markers = [
        {"marcador": {"id": values.ident(number, str), "descricao": name, "cor": "#808080"}}
        for number, name in order.markers
    ]
    values.collection(row, "marcadores", markers, [])
    row |= {
        "condicao_pagamento": condition(order),
        "forma_pagamento": order.form,
        "meio_pagamento": order.mean,
        "nome_transportador": order.carrier,
        "frete_por_conta": order.freight_by,
        "valor_frete": _money(order.freight, values),
        "valor_desconto": _money(order.discount, values),
        "outras_despesas": _money(order.other, values),
        "total_produtos": _money(order.products_total, values),
        "total_pedido": _money(order.total, values),
        "numero_ordem_compra": order.purchase_number,
        "deposito": "" if deposit is None else deposit.name,
        "forma_envio": order.shipping,
        "forma_frete": order.freight_kind,
        "situacao": show_situation(order.situation, how, False, values.variant),
        "obs": order.notes,
        "obs_interna": order.internal_notes,
        "id_vendedor": values.ident(order.seller_id, str),
        "nome_vendedor": order.seller_name,
        "codigo_rastreamento": order.tracking,
        "url_rastreamento": order.tracking_url,
        "id_nota_fiscal": values.ident(order.invoice_id, str),
        "id_natureza_operacao": values.ident(order.operation[0], str),
    }
    values.collection(row, "pagamentos_integrados", payments(order, values), [])
    if order.shop_id or order.shop_name:
        row["ecommerce"] = {
            "id": values.ident(order.shop_id, str),
            "numeroPedidoEcommerce": order.shop_number,
            "numeroPedidoCanalVenda": "",
            "nomeEcommerce": order.shop_name,
            "canalVenda": "",
        }
    if order.intermediary:
        row["intermediador"] = dict(order.intermediary)
    return row


def person(group: dict[str, str], values: Values) -> dict[str, str]:
    """Return a customer or an address; documents and CEP with their masks, without in one messy variant (§2.6)."""
    shown = {name: text for name, text in group.items() if name != "celular"}
    if values.variant != 1:
        shown["cpf_cnpj"] = masked(shown.get("cpf_cnpj", ""))
        shown["cep"] = masked_cep(shown.get("cep", ""))
    return shown


def empty_delivery() -> dict[str, str]:
    """Return the delivery address of a note that has none."""
    return dict.fromkeys(DELIVERY, "")


def payments(order: Order, values: Values) -> list[dict[str, Any]]:
    """Return integrated payments: wrapped as the sample does, bare in odd messy variants as the table has them."""
    rows = [dict(row) for row in order.payments]
    return [row if values.variant % 2 == 1 and values.variant > 0 else {"pagamento_integrado": row} for row in rows]


def installments(order: Order, values: Values) -> list[dict[str, Any]]:
    """Return the wrapped instalments."""
    return [{"parcela": _installment(parcel, values)} for parcel in order.installments]


def condition(order: Order) -> str:
    """Return the payment condition: the days of the instalments."""
    return " ".join(str(parcel.days) for parcel in order.installments)[:30]


def _item(item: Item, values: Values) -> dict[str, Any]:
    return {
        "id_produto": values.ident(item.product_id, str),
        "codigo": values.sku_in_detail(item.sku[:20]),
        "descricao": item.name,
        "unidade": item.unit,
        "quantidade": values.number(float(item.quantity), 2),
        "valor_unitario": values.number(float(item.price), 2),
        "info_adicional": item.info,
    }


def _installment(parcel: Installment, values: Values) -> dict[str, Any]:
    return {
        "dias": values.ident(parcel.days, str),
        "data": day(parcel.date),
        "valor": _money(parcel.value, values),
        "obs": parcel.notes,
        "forma_pagamento": parcel.form,
        "meio_pagamento": parcel.mean,
    }


def _money(value: Decimal, values: Values) -> Any:
    return values.number(float(value), 2)
