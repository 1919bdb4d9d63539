"""API v3: bearer token, quota headers, routes, errors (`reference/tiny.md` §4, §5.2, §10)."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.core.exchange import Reply, Request
from sandbox.core.forms import urlencoded
from sandbox.core.settings import Settings
from sandbox.tiny.accounts import Account, Token


class V3Error(Exception):
    """The call fails with an HTTP status; `details` are (field, message) rows of the ErrorDTO of a 400."""

    def __init__(self, status: int, message: str = "", *details: tuple[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.details = details


@dataclass(frozen=True, slots=True)
class Route:
    """An operation: its pattern with `{id}`, the permission it needs, its work (None = 204)."""

    method: str
    pattern: str
    permission: str
    work: "Callable[[V3Call], Any]"
    #: Answers with the status of the setting `v3_created_status`.
    creates: bool = False

    @property
    def operation(self) -> str:
        """The operation's name in the call log."""
        return f"{self.method} {self.pattern}"

    def regex(self) -> re.Pattern[str]:
        """The pattern as a regular expression; an id is any one path segment."""
        return re.compile(re.escape(self.pattern).replace(r"\{id\}", "([^/]+)"))


class V3Call:
    """One call of API v3."""

    api = "v3"

    def __init__(
        self,
        request: Request,
        path: str,
        route: Route | None,
        item: str,
        bearer: tuple[Account, Token] | None,
        settings: Settings,
    ) -> None:
        self.request = request
        self.route = route
        self.item = item
        self.settings = settings
        self.query = urlencoded(request.query)
        self.owner = None if bearer is None else bearer[0]
        self.token = None if bearer is None else bearer[1]
        self.account = None if self.owner is None else self.owner.name
        self.concrete = f"{request.method} {path}"
        self.operation = self.concrete if route is None else route.operation
        self.params: dict[str, Any] = {"id": item, **self.query} if item else dict(self.query)
        self.counted = route is not None

    @property
    def me(self) -> Account:
        """The account of the token; only calls that were admitted ask for it."""
        if self.owner is None:
            raise V3Error(401)
        return self.owner

    @property
    def messy(self) -> bool:
        """Whether types drift in this run."""
        return bool(self.settings.types == "messy")

    def admit(self) -> Reply | None:
        """Refuse a dead token (401), a spent quota (429), a missing permission (403), an unknown path (404)."""
        status = self._refused()
        return None if status is None else self._reply(status, b"")

    def enter(self) -> None:
        """v3 documents no limit of concurrent calls."""

    def leave(self) -> None:
        """v3 documents no limit of concurrent calls."""

    def work(self) -> Reply:
        """Run the operation."""
        if self.route is None:
            return self._reply(404, b"")
        try:
            body = self.route.work(self)
        except V3Error as error:
            return self._error(error)
        if body is None:
            return self._reply(204, b"")
        status = int(self.settings.v3_created_status) if self.route.creates else 200
        return self._reply(status, orjson.dumps(body))

    def refuse(self, fault: str) -> Reply:
        """Word a planted refusal."""
        planted = {"over_quota": 429, "concurrency": 429, "maintenance": 503, "unexpected_35": 500}
        return self._reply(planted[fault], b"")

    def expire_token(self) -> Reply | None:
        """Make the account's access tokens invalid from this call on."""
        if self.owner is not None:
            self.owner.expire_access(self.owner.store.clock.now())
        return None

    def spoil(self, reply: Reply) -> Reply:
        """Return lists as objects keyed by position and numbers as text."""
        if not reply.body:
            return reply
        body = orjson.dumps(_twist(orjson.loads(reply.body)))
        return Reply(reply.status, body, reply.media, reply.headers, reply.code)

    def number(self) -> int:
        """Return the id in the path; 400 when it is no whole number."""
        if not (self.item.isascii() and self.item.isdigit()):
            raise wrong_type("id", "string", "int")
        return int(self.item)

    def json(self) -> dict[str, Any]:
        """Return the JSON object of the body; 400 when it is none."""
        try:
            body = orjson.loads(self.request.body)
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict):
            raise V3Error(400, "O corpo da requisição deve ser um objeto JSON")
        return body

    def json_rows(self) -> list[dict[str, Any]]:
        """Return the JSON array of objects of the body; 400 when it is none."""
        try:
            body = orjson.loads(self.request.body)
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, list) or not all(isinstance(row, dict) for row in body):
            raise V3Error(400, "O corpo da requisição deve ser uma lista de objetos JSON")
        return body

    def _refused(self) -> int | None:
        account = self.owner
        if account is None or self.token is None:
            return 401
        if not self.token.grant.alive or account.store.clock.now() >= self.token.expires_at:
            return 401
        if self._over_limit(account):
            return 429
        if self.route is None:
            return 404
        allowed = account.access and not account.blocked and account.plan.v2 > 0
        return None if allowed and self.route.permission in account.permissions else 403

    def _over_limit(self, account: Account) -> bool:
        now = account.store.clock.now()
        window, limit = self._window(account)
        over: bool = window.used(now) >= limit
        if not over or self.settings.blocked_calls_count:
            window.add(now)
            if self.settings.shared_quota:
                account.calls.add(now)
        return over

    def _window(self, account: Account) -> tuple[Any, int]:
        if self.request.method == "GET":
            return account.reads, account.plan.v3_reads
        return account.writes, account.plan.v3_writes

    def _error(self, error: V3Error) -> Reply:
        if error.status != 400:
            return self._reply(error.status, b"")
        rows = [{"campo": name, "mensagem": text} for name, text in error.details]
        return self._reply(400, orjson.dumps({"mensagem": error.message, "detalhes": rows or None}))

    def _reply(self, status: int, body: bytes) -> Reply:
        # Bodies of 401, 403, 404, 429, 5xx are not specified (§4.3): they are empty here.
        reply = Reply(status, body, code=status if status >= 400 else None, over_limit=status == 429)
        account = self.owner
        if account is not None:
            now = account.store.clock.now()
            window, limit = self._window(account)
            left = max(0, limit - window.used(now))
            reply.headers = [
                (b"x-ratelimit-limit", b"%d" % limit),
                (b"x-ratelimit-remaining", b"%d" % left),
                (b"x-ratelimit-reset", b"%d" % window.resets_in(now)),
                (b"x-limit-api", b"%d" % limit),
            ]
        return reply


def wrong_type(field: str, got: str, wanted: str) -> V3Error:
    """Return the 400 of a value of the wrong type, worded as Tiny does (§4.3)."""
    text = f"O tipo de dado '{got}' não é válido para a propriedade '{field}' do tipo '{wanted}'"
    return V3Error(400, text)


def invalid(field: str, text: str) -> V3Error:
    """Return the 400 of a field that fails validation."""
    return V3Error(400, "Ocorreram erros de validação", (field, text))


def _twist(value: Any) -> Any:
    if isinstance(value, list):
        return {str(at): _twist(row) for at, row in enumerate(value)}
    if isinstance(value, dict):
        return {key: _twist(inner) for key, inner in value.items()}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value
