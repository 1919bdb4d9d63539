"""Money in reais and the percentage rule.

An amount is a `Decimal` with two places. Every calculation is done exactly and rounded **once, at its end,
half-up** (R$ 0,005 becomes R$ 0,01, and −0,005 becomes −0,01), which is what the merchant's pocket
calculator and invoice do. `float` is refused everywhere: 1.005 as a float is 1.00499999999999989…, and
half-up makes 1.00 of it. JSON that carries prices as numbers must be read with `json.loads(...,
parse_float=Decimal)`.
"""

import re
from decimal import ROUND_HALF_UP, Context, Decimal

PERCENT_MIN = Decimal(-90)
"""A price is never cut by more than 90 %: -100 would give the goods away."""
PERCENT_MAX = Decimal(500)


class MoneyError(ValueError):
    """An amount or a percentage was refused.

    Attributes:
        received: what came, cut at 40 characters.
        reason: for programs: "type", "empty", "locale", "syntax", "not_finite", "too_long", "too_large",
            "range", "places", "parts".
        detail: for people, in English: what is wrong and what is valid.
    """

    def __init__(self, received: str, reason: str, detail: str) -> None:
        # All of it reaches `args`, from which the exception is rebuilt when it is pickled to another process.
        super().__init__(received, reason, detail)
        self.received = received
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.received} refused: {self.detail}."


def money(value: str | int | Decimal) -> Decimal:
    """Return an amount in reais with exactly two places, rounded half-up; never minus zero.

    A text is read as vendors write it, with a dot for the decimals and nothing for thousands ("150.0000").
    So "1.234" is one real and 23 centavos; "1.234,56" is refused. Raises `MoneyError`, also from 10^13
    reais on, the width of the column (decimal(15,2)).
    """
    return _round(_number(value), _CENTAVO)


def unit_price(value: str | int | Decimal) -> Decimal:
    """Return a vendor's unit price with what it needs of at most 10 decimals, and at least two.

    "36.3200000000" becomes 36.32 and "0.0345" stays. More than 10 decimals are rounded half-up. Raises
    `MoneyError`.
    """
    exact = _round(_number(value), _TEN_PLACES)
    short = exact.normalize(_EXACT)
    places = short.as_tuple().exponent
    return short if isinstance(places, int) and places < -2 else _round(exact, _CENTAVO)


def percent(value: str | int | Decimal) -> Decimal:
    """Return an adjustment in percent with two places, from -90 to +500. Raises `MoneyError`.

    More than two decimals are refused, not rounded: the merchant must see the percentage that is applied.
    """
    number = _number(value)
    if not PERCENT_MIN <= number <= PERCENT_MAX:
        raise MoneyError(_shown(value), "range", f"a percentage lies between {PERCENT_MIN} and +{PERCENT_MAX}")
    rounded = _round(number, _CENTAVO)
    if rounded != number:
        raise MoneyError(_shown(value), "places", "a percentage has at most two decimals")
    return rounded


def adjust(price: Decimal, percent: Decimal) -> Decimal:
    """Return the price raised (by a negative percentage: lowered), with two places, half-up.

    price x (1 + percent/100), exact until the one rounding at the end. 0 % leaves a two-place price as it
    is; a price with more places is rounded. Raises `MoneyError` for a percentage that `percent()` refuses
    and for a result too large for `money()`.
    """
    factor = _EXACT.add(Decimal(100), _checked_percent(percent))
    exact = _EXACT.multiply(_number(price), factor)
    return _round(_EXACT.scaleb(exact, -2), _CENTAVO)


def brl(value: str | int | Decimal) -> str:
    """Write an amount as Brazilians read it: "R$ 1.234,50", "-R$ 1,00", with a no-break space after the R$.

    Rounds half-up first. Raises `MoneyError`.
    """
    amount = money(value)
    sign = "-" if amount < 0 else ""
    return f"{sign}R$\u00a0{amount.copy_abs():,.2f}".translate(_SWAP_MARKS)


def split(total: Decimal, parts: int) -> list[Decimal]:
    """Divide an amount into instalments whose sum is the amount to the centavo.

    They differ by one centavo at most, the greater ones first (100 in 3: 33.34, 33.33, 33.33). With fewer
    centavos than parts the last ones are zero. Raises `MoneyError` for less than one part, and for a total
    with more than two places, because no sum of instalments could equal it.
    """
    if isinstance(parts, bool) or not isinstance(parts, int) or parts < 1:
        raise MoneyError(_shown(parts), "parts", "instalments are counted by a whole number from 1 on")
    amount = money(total)
    if amount != total:
        raise MoneyError(_shown(total), "places", "the total of instalments has at most two decimals")
    centavos = int(_EXACT.scaleb(amount, 2))
    sign = -1 if centavos < 0 else 1
    each, left_over = divmod(abs(centavos), parts)
    return [
        money(_EXACT.scaleb(Decimal(sign * (each + (1 if place < left_over else 0))), -2)) for place in range(parts)
    ]


# Another library may change the thread's decimal context (precision, rounding, traps); ours stays.
_EXACT = Context(prec=100, rounding=ROUND_HALF_UP)
_CENTAVO = Decimal("0.01")
_TEN_PLACES = Decimal("1e-10")
_LIMIT = Decimal("9999999999999.995")  # From here on the rounded amount has 14 digits before the dot.
_DIGITS_MAX = 60
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
_LOCALE = re.compile(r"[+-]?\s*(R\$)?\s*[+-]?[0-9][0-9.\s]*,[0-9]*")
_SWAP_MARKS = str.maketrans(",.", ".,")
_checked_percent = percent


def _number(value: object) -> Decimal:
    """Read a finite number, exactly."""
    if isinstance(value, str):
        number = _read(value)
    elif isinstance(value, Decimal):
        number = value
    elif isinstance(value, int) and not isinstance(value, bool):
        number = Decimal(value)
    else:
        why = "it must be text, int or Decimal"
        if isinstance(value, float):
            why += "; a float has already lost the exact amount: read the JSON with parse_float=Decimal"
        raise MoneyError(_shown(value), "type", why)
    if not number.is_finite():
        raise MoneyError(_shown(value), "not_finite", "it must be a finite number")
    if len(number.as_tuple().digits) > _DIGITS_MAX:
        raise MoneyError(_shown(value), "too_long", f"it must have at most {_DIGITS_MAX} digits")
    return number


def _read(text: str) -> Decimal:
    stripped = text.strip()
    if not stripped:
        raise MoneyError(_shown(text), "empty", "there is no number in it; decide before what empty means here")
    # Decimal() by itself takes "1_000", "1e3", "Infinity" and Arabic-Indic digits.
    if _NUMBER.fullmatch(stripped):
        return Decimal(stripped)
    if _LOCALE.fullmatch(stripped):
        why = 'it is written in the Brazilian way; write decimals with a dot and no thousands mark ("1234.56")'
        raise MoneyError(_shown(text), "locale", why)
    raise MoneyError(_shown(text), "syntax", 'valid are digits with an optional sign and decimal dot ("1234.56")')


def _round(number: Decimal, step: Decimal) -> Decimal:
    if number.copy_abs() >= _LIMIT:
        raise MoneyError(_shown(number), "too_large", "an amount must be below 10,000,000,000,000.00 in size")
    rounded = number.quantize(step, context=_EXACT)
    return rounded.copy_abs() if rounded.is_zero() else rounded


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
