"""Tiny v3's answers as outcomes, by HTTP status (`reference/tiny.md §4.2`, `§4.3`)."""

from typing import Any

from providers.contract import CallFailed, Outcome
from providers.http import UNREADABLE, Answer, described, status_failure
from providers.tiny_parse import many, one, text


def judge(operation: str, answer: Answer) -> CallFailed | None:
    """What went wrong in an answer, or None for `ok`. Operations are named `GET /produtos/{id}`.

    A 400 on a read is repeated unless it names the field that it dislikes: v3 answers some reads with a spurious 400
    under load [R], and what we ask with is ids that came from it and dates that we wrote. On a write it is a refusal
    always.
    """
    if 200 <= answer.status < 300:
        missing = answer.payload is UNREADABLE or (answer.payload is None and answer.status != 204)
        return _failed(operation, answer, Outcome.RETRY, "unreadable", described(answer)) if missing else None
    if answer.status == 400:
        return _refused(operation, answer)
    if answer.status == 404:
        return _failed(operation, answer, Outcome.REJECTED, "not_found", _message(answer))
    return status_failure(operation, answer, slow_down_s=_reset_s(answer), detail=_message(answer))


def _refused(operation: str, answer: Answer) -> CallFailed:
    """`{mensagem, detalhes: [{campo, mensagem}]}`; `detalhes` may be null."""
    if operation.startswith("GET ") and not _details(answer):
        return _failed(operation, answer, Outcome.RETRY, "server", _message(answer))
    return _failed(operation, answer, Outcome.REJECTED, "validation", _message(answer))


def _failed(operation: str, answer: Answer, outcome: Outcome, reason: str, detail: str) -> CallFailed:
    return CallFailed(outcome, reason, operation=operation, status=answer.status, detail=detail)


def _message(answer: Answer) -> str:
    said = [text(one(answer.payload).get("mensagem"))]
    said += [f"{text(row.get('campo'))}: {text(row.get('mensagem'))}" for row in _details(answer)]
    return "; ".join(part for part in said if part) or described(answer)


def _details(answer: Answer) -> list[dict[str, Any]]:
    return [row for row in many(one(answer.payload).get("detalhes")) if isinstance(row, dict)]


def _reset_s(answer: Answer) -> float:
    """Seconds until the window begins anew; a whole one where it is not told."""
    for name in ("X-RateLimit-Reset", "Retry-After"):
        told = answer.headers.get(name, "")
        if told.isascii() and told.isdigit():
            return min(60.0, max(1.0, float(told)))
    return 60.0
