"""What both of Tiny's APIs have in common about invoices: situations, and the document out of its wrapping
(`reference/tiny.md §3.10`, `§5.4`).
"""

import html
import io
import re
import zipfile
from typing import Any

from lxml import etree

from hub.nfe_xml import NfeError, local, parsed
from hub.records import InvoiceRow
from providers.tiny_parse import document, identity, one, text

STATES = {
    "1": "pending",
    "3": "cancelled",
    "4": "pending",
    "5": "pending",
    "6": "authorised",
    "7": "authorised",
    "9": "pending",
    "10": "denied",
}
"""Situations of a note. A rejected one (5) is put right and sent again under its id, so it waits like the others; of an
issued (2) or registered (8) one only the document tells."""
OUTGOING = "S"
OF_A_SALE = "venda"
WATCH_DAYS = 90
"""No longest window is told; this is more than an order is watched for, so that one question is enough."""


def row_v2(payload: Any) -> InvoiceRow | None:
    """A `nota_fiscal` of notas.fiscais.pesquisa, which does not tell the order, or of nota.fiscal.obter, which does.

    None for one without an id, and for one that came in.
    """
    told = one(payload)
    kind = text(told.get("tipo") or told.get("tipo_nota")).upper()
    return _row(told, kind, key=told.get("chave_acesso"), order_ref=identity(told.get("id_venda")))


def row_v3(payload: Any) -> InvoiceRow | None:
    """A row of GET /notas, or the details of GET /notas/{id}: both tell where the note comes from."""
    told = one(payload)
    origin = one(told.get("origem"))
    ref = identity(origin.get("id")) if text(origin.get("tipo")).lower() == OF_A_SALE else ""
    return _row(told, text(told.get("tipo")).upper(), key=told.get("chaveAcesso"), order_ref=ref)


def issued_on(payload: Any) -> str:
    """The date of issue as it was written."""
    told = one(payload)
    return text(told.get("data_emissao")) or text(told.get("dataEmissao"))


def envelope(body: bytes) -> Any | None:
    """The `retorno` of an answer in XML; None where it is no such thing (entities and network are off)."""
    try:
        root = parsed(body)
    except NfeError:
        return None
    return root if local(root) == "retorno" else None


def told_in(root: Any) -> dict[str, Any]:
    """The envelope of an answer in XML as JSON would have it: status, code and messages."""
    told: dict[str, Any] = {local(part): (part.text or "").strip() for part in root if isinstance(part.tag, str)}
    told["erros"] = [(part.text or "").strip() for part in root.iter("erro")]
    return told


def document_in(body: bytes) -> bytes:
    """The note of an answer of nota.fiscal.obter.xml, b"" where there is none.

    `xml_nfe` was seen with the note as elements, as CDATA and as escaped text. The note is signed, so elements are cut
    out of the answer as they stand and not written anew.
    """
    root = envelope(body)
    if root is None:
        return b""
    note = cancellation = b""
    for part in root:
        name = local(part) if isinstance(part.tag, str) else ""
        if name == "xml_nfe":
            note = _inner(part, body)
        elif "cancel" in name:  # its name is not told; that one may follow is (`§3.10`)
            cancellation = _inner(part, body)
    return packed(note, cancellation)


def as_document(told: Any) -> bytes:
    """A document that was told as text, once escaped or not, in the encoding that it says it has."""
    written = text(told)
    if written.startswith("&lt;"):
        written = html.unescape(written)
    found = _DECLARED.match(written)
    try:
        return written.encode(found[1] if found else "utf-8")
    except (LookupError, UnicodeEncodeError):
        return written.encode()


def packed(note: bytes, cancellation: bytes) -> bytes:
    """The note; with its cancellation in a ZIP of both, as the note itself says authorised for ever."""
    if not note or b"infEvento" not in cancellation:
        return note
    both = io.BytesIO()
    with zipfile.ZipFile(both, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (("nota.xml", note), ("cancelamento.xml", cancellation)):
            archive.writestr(zipfile.ZipInfo(name), content)  # no time in it: the same answer is the same bytes
    return both.getvalue()


def _row(told: dict[str, Any], kind: str, *, key: Any, order_ref: str) -> InvoiceRow | None:
    external_id, status = identity(told.get("id")), text(told.get("situacao"))
    if not external_id or kind not in ("", OUTGOING):
        return None
    return InvoiceRow(
        access_key=document(key),
        number=text(told.get("numero")).lstrip("0"),
        status=status,
        external_id=external_id,
        order_ref=order_ref,
        state=STATES.get(status, ""),
        series=text(told.get("serie")),
    )


def _inner(element: Any, body: bytes) -> bytes:
    """What stands in an element: its text, or its children as they are written in the answer."""
    if not len(element):
        return as_document(element.text)
    encoding = element.getroottree().docinfo.encoding or "utf-8"
    name = re.escape(local(element))
    found = re.search(rf"<{name}(?:\s[^>]*)?>(.*)</{name}\s*>", body.decode(encoding, "replace"), re.DOTALL)
    if found:
        cut = found[1].strip().encode()
        try:
            parsed(cut)
        except NfeError:
            pass  # a prefix that was declared outside of it
        else:
            return cut
    return bytes(etree.tostring(element[0], method="c14n"))


_DECLARED = re.compile(r"""<\?xml[^>]*?encoding=["']([A-Za-z0-9._-]{1,20})["']""")
