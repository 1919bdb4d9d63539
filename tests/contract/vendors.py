"""What the contract suite does at each vendor by its simulator's control routes, in words that are the same for all.

A new system adds a class to `VENDORS`, with the methods for what it is: `Shelf` for a source of products and stock,
`Counter` for a taker of orders.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol

from hub.records import OutgoingAddress, OutgoingOrder, OutgoingProduct
from providers.contract import Outcome


class Control(Protocol):
    """The part of `subjects.Sandbox` that is used here."""

    def ask(self, method: str, path: str, **body: Any) -> Any: ...

    def account(self, **changes: Any) -> None: ...

    def products(self, sku: str = "") -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Sale:
    """An order as it stands over there."""

    id: str
    number: str
    approved: bool
    cancelled: bool
    notes: str
    instalments: tuple[Decimal, ...]


@dataclass(frozen=True)
class Count:
    """What a balance must be read as."""

    physical: int
    reserved: int
    available: int
    deposits: Mapping[str, tuple[int, bool]]


class Vendor:
    """What all have in common."""

    token_life_s = 2 * 3600

    def __init__(self, sandbox: Control) -> None:
        self.sandbox = sandbox

    def tokens(self, path: str) -> dict[str, Any]:
        """A first pair of tokens, with the app that they belong to."""
        told = self.sandbox.ask("POST", path)
        return {
            "client_id": "demo-client",
            "client_secret": "demo-client-secret",
            "access_token": told["access_token"],
            "refresh_token": told["refresh_token"],
            "lifetime_s": told["expires_in"],
        }

    def credentials(self) -> dict[str, Any]:
        """Working credentials."""
        raise NotImplementedError


class Shelf(Vendor):
    """A source of products and of stock."""

    per_minute: int
    bad_products = 3

    def stock_up(self) -> None:
        """Fill it: more than 60 products, families, kits, and `bad_products` that no shop can take."""

    def company(self) -> str:
        """The account's own document, where the API tells it; what it is told by is there then."""
        raise NotImplementedError

    def on_sale(self) -> set[str]:
        """Ids of what must be listed."""
        raise NotImplementedError

    def reprice(self, external_id: str, price: str) -> None:
        raise NotImplementedError

    def count(self) -> tuple[str, Count]:
        """Count one product in every way that there is; its id, and what must be read."""
        raise NotImplementedError

    def spell(self, types: str) -> None:
        """How values are spelt: `clean` or `messy`."""
        raise NotImplementedError

    def limited(self) -> None:
        """From here on the account has its usual quota, `per_minute`."""
        raise NotImplementedError


class Counter(Vendor):
    """A taker of orders, and of products where its provider is a ProductSink."""

    nobody = "999999"
    """An id that no order has."""
    no_note = "1" * 44
    """What no note is asked for by."""

    creates_order: str
    """The operation that creates one, as faults and the call log name it."""
    look_ups: int
    """Calls beside the creates that many products of one NCM and one unit cost."""
    calls_for_ten_orders: int
    shut_as = Outcome.REJECTED
    """The outcome of a call by an account that is shut."""
    document_searches: tuple[dict[str, Any], ...] = ({},)
    """Settings, under each of which a customer must be found by its document."""

    def open_up(self) -> None:
        """Make it quiet: no note is issued by itself."""

    def company(self) -> str:
        """The account's own document, where the API tells it; what it is told by is there then."""
        raise NotImplementedError

    def make_product(self, product: OutgoingProduct) -> str:
        """Put a product there by hand, where no provider puts any; its id."""
        raise NotImplementedError

    def product(self, sku: str) -> str:
        """One product as it stands over there, as JSON text."""
        raise NotImplementedError

    def sales(self) -> list[Sale]:
        raise NotImplementedError

    def lag(self, seconds: float) -> None:
        """How long a new record stays hidden from searches."""
        raise NotImplementedError

    def invoice(self, sale_id: str) -> None:
        raise NotImplementedError

    def correct(self, access_key: str) -> bool:
        """Correct a note; False where its document stays what it is."""
        return False

    def refusable(self, order: OutgoingOrder) -> OutgoingOrder:
        """The order made such that it is refused for what is in it."""
        raise NotImplementedError

    def shut(self) -> str:
        """Close the API to the account; the reason that must be told."""
        raise NotImplementedError

    def tighten(self, clock_rate: int) -> int:
        """Its usual quota, at a clock so much faster; how many calls are to be made."""
        raise NotImplementedError


class Tiny(Shelf, Counter):
    """Olist Tiny by API v2."""

    per_minute = 60
    no_note = Counter.nobody
    creates_order = "pedido.incluir"
    calls_for_ten_orders = 20
    """Each is looked for by its number first."""
    shut_as = Outcome.REAUTH
    _account = "/tiny/accounts/demo"

    def credentials(self) -> dict[str, Any]:
        return {"token": "demo-token"}

    def company(self) -> str:
        return "90000001000129"

    def on_sale(self) -> set[str]:
        return {str(row["id"]) for row in self.sandbox.products() if row.get("situacao") != "E"}

    def reprice(self, external_id: str, price: str) -> None:
        self.sandbox.ask("PATCH", f"/tiny/accounts/demo/products/{external_id}", preco=price)

    def count(self) -> tuple[str, Count]:
        chosen = next(row for row in self.sandbox.products() if row["situacao"] == "A")
        path = f"/tiny/accounts/demo/products/{chosen['id']}/stock"
        self.sandbox.ask("POST", path, deposit="Depósito Geral", balance=40, reserved=4)
        self.sandbox.ask("POST", path, deposit="Loja Física", balance=-3, reserved=0)
        self.sandbox.ask("POST", path, deposit="Avariados", balance=9, reserved=0)
        deposits = {"Depósito Geral": (40, True), "Loja Física": (-3, True), "Avariados": (9, False)}
        return str(chosen["id"]), Count(37, 4, 33, deposits)

    def spell(self, types: str) -> None:
        self.sandbox.ask("POST", "/settings", types=types)

    def limited(self) -> None:
        self.sandbox.account(plan="evoluir")

    def make_product(self, product: OutgoingProduct) -> str:
        made = self.sandbox.ask("POST", f"{self._account}/products", codigo=product.sku, nome=product.name)
        return str(made["id"])

    def sales(self) -> list[Sale]:
        return [self._sale(row) for row in self.sandbox.ask("GET", f"{self._account}/orders")]

    def lag(self, seconds: float) -> None:
        self.sandbox.ask("POST", "/settings", search_lag_s=seconds)

    def invoice(self, sale_id: str) -> None:
        self.sandbox.ask("POST", f"{self._account}/orders/{sale_id}/invoice")

    def refusable(self, order: OutgoingOrder) -> OutgoingOrder:
        self.sandbox.ask("POST", "/settings", city_check="exact")
        return replace(order, delivery=OutgoingAddress("Rua", "1", "", "Centro", "Lugar Nenhum", "PR", "80010000"))

    def shut(self) -> str:
        self.sandbox.account(access=False)
        return "blocked"

    def _sale(self, row: dict[str, Any]) -> Sale:
        return Sale(
            id=str(row["id"]),
            number=str(row["numero"]),
            approved=row["situacao"] == "aprovado",
            cancelled=row["situacao"] == "cancelado",
            notes=f"{row['obs']} {row['obs_internas']}",
            instalments=tuple(Decimal(str(part["valor"])) for part in row["parcelas"]),
        )


class TinyV3(Tiny):
    """Olist Tiny by API v3."""

    creates_order = "POST /pedidos"
    calls_for_ten_orders = 31
    """Each is looked for first and labelled after, and the account's forms of receipt are asked for once."""
    shut_as = Outcome.REJECTED
    token_life_s = 4 * 3600 + 60

    def credentials(self) -> dict[str, Any]:
        return self.tokens("/tiny/accounts/demo/v3-tokens")

    def shut(self) -> str:
        super().shut()
        return "permission"


class ContaAzul(Counter):
    """Conta Azul."""

    nobody = "00000000-0000-4000-8000-000000000000"
    creates_order = "POST /v1/venda"
    look_ups = 2
    calls_for_ten_orders = 11
    document_searches = tuple({"contaazul_document_search": by} for by in ("both", "digits", "masked"))
    _account = "/contaazul/accounts/demo"

    def credentials(self) -> dict[str, Any]:
        return self.tokens(f"{self._account}/tokens")

    def company(self) -> str:
        found: str = self.sandbox.ask("GET", self._account)["cnpj"]
        return found

    def open_up(self) -> None:
        self.sandbox.ask("POST", "/settings", contaazul_auto_invoice=False)

    def product(self, sku: str) -> str:
        rows = self.sandbox.ask("GET", f"{self._account}/products")
        (there,) = [row for row in rows if row.get("codigo_sku", row.get("codigo")) == sku]
        return json.dumps(there, ensure_ascii=False)

    def sales(self) -> list[Sale]:
        found = self.sandbox.ask("GET", f"{self._account}/sales")
        return [self._sale(row) for row in (found["sales"] if isinstance(found, dict) else found)]

    def lag(self, seconds: float) -> None:
        self.sandbox.ask("POST", "/settings", contaazul_search_lag_s=seconds)

    def invoice(self, sale_id: str) -> None:
        self.sandbox.ask("POST", f"{self._account}/sales/{sale_id}/invoice")

    def correct(self, access_key: str) -> bool:
        self.sandbox.ask("POST", f"{self._account}/invoices/{access_key}/correct", text="A cor da caneca é azul")
        return True

    def refusable(self, order: OutgoingOrder) -> OutgoingOrder:
        return replace(order, freight=order.freight + 1)

    def shut(self) -> str:
        self.sandbox.ask("POST", self._account, plan_has_api=False)
        return "plan"

    def tighten(self, clock_rate: int) -> int:
        self.sandbox.ask("POST", self._account, per_second=10, per_minute=600)
        self.sandbox.ask("POST", "/settings", clock_rate=clock_rate)
        return 60

    def _sale(self, row: dict[str, Any]) -> Sale:
        request = row["request"]
        pays = request["condicao_pagamento"]
        return Sale(
            id=row["id"],
            number=str(row["numero"]),
            approved=row["situacao"] == "APROVADO",
            cancelled=row["situacao"] == "CANCELADO",
            notes=request["observacoes"],
            instalments=tuple(Decimal(str(part["valor"])) for part in pays["parcelas"]),
        )


class TagPlus(Shelf, Counter):
    """TagPlus."""

    per_minute = 120
    token_life_s = 25 * 3600
    creates_order = "POST /pedidos"
    look_ups = 1
    calls_for_ten_orders = 21
    document_searches = tuple({"tagplus_document_filter": by} for by in ("both", "digits", "masked"))
    _account = "/tagplus/accounts/demo"

    def credentials(self) -> dict[str, Any]:
        return self.tokens(f"{self._account}/tokens")

    def stock_up(self) -> None:
        self.sandbox.ask("POST", f"{self._account}/seed", products=60)
        first = self._make(descricao="Copo", codigo="COPO", valor_venda_varejo=5)
        for name in ("Camisa", "Boné"):
            colours = [
                {"codigo": f"{name}-{colour}", "descricao": f"{name} - {colour}", "valor_venda_varejo": 30}
                for colour in ("Azul", "Verde")
            ]
            self._make(descricao=name, codigo=name, tipo="G", valor_venda_varejo=30, filhos=colours)
        parts = [{"produto": first, "qtd": 6}]
        self._make(descricao="Jogo de copos", codigo="COPO-6", tipo="K", valor_venda_varejo=25, itens_vinculados=parts)
        self._make(descricao="GTIN errado", codigo="RUIM-1", codigo_barras="7891234567890", valor_venda_varejo=1)
        self._make(descricao="NCM curto", codigo="RUIM-2", tributo_ncm="6912", valor_venda_varejo=1)
        self._make(descricao="GTIN curto", codigo="RUIM-3", codigo_barras="12345", valor_venda_varejo=1)

    def company(self) -> str:
        """No call tells it; the notes that the company issued do."""
        customer = self.sandbox.ask("POST", f"{self._account}/customers", razao_social="Comprador", cpf="52998224725")
        product = self._make(descricao="Pires", codigo="PIRES", valor_venda_varejo=5)
        items = [{"produto_servico": product, "qtd": 1, "valor_unitario": 5}]
        sale = self.sandbox.ask("POST", f"{self._account}/orders", cliente=customer["id"], status="B", itens=items)
        self.invoice(str(sale["id"]))
        return "91050001000104"

    def on_sale(self) -> set[str]:
        return {str(row["id"]) for row in self.sandbox.ask("GET", f"{self._account}/products")}

    def reprice(self, external_id: str, price: str) -> None:
        self.sandbox.ask("PATCH", f"{self._account}/products/{external_id}", valor_venda_varejo=float(price))

    def count(self) -> tuple[str, Count]:
        """One balance a product, and nothing beside it."""
        chosen = str(self.sandbox.ask("GET", f"{self._account}/products")[0]["id"])
        self.sandbox.ask("POST", f"{self._account}/products/{chosen}/stock", balance=37)
        return chosen, Count(37, 0, 37, {})

    def spell(self, types: str) -> None:
        flags = "numbers" if types == "clean" else "booleans"
        self.sandbox.ask("POST", "/settings", types=types, tagplus_flags=flags)

    def limited(self) -> None:
        self.sandbox.ask("POST", self._account, per_minute=self.per_minute)

    def product(self, sku: str) -> str:
        rows = self.sandbox.ask("GET", f"{self._account}/products")
        (there,) = [row for row in rows if row["codigo"] == sku]
        return json.dumps(there, ensure_ascii=False)

    def sales(self) -> list[Sale]:
        return [self._sale(row) for row in self.sandbox.ask("GET", f"{self._account}/orders")]

    def lag(self, seconds: float) -> None:
        self.sandbox.ask("POST", "/settings", tagplus_search_lag_s=seconds)

    def invoice(self, sale_id: str) -> None:
        self.sandbox.ask("POST", f"{self._account}/orders/{sale_id}/invoice")

    def refusable(self, order: OutgoingOrder) -> OutgoingOrder:
        return replace(order, items=tuple(replace(item, external_id="999999") for item in order.items))

    def shut(self) -> str:
        self.sandbox.ask("POST", self._account, debt=True)
        return "debt"

    def tighten(self, clock_rate: int) -> int:
        self.limited()
        self.sandbox.ask("POST", "/settings", clock_rate=clock_rate)
        return 60

    def _make(self, **fields: Any) -> int:
        made: int = self.sandbox.ask("POST", f"{self._account}/products", **fields)["id"]
        return made

    def _sale(self, row: dict[str, Any]) -> Sale:
        parts = [part for bill in row["faturas"] for part in bill["parcelas"]]
        return Sale(
            id=str(row["id"]),
            number=str(row["numero"]),
            approved=row["status"] == "B",
            cancelled=row["status"] == "C",
            notes=row["observacoes"] or "",
            instalments=tuple(Decimal(str(part["valor_parcela"])) for part in parts),
        )


VENDORS: dict[str, Callable[[Control], Vendor]] = {
    "tiny_v2": Tiny,
    "tiny_v3": TinyV3,
    "contaazul": ContaAzul,
    "tagplus": TagPlus,
}
