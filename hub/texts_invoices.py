"""What a merchant reads about invoices; `hub.texts` puts it with the rest."""

REFUSED = {
    # code: (title, what happened, what happens when it is put right); the problems are listed between the two
    "invoice.refused": (
        "Nota fiscal não integrada",
        "A nota encontrada no {name} para este pedido não pôde ser usada, e o pedido continua sem nota na loja.",
        "Confira a nota no {name}. A Esteira procura de novo sozinha, e este aviso some quando a nota do pedido for "
        "encontrada.",
    ),
}

PLAIN = {
    # code: (title, what happened, what to do)
    "invoice.test": (
        "Pedido {number}: nota fiscal de teste",
        "A nota nº {note}, série {series}, deste pedido foi emitida em ambiente de homologação (teste) e não tem valor "
        "fiscal; por isso não vai para a loja.",
        "No {system}, troque o ambiente de emissão para produção e emita a nota do pedido outra vez.",
    ),
    "invoice.denied": (
        "Pedido {number}: uso da nota fiscal denegado",
        "A SEFAZ denegou a nota nº {note}, série {series}: há uma pendência no cadastro fiscal da sua empresa ou do "
        "comprador. A nota não vale e o número não pode ser usado de novo.",
        "Fale com o seu contador, resolva a pendência e emita outra nota para o pedido.",
    ),
    "invoice.cancelled": (
        "Pedido {number}: nota fiscal cancelada",
        "A nota nº {note}, série {series}, foi cancelada; a loja não a mostra mais como válida.",
        "Se o pedido continua valendo, emita outra nota no {system}: a Esteira a encontra sozinha, e este aviso some. "
        "Se não continua, cancele o pedido na loja.",
    ),
    "invoice.gone": (
        "Pedido {number}: nota fiscal não está mais no {system}",
        "A nota nº {note}, série {series}, saiu da lista do {system} e o arquivo dela não é mais encontrado. É o que "
        "acontece quando uma nota é cancelada, mas o {system} não diz o motivo; a loja passou a mostrá-la como "
        "cancelada.",
        "Consulte a nota no {system}, ou pela chave de acesso no portal da NF-e. Se foi cancelada e o pedido continua "
        "valendo, emita outra: a Esteira a encontra sozinha. Se ela ainda vale, fale com o suporte da Esteira.",
    ),
    "invoice.unlisted": (
        "Pedido {number}: confira a nota fiscal",
        "A nota nº {note}, série {series}, não aparece mais na lista do {system}, embora o arquivo dela ainda exista. "
        "Ela pode ter sido cancelada; o {system} não diz. A loja continua mostrando a nota como válida.",
        "Consulte a nota no {system}, ou pela chave de acesso no portal da NF-e. Se foi cancelada e o pedido continua "
        "valendo, emita outra nota. Se ela voltar à lista, este aviso some sozinho.",
    ),
    "invoice.listed_again": (
        "Pedido {number}: nota fiscal voltou a aparecer",
        "A nota nº {note}, série {series}, que a loja mostra como cancelada porque tinha sumido do {system}, aparece "
        "outra vez na lista de lá. A Esteira não torna válida uma nota que já mostrou como cancelada.",
        "Consulte a nota pela chave de acesso no portal da NF-e. Se ela vale, avise o comprador e fale com o suporte "
        "da Esteira; se não vale, emita outra.",
    ),
}

PROBLEMS = {
    "access_key.*": "a chave de acesso da nota ({received}) não está correta; consulte-a no portal da NF-e",
    "issuer.*": "o emitente que consta na nota ({received}) não é válido; baixe a nota e confira",
    "issuer.differs": (
        "foi emitida por outra empresa ({received}), e não pela desta conexão; confira se a conta conectada é a que "
        "emite as notas da loja"
    ),
    "buyer.differs": (
        "nem o comprador, nem o valor ({received}), nem o número são os deste pedido; confira de que venda é a nota"
    ),
    "note.other_order": "é a nota do pedido {received}; um pedido não pode usar a nota de outro",
    "note.unreachable": (
        "o {system} não entregou o arquivo (XML) da nota ({received}); tente baixá-lo por lá e, se não conseguir, fale "
        "com o suporte do {system}"
    ),
    "note.unreadable": "o arquivo da nota não pôde ser lido ({received}); baixe-o e confira se ele abre",
}

FIELDS = {
    "access_key": "Chave de acesso",
    "buyer": "Comprador e valor",
    "issuer": "Emitente",
    "note": "Nota fiscal",
}
