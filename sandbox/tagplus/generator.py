"""Catalogues and customers of any size: invented, the same for the same arguments."""

import random
from typing import Any

from sandbox.core.documents import cnpj, cpf
from sandbox.tagplus import customers, product_body
from sandbox.tagplus.accounts import Account, Actor
from sandbox.tagplus.lookups import FIRST_CITY

MAX_SIZE = 50_000
_THINGS = ("Caneca", "Camiseta", "Luminária", "Mochila", "Garrafa", "Almofada", "Tapete", "Vaso")
_LOOKS = ("azul", "de bambu", "infantil", "compacta", "premium", "clássica", "dobrável", "rústica")


def checked(name: str, value: Any) -> int:
    """Return a size; ValueError when it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_SIZE:
        raise ValueError(f"{name} is a whole number from 0 to {MAX_SIZE}, got {value!r}")
    return value


def fill(account: Account, products: int, customer_count: int, seed: int) -> None:
    """Add products with the codes GER-000001 on, and customers of whom every fourth is a company."""
    chance, actor = random.Random(seed), Actor(account, api=False)
    for number in range(1, products + 1):
        product_body.create(actor, product(number, chance))
    for number in range(1, customer_count + 1):
        customers.create(actor, customer(number))


def product(number: int, chance: random.Random) -> dict[str, Any]:
    """Return the body of the numbered product."""
    price = chance.randint(990, 49_990) / 100
    return {
        "descricao": f"{chance.choice(_THINGS)} {chance.choice(_LOOKS)} {number}",
        "codigo": f"GER-{number:06d}",
        "categoria": 1,
        "unidade_saida": 1,
        "tributo_ncm": "69120000",
        "valor_venda_varejo": price,
        "custo_utilizado": round(price * 0.6, 2),
        "qtd_revenda": chance.randint(0, 200),
        "peso": 0.5,
        "altura": 10,
        "largura": 10,
        "comprimento": 10,
        "sincroniza": True,
    }


def customer(number: int) -> dict[str, Any]:
    """Return the body of the numbered customer."""
    company = number % 4 == 0
    return {
        "razao_social": f"Empresa Inventada {number} Ltda" if company else f"Cliente Inventado {number}",
        "tipo": "J" if company else "F",
        **({"cnpj": cnpj(200_000 + number)} if company else {"cpf": cpf(910_000_000 + number)}),
        "recebe_email": False,
        "contatos": [{"descricao": f"cliente{number}@clientes.example", "tipo_contato": 2, "principal": True}],
        "enderecos": [
            {
                "principal": True, "cep": "88010-000", "logradouro": "Rua Inventada", "numero": str(number),
                "bairro": "Centro", "id_cidade": FIRST_CITY + number % 27, "tipo_cadastro": 1,
            }
        ],
    }  # fmt: skip
