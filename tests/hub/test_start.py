import os
import stat
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from hub import crypto
from hub.db import Database
from hub.settings import Settings
from hub.start import KEY_FILE, keyring, open_hub
from tests.hub.children import all_at_once


def named(home: Path, *keys: str, index: str = "") -> Settings:
    return Settings(home=home, secret_keys=SecretStr(",".join(keys)), index_key=SecretStr(index))


def test_the_key_file_is_made_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    token = keyring(named(tmp_path)).encrypt("segredo")
    file = tmp_path / KEY_FILE
    before = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert keyring(named(tmp_path)).decrypt(token) == "segredo"
    assert file.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == [KEY_FILE], "no draft is left behind"


async def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    texts = await all_at_once(*[("read_keys", str(tmp_path))] * 4)
    assert len(set(texts)) == 1
    assert texts[0] == (tmp_path / KEY_FILE).read_text()


def test_a_draft_left_by_a_killed_process_is_in_nobodys_way(tmp_path: Path) -> None:
    """In a container every start has the same process number."""
    (tmp_path / f"{KEY_FILE}.{os.getpid()}").write_text("half a ke")
    assert keyring(named(tmp_path)).encrypt("segredo")


def test_keys_of_the_settings_come_first_and_the_newest_encrypts(tmp_path: Path) -> None:
    old, new, index = (crypto.generate_key() for _ in range(3))
    token = keyring(named(tmp_path, old, index=index)).encrypt("segredo")
    both = keyring(named(tmp_path, new, old, index=index))
    assert both.decrypt(token) == "segredo"
    assert both.needs_rotation(token)
    assert not (tmp_path / KEY_FILE).exists()


def test_keys_may_be_rotated_in_the_file(tmp_path: Path) -> None:
    before = keyring(named(tmp_path))
    token, index = before.encrypt("segredo"), before.blind_index("x", "y")
    file = tmp_path / KEY_FILE
    file.write_text(crypto.generate_key() + "\n" + file.read_text())
    after = keyring(named(tmp_path))
    assert after.decrypt(token) == "segredo"
    assert after.needs_rotation(token)
    assert after.blind_index("x", "y") == index


@pytest.mark.parametrize("which", ["ESTEIRA_INDEX_KEY", "ESTEIRA_SECRET_KEYS"])
def test_one_key_without_the_other_is_refused(tmp_path: Path, which: str) -> None:
    key = crypto.generate_key()
    settings = named(tmp_path, key) if which == "ESTEIRA_INDEX_KEY" else named(tmp_path, index=key)
    with pytest.raises(ValueError, match=f"{which} is not set although its sibling is"):
        keyring(settings)


def test_a_truncated_key_file_is_refused_with_what_is_valid(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text(crypto.generate_key())
    with pytest.raises(ValueError, match="holds 1 keys; valid are at least two lines"):
        keyring(named(tmp_path))


async def test_the_hub_opens_in_a_home_that_is_made_for_it(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    db = open_hub(Settings(home=home))
    try:
        assert isinstance(db, Database)
        assert db.is_sqlite
        assert (home / KEY_FILE).exists()
        assert crypto.current().decrypt(crypto.current().encrypt("x")) == "x"
        async with db.read():
            pass
    finally:
        await db.close()


def test_the_database_of_the_settings_wins_over_the_one_at_home(tmp_path: Path) -> None:
    assert Settings(home=tmp_path).database == f"sqlite+aiosqlite:///{tmp_path}/esteira.db"
    url = "postgresql+asyncpg://esteira@127.0.0.1/esteira"
    assert Settings(home=tmp_path, database_url=url).database == url


@pytest.mark.parametrize("share", [0, 1, 1.5, -0.1])
def test_a_share_of_the_quota_leaves_room(share: float) -> None:
    with pytest.raises(ValidationError, match="ESTEIRA_QUOTA_SHARE must lie between 0 and 1"):
        Settings(quota_share=share)


def test_settings_show_no_secret() -> None:
    shown = repr(Settings(secret_keys=SecretStr("k" * 44), index_key=SecretStr("i" * 44)))
    assert "kkk" not in shown
    assert "iii" not in shown
