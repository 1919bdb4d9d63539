"""People: search, detail, create, replace, patch, activate, delete (`reference/contaazul.md` §5)."""

from collections.abc import Mapping
from typing import Any

from sandbox.contaazul.api import ApiCall, paged
from sandbox.contaazul.checks import UUID_TEXT, Field, Refused, check, is_uuid, missing
from sandbox.contaazul.people_view import detail, row, summary
from sandbox.contaazul.records import Person
from sandbox.contaazul.store import Store
from sandbox.contaazul.times import local_day
from sandbox.core.documents import plain

KINDS = ("Física", "Jurídica", "Estrangeira")
PROFILES = ("Cliente", "Fornecedor", "Transportadora")
_TEXT, _BOOL = Field("text"), Field("bool")
_ADDRESS = Field("list", fields={
    **dict.fromkeys(("logradouro", "numero", "complemento", "bairro", "cidade", "estado", "cep", "pais"), _TEXT),
    "estado": Field("text", longest=2), "id_cidade": Field("int")})  # fmt: skip
_REGISTRATIONS = Field("list", fields={
    "indicador_inscricao_estadual": Field("text", choices=("NAO CONTRIBUINTE", "CONTRIBUINTE", "ISENTO")),
    **dict.fromkeys(("inscricao_estadual", "inscricao_municipal", "inscricao_suframa"), _TEXT)})  # fmt: skip
_CONTACTS = Field("list", fields=dict.fromkeys(
    ("nome", "cargo", "email", "telefone_celular", "telefone_comercial"), _TEXT))  # fmt: skip
_PROFILES = Field("list", filled=True, fields={"tipo_perfil": Field("text", required=True, choices=PROFILES)})
_COMMON = {
    "nome": Field("text", longest=200), "tipo_pessoa": Field("text", choices=KINDS), "cpf": _TEXT, "cnpj": _TEXT,
    "rg": _TEXT, "codigo": Field("text", longest=20), "data_nascimento": Field("date"),
    "email": Field("text", longest=100), "telefone_celular": _TEXT, "telefone_comercial": _TEXT,
    "observacao": Field("text", longest=2000), "ativo": _BOOL, "agencia_publica": _BOOL, "perfis": _PROFILES,
    "enderecos": _ADDRESS, "inscricoes": _REGISTRATIONS, "outros_contatos": _CONTACTS,
    "contato_cobranca_faturamento": Field("object", fields={"emails": Field("list"), "whatsapp": _TEXT}),
}  # fmt: skip
#: The smallest body production took has these three (§5.3).
_CREATE = {
    **_COMMON,
    "nome": Field("text", required=True, longest=200),
    "tipo_pessoa": Field("text", required=True, choices=KINDS),
    "perfis": Field("list", required=True, filled=True, fields=_PROFILES.fields),
    "nome_fantasia": Field("text", longest=200),
    "optante_simples": _BOOL,
}
_PATCH = {**_COMMON, "nome_empresa": Field("text", longest=200), "optante_simples_nacional": _BOOL}
#: Create and replace say one thing, the detail and PATCH another (§5.4).
_READ_NAMES = {
    "nome_fantasia": "nome_empresa",
    "optante_simples": "optante_simples_nacional",
    "agencia_publica": "orgao_publico",
}
#: What PUT demands one by one (§5.4).
_PUT_NEEDS = ("codigo", "rg", "data_nascimento", "email", "telefone_comercial", "observacao")
_ORDERS = {
    "NOME": lambda p: (p.nome.casefold(), p.id_legado),
    "EMAIL": lambda p: ((p.fields.get("email") or "").casefold(), p.id_legado),
    "DOCUMENTO": lambda p: (p.documento, p.id_legado),
    "ATIVO": lambda p: (p.ativo, p.id_legado),
}


def list_people(call: ApiCall) -> dict[str, Any]:
    """GET /v1/pessoas: `items` is null when nobody is found (§3.6)."""
    query = call.query
    page, size = query.page()
    order = query.choice("tipo_ordenacao", tuple(_ORDERS))
    descending = query.choice("ordem_ordenacao", ("ASC", "DESC")) == "DESC"
    documents = query.texts("documentos")
    keys = [("documento", plain(d)) for d in documents] if documents else None
    tests = _filters(call, documents)
    found = [p for p in call.store.people.visible(keys) if all(test(p) for test in tests)]
    found.sort(key=_ORDERS[order] if order else lambda p: p.id_legado, reverse=descending)
    with_address = query.flag("com_endereco") is True
    rows = [row(person, with_address) for person in paged(found, page, size)]
    return {"items": call.rows(rows, observed_null=True), "totalItems": call.total(len(found))}


def get_person(call: ApiCall) -> dict[str, Any]:
    """GET /v1/pessoas/{id}."""
    return detail(_person(call))


def get_by_old_id(call: ApiCall) -> dict[str, Any]:
    """GET /v1/pessoas/legado/{uuid_legado}: the UUID of the old model, not the number (§5.2)."""
    found = next(iter(call.store.people.having(("legado", call.uuid()))), None)
    if found is None:
        raise Refused(404, "Pessoa não encontrada")
    return detail(found)


def get_company(call: ApiCall) -> dict[str, Any]:
    """GET /v1/pessoas/conta-conectada: the company of the token."""
    me = call.me
    return {
        "razao_social": me.company,
        "nome_fantasia": me.trade_name,
        "documento": me.cnpj,
        "email": me.email,
        "data_fundacao": "2019-03-01",
        "id_empresa": me.id_empresa,
    }


def create_person(call: ApiCall) -> Any:
    """POST /v1/pessoas."""
    body = call.json()
    person = build(call.store, body, refuse_duplicates=call.settings.contaazul_duplicate_person == "refuse")
    return call.created(summary(person))


def replace_person(call: ApiCall) -> dict[str, Any]:
    """PUT /v1/pessoas/{id}: a full replacement that wants nearly every field (§5.4)."""
    person, body = _person(call), call.json()
    check(body, _CREATE)
    _check_documents(body)
    for name in ("cpf" if body["tipo_pessoa"] == "Física" else "cnpj", *_PUT_NEEDS, "inscricoes", "outros_contatos"):
        if not body.get(name):
            raise missing(name)
    for at, contact in enumerate(body["outros_contatos"]):
        if not contact.get("telefone_celular"):
            raise missing(f"outros_contatos[{at}].telefone_celular")
    if not body.get("enderecos"):
        raise missing("enderecos")
    for at, address in enumerate(body["enderecos"]):
        if not address.get("complemento"):
            raise missing(f"enderecos[{at}].complemento")
    fields = _fields(call.store, body)
    active = body.get("ativo") is not False
    call.store.people.edit(person, fields=fields, ativo=active, changed_at=call.now, request=body)
    return summary(person)


def patch_person(call: ApiCall) -> None:
    """PATCH /v1/pessoas/{id} → 204: applies what is sent."""
    person, body = _person(call), call.json()
    check_patch(body)
    patch(call.store, person, body)


def activate(call: ApiCall) -> dict[str, Any]:
    """POST /v1/pessoas/ativar."""
    return _switch(call, True)


def deactivate(call: ApiCall) -> dict[str, Any]:
    """POST /v1/pessoas/inativar."""
    return _switch(call, False)


def delete_people(call: ApiCall) -> None:
    """POST /v1/pessoas/excluir → 204: physical (§5.4)."""
    for person in _people(call):
        call.store.people.remove(person)


def check_patch(body: Mapping[str, Any]) -> None:
    """Refuse a wrong PATCH body."""
    check(body, _PATCH)
    _check_documents(body)
    if "nome" in body and not body["nome"]:
        raise missing("nome")


def build(store: Store, body: Mapping[str, Any], *, refuse_duplicates: bool = False, origem: str = "API") -> Person:
    """Add a person from a body of POST /v1/pessoas; Refused when it is wrong."""
    check(body, _CREATE)
    if not body["nome"].strip():
        raise missing("nome")
    _check_documents(body)
    now = store.clock.now()
    person = Person(
        id=store.uuid("pessoa"),
        id_legado=store.legacy("pessoa"),
        uuid_legado=store.uuid("pessoa-legado"),
        fields=_fields(store, body),
        created_at=now,
        changed_at=now,
        ativo=body.get("ativo") is not False,
        origem=origem,
        request=dict(body),
    )
    if refuse_duplicates and person.documento and store.people.having(("documento", person.documento)):
        raise Refused(400, f"Já existe uma pessoa com o documento {person.documento}")
    return store.people.add(person)


def patch(store: Store, person: Person, body: Mapping[str, Any]) -> None:
    """Edit a person by a checked PATCH body."""
    known = {name: body[name] for name in _PATCH if body.get(name) is not None}
    fields = {**person.fields, **_fields(store, known)}
    active = known.get("ativo", person.ativo)
    store.people.edit(person, fields=fields, ativo=active, changed_at=store.clock.now())


def _fields(store: Store, body: Mapping[str, Any]) -> dict[str, Any]:
    names = {*_CREATE, *_PATCH} - {"ativo"}
    fields = {_READ_NAMES.get(name, name): body[name] for name in names if body.get(name) is not None}
    for name in ("enderecos", "inscricoes", "outros_contatos", "perfis"):
        if name in fields:
            fields[name] = [{**entry, "id": store.uuid(name)} for entry in fields[name]]
    return fields


def _check_documents(body: Mapping[str, Any]) -> None:
    # The vendor's own examples carry wrong check digits: only the number of characters is looked at [I].
    for name, length in (("cpf", 11), ("cnpj", 14)):
        text = plain(body.get(name) or "")
        if text and (len(text) != length or (name == "cpf" and not text.isdigit())):
            raise Refused(400, f"O campo {name} é inválido")


def _filters(call: ApiCall, documents: list[str]) -> list[Any]:
    query, tests = call.query, list[Any]()
    kinds = query.texts("tipos_pessoa")
    wrong = [kind for kind in kinds if kind not in KINDS]
    if wrong:
        raise Refused(400, f"O valor '{wrong[0]}' não é válido para o parâmetro tipos_pessoa")
    profile = query.choice("tipo_perfil", PROFILES)
    if call.settings.contaazul_people_defaults == "narrow":
        kinds, profile = kinds or ["Física"], profile or "Cliente"
    if kinds:
        tests.append(lambda p: p.fields["tipo_pessoa"] in kinds)
    if profile:
        tests.append(lambda p: profile in p.profiles)
    if documents:
        tests.append(_by_document(documents, call.settings.contaazul_document_search))
    text = query.text("busca").casefold()
    if text:
        digits = plain(text)
        tests.append(lambda p: text in p.nome.casefold() or (digits.isdigit() and digits in p.documento))
    for name, value_of in _LISTS.items():
        wanted = {value.casefold() for value in query.texts(name)}
        if wanted:
            tests.append(lambda p, wanted=wanted, value_of=value_of: bool(wanted & value_of(p)))
    created = query.days("data_criacao_inicio", "data_criacao_fim")
    if created is not None:
        tests.append(lambda p: created[0] <= local_day(p.created_at) <= created[1])
    changed = query.changed()
    if changed is not None:
        tests.append(lambda p: changed[0] <= p.changed_at < changed[1])
    return tests


def _by_document(documents: list[str], style: str) -> Any:
    if style == "digits":
        documents = [d for d in documents if d == plain(d)]
    elif style == "masked":
        documents = [d for d in documents if d != plain(d)]
    wanted = {plain(d) for d in documents}
    return lambda p: p.documento in wanted


def _words(*values: Any) -> set[str]:
    return {str(value).casefold() for value in values if value}


_LISTS: dict[str, Any] = {
    "ids": lambda p: _words(p.id),
    "nomes": lambda p: _words(p.nome),
    "emails": lambda p: _words(*(e.strip() for e in (p.fields.get("email") or "").split(","))),
    "telefones": lambda p: _words(p.fields.get("telefone_celular"), p.fields.get("telefone_comercial")),
    "codigos_pessoa": lambda p: _words(p.fields.get("codigo")),
    "cidades": lambda p: _words(*(a.get("cidade") for a in p.fields.get("enderecos") or ())),
    "ufs": lambda p: _words(*(a.get("estado") for a in p.fields.get("enderecos") or ())),
    "paises": lambda p: _words(*(a.get("pais") for a in p.fields.get("enderecos") or ())),
}


def _person(call: ApiCall) -> Person:
    person = call.store.person(call.uuid())
    if person is None:
        raise Refused(404, "Pessoa não encontrada")
    return person


def _people(call: ApiCall) -> list[Person]:
    body = call.json()
    check(body, {"uuids": Field("list", required=True, filled=True)})
    ids = body["uuids"]
    if len(ids) > 10:
        raise Refused(400, "O campo uuids deve ter no máximo 10 itens")
    if not all(map(is_uuid, ids)):
        raise Refused(400, UUID_TEXT)
    found = [call.store.person(i) for i in ids]
    if None in found:
        raise Refused(404, "Pessoa não encontrada")
    return [person for person in found if person is not None]


def _switch(call: ApiCall, active: bool) -> dict[str, Any]:
    people = _people(call)
    for person in people:
        call.store.people.edit(person, ativo=active, changed_at=call.now)
    ids = [person.id for person in people]
    # The bucket that has nothing in it is null (§5.4).
    return {"todos": ids, "ativos": ids if active else None, "inativos": None if active else ids}
