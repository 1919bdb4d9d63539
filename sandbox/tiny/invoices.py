"""The life of a note: made of an order, sent to SEFAZ, cancelled (`reference/tiny.md` §3.10, §10)."""

from typing import Any
from xml.sax.saxutils import escape

from sandbox.core import nfe
from sandbox.core.clock import local
from sandbox.tiny import situations as known
from sandbox.tiny.event_bodies import link
from sandbox.tiny.records import Invoice, Item, Order, digits
from sandbox.tiny.trade import Trade

SERIES = 1
OUTCOMES = (known.PENDING, known.REJECTED, known.AUTHORIZED, known.PRINTED, known.DENIED)
#: An authorized note makes its order `faturado` when it was in one of these [I].
_BEFORE = frozenset({"dados_incompletos", "aberto", "aprovado", "preparando_envio"})
#: v2 code of a payment → tPag of the NF-e.
_PAYMENTS = {
    "dinheiro": "01", "cheque": "02", "credito": "03", "debito": "04", "crediario": "05", "duplicata_mercantil": "14",
    "boleto": "15", "deposito": "16", "pix": "17",
}  # fmt: skip
_ADDRESS = {
    "logradouro": "endereco", "numero": "numero", "complemento": "complemento", "bairro": "bairro",
    "cidade": "cidade", "estado": "uf", "cep": "cep",
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
    address = {theirs: client.get(mine) for theirs, mine in _ADDRESS.items()}
    buyer = nfe.Client(client.get("cpf_cnpj", ""), client.get("nome", ""), client.get("email", ""), address)
    return nfe.Draft(
        issuer=_issuer(trade),
        client=buyer,
        lines=tuple(_line(trade, item) for item in order.items),
        freight=order.freight,
        discount=order.discount,
        payment=_PAYMENTS.get(order.form, "99"),
        payment_name=order.form or "Outros",
        about=f"Pedido {order.number}",
        number=note.number,
        issued_at=note.issued_at,
        test=False,
        other=order.other,
    )


def _line(trade: Trade, item: Item) -> nfe.Line:
    product = trade.store.products.get(item.product_id)
    gtin = "SEM GTIN" if product is None or not product.gtin else product.gtin
    ncm = "00000000" if product is None else digits(product.ncm) or "00000000"
    return nfe.Line(item.sku or "SEM-CODIGO", gtin, ncm, escape(item.unit), item.name, item.quantity, item.price)


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
