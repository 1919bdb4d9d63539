"""The columns of our spreadsheets: how each may be headed (as `column_name` spells it), and which field it is."""

from collections.abc import Mapping

Columns = Mapping[str, tuple[str, tuple[str, ...]]]

TEXT, NUMBER, FLAG, TIME, PICTURES = "text", "number", "flag", "time", "pictures"

PRODUCTS: dict[str, tuple[str, tuple[str, ...]]] = {
    # field: (what is in it, heads; the first one is what an export writes)
    "sku": (TEXT, ("sku", "codigo", "codigo_sku", "cod")),
    "name": (TEXT, ("nome", "name", "produto", "titulo")),
    "kind": (TEXT, ("tipo", "kind")),
    "parent_sku": (TEXT, ("sku_pai", "parent_sku", "codigo_pai")),
    "list_price": (NUMBER, ("preco", "price", "list_price", "preco_de_venda", "valor")),
    "promotional_price": (NUMBER, ("preco_promocional", "promotional_price")),
    "cost_price": (NUMBER, ("preco_de_custo", "cost_price", "custo")),
    "stock": (NUMBER, ("estoque", "stock", "quantidade", "saldo")),
    "gtin": (TEXT, ("gtin", "ean", "codigo_de_barras", "gtin_ean")),
    "ncm": (TEXT, ("ncm",)),
    "cest": (TEXT, ("cest",)),
    "origin": (TEXT, ("origem", "origin")),
    "brand": (TEXT, ("marca", "brand")),
    "category": (TEXT, ("categoria", "category")),
    "unit": (TEXT, ("unidade", "unit", "un")),
    "warranty": (TEXT, ("garantia", "warranty")),
    "weight_net": (NUMBER, ("peso_liquido", "weight_net")),
    "weight_gross": (NUMBER, ("peso_bruto", "weight_gross")),
    "height": (NUMBER, ("altura", "height")),
    "width": (NUMBER, ("largura", "width")),
    "length": (NUMBER, ("comprimento", "length")),
    "active": (FLAG, ("ativo", "active")),
    "pictures": (PICTURES, ("imagens", "pictures", "fotos")),
    "description": (TEXT, ("descricao", "description")),
}

ORDERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "number": (TEXT, ("pedido", "numero", "number", "numero_do_pedido")),
    "placed_at": (TIME, ("data", "placed_at", "data_do_pedido")),
    "customer.name": (TEXT, ("cliente", "customer", "nome_do_cliente", "comprador")),
    "customer.document": (TEXT, ("documento", "cpf_cnpj", "cpf", "cnpj", "document")),
    "customer.email": (TEXT, ("email", "e_mail")),
    "customer.phone": (TEXT, ("telefone", "phone", "celular")),
    "item.sku": (TEXT, ("sku", "codigo")),
    "item.name": (TEXT, ("produto", "item", "descricao")),
    "item.quantity": (NUMBER, ("quantidade", "quantity", "qtd")),
    "item.unit_price": (NUMBER, ("preco_unitario", "unit_price", "valor_unitario")),
    "item.discount": (NUMBER, ("desconto_do_item", "item_discount", "desconto_item")),
    "discount": (NUMBER, ("desconto", "discount", "desconto_do_pedido")),
    "freight": (NUMBER, ("frete", "freight")),
    "total": (NUMBER, ("total", "valor_total")),
    "payment_method": (TEXT, ("forma_de_pagamento", "payment_method", "pagamento")),
    "instalments": (NUMBER, ("parcelas", "instalments")),
    "paid": (FLAG, ("pago", "paid")),
    "paid_at": (TIME, ("pago_em", "paid_at")),
    "delivery.recipient": (TEXT, ("entrega_destinatario",)),
    "delivery.street": (TEXT, ("entrega_rua", "endereco", "logradouro")),
    "delivery.number": (TEXT, ("entrega_numero", "numero_do_endereco")),
    "delivery.complement": (TEXT, ("entrega_complemento", "complemento")),
    "delivery.district": (TEXT, ("entrega_bairro", "bairro")),
    "delivery.city": (TEXT, ("entrega_cidade", "cidade")),
    "delivery.uf": (TEXT, ("entrega_uf", "uf", "estado")),
    "delivery.postal_code": (TEXT, ("entrega_cep", "cep")),
    "notes": (TEXT, ("observacoes", "notes", "obs")),
    "source": (TEXT, ("conexao", "source")),
}

TOLD_ONLY = frozenset({"situacao", "situacao_do_pagamento", "andamento", "atualizado_em"})
"""Columns that an export writes and an import passes over: states are not made by a spreadsheet."""


def head(columns: Columns, field: str) -> str:
    """How an export heads a field."""
    return columns[field][1][0]


def by_head(columns: Columns) -> dict[str, str]:
    """The field of every head."""
    return {name: field for field, (_, heads) in columns.items() for name in heads}
