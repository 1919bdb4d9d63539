"""API v2 transport against reference/tiny.md §2: parameters, envelope, errors, quota."""

import threading
import xml.etree.ElementTree as ET

import httpx
import pytest

OVER = "API Bloqueada - Excedido o número de acessos a API, aguarde alguns minutos e tente novamente"


@pytest.mark.parametrize("suffix", ["", ".php"])
def test_every_service_answers_with_and_without_php(tiny, suffix):
    # §2.1
    assert tiny.v2(f"lista.atualizacoes.produtos{suffix}", dataAlteracao="01/01/2024")["codigo_erro"] == 20
    assert tiny.v2(f"produtos.pesquisa{suffix}", pesquisa="CAN-300")["status"] == "OK"


def test_parameters_come_in_query_form_or_multipart_and_are_merged(tiny):
    # §2.1
    url = "/tiny/api2/produtos.pesquisa.php"
    everything = {"token": "demo-token", "formato": "JSON", "pesquisa": "CAN-300"}
    split = {"token": "demo-token", "formato": "json"}
    answers = [
        tiny.http.get(url, params=everything),
        tiny.http.post(url, params=everything),
        tiny.http.post(url, params=split, data={"pesquisa": "CAN-300"}),
        tiny.http.post(url, params=split, files={"pesquisa": (None, "CAN-300")}),
    ]
    assert [a.json()["retorno"]["produtos"][0]["produto"]["codigo"] for a in answers] == ["CAN-300"] * 4


def test_without_formato_the_answer_is_xml(tiny):
    # §2.1, sample v2_erro_parametro_invalido.xml
    url = "/tiny/api2/lista.atualizacoes.estoque"
    answer = tiny.http.post(url, data={"token": "demo-token", "dataAlteracao": "bar"})
    root = ET.fromstring(answer.text)
    assert root.tag == "retorno"
    assert root.findtext("codigo_erro") == "10"
    assert root.findtext("erros/erro") == ('O parâmetro dataAlteracao deve conter uma data válida, valor enviado "bar"')


def test_text_is_escaped_to_ascii_json(tiny):
    # §2.2
    raw = tiny.post("produtos.pesquisa", pesquisa="EMOJI-01").content
    assert raw.isascii()
    assert b"\\ud83d\\ude00" in raw


def test_unknown_services_are_an_html_404(tiny):
    # §3.1
    answer = tiny.post("produtos.pesquisar.php", pesquisa="")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


def test_token_missing_unknown_and_renewed(tiny):
    # §2.2, §2.4: codes 1 and 2 under HTTP 200
    assert tiny.v2("info", token="")["codigo_erro"] == 1
    unknown = tiny.v2("info", token="x")
    assert unknown == {
        "status_processamento": 1,
        "status": "Erro",
        "codigo_erro": 2,
        "erros": [{"erro": "token invalido"}],
    }
    tiny.account(token="new-token")
    assert tiny.v2("info")["codigo_erro"] == 2
    assert tiny.v2("info", token="new-token")["status"] == "OK"


def test_blocked_company_and_withdrawn_access(tiny):
    # §2.4: codes 8 and 5; §2.3: the plan Começar has no API
    tiny.account(blocked=True)
    assert tiny.v2("info")["codigo_erro"] == 8
    tiny.account(blocked=False, access=False)
    assert tiny.v2("info")["codigo_erro"] == 5
    tiny.account(access=True, plan="Começar")
    assert tiny.v2("info")["codigo_erro"] == 5


def test_quota_of_the_last_sixty_seconds_answers_6_with_erros_as_object(tiny):
    # §2.3: recorded body; header x-limit-api
    tiny.account(plan="Crescer")
    for _ in range(30):
        answer = tiny.post("info")
        assert answer.json()["retorno"]["status"] == "OK"
    assert answer.headers["x-limit-api"] == "30"
    over = tiny.post("info")
    assert over.status_code == 200
    assert over.json() == {
        "retorno": {"status_processamento": 1, "status": "Erro", "codigo_erro": "6", "erros": {"erro": OVER}}
    }
    tiny.advance(59)
    assert tiny.v2("info")["codigo_erro"] == "6"
    tiny.advance(2)
    assert tiny.v2("info")["status"] == "OK"


def test_quota_slides_instead_of_starting_anew_each_minute(tiny):
    # §2.3, code 6 = "too many calls in the last minute"
    tiny.account(plan="Crescer")
    for _ in range(15):
        tiny.v2("info")
    tiny.advance(40)
    for _ in range(15):
        tiny.v2("info")
    tiny.advance(25)
    statuses = [tiny.v2("info")["status"] for _ in range(16)]
    assert statuses == ["OK"] * 15 + ["Erro"]


def test_quota_belongs_to_the_account(tiny):
    # §2.3: counted per company
    tiny.account(plan="free")
    tiny.control("POST", "/tiny/accounts", {"name": "second", "plan": "free"})
    for _ in range(20):
        tiny.v2("info")
    assert tiny.v2("info")["codigo_erro"] == "6"
    assert tiny.v2("info", token="second-token")["status"] == "OK"


def test_v2_and_v3_spend_one_quota(tiny):
    # §2.3
    tiny.account(plan="Crescer")
    token = tiny.tokens()["access_token"]
    for _ in range(20):
        assert tiny.v3("GET", "/info", token=token).status_code == 200
    for _ in range(10):
        assert tiny.v2("info")["status"] == "OK"
    assert tiny.v2("info")["codigo_erro"] == "6"
    assert tiny.v3("GET", "/info", token=token).status_code == 429
    tiny.settings(shared_quota=False)
    tiny.advance(61)
    for _ in range(30):
        tiny.v2("info")
    assert tiny.v3("GET", "/info", token=token).status_code == 200


def test_refused_calls_prolong_the_block_only_by_switch(tiny):
    # §2.3 [I]
    tiny.account(plan="free")
    tiny.settings(blocked_calls_count=True)
    for _ in range(20):
        tiny.v2("info")
    tiny.advance(30)
    for _ in range(20):
        tiny.v2("info")
    tiny.advance(31)
    assert tiny.v2("info")["codigo_erro"] == "6"


def test_product_writes_are_five_batch_calls_a_minute(tiny):
    # §2.3
    tiny.account(plan="Potencializar")
    empty = {"produtos": []}
    statuses = [tiny.v2("produto.incluir", produto=empty)["status"] for _ in range(4)]
    statuses.append(tiny.v2("produto.alterar", produto=empty)["status"])
    assert statuses == ["OK"] * 5
    assert tiny.v2("produto.incluir", produto=empty)["codigo_erro"] == "6"
    assert tiny.v2("info")["status"] == "OK"
    tiny.advance(61)
    assert tiny.v2("produto.incluir", produto=empty)["status"] == "OK"


def test_more_than_a_quarter_of_the_quota_at_once_is_11(tiny):
    # §2.3: 20 a minute, 5 at once
    tiny.account(plan="free")
    tiny.settings(latency_ms=400)
    codes = []

    def call() -> None:
        form = {"token": "demo-token", "formato": "json"}
        body = httpx.post(f"{tiny.url}/tiny/api2/info", data=form, timeout=10).json()["retorno"]
        codes.append(body.get("codigo_erro"))

    threads = [threading.Thread(target=call) for _ in range(7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes, key=str) == ["11", "11"] + [None] * 5
    assert tiny.control("GET", "/calls/summary")["max_in_flight"] == 7


def test_malformed_json_and_missing_parameters(tiny):
    # §2.4 codes 3 and 10; §10: parameters before the JSON body
    assert tiny.v2("produto.incluir", produto="{")["codigo_erro"] == 3
    assert tiny.v2("produto.incluir")["codigo_erro"] == 10
    assert tiny.v2("produtos.pesquisa")["codigo_erro"] == 10
    assert tiny.v2("produto.obter", id="abc")["codigo_erro"] == 10
    assert tiny.v2("produtos.pesquisa", pesquisa="", situacao="X")["codigo_erro"] == 10
