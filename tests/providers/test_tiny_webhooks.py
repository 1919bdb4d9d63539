"""Both families of Tiny's webhooks: what each says, to whom, and the mapping that is answered."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.contract import Event, Hint, Subject, UnreadableEventError, Webhooks
from providers.registry import KINDS
from providers.tiny_v2 import webhooks as v2
from providers.tiny_v3 import webhooks as v3

CNPJ = "11222333000181"


def body(tipo: str | None, dados: Any, **rest: Any) -> bytes:
    told = {"versao": "1.0.1", "cnpj": "11.222.333/0001-81", "dados": dados, **rest}
    return json.dumps(told if tipo is None else {**told, "tipo": tipo}).encode()


def read(tipo: str | None, dados: Any, topic: str = "pedidos", module: ModuleType = v2, **rest: Any) -> Event:
    event: Event = module.read(topic, body(tipo, dados, **rest), "application/json")
    return event


@pytest.mark.parametrize("kind", ["tiny_v2", "tiny_v3"])
def test_the_registry_has_them_and_they_have_no_secret(kind: str) -> None:
    module: Webhooks | None = KINDS[kind].webhooks
    assert module is not None
    assert not module.HAS_SECRET
    assert module.authentic("", {})
    assert set(module.TOPICS) == {"produto", "estoque", "precos", "situacao", "rastreio", "nota", "pedidos"}
    assert len(set(module.TOPICS.values())) == 7


@pytest.mark.parametrize(
    ("tipo", "dados", "hints"),
    [
        ("inclusao_pedido", {"id": 123456, "numero": 1810, "idNotaFiscal": 5}, [(Subject.ORDER, "123456")]),
        ("atualizacao_pedido", {"id": "123456", "codigoSituacao": "enviado"}, [(Subject.ORDER, "123456")]),
        ("situacao_pedido", {"idPedidoEcommerce": "125", "idVendaTiny": 123456}, [(Subject.ORDER, "123456")]),
        ("rastreio", {"idVendaTiny": 123456, "idNotaFiscalTiny": 9}, [(Subject.ORDER, "123456")]),
        ("estoque", {"idProduto": 971992238, "sku": "X", "saldo": 70}, [(Subject.STOCK, "971992238")]),
        ("estoque", {"tipoEstoque": "D", "idProduto": "44", "skuMapeamento": "44"}, [(Subject.STOCK, "44")]),
        ("precos", {"idMapeamento": 1304433, "skuMapeamento": "441393302"}, [(Subject.PRODUCT, "441393302")]),
        ("nota_fiscal", {"idNotaFiscalTiny": 17985647, "idPedidoEcommerce": "1"}, [(Subject.INVOICE, "17985647")]),
        # Another program's mapping is no id; "no id" is 0; and what we do not know is left alone.
        ("precos", {"idMapeamento": 1304433, "skuMapeamento": "ex-pai-1"}, []),
        ("situacao_pedido", {"idPedidoEcommerce": "125", "idVendaTiny": 0}, []),
        ("estoque", {}, []),
        ("cotacao_frete", {"cep": "80010000"}, []),
        ("inclusao_pedido", None, []),
        ("inclusao_pedido", "cut", []),
    ],
)
def test_what_each_kind_is_about(tipo: str, dados: Any, hints: list[tuple[Subject, str]]) -> None:
    event = read(tipo, dados, topic="estoque", idEcommerce="8390")
    assert event == Event(tuple(Hint(*hint) for hint in hints), CNPJ)


def test_an_address_pasted_into_the_wrong_field_is_read_by_what_the_body_says() -> None:
    assert read("estoque", {"idProduto": 7}, topic="nota").hints == (Hint(Subject.STOCK, "7"),)


def test_without_a_kind_the_address_says_what_it_is() -> None:
    assert read(None, {"idProduto": 7}, topic="estoque").hints == (Hint(Subject.STOCK, "7"),)
    assert read(None, {"idVendaTiny": 7}, topic="situacao").hints == (Hint(Subject.ORDER, "7"),)


def test_sent_orders_whose_body_nobody_published_name_an_order() -> None:
    assert read("pedido_enviado", {"id": 88, "numero": 3}).hints == (Hint(Subject.ORDER, "88"),)
    assert read("pedido_enviado", {"id": 88}, topic="estoque").hints == ()


PRODUCT = {
    "id": "441393295",
    "idMapeamento": "1304432",
    "skuMapeamento": "",
    "variacoes": [
        {"id": "441393302", "idMapeamento": 1304433},
        {"id": "0", "idMapeamento": "1304434"},
        {"id": "441393318"},
    ],
}


def test_a_product_is_answered_with_one_flat_row_for_it_and_each_of_its_variations() -> None:
    event = read("produto", PRODUCT, topic="produto")
    assert event.answer == [
        {"idMapeamento": "1304432", "skuMapeamento": "441393295"},
        {"idMapeamento": "1304433", "skuMapeamento": "441393302"},
        {"idMapeamento": "1304434", "skuMapeamento": "", "error": "O produto veio sem o id do Olist Tiny"},
        {"idMapeamento": "", "skuMapeamento": "441393318", "error": "O produto veio sem o id do mapeamento"},
    ]
    json.dumps(event.answer)


def test_v2_reads_the_variations_by_themselves_and_v3_with_their_parent() -> None:
    ids = ["441393295", "441393302", "441393318"]
    assert read("produto", PRODUCT, module=v2).hints == tuple(Hint(Subject.PRODUCT, one) for one in ids)
    assert read("produto", PRODUCT, module=v3).hints == (Hint(Subject.PRODUCT, "441393295"),)
    assert read("produto", PRODUCT, module=v2).answer == read("produto", PRODUCT, module=v3).answer


def test_the_mapping_that_was_answered_comes_back_with_prices_as_the_products_id() -> None:
    answered = read("produto", PRODUCT).answer[1]
    assert read("precos", answered).hints == (Hint(Subject.PRODUCT, "441393302"),)


@pytest.mark.parametrize("variacoes", ["", None, [], {}])
def test_a_product_without_variations_in_any_spelling_is_one_row(variacoes: Any) -> None:
    assert len(read("produto", {**PRODUCT, "variacoes": variacoes}).answer) == 1


def test_a_product_event_without_a_product_maps_nothing() -> None:
    assert read("produto", None) == Event((), CNPJ, answer=[])


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded; charset=utf-8", ""])
def test_a_form_with_the_data_in_one_field_is_read(media_type: str) -> None:
    inner = urlencode({"dados": json.dumps({"idProduto": "7"}), "tipo": "estoque", "cnpj": CNPJ}).encode()
    whole = urlencode({"dados": body("estoque", {"idProduto": 7}).decode()}).encode()
    for form in (inner, whole):
        wanted = Event((Hint(Subject.STOCK, "7"),), CNPJ)
        assert v2.read("estoque", form, media_type or "application/x-www-form-urlencoded") == wanted


def test_a_form_that_calls_itself_json_is_read() -> None:
    form = urlencode({"dados": body("estoque", {"idProduto": 7}).decode()}).encode()
    assert v2.read("estoque", form, "application/json").hints == (Hint(Subject.STOCK, "7"),)


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b"dados=%7B", b"dados=1"]
)
def test_what_is_no_event_is_refused_and_says_what_came_without_showing_it(broken: bytes) -> None:
    for media_type in ("application/json", "application/x-www-form-urlencoded"):
        with pytest.raises(UnreadableEventError, match=r"received .* valid is"):
            v2.read("estoque", broken, media_type)


jsons = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["0", "12", CNPJ]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["tipo", "dados", "cnpj", "id", "idProduto", "variacoes", "idVendaTiny", "skuMapeamento"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)
kinds = st.sampled_from(["produto", "estoque", "precos", "situacao_pedido", "nota_fiscal", "x", None])


@given(jsons, kinds, st.sampled_from(sorted(v2.TOPICS)))
def test_any_json_is_an_event_or_refused(dados: Any, tipo: str | None, topic: str) -> None:
    event = v2.read(topic, body(tipo, dados), "application/json")
    assert all(hint.external_id not in ("", "0") and len(hint.external_id) <= 60 for hint in event.hints)
    assert event.answer is None or isinstance(event.answer, list)


@given(st.binary(max_size=200), st.sampled_from(["application/json", "application/x-www-form-urlencoded", ""]))
def test_any_bytes_are_an_event_or_refused(told: bytes, media_type: str) -> None:
    try:
        assert isinstance(v3.read("nota", told, media_type), Event)
    except UnreadableEventError as refused:
        assert "valid is" in str(refused)


SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "samples" / "tiny"
HINTS = {
    "webhook_estoque_conta": (Subject.STOCK, "971992238"),
    "webhook_estoque_ecommerce": (Subject.STOCK, "441393302"),
    "webhook_inclusao_pedido": (Subject.ORDER, "123456"),
    "webhook_nota_fiscal": (Subject.INVOICE, "17985647"),
    "webhook_precos": None,
    "webhook_rastreio": (Subject.ORDER, "123456"),
    "webhook_situacao_pedido": (Subject.ORDER, "123456"),
}


@pytest.mark.skipif(not SAMPLES.exists(), reason="the samples lie beside the project and are not here")
class TestSamples:
    def read(self, stem: str) -> Event:
        (path,) = SAMPLES.rglob(f"{stem}.json")
        return v2.read("pedidos", path.read_bytes(), "application/json")

    def test_every_webhook_is_among_them(self) -> None:
        there = {path.stem for path in SAMPLES.rglob("webhook_*.json")}
        assert there == {*HINTS, "webhook_produto", "webhook_produto_resposta"}

    @pytest.mark.parametrize("stem", sorted(HINTS))
    def test_each_says_what_it_is_about(self, stem: str) -> None:
        wanted = HINTS[stem]
        assert self.read(stem) == Event((Hint(*wanted),) if wanted else (), CNPJ)

    def test_the_product_is_answered_in_the_shape_of_the_published_answer(self) -> None:
        event = self.read("webhook_produto")
        assert len(event.hints) == len(event.answer) == 5
        (path,) = SAMPLES.rglob("webhook_produto_resposta.json")
        published = json.loads(path.read_bytes())
        assert {name for row in event.answer for name in row} <= {name for row in published for name in row}
        with pytest.raises(UnreadableEventError):  # it is no event
            v2.read("produto", path.read_bytes(), "application/json")
