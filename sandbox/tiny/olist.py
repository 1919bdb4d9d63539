"""Products from the public Olist e-commerce data set (`olist_products_dataset.csv[.gz]`)."""

import csv
import gzip
import io
import zlib
from array import array
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from sandbox.tiny.gtin import gtin13

_START = 1_600_000_000
SKU_LENGTH = 30


def products(folder: Path, size: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield one product spec for each row (at most `size`), in the order of the file.

    The SKU is the first 30 letters of product_id (the longest code Tiny keeps); the name is made up from the
    category; the price is the median of the sold items where `olist_order_items_dataset.csv[.gz]` lies beside,
    else derived from the id; grams become kg. FileNotFoundError names the file that is missing.
    """
    source = _find(folder, "olist_products_dataset")
    if source is None:
        raise FileNotFoundError(f"no olist_products_dataset.csv or .csv.gz in {folder}")
    prices = _median_prices(folder)
    for number, row in enumerate(_rows(source), 1):
        if size is not None and number > size:
            return
        yield _spec(number, row, prices)


def _spec(number: int, row: dict[str, str], prices: dict[str, float]) -> dict[str, Any]:
    key = row["product_id"]
    fate = zlib.crc32(key.encode())
    category = row["product_category_name"].replace("_", " ").strip().capitalize() or "Diversos"
    price = prices.get(key, 990 / 100 + fate % 30_000 / 100)
    weight = _number(row["product_weight_g"]) / 1000
    pictures = int(_number(row["product_photos_qty"]))
    return {
        "codigo": key[:SKU_LENGTH],
        "nome": f"{category} modelo {fate % 10_000:04d}-{number}",
        "preco": round(price, 2),
        "preco_custo": round(price * 0.6, 2),
        "categoria": category,
        "gtin": gtin13(800_000_000 + number),
        "peso_liquido": weight,
        "peso_bruto": weight,
        "altura_embalagem": _number(row["product_height_cm"]),
        "largura_embalagem": _number(row["product_width_cm"]),
        "comprimento_embalagem": _number(row["product_length_cm"]),
        "anexos": [f"https://imagens.loja-exemplo.example/o/{number}-{n}.jpg" for n in range(1, pictures + 1)],
        "estoque": fate % 90,
        "criado": _START + number * 120,
    }


def _median_prices(folder: Path) -> dict[str, float]:
    source = _find(folder, "olist_order_items_dataset")
    if source is None:
        return {}
    sold: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
    for row in _rows(source):
        sold[row["product_id"]].append(float(row["price"]))
    return {key: median(values) for key, values in sold.items()}


def _find(folder: Path, name: str) -> Path | None:
    return next((p for p in (folder / f"{name}.csv", folder / f"{name}.csv.gz") if p.is_file()), None)


def _rows(source: Path) -> Iterator[dict[str, str]]:
    with source.open("rb") as raw:
        plain: Any = gzip.GzipFile(fileobj=raw) if source.suffix == ".gz" else raw
        with io.TextIOWrapper(plain, "utf-8-sig", newline="") as text:
            yield from csv.DictReader(text)


def _number(text: str) -> float:
    return float(text) if text else 0.0
