"""What every process of ours does first: the keys, then the database."""

import contextlib
import os
import tempfile
from pathlib import Path

from hub import crypto
from hub.db import Database
from hub.settings import Settings, settings

KEY_FILE = "keys"


def open_hub(config: Settings | None = None) -> Database:
    """Set this process's keyring and open the hub's database; the caller closes it.

    Without `ESTEIRA_SECRET_KEYS` the keys lie in a file of mode 0600 under `home`, made on first use: right for one
    machine, and the reason why `home` belongs in the backup.
    """
    config = config or settings()
    config.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    crypto.use(keyring(config))
    return Database.open(config.database)


def keyring(config: Settings) -> crypto.Keyring:
    """The keys that the settings name, newest first, or those of the key file."""
    named = [key.strip() for key in config.secret_keys.get_secret_value().split(",") if key.strip()]
    index_key = config.index_key.get_secret_value()
    if bool(named) != bool(index_key):
        missing = "ESTEIRA_INDEX_KEY" if named else "ESTEIRA_SECRET_KEYS"
        raise ValueError(f"{missing} is not set although its sibling is: set both, or neither to use the key file")
    if not named:
        *named, index_key = _key_file(config.home / KEY_FILE)
    return crypto.Keyring(tuple(named), index_key)


def _key_file(path: Path) -> list[str]:
    """The lines of the key file: Fernet keys, newest first, and the index key as the last one."""
    if not path.exists():
        # Written aside and linked into place: of two processes that start together one wins, and neither can read
        # a file that the other has made but not filled yet. The draft's name is random: in a container every start
        # has the same process number, and a draft that a kill left behind would stop all later ones.
        descriptor, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{crypto.generate_key()}\n{crypto.generate_key()}\n")
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        Path(draft).unlink()
    return _whole_lines(path)


def _whole_lines(path: Path) -> list[str]:
    lines = path.read_text().split()
    if len(lines) < 2:
        raise ValueError(f"{path} holds {len(lines)} keys; valid are at least two lines: a secret key, the index key")
    return lines
