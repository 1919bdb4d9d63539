"""OAuth of the simulated TagPlus against reference/tagplus.md §2."""

import base64

import pytest

from tests.sandbox.tagplus_client import APP, BACK, TagPlusClient

MISSING = {"error": "invalid_request", "error_description": "The access token is missing"}
DEAD = {"error": "invalid_token", "error_description": "The access token is invalid or has expired"}


@pytest.fixture
def tag(served):
    client = TagPlusClient(served)
    yield client
    client.http.close()


def code(tag, **changes):
    return tag.back(tag.authorize(**changes))["code"]


def exchange(tag, text):
    return tag.grant(grant_type="authorization_code", code=text)


def test_the_registered_address_is_used_whatever_the_call_names(tag):
    """§2.1: redirect_uri is not supported; state comes back."""
    found = tag.back(tag.authorize(redirect_uri="https://thief.example/", state="s/1"))
    assert found.keys() == {"code", "state"}
    assert found["state"] == "s/1"
    issued = exchange(tag, found["code"])
    assert issued.status_code == 200
    assert issued.json().keys() == {"refresh_token", "token_type", "access_token", "expires_in"}
    assert (issued.json()["token_type"], issued.json()["expires_in"]) == ("bearer", 86_400)
    assert tag.api("GET", "/me", token=issued.json()["access_token"]).status_code == 200


def test_an_app_without_address_cannot_be_consented_to(tag):
    tag.account(redirect_uri=None)
    assert tag.authorize().status_code == 400
    assert tag.authorize(client_id="nobody").status_code == 400


def test_a_code_works_once_and_for_five_minutes(tag):
    tag.freeze()
    text = code(tag)
    assert exchange(tag, text).status_code == 200
    again = exchange(tag, text)
    assert (again.status_code, again.json()) == (
        400, {"error": "invalid_request", "error_description": "Invalid code"},
    )  # fmt: skip
    late = code(tag)
    tag.advance(300)
    assert exchange(tag, late).status_code == 400


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "write:produtos read:tudo"}, "invalid_scope"),
        ({"response_type": "pin"}, "unsupported_response_type"),
    ],
)
def test_wrong_consents_come_back_as_errors(tag, changes, error):
    assert tag.back(tag.authorize(**changes))["error"] == error


def test_a_company_that_says_no_sends_no_code(tag):
    tag.account(consent=False)
    assert tag.back(tag.authorize())["error"] == "access_denied"


def test_implicit_answers_in_the_fragment_without_refresh(tag):
    answer = tag.authorize(response_type="token", state="x")
    assert answer.headers["location"].startswith(BACK + "#")
    found = tag.back(answer)
    assert found.keys() == {"token_type", "access_token", "state"}
    assert tag.api("GET", "/me", token=found["access_token"]).status_code == 200


def test_wrong_clients_and_grants_are_worded_as_kong_does(tag):
    """§2.5: credentials in the body; 401 only where Basic was used."""
    text = code(tag)
    wrong = tag.grant(grant_type="authorization_code", code=text, client_secret="no")
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")
    assert wrong.json()["error_description"] == "Invalid client authentication"
    basic = {"Authorization": "Basic " + base64.b64encode(b"demo-client:no").decode()}
    form = {"grant_type": "authorization_code", "code": text}
    assert tag.http.post("/tagplus/api/oauth2/token", data=form, headers=basic).status_code == 401
    assert tag.grant(grant_type="password").json()["error"] == "unsupported_grant_type"
    good = {"Authorization": "Basic " + base64.b64encode(":".join(APP.values()).encode()).decode()}
    assert tag.http.post("/tagplus/api/oauth2/token", data=form, headers=good).status_code == 200


def test_a_refresh_ends_both_old_tokens(tag):
    """§2.4: of two refreshes with one token the second gets 400."""
    first = exchange(tag, code(tag)).json()
    second = tag.refresh(first["refresh_token"])
    assert second.status_code == 200
    dead = tag.api("GET", "/me", token=first["access_token"])
    assert (dead.status_code, dead.json()) == (401, DEAD)
    assert "invalid_token" in dead.headers["www-authenticate"]
    assert tag.api("GET", "/me", token=second.json()["access_token"]).status_code == 200
    assert tag.refresh(first["refresh_token"]).json() == {
        "error": "invalid_request", "error_description": "Invalid refresh_token",
    }  # fmt: skip


def test_an_old_access_token_may_live_on_where_the_setting_says_so(tag):
    tag.settings(refresh_kills_access=False)
    first = tag.tokens()
    assert tag.refresh(first["refresh_token"]).status_code == 200
    assert tag.api("GET", "/me", token=first["access_token"]).status_code == 200


def test_tokens_end_with_their_time(tag):
    tag.freeze()
    issued = tag.tokens()
    tag.advance(86_400)
    assert tag.api("GET", "/me", token=issued["access_token"]).json() == DEAD
    fresh = tag.refresh(issued["refresh_token"]).json()
    tag.advance(14 * 86_400)
    assert tag.refresh(fresh["refresh_token"]).status_code == 400


def test_a_call_without_token_is_told_so(tag):
    answer = tag.http.get("/tagplus/api/me", headers={"X-Api-Version": "2.0"})
    assert (answer.status_code, answer.json()) == (401, MISSING)
    by_query = tag.http.get("/tagplus/api/me", params={"access_token": tag.token}, headers={"X-Api-Version": "2.0"})
    by_key = tag.http.get("/tagplus/api/me", headers={"apikey": "demo-apikey", "X-Api-Version": "2.0"})
    assert (by_query.status_code, by_key.status_code) == (200, 200)


def test_revoking_ends_every_token(tag):
    issued = tag.tokens()
    tag.erp("POST", "revoke")
    assert tag.refresh(issued["refresh_token"]).status_code == 400
    assert tag.api("GET", "/me", token=issued["access_token"]).status_code == 401


def test_scopes_are_fixed_at_consent_and_writing_includes_reading(tag):
    """§2.2, §2.5: a refresh does not widen them; 401 or, as observed, 403."""
    issued = exchange(tag, code(tag, scope="write:produtos read:pedidos")).json()
    assert "scope" not in issued
    token = tag.refresh(issued["refresh_token"]).json()["access_token"]
    assert tag.api("GET", "/produtos", token=token).status_code == 200
    assert tag.api("GET", "/pedidos", token=token).status_code == 200
    for method, path in (("POST", "/pedidos"), ("GET", "/formas_pagamento"), ("GET", "/webhooks_eventos")):
        lacking = tag.api(method, path, token=token)
        assert (lacking.status_code, lacking.json()["error_code"]) == (401, "escopo_nao_autorizado")
    tag.settings(scope_status="403")
    assert tag.api("GET", "/formas_pagamento", token=token).status_code == 403


def test_a_company_gives_no_more_scopes_than_it_has(tag):
    tag.account(scopes=["read:me", "read:produtos"])
    token = exchange(tag, code(tag, scope="write:produtos+read:me")).json()["access_token"]
    assert tag.api("GET", "/me", token=token).status_code == 200
    assert tag.api("GET", "/produtos", token=token).status_code == 401


def test_one_app_serves_many_companies(tag):
    tag.control("POST", "/tagplus/accounts", {"name": "second", "client_id": "demo-client", "redirect_uri": BACK})
    tag.account("second", client_secret="demo-client-secret")
    token = exchange(tag, code(tag, scope="read:me", sandbox_account="second")).json()["access_token"]
    assert tag.api("GET", "/me", token=token).json()["gestao_id"] == "second"


def test_the_fault_token_expired_and_the_call_log_know_this_vendor(tag):
    tag.control("POST", "/faults", {"fault": "token_expired", "match": {"operation": "GET /produtos"}})
    assert tag.api("GET", "/produtos").json() == DEAD
    tag.token = tag.tokens()["access_token"]
    assert tag.api("GET", "/produtos").status_code == 200
    tag.grant(grant_type="refresh_token", refresh_token="none")
    calls = tag.control("GET", "/calls")
    assert calls[-1]["operation"] == "POST /oauth2/token"
    assert "refresh_token" not in calls[-1]["params"]
    assert tag.control("GET", "/calls/summary")["refreshes"] == 1
