"""The catalogues are what they promise; the command refuses to leave the loopback."""

import csv
import itertools
import re
import subprocess
import sys

import httpx
import pytest

from sandbox.core.server import check_loopback
from sandbox.tiny import catalog, generator, olist
from sandbox.tiny.gtin import check_digit


def test_default_catalogue_is_varied():
    specs = list(catalog.products())
    assert len(specs) >= 60
    assert {s.get("situacao", "A") for s in specs} == {"A", "I", "E"}
    assert {s.get("classe_produto", "S") for s in specs} >= {"S", "K", "F", "M"}
    assert {len(s["variacoes"][0]["grade"]) for s in specs if s.get("variacoes")} == {1, 2}
    assert any(len(s["nome"]) == 300 for s in specs)
    assert sum(s["codigo"] == "" for s in specs) == 2
    assert specs == list(catalog.products())


def test_exactly_three_products_are_bad():
    bad = set()
    for spec in catalog.products():
        for row in (spec, *spec.get("variacoes", ())):
            gtin = row.get("gtin", "")
            wrong = gtin.isdigit() and int(gtin[-1]) != check_digit(gtin[:-1])
            if wrong or row.get("nome") == "" or row["preco"] < 0:
                bad.add(row["codigo"])
    assert bad == set(catalog.BAD_SKUS)
    assert len(catalog.BAD_SKUS) == 3


def test_skus_of_the_default_catalogue_are_unique():
    rows = [r for s in catalog.products() for r in (s, *s.get("variacoes", ()))]
    skus = [r["codigo"] for r in rows if r["codigo"]]
    assert len(skus) == len(set(skus))


def test_generator_is_deterministic_and_lazy():
    assert list(generator.products(50, 7)) == list(generator.products(50, 7))
    assert list(generator.products(50, 7)) != list(generator.products(50, 8))
    assert len(list(itertools.islice(generator.products(50_000), 3))) == 3
    assert not any("variacoes" in s or "kit" in s for s in generator.products(300))
    mixed = list(generator.products(400, variations_share=0.2, kits_share=0.1))
    assert 40 <= sum("variacoes" in s for s in mixed) <= 120
    assert 15 <= sum("kit" in s for s in mixed) <= 70
    with pytest.raises(ValueError, match="50000"):
        next(generator.products(50_001))


def test_mixed_generated_catalogue_is_served(tiny):
    body = {"catalog": "generated", "size": 200, "seed": 3, "variations_share": 0.2, "kits_share": 0.1}
    assert tiny.control("POST", "/tiny/accounts/demo/seed", body)["products"] > 200
    assert tiny.v2("produtos.pesquisa", pesquisa="")["numero_paginas"] > "2"


def test_olist_rows_become_products(tmp_path):
    head = [
        "product_id",
        "product_category_name",
        "product_name_lenght",
        "product_description_lenght",
        "product_photos_qty",
        "product_weight_g",
        "product_length_cm",
        "product_height_cm",
        "product_width_cm",
    ]
    key = "a" * 32
    with (tmp_path / "olist_products_dataset.csv").open("w", newline="") as file:
        csv.writer(file).writerows([head, [key, "cama_mesa_banho", 1, 1, 2, 650, 28, 9, 14], ["b" * 32, *[""] * 8]])
    with (tmp_path / "olist_order_items_dataset.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["product_id", "price"], [key, "10.00"], [key, "30.00"], [key, "14.50"]])
    first, second = olist.products(tmp_path)
    assert first["codigo"] == "a" * 30
    assert first["nome"].startswith("Cama mesa banho")
    assert (first["preco"], first["peso_bruto"], first["altura_embalagem"]) == (14.5, 0.65, 9)
    assert len(first["anexos"]) == 2
    assert second["preco"] > 0
    with pytest.raises(FileNotFoundError, match="olist_products_dataset"):
        next(olist.products(tmp_path / "none"))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.10", "example.com", "::", ""])
def test_only_loopback_is_listened_on(host):
    with pytest.raises(ValueError, match="loopback"):
        check_loopback(host)


def test_command_announces_its_address_and_stops():
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--size", "5", "--plan", "unlimited"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline()
            url = re.fullmatch(r"sandbox listening on (http://127\.0\.0\.1:\d+)\n", line)[1]
            assert httpx.get(f"{url}/_sandbox/").json()["vendors"] == {"tiny": {"demo": 5}}
        finally:
            process.terminate()
            process.wait(10)


def test_command_refuses_other_hosts(capsys):
    from sandbox.__main__ import main

    assert main(["--host", "0.0.0.0"]) == 2
    assert "loopback only" in capsys.readouterr().err
