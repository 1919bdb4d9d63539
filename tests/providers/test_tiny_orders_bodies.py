"""Our orders as Tiny's bodies, theirs as how they stand, and whose an order over there is. Pure."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.policy import Policy
from hub.records import (
    OrderStatus,
    OutgoingAddress,
    OutgoingCustomer,
    OutgoingInstalment,
    OutgoingItem,
    OutgoingOrder,
    Parcel,
)
from hub.stages import Stage
from providers import tiny_orders
from providers.contract import CallFailed, Found, Outcome
from providers.tiny_orders import Candidate, is_ours, latin, mark
from providers.tiny_v2 import orders as v2
from providers.tiny_v3 import orders as v3

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = date(2026, 3, 2)
RECORD = "0190" + "a1" * 14
WHERE = OutgoingAddress("Rua das Flores", "10", "casa 2", "Centro", "Curitiba", "PR", "80010-000", "Ana")
BUYER = OutgoingCustomer(RECORD, "Compradora Exemplo", "52998224725", "c@example.com", "41999990000", WHERE)
ORDER = OutgoingOrder(
    record_id=RECORD,
    number="1001",
    marker=f"Pedido 1001 · esteira {RECORD}",
    customer_ref="929722497",
    items=(
        OutgoingItem("700", "CANECA-1", "Caneca azul", Decimal(2), Decimal("32.90")),
        OutgoingItem("", "SEM-VINCULO", "Caneca verde", Decimal("1.5"), Decimal("1.2345")),
    ),
    discount=Decimal("5.80"),
    freight=Decimal("10.00"),
    total=Decimal("71.85"),
    payment_method="credit_card",
    instalments=(
        OutgoingInstalment(DAY + timedelta(days=30), Decimal("35.93")),
        OutgoingInstalment(DAY + timedelta(days=60), Decimal("35.92")),
    ),
    placed_on=DAY,
    notes="Presente",
    delivery=WHERE,
    customer=BUYER,
)
POLICY = Policy(ecommerce_id="8390", order_deposit="Depósito Geral", operation_nature="Venda", order_label="Esteira")
POLICY_V3 = Policy(ecommerce_id="7", order_deposit="5001", operation_nature="3")


class TestV2Body:
    def test_the_order_goes_whole_with_its_customer_inside(self) -> None:
        body = v2.body(ORDER, POLICY)
        json.dumps(body)
        head = ("data_pedido", "situacao", "numero_pedido_ecommerce", "id_ecommerce", "nome_deposito")
        assert [body[name] for name in head] == ["02/03/2026", "aprovado", "1001", "8390", "Depósito Geral"]
        assert body["nome_natureza_operacao"] == "Venda"
        assert "natureza_operacao" not in body
        assert body["marcadores"] == [{"marcador": {"descricao": "Esteira"}}]
        assert body["cliente"]["cpf_cnpj"] == "52998224725"
        assert body["cliente"]["atualizar_cliente"] == "N"
        assert body["cliente"]["cep"] == body["endereco_entrega"]["cep"] == "80010000"
        assert body["endereco_entrega"]["nome_destinatario"] == "Ana"
        assert (body["obs"], body["obs_internas"]) == ("Presente", ORDER.marker)

    def test_items_go_by_their_id_where_bound_and_else_by_the_sku_whole(self) -> None:
        long = replace(ORDER.items[1], sku="S" * 40)
        bound, unbound = (row["item"] for row in v2.body(replace(ORDER, items=(ORDER.items[0], long)), POLICY)["itens"])
        assert (bound["id_produto"], bound["codigo"], bound["quantidade"]) == ("700", "CANECA-1", "2")
        assert "id_produto" not in unbound
        assert (unbound["codigo"], unbound["quantidade"], unbound["valor_unitario"]) == ("S" * 40, "1.5", "1.2345")

    def test_the_instalments_add_up_to_the_total(self) -> None:
        parts = [row["parcela"] for row in v2.body(ORDER, POLICY)["parcelas"]]
        assert sum(Decimal(part["valor"]) for part in parts) == ORDER.total
        assert [(part["dias"], part["data"], part["forma_pagamento"]) for part in parts] == [
            ("30", "01/04/2026", "credito"),
            ("60", "01/05/2026", "credito"),
        ]

    @pytest.mark.parametrize(("method", "form", "means"), [("pix", "pix", None), ("Gift card", None, "Gift card")])
    def test_a_payment_without_a_word_over_there_goes_by_its_own_name(
        self, method: str, form: str | None, means: str | None
    ) -> None:
        body = v2.body(replace(ORDER, payment_method=method), POLICY)
        assert (body.get("forma_pagamento"), body.get("meio_pagamento")) == (form, means)

    def test_nothing_that_is_not_known_is_sent(self) -> None:
        bare = replace(ORDER, customer=OutgoingCustomer(RECORD, "Visitante"), delivery=OutgoingAddress(), notes="")
        body = v2.body(bare, Policy(order_label=""))
        told = ("id_ecommerce", "nome_deposito", "nome_natureza_operacao", "endereco_entrega", "marcadores", "obs")
        assert not set(told) & set(body)
        assert body["cliente"] == {"codigo": RECORD[-30:], "nome": "Visitante", "atualizar_cliente": "N"}

    def test_texts_are_cut_to_what_there_is_room_for(self) -> None:
        where = OutgoingAddress(*["x" * 200] * 5, "PR", "80010000", "y" * 200)
        buyer = replace(BUYER, name="n" * 200, email="m" * 60 + "@example.com", phone="4" * 60, address=where)
        long = replace(ORDER, number="9" * 60, customer=buyer, delivery=where, notes="z" * 300)
        long = replace(long, marker=f"Pedido {long.number} · esteira {RECORD}")
        body = v2.body(long, POLICY)
        most = {"nome": 30, "endereco": 50, "numero": 10, "complemento": 50, "bairro": 30, "cidade": 30, "fone": 40}
        assert {name: len(body["cliente"][name]) for name in most} == most
        assert "email" not in body["cliente"]
        assert len(body["endereco_entrega"]["nome_destinatario"]) == 60
        assert len(body["numero_pedido_ecommerce"]) == 50
        assert (len(body["obs"]), len(body["obs_internas"])) == (100, 100)
        assert body["obs_internas"].endswith(f"esteira {RECORD}")


class TestV3Body:
    def test_everything_goes_by_id_and_the_day_is_always_told(self) -> None:
        body = v3.body(ORDER, POLICY_V3, {"SEM-VINCULO": "701"}, "337683284")
        json.dumps(body)
        assert (body["idContato"], body["data"], body["situacao"]) == (929722497, "2026-03-02", 3)
        assert body["ecommerce"] == {"id": 7, "numeroPedidoEcommerce": "1001"}
        assert (body["deposito"], body["naturezaOperacao"]) == ({"id": 5001}, {"id": 3})
        assert [row["produto"]["id"] for row in body["itens"]] == [700, 701]
        assert [row["valorUnitario"] for row in body["itens"]] == [32.9, 1.2345]
        assert body["pagamento"]["formaRecebimento"] == {"id": 337683284}
        assert sum(Decimal(str(part["valor"])) for part in body["pagamento"]["parcelas"]) == ORDER.total
        assert (body["observacoes"], body["observacoesInternas"]) == ("Presente", ORDER.marker)
        assert body["enderecoEntrega"]["enderecoNro"] == "10"

    @pytest.mark.parametrize(
        "policy",
        [Policy(order_deposit="Depósito Geral"), Policy(operation_nature="Venda"), Policy(ecommerce_id="x")],
        ids=["deposit", "nature", "ecommerce"],
    )
    def test_a_name_where_v3_wants_an_id_is_refused_before_anything_is_sent(self, policy: Policy) -> None:
        with pytest.raises(CallFailed) as raised:
            v3.body(ORDER, policy, {"SEM-VINCULO": "701"}, "")
        assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "validation")
        assert "espera um número" in raised.value.detail

    def test_contacts_are_this_buyer_by_all_digits_of_the_document_only(self) -> None:
        rows = [
            {"id": 1, "cpfCnpj": "529.982.247-25", "situacao": "I"},
            {"id": 2, "cpfCnpj": "52998224725", "situacao": "B"},
            {"id": 3, "cpfCnpj": "52998224725", "situacao": "E"},
            {"id": 4, "cpfCnpj": "5299822472", "situacao": "B"},
            {"id": 0, "cpfCnpj": "52998224725"},
            "x",
        ]
        assert v3.contacts(rows, BUYER) == [Found("2"), Found("1", active=False)]
        guest = replace(BUYER, document="")
        assert v3.contacts([{"id": 5, "cpfCnpj": "", "codigo": ""}, *rows], guest) == []
        assert v3.contacts([{"id": 6, "codigo": RECORD[-30:]}], guest) == [Found("6")]
        assert v3.contact(guest)["codigo"] == RECORD[-30:]
        assert "codigo" not in v3.contact(BUYER)

    def test_products_are_of_exactly_the_sku(self) -> None:
        rows = [
            {"id": 1, "sku": "A"},
            {"id": 2, "sku": "AB"},
            {"id": 3, "sku": "a"},
            {"id": 4, "sku": "A", "situacao": "E"},
        ]
        assert v3.products(rows, "A") == ["1"]

    def test_the_form_of_receipt_is_the_accounts_own_of_that_name(self) -> None:
        rows = [{"id": 1, "nome": "Dinheiro"}, {"id": 2, "nome": "Cartão de crédito"}, {"id": 3, "nome": "Pix"}]
        assert [v3.way_id(rows, method) for method in ("credit_card", "pix", "cheque", "")] == ["2", "3", "", ""]


class TestSituations:
    @pytest.mark.parametrize(
        ("told", "stage"),
        [
            ("Em aberto", "open"),
            ("Aberto", "open"),
            ("aprovado", "approved"),
            ("Preparando envio", "preparing"),
            ("Atendido", "invoiced"),
            ("Faturado (atendido)", "invoiced"),
            ("Pronto para envio", "ready"),
            ("pronto_envio", "ready"),
            ("Não entregue", "not_delivered"),
            ("CANCELADO", "cancelled"),
            ("Dados incompletos", "open"),
            ("Pronto para env", "ready"),
            ("Dados incomplet", "open"),
            ("Preparando envi", "preparing"),
            ("Faturado (atend", "invoiced"),
            ("Pronto para", ""),
            ("Pronto para enx", ""),
            (0, "open"),
            (3, "approved"),
            (1, "invoiced"),
            ("7", "ready"),
            (2, "cancelled"),
            (9, "not_delivered"),
            ("de férias", ""),
            (None, ""),
            ({}, ""),
            (17, ""),
        ],
    )
    def test_any_spelling_is_a_stage(self, told: Any, stage: str) -> None:
        assert tiny_orders.stage_of(told) == stage

    @pytest.mark.parametrize("stage", list(Stage))
    def test_every_stage_has_a_situation_that_reads_back_as_it(self, stage: Stage) -> None:
        found = tiny_orders.situation_for(Policy(), stage)
        assert tiny_orders.stage_of(found.word) == tiny_orders.stage_of(found.code) == stage
        assert v2.body(replace(ORDER, stage=stage), POLICY)["situacao"] == found.word

    def test_the_merchants_own_choice_counts_and_a_misspelt_one_is_refused(self) -> None:
        mine = Policy(status_map={Stage.APPROVED: "Preparando envio", Stage.OPEN: "pronto"})
        assert tiny_orders.situation_for(mine, "approved").code == 4
        assert tiny_orders.told_for(mine, "approved") == "Preparando envio"
        with pytest.raises(CallFailed, match="pronto_envio"):
            tiny_orders.situation_for(mine, "open")

    def test_an_unknown_stage_has_no_word(self) -> None:
        assert tiny_orders.told_for(Policy(), "lost") == ""


class TestReading:
    def test_an_order_of_v2_with_its_parcel(self) -> None:
        told = {
            "id": 5,
            "numero": 123,
            "numero_ecommerce": "1001",
            "situacao": "Enviado",
            "codigo_rastreamento": "AA123456785BR",
            "url_rastreamento": "https%3A%2F%2Frastreio.example%2FAA1",
            "forma_envio": "C",
        }
        parcel = Parcel("AA123456785BR", "https://rastreio.example/AA1", "Correios")
        assert v2.status(told, "5", NOW) == OrderStatus("5", "shipped", "Enviado", NOW, parcel, "1001", "123")
        assert v2.invoice_id({"id_nota_fiscal": "0"}) == ""

    def test_an_order_of_v3_with_its_parcel(self) -> None:
        shipping = {
            "codigoRastreamento": "X1",
            "urlRastreamento": "javascript:alert(1)",
            "nome": "",
            "formaEnvio": {"nome": "Loggi"},
        }
        told = {
            "numeroPedido": 1810,
            "situacao": 5,
            "transportador": shipping,
            "ecommerce": {"numeroPedidoEcommerce": "S-1"},
        }
        assert v3.status(told, "9", NOW) == OrderStatus(
            "9", "shipped", "enviado", NOW, Parcel("X1", "", "Loggi"), "S-1", "1810"
        )

    def test_a_row_changes_its_mark_with_what_is_followed_and_with_nothing_else(self) -> None:
        row = {"id": 1, "situacao": "Em aberto", "codigo_rastreamento": "", "valor": "1.00"}
        same = [
            {**row, "situacao": "aberto"},
            {**row, "valor": "2.00"},
            {**row, "id_nota_fiscal": "0"},
            {**row, "codigo_rastreamento": None},
        ]
        other = [{**row, "situacao": "aprovado"}, {**row, "codigo_rastreamento": "X"}, {**row, "id_nota_fiscal": 7}]
        first = v2.row(row)
        assert first and all(v2.row(one) == first for one in same)
        assert len({v2.row(one) for one in other} | {first}) == 4
        assert v2.row({"id": "0"}) is v3.row({}) is None


class TestWhose:
    def there(self, **rest: Any) -> Candidate:
        return replace(Candidate("5", "1001", "", "", "", None, False), **rest)

    def test_our_marker_decides_whatever_else_is_told(self) -> None:
        assert is_ours(self.there(notes=f"x {ORDER.marker.replace(' ', '  ')}", ecommerce="9"), ORDER, "8390")
        assert is_ours(self.there(number="", notes=ORDER.marker), ORDER, "")

    def test_another_stores_order_of_the_same_number_is_not_ours(self) -> None:
        theirs = f"Pedido 1001 · esteira {'f' * 32}"
        assert not is_ours(self.there(notes=theirs, ecommerce="8390"), ORDER, "8390")
        assert not is_ours(self.there(ecommerce="1"), ORDER, "8390")
        assert not is_ours(self.there(), ORDER, "")

    def test_without_a_marker_the_number_within_our_integration_decides(self) -> None:
        assert is_ours(self.there(ecommerce="8390"), ORDER, "8390")
        assert not is_ours(self.there(number="10010", ecommerce="8390"), ORDER, "8390")

    def test_without_an_integration_number_buyer_and_total_decide_together(self) -> None:
        same = self.there(document="52998224725", total=Decimal("71.85"))
        assert is_ours(same, ORDER, "")
        assert not is_ours(replace(same, total=Decimal("71.86")), ORDER, "")
        assert not is_ours(replace(same, document="11144477735"), ORDER, "")
        assert not is_ours(replace(same, document=""), replace(ORDER, customer=replace(BUYER, document="")), "")

    def test_the_newest_of_several_comes_first(self) -> None:
        assert tiny_orders.newest(["99", "100", "99", "x"]) == ["100", "99", "x"]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("Olá 😀 mundo", "Olá mundo"),
        ("“Não” – é…", '"Não" - é...'),
        ("Žižek\r\n\tção\0", "Zizek ção"),
        ("e\u0301", "é"),
        ("日本", ""),
        ("a" * 50, "a" * 40),
    ],
)
def test_free_text_holds_nothing_that_tiny_refuses(told: str, kept: str) -> None:
    assert latin(told, 40) == kept


@given(st.text(max_size=300), st.integers(1, 120))
def test_any_text_becomes_one_that_fits(told: str, most: int) -> None:
    found = latin(told, most)
    assert len(found) <= most
    assert all(ord(letter) <= 0xFF for letter in found)
    assert found == latin(found, most)


def test_the_marker_survives_its_own_cutting() -> None:
    assert mark(ORDER) == ORDER.marker
    long = replace(ORDER, marker=f"Pedido {'9' * 60} · esteira {RECORD}")
    assert len(mark(long)) <= 100
    assert is_ours(Candidate("1", "", v2.body(long, POLICY)["obs_internas"], "", "", None, False), long, "")


KEYS = (  # noqa: SIM905
    "id situacao numero obs obs_interna ecommerce cliente cpf_cnpj total_pedido transportador codigoRastreamento "
    "codigo_rastreamento url_rastreamento id_nota_fiscal cpfCnpj codigo sku nome formaEnvio"
).split()
jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=25,
)


@given(jsons)
def test_no_json_makes_a_reader_raise(payload: Any) -> None:
    for words in (v2, v3):
        assert isinstance(words.status(payload, "1", NOW), OrderStatus)
        assert isinstance(words.candidate(payload, "1"), Candidate)
        words.row(payload), words.row_number(payload), words.invoice_id(payload)
    v3.row_buyer(payload)
    rows = payload if isinstance(payload, list) else [payload]
    v3.contacts(rows, BUYER), v3.products(rows, "x"), v3.way_id(rows, "pix")


SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "tiny"


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples lie beside the project and are not here")
class TestSamples:
    def load(self, stem: str) -> Any:
        (path,) = SAMPLES.rglob(f"{stem}.json")
        return json.loads(path.read_bytes(), parse_float=Decimal)

    def test_the_published_order_of_v2(self) -> None:
        told = self.load("v2_pedido_obter")["retorno"]["pedido"]
        found = v2.status(told, "123456", NOW)
        assert (found.stage, found.number, found.erp_number) == ("open", "125", "123")
        assert found.parcel == Parcel("TINY90831920321BR", "http://urlrastreamento.com.br", "transportador teste")
        assert v2.candidate(told, "123456").ecommerce == "112"
        rows = self.load("v2_pedidos_pesquisa")["retorno"]["pedidos"]
        assert [v2.row_number(row["pedido"]) for row in rows] == ["12", "15"]

    def test_the_assembled_order_of_v3(self) -> None:
        told = self.load("v3_pedido_obter")
        assert (v3.status(told, "999", NOW).stage, v3.invoice_id(told)) == ("approved", "5005")
        (row,) = self.load("v3_pedidos_lista")["itens"]
        assert v3.row(row) and v3.row_number(row) == "2000012866227583" and v3.row_buyer(row) == "929722497"

    def test_our_bodies_have_no_key_that_the_samples_do_not_know(self) -> None:
        known = set(self.load("v2_pedido_incluir_request")["pedido"]) | set(
            self.load("v2_pedido_incluir_request_ecommerce")["pedido"]
        )
        # Of the field table (reference/tiny.md §3.8), in no sample.
        known |= {"obs_internas", "id_ecommerce", "nome_deposito", "nome_natureza_operacao"}
        assert set(v2.body(ORDER, POLICY)) <= known
        assert set(v3.body(ORDER, POLICY_V3, {"SEM-VINCULO": "701"}, "1")) <= set(self.load("v3_pedido_criar_request"))
