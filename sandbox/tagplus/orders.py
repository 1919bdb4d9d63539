"""The API's operations on orders (`reference/tagplus.md` §8)."""

from typing import Any

from sandbox.tagplus import order_body
from sandbox.tagplus.api import DELETED, Answer, ApiCall
from sandbox.tagplus.note_view import NOTES
from sandbox.tagplus.notes import from_order
from sandbox.tagplus.order_view import ORDERS


def list_orders(call: ApiCall) -> Answer:
    """GET /pedidos."""
    return call.listing(ORDERS, call.store.orders)


def get_order(call: ApiCall) -> Any:
    """GET /pedidos/{id}."""
    return ORDERS.whole(call.store, call.row(call.store.orders, "Pedido"))


def create_order(call: ApiCall) -> Answer:
    """POST /pedidos."""
    return Answer(ORDERS.whole(call.store, order_body.create(call.actor, call.json())), 201)


def patch_order(call: ApiCall) -> Any:
    """PATCH /pedidos/{id}."""
    row = order_body.patch(call.actor, call.row(call.store.orders, "Pedido"), call.json())
    return ORDERS.whole(call.store, row)


def delete_order(call: ApiCall) -> Any:
    """DELETE /pedidos/{id}."""
    order_body.remove(call.actor, call.row(call.store.orders, "Pedido"))
    return DELETED


def to_note(call: ApiCall) -> Any:
    """GET /pedidos/to_nfe/{id}: makes an NF-e of the order, as every call of it does."""
    note = from_order(call.actor, call.row(call.store.orders, "Pedido"))
    return NOTES.whole(call.store, note)
