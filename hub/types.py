"""Column types that mean the same on SQLite and on PostgreSQL."""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Numeric, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine

Json = JSON().with_variant(JSONB(), "postgresql")
"""A document; `jsonb` on PostgreSQL, text on SQLite."""


class Exact(TypeDecorator[Decimal]):
    """An exact decimal of up to 10 places, in plain notation; further places are rounded half-up.

    SQLite has no decimal type: its NUMERIC turns 0.1 into a binary float on the way in. There the value is kept as
    text, which compares for equality only, so it is stored without trailing zeros.
    """

    impl = Numeric(24, 10)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite, NUMERIC elsewhere."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(40))
        return dialect.type_descriptor(Numeric(24, 10))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Refuse a float, which has lost the centavo before it gets here."""
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError(f"an exact number was expected, a Decimal; received {type(value).__name__}: {value!r}")
        if not value.is_finite():
            raise TypeError(f"an exact number was expected, a finite Decimal; received {value}")
        rounded = _rounded(value)
        return plain(rounded) if dialect.name == "sqlite" else rounded

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """A Decimal without trailing zeros, whichever database it comes from."""
        return None if value is None else Decimal(plain(Decimal(value)))


class Moment(TypeDecorator[datetime]):
    """A point in time: aware, stored in UTC, read back in UTC.

    SQLite keeps no zone, so a naive value would come back as if it were local; naive values are refused instead.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC, without the zone on SQLite."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError(f"an aware time was expected; received {value.isoformat()} without a zone")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _rounded(value: Decimal) -> Decimal:
    """The number with at most the 10 places that an `Exact` column keeps."""
    places = value.as_tuple().exponent
    return value.quantize(_TEN_PLACES, context=_ROUNDING) if isinstance(places, int) and places < -10 else value


def plain(value: Decimal) -> str:
    """The number without exponent and without trailing zeros: `150.0000` and `1.5E+2` are both `150`."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


_TEN_PLACES = Decimal("1e-10")
_ROUNDING = Context(prec=60, rounding=ROUND_HALF_UP)
