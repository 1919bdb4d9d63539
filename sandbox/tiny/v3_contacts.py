"""Operations of API v3 on contacts and on the registers (`reference/tiny.md` §5.5)."""

from collections.abc import Mapping
from typing import Any

from sandbox.tiny import v3_order_view
from sandbox.tiny.body import check_person, texts
from sandbox.tiny.contact_body import LENGTHS, create_contact
from sandbox.tiny.records import Contact, digits
from sandbox.tiny.situations import plain
from sandbox.tiny.tables import RECEIVING, SHIPPING, Form, by_id
from sandbox.tiny.v2_writes import RecordError
from sandbox.tiny.v3 import Route, V3Call, V3Error, invalid
from sandbox.tiny.v3_body import (
    amount,
    group,
    ident,
    missing,
    ordered,
    page,
    query_time,
    query_whole,
    rows,
    text,
    whole,
)

_TEXTS = {
    "nome": "nome",
    "codigo": "codigo",
    "fantasia": "fantasia",
    "tipoPessoa": "tipo_pessoa",
    "cpfCnpj": "cpf_cnpj",
    "inscricaoEstadual": "ie",
    "rg": "rg",
    "telefone": "fone",
    "celular": "celular",
    "email": "email",
    "inscricaoMunicipal": "im",
    "telefoneAdicional": "fax",
    "emailNfe": "email_nfe",
    "site": "site",
    "observacoes": "obs",
    "profissao": "profissao",
    "sexo": "sexo",
}
_ADDRESS = {
    "endereco": "endereco",
    "numero": "numero",
    "complemento": "complemento",
    "bairro": "bairro",
    "municipio": "cidade",
    "cep": "cep",
    "uf": "uf",
}
_SITUATIONS = {"B": "A", "A": "S", "I": "I", "E": "E"}


def list_contacts(call: V3Call) -> dict[str, Any]:
    """GET /contatos; deleted ones only with `situacao` E [I]."""
    state, name = call.query.get("situacao", ""), plain(call.query.get("nome", ""))
    if state not in ("", *_SITUATIONS):
        raise invalid("situacao", "O campo situacao deve ser B, A, I ou E")
    code, document = call.query.get("codigo", ""), digits(call.query.get("cpfCnpj", ""))
    mobile, seller = digits(call.query.get("celular", "")), query_whole(call, "idVendedor")
    created, changed = query_time(call, "dataCriacao"), query_time(call, "dataAtualizacao")
    found = [
        c
        for c in call.me.trade.contacts.values()
        if (c.fields["situacao"] == _SITUATIONS[state] if state else c.fields["situacao"] != "E")
        and name in plain(c.fields["nome"])
        and (not code or c.fields["codigo"] == code)
        and (not document or c.fields["cpf_cnpj"] == document)
        and (not mobile or digits(c.fields.get("celular", "")) == mobile)
        and (seller is None or c.fields.get("id_vendedor") == str(seller))
        and (created is None or c.created_at >= created)
        and (changed is None or c.changed_at >= changed)
    ]
    shown, paging = page(call, ordered(call, found))
    return {"itens": [v3_order_view.contact_row(c) for c in shown], "paginacao": paging}


def get_contact(call: V3Call) -> dict[str, Any]:
    """GET /contatos/{id}."""
    return v3_order_view.contact_detail(_contact(call))


def post_contact(call: V3Call) -> dict[str, Any]:
    """POST /contatos: a second one with the same document is taken (§7)."""
    body = call.json()
    if not text(body, "nome"):
        raise missing("nome")
    row: dict[str, Any] = {"situacao": "A", **_fields(body)}
    row["pessoas_contato"] = _people(body)
    try:
        contact = create_contact(call.me.trade, row, "v3", duplicates=True)
    except RecordError as error:
        raise V3Error(400, "Ocorreram erros de validação", *(("contato", t) for t in error.texts)) from None
    contact.request = body
    contact.writes["POST /contatos"] += 1
    return {"id": contact.id}


def put_contact(call: V3Call) -> None:
    """PUT /contatos/{id}: 204; what is left out stays [I]."""
    contact, body = _contact(call), call.json()
    fields = {**contact.fields, **_fields(body)}
    try:
        wrong = check_person(call.settings, fields) + check_person(call.settings, fields, "_cobranca")
        fields = texts(call.settings, fields, LENGTHS)
    except RecordError as error:
        wrong = list(error.texts)
    if not fields["nome"]:
        wrong.append("O nome do contato deve ser informado")
    if wrong:
        raise V3Error(400, "Ocorreram erros de validação", *(("contato", t) for t in wrong))
    if body.get("contatos") is not None:
        contact.people = _people(body)
    contact.request = body
    contact.writes["PUT /contatos/{id}"] += 1
    call.me.trade.put_contact(contact, fields)


def receiving_forms(call: V3Call) -> dict[str, Any]:
    """GET /formas-recebimento and /formas-pagamento."""
    shown, paging = page(call, _named(call, RECEIVING))
    return {"itens": [_receiving(form) for form in shown], "paginacao": paging}


def receiving_form(call: V3Call) -> dict[str, Any]:
    """GET /formas-recebimento/{id}."""
    form = by_id(RECEIVING, call.number())
    if form is None:
        raise V3Error(404)
    return _receiving(form)


def shipping_forms(call: V3Call) -> dict[str, Any]:
    """GET /formas-envio."""
    kind = query_whole(call, "tipo")
    found = [form for form in _named(call, SHIPPING) if kind in (None, form.kind)]
    shown, paging = page(call, found)
    return {"itens": [_shipping(form) for form in shown], "paginacao": paging}


def shipping_form(call: V3Call) -> dict[str, Any]:
    """GET /formas-envio/{id}: with its ways of freight."""
    form = by_id(SHIPPING, call.number())
    if form is None:
        raise V3Error(404)
    kinds = [
        {"id": number, "nome": name, "codigo": code, "codigoExterno": "", "tipoEntrega": "0"}
        for number, name, code in form.freights
    ]
    return {**_shipping(form), "formasFrete": kinds}


def _contact(call: V3Call) -> Contact:
    contact = call.me.trade.contacts.get(call.number())
    if contact is None:
        raise V3Error(404)
    return contact


def _fields(body: Mapping[str, Any]) -> dict[str, str]:
    found = {mine: text(body, theirs) for theirs, mine in _TEXTS.items()}
    for name, suffix in (("endereco", ""), ("enderecoCobranca", "_cobranca")):
        address = group(body, name)
        found |= {f"{mine}{suffix}": text(address, theirs) for theirs, mine in _ADDRESS.items()}
    found["pais"] = text(group(body, "endereco"), "pais")
    state = text(body, "situacao")
    if state is not None:
        if state not in _SITUATIONS:
            raise invalid("situacao", "O campo situacao deve ser B, A, I ou E")
        found["situacao"] = _SITUATIONS[state]
    limit, regime = amount(body, "limiteCredito"), whole(body, "regimeTributario")
    found["limite_credito"] = None if limit is None else str(limit)
    found["crt"] = None if regime is None else str(regime)
    found["id_vendedor"] = str(ident(body, "vendedor")) if ident(body, "vendedor") else None
    kept = {name: value for name, value in found.items() if value is not None}
    if "cpf_cnpj" in kept:
        kept["cpf_cnpj"] = digits(kept["cpf_cnpj"])
    for name in ("cep", "cep_cobranca"):
        if name in kept:
            kept[name] = digits(kept[name])
    return kept


def _people(body: Mapping[str, Any]) -> list[dict[str, str]]:
    names = {"nome": "nome", "telefone": "telefone", "ramal": "ramal", "email": "email", "setor": "departamento"}
    return [{mine: text(row, theirs) or "" for theirs, mine in names.items()} for row in rows(body, "contatos")]


def _named(call: V3Call, table: tuple[Form, ...]) -> list[Form]:
    name = plain(call.query.get("nome", ""))
    state = query_whole(call, "situacao")
    return [form for form in table if name in plain(form.name) and state in (None, 1)]


def _receiving(form: Form) -> dict[str, Any]:
    return {"id": form.id, "nome": form.name, "situacao": "1"}


def _shipping(form: Form) -> dict[str, Any]:
    return {
        "nome": form.name,
        "tipo": str(form.kind),
        "situacao": "1",
        "id": form.id,
        "gatewayLogistico": {"id": 0, "nome": ""},
    }


CONTACT_ROUTES = (
    Route("GET", "/contatos", "contatos:read", list_contacts),
    Route("POST", "/contatos", "contatos:write", post_contact),
    Route("GET", "/contatos/{id}", "contatos:read", get_contact),
    Route("PUT", "/contatos/{id}", "contatos:write", put_contact),
    Route("GET", "/formas-recebimento", "tabelas:read", receiving_forms),
    Route("GET", "/formas-recebimento/{id}", "tabelas:read", receiving_form),
    Route("GET", "/formas-pagamento", "tabelas:read", receiving_forms),
    Route("GET", "/formas-pagamento/{id}", "tabelas:read", receiving_form),
    Route("GET", "/formas-envio", "tabelas:read", shipping_forms),
    Route("GET", "/formas-envio/{id}", "tabelas:read", shipping_form),
)
