"""Accounts of the simulated Tiny: plan, credentials, permissions, quota windows, OAuth sessions."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.core.clock import Clock
from sandbox.core.quota import Bucket, SlidingWindow
from sandbox.tiny.events import ACCOUNT_KINDS
from sandbox.tiny.integrations import checked_urls
from sandbox.tiny.search import SearchIndex
from sandbox.tiny.state import Deposit, Store

if TYPE_CHECKING:
    from sandbox.tiny.trade import Trade

#: Stands for "no limit" in the headers of the plan `unlimited`.
NO_LIMIT = 600_000
BATCH_PER_MINUTE = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """Calls a minute of a plan: v2, v3 reads, v3 writes, and calls at once (`reference/tiny.md` §2.3, §4.2)."""

    name: str
    v2: int
    v3_reads: int
    v3_writes: int
    at_once: int
    batch: int = BATCH_PER_MINUTE


def _plan(name: str, v2: int, reads: int, writes: int) -> Plan:
    return Plan(name, v2, reads, writes, v2 // 4)


#: Plans by old and new name. §4.2 gives no v3 figures for the discontinued ones: theirs are those of v2 [I].
PLANS = {
    "comecar": Plan("comecar", 0, 0, 0, 0, 0),
    "crescer": _plan("crescer", 30, 30, 30),
    "evoluir": _plan("evoluir", 60, 60, 60),
    "potencializar": _plan("potencializar", 120, 140, 100),
    "domine": _plan("domine", 120, 120, 100),
    "free": _plan("free", 20, 20, 20),
    "teen": _plan("teen", 20, 20, 20),
    "premium": _plan("premium", 20, 20, 20),
    "profissional": _plan("profissional", 20, 20, 20),
    "unlimited": Plan("unlimited", NO_LIMIT, NO_LIMIT, NO_LIMIT, 30, NO_LIMIT),
}
ALIASES = {
    "avance": "comecar",
    "construa": "crescer",
    "impulsione": "evoluir",
    "protagonize": "potencializar",
}
#: Reading and writing per module; `tabelas` are the registers of §5.5 (formas-envio and the like).
PERMISSIONS = frozenset(
    {"info:read", "tabelas:read"}
    | {
        f"{name}:{right}"
        for name in ("produtos", "estoque", "pedidos", "notas", "contatos")
        for right in ("read", "write")
    }
)

DEPOSITS = (
    Deposit(5001, "Depósito Geral"),
    Deposit(5002, "Loja Física"),
    Deposit(5003, "Avariados", ignored=True),
)


@dataclass(slots=True)
class Grant:
    """A consent of the merchant (an OAuth session): its tokens die with it."""

    account: "Account"
    alive: bool = True


@dataclass(slots=True)
class Token:
    """A token or code with its end of life (seconds since the epoch)."""

    grant: Grant
    expires_at: float
    used: bool = False
    redirect_uri: str = ""


@dataclass(slots=True)
class Account:
    """One Tiny account (one CNPJ) with everything in it."""

    name: str
    plan: Plan
    store: Store
    cnpj: str
    company: str
    token: str
    client_id: str
    client_secret: str
    #: False = the whole company is blocked (v2 code 8, v3 403).
    blocked: bool = False
    #: False = the extension Token API / the app is off (v2 code 5, v3 403).
    access: bool = True
    #: The extension "API para estoque em tempo real" (§3.5).
    realtime_stock: bool = True
    #: Refuse a new product whose SKU exists with code 30; depends on the account [I] (§7).
    refuse_duplicate_sku: bool = False
    permissions: frozenset[str] = PERMISSIONS
    #: What the merchant answers on the consent page.
    consent: bool = True
    search: SearchIndex = field(init=False)
    #: Orders, contacts, notes and webhooks; set by the vendor that makes the account.
    trade: "Trade" = field(init=False)
    in_flight: int = 0
    calls: SlidingWindow = field(default_factory=SlidingWindow)
    batches: SlidingWindow = field(default_factory=SlidingWindow)
    reads: Bucket = field(default_factory=Bucket)
    writes: Bucket = field(default_factory=Bucket)
    access_tokens: dict[str, Token] = field(default_factory=dict)
    refresh_tokens: dict[str, Token] = field(default_factory=dict)
    codes: dict[str, Token] = field(default_factory=dict)
    issued: int = 0

    def __post_init__(self) -> None:
        self.search = SearchIndex(self.store)

    def change(self, fields: Mapping[str, Any]) -> None:
        """Change the account from the control API's body; ValueError names what is wrong."""
        wrong = [key for key in fields if key not in CHANGEABLE]
        if wrong:
            raise ValueError(f"an account has {', '.join(CHANGEABLE)}; got {', '.join(wrong)}")
        checked = {key: _checked(key, value) for key, value in fields.items()}
        for key, value in checked.items():
            if key == "revoke_v3":
                if value:
                    self.revoke()
            elif key == "deposits":
                self.store.deposits[:] = value
            elif key == "price_lists":
                self.store.price_lists = value
                self.store.revision += 1
            elif key == "webhooks":
                self.trade.events.urls = value
            else:
                setattr(self, "permissions" if key == "v3_permissions" else key, value)

    def revoke(self) -> None:
        """Withdraw the merchant's consent: every v3 token of the account is dead."""
        for token in (*self.access_tokens.values(), *self.refresh_tokens.values(), *self.codes.values()):
            token.grant.alive = False

    def expire_access(self, now: float) -> None:
        """Make the present access tokens invalid; refresh tokens live on."""
        for token in self.access_tokens.values():
            token.expires_at = min(token.expires_at, now)

    def secret(self, kind: str) -> str:
        """Return a new token text: unguessable enough for a sandbox, the same in every run."""
        self.issued += 1
        digest = hashlib.sha256(f"{self.name}/{self.client_id}/{kind}/{self.issued}".encode()).hexdigest()
        return f"{kind}.{digest}"

    def as_dict(self) -> dict[str, Any]:
        """Return the account for the control API, credentials included: they open nothing real."""
        return {
            "name": self.name,
            "plan": self.plan.name,
            "cnpj": self.cnpj,
            "company": self.company,
            "token": self.token,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "blocked": self.blocked,
            "access": self.access,
            "realtime_stock": self.realtime_stock,
            "refuse_duplicate_sku": self.refuse_duplicate_sku,
            "v3_permissions": sorted(self.permissions),
            "consent": self.consent,
            "deposits": [
                {"id": d.id, "nome": d.name, "desconsiderar": d.ignored, "empresa": d.company}
                for d in self.store.deposits
            ],
            "price_lists": {str(k): sorted(v) for k, v in self.store.price_lists.items()},
            "webhooks": self.trade.events.urls,
            "integrations": sorted(self.trade.events.integrations),
            "products": len(self.store.products),
            "orders": len(self.trade.orders),
            "contacts": len(self.trade.contacts),
            "invoices": len(self.trade.invoices),
            "waiting_changes": {
                "products": len(self.store.changed),
                "stock": len(self.store.stock_changed),
            },
        }


_TEXT_FIELDS = ("cnpj", "company", "token", "client_id", "client_secret")
_FLAGS = ("blocked", "access", "realtime_stock", "refuse_duplicate_sku", "consent", "revoke_v3")
CHANGEABLE = (*_TEXT_FIELDS, *_FLAGS, "plan", "v3_permissions", "deposits", "price_lists", "webhooks")


def new_account(name: str, clock: Clock, number: int, search_lag_s: float) -> Account:
    """Return an empty account whose credentials follow from its name (`demo` → token `demo-token`)."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", name):
        raise ValueError(f"an account name is lower-case letters, digits, - and _, up to 40; got {name!r}")
    store = Store(clock, [Deposit(d.id, d.name, d.ignored, d.company) for d in DEPOSITS], search_lag_s)
    return Account(
        name=name,
        plan=PLANS["evoluir"],
        store=store,
        cnpj=cnpj(number),
        company=f"Loja {name.capitalize()} Comércio Ltda",
        token=f"{name}-token",
        client_id=f"{name}-client",
        client_secret=f"{name}-client-secret",
    )


def find_plan(name: str) -> Plan:
    """Return a plan by its old or new name, accents and case ignored; ValueError lists the plans."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().strip().lower()
    plain = ALIASES.get(plain, plain)
    if plain not in PLANS:
        raise ValueError(f"plan is one of {', '.join((*PLANS, *ALIASES))}; got {name!r}")
    return PLANS[plain]


def cnpj(number: int) -> str:
    """Return an invented CNPJ with right check digits, formatted."""
    digits = [int(c) for c in f"{90_000_000 + number:08d}0001"]
    for weights in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
        rest = sum(d * w for d, w in zip(digits, weights, strict=True)) % 11
        digits.append(0 if rest < 2 else 11 - rest)
    text = "".join(map(str, digits))
    return f"{text[:2]}.{text[2:5]}.{text[5:8]}/{text[8:12]}-{text[12:]}"


def _checked(key: str, value: Any) -> Any:
    if key in _FLAGS:
        if not isinstance(value, bool):
            raise ValueError(f"{key} is true or false, got {value!r}")
        return value
    if key in (*_TEXT_FIELDS, "plan"):
        if not isinstance(value, str) or not value:
            raise ValueError(f"{key} is a text, got {value!r}")
        return find_plan(value) if key == "plan" else value
    if key == "v3_permissions":
        if not isinstance(value, list) or not PERMISSIONS.issuperset(value):
            raise ValueError(f"v3_permissions is a list of {', '.join(sorted(PERMISSIONS))}; got {value!r}")
        return frozenset(value)
    if key == "webhooks":
        return checked_urls(value, ACCOUNT_KINDS)
    if key == "price_lists":
        return {int(k): frozenset(int(i) for i in ids) for k, ids in dict(value).items()}
    return _deposits(value)


def _deposits(value: Any) -> list[Deposit]:
    if not isinstance(value, list) or not all(isinstance(d, dict) and d.get("id") for d in value):
        raise ValueError('deposits is a list of {"id", "nome", "desconsiderar", "empresa"}')
    return [
        Deposit(int(d["id"]), str(d.get("nome", "")), bool(d.get("desconsiderar")), str(d.get("empresa", "Loja")))
        for d in value
    ]
