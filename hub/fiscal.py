"""Brazilian fiscal codes: CPF, CNPJ, GTIN, NCM, CEP and the NF-e access key.

The only module that calls python-stdnum. Every function takes what a vendor or a person wrote and returns
the one normal form we store and compare, or raises `FiscalError`. All of these codes are text and stay
text: as numbers they lose their leading zeros, and since July 2026 a CNPJ, and with it an access key, may
hold letters.

A right check digit proves that a code may exist, not whose it is: the sum is taken modulo 11 and letters
count as `ord(c) - 48`, so 12ABC34501DE35 and 126BC34501DE35 are both "valid". Match on equality, never on
validity.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from stdnum import ean
from stdnum.br import cnpj as stdnum_cnpj
from stdnum.br import cpf as stdnum_cpf


class FiscalError(ValueError):
    """A fiscal code was refused.

    Attributes:
        field: which code was expected: "cpf", "cnpj", "document", "gtin", "ncm", "cep" or "access_key".
        received: what came. Personal data is masked: CPF and CNPJ, the last digits of a CEP, the issuer in
        a key.
        reason: for programs: "type", "empty", "characters", "length", "repeated", "check_digit", "range"
        (CEP);
            for a key also "uf", "month", "model", "issuer".
        detail: for people, in English: what is wrong.
    """

    def __init__(self, field: str, received: str, reason: str, detail: str) -> None:
        # All four reach `args`, from which the exception is rebuilt when it is pickled to another process.
        super().__init__(field, received, reason, detail)
        self.field = field
        self.received = received
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.field} {self.received!r} refused: {self.detail}. Valid: {_VALID[self.field]}."


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A checked NF-e or NFC-e access key, taken apart.

    Attributes:
        text: the 44 characters, upper case, without the `NFe` of the XML's Id.
        uf: the issuer's state as its two letters ("SP").
        year_month: month of issue, "YYYY-MM".
        issuer: CNPJ (14 characters) or CPF (11 digits) in normal form.
        model: "55" NF-e or "65" NFC-e.
        series: 0 to 999.
        number: the invoice's number; unique only per issuer, model and series.
        emission_type: "1" normal, the others are kinds of contingency.
    """

    text: str
    uf: str
    year_month: str
    issuer: str
    model: str
    series: int
    number: int
    emission_type: str


def cpf(text: str) -> str:
    """Return the CPF as 11 digits; blanks, dots and hyphens are dropped. Raises `FiscalError`."""
    received = mask_document(text)
    code = _code("cpf", text, received)
    if not _is_digits(code):
        _refuse("cpf", received, "characters", "it holds something other than digits")
    if len(code) != 11:
        _refuse("cpf", received, "length", f"it has {len(code)} digits")
    if _is_repeated(code):
        # Eleven equal digits satisfy the check digits, and stdnum lets 111.111.111-11 pass. Nobody holds one:
        # they are typed to get past a form.
        _refuse("cpf", received, "repeated", "it is one digit over and over")
    if not stdnum_cpf.is_valid(code):
        _refuse("cpf", received, "check_digit", "its check digits are wrong")
    return code


def cnpj(text: str) -> str:
    """Return the CNPJ as 14 characters, upper case, unmasked. Raises `FiscalError`.

    Twelve digits or letters and two check digits; all 26 letters are allowed.
    """
    received = mask_document(text)
    code = _code("cnpj", text, received)
    if not code.isalnum():
        _refuse("cnpj", received, "characters", "it holds something other than digits and letters")
    if len(code) != 14:
        _refuse("cnpj", received, "length", f"it has {len(code)} characters")
    if not _is_digits(code[12:]):
        _refuse("cnpj", received, "characters", "its two check digits are not digits")
    if _is_repeated(code) or _is_repeated(code[:12] + "0"):
        _refuse("cnpj", received, "repeated", "it is one character over and over")
    if not stdnum_cnpj.is_valid(code):
        _refuse("cnpj", received, "check_digit", "its check digits are wrong")
    return code


def document(text: str) -> str:
    """Return a CPF (11) or a CNPJ (14 characters) in normal form, told apart by length. Raises `FiscalError`.

    The error's field is "cpf" or "cnpj" where the length says which was meant, otherwise "document".
    """
    received = mask_document(text)
    code = _code("document", text, received)
    if len(code) == 11:
        return cpf(code)
    if len(code) == 14:
        return cnpj(code)
    return _refuse("document", received, "length", f"it has {len(code)} characters")


def mask_document(text: object) -> str:
    """Hide a CPF or CNPJ for logs and errors, whether it is valid or not: "***.***.***-25".

    Only the check digits stay. The usual mask that shows the six middle digits leaves a thousand candidates
    for a CPF. Anything that is neither 11 nor 14 characters long is hidden wholly; what is not text becomes
    its type.
    """
    if not isinstance(text, str):
        return f"<{type(text).__name__}>"
    code = _compact(text)
    if len(code) == 11:
        return f"***.***.***-{code[-2:]}"
    if len(code) == 14:
        return f"**.***.***/****-{code[-2:]}"
    return "*" * min(len(code), 18)


def gtin(text: str | None) -> str | None:
    """Return the GTIN-8, -12, -13 or -14 as long as it came, or None for "no GTIN". Raises `FiscalError`.

    None, the empty text and "SEM GTIN" (what an NF-e wants there) mean none. Zeros in front are kept, because
    stores show the code as it was given: compare by `gtin_key`, never by this text.
    """
    if text is None:
        return None
    received = _shown(text)
    code = _code("gtin", text, received, may_be_empty=True)
    if code in {"", "SEMGTIN"}:
        return None
    if not _is_digits(code):
        _refuse("gtin", received, "characters", "it holds something other than digits")
    if len(code) not in {8, 12, 13, 14}:
        _refuse(
            "gtin",
            received,
            "length",
            f"it has {len(code)} digits (was a leading zero lost in a spreadsheet?)",
        )
    if not code.strip("0"):
        _refuse("gtin", received, "repeated", "it is all zeros")
    if not ean.is_valid(code):
        _refuse("gtin", received, "check_digit", "its check digit is wrong")
    return code


def gtin_key(text: str | None) -> str | None:
    """Return what two spellings of one GTIN have in common: 14 digits, zeros in front; None for "no GTIN".

    "036000291452" (UPC) and "0036000291452" (the same as EAN-13) have one key. Raises `FiscalError`.
    """
    code = gtin(text)
    return None if code is None else code.zfill(14)


def ncm(text: str | None) -> str | None:
    """Return the NCM as 8 digits without dots ("8471.30.12" → "84713012"), or None where there is none.

    An NCM has no check digit: this checks the shape, not that the code is in today's table. Raises
    `FiscalError`.
    """
    if text is None:
        return None
    received = _shown(text)
    code = _code("ncm", text, received, may_be_empty=True)
    if not code:
        return None
    if not _is_digits(code):
        _refuse("ncm", received, "characters", "it holds something other than digits")
    if len(code) != 8:
        _refuse("ncm", received, "length", f"it has {len(code)} digits")
    return code


def cep(text_or_int: str | int) -> str:
    """Return the postal code as 8 digits ("01310-100" → "01310100"). Raises `FiscalError`.

    Some stores send it as a JSON number, which drops the leading zero of São Paulo's codes: a number of 7
    digits is padded, a text of 7 digits is refused, because there nothing says which digit is missing.
    """
    if isinstance(text_or_int, int) and not isinstance(text_or_int, bool):
        code = f"{text_or_int:08d}" if text_or_int >= 1_000_000 else str(text_or_int)
    else:
        code = _code("cep", text_or_int, _mask_cep(text_or_int))
    received = _mask_cep(code)
    if not _is_digits(code):
        _refuse("cep", received, "characters", "it holds something other than digits")
    if len(code) != 8:
        _refuse("cep", received, "length", f"it has {len(code)} digits")
    if code < "01000000":
        _refuse("cep", received, "range", "no postal code is lower than 01000-000")
    return code


def access_key(text: str) -> AccessKey:
    """Check the 44-character access key of an NF-e or NFC-e and take it apart. Raises `FiscalError`.

    Drops the `NFe` of the XML's Id, blanks and hyphens, and makes letters upper case. Checks the check
    digit (NT Conjunta DFe 2025.001, item 5: `ord(c) - 48` in the modulo 11), the state, the month, the
    model, and the issuer's own check digits. Whether the issuer is the merchant, the caller has to compare.
    """
    received = _mask_key(text)
    code = _code("access_key", text, received).removeprefix("NFE")
    if len(code) != 44:
        _refuse("access_key", received, "length", f"it has {len(code)} characters")
    if not _KEY.fullmatch(code):
        _refuse("access_key", received, "characters", "it holds letters or signs where only digits may be")
    if code[43] != _key_digit(code[:43]):
        _refuse("access_key", received, "check_digit", "its check digit is wrong")
    if code[:2] not in _STATES:
        _refuse("access_key", received, "uf", f"{code[:2]} is no state's IBGE code")
    if not "01" <= code[4:6] <= "12":
        _refuse("access_key", received, "month", f"{code[4:6]} is no month")
    if code[20:22] not in {"55", "65"}:
        _refuse("access_key", received, "model", f"model {code[20:22]} is neither an NF-e (55) nor an NFC-e (65)")
    series = int(code[22:25])
    issuer = _issuer(code[6:20], series)
    if issuer is None:
        _refuse("access_key", received, "issuer", "the issuer's CNPJ or CPF in it has wrong check digits")
    return AccessKey(
        text=code,
        uf=_STATES[code[:2]],
        year_month=f"20{code[2:4]}-{code[4:6]}",
        issuer=issuer,
        model=code[20:22],
        series=series,
        number=int(code[25:34]),
        emission_type=code[34],
    )


_VALID = {
    "cpf": "11 digits with right check digits, with or without dots and hyphen",
    "cnpj": "12 digits or letters and 2 check digits, with or without dots, slash and hyphen",
    "document": "a CPF of 11 digits or a CNPJ of 14 digits or letters",
    "gtin": 'a text of 8, 12, 13 or 14 digits with a right check digit, or "SEM GTIN" or empty for none',
    "ncm": "a text of 8 digits, with or without dots, or empty for none",
    "cep": "a text of 8 digits, with or without hyphen, or a number of 7 or 8 digits",
    "access_key": "the 44 characters of an NF-e or NFC-e key, with or without NFe in front",
}

# IBGE's state codes, the first two characters of a key.
_STATES = {
    **{"11": "RO", "12": "AC", "13": "AM", "14": "RR", "15": "PA", "16": "AP", "17": "TO"},
    **{
        "21": "MA",
        "22": "PI",
        "23": "CE",
        "24": "RN",
        "25": "PB",
        "26": "PE",
        "27": "AL",
        "28": "SE",
        "29": "BA",
    },
    **{"31": "MG", "32": "ES", "33": "RJ", "35": "SP", "41": "PR", "42": "SC", "43": "RS"},
    **{"50": "MS", "51": "MT", "52": "GO", "53": "DF"},
}

# The type of the key in the official schema, tiposBasico_v4.00.
_KEY = re.compile(r"[0-9]{6}[0-9A-Z]{12}[0-9]{26}")

# What people put between the groups of a code. The longer ones come from word processors.
_SEPARATORS = ".-/\u2010\u2011\u2012\u2013\u2014\u2212"


def _code(field: str, text: object, received: str, *, may_be_empty: bool = False) -> str:
    """Return the text without separators, in upper case and surely ASCII."""
    if text is None:
        _refuse(field, "", "empty", "there is none")
    if not isinstance(text, str):
        _refuse(field, received, "type", f"it came as {type(text).__name__}, not as text")
    code = _compact(text)
    if not code and not may_be_empty:
        _refuse(field, "", "empty", "it is empty")
    # str.upper() turns some foreign letters into ASCII ones ("ı" into "I", "ß" into "SS"): refuse them
    # before that.
    if not code.isascii():
        _refuse(field, received, "characters", "it holds characters that are neither digits nor plain letters")
    return code.upper()


def _compact(text: str) -> str:
    return "".join(char for char in text if not char.isspace() and char not in _SEPARATORS)


def _refuse(field: str, received: str, reason: str, detail: str) -> NoReturn:
    raise FiscalError(field, received, reason, detail)


def _is_digits(code: str) -> bool:
    return code.isascii() and code.isdigit()


def _is_repeated(code: str) -> bool:
    return len(set(code)) == 1


def _shown(text: object) -> str:
    """What came, cut so that a whole page pasted into the field does not fill the log."""
    if not isinstance(text, str):
        return f"<{type(text).__name__}>"
    return text if len(text) <= 40 else f"{text[:40]}…"


def _mask_cep(text: object) -> str:
    """The first five digits name a district and stay; the last three can name one building."""
    if not isinstance(text, str):
        return f"<{type(text).__name__}>"
    code = _compact(text)
    return f"{code[:5]}***" if _is_digits(code) else "*" * min(len(code), 8)


def _mask_key(text: object) -> str:
    """Hide the issuer, who may be a person, and leave what the merchant needs to find the invoice."""
    if not isinstance(text, str):
        return f"<{type(text).__name__}>"
    code = _compact(text).upper().removeprefix("NFE")
    if len(code) == 44:
        return f"{code[:6]}{'*' * 14}{code[20:]}"
    return "*" * min(len(code), 50)


def _key_digit(body: str) -> str:
    """Check digit of the first 43 characters: from right to left times 2 to 9 and again from 2, modulo 11."""
    total = sum((ord(char) - 48) * (2 + place % 8) for place, char in enumerate(reversed(body)))
    rest = total % 11
    return "0" if rest < 2 else str(11 - rest)


def _issuer(code: str, series: int) -> str | None:
    """Read the 14 characters of the issuer: a CNPJ, or 000 and a CPF.

    A CPF that begins with 00 always reads as a well-formed CNPJ too: with zeros in front, both sums are the
    same. So the series decides which reading comes first (NT 2018.001: 910 to 969 belong to CPF issuers, 890
    to 899 to both, the others to CNPJs); the other one is taken where the first fails.
    """
    readings: list[tuple[bool, str]] = [
        (stdnum_cnpj.is_valid(code), code),
        (code.startswith("000") and stdnum_cpf.is_valid(code[3:]) and not _is_repeated(code[3:]), code[3:]),
    ]
    if 910 <= series <= 969:
        readings.reverse()
    return next((reading for valid, reading in readings if valid), None)
