"""Invoice services of API v2 (`reference/tiny.md` §3.10)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from xml.sax.saxutils import escape

from sandbox.core.clock import local, local_text
from sandbox.core.exchange import Reply
from sandbox.tiny import invoices, v2_order_view
from sandbox.tiny.event_bodies import link
from sandbox.tiny.records import Invoice, Item, Order, digits
from sandbox.tiny.situations import AUTHORIZED, INVOICE_TEXTS, PRINTED, plain
from sandbox.tiny.tables import SHIPPING, by_code, freight
from sandbox.tiny.v2 import XML, Answer, V2Call, V2Error
from sandbox.tiny.v2_paging import cut_page, day_filter, given, need_filter
from sandbox.tiny.values import Values

FILTERS = (
    "tipoNota", "numero", "cliente", "cpf_cnpj", "dataInicial", "dataFinal", "situacao", "numeroEcommerce",
    "idVendedor", "idFormaEnvio", "nomeVendedor",
)  # fmt: skip


def search(call: V2Call) -> Answer:
    """notas.fiscais.pesquisa: at least one filter, none of them a time of change; newest first [I]."""
    need_filter(call, FILTERS)
    if given(call, "tipoNota") not in ("", "E", "S"):
        raise V2Error(10, "O parâmetro tipoNota deve ser E ou S")
    tests = _tests(call)
    rows = [] if given(call, "tipoNota") == "E" else list(call.me.trade.invoices.values())
    found = [note for note in reversed(rows) if all(test(note) for test in tests)]
    shown, paging = cut_page(call, found)
    return {**paging, "notas_fiscais": [{"nota_fiscal": _row(call, n, call.values(n.id))} for n in shown]}


def get(call: V2Call) -> Answer:
    """nota.fiscal.obter."""
    note = find(call)
    values = call.values(note.id)
    return {"status_processamento": values.status("3"), "nota_fiscal": _detail(call, note, values)}


def get_xml(call: V2Call) -> Reply:
    """nota.fiscal.obter.xml: XML whatever `formato` says; the note nested, as CDATA or escaped (setting)."""
    note = find(call)
    parts = [("xml_nfe", note.xml), ("xml_cancelamento", note.cancellation)]
    inner = "".join(f"<{tag}>{_inside(xml, call.settings.xml_form)}</{tag}>" for tag, xml in parts if xml)
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<retorno><status_processamento>3</status_processamento>'
        f"<status>OK</status>{inner}</retorno>"
    )
    return call.reply(text.encode(), XML)


def get_link(call: V2Call) -> Answer:
    """nota.fiscal.obter.link: given for notes not issued too [R]."""
    note = find(call)
    return {"status_processamento": call.values(note.id).status("3"), "link_nfe": link(note)}


def emit(call: V2Call) -> Answer:
    """nota.fiscal.emitir by id, or serie and numero; what SEFAZ refuses is code 34 with its reason."""
    note = find(call) if given(call, "id") else _by_number(call)
    note.writes["nota.fiscal.emitir"] += 1
    invoices.emit(call.me.trade, note, int(call.settings.emit_outcome))
    if note.situation not in (AUTHORIZED, PRINTED):
        raise V2Error(34, note.reason or "A nota fiscal não pode ser emitida na situação atual")
    values = call.values(note.id)
    return {
        "nota_fiscal": {
            "id": values.ident(note.id, int),
            "chave_acesso": note.key,
            "link_acesso": link(note),
            "situacao": values.ident(note.situation, int),
            "descricao_situacao": INVOICE_TEXTS[note.situation][:25],
            "xml": note.xml,
        }
    }


def find(call: V2Call) -> Invoice:
    """Return the note of the parameter `id`; code 32 when there is none."""
    note = call.me.trade.invoices.get(call.number("id"))
    if note is None:
        raise V2Error(32, "Nota Fiscal não localizada")
    return note


def _by_number(call: V2Call) -> Invoice:
    series, number = call.number("serie"), call.number("numero")
    for note in call.me.trade.invoices.values():
        if (note.series, note.number) == (series, number):
            return note
    raise V2Error(32, "Nota Fiscal não localizada")


def _inside(xml: str, form: str) -> str:
    body = xml.split("?>", 1)[1] if xml.startswith("<?xml") else xml
    if form == "nested":
        return body
    return f"<![CDATA[{xml}]]>" if form == "cdata" else escape(xml)


def _tests(call: V2Call) -> list[Callable[[Invoice], bool]]:
    number, document, client = given(call, "numero"), digits(given(call, "cpf_cnpj")), plain(given(call, "cliente"))
    first, last, shop = day_filter(call, "dataInicial"), day_filter(call, "dataFinal"), given(call, "numeroEcommerce")
    situation, form = call.number("situacao", 0), call.number("idFormaEnvio", 0)
    seller, seller_name = given(call, "idVendedor"), plain(given(call, "nomeVendedor"))
    rows: list[tuple[Any, Callable[[Invoice], bool]]] = [
        (number, lambda n: number.isdigit() and n.number == int(number)),
        (client, lambda n: client in plain(n.sale.client.get("nome", ""))),
        (document, lambda n: n.sale.client.get("cpf_cnpj") == document),
        (first, lambda n: issue_day(n) >= first),
        (last, lambda n: issue_day(n) <= last),
        (situation, lambda n: n.situation == situation),
        (shop, lambda n: n.sale.shop_number == shop),
        (seller, lambda n: str(n.sale.seller_id) == seller),
        (seller_name, lambda n: seller_name in plain(n.sale.seller_name)),
        (form, lambda n: form == _form_id(n.sale)),
    ]
    return [test for wanted, test in rows if wanted]


def issue_day(note: Invoice) -> str:
    """Return the day of a note: of its issue, or of its making while it is pending [I]."""
    return local(note.issued_at or note.created_at).date().isoformat()


def _form_id(order: Order) -> int:
    form = by_code(SHIPPING, order.shipping)
    return 0 if form is None else form.id


def _amount(value: Decimal, values: Values) -> Any:
    return values.number(float(value), 2)


def _row(call: V2Call, note: Invoice, values: Values) -> dict[str, Any]:
    order = note.sale
    live = call.me.trade.orders.get(note.order_id, order)
    form = by_code(SHIPPING, live.shipping)
    return {
        "id": values.ident(note.id, str),
        "tipo": "S",
        "serie": str(note.series),
        "numero": f"{note.number:06d}",
        "numero_ecommerce": order.shop_number,
        "data_emissao": local_text(note.issued_at or note.created_at, "%d/%m/%Y"),
        "nome": order.client.get("nome", ""),
        "cliente": v2_order_view.person(order.client, values),
        "endereco_entrega": v2_order_view.person(order.delivery or v2_order_view.empty_delivery(), values),
        "transportador": {"nome": live.carrier},
        "valor": _amount(order.total, values),
        "valor_produtos": _amount(order.products_total, values),
        "valor_frete": _amount(order.freight, values),
        "id_vendedor": values.ident(order.seller_id, str),
        "nome_vendedor": order.seller_name,
        "situacao": values.ident(note.situation, str),
        "descricao_situacao": INVOICE_TEXTS[note.situation],
        "chave_acesso": note.key,
        "id_forma_frete": values.ident(freight(form, live.freight_kind)[0], str),
        "id_forma_envio": values.ident(_form_id(live), str),
        "codigo_rastreamento": live.tracking[:25],
        "url_rastreamento": live.tracking_url,
    }


def _detail(call: V2Call, note: Invoice, values: Values) -> dict[str, Any]:
    order = note.sale
    live = call.me.trade.orders.get(note.order_id, order)
    form = by_code(SHIPPING, live.shipping)
    kind = freight(form, live.freight_kind)
    zero = values.number(0.0, 2)
    zeros = (
        "base_icms", "valor_icms", "base_icms_st", "valor_icms_st", "valor_servicos", "valor_seguro", "valor_ipi",
        "valor_issqn", "valor_total_ibs_uf", "valor_total_cbs",
    )  # fmt: skip
    row = _row(call, note, values)
    moment = note.issued_at or note.created_at
    row |= {
        "tipo_nota": row.pop("tipo"),
        "natureza_operacao": order.operation[1][:80],
        "regime_tributario": "1",
        "finalidade": "1",
        "data_saida": row["data_emissao"],
        "hora_saida": local_text(moment, "%H:%M:%S"),
        "itens": [{"item": _item(call, item, values)} for item in order.items],
        **dict.fromkeys(zeros, zero),
        "valor_outras": _amount(order.other, values),
        "valor_nota": row.pop("valor"),
        "valor_desconto": _amount(order.discount, values),
        "valor_faturado": _amount(order.total, values),
        "frete_por_conta": order.freight_by,
        "transportador": dict.fromkeys(("nome", "cpf_cnpj", "ie", "endereco", "cidade", "uf"), "")
        | {"nome": live.carrier},
        **dict.fromkeys(("placa", "uf_placa", "especie_volumes", "marca_volumes", "numero_volumes"), ""),
        "quantidade_volumes": f"{live.dispatch.get('volumes') or 1:g}",
        "peso_bruto": f"{live.dispatch.get('peso_bruto') or 0:.3f}",
        "peso_liquido": f"{live.dispatch.get('peso_liquido') or 0:.3f}",
        "forma_envio": {"id": values.ident(_form_id(live), str), "descricao": "" if form is None else form.name},
        "forma_frete": {"id": values.ident(kind[0], str), "descricao": kind[1]},
        "forma_pagamento": order.form,
        "meio_pagamento": order.mean,
        "condicao_pagamento": v2_order_view.condition(order),
        "parcelas": v2_order_view.installments(order, values),
        "id_venda": values.ident(note.order_id, str),
        "obs": order.notes,
        "marcadores": [],
    }
    for name in ("nome", "id_forma_frete", "id_forma_envio"):
        del row[name]
    values.collection(row, "pagamentos_integrados", v2_order_view.payments(order, values), [])
    if order.intermediary:
        row["intermediador"] = dict(order.intermediary)
    return row


def _item(call: V2Call, item: Item, values: Values) -> dict[str, Any]:
    product = call.me.store.products.get(item.product_id)
    return {
        "id_produto": values.ident(item.product_id, str),
        "codigo": values.sku_in_detail(item.sku[:60]),
        "descricao": item.name,
        "unidade": item.unit,
        "ncm": "" if product is None else product.ncm,
        "quantidade": values.number(float(item.quantity), 2),
        "valor_unitario": values.number(float(item.price), 2),
        "valor_total": values.number(float(item.total), 2),
        "cfop": "5102",
        "natureza": "Venda de mercadorias",
    }
