"""Every text that a merchant reads, in Brazilian Portuguese: notices by their code, labels by their word.

A notice keeps a code and its parameters and no words, so that a better wording reaches the notices that stand already.
What a notice says to ops is one line of English, by `ops_line`; it holds ids and codes, no names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub import texts_accounts, texts_events, texts_invoices, texts_mails, texts_orders, texts_problems
from hub.clock import format_br
from hub.tables import Notice
from hub.tables.tenancy import ConnectionState
from hub.texts_systems import SYSTEMS, UNKNOWN


@dataclass(frozen=True, slots=True)
class Text:
    """What happened (`title`, `body`), and what the merchant has to do (`action`)."""

    title: str
    body: str
    action: str


def render(code: str, params: Mapping[str, Any]) -> Text:
    """The words of a notice.

    `connection.*` takes `kind`, `code`, `detail`; `product.refused` and `stock.refused` take `sku`, `name` and
    `problems`, a list of `{field, reason, received}`. A parameter that is missing is left out of the text. A code that
    this version does not know (written by a later one) is shown as such and does not break the page. With `kind`, those
    two name the system in which the product is to be corrected.
    """
    if code in _REFUSED:
        return _refused(code, params)
    if code in _PLAIN:
        return _plain(code, params)
    topic, _, reason = code.partition(".")
    if topic == "connection" and reason in _CONNECTION:
        return _of_connection(reason, params)
    return Text(f"Aviso “{code}”", "Esta versão da Esteira não conhece este aviso.", f"{_SUPPORT} e informe “{code}”.")


def knows(code: str) -> bool:
    """Whether the code has words of its own."""
    return (
        code in _REFUSED or code in _PLAIN or (code.startswith("connection.") and code.partition(".")[2] in _CONNECTION)
    )


def sentence(problem: Mapping[str, Any], system: str = "") -> str:
    """One problem of a record, `{field, reason, received}`, as one line: the field, what is wrong, what to write."""
    field, reason = str(problem.get("field", "")), str(problem.get("reason", ""))
    received = " ".join(str(problem.get("received") or "").split())
    keys = (f"{field}.{reason}", f"{field}.*", f"*.{reason}")
    template = next((_PROBLEMS[key] for key in keys if key in _PROBLEMS), texts_problems.ODD)
    said = template.format(
        received=_cut(received, 120) or "vazio",
        number=received.replace(".", ",") or "vazio",
        system=system or "o sistema de origem",
    )
    return f"{FIELDS.get(field, field or 'Registro')}: {said}"


def label(of: str, word: str) -> str:
    """The label of a word: `label("state", "ativa")`. `of` is one of `LABELS`; a word unknown there is shown as it is.

    Raises KeyError for an unknown `of`.
    """
    return LABELS[of].get(word, word)


def system_label(kind: str) -> str:
    """How a kind of connection is called: `tiny_v2` is "Olist Tiny (API v2)"."""
    return SYSTEMS[kind].label if kind in SYSTEMS else kind or "sistema integrado"


def ops_line(notice: Notice) -> str:
    """The notice for ops: one line of English, with ids and codes, and without names or what was received."""
    params = notice.params
    about = notice.connection_id if notice.kind == "connection" else f"{notice.connection_id} {notice.kind}"
    parts = [f"{about} {notice.subject}".strip(), notice.code]
    problems = [f"{p.get('field', '?')} {p.get('reason', '?')}" for p in params.get("problems", ())]
    if problems:
        parts.append(", ".join(problems))
    if meaning := _OPS.get(notice.code.partition(".")[2] if notice.code.startswith("connection.") else ""):
        parts.append(meaning)
    said = [f"code {params['code']}"] if params.get("code") else []
    said += [_cut(str(params["detail"]), 200)] if params.get("detail") else []
    if said:
        parts.append(f"the vendor said {', '.join(said)}")
    return f"{': '.join(parts)} (since {format_br(notice.first_at)})"


_ASK_US = "fale com o suporte da Esteira"
_SUPPORT = "Fale com o suporte da Esteira"
_CHECK_AGAIN = "Depois, mande verificar a conexão na Esteira."
_IF_IT_LASTS = (
    "Não é preciso fazer nada agora: a Esteira tenta de novo sozinha, e este aviso some quando der certo. Se ele ainda "
    "estiver aqui daqui a duas horas,"
)
_TRY_YOURSELF = (
    f"{_IF_IT_LASTS} entre na sua conta do {{name}} pelo navegador. Se ela abrir, {_ASK_US}; se não abrir, fale com o "
    "suporte do {name}."
)

_CONNECTION: dict[str, tuple[str, str, str]] = {
    # reason: (title, what happened, what to do)
    "token": (
        "{label}: conexão perdida",
        "O {name} recusou a credencial desta conexão. Enquanto isso, nada é atualizado por ela.",
        "{reconnect}",
    ),
    "blocked": ("{label}: acesso bloqueado", "{why_blocked}", "{after_block}"),
    "permission": (
        "{label}: falta uma permissão",
        "O {name} não dá a esta conexão acesso a uma parte dos dados de que a loja precisa.",
        "{permission}",
    ),
    "unknown_host": (
        "{label}: endereço não encontrado",
        "O endereço do {name} na internet não foi encontrado.",
        f"{_IF_IT_LASTS} {_ASK_US}: o problema está na rede, e não no seu cadastro.",
    ),
    "unreachable": ("{label}: sem resposta", "Não foi possível chegar ao servidor do {name}.", _TRY_YOURSELF),
    "timeout": ("{label}: demora na resposta", "O {name} não respondeu dentro do tempo esperado.", _TRY_YOURSELF),
    "cut": ("{label}: resposta interrompida", "A resposta do {name} foi cortada no meio do caminho.", _TRY_YOURSELF),
    "maintenance": (
        "{label}: em manutenção",
        "O {name} avisou que está em manutenção.",
        f"{_IF_IT_LASTS} consulte os comunicados do {{name}}.",
    ),
    "quota": (
        "{label}: limite de chamadas atingido",
        "A conta usou todas as chamadas por minuto que o plano do {name} permite. O limite é da empresa inteira e vale "
        "para todas as integrações juntas.",
        "Se outra integração usa a mesma conta, informe nesta conexão, em “chamadas por minuto”, a parte que cabe à "
        "Esteira, ou passe a um plano com mais chamadas. Se não há outra, não é preciso fazer nada: a Esteira espera e "
        "continua de onde parou.",
    ),
    "unreadable": (
        "{label}: resposta ilegível",
        "O {name} respondeu com algo que não é o que a sua API promete, como uma página de erro.",
        _TRY_YOURSELF,
    ),
    "server": ("{label}: erro interno", "O {name} respondeu com um erro interno dele.", _TRY_YOURSELF),
    "validation": (
        "{label}: consulta recusada",
        "O {name} recusou uma consulta da Esteira. Não há nada de errado no seu cadastro.",
        f"{_SUPPORT} e informe a resposta acima.",
    ),
    "not_found": (
        "{label}: informação não encontrada",
        "O {name} disse que não existe o que a Esteira pediu.",
        f"{_IF_IT_LASTS} {_ASK_US} e informe a resposta acima.",
    ),
    "no_service": (
        "{label}: serviço não encontrado",
        "O {name} não tem, ou deixou de ter, o serviço que a Esteira chamou.",
        f"{_SUPPORT} e informe a resposta acima: a Esteira precisa ser atualizada ou configurada.",
    ),
    "debt": (
        "{label}: pagamento pendente",
        "O {name} suspendeu o acesso porque há um pagamento em aberto na conta.",
        f"Regularize o pagamento no {{name}}. {_CHECK_AGAIN}",
    ),
    "taken": (
        "{label}: número de venda ocupado",
        "O {name} recusou o número de uma venda, e a busca dele não mostra que venda o tem.",
        f"{_IF_IT_LASTS} procure esse número nas vendas do {{name}} e {_ASK_US}.",
    ),
    "plan": (
        "{label}: o plano não inclui a API",
        "O {name} avisou que o plano da empresa não dá acesso à API, ou que o período de teste acabou. Enquanto isso, "
        "nada é enviado nem recebido.",
        f"No {{name}}, contrate um plano que inclua a integração por API. {_CHECK_AGAIN}",
    ),
    "other_account": (
        "{label}: conta de outra empresa",
        "A credencial nova desta conexão é de outra empresa (outro CNPJ ou CPF). Para não misturar os produtos das "
        "duas, a conexão foi desativada.",
        "Informe nesta conexão a credencial da mesma empresa de antes. Para integrar a outra empresa também, crie para "
        "ela uma conexão nova.",
    ),
}

_NO_WORDS = frozenset(("unknown_host", "unreachable", "timeout", "cut", "unreadable", "other_account"))

_WHY_BLOCKED = {
    # (kind, the vendor's code): (what happened, what to do), `reference/tiny.md §2.4`
    ("tiny_v2", "7"): (
        "O Olist Tiny avisou que o espaço de armazenamento da empresa está cheio e fechou o acesso.",
        f"No Olist Tiny, apague anexos e imagens que não usa mais, ou contrate mais espaço. {_CHECK_AGAIN}",
    ),
    ("tiny_v2", "8"): (
        "O Olist Tiny avisou que a empresa está bloqueada.",
        "Entre na sua conta do Olist Tiny, veja o motivo do bloqueio (em geral, uma fatura em aberto) e regularize-a, "
        f"ou fale com o suporte do Olist Tiny. {_CHECK_AGAIN}",
    ),
}

_REFUSED = {
    # code: (title, what happened, what happens when it is put right)
    "product.refused": (
        "Produto não integrado",
        "Este produto ficou de fora da loja; os outros foram integrados normalmente.",
        "Corrija no cadastro do produto, no {name}, e salve: a Esteira lê o produto de novo sozinha, e este "
        "aviso some.",
    ),
    "stock.refused": (
        "Estoque não atualizado",
        "A loja continua com a última quantidade conhecida deste produto.",
        "Confira o saldo na tela de estoque do produto, no {name}, e salve: a Esteira lê o saldo de novo sozinha, e "
        "este aviso some.",
    ),
}

_REFUSED |= {
    "product.not_sent": (
        "Produto não enviado",
        "Este produto não foi enviado ao {name}; os outros foram enviados normalmente.",
        "Corrija o produto na loja: a Esteira o envia de novo sozinha. Se o que mudou foi no {name}, mande reenviar "
        "(“corrigir e reenviar”). Quando o produto for aceito, este aviso some.",
    ),
    "product.gone": (
        "Produto não está mais no {name}",
        "Este produto foi excluído no {name}; na loja ele continua como estava. A Esteira só o cria de novo sozinha se "
        "um pedido precisar dele.",
        "Se o produto deve voltar, mande reenviar (“corrigir e reenviar”) ou cadastre-o no {name} com o mesmo código "
        "(SKU); quando ele estiver lá, este aviso some. Senão, desative-o na loja e arquive este aviso.",
    ),
    "order.not_sent": (
        "Pedido não enviado",
        "Este pedido não foi enviado ao {name}; os outros foram enviados normalmente.",
        "Corrija o que está indicado e mande reenviar (“corrigir e reenviar”). Quando o pedido for aceito, este aviso "
        "some.",
    ),
}

_PLAIN = {
    # code: (title, what happened, what to do); {number} and the like come from the notice, {system} is the connection's
    "order.tell_cancelled": (
        "Pedido {number} cancelado na loja",
        "O pedido já estava no {system}, que não deixou a integração cancelar a venda: em geral, porque a nota fiscal "
        "já foi emitida.",
        "Cancele a venda no {system} (e a nota fiscal, se já foi emitida) e arquive este aviso.",
    ),
    "order.tell_refunded": (
        "Pedido {number} devolvido ao cliente",
        "O pagamento deste pedido foi devolvido depois que a venda foi enviada ao {system}, que não recebe devoluções "
        "por integração.",
        "Registre a devolução no {system} (e na nota fiscal, se já foi emitida) e arquive este aviso.",
    ),
    "order.edited": (
        "Pedido {number} mudou depois de enviado",
        "O pedido já estava no {system} quando foi alterado na loja. O {system} continua com o pedido como era antes.",
        "Confira o pedido na loja e faça a mesma alteração na venda, no {system}, antes de emitir a nota fiscal; "
        "depois, arquive este aviso.",
    ),
    "order.totals": (
        "Pedido {number} recusado: os totais não conferem",
        "O total informado é {stated}, mas a soma dos itens, menos os descontos e mais o frete, dá {computed}. O "
        "pedido não entrou na Esteira.",
        "Corrija o pedido na plataforma da loja (ou na planilha) e mande-o de novo; quando os dois totais forem "
        "iguais, este aviso some.",
    ),
    "order.partly_refunded": (
        "Pedido {number} devolvido em parte",
        "O pedido, de {total}, foi pago e, depois, {returned} foram devolvidos ao cliente. A venda continua "
        "valendo pelo total.",
        "Se ela já está no ERP, registre lá a devolução parcial (e na nota fiscal, se já foi emitida).",
    ),
    "order.paid_after_end": (
        "Pedido {number}: pagamento depois do encerramento",
        "Entraram {held} para um pedido que já estava cancelado ou devolvido. Ele não é enviado ao ERP.",
        "Devolva o valor ao cliente, ou faça com ele um pedido novo; quando a devolução for registrada, este aviso "
        "some.",
    ),
    "stock.at_creation_only": (
        "{system}: estoque só na criação do produto",
        "O {system} só aceita a quantidade em estoque quando o produto é criado. Depois disso o estoque de lá muda "
        "pelas vendas e pelas telas do {system}, e não pela loja.",
        "Acerte o estoque dos produtos nas telas do {system}. Este aviso aparece uma vez só.",
    ),
    "stock.two_sources": (
        "{system}: o estoque já vem de outra conexão",
        "Duas conexões informam o estoque dos mesmos produtos. A loja segue só a primeira delas; o estoque informado "
        "pelo {system} não muda o da loja nesses produtos.",
        "Desligue a leitura de estoque (pull_stock) na conexão que não deve informar o estoque da loja. Este aviso "
        "aparece uma vez só.",
    ),
}

_REFUSED |= texts_invoices.REFUSED | texts_accounts.REFUSED | texts_orders.REFUSED
_PLAIN |= texts_invoices.PLAIN | texts_events.PLAIN | texts_mails.PLAIN | texts_orders.PLAIN

_PROBLEMS = texts_problems.PROBLEMS | texts_invoices.PROBLEMS | texts_accounts.PROBLEMS
FIELDS = texts_problems.FIELDS | texts_invoices.FIELDS | texts_accounts.FIELDS

LABELS: dict[str, dict[str, str]] = {
    "state": {state.value: state.value.capitalize() for state in ConnectionState},
    "outcome": {"done": "concluída", "failed": "falhou", "skipped": "já em andamento", "stopped": "interrompida"},
    "path": {
        "pull-catalog": "Produtos do ERP para a loja",
        "pull-stock": "Estoque do ERP para a loja",
        "push-products": "Produtos da loja para o ERP",
        "export-orders": "Pedidos da loja para o ERP",
        "track-orders": "Andamento dos pedidos, do ERP para a loja",
        "pull-invoices": "Notas fiscais do ERP para a loja",
        "drain-inbox": "Avisos automáticos do ERP",
        "keep-alive": "Autorização mantida",
    },
    "stage": texts_orders.STAGES,
    "mode": {"full": "primeira leitura", "listing": "lista completa", "changes": "só o que mudou"},
    "op": {"create": "criar", "update": "atualizar", "deactivate": "desativar", "refuse": "recusar", "none": "manter"},
    "group": {
        "data": "dados",
        "price": "preço",
        "stock": "estoque",
        "pictures": "imagens",
        "invoice": "nota fiscal",
    },
}

_NOTHING_TOLD = {
    "received": "informada",
    **dict.fromkeys(("number", "note", "series"), "sem número"),
    "count": "Um ou mais",
    **dict.fromkeys(("stated", "computed", "total", "held", "returned"), "um valor não informado"),
}

_OPS = {
    "token": "credential refused for good; the merchant has to connect again",
    "blocked": "the vendor closed the account or its API; only the merchant can open it",
    "permission": "the credential lacks a permission or an extension; the merchant has to grant it",
    "unknown_host": "the vendor's host name does not resolve; check DNS and the address setting",
    "unreachable": "no connection to the vendor's server; check network, proxy and the vendor's status page",
    "timeout": "no answer in time",
    "cut": "the connection broke during the answer",
    "maintenance": "the vendor says that it is under maintenance",
    "quota": "over the account's quota through all patience; look for another integration on the account",
    "unreadable": "the answer is not what the API promises",
    "server": "the vendor's own error",
    "validation": "the vendor refused our request; likely a fault of ours",
    "not_found": "the vendor does not have what we asked for",
    "no_service": "the vendor has no such service; check the address setting",
    "debt": "the vendor suspended the account for unpaid fees",
    "taken": "a sale's number is taken by a sale that no search shows; it is looked for again before another is tried",
    "plan": "the account's plan has no API; only the merchant can change it",
    "other_account": "the new credential is another company's; the connection was switched off",
}


def _of_connection(reason: str, params: Mapping[str, Any]) -> Text:
    kind, code = str(params.get("kind") or ""), str(params.get("code") or "")
    system = SYSTEMS.get(kind, UNKNOWN)
    why, then = _WHY_BLOCKED.get(
        (kind, code), (f"O {system.name} fechou o acesso desta conexão à conta.", f"{system.access} {_CHECK_AGAIN}")
    )
    words = {
        "label": system.label if kind in SYSTEMS or not kind else kind,
        "name": system.name,
        "reconnect": system.reconnect,
        "permission": system.permission,
        "why_blocked": why,
        "after_block": then,
    }
    title, body, action = (part.format(**words) for part in _CONNECTION[reason])
    return Text(title, body + _vendor_said(reason, params), action)


def _plain(code: str, params: Mapping[str, Any]) -> Text:
    system = SYSTEMS.get(str(params.get("kind") or ""), UNKNOWN)
    words = {**_NOTHING_TOLD, **{key: str(value) for key, value in params.items()}, "system": system.name}
    title, body, action = (part.format_map(words) for part in _PLAIN[code])
    return Text(title, body, action)


def _refused(code: str, params: Mapping[str, Any]) -> Text:
    title, body, action = _REFUSED[code]
    system = SYSTEMS.get(str(params.get("kind") or ""))
    where = system.name if system else "sistema de origem"
    title = title.format(name=where)
    sku, product = str(params.get("sku") or ""), _cut(str(params.get("name") or ""), 80)
    about = ", ".join(part for part in (f"SKU {sku}" if sku else "", product) if part)
    problems: Sequence[Mapping[str, Any]] = params.get("problems") or ()
    lines = [f"• {sentence(problem, f'o {where}')}." for problem in problems]
    about = about or str(params.get("number") or "")
    body = "\n".join([body.format(name=where), *lines])
    return Text(f"{title}: {about}" if about else title, body, action.format(name=where))


def _vendor_said(reason: str, params: Mapping[str, Any]) -> str:
    """The vendor's own words where there are some; what is kept of a network fault is a word for programmers."""
    if reason in _NO_WORDS:
        return ""
    code, detail = str(params.get("code") or ""), str(params.get("detail") or "")
    said = [f"“{_cut(detail, 200)}”"] if detail and reason != "token" else []
    said += [f"código {code}"] if code else []
    return f" Resposta recebida: {', '.join(said)}." if said else ""


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most].rstrip()}…"
