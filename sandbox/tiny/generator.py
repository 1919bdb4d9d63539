"""Catalogues of any size for benchmarks: invented, deterministic, generated one by one."""

import random
from collections.abc import Iterator
from typing import Any

from sandbox.tiny.gtin import gtin13

MAX_SIZE = 50_000
_THINGS = ("Caneca", "Camiseta", "Luminária", "Mochila", "Garrafa", "Almofada", "Tapete", "Vaso", "Relógio", "Cadeira")
_LOOKS = ("azul", "de bambu", "infantil", "compacta", "premium", "clássica", "dobrável", "rústica", "de inox", "leve")
_BRANDS = ("Costura Boa", "Barro Vivo", "Clareia", "Fôlego", "Trilha", "Verdejar", "Som Claro", "Folha Nova")
_CATEGORIES = ("Casa >> Cozinha", "Casa >> Decoração", "Moda >> Novidades", "Esporte", "Jardim", "Papelaria")
_NCMS = ("6912.00.00", "6109.10.00", "9405.21.00", "4202.92.00", "9617.00.10")
_COLOURS = ("Azul", "Branca", "Preta", "Verde")
_SIZES = ("P", "M", "G", "GG")
_DESCRIPTION = "<p>Produto inventado para testes de carga. Acabamento de primeira, garantia de 90 dias.</p>"
_START = 1_700_000_000


def products(
    size: int, seed: int = 1, *, variations_share: float = 0.0, kits_share: float = 0.0
) -> Iterator[dict[str, Any]]:
    """Yield `size` product specs; the same arguments give the same products.

    Of them `variations_share` (0 to 1) are parents with 2 to 6 variations each, which come on top of `size`,
    and `kits_share` are kits of two earlier simple products. ValueError beyond 50,000.
    """
    if not 0 <= size <= MAX_SIZE:
        raise ValueError(f"size is 0 to {MAX_SIZE}, got {size}")
    chance = random.Random(seed)
    simple: list[str] = []
    for number in range(1, size + 1):
        spec = _base(number, chance)
        kind = chance.random()
        if kind < variations_share:
            spec["variacoes"] = _variations(number, spec, chance)
            del spec["estoque"], spec["gtin"]
        elif kind < variations_share + kits_share and len(simple) > 1:
            spec["classe_produto"] = "K"
            spec["kit"] = [{"codigo": sku, "quantidade": chance.randint(1, 3)} for sku in chance.sample(simple, 2)]
            del spec["estoque"]
        elif len(simple) < 200:
            simple.append(spec["codigo"])
        yield spec


def _base(number: int, chance: random.Random) -> dict[str, Any]:
    price = chance.randint(990, 49_990) / 100
    weight = chance.randint(50, 5_000) / 1_000
    return {
        "codigo": f"GER-{number:06d}",
        "nome": f"{chance.choice(_THINGS)} {chance.choice(_LOOKS)} {number}",
        "preco": price,
        "preco_promocional": round(price * 0.9, 2) if number % 7 == 0 else 0.0,
        "preco_custo": round(price * 0.6, 2),
        "gtin": gtin13(600_000_000 + number),
        "ncm": chance.choice(_NCMS),
        "marca": chance.choice(_BRANDS),
        "categoria": chance.choice(_CATEGORIES),
        "descricao_complementar": _DESCRIPTION,
        "peso_liquido": weight,
        "peso_bruto": weight,
        "altura_embalagem": float(chance.randint(2, 40)),
        "largura_embalagem": float(chance.randint(5, 60)),
        "comprimento_embalagem": float(chance.randint(11, 80)),
        "anexos": [f"https://imagens.loja-exemplo.example/g/{number}.jpg"],
        "estoque": chance.randint(0, 200),
        "criado": _START + number * 60,
    }


def _variations(number: int, parent: dict[str, Any], chance: random.Random) -> list[dict[str, Any]]:
    grades = [{"Cor": colour, "Tamanho": size} for colour in _COLOURS for size in _SIZES]
    chosen = chance.sample(grades, chance.randint(2, 6))
    return [
        {
            "codigo": f"{parent['codigo']}-{at}",
            "grade": grade,
            "preco": parent["preco"],
            "gtin": gtin13(700_000_000 + number * 10 + at),
            "estoque": chance.randint(0, 50),
        }
        for at, grade in enumerate(chosen, 1)
    ]
