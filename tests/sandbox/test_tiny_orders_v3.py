"""Orders, contacts and registers of API v3 against reference/tiny.md §4.3, §5.3, §5.5."""

import pytest

from tests.sandbox.tiny_trade import ACCOUNT, ID, V3, contact_v3, order_v3, place, shop, stock, stored


@pytest.fixture
def v3(tiny):
    return V3(tiny)


def test_create_answers_id_and_the_number_as_text(tiny, v3):
    # §4.3, sample assembled/v3_pedido_criar_response.json
    body = {"idContato": contact_v3(v3), "itens": [{"produto": {"id": ID}, "quantidade": 1, "valorUnitario": 5}]}
    answer = v3("POST", "/pedidos", json=body)
    assert answer == {"id": answer["id"], "numeroPedido": "1"}
    tiny.settings(v3_created_status="201")
    v3("POST", "/pedidos", 201, json=body)
    assert v3("GET", f"/pedidos/{answer['id']}")["numeroPedido"] == 1


@pytest.mark.parametrize(
    ("fields", "campo"),
    [
        ({"idContato": None}, "idContato"),
        ({"idContato": 5}, "idContato"),
        ({"itens": []}, "itens"),
        ({"itens": [{"produto": {"id": 5}, "quantidade": 1}]}, "itens"),
        ({"situacao": 11}, "situacao"),
        ({"deposito": {"id": 5}}, "deposito"),
        ({"data": "11/02/2026"}, "data"),
        ({"transportador": {"formaEnvio": {"id": 5}}}, "formaEnvio"),
        ({"enderecoEntrega": {"municipio": "Nenhures", "uf": "SP"}}, "enderecoEntrega"),
    ],
)
def test_contact_products_and_registers_must_exist(v3, fields, campo):
    # §1, §5.3, sample v3_erro_validacao.json
    body = {"idContato": contact_v3(v3), "itens": [{"produto": {"id": ID}, "quantidade": 1, "valorUnitario": 5}]}
    answer = v3("POST", "/pedidos", 400, json={**body, **fields})
    assert [row["campo"] for row in answer["detalhes"]] == [campo]


def test_wrong_types_are_worded_as_tiny_words_them(v3):
    # §4.3
    order_id = order_v3(v3, contact_v3(v3))
    answer = v3("PUT", f"/pedidos/{order_id}/situacao", 400, json={"situacao": {}})
    assert answer["mensagem"] == ("O tipo de dado 'stdClass' não é válido para a propriedade 'situacao' do tipo 'int'")


def test_detail_and_row(v3, tiny):
    # §5.3, samples assembled/v3_pedido_obter.json, v3_pedidos_lista.json
    shop(tiny)
    contact = contact_v3(v3)
    order_id = order_v3(
        v3, contact, ecommerce={"id": 8390, "numeroPedidoEcommerce": "77"}, valorFrete=18.5, valorDesconto=5.0,
        numeroOrdemCompra="9" * 60, deposito={"id": 5002}, vendedor={"id": 5},
        transportador={"fretePorConta": "R", "formaEnvio": {"id": 851264401}, "formaFrete": {"id": 851264501}},
        pagamento={"formaRecebimento": {"id": 337683284}, "parcelas": [{"dias": 30, "valor": 73.3}]},
        enderecoEntrega={"endereco": "Rua B", "enderecoNro": "2", "municipio": "Niterói", "uf": "RJ", "fone": "21"},
        pagamentosIntegrados=[{"valor": 73.3, "tipoPagamento": 17, "codigoAutorizacao": "E1"}],
    )  # fmt: skip
    body = v3("GET", f"/pedidos/{order_id}")
    assert (body["situacao"], body["data"], body["valorTotalPedido"]) == (3, "2026-02-11", 73.3)
    assert (body["cliente"]["id"], body["cliente"]["cpfCnpj"]) == (contact, "111.444.777-35")
    assert (body["enderecoEntrega"]["numero"], body["enderecoEntrega"]["telefone"]) == ("2", "21")
    assert body["ecommerce"] == {
        "id": 8390, "nome": "Nuvem da Loja", "numeroPedidoEcommerce": "77", "numeroPedidoCanalVenda": "",
        "canalVenda": "",
    }  # fmt: skip
    assert body["transportador"]["formaFrete"] == {"id": 851264501, "nome": "PAC"}
    assert body["pagamento"]["formaRecebimento"] == {"id": 337683284, "nome": "Pix"}
    assert (body["pagamento"]["parcelas"][0]["data"], len(body["numeroOrdemCompra"])) == ("2026-03-13", 50)
    assert body["itens"][0]["produto"]["sku"] == "CAN-300"
    assert (body["deposito"]["id"], body["vendedor"]["id"], body["idNotaFiscal"]) == (5002, 5, 0)
    (row,) = v3("GET", "/pedidos", params={"numeroPedidoEcommerce": "77"})["itens"]
    assert (row["id"], row["valor"], row["situacao"], "itens" in row) == (order_id, "73.30", 3, False)
    seen = tiny.v2("pedido.obter", id=order_id)["pedido"]
    assert (seen["forma_envio"], seen["forma_pagamento"], seen["numero_ecommerce"]) == ("C", "pix", "77")
    assert "im" not in seen["cliente"]


def test_shop_number_sticks_only_with_a_registered_integration(v3, tiny):
    # §5.3 [R]
    lost = order_v3(v3, contact_v3(v3), ecommerce={"id": 8390, "numeroPedidoEcommerce": "77"})
    assert v3("GET", f"/pedidos/{lost}")["ecommerce"]["numeroPedidoEcommerce"] == ""
    shop(tiny)
    alone = order_v3(v3, contact_v3(v3), ecommerce={"numeroPedidoEcommerce": "77"})
    assert v3("GET", f"/pedidos/{alone}")["ecommerce"]["numeroPedidoEcommerce"] == ""
    assert v3("GET", "/pedidos", params={"numeroPedidoEcommerce": "77"})["itens"] == []


def test_the_same_order_twice_makes_two(v3, tiny):
    # §5.3
    shop(tiny)
    contact = contact_v3(v3)
    ids = [order_v3(v3, contact, ecommerce={"id": 8390, "numeroPedidoEcommerce": "77"}) for _ in range(2)]
    listed = v3("GET", "/pedidos", params={"numeroPedidoEcommerce": "77", "orderBy": "asc"})
    assert [row["id"] for row in listed["itens"]] == ids


def test_date_of_change_is_a_day_only(v3, tiny):
    # §4.3 [R], §8.14
    tiny.settings(clock_rate=0, now="2026-02-11T10:00:00")
    v3.token = tiny.tokens()["access_token"]
    order_id = order_v3(v3, contact_v3(v3))
    tiny.advance(3600)
    assert v3("GET", "/pedidos", params={"dataAtualizacao": "2026-02-11"})["itens"][0]["id"] == order_id
    assert v3("GET", "/pedidos", params={"dataAtualizacao": "2026-02-12"})["itens"] == []
    v3("GET", "/pedidos", 400, params={"dataAtualizacao": "2026-02-11 10:00:00"})


def test_markers_are_a_bare_array_and_written_with_204(v3, tiny):
    # §4.3, §5.1
    path = f"/pedidos/{order_v3(v3, contact_v3(v3))}/marcadores"
    assert v3("GET", path) == []
    for _ in range(2):
        v3("POST", path, 204, json=[{"descricao": "Esteira"}])
    assert [row["descricao"] for row in v3("GET", path)] == ["Esteira"]
    v3("POST", path, 204, json=[{"descricao": "Urgente"}])
    assert [row["descricao"] for row in v3("GET", path)] == ["Esteira", "Urgente"]
    v3("PUT", path, 204, json=[{"descricao": "Outro"}])
    assert [row["descricao"] for row in v3("GET", path)] == ["Outro"]
    v3("DELETE", path, 204)
    assert v3("GET", path) == []
    for wrong in ({"descricao": "Esteira"}, ["Esteira"], [{"descricao": ""}], [{"descricao": "x" * 51}]):
        v3("POST", path, 400, json=wrong)
    v3("POST", "/pedidos/5/marcadores", 404, json=[{"descricao": "Esteira"}])


def test_days_are_of_creation_as_documented_or_the_orders_own(v3, tiny):
    # OpenAPI: "Pesquisa através da data de criação do pedido"
    tiny.settings(clock_rate=0, now="2026-02-11T10:00:00")
    v3.token = tiny.tokens()["access_token"]
    order_id = order_v3(v3, contact_v3(v3), data="2026-02-08")

    def listed(day):
        rows = v3("GET", "/pedidos", params={"dataInicial": day, "dataFinal": day})["itens"]
        return [row["id"] for row in rows]

    assert (listed("2026-02-11"), listed("2026-02-08")) == ([order_id], [])
    tiny.settings(v3_days="own")
    assert (listed("2026-02-11"), listed("2026-02-08")) == ([], [order_id])


def test_list_filters_and_pages(v3, tiny):
    # §5.3, §4.3
    tiny.settings(v3_days="own")
    first, second = contact_v3(v3), contact_v3(v3, nome="José", cpfCnpj="52998224725")
    ids = [order_v3(v3, first), order_v3(v3, second, situacao=0, data="2026-03-01", vendedor={"id": 5})]

    def listed(**query):
        return [row["id"] for row in v3("GET", "/pedidos", params=query)["itens"]]

    assert listed(orderBy="asc") == ids
    assert listed(situacao=0) == listed(nomeCliente="JOSE") == listed(cpfCnpj="529.982.247-25") == ids[1:]
    assert listed(dataInicial="2026-02-20") == listed(idVendedor=5) == listed(numero=2) == ids[1:]
    assert listed(dataFinal="2026-02-20") == ids[:1]
    assert listed(origemPedido=1) == []
    assert listed(limit=1, offset=1) == ids[:1]
    for wrong in ({"situacao": 11}, {"situacao": "aberto"}, {"dataInicial": "01/02/2026"}, {"orderBy": "up"}):
        v3("GET", "/pedidos", 400, params=wrong)


def test_put_order_is_204_and_ignores_what_it_does_not_take(v3):
    # §5.3 [R], §8.15
    order_id = order_v3(v3, contact_v3(v3))
    body = {
        "observacoes": "Trocado", "dataPrevista": "2026-03-01", "valorFrete": 99, "cliente": {"nome": "Outro"},
        "pagamento": {"parcelas": [{"dias": 10, "valor": 59.8}]},
    }  # fmt: skip
    v3("PUT", f"/pedidos/{order_id}", 204, json=body)
    after = v3("GET", f"/pedidos/{order_id}")
    assert (after["observacoes"], after["dataPrevista"], after["valorFrete"]) == ("Trocado", "2026-03-01", 0)
    assert (after["cliente"]["nome"], after["pagamento"]["parcelas"][0]["dias"]) == ("Maria Souza", 10)


def test_orders_with_a_note_or_stock_launched_refuse_edits(v3):
    # §5.3 [R]
    contact = contact_v3(v3)
    noted, launched = order_v3(v3, contact), order_v3(v3, contact)
    v3("POST", f"/pedidos/{noted}/gerar-nota-fiscal", json={"modelo": 55})
    v3("POST", f"/pedidos/{launched}/lancar-estoque", 204)
    for order_id in (noted, launched):
        v3("PUT", f"/pedidos/{order_id}", 400, json={"observacoes": "x"})
        v3("PUT", f"/pedidos/{order_id}/situacao", 204, json={"situacao": 5})


def test_situation_and_dispatch(v3, tiny):
    # §5.3, sample assembled/v3_pedido_despacho_request.json
    order_id = order_v3(v3, contact_v3(v3))
    v3("PUT", f"/pedidos/{order_id}/situacao", 204, json={"situacao": 7})
    body = {
        "codigoRastreamento": "AA123456785BR", "urlRastreamento": "https://rastreio.exemplo.com/AA",
        "formaEnvio": {"id": 851264401}, "formaFrete": {"id": 851264502}, "volumes": 1, "pesoBruto": 0.35,
    }  # fmt: skip
    v3("PUT", f"/pedidos/{order_id}/despacho", 204, json=body)
    after = v3("GET", f"/pedidos/{order_id}")
    assert (after["situacao"], after["transportador"]["codigoRastreamento"]) == (7, "AA123456785BR")
    assert after["transportador"]["formaFrete"]["nome"] == "SEDEX"
    assert stored(tiny, order_id)["writes"] == {
        "POST /pedidos": 1, "PUT /pedidos/{id}/situacao": 1, "PUT /pedidos/{id}/despacho": 1,
    }  # fmt: skip


def test_stock_is_launched_once(v3, tiny):
    order_id = order_v3(v3, contact_v3(v3), situacao=0, deposito={"id": 5002})
    v3("POST", f"/pedidos/{order_id}/lancar-estoque", 204)
    assert stock(tiny) == (40, 0)
    v3("POST", f"/pedidos/{order_id}/lancar-estoque", 400)
    v3("POST", f"/pedidos/{order_id}/estornar-estoque", 204)
    assert stock(tiny) == (42, 0)


def test_orders_of_v2_are_seen_in_v3(v3, tiny):
    order_id = place(tiny, forma_pagamento="pix", forma_envio="T", nome_transportador="Rápida")
    body = v3("GET", f"/pedidos/{order_id}")
    assert (body["transportador"]["nome"], body["transportador"]["formaEnvio"]["nome"]) == ("Rápida", "Transportadora")
    assert body["pagamento"]["formaRecebimento"]["id"] == 337683284


def test_contacts_are_found_by_document_and_taken_twice(v3):
    # §5.5, §7
    first, second = contact_v3(v3), contact_v3(v3)
    listed = v3("GET", "/contatos", params={"cpfCnpj": "11144477735", "orderBy": "asc"})["itens"]
    assert [row["id"] for row in listed] == [first, second]
    assert listed[0]["endereco"]["municipio"] == "São Paulo"
    v3("PUT", f"/contatos/{first}", 204, json={"email": "m@exemplo.com", "situacao": "I"})
    after = v3("GET", f"/contatos/{first}")
    assert (after["nome"], after["email"], after["situacao"]) == ("Maria Souza", "m@exemplo.com", "I")
    v3("POST", "/contatos", 400, json={})
    v3("POST", "/contatos", 400, json={"nome": "X", "endereco": {"municipio": "Nenhures", "uf": "SP"}})
    v3("GET", "/contatos/5", 404)


def test_registers_give_their_enums_as_text(v3):
    # §4.3, §5.5, sample assembled/v3_formas_pagamento.json
    (pix,) = v3("GET", "/formas-recebimento", params={"nome": "pix"})["itens"]
    assert pix == {"id": 337683284, "nome": "Pix", "situacao": "1"}
    (post,) = v3("GET", "/formas-envio", params={"tipo": 1})["itens"]
    assert (post["nome"], post["tipo"]) == ("Correios", "1")
    kinds = v3("GET", f"/formas-envio/{post['id']}")["formasFrete"]
    assert [kind["nome"] for kind in kinds] == ["PAC", "SEDEX"]


def test_permissions_are_per_module(v3, tiny):
    # §4.1
    order_id = order_v3(v3, contact_v3(v3))
    tiny.account(v3_permissions=["pedidos:read"])
    v3("GET", f"/pedidos/{order_id}")
    assert tiny.v3("PUT", f"/pedidos/{order_id}/situacao", json={"situacao": 5}).status_code == 403
    assert tiny.v3("GET", "/notas").status_code == 403


def test_messy_rows_have_nulls_and_zero_dates(v3, tiny):
    # §4.3
    order_id = order_v3(v3, contact_v3(v3), data=None)
    assert v3("GET", f"/pedidos/{order_id}")["data"] is None
    tiny.settings(types="messy")
    body = v3("GET", f"/pedidos/{order_id}")
    assert (body["data"], body["enderecoEntrega"], body["vendedor"]) == ("0000-00-00", None, None)


def test_v3_contacts_show_in_the_control_api(v3, tiny):
    contact_v3(v3)
    (shown,) = tiny.control("GET", f"{ACCOUNT}/contacts")
    assert (shown["origin"], shown["cpf_cnpj"], shown["request"]["nome"]) == ("v3", "11144477735", "Maria Souza")
