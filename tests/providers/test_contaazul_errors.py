"""Conta Azul's answers as outcomes."""

import json
from datetime import timedelta
from typing import Any

import pytest

from hub.clock import utcnow
from providers.contaazul.errors import READ_INVOICE, Judge, judge, said
from providers.contract import Outcome
from providers.http import UNREADABLE, Answer

READ, LIST, CREATE = "GET /v1/produtos/{id}", "GET /v1/produtos", "POST /v1/venda"


def answer(payload: Any, status: int = 200, **headers: str) -> Answer:
    body = b"<html>" if payload is UNREADABLE else b"" if payload is None else json.dumps(payload).encode()
    return Answer(status, {name.replace("_", "-"): told for name, told in headers.items()}, body, payload)


@pytest.mark.parametrize(
    ("operation", "status", "payload", "outcome", "reason"),
    [
        (READ, 401, {"code": 401, "message": "The Token has expired."}, Outcome.REAUTH, "token"),
        (READ, 403, {"error": "Acesso negado"}, Outcome.REJECTED, "permission"),
        (READ, 403, {"status_conta": "END_TRIAL"}, Outcome.REJECTED, "plan"),
        (READ, 404, {"error": "Produto não encontrado"}, Outcome.REJECTED, "not_found"),
        (LIST, 404, {"error": "Not Found"}, Outcome.REJECTED, "no_service"),
        (CREATE, 400, {"error": "O campo numero é obrigatório"}, Outcome.REJECTED, "validation"),
        (CREATE, 405, UNREADABLE, Outcome.REJECTED, "validation"),
        (LIST, 500, {"code": 500, "message": "erro"}, Outcome.RETRY, "server"),
        (LIST, 502, UNREADABLE, Outcome.RETRY, "server"),
        (LIST, 200, UNREADABLE, Outcome.RETRY, "unreadable"),
        (LIST, 200, None, Outcome.RETRY, "unreadable"),
    ],
)
def test_the_table(operation: str, status: int, payload: Any, outcome: Outcome, reason: str) -> None:
    failed = judge(operation, answer(payload, status))
    assert failed and (failed.outcome, failed.reason, failed.status) == (outcome, reason, status)


@pytest.mark.parametrize(
    ("operation", "status", "payload"),
    [(LIST, 200, {"items": None}), (CREATE, 201, {"id": "1"}), ("PATCH /v1/produtos/{id}", 204, None)],
)
def test_good_answers(operation: str, status: int, payload: Any) -> None:
    assert judge(operation, answer(payload, status)) is None


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b'<?xml version="1.0"?><nfeProc/>', True),
        (b"\xef\xbb\xbf<nfeProc/>", True),
        (b"PK\x03\x04", True),
        (b"<html>", False),
        (b"", False),
    ],
)
def test_a_note_is_a_document_and_no_json(body: bytes, good: bool) -> None:
    failed = judge(READ_INVOICE, Answer(200, {}, body, UNREADABLE))
    assert (failed is None) is good


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"error": "texto"}, "texto"),
        ({"code": 400, "message": "texto"}, "texto"),
        (
            {"message": "inválido", "errors": [{"field": "nome", "message": "obrigatório"}]},
            "inválido; nome: obrigatório",
        ),
        ({"erros": ["um", "dois"]}, "um; dois"),
        ({}, "no content type, 2 bytes"),
    ],
)
def test_the_vendors_words_in_all_shapes(payload: Any, words: str) -> None:
    assert said(answer(payload, 400)) == words


def test_the_pause_doubles_unless_it_is_told_and_ends_with_a_good_answer() -> None:
    judges = Judge()

    def wait(**headers: str) -> float | None:
        failed = judges(LIST, answer({}, 429, **headers))
        assert failed and failed.outcome is Outcome.SLOW_DOWN
        return failed.wait_s

    assert [wait(), wait(), wait()] == [1, 2, 4]
    assert wait(Retry_After="7") == 7
    assert wait(Retry_After="Wed, 21 Oct 2026 07:28:00 GMT") == 16
    assert judges(LIST, answer({"items": []})) is None
    assert wait() == 1


def test_answers_to_calls_that_left_before_are_one_and_the_same_pause() -> None:
    judges = Judge()
    left = utcnow() - timedelta(seconds=1)
    waits = [judges(LIST, Answer(429, {}, b"", None, left)) for _ in range(10)]
    assert [failed.wait_s for failed in waits if failed] == [1.0] * 10
