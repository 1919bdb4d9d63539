"""Every system that the hub can speak to: one line each."""

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from hub.db import Database
from hub.tables import Connection
from providers.contract import Provider
from providers.tiny_v2.provider import TinyV2
from providers.tiny_v3.provider import TinyV3

C = TypeVar("C")


class Opens(Provider, Protocol):
    """A provider's class: it opens connections."""

    @classmethod
    def open(cls, db: Database, connection: Connection) -> Provider:
        """Make the client; nothing is called yet."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of connection. `credentials` are the keys that a merchant gives; with `oauth` its consent besides."""

    kind: str
    label: str
    side: str
    provider: type[Opens]
    credentials: tuple[str, ...]
    oauth: bool = False

    def open(self, db: Database, connection: Connection) -> Provider:
        """Open a connection of this kind; nothing is called yet."""
        return self.provider.open(db, connection)

    def can(self, wanted: type[Any]) -> bool:
        """Whether its provider has a capability, say `CatalogSource`."""
        members = {*vars(wanted), *getattr(wanted, "__annotations__", {})}
        return all(hasattr(self.provider, name) for name in members if not name.startswith("_"))


KINDS: dict[str, Kind] = {
    one.kind: one
    for one in (
        Kind("tiny_v2", "Olist Tiny (API v2)", "erp", TinyV2, ("token",)),
        Kind("tiny_v3", "Olist Tiny (API v3)", "erp", TinyV3, ("client_id", "client_secret"), oauth=True),
    )
}


class UnknownKindError(ValueError):
    """A connection of a kind that no provider speaks."""


class LacksCapabilityError(TypeError):
    """A provider was asked for something that its system cannot do."""


def kind(name: str) -> Kind:
    """The kind of that name. Raises UnknownKindError."""
    try:
        return KINDS[name]
    except KeyError:
        raise UnknownKindError(f"received the kind {name!r}; valid are {', '.join(sorted(KINDS))}") from None


def kinds_with(wanted: type[Any]) -> list[str]:
    """The kinds whose providers have a capability, say `kinds_with(CatalogSource)`."""
    return [one.kind for one in KINDS.values() if one.can(wanted)]


def open_provider(db: Database, connection: Connection) -> Provider:
    """Open a connection, loaded with its credentials: use what comes as an async context manager.

    Nothing is called yet: a missing or wrong credential is `reauth` at the first call. Raises UnknownKindError.
    """
    return kind(connection.kind).open(db, connection)


def capability(provider: Provider, wanted: type[C]) -> C:
    """The provider as what a flow wants of it, say `capability(provider, CatalogSource)`.

    Raises LacksCapabilityError.
    """
    if isinstance(provider, wanted):
        return provider
    raise LacksCapabilityError(f"{provider.kind} is no {wanted.__name__}: its system cannot do that")
