"""`.env.example` explains every setting, with the default it really has."""

import re

from pydantic import SecretStr

from deployments.prefect_env import ROOT
from hub.settings import Settings

LINE = re.compile(r"^# (ESTEIRA_[A-Z0-9_]+)=(.*)$", re.MULTILINE)


def shown() -> dict[str, str]:
    """The last line of each setting: an example may stand before it."""
    return dict(LINE.findall((ROOT / ".env.example").read_text()))


def test_every_setting_is_there_and_no_other() -> None:
    assert set(shown()) == {f"ESTEIRA_{name.upper()}" for name in Settings.model_fields}


def test_the_defaults_are_the_real_ones() -> None:
    real = {name: field.default for name, field in Settings.model_fields.items()}
    for name, default in real.items():
        text = shown()[f"ESTEIRA_{name.upper()}"]
        if isinstance(default, SecretStr):
            assert text == default.get_secret_value()
        else:
            assert type(default)(text) == default, name


def test_nothing_is_set_by_copying_it() -> None:
    for line in (ROOT / ".env.example").read_text().splitlines():
        assert not line or line.startswith("#"), line
