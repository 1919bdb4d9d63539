"""Times: aware, in UTC inside, in America/Sao_Paulo where a vendor or a merchant reads them.

The ERPs write local times without an offset (`reference/tiny.md §2`, Conta Azul refuses one). Brazil has
had no daylight saving time since 2019, but orders and products from before still turn up, hence two rules
for the two odd hours of those years, both in `from_sao_paulo`.
"""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


def utcnow() -> datetime:
    """Return the present time, aware, in UTC, with microseconds."""
    return datetime.now(UTC)


def to_sao_paulo(dt: datetime) -> datetime:
    """Return the same instant as São Paulo's clocks show it. Raises `ValueError` for a naive time."""
    if dt.tzinfo is None:
        raise ValueError(f"received the naive time {dt.isoformat()}; valid is an aware one, such as clock.utcnow()")
    return dt.astimezone(SAO_PAULO)


def from_sao_paulo(naive: datetime) -> datetime:
    """Return the instant (aware, UTC) at which São Paulo's clocks showed this time.

    When summer time ended (say 2018-02-17, midnight), the hour before midnight came twice: the first one is
    meant (fold=0). A reader that asks for "changed since" thereby starts an hour early rather than an hour
    late. When it began (2018-11-04, midnight), the hour after midnight did not exist: the time is moved
    forward by that hour, so 00:30 is 01:30. Raises `ValueError` for a time that has a zone already or falls
    out of the years 1 to 9999.
    """
    if naive.tzinfo is not None:
        raise ValueError(f"received the aware time {naive.isoformat()}; valid is one without a zone")
    try:
        return naive.replace(tzinfo=SAO_PAULO, fold=0).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"received {naive.isoformat()}; in UTC that is out of the years 1 to 9999") from None


def parse_br(text: str | None) -> datetime | None:
    """Read "dd/mm/yyyy" or "dd/mm/yyyy hh:mm:ss" in São Paulo time; a date alone is its first moment.

    None, "", "00/00/0000" and "0000-00-00" (with or without a time) are how vendors write "no date": None.
    Raises `ValueError` for anything else.
    """
    return _parse(text, _BR, "dd/mm/yyyy or dd/mm/yyyy hh:mm:ss")


def parse_iso_br(text: str | None) -> datetime | None:
    """Read "YYYY-MM-DD" or "YYYY-MM-DD HH:MM:SS" in São Paulo time; "T" may part them, a fraction may follow.

    "No date" as in `parse_br`. A text with an offset or a Z names another zone and is refused: read that with
    `datetime.fromisoformat`. Raises `ValueError`.
    """
    return _parse(text, _ISO, "YYYY-MM-DD or YYYY-MM-DD HH:MM:SS, in São Paulo time without an offset")


def format_br(dt: datetime, *, time: bool = True) -> str:
    """Write an aware time as "dd/mm/yyyy hh:mm:ss" in São Paulo time, or the date alone. Cuts fractions."""
    local = to_sao_paulo(dt)
    date = f"{local.day:02d}/{local.month:02d}/{local.year:04d}"
    return f"{date} {local:%H:%M:%S}" if time else date


def format_iso_br(dt: datetime, *, time: bool = True) -> str:
    """Write an aware time as "YYYY-MM-DD HH:MM:SS" in São Paulo time, or the date alone. Cuts fractions."""
    local = to_sao_paulo(dt).replace(tzinfo=None)
    return local.isoformat(sep=" ", timespec="seconds") if time else local.date().isoformat()


_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_BR = re.compile(rf"(?P<day>[0-9]{{2}})/(?P<month>[0-9]{{2}})/(?P<year>[0-9]{{4}})(?: {_TIME})?")
_ISO = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    rf"(?:[ T]{_TIME}(?:\.(?P<fraction>[0-9]{{1,9}}))?)?"
)
_NONE = re.compile(r"(?:(?:00/00/0000|0000-00-00)(?:[ T]00:00:00(?:\.0+)?)?)?")


def _parse(text: object, shape: re.Pattern[str], valid: str) -> datetime | None:
    if text is None:
        return None
    if not isinstance(text, str):
        raise ValueError(f"received a date as {type(text).__name__}; valid is the text {valid}")
    stripped = text.strip()
    if _NONE.fullmatch(stripped):
        return None
    found = shape.fullmatch(stripped)
    if found is None:
        raise ValueError(f"received the date {stripped[:40]!r}; valid is {valid}")
    parts = found.groupdict(default="0")
    fraction = parts.pop("fraction", "0")
    try:
        naive = datetime(**{name: int(digits) for name, digits in parts.items()})  # type: ignore[arg-type]
    except ValueError as error:
        raise ValueError(f"received the date {stripped!r}, which does not exist ({error}); valid is {valid}") from None
    return from_sao_paulo(naive.replace(microsecond=int(fraction[:6].ljust(6, "0"))))
