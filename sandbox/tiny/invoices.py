"""The life of a note: made of an order, sent to SEFAZ, cancelled (`reference/tiny.md` §3.10, §10)."""

from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from sandbox.contaazul import nfe
from sandbox.contaazul.records import Sale
from sandbox.core.clock import local
from sandbox.tiny import situations as known
from sandbox.tiny.event_bodies import link
from sandbox.tiny.records import Invoice, Order, digits
from sandbox.tiny.trade import Trade

SERIES = 1
OUTCOMES = (known.PENDING, known.REJECTED, known.AUTHORIZED, known.PRINTED, known.DENIED)
#: An authorized note makes its order `faturado` when it was in one of these [I].
_BEFORE = frozenset({"dados_incompletos", "aberto", "aprovado", "preparando_envio"})
_PAYMENTS = {
    "dinheiro": "DINHEIRO", "credito": "CARTAO_CREDITO", "debito": "CARTAO_DEBITO", "boleto": "BOLETO_BANCARIO",
    "deposito": "DEPOSITO_BANCARIO", "cheque": "CHEQUE", "crediario": "CREDITO_LOJA",
    "pix": "PIX_PAGAMENTO_INSTANTANEO",
}  # fmt: skip
REASONS = {
    known.REJECTED: "Rejeição 778: Informado NCM inexistente",
    known.DENIED: "Uso Denegado: Irregularidade fiscal do destinatário",
    known.PENDING: "Serviço paralisado momentaneamente",
}


class InvoiceError(Exception):
    """A note cannot be made, sent or cancelled."""


def generate(trade: Trade, order: Order, model: int = 55) -> Invoice:
    """Make a pending note of an order; a second one unless the setting `second_invoice` forbids it (§7 [I])."""
    if order.situation == "cancelado":
        raise InvoiceError("Não é possível gerar nota fiscal de um pedido cancelado")
    open_notes = [n for n in trade.notes_of(order) if n.situation not in (known.CANCELLED, known.DENIED)]
    if open_notes and trade.settings.second_invoice == "refuse":
        raise InvoiceError("O pedido já possui nota fiscal")
    note = Invoice(
        trade.new_id(), order.id, trade.note_number(), SERIES, model, known.PENDING, trade.now(), trade.snapshot(order)
    )
    trade.invoices[note.id] = note
    with trade.editing(order):
        order.invoice_id = note.id
    return note


def emit(trade: Trade, note: Invoice, outcome: int) -> None:
    """Send a note to SEFAZ, which answers `outcome`; a note sent before stays as it is (§7 [I])."""
    if note.situation not in (known.PENDING, known.REJECTED):
        return
    if outcome == known.AUTHORIZED and not note.sale.client.get("cpf_cnpj"):
        outcome = known.REJECTED
    note.situation = outcome
    if outcome not in (known.AUTHORIZED, known.PRINTED):
        note.reason = REASONS[outcome]
        return
    note.reason, note.issued_at = "", trade.now()
    draft = _draft(trade, note)
    note.key = nfe.access_key(draft)
    note.xml = nfe.document(draft, note.key).decode()
    order = trade.orders.get(note.order_id)
    if order is not None:
        with trade.editing(order):
            order.invoice_id = note.id
            order.invoiced = local(note.issued_at).date().isoformat()
            if order.situation in _BEFORE:
                order.situation = "faturado"
    trade.events.invoice_authorized(note, order)


def cancel(trade: Trade, note: Invoice) -> None:
    """Cancel a note; the order stays as it is, with the note's id [I]. Nothing is told."""
    if note.situation == known.CANCELLED:
        raise InvoiceError("A nota fiscal já está cancelada")
    if note.key:
        note.cancellation = _cancellation(trade, note)
    note.situation = known.CANCELLED


def show(note: Invoice) -> dict[str, Any]:
    """Return a note as the control API shows it."""
    return {
        "id": note.id,
        "id_pedido": note.order_id,
        "numero": note.number,
        "serie": note.series,
        "modelo": note.model,
        "situacao": note.situation,
        "descricao_situacao": known.INVOICE_TEXTS[note.situation],
        "chave_acesso": note.key,
        "numero_ecommerce": note.sale.shop_number,
        "valor": float(note.sale.total),
        "link": link(note),
        "xml": note.xml,
        "xml_cancelamento": note.cancellation,
        "motivo": note.reason,
        "emitida": note.issued_at,
        "writes": dict(note.writes),
    }


def _issuer(trade: Trade) -> nfe.Issuer:
    account = trade.events.account
    return nfe.Issuer(digits(account.cnpj), account.company, account.company.removesuffix(" Comércio Ltda"), "SC", 42)


def _draft(trade: Trade, note: Invoice) -> nfe.Draft:
    order, client = note.sale, note.sale.client
    lines = tuple(
        {
            "id_item": str(item.product_id),
            "nome": item.name,
            "quantidade": item.quantity,
            "valor": item.price,
        }
        for item in order.items
    )
    # The layout borrowed has no other expenses: they go with the freight.
    freight = float(order.freight + order.other)
    sale = Sale(
        id="", id_legado=0, numero=order.number, situacao="", data_venda=order.date, id_cliente="", client={},
        itens=lines, payment={"tipo_pagamento": _PAYMENTS.get(order.form, order.form or "OUTRO")},
        created_at=note.created_at, changed_at=note.created_at, freight=freight,
        discount={"tipo": "VALOR", "valor": Decimal(order.discount)},
    )  # fmt: skip
    sale.reckon()
    buyer = {
        "nome": client.get("nome", ""),
        "documento": client.get("cpf_cnpj", ""),
        "email": client.get("email", ""),
        "endereco": {
            "logradouro": client.get("endereco"),
            "numero": client.get("numero"),
            "complemento": client.get("complemento"),
            "bairro": client.get("bairro"),
            "cidade": client.get("cidade"),
            "estado": client.get("uf"),
            "cep": client.get("cep"),
        },
    }
    products = tuple(_product(trade, note, at) for at in range(len(order.items)))
    return nfe.Draft(_issuer(trade), sale, buyer, products, note.number, note.issued_at, False)


def _product(trade: Trade, note: Invoice, at: int) -> tuple[str, str, str, str]:
    item = note.sale.items[at]
    product = trade.store.products.get(item.product_id)
    gtin = "SEM GTIN" if product is None or not product.gtin else product.gtin
    ncm = "00000000" if product is None else digits(product.ncm) or "00000000"
    return item.sku, gtin, ncm, escape(item.unit)


def _cancellation(trade: Trade, note: Invoice) -> str:
    at = local(trade.now()).isoformat(timespec="seconds")
    ident = f"ID110111{note.key}01"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        f'<procEventoNFe versao="1.00" xmlns="{nfe.NAMESPACE}"><evento versao="1.00"><infEvento Id="{ident}">'
        f"<cOrgao>42</cOrgao><tpAmb>1</tpAmb><CNPJ>{_issuer(trade).cnpj}</CNPJ><chNFe>{note.key}</chNFe>"
        f"<dhEvento>{at}</dhEvento><tpEvento>110111</tpEvento><nSeqEvento>1</nSeqEvento><verEvento>1.00</verEvento>"
        '<detEvento versao="1.00"><descEvento>Cancelamento</descEvento><xJust>Pedido cancelado pelo cliente</xJust>'
        '</detEvento></infEvento></evento><retEvento versao="1.00"><infEvento><cStat>135</cStat>'
        f"<xMotivo>Evento registrado e vinculado a NF-e</xMotivo><chNFe>{note.key}</chNFe><tpEvento>110111</tpEvento>"
        f"<dhRegEvento>{at}</dhRegEvento></infEvento></retEvento></procEventoNFe>"
    )
