"""Contact services of API v2 (`reference/tiny.md` §3.11)."""

import json
from collections.abc import Callable
from typing import Any

from sandbox.core.clock import local_text
from sandbox.tiny.body import read_json
from sandbox.tiny.contact_body import LENGTHS, create_contact, update_contact
from sandbox.tiny.product import as_text
from sandbox.tiny.records import Contact, digits, masked, masked_cep
from sandbox.tiny.situations import plain
from sandbox.tiny.v2 import Answer, V2Call, V2Error
from sandbox.tiny.v2_paging import cut_page, given, time_filter
from sandbox.tiny.v2_writes import BATCH, RecordError
from sandbox.tiny.values import Values

_DATE_TIME = "%d/%m/%Y %H:%M:%S"
_DELETED = "E"


def search(call: V2Call) -> Answer:
    """contatos.pesquisa: part of name or code; active ones unless `situacao` is Excluido [I]."""
    if "pesquisa" not in call.form:
        raise V2Error(10, "O parâmetro pesquisa é obrigatório e não foi informado")
    situation = plain(given(call, "situacao"))
    if situation not in ("", "ativo", "excluido"):
        raise V2Error(10, "O parâmetro situacao deve ser Ativo ou Excluido")
    text, document, seller = plain(given(call, "pesquisa")), digits(given(call, "cpf_cnpj")), given(call, "idVendedor")
    created, changed = time_filter(call, "dataCriacao"), time_filter(call, "dataMinimaAtualizacao")
    name = plain(given(call, "nomeVendedor"))
    found = [
        c
        for c in call.me.trade.contacts.values()
        if (c.fields.get("situacao") == _DELETED) == (situation == "excluido")
        and text in f"{plain(c.fields['nome'])}\n{plain(c.fields['codigo'])}"
        and (not document or c.fields["cpf_cnpj"] == document)
        and (not seller or c.fields.get("id_vendedor") == seller)
        and (not name or name in plain(c.fields.get("nome_vendedor", "")))
        and (created is None or c.created_at >= created)
        and (changed is None or c.changed_at >= changed)
    ]
    found.sort(key=lambda c: (c.fields["nome"].casefold(), c.id))
    shown, paging = cut_page(call, found)
    return {**paging, "contatos": [{"contato": _row(c, call.values(c.id))} for c in shown]}


def get(call: V2Call) -> Answer:
    """contato.obter; an unknown id is code 32 [I]."""
    contact = call.me.trade.contacts.get(call.number("id"))
    if contact is None:
        raise V2Error(32, "Contato não localizado")
    values = call.values(contact.id)
    return {"status_processamento": values.status("3"), "contato": _detail(contact, values)}


def create(call: V2Call) -> Answer:
    """contato.incluir: a batch call of up to 20."""
    return _batch(call, lambda row: create_contact(call.me.trade, row, "v2"))


def update(call: V2Call) -> Answer:
    """contato.alterar: a batch call of up to 20; fields left out are blanked."""
    return _batch(call, lambda row: update_contact(call.me.trade, row, "v2"))


def _batch(call: V2Call, write: Callable[[dict[str, Any]], Contact]) -> Answer:
    if "contato" not in call.form:
        raise V2Error(10, "O parâmetro contato é obrigatório e não foi informado")
    try:
        body = read_json(call.form["contato"])
    except json.JSONDecodeError:
        raise V2Error(3) from None
    listed = body.get("contatos") if isinstance(body, dict) else None
    wrapped = [row.get("contato") for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    rows = [row for row in wrapped if isinstance(row, dict)]
    if not rows:
        return {"status_processamento": "3", "registros": []}
    if len(rows) > BATCH:
        raise V2Error(22)
    seen: set[str] = set()
    records = [_record(row, seen, write) for row in rows]
    failed = [r for r in records if r["status"] == "Erro"]
    answer: Answer = {"registros": [{"registro": r} for r in records]}
    if failed:
        whole = len(failed) == len(records)
        answer |= {"status_processamento": "2" if whole else 4, "status": "Erro" if whole else "OK"}
        answer["log_code"] = int(failed[0]["codigo_erro"])
    return answer


def _record(row: dict[str, Any], seen: set[str], write: Callable[[dict[str, Any]], Contact]) -> dict[str, Any]:
    sequence = as_text(row.get("sequencia"))
    doubled = sequence in seen
    seen.add(sequence)
    try:
        if not sequence:
            raise RecordError(31, "O número de sequência deve ser informado", *_also_wrong(row))
        if doubled:
            raise RecordError(9, "Número de sequência repetido")
        return {"sequencia": sequence, "status": "OK", "id": str(write(row).id)}
    except RecordError as error:
        erros = [{"erro": text} for text in error.texts]
        return {"sequencia": sequence, "status": "Erro", "codigo_erro": str(error.code), "erros": erros}


def _also_wrong(row: dict[str, Any]) -> list[str]:
    wrong = []
    if not as_text(row.get("nome")).strip():
        wrong.append("O nome do contato deve ser informado")
    if not as_text(row.get("situacao")).strip():
        wrong.append("A situação do contato deve ser informada")
    return wrong


def _row(contact: Contact, values: Values) -> dict[str, Any]:
    fields = contact.fields
    cep = digits(fields.get("cep", ""))
    plain_names = ("nome", "tipo_pessoa", "fantasia", "cpf_cnpj", "endereco", "numero", "complemento", "bairro")
    return {
        "id": values.ident(contact.id, int),
        "codigo": values.sku(fields.get("codigo", "")),
        **{name: fields.get(name, "") for name in plain_names},
        "cep": f"{cep[:5]}-{cep[5:]}" if len(cep) == 8 else fields.get("cep", ""),
        "cidade": fields.get("cidade", ""),
        "uf": fields.get("uf", ""),
        "email": fields.get("email", ""),
        "fone": fields.get("fone", ""),
        "id_lista_preco": values.ident(0, int),
        "situacao": "Excluido" if fields.get("situacao") == _DELETED else "Ativo",
        "id_vendedor": fields.get("id_vendedor", ""),
        "nome_vendedor": fields.get("nome_vendedor", ""),
        "data_criacao": local_text(contact.created_at, _DATE_TIME),
    }


def _detail(contact: Contact, values: Values) -> dict[str, Any]:
    fields = {name: contact.fields.get(name, "") for name in LENGTHS}
    fields["cpf_cnpj"] = masked(fields["cpf_cnpj"])
    fields["cep"] = masked_cep(fields["cep"])
    row = {
        "id": values.ident(contact.id, str),
        **fields,
        "limite_credito": float(fields["limite_credito"] or 0),
        "data_atualizacao": local_text(contact.changed_at, _DATE_TIME),
    }
    values.collection(row, "tipos_contato", [{"tipo": name} for name in contact.types], [])
    people = [{"pessoa_contato": dict(person)} for person in contact.people]
    values.collection(row, "pessoas_contato", people, [])
    return row
