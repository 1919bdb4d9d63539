"""What an account sells: orders, contacts and notes, and what their edits do to stock, searches and webhooks."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from itertools import count
from typing import Any

from sandbox.core.clock import local
from sandbox.core.settings import Settings
from sandbox.tiny.events import Events
from sandbox.tiny.product import Product
from sandbox.tiny.records import Contact, Invoice, Order, digits
from sandbox.tiny.state import Deposit, Store

#: An order in one of these has its goods set apart; in one of those they have left the stock [I].
HOLDS = frozenset({"aprovado", "preparando_envio", "pronto_envio"})
TAKES = frozenset({"faturado", "enviado", "entregue"})
_TRACED = ("situation", "tracking", "tracking_url")


class Trade:
    """Orders, contacts and notes of one account by id, in the order of creation."""

    def __init__(self, store: Store, settings: Settings, events: Events) -> None:
        self.store = store
        self.settings = settings
        self.events = events
        self.orders: dict[int, Order] = {}
        self.contacts: dict[int, Contact] = {}
        self.invoices: dict[int, Invoice] = {}
        self.markers: dict[str, int] = {}
        self._contact_keys: dict[tuple[str, str], list[Contact]] = {}
        self._by_shop_number: dict[str, list[Order]] = {}
        self._ids = count(810_000_001, 3)
        self._numbers = count(1)
        self._note_numbers = count(1)
        self._marker_ids = count(149_238)

    def now(self) -> float:
        """Return the sandbox time."""
        return self.store.clock.now()

    def new_id(self) -> int:
        """Return an id no other record has."""
        return next(self._ids)

    def order_number(self) -> int:
        """Return the visible number of a new order."""
        return next(self._numbers)

    def note_number(self) -> int:
        """Return the number of a new note."""
        return next(self._note_numbers)

    def marker(self, name: str) -> tuple[int, str]:
        """Return the marker of that name, a new one when there is none."""
        if name not in self.markers:
            self.markers[name] = next(self._marker_ids)
        return self.markers[name], name

    def add_order(self, order: Order) -> None:
        """Keep a new order and tell about it."""
        self.orders[order.id] = order
        if order.shop_number:
            self._by_shop_number.setdefault(order.shop_number, []).append(order)
        order.history.append((order.created_at, order.situation))
        self._settle(order)
        self.events.order_created(order)

    @contextmanager
    def editing(self, order: Order) -> Iterator[None]:
        """Edit an order inside the block: then its stock follows, its date of change and the webhooks."""
        former = {name: getattr(order, name) for name in _TRACED}
        yield
        order.changed_at = self.now()
        if order.situation != former["situation"]:
            order.history.append((order.changed_at, order.situation))
            self._date(order)
            self._settle(order)
        self.events.order_changed(order, former)

    def set_situation(self, order: Order, code: str) -> None:
        """Set the situation of an order; the present one again changes nothing [I]."""
        if code != order.situation:
            with self.editing(order):
                order.situation = code

    def delete_order(self, order: Order) -> None:
        """Take an order out without a trace or a webhook; its reservation ends [I]."""
        self._release(order)
        del self.orders[order.id]
        if order.shop_number:
            self._by_shop_number[order.shop_number].remove(order)

    def with_shop_number(self, number: str) -> list[Order]:
        """Return the orders with exactly that number of the shop."""
        return list(self._by_shop_number.get(number, ()))

    def found(self, rows: list[Order]) -> list[Order]:
        """Return those of the orders that searches show by now: new ones after `search_lag_s`."""
        edge = self.now() - self.settings.search_lag_s
        return [order for order in rows if order.created_at <= edge]

    def put_contact(self, contact: Contact, fields: dict[str, str]) -> None:
        """Keep a contact, new or edited, with these fields."""
        for key in _contact_keys(contact.fields):
            rows = self._contact_keys.get(key, [])
            if contact in rows:
                rows.remove(contact)
        contact.fields = fields
        contact.changed_at = self.now()
        self.contacts[contact.id] = contact
        for key in _contact_keys(fields):
            self._contact_keys.setdefault(key, []).append(contact)

    def contacts_like(self, code: str, document: str) -> list[Contact]:
        """Return the contacts with that code or document that are not deleted, those of the code first."""
        keys = _contact_keys({"codigo": code, "cpf_cnpj": document})
        rows = [contact for key in keys for contact in self._contact_keys.get(key, ())]
        return [c for c in dict.fromkeys(rows) if c.fields.get("situacao") != "E"]

    def notes_of(self, order: Order) -> list[Invoice]:
        """Return the notes made of an order, oldest first."""
        return [note for note in self.invoices.values() if note.order_id == order.id]

    def frozen(self, order: Order) -> bool:
        """Tell whether a note or a stock movement forbids edits of an order (§5.3 [R])."""
        return bool(order.invoice_id or order.taken)

    def snapshot(self, order: Order) -> Order:
        """Return an order as it is now, for a note."""
        twin = copy(order)
        twin.items, twin.installments = list(order.items), list(order.installments)
        twin.client = dict(order.client)
        return twin

    def launch_stock(self, order: Order) -> bool:
        """Take the goods of an order out of the stock; False when that was done before."""
        if order.taken:
            return False
        self._release(order)
        order.taken = self._demand(order)
        self._move(order, order.taken, -1)
        return True

    def revert_stock(self, order: Order) -> bool:
        """Put back what an order took; False when it took nothing."""
        taken, order.taken = order.taken, {}
        self._move(order, taken, 1)
        return bool(taken)

    def deposit(self, order: Order) -> Deposit | None:
        """Return the deposit an order takes its goods from: its own, or the first that counts."""
        named = next((d for d in self.store.deposits if d.id == order.deposit_id), None)
        return named or self.store.deposit(None)

    def _date(self, order: Order) -> None:
        # The day a parcel was sent or delivered, unless it was written before [I].
        today = local(order.changed_at).date().isoformat()
        if order.situation == "enviado":
            order.sent = order.sent or today
        elif order.situation == "entregue":
            order.delivered = order.delivered or today

    def _settle(self, order: Order) -> None:
        if not self.settings.orders_move_stock:
            return
        if order.situation in TAKES:
            self.launch_stock(order)
        elif order.situation in HOLDS and not order.taken:
            self._hold(order)
        elif order.situation == "cancelado":
            self._release(order)
            self.revert_stock(order)
        elif not order.taken:
            self._release(order)

    def _hold(self, order: Order) -> None:
        if not order.held:
            order.held = self._demand(order)
            self._reserve(order, order.held, 1)

    def _release(self, order: Order) -> None:
        held, order.held = order.held, {}
        self._reserve(order, held, -1)

    def _demand(self, order: Order) -> dict[int, float]:
        wanted: dict[int, float] = {}
        for item in order.items:
            product = self.store.products.get(item.product_id)
            for part, quantity in _parts(self.store, product):
                wanted[part.id] = wanted.get(part.id, 0.0) + quantity * float(item.quantity)
        return wanted

    def _move(self, order: Order, wanted: dict[int, float], sign: int) -> None:
        for product, deposit, balance, _, quantity in self._rows(order, wanted):
            self.store.set_stock(product, deposit, balance + sign * quantity, None)

    def _reserve(self, order: Order, wanted: dict[int, float], sign: int) -> None:
        for product, deposit, _, held, quantity in self._rows(order, wanted):
            self.store.set_stock(product, deposit, None, held + sign * quantity)

    def _rows(self, order: Order, wanted: dict[int, float]) -> Iterator[tuple[Product, Deposit, float, float, float]]:
        deposit = self.deposit(order)
        for product_id, quantity in wanted.items():
            product = self.store.products.get(product_id)
            if product is not None and deposit is not None:
                balance, held = next((b, h) for d, b, h in self.store.balances(product) if d is deposit)
                yield product, deposit, balance, held, quantity


def _parts(store: Store, product: Product | None) -> list[tuple[Product, float]]:
    # A kit moves its parts; parents of variations and services have no stock.
    if product is None or product.tipo == "S" or product.tipoVariacao == "P":
        return []
    if product.classe_produto == "K" and product.kit:
        return [(store.products[i], q) for i, q in product.kit if i in store.products]
    return [(product, 1.0)]


def _contact_keys(fields: dict[str, Any]) -> list[tuple[str, str]]:
    keys = [("code", str(fields.get("codigo") or "")), ("document", digits(str(fields.get("cpf_cnpj") or "")))]
    return [key for key in keys if key[1]]
