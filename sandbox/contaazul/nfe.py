"""What an NF-e of Conta Azul is made of: the sale, its client and products."""

from decimal import Decimal
from typing import Any

from sandbox.contaazul.records import Sale, money
from sandbox.core.nfe import Client, Draft, Issuer, Line

_PAYMENTS = {
    "DINHEIRO": "01", "CHEQUE": "02", "CARTAO_CREDITO": "03", "CARTAO_DEBITO": "04", "CREDITO_LOJA": "05",
    "VALE_ALIMENTACAO": "10", "VALE_REFEICAO": "11", "VALE_PRESENTE": "12", "VALE_COMBUSTIVEL": "13",
    "BOLETO_BANCARIO": "15", "DEPOSITO_BANCARIO": "16", "PIX_PAGAMENTO_INSTANTANEO": "17", "COBRANCA_PIX": "17",
    "TRANSFERENCIA_BANCARIA": "18", "CARTEIRA_DIGITAL": "18", "PROGRAMA_FIDELIDADE": "19", "SEM_PAGAMENTO": "90",
}  # fmt: skip


def draft_of(
    issuer: Issuer,
    sale: Sale,
    client: dict[str, Any],
    products: tuple[tuple[str, str, str, str], ...],
    number: int,
    issued_at: float,
    test: bool,
) -> Draft:
    """Return the draft of a sale's note; `products` are (SKU, GTIN, NCM, unit) of the lines."""
    kind = sale.payment["tipo_pagamento"]
    return Draft(
        issuer=issuer,
        client=Client(client["documento"], str(client["nome"]), client["email"] or "", client["endereco"]),
        lines=tuple(_line(row, product) for row, product in zip(sale.itens, products, strict=True)),
        freight=money(sale.freight),
        discount=sale.discount_value,
        payment=_PAYMENTS.get(kind, "99"),
        payment_name=kind,
        about=f"Venda {sale.numero}",
        number=number,
        issued_at=issued_at,
        test=test,
    )


def _line(row: dict[str, Any], product: tuple[str, str, str, str]) -> Line:
    sku, gtin, ncm, unit = product
    quantity, price = Decimal(str(row["quantidade"])), Decimal(str(row["valor"]))
    return Line(sku or row["id_item"][:8], gtin, ncm, unit, row["nome"], quantity, price)
