import dataclasses
import json
from decimal import Decimal
from typing import Any

import pytest

from hub.catalog import GROUPS, LONGEST, Prepared, prepare, sellable, stock_hash
from hub.records import KitPart, ProductKind, ProductRecord, Refused
from hub.tables import Binding, KitItem, Product, RelatedProduct
from tests.hub.shop import NOON, balance, deposit, product

GTIN, UPC = "7891000315507", "036000291452"


def fit(record: ProductRecord) -> Prepared:
    prepared = prepare(record)
    assert isinstance(prepared, Prepared), prepared
    return prepared


def problems(**told: Any) -> list[tuple[str, str, str]]:
    refused = prepare(product(**told))
    assert isinstance(refused, Refused), "it was taken"
    return [(problem.field, problem.reason, problem.received) for problem in refused.problems]


def hashes(**told: Any) -> dict[str, str]:
    return fit(product(**told)).hashes


# What is refused

NUMBERS = ("list_price", "promotional_price", "cost_price", "weight_net", "weight_gross", "height", "width", "length")


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"name": ""}, ("name", "empty", "")),
        ({"gtin": "7891000315508"}, ("gtin", "check_digit", "7891000315508")),
        ({"gtin": "123"}, ("gtin", "length", "123")),
        ({"gtin": "CANECA"}, ("gtin", "characters", "CANECA")),
        ({"gtin": "0000000000000"}, ("gtin", "repeated", "0000000000000")),
        ({"ncm": "1234"}, ("ncm", "length", "1234")),
        ({"ncm": "abcd.ef.gh"}, ("ncm", "characters", "abcd.ef.gh")),
        ({"kit": (KitPart("2", Decimal(0)),)}, ("kit", "quantity", "0")),
        ({"kit": (KitPart("2", Decimal("-1.50")),)}, ("kit", "quantity", "-1.5")),
        *[({field: Decimal("-0.0100")}, (field, "negative", "-0.01")) for field in NUMBERS],
        *[({field: Decimal("NaN")}, (field, "not_a_number", "NaN")) for field in NUMBERS],
        *[({field: Decimal(10) ** 14}, (field, "too_large", "1" + "0" * 14)) for field in NUMBERS],
        *[({field: "x" * (most + 1)}, (field, "too_long", "x" * min(80, most + 1))) for field, most in LONGEST.items()],
        ({"kit": (KitPart("9" * 61, Decimal(1)),)}, ("kit", "too_long", "9" * 61)),
        ({"related": ("9" * 61,)}, ("related", "too_long", "9" * 61)),
    ],
)
def test_what_a_shop_cannot_sell_is_refused(told: dict[str, Any], problem: tuple[str, str, str]) -> None:
    assert problems(**told) == [problem]


def test_every_problem_is_told_at_once() -> None:
    found = problems(name="", gtin="123", ncm="1", list_price=Decimal(-1), weight_net=Decimal(-2))
    assert [(field, reason) for field, reason, _ in found] == [
        ("name", "empty"),
        ("gtin", "length"),
        ("ncm", "length"),
        ("list_price", "negative"),
        ("weight_net", "negative"),
    ]


def test_what_was_refused_is_kept_with_its_content() -> None:
    record = product("7", name="Caneca 🎈 & <b>cia</b>", gtin="123", list_price=Decimal("1.50"), pictures=("u",))
    refused = prepare(record)
    assert isinstance(refused, Refused)
    assert (refused.external_id, refused.name, refused.sku) == ("7", "Caneca 🎈 & <b>cia</b>", "CAN-7")
    kept = json.loads(refused.payload)
    assert (kept["name"], kept["gtin"], kept["list_price"], kept["pictures"]) == (record.name, "123", "1.5", ["u"])


def test_the_longest_that_is_taken_is_the_longest_that_the_columns_hold() -> None:
    def widths(model: Any) -> dict[str, int]:
        return {c.name: c.type.length for c in model.__table__.c if getattr(c.type, "length", None)}

    product_, told = widths(Product), {f.name for f in dataclasses.fields(ProductRecord)}
    checked_otherwise = {"gtin", "ncm", "kind"}
    assert {f: most for f, most in product_.items() if f in told - checked_otherwise} | {"parent_ref": 60} == LONGEST
    assert widths(Binding)["parent_ref"] == widths(KitItem)["component_ref"] == widths(RelatedProduct)["related_ref"]
    assert widths(Binding)["parent_ref"] == LONGEST["parent_ref"]


@pytest.mark.parametrize("field", LONGEST)
def test_what_is_just_short_enough_is_taken(field: str) -> None:
    fit(product(**{field: "x" * LONGEST[field]}))


# What is taken


def test_a_bare_record_is_taken() -> None:
    bare = fit(ProductRecord(external_id="1", kind=ProductKind.SIMPLE, name="Caneca"))
    assert bare.data["sku"] is None
    assert bare.data["gtin"] is bare.data["gtin_key"] is bare.data["ncm"] is bare.data["cest"] is None
    assert bare.price == {"list_price": None, "promotional_price": None, "cost_price": None}


def test_zeros_are_taken() -> None:
    taken = fit(product(**dict.fromkeys(NUMBERS, Decimal("0.000"))))
    assert taken.data["weight_net"] == 0
    assert taken.price["list_price"] == 0


def test_codes_are_laid_out_in_their_normal_form() -> None:
    taken = fit(product(gtin=UPC, ncm="6911.10.10"))
    assert (taken.data["gtin"], taken.data["gtin_key"], taken.data["ncm"]) == (UPC, "00036000291452", "69111010")


@pytest.mark.parametrize("none", ["", "SEM GTIN", "sem gtin"])
def test_no_gtin_is_none(none: str) -> None:
    taken = fit(product(gtin=none))
    assert taken.data["gtin"] is taken.data["gtin_key"] is None


def test_an_empty_sku_is_none() -> None:
    assert fit(product(sku="")).data["sku"] is fit(product(sku=None)).data["sku"] is None


def test_a_promotional_price_of_zero_is_none() -> None:
    assert fit(product(promotional_price=Decimal("0.00"))).price["promotional_price"] is None


def test_long_unicode_names_are_taken() -> None:
    name = ("Caneca «ação» & <i>cia</i> 🎈👩‍👩‍👧 " * 20)[:300]
    assert fit(product(name=name)).data["name"] == name


def test_what_is_laid_out_are_columns() -> None:
    taken = fit(product())
    assert set(taken.data) <= set(Product.__table__.c.keys())  # type: ignore[attr-defined]
    assert set(taken.hashes) == set(GROUPS)


def test_parents_are_not_sold() -> None:
    assert [kind for kind in ProductKind if not sellable(product(kind=kind))] == [ProductKind.PARENT]


# Hashes

FULL: dict[str, Any] = {
    "parent_ref": "9",
    "description": "Azul",
    "brand": "Oleira",
    "category": "Casa >> Copa",
    "unit": "UN",
    "gtin": GTIN,
    "ncm": "69111010",
    "cest": "28.038.00",
    "origin": "0",
    "warranty": "3 meses",
    **dict.fromkeys(NUMBERS, Decimal(10)),
    "attributes": {"Cor": "Azul", "Tamanho": "M"},
    "pictures": ("https://fotos.example/1.jpg", "https://fotos.example/2.jpg"),
    "kit": (KitPart("2", Decimal(1)), KitPart("3", Decimal(2))),
    "related": ("4", "5"),
}
OTHER: dict[str, Any] = {
    "kind": ProductKind.SERVICE,
    "name": "Xícara",
    "sku": "XIC-1",
    "active": False,
    **{field: f"{value}0"[-len(str(value)) :] for field, value in FULL.items() if isinstance(value, str)},
    "gtin": UPC,
    "origin": "1",
    **dict.fromkeys(NUMBERS, Decimal("10.01")),
    "attributes": {"Cor": "Azul", "Tamanho": "G"},
    "pictures": ("https://fotos.example/2.jpg", "https://fotos.example/1.jpg"),
    "kit": (KitPart("2", Decimal(1)), KitPart("3", Decimal(3))),
    "related": ("5", "4"),
}
GROUP = {"list_price": "price", "promotional_price": "price", "cost_price": "price", "pictures": "pictures"}


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(ProductRecord) if f.name != "external_id"])
def test_a_field_changes_the_hash_of_its_group_and_no_other(field: str) -> None:
    before, after = hashes(**FULL), hashes(**{**FULL, field: OTHER[field]})
    assert [group for group in GROUPS if before[group] != after[group]] == [GROUP.get(field, "data")]


@pytest.mark.parametrize(
    "field", ["attributes", "pictures", "kit", "related", "list_price", "weight_net", "gtin", "sku"]
)
def test_what_is_taken_away_changes_the_hash(field: str) -> None:
    empty = {"attributes": {}, "pictures": (), "kit": (), "related": (), "gtin": "", "sku": None}.get(field)
    before, after = hashes(**FULL), hashes(**{**FULL, field: empty})
    assert before[GROUP.get(field, "data")] != after[GROUP.get(field, "data")]


@pytest.mark.parametrize("field", [*NUMBERS, "kit"])
def test_a_number_has_one_hash_however_it_is_written(field: str) -> None:
    def told(number: str) -> dict[str, Any]:
        return {field: (KitPart("2", Decimal(number)),) if field == "kit" else Decimal(number)}

    assert hashes(**told("150")) == hashes(**told("150.0000")) == hashes(**told("1.5E+2"))


def test_spellings_of_one_content_have_one_hash() -> None:
    assert hashes(ncm="6911.10.10") == hashes(ncm="69111010")
    assert hashes(gtin="SEM GTIN") == hashes(gtin="")
    assert hashes(promotional_price=Decimal(0)) == hashes(promotional_price=None)
    assert hashes(attributes={"Cor": "Azul", "Tamanho": "M"}) == hashes(attributes={"Tamanho": "M", "Cor": "Azul"})


def test_fields_that_swap_their_values_are_a_change() -> None:
    one, two = {"height": Decimal(1), "width": Decimal(2)}, {"height": Decimal(2), "width": Decimal(1)}
    assert hashes(**one)["data"] != hashes(**two)["data"]


def test_the_hash_does_not_know_whose_id_it_is() -> None:
    assert hashes(external_id="1", sku="A") == hashes(external_id="2", sku="A")


# Stock


def test_equal_balances_have_one_hash_whenever_they_were_read() -> None:
    one = balance("1", "10.000", deposits=(deposit("Loja", "10.0"),))
    two = balance("1", "10", as_of=NOON.replace(day=4), deposits=(deposit("Loja", "10"),))
    assert stock_hash(one, Decimal(10)) == stock_hash(two, Decimal("10.00"))


@pytest.mark.parametrize(
    "other",
    [
        balance(physical="11"),
        balance(reserved="1"),
        balance(deposits=(deposit("Loja", "10"),)),
        balance(deposits=(deposit("Loja", "11", "10"),)),
        balance(deposits=(deposit("Loja", "10", "9"),)),
        balance(deposits=(deposit("Fundos", "10", "10"),)),
        balance(deposits=(deposit("Loja", "10", "10", name="Loja nova"),)),
        balance(deposits=(deposit("Loja", "10", "10", counted=False),)),
    ],
)
def test_whatever_differs_in_a_balance_changes_its_hash(other: Any) -> None:
    base = balance(deposits=(deposit("Loja", "10", "10"),))
    assert stock_hash(base, Decimal(10)) != stock_hash(other, Decimal(10))


def test_what_the_store_may_show_is_part_of_the_hash() -> None:
    """Another policy on the same balance is a change: the store shows another number."""
    assert stock_hash(balance(), Decimal(10)) != stock_hash(balance(), Decimal(9))
