"""NF-e and NFC-e documents, read: the XML of an authorised note, of its events, or a ZIP of both.

What is read is named by `research/brazil.md §2`: elements are looked up by name, never by position, and what is not
known is left alone (the tax groups of 2026, whatever comes after them). Signatures are not verified: the tax office and
the ERP did that. What can be proved from the document itself is: the key's check digit, and that issuer, model, series
and number are those that the key says.

A note cancelled later still says 100, authorised, in its own protocol; so events that come along count before it.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from hub import fiscal
from hub.archive import ArchiveError, is_zip, unpack
from hub.nfe_xml import NfeError, child, code, descendants, local, moment, needed, parsed, refused, shown, text

CORRECTION = "110110"
CANCELLATIONS = frozenset(("110111", "110112"))
"""Cancellation, and cancellation by replacement (model 65)."""
SALE = "1"
"""tpNF of what goes out, and finNFe of a normal note: only both together say that an order was invoiced."""


__all__ = ["Event", "Nfe", "NfeError", "NoteStatus", "read", "read_note"]


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
        refused("document", error.received, "archive", str(error))
    if not files:
        refused("document", "a ZIP without XML", "not_a_note", "valid is a ZIP that holds the note's XML")
    return _together([paper for content in files for paper in _papers(content)])


def read_note(document: bytes, access_key: str) -> Nfe:
    """Read the one note of that key, out of an XML or a ZIP; its events are in it. Raises NfeError."""
    found = read(document)
    papers = found if isinstance(found, list) else [found]
    for paper in papers:
        if isinstance(paper, Nfe) and paper.key.text == access_key:
            return paper
    return refused("document", f"{len(papers)} documents", "differs", "none of them is the note of the key asked for")


def _papers(document: bytes) -> list[Paper]:
    root = parsed(document)
    digest = hashlib.sha256(document).hexdigest()
    events = _events(root)
    notes = [_note(each, document, digest) for each in descendants(root, "infNFe")]
    if not notes and not events:
        name = local(root)
        shown = name if re.fullmatch(r"[A-Za-z]{1,30}", name) else "an element"
        refused("document", shown, "not_a_note", "it holds neither a note (infNFe) nor an event (infEvento)")
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
    ide, emit, total = (needed(inf, name) for name in ("ide", "emit", "total"))
    _same("mod", text(ide, "mod"), key.model)
    _same("serie", text(ide, "serie").lstrip("0"), str(key.series).lstrip("0"))
    _same("nNF", text(ide, "nNF").lstrip("0"), str(key.number))
    _same_issuer(emit, key)
    protocol = _protocol(inf, key)
    cstat = code(protocol, "cStat", r"[0-9]{3,4}") if protocol is not None else ""
    status = _STATUSES.get(cstat, NoteStatus.REJECTED) if cstat else NoteStatus.PENDING
    # 15 digits, or 17 in the schema of 2026; a rejected note has none.
    required = status in (NoteStatus.AUTHORISED, NoteStatus.CANCELLED)
    number = code(protocol, "nProt", r"[0-9]{15}(?:[0-9]{2})?", required=required) if protocol is not None else ""
    environment = code(ide, "tpAmb", "[12]")
    return Nfe(
        key=key,
        layout=(inf.get("versao") or "")[:10],
        number=key.number,
        series=key.series,
        model=key.model,
        issued_at=_issued_at(ide),
        test=environment == "2" or (protocol is not None and text(protocol, "tpAmb") == "2"),
        direction=code(ide, "tpNF", "[01]"),
        purpose=code(ide, "finNFe", "[0-9]{1,2}"),
        total=_total(total),
        status=status,
        cstat=cstat,
        message=text(protocol, "xMotivo")[:255] if protocol is not None else "",
        protocol=number,
        registered_at=moment(protocol, "dhRecbto") if protocol is not None else None,
        recipient=_recipient(inf),
        order_refs=_order_refs(inf),
        comment=text(child(inf, "infAdic"), "infCpl"),
        events=(),
        sha256=digest,
        raw=document,
    )


def _protocol(inf: Any, key: fiscal.AccessKey) -> Any | None:
    """The infProt that stands beside the note in its nfeProc; one of another key was put there by mistake."""
    around = inf.getparent().getparent() if inf.getparent() is not None else None
    found = child(child(around, "protNFe"), "infProt")
    if found is None:
        return None
    _same("chNFe", text(found, "chNFe").upper(), key.text)
    return found


def _same_issuer(emit: Any, key: fiscal.AccessKey) -> None:
    written = text(emit, "CNPJ") or text(emit, "CPF")
    try:
        issuer = fiscal.document(written)
    except fiscal.FiscalError as error:
        refused("issuer", error.received, error.reason, f"emit names no valid CNPJ or CPF: {error.detail}")
    if issuer != key.issuer:
        refused("issuer", fiscal.mask_document(issuer), "differs", "emit is not the issuer that the access key names")


def _issued_at(ide: Any) -> datetime:
    found = moment(ide, "dhEmi") or moment(ide, "dEmi")  # dEmi: a date alone, up to layout 2.00
    if found is None:
        refused("dhEmi", "", "missing", "valid is the time of issue")
    return found


def _total(total: Any) -> Decimal:
    name, written = "vNFTot", text(total, "vNFTot")
    if not written:
        name, written = "vNF", text(child(total, "ICMSTot"), "vNF")
    if not re.fullmatch(r"[0-9]{1,13}(?:\.[0-9]{1,10})?", written):
        refused(name, shown(written), "form" if written else "missing", "valid is an amount in reais, as 1234.56")
    return Decimal(written)


def _recipient(inf: Any) -> str:
    dest = child(inf, "dest")
    return next((found for name in ("CNPJ", "CPF", "idEstrangeiro") if (found := text(dest, name)[:60])), "")


def _order_refs(inf: Any) -> tuple[str, ...]:
    found = [text(each, "xPed") for each in (child(inf, "compra"), *descendants(inf, "prod"))]
    return tuple(dict.fromkeys(ref[:60] for ref in found if ref))


# Events.


def _events(root: Any) -> list[Event]:
    """Each event once: the request (`evento`) with the answer (`retEvento`) that stands beside it, or either alone."""
    found: list[Event] = []
    answered: set[Any] = set()
    for request in descendants(root, "evento"):
        beside = request.getparent()
        answer = child(beside, "retEvento") if beside is not None and local(beside) == "procEventoNFe" else None
        if answer is not None:
            answered.add(answer)
        found.append(_event(child(request, "infEvento"), child(answer, "infEvento")))
    for answer in descendants(root, "retEvento"):
        inf = child(answer, "infEvento")
        if answer in answered or not text(inf, "chNFe"):  # an answer that refuses a whole lot names no note
            continue
        event = _event(inf, inf)
        for note in descendants(answer.getparent(), "infNFe"):  # inside a nfeProc: what happened to that note
            _same("chNFe", event.key.text, _key(note.get("Id") or "").text)
        found.append(event)
    return found


def _event(inf: Any, answer: Any) -> Event:
    if inf is None:
        refused("infEvento", "", "missing", "an event without infEvento says nothing")
    key = _key(text(inf, "chNFe"))
    kind = code(inf, "tpEvento", "[0-9]{6}")
    author = text(inf, "CNPJ") or text(inf, "CPF")
    # Kinds 1101xx are the issuer's own; recipients and tax offices write the others.
    if author and kind.startswith("1101") and author.upper() != key.issuer:
        refused(
            "issuer", fiscal.mask_document(author), "differs", "the event is not by the issuer of the note it names"
        )
    if answer is not None:
        for name, ours in (("chNFe", key.text), ("tpEvento", kind)):
            if told := text(answer, name):
                _same(name, told.upper(), ours)
    cstat = text(answer, "cStat")
    if cstat and not re.fullmatch("[0-9]{3,4}", cstat):
        refused("cStat", shown(cstat), "form", "valid are 3 or 4 digits")
    environments = {text(inf, "tpAmb"), text(answer, "tpAmb")}
    return Event(
        key=key,
        type=kind,
        sequence=int(code(inf, "nSeqEvento", "[0-9]{1,3}")),
        registered=cstat in _REGISTERED,
        cstat=cstat,
        protocol=text(answer, "nProt")[:17],
        at=(moment(answer, "dhRegEvento") if answer is not None else None) or moment(inf, "dhEvento"),
        test="2" in environments,
    )


def _key(written: str) -> fiscal.AccessKey:
    try:
        return fiscal.access_key(written)
    except fiscal.FiscalError as error:
        return refused("access_key", error.received, error.reason, error.detail)


def _same(name: str, written: str, wanted: str) -> None:
    if written != wanted:
        # Neither is shown: a key names its issuer, who may be a person.
        refused(name, f"{len(written)} characters", "differs", "it is not what the access key of the note says")
