"""OAuth 2 as Kong's plugin does it: consent, codes, rotation (`reference/tagplus.md` §2)."""

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from sandbox.core.exchange import Reply, Request, page
from sandbox.core.forms import body_params, urlencoded
from sandbox.tagplus.accounts import Account, Grant, Token
from sandbox.tagplus.scopes import ALL_SCOPES, split_scopes

if TYPE_CHECKING:
    from sandbox.tagplus.vendor import TagPlus

AUTHORIZE, TOKEN = "/authorize", "/oauth2/token"
_SECRETS = frozenset({"client_secret", "code", "refresh_token"})
_NO_STORE = [(b"cache-control", b"no-store"), (b"pragma", b"no-cache")]


class OAuthCall:
    """One request to the authorization server. It spends no API quota."""

    api = "oauth"
    counted = False

    def __init__(self, request: Request, path: str, vendor: "TagPlus") -> None:
        self.request = request
        self.vendor = vendor
        self.path = path
        self.concrete = f"{request.method} {path}"
        self.operation = self.concrete
        self.form = urlencoded(request.query) | body_params(request.body, request.content_type)
        self.basic = _basic(request)
        self.client_id = self.basic[0] if self.basic else self.form.get("client_id", "")
        self.apps = [a for a in vendor.accounts.values() if a.client_id == self.client_id]
        self.params: dict[str, Any] = {k: v[:2000] for k, v in self.form.items() if k not in _SECRETS}
        owner = self._owner()
        self.account = None if owner is None else owner.name
        self.window = None

    def admit(self) -> Reply | None:
        """Refuse methods an address does not have."""
        fits = self.request.method == ("POST" if self.path == TOKEN else "GET")
        return None if fits else page(405, "405 Method Not Allowed")

    def enter(self) -> None:
        """Nothing is counted here."""

    def leave(self) -> None:
        """Nothing is counted here."""

    def work(self) -> Reply:
        """Answer the request."""
        return self._token() if self.path == TOKEN else self._authorize()

    def refuse(self, fault: str) -> Reply:
        """Word a planted refusal."""
        if fault in ("over_quota", "concurrency"):
            return Reply(429, b'{"message":"API rate limit exceeded"}', code=429, over_limit=True)
        status = 503 if fault == "maintenance" else 500
        return Reply(status, orjson.dumps({"message": "An unexpected error occurred"}), code=status)

    def expire_token(self) -> Reply | None:
        """Make the access tokens of the account invalid."""
        self.vendor.expire_access(self._owner())
        return None

    def spoil(self, reply: Reply) -> Reply:
        """Return lifetimes as text and the token type missing."""
        if not reply.body.startswith(b"{"):
            return reply
        body = {k: str(v) if isinstance(v, int) else v for k, v in orjson.loads(reply.body).items()}
        body.pop("token_type", None)
        return Reply(reply.status, orjson.dumps(body), reply.media, reply.headers, reply.code)

    def _owner(self) -> Account | None:
        for kind, tokens in (("refresh_token", self.vendor.refresh_tokens), ("code", self.vendor.codes)):
            token = tokens.get(self.form.get(kind, ""))
            if token is not None:
                return token.grant.account
        chosen = self.form.get("sandbox_account")
        return next((a for a in self.apps if chosen in (None, a.name)), None)

    def _authorize(self) -> Reply:
        account = self._owner()
        if account is None:
            return page(400, "Aplicativo não encontrado")
        if not account.redirect_uri:
            return page(400, "O aplicativo não tem URL de retorno cadastrada")
        implicit = self.form.get("response_type") == "token"
        answer = self._consent(account, implicit)
        if self.form.get("state"):
            answer["state"] = self.form["state"]
        to, mark = account.redirect_uri, "?"
        if implicit:
            mark = "#"
        elif "?" in to:
            mark = "&"
        return Reply(302, headers=[(b"location", f"{to}{mark}{urlencode(answer)}".encode())], code=answer.get("error"))

    def _consent(self, account: Account, implicit: bool) -> dict[str, str]:
        if not implicit and self.form.get("response_type") != "code":
            return {"error": "unsupported_response_type", "error_description": "Invalid response_type"}
        wanted = split_scopes(self.form.get("scope", ""))
        if not wanted:
            return {"error": "invalid_scope", "error_description": "You must specify a scope"}
        unknown = next((name for name in wanted if name not in ALL_SCOPES), None)
        if unknown is not None:
            return {"error": "invalid_scope", "error_description": f'"{unknown}" is an invalid scope'}
        if not account.consent:
            return {"error": "access_denied", "error_description": "The user denied the access"}
        grant = Grant(account, frozenset(wanted) & frozenset(account.scopes))
        if implicit:
            issued = self.vendor.issue(grant, refreshable=False)
            return {"token_type": "bearer", "access_token": issued["access_token"]}
        code = account.secret("code")
        self.vendor.codes[code] = Token(grant, self.vendor.clock.now() + self.vendor.settings.tagplus_code_s)
        return {"code": code}

    def _token(self) -> Reply:
        grant_type = self.form.get("grant_type", "")
        if grant_type not in ("authorization_code", "refresh_token"):
            return _error("unsupported_grant_type", "Invalid grant_type")
        secret = self.basic[1] if self.basic else self.form.get("client_secret", "")
        if not any(a.client_secret == secret for a in self.apps):
            return _error("invalid_client", "Invalid client authentication", 401 if self.basic else 400)
        return self._exchange_code() if grant_type == "authorization_code" else self._refresh()

    def _exchange_code(self) -> Reply:
        text = self.form.get("code", "")
        code = self.vendor.codes.get(text)
        if code is None or code.grant.account not in self.apps:
            return _error("invalid_request", "Invalid code")
        # Single use: the row goes with the first call that brings the code, and with its time.
        del self.vendor.codes[text]
        if self.vendor.clock.now() >= code.expires_at:
            return _error("invalid_request", "Invalid code")
        return Reply(200, orjson.dumps(self.vendor.issue(code.grant)), headers=list(_NO_STORE))

    def _refresh(self) -> Reply:
        text = self.form.get("refresh_token", "")
        token = self.vendor.refresh_tokens.get(text)
        late = token is not None and self.vendor.clock.now() >= token.expires_at
        if token is None or late or token.grant.account not in self.apps:
            return _error("invalid_request", "Invalid refresh_token")
        issued = self.vendor.issue(token.grant)
        del self.vendor.refresh_tokens[text]
        if self.vendor.settings.tagplus_refresh_kills_access:
            self.vendor.access_tokens.pop(token.twin, None)
        return Reply(200, orjson.dumps(issued), headers=list(_NO_STORE))


def _error(error: str, description: str, status: int = 400) -> Reply:
    body = {"error": error, "error_description": description}
    headers = [*_NO_STORE, *([(b"www-authenticate", b'Basic realm="OAuth2.0"')] if status == 401 else [])]
    return Reply(status, orjson.dumps(body), headers=headers, code=error)


def _basic(request: Request) -> tuple[str, str] | None:
    kind, _, value = request.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret
