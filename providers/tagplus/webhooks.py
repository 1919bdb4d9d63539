"""TagPlus's webhooks: a name and ids, nothing to rely on besides (`reference/tagplus.md §11`).

One registration may send every event to one address, so what an event is about is told by its name and not by the
address that it came to.
"""

import hmac
import json
from collections.abc import Mapping
from typing import Any

from providers.contract import Event, Hint, Subject, UnreadableEventError
from providers.tiny_parse import identity, text

TOPICS: Mapping[str, str] = {"produto": "Produto", "pedido": "Pedido", "nota": "Nota fiscal"}
HAS_SECRET = True
HEADER = "x-hub-secret"
MOST_IDS = 1000
"""Records that one call names; the samples have one."""


def authentic(secret: str, headers: Mapping[str, str]) -> bool:
    """Whether the secret came along, in clear (`§11.2`). Where there is none of ours nobody can have sent it."""
    told = headers.get(HEADER, "")
    return bool(secret) and hmac.compare_digest(told.encode("utf-8", "replace"), secret.encode("utf-8", "replace"))


def read(topic: str, body: bytes, media_type: str) -> Event:
    """The records that an event names. One without a name says nothing: an old handler took it for an approval
    (`§11.4`). Raises UnreadableEventError."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise UnreadableEventError(f"received {len(body)} bytes that are no JSON; valid is {VALID}") from None
    if not isinstance(told, dict):
        raise UnreadableEventError(f"received a {type(told).__name__}; valid is {VALID}")
    subjects = _subjects(text(told.get("event_type")).lower())
    if not subjects:
        return Event()
    rows = told.get("data")
    if not isinstance(rows, list) or len(rows) > MOST_IDS:
        raise UnreadableEventError(f"received `data` as {_shape(rows)}; valid is {VALID}")
    ids = [identity(row.get("id") if isinstance(row, dict) else None) for row in rows]
    if not all(ids):
        raise UnreadableEventError(f"received {ids.count('')} of {len(ids)} entries of `data` without an id")
    return Event(tuple(Hint(subject, external_id) for external_id in dict.fromkeys(ids) for subject in subjects))


VALID = 'an object like {"event_type": "pedido_criado", "data": [{"id": "1"}]}'


def _subjects(event_type: str) -> tuple[Subject, ...]:
    """What an event is about. The list of names is not published whole and grows (`§11.3`), so the family decides.

    A changed product may have been sold or counted: whether that fires `produto_alterado` besides
    `estoque_revenda_alterado` is not known, and the merchants' article says that it does.
    """
    if event_type == "estoque_revenda_alterado":
        return (Subject.STOCK,)
    if event_type == "produto_apagado":
        return (Subject.PRODUCT,)
    family, _, what = event_type.partition("_")
    # Of more words: another table's, as `pedido_compra_criado`, whose ids are not our orders' ids.
    return _FAMILIES.get(family, ()) if what and "_" not in what else ()


_FAMILIES: dict[str, tuple[Subject, ...]] = {
    "produto": (Subject.PRODUCT, Subject.STOCK),
    "pedido": (Subject.ORDER,),
    "nfe": (Subject.INVOICE,),
}


def _shape(value: Any) -> str:
    return f"a list of {len(value)}" if isinstance(value, list) else f"a {type(value).__name__}"
