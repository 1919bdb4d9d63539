"""Tiny v3's payloads as our records."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from hub.records import KitPart, ProductKind, ProductRecord, Refused, StockRecord
from providers.tiny_v3 import mapper

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

SHIRT: dict[str, Any] = {
    "id": 100,
    "sku": "CAM",
    "descricao": "Camiseta",
    "descricaoComplementar": "<p>Algodão</p>",
    "tipo": "V",
    "situacao": "A",
    "produtoPai": None,
    "unidade": "UN",
    "ncm": "6109.10.00",
    "gtin": "",
    "origem": "0",
    "garantia": "3 meses",
    "categoria": {"id": 7, "nome": "Camisetas", "caminhoCompleto": "Roupas > Camisetas"},
    "marca": {"id": 3, "nome": "Fio Bom"},
    "dimensoes": {
        "largura": Decimal("10.5"),
        "altura": 5,
        "comprimento": Decimal("2.0"),
        "pesoLiquido": Decimal("0.2"),
        "pesoBruto": Decimal("0.25"),
    },
    "precos": {"preco": 0, "precoPromocional": 0, "precoCusto": Decimal("25.0")},
    "anexos": [{"url": "https://img.invalid/1.jpg", "externo": True}, {"url": None, "externo": False}],
    "variacoes": [
        {
            "id": 101,
            "descricao": "Camiseta - Azul - P",
            "sku": "CAM-AZ-P",
            "gtin": "7891234567895",
            "precos": {"preco": Decimal("49.9"), "precoPromocional": Decimal("39.9"), "precoCusto": None},
            "estoque": {"quantidade": 3},
            "grade": [{"chave": "Cor", "valor": "Azul"}, {"chave": "Tamanho", "valor": "P"}],
        },
        {"id": 102, "descricao": "", "sku": "", "gtin": None, "precos": {"preco": Decimal("54.9")}, "grade": None},
    ],
    "kit": [],
    "tipoVariacao": "P",
}


def tree(**changes: Any) -> tuple[ProductRecord, ...]:
    found = mapper.tree({**SHIRT, **changes})
    assert all(isinstance(record, ProductRecord) for record in found), found
    return found  # type: ignore[return-value]


def test_a_product_brings_its_variations() -> None:
    parent, blue, other = tree()
    assert parent == ProductRecord(
        external_id="100",
        kind=ProductKind.PARENT,
        name="Camiseta",
        sku="CAM",
        description="<p>Algodão</p>",
        brand="Fio Bom",
        category="Roupas > Camisetas",
        unit="UN",
        ncm="6109.10.00",
        origin="0",
        warranty="3 meses",
        weight_net=Decimal("0.2"),
        weight_gross=Decimal("0.25"),
        height=Decimal(5),
        width=Decimal("10.5"),
        length=Decimal("2.0"),
        list_price=Decimal(0),
        cost_price=Decimal("25.0"),
        pictures=("https://img.invalid/1.jpg",),
    )
    assert blue == ProductRecord(
        external_id="101",
        kind=ProductKind.VARIATION,
        parent_ref="100",
        name="Camiseta - Azul - P",
        sku="CAM-AZ-P",
        gtin="7891234567895",
        description="<p>Algodão</p>",
        brand="Fio Bom",
        category="Roupas > Camisetas",
        unit="UN",
        ncm="6109.10.00",
        origin="0",
        warranty="3 meses",
        weight_net=Decimal("0.2"),
        weight_gross=Decimal("0.25"),
        height=Decimal(5),
        width=Decimal("10.5"),
        length=Decimal("2.0"),
        list_price=Decimal("49.9"),
        promotional_price=Decimal("39.9"),
        attributes={"Cor": "Azul", "Tamanho": "P"},
    )
    assert (other.external_id, other.name, other.sku, other.gtin, other.attributes) == ("102", "Camiseta", None, "", {})


def test_variations_of_an_inactive_parent_are_inactive() -> None:
    assert [record.active for record in tree(situacao="I")] == [False, False, False]


def test_one_unreadable_variation_does_not_take_the_family_along() -> None:
    broken = {"id": 103, "sku": "X", "precos": {"preco": "muito"}}
    found = mapper.tree({**SHIRT, "variacoes": [*SHIRT["variacoes"], broken, "x"]})
    assert [type(record) for record in found] == [ProductRecord, ProductRecord, ProductRecord, Refused, Refused]
    assert found[3].external_id == "103"


def test_an_unreadable_parent_is_refused_whole() -> None:
    (found,) = mapper.tree({**SHIRT, "dimensoes": {"pesoBruto": "leve"}})
    assert isinstance(found, Refused)
    assert [(p.field, p.reason) for p in found.problems] == [("weight_gross", "not_a_number")]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"tipo": "S", "tipoVariacao": "N"}, ProductKind.SIMPLE),
        ({"tipo": "K", "tipoVariacao": "N"}, ProductKind.KIT),
        ({"tipo": "F", "tipoVariacao": None}, ProductKind.SIMPLE),
        ({"tipo": "V", "tipoVariacao": None}, ProductKind.PARENT),
        ({"tipo": "S", "tipoVariacao": "V"}, ProductKind.VARIATION),
        ({"tipo": "S", "tipoVariacao": "N", "produtoPai": {"id": 9}}, ProductKind.VARIATION),
    ],
)
def test_kinds(changes: dict[str, Any], kind: ProductKind) -> None:
    assert tree(**changes, variacoes=[])[0].kind is kind


def test_the_parent_is_named_by_a_variation_only() -> None:
    assert mapper.parent_of({"produtoPai": {"id": 9}}) == "9"
    for nothing in (None, {}, {"id": 0}, []):
        assert mapper.parent_of({"produtoPai": nothing}) == ""


def test_a_kit_takes_its_parts_from_the_details_or_from_the_kits_own_answer() -> None:
    rows = [{"produto": {"id": 1, "sku": "A"}, "quantidade": 2}]
    inside = {**SHIRT, "tipo": "K", "tipoVariacao": "N", "variacoes": [], "kit": rows}
    without = {**inside, "kit": []}
    parts = (KitPart("1", Decimal(2)),)
    assert not mapper.wants_kit(inside)
    assert mapper.wants_kit(without)
    assert mapper.tree(inside)[0].kit == parts  # type: ignore[union-attr]
    assert mapper.tree(without, rows)[0].kit == parts  # type: ignore[union-attr]
    assert not mapper.wants_kit(SHIRT)


def test_rows_of_variations_follow_their_parent() -> None:
    row = {"id": 101, "sku": "CAM-AZ-P", "tipoVariacao": "V", "dataAlteracao": None}
    found, edited = mapper.row(row), mapper.row({**row, "dataAlteracao": "2026-01-20 12:00:00"})
    assert found and edited
    assert (found.external_id, found.follows_parent) == ("101", True)
    assert found.fingerprint != edited.fingerprint
    simple = mapper.row({**row, "tipoVariacao": "N"})
    assert simple and not simple.follows_parent
    assert mapper.row({"id": None}) is None


STOCK: dict[str, Any] = {
    "id": 100,
    "saldo": 50,
    "reservado": 5,
    "disponivel": 45,
    "depositos": [
        {"id": 10, "nome": "Geral", "desconsiderar": False, "saldo": 30, "reservado": 5, "disponivel": 25},
        {"id": 11, "nome": "Avarias", "desconsiderar": True, "saldo": 5, "reservado": 0, "disponivel": 5},
        {"nome": "Sem id", "desconsiderar": False, "saldo": 5},
    ],
}


def balance(**changes: Any) -> StockRecord:
    found = mapper.stock({**STOCK, **changes}, NOW)
    assert isinstance(found, StockRecord), found
    return found


def test_stock_is_kept_by_the_deposits_id() -> None:
    found = balance()
    assert (found.physical, found.reserved, found.available, found.as_of) == (50, 5, 45, NOW)
    assert [(d.key, d.name, d.physical, d.reserved, d.available, d.counted) for d in found.deposits] == [
        ("10", "Geral", 30, 5, 25, True),
        ("11", "Avarias", 5, 0, 5, False),
    ]


def test_a_kit_is_sold_from_disponivel() -> None:
    found = balance(saldo=0, reservado=0, disponivel=8, depositos=[])
    assert (found.physical, found.available) == (0, 8)
    assert balance(saldo=None, disponivel=8).physical == 8


def test_available_is_worked_out_where_it_is_not_told() -> None:
    assert balance(disponivel=None).available == 45


@pytest.mark.parametrize("payload", [None, [], {}, {"id": 1}, {"id": 1, "saldo": "x"}, {"saldo": 1}])
def test_unreadable_stock_is_refused(payload: object) -> None:
    assert isinstance(mapper.stock(payload, NOW), Refused)
