"""What a dispatch writes into an order: tracking, shipping, volumes (§3.9, §5.3)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sandbox.tiny.records import Order
from sandbox.tiny.trade import Trade

_NAMES = {
    "codigo": "tracking",
    "url": "tracking_url",
    "transportadora": "carrier",
    "forma_envio": "shipping",
    "forma_frete": "freight_kind",
    "data_prevista": "planned",
}
_REST = ("frete_empresa", "volumes", "peso_bruto", "peso_liquido", "observacoes")
DISPATCH_FIELDS = (*_NAMES, *_REST)


def dispatch(trade: Trade, order: Order, fields: Mapping[str, Any]) -> None:
    """Write the fields given, by the names of DISPATCH_FIELDS; the others stay [I]."""
    wrong = [name for name in fields if name not in DISPATCH_FIELDS]
    if wrong:
        raise ValueError(f"tracking has {', '.join(DISPATCH_FIELDS)}; got {', '.join(wrong)}")
    if fields.get("data_prevista"):
        date.fromisoformat(str(fields["data_prevista"]))
    numbers = {name: float(fields[name] or 0) for name in _REST[:-1] if name in fields}
    with trade.editing(order):
        for name, value in fields.items():
            if name in _NAMES:
                setattr(order, _NAMES[name], str(value or ""))
            else:
                order.dispatch[name] = numbers.get(name, value)
