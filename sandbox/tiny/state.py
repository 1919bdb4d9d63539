"""The register of one account: products, deposits, stock and the lists of changes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.core.clock import Clock, from_iso
from sandbox.tiny.product import WRITABLE, Product, as_number, as_text, put_all

FIRST_ID = 700_000_000


@dataclass(slots=True)
class Deposit:
    """A stock location; `ignored` ones (`desconsiderar`) are not in the balance of a product."""

    id: int
    name: str
    ignored: bool = False
    company: str = "Loja Exemplo"


@dataclass(slots=True)
class Lagged:
    """How the search showed a product until `until`; None = not at all."""

    until: float
    seen: Product | None


@dataclass(slots=True)
class Store:
    """Products by id in the order of creation. `revision` grows with every edit.

    `search_lag_s` sandbox seconds pass until searches and lists show an edit.
    """

    clock: Clock
    deposits: list[Deposit]
    search_lag_s: float = 0.0
    products: dict[int, Product] = field(default_factory=dict)
    revision: int = 0
    #: id → time of the change; what `lista.atualizacoes.*` has not given out yet.
    changed: dict[int, float] = field(default_factory=dict)
    stock_changed: dict[int, float] = field(default_factory=dict)
    lagged: dict[int, list[Lagged]] = field(default_factory=dict)
    price_lists: dict[int, frozenset[int]] = field(default_factory=dict)
    next_id: int = FIRST_ID
    next_entry: int = 88_000
    #: Hear of a changed balance (not of a reservation) and of an edited product with how it was.
    on_stock: Callable[[Product], None] | None = None
    on_edit: Callable[[Product, Product | None], None] | None = None

    def fill(self, specs: Iterable[Mapping[str, Any]]) -> None:
        """Add many products as if they had been there for long: no lag, no entry in the change lists."""
        for spec in specs:
            self._insert(spec)
        self.revision += 1

    def create(self, spec: Mapping[str, Any]) -> Product:
        """Add one product (and its variations) as an edit of now; ValueError says what is wrong with it."""
        before = set(self.products) if spec.get("variacoes") else None
        product = self._insert(spec)
        new = [product.id] if before is None else [i for i in self.products if i not in before]
        for product_id in new:
            self._announce(product_id, None)
            if self.products[product_id].stock:
                self._stock_moved(self.products[product_id])
                self._tell_stock(self.products[product_id])
        return product

    def patch(self, product: Product, fields: Mapping[str, Any]) -> None:
        """Edit fields of a product, by the names of `WRITABLE` plus `kit` and `estrutura`."""
        snapshot = product.copy()
        parts = {name: fields[name] for name in ("kit", "estrutura") if name in fields}
        resolved = {name: self._parts(value) for name, value in parts.items()}
        put_all(product, {k: v for k, v in fields.items() if k not in parts})
        if resolved:
            product.rare = {**(product.rare or {}), **resolved}
        self.edited(product, snapshot)

    def edited(self, product: Product, before: Product | None) -> None:
        """Note that a product was edited now; `before` is how it was.

        The merchant edits a variation in the form of its parent, so the parent gets the edit time too [I].
        """
        now = self.clock.now()
        product.alterado = now
        self._announce(product.id, before)
        parent = self.products.get(product.pai)
        if parent is not None:
            snapshot = parent.copy()
            parent.alterado = now
            self._announce(parent.id, snapshot)
        if self.on_edit is not None:
            self.on_edit(product, before)

    def set_stock(self, product: Product, deposit: Deposit, balance: float | None, reserved: float | None) -> None:
        """Set balance and reservation of a product in a deposit (None = as it is) and note the change."""
        at = self.deposits.index(deposit)
        moved = balance is not None and balance != _at(product.stock, at)
        if balance is not None:
            product.stock = _with(product.stock, at, balance)
        if reserved is not None:
            product.reserved = _with(product.reserved, at, reserved)
        self._stock_moved(product)
        if moved:
            self._tell_stock(product)

    def delete(self, product: Product, hard: bool) -> None:
        """Mark a product and its variations as deleted (situacao E), or take them out without a trace."""
        for child_id in product.filhos:
            if child_id in self.products:
                self.delete(self.products[child_id], hard)
        if not hard:
            self.patch(product, {"situacao": "E"})
            return
        self._lag(product.id, product.copy())
        del self.products[product.id]
        self.changed.pop(product.id, None)
        self.stock_changed.pop(product.id, None)
        parent = self.products.get(product.pai)
        if parent is not None:
            parent.rare = {**(parent.rare or {}), "filhos": tuple(i for i in parent.filhos if i != product.id)}
        self.revision += 1

    def by_sku(self, sku: str) -> list[Product]:
        """Return the products with exactly this SKU, oldest first."""
        return [p for p in self.products.values() if p.codigo == sku]

    def deposit(self, name: str | None) -> Deposit | None:
        """Return the deposit of that name (case does not matter), the first one that counts without a name."""
        if not name:
            return next((d for d in self.deposits if not d.ignored), None)
        return next((d for d in self.deposits if d.name.casefold() == name.casefold()), None)

    def balances(self, product: Product) -> list[tuple[Deposit, float, float]]:
        """Return (deposit, balance, reserved) of a product in every deposit of the account.

        A kit has what its scarcest part allows; a parent has the sum of its variations [I].
        """
        return [(d, *self._balance(product, at)) for at, d in enumerate(self.deposits)]

    def add_variation(self, parent: Product, spec: Mapping[str, Any]) -> Product:
        """Add a variation to a parent: it inherits what its own row leaves out, except SKU, GTIN and stock."""
        inherited = {
            name: getattr(parent, name)
            for name in ("nome", "unidade", "ncm", "origem", "preco", "marca", "categoria", "situacao", "tipo")
        }
        inherited |= {
            name: getattr(parent, name)
            for name in ("peso_liquido", "peso_bruto", "altura_embalagem", "largura_embalagem")
        }
        inherited["comprimento_embalagem"] = parent.comprimento_embalagem
        grade = spec.get("grade") or {}
        if grade and not spec.get("nome"):
            inherited["nome"] = " - ".join([parent.nome, *(str(v) for v in grade.values())])
        child = self._insert({**inherited, "criado": parent.criado, **spec})
        child.tipoVariacao = "V"
        child.pai = parent.id
        parent.rare = {**(parent.rare or {}), "filhos": (*parent.filhos, child.id)}
        return child

    def entry_id(self) -> int:
        """Return the id of a new stock movement."""
        self.next_entry += 1
        return self.next_entry

    def _insert(self, spec: Mapping[str, Any]) -> Product:
        wrong = [key for key in spec if key not in WRITABLE and key not in _SPEC_ONLY]
        if wrong:
            raise ValueError(
                f"unknown product fields {', '.join(wrong)}; there are {', '.join(sorted({*WRITABLE, *_SPEC_ONLY}))}"
            )
        product = Product(self.next_id, _moment(spec.get("criado"), self.clock))
        for name, value in spec.items():
            if name in WRITABLE:
                product.put(name, value)
        if spec.get("alterado") is not None:
            product.alterado = _moment(spec["alterado"], self.clock)
        parts = {name: self._parts(spec[name]) for name in ("kit", "estrutura") if spec.get(name)}
        if parts:
            product.rare = {**(product.rare or {}), **parts}
        self._initial_stock(product, spec.get("estoque"))
        variations = spec.get("variacoes") or ()
        if variations:
            product.tipoVariacao = "P"
            product.put("classe_produto", "V")
        self.next_id += 7
        self.products[product.id] = product
        self.revision += 1
        for variation in variations:
            self.add_variation(product, variation)
        return product

    def _initial_stock(self, product: Product, given: Any) -> None:
        if given is None:
            return
        if not isinstance(given, Mapping):
            first = self.deposit(None)
            if first is None:
                raise ValueError("the account has no deposit that counts")
            given = {first.name: given}
        for name, value in given.items():
            deposit = self.deposit(name)
            if deposit is None:
                raise ValueError(f"no deposit {name!r}; there are {', '.join(d.name for d in self.deposits)}")
            at = self.deposits.index(deposit)
            both = value if isinstance(value, Mapping) else {"saldo": value}
            product.stock = _with(product.stock, at, as_number("saldo", both.get("saldo")))
            if both.get("reservado"):
                product.reserved = _with(product.reserved, at, as_number("reservado", both["reservado"]))

    def _parts(self, rows: Iterable[Mapping[str, Any]]) -> tuple[tuple[int, float], ...]:
        return tuple((self._part_id(row), as_number("quantidade", row.get("quantidade", 1))) for row in rows)

    def _part_id(self, row: Mapping[str, Any]) -> int:
        if row.get("id_produto"):
            product_id = int(row["id_produto"])
            if product_id in self.products:
                return product_id
            raise ValueError(f"no product {product_id} to be a part")
        found = self.by_sku(as_text(row.get("codigo")))
        if not found:
            raise ValueError(f"no product with the SKU {row.get('codigo')!r} to be a part")
        return found[0].id

    def _balance(self, product: Product, at: int) -> tuple[float, float]:
        if product.classe_produto == "K" and product.kit:
            parts = ((self.products.get(i), q) for i, q in product.kit)
            sets = [_free(self, p, at) // q if p is not None and q else 0.0 for p, q in parts]
            return min(sets), 0.0
        if product.filhos:
            children = [self.products[i] for i in product.filhos if i in self.products]
            return sum(_at(c.stock, at) for c in children), sum(_at(c.reserved, at) for c in children)
        return _at(product.stock, at), _at(product.reserved, at)

    def _announce(self, product_id: int, before: Product | None) -> None:
        self.changed[product_id] = self.clock.now()
        self._lag(product_id, before)
        self.revision += 1

    def _lag(self, product_id: int, before: Product | None) -> None:
        if self.search_lag_s > 0:
            until = self.clock.now() + self.search_lag_s
            self.lagged.setdefault(product_id, []).append(Lagged(until, before))

    def _tell_stock(self, product: Product) -> None:
        if self.on_stock is not None:
            self.on_stock(product)

    def _stock_moved(self, product: Product) -> None:
        now = self.clock.now()
        product.estoque_em = now
        self.stock_changed[product.id] = now


_SPEC_ONLY = frozenset({"variacoes", "kit", "estrutura", "estoque", "criado", "alterado"})


def variations(store: Store, parent: Product) -> Iterator[Product]:
    """Yield the variations of a parent that exist, in their order."""
    for child_id in parent.filhos:
        child = store.products.get(child_id)
        if child is not None and child.situacao != "E":
            yield child


def _free(store: Store, product: Product, at: int) -> float:
    balance, reserved = store._balance(product, at)
    return balance - reserved


def _at(numbers: tuple[float, ...], at: int) -> float:
    return numbers[at] if at < len(numbers) else 0.0


def _with(numbers: tuple[float, ...], at: int, value: float) -> tuple[float, ...]:
    filled = list(numbers) + [0.0] * (at + 1 - len(numbers))
    filled[at] = value
    return tuple(filled)


def _moment(value: Any, clock: Clock) -> float:
    if value is None:
        return clock.now()
    return from_iso(value) if isinstance(value, str) else float(value)
