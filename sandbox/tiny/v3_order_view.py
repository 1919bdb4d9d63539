"""Orders as API v3 shows them (`reference/tiny.md` §5.3); messy runs drift as §4.3 tells."""

from typing import Any

from sandbox.core.clock import local_text
from sandbox.tiny.contact_body import LENGTHS
from sandbox.tiny.records import Contact, Installment, Item, Order, masked, masked_cep
from sandbox.tiny.situations import NUMBERS
from sandbox.tiny.tables import RECEIVING, SHIPPING, Form, by_code, freight
from sandbox.tiny.trade import Trade


def row(order: Order, messy: bool) -> dict[str, Any]:
    """A row of GET /pedidos: no lines, `valor` as text."""
    return {
        "id": order.id,
        "situacao": NUMBERS[order.situation],
        "numeroPedido": order.number,
        "ecommerce": shop(order),
        "dataCriacao": local_text(order.created_at, "%Y-%m-%d"),
        "dataPrevista": day(order.planned, messy),
        "cliente": client(order),
        "valor": f"{order.total:.2f}",
        "vendedor": _seller(order),
        "transportador": carrier(order),
        "origemPedido": 0,
    }


def detail(trade: Trade, order: Order, messy: bool) -> dict[str, Any]:
    """The body of GET /pedidos/{id}."""
    deposit = trade.deposit(order)
    return {
        "id": order.id,
        "numeroPedido": order.number,
        "idNotaFiscal": order.invoice_id,
        "dataFaturamento": day(order.invoiced, messy),
        "valorTotalProdutos": float(order.products_total),
        "valorTotalPedido": float(order.total),
        "listaPreco": {"id": order.price_list, "nome": "", "acrescimoDesconto": 0},
        "cliente": client(order),
        "enderecoEntrega": delivery(order, messy),
        "ecommerce": shop(order),
        "transportador": carrier(order),
        "deposito": {"id": 0 if deposit is None else deposit.id, "nome": "" if deposit is None else deposit.name},
        "vendedor": _seller(order),
        "naturezaOperacao": {"id": order.operation[0], "nome": order.operation[1]},
        "intermediador": _intermediary(order),
        "pagamento": {
            **_payment(order.form, order.mean),
            "condicaoPagamento": " ".join(str(parcel.days) for parcel in order.installments),
            "parcelas": [installment(parcel) for parcel in order.installments],
        },
        "itens": [_item(item) for item in order.items],
        "pagamentosIntegrados": payments(order),
        "situacao": NUMBERS[order.situation],
        "data": day(order.date, messy),
        "dataEntrega": day(order.delivered, messy),
        "numeroOrdemCompra": order.purchase_number,
        "valorDesconto": float(order.discount),
        "valorFrete": float(order.freight),
        "valorOutrasDespesas": float(order.other),
        "dataPrevista": day(order.planned, messy),
        "dataEnvio": day(order.sent, messy),
        "observacoes": order.notes,
        "observacoesInternas": order.internal_notes,
        "origemPedido": 0,
    }


def day(iso: str, messy: bool) -> str | None:
    """Return a day; no day is null, or the zero date of messy runs."""
    return iso or ("0000-00-00" if messy else None)


def client(order: Order) -> dict[str, Any]:
    """Return the customer of an order."""
    return {**person(order.client, order.client.get("nome_fantasia", "")), "id": order.contact_id}


def person(fields: dict[str, str], trade_name: str) -> dict[str, Any]:
    """Return the group `cliente` of texts named as v2 names them."""
    return {
        "nome": fields.get("nome", ""),
        "codigo": fields.get("codigo", ""),
        "fantasia": trade_name,
        "tipoPessoa": fields.get("tipo_pessoa") or "F",
        "cpfCnpj": masked(fields.get("cpf_cnpj", "")),
        "inscricaoEstadual": fields.get("ie", ""),
        "rg": fields.get("rg", ""),
        "telefone": fields.get("fone", ""),
        "celular": fields.get("celular", ""),
        "email": fields.get("email", ""),
        "endereco": address(fields),
    }


def address(fields: dict[str, str], suffix: str = "") -> dict[str, str]:
    """Return the group of an address."""
    names = ("endereco", "numero", "complemento", "bairro")
    return {
        **{name: fields.get(name + suffix, "") for name in names},
        "municipio": fields.get(f"cidade{suffix}", ""),
        "cep": masked_cep(fields.get(f"cep{suffix}", "")),
        "uf": fields.get(f"uf{suffix}", ""),
        "pais": fields.get("pais", ""),
    }


def delivery(order: Order, messy: bool) -> dict[str, Any] | None:
    """Return the delivery address; null, or in clean runs an empty one, when there is none."""
    if order.delivery is None and messy:
        return None
    fields = order.delivery or {}
    return {
        **address(fields),
        "nomeDestinatario": fields.get("nome_destinatario", ""),
        "cpfCnpj": masked(fields.get("cpf_cnpj", "")),
        "tipoPessoa": fields.get("tipo_pessoa", ""),
        "telefone": fields.get("fone", ""),
        "inscricaoEstadual": fields.get("ie", ""),
    }


def shop(order: Order) -> dict[str, Any]:
    """Return the group `ecommerce`."""
    return {
        "id": order.shop_id,
        "nome": order.shop_name,
        "numeroPedidoEcommerce": order.shop_number,
        "numeroPedidoCanalVenda": "",
        "canalVenda": "",
    }


def carrier(order: Order) -> dict[str, Any]:
    """Return the group `transportador` with the tracking."""
    form = by_code(SHIPPING, order.shipping)
    kind = freight(form, order.freight_kind)
    return {
        "id": int(order.dispatch.get("id_transportadora") or 0),
        "nome": order.carrier,
        "fretePorConta": order.freight_by if order.freight_by in ("R", "D", "T", "3", "4", "S") else "R",
        "formaEnvio": _reference(form, order.shipping),
        "formaFrete": {"id": kind[0], "nome": kind[1]},
        "codigoRastreamento": order.tracking,
        "urlRastreamento": order.tracking_url,
    }


def installment(parcel: Installment) -> dict[str, Any]:
    """Return one instalment."""
    return {
        "dias": parcel.days,
        "data": parcel.date,
        "valor": float(parcel.value),
        "observacoes": parcel.notes,
        **_payment(parcel.form, parcel.mean),
    }


def payments(order: Order) -> list[dict[str, Any]]:
    """Return the integrated payments with the types of the OpenAPI."""
    return [
        {
            "valor": float(p["valor"] or 0),
            "tipoPagamento": int(p["tipo_pagamento"] or 0),
            "cnpjIntermediador": p["cnpj_intermediador"],
            "codigoAutorizacao": p["codigo_autorizacao"],
            "codigoBandeira": int(p["codigo_bandeira"] or 0),
        }
        for p in order.payments
    ]


def contact_row(contact: Contact) -> dict[str, Any]:
    """A row of GET /contatos."""
    fields = contact.fields
    seller = int(fields.get("id_vendedor") or 0)
    return {
        **person(fields, fields.get("fantasia", "")),
        "id": contact.id,
        "vendedor": {"id": seller, "nome": fields.get("nome_vendedor", "")} if seller else None,
        # v3: B active, A active with access, I inactive, E deleted; v2: A active.
        "situacao": {"A": "B", "S": "A"}.get(fields.get("situacao", ""), fields.get("situacao") or "B"),
        "statusCrm": "C",
        "dataCriacao": local_text(contact.created_at, "%Y-%m-%d %H:%M:%S"),
        "dataAtualizacao": local_text(contact.changed_at, "%Y-%m-%d %H:%M:%S"),
    }


def contact_detail(contact: Contact) -> dict[str, Any]:
    """The body of GET /contatos/{id}."""
    fields = {name: contact.fields.get(name, "") for name in LENGTHS}
    return {
        **contact_row(contact),
        "enderecoCobranca": address(fields, "_cobranca"),
        "inscricaoMunicipal": fields["im"],
        "telefoneAdicional": fields["fax"],
        "emailNfe": fields["email_nfe"],
        "site": fields["site"],
        "regimeTributario": int(fields["crt"]) if fields["crt"].isdigit() and fields["crt"] != "0" else None,
        "limiteCredito": float(fields["limite_credito"] or 0),
        "observacoes": fields["obs"],
        "tipos": [{"id": at, "descricao": name} for at, name in enumerate(contact.types, 1)],
        "contatos": [
            {"id": at, **{k: p.get(k, "") for k in ("nome", "telefone", "ramal", "email")}, "setor": p["departamento"]}
            for at, p in enumerate(contact.people, 1)
        ],
    }


def _reference(form: Form | None, name: str) -> dict[str, Any]:
    return {"id": 0, "nome": name} if form is None else {"id": form.id, "nome": form.name}


def _payment(form: str, mean: str) -> dict[str, Any]:
    found = by_code(RECEIVING, mean)
    return {"formaRecebimento": _reference(by_code(RECEIVING, form), form), "meioPagamento": _reference(found, mean)}


def _seller(order: Order) -> dict[str, Any] | None:
    return {"id": order.seller_id, "nome": order.seller_name} if order.seller_id else None


def _intermediary(order: Order) -> dict[str, Any] | None:
    found = order.intermediary
    if not found:
        return None
    return {"id": 1, "nome": found["nome"], "cnpj": found["cnpj"], "cnpjPagamentoInstituicao": found["cnpjPagamento"]}


def _item(item: Item) -> dict[str, Any]:
    return {
        "produto": {"id": item.product_id, "sku": item.sku, "descricao": item.name, "tipo": item.kind},
        "quantidade": float(item.quantity),
        "valorUnitario": float(item.price),
        "infoAdicional": item.info,
    }
