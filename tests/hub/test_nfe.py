"""Notes are read whatever they are wrapped in, and refused with a reason that shows nobody's data."""

import re
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import nfe
from hub.archive import MOST_BYTES, MOST_FILES
from hub.nfe import Event, Nfe, NfeError, NoteStatus
from tests.hub.notes import BUYER, COMPANY, LETTERS, NS, event, key, note, zipped

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "nfe"
FILES = sorted(SAMPLES.glob("*.xml"))


def read(document: bytes) -> Nfe:
    found = nfe.read(document)
    assert isinstance(found, Nfe)
    return found


def refusal(document: bytes) -> NfeError:
    with pytest.raises(NfeError) as refused:
        nfe.read(document)
    return refused.value


def test_an_authorised_note_is_taken_apart() -> None:
    found = read(note(7, order="<xPed>1001</xPed>"))
    assert found.key.text == key(7)
    assert (found.key.issuer, found.model, found.series, found.number) == (COMPANY, "55", 1, 7)
    assert found.issued_at == datetime(2026, 11, 20, 13, tzinfo=UTC)
    assert found.registered_at == datetime(2026, 11, 20, 13, 0, 3, tzinfo=UTC)
    assert (found.test, found.direction, found.purpose, found.is_sale) == (False, "1", "1", True)
    assert found.total == Decimal("150.00")
    assert (found.status, found.cstat, found.protocol) == (NoteStatus.AUTHORISED, "100", "135260000000001")
    assert (found.recipient, found.order_refs, found.comment) == (BUYER, ("1001",), "Venda 1001")
    assert found.raw == note(7, order="<xPed>1001</xPed>")
    assert len(found.sha256) == 64


def with_prefix(xml: bytes) -> bytes:
    text = xml.decode().replace("<nfeProc xmlns=", "<n:nfeProc xmlns:n=").replace("</nfeProc", "</n:nfeProc")
    return text.replace("<NFe>", f'<NFe xmlns="{NS}">').replace("<protNFe ", f'<protNFe xmlns="{NS}" ').encode()


def in_an_envelope(xml: bytes) -> bytes:
    soap = '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
    head, _, rest = xml.decode().partition("?>")
    return f"{head}?>{soap}{rest}</s:Body></s:Envelope>".encode()


def with_unknown_tags(xml: bytes) -> bytes:
    return xml.replace(b"</emit>", b'</emit><x:nova xmlns:x="urn:x" a="1"><x:vNF>9</x:vNF></x:nova><gNovo/>')


def recoded(encoding: str) -> Callable[[bytes], bytes]:
    return lambda xml: xml.decode().replace("UTF-8", encoding).encode(encoding)


@pytest.mark.parametrize(
    "wrapped",
    [
        pytest.param(with_prefix, id="prefix"),
        pytest.param(in_an_envelope, id="SOAP"),
        pytest.param(with_unknown_tags, id="unknown tags"),
        pytest.param(recoded("ISO-8859-1"), id="latin-1"),
        pytest.param(recoded("UTF-16"), id="utf-16"),
        pytest.param(lambda xml: xml.replace(f' xmlns="{NS}"'.encode(), b""), id="no namespace"),
        pytest.param(lambda xml: b"\xef\xbb\xbf" + xml, id="byte order mark"),
        pytest.param(lambda xml: xml.replace(b"<dhEmi>", b"<!-- a remark --><dhEmi>"), id="comment"),
    ],
)
def test_however_it_is_written_it_is_the_same_note(wrapped: Callable[[bytes], bytes]) -> None:
    plain, found = read(note(3)), read(wrapped(note(3)))
    assert found.sha256 != plain.sha256
    assert found.key == plain.key
    assert (found.total, found.issued_at, found.status, found.protocol) == (
        plain.total,
        plain.issued_at,
        plain.status,
        plain.protocol,
    )


def test_a_note_without_protocol_is_worth_nothing_yet() -> None:
    found = read(note(protocol=None))
    assert (found.status, found.cstat, found.protocol) == (NoteStatus.PENDING, "", "")


@pytest.mark.parametrize(
    ("cstat", "status"),
    [
        ("100", "authorised"), ("150", "authorised"), ("101", "cancelled"), ("151", "cancelled"), ("155", "cancelled"),
        ("110", "denied"), ("301", "denied"), ("302", "denied"), ("303", "denied"), ("205", "denied"),
        ("105", "pending"), ("539", "rejected"), ("1234", "rejected"),
    ],
)  # fmt: skip
def test_the_tax_offices_answer_becomes_a_status(cstat: str, status: str) -> None:
    assert read(note(cstat=cstat)).status == status


def test_protocols_have_15_digits_or_17_and_are_needed_where_a_note_is_valid() -> None:
    assert read(note(protocol="1" * 17)).protocol == "1" * 17
    assert refusal(note(protocol="1" * 16)).field == "nProt"
    assert refusal(note(protocol="")).reason == "missing"
    assert read(note(protocol="", cstat="539")).protocol == ""


def test_the_tax_groups_of_2026_are_left_alone_and_their_total_counts() -> None:
    total = "<ICMSTot><vNF>150.00</vNF></ICMSTot><ISTot/><IBSCBSTot><vNF>1</vNF></IBSCBSTot><vNFTot>151.35</vNFTot>"
    assert read(note(total=total, purpose="6")).total == Decimal("151.35")
    assert not read(note(total=total, purpose="6")).is_sale


@pytest.mark.parametrize(("direction", "purpose"), [("0", "1"), ("1", "4"), ("1", "2"), ("0", "4")])
def test_returns_and_complements_are_no_sales(direction: str, purpose: str) -> None:
    assert not read(note(direction=direction, purpose=purpose)).is_sale


def test_older_layouts_have_dates_alone_and_times_without_an_offset() -> None:
    found = read(note(issued="<dEmi>2015-03-27</dEmi>", received="2015-03-27T09:40:00", versao="3.10"))
    assert found.issued_at == datetime(2015, 3, 27, 3, tzinfo=UTC)
    assert found.registered_at == datetime(2015, 3, 27, 12, 40, tzinfo=UTC)
    assert found.layout == "3.10"


def test_the_issuers_number_may_hold_letters_and_may_be_a_cpf() -> None:
    assert read(note(issuer=LETTERS)).key.issuer == LETTERS
    assert read(note(issuer=BUYER, series=920)).key.issuer == BUYER


def test_a_consumers_note_may_have_no_recipient() -> None:
    found = read(note(model="65", dest=""))
    assert (found.model, found.recipient) == ("65", "")


def test_test_environment_in_the_note_or_in_its_protocol() -> None:
    assert read(note(test=True)).test
    mixed = note(test=True).replace(b"<infProt><tpAmb>2", b"<infProt><tpAmb>1")
    assert read(mixed).test
    assert read(mixed.replace(b"<tpAmb>2", b"<tpAmb>1").replace(b"<infProt><tpAmb>1", b"<infProt><tpAmb>2")).test


# Events.


def test_an_event_by_itself() -> None:
    found = nfe.read(event(key(5), "110111"))
    assert isinstance(found, Event)
    assert (found.key.text, found.type, found.sequence, found.registered) == (key(5), "110111", 1, True)
    assert (found.cstat, found.protocol) == ("135", "135260000000009")
    assert found.at == datetime(2026, 11, 21, 12, 0, 2, tzinfo=UTC)


def test_a_request_that_was_not_answered_or_was_refused_changes_nothing() -> None:
    for cstat in (None, "501"):
        found = nfe.read_note(zipped(note(5), event(key(5), "110111", cstat=cstat)), key(5))
        assert found.status is NoteStatus.AUTHORISED
        assert len(found.events) == 1


def test_a_cancellation_inside_the_note_counts_before_its_protocol() -> None:
    inside = event(key(5), "110111").decode()
    answer = inside[inside.index("<retEvento") : inside.index("</procEventoNFe")]
    found = read(note(5, inside=answer))
    assert (found.status, found.cstat) == (NoteStatus.CANCELLED, "100")
    assert refusal(note(6, inside=answer)).field == "chNFe", "it is another note's"


def test_an_event_of_the_test_environment_cancels_no_note_of_production() -> None:
    assert nfe.read_note(zipped(note(5), event(key(5), "110111", test=True)), key(5)).status == "authorised"
    assert nfe.read_note(zipped(note(5, test=True), event(key(5), "110111", test=True)), key(5)).status == "cancelled"


def test_a_corrected_note_comes_in_a_zip_and_stays_valid() -> None:
    both = nfe.read(zipped(event(key(5), sequence=2), note(5), event(key(5))))
    assert isinstance(both, list)
    (found,) = both
    assert isinstance(found, Nfe)
    assert found.status is NoteStatus.AUTHORISED
    assert [correction.sequence for correction in found.corrections] == [1, 2]
    assert found.raw == note(5)


def test_events_that_nobody_knows_yet_are_kept_and_do_nothing() -> None:
    found = nfe.read_note(zipped(note(5), event(key(5), "211150", author="00000000000191")), key(5))
    assert (found.status, [each.type for each in found.events]) == (NoteStatus.AUTHORISED, ["211150"])


def test_an_event_of_the_issuers_kinds_is_by_the_issuer() -> None:
    assert refusal(event(key(5), "110111", author="00000000000191")).field == "issuer"


def test_the_note_asked_for_is_found_among_many_and_another_is_refused() -> None:
    assert nfe.read_note(zipped(note(5), note(6)), key(6)).number == 6
    with pytest.raises(NfeError, match="none of them"):
        nfe.read_note(note(5), key(6))


# What is refused.


@pytest.mark.parametrize(
    ("document", "field", "reason"),
    [
        (b"", "document", "not_xml"),
        (b"<html><body>erro</body></html>", "document", "not_a_note"),
        (b'{"error": "x"}', "document", "not_xml"),
        (note()[:-20], "document", "not_xml"),
        (b'<inutNFe xmlns="http://www.portalfiscal.inf.br/nfe"/>', "document", "not_a_note"),
        (note(key=key(2)), "nNF", "differs"),
        (note().replace(key(1).encode(), key(1)[:-1].encode() + b"9"), "access_key", "check_digit"),
        (note().replace(b"<mod>55", b"<mod>65"), "mod", "differs"),
        (note().replace(b"<serie>1<", b"<serie>2<"), "serie", "differs"),
        (note().replace(b"<CNPJ>12345678000195", b"<CNPJ>00000000000191"), "issuer", "differs"),
        (note().replace(b"<CNPJ>12345678000195", b"<CNPJ>12345678000190"), "issuer", "check_digit"),
        (note().replace(b"<chNFe>35", b"<chNFe>41"), "chNFe", "differs"),
        (note(issued=""), "dhEmi", "missing"),
        (note(issued="<dhEmi>2026-13-01T00:00:00-03:00</dhEmi>"), "dhEmi", "form"),
        (note(issued="<dhEmi>0001-01-01T00:00:00+14:00</dhEmi>"), "dhEmi", "form"),
        (note(total=""), "vNF", "missing"),
        (note(total="<ICMSTot><vNF>1e9999999</vNF></ICMSTot>"), "vNF", "form"),
        (note(total="<ICMSTot><vNF>-1.00</vNF></ICMSTot>"), "vNF", "form"),
        (note().replace(b"<tpAmb>1</tpAmb><finNFe>", b"<tpAmb>3</tpAmb><finNFe>"), "tpAmb", "form"),
        (note(cstat="stri"), "cStat", "form"),
        (note(direction="2"), "tpNF", "form"),
    ],
)
def test_what_is_wrong_is_named(document: bytes, field: str, reason: str) -> None:
    error = refusal(document)
    assert (error.field, error.reason) == (field, reason)
    assert error.detail
    assert str(error).startswith("NF-e refused: ")


BOMB = b'<!DOCTYPE a [<!ENTITY x "aaaaaaaaaa"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;&x;&x;">]>'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le"])
def test_entities_and_files_of_this_machine_are_not_read(tmp_path: Path, encoding: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("OPENSESAME")
    for dtd in (
        BOMB.decode(),
        f'<!DOCTYPE a [<!ENTITY y SYSTEM "file://{secret}">]>',
        '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd">',
    ):
        text = note(dest="<dest><CPF>&y;</CPF></dest>").decode().replace("UTF-8", encoding)
        error = refusal(text.replace("?>", f"?>{dtd}", 1).encode(encoding))
        assert error.reason in ("doctype", "not_xml")
        assert "OPENSESAME" not in str(error)


def test_an_entity_that_nobody_declared_is_no_xml() -> None:
    assert refusal(note(dest="<dest><CPF>&y;</CPF></dest>")).reason == "not_xml"


def test_too_large_and_too_deep_documents_are_refused_before_they_cost_anything() -> None:
    assert refusal(note() + b" " * MOST_BYTES).reason == "too_large"
    assert refusal(b"<a>" * 100_000).reason == "not_xml"
    deep = b"<a>" * 100_000 + b"</a>" * 100_000
    assert refusal(deep).reason in ("not_xml", "not_a_note")


def test_zip_bombs_and_broken_archives_are_refused() -> None:
    assert refusal(zipped(b"<a/>" + b" " * MOST_BYTES)).reason == "archive"
    assert refusal(zipped(*[b"<a/>" + b" " * (MOST_BYTES - 9)] * 3)).reason == "archive"
    assert refusal(zipped(*[b"<a/>"] * (MOST_FILES + 1))).reason == "archive"
    assert refusal(zipped(note(), method=zipfile.ZIP_LZMA)).reason == "archive"
    assert refusal(zipped(note())[:-30]).reason == "archive"
    assert refusal(zipped(note(), name="{}.pdf")).reason == "not_a_note"
    assert refusal(zipped(zipped(note()))).reason == "not_xml", "no ZIP in a ZIP"


def test_a_header_that_lies_about_its_size_is_not_believed() -> None:
    honest = zipped(b"<a/>" + b" " * MOST_BYTES)
    size = (len(b"<a/>") + MOST_BYTES).to_bytes(4, "little")
    assert honest.count(size) == 2
    assert refusal(honest.replace(size, (100).to_bytes(4, "little"))).reason == "archive"


CANARIES = (BUYER, "Cliente Inventado", "529.982.247-25", "fulano@example.com")


def said_of(document: bytes) -> str:
    try:
        nfe.read(document)
    except NfeError as error:
        return f"{error} {error!r}"
    return ""  # eleven digits are an amount too


def test_no_error_and_no_repr_shows_anybodys_data() -> None:
    shown = repr(read(note(extra="<obs>fulano@example.com</obs>")))
    for tag in (
        "dhEmi",
        "vNF",
        "tpAmb",
        "tpNF",
        "finNFe",
        "cStat",
        "nProt",
        "serie",
        "nNF",
        "mod",
        "dhRecbto",
        "chNFe",
    ):
        for canary in CANARIES:
            xml = re.sub(f"<{tag}>[^<]*", f"<{tag}>{canary}", note().decode())
            shown += said_of(xml.encode())
    shown += str(refusal(note(issuer="52998224724", series=920, key=key(1, issuer=BUYER, series=920))))
    for canary in CANARIES:
        assert canary not in shown


@pytest.mark.skipif(not FILES, reason="the samples lie beside the project and are not here")
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name[:40])
def test_every_sample_is_read_or_refused_with_a_reason(path: Path) -> None:
    document = path.read_bytes()
    try:
        found = nfe.read(document)
    except NfeError as error:
        assert error.field
        assert error.reason
        assert not re.search(r"(?<!\d)(\d{11}|\d{14})(?!\d)", str(error)), "a document is shown"
        return
    assert not isinstance(found, list)
    if isinstance(found, Nfe):
        assert found.key.text.encode() in document
        assert found.total > 0
        assert found.protocol or found.status is NoteStatus.PENDING


@pytest.mark.skipif(not FILES, reason="the samples lie beside the project and are not here")
def test_the_samples_that_tell_a_story_are_understood() -> None:
    assert len(FILES) == 36
    reading = {}
    for path in FILES:
        try:
            reading[path.name.partition("__")[2]] = nfe.read(path.read_bytes())
        except NfeError as error:
            reading[path.name.partition("__")[2]] = error.field
    taken = {name: found for name, found in reading.items() if not isinstance(found, str)}
    assert len(taken) == 19
    assert taken["nfce111.xml"].status == "cancelled"  # by the event inside
    assert taken["nfce112_2.xml"].cstat == "150"
    assert taken["2017protocoled.xml"].layout == "3.10"
    assert taken["2017protocoled.xml"].order_refs == ("14972",)
    assert taken["procNFe.xml"].test
    assert taken["proccce.xml"].type == "110110"
    assert reading["danfe_cnpj_alfanumerico.xml"] == "issuer"  # its key is another company's
    assert reading["nfe_mei.xml"] == "access_key"
    assert reading["nfe_v4.00_PL_010C.xml"] == "access_key"  # a skeleton: every value is "string"
    assert reading["req_evento_cancela.xml"] == "access_key"
    assert reading["res_inut.xml"] == "document"


# Whatever comes.


def ends_well(document: bytes) -> None:
    try:
        found = nfe.read(document)
    except NfeError as error:
        assert error.reason
        return
    assert found


@given(st.binary(max_size=400))
def test_any_bytes_end_in_a_result_or_a_refusal(document: bytes) -> None:
    ends_well(document)
    ends_well(b"PK\x03\x04" + document)
    ends_well(b"<NFe>" + document)


@given(st.data())
def test_a_damaged_note_ends_in_a_result_or_a_refusal(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from([note(), event(key(1)), zipped(note(1), event(key(1)))]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(document)))
        document = document[:at] + data.draw(st.binary(max_size=6)) + document[at + data.draw(st.integers(0, 40)) :]
    ends_well(document)


TEXTS = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30)


@given(st.dictionaries(st.sampled_from(re.findall(r"<(\w+)>[^<]", note().decode())), TEXTS, min_size=1, max_size=4))
def test_any_text_in_any_tag_ends_in_a_result_or_a_refusal(texts: dict[str, str]) -> None:
    document = note().decode()
    for tag, text in texts.items():
        safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        document = re.sub(f"<{tag}>[^<]*", lambda found, tag=tag, safe=safe: f"<{tag}>{safe}", document)  # type: ignore[misc]
    ends_well(document.encode())
