"""Check digits of invented GTIN-13 codes."""


def gtin13(number: int) -> str:
    """Return a GTIN-13 with the Brazilian prefix 789 and a right check digit."""
    body = f"789{number % 1_000_000_000:09d}"
    return body + str(check_digit(body))


def check_digit(body: str) -> int:
    """Return the check digit of a GTIN without it (any length)."""
    total = sum(int(c) * (3 if at % 2 == 0 else 1) for at, c in enumerate(reversed(body)))
    return -total % 10
