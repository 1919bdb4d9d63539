"""Invoices: issued by the merchant's ERP, read through the API (`reference/contaazul.md` §7)."""

import io
import re
import zipfile
from typing import TYPE_CHECKING, Any

from sandbox.contaazul import lookups
from sandbox.contaazul.accounts import Account
from sandbox.contaazul.api import Answer, ApiCall, paged
from sandbox.contaazul.checks import UUID_TEXT, Refused, is_uuid
from sandbox.contaazul.nfe import draft_of
from sandbox.contaazul.query import SMALL_SIZES
from sandbox.contaazul.records import Invoice, Sale
from sandbox.contaazul.sale_view import client
from sandbox.contaazul.store import APPROVED
from sandbox.contaazul.times import local_day, utc_moment
from sandbox.core.nfe import MODEL, SERIES, UF_CODES, Issuer, access_key, correction, document, protocol

if TYPE_CHECKING:
    from sandbox.contaazul.store import Store

LISTED = ("EMITIDA", "CORRIGIDA_SUCESSO")
#: What issuing may come to; of these only EMITIDA is listed (§7.1).
OUTCOMES = ("EMITIDA", "DENEGADA", "PENDENTE", "FALHA")
_NOT_FOUND = "Nenhuma nota fiscal encontrada com a chave informada"
_WINDOW_DAYS = 15
_EMPTY_SIZE = 9_223_372_036_854_775_807


def list_invoices(call: ApiCall) -> dict[str, Any]:
    """GET /v1/notas-fiscais: a window of at most 15 days, both ends needed; the total counts every status."""
    query = call.query
    page, size = query.page(SMALL_SIZES)
    window = query.days("data_inicial", "data_final", longest=_WINDOW_DAYS, required=True)
    sale_id, number, document_text = query.text("id_venda"), query.text("numero_nota"), query.text("documento_tomador")
    if sale_id and not is_uuid(sale_id):
        raise Refused(400, UUID_TEXT)
    if number and not re.fullmatch(r"\d{1,9}", number):
        raise Refused(400, "O parâmetro numero_nota deve ser um número inteiro")
    assert window is not None
    found = [
        note
        for note in (call.store.notes.get(sale_id.lower(), []) if sale_id else call.store.invoices)
        if window[0] <= note.day <= window[1]
        and (not number or note.numero == int(number))
        and (not document_text or note.client_document == document_text)
    ]
    listed = [note for note in found if note.status in LISTED]
    rows = [_row(note) for note in paged(listed, page, size)]
    return {"itens": rows, "paginacao": _paging(call, page, size, found, listed)}


def get_invoice(call: ApiCall) -> Answer:
    """GET /v1/notas-fiscais/{chave}: XML, or a ZIP of a corrected note, always as octet-stream (§7.2)."""
    note = call.store.by_key.get(call.item)
    shown = (*LISTED, "CANCELADA") if call.settings.contaazul_cancelled_by_key == "xml" else LISTED
    if note is None or note.status not in shown:
        raise Refused(404, _NOT_FOUND)
    body = _zip(note) if note.events else note.xml
    return Answer(body, media="application/octet-stream")


def issue_due(account: Account, now: float) -> None:
    """Issue the invoices that are due at `now`, each at its own moment."""
    store, settings = account.store, account.store.settings
    while store.waiting and store.waiting[0][0] + settings.contaazul_invoice_delay_s <= now:
        approved_at, sale_id = store.waiting.popleft()
        sale = store.sales.rows[sale_id]
        still = sale.situacao in APPROVED and not sale.deleted
        if not still:
            # Approved again later, it waits anew.
            sale.queued = False
        elif settings.contaazul_auto_invoice and sale_id not in store.notes:
            issue(account, sale, approved_at + settings.contaazul_invoice_delay_s)


def issue(account: Account, sale: Sale, at: float, outcome: str = "EMITIDA", test: bool | None = None) -> Invoice:
    """Issue the NF-e of a sale at `at`; a client without document leaves it PENDENTE. ValueError for a budget."""
    store = account.store
    if sale.tipo != "VENDA" or sale.deleted:
        raise ValueError(f"sale {sale.numero} is a budget or deleted: it has no invoice")
    if outcome not in OUTCOMES:
        raise ValueError(f"outcome is one of {', '.join(OUTCOMES)}; got {outcome!r}")
    in_test = account.environment == "homologacao" if test is None else test
    who = client(store, sale)
    if not who["documento"]:
        outcome = "PENDENTE"
    draft = draft_of(_issuer(account), sale, who, _products(store, sale), store.next_invoice, at, in_test)
    store.next_invoice += 1
    key = access_key(draft)
    note = Invoice(
        sale_id=sale.id,
        numero=draft.number,
        serie=SERIES,
        issued_at=at,
        status=outcome,
        chave=key,
        client_name=draft.client_name,
        client_document=who["documento"],
        test=in_test,
        protocol=protocol(draft),
        xml=document(draft, key) if outcome == "EMITIDA" else b"",
        day=local_day(at),
    )
    store.add_invoice(note)
    if outcome == "EMITIDA" and sale.situacao in APPROVED:
        store.edit_sale(sale, at=at, situacao="FATURADO")
    return note


def correct(account: Account, note: Invoice, text: str, at: float) -> None:
    """Register a correction letter (15 to 1000 characters); ValueError for a note that cannot be corrected."""
    if note.status not in LISTED:
        raise ValueError(f"note {note.numero} is {note.status}: only an issued note can be corrected")
    if not 15 <= len(text) <= 1000:
        raise ValueError(f"a correction has 15 to 1000 characters, got {len(text)}")
    event = correction(note.chave, _issuer(account), note.test, len(note.events) + 1, text, at)
    note.events = (*note.events, event)
    note.status = "CORRIGIDA_SUCESSO"


def cancel(note: Invoice) -> None:
    """Cancel a note: it leaves the list without a word (§7.1). ValueError when it was not issued."""
    if note.status not in LISTED:
        raise ValueError(f"note {note.numero} is {note.status}: only an issued note can be cancelled")
    note.status = "CANCELADA"


def show(note: Invoice) -> dict[str, Any]:
    """Return an invoice for the control API."""
    return {
        "id_venda": note.sale_id,
        "chave_acesso": note.chave,
        "numero": note.numero,
        "serie": note.serie,
        "modelo": MODEL,
        "status": note.status,
        "emitida_em": utc_moment(note.issued_at),
        "ambiente": "homologacao" if note.test else "producao",
        "protocolo": note.protocol,
        "destinatario": note.client_name,
        "documento": note.client_document,
        "xml": note.xml.decode(),
        "cartas_correcao": [event.decode() for event in note.events],
    }


def _row(note: Invoice) -> dict[str, Any]:
    return {
        "chave_acesso": note.chave,
        "numero_nota": note.numero,
        "data_emissao": utc_moment(note.issued_at),
        "nome_destinatario": note.client_name,
        "status": note.status,
    }


def _paging(call: ApiCall, page: int, size: int, found: list[Invoice], listed: list[Invoice]) -> dict[str, Any]:
    total = call.total(len(found))
    if not listed:
        # Seen in production: decimals, a size beyond reason, and a total of notes that are not shown.
        return {"pagina_atual": 1.0, "total_paginas": 0, "tamanho_pagina": _EMPTY_SIZE, "total_itens": float(total)}
    pages = -(-total // size)
    return {"pagina_atual": page, "total_paginas": pages, "tamanho_pagina": size, "total_itens": total}


def _zip(note: Invoice) -> bytes:
    name = f"{note.numero}_{note.serie}.xml"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"XML_{name}", note.xml)
        # A correction letter replaces the ones before it.
        archive.writestr(f"EVENTO_{name}", note.events[-1])
    return packed.getvalue()


def _issuer(account: Account) -> Issuer:
    return Issuer(account.cnpj, account.company, account.trade_name, account.uf, UF_CODES[account.uf])


def _products(store: "Store", sale: Sale) -> tuple[tuple[str, str, str, str], ...]:
    rows = []
    for line in sale.itens:
        product = store.product(line["id_item"])
        number = None if product is None else product.fiscal.get("ncm")
        ncm = None if number is None else lookups.ncm(number)
        unit = lookups.unit(None if product is None else product.unidade)
        gtin = product.codigo_ean if product is not None and product.codigo_ean.isdigit() else "SEM GTIN"
        code = "00000000" if ncm is None else ncm["codigo"]
        rows.append((line["sku"], gtin, code, "UN" if unit is None else unit["abreviacao"].upper()))
    return tuple(rows)
