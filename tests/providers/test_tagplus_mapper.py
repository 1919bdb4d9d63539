"""TagPlus's payloads: what we send of a product, a buyer and an order, and what we read of its answers."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from hub.policy import Policy
from hub.records import (
    KitPart,
    OutgoingAddress,
    OutgoingCustomer,
    OutgoingInstalment,
    OutgoingItem,
    OutgoingOrder,
    OutgoingProduct,
    ProductKind,
    ProductRecord,
    Refused,
    StockRecord,
)
from hub.stages import Stage
from providers.tagplus import lookups, mapper, reading
from providers.tagplus.mapper import PeopleIds

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRODUCT = OutgoingProduct(
    record_id="0a" * 16,
    sku="CANECA-1",
    name="Caneca azul",
    price=Decimal("32.90"),
    unit="UN",
    ncm="69120000",
    stock=Decimal(7),
)
HOME = OutgoingAddress("Rua A", "1", "fundos", "Centro", "Itajaí", "SC", "88301000", "Loja B")
BUYER = OutgoingCustomer("c1" * 16, "Cliente Exemplo", "52998224725", "a@b.example", "4799", HOME)
IDS = PeopleIds(mail=2, phone=1, register=3, city=9122)
ORDER = OutgoingOrder(
    record_id="0d" * 16,
    number="1001",
    marker=f"Pedido 1001 · esteira {'0d' * 16}",
    customer_ref="654",
    items=(OutgoingItem("15", "CANECA-1", "Caneca azul", Decimal(2), Decimal("32.90")),),
    discount=Decimal("5.80"),
    freight=Decimal(10),
    total=Decimal(70),
    payment_method="pix",
    instalments=(OutgoingInstalment(date(2026, 3, 2), Decimal(70)),),
    placed_on=date(2026, 3, 2),
    notes="Embrulhar",
    delivery=HOME,
)


class TestProduct:
    def test_a_new_one_is_whole(self) -> None:
        assert mapper.new_product(PRODUCT, stock=True) == {
            "tipo": "N",
            "ativo": True,
            "codigo_externo": "0a" * 16,
            "unidade_entrada": "UN",
            "descricao": "Caneca azul",
            "codigo": "CANECA-1",
            "valor_venda_varejo": 32.9,
            "estoque": {"qtd_revenda": 7},
            "tributo_ncm": "69120000",
            "unidade_saida": "UN",
        }

    def test_a_change_says_nothing_of_what_the_merchant_decides_over_there(self) -> None:
        body = mapper.changed_product(replace(PRODUCT, active=False), stock=True)
        assert not {"tipo", "ativo", "sincroniza", "unidade_entrada", "codigo_externo"} & set(body)
        assert body["estoque"] == {"qtd_revenda": 7}

    @pytest.mark.parametrize(("given", "stock"), [(None, True), (Decimal(7), False)])
    def test_stock_is_left_out_where_it_is_not_known_or_not_allowed(self, given: Decimal | None, stock: bool) -> None:
        assert "estoque" not in mapper.changed_product(replace(PRODUCT, stock=given), stock=stock)

    def test_an_empty_stock_is_told_and_a_negative_one_is_empty(self) -> None:
        for given in (Decimal(0), Decimal(-3)):
            body = mapper.changed_product(replace(PRODUCT, stock=given), stock=True)
            assert body["estoque"] == {"qtd_revenda": 0}

    def test_the_unit_goes_by_its_id_or_not_at_all(self) -> None:
        body = mapper.new_product(PRODUCT, stock=True)
        with_id = mapper.with_unit(body, 4)
        assert (with_id["unidade_entrada"], with_id["unidade_saida"]) == (4, 4)
        assert not {"unidade_entrada", "unidade_saida"} & set(mapper.with_unit(body, None))

    @pytest.mark.parametrize(
        ("field", "code", "fits"),
        [("ncm", "69120000", True), ("ncm", "6912", False), ("cest", "0100100", True), ("cest", "01.001.00", False)],
    )
    def test_codes_that_its_schema_refuses_are_told_before_the_call(self, field: str, code: str, fits: bool) -> None:
        words = mapper.unfit(replace(PRODUCT, **{field: code}))
        assert (words == "") is fits
        assert fits or code in words

    def test_units_by_sign_name_and_other_spelling(self) -> None:
        rows = [{"id": 1, "sigla": "UN", "descricao": "Unidade"}, {"id": "3", "sigla": "PC", "descricao": "Peça"}, None]
        spelt = {unit: lookups.unit_id(rows, unit) for unit in ("un", "UND", "Peça", "peca", "BALDE")}
        assert spelt == {"un": 1, "UND": 1, "Peça": 3, "peca": 3, "BALDE": None}


class TestCustomer:
    def test_a_person_with_typed_contacts_and_no_mail_from_the_erp(self) -> None:
        body = mapper.new_customer(BUYER, IDS)
        assert body == {
            "razao_social": "Cliente Exemplo",
            "codigo_externo": "c1" * 16,
            "tipo": "F",
            "cpf": "52998224725",
            "recebe_email": False,
            "contatos": [
                {"descricao": "a@b.example", "tipo_contato": 2, "tipo_cadastro": 3, "principal": True},
                {"descricao": "4799", "tipo_contato": 1, "tipo_cadastro": 3, "principal": False},
            ],
            "enderecos": [
                {
                    "principal": True,
                    "cep": "88301-000",
                    "logradouro": "Rua A",
                    "numero": "1",
                    "complemento": "fundos",
                    "bairro": "Centro",
                    "id_cidade": 9122,
                    "tipo_cadastro": 3,
                }
            ],
        }

    def test_a_company(self) -> None:
        body = mapper.new_customer(replace(BUYER, document="11222333000181"), IDS)
        assert (body["tipo"], body["cnpj"]) == ("J", "11222333000181")
        assert "cpf" not in body

    def test_a_city_that_is_not_in_the_table_is_told_in_words(self) -> None:
        (address,) = mapper.new_customer(BUYER, PeopleIds())["enderecos"]
        assert address["informacoes_adicionais"] == "Cidade: Itajaí/SC"
        assert "id_cidade" not in address

    def test_ids_of_kinds_of_contact_by_letter_then_by_name(self) -> None:
        lettered = [
            {"id": 7, "tipo": "O", "descricao": "E-mail antigo"},
            {"id": 8, "tipo": "E", "descricao": "Correio"},
        ]
        named = [{"id": 1, "descricao": "Telefone"}, {"id": 2, "descricao": "E-mail"}]
        assert lookups.contact_id(lettered, "E", ("mail",)) == 8
        assert lookups.contact_id(named, "E", ("mail",)) == 2
        assert lookups.contact_id(named, "T", ("telefone",)) == 1
        assert lookups.contact_id([], "T", ("telefone",)) is None

    def test_a_city_by_its_whole_name_and_its_state(self) -> None:
        rows = [
            {"id": 1, "nome": "BOM JESUS", "estado": {"sigla": "PI"}},
            {"id": 2, "nome": "BOM JESUS DA LAPA", "estado": {"sigla": "BA"}},
            {"id": 3, "nome": "Bom Jesus", "estado": {"sigla": "RS"}},
        ]
        assert lookups.city_id(rows, "Bom Jesus", "RS") == 3
        assert lookups.city_id(rows, "Bom Jesus", "SC") is None

    def test_found_by_document_whatever_its_mask_and_never_by_id_entidade(self) -> None:
        rows = [
            {"id": 9, "id_entidade": 654, "ativo": 0, "cpf": "529.982.247-25"},
            {"id": 654, "id_entidade": 9, "ativo": 1, "cpf": "52998224725", "cnpj": None},
            {"id": 7, "cpf": "529.982.247-26"},
            {"id_entidade": 5, "cpf": "52998224725"},
        ]
        found = reading.customers_of_document(rows, "52998224725")
        assert [(one.external_id, one.active) for one in found] == [("654", True), ("9", False)]
        assert reading.customers_of_document([{"id": 1, "cpf": "", "cnpj": None}], "") == []


class TestOrder:
    def test_a_paid_order_is_confirmed_and_its_bill_is_its_total(self) -> None:
        assert mapper.new_order(ORDER, Policy(order_label="Loja Sol"), 3) == {
            "codigo_externo": "0d" * 16,
            "status": "B",
            "cliente": 654,
            "itens": [{"item": 1, "produto_servico": 15, "qtd": 2, "valor_unitario": 32.9}],
            "faturas": [
                {
                    "forma_pagamento": 3,
                    "parcelas": [{"documento": "1001/1", "valor_parcela": 70, "data_vencimento": "2026-03-02"}],
                }
            ],
            "valor_frete": 10,
            "valor_desconto": 5.8,
            "observacoes": f"{ORDER.marker}\nEmbrulhar\nEntregar a: Loja B · Rua A, 1, fundos · Centro · Itajaí/SC · "
            "CEP 88301000",
            "integracao": "Loja Sol",
        }

    def test_without_a_payment_form_there_is_no_bill(self) -> None:
        assert "faturas" not in mapper.new_order(ORDER, Policy(), None)

    @pytest.mark.parametrize("orders", ["paid", "all"])
    def test_the_status_of_each_stage(self, orders: str) -> None:
        policy = Policy.model_validate({"orders": orders})
        told = {stage.value: mapper.told_status(stage, policy) for stage in Stage}
        assert told.pop("open") == "A"
        assert told.pop("cancelled") == "C"
        assert set(told.values()) == {"B"}
        assert mapper.told_status("", policy) == mapper.told_status("of a later version", policy) == ""

    def test_the_merchants_own_map_goes_before_it_where_it_names_a_status(self) -> None:
        policy = Policy.model_validate({"status_map": {"approved": " a ", "shipped": "despachado"}})
        assert mapper.told_status("approved", policy) == "A"
        assert mapper.told_status("shipped", policy) == "B"

    def test_the_stores_number_is_read_back_from_the_marker(self) -> None:
        notes = mapper.new_order(replace(ORDER, marker=f"Pedido #10 01 · esteira {'0d' * 16}"), Policy(), None)
        assert mapper.number_in_marker(notes["observacoes"]) == "#10 01"
        assert mapper.number_in_marker("Pedido da loja virtual") == ""

    @pytest.mark.parametrize(
        ("method", "instalments", "form"),
        [
            ("pix", 1, 3),
            ("credit_card", 3, 4),
            ("Cartão de crédito", 3, 4),
            ("credit_card", 13, None),
            ("boleto", 1, 5),
            ("boleto", 7, None),
            ("crypto", 1, 7),
            ("crypto", 2, None),
            ("cheque antigo", 1, 7),
        ],
    )
    def test_payment_forms(self, method: str, instalments: int, form: int | None) -> None:
        rows: list[Any] = [
            {"id": 2, "ativo": 2, "descricao": "PIX relatório", "forma_pagamento_base": 15, "qtd_max_parcelas": 1},
            {"id": 3, "ativo": 1, "descricao": "Pix da loja", "forma_pagamento_base": 20, "qtd_max_parcelas": 1},
            {
                "id": 4,
                "ativo": True,
                "descricao": "Cartao de Credito",
                "forma_pagamento_base": 3,
                "qtd_max_parcelas": 12,
            },
            {"id": 5, "ativo": 1, "descricao": "Boleto", "forma_pagamento_base": 8, "qtd_max_parcelas": 6},
            {"id": 7, "ativo": 1, "descricao": "Outros", "forma_pagamento_base": 19, "qtd_max_parcelas": 1},
            {"id": 8, "ativo": 0, "descricao": "Cheque antigo", "forma_pagamento_base": 4, "qtd_max_parcelas": 1},
            None,
        ]
        assert lookups.payment_id(rows, method, instalments) == form

    def test_the_order_of_a_code_and_no_other(self) -> None:
        rows = [
            {"id": 1, "codigo_externo": "0d" * 15, "status": "A"},
            {"id": 2, "codigo_externo": "0d" * 16, "status": "C"},
            {"id": 3, "codigo_externo": "0d" * 16, "status": "A"},
            None,
        ]
        found = reading.order_of_code(rows, "0d" * 16)
        assert found is not None and (found.external_id, found.active) == ("3", True)
        assert reading.order_of_code(rows, "x") is None
        assert reading.order_of_code([{"id": 1, "codigo_externo": None}], "") is None

    def test_how_it_stands(self) -> None:
        told = {"id": 1220, "numero": 966, "status": "b", "observacoes": ORDER.marker}
        found = reading.order_status("1220", told, NOW)
        assert (found.stage, found.told, found.number, found.erp_number) == ("approved", "B", "1001", "966")
        assert reading.order_status("1220", {"status": "X"}, NOW).stage == ""


FAMILY: dict[str, Any] = {"id": 20, "tipo": "G", "codigo": "CAM", "descricao": "Camisa - verão", "ativo": 1}


class TestReading:
    def test_a_simple_product(self) -> None:
        told = {
            "id": 15,
            "tipo": "N",
            "ativo": 1,
            "codigo": 123,
            "codigo_barras": "7891234567895",
            "descricao": " Caneca ",
            "valor_venda_varejo": Decimal("49.90"),
            "tributo_ncm": "69120000",
            "cst_a": "0",
            "categoria": {"id": 7, "descricao": "Louça"},
            "unidade_saida": {"id": 1, "sigla": "UN"},
            "embalagem": {"peso": Decimal("0.35")},
            "peso": Decimal("0.3"),
            "imagem_principal": {"id": "1", "url": "https://example.com/1.jpg"},
            "imagens": ["1", {"url": "https://example.com/2.jpg"}],
        }
        found = reading.product(told)
        assert isinstance(found, ProductRecord)
        assert (found.external_id, found.sku, found.name, found.unit) == ("15", "123", "Caneca", "UN")
        assert (found.kind, found.active, found.list_price) == (ProductKind.SIMPLE, True, Decimal("49.90"))
        assert (found.weight_net, found.weight_gross, found.ncm) == (Decimal("0.3"), Decimal("0.35"), "69120000")
        assert found.pictures == ("https://example.com/1.jpg", "https://example.com/2.jpg")

    def test_a_family_and_its_variation(self) -> None:
        parent = reading.product(FAMILY)
        child = reading.product({**FAMILY, "id": 21, "id_pai": 20, "descricao": "Camisa - verão - Azul, M"})
        assert isinstance(parent, ProductRecord) and isinstance(child, ProductRecord)
        assert (parent.kind, parent.parent_ref, parent.attributes) == (ProductKind.PARENT, "", {})
        assert (child.kind, child.parent_ref) == (ProductKind.VARIATION, "20")
        assert child.attributes == {"Variação": "Azul, M"}

    @pytest.mark.parametrize("key", ["produto", "produto_servico", "id_produto"])
    def test_a_kits_parts_however_they_are_keyed(self, key: str) -> None:
        part = {key: 15 if key == "id_produto" else {"id": 15}, "qtd": 2}
        found = reading.product({"id": 30, "tipo": "K", "descricao": "Kit", "itens_vinculados": [part]})
        assert isinstance(found, ProductRecord) and found.kit == (KitPart("15", Decimal(2)),)

    def test_the_price_of_the_standard_table_where_there_is_no_other(self) -> None:
        prices = [
            {"valor_venda": 90, "tipo_valor_venda": {"padrao": False}},
            {"valor_venda": 49, "tipo_valor_venda": {"padrao": True}},
        ]
        found = reading.product({"id": 1, "descricao": "x", "valores_venda": prices})
        assert isinstance(found, ProductRecord) and found.list_price == 49

    def test_everything_that_is_wrong_is_told_at_once(self) -> None:
        found = reading.product({"tipo": "X", "ativo": "talvez", "descricao": [1], "valor_venda_varejo": "1,50"})
        assert isinstance(found, Refused)
        wrong = {problem.field for problem in found.problems}
        assert wrong == {"external_id", "kind", "active", "name", "list_price"}

    @pytest.mark.parametrize(
        ("told", "balance"),
        [
            ({"estoque": {"qtd_revenda": "7.5"}, "qtd_revenda": 1}, Decimal("7.5")),
            ({"qtd_revenda": -2}, Decimal(-2)),
            ({"estoque": {"qtd_revenda": 0}}, Decimal(0)),
        ],
    )
    def test_a_balance(self, told: dict[str, Any], balance: Decimal) -> None:
        found = reading.stock({"id": 15, **told}, NOW)
        assert isinstance(found, StockRecord)
        assert (found.physical, found.reserved, found.available, found.deposits) == (balance, 0, balance, ())

    def test_no_balance_is_no_empty_one(self) -> None:
        assert isinstance(reading.stock({"id": 15}, NOW), Refused)

    def test_a_familys_balance_is_nobodys(self) -> None:
        assert not reading.is_counted(FAMILY)
        assert reading.is_counted({**FAMILY, "id_pai": 20})
        assert reading.is_counted({"tipo": "N"})

    def test_a_row_shows_no_stock_and_every_other_change(self) -> None:
        before = reading.row({"id": 1, "descricao": "x", "ativo": 1})
        assert before == reading.row({"id": "1", "descricao": "x", "ativo": 1})
        assert before != reading.row({"id": 1, "descricao": "y", "ativo": 1})
        assert reading.row({"descricao": "x"}) is None

    def test_products_of_exactly_a_code(self) -> None:
        rows = [{"id": 1, "codigo": "CANECA-10"}, {"id": 2, "codigo": "CANECA-1", "ativo": 0}, {"id": 3, "codigo": 77}]
        assert [(one.external_id, one.active) for one in reading.products_of_code(rows, "CANECA-1")] == [("2", False)]
        assert [one.external_id for one in reading.products_of_code(rows, "77")] == ["3"]


class TestNotes:
    @pytest.mark.parametrize(
        ("status", "state"),
        [("N", "pending"), ("A", "authorised"), ("S", "cancelled"), ("2", "denied"), ("4", "denied"), ("1", "")],
    )
    def test_states(self, status: str, state: str) -> None:
        found = reading.note({"id": 2659, "status": status, "chave_acesso": None})
        assert found is not None and (found.state, found.status, found.access_key) == (state, status, "")

    @pytest.mark.parametrize(("kind", "ref"), [("P", "1220"), (None, "1220"), ("OS", ""), ("O", "")])
    def test_the_order_and_no_service_order(self, kind: str | None, ref: str) -> None:
        found = reading.note({"id": 1, "pedido_os_vinculada": {"id": 1220, "numero": 966, "tipo": kind}})
        assert found is not None and found.order_ref == ref


class TestAccount:
    def test_the_company_is_its_main_users_and_nobody_elses(self) -> None:
        assert reading.company({"cnpj": "11.222.333/0001-81", "usuario_master": True}) == "11222333000181"
        assert reading.company({"cnpj": "11.222.333/0001-81", "usuario_master": False}) == ""
        assert reading.company({"cpf": "529.982.247-25", "usuario_master": True}) == ""

    def test_the_company_by_its_own_notes(self) -> None:
        incoming = {"tipo": "E", "emitente": {"cnpj": "04.252.011/0001-10"}}
        own = {"tipo": "S", "emitente": {"cnpj": "11.222.333/0001-81", "razao_social": "Loja Sol Ltda"}}
        assert reading.issuer([incoming, own]) == ("11222333000181", "Loja Sol Ltda")
        assert reading.issuer([incoming, None, {"emitente": None}]) == ("", "")
        branch = {"tipo": "S", "emitente": {"cnpj": "11.222.333/0002-62", "razao_social": "Loja Sol Ltda"}}
        assert reading.issuer([own, branch, own]) == ("", ""), "an ERP with branches"

    def test_permissions_that_are_not_told_are_held(self) -> None:
        assert reading.allowed({"alterar_estoque_produto": False, "funcionario_permissao_estorno": 1}) == {
            "stock": False,
            "unit_price": True,
            "reversal": True,
        }
