"""The door at which a merchant's consent comes back: `/oauth/{kind}/callback`."""

import logging
from html import escape

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from hub import texts
from hub.db import Database
from hub.settings import Settings
from hub.start import open_hub
from hub.tables import Connection
from providers import consent
from providers.accounts import OtherAccountError, verify
from providers.consent import Consent, ConsentError
from providers.contract import CallFailed, Outcome
from providers.registry import KINDS

logger = logging.getLogger(__name__)

_PAGE = """<!doctype html><html lang="pt-BR"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><style>body{{font:16px/1.6 system-ui,sans-serif;max-width:40rem;
margin:4rem auto;padding:0 1rem;color:#1b1f24;background:#fff}}h1{{font-size:1.5rem}}
@media(prefers-color-scheme:dark){{body{{color:#dde3ea;background:#14181d}}}}</style></head>
<body><main><h1>{title}</h1>{paragraphs}</main></body></html>"""

# The address of this page holds a code and a state: it is not kept, and no other site is told where one came from.
_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def oauth_routes(config: Settings) -> APIRouter:
    """The call-back door for every system with a consent, on the hub's database of these settings."""
    routes = APIRouter(tags=["oauth"])
    logging.getLogger("uvicorn.access").addFilter(without_query)

    @routes.get("/oauth/{kind}/callback", response_class=HTMLResponse)
    async def callback(
        kind: str,
        state: str = Query(default="", max_length=300),
        code: str = Query(default="", max_length=4000),
        error: str = Query(default="", max_length=200),
    ) -> HTMLResponse:
        """Takes a merchant's consent: checks its state, gets the tokens, checks the account, and says how it went."""
        if kind not in KINDS or not KINDS[kind].oauth:
            return _page(404, "Endereço desconhecido", "Nenhum sistema integrado pede autorização por este endereço.")
        db = open_hub(config)
        try:
            return await _received(db, kind, state, code, error)
        finally:
            await db.close()

    return routes


def without_query(record: logging.LogRecord) -> bool:
    """Take code and state out of the server's line about a call-back: its path is its third argument."""
    if isinstance(record.args, tuple) and len(record.args) > 2 and str(record.args[2]).startswith("/oauth/"):
        path = str(record.args[2]).partition("?")[0]
        record.args = (*record.args[:2], path, *record.args[3:])
    return True


async def _received(db: Database, kind: str, state: str, code: str, error: str) -> HTMLResponse:
    label = texts.system_label(kind)
    try:
        connection, asked = await consent.take(db, kind, state)
    except ConsentError as refused:
        logger.warning("oauth call-back of %s: %s", kind, refused)
        why = _WHY[refused.reason]
        return _page(400, f"{label}: autorização não aceita", why, _AGAIN)
    if error or not code:
        logger.warning("%s: the consent was not given (%s)", connection.id, "error" if error else "no code")
        return _page(400, f"{label}: autorização não concedida", f"O acesso não foi autorizado no {label}.", _AGAIN)
    try:
        await _connect(db, connection, asked, code)
    except CallFailed as failed:
        logger.warning("%s: the code could not be exchanged: %s", connection.id, failed)
        return _page(502, f"{label}: a autorização não se completou", _why_not(failed, label), _AGAIN)
    return await _checked(db, connection, label)


async def _connect(db: Database, connection: Connection, asked: Consent, code: str) -> None:
    make = KINDS[connection.kind].app
    assert make is not None, "looked at before the consent was taken"
    app = make()
    client_id, client_secret = app.client(connection.credentials)
    tokens = await consent.exchange(app, asked, code, client_id, client_secret)
    await consent.keep(db, connection.id, tokens)


async def _checked(db: Database, connection: Connection, label: str) -> HTMLResponse:
    """The tokens are stored; whether they lead to an account that works is the check's to say."""
    try:
        found = await verify(db, connection)
    except OtherAccountError as other:
        logger.warning("%s: %s", connection.id, other)
        text = texts.render(other.draft.code, other.draft.params)
        return _page(409, text.title, text.body, text.action)
    except CallFailed as failed:
        logger.warning("%s: connected, but the check failed: %s", connection.id, failed)
        text = texts.render(f"connection.{failed.reason}", {"kind": connection.kind, "code": failed.code})
        return _page(502, text.title, text.body, text.action)
    logger.info("%s: connected", connection.id)
    name = found.account.name
    about = f"A conta {name} está conectada à Esteira." if name else "A conta está conectada à Esteira."
    return _page(200, f"{label}: conectado", about, "Você já pode fechar esta página.")


def _why_not(failed: CallFailed, label: str) -> str:
    if failed.outcome is Outcome.REAUTH and failed.code not in ("invalid_client", "unauthorized_client"):
        return "O código da autorização venceu ou já foi usado: ele vale poucos minutos, e uma vez só."
    if failed.outcome is Outcome.REAUTH:
        return f"O {label} não reconheceu o aplicativo da Esteira. Fale com o suporte da Esteira."
    return f"O {label} não respondeu como esperado. Espere alguns minutos."


_AGAIN = "Volte à Esteira e conecte de novo."
_WHY = {
    "state": "Esta autorização não está em andamento: ela já foi usada, ou outra foi pedida depois dela.",
    "late": "A autorização demorou demais para voltar.",
}


def _page(status: int, title: str, *paragraphs: str) -> HTMLResponse:
    told = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs if paragraph)
    return HTMLResponse(_PAGE.format(title=escape(title), paragraphs=told), status_code=status, headers=_HEADERS)
