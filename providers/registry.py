"""Every system that the hub can speak to: one line each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from hub.db import Database
from hub.tables import Connection
from providers.consent import OAuthApp
from providers.contaazul.provider import ContaAzul
from providers.contract import Provider, Webhooks
from providers.tagplus import webhooks as tagplus_webhooks
from providers.tagplus.provider import TagPlus
from providers.tiny_v2 import webhooks as tiny_v2_webhooks
from providers.tiny_v2.provider import TinyV2
from providers.tiny_v3 import webhooks as tiny_v3_webhooks
from providers.tiny_v3.provider import TinyV3

C = TypeVar("C")


class Opens(Provider, Protocol):
    """A provider's class: it opens connections."""

    @classmethod
    def open(cls, db: Database, connection: Connection) -> Provider:
        """Make the client; nothing is called yet."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of connection. `credentials` are the keys that a merchant gives; with an `app` its consent besides."""

    kind: str
    label: str
    side: str
    provider: type[Opens]
    credentials: tuple[str, ...]
    app: Callable[[], OAuthApp] | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """The policy of a new connection, where it differs from everybody's (design, section 8)."""
    webhooks: Webhooks | None = None
    """How its events are read; None where the system sends none."""

    @property
    def oauth(self) -> bool:
        """Whether the merchant consents in a browser."""
        return self.app is not None

    @property
    def takes(self) -> tuple[str, ...]:
        """The kinds of record that can be sent to it: what `hub.outbox` queues for it."""
        return tuple(getattr(self.provider, "takes", ()))

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
        Kind(
            "tiny_v2",
            "Olist Tiny (API v2)",
            "erp",
            TinyV2,
            ("token",),
            defaults={"orders": "all", "order_states": "both"},
            webhooks=tiny_v2_webhooks,
        ),
        Kind(
            "tiny_v3",
            "Olist Tiny (API v3)",
            "erp",
            TinyV3,
            ("client_id", "client_secret"),
            app=TinyV3.app,
            defaults={"orders": "all", "order_states": "both"},
            webhooks=tiny_v3_webhooks,
        ),
        Kind(
            "contaazul",
            "Conta Azul",
            "erp",
            ContaAzul,
            ("client_id", "client_secret"),
            app=ContaAzul.app,
            defaults={"send_mode": "selected"},
        ),
        Kind(
            "tagplus",
            "TagPlus",
            "erp",
            TagPlus,
            ("client_id", "client_secret"),
            app=TagPlus.app,
            defaults={
                "pull_products": False,
                "pull_prices": True,
                "pull_stock": True,
                "send_mode": "automatic",
                "orders": "paid",
            },
            webhooks=tagplus_webhooks,
        ),
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
