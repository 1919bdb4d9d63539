"""Catalogues and clients of any size: invented, the same for the same arguments."""

import random
from typing import Any

from sandbox.contaazul import people, product_body
from sandbox.contaazul.store import Store
from sandbox.core.documents import cnpj, cpf

MAX_SIZE = 50_000
_THINGS = ("Caneca", "Camiseta", "Luminária", "Mochila", "Garrafa", "Almofada", "Tapete", "Vaso")
_LOOKS = ("azul", "de bambu", "infantil", "compacta", "premium", "clássica", "dobrável", "rústica")
_CITIES = (("Florianópolis", "SC", 4205407, "88010-000"), ("São Paulo", "SP", 3550308, "01001-000"))


def checked(name: str, value: Any) -> int:
    """Return a size; ValueError when it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SIZE:
        raise ValueError(f"{name} is a whole number from 0 to {MAX_SIZE}, got {value!r}")
    return value


def fill(store: Store, products: int, people_count: int, seed: int) -> None:
    """Add products with the SKUs GER-000001 on, and people of whom every fourth is a company."""
    chance = random.Random(seed)
    for number in range(1, products + 1):
        product_body.build(store, product(number, chance), origem="ERP")
    for number in range(1, people_count + 1):
        people.build(store, person(number), origem="ERP")


def product(number: int, chance: random.Random) -> dict[str, Any]:
    """Return the body of the numbered product."""
    price = chance.randint(990, 49_990) / 100
    return {
        "nome": f"{chance.choice(_THINGS)} {chance.choice(_LOOKS)} {number}",
        "codigo_sku": f"GER-{number:06d}",
        "descricao": "Produto inventado para testes.",
        "unidade_medida": {"id": 10_802},
        "fiscal": {"ncm": {"id": 1_000_000 + 69_120_000}, "origem": "NACIONAL"},
        "estoque": {
            "valor_venda": price,
            "custo_medio": round(price * 0.6, 2),
            "estoque_disponivel": chance.randint(0, 200),
        },
        "pesos_dimensoes": {"peso_bruto": 0.5, "peso_liquido": 0.45},
    }


def person(number: int) -> dict[str, Any]:
    """Return the body of the numbered client."""
    city, state, code, zip_code = _CITIES[number % len(_CITIES)]
    company = number % 4 == 0
    return {
        "nome": f"Empresa Inventada {number} Ltda" if company else f"Cliente Inventado {number}",
        "tipo_pessoa": "Jurídica" if company else "Física",
        **({"cnpj": cnpj(100_000 + number)} if company else {"cpf": cpf(900_000_000 + number)}),
        "email": f"cliente{number}@clientes.example",
        "perfis": [{"tipo_perfil": "Cliente"}],
        "enderecos": [
            {
                "logradouro": "Rua Inventada", "numero": str(number), "bairro": "Centro", "cidade": city,
                "estado": state, "cep": zip_code, "pais": "Brasil", "id_cidade": code,
            }
        ],
    }  # fmt: skip
