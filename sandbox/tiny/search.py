"""What searches and lists find: partial match, search lag, order of the rows."""

import math
from dataclasses import dataclass, field

from sandbox.tiny.product import Product
from sandbox.tiny.state import Store


@dataclass(frozen=True, slots=True)
class Query:
    """Filters of `produtos.pesquisa` and `GET /produtos`; times are seconds since the epoch.

    `text` is part of the name or of the code, `name` part of the name, both whatever their case; `code` is
    the whole code. `situations` holds the letters to show.
    """

    text: str = ""
    name: str = ""
    code: str | None = None
    gtin: str | None = None
    situations: str = "AI"
    created_since: float | None = None
    changed_since: float | None = None
    tag: int | None = None
    price_list: int | None = None
    variations: bool = True


@dataclass(slots=True)
class SearchIndex:
    """The rows of an account as searches see them now, with the answers to the last queries."""

    store: Store
    _rows: list[Product] = field(default_factory=list)
    _names: list[str] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _key: tuple[int, str] = (-1, "")
    _until: float = -math.inf
    _answers: dict[Query, list[Product]] = field(default_factory=dict)

    def find(self, query: Query, order: str) -> list[Product]:
        """Return every row that fits, ordered by `order` (name, id or newest)."""
        self._refresh(order)
        answer = self._answers.get(query)
        if answer is None:
            answer = self._answers[query] = self._scan(query)
            if len(self._answers) > 64:
                del self._answers[next(iter(self._answers))]
        return answer

    def _refresh(self, order: str) -> None:
        store, now = self.store, self.store.clock.now()
        key = (store.revision, order)
        if key == self._key and now < self._until:
            return
        shown = dict(store.products)
        self._until = math.inf
        for product_id in list(store.lagged):
            waiting = [lag for lag in store.lagged[product_id] if lag.until > now]
            if not waiting:
                del store.lagged[product_id]
                continue
            store.lagged[product_id] = waiting
            self._until = min(self._until, waiting[0].until)
            if waiting[0].seen is None:
                shown.pop(product_id, None)
            else:
                shown[product_id] = waiting[0].seen
        rows = list(shown.values())
        if order == "name":
            rows.sort(key=lambda p: (p.nome.casefold(), p.id))
        else:
            rows.sort(key=lambda p: p.id, reverse=order == "newest")
        self._rows = rows
        self._names = [p.nome.casefold() for p in rows]
        self._texts = [f"{n}\n{p.codigo.casefold()}" for n, p in zip(self._names, rows, strict=True)]
        self._key = key
        self._answers.clear()

    def _scan(self, query: Query) -> list[Product]:
        rows = self._rows
        if query.text:
            wanted = query.text.casefold()
            rows = [p for p, text in zip(rows, self._texts, strict=True) if wanted in text]
        elif query.name:
            wanted = query.name.casefold()
            rows = [p for p, name in zip(rows, self._names, strict=True) if wanted in name]
        return [p for p in rows if self._fits(p, query)]

    def _fits(self, product: Product, query: Query) -> bool:
        listed = self.store.price_lists.get(query.price_list or 0, frozenset())
        return (
            product.situacao in query.situations
            and (query.variations or product.tipoVariacao != "V")
            and (query.code is None or product.codigo.casefold() == query.code.casefold())
            and (query.gtin is None or product.gtin == query.gtin)
            and (query.created_since is None or product.criado >= query.created_since)
            and (query.changed_since is None or (product.alterado or product.criado) >= query.changed_since)
            and (query.tag is None or query.tag in product.tags)
            and (query.price_list is None or product.id in listed)
        )
