"""A merchant's consent: the address, the state, and what the code is exchanged for."""

import base64
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from hub.clock import utcnow
from providers import oauth
from providers.consent import Consent, ConsentError, OAuthApp, connection_of, exchange
from providers.contaazul.provider import ContaAzul
from providers.contract import CallFailed
from providers.oauth import token_request
from providers.tagplus.provider import TagPlus

BACK = "https://hub.example/oauth/contaazul/callback"


def asked() -> Consent:
    return Consent.new("loja-sol-contaazul", BACK)


def test_the_query_stands_behind_the_hash_and_the_scopes_blanks_are_pluses() -> None:
    consent = asked()
    address = ContaAzul.app().address(consent, "client")
    before, hash_, after = address.partition("#")
    assert (before, hash_) == ("https://login.contaazul.com/", "#")
    assert after.startswith("/oauth/authorize?")
    assert "scope=openid+profile+aws.cognito.signin.user.admin" in after
    assert "%2B" not in after
    query = {name: values[0] for name, values in parse_qs(after.partition("?")[2]).items()}
    assert query["redirect_uri"] == BACK
    assert (query["state"], query["response_type"], query["client_id"]) == (consent.state, "code", "client")
    assert "code_challenge" not in query


def test_an_address_with_a_query_of_its_own_keeps_it() -> None:
    app = OAuthApp("https://x.example/authorize?tenant=1", "https://x.example/token", "openid")
    query = parse_qs(urlsplit(app.address(asked(), "client")).query)
    assert (query["tenant"], query["client_id"]) == (["1"], ["client"])


def test_pkce_where_it_is_offered() -> None:
    consent = Consent("s", BACK, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", utcnow().isoformat())
    app = OAuthApp("https://x.example/authorize", "https://x.example/token", "openid", code_challenge="S256")
    query = parse_qs(urlsplit(app.address(consent, "client")).query)
    assert query["code_challenge"] == ["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"], "the example of RFC 7636"
    assert query["code_challenge_method"] == ["S256"]


def test_a_state_names_its_connection_and_is_like_no_other() -> None:
    states = {asked().state for _ in range(100)}
    assert len(states) == 100
    assert {connection_of(state) for state in states} == {"loja-sol-contaazul"}
    assert connection_of("loja-sol-contaazul") == connection_of("") == connection_of(".x") == ""


def test_another_state_and_a_late_one_are_refused() -> None:
    consent = asked()
    consent.verify(consent.state)
    with pytest.raises(ConsentError, match="its state differs"):
        consent.verify(asked().state)
    late = Consent(consent.state, BACK, "v", (utcnow() - timedelta(minutes=31)).isoformat())
    with pytest.raises(ConsentError, match="more than 30 minutes"):
        late.verify(consent.state)


@pytest.mark.parametrize("address", ["", "hub.example/x", "ftp://hub.example", "https://hub.example/#x"])
def test_a_redirect_address_that_is_none(address: str) -> None:
    with pytest.raises(ConsentError, match="valid is"):
        Consent.new("x", address)


def test_what_is_stored_is_read_back_and_anything_else_is_no_consent() -> None:
    consent = asked()
    assert Consent.read({"consent": consent.as_dict()}) == consent
    for stored in (None, {}, {"state": "x"}, "x"):
        assert Consent.read({"consent": stored}) is None
    assert consent.state not in repr(consent) and consent.verifier not in repr(consent)


def test_a_connections_own_app_goes_before_ours() -> None:
    ours = OAuthApp("a", "t", "s", client_id="ours", client_secret="our-secret")
    assert ours.client({}) == ("ours", "our-secret")
    assert ours.client({"client_id": "own", "client_secret": "own-secret"}) == ("own", "own-secret")
    assert ours.client({"client_id": "own"}) == ("own", ""), "never our secret with their id"
    assert "our-secret" not in repr(ours)


@pytest.mark.parametrize("basic", [True, False])
async def test_the_client_names_itself_by_basic_or_in_the_form(monkeypatch: pytest.MonkeyPatch, basic: bool) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"access_token": "a", "refresh_token": "r", "expires_in": 3600})

    plain = httpx.AsyncClient
    monkeypatch.setattr(oauth.httpx, "AsyncClient", lambda **rest: plain(transport=httpx.MockTransport(answer), **rest))
    app = OAuthApp("a", "https://x.example/token", "s", basic=basic, code_challenge="S256")
    consent = asked()
    tokens = await exchange(app, consent, "code-1", "id", "secret")
    form = {name: values[0] for name, values in parse_qs(seen[0].content.decode()).items()}
    assert (form["grant_type"], form["code"], form["redirect_uri"]) == ("authorization_code", "code-1", BACK)
    assert form["code_verifier"] == consent.verifier
    header = seen[0].headers.get("Authorization", "")
    assert header == (f"Basic {base64.b64encode(b'id:secret').decode()}" if basic else "")
    assert ("client_secret" in form) is not basic
    assert (tokens["access_token"], tokens["refresh_token"], tokens["lifetime_s"]) == ("a", "r", 3600)


@pytest.mark.parametrize(
    ("grant", "error", "subtype", "outcome", "code", "detail"),
    [
        ("refresh_token", "invalid_grant", "invalid_refresh_token", "reauth", "invalid_grant", "invalid_refresh_token"),
        ("refresh_token", "invalid_grant", "access_revoked", "reauth", "invalid_grant", "access_revoked"),
        ("refresh_token", "invalid_grant", "invalid_client", "reauth", "invalid_client", "invalid_client"),
        ("refresh_token", "invalid_grant", "token abc", "reauth", "invalid_grant", ""),
        ("refresh_token", "invalid_request", "", "retry", "invalid_request", ""),
        ("authorization_code", "invalid_request", "", "reauth", "invalid_request", ""),
    ],
)
async def test_the_token_endpoints_refusals(
    monkeypatch: pytest.MonkeyPatch, grant: str, error: str, subtype: str, outcome: str, code: str, detail: str
) -> None:
    async def post(self: httpx.AsyncClient, url: str, **rest: Any) -> httpx.Response:
        return httpx.Response(400, json={"error": error, "error_subtype": subtype})

    monkeypatch.setattr(httpx.AsyncClient, "post", post)
    with pytest.raises(CallFailed) as raised:
        await token_request("https://x.example/", {"grant_type": grant})
    assert (raised.value.outcome, raised.value.code, raised.value.detail) == (outcome, code, detail)


async def test_where_the_system_knows_one_address_none_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    forms: list[dict[str, list[str]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        forms.append(parse_qs(request.content.decode()))
        return httpx.Response(200, json={"access_token": "a", "refresh_token": "r", "expires_in": 86400})

    plain = httpx.AsyncClient
    monkeypatch.setattr(oauth.httpx, "AsyncClient", lambda **rest: plain(transport=httpx.MockTransport(answer), **rest))
    app, consent = TagPlus.app(), asked()
    query = parse_qs(urlsplit(app.address(consent, "client")).query)
    assert set(query) == {"response_type", "client_id", "scope", "state"}
    await exchange(app, consent, "code-1", "id", "secret")
    assert forms == [
        {"grant_type": ["authorization_code"], "code": ["code-1"], "client_id": ["id"], "client_secret": ["secret"]}
    ]
