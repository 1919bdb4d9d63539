import time
import uuid

import pytest

from hub.ids import new_id


def test_an_id_is_a_uuid_of_version_7_in_32_characters() -> None:
    before = time.time_ns() // 1_000_000
    made = new_id()
    after = time.time_ns() // 1_000_000
    assert len(made) == 32
    read = uuid.UUID(made)
    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert before <= read.int >> 80 <= after


def test_ids_are_never_the_same() -> None:
    assert len({new_id() for _ in range(20_000)}) == 20_000


def test_later_ids_sort_later(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for millisecond in (1, 2, 255, 256, 10**12, 1_800_000_000_000):
        monkeypatch.setattr("hub.ids.time.time_ns", lambda now=millisecond: now * 1_000_000)
        made.append(new_id())
    assert made == sorted(made)
