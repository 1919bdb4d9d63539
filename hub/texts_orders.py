"""What a merchant reads about orders that an ERP has moved on; `hub.texts` puts it with the rest."""

PLAIN = {
    # code: (title, what happened, what to do)
    "order.cancelled_by_erp": (
        "Pedido {number} cancelado no {system}",
        "A venda foi cancelada no {system}, e por isso o pedido foi cancelado também na loja e nos outros sistemas. "
        "Nenhum pagamento dele estava aprovado.",
        "Se o cancelamento foi um engano, faça um pedido novo: um pedido cancelado não volta. Senão, avise o comprador "
        "e arquive este aviso.",
    ),
    "order.cancelled_by_erp_paid": (
        "Pedido {number} cancelado no {system}: devolva o pagamento",
        "A venda foi cancelada no {system}, e por isso o pedido foi cancelado também na loja e nos outros sistemas. O "
        "pedido estava pago, e a Esteira não devolve dinheiro.",
        "Devolva o pagamento ao comprador pelo meio em que ele pagou, avise-o do cancelamento e arquive este aviso.",
    ),
    "order.gone": (
        "Pedido {number} não está mais no {system}",
        "A venda deste pedido foi excluída no {system}. A Esteira não a cria de novo e não recebe mais o andamento "
        "dela; na loja, o pedido continua como estava.",
        "Se o pedido continua valendo, lance a venda no {system} à mão. Se não continua, cancele o pedido na loja. "
        "Depois, arquive este aviso.",
    ),
    "order.integration_unknown": (
        "Integração {received} não encontrada no {system}",
        "Esta conexão envia os pedidos pela integração de número {received}, e o pedido que acaba de ser criado no "
        "{system} não ficou ligado a ela. Os pedidos são criados mesmo assim, mas o {system} não avisa a Esteira do "
        "andamento deles na hora e pode não guardar o número do pedido da loja.",
        "No {system}, abra Integrações e confira o número da integração “API do ERP”; se ela foi excluída, crie outra. "
        "Informe o número nesta conexão, em ecommerce_id. Este aviso some quando o próximo pedido for criado com a "
        "integração certa.",
    ),
}

REFUSED = {
    # code: (title, what happened, what happens when it is put right); what stands against it is listed between the two
    "order.not_moved": (
        "Situação do pedido não atualizada",
        "O pedido já está no {name}; só a situação dele não pôde ser atualizada lá.",
        "Não lance o pedido outra vez. Atualize a situação dele no {name}, ou corrija o que está indicado e mande "
        "reenviar (“corrigir e reenviar”). Quando a situação de lá for a mesma da loja, este aviso some.",
    ),
}

STAGES = {
    "open": "em aberto",
    "approved": "aprovado",
    "preparing": "em preparação",
    "invoiced": "faturado",
    "ready": "pronto para envio",
    "shipped": "enviado",
    "not_delivered": "não entregue",
    "delivered": "entregue",
    "cancelled": "cancelado",
}
"""How far an order has come."""
