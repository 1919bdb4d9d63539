"""The merchant at the ERP's screens: products, people, sales, invoices, without the API's rules of traffic."""

from collections.abc import Mapping
from typing import Any

from sandbox.contaazul import invoices, people, product_body, products, sale_body, sales
from sandbox.contaazul.accounts import Account
from sandbox.contaazul.checks import Field, Refused, check
from sandbox.contaazul.people_view import detail as person_view
from sandbox.contaazul.product_view import detail as product_view
from sandbox.contaazul.records import Invoice, Person, Product, Sale
from sandbox.contaazul.sale_view import SITUATIONS, stored

EDITS = (
    "create_product", "patch_product", "delete_product", "stock", "create_person", "patch_person", "delete_person",
    "create_sale", "patch_sale", "delete_sale", "issue_invoice", "cancel_invoice", "correct_invoice",
)  # fmt: skip
_PRODUCT_FIELDS = {"descricao": str, "status": str, "custo_medio": float, "categoria": int}
_SALE_FIELDS = {
    "situacao": Field("text", choices=SITUATIONS),
    "observacoes": Field("text"),
    "observacoes_pagamento": Field("text"),
    "data_venda": Field("date"),
    "numero": Field("int", above_zero=True),
    "frete": Field("number"),
    "desconto": Field("object", fields={
        "tipo": Field("text", required=True, choices=("VALOR", "PORCENTAGEM")),
        "valor": Field("number", required=True)}),
}  # fmt: skip


class Merchant:
    """Edits of one account; each returns the row as the control API shows it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.store = account.store

    def edit(self, op: str, step: Mapping[str, Any]) -> Any:
        """Do one edit; ValueError (also for what the ERP's forms refuse) or LookupError when it makes no sense."""
        if op not in EDITS:
            raise ValueError(f"op is one of {', '.join(EDITS)}; got {op!r}")
        try:
            return getattr(self, f"_{op}")(step)
        except Refused as refused:
            raise ValueError(refused.text) from None

    def product(self, step: Mapping[str, Any]) -> Product:
        """Return the product a step names by `id` or `sku`."""
        if step.get("id") is not None:
            found = self.store.product(str(step["id"]))
        else:
            found = next(iter(self.store.products.having(("sku", step.get("sku")))), None)
        if found is None:
            raise LookupError(f"account {self.account.name} has no product {step.get('id') or step.get('sku')!r}")
        return found

    def sale(self, step: Mapping[str, Any]) -> Sale:
        """Return the sale a step names by `id` (UUID or old id) or `numero`."""
        if step.get("id") is not None:
            found = self.store.sale(str(step["id"]))
        else:
            found = next((s for s in self.store.sales.having(("numero", step.get("numero"))) if not s.deleted), None)
        if found is None:
            raise LookupError(f"account {self.account.name} has no sale {step.get('id') or step.get('numero')!r}")
        return found

    def invoice(self, step: Mapping[str, Any]) -> Invoice:
        """Return the invoice a step names by `chave`, or the last one of the sale it names."""
        if step.get("chave"):
            found = [n for n in self.store.invoices if n.chave == step["chave"]]
        else:
            found = self.store.notes.get(self.sale(step).id, [])
        if not found:
            raise LookupError(f"account {self.account.name} has no such invoice")
        return found[-1]

    def show_product(self, product: Product) -> dict[str, Any]:
        """Return a product as the control API shows it."""
        return {**product_view(self.store, product), "origem_cadastro": product.origem, "request": product.request}

    def show_person(self, person: Person) -> dict[str, Any]:
        """Return a person as the control API shows it."""
        return {**person_view(person), "origem_cadastro": person.origem, "request": person.request}

    def show_sale(self, sale: Sale) -> dict[str, Any]:
        """Return a sale as the control API shows it."""
        return stored(self.store, sale)

    def _create_product(self, step: Mapping[str, Any]) -> dict[str, Any]:
        return self.show_product(product_body.build(self.store, step.get("product") or {}, origem="ERP"))

    def _patch_product(self, step: Mapping[str, Any]) -> dict[str, Any]:
        product, fields = self.product(step), dict(step.get("fields") or {})
        wrong = [name for name in fields if name not in {*product_body.PATCHABLE, *_PRODUCT_FIELDS}]
        if wrong:
            known = ", ".join((*product_body.PATCHABLE, *_PRODUCT_FIELDS))
            raise ValueError(f"a product has {known}; got {', '.join(wrong)} (stock has its own edit)")
        if fields.get("status", "ATIVO") not in ("ATIVO", "INATIVO"):
            raise ValueError(f"status is ATIVO or INATIVO, got {fields['status']!r}")
        product_body.check_patch(fields)
        values = product_body.patched(self.store, product, fields)
        for name, kind in _PRODUCT_FIELDS.items():
            if name in fields:
                values["cost" if name == "custo_medio" else name] = kind(fields[name])
        now = self.store.clock.now()
        self.store.products.edit(product, **values, versao=product.versao + 1, changed_at=now)
        return self.show_product(product)

    def _delete_product(self, step: Mapping[str, Any]) -> dict[str, Any]:
        product = self.product(step)
        shown = self.show_product(product)
        products.remove(self.store, product)
        return shown

    def _stock(self, step: Mapping[str, Any]) -> dict[str, Any]:
        product = self.product(step)
        balance, reserved = step.get("balance"), step.get("reserved")
        if balance is None and reserved is None:
            raise ValueError("a stock edit has balance, reserved or both")
        if balance is not None:
            self.store.move_stock(product, float(balance) - product.stock)
        if reserved is not None:
            self.store.products.edit(product, reserved=float(reserved))
        return self.show_product(product)

    def _create_person(self, step: Mapping[str, Any]) -> dict[str, Any]:
        return self.show_person(people.build(self.store, step.get("person") or {}, origem="ERP"))

    def _patch_person(self, step: Mapping[str, Any]) -> dict[str, Any]:
        person = self._person(step)
        fields = step.get("fields") or {}
        people.check_patch(fields)
        people.patch(self.store, person, fields)
        return self.show_person(person)

    def _delete_person(self, step: Mapping[str, Any]) -> dict[str, Any]:
        person = self._person(step)
        self.store.people.remove(person)
        return self.show_person(person)

    def _create_sale(self, step: Mapping[str, Any]) -> dict[str, Any]:
        body = {"numero": self.store.next_number(), **(step.get("sale") or {})}
        budget = str(body.get("situacao", "")).startswith("ORCAMENTO")
        checked = {**body, "situacao": "EM_ANDAMENTO"} if budget else body
        sale_body.check_create(self.store, self.store.settings, checked)
        return self.show_sale(sales.build(self.store, body, tipo="ORCAMENTO" if budget else "VENDA", origem="ERP"))

    def _patch_sale(self, step: Mapping[str, Any]) -> dict[str, Any]:
        sale, fields = self.sale(step), dict(step.get("fields") or {})
        wrong = [name for name in fields if name not in _SALE_FIELDS]
        if wrong or not fields:
            raise ValueError(f"a sale has {', '.join(_SALE_FIELDS)}; got {', '.join(wrong) or 'nothing'}")
        check(fields, _SALE_FIELDS)
        if "numero" in fields and self.store.number_taken(fields["numero"], sale):
            raise ValueError(f"another sale has the number {fields['numero']}")
        renamed = {{"frete": "freight", "desconto": "discount"}.get(k, k): v for k, v in fields.items()}
        self.store.edit_sale(sale, **renamed)
        return self.show_sale(sale)

    def _delete_sale(self, step: Mapping[str, Any]) -> dict[str, Any]:
        sale = self.sale(step)
        self.store.delete_sale(sale)
        return self.show_sale(sale)

    def _issue_invoice(self, step: Mapping[str, Any]) -> dict[str, Any]:
        outcome, test = step.get("outcome", "EMITIDA"), step.get("test")
        note = invoices.issue(self.account, self.sale(step), self.store.clock.now(), outcome, test)
        return invoices.show(note)

    def _cancel_invoice(self, step: Mapping[str, Any]) -> dict[str, Any]:
        note = self.invoice(step)
        invoices.cancel(note)
        return invoices.show(note)

    def _correct_invoice(self, step: Mapping[str, Any]) -> dict[str, Any]:
        note = self.invoice(step)
        text = step.get("text") or "Correção do endereço de entrega do destinatário."
        invoices.correct(self.account, note, str(text), self.store.clock.now())
        return invoices.show(note)

    def _person(self, step: Mapping[str, Any]) -> Person:
        found = self.store.person(str(step.get("id")))
        if found is None:
            raise LookupError(f"account {self.account.name} has no person {step.get('id')!r}")
        return found
