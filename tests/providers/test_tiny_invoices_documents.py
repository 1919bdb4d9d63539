"""Tiny's notes: their rows, and the document out of each of its three wrappings, byte for byte. Pure."""

import html
import json
import zipfile
from datetime import date
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import nfe
from hub.records import InvoiceRow
from providers import tiny_notes
from providers.contract import Outcome
from providers.http import UNREADABLE, Answer
from providers.tiny_notes import as_document, document_in, row_v2, row_v3
from providers.tiny_sink import is_within
from providers.tiny_v2.errors import INVOICE_XML, judge

KEY = "43200611222333000181550010000000101441591834"
NOTE = (
    '<nfeProc xmlns="http://www.portalfiscal.inf.br/nfe" versao="4.00"><NFe><infNFe Id="x"><xNome>A &amp; B\n  é'
    "</xNome><a  b='1'   c=\"2\"></a><d/></infNFe></NFe></nfeProc>"
).encode()
"""With everything that writing it anew would change: quotes, blanks, empty elements."""
CANCELLED = b'<procEventoNFe xmlns="http://www.portalfiscal.inf.br/nfe"><infEvento/></procEventoNFe>'


def wrapped(inner: bytes, more: bytes = b"", encoding: str = "UTF-8") -> bytes:
    head = f'<?xml version="1.0" encoding="{encoding}"?>\n<retorno><status_processamento>3</status_processamento>'
    return head.encode() + b"<status>OK</status><xml_nfe>" + inner + b"</xml_nfe>" + more + b"</retorno>"


class TestDocument:
    @pytest.mark.parametrize(
        "inner",
        [NOTE, b"\n  " + NOTE + b"\n", b"<![CDATA[" + NOTE + b"]]>", html.escape(NOTE.decode()).encode()],
        ids=["nested", "indented", "cdata", "escaped"],
    )
    def test_each_form_gives_the_same_bytes(self, inner: bytes) -> None:
        assert document_in(wrapped(inner)) == NOTE

    def test_escaped_twice_is_unescaped_twice(self) -> None:
        assert document_in(wrapped(html.escape(html.escape(NOTE.decode())).encode())) == NOTE

    def test_a_note_that_names_its_encoding_keeps_it(self) -> None:
        latin = '<?xml version="1.0" encoding="ISO-8859-1"?><nfeProc>é</nfeProc>'
        assert document_in(wrapped(b"<![CDATA[" + latin.encode() + b"]]>")) == latin.encode("iso-8859-1")

    def test_an_answer_in_another_encoding_gives_a_note_that_can_be_read(self) -> None:
        answer = wrapped(NOTE, encoding="ISO-8859-1").decode().encode("iso-8859-1")
        assert document_in(answer) == NOTE

    def test_a_prefix_declared_outside_is_brought_in(self) -> None:
        outside = b'<retorno xmlns:n="http://www.portalfiscal.inf.br/nfe"><xml_nfe><n:nfeProc/></xml_nfe></retorno>'
        assert document_in(outside) == b'<n:nfeProc xmlns:n="http://www.portalfiscal.inf.br/nfe"></n:nfeProc>'

    @pytest.mark.parametrize("name", [b"xml_cancelamento", b"xml_nfe_cancelada"])
    def test_a_cancellation_that_follows_comes_along_in_a_zip_that_is_always_the_same(self, name: bytes) -> None:
        answer = wrapped(NOTE, b"<" + name + b">" + CANCELLED + b"</" + name + b">")
        both = document_in(answer)
        with zipfile.ZipFile(BytesIO(both)) as archive:
            assert [archive.read(one) for one in archive.namelist()] == [NOTE, CANCELLED]
        assert document_in(answer) == both

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"{}",
            b"<html/>",
            wrapped(b""),
            wrapped(NOTE)[:-9],
            b'<!DOCTYPE r [<!ENTITY x "y">]><retorno><xml_nfe>&x;</xml_nfe></retorno>',
            b"<retorno><status>OK</status></retorno>",
        ],
        ids=["empty", "json", "html", "no note", "cut", "entities", "no element"],
    )
    def test_where_there_is_no_note_there_is_nothing(self, answer: bytes) -> None:
        assert document_in(answer) == b""

    @given(st.binary(max_size=200) | st.text(max_size=60).map(lambda told: wrapped(told.encode("utf-8", "ignore"))))
    def test_no_bytes_make_it_raise(self, answer: bytes) -> None:
        assert isinstance(document_in(answer), bytes)

    def test_v3_tells_it_as_text(self) -> None:
        assert as_document(NOTE.decode()) == as_document(html.escape(NOTE.decode())) == NOTE
        assert as_document(None) == as_document("") == as_document({}) == b""
        assert tiny_notes.packed(NOTE, b"") == tiny_notes.packed(NOTE, b"<cancelada/>") == NOTE


class TestJudged:
    def answer(self, body: bytes) -> Answer:
        try:
            payload = json.loads(body)
        except ValueError:
            payload = UNREADABLE
        return Answer(200, {}, body, payload)

    def test_xml_is_good(self) -> None:
        assert judge(INVOICE_XML, self.answer(wrapped(NOTE))) is None
        assert judge(INVOICE_XML, self.answer(b"<retorno><status>OK</status></retorno>")) is None

    @pytest.mark.parametrize(
        "body",
        [
            b"<retorno><status>Erro</status><codigo_erro>32</codigo_erro><erros><erro>N\xc3\xa3o</erro></erros></retorno>",
            b'{"retorno": {"status": "Erro", "codigo_erro": 32, "erros": [{"erro": "N\\u00e3o"}]}}',
        ],
        ids=["xml", "json"],
    )
    def test_errors_come_in_either(self, body: bytes) -> None:
        failed = judge(INVOICE_XML, self.answer(body))
        assert failed and (failed.outcome, failed.reason, failed.detail) == (Outcome.REJECTED, "not_found", "Não")

    @pytest.mark.parametrize("body", [wrapped(NOTE)[:-9], b"<html></html>", b"", b"[]"])
    def test_what_was_cut_is_asked_for_again(self, body: bytes) -> None:
        failed = judge(INVOICE_XML, self.answer(body))
        assert failed and (failed.outcome, failed.reason) == (Outcome.RETRY, "unreadable")


class TestRows:
    def test_a_row_of_v2_does_not_tell_the_order_and_the_details_do(self) -> None:
        row = {"id": 441591831, "tipo": "S", "serie": "1", "numero": "000010", "situacao": "6", "chave_acesso": KEY}
        assert row_v2(row) == InvoiceRow(KEY, "10", "6", "441591831", state="authorised", series="1")
        detail = row_v2({**row, "id_venda": "123456"})
        assert detail and detail.order_ref == "123456"

    def test_a_row_of_v3_tells_the_sale_and_nothing_else_as_its_order(self) -> None:
        row = {"id": "9", "tipo": "S", "situacao": "7", "chaveAcesso": KEY, "origem": {"id": "97", "tipo": "venda"}}
        found = row_v3(row)
        assert found and (found.order_ref, found.state) == ("97", "authorised")
        back = row_v3({**row, "origem": {"id": "97", "tipo": "devolucao"}})
        assert back and back.order_ref == ""

    @pytest.mark.parametrize(
        ("situation", "state"),
        [
            (1, "pending"),
            ("3", "cancelled"),
            ("5", "pending"),
            (6, "authorised"),
            ("7", "authorised"),
            ("8", ""),
            (10, "denied"),
            ("", ""),
        ],
    )
    def test_situations(self, situation: Any, state: str) -> None:
        for found in (row_v2({"id": 1, "situacao": situation}), row_v3({"id": 1, "situacao": situation})):
            assert found and found.state == state

    @pytest.mark.parametrize(
        "payload", [None, [], "x", {}, {"id": "0"}, {"id": 5, "tipo": "E"}, {"id": 5, "tipo_nota": "E"}]
    )
    def test_what_has_no_id_or_came_in_is_no_row(self, payload: Any) -> None:
        assert row_v2(payload) is None
        assert row_v3(payload) is None or "tipo_nota" in payload

    @pytest.mark.parametrize(
        ("told", "within"),
        [
            ("16/06/2020", True),
            ("2020-06-16", True),
            ("15/06/2020", False),
            ("2020-06-18", False),
            ("ontem", True),
            ("", True),
        ],
    )
    def test_days(self, told: str, within: bool) -> None:
        for name in ("data_emissao", "dataEmissao"):
            assert is_within({name: told}, date(2020, 6, 16), date(2020, 6, 17)) is within


SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples"


@pytest.mark.skipif(not (SAMPLES / "tiny").exists(), reason="the samples lie beside the project and are not here")
class TestSamples:
    def load(self, stem: str) -> Any:
        (path,) = (SAMPLES / "tiny").rglob(f"{stem}.json")
        return json.loads(path.read_bytes(), parse_float=Decimal)

    def test_rows_are_read(self) -> None:
        (listed,) = self.load("v2_notas_fiscais_pesquisa")["retorno"]["notas_fiscais"]
        detail = row_v2(self.load("v2_nota_fiscal_obter")["retorno"]["nota_fiscal"])
        row = row_v2(listed["nota_fiscal"])
        assert row and detail and (row.access_key, row.state, row.order_ref) == (KEY, "authorised", "")
        assert (detail.access_key, detail.order_ref) == (KEY, "123456")
        live = row_v3(self.load("v3_nota_lista_item"))
        assert live and (live.order_ref, live.state, live.series) == ("971921914", "authorised", "2")
        (sanitised,) = self.load("v3_notas_lista_saneada")["itens"]
        assert row_v3(sanitised) == InvoiceRow("", "290550", "6", "360742690", state="authorised")

    def test_the_wrapped_note_is_cut_out_as_it_stands(self) -> None:
        (path,) = (SAMPLES / "tiny").rglob("v2_nota_fiscal_obter_xml.xml")
        body = path.read_bytes()
        assert judge(INVOICE_XML, Answer(200, {}, body, UNREADABLE)) is None
        note = document_in(body)
        assert note in body and note.startswith(b"<nfeProc ") and note.endswith(b"</nfeProc>")

    @pytest.mark.parametrize("path", sorted((SAMPLES / "nfe").glob("*rocNFe.xml")), ids=lambda path: path.stem)
    def test_real_notes_survive_each_wrapping(self, path: Path) -> None:
        document = path.read_bytes().lstrip(b"\xef\xbb\xbf")
        bare = document[document.index(b"?>") + 2 :].strip() if document.startswith(b"<?xml") else document.strip()
        read = nfe.read(bare)
        for inner in (bare, b"<![CDATA[" + bare + b"]]>", html.escape(bare.decode()).encode()):
            found = document_in(wrapped(inner))
            assert found == bare.replace(b"\r\n", b"\n") or found == bare
            assert getattr(nfe.read(found), "key", found) == getattr(read, "key", found)
