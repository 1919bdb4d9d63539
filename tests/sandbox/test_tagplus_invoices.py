"""NF-e of the simulated TagPlus against reference/tagplus.md §9 and §13."""

import xml.etree.ElementTree as ET

import pytest

from tests.sandbox.receiver import receiver
from tests.sandbox.tagplus_client import TagPlusClient

NS = "{http://www.portalfiscal.inf.br/nfe}"
REASON = {"justificativa": "Cancelamento pedido pelo cliente"}


@pytest.fixture
def tag(served):
    client = TagPlusClient(served)
    client.freeze()
    (city,) = client.get("/cidades", codigo=4314902)
    address = {"principal": True, "cep": "90010-000", "logradouro": "Rua A & B", "id_cidade": city["id"]}
    client.item = client.product(tributo_ncm="69120000", codigo_barras="7891234567895")["id"]
    client.buyer = client.customer(enderecos=[address])
    client.who = client.buyer["id"]
    yield client
    client.http.close()


def sell(tag, **changes):
    return tag.post("/pedidos", tag.order_body(tag.item, tag.who, **changes))


def note_body(tag, **changes):
    items = [{"produto_servico": tag.item, "qtd": 1, "valor_unitario": 49.9}]
    return {"destinatario": tag.buyer["id_entidade"], "itens": items, "cfop": "5.102", **changes}


def balance(tag):
    return tag.get(f"/produtos/{tag.item}")["qtd_revenda"]


def issue(tag, order, **rest):
    return tag.erp("POST", f"orders/{order['id']}/invoice", rest)


def text(xml, path):
    return ET.fromstring(xml).findtext(".//" + "/".join(NS + tag for tag in path.split("/")))


def digit(body):
    total = sum((ord(c) - 48) * (2 + at % 8) for at, c in enumerate(reversed(body)))
    return str(0 if total % 11 < 2 else 11 - total % 11)


def test_an_approved_note_names_its_order(tag):
    order = sell(tag)
    issued = issue(tag, order)
    note = tag.get(f"/nfes/{issued['id']}")
    assert (note["status"], note["processando"], note["serie"]) == ("A", False, 1)
    assert note["pedido_os_vinculada"] == {"id": order["id"], "numero": order["numero"], "tipo": "P"}
    assert (note["numero_pedido"], note["valor_nota"], note["cfop"]) == ("LOJA-1001", 114.8, "6.102")
    assert note["data_emissao"] == "2026-11-10T12:00:00-03:00"
    assert note["destinatario"]["id"] == tag.buyer["id_entidade"] != note["cliente"]["id"]
    assert note["itens"][0]["produto"]["codigo"] == "CAN-1"
    assert tag.get(f"/pedidos/{order['id']}")["status"] == "B"
    assert balance(tag) == 8


def test_rows_hold_no_key_nor_status_unless_asked(tag):
    issue(tag, sell(tag))
    (row,) = tag.get("/nfes")
    assert row.keys() == {
        "id", "id_nota", "numero", "serie", "cfop", "valor_nota", "data_entrada_saida", "destinatario",
    }  # fmt: skip
    (row,) = tag.get("/nfes", fields="id,chave_acesso,status,pedido_os_vinculada")
    assert (len(row["chave_acesso"]), row["status"]) == (44, "A")
    assert len(tag.get("/nfes", {"X-Data-Filter": "data_emissao"}, since="2026-11-10", status="A")) == 1
    assert tag.get("/nfes", {"X-Data-Filter": "data_emissao"}, since="2026-11-11") == []
    (star,) = tag.get("/nfes", fields="*")
    assert "xml_aprovacao" not in star


def test_lists_of_notes_go_by_creation_when_no_date_is_named(tag):
    draft = tag.get(f"/pedidos/to_nfe/{sell(tag)['id']}")
    tag.advance(3600)
    tag.erp("POST", f"invoices/{draft['id']}/send")
    assert tag.get("/nfes", since="2026-11-10 12:30:00") == []
    tag.settings(nfes_date="data_alteracao")
    assert len(tag.get("/nfes", since="2026-11-10 12:30:00")) == 1


def test_key_and_xml_agree(tag):
    note = issue(tag, sell(tag))
    key, cnpj = note["chave_acesso"], tag.account()["cnpj"]
    assert key[43] == digit(key[:43])
    assert (key[:2], key[2:6], key[6:20], key[20:22], int(key[25:34])) == ("42", "2611", cnpj, "55", note["numero"])
    answer = tag.api("GET", f"/nfes/gerar_link_xml/{note['id']}")
    assert answer.headers["content-type"] == "application/xml"
    xml = answer.content
    wanted = {
        "emit/CNPJ": cnpj, "dest/CPF": "90000000132", "infProt/chNFe": key, "infProt/cStat": "100",
        "prod/NCM": "69120000",
        "enderDest/cMun": "4314902", "enderDest/UF": "RS", "enderDest/xLgr": "Rua A & B", "prod/CFOP": "6102",
        "ICMSTot/vProd": "99.80", "ICMSTot/vFrete": "20.00", "ICMSTot/vDesc": "5.00", "ICMSTot/vNF": "114.80",
        "detPag/tPag": "17", "infAdic/infCpl": "Pedido 998",
    }  # fmt: skip
    assert {path: text(xml, path) for path in wanted} == wanted
    assert tag.get(f"/nfes/{note['id']}")["xml_aprovacao"].encode() == xml


def test_the_xml_may_lie_at_a_file_store_that_takes_no_token(tag):
    tag.settings(xml="foreign")
    note = issue(tag, sell(tag))
    link = tag.get(f"/nfes/gerar_link_xml/{note['id']}")["link"]
    assert link.startswith(tag.url.replace("127.0.0.1", "localhost"))
    assert text(tag.http.get(link).content, "infProt/chNFe") == note["chave_acesso"]
    assert tag.http.get(link, headers={"Authorization": f"Bearer {tag.token}"}).status_code == 400


def test_a_lost_file_is_nowhere(tag):
    note = issue(tag, sell(tag), lost=True)
    assert ".invalid/" in tag.get(f"/nfes/gerar_link_xml/{note['id']}")["link"]
    assert tag.get(f"/nfes/{note['id']}")["xml_aprovacao"] is None


def test_the_xml_may_come_as_a_link(tag):
    tag.settings(xml="link")
    note = issue(tag, sell(tag))
    link = tag.get(f"/nfes/gerar_link_xml/{note['id']}")["link"]
    assert text(tag.http.get(link).content, "infProt/chNFe") == note["chave_acesso"]
    assert tag.http.get(link.replace(note["chave_acesso"], "9" * 44)).status_code == 404


def test_a_note_under_way_is_processando_until_its_time(tag):
    tag.settings(nfe_delay_s=60)
    note = issue(tag, sell(tag))
    assert (note["status"], note["processando"], note["chave_acesso"]) == ("N", True, None)
    busy = tag.api("PATCH", f"/nfes/cancelar/{note['id']}", json=REASON)
    assert busy.status_code == 500
    assert "sendo processada" in busy.json()["message"]
    tag.advance(60)
    later = tag.get(f"/nfes/{note['id']}")
    assert (later["status"], later["data_emissao"]) == ("A", "2026-11-10T12:01:00-03:00")


def test_time_alone_brings_the_outcome(tag):
    tag.control("POST", "/settings", {"clock_rate": 100, "tagplus_nfe_delay_s": 5})
    with receiver() as hook:
        body = {"nome_integracao": "x", "url": hook.url, "eventos": ["nfe_aprovada"]}
        tag.erp("POST", "webhooks", body)
        note = issue(tag, sell(tag))
        assert hook.arrived.wait(5)
        assert hook.bodies[0]["data"] == [{"id": str(note["id"])}]


def test_cancelling_is_asked_for_and_done_later(tag):
    tag.settings(nfe_busy_s=5, nfe_cancel_delay_s=10)
    order = sell(tag)
    note = issue(tag, order)
    assert tag.api("PATCH", f"/nfes/cancelar/{note['id']}", json=REASON).status_code == 500
    tag.advance(5)
    assert tag.api("PATCH", f"/nfes/cancelar/{note['id']}", json={"justificativa": "curta"}).status_code == 422
    answer = tag.patch(f"/nfes/cancelar/{note['id']}", REASON)
    assert answer.keys() == {"item", "message"}
    assert answer["item"] == REASON
    assert tag.get(f"/nfes/{note['id']}")["status"] == "A"
    tag.advance(10)
    later = tag.get(f"/nfes/{note['id']}")
    assert (later["status"], later["justificativa"]) == ("S", REASON["justificativa"])
    assert text(later["xml_cancelamento"], "infEvento/chNFe") == note["chave_acesso"]
    assert balance(tag) == 10
    assert [h["status"] for h in later["historico"]] == ["A", "S"]


def test_the_window_of_cancelling_is_a_day_for_the_api(tag):
    note = issue(tag, sell(tag))
    tag.advance(86_400)
    tag.token = tag.tokens()["access_token"]
    assert tag.api("PATCH", f"/nfes/cancelar/{note['id']}", json=REASON).status_code == 403
    assert tag.erp("POST", f"invoices/{note['id']}/cancel")["status"] == "S"


def test_a_denied_note_has_a_key_and_no_xml(tag):
    order = sell(tag)
    note = issue(tag, order, outcome="2")
    assert (note["status"], len(note["chave_acesso"]), note["xml"]) == ("2", 44, "")
    assert tag.api("GET", f"/nfes/gerar_link_xml/{note['id']}").status_code == 404
    assert tag.get(f"/pedidos/{order['id']}")["status"] == "A"
    again = issue(tag, order)
    assert (again["status"], again["numero"]) == ("A", note["numero"] + 1)
    tag.erp("POST", f"orders/{order['id']}/invoice", {"outcome": "X"}, 400)


def test_to_nfe_makes_a_draft_by_get(tag):
    order = sell(tag)
    draft = tag.get(f"/pedidos/to_nfe/{order['id']}")
    assert (draft["status"], draft["pedido_os_vinculada"]["id"]) == ("N", order["id"])
    assert tag.get(f"/pedidos/{order['id']}")["possui_vinculo"] is True
    assert tag.get(f"/pedidos/to_nfe/{order['id']}")["id"] != draft["id"]
    assert issue(tag, order)["id"] == draft["id"]


def test_an_issued_note_is_not_altered_and_holds_its_order(tag):
    order = sell(tag)
    note = issue(tag, order)
    for method, body in (("PATCH", {"observacoes": "x"}), ("DELETE", None)):
        answer = tag.api(method, f"/nfes/{note['id']}", json=body)
        assert (answer.status_code, answer.json()["error_code"]) == (403, "alterar_nota_nao_autorizado")
    assert tag.api("DELETE", f"/pedidos/{order['id']}").status_code == 403
    assert tag.api("PATCH", f"/pedidos/{order['id']}", json={"status": "C"}).status_code == 403


def test_a_note_by_api_wants_the_entity_and_knows_no_payment_indicator(tag):
    """§9.2."""
    answer = tag.api("POST", "/nfes", json=note_body(tag, indicador_forma_pagamento="0", cfop="5102"))
    assert [e["dataPath"] for e in answer.json()["errors"]] == ["/cfop", "/indicador_forma_pagamento"]
    assert tag.api("POST", "/nfes", json=note_body(tag, destinatario=tag.who)).status_code == 404
    draft = tag.post("/nfes", note_body(tag))
    assert (draft["status"], draft["processando"]) == ("N", False)
    assert tag.patch(f"/nfes/{draft['id']}", {"observacoes": "Nova"})["observacoes"] == "Nova"
    assert tag.write("DELETE", f"/nfes/{draft['id']}") == {"message": "Deletado com sucesso"}


def test_a_note_without_order_makes_one_when_it_is_approved(tag):
    """§8.2: unless it names yours."""
    sent = tag.post("/nfes", note_body(tag), 202, X_Enviar_Nota="true")
    assert sent["processando"] is True
    note = tag.get(f"/nfes/{sent['id']}")
    (made,) = tag.get("/pedidos")
    assert (note["status"], note["pedido_os_vinculada"]["id"], made["status"]) == ("A", made["id"], "B")
    order = sell(tag)
    tag.post("/nfes", note_body(tag, pedido_os_vinculada=order["id"]), 202, X_Enviar_Nota="true")
    assert len(tag.get("/pedidos")) == 2
    assert balance(tag) == 10 - 1 - 2


def test_a_draft_can_be_voided(tag):
    draft = tag.get(f"/pedidos/to_nfe/{sell(tag)['id']}")
    tag.patch(f"/nfes/inutilizar/{draft['id']}", REASON)
    assert tag.get(f"/nfes/{draft['id']}")["status"] == "4"
    other = tag.get(f"/pedidos/to_nfe/{sell(tag)['id']}")
    assert tag.erp("POST", f"invoices/{other['id']}/void")["status"] == "4"


def test_a_note_may_hide_for_a_while_after_its_event(tag):
    tag.settings(nfe_hidden_s=5)
    note = issue(tag, sell(tag))
    assert tag.api("GET", f"/nfes/{note['id']}").status_code == 404
    tag.advance(5)
    assert tag.get(f"/nfes/{note['id']}")["status"] == "A"


def test_an_order_without_customer_has_no_note(tag):
    order = sell(tag)
    nobody = tag.post("/pedidos", {"itens": [{"produto_servico": tag.item}]})
    tag.erp("POST", f"orders/{nobody['id']}/invoice", {}, 400)
    issue(tag, order)
    assert [n["status"] for n in tag.erp("GET", "invoices")] == ["N", "A"]
