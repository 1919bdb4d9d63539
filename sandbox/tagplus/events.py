"""The events webhooks can be registered for (§11.3)."""

EVENTS = (
    "pedido_criado", "pedido_alterado", "pedido_apagado", "pedido_confirmado", "produto_criado", "produto_alterado",
    "produto_apagado", "estoque_revenda_alterado", "cliente_criado", "cliente_alterado", "cliente_apagado",
    "nfe_criada",
    "nfe_alterada", "nfe_apagada", "nfe_aprovada", "nfe_denegada", "nfe_cancelada",
)  # fmt: skip
