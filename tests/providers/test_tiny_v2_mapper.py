"""Tiny v2's payloads as our records."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from hub.records import KitPart, ProductKind, ProductRecord, Refused, StockRecord
from providers.tiny_v2 import mapper

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

CUP: dict[str, Any] = {
    "id": "349112590",
    "nome": " Caneca 300ml & Cia 🧉 ",
    "codigo": 123,
    "unidade": "UN",
    "preco": "29.9000",
    "preco_promocional": "24.90",
    "preco_custo": 12.5,
    "ncm": "6912.00.00",
    "origem": 0,
    "gtin": "SEM GTIN",
    "cest": "01.003.00",
    "peso_liquido": "0.300",
    "peso_bruto": 0,
    "situacao": "A",
    "tipo": "P",
    "classe_produto": "S",
    "tipoVariacao": "N",
    "idProdutoPai": "",
    "variacoes": "",
    "marca": "Barro Bom",
    "garantia": "3 meses",
    "categoria": "Casa >> Cozinha",
    "descricao_complementar": "<p>Caneca <b>branca</b></p>",
    "alturaEmbalagem": "10.00",
    "larguraEmbalagem": "12.00",
    "comprimentoEmbalagem": "13.50",
    "anexos": [{"anexo": "https://img.invalid/1.jpg"}, {"anexo": ""}, {"anexo": "https://img.invalid/2.jpg"}],
    "imagens_externas": [
        {"imagem_externa": {"url": "https://img.invalid/3.jpg"}},
        {"imagem_externa": {"url": "https://img.invalid/1.jpg"}},
    ],
}


def read(**changes: Any) -> ProductRecord:
    found = mapper.product({**CUP, **changes})
    assert isinstance(found, ProductRecord), found
    return found


def refused(**changes: Any) -> list[tuple[str, str]]:
    found = mapper.product({**CUP, **changes})
    assert isinstance(found, Refused), found
    return [(problem.field, problem.reason) for problem in found.problems]


def test_every_field_of_the_articles_list_arrives() -> None:
    assert read() == ProductRecord(
        external_id="349112590",
        kind=ProductKind.SIMPLE,
        name="Caneca 300ml & Cia 🧉",
        sku="123",
        active=True,
        description="<p>Caneca <b>branca</b></p>",
        brand="Barro Bom",
        category="Casa >> Cozinha",
        unit="UN",
        gtin="SEM GTIN",
        ncm="6912.00.00",
        cest="01.003.00",
        origin="0",
        warranty="3 meses",
        weight_net=Decimal("0.300"),
        weight_gross=Decimal(0),
        height=Decimal("10.00"),
        width=Decimal("12.00"),
        length=Decimal("13.50"),
        list_price=Decimal("29.9000"),
        promotional_price=Decimal("24.90"),
        cost_price=Decimal("12.5"),
        pictures=("https://img.invalid/1.jpg", "https://img.invalid/2.jpg", "https://img.invalid/3.jpg"),
    )


@pytest.mark.parametrize("nothing", ["0", 0, "0.00", "", None])
def test_a_promotional_price_of_zero_is_none(nothing: object) -> None:
    assert read(preco_promocional=nothing).promotional_price is None


def test_a_list_price_of_zero_is_told_as_zero() -> None:
    assert read(preco=0).list_price == 0


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"tipo": "S"}, ProductKind.SERVICE),
        ({"classe_produto": "K"}, ProductKind.KIT),
        ({"classe_produto": "V"}, ProductKind.PARENT),
        ({"tipoVariacao": "P", "classe_produto": "V"}, ProductKind.PARENT),
        ({"tipoVariacao": "V", "classe_produto": "V"}, ProductKind.VARIATION),
        ({"tipoVariacao": "", "idProdutoPai": 5}, ProductKind.VARIATION),
        ({"classe_produto": "F"}, ProductKind.SIMPLE),
        ({"classe_produto": "M"}, ProductKind.SIMPLE),
    ],
)
def test_kinds(changes: dict[str, Any], kind: ProductKind) -> None:
    assert read(**changes).kind is kind


def test_a_variation_names_its_parent_and_its_grade() -> None:
    found = read(tipoVariacao="V", idProdutoPai=349112581, grade={"Cor": "Azul", "Tamanho": "GG"})
    assert found.parent_ref == "349112581"
    assert found.attributes == {"Cor": "Azul", "Tamanho": "GG"}


def test_the_variations_that_a_parent_names_are_not_mapped_twice() -> None:
    rows = [{"variacao": {"id": "1", "codigo": "123-1", "preco": "29,90", "grade": {"Cor": "Azul"}}}]
    assert read(tipoVariacao="P", variacoes=rows) == replace(read(), kind=ProductKind.PARENT)


@pytest.mark.parametrize(("letter", "active"), [("A", True), ("I", False), ("E", False), ("", True), (None, True)])
def test_inactive_and_deleted_are_inactive(letter: str | None, active: bool) -> None:
    assert read(situacao=letter).active is active


def test_a_kit_names_its_parts() -> None:
    rows = [{"item": {"id_produto": 1, "quantidade": "2.00"}}, {"item": {"id_produto": "2", "quantidade": 1}}]
    kit = (KitPart("1", Decimal("2.00")), KitPart("2", Decimal(1)))
    assert read(classe_produto="K", kit=rows).kit == kit
    assert read(classe_produto="K", kit=rows[0]).kit == kit[:1]
    assert read(classe_produto="S", kit=rows).kit == ()


def test_unreadable_fields_refuse_the_record_with_all_of_them() -> None:
    assert refused(preco="29,90", peso_liquido="leve", situacao="X", nome={"a": "b"}) == [
        ("name", "not_a_text"),
        ("active", "unknown_code"),
        ("weight_net", "not_a_number"),
        ("list_price", "not_a_number"),
    ]
    assert refused(classe_produto="K", kit=[{"item": {"quantidade": 1}}]) == [("kit", "incomplete")]


@pytest.mark.parametrize("nothing", ["0", 0, "", None])
def test_a_product_without_an_id_is_refused(nothing: object) -> None:
    assert refused(id=nothing) == [("external_id", "missing")]


@pytest.mark.parametrize("payload", [None, "", [], {}, "x", 5, [[]]])
def test_no_product_at_all_is_refused(payload: object) -> None:
    assert isinstance(mapper.product(payload), Refused)


def test_the_rules_of_the_hub_are_left_to_the_hub() -> None:
    found = read(nome="", preco="-5.00", gtin="123", ncm="x")
    assert (found.name, found.list_price, found.gtin, found.ncm) == ("", Decimal("-5.00"), "123", "x")


def test_a_row_is_its_id_and_a_mark_of_all_of_it() -> None:
    row = {"id": 46829062, "codigo": 123, "nome": "produto teste", "preco": "1.20", "tipoVariacao": "V"}
    found, dearer = mapper.row(row), mapper.row({**row, "preco": "1.30"})
    assert found and dearer
    assert found.external_id == "46829062"
    assert found.fingerprint != dearer.fingerprint
    assert not found.follows_parent
    assert mapper.row({**row, "id": 0}) is None
    assert mapper.row("x") is None


STOCK: dict[str, Any] = {
    "id": "46829062",
    "nome": "produto teste",
    "saldo": "10.0000",
    "saldoReservado": 3,
    "depositos": [
        {"deposito": {"nome": "Geral", "desconsiderar": "N", "saldo": 12, "empresa": "A"}},
        {"deposito": {"nome": "Loja", "desconsiderar": "N", "saldo": "-2", "empresa": "A"}},
        {"deposito": {"nome": "Avarias", "desconsiderar": "S", "saldo": "4.50", "empresa": "A"}},
        {"deposito": {"nome": "", "desconsiderar": "N", "saldo": 9}},
    ],
}


def balance(**changes: Any) -> StockRecord:
    found = mapper.stock({**STOCK, **changes}, NOW)
    assert isinstance(found, StockRecord), found
    return found


def test_stock_is_physical_less_reserved_with_every_deposit() -> None:
    found = balance()
    assert (found.external_id, found.as_of) == ("46829062", NOW)
    assert (found.physical, found.reserved, found.available) == (10, 3, 7)
    assert [(d.key, d.name, d.physical, d.reserved, d.available, d.counted) for d in found.deposits] == [
        ("Geral", "Geral", 12, None, None, True),
        ("Loja", "Loja", -2, None, None, True),
        ("Avarias", "Avarias", Decimal("4.50"), None, None, False),
    ]


def test_stock_without_reservations_or_deposits_is_complete() -> None:
    found = balance(saldo=-1, saldoReservado="", depositos="")
    assert (found.physical, found.reserved, found.available, found.deposits) == (-1, 0, -1, ())


def test_deposits_of_one_name_are_one_balance() -> None:
    rows = [
        {"deposito": {"nome": "Geral", "saldo": 2, "empresa": "A"}},
        {"deposito": {"nome": "Geral", "saldo": 3, "empresa": "B"}},
    ]
    assert [(d.key, d.physical) for d in balance(depositos=rows).deposits] == [("Geral", 5)]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"saldo": None}, ("physical", "missing")),
        ({"saldo": "dez"}, ("physical", "not_a_number")),
        ({"saldoReservado": "x"}, ("reserved", "not_a_number")),
        ({"depositos": [{"deposito": {"nome": "Geral", "saldo": "x"}}]}, ("deposit", "not_a_number")),
    ],
)
def test_unreadable_stock_is_refused(changes: dict[str, Any], problem: tuple[str, str]) -> None:
    found = mapper.stock({**STOCK, **changes}, NOW)
    assert isinstance(found, Refused)
    assert [(p.field, p.reason) for p in found.problems] == [problem]
