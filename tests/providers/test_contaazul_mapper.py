"""Our records as Conta Azul's payloads, and what is read of its answers."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.money import split
from hub.records import (
    InvoiceRow,
    OutgoingAddress,
    OutgoingCustomer,
    OutgoingInstalment,
    OutgoingItem,
    OutgoingOrder,
    OutgoingProduct,
)
from providers.contaazul import mapper
from providers.contaazul.mapper import Ids
from providers.contaazul.numbers import Numbers
from providers.contaazul.provider import windows

PRODUCT = OutgoingProduct(
    record_id="01", sku="CANECA-1", name="Caneca", price=Decimal("32.90"), ncm="69120000", cest="2801500", unit="UN"
)
ORDER = OutgoingOrder(
    record_id="ab" * 16,
    number="1001",
    marker="Pedido 1001 · esteira " + "ab" * 16,
    customer_ref="c-1",
    items=(OutgoingItem("p-1", "CANECA-1", "Caneca", Decimal("1.5"), Decimal("20.00")),),
    discount=Decimal("2.50"),
    freight=Decimal("12.50"),
    total=Decimal("40.00"),
    payment_method="pix",
    instalments=(OutgoingInstalment(date(2026, 3, 2), Decimal("40.00")),),
    placed_on=date(2026, 3, 2),
)


def test_a_change_sends_only_what_the_patch_takes_and_we_know() -> None:
    assert mapper.changed_product(replace(PRODUCT, description="Azul", stock=Decimal(7))) == {
        "nome": "Caneca",
        "codigo_sku": "CANECA-1",
        "valor_venda": 32.9,
        "ncm": "69120000",
        "cest": "2801500",
        "unidade_medida": "UN",
    }


def test_stock_goes_out_at_creation_and_never_below_nought() -> None:
    for stock, told in ((Decimal(7), 7), (Decimal("2.5"), 2.5), (Decimal(-3), 0), (Decimal(0), 0)):
        body = mapper.new_product(replace(PRODUCT, stock=stock))
        assert body["estoque"] == {"valor_venda": 32.9, "estoque_disponivel": told}
    assert "estoque_disponivel" not in mapper.new_product(PRODUCT)["estoque"]


def test_codes_give_way_to_ids_wherever_they_stand() -> None:
    ids = Ids(ncm=11, cest=12, unit=13)
    made = mapper.with_ids(mapper.new_product(PRODUCT), ids)
    assert made["fiscal"] == {
        "tipo_produto": "MERCADORIA_PARA_REVENDA",
        "ncm": {"id": 11},
        "cest": {"id": 12},
        "unidade_medida": {"id": 13},
    }
    assert made["unidade_medida"] == {"id": 13}
    changed = mapper.with_ids(mapper.changed_product(PRODUCT), ids)
    assert (changed["ncm"], changed["cest"], changed["unidade_medida"]) == (11, 12, 13)


@pytest.mark.parametrize(("origin", "told"), [("0", "NACIONAL"), ("8", mapper.ORIGINS[8]), ("", None), ("9", None)])
def test_the_origin_by_its_digit(origin: str, told: str | None) -> None:
    assert mapper.new_product(replace(PRODUCT, origin=origin))["fiscal"].get("origem") == told


def test_a_sku_is_found_in_lists_details_and_variations_and_by_equality_only() -> None:
    rows: list[Any] = [
        {"id": "1", "codigo": "A"},
        {"id": "2", "codigo_sku": "A", "status": "INATIVO"},
        {"id": "3", "codigo": "A-1", "produtos_variacao": [{"id": "4", "codigo": "A"}]},
        {"id": "5", "codigo": "a"},
        {"codigo": "A"},
        None,
    ]
    assert [(found.external_id, found.active) for found in mapper.products_of_sku(rows, "A")] == [
        ("1", True),
        ("2", False),
        ("4", True),
    ]


@pytest.mark.parametrize(
    ("unit", "found"), [("UN", 1), ("un", 1), ("UND", 1), ("Quilograma", 2), ("KG", 2), ("L", None)]
)
def test_a_unit_by_abbreviation_name_or_other_spelling(unit: str, found: int | None) -> None:
    rows = [
        {"id": 1, "abreviacao": "Un", "descricao": "Unidade"},
        {"id": 2, "abreviacao": "Kg", "descricao": "Quilograma"},
    ]
    assert mapper.unit_id(rows, unit) == found


def test_a_code_is_compared_without_its_dots() -> None:
    assert mapper.code_id([{"id": 1, "codigo": "6912.00.10"}, {"id": 2, "codigo": "6912.00.00"}], "69120000") == 2
    assert mapper.code_id([{"id": 1, "codigo": "69120001"}], "69120000") is None


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ("52998224725", {"tipo_pessoa": "Física", "cpf": "529.982.247-25"}),
        ("11222333000181", {"tipo_pessoa": "Jurídica", "cnpj": "11.222.333/0001-81"}),
        ("12ABC34501DE35", {"tipo_pessoa": "Jurídica", "cnpj": "12.ABC.345/01DE-35"}),
        ("", {"tipo_pessoa": "Física", "codigo": "b2" * 10}),
    ],
)
def test_a_person(document: str, told: dict[str, str]) -> None:
    customer = OutgoingCustomer(record_id="b2" * 16, name="Cliente Exemplo", document=document)
    body = {"nome": "Cliente Exemplo", "perfis": [{"tipo_perfil": "Cliente"}], **told}
    assert mapper.person(customer) == body


def test_a_persons_address_and_the_limits_of_its_fields() -> None:
    home = OutgoingAddress(street="Rua das Flores", number="1", city="Itajaí", uf="SC", postal_code="88301000")
    customer = OutgoingCustomer("c", "N" * 300, "52998224725", "e" * 101, "47999990000", home)
    body = mapper.person(customer)
    assert body["enderecos"] == [
        {
            "logradouro": "Rua das Flores",
            "numero": "1",
            "cidade": "Itajaí",
            "estado": "SC",
            "cep": "88301-000",
            "pais": "Brasil",
        }
    ]
    assert (len(body["nome"]), "email" in body, body["telefone_celular"]) == (200, False, "47999990000")


def test_people_are_compared_by_document_and_the_active_come_first() -> None:
    rows = [
        {"id": "1", "documento": "529.982.247-25", "ativo": False},
        {"id": "2", "documento": "52998224725"},
        {"id": "3", "documento": "529.982.247-26"},
        {"id": "4", "documento": ""},
    ]
    assert [found.external_id for found in mapper.people_of_document(rows, "52998224725")] == ["2", "1"]
    assert mapper.people_of_document(rows, "") == []


def test_a_sale() -> None:
    home = OutgoingAddress(
        street="Rua A", number="9", city="Itajaí", uf="SC", postal_code="88301000", recipient="Loja B"
    )
    assert mapper.sale(replace(ORDER, notes="Presente", delivery=home), 77) == {
        "id_cliente": "c-1",
        "numero": 77,
        "situacao": "APROVADO",
        "data_venda": "2026-03-02",
        "observacoes": f"{ORDER.marker}\nPresente\nEntregar a: Loja B · Rua A, 9 · Itajaí/SC · CEP 88301000",
        "itens": [{"id": "p-1", "descricao": "Caneca", "quantidade": 1.5, "valor": 20}],
        "composicao_de_valor": {"frete": 12.5, "desconto": {"tipo": "VALOR", "valor": 2.5}},
        "condicao_pagamento": {
            "tipo_pagamento": "PIX_PAGAMENTO_INSTANTANEO",
            "opcao_condicao_pagamento": "À vista",
            "parcelas": [{"data_vencimento": "2026-03-02", "valor": 40, "descricao": "Parcela 1"}],
        },
    }


@given(st.integers(1, 10**9), st.integers(1, 24))
def test_instalments_of_a_sale_add_up_to_the_centavo(centavos: int, parts: int) -> None:
    total = Decimal(centavos) / 100
    amounts = split(total, parts)
    due = tuple(OutgoingInstalment(ORDER.placed_on + timedelta(days=30 * n), part) for n, part in enumerate(amounts))
    told = mapper.sale(replace(ORDER, instalments=due), 1)["condicao_pagamento"]
    assert sum(Decimal(str(part["valor"])) for part in told["parcelas"]) == total
    assert told["opcao_condicao_pagamento"] == ("À vista" if parts == 1 else f"{parts}x")


@pytest.mark.parametrize(
    ("method", "told"),
    [
        ("credit_card", "CARTAO_CREDITO"),
        ("Cartão de crédito", "CARTAO_CREDITO"),
        ("PIX", "PIX_PAGAMENTO_INSTANTANEO"),
        ("boleto", "BOLETO_BANCARIO"),
        ("", "OUTRO"),
        ("conchas", "OUTRO"),
    ],
)
def test_how_it_was_paid(method: str, told: str) -> None:
    assert mapper.payment(method) == told


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ({"nome": "APROVADO"}, "APROVADO"),
        ({"nome": "Aprovado"}, "APROVADO"),
        ({"nome": "APPROVED"}, "APROVADO"),
        ("IN_PROCESS", "EM_ANDAMENTO"),
        ("Em andamento", "EM_ANDAMENTO"),
        ({"nome": "CANCELED"}, "CANCELADO"),
        (None, ""),
    ],
)
def test_statuses_in_both_languages(told: Any, status: str) -> None:
    assert mapper.status(told) == status


def test_a_deleted_sale_is_cancelled_though_its_situation_stays() -> None:
    assert mapper.is_cancelled({"venda": {"status": "CANCELADO", "situacao": {"nome": "APROVADO"}}})
    assert not mapper.is_cancelled({"venda": {"situacao": {"nome": "APROVADO"}}})


def test_a_new_sales_version_of_nought_is_not_sent_back() -> None:
    body = mapper.cancelled_sale({"venda": {"versao": 0, "numero": 77}}, [], ORDER)
    assert (body["versao"], body["numero"], body["situacao"]) == (1, 77, "CANCELADO")
    assert body["itens"] and body["condicao_pagamento"]["parcelas"]


def test_a_cancelled_sale_keeps_what_stands_over_there() -> None:
    detail = {
        "venda": {
            "versao": 4,
            "numero": 77,
            "id_cliente": "c-9",
            "data_compromisso": "2026-03-05",
            "observacoes": "mudado lá",
            "composicao_valor": {"frete": 3, "desconto": {"tipo": "VALOR", "valor": 1}},
            "condicao_pagamento": {"opcao_condicao_pagamento": "Parcelado", "parcelas": [{"valor": 5}, {"valor": 6}]},
        },
        "vendedor": {"id": "v-1"},
    }
    body = mapper.cancelled_sale(detail, [{"id": "line", "id_item": "p-9", "quantidade": 2, "valor": 4}], ORDER)
    assert (body["id_cliente"], body["data_venda"], body["observacoes"]) == ("c-9", "2026-03-05", "mudado lá")
    assert body["itens"] == [{"id": "p-9", "quantidade": 2, "valor": 4}]
    assert body["composicao_de_valor"] == {"frete": 3, "desconto": {"tipo": "VALOR", "valor": 1}}
    assert body["condicao_pagamento"]["opcao_condicao_pagamento"] == "2x"
    assert body["id_vendedor"] == "v-1"


@pytest.mark.parametrize(
    ("sentence", "taken"),
    [
        ("O número 77 já está em uso. Próximo disponível: 80", True),
        ("Já existe uma venda com este numero; use 1.234", True),
        ("Número de parcelas inválido: 3", False),
        ("O campo data_venda é obrigatório", False),
        ("Número inválido", False),
    ],
)
def test_a_refusal_that_is_about_the_number(sentence: str, taken: bool) -> None:
    assert mapper.tells_number(sentence, 77) is taken


def test_the_marker_is_known_among_other_notes_and_other_blanks() -> None:
    notes = f"editado\n{ORDER.marker.replace(' · ', '  · ')} ok"
    assert mapper.is_marked({"venda": {"observacoes": notes}}, ORDER)
    assert not mapper.is_marked({"venda": {"observacoes": ORDER.marker[:-1]}}, ORDER)
    assert not mapper.is_marked({}, ORDER)


def test_an_invoice_row() -> None:
    key = "42250323643586000108550010000001151606401726"
    assert mapper.invoice({"chave_acesso": key, "numero_nota": 115, "status": "emitida"}) == InvoiceRow(
        key, "115", "EMITIDA"
    )
    assert mapper.invoice({"numero_nota": 1}) is None


def test_windows_cover_every_day_once() -> None:
    first = date(2026, 1, 1)
    found = windows(first, date(2026, 2, 10), 15)
    days = [start + timedelta(days=n) for start, end in found for n in range((end - start).days + 1)]
    assert days == [first + timedelta(days=n) for n in range(41)]
    assert all((end - start).days <= 14 for start, end in found)
    assert windows(first, first - timedelta(days=1), 15) == []


async def test_numbers_go_up_though_the_series_goes_back() -> None:
    told = [100, 90, 200]
    asked = []

    async def ask() -> int:
        asked.append(told[0])
        return told.pop(0)

    numbers = Numbers(ask)
    assert [await numbers.draw() for _ in range(3)] == [100, 101, 102]
    assert numbers.use(100) and not numbers.use(100) and not numbers.use(999)
    assert await numbers.draw(taken=101) == 103
    assert asked == [100, 90]
    assert await numbers.draw(taken=89) == 104, "drawn before the series was asked last: no reason to ask again"
    assert await numbers.draw(taken=104) == 200
