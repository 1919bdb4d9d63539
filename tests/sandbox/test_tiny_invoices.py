"""Notes of both APIs against reference/tiny.md §3.10, §5.4, §10."""

from xml.etree import ElementTree

import pytest

from tests.sandbox.tiny_trade import ACCOUNT, ID, V3, contact_v3, order_v3, place, shop, stock, stored

NFE = "{http://www.portalfiscal.inf.br/nfe}"


def made(tiny, **fields):
    """Make a pending note of a new order; returns (order id, note id)."""
    order_id = place(tiny, **fields)
    record = tiny.v2("gerar.nota.fiscal.pedido", id=order_id)["registros"]["registro"]
    return order_id, record["idNotaFiscal"]


def shown(tiny, order_id):
    return tiny.v2("pedido.obter", id=order_id)["pedido"]


def test_a_note_is_made_pending_and_set_in_the_order(tiny):
    # §3.9, §7, sample assembled/v2_pedido_gerar_nota_response.json
    order_id = place(tiny)
    record = tiny.v2("gerar.nota.fiscal.pedido", id=order_id)["registros"]["registro"]
    assert (record["numero"], record["serie"]) == (1, 1)
    note = tiny.v2("nota.fiscal.obter", id=record["idNotaFiscal"])["nota_fiscal"]
    assert (note["situacao"], note["descricao_situacao"], note["chave_acesso"]) == ("1", "Pendente", "")
    order = shown(tiny, order_id)
    assert (order["id_nota_fiscal"], order["situacao"]) == (str(record["idNotaFiscal"]), "Aprovado")


def test_an_authorized_note_makes_its_order_invoiced_and_takes_the_goods(tiny):
    # §10, sample assembled/v2_nota_fiscal_emitir.json
    order_id, note_id = made(tiny)
    note = tiny.v2("nota.fiscal.emitir", id=note_id, enviarEmail="N")["nota_fiscal"]
    assert (note["situacao"], note["descricao_situacao"], len(note["chave_acesso"])) == (6, "Autorizada", 44)
    assert note["xml"].startswith("<?xml")
    order = shown(tiny, order_id)
    assert (order["situacao"], order["data_faturamento"] != "") == ("Faturado", True)
    assert stock(tiny) == (40, 0)
    again = tiny.v2("nota.fiscal.emitir", serie=1, numero=1)["nota_fiscal"]
    assert again["chave_acesso"] == note["chave_acesso"]


@pytest.mark.parametrize(("outcome", "situation"), [("5", 5), ("10", 10), ("1", 1)])
def test_what_sefaz_refuses_is_code_34_with_its_reason(tiny, outcome, situation):
    # §3.10, §10
    order_id, note_id = made(tiny)
    tiny.settings(emit_outcome=outcome)
    answer = tiny.v2("nota.fiscal.emitir", id=note_id)
    assert (answer["status"], answer["codigo_erro"]) == ("Erro", 34)
    assert answer["erros"][0]["erro"]
    assert tiny.control("GET", f"{ACCOUNT}/invoices")[0]["situacao"] == situation
    assert shown(tiny, order_id)["situacao"] == "Aprovado"
    assert stock(tiny) == (42, 2)


def test_a_rejected_note_is_sent_again(tiny):
    _, note_id = made(tiny)
    tiny.settings(emit_outcome="5")
    tiny.v2("nota.fiscal.emitir", id=note_id)
    tiny.settings(emit_outcome="6")
    assert tiny.v2("nota.fiscal.emitir", id=note_id)["nota_fiscal"]["situacao"] == 6


def test_customer_without_document_is_rejected(tiny):
    # §8.22: CPF is empty for many marketplace orders
    _, note_id = made(tiny, client={"codigo": "sem", "cpf_cnpj": ""})
    assert tiny.v2("nota.fiscal.emitir", id=note_id)["codigo_erro"] == 34


def test_a_second_note_is_made_or_refused(tiny):
    # §7 [I]
    order_id, first = made(tiny)
    second = tiny.v2("gerar.nota.fiscal.pedido", id=order_id)["registros"]["registro"]["idNotaFiscal"]
    assert second != first
    tiny.settings(second_invoice="refuse")
    assert tiny.v2("gerar.nota.fiscal.pedido", id=order_id)["codigo_erro"] == 31
    tiny.v2("pedido.alterar.situacao", id=order_id, situacao="cancelado")
    assert tiny.v2("gerar.nota.fiscal.pedido", id=order_id)["codigo_erro"] == 31


@pytest.mark.parametrize("form", ["nested", "cdata", "escaped"])
def test_xml_is_xml_whatever_the_format_and_in_three_forms(tiny, form):
    # §3.10, §8.10, sample assembled/v2_nota_fiscal_obter_xml.xml
    _, note_id = made(tiny)
    key = tiny.v2("nota.fiscal.emitir", id=note_id)["nota_fiscal"]["chave_acesso"]
    tiny.settings(xml_form=form)
    answer = tiny.post("nota.fiscal.obter.xml.php", id=note_id, formato="json")
    assert answer.headers["content-type"].startswith("text/xml")
    assert "x-limit-api" in answer.headers
    held = ElementTree.fromstring(answer.content).find("xml_nfe")
    note = held[0] if form == "nested" else ElementTree.fromstring(held.text)
    assert note.tag == f"{NFE}nfeProc"
    assert note.find(f".//{NFE}chNFe").text == key
    assert note.find(f".//{NFE}vNF").text == "59.80"


def test_xml_of_a_pending_note_has_no_document_and_an_unknown_note_is_32(tiny):
    # §3.10, sample v2_erro_registro_nao_localizado.json
    _, note_id = made(tiny)
    assert "<xml_nfe>" not in tiny.post("nota.fiscal.obter.xml", id=note_id).text
    for service in ("nota.fiscal.obter", "nota.fiscal.obter.xml", "nota.fiscal.obter.link", "nota.fiscal.emitir"):
        answer = tiny.v2(service, id=5)
        assert (answer["codigo_erro"], answer["erros"][0]["erro"]) == ("32", "Nota Fiscal não localizada")


def test_link_is_given_for_pending_notes_too(tiny):
    # §3.10 [R]
    _, note_id = made(tiny)
    assert tiny.v2("nota.fiscal.obter.link", id=note_id)["link_nfe"].startswith("https://erp.tiny.com.br/doc.view?id=")


def test_search_wants_a_filter_and_pads_the_number(tiny):
    # §3.10, sample assembled/v2_notas_fiscais_pesquisa.json
    order_id, note_id = made(tiny, forma_envio="C", numero_pedido_ecommerce="77")
    tiny.v2("cadastrar.codigo.rastreamento.pedido", id=order_id, codigoRastreamento="AA1")
    assert tiny.v2("notas.fiscais.pesquisa")["codigo_erro"] == 10
    (row,) = tiny.v2("notas.fiscais.pesquisa", numeroEcommerce="77")["notas_fiscais"]
    note = row["nota_fiscal"]
    assert (note["id"], note["numero"], note["situacao"], note["valor"]) == (str(note_id), "000001", "1", "59.80")
    assert (note["codigo_rastreamento"], note["id_forma_envio"]) == ("AA1", "851264401")
    for fits in ({"numero": "1"}, {"situacao": 1}, {"cpf_cnpj": "111.444.777-35"}, {"idFormaEnvio": 851264401}):
        assert tiny.v2("notas.fiscais.pesquisa", **fits)["status"] == "OK"
    for misses in ({"numero": "2"}, {"situacao": 6}, {"tipoNota": "E"}, {"dataFinal": "01/01/2020"}):
        assert tiny.v2("notas.fiscais.pesquisa", **misses)["codigo_erro"] == 20


def test_detail_names_order_lines_and_amounts(tiny):
    # §3.10, sample assembled/v2_nota_fiscal_obter.json
    order_id, note_id = made(tiny, valor_frete=18.5, valor_desconto="5", outras_despesas=2)
    note = tiny.v2("nota.fiscal.obter", id=note_id)["nota_fiscal"]
    assert (note["id_venda"], note["tipo_nota"], note["numero_ecommerce"]) == (order_id, "S", "10245")
    assert (note["valor_produtos"], note["valor_frete"], note["valor_outras"], note["valor_nota"]) == (
        "59.80", "18.50", "2.00", "75.30",
    )  # fmt: skip
    assert note["itens"][0]["item"]["ncm"] == "6912.00.00"
    xml = ElementTree.fromstring(tiny.v2("nota.fiscal.emitir", id=note_id)["nota_fiscal"]["xml"])
    assert xml.find(f".//{NFE}vNF").text == "75.30"


def test_merchant_invoices_cancels_and_the_order_stays(tiny):
    order_id = place(tiny)
    note = tiny.control("POST", f"{ACCOUNT}/orders/{order_id}/invoice", {"outcome": 6})
    assert (note["situacao"], note["id_pedido"]) == (6, int(order_id))
    cancelled = tiny.control("POST", f"{ACCOUNT}/invoices/{note['id']}/cancel")
    assert (cancelled["situacao"], cancelled["xml_cancelamento"] != "") == (3, True)
    order = shown(tiny, order_id)
    assert (order["situacao"], order["id_nota_fiscal"]) == ("Faturado", str(note["id"]))
    assert "<xml_cancelamento>" in tiny.post("nota.fiscal.obter.xml", id=note["id"]).text
    tiny.control("POST", f"{ACCOUNT}/invoices/{note['id']}/cancel", status=400)
    tiny.control("POST", f"{ACCOUNT}/orders/{order_id}/invoice", {"outcome": 4}, status=400)


def test_v3_note_from_order_to_xml(tiny):
    # §5.4, samples assembled/v3_pedido_gerar_nota.json, v3_nota_link_xml_emitir.json
    v3 = V3(tiny)
    shop(tiny)
    order_id = order_v3(v3, contact_v3(v3), ecommerce={"id": 8390, "numeroPedidoEcommerce": "77"})
    note = v3("POST", f"/pedidos/{order_id}/gerar-nota-fiscal", json={"modelo": 55})
    assert (note["numero"], note["serie"]) == (1, 1)
    assert v3("GET", f"/notas/{note['id']}/xml") == {"xmlNfe": "", "xmlCancelamento": ""}
    sent = v3("POST", f"/notas/{note['id']}/emitir", json={"enviarEmail": False})
    assert (sent["situacao"], len(sent["chaveAcesso"])) == (6, 44)
    assert v3("GET", f"/notas/{note['id']}/xml")["xmlNfe"] == sent["xml"]
    assert v3("GET", f"/notas/{note['id']}/link")["link"] == sent["linkAcesso"]
    assert v3("GET", f"/pedidos/{order_id}")["situacao"] == 1
    (row,) = v3("GET", "/notas", params={"idVenda": order_id})["itens"]
    assert (row["situacao"], row["numero"], row["origem"]) == ("6", "1", {"id": str(order_id), "tipo": "venda"})
    assert row["ecommerce"]["numeroPedidoEcommerce"] == "77"
    body = v3("GET", f"/notas/{note['id']}")
    assert (body["itens"][0]["idProduto"], body["valorNotaComImpostos"]) == (ID, 59.8)
    for fits in ({"numeroPedidoEcommerce": "77"}, {"situacao": 6}, {"numero": 1}, {"dataInicial": "2020-01-01"}):
        assert len(v3("GET", "/notas", params=fits)["itens"]) == 1
    for misses in ({"situacao": 1}, {"tipo": "E"}, {"idVenda": 5}, {"dataFinal": "2020-01-01"}):
        assert v3("GET", "/notas", params=misses)["itens"] == []
    v3("GET", "/notas", 400, params={"situacao": 11})
    v3("GET", "/notas/5", 404)


def test_v3_refusal_of_sefaz_is_400(tiny):
    v3 = V3(tiny)
    order_id = order_v3(v3, contact_v3(v3))
    note = v3("POST", f"/pedidos/{order_id}/gerar-nota-fiscal", json={"modelo": 65})
    tiny.settings(emit_outcome="10")
    assert "Denegado" in v3("POST", f"/notas/{note['id']}/emitir", 400, json={"enviarEmail": True})["mensagem"]
    v3("POST", f"/notas/{note['id']}/emitir", 400, json={"enviarEmail": "sim"})


def test_messy_v3_rows_have_text_ids(tiny):
    # §4.3, sample v3_notas_lista_saneada.json
    v3 = V3(tiny)
    made(tiny)
    tiny.settings(types="messy")
    (row,) = v3("GET", "/notas")["itens"]
    assert (type(row["id"]), type(row["valor"]), row["dataPrevista"]) == (str, str, "0000-00-00")
    assert row["enderecoEntrega"] is None


def test_dispatch_of_a_note_reaches_its_order(tiny):
    v3 = V3(tiny)
    order_id, note_id = made(tiny)
    v3("PUT", f"/notas/{note_id}/despacho", 204, json={"codigoRastreamento": "AA1"})
    assert stored(tiny, order_id)["tracking"]["codigo"] == "AA1"
