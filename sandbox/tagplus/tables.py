"""Look-ups, the user of the token and the audit log (`reference/tagplus.md` §5, §6.6, §10)."""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.tagplus import lookups
from sandbox.tagplus.api import Answer, ApiCall
from sandbox.tagplus.checks import Field, check
from sandbox.tagplus.lookups import USER_ID
from sandbox.tagplus.product_view import named
from sandbox.tagplus.query import Getter, View, created, find, kept
from sandbox.tagplus.store import Row, Store, stamp

#: Path → body of POST, where the reference has one.
_BODIES: dict[str, dict[str, Field]] = {
    "categorias": {
        "descricao": Field(required=True), "tipo": Field(required=True, choices=("P", "S")), "localizacao": Field(),
        "categoria_mae": Field("int"),
    },
    "unidades": {
        "descricao": Field(required=True), "sigla": Field(required=True, short=1, long=6),
        "fracionado": Field("bool", required=True), "padrao": Field("bool"), "vinculado": Field("bool"),
    },
    "departamentos": {"descricao": Field(required=True)},
    "tipos_contatos": {
        "descricao": Field(required=True), "tipo": Field(choices=("T", "E", "O")), "vinculado": Field("bool"),
    },
    "tipos_cadastros": {"descricao": Field(required=True)},
    "tributos_ncm": {
        "ncm": Field(required=True, short=8, long=8), "descricao": Field(required=True), "nfce": Field("object"),
        "tributo_detalhe": Field("list"),
    },
    "tipos_valor_venda": {
        "nome": Field(required=True), "lucro": Field("number", required=True), "padrao": Field("bool"),
    },
    "modalidades_grade": {
        "descricao": Field(required=True), "tipo": Field(required=True, choices=("M", "G")), "modalidade": Field("int"),
        "descricao_grades": Field("list", item="text"),
    },
    "categorias_entidade": {"descricao": Field(required=True)},
}  # fmt: skip
CREATABLE = tuple(_BODIES)
#: Path in the API → table, where they differ.
PATHS = {"clientes/categorias": "categorias_entidade"}
_POOR: Mapping[str, tuple[str, ...]] = {"tipos_contatos": ("id", "descricao"), "tipos_cadastros": ("id", "descricao")}


def _grades(store: Store, row: Row) -> list[dict[str, Any]]:
    rows = store.tables["modalidades_grade"].rows.values()
    return [{"id": g.id, "descricao": g["descricao"]} for g in rows if g["id_modalidade"] == str(row.id)]


def _mother(store: Store, row: Row) -> dict[str, Any] | None:
    return named(store, "categorias", row["categoria_mae"])


def _view(name: str) -> View:
    keys = dict.fromkeys(k for row in lookups.TABLES[name] for k in row if k != "id")
    fields: dict[str, Getter] = {"id": lambda _, row: row.id, **{key: kept(key) for key in keys}}
    if name == "modalidades_grade":
        fields["grades"] = _grades
    if name == "categorias":
        fields["categoria_mae"] = _mother
    if name in ("usuarios", "formas_pagamento"):
        fields["data_alteracao"] = lambda _, row: stamp(row.changed_at)
    searched = ("descricao", "nome", "sigla", "ncm", "codigo")
    return View(fields, _POOR.get(name, tuple(fields)), tuple(key for key in searched if key in keys))


VIEWS = {name: _view(name) for name in lookups.TABLES}
ACTIVITIES = View(
    fields={
        "id": lambda _, row: row.id,
        "funcionario": lambda store, row: {"id": USER_ID, "nome": store.tables["usuarios"].rows[USER_ID]["nome"]},
        "data_criacao": lambda _, row: stamp(row.created_at),
        **{name: kept(name) for name in ("evento", "tipo_evento", "entidade", "id_entidade", "nome_app")},
        "id_app": lambda _, row: 1 if row["nome_app"] else 0,
    },
    main=(
        "id",
        "funcionario",
        "data_criacao",
        "evento",
        "tipo_evento",
        "entidade",
        "id_entidade",
        "nome_app",
        "id_app",
    ),
    searched=("evento", "entidade"),
    dates={"data_criacao": created},
    default_date="data_criacao",
)


def lister(path: str) -> Callable[[ApiCall], Answer]:
    """Return the work of GET on a look-up."""
    name = PATHS.get(path, path)

    def work(call: ApiCall) -> Answer:
        return call.listing(VIEWS[name], call.store.tables[name])

    return work


def getter(path: str) -> Callable[[ApiCall], Any]:
    """Return the work of GET on one row of a look-up."""
    name = PATHS.get(path, path)

    def work(call: ApiCall) -> Any:
        return VIEWS[name].whole(call.store, call.row(call.store.tables[name]))

    return work


def creator(path: str) -> Callable[[ApiCall], Answer]:
    """Return the work of POST on a look-up."""
    name = PATHS.get(path, path)

    def work(call: ApiCall) -> Answer:
        table, body = call.store.tables[name], check(call.json(), _BODIES[name])
        if body.get("categoria_mae") is not None:
            find(table, body["categoria_mae"], "Categoria", "categoria_mae")
        grades = body.pop("descricao_grades", [])
        if name == "modalidades_grade":
            mother = body.pop("modalidade", None)
            body = {"has_vinculo": False, "id_modalidade": None if mother is None else str(mother), **body}
        row = table.add(body, origin="API")
        for text in grades:
            table.add(
                {"descricao": text, "id_modalidade": str(row.id), "tipo": "G", "has_vinculo": False}, origin="API"
            )
        call.actor.wrote(name, "C", row.id)
        return Answer(VIEWS[name].whole(call.store, row), 201)

    return work


def get_me(call: ApiCall) -> Any:
    """GET /me: the ERP user the token acts for."""
    user = call.store.tables["usuarios"].rows[USER_ID]
    allowed = [name for name, may in call.me.permissions.items() if may]
    shown = VIEWS["usuarios"].whole(call.store, user)
    return {**shown, "permissoes": allowed, "erp_uid": call.me.uid, "gestao_id": call.me.sistema}


def get_permissions(call: ApiCall) -> Any:
    """GET /me/permissoes: what the user may (§5)."""
    return dict(call.me.permissions)


def list_activities(call: ApiCall) -> Answer:
    """GET /registro_atividades: the audit log, deletions included."""
    return call.listing(ACTIVITIES, call.store.activities)


def get_activity(call: ApiCall) -> Any:
    """GET /registro_atividades/{id}."""
    return ACTIVITIES.whole(call.store, call.row(call.store.activities))
