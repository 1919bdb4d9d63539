"""Customers: closed schema, two number spaces, masked documents (`reference/tagplus.md` §7)."""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.core.documents import masked, plain
from sandbox.tagplus.accounts import Actor
from sandbox.tagplus.api import DELETED, Answer, ApiCall
from sandbox.tagplus.checks import Field, Refused, check, forbidden, optional
from sandbox.tagplus.lookups import COUNTRY
from sandbox.tagplus.product_view import named
from sandbox.tagplus.query import Getter, View, find, kept
from sandbox.tagplus.store import Row, Store, stamp

_TEXT, _BOOL, _INT = Field(), Field("bool"), Field("int")
_CONTACT = {
    "descricao": _TEXT, "tipo_contato": _INT, "tipo_cadastro": _INT, "principal": _BOOL, "detalhes": _TEXT,
}  # fmt: skip
_ADDRESS = {
    "principal": _BOOL, "cep": _TEXT, "logradouro": _TEXT, "numero": _TEXT, "complemento": _TEXT, "bairro": _TEXT,
    "id_cidade": _INT, "pais": _INT, "tipo_cadastro": _INT, "informacoes_adicionais": _TEXT,
}  # fmt: skip
CREATE = {
    "razao_social": Field(required=True, short=3), "codigo_externo": Field(long=50), "ativo": _BOOL, "codigo": _TEXT,
    "categoria": _INT, "tipo": Field(choices=("F", "J")), "exterior": _BOOL, "cpf": Field("cpf"), "cnpj": Field("cnpj"),
    "identidade_estrangeiro": _TEXT, "nome_fantasia": _TEXT, "ie": _TEXT, "im": _TEXT, "indicador_ie": _BOOL,
    "responsavel": _TEXT, "suframa": _TEXT, "rg": _TEXT, "data_nascimento": Field("date"),
    "sexo": Field(choices=("", "M", "F")), "profissao": _TEXT, "filiacao_mae": _TEXT, "filiacao_pai": _TEXT,
    "conjuge_nome": _TEXT, "conjuge_cpf": Field("cpf"), "conjuge_data_nascimento": Field("date"),
    "conjuge_profissao": _TEXT, "estado_civil": Field(choices=("", "S", "C", "D", "V")),
    "renda_mensal": Field("number"),
    "recebe_email": _BOOL, "limite_credito": Field("number"), "informacao_adicional": _TEXT,
    "contatos": Field("list", fields=_CONTACT), "enderecos": Field("list", fields=_ADDRESS),
    "vendedores": Field("list", item="int"), "tributo_ncm": Field("list"), "saldo_devedor": Field("object"),
    "extras": Field("object", fields={"id_forma_pagamento": _INT}),
}  # fmt: skip
PATCH = optional(CREATE)
_NEW: dict[str, Any] = {
    "ativo": True, "tipo": "F", "exterior": False, "recebe_email": True, "nome_fantasia": None, "cpf": None,
    "cnpj": None,
    "codigo_externo": None, "contatos": [], "enderecos": [], "vendedores": [], "indicador_ie": False, "ie": None,
}  # fmt: skip
_DOCUMENTS = ("cpf", "cnpj", "conjuge_cpf")


def city(store: Store, city_id: Any) -> dict[str, Any] | None:
    """Return a city as addresses show it."""
    row = None if city_id is None else store.tables["cidades"].rows.get(city_id)
    if row is None:
        return None
    return {"id": row.id, "codigo": row["codigo"], "nome": row["nome"], "estado": row["estado"]}


def addresses(store: Store, row: Row) -> list[dict[str, Any]]:
    """Return a customer's addresses as they read."""
    return [
        {
            "id": one["id"], "id_endereco": one["id"] - 654, "principal": one.get("principal", at == 0),
            "exterior": False,
            **{k: one.get(k, "") for k in ("cep", "logradouro", "numero", "complemento", "bairro")},
            "cidade": city(store, one.get("id_cidade")), "pais": COUNTRY,
            "tipo_cadastro": named(store, "tipos_cadastros", one.get("tipo_cadastro")),
            "informacoes_adicionais": one.get("informacoes_adicionais", ""),
        }
        for at, one in enumerate(row["enderecos"])
    ]  # fmt: skip


def brief(store: Store, customer_id: Any) -> dict[str, Any] | None:
    """Return a customer as orders show it."""
    row = None if customer_id is None else store.customers.rows.get(customer_id)
    if row is None:
        return None
    return {"id": row.id, "razao_social": row["razao_social"], **{k: _masked(k)(store, row) for k in ("cpf", "cnpj")}}


def _masked(name: str) -> Getter:
    return lambda _, row: masked(row[name]) if row[name] else None


def _contacts(store: Store, row: Row) -> list[dict[str, Any]]:
    return [
        {
            **one,
            "tipo_contato": _contact_type(store, one.get("tipo_contato")),
            "tipo_cadastro": named(store, "tipos_cadastros", one.get("tipo_cadastro")),
        }
        for one in row["contatos"]
    ]


def _contact_type(store: Store, type_id: Any) -> dict[str, Any] | None:
    shown = named(store, "tipos_contatos", type_id)
    return None if shown is None else {**shown, "tipo": store.tables["tipos_contatos"].rows[type_id]["tipo"]}


def _sellers(store: Store, row: Row) -> list[dict[str, Any]]:
    users = store.tables["usuarios"].rows
    return [{"id": i, "nome": users[i]["nome"]} for i in row["vendedores"] if i in users]


def _loose_text(_: Store, row: Row) -> str:
    # The LIKE search looks into more than the document: a telephone finds its owner by its digits (§7).
    return " ".join(plain(str(one.get("descricao") or "")) for one in row["contatos"])


_PLAIN = tuple(name for name in CREATE if name not in (*_DOCUMENTS, "contatos", "enderecos", "vendedores", "categoria"))
CUSTOMERS = View(
    fields={
        "id": lambda _, row: row.id,
        "id_entidade": kept("id_entidade"),
        **{name: kept(name) for name in _PLAIN},
        **{name: _masked(name) for name in _DOCUMENTS},
        "categoria": lambda store, row: named(store, "categorias_entidade", row["categoria"]),
        "contatos": _contacts,
        "enderecos": addresses,
        "vendedores": _sellers,
        "data_criacao": lambda _, row: stamp(row.created_at),
        "data_alteracao": lambda _, row: stamp(row.changed_at),
    },
    main=(
        "id", "id_entidade", "ativo", "codigo", "tipo", "razao_social", "nome_fantasia", "exterior", "cpf", "cnpj",
    ),
    searched=("razao_social", "nome_fantasia", "codigo", "codigo_externo", "cpf", "cnpj"),
    item_only=("tributo_ncm", "saldo_devedor", "extras"),
    unseen=(lambda _, row: f"{row['cpf'] or ''} {row['cnpj'] or ''}", _loose_text),
)  # fmt: skip
_VENDOR_ROWS = ("ativo", "codigo", "tipo", "razao_social", "exterior", "cpf")


def create(actor: Actor, raw: Any) -> Row:
    """Make a customer; a CPF or CNPJ may come again (§7)."""
    store, body = actor.store, check(raw, CREATE)
    values = _values(store, body, None)
    row_id = next(store.customers.ids)
    row = store.customers.add(
        {**_NEW, **values, "id_entidade": next(store.entities), "codigo": values.get("codigo") or f"{row_id:04d}"},
        origin=actor.origin,
        request=raw,
        row_id=row_id,
    )
    actor.wrote("clientes", "C", row.id, "cliente_criado")
    return row


def patch(actor: Actor, row: Row, raw: Any) -> Row:
    """Change a customer: what is not sent is kept."""
    body = check(raw, PATCH)
    if "vendedores" in body:
        code = "permissao_alterar_vendedor_vinculado_cliente"
        message = "O usuário não tem permissão para alterar o vendedor vinculado ao cliente."
        actor.need("alterar_vendedor_vinculado_cliente", code, message, row.id, "vendedores")
    actor.store.customers.edit(row, _values(actor.store, body, row))
    row.request = raw
    actor.wrote("clientes", "A", row.id, "cliente_alterado")
    return row


def remove(actor: Actor, row: Row) -> None:
    """Delete a customer; 403 while orders or notes name it."""
    store = actor.store
    ordered = any(order["cliente"] == row.id for order in store.orders.rows.values())
    if ordered or any(note["destinatario"] == row["id_entidade"] for note in store.notes.rows.values()):
        message = "O cliente possui vinculos, portanto não pode ser apagado, se preferir ele pode ser desativado."
        raise forbidden("apagar_cliente_vinculado", message, row.id)
    store.customers.remove(row)
    actor.wrote("clientes", "E", row.id, "cliente_apagado")


def _values(store: Store, body: Mapping[str, Any], row: Row | None) -> dict[str, Any]:
    code = body.get("codigo")
    taken = [other for other in store.customers.having("codigo", code) if other is not row] if code else []
    if taken:
        data = [{"id": str(taken[0].id), "field": "codigo"}]
        raise Refused(422, "operacao_nao_permitida", f"O código '{code}' já está em uso.", data)
    for user in body.get("vendedores", ()):
        find(store.tables["usuarios"], user, "Usuário", "vendedores")
    if "categoria" in body:
        find(store.tables["categorias_entidade"], body["categoria"], "Categoria", "categoria")
    values = {k: plain(v) or None if k in _DOCUMENTS else v for k, v in body.items()}
    for name, references in _NESTED.items():
        if name in body:
            values[name] = [{"id": next(store.serials), **_referring(store, one, references)} for one in body[name]]
    return values


_NESTED: dict[str, Mapping[str, str]] = {
    "contatos": {"tipo_contato": "tipos_contatos", "tipo_cadastro": "tipos_cadastros"},
    "enderecos": {"id_cidade": "cidades", "tipo_cadastro": "tipos_cadastros"},
}


def _referring(store: Store, one: dict[str, Any], references: Mapping[str, str]) -> dict[str, Any]:
    for field, table in references.items():
        if field in one:
            find(store.tables[table], one[field], field.replace("_", " ").capitalize(), field)
    return one


def list_customers(call: ApiCall) -> Answer:
    """GET /clientes."""
    main = _VENDOR_ROWS if call.settings.tagplus_customer_rows == "vendor" else ()
    return call.listing(CUSTOMERS, call.store.customers, main=main)


def get_customer(call: ApiCall) -> Any:
    """GET /clientes/{id}."""
    return CUSTOMERS.whole(call.store, _row(call))


def create_customer(call: ApiCall) -> Answer:
    """POST /clientes."""
    return Answer(CUSTOMERS.whole(call.store, create(call.actor, call.json())), 201)


def patch_customer(call: ApiCall) -> Any:
    """PATCH /clientes/{id}."""
    return CUSTOMERS.whole(call.store, patch(call.actor, _row(call), call.json()))


def delete_customer(call: ApiCall) -> Any:
    """DELETE /clientes/{id}."""
    remove(call.actor, _row(call))
    return DELETED


_row: Callable[[ApiCall], Row] = lambda call: call.row(call.store.customers, "Cliente")  # noqa: E731
