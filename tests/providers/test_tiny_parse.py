"""What both Tiny APIs write, read however it is spelt."""

import json
from decimal import Decimal

import pytest

from providers.tiny_parse import (
    Reader,
    as_json,
    document,
    fingerprint,
    grade,
    identity,
    many,
    number,
    one,
    shown,
    text,
    whole,
)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("150.0000", "150.0000"),
        ("36.3200000000", "36.3200000000"),
        (" 1.20 ", "1.20"),
        ("-3", "-3"),
        (".5", "0.5"),
        (7, "7"),
        (Decimal("19.9"), "19.9"),
        (19.9, "19.9"),
        (Decimal("59.900000000000006"), "59.9"),
        (Decimal("1E+2"), "100"),
        (Decimal("1E-400"), "0"),
        (Decimal("0E+900"), "0"),
    ],
)
def test_numbers_are_read_exactly_in_every_spelling(told: object, meant: str) -> None:
    found = number(told)
    assert isinstance(found, Decimal)
    assert found == Decimal(meant)
    assert len(format(found, "f")) < 60


@pytest.mark.parametrize(
    "told", ["29,90", "1.234,56", "R$ 5", "1e5", "1_000", "x", "NaN", float("inf"), True, {"a": 1}, [1], "٣"]
)
def test_what_is_no_number_is_not_guessed_at(told: object) -> None:
    assert number(told) == "not_a_number"


@pytest.mark.parametrize("told", ["10000000000000", 10**13, Decimal("1E+999999999")])
def test_numbers_beyond_what_is_stored_are_refused(told: object) -> None:
    assert number(told) == "too_large"


@pytest.mark.parametrize("told", ["0", 0, "", None, [], {}, "  "])
def test_no_id_is_recognised(told: object) -> None:
    assert identity(told) == ""


def test_ids_are_text_whichever_way_they_came() -> None:
    assert identity(46829062) == identity("46829062") == identity(" 46829062 ") == "46829062"
    assert identity("9" * 61) == ""


def test_text_is_cast_and_freed_of_what_no_database_takes() -> None:
    assert text(123) == "123"
    assert text("  Caneca & Cia 🧉 ") == "Caneca & Cia 🧉"
    assert text("a\0b") == "ab"
    assert text("caf\ud83d\u00e9") == "café"
    assert text(None) == text({}) == text([1]) == text(False) == ""


def test_collections_come_in_every_form() -> None:
    row = {"id": 1}
    assert many([{"item": row}, {"item": row}], "item") == [row, row]
    assert many({"item": row}, "item") == [row]
    assert many({"item": [row, row]}, "item") == [row, row]
    assert many([row], "item") == [row]
    for nothing in ("", None, [], {}, 0):
        assert many(nothing, "item") == []


def test_one_object_comes_bare_or_in_a_list() -> None:
    assert one({"id": 1}) == one([{"id": 1}]) == {"id": 1}
    assert one("") == one([]) == one(None) == one(["x"]) == {}


def test_counts_are_read_from_text_and_number() -> None:
    assert whole("3") == whole(3) == 3
    assert whole("") is whole(None) is whole("-1") is whole("1.5") is whole("²") is None


def test_grades_of_both_apis_mean_the_same() -> None:
    pairs = [{"chave": "Cor", "valor": "Azul"}, {"chave": "Tamanho", "valor": 42}]
    assert grade({"Cor": "Azul", "Tamanho": 42}) == grade(pairs) == {"Cor": "Azul", "Tamanho": "42"}
    assert grade({"chave": "Cor", "valor": "Azul"}) == {"Cor": "Azul"}
    assert grade("") == grade(None) == grade([]) == {}


def test_documents_keep_letters_and_digits_only() -> None:
    assert document("12.abc.345/01de-35") == "12ABC34501DE35"
    assert document(None) == ""


def test_a_fingerprint_changes_with_anything_in_the_row() -> None:
    row = {"id": 1, "codigo": "A-1", "preco": "1.20", "precos": {"preco": Decimal("1.2")}, "ativo": True}
    marks = {
        fingerprint(row),
        fingerprint({**row, "preco": "1.21"}),
        fingerprint({**row, "codigo": "A-1 "}),
        fingerprint({**row, "precos": {"preco": Decimal("1.3")}}),
        fingerprint({**row, "ativo": False}),
        fingerprint({**row, "novo": "x"}),
    }
    assert len(marks) == 6
    assert all(len(mark) == 32 for mark in marks)


def test_a_fingerprint_does_not_mind_order_nor_a_number_as_text() -> None:
    assert fingerprint({"id": 1, "codigo": 123, "gtin": None}) == fingerprint({"gtin": "", "codigo": "123", "id": "1"})


def test_everything_that_was_wrong_is_told_at_once() -> None:
    reader = Reader()
    assert reader.number("list_price", "29,90") is None
    assert reader.text("name", {"a": 1}) == ""
    assert reader.code("active", "X", {"A": True}, absent=True) is True
    found = reader.refused({"id": 7, "nome": "Caneca", "codigo": 12})
    assert [(p.field, p.reason, p.received) for p in found.problems] == [
        ("list_price", "not_a_number", "29,90"),
        ("name", "not_a_text", '{"a":1}'),
        ("active", "unknown_code", "X"),
    ]
    assert (found.external_id, found.name, found.sku) == ("7", "Caneca", "12")
    assert json.loads(found.payload) == {"id": 7, "nome": "Caneca", "codigo": 12}


def test_what_is_shown_of_a_value_is_short() -> None:
    assert shown("x" * 500) == "x" * 100 + "…"
    assert shown(None) == "None"


def test_payloads_nested_beyond_reason_do_not_break_the_refusal() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert json.loads(as_json(deep)) == "nested too deeply to be kept"
