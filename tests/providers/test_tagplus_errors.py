"""TagPlus's answers as outcomes: a table of every shape that the reference tells."""

from datetime import timedelta
from typing import Any

import pytest

from hub.clock import utcnow
from providers.contract import Outcome
from providers.http import UNREADABLE, Answer
from providers.tagplus.errors import READ_XML, Judge, judge, said

SCHEMA = {
    "error_code": "...",
    "message": "...",
    "data": None,
    "errors": [{"code": 303, "message": "Campo adicional não é permitido: 'produto'", "dataPath": "/itens/0/produto"}],
}


def answer(status: int, payload: Any = None, headers: dict[str, str] | None = None, body: bytes = b"{}") -> Answer:
    return Answer(status, headers or {}, body, payload)


@pytest.mark.parametrize(
    ("operation", "status", "payload", "outcome", "reason"),
    [
        ("GET /me", 401, {"error": "invalid_token", "error_description": "expired"}, Outcome.REAUTH, "token"),
        ("GET /me", 401, {"error": "invalid_request", "error_description": "missing"}, Outcome.REAUTH, "token"),
        ("GET /me", 401, None, Outcome.REAUTH, "token"),
        ("GET /nfes", 401, {"error_code": "escopo_nao_autorizado"}, Outcome.REJECTED, "permission"),
        ("GET /nfes", 403, {"error_code": "escopo_nao_autorizado"}, Outcome.REJECTED, "permission"),
        ("GET /formas_pagamento", 403, None, Outcome.REJECTED, "permission"),
        ("GET /produtos", 402, {"error_code": "pagamento_pendente"}, Outcome.REJECTED, "debt"),
        ("GET /produtos", 402, None, Outcome.REJECTED, "debt"),
        ("GET /produtos/{id}", 404, {"error_code": "nao_encontrado"}, Outcome.REJECTED, "not_found"),
        ("GET /produtos/{id}", 404, None, Outcome.REJECTED, "not_found"),
        ("GET /produtos", 404, {"error_code": "nao_encontrado"}, Outcome.REJECTED, "not_found"),
        ("GET /produtos", 404, None, Outcome.REJECTED, "no_service"),
        ("POST /pedidos", 404, {"error_code": "nao_encontrado"}, Outcome.REJECTED, "validation"),
        ("POST /pedidos", 422, SCHEMA, Outcome.REJECTED, "validation"),
        ("POST /pedidos", 400, None, Outcome.REJECTED, "validation"),
        (
            "PATCH /produtos/{id}",
            403,
            {"error_code": "permissao_alterar_estoque_produto"},
            Outcome.REJECTED,
            "validation",
        ),
        ("PATCH /pedidos/{id}", 401, {"error_code": "permissao_estornar_pedido"}, Outcome.REJECTED, "validation"),
        ("GET /x", 500, None, Outcome.RETRY, "server"),
        ("GET /x", 503, UNREADABLE, Outcome.RETRY, "server"),
        ("GET /x", 302, None, Outcome.RETRY, "server"),
        ("GET /x", 200, UNREADABLE, Outcome.RETRY, "unreadable"),
        ("GET /x", 200, None, Outcome.RETRY, "unreadable"),
    ],
)
def test_each_answer_has_its_outcome(operation: str, status: int, payload: Any, outcome: Outcome, reason: str) -> None:
    failed = judge(operation, answer(status, payload))
    assert failed is not None
    assert (failed.outcome, failed.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("operation", "status", "payload"),
    [("GET /x", 200, []), ("POST /x", 201, {}), ("DELETE /x/{id}", 200, None), ("PATCH /x/{id}", 204, None)],
)
def test_good_answers(operation: str, status: int, payload: Any) -> None:
    assert judge(operation, answer(status, payload)) is None


def test_a_refused_schema_names_the_field_and_quotes_no_dots() -> None:
    failed = judge("POST /pedidos", answer(422, SCHEMA))
    assert failed is not None
    assert failed.detail == "Campo adicional não é permitido: 'produto' (itens/0/produto)"
    assert failed.code == ""


def test_words_for_people_go_before_those_for_developers() -> None:
    told = {"error_code": "campo_obrigatorio", "message": "Falta", "dev_message": "x", "data": [{"field": "itens"}] * 2}
    failed = judge("POST /pedidos", answer(422, told))
    assert failed is not None
    assert (failed.code, failed.detail) == ("campo_obrigatorio", "Falta; campos: itens")
    assert said(answer(500, UNREADABLE, {"content-type": "text/html"}, b"<html>")) == "text/html, 6 bytes"


@pytest.mark.parametrize(
    ("status", "headers", "body", "good"),
    [
        (200, {}, b"<?xml version='1.0'?><nfeProc/>", True),
        (200, {}, b'"https://api.example/x.xml"', True),
        (302, {"location": "https://api.example/x.xml"}, b"", True),
        (302, {}, b"", False),
        (200, {}, b"", False),
        (200, {}, b"\n<!DOCTYPE html><html>", False),
        (200, {}, b"<html><body>erro", False),
    ],
)
def test_a_note_comes_as_xml_or_as_a_link(status: int, headers: dict[str, str], body: bytes, good: bool) -> None:
    assert (judge(READ_XML, answer(status, UNREADABLE, headers, body)) is None) is good


class TestSlowDown:
    def test_the_pause_is_told(self) -> None:
        for name in ("Retry-After", "RateLimit-Reset", "X-RateLimit-Reset"):
            failed = Judge()("GET /x", answer(429, {"message": "API rate limit exceeded"}, {name: "7"}))
            assert failed is not None
            assert (failed.outcome, failed.wait_s, failed.detail) == (Outcome.SLOW_DOWN, 7.0, "API rate limit exceeded")

    def test_or_it_doubles_until_something_goes_well(self) -> None:
        judged, at = Judge(), utcnow()
        waits = []
        for minute in range(8):
            failed = judged("GET /x", Answer(429, {}, b"", None, at + timedelta(minutes=minute + 1)))
            waits.append(failed.wait_s if failed else None)
        assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
        assert judged("GET /x", answer(200, [])) is None
        failed = judged("GET /x", Answer(429, {}, b"", None, at + timedelta(hours=1)))
        assert failed is not None and failed.wait_s == 1

    def test_answers_to_calls_of_the_same_burst_are_one(self) -> None:
        judged, at = Judge(), utcnow() - timedelta(seconds=5)
        waits = [failed.wait_s for _ in range(3) if (failed := judged("GET /x", Answer(429, {}, b"", None, at)))]
        assert waits == [1, 1, 1]
