"""Accounts of the simulated Conta Azul: company, app, connections and tokens, quota."""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from sandbox.contaazul.store import Store
from sandbox.core.clock import Clock
from sandbox.core.documents import cnpj
from sandbox.core.nfe import UF_CODES
from sandbox.core.quota import SlidingWindow
from sandbox.core.settings import Settings

ENVIRONMENTS = ("producao", "homologacao")


@dataclass(slots=True, eq=False)
class Grant:
    """A consent of the company (a connection); a revoked one cannot be renewed."""

    account: "Account"
    revoked: bool = False
    #: a burned refresh token was used and killed it (switch).
    burned: bool = False


@dataclass(slots=True, eq=False)
class Token:
    """A code, access or refresh token with its end of life (seconds since the epoch)."""

    grant: Grant
    expires_at: float
    used: bool = False
    redirect_uri: str = ""
    challenge: str = ""


@dataclass(slots=True)
class Quota:
    """10 calls a second and 600 a minute of an ERP account, whoever makes them (§3.2); None = no limit."""

    per_second: int | None = 10
    per_minute: int | None = 600
    #: calls left in the bucket; None = full.
    tokens: float | None = None
    filled_at: float = 0.0
    second: SlidingWindow = field(default_factory=lambda: SlidingWindow(1.0))
    minute: SlidingWindow = field(default_factory=SlidingWindow)
    refused: int = 0

    def over(self, now: float, sliding: bool) -> bool:
        """Tell whether a call at `now` is one too many."""
        if self.per_minute is not None and self.minute.used(now) >= self.per_minute:
            return True
        if self.per_second is None:
            return False
        if sliding:
            return self.second.used(now) >= self.per_second
        return self._left(now) < 1

    def spend(self, now: float) -> None:
        """Count a call."""
        self.second.used(now)
        self.second.add(now)
        self.minute.add(now)
        self.tokens, self.filled_at = self._left(now) - 1, now

    def wait(self, now: float) -> int:
        """Return whole seconds until a call fits again."""
        if self.per_minute is not None and self.minute.used(now) >= self.per_minute:
            return self.minute.resets_in(now)
        return 1

    def _left(self, now: float) -> float:
        size = float(self.per_second or 0)
        if self.tokens is None:
            return size
        return min(size, max(0.0, self.tokens) + max(0.0, now - self.filled_at) * size)


@dataclass(slots=True, eq=False)
class Account:
    """One ERP account (one company) with everything in it."""

    name: str
    store: Store
    cnpj: str
    company: str
    trade_name: str
    email: str
    id_empresa: str
    client_id: str
    client_secret: str
    uf: str = "SC"
    #: The only address the app may come back to; None = any.
    redirect_uri: str | None = None
    #: What the company answers on the consent page.
    consent: bool = True
    #: False = the ERP plan has no API: 403 END_TRIAL (§3.3).
    plan_has_api: bool = True
    #: Where the ERP issues its NF-e.
    environment: str = "producao"
    quota: Quota = field(default_factory=Quota)
    grants: list[Grant] = field(default_factory=list)
    issued: int = 0

    def change(self, fields: Mapping[str, Any]) -> None:
        """Change the account from the control API's body; ValueError names what is wrong."""
        wrong = [key for key in fields if key not in CHANGEABLE]
        if wrong:
            raise ValueError(f"an account has {', '.join(CHANGEABLE)}; got {', '.join(wrong)}")
        checked = {key: _checked(key, value) for key, value in fields.items()}
        for key, value in checked.items():
            setattr(self.quota if key in _LIMITS else self, key, value)

    def revoke(self) -> int:
        """Withdraw the company's consent: no token can be renewed; access tokens live out their hour (§2.5)."""
        alive = [grant for grant in self.grants if not grant.revoked]
        for grant in alive:
            grant.revoked = True
        return len(alive)

    def secret(self, kind: str, length: int = 64) -> str:
        """Return a new opaque text: the same in every run."""
        self.issued += 1
        return hashlib.sha256(f"{self.name}/{kind}/{self.issued}".encode()).hexdigest()[:length]

    def jwt(self, now: float, life: float) -> str:
        """Return a new access token in JWT form; its signature is made up."""
        head = {"alg": "RS256", "kid": "sandbox"}
        body = {
            "sub": self.id_empresa, "client_id": self.client_id, "token_use": "access", "iat": int(now),
            "exp": int(now + life), "jti": self.secret("jti", 32),
        }  # fmt: skip
        return ".".join((_segment(orjson.dumps(head)), _segment(orjson.dumps(body)), self.secret("signature")))

    def counts(self) -> dict[str, int]:
        """Return how much the account holds; deleted sales do not count."""
        store = self.store
        return {
            "products": len(store.products.rows),
            "people": len(store.people.rows),
            "sales": sum(not sale.deleted for sale in store.sales.rows.values()),
            "invoices": len(store.invoices),
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the account for the control API, credentials included: they open nothing real."""
        store = self.store
        now = store.clock.now()
        return {
            "name": self.name,
            **{key: getattr(self.quota if key in _LIMITS else self, key) for key in CHANGEABLE},
            "connections": sum(not grant.revoked for grant in self.grants),
            "calls_refused": self.quota.refused,
            "calls_in_last_second": self.quota.second.used(now),
            "calls_in_last_minute": self.quota.minute.used(now),
            **self.counts(),
            "waiting_invoices": len(store.waiting),
            "lookups": {
                "categorias": store.lookups.categories, "contas_financeiras": store.lookups.banks,
                "centros_de_custo": store.lookups.cost_centres, "vendedores": store.lookups.sellers,
                "naturezas": store.lookups.natures,
            },
        }  # fmt: skip


_TEXTS = ("cnpj", "company", "trade_name", "email", "id_empresa", "client_id", "client_secret", "uf")
_FLAGS = ("consent", "plan_has_api")
_LIMITS = ("per_second", "per_minute")
CHANGEABLE = (*_TEXTS, *_FLAGS, *_LIMITS, "redirect_uri", "environment")


def new_account(name: str, clock: Clock, settings: Settings, number: int) -> Account:
    """Return an empty account whose credentials follow from its name (`demo` → client `demo-client`)."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise ValueError(f"an account name is lower-case letters, digits, - and _, up to 40; got {name!r}")
    return Account(
        name=name,
        store=Store(name, clock, settings),
        cnpj=cnpj(number),
        company=f"Comércio {name.capitalize()} Ltda",
        trade_name=f"Loja {name.capitalize()}",
        email=f"contato@{name}.example",
        id_empresa=str(9_000 + number),
        client_id=f"{name}-client",
        client_secret=f"{name}-client-secret",
    )


def _segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _checked(key: str, value: Any) -> Any:
    if key in _FLAGS:
        if not isinstance(value, bool):
            raise ValueError(f"{key} is true or false, got {value!r}")
    elif key in _LIMITS:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise ValueError(f"{key} is a whole number from 1, or null for no limit; got {value!r}")
    elif key == "environment":
        if value not in ENVIRONMENTS:
            raise ValueError(f"environment is one of {', '.join(ENVIRONMENTS)}; got {value!r}")
    elif key == "cnpj":
        if not isinstance(value, str) or not re.fullmatch(r"[0-9A-Z]{12}\d{2}", value):
            raise ValueError(f"cnpj is 14 characters without mask, got {value!r}")
    elif key == "uf":
        if value not in UF_CODES:
            raise ValueError(f"uf is one of {', '.join(UF_CODES)}; got {value!r}")
    elif not (isinstance(value, str) and value) and not (key == "redirect_uri" and value is None):
        raise ValueError(f"{key} is a text, got {value!r}")
    return value
