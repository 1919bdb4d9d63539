"""Operations of API v3 on orders (`reference/tiny.md` §5.3)."""

from collections.abc import Callable
from typing import Any

from sandbox.core.clock import local_text, parse_local
from sandbox.tiny import invoices, v3_order_view
from sandbox.tiny.dispatch import dispatch
from sandbox.tiny.records import Order, digits
from sandbox.tiny.situations import BY_NUMBER, plain
from sandbox.tiny.v3 import Route, V3Call, V3Error, invalid
from sandbox.tiny.v3_body import ordered, page, query_day, query_whole, whole
from sandbox.tiny.v3_order_body import create_order, dispatch_fields, situation, update_order


def list_orders(call: V3Call) -> dict[str, Any]:
    """GET /pedidos; `dataAtualizacao` takes a day only, `situacao` one value."""
    trade, number = call.me.trade, call.query.get("numeroPedidoEcommerce", "")
    tests = _tests(call)
    rows = trade.found(trade.with_shop_number(number) if number else list(trade.orders.values()))
    found = ordered(call, [order for order in rows if all(test(order) for test in tests)])
    shown, paging = page(call, found)
    return {"itens": [v3_order_view.row(order, call.messy) for order in shown], "paginacao": paging}


def get_order(call: V3Call) -> dict[str, Any]:
    """GET /pedidos/{id}."""
    return v3_order_view.detail(call.me.trade, find(call), call.messy)


def post_order(call: V3Call) -> dict[str, Any]:
    """POST /pedidos: `numeroPedido` is a text here; the same order twice makes two (§5.3)."""
    order = create_order(call.me.trade, call.json())
    order.writes["POST /pedidos"] += 1
    return {"id": order.id, "numeroPedido": str(order.number)}


def put_order(call: V3Call) -> None:
    """PUT /pedidos/{id}: 204; an order with a note or stock launched is refused with 400 [R]."""
    order = find(call)
    if call.me.trade.frozen(order):
        raise V3Error(400, "O pedido possui nota fiscal ou estoque lançado e não pode ser alterado")
    update_order(call.me.trade, order, call.json())
    order.writes["PUT /pedidos/{id}"] += 1


def put_situation(call: V3Call) -> None:
    """PUT /pedidos/{id}/situacao."""
    order = find(call)
    call.me.trade.set_situation(order, situation(call.json(), None))
    order.writes["PUT /pedidos/{id}/situacao"] += 1


def put_dispatch(call: V3Call) -> None:
    """PUT /pedidos/{id}/despacho; what is left out stays [I]."""
    order = find(call)
    dispatch(call.me.trade, order, dispatch_fields(call.me.trade, call.json()))
    order.writes["PUT /pedidos/{id}/despacho"] += 1


def post_invoice(call: V3Call) -> dict[str, Any]:
    """POST /pedidos/{id}/gerar-nota-fiscal: a pending note of model 55 or 65."""
    order = find(call)
    model = whole(call.json() if call.request.body else {}, "modelo") or 55
    if model not in (55, 65):
        raise invalid("modelo", "O campo modelo deve ser 55 ou 65")
    try:
        note = invoices.generate(call.me.trade, order, model)
    except invoices.InvoiceError as error:
        raise V3Error(400, str(error)) from None
    order.writes["POST /pedidos/{id}/gerar-nota-fiscal"] += 1
    return {"id": note.id, "numero": note.number, "serie": note.series}


def post_launch_stock(call: V3Call) -> None:
    """POST /pedidos/{id}/lancar-estoque: refused when the account did it before [I]."""
    order = find(call)
    if not call.me.trade.launch_stock(order):
        raise V3Error(400, "O estoque deste pedido já foi lançado")
    order.writes["POST /pedidos/{id}/lancar-estoque"] += 1


def post_revert_stock(call: V3Call) -> None:
    """POST /pedidos/{id}/estornar-estoque."""
    order = find(call)
    if not call.me.trade.revert_stock(order):
        raise V3Error(400, "O estoque deste pedido não foi lançado")
    order.writes["POST /pedidos/{id}/estornar-estoque"] += 1


def find(call: V3Call) -> Order:
    """Return the order of the path; 404 when there is none."""
    order = call.me.trade.orders.get(call.number())
    if order is None:
        raise V3Error(404)
    return order


def _tests(call: V3Call) -> list[Callable[[Order], bool]]:
    text = call.query.get
    number, seller = query_whole(call, "numero"), query_whole(call, "idVendedor")
    name, code, document = plain(text("nomeCliente", "")), text("codigoCliente", ""), digits(text("cpfCnpj", ""))
    first, last, changed = (query_day(call, n) for n in ("dataInicial", "dataFinal", "dataAtualizacao"))
    since = parse_local(changed, "%Y-%m-%d") if changed else None
    state, marker = _situation(call), plain(text("marcadores", "") or text("marcadores[]", ""))
    origin = query_whole(call, "origemPedido")
    rows: list[tuple[Any, Callable[[Order], bool]]] = [
        (number is not None, lambda o: o.number == number),
        (name, lambda o: name in plain(o.client.get("nome", ""))),
        (code, lambda o: o.client.get("codigo") == code),
        (document, lambda o: o.client.get("cpf_cnpj") == document),
        (first, lambda o: _day(call, o) >= first),
        (last, lambda o: "" < _day(call, o) <= last),
        (since is not None, lambda o: o.changed_at >= (since or 0)),
        (state, lambda o: o.situation == state),
        (seller is not None, lambda o: o.seller_id == seller),
        (marker, lambda o: any(plain(n) == marker for _, n in o.markers)),
        (origin == 1, lambda o: False),
    ]
    return [test for wanted, test in rows if wanted]


def _day(call: V3Call, order: Order) -> str:
    return order.date if call.settings.v3_days == "own" else local_text(order.created_at, "%Y-%m-%d")


def _situation(call: V3Call) -> str:
    number = query_whole(call, "situacao")
    if number is not None and number not in BY_NUMBER:
        raise invalid("situacao", "O valor informado para o campo situacao é inválido")
    return "" if number is None else BY_NUMBER[number]


ORDER_ROUTES = (
    Route("GET", "/pedidos", "pedidos:read", list_orders),
    Route("POST", "/pedidos", "pedidos:write", post_order, creates=True),
    Route("GET", "/pedidos/{id}", "pedidos:read", get_order),
    Route("PUT", "/pedidos/{id}", "pedidos:write", put_order),
    Route("PUT", "/pedidos/{id}/situacao", "pedidos:write", put_situation),
    Route("PUT", "/pedidos/{id}/despacho", "pedidos:write", put_dispatch),
    Route("POST", "/pedidos/{id}/gerar-nota-fiscal", "pedidos:write", post_invoice),
    Route("POST", "/pedidos/{id}/lancar-estoque", "pedidos:write", post_launch_stock),
    Route("POST", "/pedidos/{id}/estornar-estoque", "pedidos:write", post_revert_stock),
)
