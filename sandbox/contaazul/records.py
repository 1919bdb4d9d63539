"""What an account of the simulated Conta Azul holds: products, people, sales, invoices.

Nested values are never changed in place: an edit gives the attribute a new value (see `register`).
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sandbox.core.documents import plain

CENT = Decimal("0.01")


@dataclass(slots=True, eq=False)
class Product:
    """A product; a variation has a `parent`."""

    id: str
    id_legado: int
    nome: str
    codigo_sku: str
    created_at: float
    changed_at: float
    codigo_ean: str = ""
    descricao: str = ""
    status: str = "ATIVO"
    formato: str = "SIMPLES"
    categoria: int = 1
    unidade: int | None = None
    id_centro_custo: str | None = None
    price: float = 0.0
    cost: float = 0.0
    stock: float = 0.0
    reserved: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0
    fiscal: dict[str, Any] = field(default_factory=dict)
    sizes: dict[str, Any] = field(default_factory=dict)
    ecommerce: dict[str, Any] = field(default_factory=dict)
    kit: tuple[dict[str, Any], ...] = ()
    kit_price: float | None = None
    conversions: tuple[dict[str, Any], ...] = ()
    parent: str | None = None
    children: tuple[str, ...] = ()
    types: tuple[dict[str, Any], ...] = ()
    options: tuple[dict[str, Any], ...] = ()
    moved: bool = False
    versao: int = 0
    origem: str = "API"
    request: dict[str, Any] | None = None

    def keys(self) -> Iterable[Hashable]:
        """Products are found by SKU."""
        return (("sku", self.codigo_sku),)


@dataclass(slots=True, eq=False)
class Person:
    """A person; `fields` has the names of the detail, with `cpf` and `cnpj` instead of `documento`."""

    id: str
    id_legado: int
    uuid_legado: str
    fields: dict[str, Any]
    created_at: float
    changed_at: float
    ativo: bool = True
    origem: str = "API"
    request: dict[str, Any] | None = None

    @property
    def nome(self) -> str:
        """The name."""
        return str(self.fields["nome"])

    @property
    def documento(self) -> str:
        """The document of the kind of person, without mask; empty when there is none."""
        order = ("cpf", "cnpj") if self.fields["tipo_pessoa"] == "Física" else ("cnpj", "cpf")
        return next((plain(self.fields[name]) for name in order if self.fields.get(name)), "")

    @property
    def profiles(self) -> list[str]:
        """The profiles: Cliente, Fornecedor, Transportadora."""
        return [row["tipo_perfil"] for row in self.fields.get("perfis") or ()]

    @property
    def address(self) -> dict[str, Any]:
        """The first address, empty when there is none."""
        return next(iter(self.fields.get("enderecos") or ()), {})

    def keys(self) -> Iterable[Hashable]:
        """People are found by document and by the UUID of the old model."""
        return (("documento", self.documento), ("legado", self.uuid_legado))


@dataclass(slots=True, eq=False)
class Sale:
    """A sale or, with tipo ORCAMENTO, a budget. `deleted` sales still answer by id (§6.5)."""

    id: str
    id_legado: int
    numero: int
    situacao: str
    data_venda: str
    id_cliente: str
    client: dict[str, Any]
    itens: tuple[dict[str, Any], ...]
    payment: dict[str, Any]
    created_at: float
    changed_at: float
    freight: float = 0.0
    discount: dict[str, Any] | None = None
    id_categoria: str | None = None
    id_centro_custo: str | None = None
    id_vendedor: str | None = None
    id_natureza_operacao: str | None = None
    observacoes: str = ""
    observacoes_pagamento: str = ""
    tipo: str = "VENDA"
    origem: str = "API"
    versao: int = 0
    deleted: bool = False
    event_id: str | None = None
    #: product id → quantity this sale took out of the stock.
    taken: dict[str, float] = field(default_factory=dict)
    #: invoicing was set off for this sale; it happens once.
    queued: bool = False
    #: items, discount, total; kept because lists add up thousands of them.
    amounts: tuple[Decimal, Decimal, Decimal] = (Decimal(0), Decimal(0), Decimal(0))
    request: dict[str, Any] | None = None

    def keys(self) -> Iterable[Hashable]:
        """Sales are found by number, client and old id."""
        return (("numero", self.numero), ("cliente", self.id_cliente), ("legado", self.id_legado))

    @property
    def gross(self) -> Decimal:
        """The sum of the items, each line rounded to centavos."""
        return self.amounts[0]

    @property
    def discount_value(self) -> Decimal:
        """The discount in reais."""
        return self.amounts[1]

    @property
    def total(self) -> Decimal:
        """Items + freight - discount."""
        return self.amounts[2]

    def reckon(self) -> None:
        """Work the amounts out anew from items, freight and discount."""
        gross = sum((line_total(row) for row in self.itens), Decimal(0))
        discount = discount_of(gross, self.discount)
        self.amounts = (gross, discount, gross + money(self.freight) - discount)


@dataclass(slots=True, eq=False)
class Invoice:
    """An NF-e. Status EMITIDA and CORRIGIDA_SUCESSO are listed, the others only counted (§7.1)."""

    sale_id: str
    numero: int
    serie: int
    issued_at: float
    status: str
    chave: str
    client_name: str
    client_document: str
    test: bool
    protocol: str
    xml: bytes
    #: The day of issue in São Paulo.
    day: str
    events: tuple[bytes, ...] = ()


def money(value: float) -> Decimal:
    """Return a JSON number as reais, rounded half up."""
    return Decimal(str(value)).quantize(CENT, ROUND_HALF_UP)


def line_total(row: dict[str, Any]) -> Decimal:
    """Return quantity × unit price of an item, rounded half up once."""
    return (Decimal(str(row["quantidade"])) * Decimal(str(row["valor"]))).quantize(CENT, ROUND_HALF_UP)


def discount_of(gross: Decimal, discount: dict[str, Any] | None) -> Decimal:
    """Return a discount in reais; PORCENTAGEM is a share of the items."""
    if not discount:
        return Decimal(0)
    if discount["tipo"] == "PORCENTAGEM":
        return (gross * Decimal(str(discount["valor"])) / 100).quantize(CENT, ROUND_HALF_UP)
    return money(discount["valor"])
