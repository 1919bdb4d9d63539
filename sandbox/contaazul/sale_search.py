"""GET /v1/venda/busca (`reference/contaazul.md` §6.4): budgets come mixed in, deleted sales do not."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.contaazul.api import ApiCall, paged
from sandbox.contaazul.checks import Refused
from sandbox.contaazul.records import Sale
from sandbox.contaazul.sale_view import client, pending, row
from sandbox.contaazul.store import APPROVED, Store
from sandbox.contaazul.times import local_day

Test = Callable[[Sale], bool]
TOTALS = ("WAITING_APPROVED", "APPROVED", "CANCELED", "ALL")
_ORDERS = ("NUMERO", "CLIENTE", "DATA")


def search_sales(call: ApiCall) -> dict[str, Any]:
    """GET /v1/venda/busca."""
    query, store = call.query, call.store
    page, size = query.page()
    group = query.text("totais")
    if group and group not in TOTALS:
        raise Refused(400, f"O valor '{group}' não é válido para o parâmetro totais")
    rising = query.choice("campo_ordenado_ascendente", _ORDERS)
    falling = query.choice("campo_ordenado_descendente", _ORDERS)
    numbers, clients = query.wholes("numeros"), query.uuids("ids_clientes")
    tests = _tests(call, numbers, clients)
    keys: list[tuple[str, Any]] | None = None
    if numbers:
        keys = [("numero", number) for number in numbers]
    elif clients:
        keys = [("cliente", ident) for ident in clients]
    found = [s for s in store.sales.visible(keys) if not s.deleted and all(test(s) for test in tests)]
    sums = _sums(found)
    if group not in ("", "ALL"):
        found = [s for s in found if _group(s) == group]
    found.sort(key=_order(store, rising or falling), reverse=bool(falling and not rising))
    rows = [row(store, sale) for sale in paged(found, page, size)]
    return {**sums, "total_itens": call.total(len(found)), "itens": call.rows(rows)}


def _tests(call: ApiCall, numbers: list[int], clients: list[str]) -> list[Test]:
    query = call.query
    tests: list[Test] = []
    if numbers:
        tests.append(lambda s: s.numero in numbers)
    if clients:
        tests.append(lambda s: s.id_cliente in clients)
    days = query.days("data_inicio", "data_fim")
    if days is not None:
        tests.append(lambda s: days[0] <= s.data_venda <= days[1])
    born = query.days("data_criacao_de", "data_criacao_ate")
    if born is not None:
        tests.append(lambda s: born[0] <= local_day(s.created_at) <= born[1])
    changed = query.changed()
    if changed is not None:
        tests.append(lambda s: changed[0] <= s.changed_at < changed[1])
    flag = query.flag("pendente")
    if flag is not None:
        tests.append(lambda s: pending(s) is flag)
    text = query.text("termo_busca").casefold()
    if text:
        tests.append(lambda s: _matches(call.store, s, text))
    return tests + _list_tests(call)


def _list_tests(call: ApiCall) -> list[Test]:
    query, store = call.query, call.store
    tests: list[Test] = []
    for name, value_of in _UUIDS.items():
        wanted = set(query.uuids(name))
        if wanted:
            tests.append(lambda s, wanted=wanted, value_of=value_of: bool(wanted & value_of(s)))
    for name, text_of in (("situacoes", "situacao"), ("tipos", "tipo"), ("origens", "origem")):
        words = set(query.texts(name))
        if words:
            tests.append(lambda s, words=words, text_of=text_of: getattr(s, text_of) in words)
    for name, numbers_of in _OLD_IDS.items():
        numbers = set(query.wholes(name))
        if numbers:
            tests.append(lambda s, numbers=numbers, numbers_of=numbers_of: bool(numbers & numbers_of(store, s)))
    return tests


_UUIDS: dict[str, Callable[[Sale], set[Any]]] = {
    "ids_vendedores": lambda s: {s.id_vendedor},
    "ids_natureza_operacao": lambda s: {s.id_natureza_operacao},
    "ids_categorias": lambda s: {s.id_categoria},
    "ids_produtos": lambda s: {line["id_item"] for line in s.itens},
}
_OLD_IDS: dict[str, Callable[[Store, Sale], set[Any]]] = {
    "ids_legado_clientes": lambda store, s: {client(store, s)["id_legado"]},
    "ids_legado_donos": lambda store, s: {v["id_legado"] for v in store.lookups.sellers if v["id"] == s.id_vendedor},
    "ids_legado_produtos": lambda store, s: {
        product.id_legado for line in s.itens if (product := store.product(line["id_item"])) is not None
    },
    # Sale categories have no old id in what the vendor shows: nothing fits.
    "ids_legado_categorias": lambda store, s: set(),
}


def _matches(store: Store, sale: Sale, text: str) -> bool:
    # Name, e-mail and number of the client's sale; not the remarks (§6.3).
    who = client(store, sale)
    return text in who["nome"].casefold() or text in who["email"].casefold() or text == str(sale.numero)


def _order(store: Store, name: str) -> Callable[[Sale], Any]:
    if name == "NUMERO":
        return lambda s: (s.numero, s.id_legado)
    if name == "CLIENTE":
        return lambda s: (client(store, s)["nome"].casefold(), s.id_legado)
    if name == "DATA":
        return lambda s: (s.data_venda, s.id_legado)
    return lambda s: s.id_legado


def _group(sale: Sale) -> str:
    if sale.situacao in APPROVED:
        return "APPROVED"
    return "CANCELED" if sale.situacao in ("CANCELADO", "ORCAMENTO_RECUSADO") else "WAITING_APPROVED"


def _sums(found: list[Sale]) -> dict[str, Any]:
    names = {"APPROVED": "aprovado", "CANCELED": "cancelado", "WAITING_APPROVED": "esperando_aprovacao"}
    totals = {"total": Decimal(0), **dict.fromkeys(names.values(), Decimal(0))}
    counts = {"total": 0, **dict.fromkeys(names.values(), 0)}
    for sale in found:
        name, worth = names[_group(sale)], sale.total
        for key in ("total", name):
            totals[key] += worth
            counts[key] += 1
    return {"totais": {k: float(v) for k, v in totals.items()}, "quantidades": counts}
