"""The XML of the tax offices: parsed with everything dangerous off, looked into by name, and refused with a reason.

Elements are asked for by their local name, in the NF-e namespace (by whatever prefix) or in none.
"""

import re
from datetime import UTC, datetime
from typing import Any, NoReturn

from lxml import etree

from hub.archive import MOST_BYTES
from hub.clock import from_sao_paulo

NAMESPACE = "http://www.portalfiscal.inf.br/nfe"


class NfeError(ValueError):
    """A document was refused.

    Attributes:
        field: the tag's name ("dhEmi", "vNF", …), "access_key", "issuer", or "document" for the whole of it.
        received: what came, with everything that may be somebody's hidden.
        reason: for programs: "missing", "form", "differs", "too_large", "not_xml", "doctype", "not_a_note", "archive",
            or a reason of `FiscalError`.
        detail: for people, in English: what is wrong and what is valid.
    """

    def __init__(self, field: str, received: str, reason: str, detail: str) -> None:
        super().__init__(field, received, reason, detail)
        self.field = field
        self.received = received
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"NF-e refused: {self.field} {self.received!r}: {self.detail}"


def parsed(document: bytes) -> Any:
    """The root element; entities, DTD and network are off, at most 4 MB. Raises NfeError."""
    if len(document) > MOST_BYTES:
        refused("document", f"{len(document)} bytes", "too_large", f"valid are at most {MOST_BYTES} bytes")
    # Looked for before parsing, so that no entity is ever expanded; behind an encoding that hides it, after.
    if b"<!DOCTYPE" in document.replace(b"\0", b""):
        refused("document", "a DOCTYPE", "doctype", "valid is a document without one")
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(document, parser)
    except etree.XMLSyntaxError as error:
        refused("document", f"{len(document)} bytes", "not_xml", f"it is not well-formed XML (line {error.lineno})")
    except (etree.LxmlError, ValueError, LookupError) as error:
        kind = type(error).__name__
        refused("document", f"{len(document)} bytes", "not_xml", f"it cannot be parsed as XML ({kind})")
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        refused("document", "a DOCTYPE", "doctype", "valid is a document without one")
    return root


def _names(name: str) -> tuple[str, str]:
    """The tag in the NF-e namespace, and bare: some ERPs strip the namespace off what they hand out."""
    return f"{{{NAMESPACE}}}{name}", name


def local(element: Any) -> str:
    """Its tag without the namespace."""
    return str(etree.QName(element).localname)


def descendants(element: Any, name: str) -> list[Any]:
    """Every element of that name in it, itself included, in order."""
    return list(element.iter(*_names(name)))


def child(element: Any, name: str) -> Any | None:
    """The first child of that name; None where there is none, or no element."""
    if element is None:
        return None
    return next(element.iterchildren(*_names(name)), None)


def needed(element: Any, name: str) -> Any:
    """The first child of that name. Raises NfeError."""
    found = child(element, name)
    if found is None:
        refused(name, "", "missing", f"a note without {name} cannot be read")
    return found


def text(element: Any, name: str) -> str:
    """The text of the first child of that name, without blanks around it; "" where there is none."""
    found = child(element, name)
    return "" if found is None else (found.text or "").strip()


def code(element: Any, name: str, pattern: str, *, required: bool = True) -> str:
    """The same, where all of it must match a pattern. Raises NfeError."""
    written = text(element, name)
    if not written and not required:
        return ""
    if not re.fullmatch(pattern, written):
        reason = "form" if written else "missing"
        refused(name, shown(written), reason, f"valid is what matches {pattern}")
    return written


def moment(element: Any, name: str) -> datetime | None:
    """A time with its offset; without one (layout 3.10 and before) it is São Paulo's. In UTC. Raises NfeError."""
    written = text(element, name)
    if not written:
        return None
    try:
        if not _MOMENT.fullmatch(written):
            raise ValueError(name)
        found = datetime.fromisoformat(written)
        return from_sao_paulo(found) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return refused(name, shown(written), "form", "valid is YYYY-MM-DDThh:mm:ss-03:00, or a date")


_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def shown(written: str) -> str:
    """What came, unless it is of a length at which it may be a document or a name."""
    of_a_document = sum(char.isalnum() for char in written) in (11, 14)
    harmless = len(written) <= 32 and re.fullmatch(r"[0-9.,:+TZ/-]*|[A-Za-z]{1,10}", written)
    return written if harmless and not of_a_document else f"{len(written)} characters"


def refused(field: str, received: str, reason: str, detail: str) -> NoReturn:
    """Raise NfeError."""
    raise NfeError(field, received, reason, detail)
