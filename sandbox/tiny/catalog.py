"""The default catalogue: an invented shop whose products show what real registers hold.

Specs use the field names of `product.WRITABLE` plus `variacoes`, `kit`, `estrutura`, `estoque`, `criado` and
`alterado`. Parts of kits stand before the kits.
"""

from collections.abc import Iterator
from typing import Any

from sandbox.tiny.catalog_odd import DAMAGED, GENERAL, PICTURES, SHOP, odd_products
from sandbox.tiny.gtin import gtin13

Spec = dict[str, Any]

#: The only products that are wrong: a GTIN with a bad check digit, an empty name, a negative price.
BAD_GTIN, BAD_NAME, BAD_PRICE = "RUIM-GTIN", "RUIM-NOME", "RUIM-PRECO"
BAD_SKUS = (BAD_GTIN, BAD_NAME, BAD_PRICE)

#: SKU, name, price, category, brand, NCM, net kg, (height, width, length) cm, stock
_SIMPLE = (
    (
        "CAN-300",
        "Caneca de cerâmica 300 ml",
        29.9,
        "Casa >> Cozinha",
        "Barro Vivo",
        "6912.00.00",
        0.3,
        (10, 12, 12),
        40,
    ),
    ("CAN-500", "Caneca térmica 500 ml", 79.9, "Casa >> Cozinha", "Barro Vivo", "9617.00.10", 0.41, (20, 9, 9), 15),
    ("PAN-24", "Panela antiaderente 24 cm", 149.9, "Casa >> Cozinha", "Fogo Baixo", "7615.10.00", 1.2, (12, 26, 45), 8),
    ("PAN-28", "Panela antiaderente 28 cm", 189.9, "Casa >> Cozinha", "Fogo Baixo", "7615.10.00", 1.6, (13, 30, 50), 3),
    (
        "FAC-CHEF",
        'Faca do chef 8" em aço inox',
        119.0,
        "Casa >> Cozinha",
        "Corte Fino",
        "8211.92.10",
        0.22,
        (3, 8, 35),
        22,
    ),
    ("TAB-BAM", "Tábua de bambu média", 59.5, "Casa >> Cozinha", "Corte Fino", "4419.11.00", 0.9, (2, 25, 35), 31),
    (
        "LUM-MESA",
        "Luminária de mesa articulada",
        139.9,
        "Casa >> Iluminação",
        "Clareia",
        "9405.21.00",
        1.05,
        (40, 18, 18),
        12,
    ),
    ("LAMP-9W", "Lâmpada LED 9 W bivolt", 12.9, "Casa >> Iluminação", "Clareia", "8539.52.00", 0.06, (12, 6, 6), 480),
    (
        "VEL-LAV",
        "Vela aromática de lavanda",
        34.9,
        "Casa >> Decoração",
        "Aroma & Cia",
        "3406.00.00",
        0.25,
        (9, 8, 8),
        60,
    ),
    (
        "QUA-PRAIA",
        "Quadro decorativo praia 40 × 60",
        98.0,
        "Casa >> Decoração",
        "Parede Viva",
        "4911.91.00",
        1.4,
        (4, 45, 65),
        7,
    ),
    ("COB-QUEEN", "Cobertor queen microfibra", 129.9, "Cama e banho", "Soninho", "6301.40.00", 1.8, (15, 35, 45), 19),
    (
        "TOA-ROSTO",
        "Toalha de rosto 100% algodão",
        19.9,
        "Cama e banho",
        "Soninho",
        "6302.60.00",
        0.18,
        (4, 20, 30),
        150,
    ),
    (
        "MOU-SEM",
        "Mouse sem fio 1600 DPI",
        49.9,
        "Informática >> Periféricos",
        "Clique",
        "8471.60.53",
        0.09,
        (5, 8, 13),
        75,
    ),
    (
        "TEC-ABNT",
        "Teclado ABNT2 com fio",
        69.9,
        "Informática >> Periféricos",
        "Clique",
        "8471.60.52",
        0.6,
        (4, 15, 46),
        33,
    ),
    ("CAB-USBC", "Cabo USB-C 1 m", 24.9, "Informática >> Cabos", "Clique", "8544.42.00", 0.03, (2, 8, 12), 300),
    ("CAB-HDMI", "Cabo HDMI 2.1 de 2 m", 54.9, "Informática >> Cabos", "Clique", "8544.42.00", 0.12, (3, 15, 18), 96),
    ("FON-BT", "Fone de ouvido Bluetooth", 159.9, "Áudio", "Som Claro", "8518.30.00", 0.05, (4, 10, 10), 27),
    ("CXS-20W", "Caixa de som portátil 20 W", 219.9, "Áudio", "Som Claro", "8518.22.00", 0.7, (10, 10, 22), 11),
    ("GAR-1L", "Garrafa térmica 1 litro", 89.9, "Esporte >> Acessórios", "Fôlego", "9617.00.10", 0.5, (30, 10, 10), 44),
    (
        "COR-NYLON",
        "Corda de pular com rolamento",
        39.9,
        "Esporte >> Acessórios",
        "Fôlego",
        "9506.91.00",
        0.2,
        (5, 12, 20),
        52,
    ),
    ("TAP-YOGA", "Tapete de yoga 6 mm", 99.9, "Esporte >> Yoga", "Fôlego", "4008.11.00", 1.1, (12, 12, 62), 18),
    ("BOL-FUT", "Bola de futebol nº 5", 119.9, "Esporte >> Bolas", "Fôlego", "9506.62.00", 0.43, (22, 22, 22), 24),
    (
        "CAD-200",
        "Caderno universitário 200 folhas",
        27.5,
        "Papelaria",
        "Folha Nova",
        "4820.20.00",
        0.68,
        (3, 21, 28),
        130,
    ),
    ("CAN-GEL12", "Canetas em gel, 12 cores", 32.0, "Papelaria", "Folha Nova", "9608.10.00", 0.15, (2, 16, 17), 85),
    (
        "MOC-NOTE",
        "Mochila para notebook 15,6 polegadas",
        199.9,
        "Acessórios >> Mochilas",
        "Trilha",
        "4202.92.00",
        0.85,
        (45, 30, 15),
        14,
    ),
    ("GUA-AUTO", "Guarda-chuva automático", 69.0, "Acessórios", "Trilha", "6601.91.10", 0.36, (5, 6, 32), 37),
    (
        "RAC-CAO",
        "Ração para cães adultos 10,1 kg",
        164.9,
        "Pet >> Cães",
        "Bicho Bom",
        "2309.10.00",
        10.1,
        (60, 40, 14),
        9,
    ),
    (
        "BRI-CORDA",
        "Brinquedo de corda para cães",
        22.9,
        "Pet >> Cães",
        "Bicho Bom",
        "4201.00.90",
        0.14,
        (5, 10, 25),
        66,
    ),
    ("VAS-CER", "Vaso de cerâmica autoirrigável", 45.0, "Jardim", "Verdejar", "6914.90.00", 1.3, (18, 18, 18), 29),
    ("TES-PODA", "Tesoura de poda", 58.9, "Jardim", "Verdejar", "8201.50.00", 0.24, (3, 9, 24), 21),
)


def products() -> Iterator[Spec]:
    """Yield the catalogue, always the same."""
    for at, row in enumerate(_SIMPLE):
        yield _simple(at, row)
    yield from odd_products()
    yield from _with_variations()
    yield from _kits()
    yield from _bad()


def _simple(at: int, row: tuple[Any, ...]) -> Spec:
    sku, name, price, category, brand, ncm, weight, (height, width, length), stock = row
    spec: Spec = {
        "codigo": sku,
        "nome": name,
        "preco": price,
        "preco_custo": round(price * 0.55, 2),
        "preco_custo_medio": round(price * 0.56, 2),
        "categoria": category,
        "marca": brand,
        "ncm": ncm,
        "gtin": gtin13(100_000 + at),
        "peso_liquido": weight,
        "peso_bruto": round(weight * 1.1, 3),
        "altura_embalagem": height,
        "largura_embalagem": width,
        "comprimento_embalagem": length,
        "localizacao": f"{'ABCD'[at % 4]}{at % 9 + 1}-{at % 30 + 1:02d}",
        "anexos": [f"{PICTURES}/{sku.lower()}-{n}.jpg" for n in range(1, at % 4 + 1)],
        "descricao_complementar": f"<p>{name}.</p>" if at % 3 else "",
        "estoque": {GENERAL: {"saldo": stock, "reservado": at % 3}},
        "criado": f"2024-{at % 12 + 1:02d}-{at % 27 + 1:02d}T10:30:00",
    }
    if at % 5 == 0:
        spec["alterado"] = f"2025-01-{at + 1:02d}T08:00:00"
    if at % 4 == 0:
        spec["preco_promocional"] = round(price * 0.9, 2)
    if at % 6 == 0:
        spec["estoque"] |= {SHOP: at + 2, DAMAGED: 1}
    return spec


def _with_variations() -> Iterator[Spec]:
    yield _parent(
        "CAM-BASIC", "Camiseta básica", 49.9, {"Cor": ("Azul", "Branca", "Preta"), "Tamanho": ("P", "M", "G")}, 1
    )
    yield _parent("TEN-CORRE", "Tênis de corrida", 299.9, {"Tamanho": ("37", "38", "39", "40", "41")}, 2)
    yield _parent("VES-LINHO", "Vestido de linho", 189.9, {"Cor": ("Areia", "Verde-oliva"), "Tamanho": ("P", "M")}, 3)
    yield _parent("CAP-CEL", "Capa de celular", 39.9, {"Modelo": ("A10", "B20", "C30")}, 4)
    yield _parent("MEIA-3", "Meia esportiva", 19.9, {"Tamanho": ("34-38", "39-43")}, 5)
    # The price of a parent may be 0 in Tiny: the variations have it (§8.23).
    yield _parent("TOA-BANHO", "Toalha de banho", 59.9, {"Cor": ("Branca", "Cinza")}, 6) | {"preco": 0.0}
    yield _parent(
        "COL-PET", "Coleira ajustável", 34.9, {"Cor": ("Vermelha", "Azul"), "Porte": ("Pequeno", "Grande")}, 7
    )
    yield _parent("POS-ARTE", "Pôster artístico", 45.0, {"Formato": ("A4", "A3", "A2")}, 8)


def _parent(sku: str, name: str, price: float, axes: dict[str, tuple[str, ...]], number: int) -> Spec:
    rows: list[dict[str, str]] = [{}]
    for axis, values in axes.items():
        rows = [{**row, axis: value} for row in rows for value in values]
    return {
        "codigo": sku,
        "nome": name,
        "preco": price,
        "unidade": "UN",
        "ncm": "6109.10.00",
        "categoria": "Moda >> Novidades",
        "marca": "Costura Boa",
        "peso_liquido": 0.2,
        "peso_bruto": 0.25,
        "altura_embalagem": 3,
        "largura_embalagem": 20,
        "comprimento_embalagem": 30,
        "tipo_embalagem": "1",
        "descricao_complementar": f"<p>{name} em várias opções</p>",
        "anexos": [f"{PICTURES}/{sku.lower()}.jpg"],
        "criado": f"2024-0{number}-20T14:00:00",
        "variacoes": [
            {
                "codigo": f"{sku}-{at}",
                "grade": grade,
                "preco": round(price + at, 2),
                "preco_promocional": round(price * 0.8, 2) if at == 1 else 0,
                "gtin": gtin13(300_000 + number * 100 + at),
                "estoque": {GENERAL: {"saldo": at * 2, "reservado": at % 2}, SHOP: at},
                "anexos": [f"{PICTURES}/{sku.lower()}-{at}.jpg"] if at % 2 else [],
            }
            for at, grade in enumerate(rows, 1)
        ],
    }


def _kits() -> Iterator[Spec]:
    old = {"criado": "2024-06-01T09:00:00", "classe_produto": "K", "unidade": "KIT"}
    yield old | {
        "codigo": "KIT-CAFE",
        "nome": "Kit café da manhã: 2 canecas & 1 tábua",
        "preco": 109.9,
        "gtin": gtin13(400_001),
        "kit": [{"codigo": "CAN-300", "quantidade": 2}, {"codigo": "TAB-BAM", "quantidade": 1}],
    }
    yield old | {
        "codigo": "KIT-ESCRITA",
        "nome": "Kit escolar",
        "preco": 79.9,
        "preco_promocional": 69.9,
        "kit": [{"codigo": "CAD-200", "quantidade": 3}, {"codigo": "CAN-GEL12", "quantidade": 1}],
    }
    yield old | {
        "codigo": "KIT-CAMISAS",
        "nome": "Kit 2 camisetas básicas",
        "preco": 94.9,
        "kit": [{"codigo": "CAM-BASIC-1", "quantidade": 1}, {"codigo": "CAM-BASIC-4", "quantidade": 1}],
    }


def _bad() -> Iterator[Spec]:
    right = gtin13(500_001)
    wrong = right[:-1] + str((int(right[-1]) + 1) % 10)
    old = {"criado": "2024-09-01T09:00:00", "estoque": 5}
    yield old | {"codigo": BAD_GTIN, "nome": "Produto com GTIN de dígito errado", "preco": 20.0, "gtin": wrong}
    yield old | {"codigo": BAD_NAME, "nome": "", "preco": 20.0}
    yield old | {"codigo": BAD_PRICE, "nome": "Produto de preço negativo", "preco": -20.0}
