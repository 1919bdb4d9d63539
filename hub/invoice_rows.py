"""Invoices as they are stored: their states, a note's row, and its document out of it."""

from base64 import b64decode, b64encode
from decimal import Decimal
from enum import StrEnum
from typing import Any

from hub.clock import utcnow
from hub.fiscal import AccessKey
from hub.ids import new_id
from hub.nfe import Nfe, NoteStatus
from hub.records import InvoiceRow
from hub.tables import Connection, Invoice

_BASE64 = "base64"


class InvoiceState(StrEnum):
    """What the store shows of an invoice."""

    AUTHORISED = "authorised"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"
    DENIED = "denied"


def told_state(note: Nfe) -> InvoiceState | None:
    """What a note's document says; None while it has no final word of the tax office."""
    if note.status is NoteStatus.AUTHORISED:
        return InvoiceState.CORRECTED if note.corrections else InvoiceState.AUTHORISED
    return {NoteStatus.CANCELLED: InvoiceState.CANCELLED, NoteStatus.DENIED: InvoiceState.DENIED}.get(note.status)


def next_state(state: str, told: str) -> str:
    """The state after what was told: never back from cancelled or denied, nor from corrected to authorised."""
    return told if told in _AFTER.get(state, ()) else state


_AFTER: dict[str, tuple[str, ...]] = {
    InvoiceState.AUTHORISED: (InvoiceState.CORRECTED, InvoiceState.CANCELLED, InvoiceState.DENIED),
    InvoiceState.CORRECTED: (InvoiceState.CANCELLED, InvoiceState.DENIED),
}


def document(invoice: Invoice) -> bytes:
    """The note's XML byte for byte as it came: its signature is over these bytes."""
    encoding = str(invoice.extra.get("encoding") or "utf-8")
    return b64decode(invoice.xml) if encoding == _BASE64 else invoice.xml.encode(encoding)


def of_note(connection: Connection, order_id: str, note: Nfe, state: str, row: InvoiceRow) -> dict[str, Any]:
    """The row of a note that was read; `row` is how it is listed."""
    text, encoding = _as_text(note.raw)
    return {
        **_common(connection, order_id, note.key, row),
        "model": note.model,
        "state": state,
        "protocol": note.protocol,
        "total": note.total,
        "xml": text,
        "extra": {"encoding": encoding, "sha256": note.sha256, "listed_as": row.status, **of_document(note)},
        "issued_at": note.issued_at,
    }


def of_key(connection: Connection, order_id: str, key: AccessKey, row: InvoiceRow) -> dict[str, Any]:
    """The row of a note of which there is a key and a state, and no document: its value and day are not known."""
    return {
        **_common(connection, order_id, key, row),
        "model": key.model,
        "state": row.state,
        "protocol": "",
        "total": Decimal(0),
        "xml": "",
        "extra": {"listed_as": row.status},
        "issued_at": utcnow(),
    }


def of_document(note: Nfe) -> dict[str, Any]:
    """What may change with a later reading. No text of a correction: people put addresses into it."""
    return {
        "cstat": note.cstat,
        "registered_at": note.registered_at.isoformat() if note.registered_at else None,
        "corrections": [
            {"sequence": each.sequence, "protocol": each.protocol, "at": each.at.isoformat() if each.at else None}
            for each in note.corrections
        ],
    }


def _common(connection: Connection, order_id: str, key: AccessKey, row: InvoiceRow) -> dict[str, Any]:
    return {
        "id": new_id(),
        "merchant_id": connection.merchant_id,
        "order_id": order_id,
        "connection_id": connection.id,
        "external_id": row.external_id or key.text,
        "access_key": key.text,
        "number": str(key.number),
        "series": str(key.series),
        "link": row.link,
        "issuer": key.issuer,
        "updated_at": utcnow(),
    }


def _as_text(raw: bytes) -> tuple[str, str]:
    try:
        return raw.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:  # an older encoding, which the XML itself declares
        return b64encode(raw).decode("ascii"), _BASE64
