"""Codes, numbers and texts of the situations of orders and invoices (`reference/tiny.md` §3.9, §3.10)."""

import re
import unicodedata

#: Code of v2, number of v3, texts v2 reads show: that of pedido.obter first, then the variants seen.
ORDER_SITUATIONS = (
    ("dados_incompletos", 8, ("Dados incompletos",)),
    ("aberto", 0, ("Em aberto", "Aberto")),
    ("aprovado", 3, ("Aprovado",)),
    ("preparando_envio", 4, ("Preparando envio",)),
    ("faturado", 1, ("Faturado", "Atendido", "Faturado (atendido)")),
    ("pronto_envio", 7, ("Pronto para envio",)),
    ("enviado", 5, ("Enviado",)),
    ("entregue", 6, ("Entregue",)),
    ("cancelado", 2, ("Cancelado",)),
    ("nao_entregue", 9, ("Não entregue",)),
)
CODES = tuple(code for code, _, _ in ORDER_SITUATIONS)
NUMBERS = {code: number for code, number, _ in ORDER_SITUATIONS}
BY_NUMBER = {number: code for code, number, _ in ORDER_SITUATIONS}
TEXTS = {code: texts for code, _, texts in ORDER_SITUATIONS}

LONGEST = 15
PENDING, CANCELLED, REJECTED, AUTHORIZED, PRINTED, DENIED = 1, 3, 5, 6, 7, 10
INVOICE_TEXTS = {
    1: "Pendente",
    2: "Emitida",
    3: "Cancelada",
    4: "Enviada - Aguardando recibo",
    5: "Rejeitada",
    6: "Autorizada",
    7: "Emitida DANFE",
    8: "Registrada",
    9: "Enviada - Aguardando protocolo",
    10: "Denegada",
}


def plain(text: str) -> str:
    """Return a text in lower case without accents, as far as two spellings of one thing are to be equal."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().strip().lower()


def read_situation(text: str) -> str | None:
    """Return the code meant by a code or a text of an order's situation, spaces or underlines; None = unknown."""
    return _WORDS.get(re.sub(r"[^a-z]+", "_", plain(text)).strip("_"))


def show_situation(code: str, how: str, row: bool, variant: int) -> str:
    """Return what v2 writes: the code, or a text; rows of searches and messy runs (`variant` ≥ 0) use variants."""
    texts = TEXTS[code]
    if how == "code":
        return code
    at = variant % len(texts) if variant >= 0 else min(1, len(texts) - 1) if row else 0
    shown = texts[at]
    return shown[:LONGEST] if how == "cut" else shown


_WORDS = {code: code for code in CODES}
for _code, _, _texts in ORDER_SITUATIONS:
    _WORDS |= {re.sub(r"[^a-z]+", "_", plain(text)).strip("_"): _code for text in _texts}
