"""What a merchant reads about an account that gives a connection less than it asks for; `hub.texts` puts it with the
rest."""

REFUSED = {
    # code: (title, what happened, what happens when it is put right); what is missing is listed between the two
    "account.refused": (
        "Permissões que faltam no {name}",
        "O {name} não dá a esta conexão tudo o que ela usa. O que está abaixo fica sem funcionar; o resto segue "
        "normalmente.",
        "Peça ao administrador do {name} que libere as permissões ao usuário que autorizou a Esteira e mande verificar "
        "a conexão. Para o que falta na autorização, conecte de novo na Esteira e autorize outra vez: uma autorização "
        "não cresce depois de dada. Quando nada mais faltar, este aviso some.",
    ),
}

PROBLEMS = {
    "permission.stock": "o usuário não pode alterar o estoque dos produtos; o estoque da loja não é enviado",
    "permission.unit_price": "o usuário não pode alterar o preço unitário; os pedidos da loja podem ser recusados",
    "permission.reversal": "o usuário não pode estornar pedidos; um pedido confirmado não é cancelado pela Esteira",
    "scope.missing": "não inclui “{received}”; conecte de novo e autorize outra vez",
    "document.needed": (
        "o comprador não informou CPF nem CNPJ, e sem ele o pedido não entra no {system}; peça o número ao comprador, "
        "preencha-o no pedido e mande reenviar"
    ),
}

FIELDS = {
    "permission": "Permissão do usuário",
    "scope": "Autorização",
}
