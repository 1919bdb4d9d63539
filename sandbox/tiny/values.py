"""How API v2 writes values: as its samples do (`clean`) or drifting from row to row (`messy`).

`reference/tiny.md` §2.6: ids as number or text, decimals with 2, 3, 4 or 10 places as number or text, `codigo`
as a number when it looks like one, absent collections as "", null, [] or missing.
"""

from collections.abc import Callable
from typing import Any


class Values:
    """The value types of one row; messy ones depend on its id only, so that an answer repeats itself."""

    __slots__ = ("lost_zeros", "variant")

    def __init__(self, product_id: int, messy: bool, lost_zeros: bool) -> None:
        # -1 is clean; 0 to 3 are four ways to be messy.
        self.variant = (product_id // 7) % 4 if messy else -1
        self.lost_zeros = lost_zeros

    def ident(self, value: int, clean: Callable[[int], Any]) -> Any:
        """Return an id, as `clean` (int or str) would write it when the types are clean."""
        if self.variant < 0:
            return clean(value)
        return str(value) if self.variant % 2 else value

    def number(self, value: float, places: int) -> Any:
        """Return a decimal: text with at least `places` decimals, or what the variant does."""
        if self.variant == 1:
            return int(value) if value == int(value) else value
        if self.variant == 2:
            return f"{value:.10f}"
        if self.variant == 3:
            return decimal(value, 4)
        return decimal(value, places)

    def balance(self, value: float) -> Any:
        """Return a stock figure: a number, or text in two of the messy variants."""
        if self.variant in (0, 2):
            return decimal(value, 2)
        return int(value) if value == int(value) else value

    def sku(self, code: str) -> Any:
        """Return a SKU as rows of lists do: an int when it looks like a number."""
        plain = code.isascii() and code.isdigit() and len(code) < 19
        if plain and (self.lost_zeros or code == "0" or not code.startswith("0")):
            return int(code)
        return code

    def sku_in_detail(self, code: str) -> Any:
        """Return a SKU as produto.obter does: text, an int only in messy variants."""
        return self.sku(code) if self.variant in (1, 2) else code

    def status(self, clean: Any) -> Any:
        """Return `status_processamento` 3 as `clean` writes it, or the other type."""
        if self.variant < 0:
            return clean
        return "3" if self.variant % 2 else 3

    def collection(self, row: dict[str, Any], key: str, rows: list[Any], clean: Any) -> None:
        """Put a collection into a row; an empty one as `clean`, or "", null, [] or not at all."""
        if rows:
            row[key] = rows
        elif self.variant < 0:
            row[key] = clean
        elif self.variant < 3:
            row[key] = ("", None, [])[self.variant]


def decimal(value: float, places: int) -> str:
    """Write a number with at least `places` decimals, more (up to 10) when it has more."""
    text = f"{value:.{places}f}"
    if float(text) == value:
        return text
    return f"{value:.10f}".rstrip("0")
