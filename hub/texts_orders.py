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
