"""OAuth and traffic of the simulated Conta Azul against reference/contaazul.md §2, §3."""

import base64
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.sandbox.contaazul_client import APP, BACK, SCOPE, ContaAzulClient


@pytest.fixture
def ca(served):
    client = ContaAzulClient(served)
    yield client
    client.http.close()


def code_of(answer):
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)


def exchange(ca, code, **rest):
    return ca.grant(grant_type="authorization_code", code=code, redirect_uri=BACK, **rest)


def test_consent_gives_a_code_and_the_code_a_pair(ca):
    """§2.1, §2.2: state comes back; expires_in 3600, Bearer."""
    query = code_of(ca.authorize())
    assert query["state"] == ["s/1"]
    body = exchange(ca, query["code"][0]).json()
    assert (body["expires_in"], body["token_type"]) == (3600, "Bearer")
    assert len(body["access_token"].split(".")) == 3
    assert ca.api("GET", "/pessoas/conta-conectada", token=body["access_token"]).json()["id_empresa"] == "9001"


def test_both_token_addresses_answer_with_their_own_errors(ca):
    """§1, §2.4: a used code is invalid_request at the new address, invalid_grant at the old one."""
    for path, error in (("/oauth/token", "invalid_request"), ("/oauth2/token", "invalid_grant")):
        code = code_of(ca.authorize())["code"][0]
        assert exchange(ca, code, path=path).status_code == 200
        again = exchange(ca, code, path=path)
        assert (again.status_code, again.json()["error"]) == (400, error)


def test_code_lives_three_minutes(ca):
    """§2.1."""
    ca.freeze()
    first, second = (code_of(ca.authorize())["code"][0] for _ in range(2))
    ca.advance(179)
    assert exchange(ca, first).status_code == 200
    ca.advance(2)
    assert exchange(ca, second).json()["error"] == "invalid_request"


def test_scope_must_be_separated_by_plus_not_by_its_escape(ca):
    """§2.1: `%2B` breaks the scope."""
    base = f"/contaazul/oauth/authorize?response_type=code&client_id={APP[0]}&redirect_uri={BACK}&scope="
    for separator, error in (("+", None), ("%20", None), ("%2B", "invalid_scope")):
        query = code_of(ca.http.get(base + SCOPE.replace(" ", separator)))
        assert query.get("error", [None])[0] == error


def test_fragment_address_leads_to_the_consent(ca):
    """§1, §2.1: the route is in the fragment, its query after it."""
    page = ca.http.get("/contaazul/")
    assert page.status_code == 200
    assert "location.hash" in page.text


def test_registered_address_is_compared_byte_for_byte(ca):
    """§2.1."""
    ca.account(redirect_uri=BACK)
    assert ca.authorize(redirect_uri=BACK + "/").status_code == 400
    code = code_of(ca.authorize())["code"][0]
    answer = ca.grant(grant_type="authorization_code", code=code, redirect_uri=BACK + "/")
    assert answer.json()["error"] == "invalid_grant"


def test_refused_consent_comes_back_as_an_error(ca):
    ca.account(consent=False)
    assert code_of(ca.authorize())["error"] == ["access_denied"]


def test_pkce_is_checked_when_it_was_offered(ca):
    """§1: the discovery documents offer S256."""
    assert ca.http.get("/contaazul/.well-known/openid-configuration").json()["code_challenge_methods_supported"] == [
        "S256"
    ]
    digest = hashlib.sha256(b"verifier").digest()
    challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
    asked = {"code_challenge": challenge, "code_challenge_method": "S256"}
    right, wrong = (code_of(ca.authorize(**asked))["code"][0] for _ in range(2))
    assert exchange(ca, right, code_verifier="verifier").status_code == 200
    assert exchange(ca, wrong, code_verifier="other").json()["error"] == "invalid_grant"


def test_basic_is_required_and_named_by_address(ca):
    """§2.2, §2.4, §12: the pair in the body does not replace Basic."""
    form = {"client_id": APP[0], "client_secret": APP[1]}
    new = ca.refresh("x", auth=None, **form)
    assert (new.status_code, new.json()["error"], new.json()["error_subtype"]) == (
        400,
        "invalid_grant",
        "invalid_client",
    )
    old = ca.refresh("x", auth=(APP[0], "wrong"), path="/oauth2/token")
    assert (old.status_code, old.json()) == (400, {"error": "invalid_client"})


def test_refresh_token_works_once(ca):
    """§2.3: every renewal returns a new one and the old one dies at once."""
    old = ca.tokens()["refresh_token"]
    new = ca.refresh(old).json()["refresh_token"]
    again = ca.refresh(old)
    assert (again.status_code, again.json()["error_subtype"]) == (400, "invalid_refresh_token")
    assert again.text != again.text.strip()
    assert ca.refresh(new).status_code == 200


def test_reuse_can_kill_the_connection(ca):
    """§2.3, §12: a switch."""
    ca.settings(refresh_reuse_revokes=True)
    old = ca.tokens()["refresh_token"]
    new = ca.refresh(old).json()["refresh_token"]
    ca.refresh(old)
    assert ca.refresh(new).json()["error_subtype"] == "invalid_refresh_token"


def test_of_concurrent_refreshes_one_wins(ca):
    """§2.3."""
    old = ca.tokens()["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: ca.refresh(old).status_code, range(8)))
    assert sorted(answers) == [200] + [400] * 7


def test_lifetimes_follow_the_sandbox_clock(ca):
    """§2.2, §3.4."""
    ca.freeze()
    ca.settings(refresh_token_s=7200)
    pair = ca.tokens()
    ca.advance(3599)
    assert ca.api("GET", "/pessoas/conta-conectada", token=pair["access_token"]).status_code == 200
    ca.advance(1)
    dead = ca.api("GET", "/pessoas/conta-conectada", token=pair["access_token"])
    assert (dead.status_code, dead.json()) == (401, {"code": 401, "message": "The Token has expired."})
    ca.advance(3600)
    assert ca.refresh(pair["refresh_token"]).json()["error_subtype"] == "invalid_refresh_token"


def test_revoked_company_is_noticed_at_the_next_renewal_only(ca):
    """§2.4, §2.5."""
    pair = ca.tokens()
    ca.erp("POST", "revoke")
    assert ca.api("GET", "/pessoas/conta-conectada", token=pair["access_token"]).status_code == 200
    assert ca.refresh(pair["refresh_token"]).json()["error_subtype"] == "access_revoked"


def test_disconnecting(ca):
    """§2.5: 204, 204 again, 404 for another company, 401 without token."""
    pair = ca.tokens()

    def leave(company, token):
        headers = {"Authorization": f"Bearer {token}"}
        return ca.http.delete(f"/contaazul/oauth/connections/{company}", headers=headers).status_code

    token = pair["access_token"]
    assert [leave("9001", token), leave("9001", token), leave("1", token), leave("9001", "x")] == [204, 204, 404, 401]
    assert ca.refresh(pair["refresh_token"]).json()["error_subtype"] == "access_revoked"


def test_one_app_serves_many_companies(ca):
    """§2.1: one consent per company; conta-conectada names it."""
    ca.control("POST", "/contaazul/accounts", {"name": "second", "client_id": APP[0], "client_secret": APP[1]})
    code = code_of(ca.authorize(sandbox_account="second"))["code"][0]
    token = exchange(ca, code).json()["access_token"]
    company = ca.api("GET", "/pessoas/conta-conectada", token=token).json()
    assert (company["nome_fantasia"], company["id_empresa"]) == ("Loja Second", "9002")


def test_ten_a_second_for_all_tokens_of_an_account(ca):
    """§3.2: the quota is the ERP account's; 429, every other one with Retry-After."""
    ca.freeze()
    ca.account(per_second=10, per_minute=600)
    tokens = [ca.tokens()["access_token"] for _ in range(2)]
    answers = [ca.api("GET", "/venda/vendedores", token=tokens[n % 2]) for n in range(13)]
    assert [a.status_code for a in answers] == [200] * 10 + [429] * 3
    assert [("retry-after" in a.headers) for a in answers[10:]] == [False, True, False]
    ca.advance(0.5)
    assert [ca.api("GET", "/venda/vendedores").status_code for _ in range(6)] == [200] * 5 + [429]
    assert ca.control("GET", "/calls/summary")["over_limit_answers"] == 4


def test_second_limit_can_slide(ca):
    ca.freeze()
    ca.account(per_second=10, per_minute=600)
    ca.settings(second_limit="sliding")
    codes = [ca.api("GET", "/venda/vendedores").status_code for _ in range(10)]
    ca.advance(0.9)
    codes.append(ca.api("GET", "/venda/vendedores").status_code)
    ca.advance(0.2)
    codes.append(ca.api("GET", "/venda/vendedores").status_code)
    assert codes == [200] * 10 + [429, 200]


def test_another_app_spends_the_minute(ca):
    """§3.2, §11: 600 a minute, all apps together."""
    ca.freeze()
    ca.account(per_second=10, per_minute=600)
    ca.erp("POST", "spend", {"calls": 600})
    ca.advance(30)
    assert ca.api("GET", "/venda/vendedores").status_code == 429
    ca.advance(31)
    assert ca.api("GET", "/venda/vendedores").status_code == 200


def test_plan_without_api(ca):
    """§3.3."""
    ca.account(plan_has_api=False)
    answer = ca.api("GET", "/produtos")
    assert (answer.status_code, answer.json()["status_conta"]) == (403, "END_TRIAL")


def test_unknown_paths_and_methods(ca):
    assert ca.api("GET", "/nada").status_code == 404
    assert ca.api("PATCH", "/venda/busca").status_code == 405
    assert ca.api("POST", "/categorias", json={}).status_code == 405
    assert ca.api("GET", "/produtos", token="x").status_code == 401


def test_lost_answer_of_a_renewal_burns_the_token(ca):
    """§2.3: the pair was renewed over there, nobody has it."""
    old = ca.tokens()["refresh_token"]
    ca.control("POST", "/faults", {"fault": "answer_lost", "match": {"operation": "POST /oauth/token"}})
    with pytest.raises(httpx.TransportError):
        ca.refresh(old)
    assert ca.refresh(old).status_code == 400


def test_planted_faults_speak_the_vendors_language(ca):
    """§3.4: {"code", "message"} of 500."""
    expected = {"over_quota": 429, "maintenance": 503, "unexpected_35": 500, "token_expired": 401}
    for name, status in expected.items():
        ca.control("POST", "/faults", {"fault": name, "match": {"operation": "GET /v1/produtos"}})
        assert ca.api("GET", "/produtos").status_code == status
    assert ca.api("GET", "/produtos").status_code == 401


def test_call_log_names_operations_and_holds_no_secret(ca):
    pair = ca.tokens()
    ca.refresh(pair["refresh_token"])
    ca.get("/produtos", sku="X")
    ca.api("GET", "/produtos/0d4d34e3-5a1e-4d8b-8ed6-e0874ef1ccb8")
    calls = ca.control("GET", "/calls")
    assert [(c["api"], c["operation"], c["status"]) for c in calls] == [
        ("oauth", "POST /oauth/token", 200),
        ("contaazul", "GET /v1/produtos", 200),
        ("contaazul", "GET /v1/produtos/{id}", 404),
    ]
    assert calls[1]["params"] == {"sku": "X"}
    assert pair["refresh_token"] not in str(calls)
    summary = ca.control("GET", "/calls/summary")
    assert (summary["refreshes"], summary["max_in_any_60s"]) == (1, {"contaazul/demo": 2})


def test_answers_are_fast(ca):
    """A floor far below the thousand a second the sandbox is built for, so that a slow machine does not fail it."""
    started = time.perf_counter()
    for _ in range(100):
        ca.api("GET", "/venda/proximo-numero")
    assert time.perf_counter() - started < 2
