"""TagPlus's answers as outcomes, by HTTP status and `error_code` (`reference/tagplus.md §2.5`, `§3`, `§5`)."""

from collections.abc import Mapping
from typing import Any

from providers.contract import CallFailed, Outcome
from providers.http import UNREADABLE, Answer, described, status_failure
from providers.slowing import SlowingJudge
from providers.tiny_parse import many, one, text

READ_XML = "GET /nfes/gerar_link_xml/{id}"
"""The one operation whose answer may be XML, a link to it, or a redirect: which, nobody tells (`§9.1`)."""

_NO_SCOPE = frozenset(("escopo_nao_autorizado",))
_NO_TOKEN = frozenset(("invalid_token", "invalid_request"))
"""Of Kong, which guards the API: `invalid_request` is said of a token that is missing."""


class Judge(SlowingJudge):
    """What went wrong in an answer, or None for `ok`. Operations are named `GET /produtos/{id}`."""

    def judged(self, operation: str, answer: Answer) -> CallFailed | None:
        """What an answer other than 429 means."""
        return judge(operation, answer)

    def told_wait(self, headers: Mapping[str, str]) -> float | None:
        """The seconds to wait, where a 429 tells any."""
        return told_wait(headers)

    def said(self, answer: Answer) -> str:
        """The vendor's own sentence."""
        return said(answer)


def judge(operation: str, answer: Answer) -> CallFailed | None:
    """What an answer other than 429 means, or None for `ok`."""
    status, code = answer.status, error_code(answer)
    if 200 <= status < 300:
        return None if _is_readable(operation, answer) else _failed(operation, answer, Outcome.RETRY, "unreadable")
    if operation == READ_XML and 300 <= status < 400 and answer.headers.get("location"):
        return None
    if status in (401, 403) and code in _NO_SCOPE:
        return _failed(operation, answer, Outcome.REJECTED, "permission", code)
    if status == 401 and (not code or code in _NO_TOKEN):
        return _failed(operation, answer, Outcome.REAUTH, "token", code)
    if status == 402:
        return _failed(operation, answer, Outcome.REJECTED, "debt", code)
    if status == 404 and ("{" in operation or (code == "nao_encontrado" and operation.startswith("GET "))):
        return _failed(operation, answer, Outcome.REJECTED, "not_found", code)
    if code and status in (400, 401, 403, 404, 422):
        # `permissao_*`, `apagar_*_vinculado`, `operacao_nao_permitida`: of this record or of what was to be done with
        # it. The list grows (`§5`), so a word that is not known is one of them too.
        failed = _failed(operation, answer, Outcome.REJECTED, "validation", code)
        failed.missing = _missing(answer) if code == "nao_encontrado" and operation == "POST /pedidos" else ""
        return failed
    return status_failure(operation, answer, slow_down_s=1.0, detail=said(answer))


def error_code(answer: Answer) -> str:
    """The answer's machine word: `error_code` of the API, `error` of its gateway; '' for none or one cut short."""
    told = one(answer.payload)
    code = text(told.get("error_code")) or text(told.get("error"))
    return code if code.isascii() and code.replace("_", "").isalnum() else ""


def said(answer: Answer) -> str:
    """The vendor's own sentences, those about single fields among them, or what the answer looked like.

    `message` is for people and `dev_message` is not; `errors[]` are a schema validator's, `data[]` names fields.
    Sentences change: they are shown and never branched on.
    """
    told = one(answer.payload)
    parts = [_worded(told.get(name)) for name in ("message", "error_description", "mensagem")]
    parts += [_field_error(row) for row in many(told.get("errors"))]
    fields = dict.fromkeys(text(one(row).get("field")) for row in many(told.get("data")))
    named = ", ".join(field for field in fields if field)
    parts.append(f"campos: {named}" if named else "")
    return "; ".join(dict.fromkeys(part for part in parts if part)) or error_code(answer) or described(answer)


def told_wait(headers: Mapping[str, str]) -> float | None:
    """The seconds that a 429 asks to wait; None where it does not tell, or tells a date."""
    for name in ("Retry-After", "RateLimit-Reset", "X-RateLimit-Reset"):
        told = headers.get(name, "").strip()
        if told.isascii() and told.isdigit() and len(told) < 6:
            return float(told)
    return None


def _missing(answer: Answer) -> str:
    """The kind of the record that an order names and that is not there, by the field that the answer names (`§5`)."""
    fields = [text(one(row).get("field")).lower() for row in many(one(answer.payload).get("data"))]
    found = (kind for field in fields for word, kind in _NAMED.items() if word in field)
    return next(found, "")


_NAMED = {"cliente": "customer", "produto": "product"}


def _field_error(row: Any) -> str:
    """`{message, dataPath}`: a missing key's path is that of the object, so the sentence stands with it."""
    told = one(row)
    words, path = _worded(told.get("message")), text(told.get("dataPath")).strip("/")
    return f"{words} ({path})" if words and path and path not in words else words


def _worded(value: Any) -> str:
    """A sentence; `...` is how the vendor's own samples leave one out."""
    words = text(value)
    return "" if words == "..." else words


def _is_readable(operation: str, answer: Answer) -> bool:
    if operation == READ_XML:
        return bool(answer.body.strip()) and not answer.body.lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith(_PAGES)
    if answer.payload is UNREADABLE:
        return False
    return answer.payload is not None or answer.status == 204 or operation.startswith(("PATCH ", "DELETE "))


_PAGES = (b"<!doctype", b"<html")
"""An error page in place of a note."""


def _failed(operation: str, answer: Answer, outcome: Outcome, reason: str, code: str = "") -> CallFailed:
    detail = described(answer) if reason == "unreadable" else said(answer)
    return CallFailed(outcome, reason, operation=operation, status=answer.status, code=code, detail=detail)
