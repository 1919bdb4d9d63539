"""Numbers as the API writes them."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def exact(value: float) -> Decimal:
    """Return a number as it was written."""
    return Decimal(str(value))


def money(value: float | Decimal) -> float:
    """Return a sum rounded to centavos, as a JSON number."""
    return number(float(exact(float(value)).quantize(CENT, ROUND_HALF_UP)))


def number(value: float) -> float:
    """Return a number without the noise of binary sums; whole ones as whole numbers."""
    rounded = round(float(value), 6)
    return int(rounded) if rounded.is_integer() else rounded
