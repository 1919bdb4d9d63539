"""A product as the simulated ERP stores it; field names are those of API v2 (`reference/tiny.md` §3.3, §3.4)."""

from collections.abc import Mapping
from typing import Any

TEXTS = {
    "codigo": "",
    "nome": "",
    "unidade": "UN",
    "ncm": "",
    "origem": "0",
    "gtin": "",
    "situacao": "A",
    "tipo": "P",
    "classe_produto": "S",
    "marca": "",
    "categoria": "",
    "descricao_complementar": "",
}
NUMBERS = {
    "preco": 0.0,
    "preco_promocional": 0.0,
    "preco_custo": 0.0,
    "peso_liquido": 0.0,
    "peso_bruto": 0.0,
    "altura_embalagem": 0.0,
    "largura_embalagem": 0.0,
    "comprimento_embalagem": 0.0,
}
#: Fields few products have; kept in a dictionary only where they differ from these defaults.
RARE: dict[str, Any] = {
    "gtin_embalagem": "",
    "cest": "",
    "localizacao": "",
    "codigo_fornecedor": "",
    "codigo_pelo_fornecedor": "",
    "unidade_por_caixa": "",
    "classe_ipi": "",
    "cod_lista_servicos": "",
    "codigo_anvisa": "",
    "motivo_isencao": "",
    "obs": "",
    "garantia": "",
    "sob_encomenda": "N",
    "tipo_embalagem": "2",
    "seo_title": "",
    "seo_keywords": "",
    "seo_description": "",
    "link_video": "",
    "slug": "",
    "estoque_minimo": 0.0,
    "estoque_maximo": 0.0,
    "preco_custo_medio": 0.0,
    "valor_ipi_fixo": 0.0,
    "diametro_embalagem": 0.0,
    "id_fornecedor": 0,
    "dias_preparacao": 0,
    "qtd_volumes": 1,
    "imagens_externas": (),
    "tags": (),
    "etapas": (),
    "grade": {},
    # Not fields of the API: ids of the variations, (id, quantity) of the parts, decimals the price is written with.
    "filhos": (),
    "kit": (),
    "estrutura": (),
    "casas": 2,
}
#: What the control API and the catalogues may write as they are.
WRITABLE = frozenset(
    {*TEXTS, *NUMBERS, *RARE, "anexos"} - {"filhos", "kit", "estrutura"},
)
CHOICES = {"situacao": "AIE", "tipo": "PS", "classe_produto": "SKVFM", "sob_encomenda": "SN"}
#: Longest value of each field (`reference/tiny.md` §9 and §3.3).
LENGTHS = {
    "nome": 120,
    "codigo": 30,
    "unidade": 3,
    "ncm": 10,
    "gtin": 14,
    "gtin_embalagem": 14,
    "cest": 9,
    "localizacao": 50,
    "codigo_fornecedor": 15,
    "codigo_pelo_fornecedor": 20,
    "classe_ipi": 5,
    "cod_lista_servicos": 5,
    "codigo_anvisa": 13,
    "motivo_isencao": 255,
    "seo_title": 120,
    "seo_keywords": 255,
    "seo_description": 255,
    "link_video": 100,
}


class Product:
    """One row of the product register: simple, parent, variation, kit or service.

    `stock` and `reserved` hold one number per deposit of the account, in its order, and may be shorter.
    `criado`, `alterado` and `estoque_em` are seconds since the epoch (`alterado` None = never edited).
    """

    __slots__ = (
        *TEXTS,
        *NUMBERS,
        "alterado",
        "anexos",
        "criado",
        "estoque_em",
        "id",
        "pai",
        "rare",
        "reserved",
        "stock",
        "tipoVariacao",
    )

    def __init__(self, product_id: int, created: float) -> None:
        for name, value in TEXTS.items():
            setattr(self, name, value)
        for name, number in NUMBERS.items():
            setattr(self, name, number)
        self.id = product_id
        self.tipoVariacao = "N"
        self.pai = 0
        self.anexos: tuple[str, ...] = ()
        self.stock: tuple[float, ...] = ()
        self.reserved: tuple[float, ...] = ()
        self.criado = created
        self.alterado: float | None = None
        self.estoque_em: float | None = None
        self.rare: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name in RARE:
            rare = self.rare
            return RARE[name] if rare is None else rare.get(name, RARE[name])
        raise AttributeError(name)

    def put(self, name: str, value: Any) -> None:
        """Store one field in the type it has; ValueError says what is valid."""
        if name in TEXTS:
            setattr(self, name, as_choice(name, as_text(value)))
        elif name in NUMBERS:
            setattr(self, name, as_number(name, value))
        elif name == "anexos":
            self.anexos = tuple(as_text(url) for url in value)
        elif name in RARE:
            value = _rare(name, value)
            rare = dict(self.rare or {})
            if value == RARE[name]:
                rare.pop(name, None)
            else:
                rare[name] = value
            self.rare = rare or None
        else:
            raise ValueError(f"unknown product field {name!r}; there are {', '.join(sorted(WRITABLE))}")

    def copy(self) -> "Product":
        """Return a copy that later edits do not reach."""
        other = Product.__new__(Product)
        for name in Product.__slots__:
            setattr(other, name, getattr(self, name))
        return other

    def blank(self, keep: frozenset[str]) -> None:
        """Empty every scalar field not in `keep`, as an update of v2 does with what it leaves out (§3.4)."""
        for name in TEXTS:
            if name not in keep and name not in CHOICES:
                setattr(self, name, "0" if name == "origem" else "")
        for name in NUMBERS:
            if name not in keep:
                setattr(self, name, 0.0)
        collections = ("imagens_externas", "tags", "etapas", "grade", "filhos", "kit", "estrutura", "casas")
        rare = {k: v for k, v in (self.rare or {}).items() if k in keep or k in collections}
        self.rare = rare or None


def put_all(product: Product, fields: Mapping[str, Any]) -> None:
    """Store many fields; nothing is stored when one of them is wrong (ValueError)."""
    trial = product.copy()
    for name, value in fields.items():
        trial.put(name, value)
    for name in Product.__slots__:
        setattr(product, name, getattr(trial, name))


def as_text(value: Any) -> str:
    """Return a value as text; None is empty."""
    return "" if value is None else str(value)


def as_number(name: str, value: Any) -> float:
    """Return a number given as number or text (empty = 0); ValueError for anything else."""
    if value in (None, ""):
        return 0.0
    if isinstance(value, bool):
        raise ValueError(f"{name} is a number, got {value!r}")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} is a number, got {value!r}") from None


def as_choice(name: str, value: str) -> str:
    """Return a value of an enumerated field; ValueError names the valid ones."""
    if name in CHOICES and (len(value) != 1 or value not in CHOICES[name]):
        raise ValueError(f"{name} is one of {', '.join(CHOICES[name])}, got {value!r}")
    return value


def _rare(name: str, value: Any) -> Any:
    default = RARE[name]
    if isinstance(default, tuple):
        return tuple(value)
    if isinstance(default, dict):
        return {as_text(key): as_text(text) for key, text in value.items()}
    if isinstance(default, float):
        return as_number(name, value)
    if isinstance(default, int):
        return int(as_number(name, value))
    return as_choice(name, as_text(value))
