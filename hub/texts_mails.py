"""What a buyer reads in an e-mail about an order, and what the merchant reads when one could not be sent."""

from hub.mails import Letter

PLAIN = {
    # code: (title, what happened, what to do)
    "mail.failed": (
        "Pedido {number}: e-mail ao comprador não entregue",
        "Um aviso sobre o andamento deste pedido não pôde ser entregue: o servidor de e-mail recusou o endereço do "
        "comprador, ou a mensagem.",
        "Confira o e-mail do comprador no pedido e avise-o por outro meio; depois, arquive este aviso.",
    ),
    "mail.too_late": (
        "Pedido {number}: e-mail ao comprador não enviado",
        "O servidor de e-mail não aceitou a mensagem sobre o andamento deste pedido durante três dias. Ela não é mais "
        "enviada, porque já não seria novidade.",
        "Se for importante, avise o comprador por outro meio; depois, arquive este aviso. Se houver vários avisos como "
        "este, fale com quem opera a Esteira: o servidor de e-mail não está funcionando.",
    ),
    "mail.no_server": (
        "E-mails aos compradores não são enviados",
        "Esta conexão está com os e-mails aos compradores ligados, mas a Esteira não tem servidor de e-mail "
        "configurado. O que esperou três dias não é mais enviado.",
        "Peça a quem opera a Esteira que configure o servidor de e-mail: este aviso some quando o próximo e-mail sair. "
        "Ou desligue os e-mails nesta conexão (mail_shipped e mail_delivered) e arquive este aviso.",
    ),
    "mail.unknown": (
        "Pedido {number}: e-mail ao comprador sem confirmação",
        "O envio de um aviso sobre o andamento deste pedido foi interrompido, e não há como saber se o comprador o "
        "recebeu. A Esteira não o envia de novo, para não repetir a mensagem.",
        "Se for importante, avise o comprador por outro meio; depois, arquive este aviso.",
    ),
}

WHAT = {"shipped": "enviado", "delivered": "entregue"}


def subject(letter: Letter) -> str:
    """The subject line."""
    return f"Seu pedido {letter.number} foi {WHAT.get(letter.kind, letter.kind)}"


def body(letter: Letter) -> str:
    """The text, in plain text."""
    parts = letter.name.split()
    lines = [f"Olá, {parts[0]}!" if parts else "Olá!", ""]
    if letter.kind == "delivered":
        lines += [f"O seu pedido {letter.number} foi entregue. Esperamos que goste!"]
    else:
        lines += [f"O seu pedido {letter.number} foi enviado.", *_tracking(letter)]
    lines += ["", "Se tiver alguma dúvida, fale com a loja pelos canais de atendimento dela.", "", letter.store]
    return "\n".join(lines).rstrip() + "\n"


def _tracking(letter: Letter) -> list[str]:
    told = []
    if letter.carrier:
        told.append(f"Transportadora: {letter.carrier}")
    if letter.tracking_code:
        told.append(f"Código de rastreamento: {letter.tracking_code}")
    if letter.tracking_url:
        told.append(f"Acompanhe a entrega: {letter.tracking_url}")
    return ["", *told] if told else []
