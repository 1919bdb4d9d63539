"""Oddities of the default catalogue: legal in Tiny, hard on a careless client."""

from collections.abc import Iterator
from typing import Any

from sandbox.tiny.gtin import gtin13

Spec = dict[str, Any]

GENERAL, SHOP, DAMAGED = "Depósito Geral", "Loja Física", "Avariados"
PICTURES = "https://imagens.loja-exemplo.example"
LONG_NAME = ("Conjunto decorativo artesanal para sala de estar com acabamento em madeira de demolição, " * 4)[:300]


def odd_products() -> Iterator[Spec]:
    """Yield them: HTML, emoji, long names, strange codes, prices, states, kinds and balances."""
    old = {"criado": "2023-03-10T09:00:00"}
    yield old | {
        "codigo": "HTML-01",
        "nome": "Chá & ervas: kit degustação <12 sabores>",
        "preco": 64.9,
        "descricao_complementar": (
            '<h2>Doze sabores</h2><ul><li>Camomila</li><li>Hortelã &amp; mel</li></ul><p style="color:#060">'
            "Sem açúcar.<br>Validade: 24 meses</p><script>alert('não execute')</script>"
        ),
        "ncm": "2101.20.20",
        "gtin": gtin13(200_001),
        "cest": "17.097.00",
        "peso_liquido": 0.24,
        "estoque": 12,
    }
    yield old | {
        "codigo": "EMOJI-01",
        "nome": "Almofada sorriso 😀 edição “verão” — ☀️",
        "preco": 49.9,
        "obs": "Cliente gosta 👍",
        "gtin": gtin13(200_002),
        "estoque": 20,
    }
    yield old | {"codigo": "NOME-300", "nome": LONG_NAME, "preco": 899.0, "gtin": gtin13(200_003), "estoque": 2}
    yield old | {"codigo": "SEM-GTIN", "nome": "Sabonete artesanal", "preco": 14.5, "gtin": "SEM GTIN", "estoque": 90}
    yield old | {"codigo": "PESO-ZERO", "nome": "Adesivo decorativo", "preco": 9.9, "peso_bruto": 0, "estoque": 500}
    yield old | {
        "codigo": "PRECO-4",
        "nome": "Tecido linho por metro",
        "unidade": "M",
        "preco": 150.0,
        "casas": 4,
        "estoque": 37.5,
    }
    yield old | {"codigo": "PRECO-10", "nome": "Parafuso avulso", "preco": 0.0375, "casas": 10, "estoque": 12_000}
    yield old | {
        "codigo": "123",
        "nome": "Produto de código numérico",
        "preco": 36.32,
        "gtin": gtin13(200_004),
        "estoque": 5,
    }
    yield old | {"codigo": "000457", "nome": "Produto de código com zeros", "preco": 18.0, "estoque": 6}
    yield old | {"codigo": "7891000000014", "nome": "Código igual a um número longo", "preco": 11.0, "estoque": 1}
    yield old | {"codigo": "ESPAÇO 1/2", "nome": "Código com espaço, acento e barra", "preco": 21.0, "estoque": 4}
    yield old | {
        "codigo": "INATIVO-1",
        "nome": "Ventilador de coluna (fora de linha)",
        "preco": 239.9,
        "situacao": "I",
        "estoque": 1,
    }
    yield old | {"codigo": "INATIVO-2", "nome": "Aquecedor de ambiente", "preco": 199.9, "situacao": "I"}
    yield old | {"codigo": "EXCLUIDO-1", "nome": "Calendário de parede antigo", "preco": 15.0, "situacao": "E"}
    yield old | {"codigo": "EXCLUIDO-2", "nome": "Agenda antiga", "preco": 25.0, "situacao": "E"}
    yield old | {
        "codigo": "SERV-INST",
        "nome": "Instalação de prateleira",
        "preco": 80.0,
        "tipo": "S",
        "cod_lista_servicos": "14.06",
    }
    yield old | {"codigo": "SERV-EMB", "nome": "Embalagem para presente", "preco": 7.5, "tipo": "S"}
    yield old | {"codigo": "", "nome": "Produto sem código, primeiro", "preco": 33.0, "estoque": 3}
    yield old | {"codigo": "", "nome": "Produto sem código, segundo", "preco": 44.0, "estoque": 4}
    yield old | {"codigo": "NEG-1", "nome": "Produto vendido sem estoque", "preco": 55.0, "estoque": -3}
    yield old | {
        "codigo": "RESERVA-1",
        "nome": "Produto todo reservado",
        "preco": 66.0,
        "estoque": {GENERAL: {"saldo": 2, "reservado": 2}, SHOP: 0},
    }
    yield old | {
        "codigo": "ENCOMENDA-1",
        "nome": "Estante sob encomenda",
        "preco": 1290.0,
        "sob_encomenda": "S",
        "dias_preparacao": 15,
        "garantia": "12 meses",
        "gtin_embalagem": gtin13(200_005),
        "qtd_volumes": 3,
    }
    yield old | {
        "codigo": "FOTOS-EXT",
        "nome": "Espelho redondo 60 cm",
        "preco": 259.9,
        "anexos": [f"{PICTURES}/espelho.jpg"],
        "imagens_externas": [f"{PICTURES}/externa/espelho-{n}.png" for n in (1, 2)],
        "seo_title": "Espelho redondo",
        "seo_keywords": "espelho, redondo, banheiro",
        "slug": "espelho-redondo-60",
        "estoque": 5,
    }
    yield old | {
        "codigo": "MAT-TECIDO",
        "nome": "Tecido de algodão cru",
        "preco": 18.0,
        "unidade": "M",
        "classe_produto": "M",
        "estoque": 200,
    }
    yield old | {"codigo": "MAT-LINHA", "nome": "Linha de costura", "preco": 4.0, "classe_produto": "M", "estoque": 350}
    yield old | {
        "codigo": "FAB-SACOLA",
        "nome": "Sacola retornável de algodão",
        "preco": 29.9,
        "classe_produto": "F",
        "estrutura": [{"codigo": "MAT-TECIDO", "quantidade": 1.5}, {"codigo": "MAT-LINHA", "quantidade": 1}],
        "etapas": ["Corte", "Costura"],
        "estoque": 25,
    }
