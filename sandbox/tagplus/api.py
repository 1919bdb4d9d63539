"""One call of the API: gateway (token, rate), version, debt, scope, error bodies (`reference/tagplus.md` §1 to §5)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from sandbox.core.exchange import JSON, Reply, Request
from sandbox.core.forms import urlencoded
from sandbox.core.settings import Settings
from sandbox.tagplus.accounts import Account, Actor, Grant
from sandbox.tagplus.checks import Refused, not_found
from sandbox.tagplus.query import Listing, View
from sandbox.tagplus.scopes import ALL_SCOPES, allows
from sandbox.tagplus.store import Row, Store, Table

if TYPE_CHECKING:
    from sandbox.tagplus.vendor import TagPlus

DELETED = {"message": "Deletado com sucesso"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer other than 200 with JSON; bytes go out as they are."""

    body: Any
    status: int = 200
    media: str = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """An operation: method, path with `{id}`, resource of its scope, work."""

    method: str
    pattern: str
    resource: str
    work: "Callable[[ApiCall], Any]"

    @property
    def operation(self) -> str:
        """The operation's name in the call log."""
        return f"{self.method} {self.pattern}"


@dataclass(slots=True)
class Router:
    """Finds routes: whole paths first, then those with an id."""

    routes: tuple[Route, ...]
    whole: dict[tuple[str, str], Route] = field(init=False)
    patterns: list[tuple[str, re.Pattern[str], Route]] = field(init=False)

    def __post_init__(self) -> None:
        self.whole = {(r.method, r.pattern): r for r in self.routes if "{" not in r.pattern}
        self.patterns = [
            (r.method, re.compile(r.pattern.replace("{id}", "([^/]+)")), r) for r in self.routes if "{" in r.pattern
        ]

    def find(self, method: str, path: str) -> tuple[Route | None, str]:
        """Return the route and the id in the path."""
        route = self.whole.get((method, path))
        if route is not None or any(r.pattern == path for r in self.whole.values()):
            return route, ""
        for its_method, pattern, route in self.patterns:
            found = pattern.fullmatch(path)
            if found is not None and its_method == method:
                return route, found.group(1)
        return None, ""


class ApiCall:
    """One call of the API."""

    api = "tagplus"
    counted = True

    def __init__(self, request: Request, path: str, router: Router, vendor: "TagPlus") -> None:
        self.request = request
        self.vendor = vendor
        self.settings: Settings = vendor.settings
        path = path.rstrip("/") or "/"
        self.route, self.item = router.find(request.method, path)
        self.query = self._parameters()
        self.token_text = self._token_text()
        self.grant = self._grant()
        self.account = None if self.grant is None else self.grant.account.name
        self.window = None if self.account is None else f"tagplus/{self.account}"
        self.concrete = f"{request.method} {path}"
        self.operation = self.concrete if self.route is None else self.route.operation
        self.params: dict[str, Any] = {k: v[:2000] for k, v in self.query.items() if k != "access_token"}
        if self.item:
            self.params = {"id": self.item, **self.params}

    @property
    def me(self) -> Account:
        """The account of the token; only calls that were admitted ask for it."""
        if self.grant is None:
            raise Refused(401, "nao_autorizado", "Não autorizado")
        return self.grant.account

    @property
    def actor(self) -> Actor:
        """The app, writing as the account's ERP user."""
        return Actor(self.me, api=True)

    @property
    def store(self) -> Store:
        """What the account holds."""
        return self.me.store

    @property
    def base(self) -> str:
        """The address of the sandbox as the client called it."""
        return "http://" + self.request.headers.get(b"host", b"127.0.0.1").decode("latin-1")

    @property
    def host(self) -> str:
        """The name of the sandbox as the client called it."""
        return urlsplit(self.base).hostname or ""

    def admit(self) -> Reply | None:
        """Refuse, in this order: no token or a dead one, too many calls, no version, debt, lacking scope."""
        if self.grant is None:
            return self._unauthorized()
        if self._over_limit(self.me):
            return self._too_many()
        if self.settings.tagplus_require_version and self.header("x-api-version") not in ("2.0", "2"):
            return _reply(Refused(400, "versao_nao_informada", "Informe o cabeçalho X-Api-Version: 2.0"))
        if self.me.debt:
            return _reply(Refused(402, "pagamento_pendente", "Existem pagamentos pendentes há mais de 7 dias"))
        if self.route is not None and not allows(self.grant.scopes, self.request.method, self.route.resource):
            status = int(self.settings.tagplus_scope_status)
            return _reply(Refused(status, "escopo_nao_autorizado", f"Escopo não autorizado: {self.route.resource}"))
        return None

    def enter(self) -> None:
        """The vendor names no limit of calls at once."""

    def leave(self) -> None:
        """The vendor names no limit of calls at once."""

    def work(self) -> Reply:
        """Run the operation."""
        self.vendor.settle()
        try:
            if self.route is None:
                raise not_found("Recurso", self.concrete)
            with self.store.quiet(self.request.method != "GET" and not self.settings.tagplus_echo):
                result = self.route.work(self)
        except Refused as refused:
            return _reply(refused)
        self.vendor.settle()
        answer = result if isinstance(result, Answer) else Answer(result)
        body = answer.body if isinstance(answer.body, bytes) else orjson.dumps(answer.body)
        return Reply(answer.status, body, answer.media, [*answer.headers, *self._rate_headers()])

    def refuse(self, fault: str) -> Reply:
        """Word a planted refusal."""
        if fault in ("over_quota", "concurrency"):
            return self._too_many()
        status = 503 if fault == "maintenance" else 500
        return _reply(Refused(status, "erro_interno", "Ocorreu um erro inesperado"))

    def expire_token(self) -> Reply | None:
        """Make the account's access tokens invalid from this call on."""
        if self.grant is not None:
            self.vendor.expire_access(self.grant.account)
            self.grant = None
        return None

    def spoil(self, reply: Reply) -> Reply:
        """Return numbers as text and lists as objects."""
        if not reply.body or not reply.media.startswith("application/json"):
            return reply
        body = orjson.dumps(_twist(orjson.loads(reply.body)))
        return Reply(reply.status, body, reply.media, reply.headers, reply.code)

    def header(self, name: str) -> str:
        """Return a header, empty when absent."""
        return self.request.headers.get(name.encode(), b"").decode("latin-1").strip()

    def flag(self, name: str) -> bool:
        """Tell whether a header says true."""
        return self.header(name).lower() in ("true", "1")

    def json(self) -> Any:
        """Return the JSON of the body; Refused(400) when it is none."""
        try:
            return orjson.loads(self.request.body)
        except orjson.JSONDecodeError:
            raise Refused(400, "json_invalido", "O corpo da requisição não é um JSON válido") from None

    def row(self, table: Table, what: str = "Registro") -> Row:
        """Return the row whose id is in the path."""
        number = int(self.item) if self.item.isascii() and self.item.isdigit() else -1
        row = table.rows.get(number)
        if row is None:
            raise not_found(what, self.item, "id")
        return row

    def listing(
        self, view: View, table: Table, fits: Callable[[Row], bool] = lambda _: True, main: tuple[str, ...] = ()
    ) -> Answer:
        """Answer a list call: a bare array and X-Total-Pages (§4)."""
        page = Listing(self.store, view, self.query, self.header("x-data-filter")).run(table, fits, main)
        told = ((b"x-total-pages", b"%d" % page.pages),) if self.settings.tagplus_total_pages else ()
        return Answer(page.rows, headers=told)

    def _parameters(self) -> dict[str, str]:
        params = urlencoded(self.request.query)
        if self.request.method == "GET" and self.header("x-accepts-body") == "1" and self.request.body:
            try:
                body = orjson.loads(self.request.body)
            except orjson.JSONDecodeError:
                body = None
            if isinstance(body, dict):
                params |= {str(k): v if isinstance(v, str) else orjson.dumps(v).decode() for k, v in body.items()}
        return params

    def _token_text(self) -> str:
        kind, _, text = self.header("authorization").partition(" ")
        return text.strip() if kind.lower() == "bearer" else self.query.get("access_token", "")

    def _grant(self) -> Grant | None:
        token = self.vendor.access_tokens.get(self.token_text)
        if token is not None and self.vendor.clock.now() < token.expires_at:
            return token.grant
        key = self.header("apikey")
        if key and not self.token_text:
            owner = next((a for a in self.vendor.accounts.values() if a.api_key == key), None)
            return None if owner is None else Grant(owner, ALL_SCOPES)
        return None

    def _unauthorized(self) -> Reply:
        challenge = 'Bearer realm="service"'
        if not self.token_text:
            body = {"error": "invalid_request", "error_description": "The access token is missing"}
        else:
            body = {"error": "invalid_token", "error_description": "The access token is invalid or has expired"}
            challenge += f' error="{body["error"]}" error_description="{body["error_description"]}"'
        return Reply(401, orjson.dumps(body), headers=[(b"www-authenticate", challenge.encode())], code=body["error"])

    def _limit(self, account: Account) -> int:
        return account.per_minute or int(self.settings.tagplus_per_minute)

    def _over_limit(self, account: Account) -> bool:
        limit, now = self._limit(account), self.vendor.clock.now()
        used = account.minute.used(now)
        if limit and used >= limit:
            return True
        account.minute.add(now)
        return False

    def _rate_headers(self) -> list[tuple[bytes, bytes]]:
        if self.grant is None or not (limit := self._limit(self.grant.account)):
            return []
        left = max(0, limit - self.grant.account.minute.used(self.vendor.clock.now()))
        return [(b"x-ratelimit-limit-minute", b"%d" % limit), (b"x-ratelimit-remaining-minute", b"%d" % left)]

    def _too_many(self) -> Reply:
        reply = Reply(429, b'{"message":"API rate limit exceeded"}', code=429, over_limit=True)
        reply.headers.extend(self._rate_headers())
        return reply


def _reply(refused: Refused) -> Reply:
    return Reply(refused.status, orjson.dumps(refused.as_dict()), code=refused.code)


def _twist(value: Any) -> Any:
    if isinstance(value, list):
        return {str(at): _twist(row) for at, row in enumerate(value)}
    if isinstance(value, dict):
        return {key: _twist(inner) for key, inner in value.items()}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value
