"""Operations of API v3 on invoices (`reference/tiny.md` §5.4)."""

from collections.abc import Callable
from typing import Any

from sandbox.core.clock import local_text
from sandbox.tiny import invoices, v3_order_view
from sandbox.tiny.dispatch import dispatch
from sandbox.tiny.event_bodies import link
from sandbox.tiny.records import Invoice, Item, digits
from sandbox.tiny.situations import AUTHORIZED, PRINTED, plain
from sandbox.tiny.tables import RECEIVING, SHIPPING, by_code, freight
from sandbox.tiny.v2_invoices import issue_day
from sandbox.tiny.v3 import Route, V3Call, V3Error, invalid, wrong_type
from sandbox.tiny.v3_body import ordered, page, php, query_day, query_whole
from sandbox.tiny.v3_order_body import dispatch_fields


def list_invoices(call: V3Call) -> dict[str, Any]:
    """GET /notas: no filter by time of change."""
    if call.query.get("tipo", "") not in ("", "E", "S"):
        raise invalid("tipo", "O campo tipo deve ser E ou S")
    tests = _tests(call)
    rows = [] if call.query.get("tipo") == "E" else list(call.me.trade.invoices.values())
    found = ordered(call, [note for note in rows if all(test(note) for test in tests)])
    shown, paging = page(call, found)
    return {"itens": [_row(call, note) for note in shown], "paginacao": paging}


def get_invoice(call: V3Call) -> dict[str, Any]:
    """GET /notas/{id}."""
    note = find(call)
    order = note.sale
    zeros = (
        "baseIcms", "valorIcms", "baseIcmsSt", "valorIcmsSt", "valorServicos", "valorSeguro", "valorIpi",
        "valorIssqn", "valorBaseDiferimento", "percentualICMSPartilhaDestino", "valorTotalICMSFCPDestino",
        "valorIPIDevolvido", "valorTotalBCIBSCBS", "valorTotalIBSUF", "valorTotalCBS",
    )  # fmt: skip
    form = by_code(RECEIVING, order.form)
    live = call.me.trade.orders.get(note.order_id, order)
    return {
        **_row(call, note),
        "finalidade": "1",
        "regimeTributario": 1,
        "dataInclusao": local_text(note.created_at, "%Y-%m-%d %H:%M:%S"),
        **dict.fromkeys(zeros, 0),
        "valorOutras": float(order.other),
        "valorDesconto": float(order.discount),
        "valorFaturado": float(order.total),
        "valorNotaComImpostos": float(order.total),
        "idIntermediador": 0,
        "idNaturezaOperacao": order.operation[0],
        "idFormaPagamento": 0 if form is None else form.id,
        "idMeioPagamento": 0,
        "observacoes": order.notes,
        "condicaoPagamento": " ".join(str(parcel.days) for parcel in order.installments),
        "itens": [_item(call, at, item) for at, item in enumerate(order.items, 1)],
        "parcelas": [
            {
                "dias": parcel.days,
                "data": parcel.date,
                "valor": float(parcel.value),
                "observacoes": parcel.notes,
                "idFormaPagamento": "0",
                "idMeioPagamento": "0",
            }
            for parcel in order.installments
        ],
        "pagamentosIntegrados": v3_order_view.payments(order),
        "marcadores": [],
        "transportador": dict.fromkeys(("nome", "cpfCnpj", "ie", "endereco", "municipio", "uf"), "")
        | {"nome": live.carrier},
    }


def get_link(call: V3Call) -> dict[str, Any]:
    """GET /notas/{id}/link."""
    return {"link": link(find(call))}


def get_xml(call: V3Call) -> dict[str, Any]:
    """GET /notas/{id}/xml: JSON here; texts are empty for what there is not [I]."""
    note = find(call)
    return {"xmlNfe": note.xml, "xmlCancelamento": note.cancellation}


def post_emit(call: V3Call) -> dict[str, Any]:
    """POST /notas/{id}/emitir; what SEFAZ refuses is 400 with its reason [I]."""
    note = find(call)
    body = call.json() if call.request.body else {}
    mail = body.get("enviarEmail", False)
    if not isinstance(mail, bool):
        raise wrong_type("enviarEmail", php(mail), "bool")
    note.writes["POST /notas/{id}/emitir"] += 1
    invoices.emit(call.me.trade, note, int(call.settings.emit_outcome))
    if note.situation not in (AUTHORIZED, PRINTED):
        raise V3Error(400, note.reason or "A nota fiscal não pode ser emitida na situação atual")
    return {
        "id": note.id,
        "chaveAcesso": note.key,
        "linkAcesso": link(note),
        "situacao": note.situation,
        "xml": note.xml,
    }


def put_dispatch(call: V3Call) -> None:
    """PUT /notas/{id}/despacho: written into the order of the note [I]."""
    note = find(call)
    order = call.me.trade.orders.get(note.order_id)
    fields = dispatch_fields(call.me.trade, call.json())
    if order is not None:
        dispatch(call.me.trade, order, fields)
    note.writes["PUT /notas/{id}/despacho"] += 1


def find(call: V3Call) -> Invoice:
    """Return the note of the path; 404 when there is none."""
    note = call.me.trade.invoices.get(call.number())
    if note is None:
        raise V3Error(404)
    return note


def _tests(call: V3Call) -> list[Callable[[Invoice], bool]]:
    number, sale, seller = (query_whole(call, name) for name in ("numero", "idVenda", "idVendedor"))
    first, last = query_day(call, "dataInicial"), query_day(call, "dataFinal")
    document, shop = digits(call.query.get("cpfCnpj", "")), call.query.get("numeroPedidoEcommerce", "")
    form, state = query_whole(call, "idFormaEnvio"), query_whole(call, "situacao")
    marker = plain(call.query.get("marcadores", ""))
    if state is not None and not 1 <= state <= 10:
        raise invalid("situacao", "O valor informado para o campo situacao é inválido")
    rows: list[tuple[Any, Callable[[Invoice], bool]]] = [
        (number is not None, lambda n: n.number == number),
        (sale is not None, lambda n: n.order_id == sale),
        (seller is not None, lambda n: n.sale.seller_id == seller),
        (first, lambda n: _day(call, n) >= first),
        (last, lambda n: _day(call, n) <= last),
        (document, lambda n: n.sale.client.get("cpf_cnpj") == document),
        (shop, lambda n: n.sale.shop_number == shop),
        (form is not None, lambda n: getattr(by_code(SHIPPING, n.sale.shipping), "id", 0) == form),
        (state is not None, lambda n: n.situation == state),
        (marker, lambda n: False),
    ]
    return [test for wanted, test in rows if wanted]


def _day(call: V3Call, note: Invoice) -> str:
    return issue_day(note) if call.settings.v3_days == "own" else local_text(note.created_at, "%Y-%m-%d")


def _row(call: V3Call, note: Invoice) -> dict[str, Any]:
    order, messy = note.sale, call.messy
    live = call.me.trade.orders.get(note.order_id, order)
    form = by_code(SHIPPING, live.shipping)
    return {
        "situacao": str(note.situation),
        "tipo": "S",
        "numero": str(note.number),
        "serie": str(note.series),
        "chaveAcesso": note.key,
        "dataEmissao": issue_day(note),
        "dataPrevista": v3_order_view.day(order.planned, messy) or "",
        "cliente": v3_order_view.client(order),
        "enderecoEntrega": v3_order_view.delivery(order, messy),
        "valor": f"{order.total:.2f}" if messy else float(order.total),
        "valorProdutos": float(order.products_total),
        "valorFrete": float(order.freight),
        "vendedor": {"id": order.seller_id, "nome": order.seller_name} if order.seller_id else None,
        "idFormaEnvio": 0 if form is None else form.id,
        "idFormaFrete": freight(form, live.freight_kind)[0],
        "codigoRastreamento": live.tracking,
        "urlRastreamento": live.tracking_url,
        "fretePorConta": order.freight_by or "R",
        "qtdVolumes": int(live.dispatch.get("volumes") or 1),
        "pesoBruto": float(live.dispatch.get("peso_bruto") or 0),
        "pesoLiquido": float(live.dispatch.get("peso_liquido") or 0),
        "id": str(note.id) if messy else note.id,
        "ecommerce": v3_order_view.shop(order),
        "origem": {"id": str(note.order_id), "tipo": "venda"},
    }


def _item(call: V3Call, at: int, item: Item) -> dict[str, Any]:
    product = call.me.store.products.get(item.product_id)
    return {
        "idItem": at,
        "idProduto": item.product_id,
        "codigo": item.sku,
        "ncm": "" if product is None else product.ncm,
        "descricao": item.name,
        "unidade": item.unit,
        "quantidade": float(item.quantity),
        "valorUnitario": float(item.price),
        "valorTotal": float(item.total),
        "cfop": "5102",
        "naturezaOperacao": "Venda de mercadorias",
    }


INVOICE_ROUTES = (
    Route("GET", "/notas", "notas:read", list_invoices),
    Route("GET", "/notas/{id}", "notas:read", get_invoice),
    Route("GET", "/notas/{id}/link", "notas:read", get_link),
    Route("GET", "/notas/{id}/xml", "notas:read", get_xml),
    Route("POST", "/notas/{id}/emitir", "notas:write", post_emit),
    Route("PUT", "/notas/{id}/despacho", "notas:write", put_dispatch),
)
