"""Operations of API v3 on the markers of orders: arrays of `{id, descricao}`, written with 204 (OpenAPI, §5.1)."""

from typing import Any

from sandbox.tiny.records import Order
from sandbox.tiny.v3 import Route, V3Call, V3Error, invalid
from sandbox.tiny.v3_body import text

LONGEST = 50


def get_markers(call: V3Call) -> list[dict[str, Any]]:
    """GET /pedidos/{id}/marcadores: a bare array (§4.3)."""
    return [{"id": number, "descricao": name} for number, name in _find(call).markers]


def post_markers(call: V3Call) -> None:
    """POST /pedidos/{id}/marcadores: more of them; one that it has already stays one [I]."""
    order, told = _find(call), _told(call)
    order.markers += [marker for marker in told if marker not in order.markers]
    order.writes["POST /pedidos/{id}/marcadores"] += 1


def put_markers(call: V3Call) -> None:
    """PUT /pedidos/{id}/marcadores: these instead of the former [I]."""
    order = _find(call)
    order.markers = _told(call)
    order.writes["PUT /pedidos/{id}/marcadores"] += 1


def delete_markers(call: V3Call) -> None:
    """DELETE /pedidos/{id}/marcadores: none any more."""
    order = _find(call)
    order.markers = []
    order.writes["DELETE /pedidos/{id}/marcadores"] += 1


def _find(call: V3Call) -> Order:
    order = call.me.trade.orders.get(call.number())
    if order is None:
        raise V3Error(404)
    return order


def _told(call: V3Call) -> list[tuple[int, str]]:
    names = [text(row, "descricao") or "" for row in call.json_rows()]
    if not all(0 < len(name) <= LONGEST for name in names):
        raise invalid("descricao", f"O campo descricao deve ter de 1 a {LONGEST} caracteres")
    return [call.me.trade.marker(name) for name in dict.fromkeys(names)]


MARKER_ROUTES = (
    Route("GET", "/pedidos/{id}/marcadores", "pedidos:read", get_markers),
    Route("POST", "/pedidos/{id}/marcadores", "pedidos:write", post_markers),
    Route("PUT", "/pedidos/{id}/marcadores", "pedidos:write", put_markers),
    Route("DELETE", "/pedidos/{id}/marcadores", "pedidos:write", delete_markers),
)
