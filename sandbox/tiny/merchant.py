"""What the merchant does in the screens of Tiny with orders, notes, contacts and integrations."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

from sandbox.tiny import invoices
from sandbox.tiny.accounts import Account
from sandbox.tiny.contact_body import create_contact, show_contact, update_contact
from sandbox.tiny.dispatch import dispatch
from sandbox.tiny.integrations import Integration
from sandbox.tiny.order_body import create_order
from sandbox.tiny.records import Installment, Invoice, Item, Order
from sandbox.tiny.situations import AUTHORIZED, PENDING, read_situation
from sandbox.tiny.v2_writes import RecordError

TRADE_EDITS = (
    "create_order", "patch_order", "delete_order", "track_order", "invoice_order", "emit_invoice", "cancel_invoice",
    "create_contact", "patch_contact", "create_integration", "patch_integration", "unmap",
)  # fmt: skip
_TEXTS = {
    "obs": "notes",
    "obs_internas": "internal_notes",
    "data_prevista": "planned",
    "data_envio": "sent",
    "data_entrega": "delivered",
}
_ORDER_FIELDS = ("situacao", "tracking", *_TEXTS)


class Merchant:
    """Edits of one account; each returns the record as the control API shows it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.trade = account.trade

    def edit(self, op: str, step: Mapping[str, Any]) -> Any:
        """Do one edit; ValueError (also for what the screens refuse) or LookupError when it makes no sense."""
        work: Callable[[Mapping[str, Any]], Any] = getattr(self, f"_{op}")
        try:
            return work(step)
        except RecordError as error:
            raise ValueError("; ".join(error.texts)) from None
        except invoices.InvoiceError as error:
            raise ValueError(str(error)) from None

    def order(self, step: Mapping[str, Any]) -> Order:
        """Return the order a step names by `id` or `numero_ecommerce` (the last one of that number)."""
        if step.get("id") is not None:
            found = self.trade.orders.get(int(step["id"]))
        else:
            found = next(reversed(self.trade.with_shop_number(str(step.get("numero_ecommerce")))), None)
        if found is None:
            raise LookupError(f"no order {step.get('id') or step.get('numero_ecommerce')!r} in {self.account.name}")
        return found

    def invoice(self, step: Mapping[str, Any]) -> Invoice:
        """Return the note a step names by `invoice`, or the last one of the order it names."""
        if step.get("invoice") is not None:
            found = self.trade.invoices.get(int(step["invoice"]))
        else:
            found = next(reversed(self.trade.notes_of(self.order(step))), None)
        if found is None:
            raise LookupError(f"no such invoice in {self.account.name}")
        return found

    def integration(self, step: Mapping[str, Any]) -> Integration:
        """Return the integration a step names by `integration`."""
        found = self.trade.events.integrations.get(int(step["integration"]))
        if found is None:
            raise LookupError(f"no integration {step['integration']!r} in {self.account.name}")
        return found

    def _create_order(self, step: Mapping[str, Any]) -> dict[str, Any]:
        return show_order(create_order(self.trade, step.get("order") or {}, "merchant"))

    def _patch_order(self, step: Mapping[str, Any]) -> dict[str, Any]:
        order, fields = self.order(step), dict(step.get("fields") or {})
        wrong = [name for name in fields if name not in _ORDER_FIELDS]
        if wrong or not fields:
            raise ValueError(f"an order edit has {', '.join(_ORDER_FIELDS)}; got {', '.join(wrong) or 'nothing'}")
        situation = read_situation(str(fields["situacao"])) if "situacao" in fields else order.situation
        if situation is None:
            raise ValueError(f"no situation {fields['situacao']!r}")
        for name in ("data_prevista", "data_envio", "data_entrega"):
            if fields.get(name):
                date.fromisoformat(str(fields[name]))
        if "tracking" in fields:
            dispatch(self.trade, order, fields["tracking"])
        if any(name in fields for name in _TEXTS) or situation != order.situation:
            with self.trade.editing(order):
                order.situation = situation
                for name, attribute in _TEXTS.items():
                    if name in fields:
                        setattr(order, attribute, str(fields[name]))
        return show_order(order)

    def _delete_order(self, step: Mapping[str, Any]) -> dict[str, Any]:
        order = self.order(step)
        self.trade.delete_order(order)
        return show_order(order)

    def _track_order(self, step: Mapping[str, Any]) -> dict[str, Any]:
        order = self.order(step)
        dispatch(self.trade, order, step.get("tracking") or {})
        return show_order(order)

    def _invoice_order(self, step: Mapping[str, Any]) -> dict[str, Any]:
        outcome = _outcome(step)
        order = self.order(step)
        pending = [n for n in self.trade.notes_of(order) if n.situation == PENDING]
        note = pending[-1] if pending else invoices.generate(self.trade, order, int(step.get("modelo", 55)))
        if outcome != PENDING:
            invoices.emit(self.trade, note, outcome)
        return invoices.show(note)

    def _emit_invoice(self, step: Mapping[str, Any]) -> dict[str, Any]:
        note = self.invoice(step)
        invoices.emit(self.trade, note, _outcome(step))
        return invoices.show(note)

    def _cancel_invoice(self, step: Mapping[str, Any]) -> dict[str, Any]:
        note = self.invoice(step)
        invoices.cancel(self.trade, note)
        return invoices.show(note)

    def _create_contact(self, step: Mapping[str, Any]) -> dict[str, Any]:
        row = {"situacao": "A", **(step.get("contact") or {})}
        return show_contact(create_contact(self.trade, row, "merchant", duplicates=True))

    def _patch_contact(self, step: Mapping[str, Any]) -> dict[str, Any]:
        contact = self.trade.contacts.get(int(step.get("id", 0)))
        if contact is None:
            raise LookupError(f"no contact {step.get('id')!r} in {self.account.name}")
        fields = step.get("fields") or {}
        return show_contact(update_contact(self.trade, {**contact.fields, **fields, "id": contact.id}, "merchant"))

    def _create_integration(self, step: Mapping[str, Any]) -> dict[str, Any]:
        fields, rows = dict(step.get("fields") or {}), self.trade.events.integrations
        number = int(fields.get("id") or max(rows, default=8389) + 1)
        if number in rows:
            raise ValueError(f"the integration {number} exists")
        shop = Integration(number, f"Loja {number}")
        shop.change(fields)
        rows[number] = shop
        return shop.as_dict()

    def _patch_integration(self, step: Mapping[str, Any]) -> dict[str, Any]:
        shop = self.integration(step)
        shop.change({k: v for k, v in (step.get("fields") or {}).items() if k != "id"})
        return shop.as_dict()

    def _unmap(self, step: Mapping[str, Any]) -> dict[str, Any]:
        shop = self.integration(step)
        if step.get("product") is None:
            shop.mappings.clear()
        else:
            shop.mappings.pop(int(step["product"]), None)
        return shop.as_dict()


def show_order(order: Order) -> dict[str, Any]:
    """Return everything stored of an order, with the body that made it and how often it was written."""
    return {
        "id": order.id,
        "numero": order.number,
        "situacao": order.situation,
        "numero_ecommerce": order.shop_number,
        "id_ecommerce": order.shop_id,
        "ecommerce": order.shop_name,
        "id_contato": order.contact_id,
        "cliente": order.client,
        "endereco_entrega": order.delivery,
        "data_pedido": order.date,
        "data_prevista": order.planned,
        "data_faturamento": order.invoiced,
        "data_envio": order.sent,
        "data_entrega": order.delivered,
        "itens": [_item(item) for item in order.items],
        "parcelas": [_installment(parcel) for parcel in order.installments],
        "pagamentos_integrados": order.payments,
        "forma_pagamento": order.form,
        "meio_pagamento": order.mean,
        "valor_frete": float(order.freight),
        "valor_desconto": float(order.discount),
        "outras_despesas": float(order.other),
        "total_produtos": float(order.products_total),
        "total_pedido": float(order.total),
        "frete_por_conta": order.freight_by,
        "tracking": {
            "codigo": order.tracking,
            "url": order.tracking_url,
            "transportadora": order.carrier,
            "forma_envio": order.shipping,
            "forma_frete": order.freight_kind,
            **order.dispatch,
        },
        "numero_ordem_compra": order.purchase_number,
        "id_vendedor": order.seller_id,
        "nome_vendedor": order.seller_name,
        "obs": order.notes,
        "obs_internas": order.internal_notes,
        "id_deposito": order.deposit_id,
        "marcadores": [name for _, name in order.markers],
        "intermediador": order.intermediary,
        "natureza_operacao": {"id": order.operation[0], "nome": order.operation[1]},
        "id_nota_fiscal": order.invoice_id,
        "reservado": order.held,
        "estoque_lancado": order.taken,
        "historico": [{"em": at, "situacao": code} for at, code in order.history],
        "criado": order.created_at,
        "alterado": order.changed_at,
        "origin": order.origin,
        "request": order.request,
        "writes": dict(order.writes),
    }


def _outcome(step: Mapping[str, Any]) -> int:
    outcome = int(step.get("outcome", AUTHORIZED))
    if outcome not in invoices.OUTCOMES:
        raise ValueError(f"outcome is one of {', '.join(map(str, invoices.OUTCOMES))}; got {outcome}")
    return outcome


def _item(item: Item) -> dict[str, Any]:
    return {
        "id_produto": item.product_id,
        "codigo": item.sku,
        "descricao": item.name,
        "unidade": item.unit,
        "quantidade": float(item.quantity),
        "valor_unitario": float(item.price),
        "informacao_adicional": item.info,
    }


def _installment(parcel: Installment) -> dict[str, Any]:
    return {
        "dias": parcel.days,
        "data": parcel.date,
        "valor": float(parcel.value),
        "obs": parcel.notes,
        "forma_pagamento": parcel.form,
        "meio_pagamento": parcel.mean,
    }
