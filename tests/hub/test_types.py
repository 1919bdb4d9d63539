from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, String, Table, insert, select, text
from sqlalchemy.exc import StatementError

from hub.db import Database
from hub.types import Exact, Json, Moment, plain

SHELF = Table(
    "test_types_shelf",
    MetaData(),
    Column("key", String(20), primary_key=True),
    Column("number", Exact()),
    Column("moment", Moment()),
    Column("document", Json),
)
NUMBERS = [
    "150.0000",
    "1E+2",
    "-0",
    "0.1",
    "-12.50",
    "0.0000000001",
    "99999999999999",
    "1234567890.0123456789",
    "7E-10",
]


@pytest.fixture
async def shelf(db: Database) -> Database:
    async with db.engine.begin() as connection:
        await connection.run_sync(SHELF.create)
    return db


async def stored(db: Database, **value: object) -> object:
    async with db.write() as session:
        await session.execute(insert(SHELF).values(key="it", **value))
    async with db.read() as session:
        return (await session.execute(select(SHELF.c[next(iter(value))]))).scalar_one()


@pytest.mark.parametrize("number", NUMBERS)
async def test_an_exact_number_comes_back_as_it_went(shelf: Database, number: str) -> None:
    found = await stored(shelf, number=Decimal(number))
    assert isinstance(found, Decimal)
    assert found == Decimal(number)
    assert f"{found:f}" == plain(Decimal(number))


async def test_more_than_ten_places_are_rounded_alike_everywhere(shelf: Database) -> None:
    assert await stored(shelf, number=Decimal("0.12345678905")) == Decimal("0.1234567891")


async def test_equal_numbers_are_found_whatever_their_zeros(shelf: Database) -> None:
    await stored(shelf, number=Decimal("150.0000"))
    async with shelf.read() as session:
        for spelling in ("150", "150.00", "1.5E+2"):
            query = select(SHELF.c.key).where(SHELF.c.number == Decimal(spelling))
            assert (await session.execute(query)).scalar_one() == "it"


async def test_no_number_stays_no_number(shelf: Database) -> None:
    assert await stored(shelf, number=None) is None


@pytest.mark.parametrize("wrong", [1.5, 1, "1.5", True])
async def test_what_is_not_a_decimal_is_refused(shelf: Database, wrong: object) -> None:
    with pytest.raises(StatementError, match="a Decimal; received"):
        await stored(shelf, number=wrong)


@pytest.mark.parametrize("wrong", ["NaN", "Infinity", "-Infinity"])
async def test_what_is_no_number_is_refused(shelf: Database, wrong: str) -> None:
    with pytest.raises(StatementError, match="finite"):
        await stored(shelf, number=Decimal(wrong))


async def test_a_time_comes_back_in_utc_with_its_microseconds(shelf: Database) -> None:
    there = timezone(timedelta(hours=-3))
    found = await stored(shelf, moment=datetime(2026, 8, 3, 21, 30, 0, 123456, tzinfo=there))
    assert found == datetime(2026, 8, 4, 0, 30, 0, 123456, tzinfo=UTC)
    assert isinstance(found, datetime)
    assert found.tzinfo is UTC


async def test_times_compare_as_instants_whatever_their_zone(shelf: Database) -> None:
    await stored(shelf, moment=datetime(2026, 8, 3, 12, tzinfo=UTC))
    there = timezone(timedelta(hours=-3))
    async with shelf.read() as session:
        earlier = select(SHELF.c.key).where(SHELF.c.moment < datetime(2026, 8, 3, 9, 1, tzinfo=there))
        assert (await session.execute(earlier)).scalar_one_or_none() == "it"
        later = select(SHELF.c.key).where(SHELF.c.moment > datetime(2026, 8, 3, 9, 1, tzinfo=there))
        assert (await session.execute(later)).scalar_one_or_none() is None


async def test_a_time_without_a_zone_is_refused(shelf: Database) -> None:
    with pytest.raises(StatementError, match="an aware time was expected; received 2026-08-03T12:00:00"):
        await stored(shelf, moment=datetime(2026, 8, 3, 12))


async def test_no_time_stays_no_time(shelf: Database) -> None:
    assert await stored(shelf, moment=None) is None


async def test_a_document_keeps_its_texts(shelf: Database) -> None:
    document = {"Cor": "Azul-bebê 🎈", "lista": ["a & b", "<b>c</b>", ""], "nada": None}
    assert await stored(shelf, document=document) == document


async def test_sqlite_keeps_exact_numbers_as_text(shelf: Database) -> None:
    if not shelf.is_sqlite:
        pytest.skip("PostgreSQL has a type for them")
    await stored(shelf, number=Decimal("150.0000"))
    async with shelf.read() as session:
        assert (await session.execute(text("select typeof(number), number from test_types_shelf"))).one() == (
            "text",
            "150",
        )


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12))
def test_plain_is_the_same_number_and_the_same_text_for_equal_ones(value: Decimal) -> None:
    shown = plain(value)
    assert Decimal(shown) == value
    assert "E" not in shown
    assert plain(Decimal(shown)) == shown
    assert not (("." in shown) and shown.endswith(("0", ".")))
    assert shown != "-0"


@pytest.mark.parametrize(
    ("number", "shown"),
    [("150.0000", "150"), ("1.5E+2", "150"), ("-0.00", "0"), ("0E-8", "0"), ("0.10", "0.1"), ("-3.20", "-3.2")],
)
def test_plain_notation(number: str, shown: str) -> None:
    assert plain(Decimal(number)) == shown
