from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from hub.policy import Policy


def test_an_empty_policy_is_the_default_of_the_articles() -> None:
    policy = Policy.model_validate({})
    assert policy.stock_basis == "available"
    assert policy.deposit is None
    assert policy.send_mode == "automatic"
    assert policy.price_adjustment == 0


def test_it_survives_the_database() -> None:
    policy = Policy(deposit="Loja", price_adjustment=Decimal("-12.5"), calls_per_minute=0, stock_basis="physical")
    assert Policy.model_validate(policy.model_dump(mode="json", exclude_defaults=True)) == policy


@pytest.mark.parametrize(
    "wrong",
    [
        {"stock_base": "physical"},
        {"stock_basis": "reserved"},
        {"price_adjustment": "-91"},
        {"price_adjustment": "501"},
        {"reread_hours": 1},
        {"stock_reread_hours": 0},
        {"calls_per_minute": -1},
        {"calls_at_once": 0},
        {"send_mode": "never"},
        {"update_lists": "always"},
    ],
)
def test_a_wrong_choice_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Policy.model_validate(wrong)
