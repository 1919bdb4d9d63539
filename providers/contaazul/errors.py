"""Conta Azul's answers as outcomes, by HTTP status (`reference/contaazul.md §3.3`, `§3.4`)."""

from collections.abc import Mapping
from typing import Any

from providers.contract import CallFailed, Outcome
from providers.http import UNREADABLE, Answer, described, status_failure
from providers.slowing import SlowingJudge
from providers.tiny_parse import many, one, text

READ_INVOICE = "GET /v1/notas-fiscais/{chave}"
"""The one operation whose answer is a document and no JSON: XML, or a ZIP."""

_DOCUMENTS = (b"<?xml", b"<nfeProc", b"<NFe", b"PK")


class Judge(SlowingJudge):
    """What went wrong in an answer, or None for `ok`. Operations are named `GET /v1/produtos/{id}`."""

    def judged(self, operation: str, answer: Answer) -> CallFailed | None:
        """What an answer other than 429 means."""
        return judge(operation, answer)

    def told_wait(self, headers: Mapping[str, str]) -> float | None:
        """The seconds to wait, where a 429 tells any."""
        return retry_after(headers)

    def said(self, answer: Answer) -> str:
        """The vendor's own sentence."""
        return said(answer)


def judge(operation: str, answer: Answer) -> CallFailed | None:
    """What an answer other than 429 means, or None for `ok`."""
    if 200 <= answer.status < 300:
        return None if _is_readable(operation, answer) else _failed(operation, answer, Outcome.RETRY, "unreadable")
    if answer.status == 404 and "{" in operation:
        return _failed(operation, answer, Outcome.REJECTED, "not_found")
    if answer.status == 403 and text(one(answer.payload).get("status_conta")).upper() == "END_TRIAL":
        return _failed(operation, answer, Outcome.REJECTED, "plan", "END_TRIAL")
    return status_failure(operation, answer, slow_down_s=1.0, detail=said(answer))


def said(answer: Answer) -> str:
    """The vendor's own sentence, whichever of its shapes it came in, or what the answer looked like.

    `{"error": "…"}` (products, people, notes), `{"code": 400, "message": "…"}` (finance, the shared 401); sales answer
    in either. Sentences are Portuguese and change: they are shown and never branched on.
    """
    told = one(answer.payload)
    parts = [_sentence(told.get(name)) for name in ("error", "message", "mensagem", "error_description", "detail")]
    parts += [_sentence(row) for name in ("errors", "erros", "details", "detalhes") for row in many(told.get(name))]
    return "; ".join(dict.fromkeys(part for part in parts if part)) or described(answer)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After, None where it is not told or is a date."""
    told = headers.get("Retry-After", "").strip()
    return float(told) if told.isascii() and told.isdigit() and len(told) < 6 else None


def _sentence(value: Any) -> str:
    if not isinstance(value, dict):
        return text(value)
    field = text(value.get("field") or value.get("campo"))
    words = text(value.get("message") or value.get("mensagem") or value.get("error"))
    return f"{field}: {words}" if field and words else words


def _is_readable(operation: str, answer: Answer) -> bool:
    if operation == READ_INVOICE:
        return answer.body.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(_DOCUMENTS)
    if answer.payload is UNREADABLE:
        return False
    return answer.payload is not None or answer.status == 204 or operation.startswith(("PATCH ", "DELETE "))


def _failed(operation: str, answer: Answer, outcome: Outcome, reason: str, code: str = "") -> CallFailed:
    detail = described(answer) if reason == "unreadable" else said(answer)
    return CallFailed(outcome, reason, operation=operation, status=answer.status, code=code, detail=detail)
