"""NF-e and NFC-e documents, read: the XML of an authorised note, of its events, or a ZIP of both.

What is read is named by `research/brazil.md §2`: elements are looked up by name, never by position, and what is not
known is left alone (the tax groups of 2026, whatever comes after them). Signatures are not verified: the tax office and
the ERP did that. What can be proved from the document itself is: the key's check digit, and that issuer, model, series
and number are those that the key says.

A note cancelled later still says 100, authorised, in its own protocol; so events that come along count before it.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NoReturn

from lxml import etree

from hub import fiscal
from hub.archive import MOST_BYTES, ArchiveError, is_zip, unpack
from hub.clock import from_sao_paulo

NAMESPACE = "http://www.portalfiscal.inf.br/nfe"
CORRECTION = "110110"
CANCELLATIONS = frozenset(("110111", "110112"))
"""Cancellation, and cancellation by replacement (model 65)."""
SALE = "1"
"""tpNF of what goes out, and finNFe of a normal note: only both together say that an order was invoiced."""


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


class NoteStatus(StrEnum):
    """What the tax office has said of a note, as far as its document tells."""

    AUTHORISED = "authorised"
    CANCELLED = "cancelled"
    DENIED = "denied"
    REJECTED = "rejected"
    PENDING = "pending"
    """No protocol yet: signed, perhaps sent, and worth nothing so far."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a note: a cancellation, a correction letter, or of a kind that we only store.

    Attributes:
        type: tpEvento, 6 digits. sequence: nSeqEvento; of correction letters the last one counts.
        registered: whether the tax office took it (135, 136, 155); a request alone changes nothing.
        at: when it was registered, or else made; aware, UTC.
        test: of the test environment (tpAmb 2).
    """

    key: fiscal.AccessKey = field(repr=False)
    type: str
    sequence: int
    registered: bool
    cstat: str
    protocol: str
    at: datetime | None
    test: bool


@dataclass(frozen=True, slots=True)
class Nfe:
    """A note. Personal data (recipient, free text, the document) is left out of `repr`.

    Attributes:
        key: the checked access key; its issuer is the note's.
        issued_at, registered_at: aware, UTC; a date alone (older layouts) is its first moment in São Paulo.
        test: of the test environment (tpAmb 2, in the note or in its protocol).
        direction: tpNF, "0" in, "1" out. purpose: finNFe, "1" normal, "4" return …
        total: vNFTot (with the taxes on top, since 2026) where it is given, else vNF; reais.
        protocol: nProt, 15 or 17 digits, "" before there is one. cstat, message: cStat and xMotivo.
        recipient: CPF, CNPJ or foreign id as written, "" where there is none (model 65).
        order_refs: every xPed, often the only link to an order's number; comment: infCpl.
        events: what came along about this note. raw: the document, byte for byte (it is signed).
    """

    key: fiscal.AccessKey = field(repr=False)
    layout: str
    number: int
    series: int
    model: str
    issued_at: datetime
    test: bool
    direction: str
    purpose: str
    total: Decimal
    status: NoteStatus
    cstat: str
    message: str = field(repr=False)
    protocol: str
    registered_at: datetime | None
    recipient: str = field(repr=False)
    order_refs: tuple[str, ...] = field(repr=False)
    comment: str = field(repr=False)
    events: tuple[Event, ...]
    sha256: str
    raw: bytes = field(repr=False, compare=False)

    @property
    def is_sale(self) -> bool:
        """Whether it invoices something sold; returns, complements and adjustments do not."""
        return self.direction == SALE and self.purpose == SALE

    @property
    def corrections(self) -> tuple[Event, ...]:
        """Its correction letters, the one that counts last. They change neither values nor parties."""
        found = (event for event in self.events if event.type == CORRECTION and event.registered)
        return tuple(sorted(found, key=lambda event: event.sequence))


Paper = Nfe | Event


def read(document: bytes) -> Nfe | Event | list[Paper]:
    """Read a note, an event, or what a ZIP or a lot holds of both (a list, notes first). Raises NfeError.

    At most 4 MB; entities, DTD and network are off, a document with a DOCTYPE is refused.
    """
    if not is_zip(document):
        papers = _together(_papers(document))
        return papers[0] if len(papers) == 1 else papers
    try:
        files = list(unpack(document, ".xml"))
    except ArchiveError as error:
        _refuse("document", error.received, "archive", str(error))
    if not files:
        _refuse("document", "a ZIP without XML", "not_a_note", "valid is a ZIP that holds the note's XML")
    return _together([paper for content in files for paper in _papers(content)])


def read_note(document: bytes, access_key: str) -> Nfe:
    """Read the one note of that key, out of an XML or a ZIP; its events are in it. Raises NfeError."""
    found = read(document)
    papers = found if isinstance(found, list) else [found]
    for paper in papers:
        if isinstance(paper, Nfe) and paper.key.text == access_key:
            return paper
    return _refuse("document", f"{len(papers)} documents", "differs", "none of them is the note of the key asked for")


def _papers(document: bytes) -> list[Paper]:
    root = _parsed(document)
    digest = hashlib.sha256(document).hexdigest()
    events = _events(root)
    notes = [_note(each, document, digest) for each in _all(root, "infNFe")]
    if not notes and not events:
        name = _local(root)
        shown = name if re.fullmatch(r"[A-Za-z]{1,30}", name) else "an element"
        _refuse("document", shown, "not_a_note", "it holds neither a note (infNFe) nor an event (infEvento)")
    return [*notes, *events]


def _together(papers: Sequence[Paper]) -> list[Paper]:
    """Notes with the events that are about them, then the events whose note is not there."""
    events = list(dict.fromkeys(paper for paper in papers if isinstance(paper, Event)))
    notes: dict[str, Nfe] = {paper.key.text: paper for paper in papers if isinstance(paper, Nfe)}
    joined: list[Paper] = []
    for key, note in notes.items():
        mine = tuple(event for event in events if event.key.text == key)
        counts = [event for event in mine if event.registered and event.test <= note.test]
        cancelled = any(event.type in CANCELLATIONS for event in counts)
        joined.append(replace(note, events=mine, status=NoteStatus.CANCELLED if cancelled else note.status))
    return joined + [event for event in events if event.key.text not in notes]


# The note.

_STATUSES = {
    # research/brazil.md §2.2
    **dict.fromkeys(("100", "150"), NoteStatus.AUTHORISED),
    **dict.fromkeys(("101", "151", "155"), NoteStatus.CANCELLED),
    **dict.fromkeys(("110", "205", "301", "302", "303"), NoteStatus.DENIED),
    **dict.fromkeys(("103", "104", "105"), NoteStatus.PENDING),
}
_REGISTERED = frozenset(("135", "136", "155"))


def _note(inf: Any, document: bytes, digest: str) -> Nfe:
    key = _key(inf.get("Id") or "")
    ide, emit, total = (_needed(inf, name) for name in ("ide", "emit", "total"))
    _same("mod", _text(ide, "mod"), key.model)
    _same("serie", _text(ide, "serie").lstrip("0"), str(key.series).lstrip("0"))
    _same("nNF", _text(ide, "nNF").lstrip("0"), str(key.number))
    _same_issuer(emit, key)
    protocol = _protocol(inf, key)
    cstat = _code(protocol, "cStat", r"[0-9]{3,4}") if protocol is not None else ""
    status = _STATUSES.get(cstat, NoteStatus.REJECTED) if cstat else NoteStatus.PENDING
    # 15 digits, or 17 in the schema of 2026; a rejected note has none.
    required = status in (NoteStatus.AUTHORISED, NoteStatus.CANCELLED)
    number = _code(protocol, "nProt", r"[0-9]{15}(?:[0-9]{2})?", required=required) if protocol is not None else ""
    environment = _code(ide, "tpAmb", "[12]")
    return Nfe(
        key=key,
        layout=_cut(inf.get("versao") or "", 10),
        number=key.number,
        series=key.series,
        model=key.model,
        issued_at=_issued_at(ide),
        test=environment == "2" or (protocol is not None and _text(protocol, "tpAmb") == "2"),
        direction=_code(ide, "tpNF", "[01]"),
        purpose=_code(ide, "finNFe", "[0-9]{1,2}"),
        total=_total(total),
        status=status,
        cstat=cstat,
        message=_cut(_text(protocol, "xMotivo"), 255) if protocol is not None else "",
        protocol=number,
        registered_at=_moment(protocol, "dhRecbto") if protocol is not None else None,
        recipient=_recipient(inf),
        order_refs=_order_refs(inf),
        comment=_text(_child(inf, "infAdic"), "infCpl"),
        events=(),
        sha256=digest,
        raw=document,
    )


def _protocol(inf: Any, key: fiscal.AccessKey) -> Any | None:
    """The infProt that stands beside the note in its nfeProc; one of another key was put there by mistake."""
    around = inf.getparent().getparent() if inf.getparent() is not None else None
    found = _child(_child(around, "protNFe"), "infProt")
    if found is None:
        return None
    _same("chNFe", _text(found, "chNFe").upper(), key.text)
    return found


def _same_issuer(emit: Any, key: fiscal.AccessKey) -> None:
    written = _text(emit, "CNPJ") or _text(emit, "CPF")
    try:
        issuer = fiscal.document(written)
    except fiscal.FiscalError as error:
        _refuse("issuer", error.received, error.reason, f"emit names no valid CNPJ or CPF: {error.detail}")
    if issuer != key.issuer:
        _refuse("issuer", fiscal.mask_document(issuer), "differs", "emit is not the issuer that the access key names")


def _issued_at(ide: Any) -> datetime:
    found = _moment(ide, "dhEmi") or _moment(ide, "dEmi")  # dEmi: a date alone, up to layout 2.00
    if found is None:
        _refuse("dhEmi", "", "missing", "valid is the time of issue")
    return found


def _total(total: Any) -> Decimal:
    name, written = "vNFTot", _text(total, "vNFTot")
    if not written:
        name, written = "vNF", _text(_child(total, "ICMSTot"), "vNF")
    if not re.fullmatch(r"[0-9]{1,13}(?:\.[0-9]{1,10})?", written):
        _refuse(name, _shown(written), "form" if written else "missing", "valid is an amount in reais, as 1234.56")
    return Decimal(written)


def _recipient(inf: Any) -> str:
    dest = _child(inf, "dest")
    return next((found for name in ("CNPJ", "CPF", "idEstrangeiro") if (found := _cut(_text(dest, name), 60))), "")


def _order_refs(inf: Any) -> tuple[str, ...]:
    found = [_text(each, "xPed") for each in (_child(inf, "compra"), *_all(inf, "prod"))]
    return tuple(dict.fromkeys(ref[:60] for ref in found if ref))


# Events.


def _events(root: Any) -> list[Event]:
    """Each event once: the request (`evento`) with the answer (`retEvento`) that stands beside it, or either alone."""
    found: list[Event] = []
    answered: set[Any] = set()
    for request in _all(root, "evento"):
        beside = request.getparent()
        answer = _child(beside, "retEvento") if beside is not None and _local(beside) == "procEventoNFe" else None
        if answer is not None:
            answered.add(answer)
        found.append(_event(_child(request, "infEvento"), _child(answer, "infEvento")))
    for answer in _all(root, "retEvento"):
        inf = _child(answer, "infEvento")
        if answer not in answered and _text(inf, "chNFe"):  # an answer that refuses a whole lot names no note
            found.append(_event(inf, inf))
    return found


def _event(inf: Any, answer: Any) -> Event:
    if inf is None:
        _refuse("infEvento", "", "missing", "an event without infEvento says nothing")
    key = _key(_text(inf, "chNFe"))
    kind = _code(inf, "tpEvento", "[0-9]{6}")
    author = _text(inf, "CNPJ") or _text(inf, "CPF")
    # Kinds 1101xx are the issuer's own; recipients and tax offices write the others.
    if author and kind.startswith("1101") and author.upper() != key.issuer:
        _refuse("issuer", fiscal.mask_document(author), "differs", "the event is not by the issuer of the note it names")
    if answer is not None:
        for name, ours in (("chNFe", key.text), ("tpEvento", kind)):
            if told := _text(answer, name):
                _same(name, told.upper(), ours)
    cstat = _text(answer, "cStat")
    if cstat and not re.fullmatch("[0-9]{3,4}", cstat):
        _refuse("cStat", _shown(cstat), "form", "valid are 3 or 4 digits")
    environments = {_text(inf, "tpAmb"), _text(answer, "tpAmb")}
    return Event(
        key=key,
        type=kind,
        sequence=int(_code(inf, "nSeqEvento", "[0-9]{1,3}")),
        registered=cstat in _REGISTERED,
        cstat=cstat,
        protocol=_cut(_text(answer, "nProt"), 17),
        at=(_moment(answer, "dhRegEvento") if answer is not None else None) or _moment(inf, "dhEvento"),
        test="2" in environments,
    )


# XML.


def _parsed(document: bytes) -> Any:
    if len(document) > MOST_BYTES:
        _refuse("document", f"{len(document)} bytes", "too_large", f"valid are at most {MOST_BYTES} bytes")
    # Looked for before parsing, so that no entity is ever expanded; behind an encoding that hides it, after.
    if b"<!DOCTYPE" in document.replace(b"\0", b""):
        _refuse("document", "a DOCTYPE", "doctype", "valid is a document without one")
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
        _refuse("document", f"{len(document)} bytes", "not_xml", f"it is not well-formed XML (line {error.lineno})")
    except (etree.LxmlError, ValueError, LookupError) as error:
        kind = type(error).__name__
        _refuse("document", f"{len(document)} bytes", "not_xml", f"it cannot be parsed as XML ({kind})")
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        _refuse("document", "a DOCTYPE", "doctype", "valid is a document without one")
    return root


def _names(name: str) -> tuple[str, str]:
    """The tag in the NF-e namespace, and bare: some ERPs strip the namespace off what they hand out."""
    return f"{{{NAMESPACE}}}{name}", name


def _local(element: Any) -> str:
    return str(etree.QName(element).localname)


def _all(element: Any, name: str) -> Iterator[Any]:
    return iter(list(element.iter(*_names(name))))


def _child(element: Any, name: str) -> Any | None:
    if element is None:
        return None
    return next(element.iterchildren(*_names(name)), None)


def _needed(element: Any, name: str) -> Any:
    found = _child(element, name)
    if found is None:
        _refuse(name, "", "missing", f"a note without {name} cannot be read")
    return found


def _text(element: Any, name: str) -> str:
    found = _child(element, name)
    return "" if found is None else (found.text or "").strip()


def _code(element: Any, name: str, pattern: str, *, required: bool = True) -> str:
    written = _text(element, name)
    if not written and not required:
        return ""
    if not re.fullmatch(pattern, written):
        reason = "form" if written else "missing"
        _refuse(name, _shown(written), reason, f"valid is what matches {pattern}")
    return written


def _moment(element: Any, name: str) -> datetime | None:
    """A time with its offset; without one (layout 3.10 and before) it is São Paulo's."""
    written = _text(element, name)
    if not written:
        return None
    try:
        if not _MOMENT.fullmatch(written):
            raise ValueError(name)
        found = datetime.fromisoformat(written)
        return from_sao_paulo(found) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return _refuse(name, _shown(written), "form", "valid is YYYY-MM-DDThh:mm:ss-03:00, or a date")


_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def _key(written: str) -> fiscal.AccessKey:
    try:
        return fiscal.access_key(written)
    except fiscal.FiscalError as error:
        return _refuse("access_key", error.received, error.reason, error.detail)


def _same(name: str, written: str, wanted: str) -> None:
    if written != wanted:
        # Neither is shown: a key names its issuer, who may be a person.
        _refuse(name, f"{len(written)} characters", "differs", "it is not what the access key of the note says")


def _shown(written: str) -> str:
    """What came, unless it is of a length at which it may be a document or a name."""
    digits: Iterable[str] = (char for char in written if char.isalnum())
    harmless = len(written) <= 32 and re.fullmatch(r"[0-9.,:+TZ/-]*|[A-Za-z]{1,10}", written)
    return written if harmless and len(list(digits)) not in (11, 14) else f"{len(written)} characters"


def _cut(text: str, most: int) -> str:
    return text[:most]


def _refuse(field: str, received: str, reason: str, detail: str) -> NoReturn:
    raise NfeError(field, received, reason, detail)
