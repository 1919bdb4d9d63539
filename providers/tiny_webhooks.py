"""Tiny's webhooks: two families, unsigned, that share their `tipo` and not their fields (`reference/tiny.md §6`).

Whoever knows the path may write to it, and the merchant may have pasted an address into the wrong field: so the body
says what it is about, and the topic only where the body does not.

The mapping that we answer to `produto` is Tiny's own id of the product. Tiny keeps it and sends it back as
`skuMapeamento` with prices, which tell no other id.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qs

from providers.contract import Event, Hint, Subject, UnreadableEventError
from providers.tiny_parse import document, identity, many, one, text

TOPICS: Mapping[str, str] = {
    "produto": "Integração, aba Webhook: produtos",
    "estoque": "Integração, aba Webhook: estoque; Webhooks da conta: movimentação de estoque",
    "precos": "Integração, aba Webhook: preços",
    "situacao": "Integração, aba Webhook: situação do pedido",
    "rastreio": "Integração, aba Webhook: código de rastreio",
    "nota": "Integração, aba Webhook: nota fiscal; Webhooks da conta: notas fiscais autorizadas",
    "pedidos": "Webhooks da conta: vendas; Webhooks da conta: pedidos enviados",
}
HAS_SECRET = False

_KINDS = {
    "produto": "produto",
    "estoque": "estoque",
    "precos": "precos",
    "situacao": "situacao_pedido",
    "rastreio": "rastreio",
    "nota": "nota_fiscal",
    "pedidos": "atualizacao_pedido",
}
"""The `tipo` that each address expects."""
_ORDERS = frozenset(("situacao_pedido", "rastreio", "inclusao_pedido", "atualizacao_pedido"))
MOST_VARIATIONS = 2000


def authentic(secret: str, headers: Mapping[str, str]) -> bool:
    """True: Tiny sends no proof of any kind, the path is the secret, and what it says is only a hint."""
    return True


def read(topic: str, body: bytes, media_type: str, *, variations: bool) -> Event:
    """What the event says; an unknown kind of it says nothing and is no error, or Tiny repeats it for hours.

    `variations` says whether a product's variations are read by themselves. Raises UnreadableEventError.
    """
    told = _envelope(body, media_type)
    data = one(told.get("dados"))
    kind = text(told.get("tipo")).lower() or _KINDS.get(topic, "")
    account = document(told.get("cnpj"))
    if kind == "produto":
        parts = [data, *map(one, many(data.get("variacoes"))[:MOST_VARIATIONS])] if data else []
        ids = [identity(part.get("id")) for part in (parts if variations else parts[:1])]
        return Event(_hints(Subject.PRODUCT, ids), account, answer=[_mapping(part) for part in parts])
    return Event(_read(kind, topic, data), account)


def _read(kind: str, topic: str, data: Mapping[str, Any]) -> tuple[Hint, ...]:
    if kind == "estoque":
        return _hints(Subject.STOCK, [identity(data.get("idProduto")) or _mapped(data)])
    if kind == "precos":
        return _hints(Subject.PRODUCT, [_mapped(data)])
    if kind == "nota_fiscal":
        return _hints(Subject.INVOICE, [identity(data.get("idNotaFiscalTiny")) or identity(data.get("id"))])
    # The body of "sent orders" is not published: whatever kind it calls itself, it names an order.
    if kind in _ORDERS or (topic == "pedidos" and kind not in _KINDS.values()):
        return _hints(Subject.ORDER, [identity(data.get("idVendaTiny")) or identity(data.get("id"))])
    return ()


def _mapped(data: Mapping[str, Any]) -> str:
    """The product's id out of the mapping that we answered; another program's mapping is no id."""
    told = text(data.get("skuMapeamento"))
    return identity(told) if told.isascii() and told.isdigit() else ""


def _mapping(part: Mapping[str, Any]) -> dict[str, str]:
    """One row of the answer, flat: for the product, and for each of its variations (`§6.2`)."""
    row = {"idMapeamento": text(part.get("idMapeamento")), "skuMapeamento": identity(part.get("id"))}
    if not row["skuMapeamento"]:
        row["error"] = "O produto veio sem o id do Olist Tiny"
    elif not row["idMapeamento"]:
        row["error"] = "O produto veio sem o id do mapeamento"
    return row


def _hints(subject: Subject, external_ids: Iterable[str]) -> tuple[Hint, ...]:
    return tuple(Hint(subject, external_id) for external_id in dict.fromkeys(external_ids) if external_id)


def _envelope(body: bytes, media_type: str) -> dict[str, Any]:
    """The event as `{cnpj, tipo, dados, …}`: JSON, or a form with the whole of it or its inner part in `dados` [R]."""
    if "form-urlencoded" in media_type.lower() or body.lstrip()[:6] == b"dados=":
        return _form(body)
    told = _json(body)
    if not isinstance(told, dict):
        raise UnreadableEventError(f"received {_shape(told)}; valid is a JSON object with tipo and dados")
    return told


def _form(body: bytes) -> dict[str, Any]:
    try:
        fields = {name: values[0] for name, values in parse_qs(body.decode(), max_num_fields=100).items()}
    except ValueError as error:
        kind = type(error).__name__
        raise UnreadableEventError(f"received {len(body)} bytes of a form ({kind}); valid is one in UTF-8") from None
    if "dados" not in fields:
        raise UnreadableEventError(f"received a form of {len(fields)} fields; valid is one with the field dados")
    told = _json(fields["dados"].encode())
    if not isinstance(told, dict):
        raise UnreadableEventError(f"received {_shape(told)} in dados; valid is a JSON object")
    whole = isinstance(told.get("dados"), (dict, list)) or "tipo" in told
    return {**fields, **told} if whole else {**fields, "dados": told}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        kind = type(error).__name__
        raise UnreadableEventError(f"received {len(body)} bytes that are no JSON ({kind}); valid is JSON") from None


def _shape(told: Any) -> str:
    return {list: "a list", str: "a text", type(None): "null"}.get(type(told), "a " + type(told).__name__)
