"""Whatever JSON comes: a record, a refusal with reasons, an event or its refusal; never another exception."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.records import InvoiceRow
from providers.contract import CallFailed, Event, Found, Row, UnreadableEventError
from providers.http import UNREADABLE, Answer
from providers.tagplus import lookups, reading, webhooks
from providers.tagplus.errors import READ_XML, judge
from providers.tagplus.invoices import unwrapped
from providers.tiny_parse import one
from tests.providers.test_tiny_fuzz import _is_sound, jsons

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEYS = (  # noqa: SIM905
    "id tipo ativo codigo codigo_barras descricao descricao_longa valor_venda_varejo valores_venda tipo_valor_venda "
    "padrao valor_venda estoque qtd_revenda categoria unidade_saida sigla peso altura embalagem imagem_principal url "
    "imagens id_pai filhos tributo_ncm cst_a itens_vinculados produto produto_servico qtd cpf cnpj codigo_externo "
    "status numero observacoes possui_vinculo chave_acesso serie pedido_os_vinculada emitente usuario_master nome "
    "estado forma_pagamento_base qtd_max_parcelas entidade id_entidade error error_code message data field errors "
    "dataPath event_type link xml alterar_estoque_produto"
).split()

payloads = jsons(KEYS)
quick = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@quick
@given(payloads)
def test_products_and_balances_are_read_or_refused(payload: Any) -> None:
    assert _is_sound(reading.product(payload))
    assert _is_sound(reading.stock(payload, NOW))
    assert isinstance(reading.is_counted(payload), bool)
    row = reading.row(payload)
    assert row is None or (isinstance(row, Row) and len(row.fingerprint) == 32)


@quick
@given(payloads, st.lists(payloads, max_size=3))
def test_orders_notes_and_people_are_read_or_passed_over(payload: Any, rows: list[Any]) -> None:
    note = reading.note(payload)
    assert note is None or (isinstance(note, InvoiceRow) and note.external_id)
    row = reading.order_row(payload)
    assert row is None or row.external_id
    told = one(payload)
    assert reading.order_status("1", told, NOW).stage in ("", "open", "approved", "cancelled")
    assert isinstance(reading.has_note(told), bool)
    assert all(isinstance(may, bool) for may in reading.allowed(told).values())
    assert reading.company(told) == "" or len(reading.company(told)) == 14
    assert all(isinstance(word, str) for word in reading.issuer(rows))
    assert all(reading.touched_products(rows))
    people = reading.customers_of_document(rows, "52998224725") + reading.customers_of_code(rows, "x")
    assert all(isinstance(one_, Found) for one_ in (*people, *reading.products_of_code(rows, "x")))
    assert reading.order_of_code(rows, "") is None


@quick
@given(st.lists(payloads, max_size=4))
def test_look_ups_find_a_number_or_nothing(rows: list[Any]) -> None:
    found = [
        lookups.unit_id(rows, "UN"),
        lookups.city_id(rows, "Itajaí", "SC"),
        lookups.contact_id(rows, "E", ("mail",)),
        lookups.register_id(rows),
        lookups.payment_id(rows, "pix", 2),
    ]
    assert all(key is None or isinstance(key, int) for key in found)


@quick
@given(payloads, st.integers(100, 599), st.sampled_from(["GET /produtos", "POST /pedidos", "PATCH /pedidos/{id}"]))
def test_any_answer_is_judged(payload: Any, status: int, operation: str) -> None:
    failed = judge(operation, Answer(status, {}, b"", payload))
    assert failed is None or isinstance(failed, CallFailed)
    assert (failed is None) == (200 <= status < 300 and (payload is not None or status == 204 or "PATCH" in operation))


@quick
@given(payloads | st.just(UNREADABLE), st.binary(max_size=40), st.sampled_from([200, 302]))
def test_any_answer_about_a_note_is_a_document_a_link_or_nothing(payload: Any, body: bytes, status: int) -> None:
    answer = Answer(status, {"location": "/x.xml"}, body, payload)
    judge(READ_XML, answer)
    document, link = unwrapped(answer)
    assert not (document and link)
    assert "/" in link or not link


@quick
@given(payloads.map(lambda told: json.dumps(told, default=str)) | st.text(max_size=40))
def test_any_body_is_an_event_or_is_refused_with_words(body: str) -> None:
    try:
        event = webhooks.read("produto", body.encode("utf-8", "replace"), "application/json")
    except UnreadableEventError as error:
        assert "valid" in str(error) or "without an id" in str(error)
    else:
        assert isinstance(event, Event)
        assert all(hint.external_id for hint in event.hints)
