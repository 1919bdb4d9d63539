"""Secrets and people's data: encrypted columns, the blind index that searches them, and `Secret` for tokens.

The process sets its keys once, at start (`use(Keyring(...))`); the column types read them from there. A
Fernet token carries a random part, so the same name is another token each time and a column of them cannot
be searched: put `blind_index(value, purpose)` in a column of its own beside it and search that.

Nothing here ever puts a plaintext, a token or a key into an exception. All errors are `CryptoError`s, which
SQLAlchemy lets through as they are (`DontWrapMixin`): wrapped in a `StatementError` they would be shown
together with the statement's parameters, that is the very name or token that was to be encrypted.
"""

import hashlib
import hmac
import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from typing import Any, NoReturn, Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import Dialect, Null, Text
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.sql import operators
from sqlalchemy.types import TypeDecorator

KEYS_SETTING = "ESTEIRA_SECRET_KEYS"
"""Fernet keys, newest first, separated by commas."""
INDEX_SETTING = "ESTEIRA_INDEX_KEY"
"""The blind index's key. Never rotate it: another key finds nothing that was written before."""


class CryptoError(DontWrapMixin, Exception):
    """Base of this module's errors; none of them carries a secret."""


class KeyringMissing(CryptoError):
    """Something was to be encrypted or read before the process had set its keys."""


class KeyInvalid(CryptoError, ValueError):
    """A configured key is not what `generate_key()` makes."""


class SecretUnreadable(CryptoError):
    """None of the keys opens a stored value: its key left the setting, or the value was damaged."""


class Keyring:
    """The keys of a process: encrypts by the newest, decrypts by any, and computes blind indexes.

    Args:
        keys: Fernet keys of `generate_key()`, newest first. To rotate, put a new one in front, re-encrypt
        what
            `needs_rotation` finds by `rotate`, then drop the old one.
        index_key: the blind index's own key, also of `generate_key()`.

    Raises:
        KeyInvalid: no key, or one that is malformed; says which by its place, never by its text.
    """

    __slots__ = ("_all", "_count", "_index_key", "_newest", "_purposes")

    def __init__(self, keys: Sequence[str], index_key: str) -> None:
        if isinstance(keys, str):
            raise TypeError("Keyring takes a tuple of keys, not one text: split the setting at its commas")
        if not keys:
            raise KeyInvalid(f"{KEYS_SETTING} holds no key: at least one is needed, made by generate_key()")
        fernets = [Fernet(_decoded(key, f"key {n} of {KEYS_SETTING}")) for n, key in enumerate(keys, start=1)]
        self._newest = fernets[0]
        self._all = MultiFernet(fernets)
        self._count = len(fernets)
        self._index_key = urlsafe_b64decode(_decoded(index_key, INDEX_SETTING))
        self._purposes: dict[str, bytes] = {}

    def encrypt(self, plaintext: str) -> str:
        """Return the text as a Fernet token of the newest key (about 100 characters for a CPF)."""
        return self._newest.encrypt(_bytes(plaintext)).decode("ascii")

    def decrypt(self, token: str) -> str:
        """Return the text of a token. Raises `SecretUnreadable`."""
        try:
            return self._all.decrypt(_bytes(token)).decode("utf-8", "surrogatepass")
        except (InvalidToken, UnicodeDecodeError):
            raise self._unreadable() from None

    def rotate(self, token: str) -> str:
        """Return the same text as a token of the newest key, keeping its time. Raises `SecretUnreadable`."""
        try:
            return self._all.rotate(_bytes(token)).decode("ascii")
        except InvalidToken:
            raise self._unreadable() from None

    def needs_rotation(self, token: str) -> bool:
        """Tell whether the newest key does not open the token; it may be an older key's, or nobody's."""
        try:
            self._newest.decrypt(_bytes(token))
        except InvalidToken:
            return True
        return False

    def blind_index(self, value: str, purpose: str) -> str:
        """See the function `blind_index`."""
        if not value or not purpose:
            # All customers without a document would get one index, and be taken for one person.
            raise ValueError("a blind index needs a value and a purpose; store NULL where there is no value")
        key = self._purposes.get(purpose)
        if key is None:
            info = b"esteira/blind-index/" + purpose.encode()
            key = HKDF(hashes.SHA256(), length=32, salt=None, info=info).derive(self._index_key)
            self._purposes[purpose] = key
        return hmac.new(key, _bytes(value), hashlib.sha256).hexdigest()

    def _unreadable(self) -> SecretUnreadable:
        return SecretUnreadable(
            f"none of the {self._count} key(s) of {KEYS_SETTING} (where that is not set: of the file `keys` under "
            "ESTEIRA_HOME) opens a stored value: put the key it was written with back, after the newest one; if no "
            "key is missing, the value was damaged and has to be entered again"
        )

    def __repr__(self) -> str:
        return f"<Keyring of {self._count} key(s)>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Keyring is never pickled: each process reads its keys from the settings")


class Secret:
    """A token or password that shows itself as "••••" to print, format, repr and logs; `reveal()` returns it.

    Not a `str` on purpose: as one it would come out in the clear through `json.dumps`, `"".join` and `+`.
    It compares in constant time, cannot be changed, pickled or sent through Prefect.
    """

    __slots__ = ("_value",)
    _value: str

    def __init__(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"a Secret holds text, not {type(value).__name__}")
        object.__setattr__(self, "_value", value)

    def reveal(self) -> str:
        """Return the secret itself: for the call that needs it, never for a variable that lives on."""
        return self._value

    def __repr__(self) -> str:
        return "••••"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("••••", spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._value), _bytes(other._value))

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed; make another")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a Secret cannot be changed; make another")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is never pickled: pass the connection's id and read it there")


def generate_key() -> str:
    """Return a new random key (32 bytes, URL-safe base64) for either setting."""
    return Fernet.generate_key().decode("ascii")


def use(keyring: Keyring | None) -> Keyring | None:
    """Set the process's keys and return those it had; None takes them away (for tests)."""
    global _keyring
    previous, _keyring = _keyring, keyring
    return previous


def current() -> Keyring:
    """Return the process's keys. Raises `KeyringMissing` before `use` was called."""
    if _keyring is None:
        raise KeyringMissing(
            "no keys are set in this process: call hub.crypto.use(Keyring(...)) at its start, with the keys "
            f"of {KEYS_SETTING} and {INDEX_SETTING}"
        )
    return _keyring


def blind_index(value: str, purpose: str) -> str:
    """Return 64 hexadecimal digits that are equal for equal values, for searching an encrypted column.

    HMAC-SHA256 under a key derived (HKDF-SHA256) from the index key for this purpose ("customer.document"),
    so that indexes of two purposes cannot be joined, and nobody without the key can try the 10^9 CPFs
    through. The value is taken as it is: bring it to its normal form first (`fiscal.document`). Raises
    `KeyringMissing`, and `ValueError` for an empty value or purpose.
    """
    return current().blind_index(value, purpose)


def needs_rotation(token: str) -> bool:
    """Tell whether a stored token is not of the newest key. Raises `KeyringMissing`."""
    return current().needs_rotation(token)


class EncryptedText(TypeDecorator[str]):
    """A text column encrypted by the process's keys; NULL stays NULL. Comparing it in SQL raises."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Encrypt on the way in."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise CryptoError(f"an encrypted text column takes text, not {type(value).__name__}{_hint(value)}")
        return current().encrypt(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """Decrypt on the way out."""
        return None if value is None else current().decrypt(value)

    class Comparator(TypeDecorator.Comparator[Any]):
        """Refuses every comparison but with NULL: no two tokens are equal, a search would find nothing."""

        def operate(self, op: Any, *other: Any, **kwargs: Any) -> Any:
            """Build the SQL expression, if it makes sense."""
            null = all(value is None or isinstance(value, Null) for value in other)
            if null and op in {operators.eq, operators.ne, operators.is_, operators.is_not}:
                return super().operate(op, *other, **kwargs)
            raise CryptoError("an encrypted column cannot be compared or sorted in SQL: search its blind index column")

    comparator_factory = Comparator


class EncryptedJson(TypeDecorator[Any]):
    """A column of JSON (objects, lists, text, numbers) encrypted as a whole; None is NULL.

    A change inside a loaded value goes unnoticed by SQLAlchemy: assign a new value.
    """

    impl = Text
    cache_ok = True
    hashable = False
    comparator_factory = EncryptedText.Comparator

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Encrypt on the way in."""
        if value is None:
            return None
        try:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_no_json)
        except (TypeError, ValueError):
            why = "an encrypted JSON column takes text as keys, finite numbers, and nothing that holds itself"
            raise CryptoError(why) from None
        return current().encrypt(text)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Decrypt on the way out."""
        if value is None:
            return None
        try:
            return json.loads(current().decrypt(value))
        except ValueError:  # A JSONDecodeError carries the whole text along.
            raise CryptoError("an encrypted JSON column holds a value that is not JSON") from None


_keyring: Keyring | None = None
_KEY = re.compile(r"[0-9A-Za-z_-]{43}=")


def _decoded(key: str, name: str) -> bytes:
    """Check that a key is 32 bytes in URL-safe base64, and return it as Fernet wants it."""
    stripped = key.strip()
    # b64decode() skips what it does not know and stops at the "=": two keys with the comma between them lost
    # would pass for the first one alone, and everything written with the second would be unreadable.
    if not _KEY.fullmatch(stripped):
        raise KeyInvalid(
            f"{name} is malformed: valid are 32 bytes in URL-safe base64 (43 characters and =), as "
            "generate_key() makes them; several keys are separated by commas"
        )
    return stripped.encode("ascii")


def _bytes(text: str) -> bytes:
    # Half a surrogate pair (a vendor cut a name in the middle of an emoji) cannot be encoded otherwise.
    return text.encode("utf-8", "surrogatepass")


def _no_json(value: object) -> NoReturn:
    raise CryptoError(f"an encrypted JSON column takes plain values, not {type(value).__name__}{_hint(value)}")


def _hint(value: object) -> str:
    return ": call .reveal()" if isinstance(value, Secret) else ""
