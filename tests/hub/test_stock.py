from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.policy import Policy
from hub.stock import quantity
from tests.hub.shop import balance, deposit

RECORD = balance(
    physical="10",
    reserved="3",
    deposits=(deposit("77", "6", "5", name="Loja"), deposit("78", "4", name="Fundos"), deposit("79", "-2", "-2")),
)


@pytest.mark.parametrize(
    ("basis", "chosen", "shown"),
    [
        ("available", None, 7),
        ("physical", None, 10),
        ("available", "77", 5),
        ("available", "Loja", 5),
        ("physical", "Loja", 6),
        ("available", "Fundos", 1),  # no reservations by deposit: all three are taken off this one
        ("physical", "Fundos", 4),
        ("available", "79", 0),
        ("physical", "79", 0),
        ("available", "Loja 2", 0),  # renamed over there: not a word of the sum
        ("physical", "loja", 0),
    ],
)
def test_what_the_store_may_show(basis: str, chosen: str | None, shown: int) -> None:
    policy = Policy.model_validate({"stock_basis": basis, "deposit": chosen})
    assert quantity(RECORD, policy) == shown


@given(
    st.decimals(-1000, 1000, places=2),
    st.decimals(0, 1000, places=2),
    st.sampled_from(["available", "physical"]),
    st.sampled_from([None, "Loja", "other"]),
)
def test_it_is_never_below_zero_and_never_more_than_lies_there(
    physical: Decimal, reserved: Decimal, basis: str, chosen: str | None
) -> None:
    record = balance(physical=str(physical), reserved=str(reserved), deposits=(deposit("Loja", str(physical)),))
    shown = quantity(record, Policy.model_validate({"stock_basis": basis, "deposit": chosen}))
    assert 0 <= shown <= max(Decimal(0), physical)
