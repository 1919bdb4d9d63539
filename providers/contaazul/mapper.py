"""Our records as Conta Azul's payloads, and what we read of its answers (`reference/contaazul.md §4` to `§7`). Pure.

Codes that it wants as internal ids (NCM, CEST, unit) stand in the bodies as codes until `with_ids` puts the ids in.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.records import (
    InvoiceRow,
    OutgoingAddress,
    OutgoingCustomer,
    OutgoingOrder,
    OutgoingProduct,
)
from providers.contaazul.codes import ORIGINS, PAYMENTS, STATUSES, UNITS
from providers.contract import Found
from providers.tiny_parse import document, identity, many, one, text, whole
from providers.tiny_parse import number as parsed

MOST_NAME, MOST_EMAIL, MOST_CODE = 200, 100, 20


@dataclass(frozen=True, slots=True)
class Ids:
    """Conta Azul's internal ids of a product's codes; None for a code that the product does not have."""

    ncm: int | None = None
    cest: int | None = None
    unit: int | None = None


def new_product(product: OutgoingProduct) -> dict[str, Any]:
    """The body of POST /v1/produtos. Stock is in it: no other call takes one (`§4.5`)."""
    sizes = {
        "peso_liquido": product.weight_net,
        "peso_bruto": product.weight_gross,
        "altura": product.height,
        "largura": product.width,
        "profundidade": product.length,
    }
    origin = ORIGINS[int(product.origin)] if product.origin.isascii() and product.origin in _DIGITS else ""
    fiscal = {
        "tipo_produto": "MERCADORIA_PARA_REVENDA",
        "origem": origin,
        "ncm": {"codigo": product.ncm} if product.ncm else None,
        "cest": {"codigo": product.cest} if product.cest else None,
        "unidade_medida": {"codigo": product.unit} if product.unit else None,
    }
    stock = None if product.stock is None else number(max(product.stock, Decimal(0)))
    body = {
        "nome": product.name,
        "codigo_sku": product.sku,
        "codigo_ean": product.gtin,
        "descricao": product.description,
        "formato": "SIMPLES",
        "status": "ATIVO",
        "ativo": True,
        "unidade_medida": {"codigo": product.unit} if product.unit else None,
        "estoque": _told({"valor_venda": number(product.price), "estoque_disponivel": stock}),
        "fiscal": _told(fiscal),
        "pesos_dimensoes": _told({name: number(size) for name, size in sizes.items() if size}),
    }
    return _told(body)


def changed_product(product: OutgoingProduct) -> dict[str, Any]:
    """The body of PATCH /v1/produtos/{id}: all that it takes (`§4.4`), and of that only what we know."""
    body = {
        "nome": product.name,
        "codigo_sku": product.sku,
        "codigo_ean": product.gtin,
        "valor_venda": number(product.price),
        "ncm": product.ncm,
        "cest": product.cest,
        "unidade_medida": product.unit,
        "peso_bruto": number(product.weight_gross) if product.weight_gross else None,
        "peso_liquido": number(product.weight_net) if product.weight_net else None,
    }
    return _told(body)


def with_ids(body: Mapping[str, Any], ids: Ids) -> dict[str, Any]:
    """A product's body with Conta Azul's ids where our codes stood."""
    known = {"ncm": ids.ncm, "cest": ids.cest, "unidade_medida": ids.unit}
    done: dict[str, Any] = {}
    for name, value in body.items():
        if name == "fiscal":
            done[name] = with_ids(value, ids)
        elif name in known:
            found = known[name]
            done[name] = {"id": found} if isinstance(value, dict) else found
        else:
            done[name] = value
    return _told(done)


def products_of_sku(rows: list[Any], sku: str) -> list[Found]:
    """The products and variations among the rows whose SKU is exactly that one, each once.

    The comparison is ours: a filter that the API does not know lets every product through (`§3.5`). The SKU is
    `codigo` in lists and `codigo_sku` in details (`§4.2`).
    """
    found = {}
    for row in _with_variations(rows):
        external_id = identity(row.get("id"))
        if external_id and sku in (text(row.get("codigo")), text(row.get("codigo_sku"))):
            found[external_id] = Found(external_id, text(row.get("status")).upper() != "INATIVO")
    return list(found.values())


def code_id(rows: list[Any], code: str) -> int | None:
    """The internal id of a fiscal code among the rows of a look-up."""
    for row in map(one, rows):
        if document(row.get("codigo")) == document(code):
            return whole(row.get("id"))
    return None


def unit_id(rows: list[Any], unit: str) -> int | None:
    """The internal id of a unit by its abbreviation, its name, or another spelling of it."""
    spelt = unit.strip().casefold()
    for wanted in (spelt, UNITS.get(spelt.upper(), "").casefold()):
        for row in map(one, rows):
            names = (text(row.get("abreviacao")).casefold(), text(row.get("descricao")).casefold())
            if wanted and wanted in names:
                return whole(row.get("id"))
    return None


def person(customer: OutgoingCustomer) -> dict[str, Any]:
    """The body of POST /v1/pessoas. A guest without a document carries our own id as its code, to be found again."""
    company = len(customer.document) == 14
    body = {
        "nome": customer.name[:MOST_NAME],
        "tipo_pessoa": "Jurídica" if company else "Física",
        "perfis": [{"tipo_perfil": "Cliente"}],
        "cnpj": masked(customer.document) if company else "",
        "cpf": masked(customer.document) if len(customer.document) == 11 else "",
        "codigo": "" if customer.document else guest_code(customer),
        "email": customer.email if len(customer.email) <= MOST_EMAIL else "",
        "telefone_celular": customer.phone,
        "enderecos": [_address(customer.address)] if customer.address.street else None,
    }
    return _told(body)


def guest_code(customer: OutgoingCustomer) -> str:
    """The code under which a guest is known: the end of our id, where its random part is."""
    return customer.record_id[-MOST_CODE:]


def people_of_document(rows: list[Any], wanted: str) -> list[Found]:
    """The people among the rows whose CPF or CNPJ is that one whatever its mask; active ones first."""
    found = {}
    for row in map(one, rows):
        told = row.get("documento") or row.get("cpf") or row.get("cnpj")
        external_id = identity(row.get("id"))
        if external_id and wanted and document(told) == document(wanted):
            found[external_id] = Found(external_id, row.get("ativo") is not False)
    return sorted(found.values(), key=lambda one_: not one_.active)


def sale(order: OutgoingOrder, sale_number: int) -> dict[str, Any]:
    """The body of POST /v1/venda: an approved sale, whose instalments add up to items + freight - discount."""
    return {
        "id_cliente": order.customer_ref,
        "numero": sale_number,
        "situacao": "APROVADO",
        "data_venda": order.placed_on.isoformat(),
        "observacoes": "\n".join(part for part in (order.marker, order.notes, _delivery(order.delivery)) if part),
        "itens": [
            {
                "id": item.external_id,
                "descricao": item.name,
                "quantidade": number(item.quantity),
                "valor": number(item.unit_price),
            }
            for item in order.items
        ],
        "composicao_de_valor": _values(order.freight, order.discount),
        "condicao_pagamento": {
            "tipo_pagamento": payment(order.payment_method),
            "opcao_condicao_pagamento": terms(len(order.instalments)),
            "parcelas": [
                {"data_vencimento": part.due.isoformat(), "valor": number(part.amount), "descricao": f"Parcela {place}"}
                for place, part in enumerate(order.instalments, start=1)
            ],
        },
    }


def cancelled_sale(detail: Mapping[str, Any], items: list[Any], order: OutgoingOrder) -> dict[str, Any]:
    """The body of PUT /v1/venda/{id} that cancels: all of the sale as it stands over there (`§6.5`).

    The version must not be zero though a new sale's is, and is not compared. What the sale does not tell is taken from
    our order.
    """
    told = one(detail.get("venda"))
    pays = one(told.get("condicao_pagamento"))
    values = one(told.get("composicao_valor"))
    parts = [_instalment(row, place) for place, row in enumerate(map(one, many(pays.get("parcelas"))), start=1)]
    own = sale(order, whole(told.get("numero")) or 0)
    option = text(pays.get("opcao_condicao_pagamento"))
    body = {
        "versao": whole(told.get("versao")) or 1,
        "numero": own["numero"],
        "id_cliente": text(told.get("id_cliente")) or order.customer_ref,
        "id_vendedor": text(one(detail.get("vendedor")).get("id")),
        "id_natureza_operacao": text(told.get("id_natureza_operacao")),
        "data_venda": text(told.get("data_compromisso"))[:10] or own["data_venda"],
        "situacao": "CANCELADO",
        "observacoes": text(told.get("observacoes")) or own["observacoes"],
        "observacoes_pagamento": text(pays.get("observacoes_pagamento")),
        "itens": [_item(row) for row in map(one, items)] or own["itens"],
        "composicao_de_valor": _values(_amount(values.get("frete")), _amount(values.get("desconto"))),
        "condicao_pagamento": _told(
            {
                "tipo_pagamento": text(pays.get("tipo_pagamento")) or own["condicao_pagamento"]["tipo_pagamento"],
                "id_conta_financeira": text(pays.get("id_conta_financeira")),
                "nsu": text(pays.get("nsu")),
                "opcao_condicao_pagamento": option if _TERMS.fullmatch(option) else terms(len(parts) or 1),
                "parcelas": parts or own["condicao_pagamento"]["parcelas"],
            }
        ),
    }
    return _told(body)


def is_marked(detail: Mapping[str, Any], order: OutgoingOrder) -> bool:
    """Whether a sale's notes carry the order's marker."""
    notes = text(one(detail.get("venda")).get("observacoes"))
    return " ".join(order.marker.split()) in " ".join(notes.split())


def status(told: Any) -> str:
    """A sale's status in Portuguese, in whatever language and shape it came."""
    word = text(one(told).get("nome")) if isinstance(told, dict) else text(told)
    plain = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    spelt = re.sub(r"[^A-Z]+", "_", plain.upper()).strip("_")
    return STATUSES.get(spelt, spelt)


def is_cancelled(detail: Mapping[str, Any]) -> bool:
    """Whether a sale is cancelled, or deleted, which leaves its `situacao` as it was (`§6.5`)."""
    told = one(detail.get("venda"))
    return "CANCELADO" in (status(told.get("situacao")), status(told.get("status")))


def is_invoiced(detail: Mapping[str, Any]) -> bool:
    """Whether a note was issued for a sale."""
    return status(one(detail.get("venda")).get("situacao")) == "FATURADO"


def tells_number(sentence: str, tried: int) -> bool:
    """Whether a refusal is about a sale's number: it speaks of one and tells it, or the next that is free (`§6.3`)."""
    told = (int(digits) for digits in re.findall(r"[0-9]{1,18}", sentence.replace(".", "")))
    return bool(_NUMBER.search(sentence)) and any(number_ >= tried for number_ in told)


def invoice(payload: Any) -> InvoiceRow | None:
    """One row of the list of notes; None for one without a key."""
    row = one(payload)
    key = document(row.get("chave_acesso"))
    if not key:
        return None
    return InvoiceRow(access_key=key, number=text(row.get("numero_nota")), status=text(row.get("status")).upper())


def payment(method: str) -> str:
    """The kind of payment as Conta Azul calls it."""
    plain = unicodedata.normalize("NFKD", method).encode("ascii", "ignore").decode()
    return PAYMENTS.get(re.sub(r"[^a-z]+", "_", plain.lower()).strip("_"), "OUTRO")


def terms(instalments: int) -> str:
    """The payment terms: exactly `À vista`, or `3x`."""
    return "À vista" if instalments <= 1 else f"{instalments}x"


def masked(plain: str) -> str:
    """A CPF or CNPJ as the vendor's examples write it; the letters of a new CNPJ stay."""
    if len(plain) == 11:
        return f"{plain[:3]}.{plain[3:6]}.{plain[6:9]}-{plain[9:]}"
    if len(plain) == 14:
        return f"{plain[:2]}.{plain[2:5]}.{plain[5:8]}/{plain[8:12]}-{plain[12:]}"
    return plain


def number(value: Decimal) -> int | float:
    """A JSON number: a double carries 15 digits, which is more than any price has."""
    return int(value) if value == value.to_integral_value() else float(value)


def _values(freight: Decimal, discount: Decimal) -> dict[str, Any]:
    values: dict[str, Any] = {"frete": number(freight)}
    if discount:
        values["desconto"] = {"tipo": "VALOR", "valor": number(discount)}
    return values


def _item(row: Mapping[str, Any]) -> dict[str, Any]:
    item = {
        "id": text(row.get("id_item")),
        "descricao": text(row.get("descricao")) or text(row.get("nome")),
        "quantidade": number(_amount(row.get("quantidade"))),
        "valor": number(_amount(row.get("valor"))),
        "valor_custo": number(_amount(row.get("custo"))) if row.get("custo") else None,
    }
    return _told(item)


def _instalment(row: Mapping[str, Any], place: int) -> dict[str, Any]:
    return {
        "data_vencimento": text(row.get("data_vencimento"))[:10],
        "valor": number(_amount(row.get("valor"))),
        "descricao": text(row.get("descricao")) or f"Parcela {place}",
    }


def _amount(told: Any) -> Decimal:
    """An amount, bare or as `{tipo, valor}`; nought where there is none."""
    found = parsed(told.get("valor") if isinstance(told, dict) else told)
    return found if isinstance(found, Decimal) else Decimal(0)


def _address(given: OutgoingAddress) -> dict[str, Any]:
    code = given.postal_code
    address = {
        "logradouro": given.street,
        "numero": given.number,
        "complemento": given.complement,
        "bairro": given.district,
        "cidade": given.city,
        "estado": given.uf,
        "cep": f"{code[:5]}-{code[5:]}" if len(code) == 8 else code,
        "pais": "Brasil",
    }
    return _told(address)


def _delivery(given: OutgoingAddress) -> str:
    """Where to deliver, as one line: a sale has no field for it."""
    street = ", ".join(part for part in (given.street, given.number, given.complement) if part)
    place = "/".join(part for part in (given.city, given.uf) if part)
    code = f"CEP {given.postal_code}" if given.postal_code else ""
    parts = [part for part in (given.recipient, street, given.district, place, code) if part]
    return f"Entregar a: {' · '.join(parts)}" if street else ""


def _with_variations(rows: list[Any]) -> Iterator[dict[str, Any]]:
    for row in map(one, rows):
        yield row
        yield from map(one, many(row.get("produtos_variacao")))


def _told(body: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known: an empty text would overwrite what somebody typed over there."""
    return {name: value for name, value in body.items() if value not in (None, "", {})}


_NUMBER = re.compile(r"n[uú]mero|\bn[º°o]\b", re.IGNORECASE)
_DIGITS = frozenset("012345678")
_TERMS = re.compile(r"À vista|[0-9]{1,3}x|[0-9]{1,4}(?:, ?[0-9]{1,4})*")
