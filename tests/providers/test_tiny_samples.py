"""Every recorded or published sample is read, or refused with a reason. Skipped where the samples are not there."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub.records import ProductRecord, Refused, StockRecord
from providers.contract import CallFailed, Row
from providers.http import UNREADABLE, Answer
from providers.tiny_parse import many, one
from providers.tiny_v2 import errors as errors_v2
from providers.tiny_v2 import mapper as v2
from providers.tiny_v3 import errors as errors_v3
from providers.tiny_v3 import mapper as v3

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "tiny"
FILES = sorted(SAMPLES.rglob("*.json")) + sorted(SAMPLES.rglob("*.xml"))
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not FILES, reason="the samples lie beside the project and are not here")

OPERATIONS = {
    "v2_info": "info",
    "v2_produto_obter_estoque": "produto.obter.estoque",
    "v2_produto_obter_estoque_strings": "produto.obter.estoque",
    "v2_produto_obter_simples_sem_variacoes": "produto.obter",
    "v2_produto_obter_variacoes": "produto.obter",
    "v2_produtos_pesquisa": "produtos.pesquisa",
    "v2_lista_atualizacoes_produtos": "lista.atualizacoes.produtos",
    "v2_lista_atualizacoes_estoque": "lista.atualizacoes.estoque",
}


def load(path: Path) -> Answer:
    body = path.read_bytes()
    try:
        payload = json.loads(body, parse_float=Decimal)
    except ValueError:
        payload = UNREADABLE
    return Answer(200, {}, body, payload)


def named(stem: str) -> dict[str, Any]:
    (path,) = SAMPLES.rglob(f"{stem}.json")
    return one(load(path).payload)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_any_sample_through_any_mapper_is_a_record_or_a_refusal(path: Path) -> None:
    payload = load(path).payload
    told = one(one(payload).get("retorno") or payload)
    candidates = [payload, told, *many(told.get("produto")), *many(told.get("produtos"), "produto")]
    candidates += [*many(told.get("itens")), *many(told.get("dados"))]
    for candidate in candidates:
        for found in (v2.product(candidate), *v3.tree(candidate)):
            assert isinstance(found, ProductRecord) or (isinstance(found, Refused) and found.problems)
        for found_stock in (v2.stock(candidate, NOW), v3.stock(candidate, NOW)):
            assert isinstance(found_stock, StockRecord) or (isinstance(found_stock, Refused) and found_stock.problems)
        for row in (v2.row(candidate), v3.row(candidate)):
            assert row is None or isinstance(row, Row)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_any_sample_is_judged(path: Path) -> None:
    operation = OPERATIONS.get(path.stem, "produto.obter")
    for judge, asked in ((errors_v2.judge, operation), (errors_v2.judge_write, operation), (errors_v3.judge, "GET /")):
        failed = judge(asked, load(path))
        assert failed is None or isinstance(failed, CallFailed)


@pytest.mark.parametrize("stem", sorted(OPERATIONS))
def test_good_v2_answers_are_good(stem: str) -> None:
    (path,) = SAMPLES.rglob(f"{stem}.json")
    assert errors_v2.judge(OPERATIONS[stem], load(path)) is None


@pytest.mark.parametrize(
    ("stem", "code", "outcome"),
    [
        ("v2_erro_consulta_vazia", "20", "rejected"),
        ("v2_erro_limite_minuto", "6", "slow_down"),
        ("v2_erro_manutencao", "99", "retry"),
        ("v2_erro_registro_nao_localizado", "32", "rejected"),
        ("v2_erro_token_invalido", "2", "reauth"),
    ],
)
def test_recorded_errors(stem: str, code: str, outcome: str) -> None:
    (path,) = SAMPLES.rglob(f"{stem}.json")
    failed = errors_v2.judge("produto.obter", load(path))
    assert failed and (failed.code, failed.outcome) == (code, outcome)


def test_products_and_balances_of_the_samples_are_read() -> None:
    for stem in ("v2_produto_obter_variacoes", "v2_produto_obter_simples_sem_variacoes"):
        assert isinstance(v2.product(named(stem)["retorno"]["produto"]), ProductRecord)
    for stem in ("v2_produto_obter_estoque", "v2_produto_obter_estoque_strings"):
        assert isinstance(v2.stock(named(stem)["retorno"]["produto"], NOW), StockRecord)
    for row in named("v2_lista_atualizacoes_estoque")["retorno"]["produtos"]:
        assert isinstance(v2.stock(row["produto"], NOW), StockRecord)
    for row in named("v2_produtos_pesquisa")["retorno"]["produtos"]:
        assert v2.row(row["produto"])
    assert isinstance(v3.tree(named("v3_produto_obter"))[0], ProductRecord)
    assert isinstance(v3.stock(named("v3_estoque_obter"), NOW), StockRecord)
    assert all(v3.row(row) for row in named("v3_produtos_lista")["itens"])
