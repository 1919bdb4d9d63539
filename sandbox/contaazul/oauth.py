"""OAuth 2: consent, token endpoint (both addresses), revocation, discovery (`reference/contaazul.md` §1, §2)."""

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode, urlsplit

import orjson

from sandbox.contaazul.accounts import Account, Grant, Token
from sandbox.core.exchange import HTML, Reply, Request, page
from sandbox.core.forms import body_params, urlencoded

if TYPE_CHECKING:
    from sandbox.contaazul.vendor import ContaAzul

CODE_LIFE_S = 180.0
SCOPE = frozenset({"openid", "profile", "aws.cognito.signin.user.admin"})
_SECRETS = frozenset({"client_secret", "code", "refresh_token", "code_verifier"})
_AUTHORIZE = ("/oauth/authorize", "/oauth2/authorize", "/oauth2/login", "/login")
_TOKEN = ("/oauth/token", "/oauth2/token")
_DISCOVERY = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")
_CONNECTIONS = "/oauth/connections/"
#: The consent page of the new address lives behind a fragment, which no browser sends: it goes on by script.
_LOGIN_PAGE = (
    "<!DOCTYPE html><html><head><title>Conta Azul (sandbox)</title></head><body><script>"
    "const at=location.hash.indexOf('?');"
    "if(location.hash.startsWith('#/oauth/authorize')&&at>0)"
    "location.replace('/contaazul/oauth/authorize'+location.hash.slice(at));"
    "</script></body></html>"
)


class OAuthCall:
    """One request to the authorization server. It spends no API quota."""

    api = "oauth"
    counted = False

    def __init__(self, request: Request, path: str, vendor: "ContaAzul") -> None:
        self.request = request
        self.vendor = vendor
        self.path = path
        self.old_address = path.startswith("/oauth2/")
        self.concrete = f"{request.method} {path}"
        self.operation = self.concrete
        if path.startswith(_CONNECTIONS):
            self.operation = f"{request.method} /oauth/connections/{{id_empresa}}"
        self.form = urlencoded(request.query) | body_params(request.body, request.content_type)
        self.basic = _basic(request)
        client_id = self.basic[0] if self.basic else self.form.get("client_id", "")
        self.apps = [a for a in vendor.accounts.values() if a.client_id == client_id]
        self.bearer = vendor.bearer(request)
        self.params: dict[str, Any] = {k: v[:200] for k, v in self.form.items() if k not in _SECRETS}
        owner = self._owner()
        self.account = None if owner is None else owner.name
        self.window = None

    def admit(self) -> Reply | None:
        """Refuse methods an address does not have."""
        method, path = self.request.method, self.path
        if path in _TOKEN:
            fits = method == "POST"
        elif path.startswith(_CONNECTIONS):
            fits = method == "DELETE"
        else:
            fits = method == "GET"
        return None if fits else page(405, "405 Method Not Allowed")

    def enter(self) -> None:
        """Nothing is counted here."""

    def leave(self) -> None:
        """Nothing is counted here."""

    def work(self) -> Reply:
        """Answer the request."""
        if self.path in _TOKEN:
            return self._token()
        if self.path.startswith(_CONNECTIONS):
            return self._disconnect(self.path.removeprefix(_CONNECTIONS))
        if self.path in _DISCOVERY:
            return Reply(200, orjson.dumps(self._metadata()))
        if self.path in _AUTHORIZE and self.form.get("response_type"):
            return self._authorize()
        return Reply(200, _LOGIN_PAGE.encode(), HTML)

    def refuse(self, fault: str) -> Reply:
        """Word a planted refusal."""
        status = {"over_quota": 429, "concurrency": 429, "maintenance": 503}.get(fault, 500)
        if self.path.startswith(_CONNECTIONS) and fault == "unexpected_35":
            status = 502
        return Reply(status, b"", over_limit=status == 429, code=status)

    def expire_token(self) -> Reply | None:
        """Make the caller's access token invalid, where it sent one."""
        if self.bearer is not None:
            self.bearer.expires_at = min(self.bearer.expires_at, self.vendor.clock.now())
        return None

    def spoil(self, reply: Reply) -> Reply:
        """Return lifetimes as text and the token type missing."""
        if not reply.body.strip().startswith(b"{"):
            return reply
        body = {k: str(v) if isinstance(v, int) else v for k, v in orjson.loads(reply.body).items()}
        body.pop("token_type", None)
        return Reply(reply.status, orjson.dumps(body), reply.media, reply.headers, reply.code)

    def _owner(self) -> Account | None:
        if self.bearer is not None:
            return self.bearer.grant.account
        for kind, tokens in (("refresh_token", self.vendor.refresh_tokens), ("code", self.vendor.codes)):
            token = tokens.get(self.form.get(kind, ""))
            if token is not None:
                return token.grant.account
        chosen = self.form.get("sandbox_account")
        return next((a for a in self.apps if chosen in (None, a.name)), None)

    def _authorize(self) -> Reply:
        account, redirect = self._owner(), self.form.get("redirect_uri", "")
        if account is None:
            return page(400, "Cliente não encontrado")
        registered = account.redirect_uri in (None, redirect)
        if not urlsplit(redirect).scheme or not registered:
            return page(400, "redirect_uri não confere com a cadastrada")
        answer = self._consent(account, redirect)
        if self.form.get("state"):
            answer["state"] = self.form["state"]
        location = redirect + ("&" if "?" in redirect else "?") + urlencode(answer)
        return Reply(302, headers=[(b"location", location.encode())], code=answer.get("error"))

    def _consent(self, account: Account, redirect: str) -> dict[str, str]:
        method = self.form.get("code_challenge_method", "S256")
        if self.form.get("response_type") != "code":
            return {"error": "unsupported_response_type"}
        if set(self.form.get("scope", "").split(" ")) != SCOPE:
            return {"error": "invalid_scope"}
        if self.form.get("code_challenge") and method != "S256":
            return {"error": "invalid_request"}
        if not account.consent:
            return {"error": "access_denied"}
        code = account.secret("code", 40)
        until = self.vendor.clock.now() + CODE_LIFE_S
        challenge = self.form.get("code_challenge", "")
        self.vendor.codes[code] = Token(Grant(account), until, redirect_uri=redirect, challenge=challenge)
        return {"code": code}

    def _token(self) -> Reply:
        # §2.2: Basic is what counts; the pair in the body is taken beside it and does not replace it (§12).
        known = self.basic is not None and any(a.client_secret == self.basic[1] for a in self.apps)
        if not known:
            return self._error("invalid_client") if self.old_address else self._error("invalid_grant", "invalid_client")
        grant_type = self.form.get("grant_type", "")
        if grant_type == "authorization_code":
            return self._exchange_code()
        if grant_type == "refresh_token":
            return self._refresh()
        return self._error("unsupported_grant_type" if grant_type else "invalid_request")

    def _exchange_code(self) -> Reply:
        code = self.vendor.codes.get(self.form.get("code", ""))
        if code is None or code.used or self.vendor.clock.now() >= code.expires_at or not self._mine(code):
            return self._error("invalid_grant" if self.old_address else "invalid_request")
        code.used = True
        if self.form.get("redirect_uri") != code.redirect_uri or not self._proves(code.challenge):
            return self._error("invalid_grant")
        return Reply(200, orjson.dumps(self.vendor.issue(code.grant)))

    def _refresh(self) -> Reply:
        token = self.vendor.refresh_tokens.get(self.form.get("refresh_token", ""))
        if token is None or not self._mine(token):
            return self._error("invalid_grant", "invalid_refresh_token")
        if token.grant.revoked:
            return self._error("invalid_grant", "access_revoked")
        if token.used and self.vendor.settings.contaazul_refresh_reuse_revokes:
            token.grant.burned = True
        if token.used or token.grant.burned or self.vendor.clock.now() >= token.expires_at:
            return self._error("invalid_grant", "invalid_refresh_token")
        token.used = True
        return Reply(200, orjson.dumps(self.vendor.issue(token.grant)))

    def _mine(self, token: Token) -> bool:
        return token.grant.account in self.apps

    def _proves(self, challenge: str) -> bool:
        if not challenge:
            return True
        digest = hashlib.sha256(self.form.get("code_verifier", "").encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge

    def _disconnect(self, company: str) -> Reply:
        token = self.bearer
        if token is None or self.vendor.clock.now() >= token.expires_at:
            body = {"code": 401, "message": "The Token has expired."}
            return Reply(401, orjson.dumps(body), code=401)
        account = token.grant.account
        if company != account.id_empresa or not account.grants:
            return Reply(404, orjson.dumps({"error": "Nenhuma conexão ativa encontrada"}), code=404)
        account.revoke()
        return Reply(204)

    def _metadata(self) -> dict[str, Any]:
        host = self.request.headers.get(b"host", b"127.0.0.1").decode("latin-1")
        base = f"http://{host}/contaazul"
        return {
            "issuer": base,
            "authorization_endpoint": f"{base}/oauth/authorize",
            "token_endpoint": f"{base}/oauth/token",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": sorted(SCOPE),
        }

    def _error(self, error: str, subtype: str = "") -> Reply:
        body = {"error": error}
        if subtype and not self.old_address:
            body["error_subtype"] = subtype
            body["error_description"] = f"Sandbox: {subtype}"
        # §2.4: the body may come with white space and line ends around it.
        return Reply(400, b"\n  " + orjson.dumps(body) + b"\n\n", code=subtype or error)


def is_oauth(path: str) -> bool:
    """Tell whether a path (below `/contaazul`) belongs to the authorization server."""
    known = ("", "/", *_AUTHORIZE, *_TOKEN, *_DISCOVERY)
    return path in known or path.startswith(_CONNECTIONS)


def _basic(request: Request) -> tuple[str, str] | None:
    kind, _, value = request.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return unquote(name), unquote(secret)
