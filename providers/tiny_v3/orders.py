"""Orders of Tiny v3: our order as the body of POST /pedidos, theirs as how it stands (`reference/tiny.md §5.3`).

Pure functions, which raise for no JSON.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from hub.policy import Policy
from hub.records import OrderStatus, OutgoingAddress, OutgoingCustomer, OutgoingInstalment, OutgoingOrder
from providers.contract import Found, Row
from providers.tiny_orders import (
    CANCELLED,
    LONGEST_NOTES,
    Candidate,
    digits,
    exact,
    guest_code,
    json_number,
    known_only,
    latin,
    mark,
    order_row,
    parcel,
    payment,
    person_type,
    plain,
    rejected,
    shop_number,
    situation,
    situation_for,
    stage_of,
)
from providers.tiny_parse import document, identity, one, text

ACTIVE = "B"
DELETED = "E"
"""`situacao` of a contact: A has access to the system besides, I is inactive."""


def contact(customer: OutgoingCustomer) -> dict[str, Any]:
    """The body of POST /contatos; its limits are those of v2 (`§5`). A guest is known by the code that we give."""
    where = customer.address
    return known_only(
        {
            "nome": latin(customer.name, 50),
            "codigo": "" if customer.document else guest_code(customer),
            "tipoPessoa": person_type(customer),
            "cpfCnpj": customer.document,
            "telefone": latin(customer.phone, 40),
            "email": customer.email if len(customer.email) <= 50 else "",
            "situacao": ACTIVE,
            "endereco": known_only(
                {
                    "endereco": latin(where.street, 50),
                    "numero": latin(where.number, 10),
                    "complemento": latin(where.complement, 50),
                    "bairro": latin(where.district, 30),
                    "municipio": latin(where.city, 30),
                    "cep": digits(where.postal_code),
                    "uf": where.uf,
                    "pais": "Brasil" if where.street else "",
                }
            ),
        }
    )


def contacts(rows: list[Any], customer: OutgoingCustomer) -> list[Found]:
    """The contacts among the rows that are this buyer: of exactly that document, or a guest of our code. Active first;
    deleted ones are not there."""
    found = {}
    for told in map(one, rows):
        external_id, state = identity(told.get("id")), text(told.get("situacao")).upper()
        if customer.document:
            same = document(told.get("cpfCnpj")) == document(customer.document)
        else:
            same = text(told.get("codigo")) == guest_code(customer)
        if external_id and same and state != DELETED:
            found[external_id] = Found(external_id, state != "I")
    return sorted(found.values(), key=lambda one_: not one_.active)


def products(rows: list[Any], sku: str) -> list[str]:
    """Ids of the products of exactly that SKU, deleted ones left out; the filter by code is not said to be exact."""
    told = [one(row) for row in rows]
    same = [row for row in told if text(row.get("sku")) == sku and text(row.get("situacao")).upper() != DELETED]
    return list(dict.fromkeys(found for row in same if (found := identity(row.get("id")))))


def body(order: OutgoingOrder, policy: Policy, items: Mapping[str, str], way_id: str) -> dict[str, Any]:
    """The body of POST /pedidos. `items` tells the id of each SKU, `way_id` the account's own of how it was paid.

    `data` is always sent: an order without it did not show in the user interface [R]. Raises CallFailed for a choice of
    the merchant that cannot be meant.
    """
    way = {"formaRecebimento": {"id": int(way_id)}} if way_id.isdecimal() else {}
    return known_only(
        {
            "idContato": number_id("idContato", order.customer_ref),
            "data": order.placed_on.isoformat(),
            "situacao": situation_for(policy, order.stage).code,
            "ecommerce": known_only(
                {
                    "id": _chosen("ecommerce_id", policy.ecommerce_id),
                    "numeroPedidoEcommerce": shop_number(order),
                }
            ),
            "deposito": known_only({"id": _chosen("order_deposit", policy.order_deposit)}),
            "naturezaOperacao": known_only({"id": _chosen("operation_nature", policy.operation_nature)}),
            "numeroOrdemCompra": shop_number(order),
            "enderecoEntrega": _delivery(order.delivery, order.customer),
            "itens": [
                {
                    "produto": {"id": number_id("produto", item.external_id or items.get(item.sku, ""))},
                    "quantidade": json_number(item.quantity),
                    "valorUnitario": json_number(item.unit_price),
                }
                for item in order.items
            ],
            "pagamento": {**way, "parcelas": [_instalment(part, order.placed_on, way) for part in order.instalments]},
            "valorFrete": json_number(order.freight),
            "valorDesconto": json_number(order.discount),
            "observacoes": latin(order.notes, LONGEST_NOTES),
            "observacoesInternas": mark(order),
        }
    )


def way_id(rows: list[Any], method: str) -> str:
    """The account's form of receipt for how an order was paid, by its name; '' where none is called so."""
    wanted = payment(method) or plain(method)
    for told in map(one, rows):
        name = plain(text(told.get("nome")))
        if wanted and wanted in (name, payment(name)):
            return identity(told.get("id"))
    return ""


def row(payload: Any) -> Row | None:
    """One row of GET /pedidos; None for one without an id."""
    told = one(payload)
    external_id = identity(told.get("id"))
    if not external_id:
        return None
    tracking = one(told.get("transportador")).get("codigoRastreamento")
    return order_row(external_id, told.get("situacao"), tracking, told.get("idNotaFiscal"))


def row_number(payload: Any) -> str:
    """The store's number in a row of the list."""
    return text(one(one(payload).get("ecommerce")).get("numeroPedidoEcommerce"))


def buyer_filter(order: OutgoingOrder) -> dict[str, str]:
    """The filter of GET /pedidos that leaves the buyer's orders; none where nothing of the buyer is known."""
    if order.customer is None:
        return {}
    known = order.customer.document
    return {"cpfCnpj": known} if known else {"codigoCliente": guest_code(order.customer)}


def row_buyer(payload: Any) -> str:
    """The id of the buyer in a row of the list."""
    return identity(one(one(payload).get("cliente")).get("id"))


def is_buyers(payload: Any, order: OutgoingOrder) -> bool:
    """Whether a row of the list is of the order's buyer, by the contact or, as that may be another by now, by the
    document: a filter that was ignored lets everybody's through."""
    known = document(order.customer.document) if order.customer else ""
    told = document(one(one(payload).get("cliente")).get("cpfCnpj"))
    return row_buyer(payload) == order.customer_ref or bool(known and told == known)


def status(payload: Any, external_id: str, as_of: datetime) -> OrderStatus:
    """How the order of GET /pedidos/{id} stands."""
    told = one(payload)
    shipping = one(told.get("transportador"))
    found = situation(told.get("situacao"))
    return OrderStatus(
        external_id=external_id,
        stage=stage_of(told.get("situacao")),
        told=found.word if found else text(told.get("situacao")),
        as_of=as_of,
        parcel=parcel(
            shipping.get("codigoRastreamento"),
            shipping.get("urlRastreamento"),
            shipping.get("nome"),
            one(shipping.get("formaEnvio")).get("nome"),
        ),
        number=row_number(told),
        erp_number=text(told.get("numeroPedido")),
    )


def invoice_id(payload: Any) -> str:
    """The note that the order was invoiced with, '' for none."""
    return identity(one(payload).get("idNotaFiscal"))


def candidate(payload: Any, external_id: str) -> Candidate:
    """The order of GET /pedidos/{id}, as far as it tells whose it is."""
    told = one(payload)
    found = situation(told.get("situacao"))
    return Candidate(
        external_id=external_id,
        number=row_number(told),
        notes=f"{text(told.get('observacoes'))} {text(told.get('observacoesInternas'))}",
        ecommerce=identity(one(told.get("ecommerce")).get("id")),
        document=document(one(told.get("cliente")).get("cpfCnpj")),
        total=exact(told.get("valorTotalPedido")),
        cancelled=found is not None and found.word == CANCELLED,
    )


def number_id(name: str, told: str) -> int:
    """An id of theirs as the number that v3 wants. Raises CallFailed, `rejected`, for what is none."""
    if told.isascii() and told.isdigit():
        return int(told)
    raise rejected("POST /pedidos", f"{name}: o Olist Tiny (API v3) espera um número, e recebeu “{told}”")


def _chosen(name: str, told: str) -> int | None:
    return number_id(name, told.strip()) if told.strip() else None


def _delivery(where: OutgoingAddress, buyer: OutgoingCustomer | None) -> dict[str, Any]:
    if not where.street:
        return {}
    return known_only(
        {
            "endereco": latin(where.street, 50),
            "enderecoNro": latin(where.number, 10),
            "complemento": latin(where.complement, 50),
            "bairro": latin(where.district, 30),
            "municipio": latin(where.city, 30),
            "cep": digits(where.postal_code),
            "uf": where.uf,
            "fone": latin(buyer.phone, 40) if buyer else "",
            "nomeDestinatario": latin(where.recipient or (buyer.name if buyer else ""), 60),
            "cpfCnpj": buyer.document if buyer else "",
            "tipoPessoa": person_type(buyer),
        }
    )


def _instalment(part: OutgoingInstalment, placed_on: date, way: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "dias": (part.due - placed_on).days,
        "data": part.due.isoformat(),
        "valor": json_number(part.amount),
        **way,
    }
