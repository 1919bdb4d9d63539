from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import clock

quick = settings(deadline=None, max_examples=200)

instants = st.datetimes(datetime(1930, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
both_parsers = pytest.mark.parametrize("parse", [clock.parse_br, clock.parse_iso_br])


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_now_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    now = clock.utcnow()
    assert now.tzinfo is UTC
    assert before <= now <= datetime.now(UTC)


def test_sao_paulo_is_three_hours_behind_utc_and_two_in_the_summers_until_2019() -> None:
    assert clock.to_sao_paulo(utc(2026, 1, 15, 12)).utcoffset() == timedelta(hours=-3)
    assert clock.to_sao_paulo(utc(2019, 1, 15, 12)).utcoffset() == timedelta(hours=-2)
    assert clock.from_sao_paulo(datetime(2026, 1, 15, 12)) == utc(2026, 1, 15, 15)
    assert clock.from_sao_paulo(datetime(2019, 1, 15, 12)) == utc(2019, 1, 15, 14)


def test_an_hour_that_came_twice_is_the_first_one_whatever_the_fold() -> None:
    # 2018-02-18 00:00 became 2018-02-17 23:00.
    first = utc(2018, 2, 18, 1, 30)
    assert clock.from_sao_paulo(datetime(2018, 2, 17, 23, 30)) == first
    assert clock.from_sao_paulo(datetime(2018, 2, 17, 23, 30, fold=1)) == first
    assert clock.format_iso_br(first) == clock.format_iso_br(first + timedelta(hours=1))


def test_an_hour_that_never_was_is_moved_forward() -> None:
    # 2018-11-04 00:00 became 01:00.
    for fold in (0, 1):
        moved = clock.from_sao_paulo(datetime(2018, 11, 4, 0, 30, fold=fold))
        assert clock.format_iso_br(moved) == "2018-11-04 01:30:00"
    # A date alone means midnight, which that day did not have.
    assert clock.parse_br("04/11/2018") == utc(2018, 11, 4, 3)


@quick
@given(instants)
def test_an_instant_comes_back_from_sao_paulo_unless_its_hour_came_twice(instant: datetime) -> None:
    local = clock.to_sao_paulo(instant)
    back = clock.from_sao_paulo(local.replace(tzinfo=None))
    assert back.tzinfo is UTC
    assert instant - back == (timedelta(hours=1) if local.fold else timedelta(0))


@quick
@given(instants)
def test_what_is_written_is_read_back_to_the_second(instant: datetime) -> None:
    expected = clock.from_sao_paulo(clock.to_sao_paulo(instant).replace(tzinfo=None, microsecond=0))
    assert clock.parse_br(clock.format_br(instant)) == expected
    assert clock.parse_iso_br(clock.format_iso_br(instant)) == expected


def test_dates_and_times_of_both_kinds_are_read() -> None:
    assert clock.parse_br("21/11/2026 23:59:58") == utc(2026, 11, 22, 2, 59, 58)
    assert clock.parse_br(" 21/11/2026 ") == utc(2026, 11, 21, 3)
    assert clock.parse_iso_br("2026-11-21 23:59:58") == utc(2026, 11, 22, 2, 59, 58)
    assert clock.parse_iso_br("2026-11-21T23:59:58") == utc(2026, 11, 22, 2, 59, 58)
    assert clock.parse_iso_br("2026-11-21") == utc(2026, 11, 21, 3)
    assert clock.parse_br("29/02/2024") == utc(2024, 2, 29, 3)


@pytest.mark.parametrize(
    ("fraction", "microsecond"),
    [("5", 500_000), ("58", 580_000), ("000001", 1), ("999999999", 999_999)],
)
def test_a_fraction_of_a_second_is_kept_to_the_microsecond(fraction: str, microsecond: int) -> None:
    assert clock.parse_iso_br(f"2026-11-21 10:00:00.{fraction}") == utc(2026, 11, 21, 13, 0, 0, microsecond)


@both_parsers
@pytest.mark.parametrize(
    "text",
    [None, "", "  ", "0000-00-00", "00/00/0000", "0000-00-00 00:00:00", "00/00/0000 00:00:00"],
)
def test_no_date_is_none(parse: Callable[[str | None], datetime | None], text: str | None) -> None:
    assert parse(text) is None


@both_parsers
@pytest.mark.parametrize(
    "text",
    [
        *(
            "ontem",
            "21/11",
            "2026",
            "21-11-2026",
            "21/11/26",
            "1/2/2026",
            "21/11/2026 10:00",
            "2026-11-21 10:00",
        ),
        *(
            "21/11/2026 24:00:00",
            "2026-11-21 10:60:00",
            "30/02/2026",
            "2026-02-30",
            "00/11/2026",
            "0000-11-21",
        ),
        *("2026-11-21T10:00:00Z", "2026-11-21 10:00:00-03:00", "٢١/١١/٢٠٢٦", "0000-00-00 10:00:00"),
        "x" * 9000,
    ],
)
def test_a_bad_text_is_refused_with_what_came_and_what_is_valid(
    parse: Callable[[str | None], datetime | None], text: str
) -> None:
    valid = "dd/mm/yyyy" if parse is clock.parse_br else "YYYY-MM-DD"
    with pytest.raises(ValueError, match=valid) as caught:
        parse(text)
    assert text[:40] in str(caught.value)
    assert len(str(caught.value)) < 250


def test_each_parser_refuses_the_others_dates() -> None:
    with pytest.raises(ValueError, match="dd/mm/yyyy"):
        clock.parse_br("2026-11-21")
    with pytest.raises(ValueError, match="YYYY-MM-DD"):
        clock.parse_iso_br("21/11/2026")


@both_parsers
def test_a_number_is_no_date(parse: Callable[[object], datetime | None]) -> None:
    with pytest.raises(ValueError, match="as int"):
        parse(20261121)


def test_a_date_that_leaves_the_calendar_in_utc_is_a_value_error() -> None:
    assert clock.parse_br("31/12/9999") == utc(9999, 12, 31, 3)
    with pytest.raises(ValueError, match="9999"):
        clock.parse_br("31/12/9999 23:59:59")


def test_times_are_written_in_sao_paulo() -> None:
    instant = utc(2026, 11, 22, 2, 59, 58, 999_999)
    assert clock.format_br(instant) == "21/11/2026 23:59:58"
    assert clock.format_iso_br(instant) == "2026-11-21 23:59:58"
    assert clock.format_br(instant, time=False) == "21/11/2026"
    assert clock.format_iso_br(instant, time=False) == "2026-11-21"
    assert clock.format_br(utc(987, 6, 5, 12)).startswith("05/06/0987 ")
    tokyo = instant.astimezone(timezone(timedelta(hours=9)))
    assert clock.format_br(tokyo) == "21/11/2026 23:59:58"


def test_naive_and_aware_are_never_confused() -> None:
    for takes_aware in (clock.to_sao_paulo, clock.format_br, clock.format_iso_br):
        with pytest.raises(ValueError, match="naive"):
            takes_aware(datetime(2026, 11, 21))
    with pytest.raises(ValueError, match="aware"):
        clock.from_sao_paulo(utc(2026, 11, 21))
