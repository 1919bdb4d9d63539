"""Sales: number, create, read, update, delete (`reference/contaazul.md` §6)."""

from collections.abc import Mapping
from typing import Any

from sandbox.contaazul.api import Answer, ApiCall, paged
from sandbox.contaazul.checks import UUID_TEXT, Refused, is_uuid
from sandbox.contaazul.records import Sale
from sandbox.contaazul.sale_body import check_create, check_update, values
from sandbox.contaazul.sale_view import created, detail, item
from sandbox.contaazul.store import Store


def next_number(call: ApiCall) -> Answer:
    """GET /v1/venda/proximo-numero: a bare integer that reserves nothing, or null (§6.2)."""
    store = call.store
    empty = call.settings.contaazul_first_number == "null" and not store.sales.rows
    return Answer(None if empty else store.next_number())


def create_sale(call: ApiCall) -> dict[str, Any]:
    """POST /v1/venda: the answer speaks English where GET speaks Portuguese (§6.3)."""
    body = call.json()
    check_create(call.store, call.settings, body)
    return created(build(call.store, body))


def get_sale(call: ApiCall) -> dict[str, Any]:
    """GET /v1/venda/{id}: UUID or old id; deleted sales answer too (§6.5)."""
    return detail(call.store, _sale(call, old_ids=True))


def get_items(call: ApiCall) -> dict[str, Any]:
    """GET /v1/venda/{id_venda}/itens: UUID only (§6.4)."""
    sale = _sale(call)
    page, size = call.query.page()
    rows = [item(row) for row in paged(list(sale.itens), page, size)]
    totals = {"quantidade_produtos": len(sale.itens), "quantidade_servicos": 0, "quantidade_nao_conciliados": 0}
    return {"itens": call.rows(rows), "itens_totais": call.total(len(sale.itens)), "totais": totals}


def update_sale(call: ApiCall) -> dict[str, Any]:
    """PUT /v1/venda/{id}: the whole body; UUID only (§6.5)."""
    sale, body = _sale(call), call.json()
    check_update(call.store, call.settings, body, sale)
    if sale.deleted:
        raise Refused(400, "A venda foi excluída")
    changes = values(call.store, body)
    if body.get("id_natureza_operacao"):
        changes["id_natureza_operacao"] = body["id_natureza_operacao"].lower()
    call.store.edit_sale(sale, **changes)
    return {"id": sale.id, "id_legado": sale.id_legado}


def delete_sales(call: ApiCall) -> dict[str, int]:
    """POST /v1/venda/exclusao-lote: 1 to 10 UUIDs; logical (§6.5)."""
    ids = call.json().get("ids")
    if not isinstance(ids, list) or not 1 <= len(ids) <= 10:
        raise Refused(400, "O campo ids deve ter entre 1 e 10 itens")
    if not all(map(is_uuid, ids)):
        raise Refused(400, UUID_TEXT)
    found = [call.store.sales.rows.get(i.lower()) for i in dict.fromkeys(ids)]
    live = [sale for sale in found if sale is not None and not sale.deleted]
    for sale in live:
        call.store.delete_sale(sale)
    return {"atualizados": len(live), "ignorados": len(ids) - len(live)}


def list_sellers(call: ApiCall) -> Answer:
    """GET /v1/venda/vendedores: a bare array without the documented id_legado (§6.4)."""
    return Answer([{"id": s["id"], "nome": s["nome"]} for s in call.store.lookups.sellers])


def print_sale(call: ApiCall) -> Answer:
    """GET /v1/venda/{id}/imprimir: a PDF."""
    sale = _sale(call, old_ids=True)
    return Answer(_pdf(f"Venda {sale.numero}: R$ {sale.total:.2f}"), media="application/pdf")


def build(store: Store, body: Mapping[str, Any], *, tipo: str = "VENDA", origem: str = "API") -> Sale:
    """Add a sale from a checked body."""
    now = store.clock.now()
    sale = Sale(
        id=store.uuid("venda"),
        id_legado=store.legacy("venda"),
        created_at=now,
        changed_at=now,
        tipo=tipo,
        origem=origem,
        **values(store, body),
    )
    return store.add_sale(sale)


def _sale(call: ApiCall, old_ids: bool = False) -> Sale:
    old = old_ids and call.item.isascii() and call.item.isdigit()
    sale = call.store.sale(call.item if old else call.uuid())
    if sale is None:
        raise Refused(404, "Venda não encontrada")
    return sale


def _pdf(text: str) -> bytes:
    stream = f"BT /F1 12 Tf 40 100 Td ({text}) Tj ET".encode("latin-1", "replace")
    parts = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    body, offsets = b"%PDF-1.4\n", []
    for at, part in enumerate(parts, 1):
        offsets.append(len(body))
        body += b"%d 0 obj%b endobj\n" % (at, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(body)
    body += b"xref\n0 6\n0000000000 65535 f \n" + table
    return body + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % start
