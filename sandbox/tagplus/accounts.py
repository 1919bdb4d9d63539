"""Accounts of the simulated TagPlus: company, app, consents and tokens, the ERP user's permissions, webhooks."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.core.clock import Clock
from sandbox.core.deliveries import Deliveries
from sandbox.core.documents import cnpj
from sandbox.core.nfe import UF_CODES
from sandbox.core.quota import SlidingWindow
from sandbox.core.settings import Settings
from sandbox.tagplus import lookups
from sandbox.tagplus.checks import forbidden
from sandbox.tagplus.events import EVENTS
from sandbox.tagplus.scopes import ALL_SCOPES
from sandbox.tagplus.store import Store

RETRY_PAUSE_S = 60.0


@dataclass(slots=True, eq=False)
class Grant:
    """A consent of the company with the scopes it gave; they never change (§2.2)."""

    account: "Account"
    scopes: frozenset[str]


@dataclass(slots=True, eq=False)
class Token:
    """A code, access or refresh token with its end of life (seconds since the epoch)."""

    grant: Grant
    expires_at: float
    #: the access token issued with a refresh token, and the other way round.
    twin: str = ""


@dataclass(slots=True, eq=False)
class Account:
    """One ERP account (one company) with everything in it."""

    name: str
    clock: Clock
    settings: Settings
    deliveries: Deliveries
    cnpj: str
    company: str
    sistema: str
    uid: str
    client_id: str
    client_secret: str
    api_key: str
    store: Store = field(init=False)
    uf: str = "SC"
    #: The one address registered with the app (§2.1).
    redirect_uri: str | None = None
    #: What the company answers on the consent page.
    consent: bool = True
    #: What the company consents to at most.
    scopes: list[str] = field(default_factory=lambda: sorted(ALL_SCOPES))
    permissions: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(lookups.PERMISSIONS, True))
    #: The company owes for more than 7 days: 402.
    debt: bool = False
    #: Calls a minute; None = as the setting says.
    per_minute: int | None = None
    minute: SlidingWindow = field(default_factory=SlidingWindow)
    issued: int = 0

    def __post_init__(self) -> None:
        self.store = Store(self.clock, self.settings, self.fire)

    def change(self, fields: Mapping[str, Any]) -> None:
        """Change the account from the control API's body; ValueError names what is wrong."""
        wrong = [key for key in fields if key not in CHANGEABLE]
        if wrong:
            raise ValueError(f"an account has {', '.join(CHANGEABLE)}; got {', '.join(wrong)}")
        checked = {key: _CHECKS[key](key, value) for key, value in fields.items()}
        checked["permissions"] = {**self.permissions, **checked.get("permissions", {})}
        for key, value in checked.items():
            setattr(self, key, value)

    def secret(self, kind: str, length: int = 32) -> str:
        """Return a new opaque text: the same in every run."""
        self.issued += 1
        return hashlib.sha256(f"tagplus/{self.name}/{kind}/{self.issued}".encode()).hexdigest()[:length]

    def fire(self, event: str, row_id: int) -> None:
        """Send an event to every registration that wants it (§11.2)."""
        for hook in tuple(self.store.webhooks.rows.values()):
            if event not in hook["eventos"]:
                continue
            secret = hook["hub_secret"]
            body = {
                "id": hook.id, "sistema": self.sistema, "uid": self.uid, "event_type": event,
                "data": [{"id": str(row_id)}],
            }  # fmt: skip
            self.deliveries.post(
                vendor="tagplus",
                account=self.name,
                event=event,
                url=hook["url"],
                headers={"content-type": "application/json", **({"x-hub-secret": secret} if secret else {})},
                body=orjson.dumps(body),
                retry_after_s=(RETRY_PAUSE_S,) * int(self.settings.tagplus_event_retries),
            )

    def counts(self) -> dict[str, int]:
        """Return how much the account holds."""
        store = self.store
        return {
            "products": len(store.products.rows), "customers": len(store.customers.rows),
            "orders": len(store.orders.rows), "invoices": len(store.notes.rows), "webhooks": len(store.webhooks.rows),
        }  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return the account for the control API, credentials included: they open nothing real."""
        shown = ("formas_pagamento", "usuarios", "departamentos", "categorias", "unidades", "tipos_contatos")
        return {
            "name": self.name,
            **{key: getattr(self, key) for key in CHANGEABLE},
            "uid": self.uid,
            "events": list(EVENTS),
            "calls_in_last_minute": self.minute.used(self.clock.now()),
            **self.counts(),
            "lookups": {
                name: [
                    {"id": row.id, "descricao": row["descricao"] or row["nome"]}
                    for row in self.store.tables[name].rows.values()
                ]
                for name in shown
            },
        }


@dataclass(frozen=True, slots=True)
class Actor:
    """Who writes: the app through the API (as one ERP user, §5) or the merchant at the screens."""

    account: Account
    api: bool

    @property
    def store(self) -> Store:
        """What the account holds."""
        return self.account.store

    @property
    def origin(self) -> str:
        """What a record says about who made it."""
        return "API" if self.api else "ERP"

    def may(self, permission: str) -> bool:
        """Tell whether the ERP user may; the merchant may everything."""
        return not self.api or self.account.permissions.get(permission, True)

    def need(self, permission: str, code: str, message: str, row: Any = None, field_name: str | None = None) -> None:
        """Refuse (403) what the ERP user may not do."""
        if not self.may(permission):
            raise forbidden(code, message, row, field_name)

    def wrote(self, table: str, kind: str, row_id: int, event: str = "") -> None:
        """Write the audit log and fire an event."""
        self.store.note_event(table, kind, row_id, event, self.account.client_id if self.api else "")


def new_account(name: str, clock: Clock, settings: Settings, deliveries: Deliveries, number: int) -> Account:
    """Return an empty account whose credentials follow from its name (`demo` → client `demo-client`)."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise ValueError(f"an account name is lower-case letters, digits, - and _, up to 40; got {name!r}")
    return Account(
        name=name,
        clock=clock,
        settings=settings,
        deliveries=deliveries,
        cnpj=cnpj(50_000 + number),
        company=f"Comércio {name.capitalize()} Ltda",
        sistema=name,
        uid=hashlib.sha1(f"tagplus/{name}".encode(), usedforsecurity=False).hexdigest(),
        client_id=f"{name}-client",
        client_secret=f"{name}-client-secret",
        api_key=f"{name}-apikey",
    )


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is a text, got {value!r}")
    return value


def _text_or_none(key: str, value: Any) -> str | None:
    return None if value is None else _text(key, value)


def _flag(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{key} is true or false, got {value!r}")
    return value


def _limit(key: str, value: Any) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"{key} is a whole number from 1, or null; got {value!r}")
    return value


def _cnpj(key: str, value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Z]{12}\d{2}", value):
        raise ValueError(f"{key} is 14 characters without mask, got {value!r}")
    return value


def _scopes(key: str, value: Any) -> list[str]:
    names: Iterable[str] = value.split() if isinstance(value, str) else value if isinstance(value, list) else ()
    unknown = sorted({str(name) for name in names} - ALL_SCOPES)
    if unknown or not isinstance(value, str | list):
        raise ValueError(f"{key} is a list of TagPlus scopes; got {', '.join(unknown) or repr(value)}")
    return sorted(set(names))


def _permissions(key: str, value: Any) -> dict[str, bool]:
    if not isinstance(value, dict):
        raise ValueError(f"{key} is an object of true and false, got {value!r}")
    named = {lookups.PERMISSION_ALIASES.get(str(name), str(name)): flag for name, flag in value.items()}
    unknown = sorted(set(named) - set(lookups.PERMISSIONS))
    if unknown:
        known = ", ".join((*lookups.PERMISSIONS, *lookups.PERMISSION_ALIASES))
        raise ValueError(f"permissions are {known}; got {', '.join(unknown)}")
    return {name: _flag(name, flag) for name, flag in named.items()}


def _uf(key: str, value: Any) -> str:
    if value not in UF_CODES:
        raise ValueError(f"{key} is one of {', '.join(UF_CODES)}; got {value!r}")
    return str(value)


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "cnpj": _cnpj, "company": _text, "sistema": _text, "uf": _uf, "client_id": _text, "client_secret": _text,
    "api_key": _text, "redirect_uri": _text_or_none, "consent": _flag, "scopes": _scopes,
    "permissions": _permissions, "debt": _flag, "per_minute": _limit,
}  # fmt: skip
CHANGEABLE = tuple(_CHECKS)
