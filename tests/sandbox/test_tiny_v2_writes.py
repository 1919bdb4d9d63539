"""API v2 writes against reference/tiny.md §2.3, §2.5, §3.4 to §3.6."""

import json

ID = 700_000_000
NEW = {
    "sequencia": 1,
    "codigo": "NOVO-1",
    "nome": "Produto novo",
    "unidade": "UN",
    "preco": "49.90",
    "origem": 0,
    "situacao": "A",
    "tipo": "P",
}


def batch(*products):
    return {"produtos": [{"produto": p} for p in products]}


def records(answer):
    return [row["registro"] for row in answer["registros"]]


def test_create_answers_a_list_of_records(tiny):
    # §2.5, sample v2_produto_incluir_response.json
    answer = tiny.v2("produto.incluir.php", produto=batch(NEW | {"estoque_atual": 4}))
    (record,) = records(answer)
    assert (answer["status_processamento"], answer["status"]) == (3, "OK")
    assert (record["sequencia"], record["status"]) == ("1", "OK")
    product = tiny.v2("produto.obter", id=record["id"])["produto"]
    assert (product["codigo"], product["preco"]) == ("NOVO-1", "49.90")
    assert tiny.v2("produto.obter.estoque", id=record["id"])["produto"]["saldo"] == 4


def test_create_with_variations(tiny):
    # §3.4, sample assembled/v2_produto_incluir_request.json
    variations = [
        {"variacao": {"codigo": "NOVO-1-P", "estoque_atual": 4, "grade": {"Tamanho": "P"}}},
        {"variacao": {"codigo": "NOVO-1-M", "estoque_atual": 0, "grade": {"Tamanho": "M"}}},
    ]
    tiny.v2("produto.incluir", produto=batch(NEW | {"classe_produto": "V", "variacoes": variations}))
    parent = tiny.v2("produto.obter", id=tiny.product("NOVO-1")["id"])["produto"]
    assert [v["variacao"]["codigo"] for v in parent["variacoes"]] == ["NOVO-1-P", "NOVO-1-M"]
    assert tiny.v2("produto.obter.estoque", id=parent["variacoes"][0]["variacao"]["id"])["produto"]["saldo"] == 4


def test_one_bad_record_of_two_is_processed_in_part(tiny):
    # §2.4, §2.5: 4, with the failure told by sequencia under a top-level OK
    answer = tiny.v2("produto.incluir", produto=batch(NEW, {"sequencia": 2, "nome": "Sem o resto"}))
    assert (answer["status_processamento"], answer["status"]) == (4, "OK")
    good, bad = records(answer)
    assert good["status"] == "OK"
    assert (bad["sequencia"], bad["status"], bad["codigo_erro"]) == ("2", "Erro", "31")
    assert {"erro": "O campo preco deve ser informado"} in bad["erros"]


def test_all_records_bad_has_no_top_level_code(tiny):
    # §2.5
    answer = tiny.v2("produto.incluir", produto=batch({"sequencia": 1}))
    assert (answer["status_processamento"], answer["status"]) == (2, "Erro")
    assert "codigo_erro" not in answer


def test_repeated_sequence_is_9_and_more_than_20_records_22(tiny):
    # §2.3, §2.4
    _, second = records(tiny.v2("produto.incluir", produto=batch(NEW, NEW)))
    assert second["codigo_erro"] == "9"
    many = [NEW | {"sequencia": n, "codigo": f"M-{n}"} for n in range(21)]
    assert tiny.v2("produto.incluir", produto=batch(*many))["codigo_erro"] == 22
    assert all(r["status"] == "OK" for r in records(tiny.v2("produto.incluir", produto=batch(*many[:20]))))


def test_nothing_recognised_is_ok_without_records(tiny):
    # §2.5, sample v2_incluir_sem_registros.json
    answer = tiny.v2("produto.incluir", produto={"produto": NEW})
    assert answer == {"status_processamento": "3", "status": "OK", "registros": []}


def test_the_same_sku_twice_depends_on_the_account(tiny):
    # §7 [I]
    for _ in range(2):
        tiny.v2("produto.incluir", produto=batch(NEW))
    found = tiny.http.get("/_sandbox/tiny/accounts/demo/products", params={"sku": "NOVO-1"}).json()
    assert len(found) == 2
    tiny.account(refuse_duplicate_sku=True)
    (record,) = records(tiny.v2("produto.incluir", produto=batch(NEW)))
    assert (record["status"], record["codigo_erro"]) == ("Erro", "30")
    assert record["erros"] == [{"erro": "Registro em duplicidade"}]


def test_update_blanks_the_scalars_it_leaves_out(tiny):
    # §3.4
    before = tiny.v2("produto.obter", id=ID)["produto"]
    assert before["marca"]
    row = NEW | {"id": ID, "codigo": "CAN-300"}
    assert records(tiny.v2("produto.alterar", produto=batch(row)))[0]["status"] == "OK"
    after = tiny.v2("produto.obter", id=ID)["produto"]
    assert after["nome"] == "Produto novo"
    assert (after["marca"], after["gtin"], after["categoria"], after["localizacao"]) == ("", "", "", "")
    assert float(after["peso_bruto"]) == 0
    assert after["data_criacao"] == before["data_criacao"]


def test_update_finds_by_code_and_tells_32_and_33(tiny):
    # §3.4, §2.4
    row = {k: v for k, v in NEW.items() if k != "codigo"} | {"descricao_complementar": "x"}
    known = row | {"codigo": "CAN-500"}
    unknown = row | {"codigo": "NADA", "sequencia": 2}
    assert [r.get("codigo_erro") for r in records(tiny.v2("produto.alterar", produto=batch(known, unknown)))] == [
        None,
        "32",
    ]
    tiny.v2("produto.incluir", produto=batch(NEW, NEW | {"sequencia": 2}))
    (double,) = records(tiny.v2("produto.alterar", produto=batch(NEW)))
    assert double["codigo_erro"] == "33"


def test_update_keeps_only_the_variations_it_lists(tiny):
    # §3.4 [I]
    parent = tiny.v2("produto.obter", id=tiny.product("MEIA-3")["id"])["produto"]
    kept = parent["variacoes"][1]["variacao"]
    row = NEW | {"id": parent["id"], "codigo": "MEIA-3", "variacoes": [{"variacao": kept}]}
    tiny.v2("produto.alterar", produto=batch(row))
    after = tiny.v2("produto.obter", id=parent["id"])["produto"]
    assert [v["variacao"]["id"] for v in after["variacoes"]] == [kept["id"]]


def test_long_values_are_cut_refused_or_kept(tiny):
    # §9: not documented, a switch
    long = NEW | {"nome": "n" * 130}
    tiny.v2("produto.incluir", produto=batch(long))
    assert tiny.product("NOVO-1")["nome"] == "n" * 120
    tiny.settings(long_values="refuse")
    assert records(tiny.v2("produto.incluir", produto=batch(long)))[0]["codigo_erro"] == "31"
    tiny.settings(long_values="keep")
    tiny.v2("produto.incluir", produto=batch(long | {"codigo": "NOVO-2"}))
    assert tiny.product("NOVO-2")["nome"] == "n" * 130


def move(tiny, **fields):
    return tiny.v2("produto.atualizar.estoque", estoque={"estoque": {"idProduto": ID, **fields}})


def test_stock_balance_in_and_out(tiny):
    # §3.5
    (record,) = records(move(tiny, tipo="B", quantidade="25", deposito="Depósito Geral"))
    assert (record["status"], record["saldoEstoque"], record["registroCriado"]) == ("OK", 27, True)
    assert records(move(tiny, tipo="E", quantidade=3, deposito="depósito geral"))[0]["saldoEstoque"] == 30
    assert records(move(tiny, tipo="S", quantidade=40))[0]["saldoEstoque"] == -10
    assert records(move(tiny, quantidade=1))[0]["saldoEstoque"] == 3


def test_stock_write_refusals(tiny):
    # §3.5: unknown deposit 31 [I], unknown product 32, kits refused [R]
    assert records(move(tiny, quantidade=1, deposito="Nenhum"))[0]["codigo_erro"] == "31"
    assert records(move(tiny, quantidade=1, idProduto=5))[0]["codigo_erro"] == "32"
    kit = tiny.product("KIT-CAFE")["id"]
    assert records(move(tiny, quantidade=1, idProduto=kit))[0]["codigo_erro"] == "31"
    assert records(move(tiny, deposito="Loja Física"))[0]["codigo_erro"] == "31"


def test_stock_answer_as_object_or_list(tiny):
    # §2.5, §10
    tiny.settings(registros="object")
    assert move(tiny, quantidade=1)["registros"]["registro"]["status"] == "OK"


def test_renamed_deposit_breaks_writes_by_name(tiny):
    # §8.17
    deposits = tiny.account()["deposits"]
    deposits[0]["nome"] = "Central"
    tiny.account(deposits=deposits)
    assert records(move(tiny, quantidade=1, deposito="Depósito Geral"))[0]["codigo_erro"] == "31"
    assert records(move(tiny, quantidade=1, deposito="Central"))[0]["status"] == "OK"


def test_prices_in_the_field_data_or_as_raw_body(tiny):
    # §2.1, §3.6 [R]
    body = {"precos": [{"id": str(ID), "preco": "20.5", "preco_promocional": "0"}]}
    (record,) = records(tiny.v2("produto.atualizar.precos", data=body))
    assert record == {
        "sequencia": "1", "status": "OK", "id": str(ID), "preco": "20.5", "preco_promocional": "0",
    }  # fmt: skip
    body["precos"] = [{"id": ID, "preco": 21}, {"id": 3, "preco": 1}]
    answer = tiny.http.post(
        "/tiny/api2/produto.atualizar.precos",
        params={"token": "demo-token", "formato": "json"},
        content=json.dumps(body),
        headers={"content-type": "application/json"},
    ).json()["retorno"]
    assert [r.get("codigo_erro") for r in records(answer)] == [None, "32"]
    assert tiny.v2("produto.obter", id=ID)["produto"]["preco"] == "21.00"


def test_own_writes_come_back_in_the_change_lists(tiny):
    # §3.5, §6.3.5: an echo is normal
    move(tiny, quantidade=1)
    tiny.v2("produto.atualizar.precos", data={"precos": [{"id": ID, "preco": 9}]})
    for service in ("lista.atualizacoes.estoque", "lista.atualizacoes.produtos"):
        assert tiny.v2(service, dataAlteracao="01/01/2024")["produtos"][0]["produto"]["id"] == ID
