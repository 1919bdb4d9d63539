"""Whatever JSON comes: a record, a refusal with reasons, or an answer judged unreadable; never another exception."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.records import ProductRecord, Refused, StockRecord
from providers.contract import CallFailed, Row
from providers.http import Answer
from providers.tiny_v2 import errors as errors_v2
from providers.tiny_v2 import mapper as v2
from providers.tiny_v3 import errors as errors_v3
from providers.tiny_v3 import mapper as v3

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
V2_KEYS = (  # noqa: SIM905
    "id codigo nome unidade preco preco_promocional preco_custo ncm origem gtin cest peso_liquido peso_bruto situacao "
    "tipo classe_produto descricao_complementar garantia tipoVariacao idProdutoPai variacoes grade marca categoria "
    "alturaEmbalagem anexos imagens_externas kit item id_produto quantidade saldo saldoReservado depositos deposito "
    "desconsiderar retorno status codigo_erro erros erro registros registro produtos produto numero_paginas"
).split()
V3_KEYS = (  # noqa: SIM905
    "id sku descricao tipo situacao produtoPai unidade ncm gtin categoria marca nome caminhoCompleto dimensoes altura "
    "pesoLiquido precos preco precoPromocional precoCusto anexos url variacoes grade chave valor kit produto "
    "quantidade tipoVariacao saldo reservado disponivel depositos desconsiderar mensagem detalhes campo"
).split()

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["", "0", "A", "K", "V", "P", "S", "N", "12.50", "1,5", "\ud800", "\0", Decimal("1E+999999")])
)


def jsons(keys: list[str]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(keys) | st.text(max_size=4)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=12), max_leaves=40
    )


def _is_sound(found: object) -> bool:
    if isinstance(found, Refused):
        json.loads(found.payload)
        found.payload.encode()
        return bool(found.problems)
    if isinstance(found, ProductRecord):
        numbers = [value for value in (found.list_price, found.weight_net, found.height) if value is not None]
        texts = f"{found.name}{found.sku}{found.attributes}{found.pictures}"
        return bool(found.external_id) and "\0" not in texts.encode().decode() and all(map(_is_short, numbers))
    assert isinstance(found, StockRecord)
    return bool(found.external_id) and all(map(_is_short, (found.physical, found.reserved, found.available)))


def _is_short(number: Decimal) -> bool:
    return len(format(number, "f")) < 80


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(jsons(V2_KEYS))
def test_v2_reads_or_refuses_any_json(payload: Any) -> None:
    assert _is_sound(v2.product(payload))
    assert _is_sound(v2.stock(payload, NOW))
    row = v2.row(payload)
    assert row is None or (isinstance(row, Row) and len(row.fingerprint) == 32)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(jsons(V3_KEYS), jsons(V3_KEYS))
def test_v3_reads_or_refuses_any_json(payload: Any, kit: Any) -> None:
    assert all(_is_sound(found) for found in v3.tree(payload, kit))
    assert _is_sound(v3.stock(payload, NOW))
    assert isinstance(v3.wants_kit(payload), bool)
    row = v3.row(payload)
    assert row is None or (isinstance(row, Row) and len(row.fingerprint) == 32)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    jsons(V2_KEYS) | jsons(V2_KEYS).map(lambda told: {"retorno": told}),
    st.sampled_from(["info", "produto.obter", "produtos.pesquisa", "other"]),
)
def test_v2_judges_any_json(payload: Any, operation: str) -> None:
    for judge in (errors_v2.judge, errors_v2.judge_write):
        failed = judge(operation, Answer(200, {}, b"", payload))
        assert failed is None or isinstance(failed, CallFailed)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(jsons(V3_KEYS), st.integers(100, 599), st.sampled_from(["GET /produtos", "POST /produtos"]))
def test_v3_judges_any_json(payload: Any, status: int, operation: str) -> None:
    failed = errors_v3.judge(operation, Answer(status, {}, b"", payload))
    assert (failed is None) == (200 <= status < 300 and (payload is not None or status == 204))
