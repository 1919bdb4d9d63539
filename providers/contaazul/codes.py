"""The words that Conta Azul writes where a store, a fiscal table or another of its own answers writes others."""

PAYMENTS = {
    "pix": "PIX_PAGAMENTO_INSTANTANEO",
    "boleto": "BOLETO_BANCARIO",
    "bank_slip": "BOLETO_BANCARIO",
    "credit_card": "CARTAO_CREDITO",
    "credito": "CARTAO_CREDITO",
    "cartao_credito": "CARTAO_CREDITO",
    "cartao_de_credito": "CARTAO_CREDITO",
    "debit_card": "CARTAO_DEBITO",
    "debito": "CARTAO_DEBITO",
    "cartao_debito": "CARTAO_DEBITO",
    "cartao_de_debito": "CARTAO_DEBITO",
    "bank_transfer": "TRANSFERENCIA_BANCARIA",
    "transfer": "TRANSFERENCIA_BANCARIA",
    "transferencia": "TRANSFERENCIA_BANCARIA",
    "bank_deposit": "DEPOSITO_BANCARIO",
    "deposito": "DEPOSITO_BANCARIO",
    "cash": "DINHEIRO",
    "dinheiro": "DINHEIRO",
    "cheque": "CHEQUE",
    "check": "CHEQUE",
    "wallet": "CARTEIRA_DIGITAL",
    "digital_wallet": "CARTEIRA_DIGITAL",
    "carteira_digital": "CARTEIRA_DIGITAL",
    "payment_link": "LINK_PAGAMENTO",
    "gift_card": "VALE_PRESENTE",
    "voucher": "VALE_PRESENTE",
    "vale_presente": "VALE_PRESENTE",
    "store_credit": "CREDITO_LOJA",
    "cashback": "CASHBACK",
    "loyalty": "PROGRAMA_FIDELIDADE",
    "none": "SEM_PAGAMENTO",
}
"""How an order was paid, as a store says it, and as Conta Azul does (`§6.3`); what is not here is OUTRO."""

ORIGINS = (
    "NACIONAL",
    "ESTRANGEIRA_IMPORTACAO_DIRETA",
    "ESTRANGEIRA_ADQUIRIDA_INTERNAMENTE",
    "NACIONAL_IMPORTACAO_SUPERIOR_40",
    "NACIONAL_PRODUCAO_CONFORMIDADE",
    "NACIONAL_IMPORTACAO_INFERIOR_40",
    "ESTRANGEIRA_IMPORTACAO_DIRETA_CAMEX",
    "ESTRANGEIRA_ADQUIRIDA_INTERNAMENTE_CAMEX",
    "NACIONAL_MERCDORIA_BEM_IMPORTACAO_SUPERIOR_70",  # sic
)
"""The goods' origin by its fiscal digit, 0 to 8 (`§4.7`)."""

STATUSES = {
    "IN_PROCESS": "EM_ANDAMENTO",
    "IN_PROGRESS": "EM_ANDAMENTO",
    "APPROVED": "APROVADO",
    "COMMITTED": "APROVADO",
    "INVOICED": "FATURADO",
    "BILLED": "FATURADO",
    "CANCELED": "CANCELADO",
    "CANCELLED": "CANCELADO",
}
"""The answer to a create speaks English, every other one Portuguese (`§6.3`)."""

UNITS = {
    "UND": "UN",
    "UNID": "UN",
    "UNIDADE": "UN",
    "PÇ": "PC",
    "PEÇA": "PC",
    "PECA": "PC",
    "QUILO": "KG",
    "CAIXA": "CX",
}
"""Other spellings of a unit, tried when its own is not on their list: units cannot be created by the API."""
