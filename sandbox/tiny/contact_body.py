"""Contacts as v2 writes them: lengths, checks, duplicates (`reference/tiny.md` §3.11)."""

from collections.abc import Mapping
from typing import Any

from sandbox.tiny.body import amount, check_person, texts, unwrapped, whole
from sandbox.tiny.product import as_text
from sandbox.tiny.records import Contact, digits
from sandbox.tiny.trade import Trade
from sandbox.tiny.v2_writes import RecordError

_ADDRESS = {"endereco": 50, "numero": 10, "complemento": 50, "bairro": 30, "cep": 10, "cidade": 30, "uf": 30}
_BILLING = {f"{name}_cobranca": longest for name, longest in _ADDRESS.items()}
LENGTHS = {
    "codigo": 30, "nome": 50, "fantasia": 60, "tipo_pessoa": 1, "cpf_cnpj": 18, "ie": 18, "rg": 10, "im": 18,
    **_ADDRESS, "pais": 50, **_BILLING, "contatos": 100, "fone": 40, "fax": 40, "celular": 40, "email": 50,
    "email_nfe": 50, "site": 40, "crt": 1, "estadoCivil": 1, "profissao": 50, "sexo": 9, "data_nascimento": 10,
    "naturalidade": 40, "nome_pai": 100, "cpf_pai": 18, "nome_mae": 100, "cpf_mae": 18, "limite_credito": 20,
    "id_vendedor": 20, "nome_vendedor": 50, "situacao": 1, "obs": 200, "contribuinte": 1,
}  # fmt: skip
_PERSON = {"nome": 50, "telefone": 30, "ramal": 20, "email": 50, "departamento": 50}
#: Fields of the customer in an order that go to the contact, by their names there.
_FROM_ORDER = {
    name: name for name in (*_ADDRESS, "codigo", "nome", "tipo_pessoa", "cpf_cnpj", "ie", "rg", "pais", "fone", "email")
} | {"nome_fantasia": "fantasia"}


def contact_fields(trade: Trade, row: Mapping[str, Any]) -> dict[str, str]:
    """Return the checked fields of a contact; RecordError 31 tells everything that is wrong."""
    fields = texts(trade.settings, row, LENGTHS)
    amount(row, "limite_credito")
    whole(row, "id_vendedor")
    wrong = []
    if not fields["nome"]:
        wrong.append("O nome do contato deve ser informado")
    if fields["situacao"] not in ("A", "I", "S", "B", "E"):
        wrong.append("A situação do contato deve ser informada")
    wrong += check_person(trade.settings, fields)
    wrong += check_person(trade.settings, fields, "_cobranca")
    if wrong:
        raise RecordError(31, *dict.fromkeys(wrong))
    fields["cpf_cnpj"] = digits(fields["cpf_cnpj"])
    fields["tipo_pessoa"] = fields["tipo_pessoa"].upper() or ("J" if len(fields["cpf_cnpj"]) == 14 else "F")
    return fields


def create_contact(trade: Trade, row: Mapping[str, Any], origin: str, duplicates: bool = False) -> Contact:
    """Add a contact; one with the same code or document is refused with 30 unless `duplicates`."""
    fields = contact_fields(trade, row)
    if not duplicates and trade.contacts_like(fields["codigo"], fields["cpf_cnpj"]):
        raise RecordError(30, "Erro de Duplicidade de Registro")
    now = trade.now()
    contact = Contact(trade.new_id(), {}, now, now, origin=origin, request=row)
    _collections(contact, row)
    contact.types = contact.types or ["Cliente"]
    trade.put_contact(contact, fields)
    return contact


def update_contact(trade: Trade, row: Mapping[str, Any], origin: str) -> Contact:
    """Replace the fields of a contact, blank what is left out; its types accumulate [R]."""
    wanted = as_text(row.get("id")).strip()
    contact = trade.contacts.get(int(wanted)) if wanted.isascii() and wanted.isdigit() else None
    if contact is None:
        raise RecordError(32, "Contato não localizado")
    fields = contact_fields(trade, row)
    _collections(contact, row)
    contact.request = row
    contact.writes[origin] += 1
    trade.put_contact(contact, fields)
    return contact


def customer(trade: Trade, client: Mapping[str, str], update: bool) -> Contact:
    """Return the contact of an order's customer, by code or document; a known one is rewritten when `update`."""
    found = trade.contacts_like(client["codigo"], client["cpf_cnpj"])
    fields = {mine: client.get(theirs, "") for theirs, mine in _FROM_ORDER.items()}
    fields["cpf_cnpj"] = digits(fields["cpf_cnpj"])
    if not found:
        now = trade.now()
        contact = Contact(trade.new_id(), {}, now, now, types=["Cliente"], origin="order")
        trade.put_contact(contact, {**dict.fromkeys(LENGTHS, ""), **fields, "situacao": "A"})
        return contact
    if update:
        # What an order leaves empty is kept [I].
        trade.put_contact(found[0], {**found[0].fields, **{k: v for k, v in fields.items() if v}})
        found[0].writes["order"] += 1
    return found[0]


def show_contact(contact: Contact) -> dict[str, Any]:
    """Return a contact as the control API shows it."""
    return {
        "id": contact.id,
        **contact.fields,
        "tipos_contato": contact.types,
        "pessoas_contato": contact.people,
        "criado": contact.created_at,
        "alterado": contact.changed_at,
        "origin": contact.origin,
        "request": contact.request,
        "writes": dict(contact.writes),
    }


def _collections(contact: Contact, row: Mapping[str, Any]) -> None:
    types = row.get("tipos_contato")
    for kind in types if isinstance(types, list) else []:
        name = as_text(kind.get("tipo") if isinstance(kind, dict) else kind)[:30]
        if name and name not in contact.types:
            contact.types.append(name)
    people = unwrapped(row, "pessoas_contato", "pessoa_contato")
    if people:
        contact.people = [{k: as_text(p.get(k))[:longest] for k, longest in _PERSON.items()} for p in people]
