"""The control API: reset, clock, faults, scripts, call log, accounts."""

import json
import time

import httpx
import pytest

ID = 700_000_000


def get(tiny):
    return tiny.v2("produto.obter", id=ID)


def test_reset_forgets_everything(tiny):
    tiny.edit("CAN-300", {"nome": "Outro"})
    tiny.fault("error_500")
    tiny.settings(types="messy", latency_ms=1)
    tiny.control("POST", "/tiny/accounts", {"name": "second"})
    assert tiny.post("info").status_code == 500
    body = tiny.control("POST", "/reset")
    assert body["vendors"]["tiny"].keys() == {"demo"}
    assert (body["calls"], body["faults"]) == (0, 0)
    assert tiny.control("GET", "/settings")["types"] == "clean"
    assert get(tiny)["produto"]["nome"] == "Caneca de cerâmica 300 ml"
    assert tiny.control("POST", "/reset", {"catalog": "empty"})["vendors"]["tiny"] == {"demo": 0}


def test_clock_runs_at_its_rate_and_starts_where_told(tiny):
    tiny.settings(now="2030-01-01T00:00:00", clock_rate=1000)
    time.sleep(0.02)
    assert tiny.control("GET", "/clock")["now"] >= "2030-01-01T00:00:20"
    tiny.settings(clock_rate=0, now="2030-01-01T00:00:00")
    assert tiny.advance(90)["now"] == "2030-01-01T00:01:30.000-03:00"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/settings", {"latency": 1}),
        ("/settings", {"types": "dirty"}),
        ("/settings", {"latency_ms": -1}),
        ("/faults", {"fault": "nothing"}),
        ("/faults", {"fault": "html", "match": {"page": 1}}),
        ("/scripts", {"do": [{"op": "explode"}]}),
        ("/tiny/accounts", {"name": "demo"}),
        ("/tiny/accounts/demo", {"plan": "gold"}),
        ("/tiny/accounts/demo/products", {"sku": "X"}),
        ("/tiny/accounts/demo/seed", {"catalog": "olist", "folder": "nowhere"}),
    ],
)
def test_wrong_control_requests_say_what_is_wrong(tiny, path, body):
    answer = tiny.http.post(f"/_sandbox{path}", json=body)
    assert answer.status_code in (400, 404)
    assert len(answer.json()["error"]) > 10


def test_planted_refusals_in_both_apis(tiny):
    expected = {
        "over_quota": ("6", 429),
        "concurrency": ("11", 429),
        "maintenance": (99, 503),
        "unexpected_35": (35, 500),
    }
    bearer = tiny.tokens()["access_token"]
    for name, (code, status) in expected.items():
        tiny.fault(name, times=2)
        assert get(tiny)["codigo_erro"] == code
        assert tiny.v3("GET", "/info", token=bearer).status_code == status
        assert get(tiny)["status"] == "OK"
    assert tiny.control("GET", "/calls/summary")["over_limit_answers"] == 4


def test_http_errors_and_html_pages(tiny):
    for name, status in (("error_500", 500), ("error_503", 503), ("html", 200)):
        tiny.fault(name)
        answer = tiny.post("produto.obter", id=ID)
        assert (answer.status_code, answer.text[:9]) == (status, "<!DOCTYPE")


def test_reset_does_no_work_and_answer_lost_does_it(tiny):
    for name, stock in (("reset", 42), ("answer_lost", 9)):
        tiny.fault(name)
        move = json.dumps({"estoque": {"idProduto": ID, "quantidade": 7}})
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            tiny.post("produto.atualizar.estoque", estoque=move)
        assert tiny.v2("produto.obter.estoque", id=ID)["produto"]["saldo"] == stock
    statuses = [(c["fault"], c["status"]) for c in tiny.calls() if c["fault"]]
    assert statuses == [("reset", None), ("answer_lost", 200)]


def test_cut_bodies(tiny):
    tiny.fault("cut_json")
    answer = tiny.post("produto.obter", id=ID)
    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    tiny.fault("cut_connection")
    with pytest.raises(httpx.RemoteProtocolError):
        tiny.post("produto.obter", id=ID)


def test_stall_delays_in_real_time(tiny):
    tiny.fault("stall", stall_s=0.3)
    started = time.monotonic()
    assert get(tiny)["status"] == "OK"
    assert time.monotonic() - started >= 0.3
    tiny.fault("stall", stall_s=5)
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{tiny.url}/tiny/api2/info", params={"token": "demo-token"}, timeout=0.2)


def test_expired_token_and_wrong_types(tiny):
    pair = tiny.tokens()
    tiny.fault("token_expired", match={"operation": "GET /info"})
    assert tiny.v3("GET", "/info", token=pair["access_token"]).status_code == 401
    assert tiny.v3("GET", "/info", token=pair["access_token"]).status_code == 401
    assert tiny.v3("GET", "/info").status_code == 200
    tiny.fault("wrong_type", times=2)
    assert isinstance(get(tiny)["produto"], list)
    assert isinstance(tiny.v3("GET", "/produtos").json()["itens"], dict)


def test_faults_meet_the_nth_the_absolute_and_the_named_call(tiny):
    tiny.fault("error_500", match={"operation": "produto.*", "nth": 2})
    tiny.fault("error_503", match={"call": 5})
    tiny.fault("html", match={"account": "other"}, times=None)
    statuses = [tiny.post(s, id=ID).status_code for s in ("info", "produto.obter", "produto.obter", "info", "info")]
    assert statuses == [200, 200, 500, 200, 503]
    listed = tiny.control("GET", "/faults")["faults"]
    assert [(f["hits"], f["calls"]) for f in listed] == [(1, [3]), (1, [5]), (0, [])]
    assert tiny.control("DELETE", "/faults")["faults"] == []


def test_faults_match_v3_operations_by_name_and_by_path(tiny):
    bearer = tiny.tokens()["access_token"]
    tiny.fault("error_500", match={"operation": "GET /produtos/*"})
    tiny.fault("error_503", match={"operation": f"GET /estoque/{ID}"})
    assert tiny.v3("GET", "/produtos", token=bearer).status_code == 200
    assert tiny.v3("GET", f"/produtos/{ID}", token=bearer).status_code == 500
    assert tiny.v3("GET", f"/estoque/{ID + 7}", token=bearer).status_code == 200
    assert tiny.v3("GET", f"/estoque/{ID}", token=bearer).status_code == 503


def test_script_inserts_between_two_pages(tiny):
    tiny.control("POST", "/tiny/accounts/demo/seed", {"catalog": "generated", "size": 150})
    script = {
        "match": {"operation": "produtos.pesquisa", "nth": 1},
        "when": "after",
        "do": [{"op": "create", "product": {"codigo": "AA", "nome": "AA primeiro de todos", "preco": 1}}],
    }
    tiny.control("POST", "/scripts", script)
    pages = [tiny.v2("produtos.pesquisa", pesquisa="", pagina=n)["produtos"] for n in (1, 2)]
    ids = [row["produto"]["id"] for page in pages for row in page]
    assert len(ids) == 151
    assert len(set(ids)) == 150
    assert tiny.control("GET", "/scripts")["scripts"][0]["ran_at_call"] == 1


def test_script_edits_before_the_answer_and_runs_once(tiny):
    steps = [
        {"op": "patch", "sku": "CAN-300", "fields": {"preco": 77}},
        {"op": "stock", "sku": "CAN-300", "balance": 1},
        {"op": "advance", "seconds": 60},
        {"op": "account", "changes": {"realtime_stock": False}},
        {"op": "delete", "sku": "CAN-500", "hard": True},
    ]
    tiny.control("POST", "/scripts", {"match": {"operation": "produto.obter"}, "do": steps})
    assert get(tiny)["produto"]["preco"] == "77.00"
    tiny.edit("CAN-300", {"preco": 78})
    assert get(tiny)["produto"]["preco"] == "78.00"
    assert tiny.account()["realtime_stock"] is False
    assert tiny.v2("produtos.pesquisa", pesquisa="CAN-500")["codigo_erro"] == 20
    assert tiny.control("GET", "/scripts")["scripts"][0]["error"] is None


def test_failed_script_keeps_its_error(tiny):
    tiny.control("POST", "/scripts", {"do": [{"op": "patch", "sku": "NADA", "fields": {}}]})
    assert get(tiny)["status"] == "OK"
    assert "NADA" in tiny.control("GET", "/scripts")["scripts"][0]["error"]


def test_call_log_has_no_credentials(tiny):
    tiny.v2("produtos.pesquisa", pesquisa="caneca")
    pair = tiny.tokens()
    tiny.v3("GET", f"/produtos/{ID}", token=pair["access_token"])
    app = {"client_id": "demo-client", "client_secret": "demo-client-secret"}
    form = {**app, "grant_type": "refresh_token", "refresh_token": pair["refresh_token"]}
    tiny.http.post("/tiny/realms/tiny/protocol/openid-connect/token", data=form)
    calls = tiny.calls()
    assert [(c["index"], c["api"], c["operation"], c["status"]) for c in calls] == [
        (1, "v2", "produtos.pesquisa", 200),
        (2, "v3", "GET /produtos/{id}", 200),
        (3, "oauth", "POST /token", 200),
    ]
    assert calls[0]["params"] == {"pesquisa": "caneca"}
    text = json.dumps(calls)
    assert not any(s in text for s in ("demo-token", "demo-client-secret", pair["refresh_token"]))
    summary = tiny.control("GET", "/calls/summary")
    assert (summary["total"], summary["token_requests"], summary["refreshes"]) == (3, 1, 1)
    assert summary["max_in_any_60s"] == {"demo": 2}
    assert len(tiny.control("GET", "/calls?since=2")) == 1
    tiny.control("DELETE", "/calls")
    assert tiny.control("GET", "/calls/summary")["total"] == 0


def test_busiest_minute_is_measured_on_the_sandbox_clock(tiny):
    tiny.settings(clock_rate=0)
    for pause in (0, 50, 20, 0):
        tiny.advance(pause)
        tiny.v2("info")
    assert tiny.control("GET", "/calls/summary")["max_in_any_60s"] == {"demo": 3}


def test_merchant_deletes_softly_and_hard(tiny):
    tiny.control("DELETE", f"/tiny/accounts/demo/products/{ID}")
    assert get(tiny)["produto"]["situacao"] == "E"
    tiny.control("DELETE", f"/tiny/accounts/demo/products/{ID}?hard=1")
    assert get(tiny)["codigo_erro"] == 20
    parent = tiny.product("MEIA-3")
    tiny.control("DELETE", f"/tiny/accounts/demo/products/{parent['id']}")
    assert tiny.product("MEIA-3-1")["situacao"] == "E"


def test_editing_a_variation_also_dates_its_parent(tiny):
    tiny.edit("MEIA-3-1", {"preco": 5})
    found = tiny.v2("lista.atualizacoes.produtos", dataAlteracao="01/01/2024")["produtos"]
    assert {row["produto"]["codigo"] for row in found} == {"MEIA-3", "MEIA-3-1"}


def test_accounts_are_apart(tiny):
    tiny.control("POST", "/tiny/accounts", {"name": "second", "seed": {"catalog": "generated", "size": 3}})
    assert tiny.v2("produtos.pesquisa", pesquisa="", token="second-token")["numero_paginas"] == "1"
    assert tiny.v2("produtos.pesquisa", pesquisa="CAN-300", token="second-token")["codigo_erro"] == 20
    assert tiny.v2("info", token="second-token")["conta"]["cnpj_cpf"] != tiny.v2("info")["conta"]["cnpj_cpf"]
    assert tiny.v3("GET", "/info", token=tiny.tokens("second")["access_token"]).json()["razaoSocial"] == (
        "Loja Second Comércio Ltda"
    )
