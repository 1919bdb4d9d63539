"""Tiny v2's answers as outcomes (`reference/tiny.md §2.3` to `§2.5`).

Everything comes under HTTP 200, so the body decides; by its `codigo_erro` only, never by its texts, which change.
"""

from dataclasses import dataclass
from typing import Any

from providers.contract import CallFailed, Outcome
from providers.http import UNREADABLE, Answer, described, status_failure
from providers.tiny_notes import envelope, told_in
from providers.tiny_parse import many, text


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an error code means for us; `wait_s` is in the vendor's seconds."""

    outcome: Outcome
    reason: str
    wait_s: float | None = None


CODES = {
    "1": Meaning(Outcome.REAUTH, "token"),
    "2": Meaning(Outcome.REAUTH, "token"),
    "3": Meaning(Outcome.REJECTED, "validation"),
    "4": Meaning(Outcome.REJECTED, "validation"),
    "5": Meaning(Outcome.REAUTH, "blocked"),
    # The message asks for "some minutes"; the next minute is what the limits' page says.
    "6": Meaning(Outcome.SLOW_DOWN, "quota", 60.0),
    "7": Meaning(Outcome.REAUTH, "blocked"),
    "8": Meaning(Outcome.REAUTH, "blocked"),
    "9": Meaning(Outcome.REJECTED, "validation"),
    "10": Meaning(Outcome.REJECTED, "validation"),
    "11": Meaning(Outcome.SLOW_DOWN, "quota", 5.0),
    "20": Meaning(Outcome.REJECTED, "not_found"),
    "21": Meaning(Outcome.REJECTED, "validation"),
    "22": Meaning(Outcome.REJECTED, "validation"),
    "23": Meaning(Outcome.REJECTED, "validation"),
    "30": Meaning(Outcome.REJECTED, "validation"),
    "31": Meaning(Outcome.REJECTED, "validation"),
    "32": Meaning(Outcome.REJECTED, "not_found"),
    "33": Meaning(Outcome.REJECTED, "validation"),
    "34": Meaning(Outcome.REJECTED, "validation"),
    "35": Meaning(Outcome.RETRY, "server"),
    "99": Meaning(Outcome.RETRY, "maintenance", 30.0),
}

UPDATE_LISTS = frozenset(("lista.atualizacoes.produtos", "lista.atualizacoes.estoque"))
ROWS_IN = {
    "produtos.pesquisa": "produtos",
    **dict.fromkeys(UPDATE_LISTS, "produtos"),
    "pedidos.pesquisa": "pedidos",
    "notas.fiscais.pesquisa": "notas_fiscais",
}
LISTS = frozenset(ROWS_IN)
"""Where 20 (nothing found) and 23 (no such page) are answers like any other: no rows."""
NO_ROWS = frozenset(("20", "23"))
CREATES = frozenset(("pedido.incluir",))
"""Services that answer with a record each."""
CHANGES = frozenset(("pedido.alterar.situacao",))
"""Services that answer with a status alone. OK is no OK where the request was not processed (`§2.5`)."""
INVOICE_XML = "nota.fiscal.obter.xml"
"""The service that answers XML whatever is asked for (`§3.10`); its errors come in either."""
DUPLICATE = "30"

HELD_BY = {
    "info": "conta",
    "produto.obter": "produto",
    "produto.obter.estoque": "produto",
    "pedido.obter": "pedido",
    "nota.fiscal.obter": "nota_fiscal",
    **ROWS_IN,
}
"""The key that an OK of each operation must have: without it the answer was not the one to this question."""


def judge(operation: str, answer: Answer) -> CallFailed | None:
    """What went wrong in an answer, or None for `ok`."""
    if operation in CREATES:
        return judge_write(operation, answer)
    if failed := status_failure(operation, answer, slow_down_s=60.0):
        return failed
    told = _in_xml(answer) or retorno(answer) if operation == INVOICE_XML else retorno(answer)
    if isinstance(told, list):  # produtos.categorias.arvore: no status at all
        return None
    status, code = text(told.get("status")).casefold(), error_code(told)
    if code:
        return None if code in NO_ROWS and operation in LISTS else failure(operation, code, told)
    if operation in CHANGES and status == "ok" and text(told.get("status_processamento")) in ("1", "2"):
        return failure(operation, "", told)
    if status == "ok" and told.get(HELD_BY.get(operation, "status")) is not None:
        return None
    return CallFailed(Outcome.RETRY, "unreadable", operation=operation, status=answer.status, detail=described(answer))


def judge_write(operation: str, answer: Answer) -> CallFailed | None:
    """What went wrong in an answer to a write, or None when every record of it was taken.

    An OK counts only with at least one record in it and none that failed: a payload of which nothing was understood is
    answered OK, and so is one whose only record was refused (`§2.5`). Where some were taken and some were not
    (`status_processamento` 4), `records` tells each by its own.
    """
    if failed := status_failure(operation, answer, slow_down_s=60.0):
        return failed
    told = retorno(answer)
    if isinstance(told, list) or not text(told.get("status")):
        return CallFailed(
            Outcome.RETRY, "unreadable", operation=operation, status=answer.status, detail=described(answer)
        )
    rows = records(told)
    refused = [row for row in rows if text(row.get("status")).casefold() != "ok"]
    if code := error_code(told) or next((error_code(row) for row in refused if error_code(row)), ""):
        return failure(operation, code, next((row for row in refused if error_code(row)), told))
    done = text(told.get("status")).casefold() == "ok" and text(told.get("status_processamento")) in ("3", "4", "10")
    if done and rows and not refused:
        return None
    why = messages(refused[0] if refused else told) or "nothing of what was sent was understood"
    return CallFailed(Outcome.REJECTED, "validation", operation=operation, status=answer.status, detail=why)


def records(told: dict[str, Any]) -> list[dict[str, Any]]:
    """The records of a write's answer, from an object, a list, or a list within either (`§2.5`)."""
    return [row for row in many(told.get("registros"), "registro") if isinstance(row, dict)]


def failure(operation: str, code: str, told: dict[str, Any]) -> CallFailed:
    """What an error code means, with the vendor's own words.

    A code that the reference does not know is taken as a refusal. "Without access" (5) to an update list is the missing
    extension and not the account's end.
    """
    meaning = CODES.get(code, Meaning(Outcome.REJECTED, "validation"))
    if code == "5" and operation in UPDATE_LISTS:
        meaning = Meaning(Outcome.REJECTED, "permission")
    return CallFailed(
        meaning.outcome, meaning.reason, operation=operation, code=code, detail=messages(told), wait_s=meaning.wait_s
    )


def retorno(answer: Answer) -> dict[str, Any] | list[Any]:
    """The content of the envelope; {} where there is none."""
    payload = answer.payload
    if payload is UNREADABLE or not isinstance(payload, dict):
        return {}
    told = payload.get("retorno")
    return told if isinstance(told, (dict, list)) else {}


def _in_xml(answer: Answer) -> dict[str, Any]:
    """The envelope of an answer in XML; {} where it is none, or one that was cut."""
    root = envelope(answer.body) if answer.payload is UNREADABLE else None
    return told_in(root) if root is not None else {}


def error_code(told: dict[str, Any]) -> str:
    """`codigo_erro`, as text; '' for none."""
    code = text(told.get("codigo_erro"))
    return "" if code == "0" else code


def messages(told: dict[str, Any]) -> str:
    """`erros`, which is a list of wrapped texts, or one object."""
    return "; ".join(found for row in many(told.get("erros"), "erro") if (found := text(row)))
