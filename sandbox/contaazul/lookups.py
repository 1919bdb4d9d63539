"""Tables an account has from the start: NCM, units, categories, financial accounts, sellers.

Ids are the account's own; NCM and CEST go by internal ids (`reference/contaazul.md` §4.3, §4.6, §8).
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

_NCM_BASE, _CEST_BASE = 1_000_000, 200_000_000
_NCMS = {
    "69120000": "Louça e outros artigos de uso doméstico, de cerâmica",
    "61091000": "Camisetas de malha, de algodão",
    "94052100": "Luminárias de mesa, escritório, cabeceira ou piso",
    "42029200": "Mochilas e outros artefatos de matérias têxteis",
    "96170010": "Garrafas térmicas e outros recipientes isotérmicos",
    "48201000": "Livros de registro e de contabilidade, blocos, agendas",
    "33072010": "Desodorantes corporais líquidos",
    "85183000": "Fones de ouvido",
    "95030099": "Outros brinquedos",
}
_CESTS = {"2806400": "Louças", "2106500": "Fones de ouvido", "1001800": "Molduras e acabamentos"}
_UNITS = (
    (10_801, "Quilograma", "Kg"), (10_802, "Unidade", "UN"), (10_803, "Peça", "PC"), (10_804, "Caixa", "CX"),
    (10_805, "Par", "PAR"), (10_806, "Metro", "M"), (10_807, "Litro", "L"), (10_808, "Kit", "KIT"),
)  # fmt: skip
_PRODUCT_CATEGORIES = ("Outras", "Casa", "Moda", "Eletrônicos", "Papelaria")


@dataclass(slots=True)
class Lookups:
    """The tables of one account."""

    account: str
    product_categories: list[dict[str, Any]] = field(init=False)
    brands: list[dict[str, Any]] = field(init=False)
    shop_categories: list[dict[str, Any]] = field(init=False)
    categories: list[dict[str, Any]] = field(init=False)
    banks: list[dict[str, Any]] = field(init=False)
    cost_centres: list[dict[str, Any]] = field(init=False)
    sellers: list[dict[str, Any]] = field(init=False)
    natures: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.product_categories = [
            {"id": at, "descricao": name, "uuid": self.uuid("categoria-produto", at)}
            for at, name in enumerate(_PRODUCT_CATEGORIES, 1)
        ]
        self.brands = [{"id": self.uuid("marca", name), "nome": name} for name in ("Barro Vivo", "Costura Boa")]
        self.shop_categories = [
            {"id": self.uuid("loja", name), "descricao": name, "subcategorias": []}
            for name in ("Decoração", "Vestuário")
        ]
        self.categories = [self._category(*row) for row in _CATEGORIES]
        self.banks = [self._bank(*row) for row in _BANKS]
        self.cost_centres = [self.cost_centre("LOJA", "Loja virtual")]
        self.sellers = [{"id": self.uuid("vendedor", 1), "nome": "Balcão da Loja", "id_legado": 501}]
        self.natures = [self._nature(*row) for row in _NATURES]

    def uuid(self, kind: str, number: object) -> str:
        """Return the UUID of a row: the same in every run."""
        return str(uuid5(NAMESPACE_URL, f"sandbox/contaazul/{self.account}/{kind}/{number}"))

    def cost_centre(self, code: str, name: str) -> dict[str, Any]:
        """Return a new cost centre."""
        return {"id": self.uuid("centro", f"{code}/{name}"), "codigo": code, "nome": name, "ativo": True}

    def _category(self, kind: str, name: str, active: bool) -> dict[str, Any]:
        row = {"id": self.uuid("categoria", name), "versao": 0, "nome": name, "categoria_pai": None, "tipo": kind}
        return {**row, "entrada_dre": None, "considera_custo_dre": False, "ativo": active}

    def _bank(self, name: str, kind: str, standard: bool, active: bool) -> dict[str, Any]:
        return {
            "id": self.uuid("conta", name), "banco": "NAO_BANCO" if kind == "CAIXINHA" else "OUTROS",
            "codigo_banco": None, "nome": name, "ativo": active, "tipo": kind, "conta_padrao": standard,
            "possui_config_boleto_bancario": False, "agencia": "0001", "numero": "12345-6",
        }  # fmt: skip

    def _nature(self, template: str, label: str) -> dict[str, Any]:
        return {
            "uuid": self.uuid("natureza", template), "tipo_operacao": "VENDA", "template_operacao": template,
            "label": label, "mudanca_financeira": True, "mudanca_estoque": "SAIDA_ESTOQUE",
        }  # fmt: skip


_CATEGORIES = (
    ("RECEITA", "Vendas", True), ("RECEITA", "Vendas pela loja virtual", True), ("RECEITA", "Serviços", True),
    ("DESPESA", "Compras de mercadorias", True), ("DESPESA", "Tarifas", True), ("RECEITA", "Vendas antigas", False),
)  # fmt: skip
_BANKS = (
    ("Conta Corrente", "CONTA_CORRENTE", True, True), ("Caixinha", "CAIXINHA", False, True),
    ("Recebimentos online", "MEIOS_RECEBIMENTO", False, True), ("Conta encerrada", "CONTA_CORRENTE", False, False),
)  # fmt: skip
_NATURES = (("VENDA_MERCADORIAS", "Venda"), ("VENDA_NAO_CONTRIBUINTE", "Venda a Não Contribuinte"))


def find_ncms(text: str) -> list[dict[str, Any]]:
    """Return the NCM rows fitting a text; every eight-digit code exists, as in the vendor's full table."""
    return _find_codes(text, _NCMS, 8, ncm)


def find_cests(text: str) -> list[dict[str, Any]]:
    """Return the CEST rows fitting a text; every seven-digit code exists."""
    return _find_codes(text, _CESTS, 7, cest)


def find_units(text: str) -> list[dict[str, Any]]:
    """Return the units of measure fitting a text."""
    wanted = text.casefold()
    rows = [{"id": i, "descricao": d, "abreviacao": a, "em_uso": a == "UN"} for i, d, a in _UNITS]
    return [r for r in rows if wanted in r["descricao"].casefold() or wanted == r["abreviacao"].casefold()]


def ncm(number: int) -> dict[str, Any] | None:
    """Return an NCM by internal id, None when there is none."""
    return _code(number - _NCM_BASE, number, _NCMS, 8)


def cest(number: int) -> dict[str, Any] | None:
    """Return a CEST by internal id, None when there is none."""
    return _code(number - _CEST_BASE, number, _CESTS, 7)


def unit(number: int | None) -> dict[str, Any] | None:
    """Return a unit of measure (id, descricao, abreviacao) by id, None when there is none."""
    return next(({"id": i, "descricao": d, "abreviacao": a} for i, d, a in _UNITS if i == number), None)


def _code(value: int, number: int, table: dict[str, str], digits: int) -> dict[str, Any] | None:
    if not 0 < value < 10**digits:
        return None
    code = f"{value:0{digits}d}"
    return {"id": number, "codigo": code, "descricao": table.get(code, f"Código {code}")}


def _find_codes(text: str, table: dict[str, str], digits: int, by_id: Any) -> list[dict[str, Any]]:
    base = _NCM_BASE if digits == 8 else _CEST_BASE
    wanted, number = text.casefold(), text.replace(".", "")
    codes = [c for c, d in table.items() if (number and number in c) or wanted in d.casefold()]
    if number.isascii() and number.isdigit() and len(number) == digits and number not in codes and int(number):
        codes.append(number)
    return [by_id(base + int(code)) for code in codes]
