"""Order services of API v2 (`reference/tiny.md` §3.7 to §3.9)."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from sandbox.tiny import invoices, v2_order_view
from sandbox.tiny.body import amount, clip, iso_day, read_json, whole
from sandbox.tiny.dispatch import dispatch
from sandbox.tiny.order_body import create_order, update_order
from sandbox.tiny.records import Order, digits
from sandbox.tiny.situations import plain, read_situation
from sandbox.tiny.v2 import Answer, V2Call, V2Error
from sandbox.tiny.v2_paging import cut_page, day_filter, given, need_filter, time_filter
from sandbox.tiny.v2_writes import RecordError

FILTERS = (
    "numero", "cliente", "cpf_cnpj", "dataInicial", "dataFinal", "dataAtualizacao", "situacao", "numeroEcommerce",
    "idVendedor", "nomeVendedor", "marcador", "dataInicialOcorrencia", "dataFinalOcorrencia", "situacaoOcorrencia",
)  # fmt: skip


def search(call: V2Call) -> Answer:
    """pedidos.pesquisa: at least one filter; the newest order first unless `sort` is ASC [I]."""
    need_filter(call, FILTERS)
    if given(call, "sort").upper() not in ("", "ASC", "DESC"):
        raise V2Error(10, "O parâmetro sort deve ser ASC ou DESC")
    trade = call.me.trade
    number = given(call, "numeroEcommerce")
    rows = trade.found(trade.with_shop_number(number) if number else list(trade.orders.values()))
    tests = _tests(call)
    found = [order for order in rows if all(test(order) for test in tests)]
    if given(call, "sort").upper() != "ASC":
        found.reverse()
    shown, paging = cut_page(call, found)
    how = call.settings.order_situation
    return {
        **paging,
        "pedidos": [{"pedido": v2_order_view.search_row(o, call.values(o.id), how)} for o in shown],
    }


def get(call: V2Call) -> Answer:
    """pedido.obter by id, not by the visible number."""
    order = find(call)
    values = call.values(order.id)
    body = v2_order_view.detail(call.me.trade, order, values, call.settings.order_situation)
    return {"status_processamento": values.status("3"), "pedido": body}


def create(call: V2Call) -> Answer:
    """pedido.incluir: one order; `registros` is an object when all is well, a list of errors else (§2.5)."""
    body = _json(call, "pedido")
    row = body.get("pedido") if isinstance(body, dict) else None
    if not isinstance(row, dict) or not row:
        return {"status_processamento": "3", "registros": []}
    try:
        order = create_order(call.me.trade, row, "v2")
    except RecordError as error:
        return _refused(error)
    order.writes["pedido.incluir"] += 1
    values = call.values(order.id)
    record = {
        "sequencia": "1",
        "status": "OK",
        "id": values.ident(order.id, str),
        "numero": values.ident(order.number, str),
    }
    return {"status_processamento": values.status(3), "registros": registros(call, record)}


def update(call: V2Call) -> Answer:
    """pedido.alterar: `id` and `dados_pedido` without a wrapper [R]."""
    order, body = find(call), _json(call, "dados_pedido")
    if not isinstance(body, dict):
        raise V2Error(3)
    body = body["pedido"] if isinstance(body.get("pedido"), dict) else body
    return _edit(call, order, "pedido.alterar", lambda: update_order(call.me.trade, order, body))


def set_situation(call: V2Call) -> Answer:
    """pedido.alterar.situacao: codes of §3.9, with a space too [R]."""
    order, text = find(call), call.text("situacao")
    code = read_situation(text)
    if code is None:
        raise V2Error(31, f'A situação "{text}" não existe')
    return _edit(call, order, "pedido.alterar.situacao", lambda: call.me.trade.set_situation(order, code))


def set_tracking(call: V2Call) -> Answer:
    """cadastrar.codigo.rastreamento.pedido: the URL comes encoded once more; a carrier only with T (§3.9)."""
    order = find(call)
    return _edit(
        call,
        order,
        "cadastrar.codigo.rastreamento.pedido",
        lambda: dispatch(call.me.trade, order, _dispatch_fields(call)),
    )


def make_invoice(call: V2Call) -> Answer:
    """gerar.nota.fiscal.pedido: a pending note."""
    order = find(call)
    model = given(call, "modelo") or "NFe"
    if plain(model) not in ("nfe", "nfce"):
        raise V2Error(10, f'O parâmetro modelo deve ser NFe ou NFCe, valor enviado "{model}"')
    try:
        note = invoices.generate(call.me.trade, order, 65 if plain(model) == "nfce" else 55)
    except invoices.InvoiceError as error:
        raise V2Error(31, str(error)) from None
    order.writes["gerar.nota.fiscal.pedido"] += 1
    values = call.values(note.id)
    record = {
        "idNotaFiscal": values.ident(note.id, int),
        "numero": values.ident(note.number, int),
        "serie": values.ident(note.series, int),
    }
    return {"registros": registros(call, record)}


def launch_stock(call: V2Call) -> Answer:
    """pedido.lancar.estoque: refused (31) when the account did it before [I]."""
    order = find(call)
    if not call.me.trade.launch_stock(order):
        raise V2Error(31, "O estoque deste pedido já foi lançado")
    order.writes["pedido.lancar.estoque"] += 1
    return {}


def revert_stock(call: V2Call) -> Answer:
    """pedido.estornar.estoque."""
    order = find(call)
    if not call.me.trade.revert_stock(order):
        raise V2Error(31, "O estoque deste pedido não foi lançado")
    order.writes["pedido.estornar.estoque"] += 1
    return {}


def find(call: V2Call) -> Order:
    """Return the order of the parameter `id`; code 32 when there is none."""
    order = call.me.trade.orders.get(call.number("id"))
    if order is None:
        raise V2Error(32, "Pedido não localizado")
    return order


def registros(call: V2Call, record: dict[str, Any]) -> Any:
    """Return one record as an object, or as a list when the setting says so (§2.5)."""
    return [{"registro": record}] if call.settings.order_registros == "list" else {"registro": record}


def _edit(call: V2Call, order: Order, service: str, work: Callable[[], None]) -> Answer:
    try:
        work()
    except RecordError as error:
        raise V2Error(error.code, error.texts[0]) from None
    order.writes[service] += 1
    return {"status_processamento": call.values(order.id).status("3")}


def _refused(error: RecordError) -> Answer:
    record = {
        "sequencia": "1",
        "status": "Erro",
        "codigo_erro": str(error.code),
        "erros": [{"erro": text} for text in error.texts],
    }
    return {
        "status_processamento": 2,
        "status": "Erro",
        "registros": [{"registro": record}],
        "log_code": error.code,
    }


def _tests(call: V2Call) -> list[Callable[[Order], bool]]:
    client, document, marker = plain(given(call, "cliente")), digits(given(call, "cpf_cnpj")), given(call, "marcador")
    first, last, since = (
        day_filter(call, "dataInicial"),
        day_filter(call, "dataFinal"),
        time_filter(call, "dataAtualizacao"),
    )
    seller, number = plain(given(call, "nomeVendedor")), given(call, "numero")
    situation, seller_id = _situation(call, "situacao"), given(call, "idVendedor")
    rows: list[tuple[Any, Callable[[Order], bool]]] = [
        (number, lambda o: str(o.number) == number),
        (client, lambda o: client in plain(o.client.get("nome", ""))),
        (document, lambda o: o.client.get("cpf_cnpj") == document),
        (first, lambda o: o.date >= first),
        (last, lambda o: bool(o.date) and o.date <= last),
        (since is not None, lambda o: o.changed_at >= (since or 0)),
        (situation, lambda o: o.situation == situation),
        (seller_id, lambda o: str(o.seller_id) == seller_id),
        (seller, lambda o: seller in plain(o.seller_name)),
        (marker, lambda o: any(plain(name) == plain(marker) for _, name in o.markers)),
    ]
    return [test for wanted, test in rows if wanted] + _occurrences(call)


def _occurrences(call: V2Call) -> list[Callable[[Order], bool]]:
    first, last = time_filter(call, "dataInicialOcorrencia"), time_filter(call, "dataFinalOcorrencia")
    code = _situation(call, "situacaoOcorrencia")
    if first is None and last is None and not code:
        return []
    # A last day counts to its end.
    low, high = first or 0.0, float("inf") if last is None else last + 86_400

    def happened(order: Order) -> bool:
        return any(low <= at < high and code in ("", was) for at, was in order.history)

    return [happened]


def _situation(call: V2Call, name: str) -> str:
    text = given(call, name)
    code = read_situation(text) if text else ""
    if code is None:
        raise V2Error(10, f'O parâmetro {name} contém uma situação inválida, valor enviado "{text}"')
    return code


def _dispatch_fields(call: V2Call) -> dict[str, Any]:
    names = {
        "codigoRastreamento": ("codigo", 20),
        "urlRastreamento": ("url", 120),
        "formaEnvio": ("forma_envio", 30),
        "formaFrete": ("forma_frete", 30),
        "freteEmpresa": ("frete_empresa", 20),
        "transportadora": ("transportadora", 30),
        "volumes": ("volumes", 20),
        "pesoBruto": ("peso_bruto", 20),
        "pesoLiquido": ("peso_liquido", 20),
        "observacoes": ("observacoes", 100),
    }
    fields: dict[str, Any] = {}
    for theirs, (mine, longest) in names.items():
        if theirs in call.form:
            text = unquote(call.form[theirs]) if mine == "url" else call.form[theirs]
            fields[mine] = clip(call.settings, theirs, text, longest)
    whole(fields, "volumes")
    for name in ("frete_empresa", "peso_bruto", "peso_liquido"):
        amount(fields, name)
    if "dataPrevista" in call.form:
        fields["data_prevista"] = iso_day(call.form, "dataPrevista")
    _check_carrier(call, fields)
    return fields


def _check_carrier(call: V2Call, fields: dict[str, Any]) -> None:
    form = fields["forma_envio"] = str(fields.get("forma_envio", "")).upper()
    if not form:
        del fields["forma_envio"]
    elif form not in ("C", "T"):
        raise RecordError(31, "A forma de envio deve ser C ou T")
    name = plain(str(fields.get("transportadora") or ""))
    if form != "T":
        fields.pop("transportadora", None)
    elif name and not any(plain(c.fields["nome"]) == name for c in call.me.trade.contacts.values()):
        raise RecordError(31, "Transportadora não encontrada")


def _json(call: V2Call, name: str) -> Any:
    if name not in call.form:
        raise V2Error(10, f"O parâmetro {name} é obrigatório e não foi informado")
    try:
        return read_json(call.form[name])
    except json.JSONDecodeError:
        raise V2Error(3) from None
