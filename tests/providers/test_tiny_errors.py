"""Tiny's answers as outcomes, v2 and v3."""

import json
from typing import Any

import pytest

from providers.contract import CallFailed, Outcome
from providers.http import UNREADABLE, Answer
from providers.tiny_v2 import errors as v2
from providers.tiny_v3 import errors as v3


def answer(payload: Any, status: int = 200, **headers: str) -> Answer:
    body = b"<html>" if payload is UNREADABLE else json.dumps(payload).encode()
    return Answer(status, {name.replace("_", "-"): told for name, told in headers.items()}, body, payload)


def envelope(**told: Any) -> Answer:
    return answer({"retorno": told})


def error(code: Any, erros: Any = None) -> Answer:
    return envelope(status_processamento="2", status="Erro", codigo_erro=code, erros=erros or [{"erro": "motivo"}])


def told(failed: CallFailed | None) -> tuple[Outcome, str] | None:
    return failed and (failed.outcome, failed.reason)


@pytest.mark.parametrize(
    ("code", "outcome", "reason"),
    [
        (1, Outcome.REAUTH, "token"),
        ("2", Outcome.REAUTH, "token"),
        (5, Outcome.REAUTH, "blocked"),
        (7, Outcome.REAUTH, "blocked"),
        (8, Outcome.REAUTH, "blocked"),
        ("6", Outcome.SLOW_DOWN, "quota"),
        (11, Outcome.SLOW_DOWN, "quota"),
        (20, Outcome.REJECTED, "not_found"),
        (32, Outcome.REJECTED, "not_found"),
        (35, Outcome.RETRY, "server"),
        (99, Outcome.RETRY, "maintenance"),
        *((code, Outcome.REJECTED, "validation") for code in (3, 4, 9, 10, 21, 22, 23, 30, 31, 33, 34, 77)),
    ],
)
def test_v2_codes(code: Any, outcome: Outcome, reason: str) -> None:
    failed = v2.judge("produto.obter", error(code))
    assert failed
    assert (failed.outcome, failed.reason, failed.code, failed.detail) == (outcome, reason, str(code), "motivo")


def test_v2_knows_every_code_of_the_reference() -> None:
    codes = {*range(1, 12), 20, 21, 22, 23, 30, 31, 32, 33, 34, 35, 99}
    assert set(v2.CODES) == {str(code) for code in codes}


def test_v2_waits_as_long_as_the_code_asks() -> None:
    waits = {code: failed.wait_s for code in (6, 11, 99) if (failed := v2.judge("info", error(code)))}
    assert waits == {6: 60.0, 11: 5.0, 99: 30.0}


@pytest.mark.parametrize("operation", sorted(v2.LISTS))
@pytest.mark.parametrize("code", [20, "23"])
def test_v2_lists_may_be_empty(operation: str, code: Any) -> None:
    assert v2.judge(operation, error(code)) is None


def test_v2_an_update_list_without_access_is_no_lost_account() -> None:
    assert told(v2.judge("lista.atualizacoes.estoque", error(5))) == (Outcome.REJECTED, "permission")


@pytest.mark.parametrize("erros", [{"erro": "API Bloqueada"}, [{"erro": "API Bloqueada"}], "API Bloqueada"])
def test_v2_error_texts_come_in_every_form(erros: Any) -> None:
    failed = v2.judge("info", error(6, erros))
    assert failed and failed.detail == "API Bloqueada"


@pytest.mark.parametrize(
    "broken",
    [
        answer(UNREADABLE),
        answer(None),
        answer([]),
        answer({}),
        answer({"retorno": "x"}),
        envelope(status="OK"),
        envelope(produto={"id": 1}),
        envelope(status="Erro"),
    ],
)
def test_v2_what_is_no_answer_to_the_question_is_asked_again(broken: Answer) -> None:
    assert told(v2.judge("produto.obter", broken)) == (Outcome.RETRY, "unreadable")


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (429, Outcome.SLOW_DOWN, "quota"),
        (500, Outcome.RETRY, "server"),
        (503, Outcome.RETRY, "server"),
        (302, Outcome.RETRY, "server"),
        (408, Outcome.RETRY, "server"),
        (404, Outcome.REJECTED, "no_service"),
        (403, Outcome.REJECTED, "permission"),
        (401, Outcome.REAUTH, "token"),
        (400, Outcome.REJECTED, "validation"),
    ],
)
def test_v2_other_statuses(status: int, outcome: Outcome, reason: str) -> None:
    assert told(v2.judge("produto.obter", answer(UNREADABLE, status))) == (outcome, reason)


def test_v2_good_answers() -> None:
    assert v2.judge("produto.obter", envelope(status="OK", status_processamento="3", produto={"id": 1})) is None
    assert v2.judge("produtos.pesquisa", envelope(status="OK", produtos=[])) is None
    assert v2.judge("produtos.categorias.arvore", answer({"retorno": [{"id": 1}]})) is None


REFUSED = {"sequencia": "1", "status": "Erro", "codigo_erro": "31", "erros": [{"erro": "nome"}]}
TAKEN = {"sequencia": "1", "status": "OK", "id": "37644545"}


@pytest.mark.parametrize(
    "registros",
    [{"registro": TAKEN}, [{"registro": TAKEN}], {"registro": [TAKEN, TAKEN]}],
)
def test_v2_a_write_is_done_when_every_record_is(registros: Any) -> None:
    assert v2.judge_write("pedido.incluir", envelope(status="OK", status_processamento=3, registros=registros)) is None


@pytest.mark.parametrize(
    ("reply", "outcome", "code"),
    [
        (envelope(status="OK", status_processamento="3", registros=[]), Outcome.REJECTED, ""),
        (envelope(status="OK", status_processamento="2", registros={"registro": REFUSED}), Outcome.REJECTED, "31"),
        (envelope(status="Erro", status_processamento=2, registros=[{"registro": REFUSED}]), Outcome.REJECTED, "31"),
        (envelope(status="OK", status_processamento="2", registros={"registro": TAKEN}), Outcome.REJECTED, ""),
        (error("6"), Outcome.SLOW_DOWN, "6"),
        (answer(UNREADABLE), Outcome.RETRY, ""),
        (answer(None, 500), Outcome.RETRY, ""),
    ],
)
def test_v2_a_write_under_ok_may_have_failed(reply: Answer, outcome: Outcome, code: str) -> None:
    failed = v2.judge_write("nota.fiscal.incluir", reply)
    assert failed
    assert (failed.outcome, failed.code) == (outcome, code)


@pytest.mark.parametrize(
    ("status", "payload", "outcome", "reason"),
    [
        (401, UNREADABLE, Outcome.REAUTH, "token"),
        (403, None, Outcome.REJECTED, "permission"),
        (404, None, Outcome.REJECTED, "not_found"),
        (429, UNREADABLE, Outcome.SLOW_DOWN, "quota"),
        (500, UNREADABLE, Outcome.RETRY, "server"),
        (503, None, Outcome.RETRY, "server"),
        (200, UNREADABLE, Outcome.RETRY, "unreadable"),
        (200, None, Outcome.RETRY, "unreadable"),
        (400, {"mensagem": "Erro", "detalhes": None}, Outcome.RETRY, "server"),
        (400, UNREADABLE, Outcome.RETRY, "server"),
        (
            400,
            {"mensagem": "Erro", "detalhes": [{"campo": "id", "mensagem": "deve ser int"}]},
            Outcome.REJECTED,
            "validation",
        ),
    ],
)
def test_v3_reads_by_status(status: int, payload: Any, outcome: Outcome, reason: str) -> None:
    assert told(v3.judge("GET /produtos/{id}", answer(payload, status))) == (outcome, reason)


def test_v3_a_400_on_a_write_is_a_refusal_always() -> None:
    failed = v3.judge("POST /produtos", answer({"mensagem": "Erro", "detalhes": None}, 400))
    assert told(failed) == (Outcome.REJECTED, "validation")


def test_v3_says_which_field_it_dislikes() -> None:
    payload = {"mensagem": "Erros", "detalhes": [{"campo": "codigo", "mensagem": "obrigatório"}]}
    failed = v3.judge("POST /produtos", answer(payload, 400))
    assert failed and failed.detail == "Erros; codigo: obrigatório"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"X_RateLimit_Reset": "17"}, 17.0),
        ({"X_RateLimit_Reset": "0"}, 1.0),
        ({"Retry_After": "9"}, 9.0),
        ({"X_RateLimit_Reset": "soon"}, 60.0),
        ({"X_RateLimit_Reset": "1790000000"}, 60.0),
        ({}, 60.0),
    ],
)
def test_v3_waits_for_the_window(headers: dict[str, str], wait_s: float) -> None:
    failed = v3.judge("GET /produtos", answer(None, 429, **headers))
    assert failed and failed.wait_s == wait_s


def test_v3_success() -> None:
    assert v3.judge("GET /produtos", answer({"itens": []})) is None
    assert v3.judge("GET /produtos/{id}/kit", answer([])) is None
    assert v3.judge("PUT /produtos/{id}", answer(None, 204)) is None


def test_an_unreadable_answer_is_described_without_its_content() -> None:
    reply = Answer(200, {"content-type": "text/html"}, b"<html>segredo</html>", UNREADABLE)
    for judge in (v2.judge, v3.judge):
        failed = judge("GET /produtos", reply)
        assert failed and failed.detail == "text/html, 20 bytes"
