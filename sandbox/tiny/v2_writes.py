"""Writing services of API v2 (`reference/tiny.md` §2.5, §3.4 to §3.6)."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from sandbox.core.clock import parse_local
from sandbox.tiny.product import LENGTHS, NUMBERS, TEXTS, WRITABLE, Product, as_number, as_text, put_all
from sandbox.tiny.state import Deposit, Store
from sandbox.tiny.v2 import TEXTS as ERRORS
from sandbox.tiny.v2 import Answer, V2Call, V2Error

BATCH = 20
REQUIRED = ("nome", "unidade", "preco", "origem", "situacao", "tipo")
_COLLECTIONS = frozenset({"variacoes", "kit", "estrutura", "anexos", "imagens_externas", "tags", "etapas"})
#: Sent in a product but no plain field of it.
_NOT_FIELDS = frozenset({"sequencia", "id", "estoque_atual", "mapeamentos", *_COLLECTIONS})
#: Fields without a blank value, which an update leaves as they were [I].
_KEPT = frozenset({"situacao", "tipo", "classe_produto"})


class RecordError(Exception):
    """One record of a write fails: its `registro` carries code and texts, the others go on."""

    def __init__(self, code: int, *texts: str) -> None:
        super().__init__(*texts)
        self.code = code
        self.texts = texts or (ERRORS[code],)


def create(call: V2Call) -> Answer:
    """produto.incluir: up to 20 products; each call is a batch call (§3.4, §2.3)."""
    return _batch(call, _create)


def update(call: V2Call) -> Answer:
    """produto.alterar: up to 20 products; scalar fields left out are blanked (§3.4)."""
    return _batch(call, _update)


def set_stock(call: V2Call) -> Answer:
    """produto.atualizar.estoque: B, E or S on one deposit; kits are refused (§3.5)."""
    body = _json(call, "estoque")
    row = body.get("estoque", body) if isinstance(body, dict) else {}
    if not isinstance(row, dict) or not row:
        return _nothing()
    record = _record(partial(_move_stock, call.me.store, row), "1")
    if record["status"] == "OK" and call.settings.types == "messy":
        # Seen in an integrator's mock; only `Erro` means failure (§2.5).
        record["status"] = "Estoque atualizado com sucesso"
    answer = _outcome([record])
    if call.settings.registros == "object":
        answer["registros"] = answer["registros"][0]
    return answer


def set_prices(call: V2Call) -> Answer:
    """produto.atualizar.precos: the rows in `data`, or as the raw JSON body (both seen, §2.1, §3.6)."""
    raw = call.form.get("data") or call.request.body.decode("utf-8", "replace")
    rows = _rows(_parse(raw), "precos")
    if not rows:
        return _nothing()
    if len(rows) > BATCH:
        raise V2Error(22)
    records = [_record(partial(_set_price, call.me.store, row), str(n)) for n, row in enumerate(rows, 1)]
    return _outcome(records)


def _batch(call: V2Call, write: Callable[[V2Call, dict[str, Any]], Product]) -> Answer:
    rows = _rows(_json(call, "produto"), "produtos")
    wrapped = [row.get("produto") for row in rows if isinstance(row, dict)]
    products = [row for row in wrapped if isinstance(row, dict)]
    if not products:
        return _nothing()
    if len(products) > BATCH:
        raise V2Error(22)
    seen: set[str] = set()
    records = []
    for row in products:
        sequence = as_text(row.get("sequencia"))
        doubled = sequence in seen
        seen.add(sequence)
        records.append(_record(partial(_one, call, row, doubled, write), sequence))
    return _outcome(records)


def _one(
    call: V2Call, row: dict[str, Any], doubled: bool, write: Callable[[V2Call, dict[str, Any]], Product]
) -> dict[str, Any]:
    if not as_text(row.get("sequencia")):
        raise RecordError(31, "O número de sequência deve ser informado")
    if doubled:
        raise RecordError(9, "Número de sequência repetido")
    return {"id": str(write(call, row).id)}


def _create(call: V2Call, row: dict[str, Any]) -> Product:
    missing = [name for name in REQUIRED if as_text(row.get(name)).strip() == ""]
    if missing:
        raise RecordError(31, *(f"O campo {name} deve ser informado" for name in missing))
    store, sku = call.me.store, as_text(row.get("codigo"))
    if call.me.refuse_duplicate_sku and sku and any(p.situacao != "E" for p in store.by_sku(sku)):
        raise RecordError(30, "Registro em duplicidade")
    spec: dict[str, Any] = _fields(call, row)
    if row.get("estoque_atual") not in (None, ""):
        spec["estoque"] = as_number("estoque_atual", row["estoque_atual"])
    for key in ("kit", "estrutura"):
        if row.get(key):
            spec[key] = _unwrap(row[key], "item")
    if row.get("variacoes"):
        spec["variacoes"] = [_variation(call, v) for v in _unwrap(row["variacoes"], "variacao")]
    return store.create(spec)


def _update(call: V2Call, row: dict[str, Any]) -> Product:
    store = call.me.store
    product = _identify(store, row)
    fields = _fields(call, row)
    before = product.copy()
    after = product.copy()
    after.blank(_KEPT | fields.keys())
    put_all(after, fields)
    put_all(product, {name: getattr(after, name) for name in (*TEXTS, *NUMBERS)})
    product.anexos, product.rare = after.anexos, after.rare
    for key in ("kit", "estrutura"):
        if row.get(key):
            store.patch(product, {key: _unwrap(row[key], "item")})
    if row.get("variacoes"):
        _replace_variations(call, product, _unwrap(row["variacoes"], "variacao"))
    store.edited(product, before)
    return product


def _replace_variations(call: V2Call, parent: Product, rows: list[dict[str, Any]]) -> None:
    # A write through the parent keeps only the variations it lists (§3.4 [I]).
    store = call.me.store
    children = [store.products[i] for i in parent.filhos if i in store.products]
    kept = set()
    for row in rows:
        spec = _variation(call, row)
        stock = spec.pop("estoque", None)
        known = next((c for c in children if str(c.id) == as_text(row.get("id"))), None)
        known = known or next((c for c in children if spec.get("codigo") and c.codigo == spec["codigo"]), None)
        if known is None:
            kept.add(store.add_variation(parent, spec if stock is None else {**spec, "estoque": stock}).id)
        else:
            store.patch(known, spec)
            kept.add(known.id)
    for child in children:
        if child.id not in kept:
            store.delete(child, hard=False)
    parent.tipoVariacao = "P"
    parent.put("classe_produto", "V")


def _identify(store: Store, row: dict[str, Any]) -> Product:
    wanted = as_text(row.get("id")).strip()
    if wanted and wanted != "0":
        found = [store.products[int(wanted)]] if wanted.isdigit() and int(wanted) in store.products else []
    elif row.get("codigo"):
        found = [p for p in store.by_sku(as_text(row["codigo"])) if p.situacao != "E"]
    else:
        found = [p for p in store.products.values() if p.nome == row.get("nome") and p.situacao != "E"]
    if not found:
        raise RecordError(32)
    if len(found) > 1:
        raise RecordError(33, "Registro encontrado mais de uma vez")
    return found[0]


def _fields(call: V2Call, row: dict[str, Any]) -> dict[str, Any]:
    fields = {k: v for k, v in row.items() if k in WRITABLE and k not in _NOT_FIELDS}
    for key, wrapper in (("anexos", "anexo"), ("imagens_externas", "imagem_externa")):
        if isinstance(row.get(key), list):
            fields[key] = [url["url"] if isinstance(url, dict) else url for url in _unwrap(row[key], wrapper)]
    for name, longest in LENGTHS.items():
        if len(as_text(fields.get(name))) <= longest:
            continue
        if call.settings.long_values == "refuse":
            raise RecordError(31, f"O campo {name} deve ter no máximo {longest} caracteres")
        if call.settings.long_values == "cut":
            fields[name] = as_text(fields[name])[:longest]
    return fields


def _variation(call: V2Call, row: dict[str, Any]) -> dict[str, Any]:
    spec = _fields(call, row)
    if row.get("grade"):
        spec["grade"] = row["grade"]
    if row.get("estoque_atual") not in (None, ""):
        spec["estoque"] = as_number("estoque_atual", row["estoque_atual"])
    return spec


def _move_stock(store: Store, row: dict[str, Any]) -> dict[str, Any]:
    product = _by_id(store, row.get("idProduto"))
    kind = as_text(row.get("tipo") or "B").upper()
    if kind not in ("B", "E", "S"):
        raise RecordError(31, f"O tipo do lançamento deve ser B, E ou S, valor enviado {kind!r}")
    if as_text(row.get("quantidade")) == "":
        raise RecordError(31, "A quantidade deve ser informada")
    if row.get("data"):
        parse_local(as_text(row["data"]), "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
    deposit = store.deposit(as_text(row.get("deposito")))
    if deposit is None:
        raise RecordError(31, f"Depósito {row.get('deposito')!r} não encontrado")
    move_stock(store, product, deposit, kind, as_number("quantidade", row["quantidade"]))
    rows = [(balance, held) for d, balance, held in store.balances(product) if not d.ignored]
    return {
        "id": product.id,
        "saldoEstoque": sum(balance for balance, _ in rows),
        "saldoReservado": sum(held for _, held in rows),
        "registroCriado": True,
    }


def move_stock(store: Store, product: Product, deposit: Deposit, kind: str, quantity: float) -> None:
    """Set (B), add (E) or take (S) stock in a deposit; RecordError for what has no stock of its own.

    Kits are refused as reported (§3.5); parents of variations and services likewise [I].
    """
    if product.classe_produto == "K":
        raise RecordError(31, "O estoque de kits é calculado pelos componentes e não pode ser lançado")
    if product.tipoVariacao == "P" or product.tipo == "S":
        raise RecordError(31, "Este produto não tem estoque próprio")
    balance = next(b for d, b, _ in store.balances(product) if d is deposit)
    after = {"B": quantity, "E": balance + quantity, "S": balance - quantity}[kind]
    store.set_stock(product, deposit, after, None)


def _set_price(store: Store, row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise RecordError(31, "Cada preço é um objeto com id, preco e preco_promocional")
    product = _by_id(store, row.get("id"))
    if as_text(row.get("preco")) == "":
        raise RecordError(31, "O preço deve ser informado")
    fields = {key: row[key] for key in ("preco", "preco_promocional") if key in row}
    store.patch(product, fields)
    return {"id": str(product.id), **{key: as_text(value) for key, value in fields.items()}}


def _by_id(store: Store, value: Any) -> Product:
    text = as_text(value)
    product = store.products.get(int(text)) if text.isascii() and text.isdigit() else None
    if product is None:
        raise RecordError(32)
    return product


def _record(write: Callable[[], dict[str, Any]], sequence: str) -> dict[str, Any]:
    try:
        return {"sequencia": sequence, "status": "OK", **write()}
    except RecordError as error:
        code, texts = error.code, error.texts
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        code, texts = 31, (str(error),)
    erros = [{"erro": text} for text in texts]
    return {"sequencia": sequence, "status": "Erro", "codigo_erro": str(code), "erros": erros}


def _outcome(records: list[dict[str, Any]]) -> Answer:
    failed = [r for r in records if r["status"] == "Erro"]
    answer: Answer = {"registros": [{"registro": r} for r in records]}
    if failed:
        # No top-level codigo_erro; a partly done batch is 4 under a top-level OK (§2.4, §2.5).
        whole = len(failed) == len(records)
        answer |= {"status_processamento": 2 if whole else 4, "status": "Erro" if whole else "OK"}
        answer["log_code"] = int(failed[0]["codigo_erro"])
    return answer


def _nothing() -> Answer:
    # Recorded: a payload in which nothing was recognised is answered OK without any record (§2.5).
    return {"status_processamento": "3", "registros": []}


def _json(call: V2Call, name: str) -> Any:
    if name not in call.form:
        raise V2Error(10, f"O parâmetro {name} é obrigatório e não foi informado")
    return _parse(call.form[name])


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        raise V2Error(3) from None


def _rows(body: Any, key: str) -> list[Any]:
    rows = body.get(key) if isinstance(body, dict) else None
    return rows if isinstance(rows, list) else []


def _unwrap(rows: Any, wrapper: str) -> list[Any]:
    return [row[wrapper] if isinstance(row, dict) and wrapper in row else row for row in rows]
