"""The register of one account: rows, counters, stock, the queue of invoices to come."""

import re
import unicodedata
from collections import deque
from typing import Any

from sandbox.contaazul.lookups import Lookups
from sandbox.contaazul.records import Invoice, Person, Product, Sale
from sandbox.contaazul.register import Register
from sandbox.core.clock import Clock
from sandbox.core.settings import Settings

APPROVED = ("APROVADO", "FATURADO")


class Store:
    """Everything in an account."""

    def __init__(self, account: str, clock: Clock, settings: Settings) -> None:
        self.clock = clock
        self.settings = settings
        self.lookups = Lookups(account)
        self.clear()

    def clear(self) -> None:
        """Forget products, people, sales and invoices."""
        self.products: Register[Product] = Register(self.clock, self._lag)
        self.people: Register[Person] = Register(self.clock, self._lag)
        self.sales: Register[Sale] = Register(self.clock, self._lag)
        self.invoices: list[Invoice] = []
        self.notes: dict[str, list[Invoice]] = {}
        self.by_key: dict[str, Invoice] = {}
        #: receivable or instalment → id of its sale.
        self.sale_of: dict[str, str] = {}
        self.payments: dict[str, list[dict[str, Any]]] = {}
        #: (moment of approval, sale id) in the order of approval.
        self.waiting: deque[tuple[float, str]] = deque()
        self.serials: dict[str, int] = {}
        self.next_invoice = 1
        self._highest: int | None = 0

    def uuid(self, kind: str) -> str:
        """Return a new UUID; the same order of calls gives the same UUIDs."""
        self.serials[kind] = self.serials.get(kind, 0) + 1
        return self.lookups.uuid(kind, self.serials[kind])

    def legacy(self, kind: str) -> int:
        """Return a new id of the old model."""
        name = f"{kind}/legado"
        self.serials[name] = self.serials.get(name, {"produto": 37_000, "pessoa": 12_000}.get(kind, 880_000)) + 1
        return self.serials[name]

    def product(self, product_id: str) -> Product | None:
        """Return a product or variation by UUID."""
        return self.products.rows.get(product_id.lower())

    def person(self, person_id: str) -> Person | None:
        """Return a person by UUID."""
        return self.people.rows.get(person_id.lower())

    def sale(self, sale_id: str) -> Sale | None:
        """Return a sale by UUID, or by old id."""
        if sale_id.isascii() and sale_id.isdigit():
            return next(iter(self.sales.having(("legado", int(sale_id)))), None)
        return self.sales.rows.get(sale_id.lower())

    def next_number(self) -> int:
        """Return the highest number of a live sale or budget plus one: deletions take it back (§6.2)."""
        if self._highest is None:
            self._highest = max((s.numero for s in self.sales.rows.values() if not s.deleted), default=0)
        return self._highest + 1

    def add_sale(self, sale: Sale) -> Sale:
        """Add a sale or budget with everything that follows from its situation."""
        sale.reckon()
        self.sales.add(sale)
        if self._highest is not None:
            self._highest = max(self._highest, sale.numero)
        self.settle_sale(sale)
        return sale

    def add_invoice(self, note: Invoice) -> None:
        """Add an invoice of a sale."""
        self.invoices.append(note)
        self.notes.setdefault(note.sale_id, []).append(note)
        self.by_key[note.chave] = note

    def edit_sale(self, sale: Sale, at: float | None = None, **values: Any) -> None:
        """Edit a sale: its version grows, its date of alteration is now, or `at`."""
        moment = self.clock.now() if at is None else max(at, sale.changed_at)
        self.sales.edit(sale, **values, versao=sale.versao + 1, changed_at=moment)
        sale.reckon()
        self._highest = None
        self.settle_sale(sale)

    def delete_sale(self, sale: Sale) -> None:
        """Delete a sale: it leaves the lists and frees its number, but keeps its situation (§6.5)."""
        self.edit_sale(sale, deleted=True)

    def number_taken(self, number: int, but: Sale | None = None) -> bool:
        """Tell whether a live sale other than `but` has the number."""
        return any(not s.deleted and s is not but for s in self.sales.having(("numero", number)))

    def auto_sku(self, name: str) -> str:
        """Return a free SKU derived from a product's name (§4.3)."""
        ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().upper()
        stem = re.sub(r"[^A-Z0-9]+", "-", ascii_name).strip("-")[:20] or "PRODUTO"
        sku, at = stem, 1
        while self.products.having(("sku", sku)):
            at += 1
            sku = f"{stem}-{at}"
        return sku

    def move_stock(self, product: Product, delta: float) -> None:
        """Add `delta` to a product's stock; a kit moves its parts."""
        if product.kit:
            for part in product.kit:
                found = self.product(part["id_produto"])
                if found is not None:
                    self.move_stock(found, delta * part["quantidade"])
            return
        values: dict[str, Any] = {"stock": product.stock + delta, "moved": True}
        if self.settings.contaazul_stock_dates_product:
            values["changed_at"] = self.clock.now()
        self.products.edit(product, **values)

    def balance(self, product: Product) -> float:
        """Return a product's stock; a kit's is how many its parts make, a parent's the sum of its variations."""
        if product.kit:
            parts = ((self.product(part["id_produto"]), part["quantidade"]) for part in product.kit)
            return float(min(0.0 if p is None or not q else p.stock // q for p, q in parts))
        if product.children:
            return sum(self.products.rows[i].stock for i in product.children if i in self.products.rows)
        return product.stock

    def settle_sale(self, sale: Sale) -> None:
        """Bring stock, receivable and invoice queue in line with a sale's situation."""
        approved = sale.situacao in APPROVED and not sale.deleted and sale.tipo == "VENDA"
        wanted: dict[str, float] = {}
        if approved and self.settings.contaazul_sales_move_stock:
            for row in sale.itens:
                wanted[row["id_item"]] = wanted.get(row["id_item"], 0.0) + row["quantidade"]
        for product_id in {*wanted, *sale.taken}:
            delta = sale.taken.get(product_id, 0.0) - wanted.get(product_id, 0.0)
            product = self.product(product_id)
            if product is not None and delta:
                self.move_stock(product, delta)
        sale.taken = wanted
        if not approved:
            sale.event_id = None
        elif sale.event_id is None:
            sale.event_id = self.uuid("evento")
        if sale.event_id is not None:
            self.sale_of.update(dict.fromkeys((sale.event_id, *(p["id"] for p in sale.payment["parcelas"])), sale.id))
        if approved and not sale.queued:
            sale.queued = True
            self.waiting.append((self.clock.now(), sale.id))

    def _lag(self) -> float:
        return float(self.settings.contaazul_search_lag_s)
