"""NF-e of the simulated Conta Azul against reference/contaazul.md §7."""

import io
import xml.etree.ElementTree as ET
import zipfile

import pytest

from tests.sandbox.contaazul_client import ContaAzulClient

NS = "{http://www.portalfiscal.inf.br/nfe}"
WINDOW = {"data_inicial": "2026-11-10", "data_final": "2026-11-25"}


@pytest.fixture
def ca(served):
    client = ContaAzulClient(served)
    client.freeze()
    client.item, client.who = (
        client.product(codigo_sku="CAN & CIA", codigo_ean="7891234567895")["id"],
        client.person()["id"],
    )
    yield client
    client.http.close()


def sell(ca, number=1, **changes):
    return ca.sell(ca.sale_body(ca.item, ca.who, numero=number, **changes))["id"]


def notes(ca, **changes):
    return ca.get("/notas-fiscais", **{**WINDOW, **changes})


def text(xml, path):
    return ET.fromstring(xml).findtext(".//" + "/".join(NS + tag for tag in path.split("/")))


def digit(body):
    total = sum((ord(c) - 48) * (2 + at % 8) for at, c in enumerate(reversed(body)))
    return str(0 if total % 11 < 2 else 11 - total % 11)


def test_erp_issues_some_time_after_the_sale(ca):
    """§6.1, §7: the API does not issue; the note comes with the delay, the sale becomes FATURADO."""
    ca.settings(invoice_delay_s=3600)
    sale = sell(ca)
    assert ca.get(f"/venda/{sale}")["venda"]["tipo_pendencia"]["nome"] == "AGUARDANDO_GERACAO_NOTA_FISCAL"
    ca.advance(3599)
    assert notes(ca, id_venda=sale)["itens"] == []
    ca.advance(86_400)
    (row,) = notes(ca, id_venda=sale)["itens"]
    assert row.keys() == {"chave_acesso", "numero_nota", "data_emissao", "nome_destinatario", "status"}
    assert (row["numero_nota"], row["status"], row["data_emissao"]) == (1, "EMITIDA", "2026-11-10T16:00:00Z")
    assert ca.get(f"/venda/{sale}")["venda"]["situacao"]["nome"] == "FATURADO"
    found = ca.get("/venda/busca", data_alteracao_de="2026-11-10T12:59:00", data_alteracao_ate="2026-11-10T13:01:00")
    assert found["itens"][0]["id"] == sale


def test_key_and_xml_agree(ca):
    """§7.2: nfeProc under octet-stream; issuer, number, series, protocol, totals."""
    sale = sell(ca)
    ca.advance(600)
    (row,) = notes(ca, id_venda=sale)["itens"]
    key = row["chave_acesso"]
    account = ca.account()
    assert len(key) == 44
    assert key[43] == digit(key[:43])
    assert (key[:2], key[2:6], key[6:20], key[20:22], key[22:25], int(key[25:34])) == (
        "42", "2611", account["cnpj"], "55", "001", 1,
    )  # fmt: skip
    answer = ca.api("GET", f"/notas-fiscais/{key}")
    assert answer.headers["content-type"] == "application/octet-stream"
    xml = answer.content
    assert xml.startswith(b"<?xml")
    assert ET.fromstring(xml).find(f".//{NS}infNFe").get("Id") == f"NFe{key}"
    wanted = {
        "emit/CNPJ": account["cnpj"], "ide/tpAmb": "1", "ide/cDV": key[43], "dest/CPF": "90000000132",
        "infProt/cStat": "100", "infProt/chNFe": key,
    }  # fmt: skip
    assert {path: text(xml, path) for path in wanted} == wanted
    assert [text(xml, f"ICMSTot/{t}") for t in ("vProd", "vFrete", "vDesc", "vNF")] == [
        "100.00",
        "15.00",
        "5.00",
        "110.00",
    ]
    assert text(xml, "prod/cProd") == "CAN & CIA"
    assert text(xml, "ide/dhEmi") == "2026-11-10T12:10:00-03:00"
    assert len(text(xml, "infProt/nProt")) == 15
    assert text(xml, "imposto/IBSCBS/CST") is not None


def test_lines_add_up_to_the_totals(ca):
    """Shares of freight and discount are rounded, their sums are not."""
    items = [{"id": ca.item, "quantidade": q, "valor": 10.0} for q in (1, 1, 1)]
    payment = {"opcao_condicao_pagamento": "À vista", "parcelas": [{"data_vencimento": "2026-11-10", "valor": 40.0}]}
    worth = {"frete": 10.0, "desconto": {"tipo": "VALOR", "valor": 0.0}}
    sale = sell(ca, itens=items, condicao_pagamento=payment, composicao_de_valor=worth)
    xml = ca.erp("POST", f"sales/{sale}/invoice")["xml"]
    shares = [e.text for e in ET.fromstring(xml).iter(f"{NS}vFrete")]
    assert shares == ["3.33", "3.33", "3.34", "10.00"]


def test_window_rules(ca):
    """§7.1: both ends, at most 15 days, UUID of the sale, sizes up to 100."""
    text_15 = "O período entre data_inicial e data_final não pode ser maior que 15 dias"
    answer = ca.api("GET", "/notas-fiscais", params={"data_inicial": "2026-11-01", "data_final": "2026-11-17"})
    assert (answer.status_code, answer.json()) == (400, {"error": text_15})
    assert notes(ca, data_inicial="2026-11-01", data_final="2026-11-16")["itens"] == []
    uuid = ca.api("GET", "/notas-fiscais", params={**WINDOW, "id_venda": "880001"})
    assert uuid.json() == {"error": "O valor informado deve estar no formato UUID válido"}
    for wrong in (
        {"data_inicial": "2026-11-10"}, {"data_final": "2026-11-10"}, {}, {**WINDOW, "tamanho_pagina": 200},
        {"data_inicial": "2026-11-10T00:00:00", "data_final": "2026-11-11"},
        {"data_inicial": "2026-11-11", "data_final": "2026-11-10"},
    ):  # fmt: skip
        ca.error(ca.api("GET", "/notas-fiscais", params=wrong))


def test_day_of_issue_is_that_of_sao_paulo(ca):
    """§3.7, §7.1: 22:30 of the 10th is the 11th in UTC."""
    ca.freeze("2026-11-10T22:30:00")
    ca.erp("POST", f"sales/{sell(ca)}/invoice")
    assert len(notes(ca, data_inicial="2026-11-10", data_final="2026-11-10")["itens"]) == 1
    assert notes(ca, data_inicial="2026-11-11", data_final="2026-11-12")["itens"] == []


def test_filters_of_notes_and_misspelt_ones(ca):
    """§3.5, §7.1: the number's name is numero_nota."""
    for number in (1, 2, 3):
        ca.erp("POST", f"sales/{sell(ca, number)}/invoice")
    assert [row["numero_nota"] for row in notes(ca, numero_nota=2)["itens"]] == [2]
    assert len(notes(ca, numero=2)["itens"]) == 3
    assert len(notes(ca, documento_tomador="90000000132")["itens"]) == 3
    assert notes(ca, documento_tomador="900.000.001-32")["itens"] == []
    assert notes(ca)["paginacao"] == {"pagina_atual": 1, "total_paginas": 1, "tamanho_pagina": 10, "total_itens": 3}


def test_total_counts_what_is_not_shown(ca):
    """§3.7, §7.1: cancelled, denied and pending notes never appear but count."""
    for number, outcome in enumerate(("EMITIDA", "DENEGADA", "PENDENTE"), 1):
        note = ca.erp("POST", f"sales/{sell(ca, number)}/invoice", {"outcome": outcome})
        if outcome == "EMITIDA":
            ca.erp("POST", f"invoices/{note['chave_acesso']}/cancel")
    found = notes(ca)
    assert found["itens"] == []
    assert found["paginacao"] == {
        "pagina_atual": 1.0, "total_paginas": 0, "tamanho_pagina": 9223372036854775807, "total_itens": 3.0,
    }  # fmt: skip


def test_cancelled_note_leaves_the_list_and_the_key(ca):
    """§7.1, §7.3."""
    key = ca.erp("POST", f"sales/{sell(ca)}/invoice")["chave_acesso"]
    assert ca.api("GET", f"/notas-fiscais/{key}").status_code == 200
    ca.erp("POST", f"invoices/{key}/cancel")
    assert notes(ca)["itens"] == []
    gone = ca.api("GET", f"/notas-fiscais/{key}")
    assert (gone.status_code, gone.json()) == (404, {"error": "Nenhuma nota fiscal encontrada com a chave informada"})
    assert ca.api("GET", "/notas-fiscais/123").status_code == 404
    assert ca.erp("GET", "invoices")[0]["status"] == "CANCELADA"


def test_corrected_note_is_a_zip(ca):
    """§7.2: XML_{n}_{s}.xml and EVENTO_{n}_{s}.xml; a later letter replaces the one before."""
    key = ca.erp("POST", f"sales/{sell(ca)}/invoice")["chave_acesso"]
    for words in ("Corrige o bairro de entrega.", "Corrige o número e o bairro."):
        ca.erp("POST", f"invoices/{key}/correct", {"text": words})
    assert notes(ca)["itens"][0]["status"] == "CORRIGIDA_SUCESSO"
    answer = ca.api("GET", f"/notas-fiscais/{key}")
    assert answer.headers["content-type"] == "application/octet-stream"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        assert packed.namelist() == ["XML_1_1.xml", "EVENTO_1_1.xml"]
        event = packed.read("EVENTO_1_1.xml")
        assert text(packed.read("XML_1_1.xml"), "infProt/chNFe") == key
    assert [text(event, f"infEvento/{t}") for t in ("chNFe", "nSeqEvento", "detEvento/xCorrecao")] == [
        key, "2", "Corrige o número e o bairro.",
    ]  # fmt: skip


def test_test_environment_is_marked(ca):
    ca.account(environment="homologacao")
    note = ca.erp("POST", f"sales/{sell(ca)}/invoice")
    assert text(note["xml"], "ide/tpAmb") == "2"
    assert text(note["xml"], "infProt/tpAmb") == "2"
    assert notes(ca)["itens"][0]["nome_destinatario"].startswith("NF-E EMITIDA EM AMBIENTE DE HOMOLOGACAO")


def test_no_note_for_budgets_cancelled_sales_and_clients_without_document(ca):
    sell(ca, 1, situacao="EM_ANDAMENTO")
    cancelled = sell(ca, 2)
    ca.erp("PATCH", f"sales/{cancelled}", {"situacao": "CANCELADO"})
    ca.erp("POST", "sales", ca.sale_body(ca.item, ca.who, numero=3, situacao="ORCAMENTO"))
    sell(ca, 4, id_cliente=ca.person(cpf=None)["id"])
    ca.advance(1000)
    assert notes(ca)["itens"] == []
    assert [n["status"] for n in ca.erp("GET", "invoices")] == ["PENDENTE"]


def test_automatic_issuing_can_be_off(ca):
    ca.settings(auto_invoice=False)
    sale = sell(ca)
    ca.advance(10_000)
    assert notes(ca)["itens"] == []
    assert ca.erp("POST", f"sales/{sale}/invoice")["status"] == "EMITIDA"


def test_alphanumeric_cnpj_has_a_right_key(ca):
    ca.account(cnpj="12ABC34501DE35")
    key = ca.erp("POST", f"sales/{sell(ca)}/invoice")["chave_acesso"]
    assert key[6:20] == "12ABC34501DE35"
    assert key[43] == digit(key[:43])
