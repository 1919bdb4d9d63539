import pickle
from decimal import ROUND_UP, Decimal, Inexact, localcontext
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.money import MoneyError, adjust, brl, money, percent, split, unit_price

quick = settings(deadline=None, max_examples=200)

exact_amounts = st.decimals(-(10**10), 10**10, places=6)
prices = st.decimals(0, 10**8, places=2)
percentages = st.decimals(-90, 500, places=2)


def half_up(exact: Fraction) -> Decimal:
    """Half-up to centavos in fractions, without decimal's own rounding."""
    centavos = floor(abs(exact) * 100 + Fraction(1, 2))
    return Decimal(centavos if exact >= 0 else -centavos) / 100


def reason(call: object, *args: object) -> str:
    with pytest.raises(MoneyError) as caught:
        call(*args)  # type: ignore[operator]
    return caught.value.reason


# Amounts


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        ("150.0000", "150.00"),
        ("36.3200000000", "36.32"),
        (" 20.5\n", "20.50"),
        ("0", "0.00"),
        ("1.005", "1.01"),
        ("1.004999", "1.00"),
        ("-0.005", "-0.01"),
        ("+7", "7.00"),
        (31, "31.00"),
        (Decimal("1234.565"), "1234.57"),
        (Decimal("1E+3"), "1000.00"),
        ("9999999999999.99", "9999999999999.99"),
    ],
)
def test_an_amount_has_two_places_rounded_half_up(value: str | int | Decimal, amount: str) -> None:
    assert str(money(value)) == amount


@quick
@given(exact_amounts)
def test_rounding_agrees_with_fractions_and_is_stable(value: Decimal) -> None:
    amount = money(value)
    assert amount == half_up(Fraction(value))
    assert amount.as_tuple().exponent == -2
    assert str(money(str(amount))) == str(amount)
    assert money(-value) == -amount


def test_zero_has_no_sign() -> None:
    assert [str(money(value)) for value in ("-0", "-0.004", Decimal("-0.00"))] == ["0.00"] * 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, "type"),
        (True, "type"),
        (None, "type"),
        (b"1", "type"),
        (Decimal("NaN"), "not_finite"),
        (Decimal("sNaN"), "not_finite"),
        (Decimal("-Infinity"), "not_finite"),
        ("NaN", "syntax"),
        ("Infinity", "syntax"),
        ("", "empty"),
        ("  ", "empty"),
        ("1.234,56", "locale"),
        ("10,00", "locale"),
        ("R$ 10,00", "locale"),
        ("-R$\u00a01,00", "locale"),
        ("1,234.56", "syntax"),
        ("R$ 10.00", "syntax"),
        ("1e5", "syntax"),
        ("1_000", "syntax"),
        ("١٢", "syntax"),
        ("10.", "syntax"),
        (".5", "syntax"),
        ("--1", "syntax"),
        ("dez", "syntax"),
        ("10000000000000", "too_large"),
        ("-9999999999999.995", "too_large"),
        (Decimal("1E+1000000"), "too_large"),
        ("0." + "1" * 100, "too_long"),
    ],
)
def test_what_is_no_amount_is_refused_with_its_reason(value: object, expected: str) -> None:
    for call in (money, unit_price, brl, percent):
        if call is percent and expected == "too_large":
            continue
        assert reason(call, value) == expected


def test_the_error_says_what_came_and_what_is_valid_and_survives_pickling() -> None:
    with pytest.raises(MoneyError) as caught:
        money("1.234,56")
    text = str(caught.value)
    assert "1.234,56" in text
    assert '"1234.56"' in text
    assert str(pickle.loads(pickle.dumps(caught.value))) == text
    with pytest.raises(MoneyError, match="parse_float=Decimal"):
        money(0.1)  # type: ignore[arg-type]


def test_results_do_not_depend_on_the_threads_decimal_context() -> None:
    with localcontext() as context:
        context.prec = 3
        context.rounding = ROUND_UP
        context.traps[Inexact] = True
        assert money("123456.784") == Decimal("123456.78")
        assert unit_price("123456.123456") == Decimal("123456.123456")
        assert adjust(Decimal("123456.78"), Decimal("10.55")) == Decimal("136481.47")
        assert brl("-1234567.891") == "-R$\u00a01.234.567,89"
        assert split(Decimal("123456.79"), 2) == [Decimal("61728.40"), Decimal("61728.39")]


# Unit prices


@pytest.mark.parametrize(
    ("value", "price"),
    [
        ("36.3200000000", "36.32"),
        ("0.0345", "0.0345"),
        ("100.0000000000", "100.00"),
        (100, "100.00"),
        (Decimal("1E+2"), "100.00"),
        ("12.1", "12.10"),
        ("1.2340", "1.234"),
        ("0.00000000005", "0.0000000001"),
        ("0.00000000004", "0.00"),
        ("-0.0", "0.00"),
    ],
)
def test_a_unit_price_keeps_what_it_needs_of_ten_decimals(value: str | int | Decimal, price: str) -> None:
    assert f"{unit_price(value):f}" == price


@quick
@given(st.decimals(-(10**9), 10**9, places=10))
def test_a_unit_price_of_ten_decimals_loses_nothing(value: Decimal) -> None:
    price = unit_price(value)
    assert price == value
    assert price.as_tuple() == unit_price(f"{price:f}").as_tuple()
    exponent = price.as_tuple().exponent
    assert isinstance(exponent, int)
    assert -10 <= exponent <= -2


# The percentage rule


@pytest.mark.parametrize(
    ("price", "by", "result"),
    [
        ("100.00", "10", "110.00"),
        ("100.00", "-90", "10.00"),
        ("100.00", "500", "600.00"),
        ("0.05", "10", "0.06"),
        ("0.05", "-10", "0.05"),
        ("19.90", "12.35", "22.36"),
        ("36.325", "0", "36.33"),
        ("0.00", "50", "0.00"),
    ],
)
def test_a_price_is_adjusted_and_rounded_once(price: str, by: str, result: str) -> None:
    assert str(adjust(Decimal(price), Decimal(by))) == result


@quick
@given(st.decimals(0, 10**8, places=6), percentages)
def test_an_adjustment_agrees_with_fractions(price: Decimal, by: Decimal) -> None:
    assert adjust(price, by) == half_up(Fraction(price) * (100 + Fraction(by)) / 100)


@quick
@given(prices)
def test_zero_percent_leaves_a_price_as_it_is(price: Decimal) -> None:
    assert adjust(price, Decimal(0)) == price
    assert str(adjust(price, Decimal("0.00"))) == str(money(price))


@quick
@given(prices, percentages, percentages)
def test_more_percent_is_never_a_lower_price(price: Decimal, one: Decimal, other: Decimal) -> None:
    low, high = sorted([one, other])
    assert 0 <= adjust(price, low) <= adjust(price, high)


def test_an_adjusted_price_too_large_to_store_is_refused() -> None:
    assert reason(adjust, Decimal("9000000000000.00"), Decimal(500)) == "too_large"


@quick
@given(percentages)
def test_a_percentage_has_two_places(by: Decimal) -> None:
    assert percent(str(by)) == by
    assert percent(by).as_tuple().exponent == -2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("-90.01", "range"),
        ("500.01", "range"),
        ("-100", "range"),
        ("10.555", "places"),
        ("0.001", "places"),
        ("10,5", "locale"),
        ("10%", "syntax"),
        (10.5, "type"),
    ],
)
def test_a_wrong_percentage_is_refused_with_its_reason(value: object, expected: str) -> None:
    assert reason(percent, value) == expected
    if not isinstance(value, str) or expected in {"range", "places"}:
        assert reason(adjust, Decimal("10.00"), Decimal(value) if isinstance(value, str) else value) == expected


@pytest.mark.parametrize("value", ["10.5000", 10, "-90", "500.00"])
def test_trailing_zeros_and_the_ends_of_the_range_are_valid(value: str | int) -> None:
    assert percent(value) == Decimal(value)


# Reais


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1234.5", "R$\u00a01.234,50"),
        ("-1", "-R$\u00a01,00"),
        ("0", "R$\u00a00,00"),
        ("-0.004", "R$\u00a00,00"),
        ("1234.565", "R$\u00a01.234,57"),
        ("999.99", "R$\u00a0999,99"),
        ("1234567.89", "R$\u00a01.234.567,89"),
    ],
)
def test_reais_are_written_as_brazilians_read_them(value: str, text: str) -> None:
    assert brl(value) == text


@quick
@given(exact_amounts)
def test_written_reais_read_back_as_the_amount(value: Decimal) -> None:
    plain = brl(value).replace("R$\u00a0", "").replace(".", "").replace(",", ".")
    assert Decimal(plain) == money(value)


# Instalments


def test_the_first_instalments_take_the_centavos_that_are_left_over() -> None:
    assert [str(part) for part in split(Decimal("100.00"), 3)] == ["33.34", "33.33", "33.33"]
    assert [str(part) for part in split(Decimal("0.02"), 3)] == ["0.01", "0.01", "0.00"]
    assert [str(part) for part in split(Decimal("-10.00"), 3)] == ["-3.34", "-3.33", "-3.33"]
    assert [str(part) for part in split(Decimal("53.84"), 1)] == ["53.84"]


@quick
@given(st.decimals(-(10**9), 10**9, places=2), st.integers(1, 48))
def test_instalments_sum_to_the_total_and_differ_by_a_centavo_at_most(total: Decimal, parts: int) -> None:
    instalments = split(total, parts)
    assert len(instalments) == parts
    assert sum(instalments) == total
    assert max(instalments) - min(instalments) <= Decimal("0.01")
    assert instalments == sorted(instalments, key=abs, reverse=True)


@pytest.mark.parametrize("parts", [0, -1, True, 2.0, "3"])
def test_instalments_are_counted_by_a_whole_number(parts: object) -> None:
    assert reason(split, Decimal("10.00"), parts) == "parts"


def test_a_total_with_fractions_of_a_centavo_cannot_be_split() -> None:
    assert reason(split, Decimal("10.005"), 2) == "places"
