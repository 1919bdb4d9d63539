"""API v2 products and stock against reference/tiny.md §2.6, §2.7, §3.2 to §3.6."""

import pytest

ID = 700_000_000


def rows(answer):
    return [row["produto"] for row in answer["produtos"]]


def everything(tiny, **filters):
    found, page = [], 1
    while True:
        answer = tiny.v2("produtos.pesquisa", pesquisa="", pagina=page, **filters)
        found += rows(answer)
        if page == int(answer["numero_paginas"]):
            return found
        page += 1


def test_info_names_the_account(tiny):
    # §3.1
    assert tiny.v2("info")["conta"]["cnpj_cpf"].endswith("-29")


def test_search_is_partial_in_name_and_code_whatever_the_case(tiny):
    # §3.2
    found = [row["codigo"] for row in rows(tiny.v2("produtos.pesquisa", pesquisa="can-3"))]
    assert found == ["CAN-300"]
    assert {r["codigo"] for r in rows(tiny.v2("produtos.pesquisa", pesquisa="CANECA"))} >= {"CAN-300", "KIT-CAFE"}


def test_search_row_has_the_documented_fields(tiny):
    # §3.2
    (row,) = rows(tiny.v2("produtos.pesquisa", pesquisa="CAN-300"))
    assert set(row) == {
        "id", "codigo", "nome", "preco", "preco_promocional", "preco_custo", "preco_custo_medio",
        "unidade", "gtin", "tipoVariacao", "localizacao", "situacao", "data_criacao",
    }  # fmt: skip
    assert row["data_criacao"] == "01/01/2024 10:30:00"


def test_search_shows_active_and_inactive_unless_asked(tiny):
    # §3.2
    assert {row["situacao"] for row in everything(tiny)} == {"A", "I"}
    assert {row["situacao"] for row in everything(tiny, situacao="I")} == {"I"}
    assert {row["codigo"] for row in everything(tiny, situacao="E")} == {"EXCLUIDO-1", "EXCLUIDO-2"}


def test_variations_are_rows_of_their_own(tiny):
    # §3.2
    kinds = {r["codigo"]: r["tipoVariacao"] for r in rows(tiny.v2("produtos.pesquisa", pesquisa="MEIA-3"))}
    assert kinds == {"MEIA-3": "P", "MEIA-3-1": "V", "MEIA-3-2": "V"}


def test_numeric_looking_codes_are_numbers_in_rows(tiny):
    # §2.6, sample v2_produtos_pesquisa.json
    codes = [row["codigo"] for row in everything(tiny)]
    assert 123 in codes
    assert "000457" in codes
    tiny.settings(lost_zeros=True)
    assert 457 in [row["codigo"] for row in everything(tiny)]


def test_search_filters_by_gtin_and_creation(tiny):
    # §3.2
    gtin = tiny.product("CAN-500")["gtin"]
    assert [r["codigo"] for r in rows(tiny.v2("produtos.pesquisa", pesquisa="", gtin=gtin))] == ["CAN-500"]
    tiny.control("POST", "/tiny/accounts/demo/products", {"codigo": "NOVO", "nome": "Novo", "preco": 1})
    since = tiny.v2("produtos.pesquisa", pesquisa="", dataCriacao="01/01/2025 00:00:00")
    assert [row["codigo"] for row in rows(since)] == ["NOVO"]
    assert tiny.v2("produtos.pesquisa", pesquisa="", dataCriacao="2025-01-01")["codigo_erro"] == 10


def test_pages_have_100_rows_and_end_with_23(tiny):
    # §2.7
    tiny.control("POST", "/tiny/accounts/demo/seed", {"catalog": "generated", "size": 250})
    pages = [tiny.v2("produtos.pesquisa", pesquisa="", pagina=n) for n in (1, 2, 3)]
    assert [len(p["produtos"]) for p in pages] == [100, 100, 50]
    assert [(p["pagina"], p["numero_paginas"]) for p in pages] == [("1", "3"), ("2", "3"), ("3", "3")]
    assert len({row["id"] for page in pages for row in rows(page)}) == 250
    assert tiny.v2("produtos.pesquisa", pesquisa="", pagina=4)["codigo_erro"] == 23


def test_empty_search_is_20(tiny):
    # §2.7, sample v2_erro_consulta_vazia.json
    assert tiny.v2("produtos.pesquisa", pesquisa="não existe") == {
        "status_processamento": 2,
        "status": "Erro",
        "codigo_erro": 20,
        "erros": [{"erro": "A Consulta não retornou registros"}],
    }


def test_get_of_a_simple_product(tiny):
    # §3.3, sample assembled/v2_produto_obter_simples_sem_variacoes.json
    answer = tiny.v2("produto.obter", id=ID)
    product = answer["produto"]
    assert answer["status_processamento"] == "3"
    assert product["id"] == str(ID)
    assert (product["preco"], product["peso_liquido"]) == ("29.90", "0.300")
    assert product["variacoes"] == ""
    assert product["idProdutoPai"] == ""
    assert "saldo" not in product
    assert {"tipoEmbalagem", "alturaEmbalagem", "categoria", "seo_title", "anexos", "kit"} <= set(product)


def test_get_of_a_parent_gives_variations_without_gtin_weight_or_stock(tiny):
    # §3.3, sample v2_produto_obter_variacoes.json
    parent = tiny.v2("produto.obter", id=tiny.product("CAM-BASIC")["id"])["produto"]
    assert (parent["tipoVariacao"], parent["classe_produto"]) == ("P", "V")
    first = parent["variacoes"][0]["variacao"]
    assert set(first) == {"id", "codigo", "preco", "grade"}
    assert first["preco"] == "50.9000000000"
    assert first["grade"] == {"Cor": "Azul", "Tamanho": "P"}
    own = tiny.v2("produto.obter", id=first["id"])["produto"]
    assert (own["tipoVariacao"], own["idProdutoPai"]) == ("V", parent["id"])
    assert own["gtin"].startswith("789")
    assert own["grade"] == first["grade"]
    assert tiny.v2("produto.obter.estoque", id=first["id"])["produto"]["saldo"] == 3


def test_price_of_a_parent_may_be_zero(tiny):
    # §8.23
    parent = tiny.v2("produto.obter", id=tiny.product("TOA-BANHO")["id"])["produto"]
    assert float(parent["preco"]) == 0
    assert all(float(v["variacao"]["preco"]) > 0 for v in parent["variacoes"])


def test_unknown_ids_are_20_for_obter_and_32_elsewhere(tiny):
    # §3.3 (recorded)
    assert tiny.v2("produto.obter", id=1)["codigo_erro"] == 20
    for service in ("produto.obter.estoque", "produto.obter.estrutura"):
        error = tiny.v2(service, id=1)
        assert (error["status_processamento"], error["codigo_erro"]) == ("2", "32")
        assert error["erros"] == [{"erro": "Produto não localizado"}]


def test_pictures_and_kit_parts_are_wrapped(tiny):
    # §2.6
    mirror = tiny.v2("produto.obter", id=tiny.product("FOTOS-EXT")["id"])["produto"]
    assert [set(row) for row in mirror["anexos"]] == [{"anexo"}]
    assert mirror["imagens_externas"][0]["imagem_externa"]["url"].startswith("https://")
    kit = tiny.v2("produto.obter", id=tiny.product("KIT-CAFE")["id"])["produto"]
    assert kit["classe_produto"] == "K"
    assert kit["kit"][0]["item"] == {"id_produto": str(ID), "quantidade": "2.00"}


def test_structure_rows_are_bare(tiny):
    # §3.6
    bag = tiny.v2("produto.obter.estrutura", id=tiny.product("FAB-SACOLA")["id"])["produto"]
    assert bag["estrutura"][0]["codigo"] == "MAT-TECIDO"
    assert bag["estrutura"][0]["quantidade"] == 1.5


def test_balance_leaves_ignored_deposits_out_and_may_be_negative(tiny):
    # §3.5
    stock = tiny.v2("produto.obter.estoque", id=ID)["produto"]
    deposits = {d["deposito"]["nome"]: d["deposito"] for d in stock["depositos"]}
    assert {n: (d["desconsiderar"], d["saldo"]) for n, d in deposits.items()} == {
        "Depósito Geral": ("N", 40),
        "Loja Física": ("N", 2),
        "Avariados": ("S", 1),
    }
    assert stock["saldo"] == 42
    assert "saldoReservado" not in deposits["Depósito Geral"]
    assert tiny.v2("produto.obter.estoque", id=tiny.product("NEG-1")["id"])["produto"]["saldo"] == -3


def test_stock_of_a_kit_follows_its_parts(tiny):
    # §3.5
    kit = tiny.product("KIT-CAFE")["id"]
    assert tiny.v2("produto.obter.estoque", id=kit)["produto"]["depositos"][0]["deposito"]["saldo"] == 20
    tiny.control("POST", f"/tiny/accounts/demo/products/{ID}/stock", {"balance": 5})
    assert tiny.v2("produto.obter.estoque", id=kit)["produto"]["depositos"][0]["deposito"]["saldo"] == 2


def test_decimals_come_with_2_4_or_10_places(tiny):
    # §2.6
    prices = {row["codigo"]: row["preco"] for row in everything(tiny)}
    assert (prices["CAN-300"], prices["PRECO-4"], prices["PRECO-10"]) == ("29.90", "150.0000", "0.0375000000")


def test_messy_types_drift_but_mean_the_same(tiny):
    # §2.6, §10
    clean = {str(r["id"]): r for r in everything(tiny)}
    details = {i: tiny.v2("produto.obter", id=i)["produto"] for i in clean}
    tiny.settings(types="messy")
    messy = everything(tiny)
    assert {type(r["id"]) for r in messy} == {int, str}
    assert {type(r["preco"]) for r in messy} >= {float, str}
    assert all(abs(float(r["preco"]) - float(clean[str(r["id"])]["preco"])) < 1e-9 for r in messy)
    drifted = {i: tiny.v2("produto.obter", id=i) for i in clean}
    assert {type(a["status_processamento"]) for a in drifted.values()} == {int, str}
    simple = [a["produto"] for i, a in drifted.items() if details[i]["variacoes"] == ""]
    assert {repr(p.get("variacoes", "missing")) for p in simple} == {"''", "None", "[]", "'missing'"}
    assert {type(p["codigo"]) for p in simple} == {int, str}


def test_search_lags_behind_edits(tiny):
    # §7
    tiny.settings(search_lag_s=10)
    tiny.control("POST", "/tiny/accounts/demo/products", {"codigo": "NOVO-1", "nome": "Novo", "preco": 1})
    tiny.edit("CAN-300", {"nome": "Xícara"})
    assert tiny.v2("produtos.pesquisa", pesquisa="NOVO-1")["codigo_erro"] == 20
    assert rows(tiny.v2("produtos.pesquisa", pesquisa="CAN-300"))[0]["nome"] == "Caneca de cerâmica 300 ml"
    assert tiny.v2("produto.obter", id=ID)["produto"]["nome"] == "Xícara"
    tiny.advance(11)
    assert rows(tiny.v2("produtos.pesquisa", pesquisa="NOVO-1"))[0]["codigo"] == "NOVO-1"
    assert rows(tiny.v2("produtos.pesquisa", pesquisa="CAN-300"))[0]["nome"] == "Xícara"


def test_product_list_is_emptied_by_reading(tiny):
    # §3.5
    tiny.settings(now="2025-06-01T12:00:00")
    tiny.edit("CAN-300", {"preco": 31})
    first = tiny.v2("lista.atualizacoes.produtos", dataAlteracao="01/06/2025 11:00:00")
    (row,) = rows(first)
    assert (row["codigo"], row["preco"], row["data_alteracao"][:13]) == ("CAN-300", "31.00", "01/06/2025 12")
    assert tiny.v2("lista.atualizacoes.produtos", dataAlteracao="01/06/2025 11:00:00")["codigo_erro"] == 20


def test_product_list_of_many_pages_shrinks_while_it_is_read(tiny):
    # §3.5 "records leave the list once read": what is left is page 1 again
    for number in range(150):
        spec = {"codigo": f"N-{number:03d}", "nome": f"Novo {number}", "preco": 1}
        tiny.control("POST", "/tiny/accounts/demo/products", spec)
    since = "01/01/2024"
    first = tiny.v2("lista.atualizacoes.produtos", dataAlteracao=since)
    assert (len(first["produtos"]), first["numero_paginas"]) == (100, "2")
    assert tiny.v2("lista.atualizacoes.produtos", dataAlteracao=since, pagina=2)["codigo_erro"] == 23
    assert len(tiny.v2("lista.atualizacoes.produtos", dataAlteracao=since)["produtos"]) == 50


def test_stock_list_tells_moves_of_variations_with_figures_of_now(tiny):
    # §3.5
    variation = tiny.product("CAM-BASIC-1")["id"]
    for balance in (7, 9):
        tiny.control("POST", f"/tiny/accounts/demo/products/{variation}/stock", {"balance": balance})
    (row,) = rows(tiny.v2("lista.atualizacoes.estoque", dataAlteracao="01/01/2024"))
    assert (row["id"], row["tipo_variacao"], row["saldo"], row["saldoReservado"]) == (variation, "V", 10, 1)
    assert row["depositos"][0]["deposito"]["saldo"] == 9
    assert tiny.v2("lista.atualizacoes.produtos", dataAlteracao="01/01/2024")["codigo_erro"] == 20


def test_lists_as_a_filter_look_back_thirty_days_at_most(tiny):
    # §3.5 [R]
    tiny.settings(update_list="since", now="2025-06-01T12:00:00")
    tiny.edit("CAN-300", {"preco": 31})
    tiny.settings(now="2025-06-20T12:00:00")
    tiny.edit("CAN-500", {"preco": 32})
    for _ in range(2):
        found = rows(tiny.v2("lista.atualizacoes.produtos", dataAlteracao="01/05/2025 00:00:00"))
        assert [row["codigo"] for row in found] == ["CAN-300", "CAN-500"]
    tiny.settings(now="2025-07-05T12:00:00")
    found = rows(tiny.v2("lista.atualizacoes.produtos", dataAlteracao="01/05/2025 00:00:00"))
    assert [row["codigo"] for row in found] == ["CAN-500"]


@pytest.mark.parametrize("how", ["setting", "account"])
def test_lists_need_the_extension(tiny, how):
    # §3.5, code 5 [I]
    if how == "setting":
        tiny.settings(update_list="off")
    else:
        tiny.account(realtime_stock=False)
    assert tiny.v2("lista.atualizacoes.estoque", dataAlteracao="01/01/2024")["codigo_erro"] == 5
