"""Orders of API v2 against reference/tiny.md §2.5 to §2.7, §3.7 to §3.9, §8."""

import httpx
import pytest

from tests.sandbox.tiny_trade import ACCOUNT, ITEM, found, order, place, refusal, shop, stock, stored, texts


def test_a_good_order_is_answered_with_an_object(tiny):
    # §2.5, sample v2_pedido_incluir_response_ok.json
    answer = tiny.v2("pedido.incluir.php", pedido=order())
    record = answer["registros"]["registro"]
    assert (answer["status_processamento"], answer["status"]) == (3, "OK")
    assert (record["sequencia"], record["status"], isinstance(record["id"], str)) == ("1", "OK", True)
    assert record["numero"] != record["id"]
    tiny.settings(order_registros="list")
    assert tiny.v2("pedido.incluir", pedido=order())["registros"][0]["registro"]["status"] == "OK"


def test_errors_stand_in_a_list_of_records_without_a_top_level_code(tiny):
    # §2.5, §3.8, sample v2_pedido_incluir_response_duplicado.json
    record = refusal(tiny, client={"nome": "", "cidade": "Nenhures", "cep": "95.700-000"})
    assert (record["status"], record["codigo_erro"]) == ("Erro", "31")
    assert texts(record) == [
        "O nome do cliente deve ser informado", "O CEP informado é inválido", "Cidade não encontrada",
    ]  # fmt: skip
    assert tiny.control("GET", f"{ACCOUNT}/orders") == []


def test_nothing_recognised_is_ok_without_records(tiny):
    # §2.5
    answer = tiny.v2("pedido.incluir", pedido=order()["pedido"])
    assert (answer["status"], answer["registros"]) == ("OK", [])


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"situacao": "talvez"}, "A situação 'talvez' não existe"),
        ({"nome_deposito": "Nenhum"}, "Depósito 'Nenhum' não encontrado"),
        ({"data_pedido": "2026-02-11"}, "O campo data_pedido deve conter uma data válida, valor enviado '2026-02-11'"),
        ({"valor_frete": "10,50"}, "O campo valor_frete deve ser um número, valor enviado '10,50'"),
        ({"frete_por_conta": "Q"}, "O campo frete_por_conta é inválido"),
        ({"itens": []}, "É necessário informar ao menos um item para o pedido"),
    ],
)
def test_what_an_order_is_refused_for(tiny, fields, text):
    record = refusal(tiny, **fields)
    assert (record["codigo_erro"], texts(record)) == ("31", [text])


def test_city_must_stand_in_the_table_of_its_state(tiny):
    # §3.8, §8.21
    assert texts(refusal(tiny, client={"uf": "RS"})) == ["Cidade não encontrada"]
    place(tiny, client={"cidade": "sao paulo"})
    tiny.settings(city_check="exact")
    assert texts(refusal(tiny, client={"cidade": "sao paulo"})) == ["Cidade não encontrada"]
    address = {"endereco": "Rua B", "cidade": "Atlântida", "uf": "RJ"}
    assert texts(refusal(tiny, endereco_entrega=address)) == ["Cidade não encontrada"]
    tiny.settings(city_check="off")
    place(tiny, endereco_entrega=address)


def test_repeated_shop_number_makes_a_second_order_or_code_30(tiny):
    # §3.8 [I], §7
    assert place(tiny) != place(tiny)
    tiny.settings(duplicate_order="refuse")
    record = refusal(tiny)
    assert (record["codigo_erro"], texts(record)) == ("30", ["Registro em duplicidade"])
    shop(tiny)
    place(tiny, id_ecommerce=8390)
    assert refusal(tiny, ecommerce="nuvem da loja")["codigo_erro"] == "30"
    place(tiny, numero_pedido_ecommerce="")


def test_detail_reads_with_other_names_than_it_was_written(tiny):
    # §2.6, §3.7
    shop(tiny)
    order_id = place(
        tiny, id_ecommerce="8390", obs="Presente", obs_internas="Ver estoque", valor_frete="18.50", valor_desconto=5,
        outras_despesas=1, forma_envio="c", forma_frete="PAC", frete_por_conta="R", data_prevista="20/02/2026",
        marcadores=[{"marcador": {"descricao": "urgente"}}], endereco_entrega={"nome_destinatario": "João", "uf": "SP"},
        parcelas=[{"parcela": {"dias": "30", "valor": "36.65"}}, {"parcela": {"dias": 60, "valor": 37.65}}],
        pagamentos_integrados=[{"pagamento_integrado": {"tipo_pagamento": "17", "valor": "74.30"}}],
        intermediador={"nome": "Intermediador", "cnpj": "00.000.000/0000-00"},
    )  # fmt: skip
    body = tiny.v2("pedido.obter.php", id=order_id)["pedido"]
    assert (body["numero_ecommerce"], body["obs"], body["obs_interna"]) == ("10245", "Presente", "Ver estoque")
    assert (body["data_pedido"], body["data_prevista"]) == ("11/02/2026", "20/02/2026")
    assert (body["total_produtos"], body["total_pedido"]) == ("59.80", "74.30")
    assert (body["situacao"], body["id_nota_fiscal"], body["forma_envio"]) == ("Aprovado", "0", "C")
    assert (body["cliente"]["cpf_cnpj"], body["cliente"]["cep"]) == ("111.444.777-35", "01.001-000")
    assert body["endereco_entrega"]["nome_destinatario"] == "João"
    assert body["itens"][0]["item"] == {
        "id_produto": "700000000", "codigo": "CAN-300", "descricao": "Caneca", "unidade": "UN", "quantidade": "2.00",
        "valor_unitario": "29.90", "info_adicional": "",
    }  # fmt: skip
    assert [p["parcela"]["data"] for p in body["parcelas"]] == ["13/03/2026", "12/04/2026"]
    assert (body["condicao_pagamento"], body["marcadores"][0]["marcador"]["descricao"]) == ("30 60", "urgente")
    assert body["ecommerce"]["nomeEcommerce"] == "Nuvem da Loja"
    assert body["pagamentos_integrados"][0]["pagamento_integrado"]["valor"] == "74.30"


def test_direct_sales_have_no_shop_and_an_unknown_integration_is_dropped(tiny):
    # §3.7; silent on unknown ids
    for fields in ({}, {"id_ecommerce": 77}):
        body = tiny.v2("pedido.obter", id=place(tiny, **fields))["pedido"]
        assert ("ecommerce" in body, body["numero_ecommerce"]) == (False, "10245")


def test_wrong_tax_operation_key_is_silently_ignored(tiny):
    # §3.8 [R], §8.11
    first = stored(tiny, place(tiny, natureza_operacao="Remessa"))["natureza_operacao"]
    assert first == {"id": 1, "nome": "Venda de mercadorias"}
    second = stored(tiny, place(tiny, nome_natureza_operacao="Remessa"))["natureza_operacao"]
    assert second["nome"] == "Remessa"


def test_long_texts_are_cut(tiny):
    # §9
    order_id = place(tiny, client={"nome": "N" * 40}, obs="o" * 200, numero_ordem_compra="1" * 20)
    body = tiny.v2("pedido.obter", id=order_id)["pedido"]
    assert (len(body["cliente"]["nome"]), len(body["obs"]), len(body["numero_ordem_compra"])) == (30, 100, 10)
    tiny.settings(long_values="refuse")
    assert refusal(tiny, obs="o" * 101)["codigo_erro"] == "31"


def test_emoji_in_the_notes_may_be_refused(tiny):
    # §2.2 [R]
    place(tiny, obs="Obrigada 🎁")
    tiny.settings(wide_characters="refuse")
    assert refusal(tiny, obs="Obrigada 🎁")["codigo_erro"] == "31"


def test_customer_is_matched_and_only_rewritten_when_asked(tiny):
    # §3.8
    first = stored(tiny, place(tiny))["id_contato"]
    kept = place(tiny, client={"codigo": "", "nome": "Maria S.", "atualizar_cliente": "N"})
    assert stored(tiny, kept)["id_contato"] == first
    assert tiny.v2("contato.obter", id=first)["contato"]["nome"] == "Maria Souza"
    place(tiny, client={"codigo": "", "cpf_cnpj": "111.444.777-35", "nome": "Maria S."})
    contact = tiny.v2("contato.obter", id=first)["contato"]
    assert (contact["nome"], contact["cpf_cnpj"]) == ("Maria S.", "111.444.777-35")
    other = place(tiny, client={"codigo": "c-2", "cpf_cnpj": "52998224725"})
    assert stored(tiny, other)["id_contato"] != first


def test_search_wants_a_filter_and_finds_the_shop_number_exactly(tiny):
    # §3.7, §2.7
    assert tiny.v2("pedidos.pesquisa")["codigo_erro"] == 10
    assert tiny.v2("pedidos.pesquisa", numeroEcommerce="10245")["codigo_erro"] == 20
    order_id = int(place(tiny))
    assert found(tiny, numeroEcommerce="10245") == [order_id]
    assert found(tiny, numeroEcommerce="1024") == []
    (row,) = tiny.v2("pedidos.pesquisa", numeroEcommerce="10245")["pedidos"]
    assert row["pedido"] == {
        "id": order_id, "numero": 1, "numero_ecommerce": "10245", "data_pedido": "11/02/2026", "data_prevista": "",
        "nome": "Maria Souza", "valor": "59.80", "id_vendedor": "", "nome_vendedor": "", "situacao": "Aprovado",
        "codigo_rastreamento": "",
    }  # fmt: skip


def test_search_filters(tiny):
    # §3.7
    tiny.settings(clock_rate=0, now="2026-02-11T10:00:00")
    first = int(place(tiny, situacao="Aberto", marcadores=[{"marcador": {"descricao": "Vip"}}], id_vendedor=5))
    tiny.advance(3600)
    second = int(place(tiny, client={"codigo": "c-2", "nome": "José", "cpf_cnpj": "52998224725"}, data_pedido=""))
    assert found(tiny, dataInicial="01/01/2026") == [second, first]
    assert found(tiny, dataInicial="01/01/2026", sort="ASC") == [first, second]
    assert found(tiny, numero="1") == found(tiny, cliente="maria") == found(tiny, marcador="vip") == [first]
    assert found(tiny, cpf_cnpj="529.982.247-25") == found(tiny, situacao="aprovado") == [second]
    assert found(tiny, idVendedor="5") == found(tiny, situacao="aberto") == [first]
    assert found(tiny, dataAtualizacao="11/02/2026 10:30:00") == [second]
    assert found(tiny, dataFinal="10/02/2026") == []
    tiny.advance(86_400)
    tiny.v2("pedido.alterar.situacao", id=first, situacao="enviado")
    assert found(tiny, dataAtualizacao="12/02/2026 00:00:00") == [first]
    assert found(tiny, situacaoOcorrencia="aprovado", dataInicialOcorrencia="11/02/2026") == [second]
    for wrong in ({"dataAtualizacao": "2026-02-11"}, {"situacao": "talvez"}, {"sort": "UP", "numero": "1"}):
        assert tiny.v2("pedidos.pesquisa", **wrong)["codigo_erro"] == 10


def test_pages_of_100_and_23_past_the_end(tiny):
    # §2.7
    for _ in range(101):
        tiny.control("POST", f"{ACCOUNT}/orders", order()["pedido"])
    pages = [tiny.v2("pedidos.pesquisa", cliente="maria", pagina=n) for n in (1, 2, 3)]
    assert [len(page.get("pedidos", ())) for page in pages] == [100, 1, 0]
    assert (pages[0]["numero_paginas"], pages[2]["codigo_erro"]) == ("2", 23)


def test_new_orders_are_found_after_the_search_lag(tiny):
    # §7 [I]
    tiny.settings(clock_rate=0, search_lag_s=5)
    order_id = int(place(tiny))
    assert found(tiny, numeroEcommerce="10245") == []
    assert tiny.v2("pedido.obter", id=order_id)["status"] == "OK"
    tiny.advance(5)
    assert found(tiny, numeroEcommerce="10245") == [order_id]


def test_situations_are_texts_with_variants_or_codes(tiny):
    # §3.9, §8.8, samples v2_pedido_obter.json, v2_pedidos_pesquisa.json
    order_id = place(tiny, situacao="faturado")

    def shown():
        (row,) = tiny.v2("pedidos.pesquisa", numero="1")["pedidos"]
        return tiny.v2("pedido.obter", id=order_id)["pedido"]["situacao"], row["pedido"]["situacao"]

    assert shown() == ("Faturado", "Atendido")
    tiny.settings(order_situation="code")
    assert shown() == ("faturado", "faturado")


def test_situation_is_set_by_code_and_set_again(tiny):
    # §3.9, sample v2_pedido_alterar_situacao_response.json
    order_id = place(tiny)
    for _ in range(2):
        answer = tiny.v2("pedido.alterar.situacao", id=order_id, situacao="preparando envio")
        assert answer == {"status_processamento": "3", "status": "OK"}
    shown = stored(tiny, order_id)
    assert [row["situacao"] for row in shown["historico"]] == ["aprovado", "preparando_envio"]
    assert shown["writes"]["pedido.alterar.situacao"] == 2
    assert tiny.v2("pedido.alterar.situacao", id=order_id, situacao="perdido")["codigo_erro"] == 31


@pytest.mark.parametrize(
    "service",
    ["pedido.obter", "pedido.alterar.situacao", "gerar.nota.fiscal.pedido", "cadastrar.codigo.rastreamento.pedido"],
)
def test_visible_number_is_no_id(tiny, service):
    # §8.7, sample v2_erro_registro_nao_localizado.json
    place(tiny)
    answer = tiny.v2(service, id=1, situacao="enviado")
    assert (answer["codigo_erro"], answer["erros"]) == ("32", [{"erro": "Pedido não localizado"}])


def test_tracking_url_comes_encoded_once_more(tiny):
    # §3.9, sample assembled/v2_pedido_rastreamento_request.json
    order_id = place(tiny)
    form = {
        "codigoRastreamento": "AA123456785BR", "urlRastreamento": "https%3A%2F%2Frastreio.exemplo.com%2FAA123456785BR",
        "formaEnvio": "C", "formaFrete": "PAC", "volumes": "1", "dataPrevista": "20/02/2026",
    }  # fmt: skip
    answer = tiny.v2("cadastrar.codigo.rastreamento.pedido", id=order_id, **form)
    assert answer == {"status_processamento": "3", "status": "OK"}
    body = tiny.v2("pedido.obter", id=order_id)["pedido"]
    assert body["url_rastreamento"] == "https://rastreio.exemplo.com/AA123456785BR"
    assert (body["codigo_rastreamento"], body["data_prevista"]) == ("AA123456785BR", "20/02/2026")


def test_carrier_must_be_registered(tiny):
    # §3.9
    order_id = place(tiny)
    form = {"id": order_id, "formaEnvio": "T", "transportadora": "Rápida"}
    assert tiny.v2("cadastrar.codigo.rastreamento.pedido", **form)["codigo_erro"] == 31
    tiny.control("POST", f"{ACCOUNT}/contacts", {"nome": "Rápida", "tipos_contato": [{"tipo": "Transportador"}]})
    assert tiny.v2("cadastrar.codigo.rastreamento.pedido", **form)["status"] == "OK"
    assert tiny.v2("pedido.obter", id=order_id)["pedido"]["nome_transportador"] == "Rápida"
    assert tiny.v2("cadastrar.codigo.rastreamento.pedido", id=order_id, formaEnvio="X")["codigo_erro"] == 31


def test_update_takes_a_few_fields_without_a_wrapper(tiny):
    # §3.8 [R], §2.1
    order_id = place(tiny)
    fields = {"data_prevista": "01/03/2026", "obs": "Trocado", "cliente": {"nome": "Outro"}}
    assert tiny.v2("pedido.alterar", id=order_id, dados_pedido=fields)["status"] == "OK"
    body = tiny.v2("pedido.obter", id=order_id)["pedido"]
    assert (body["data_prevista"], body["obs"], body["cliente"]["nome"]) == ("01/03/2026", "Trocado", "Maria Souza")
    tiny.v2("pedido.alterar.situacao", id=order_id, situacao="faturado")
    assert tiny.v2("pedido.alterar", id=order_id, dados_pedido=fields)["codigo_erro"] == 31


def test_approved_orders_reserve_invoiced_ones_take_cancelled_ones_give_back(tiny):
    # §10 by switch
    assert stock(tiny) == (42, 0)
    order_id = place(tiny)
    assert stock(tiny) == (42, 2)
    tiny.v2("pedido.alterar.situacao", id=order_id, situacao="faturado")
    assert stock(tiny) == (40, 0)
    tiny.v2("pedido.alterar.situacao", id=order_id, situacao="enviado")
    assert stock(tiny) == (40, 0)
    tiny.v2("pedido.alterar.situacao", id=order_id, situacao="cancelado")
    assert stock(tiny) == (42, 0)
    tiny.settings(orders_move_stock=False)
    place(tiny, situacao="faturado")
    assert stock(tiny) == (42, 0)


def test_lines_are_linked_by_id_or_sku_and_free_text_moves_nothing(tiny):
    # §3.8 [I]
    other = tiny.product("CAN-500")["id"]
    order_id = place(
        tiny, {**ITEM, "codigo": "", "id_produto": other}, {**ITEM, "codigo": "NADA"}, {**ITEM, "id_produto": 5},
        situacao="faturado",
    )  # fmt: skip
    assert [row["id_produto"] for row in stored(tiny, order_id)["itens"]] == [other, 0, 700_000_000]
    assert stored(tiny, order_id)["estoque_lancado"] == {str(other): 2, "700000000": 2}


def test_kits_move_their_parts_in_the_named_deposit(tiny):
    # §3.5, §3.8
    before = stock(tiny)[0]
    place(tiny, {**ITEM, "codigo": "KIT-CAFE", "quantidade": 1}, situacao="faturado", nome_deposito="loja física")
    assert stock(tiny)[0] == before - 2
    assert tiny.product("CAN-300")["estoque"]["Loja Física"]["saldo"] == 0


def test_stock_is_launched_once_and_reverted(tiny):
    # §3.9, §7
    order_id = place(tiny, situacao="aberto")
    assert tiny.v2("pedido.lancar.estoque", id=order_id)["status"] == "OK"
    assert stock(tiny) == (40, 0)
    assert tiny.v2("pedido.lancar.estoque", id=order_id)["codigo_erro"] == 31
    assert tiny.v2("pedido.estornar.estoque", id=order_id)["status"] == "OK"
    assert stock(tiny) == (42, 0)
    assert tiny.v2("pedido.estornar.estoque", id=order_id)["codigo_erro"] == 31


def test_messy_types_drift_from_order_to_order(tiny):
    # §2.4, §2.6
    ids = [place(tiny) for _ in range(12)]
    tiny.settings(types="messy")
    bodies = [tiny.post("pedido.obter", id=i).json()["retorno"]["pedido"] for i in ids]
    assert {type(b["id"]) for b in bodies} == {int, str}
    assert len({str(b["valor_frete"]) for b in bodies}) > 2
    assert {b["cliente"]["cpf_cnpj"] for b in bodies} == {"111.444.777-35", "11144477735"}


def test_answer_lost_keeps_the_order(tiny):
    # §7: after a timeout, search before a second try
    tiny.fault("answer_lost", match={"operation": "pedido.incluir"})
    with pytest.raises(httpx.TransportError):
        tiny.v2("pedido.incluir", pedido=order())
    assert len(found(tiny, numeroEcommerce="10245")) == 1


def test_merchant_sees_the_body_as_it_came_and_edits(tiny):
    order_id = int(place(tiny, extra="mantido"))
    assert stored(tiny, order_id)["request"]["extra"] == "mantido"
    listed = tiny.control("GET", f"{ACCOUNT}/orders?numero_ecommerce=10245")
    assert [row["id"] for row in listed] == [order_id]
    edit = {"situacao": "enviado", "tracking": {"codigo": "AA1", "transportadora": "Rápida"}, "obs": "ok"}
    shown = tiny.control("PATCH", f"{ACCOUNT}/orders/{order_id}", edit)
    assert (shown["situacao"], shown["tracking"]["codigo"], shown["obs"]) == ("enviado", "AA1", "ok")
    tiny.control("PATCH", f"{ACCOUNT}/orders/{order_id}", {"cor": "azul"}, status=400)
    tiny.control("DELETE", f"{ACCOUNT}/orders/{order_id}")
    assert tiny.v2("pedido.obter", id=order_id)["codigo_erro"] == "32"
    tiny.control("GET", f"{ACCOUNT}/orders/{order_id}", status=404)
    made = tiny.control("POST", f"{ACCOUNT}/orders", order(situacao="aberto")["pedido"])
    assert (made["origin"], made["situacao"]) == ("merchant", "aberto")


def test_scripts_edit_orders_between_two_calls(tiny):
    order_id = place(tiny)
    steps = [
        {"op": "track_order", "numero_ecommerce": "10245", "tracking": {"codigo": "AA1"}},
        {"op": "invoice_order", "id": order_id},
        {"op": "cancel_invoice", "id": order_id},
        {"op": "patch_order", "id": order_id, "fields": {"situacao": "cancelado"}},
    ]
    tiny.control("POST", "/scripts", {"match": {"operation": "pedido.obter"}, "when": "after", "do": steps})
    assert tiny.v2("pedido.obter", id=order_id)["pedido"]["situacao"] == "Aprovado"
    assert tiny.control("GET", "/scripts")["scripts"][0]["error"] is None
    after = tiny.v2("pedido.obter", id=order_id)["pedido"]
    assert (after["situacao"], after["codigo_rastreamento"]) == ("Cancelado", "AA1")
