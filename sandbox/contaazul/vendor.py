"""The simulated Conta Azul: its accounts, its addresses, and what the merchant does in the ERP's screens."""

from collections.abc import Mapping
from typing import Any

from sandbox.contaazul import generator
from sandbox.contaazul.accounts import Account, Grant, Token, new_account
from sandbox.contaazul.api import ApiCall
from sandbox.contaazul.invoices import issue_due
from sandbox.contaazul.merchant import EDITS, Merchant
from sandbox.contaazul.oauth import OAuthCall, is_oauth
from sandbox.contaazul.routes import ROUTER
from sandbox.core.clock import Clock
from sandbox.core.exchange import Call, Request
from sandbox.core.settings import Settings

PREFIX = "/contaazul"
#: Script steps of this vendor, told apart from others by their prefix.
OPS = tuple(f"contaazul.{op}" for op in (*EDITS, "account", "revoke", "spend", "seed"))


class ContaAzul:
    """All accounts; `open` understands a request, `edit` is the merchant at work."""

    name = "contaazul"

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self.clock = clock
        self.settings = settings
        self.accounts: dict[str, Account] = {}
        self.codes: dict[str, Token] = {}
        self.access_tokens: dict[str, Token] = {}
        self.refresh_tokens: dict[str, Token] = {}
        self._refusals = 0

    def open(self, request: Request) -> Call:
        """Tell which call a request is; unknown paths become calls that answer 404."""
        path = request.path.removeprefix(PREFIX)
        if is_oauth(path):
            return OAuthCall(request, path, self)
        return ApiCall(request, path, ROUTER, self)

    def bearer(self, request: Request) -> Token | None:
        """Return the access token of a request, dead or alive; None when it is none of ours."""
        kind, _, text = request.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        return self.access_tokens.get(text) if kind.lower() == "bearer" else None

    def issue(self, grant: Grant) -> dict[str, Any]:
        """Issue a new pair of tokens under a consent; the lifetimes are sandbox seconds (§2.2)."""
        account, now, settings = grant.account, self.clock.now(), self.settings
        if grant not in account.grants:
            account.grants.append(grant)
        access, refresh = account.jwt(now, settings.contaazul_access_token_s), account.secret("refresh")
        self.access_tokens[access] = Token(grant, now + settings.contaazul_access_token_s)
        self.refresh_tokens[refresh] = Token(grant, now + settings.contaazul_refresh_token_s)
        life = int(settings.contaazul_access_token_s)
        return {"access_token": access, "expires_in": life, "refresh_token": refresh, "token_type": "Bearer"}

    def expire_access(self, account: Account | None) -> None:
        """Make the present access tokens of an account invalid; refresh tokens live on."""
        now = self.clock.now()
        for token in self.access_tokens.values():
            if token.grant.account is account:
                token.expires_at = min(token.expires_at, now)

    def says_when(self) -> bool:
        """Tell whether this 429 carries Retry-After: every other one does, the first one not."""
        self._refusals += 1
        return self._refusals % 2 == 0

    def settle(self) -> None:
        """Let happen what the ERPs do by themselves: invoices that are due."""
        now = self.clock.now()
        for account in self.accounts.values():
            if account.store.waiting:
                issue_due(account, now)

    def create_account(self, name: str, fields: Mapping[str, Any]) -> Account:
        """Add an account; ValueError when the name is taken or a field is wrong.

        Accounts may share a `client_id`: one app, many companies.
        """
        if name in self.accounts:
            raise ValueError(f"the account {name!r} exists")
        account = new_account(name, self.clock, self.settings, len(self.accounts) + 1)
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
        """Replace everything in an account: {"products": N, "people": N, "seed": N}, all 0 by default."""
        unknown = set(body) - {"products", "people", "seed"}
        if unknown:
            raise ValueError(f"a seed has products, people, seed; got {', '.join(sorted(unknown))}")
        counts = {name: generator.checked(name, body.get(name, 0)) for name in ("products", "people")}
        account.store.clear()
        lag, self.settings.contaazul_search_lag_s = self.settings.contaazul_search_lag_s, 0.0
        try:
            generator.fill(account.store, counts["products"], counts["people"], int(body.get("seed", 1)))
        finally:
            self.settings.contaazul_search_lag_s = lag
        return counts

    def edit(self, step: Mapping[str, Any], account_name: str | None) -> Any:
        """Do what the merchant does in the screens of the ERP; ValueError or LookupError when it makes no sense.

        `op` (with or without the prefix `contaazul.`) is one of `merchant.EDITS`, account {changes}, revoke, spend
        {calls}, seed; `account` names another account than that of the call.
        """
        account = self.account(step.get("account") or account_name)
        op = str(step["op"]).removeprefix("contaazul.")
        self.settle()
        if op == "account":
            account.change(step.get("changes") or {})
            return account.as_dict()
        if op == "revoke":
            return {"revoked": account.revoke()}
        if op == "seed":
            return self.seed(account, {k: v for k, v in step.items() if k not in ("op", "account")})
        if op == "spend":
            return self._spend(account, step.get("calls"))
        return Merchant(account).edit(op, step)

    def _spend(self, account: Account, calls: Any) -> dict[str, int]:
        # Another app of the same company calls: the quota is the company's (§3.2, §11).
        if isinstance(calls, bool) or not isinstance(calls, int) or calls < 1:
            raise ValueError(f"calls is a whole number from 1, got {calls!r}")
        now = self.clock.now()
        for _ in range(calls):
            account.quota.spend(now)
        return {"calls_in_last_minute": account.quota.minute.used(now)}
