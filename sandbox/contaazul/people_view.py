"""How people show: in the search, in the detail, after creation (`reference/contaazul.md` §5)."""

from typing import Any

from sandbox.contaazul.records import Person
from sandbox.contaazul.times import local_day, local_moment
from sandbox.core.documents import masked

#: The kind of person: accented in lists and bodies, plain capitals in the detail and after creation (§5.2).
LIST_KINDS = {"Física": "FISICA", "Jurídica": "JURIDICA", "Estrangeira": "ESTRANGEIRA"}
_LEGACY = {"Cliente": "CLIENTE", "Fornecedor": "FORNECEDOR", "Transportadora": "TRANSPORTADORA"}


def row(person: Person, with_address: bool) -> dict[str, Any]:
    """Return a person as GET /v1/pessoas lists it."""
    fields = person.fields
    body = {
        "id": person.id,
        "id_legado": person.id_legado,
        "uuid_legado": person.uuid_legado,
        "nome": person.nome,
        "tipo_pessoa": fields["tipo_pessoa"],
        "documento": masked(person.documento),
        "email": fields.get("email") or "",
        "telefone": fields.get("telefone_comercial") or fields.get("telefone_celular") or "",
        "ativo": person.ativo,
        "observacoes_gerais": fields.get("observacao") or "",
        "perfis": [_LEGACY[profile] for profile in person.profiles],
        "data_criacao": local_moment(person.created_at),
        "data_alteracao": _altered(person),
    }
    if with_address:
        body["endereco"] = person.address
    return body


def detail(person: Person) -> dict[str, Any]:
    """Return a person as GET /v1/pessoas/{id} shows it."""
    fields = person.fields
    return {
        "id": person.id,
        "nome": person.nome,
        "nome_empresa": fields.get("nome_empresa") or "",
        "tipo_pessoa": LIST_KINDS[fields["tipo_pessoa"]],
        "codigo": fields.get("codigo") or "",
        "documento": masked(person.documento),
        "rg": fields.get("rg") or "",
        "data_nascimento": fields.get("data_nascimento") or "",
        "email": fields.get("email") or "",
        "telefone_celular": fields.get("telefone_celular") or "",
        "telefone_comercial": fields.get("telefone_comercial") or "",
        "ativo": person.ativo,
        "optante_simples_nacional": bool(fields.get("optante_simples_nacional")),
        "orgao_publico": bool(fields.get("orgao_publico")),
        "observacao": fields.get("observacao") or "",
        "criado_em": local_day(person.created_at),
        "data_alteracao": _altered(person),
        "atrasos_pagamentos": 0.0,
        "atrasos_recebimentos": 0.0,
        "pagamentos_mes_atual": 0.0,
        "recebimentos_mes_atual": 0.0,
        "contato_cobranca_faturamento": fields.get("contato_cobranca_faturamento"),
        "mensagem_pagamentos_abertos": None,
        "enderecos": fields.get("enderecos") or [],
        "inscricoes": fields.get("inscricoes") or [],
        "lembretes_vencimento": [],
        "outros_contatos": fields.get("outros_contatos") or [],
        "perfis": fields.get("perfis") or [],
        "pessoas_legado": [
            {"id": person.id_legado, "uuid": person.uuid_legado, "perfil": _LEGACY[profile]}
            for profile in person.profiles
        ],
    }


def summary(person: Person) -> dict[str, Any]:
    """Return what POST and PUT answer."""
    fields = person.fields
    plain_names = (
        "cpf", "cnpj", "rg", "codigo", "data_nascimento", "email", "telefone_celular", "telefone_comercial",
        "observacao", "contato_cobranca_faturamento", "enderecos", "inscricoes", "outros_contatos", "perfis",
    )  # fmt: skip
    return {
        "id": person.id,
        "nome": person.nome,
        "nome_fantasia": fields.get("nome_empresa"),
        "tipo_pessoa": LIST_KINDS[fields["tipo_pessoa"]],
        **{name: fields.get(name) for name in plain_names},
        "ativo": person.ativo,
        "optante_simples": bool(fields.get("optante_simples_nacional")),
        "agencia_publica": bool(fields.get("orgao_publico")),
        "estrangeiro": fields["tipo_pessoa"] == "Estrangeira",
        "origem": person.origem,
    }


def _altered(person: Person) -> str:
    # Never edited: the vendor writes an empty text (§5.2).
    return "" if person.changed_at == person.created_at else local_moment(person.changed_at)
