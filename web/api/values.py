"""The values of the store API's bodies: text that a database can hold, money and quantities as decimal text."""

import re
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, StringConstraints, WithJsonSchema

from hub import money
from hub.types import plain

_PLAIN_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")


def clean(text: str) -> str:
    """The text, if a database can hold it. Raises ValueError."""
    if "\x00" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("the text holds a character that cannot be stored (NUL, or half of a surrogate pair)")
    return text


def _name(text: str) -> str:
    if any(not letter.isprintable() for letter in text) or "/" in text:
        raise ValueError("valid are printable characters other than /")
    return text


def _sku(text: str) -> str:
    if any(not letter.isprintable() for letter in text):
        raise ValueError("valid are printable characters")
    return text


def _amount(value: object) -> Decimal:
    number = _number(value, whole=False)
    if money.money(number) != number:
        raise ValueError('an amount has two decimals at most, as "29.90"')
    return number


def _price(value: object) -> Decimal:
    number = _number(value, whole=False)
    if money.unit_price(number) != number:
        raise ValueError('a price has ten decimals at most, as "0.0345"')
    return number


def _quantity(value: object) -> Decimal:
    number = _number(value, whole=True)
    if money.unit_price(number) != number:
        raise ValueError("a quantity has ten decimals at most")
    return number


def _number(value: object, *, whole: bool) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if whole and isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if not isinstance(value, str):
        raise ValueError(f'it must be text with a decimal point, as "29.90"; received {type(value).__name__}')
    if not _PLAIN_NUMBER.fullmatch(value) or len(value) > 40:
        raise ValueError('valid are digits, with a decimal point where there is one, as "29.90": no sign, no comma')
    return Decimal(value)


def _centavos(value: Decimal) -> str:
    return f"{value:.2f}"


def _unit(value: Decimal) -> str:
    return format(money.unit_price(value), "f")


def _decimal(example: str, description: str) -> WithJsonSchema:
    return WithJsonSchema(
        {"type": "string", "format": "decimal", "examples": [example], "description": description}, mode=None
    )


Text = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(clean)]
Number = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_name)]
Sku = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_sku)]
Money = Annotated[
    Decimal,
    BeforeValidator(_amount),
    PlainSerializer(_centavos, when_used="json"),
    _decimal("29.90", "reais, two decimals"),
]
UnitPrice = Annotated[
    Decimal,
    BeforeValidator(_price),
    PlainSerializer(_unit, when_used="json"),
    _decimal("29.90", "reais, two to ten decimals"),
]
Quantity = Annotated[
    Decimal,
    BeforeValidator(_quantity),
    PlainSerializer(plain, when_used="json"),
    _decimal("2", "a whole number may be a JSON number"),
]
Uf = Annotated[str, StringConstraints(pattern=r"^([A-Z]{2})?$")]
Picture = Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2000), AfterValidator(clean)]
