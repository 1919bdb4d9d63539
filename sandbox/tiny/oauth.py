"""OAuth 2 of API v3: consent page and token endpoint (`reference/tiny.md` §4.1, §10)."""

import base64
import binascii
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import orjson

from sandbox.core.exchange import Reply, Request, page
from sandbox.core.forms import body_params, urlencoded
from sandbox.core.settings import Settings
from sandbox.tiny.accounts import Account, Grant, Token

CODE_LIFE_S = 60.0
_SECRETS = frozenset({"client_secret", "code", "refresh_token", "code_verifier"})


class OAuthCall:
    """One request to the realm: `GET …/auth` or `POST …/token`. It spends no API quota."""

    api = "oauth"
    counted = False

    def __init__(self, request: Request, accounts: dict[str, Account], settings: Settings) -> None:
        self.request = request
        self.settings = settings
        self.operation = f"{request.method} {request.path.rpartition('protocol/openid-connect')[2]}"
        self.concrete = self.operation
        self.form = urlencoded(request.query) | body_params(request.body, request.content_type)
        client_id, self.secret = _basic(request) or (self.form.get("client_id"), self.form.get("client_secret"))
        self.owner = next((a for a in accounts.values() if a.client_id == client_id), None)
        self.account = None if self.owner is None else self.owner.name
        self.params: dict[str, Any] = {k: v[:200] for k, v in self.form.items() if k not in _SECRETS}

    def admit(self) -> Reply | None:
        """Refuse paths and methods the realm does not have."""
        if self.operation in ("GET /auth", "POST /token"):
            return None
        known = self.operation.endswith((" /auth", " /token"))
        return page(405, "405 Method Not Allowed") if known else page(404, "404 Not Found")

    def enter(self) -> None:
        """The realm counts nothing."""

    def leave(self) -> None:
        """The realm counts nothing."""

    def work(self) -> Reply:
        """Answer the consent page or the token request."""
        return self._authorize() if self.operation == "GET /auth" else self._token()

    def refuse(self, fault: str) -> Reply:
        """Word a planted refusal: the realm only knows being unavailable."""
        status = 429 if fault in ("over_quota", "concurrency") else 503
        return Reply(status, b"", over_limit=status == 429, code=status)

    def expire_token(self) -> Reply | None:
        """A token request carries no access token; nothing to expire."""
        return None

    def spoil(self, reply: Reply) -> Reply:
        """Return lifetimes as text and the token type missing."""
        if not reply.body.startswith(b"{"):
            return reply
        body = {k: str(v) if isinstance(v, int) else v for k, v in orjson.loads(reply.body).items()}
        body.pop("token_type", None)
        return Reply(reply.status, orjson.dumps(body), reply.media, reply.headers, reply.code)

    def _authorize(self) -> Reply:
        redirect = self.form.get("redirect_uri", "")
        if self.owner is None:
            return page(400, "Cliente não encontrado")
        if not urlsplit(redirect).scheme:
            return page(400, "Parâmetro inválido: redirect_uri")
        answer: dict[str, str] = {}
        if self.form.get("state"):
            answer["state"] = self.form["state"]
        if self.form.get("response_type") != "code":
            answer["error"] = "unsupported_response_type"
        elif not self.owner.consent:
            answer["error"] = "access_denied"
        else:
            code = self.owner.secret("code")
            life = self.owner.store.clock.now() + CODE_LIFE_S
            self.owner.codes[code] = Token(Grant(self.owner), life, redirect_uri=redirect)
            answer["code"] = code
        location = redirect + ("&" if "?" in redirect else "?") + urlencode(answer)
        return Reply(302, headers=[(b"location", location.encode())], code=answer.get("error"))

    def _token(self) -> Reply:
        if self.owner is None or self.secret != self.owner.client_secret:
            return _error(401, "unauthorized_client", "Invalid client or Invalid client credentials")
        grant_type = self.form.get("grant_type", "")
        if grant_type == "authorization_code":
            return self._exchange_code(self.owner)
        if grant_type == "refresh_token":
            return self._refresh(self.owner)
        if grant_type == "client_credentials":
            return _error(401, "unauthorized_client", "Client not enabled to retrieve service account")
        if not grant_type:
            return _error(400, "invalid_request", "Missing form parameter: grant_type")
        return _error(400, "unsupported_grant_type", "Unsupported grant_type")

    def _exchange_code(self, account: Account) -> Reply:
        code = account.codes.get(self.form.get("code", ""))
        if code is None or not _usable(code, account) or code.used:
            return _error(400, "invalid_grant", "Code not valid")
        code.used = True
        if self.form.get("redirect_uri") != code.redirect_uri:
            return _error(400, "invalid_grant", "Incorrect redirect_uri")
        return Reply(200, orjson.dumps(issue(account, code.grant, self.settings)))

    def _refresh(self, account: Account) -> Reply:
        token = account.refresh_tokens.get(self.form.get("refresh_token", ""))
        if token is None or not token.grant.alive:
            return _error(400, "invalid_grant", "Invalid refresh token")
        if token.used:
            if self.settings.refresh_reuse_revokes:
                token.grant.alive = False
            return _error(400, "invalid_grant", "Maximum allowed refresh token reuse exceeded")
        if not _usable(token, account):
            return _error(400, "invalid_grant", "Token is not active")
        token.used = True
        return Reply(200, orjson.dumps(issue(account, token.grant, self.settings)))


def issue(account: Account, grant: Grant, settings: Settings) -> dict[str, Any]:
    """Issue a new pair of tokens under a consent; the lifetimes are sandbox seconds."""
    now = account.store.clock.now()
    access, refresh = account.secret("access"), account.secret("refresh")
    account.access_tokens[access] = Token(grant, now + settings.access_token_s)
    account.refresh_tokens[refresh] = Token(grant, now + settings.refresh_token_s)
    return {
        "access_token": access,
        "expires_in": int(settings.access_token_s),
        "refresh_expires_in": int(settings.refresh_token_s),
        "refresh_token": refresh,
        "token_type": "Bearer",
        "id_token": account.secret("id"),
        "not-before-policy": 0,
        "session_state": f"session-{account.name}",
        "scope": "openid profile email",
    }


def _usable(token: Token, account: Account) -> bool:
    return token.grant.alive and account.store.clock.now() < token.expires_at


def _error(status: int, error: str, description: str) -> Reply:
    body = {"error": error, "error_description": description}
    return Reply(status, orjson.dumps(body), code=error)


def _basic(request: Request) -> tuple[str, str] | None:
    kind, _, value = request.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return unquote(name), unquote(secret)
