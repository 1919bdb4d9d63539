"""Our records as TagPlus's payloads (`reference/tagplus.md §6.2`, `§7`, `§8.1`). Pure.

Its schemas are closed: one key that it does not know is a 422 for the whole body (`§5`). What it wants as internal ids
(units, cities, kinds of contact, payment forms) comes from `lookups.py`.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.policy import Policy
from hub.records import OutgoingAddress, OutgoingCustomer, OutgoingOrder, OutgoingProduct
from hub.stages import Stage
from providers.tagplus.codes import CONFIRMED, OTHER_PAYMENT, PAYMENT_BASES, STATUS_OF_STAGE, STATUSES

MOST_CODE = 50
NCM_DIGITS, CEST_DIGITS = 8, 7


@dataclass(frozen=True, slots=True)
class PeopleIds:
    """TagPlus's ids of what a customer's record names; None for what its tables do not have, or may not be read."""

    mail: int | None = None
    phone: int | None = None
    register: int | None = None
    city: int | None = None


def new_product(product: OutgoingProduct, *, stock: bool) -> dict[str, Any]:
    """The body of POST /produtos. Variations and kits go as simple ones: how a family is built is not told (`§6.4`)."""
    body = {
        "tipo": "N",
        "ativo": True,
        "codigo_externo": product.record_id[:MOST_CODE],
        "unidade_entrada": product.unit,
    }
    return _told({**body, **changed_product(product, stock=stock)})


def changed_product(product: OutgoingProduct, *, stock: bool) -> dict[str, Any]:
    """The body of PATCH /produtos/{id}: what the store keeps up, and of that only what we know.

    The unit stands as its abbreviation until `with_unit` puts TagPlus's id in. `ativo` is not in it: what is taken off
    the store stays over there.
    """
    counted = None if product.stock is None or not stock else {"qtd_revenda": number(max(product.stock, Decimal(0)))}
    body = {
        "descricao": product.name,
        "codigo": product.sku,
        "codigo_barras": product.gtin,
        "valor_venda_varejo": number(product.price),
        "estoque": counted,
        "tributo_ncm": product.ncm,
        "cest": product.cest,
        "cst_a": product.origin if product.origin in _ORIGINS else "",
        "unidade_saida": product.unit,
        "peso": _size(product.weight_net),
        "altura": _size(product.height),
        "largura": _size(product.width),
        "comprimento": _size(product.length),
        "embalagem": _told({"peso": _size(product.weight_gross)}),
        "descricao_longa": product.description,
    }
    return _told(body)


def with_unit(body: Mapping[str, Any], unit: int | None) -> dict[str, Any]:
    """A product's body with TagPlus's id of the unit where its abbreviation stood."""
    ids = dict.fromkeys(("unidade_entrada", "unidade_saida"), unit)
    return _told({name: ids.get(name, value) for name, value in body.items()})


def unfit(product: OutgoingProduct) -> str:
    """Why TagPlus would not take a product's fiscal codes, in the merchant's words; '' when it would (`§6.2`)."""
    for label, code, digits in (("NCM", product.ncm, NCM_DIGITS), ("CEST", product.cest, CEST_DIGITS)):
        if code and not re.fullmatch(rf"[0-9]{{{digits}}}", code):
            return f"O TagPlus só aceita {label} com {digits} números, e este produto tem “{code}”"
    return ""


def new_customer(customer: OutgoingCustomer, ids: PeopleIds) -> dict[str, Any]:
    """The body of POST /clientes. Our id goes along: by it a guest without a document is found again.

    `recebe_email` is false, or the ERP itself would write to the store's buyers (`§7`).
    """
    company = len(customer.document) == 14
    told = [(customer.email, ids.mail), (customer.phone, ids.phone)]
    contacts = [(value, kind) for value, kind in told if value and kind is not None]
    body = {
        "razao_social": customer.name,
        "codigo_externo": customer.record_id[:MOST_CODE],
        "tipo": "J" if company else "F",
        "cpf": customer.document if len(customer.document) == 11 else "",
        "cnpj": customer.document if company else "",
        "recebe_email": False,
        "contatos": [
            _told({"descricao": value, "tipo_contato": kind, "tipo_cadastro": ids.register, "principal": place == 0})
            for place, (value, kind) in enumerate(contacts)
        ],
        "enderecos": [_address(customer.address, ids)] if customer.address.street else [],
    }
    return _told(body)


def new_order(order: OutgoingOrder, policy: Policy, payment_form: int | None) -> dict[str, Any]:
    """The body of POST /pedidos. `codigo_externo` is our id: the one thing by which it is surely known again (`§12`).

    The date of creation is left to the ERP: to set it takes a permission.
    """
    body = {
        "codigo_externo": order_code(order),
        "status": told_status(order.stage, policy),
        "cliente": _id(order.customer_ref),
        "itens": [
            {
                "item": place,
                "produto_servico": _id(item.external_id),
                "qtd": number(item.quantity),
                "valor_unitario": number(item.unit_price),
            }
            for place, item in enumerate(order.items, start=1)
        ],
        **bill(order, payment_form),
        "valor_frete": number(order.freight),
        "valor_desconto": number(order.discount),
        "observacoes": "\n".join(part for part in (order.marker, order.notes, _delivery(order.delivery)) if part),
        "integracao": policy.order_label,
    }
    return _told(body)


def bill(order: OutgoingOrder, payment_form: int | None) -> dict[str, Any]:
    """How an order was paid: its total in its instalments; nothing where no payment form fits."""
    if payment_form is None:
        return {}
    return {"faturas": [{"forma_pagamento": payment_form, "parcelas": _instalments(order)}]}


def order_code(order: OutgoingOrder) -> str:
    """What our order is called over there: our id, which no other shop's number can equal."""
    return order.record_id[:MOST_CODE]


def told_status(stage: str, policy: Policy) -> str:
    """The status of an order for a stage: the merchant's choice if it is one, else the default; '' for no stage."""
    if stage not in _STAGES:
        return ""
    chosen = policy.status_map.get(Stage(stage), "").strip().upper()
    return chosen if chosen in STATUSES else STATUS_OF_STAGE.get(Stage(stage), CONFIRMED)


def number_in_marker(notes: str) -> str:
    """The store's number of an order, out of the marker in its notes; '' where there is none of ours."""
    found = _MARKER.search(notes)
    return found[1].strip() if found else ""


def payment_bases(method: str) -> tuple[int, ...]:
    """The bases of payment forms that a store's word may mean, the likeliest first; last the base for others."""
    return (*PAYMENT_BASES.get(plain(method).replace(" ", "_"), ()), OTHER_PAYMENT)


def plain(words: str) -> str:
    """Words to be compared: small letters without accents, single blanks."""
    ascii_ = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", " ", ascii_.lower()).strip()


def masked(plain_document: str) -> str:
    """A CPF or CNPJ as TagPlus shows it; the letters of a new CNPJ stay."""
    d = plain_document
    if len(d) == 11:
        return f"{d[:3]}.{d[3:6]}.{d[6:9]}-{d[9:]}"
    return f"{d[:2]}.{d[2:5]}.{d[5:8]}/{d[8:12]}-{d[12:]}" if len(d) == 14 else d


def number(value: Decimal) -> int | float:
    """A JSON number: a double carries 15 digits, which is more than any price has."""
    return int(value) if value == value.to_integral_value() else float(value)


def _size(value: Decimal | None) -> int | float | None:
    return number(value) if value else None


def _instalments(order: OutgoingOrder) -> list[dict[str, Any]]:
    return [
        {
            "documento": f"{order.number}/{place}",
            "valor_parcela": number(part.amount),
            "data_vencimento": part.due.isoformat(),
        }
        for place, part in enumerate(order.instalments, start=1)
    ]


def _address(given: OutgoingAddress, ids: PeopleIds) -> dict[str, Any]:
    """An address. A city that is not in TagPlus's table is told in words: left out, nobody could write it in."""
    code = given.postal_code
    place = "/".join(part for part in (given.city, given.uf) if part)
    address = {
        "principal": True,
        "cep": f"{code[:5]}-{code[5:]}" if len(code) == 8 else code,
        "logradouro": given.street,
        "numero": given.number,
        "complemento": given.complement,
        "bairro": given.district,
        "id_cidade": ids.city,
        "tipo_cadastro": ids.register,
        "informacoes_adicionais": f"Cidade: {place}" if place and ids.city is None else "",
    }
    return _told(address)


def _delivery(given: OutgoingAddress) -> str:
    """Where to deliver, as one line: an order has no field for it."""
    street = ", ".join(part for part in (given.street, given.number, given.complement) if part)
    place = "/".join(part for part in (given.city, given.uf) if part)
    code = f"CEP {given.postal_code}" if given.postal_code else ""
    parts = [part for part in (given.recipient, street, given.district, place, code) if part]
    return f"Entregar a: {' · '.join(parts)}" if street else ""


def _id(external_id: str) -> int | str:
    """An id as the number that the schema wants."""
    return int(external_id) if external_id.isascii() and external_id.isdigit() else external_id


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known: an empty text would overwrite what somebody typed over there."""
    return {name: value for name, value in body.items() if value not in (None, "", {}, [])}


_ORIGINS = frozenset("012345678")
_STAGES = frozenset(stage.value for stage in Stage)
_MARKER = re.compile(r"Pedido (.{1,60}?) · esteira [0-9a-f]{32}")
