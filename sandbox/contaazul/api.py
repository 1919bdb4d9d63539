"""One call of api-v2: bearer token, quota of the ERP account, error bodies (`reference/contaazul.md` §3)."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.contaazul.accounts import Account
from sandbox.contaazul.checks import UUID_TEXT, Refused, is_uuid
from sandbox.contaazul.query import Query
from sandbox.contaazul.store import Store
from sandbox.core.exchange import JSON, Reply, Request
from sandbox.core.settings import Settings

if TYPE_CHECKING:
    from sandbox.contaazul.vendor import ContaAzul

#: Families of error bodies (§3.4).
OPEN, FINANCE, SALES = "open", "finance", "sales"
UNEXPECTED = "Ocorreu um erro inesperado no servidor. Tente novamente mais tarde."


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer other than 200 with JSON; bytes go out as they are."""

    body: Any
    status: int = 200
    media: str = JSON


@dataclass(frozen=True, slots=True)
class Route:
    """An operation: method, path with `{id}`, family of errors, work (None = 204)."""

    method: str
    pattern: str
    family: str
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
    paths: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self.whole = {(r.method, r.pattern): r for r in self.routes if "{" not in r.pattern}
        self.paths = {r.pattern for r in self.routes if "{" not in r.pattern}
        self.patterns = [
            (r.method, re.compile(re.sub(r"\{\w+\}", "([^/]+)", r.pattern)), r) for r in self.routes if "{" in r.pattern
        ]

    def find(self, method: str, path: str) -> tuple[Route | None, str, bool]:
        """Return the route, the id in the path, and whether the path exists with another method."""
        route = self.whole.get((method, path))
        if route is not None:
            return route, "", True
        if path in self.paths:
            return None, "", True
        known = False
        for its_method, pattern, route in self.patterns:
            found = pattern.fullmatch(path)
            if found is not None:
                known = True
                if its_method == method:
                    return route, found.group(1), True
        return None, "", known


class ApiCall:
    """One call of the API."""

    api = "contaazul"
    counted = True

    def __init__(self, request: Request, path: str, router: Router, vendor: "ContaAzul") -> None:
        self.request = request
        self.vendor = vendor
        self.settings: Settings = vendor.settings
        self.route, self.item, self.path_known = router.find(request.method, path)
        self.query = Query(request.query)
        self.token = vendor.bearer(request)
        self.owner: Account | None = None if self.token is None else self.token.grant.account
        self.account = None if self.owner is None else self.owner.name
        self.window = None if self.owner is None else f"contaazul/{self.owner.name}"
        self.concrete = f"{request.method} {path}"
        self.operation = self.concrete if self.route is None else self.route.operation
        self.params: dict[str, Any] = self.query.as_params()
        if self.item:
            self.params = {"id": self.item, **self.params}

    @property
    def me(self) -> Account:
        """The account of the token; only calls that were admitted ask for it."""
        if self.owner is None:
            raise Refused(401, "Unauthorized")
        return self.owner

    @property
    def store(self) -> Store:
        """What the account holds."""
        return self.me.store

    @property
    def now(self) -> float:
        """Sandbox seconds since the epoch."""
        return self.vendor.clock.now()

    def admit(self) -> Reply | None:
        """Refuse a dead token (401), too many calls (429), a plan without API (403), an unknown path (404, 405)."""
        if self.token is None:
            return _coded(401, "Unauthorized")
        if self.now >= self.token.expires_at:
            return _coded(401, "The Token has expired.")
        if self._over_limit(self.me):
            return self._too_many()
        if not self.me.plan_has_api:
            body = {"status_conta": "END_TRIAL", "message": "O plano da conta não dá acesso à API."}
            return Reply(403, orjson.dumps(body), code="END_TRIAL")
        if self.route is None:
            return _coded(405, "Method Not Allowed") if self.path_known else _coded(404, "Not Found")
        return None

    def enter(self) -> None:
        """The vendor names no limit of calls at once."""

    def leave(self) -> None:
        """The vendor names no limit of calls at once."""

    def work(self) -> Reply:
        """Run the operation."""
        if self.route is None:
            return _coded(404, "Not Found")
        self.vendor.settle()
        try:
            result = self.route.work(self)
        except Refused as refused:
            return self._error(refused, self.route.family)
        if result is None:
            return Reply(204)
        answer = result if isinstance(result, Answer) else Answer(result)
        body = answer.body if isinstance(answer.body, bytes) else orjson.dumps(answer.body)
        return Reply(answer.status, body, answer.media)

    def refuse(self, fault: str) -> Reply:
        """Word a planted refusal."""
        if fault in ("over_quota", "concurrency"):
            return self._too_many()
        status = 503 if fault == "maintenance" else 500
        return _coded(status, "Service Unavailable" if status == 503 else UNEXPECTED)

    def expire_token(self) -> Reply | None:
        """Make the account's access tokens invalid from this call on."""
        self.vendor.expire_access(self.owner)
        return None

    def spoil(self, reply: Reply) -> Reply:
        """Return numbers as text and lists as objects."""
        if not reply.body or not reply.media.startswith("application/json"):
            return reply
        return Reply(
            reply.status, orjson.dumps(_twist(orjson.loads(reply.body))), reply.media, reply.headers, reply.code
        )

    def json(self) -> dict[str, Any]:
        """Return the JSON object of the body; Refused(400) when it is none."""
        try:
            body = orjson.loads(self.request.body)
        except orjson.JSONDecodeError:
            body = None
        if not isinstance(body, dict):
            raise Refused(400, "O corpo da requisição é inválido")
        return body

    def uuid(self) -> str:
        """Return the id in the path; Refused(400) when it is no UUID."""
        if not is_uuid(self.item):
            raise Refused(400, UUID_TEXT)
        return self.item.lower()

    def created(self, body: Any) -> Answer:
        """Return a created row with the status of the setting."""
        return Answer(body, int(self.settings.contaazul_created_status))

    def rows(self, rows: list[Any], *, observed_null: bool = False) -> list[Any] | None:
        """Return the rows of a list; an empty one as the setting says."""
        style = self.settings.contaazul_empty_lists
        return None if not rows and (style == "null" or (style == "observed" and observed_null)) else rows

    def total(self, count: int) -> int:
        """Return a total as the vendor would state it."""
        return count + 3 if self.settings.contaazul_wrong_totals else count

    def _over_limit(self, account: Account) -> bool:
        quota, now = account.quota, self.now
        over = quota.over(now, self.settings.contaazul_second_limit == "sliding")
        quota.refused += over
        if not over or self.settings.contaazul_refused_calls_count:
            quota.spend(now)
        return over

    def _too_many(self) -> Reply:
        reply = Reply(429, b'{"message":"Too Many Requests"}', code=429, over_limit=True)
        style = self.settings.contaazul_retry_after
        if self.owner is not None and (style == "always" or (style == "alternate" and self.vendor.says_when())):
            reply.headers.append((b"retry-after", b"%d" % self.owner.quota.wait(self.now)))
        return reply

    def _error(self, refused: Refused, family: str) -> Reply:
        coded = family == FINANCE
        if family == SALES:
            style = self.settings.contaazul_sale_errors
            coded = style == "message" or (style == "mixed" and len(refused.text) % 2 == 1)
        if coded:
            return _coded(refused.status, refused.text)
        return Reply(refused.status, orjson.dumps({"error": refused.text}), code=refused.status)


def paged(rows: list[Any], page: int, size: int) -> list[Any]:
    """Return one page (from 1) of rows."""
    return rows[(page - 1) * size : page * size]


def _coded(status: int, text: str) -> Reply:
    return Reply(status, orjson.dumps({"code": status, "message": text}), code=status)


def _twist(value: Any) -> Any:
    if isinstance(value, list):
        return {str(at): _twist(row) for at, row in enumerate(value)}
    if isinstance(value, dict):
        return {key: _twist(inner) for key, inner in value.items()}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value
