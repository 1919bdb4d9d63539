"""Orders of Tiny v2: our order as the `pedido` of pedido.incluir, theirs as how it stands (`reference/tiny.md §3.7`,
`§3.8`). Pure functions, which raise for no JSON.
"""

from datetime import date, datetime
from typing import Any

from hub.policy import Policy
from hub.records import OrderStatus, OutgoingAddress, OutgoingCustomer, OutgoingInstalment, OutgoingItem, OutgoingOrder
from providers.contract import Row
from providers.tiny_orders import (
    CANCELLED,
    LONGEST_NOTES,
    SHIPPINGS,
    Candidate,
    amount,
    digits,
    exact,
    guest_code,
    known_only,
    latin,
    mark,
    order_row,
    parcel,
    payment,
    person_type,
    shop_number,
    situation,
    situation_for,
    stage_of,
)
from providers.tiny_parse import document, identity, one, text

UNIT = "UN"
"""An order's items carry no unit of ours and v2 wants one; a product that is matched has its own there."""


def body(order: OutgoingOrder, policy: Policy) -> dict[str, Any]:
    """The `pedido` of pedido.incluir, its texts cut to what Tiny has room for (`§9`): whether it cuts or refuses a
    longer one is not known. Raises CallFailed where the merchant chose a situation that Tiny does not have.

    The marker stands in the internal notes, so that the buyer's own words are what is printed on papers. The tax
    operation's key is `nome_natureza_operacao`: `natureza_operacao` is ignored here [R].
    """
    buyer, way = order.customer, payment(order.payment_method)
    return known_only(
        {
            "data_pedido": day(order.placed_on),
            "situacao": situation_for(policy, order.stage).word,
            "numero_pedido_ecommerce": shop_number(order),
            "id_ecommerce": policy.ecommerce_id.strip(),
            "nome_deposito": policy.order_deposit.strip(),
            "nome_natureza_operacao": policy.operation_nature.strip(),
            "cliente": _customer(buyer) if buyer else {},
            "endereco_entrega": _delivery(order.delivery, buyer),
            "itens": [{"item": _item(item)} for item in order.items],
            "marcadores": [{"marcador": {"descricao": policy.order_label}}] if policy.order_label else [],
            "forma_pagamento": way,
            "meio_pagamento": "" if way else latin(order.payment_method, 100),
            "parcelas": [{"parcela": _instalment(part, order.placed_on, way)} for part in order.instalments],
            "valor_frete": amount(order.freight),
            "valor_desconto": amount(order.discount),
            "obs": latin(order.notes, LONGEST_NOTES),
            "obs_internas": mark(order),
        }
    )


def row(payload: Any) -> Row | None:
    """One row of pedidos.pesquisa; None for one without an id."""
    told = one(payload)
    external_id = identity(told.get("id"))
    if not external_id:
        return None
    return order_row(external_id, told.get("situacao"), told.get("codigo_rastreamento"), told.get("id_nota_fiscal"))


def row_number(payload: Any) -> str:
    """The store's number in a row of the search."""
    return text(one(payload).get("numero_ecommerce"))


def status(payload: Any, external_id: str, as_of: datetime) -> OrderStatus:
    """How the `pedido` of pedido.obter stands."""
    told = one(payload)
    return OrderStatus(
        external_id=external_id,
        stage=stage_of(told.get("situacao")),
        told=text(told.get("situacao")),
        as_of=as_of,
        parcel=parcel(
            told.get("codigo_rastreamento"),
            told.get("url_rastreamento"),
            told.get("nome_transportador"),
            SHIPPINGS.get(text(told.get("forma_envio")).upper()),
            told.get("forma_frete"),
        ),
        number=_shop_number(told),
        erp_number=text(told.get("numero")),
    )


def invoice_id(payload: Any) -> str:
    """The note that the order was invoiced with, '' for none."""
    return identity(one(payload).get("id_nota_fiscal"))


def candidate(payload: Any, external_id: str) -> Candidate:
    """The `pedido` of pedido.obter, as far as it tells whose it is."""
    told = one(payload)
    found = situation(told.get("situacao"))
    return Candidate(
        external_id=external_id,
        number=_shop_number(told),
        notes=" ".join(text(told.get(name)) for name in ("obs", "obs_interna", "obs_internas")),
        ecommerce=identity(one(told.get("ecommerce")).get("id")),
        document=document(one(told.get("cliente")).get("cpf_cnpj")),
        total=exact(told.get("total_pedido")),
        cancelled=found is not None and found.word == CANCELLED,
    )


def day(value: date) -> str:
    """A date as v2 writes it."""
    return f"{value:%d/%m/%Y}"


def _shop_number(told: dict[str, Any]) -> str:
    return text(told.get("numero_ecommerce")) or text(one(told.get("ecommerce")).get("numeroPedidoEcommerce"))


def _customer(buyer: OutgoingCustomer) -> dict[str, Any]:
    """The buyer. `atualizar_cliente` N: the merchant's own records of somebody known are left as they are.

    Tiny knows a contact again by its document, or by a code: a guest gets ours.
    """
    where = buyer.address
    return known_only(
        {
            "codigo": "" if buyer.document else guest_code(buyer),
            "nome": latin(buyer.name, 30),
            "tipo_pessoa": person_type(buyer),
            "cpf_cnpj": buyer.document,
            **_street(where),
            "cidade": latin(where.city, 30),
            "uf": where.uf,
            "pais": "Brasil" if where.street else "",
            "fone": latin(buyer.phone, 40),
            "email": buyer.email if len(buyer.email) <= LONGEST_MAIL else "",
            "atualizar_cliente": "N",
        }
    )


LONGEST_MAIL = 50
"""An address that was cut would be somebody else's."""


def _delivery(where: OutgoingAddress, buyer: OutgoingCustomer | None) -> dict[str, Any]:
    if not where.street:
        return {}
    return known_only(
        {
            "tipo_pessoa": person_type(buyer),
            "cpf_cnpj": buyer.document if buyer else "",
            **_street(where),
            "cidade": latin(where.city, 30),
            "uf": where.uf,
            "fone": latin(buyer.phone, 40) if buyer else "",
            "nome_destinatario": latin(where.recipient or (buyer.name if buyer else ""), 60),
        }
    )


def _street(where: OutgoingAddress) -> dict[str, Any]:
    return {
        "endereco": latin(where.street, 50),
        "numero": latin(where.number, 10),
        "complemento": latin(where.complement, 50),
        "bairro": latin(where.district, 30),
        "cep": digits(where.postal_code),
    }


def _item(item: OutgoingItem) -> dict[str, Any]:
    """By their id where the product is bound, else by its SKU, never cut: a part of it is another product's."""
    return known_only(
        {
            "id_produto": item.external_id,
            "codigo": item.sku,
            "descricao": latin(item.name, 120) or item.sku,
            "unidade": UNIT,
            "quantidade": amount(item.quantity),
            "valor_unitario": amount(item.unit_price),
        }
    )


def _instalment(part: OutgoingInstalment, placed_on: date, way: str) -> dict[str, Any]:
    return known_only(
        {
            "dias": str((part.due - placed_on).days),
            "data": day(part.due),
            "valor": amount(part.amount),
            "forma_pagamento": way,
        }
    )
