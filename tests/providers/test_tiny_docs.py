"""The page about Tiny: its tables are whole, and name every choice and every situation."""

import re
from pathlib import Path

from hub.policy import Policy
from providers.tiny_orders import SITUATIONS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "providers" / "tiny.md").read_text()
OF_OTHER_PATHS = {"send_mode", "price_adjustment", "pull_prices"}


def section(title: str) -> list[str]:
    """The lines under a heading."""
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0].splitlines()


def test_every_table_is_in_one_piece() -> None:
    lines = PAGE.splitlines()
    begins = [at for at, line in enumerate(lines) if line.lstrip().startswith("|") and not lines[at - 1].strip()]
    assert begins and all(re.fullmatch(r"\s*\|(-+\||---\|)+", lines[at + 1].replace(" ", "")) for at in begins)


def test_every_choice_is_told() -> None:
    rows = [line for line in section("Choices") if line.startswith("| `")]
    told = {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert told == Policy.model_fields.keys() - OF_OTHER_PATHS


def test_every_situation_is_told_with_its_stage() -> None:
    rows = [line for line in section("Situations") if line.startswith("| `")]
    for known in SITUATIONS:
        assert any(
            f"`{known.word}`" in row and f"| {known.code} |" in row and f"`{known.stage}`" in row for row in rows
        )
