"""The words that TagPlus writes where a store, a stage or an invoice of ours has others (`reference/tagplus.md`)."""

from hub.stages import Stage

OPEN, CONFIRMED, CANCELLED = "A", "B", "C"
STATUSES = (OPEN, CONFIRMED, CANCELLED)

STATUS_OF_STAGE = {Stage.OPEN: OPEN, Stage.CANCELLED: CANCELLED}
"""Every other stage is a confirmed order: what was paid stays confirmed however far the parcel has come.

Both articles come down to this: Webstore's sends paid orders only, and Nuvemshop's "Pagamento recebido" is confirmed,
"Cancelado" cancelled, and the rest, which has not been paid, open.
"""

STAGE_OF_STATUS = {OPEN: Stage.OPEN, CONFIRMED: Stage.APPROVED, CANCELLED: Stage.CANCELLED}

NOTE_STATES = {"N": "pending", "A": "authorised", "S": "cancelled", "2": "denied", "4": "denied"}
"""`§9.1`; 4 is a number that was made void: no note ever came of it. Others are left to the document."""

PAYMENT_BASES = {
    "pix": (15, 20),
    "boleto": (8,),
    "bank_slip": (8,),
    "credit_card": (3,),
    "credito": (3,),
    "cartao_credito": (3,),
    "cartao_de_credito": (3,),
    "debit_card": (2,),
    "debito": (2,),
    "cartao_debito": (2,),
    "cartao_de_debito": (2,),
    "cash": (1,),
    "dinheiro": (1,),
    "bank_transfer": (16,),
    "transfer": (16,),
    "transferencia": (16,),
    "none": (18,),
}
"""How an order was paid, as a store says it, and the bases of TagPlus's payment forms (`§10`), the likeliest first."""

OTHER_PAYMENT = 19

LACKS = {
    "alterar_estoque_produto": "stock",
    "funcionario_permissao_modificar_valor_unitario": "unit_price",
    "funcionario_permissao_estorno": "reversal",
}
"""Permissions of the user's profile, and what is refused without them (`§5`)."""

STOCK_REFUSALS = frozenset(("permissao_alterar_estoque_produto", "operacao_nao_permitida"))
"""The first is told of the user (`§5`); the second of what a product's kind does not allow, by inference."""

TABLES = (
    "produtos",
    "clientes",
    "pedidos",
    "nfes",
    "formas_pagamento",
    "unidades",
    "cidades",
    "tipos_contatos",
    "tipos_cadastros",
    "registro_atividades",
)
"""What we read. A scope that is missing shows as a refusal, and only a new consent brings it (`§2.2`)."""
