"""The merchant at the ERP's screens: everything the API can, without its tokens, scopes and permissions."""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.tagplus import (
    customers,
    hooks,
    note_view,
    notes,
    order_body,
    order_view,
    product_body,
    product_view,
    stock,
)
from sandbox.tagplus.accounts import Account, Actor
from sandbox.tagplus.checks import Refused
from sandbox.tagplus.store import Row, Table

EDITS = (
    "create_product", "patch_product", "delete_product", "stock", "create_customer", "patch_customer",
    "delete_customer", "create_order", "patch_order", "delete_order", "issue_invoice", "send_invoice", "cancel_invoice",
    "void_invoice", "create_webhook", "delete_webhook",
)  # fmt: skip
_REASON = "Cancelamento pedido pelo lojista"
Shown = Callable[[], dict[str, Any]]


class Merchant:
    """Edits of one account; each returns how to show the row once everything due has happened."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.store = account.store
        self.actor = Actor(account, api=False)

    def edit(self, op: str, step: Mapping[str, Any]) -> Shown:
        """Do one edit; ValueError (also for what the ERP's forms refuse) or LookupError when it makes no sense."""
        if op not in EDITS:
            raise ValueError(f"op is one of {', '.join(EDITS)}; got {op!r}")
        try:
            return getattr(self, f"_{op}")(step)  # type: ignore[no-any-return]
        except Refused as refused:
            complaints = "; ".join(f"{e['message']} ({e['dataPath']})" for e in refused.errors or ())
            raise ValueError(complaints or f"{refused.code}: {refused.message}") from None

    def product(self, step: Mapping[str, Any]) -> Row:
        """Return the product a step names by `id` or `sku`."""
        return self._named(self.store.products, step, "sku", "codigo", "product")

    def order(self, step: Mapping[str, Any]) -> Row:
        """Return the order a step names by `id`, `codigo_externo` or `numero`."""
        name = "numero" if step.get("numero") is not None else "codigo_externo"
        return self._named(self.store.orders, step, name, name, "order")

    def note(self, step: Mapping[str, Any]) -> Row:
        """Return the note a step names by `id`, or the last one of the `order` (id) it names."""
        if step.get("order") is not None:
            found = self.store.notes.having("pedido_os_vinculada", step["order"])
            if not found:
                raise LookupError(f"account {self.account.name} has no invoice of order {step['order']!r}")
            return found[-1]
        return self._named(self.store.notes, step, "chave", "chave_acesso", "invoice")

    def show_product(self, row: Row) -> dict[str, Any]:
        """Return a product as the control API shows it."""
        shown = product_view.PRODUCTS.whole(self.store, row)
        return {**shown, "origem": row.origin, "request": row.request}

    def show_customer(self, row: Row) -> dict[str, Any]:
        """Return a customer as the control API shows it."""
        return {**customers.CUSTOMERS.whole(self.store, row), "origem": row.origin, "request": row.request}

    def show_order(self, row: Row) -> dict[str, Any]:
        """Return an order as the control API shows it."""
        return order_view.stored(self.store, row)

    def show_note(self, row: Row) -> dict[str, Any]:
        """Return a note as the control API shows it."""
        return note_view.stored(self.store, row)

    def show_webhook(self, row: Row) -> dict[str, Any]:
        """Return a registration as the control API shows it."""
        return {**hooks.shown(self.actor, row), "origem": row.origin}

    def customer(self, step: Mapping[str, Any]) -> Row:
        """Return the customer a step names by `id` or `codigo`."""
        return self._named(self.store.customers, step, "codigo", "codigo", "customer")

    def webhook(self, step: Mapping[str, Any]) -> Row:
        """Return the registration a step names by `id`."""
        return self._named(self.store.webhooks, step, "id", "id", "webhook")

    def _create_product(self, step: Mapping[str, Any]) -> Shown:
        row = product_body.create(self.actor, step.get("product") or {})
        return lambda: self.show_product(row)

    def _patch_product(self, step: Mapping[str, Any]) -> Shown:
        row = product_body.patch(self.actor, self.product(step), step.get("fields") or {})
        return lambda: self.show_product(row)

    def _delete_product(self, step: Mapping[str, Any]) -> Shown:
        row = self.product(step)
        shown = self.show_product(row)
        product_body.remove(self.actor, row)
        return lambda: shown

    def _stock(self, step: Mapping[str, Any]) -> Shown:
        row, balance = self.product(step), step.get("balance")
        if isinstance(balance, bool) or not isinstance(balance, int | float):
            raise ValueError(f"a stock edit has balance, a number; got {balance!r}")
        stock.set_stock(self.actor, row, {"qtd_revenda": balance})
        return lambda: self.show_product(row)

    def _create_customer(self, step: Mapping[str, Any]) -> Shown:
        row = customers.create(self.actor, step.get("customer") or {})
        return lambda: self.show_customer(row)

    def _patch_customer(self, step: Mapping[str, Any]) -> Shown:
        row = customers.patch(self.actor, self.customer(step), step.get("fields") or {})
        return lambda: self.show_customer(row)

    def _delete_customer(self, step: Mapping[str, Any]) -> Shown:
        row = self.customer(step)
        shown = self.show_customer(row)
        customers.remove(self.actor, row)
        return lambda: shown

    def _create_order(self, step: Mapping[str, Any]) -> Shown:
        row = order_body.create(self.actor, step.get("order") or {})
        return lambda: self.show_order(row)

    def _patch_order(self, step: Mapping[str, Any]) -> Shown:
        row = order_body.patch(self.actor, self.order(step), step.get("fields") or {})
        return lambda: self.show_order(row)

    def _delete_order(self, step: Mapping[str, Any]) -> Shown:
        row = self.order(step)
        shown = self.show_order(row)
        order_body.remove(self.actor, row)
        return lambda: shown

    def _issue_invoice(self, step: Mapping[str, Any]) -> Shown:
        order = self.order(step)
        drafts = self.store.notes.having("pedido_os_vinculada", order.id)
        draft = next((n for n in drafts if n["status"] == "N" and not n["processando"]), None)
        return self._sent(notes.from_order(self.actor, order) if draft is None else draft, step)

    def _send_invoice(self, step: Mapping[str, Any]) -> Shown:
        return self._sent(self.note(step), step)

    def _sent(self, note: Row, step: Mapping[str, Any]) -> Shown:
        notes.send(self.actor, note, str(step.get("outcome", "A")), bool(step.get("quiet")))
        if step.get("lost"):
            note.moments["file_lost_at"] = self.store.clock.now()
        return lambda: self.show_note(note)

    def _cancel_invoice(self, step: Mapping[str, Any]) -> Shown:
        note = self.note(step)
        notes.cancel(self.actor, note, str(step.get("reason") or _REASON), bool(step.get("quiet")))
        return lambda: self.show_note(note)

    def _void_invoice(self, step: Mapping[str, Any]) -> Shown:
        note = self.note(step)
        notes.void(self.actor, note, str(step.get("reason") or _REASON))
        return lambda: self.show_note(note)

    def _create_webhook(self, step: Mapping[str, Any]) -> Shown:
        row = hooks.create(self.actor, step.get("webhook") or {})
        return lambda: self.show_webhook(row)

    def _delete_webhook(self, step: Mapping[str, Any]) -> Shown:
        row = self.webhook(step)
        hooks.remove(self.actor, row)
        return lambda: self.show_webhook(row)

    def _named(self, table: Table, step: Mapping[str, Any], key: str, field: str, what: str) -> Row:
        wanted = step.get("id")
        if wanted is not None:
            found = table.rows.get(int(wanted)) if str(wanted).isdigit() else None
        else:
            wanted = step.get(key)
            found = next((row for row in table.rows.values() if wanted and str(row[field]) == str(wanted)), None)
        if found is None:
            raise LookupError(f"account {self.account.name} has no {what} {wanted!r}")
        return found
