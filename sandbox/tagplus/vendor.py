"""The simulated TagPlus: its accounts, its addresses, and what the merchant does in the ERP's screens."""

import asyncio
from collections.abc import Mapping
from typing import Any

from sandbox.core.clock import Clock
from sandbox.core.deliveries import Deliveries
from sandbox.core.exchange import Call, Request
from sandbox.core.settings import Settings
from sandbox.tagplus import generator
from sandbox.tagplus.accounts import Account, Grant, Token, new_account
from sandbox.tagplus.api import ApiCall
from sandbox.tagplus.files import FileCall
from sandbox.tagplus.merchant import EDITS, Merchant
from sandbox.tagplus.notes import settle_notes
from sandbox.tagplus.oauth import AUTHORIZE, TOKEN, OAuthCall
from sandbox.tagplus.routes import ROUTER
from sandbox.tagplus.scopes import ALL_SCOPES

PREFIX = "/tagplus"
API, FILES = "/api", "/files/"
#: Script steps of this vendor, told apart from others by their prefix.
OPS = tuple(f"tagplus.{op}" for op in (*EDITS, "account", "revoke", "seed"))


class TagPlus:
    """All accounts; `open` understands a request, `edit` is the merchant at work."""

    name = "tagplus"

    def __init__(self, clock: Clock, settings: Settings, deliveries: Deliveries) -> None:
        self.clock = clock
        self.settings = settings
        self.deliveries = deliveries
        self.accounts: dict[str, Account] = {}
        self.codes: dict[str, Token] = {}
        self.access_tokens: dict[str, Token] = {}
        self.refresh_tokens: dict[str, Token] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    def open(self, request: Request) -> Call:
        """Tell which call a request is; unknown paths become calls that answer 404."""
        path = request.path.removeprefix(PREFIX)
        if path.rstrip("/") in (AUTHORIZE, API + TOKEN):
            return OAuthCall(request, path.removeprefix(API).rstrip("/"), self)
        if path.startswith(FILES):
            return FileCall(request, path.removeprefix(FILES), self)
        return ApiCall(request, path.removeprefix(API), ROUTER, self)

    def issue(self, grant: Grant, refreshable: bool = True) -> dict[str, Any]:
        """Issue a new pair of tokens under a consent; the lifetimes are sandbox seconds (§2.3)."""
        account, now, settings = grant.account, self.clock.now(), self.settings
        access, refresh = account.secret("access"), account.secret("refresh")
        self.access_tokens[access] = Token(grant, now + settings.tagplus_access_token_s, refresh)
        life = int(settings.tagplus_access_token_s)
        if not refreshable:
            return {"token_type": "bearer", "access_token": access, "expires_in": life}
        self.refresh_tokens[refresh] = Token(grant, now + settings.tagplus_refresh_token_s, access)
        return {"refresh_token": refresh, "token_type": "bearer", "access_token": access, "expires_in": life}

    def first_tokens(self, account: Account, scopes: list[str] | None) -> dict[str, Any]:
        """Issue a pair as if the company had consented to `scopes` (all it gives, when None)."""
        wanted = account.scopes if scopes is None else scopes
        unknown = set(wanted) - ALL_SCOPES
        if unknown:
            raise ValueError(f"unknown scopes: {', '.join(sorted(unknown))}")
        return self.issue(Grant(account, frozenset(wanted)))

    def expire_access(self, account: Account | None) -> None:
        """Make the present access tokens of an account invalid; refresh tokens live on."""
        for text in [text for text, token in self.access_tokens.items() if token.grant.account is account]:
            del self.access_tokens[text]

    def revoke(self, account: Account) -> int:
        """Withdraw the company's consents: every token of the account is gone."""
        gone = 0
        for tokens in (self.codes, self.access_tokens, self.refresh_tokens):
            for text in [text for text, token in tokens.items() if token.grant.account is account]:
                del tokens[text]
                gone += 1
        return gone

    def settle(self) -> None:
        """Let happen what is due: outcomes of NF-e."""
        for account in self.accounts.values():
            if account.store.due:
                settle_notes(account)
        self._wake_for_due()

    def close(self) -> None:
        """Stop the timers: another state takes over."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    def create_account(self, name: str, fields: Mapping[str, Any]) -> Account:
        """Add an account; ValueError when the name is taken or a field is wrong.

        Accounts may share a `client_id`: one app, many companies.
        """
        if name in self.accounts:
            raise ValueError(f"the account {name!r} exists")
        account = new_account(name, self.clock, self.settings, self.deliveries, len(self.accounts) + 1)
        account.change(fields)
        self.accounts[name] = account
        return account

    def account(self, name: str | None) -> Account:
        """Return an account; LookupError lists those there are."""
        found = self.accounts.get(name or "")
        if found is None:
            raise LookupError(f"no account {name!r}; there are {', '.join(self.accounts)}")
        return found

    def seed(self, account: Account, body: Mapping[str, Any]) -> dict[str, int]:
        """Replace everything in an account but its webhooks: {"products": N, "customers": N, "seed": N}."""
        unknown = set(body) - {"products", "customers", "seed"}
        if unknown:
            raise ValueError(f"a seed has products, customers, seed; got {', '.join(sorted(unknown))}")
        counts = {name: generator.checked(name, body.get(name, 0)) for name in ("products", "customers")}
        account.store.clear()
        lag = self.settings.tagplus_search_lag_s
        self.settings.merge({"tagplus_search_lag_s": 0.0})
        try:
            with account.store.quiet():
                generator.fill(account, counts["products"], counts["customers"], int(body.get("seed", 1)))
        finally:
            self.settings.merge({"tagplus_search_lag_s": lag})
        return counts

    def edit(self, step: Mapping[str, Any], account_name: str | None) -> Any:
        """Do what the merchant does in the screens of the ERP; ValueError or LookupError when it makes no sense.

        `op` (with or without the prefix `tagplus.`) is one of `merchant.EDITS`, account {changes}, revoke, seed;
        `account` names another account than that of the call; `quiet` fires no event.
        """
        account = self.account(step.get("account") or account_name)
        op = str(step["op"]).removeprefix("tagplus.")
        if op == "account":
            account.change(step.get("changes") or {})
            return account.as_dict()
        if op == "revoke":
            return {"revoked": self.revoke(account)}
        if op == "seed":
            return self.seed(account, {k: v for k, v in step.items() if k not in ("op", "account")})
        self.settle()
        merchant = Merchant(account)
        with account.store.quiet(bool(step.get("quiet"))):
            shown = merchant.edit(op, step)
        self.settle()
        return shown()

    def _wake_for_due(self) -> None:
        self.close()
        soonest = min((due[0] for a in self.accounts.values() for due in a.store.due), default=None)
        if soonest is None or not self.clock.rate:
            return
        wait = max(0.0, soonest - self.clock.now()) / self.clock.rate
        self._timers.add(asyncio.get_running_loop().call_later(wait + 0.001, self.settle))
