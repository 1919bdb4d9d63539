"""API v3 and its OAuth against reference/tiny.md §4, §5.2, §10."""

from urllib.parse import parse_qs, urlsplit

import pytest

ID = 700_000_000
REALM = "/tiny/realms/tiny/protocol/openid-connect"
APP = {"client_id": "demo-client", "client_secret": "demo-client-secret"}
BACK = "https://hub.example/callback"


def authorize(tiny, **changes):
    query = {
        "client_id": "demo-client", "redirect_uri": BACK, "scope": "openid", "response_type": "code",
        "state": "abc/1", **changes,
    }  # fmt: skip
    return tiny.http.get(f"{REALM}/auth", params=query)


def token(tiny, **form):
    return tiny.http.post(f"{REALM}/token", data={**APP, **form})


def refresh(tiny, value):
    return token(tiny, grant_type="refresh_token", refresh_token=value)


def first_pair(tiny):
    location = urlsplit(authorize(tiny).headers["location"])
    code = parse_qs(location.query)["code"][0]
    return token(tiny, grant_type="authorization_code", redirect_uri=BACK, code=code).json()


def test_consent_redirects_with_code_and_state(tiny):
    # §4.1
    answer = authorize(tiny)
    assert answer.status_code == 302
    location = urlsplit(answer.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == BACK
    assert parse_qs(location.query)["state"] == ["abc/1"]
    tiny.account(consent=False)
    assert "error=access_denied" in authorize(tiny).headers["location"]
    assert authorize(tiny, client_id="nobody").status_code == 400


def test_code_gives_a_pair_once(tiny):
    # §4.1
    code = parse_qs(urlsplit(authorize(tiny).headers["location"]).query)["code"][0]
    form = {"grant_type": "authorization_code", "redirect_uri": BACK, "code": code}
    pair = token(tiny, **form).json()
    assert (pair["expires_in"], pair["refresh_expires_in"], pair["token_type"]) == (14400, 86400, "Bearer")
    assert tiny.v3("GET", "/info", token=pair["access_token"]).json()["cpfCnpj"].endswith("-29")
    again = token(tiny, **form)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_code_is_bound_to_its_redirect_uri(tiny):
    # §4.1
    code = parse_qs(urlsplit(authorize(tiny).headers["location"]).query)["code"][0]
    wrong = token(tiny, grant_type="authorization_code", redirect_uri="https://other.example/", code=code)
    assert wrong.json()["error"] == "invalid_grant"


def test_refresh_rotates_and_a_burned_token_is_invalid_grant(tiny):
    # §4.1, §10
    pair = first_pair(tiny)
    second = refresh(tiny, pair["refresh_token"])
    assert second.status_code == 200
    assert second.json()["refresh_token"] != pair["refresh_token"]
    reused = refresh(tiny, pair["refresh_token"])
    assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")
    assert refresh(tiny, second.json()["refresh_token"]).status_code == 200


def test_reuse_kills_the_session_by_switch(tiny):
    tiny.settings(refresh_reuse_revokes=True)
    pair = first_pair(tiny)
    second = refresh(tiny, pair["refresh_token"]).json()
    refresh(tiny, pair["refresh_token"])
    assert refresh(tiny, second["refresh_token"]).status_code == 400
    assert tiny.v3("GET", "/info", token=second["access_token"]).status_code == 401


def test_lifetimes_of_both_tokens(tiny):
    # §4.1: 4 hours and 24 hours
    pair = tiny.tokens()
    tiny.advance(14_390)
    assert tiny.v3("GET", "/info", token=pair["access_token"]).status_code == 200
    tiny.advance(20)
    assert tiny.v3("GET", "/info", token=pair["access_token"]).status_code == 401
    tiny.advance(86_400 - 14_420)
    assert refresh(tiny, pair["refresh_token"]).status_code == 200
    late = tiny.tokens()
    tiny.advance(86_401)
    assert refresh(tiny, late["refresh_token"]).json()["error"] == "invalid_grant"


def test_wrong_client_is_401(tiny):
    # §4.1 [R], sample v3_token_erro_cliente.json
    wrong = token(tiny, client_secret="no", grant_type="refresh_token", refresh_token="x")
    assert wrong.status_code == 401
    assert wrong.json() == {
        "error": "unauthorized_client",
        "error_description": "Invalid client or Invalid client credentials",
    }
    assert token(tiny, grant_type="client_credentials").status_code == 401


def test_revoked_consent_kills_access_and_refresh(tiny):
    pair = tiny.tokens()
    tiny.account(revoke_v3=True)
    assert tiny.v3("GET", "/info", token=pair["access_token"]).status_code == 401
    assert refresh(tiny, pair["refresh_token"]).json()["error"] == "invalid_grant"


def test_missing_permission_is_403_and_no_bearer_401(tiny):
    # §4.1, §10
    assert tiny.http.get("/tiny/public-api/v3/info").status_code == 401
    tiny.account(v3_permissions=["info:read", "produtos:read"])
    assert tiny.v3("GET", f"/estoque/{ID}").status_code == 403
    assert tiny.v3("PUT", f"/produtos/{ID}/preco", json={"preco": 1}).status_code == 403
    assert tiny.v3("GET", f"/produtos/{ID}").status_code == 200


def test_unknown_ids_and_paths_are_404(tiny):
    # §10; §5.1: /transportadores does not exist
    assert tiny.v3("GET", "/produtos/5").status_code == 404
    assert tiny.v3("GET", "/estoque/5").status_code == 404
    assert tiny.v3("GET", "/transportadores").status_code == 404


def test_reads_and_writes_have_buckets_of_their_own_and_headers(tiny):
    # §4.2
    tiny.account(plan="Domine")
    bearer = tiny.tokens()["access_token"]
    for _ in range(120):
        answer = tiny.v3("GET", "/info", token=bearer)
        assert answer.status_code == 200
    assert (answer.headers["X-RateLimit-Limit"], answer.headers["X-RateLimit-Remaining"]) == ("120", "0")
    over = tiny.v3("GET", "/info", token=bearer)
    assert over.status_code == 429
    assert 1 <= int(over.headers["X-RateLimit-Reset"]) <= 60
    write = tiny.v3("PUT", f"/produtos/{ID}/preco", token=bearer, json={"preco": 1})
    assert (write.status_code, write.headers["X-RateLimit-Limit"]) == (200, "100")
    tiny.advance(int(over.headers["X-RateLimit-Reset"]) + 1)
    assert tiny.v3("GET", "/info", token=bearer).status_code == 200


def test_list_envelope_and_row(tiny):
    # §4.3, §5.2, sample assembled/v3_produtos_lista.json
    body = tiny.v3("GET", "/produtos", params={"limit": 5, "offset": 2}).json()
    assert (body["paginacao"]["limit"], body["paginacao"]["offset"], len(body["itens"])) == (5, 2, 5)
    (row,) = tiny.v3("GET", "/produtos", params={"codigo": "CAN-300"}).json()["itens"]
    assert set(row) == {
        "id", "sku", "descricao", "tipo", "situacao", "dataCriacao", "dataAlteracao", "unidade", "gtin",
        "precos", "estoque", "tipoVariacao",
    }  # fmt: skip
    assert (row["descricao"], row["precos"]["preco"]) == ("Caneca de cerâmica 300 ml", 29.9)
    assert row["dataCriacao"] == "2024-01-01 10:30:00"


def test_empty_list_is_200_without_rows(tiny):
    # §4.3
    answer = tiny.v3("GET", "/produtos", params={"nome": "nada disso"})
    assert answer.status_code == 200
    assert answer.json() == {"itens": [], "paginacao": {"limit": 100, "offset": 0, "total": 0}}


def test_list_pages_cover_everything_once(tiny):
    tiny.control("POST", "/tiny/accounts/demo/seed", {"catalog": "generated", "size": 230})
    pages = [tiny.v3("GET", "/produtos", params={"offset": n}).json() for n in (0, 100, 200, 300)]
    assert [len(p["itens"]) for p in pages] == [100, 100, 30, 0]
    assert len({row["id"] for page in pages for row in page["itens"]}) == pages[0]["paginacao"]["total"] == 230


def test_list_filters(tiny):
    # §5.2
    def skus(**query):
        return {r["sku"] for r in tiny.v3("GET", "/produtos", params=query).json()["itens"]}

    assert skus(nome="CANECA") == {"CAN-300", "CAN-500", "KIT-CAFE"}
    assert skus(nome="can-300") == set()
    assert skus(codigo="CAN") == set()
    assert skus(gtin=int(tiny.product("CAN-500")["gtin"])) == {"CAN-500"}
    assert skus(situacao="E") == {"EXCLUIDO-1", "EXCLUIDO-2"}
    tiny.settings(now="2025-06-01T12:00:00")
    tiny.edit("CAN-500", {"preco": 81})
    assert skus(dataAlteracao="2025-06-01 11:59:59") == {"CAN-500"}
    assert skus(dataCriacao="2024-12-12 00:00:00") == {"TOA-ROSTO", "CAN-GEL12"}
    tiny.account(price_lists={"77": [ID]})
    assert skus(idListaPreco=77) == {"CAN-300"}
    assert skus(idListaPreco=78) == set()


@pytest.mark.parametrize(
    "query", [{"dataAlteracao": "01/06/2025"}, {"limit": "ten"}, {"situacao": "X"}, {"limit": 0}, {"gtin": "x"}]
)
def test_wrong_filters_are_400_with_the_error_body(tiny, query):
    # §4.3, sample v3_erro_validacao.json
    answer = tiny.v3("GET", "/produtos", params=query)
    assert answer.status_code == 400
    assert set(answer.json()) == {"mensagem", "detalhes"}


def test_variations_are_rows_only_by_switch(tiny):
    def kinds():
        found = tiny.v3("GET", "/produtos", params={"nome": "meia esportiva"}).json()["itens"]
        return [r["tipoVariacao"] for r in found]

    assert kinds() == ["P"]
    tiny.settings(v3_variations_in_list=True)
    assert kinds() == ["P", "V", "V"]


def test_detail_gives_variations_with_gtin_price_and_stock(tiny):
    # §5.2
    body = tiny.v3("GET", f"/produtos/{tiny.product('CAM-BASIC')['id']}").json()
    assert (body["tipo"], body["tipoVariacao"], len(body["variacoes"])) == ("V", "P", 9)
    first = body["variacoes"][0]
    assert first["sku"] == "CAM-BASIC-1"
    assert first["gtin"].startswith("789")
    assert (first["precos"]["preco"], first["estoque"]["quantidade"]) == (50.9, 3)
    assert first["grade"] == [{"chave": "Cor", "valor": "Azul"}, {"chave": "Tamanho", "valor": "P"}]
    own = tiny.v3("GET", f"/produtos/{first['id']}").json()
    assert own["produtoPai"]["id"] == body["id"]
    assert own["dimensoes"]["pesoBruto"] == 0.25


def test_pictures_kit_and_production(tiny):
    # §5.2
    mirror = tiny.v3("GET", f"/produtos/{tiny.product('FOTOS-EXT')['id']}").json()
    assert [a["externo"] for a in mirror["anexos"]] == [False, True, True]
    assert mirror["seo"]["keywords"] == ["espelho", "redondo", "banheiro"]
    kit = tiny.v3("GET", f"/produtos/{tiny.product('KIT-CAFE')['id']}/kit").json()
    assert [(p["produto"]["sku"], p["quantidade"]) for p in kit] == [("CAN-300", 2), ("TAB-BAM", 1)]
    bag = tiny.v3("GET", f"/produtos/{tiny.product('FAB-SACOLA')['id']}").json()
    assert bag["producao"]["etapas"] == ["Corte", "Costura"]


def test_stock_has_reservation_per_deposit(tiny):
    # §5.2
    body = tiny.v3("GET", f"/estoque/{tiny.product('TES-PODA')['id']}").json()
    assert (body["saldo"], body["reservado"], body["disponivel"]) == (21, 2, 19)
    assert (body["depositos"][0]["reservado"], body["depositos"][2]["desconsiderar"]) == (2, True)


def test_kit_is_read_from_available(tiny):
    # §5.2 [R]
    kit = tiny.product("KIT-CAFE")["id"]
    assert tiny.v3("GET", f"/produtos/{kit}").json()["estoque"]["quantidade"] == 0
    assert tiny.v3("GET", f"/estoque/{kit}").json()["disponivel"] == 20


def test_put_price_answers_200_with_a_body(tiny):
    # §4.3, §5.2
    answer = tiny.v3("PUT", f"/produtos/{ID}/preco", json={"preco": 31.9, "precoPromocional": 27.9})
    assert (answer.status_code, answer.json()) == (200, {"preco": 31.9, "precoPromocional": 27.9})
    wrong = tiny.v3("PUT", f"/produtos/{ID}/preco", json={"preco": "31.9"})
    assert wrong.status_code == 400
    assert wrong.json()["mensagem"] == (
        "O tipo de dado 'string' não é válido para a propriedade 'preco' do tipo 'float'"
    )


def test_post_stock(tiny):
    # §5.2, required fields of the OpenAPI
    move = {"deposito": {"id": 5001}, "tipo": "B", "data": "2026-03-20 10:15:00", "quantidade": 25}
    assert tiny.v3("POST", f"/estoque/{ID}", json=move).json()["detalhes"][0]["campo"] == "precoUnitario"
    move["precoUnitario"] = 12.5
    assert tiny.v3("POST", f"/estoque/{ID}", json=move).json()["idLancamento"] > 0
    assert tiny.v3("GET", f"/estoque/{ID}").json()["depositos"][0]["saldo"] == 25
    assert tiny.v3("POST", f"/estoque/{tiny.product('KIT-CAFE')['id']}", json=move).status_code == 400
    assert tiny.v3("POST", f"/estoque/{ID}", json=move | {"deposito": {"id": 9}}).status_code == 400
