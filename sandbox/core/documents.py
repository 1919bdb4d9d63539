"""Brazilian documents and invoice keys: check digits, masks."""

import re

_MOD11 = (2, 3, 4, 5, 6, 7, 8, 9)


def cnpj(number: int) -> str:
    """Return an invented CNPJ (14 digits) with right check digits; the same number gives the same CNPJ."""
    body = f"{91_000_000 + number:08d}0001"
    for _ in range(2):
        body += cnpj_digit(body)
    return body


def cnpj_digit(body: str) -> str:
    """Return the next check digit of a CNPJ; letters count as in the alphanumeric CNPJ (code minus 48)."""
    rest = _weighted(body) % 11
    return "0" if rest < 2 else str(11 - rest)


def cpf(number: int) -> str:
    """Return an invented CPF (11 digits) with right check digits."""
    body = f"{number % 1_000_000_000:09d}"
    for _ in range(2):
        total = sum(int(c) * (len(body) + 1 - at) for at, c in enumerate(body))
        rest = total % 11
        body += "0" if rest < 2 else str(11 - rest)
    return body


def key_digit(body: str) -> str:
    """Return the check digit of an access key without it (43 characters)."""
    rest = _weighted(body) % 11
    return "0" if rest < 2 else str(11 - rest)


def plain(document: str) -> str:
    """Return a document without its mask."""
    return re.sub(r"[^0-9A-Za-z]", "", document).upper()


def masked(document: str) -> str:
    """Return a CPF or CNPJ with its mask; anything else as it is."""
    text = plain(document)
    if len(text) == 11:
        return f"{text[:3]}.{text[3:6]}.{text[6:9]}-{text[9:]}"
    if len(text) == 14:
        return f"{text[:2]}.{text[2:5]}.{text[5:8]}/{text[8:12]}-{text[12:]}"
    return document


def _weighted(body: str) -> int:
    return sum((ord(c) - 48) * _MOD11[at % 8] for at, c in enumerate(reversed(body)))
