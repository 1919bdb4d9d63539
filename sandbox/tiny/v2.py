"""API v2: transport, credential, quota, envelope (`reference/tiny.md` §2, §10)."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from sandbox.core.exchange import HTML, JSON, Reply, Request, page
from sandbox.core.forms import body_params, urlencoded
from sandbox.core.settings import Settings
from sandbox.tiny.accounts import Account
from sandbox.tiny.values import Values

XML = "text/xml; charset=UTF-8"
OVER_QUOTA = "API Bloqueada - Excedido o número de acessos a API, aguarde alguns minutos e tente novamente"
AT_ONCE = "API Bloqueada - Excedido o número de acessos concorrentes a API"
#: Texts of the errors that need no detail; clients branch on the code only (§2.4).
TEXTS = {
    1: "O token não foi informado",
    2: "token invalido",
    3: "JSON mal formado ou inválido",
    5: "API bloqueada ou sem acesso",
    6: OVER_QUOTA,
    8: "Empresa bloqueada",
    11: AT_ONCE,
    20: "A Consulta não retornou registros",
    22: "Quantidade de registros acima do limite de 20 por chamada",
    23: "A página que você está tentando obter não existe",
    32: "Produto não localizado",
    35: "Ocorreu um erro inesperado. Tente novamente mais tarde.",
    99: "Sistema em manutenção",
}
_PLANTED = {"over_quota": 6, "concurrency": 11, "maintenance": 99, "unexpected_35": 35}
_CREDENTIALS = frozenset({"token", "formato"})
_NOT_PROCESSED = frozenset({1, 2, 3, 5, 6, 8, 11, 99})


class V2Error(Exception):
    """The whole call fails with a code of §2.4."""

    def __init__(self, code: int, text: str | None = None) -> None:
        super().__init__(text or TEXTS[code])
        self.code = code
        self.text = text or TEXTS[code]


#: What the body of an answer needs: the keys beside the status, and the status where it is not 3/OK.
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Service:
    """A service of v2: its work, whether it writes, whether each call counts as a batch call (§2.3)."""

    work: "Callable[[V2Call], Answer | Reply]"
    writes: bool = False
    batch: bool = False


class V2Call:
    """One call of a service."""

    api = "v2"

    def __init__(
        self,
        request: Request,
        name: str,
        service: Service | None,
        accounts: dict[str, Account],
        settings: Settings,
    ) -> None:
        self.request = request
        self.operation = name
        self.concrete = name
        self.service = service
        self.settings = settings
        self.form = urlencoded(request.query) | body_params(request.body, request.content_type)
        self.owner = accounts.get(self.form.get("token", ""))
        self.account = None if self.owner is None else self.owner.name
        self.params = {k: v[:200] for k, v in self.form.items() if k not in _CREDENTIALS}
        self.counted = service is not None

    @property
    def me(self) -> Account:
        """The account of the token; only calls that were admitted ask for it."""
        if self.owner is None:
            raise V2Error(2)
        return self.owner

    def admit(self) -> Reply | None:
        """Refuse an unknown service (404), a bad token (1, 2), a closed account (5, 8), a spent quota (6, 11)."""
        if self.service is None:
            return page(404, "404 Not Found")
        code = self._refused()
        return None if code is None else self._error(V2Error(code))

    def enter(self) -> None:
        """Count the call among the account's concurrent ones."""
        if self.owner is not None:
            self.owner.in_flight += 1

    def leave(self) -> None:
        """Take the call from the account's concurrent ones."""
        if self.owner is not None:
            self.owner.in_flight -= 1

    def work(self) -> Reply:
        """Run the service and wrap what it says in the envelope (§2.4)."""
        if self.service is None:
            return page(404, "404 Not Found")
        try:
            body = self.service.work(self)
        except V2Error as error:
            return self._error(error)
        if isinstance(body, Reply):
            return body
        status = {"status_processamento": body.pop("status_processamento", 3), "status": body.pop("status", "OK")}
        code = body.pop("log_code", None)
        return self._reply({**status, **body}, code)

    def refuse(self, fault: str) -> Reply:
        """Word a planted refusal."""
        return self._error(V2Error(_PLANTED[fault]))

    def expire_token(self) -> Reply | None:
        """v2 tokens do not expire; the call that meets the fault is told its token is invalid."""
        return self._error(V2Error(2))

    def spoil(self, reply: Reply) -> Reply:
        """Return lists as objects keyed by position and objects inside a list, as careless PHP does."""
        if reply.media != JSON and not reply.body.startswith(b"{"):
            return reply
        payload = json.loads(reply.body)["retorno"]
        for key, value in payload.items():
            if isinstance(value, list):
                payload[key] = {str(at): row for at, row in enumerate(value)}
            elif isinstance(value, dict):
                payload[key] = [value]
        return Reply(reply.status, _dump({"retorno": payload}), reply.media, reply.headers, reply.code)

    def values(self, product_id: int) -> Values:
        """Return how to write the values of a product in this run."""
        return Values(product_id, self.settings.types == "messy", self.settings.lost_zeros)

    def reply(self, body: bytes, media: str) -> Reply:
        """Return a body that has a form of its own, with the headers of every answer."""
        return Reply(200, body, media, self._headers())

    def text(self, name: str) -> str:
        """Return a required parameter; code 10 when it was not sent or is empty."""
        value = self.form.get(name, "").strip()
        if not value:
            raise V2Error(10, f"O parâmetro {name} é obrigatório e não foi informado")
        return value

    def number(self, name: str, default: int | None = None) -> int:
        """Return a whole number parameter; code 10 when it is none."""
        value = self.form.get(name, "").strip()
        if not value and default is not None:
            return default
        if not (value.isascii() and value.isdigit()):
            raise V2Error(10, f'O parâmetro {name} deve ser um número inteiro, valor enviado "{value}"')
        return int(value)

    def _refused(self) -> int | None:
        if not self.form.get("token"):
            return 1
        account = self.owner
        if account is None:
            return 2
        if not account.access or account.plan.v2 == 0:
            return 5
        if account.blocked:
            return 8
        return self._over_limit(account)

    def _over_limit(self, account: Account) -> int | None:
        now, plan = account.store.clock.now(), account.plan
        batch = self.service is not None and self.service.batch
        code = None
        if account.calls.used(now) >= plan.v2 or (batch and account.batches.used(now) >= plan.batch):
            code = 6
        elif account.in_flight >= plan.at_once:
            code = 11
        if code is None or self.settings.blocked_calls_count:
            account.calls.add(now)
            if batch:
                account.batches.add(now)
            if self.settings.shared_quota:
                writes = self.service is not None and self.service.writes
                (account.writes if writes else account.reads).add(now)
        return code

    def _error(self, error: V2Error) -> Reply:
        processed: Any = 1 if error.code in _NOT_PROCESSED else 2
        code: Any = error.code
        # Recorded: the quota error has its code as text and `erros` as an object; code 32 is text too (§2.3).
        if error.code in (6, 11):
            erros: Any = {"erro": error.text}
            code = str(code)
        else:
            erros = [{"erro": error.text}]
            if error.code == 32:
                code, processed = str(code), str(processed)
        body = {"status_processamento": processed, "status": "Erro", "codigo_erro": code, "erros": erros}
        reply = self._reply(body, error.code)
        reply.over_limit = error.code in (6, 11)
        return reply

    def _reply(self, retorno: dict[str, Any], code: int | None) -> Reply:
        headers = self._headers()
        if self.form.get("formato", "").lower() != "json":
            return Reply(200, _xml(retorno), XML, headers, code)
        # The Content-Type of JSON answers was never verified (§2.2): messy runs call it HTML.
        media = HTML if self.settings.types == "messy" else JSON
        return Reply(200, _dump({"retorno": retorno}), media, headers, code)

    def _headers(self) -> list[tuple[bytes, bytes]]:
        return [] if self.owner is None else [(b"x-limit-api", b"%d" % self.owner.plan.v2)]


def _dump(body: dict[str, Any]) -> bytes:
    # ASCII with \uXXXX escapes, as Tiny writes (§2.2).
    return json.dumps(body, separators=(",", ":")).encode()


def _xml(retorno: dict[str, Any]) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<retorno>{_elements(retorno)}</retorno>'.encode()


def _elements(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{k}>{_elements(v)}</{k}>" for k, v in value.items())
    if isinstance(value, list):
        return "".join(_elements(row) for row in value)
    return "" if value is None else escape(str(value))
