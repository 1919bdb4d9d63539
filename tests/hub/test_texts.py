"""Every code that the program can raise has words in Portuguese, and no word is left with a hole in it."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub import changes, fiscal, texts
from hub.catalog import LONGEST, NUMBERS
from hub.clock import utcnow
from hub.tables import Notice
from hub.tables.tenancy import ConnectionState

ROOT = Path(__file__).resolve().parents[2]
KINDS = ("tiny_v2", "tiny_v3", "tagplus", "", "some_later_kind")
HOLE = re.compile(r"[{}]|\bNone\b")


def _trees(*folders: str) -> Iterator[ast.AST]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield ast.parse(path.read_text())


def _words(node: ast.AST) -> set[str]:
    """The text constants in an expression, save those that it only compares with."""
    if isinstance(node, ast.IfExp):
        return _words(node.body) | _words(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def _is_outcome(node: ast.AST) -> bool:
    names = {part.value.id for part in ast.walk(node) if isinstance(part, ast.Attribute) and _is_name(part.value)}
    return "Outcome" in names


def _is_name(node: ast.AST) -> bool:
    return isinstance(node, ast.Name)


def raised_reasons() -> set[str]:
    """Every word that stands right behind an `Outcome` (in a call or a tuple), or is put into a name `reason`."""
    found: set[str] = set()
    for node in itertools.chain.from_iterable(map(ast.walk, _trees("providers"))):
        row = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
        for first, second in itertools.pairwise(row):
            if _is_outcome(first):
                found |= _words(second)
        if isinstance(node, ast.Assign) and any(_is_name(t) and t.id == "reason" for t in node.targets):
            found |= _words(node.value)
    return found


def raised_codes() -> set[str]:
    """Codes written out; `f"{kind}.refused"` stands for every kind of record that the hub takes from a vendor."""
    kinds = {changes.KIND}
    found: set[str] = set()
    for node in itertools.chain.from_iterable(map(ast.walk, _trees("hub", "tasks", "flows", "deployments", "web"))):
        if not isinstance(node, ast.Call):
            continue
        for word in node.keywords:
            if word.arg == "code" and _is_name(node.func) and node.func.id == "Draft":
                found |= _words(word.value)
                if isinstance(word.value, ast.JoinedStr) and not isinstance(word.value.values[0], ast.Constant):
                    found |= {f"{kind}{word.value.values[-1].value}" for kind in kinds}
    return found


def raised_problems() -> set[tuple[str, str]]:
    """(field, reason) of every Problem that the mappers and the hub can make."""
    reasons_of_reader = {
        "text": ("not_a_text",),
        "number": ("not_a_number", "too_large"),
        "positive": ("not_a_number", "too_large"),
        "code": ("unknown_code",),
    }
    found: set[tuple[str, str]] = set()
    for node in itertools.chain.from_iterable(map(ast.walk, _trees("hub", "providers", "tasks"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        on_reader = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "reader"
        fields = _words(node.args[0])
        if name in reasons_of_reader and on_reader:
            found |= set(itertools.product(fields, reasons_of_reader[name]))
        elif name in ("refuse", "Problem") and len(node.args) > 1:
            found |= set(itertools.product(fields, _words(node.args[1])))
    found |= set(itertools.product(NUMBERS, ("negative", "not_a_number", "too_large")))
    found |= {(field, "too_long") for field in (*LONGEST, "kit", "related")}
    for check, bad in (
        (fiscal.gtin, ("123", "78912345678AB", "7891234567890", "0" * 13)),
        (fiscal.ncm, ("12", "123456AB")),
    ):
        for value in bad:
            with pytest.raises(fiscal.FiscalError) as refused:
                check(value)
            found.add((refused.value.field, refused.value.reason))
    return found


def notice(code: str, params: dict[str, object]) -> Notice:
    return Notice(
        merchant_id="loja-sol",
        key="k",
        code=code,
        connection_id="loja-sol-tiny",
        kind="connection" if code.startswith("connection.") else "product",
        subject="" if code.startswith("connection.") else "9001",
        params=params,
        first_at=utcnow(),
    )


def test_the_search_of_the_source_finds_what_is_known_to_be_there():
    assert {"token", "blocked", "quota", "unknown_host", "unreachable", "permission", "server"} <= raised_reasons()
    assert {"product.refused", "stock.refused"} <= raised_codes()
    assert {
        ("gtin", "check_digit"),
        ("kit", "incomplete"),
        ("height", "too_large"),
        ("sku", "repeated"),
    } <= raised_problems()


@pytest.mark.parametrize("reason", sorted(raised_reasons()))
def test_every_reason_of_a_failed_call_has_words(reason: str):
    assert texts.knows(f"connection.{reason}")
    for kind in KINDS:
        text = texts.render(f"connection.{reason}", {"kind": kind, "code": "5", "detail": "acesso {negado}"})
        bare = texts.render(f"connection.{reason}", {"kind": kind})
        for part in (bare.title, bare.body, bare.action, text.title, text.body.replace("{negado}", ""), text.action):
            assert part
            assert not HOLE.search(part)
            assert part == part.strip()
        assert len(text.action) > 40, "it must say what to do"


@pytest.mark.parametrize("code", sorted(raised_codes()))
def test_every_code_of_a_notice_has_words(code: str):
    assert texts.knows(code)
    text = texts.render(code, {})
    assert not HOLE.search(text.title + text.body + text.action)


def catalogue() -> list[str]:
    """Every code that has words."""
    reasons = {f"connection.{reason}" for reason in texts._CONNECTION}
    return sorted(reasons | set(texts._REFUSED) | set(texts._PLAIN))


@pytest.mark.parametrize("code", catalogue())
def test_every_code_of_the_catalogue_is_explained_to_ops(code: str):
    section = (ROOT / "docs/operations.md").read_text().split("## Notices, for ops")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    explained = {named for row in rows for named in re.findall(r"`([a-z_]+\.[a-z_]+)`", row.split(" | ")[0])}
    assert code in explained


@pytest.mark.parametrize("code", catalogue())
def test_a_parameter_that_is_missing_breaks_no_text(code: str):
    text = texts.render(code, {})
    assert not HOLE.search(text.title + text.body + text.action)


@pytest.mark.parametrize(("field", "reason"), sorted(raised_problems()))
def test_every_problem_has_a_sentence_of_its_own_that_says_what_to_do(field: str, reason: str):
    said = texts.sentence({"field": field, "reason": reason, "received": "-1.5 {x}"})
    odd = texts.sentence({"field": field, "reason": "never heard of", "received": "-1.5 {x}"})
    assert field in texts.FIELDS
    assert said.startswith(f"{texts.FIELDS[field]}: ")
    assert said != odd or field == "details"
    assert not HOLE.search(said.replace("{x}", ""))
    assert not HOLE.search(texts.sentence({"field": field, "reason": reason}))


def test_a_refused_product_names_itself_and_each_of_its_problems():
    text = texts.render(
        "product.refused",
        {
            "kind": "tiny_v2",
            "sku": "CAM-01",
            "name": "Camiseta {azul}",
            "problems": [
                {"field": "gtin", "reason": "check_digit", "received": "7891234567890"},
                {"field": "list_price", "reason": "negative", "received": "-9.9"},
                {"field": "details", "reason": "validation", "received": "Produto bloqueado"},
            ],
        },
    )
    assert text.title == "Produto não integrado: SKU CAM-01, Camiseta {azul}"
    assert "7891234567890" in text.body
    assert "-9,9 é menor que zero" in text.body
    assert "o Olist Tiny não mostrou este registro e respondeu: “Produto bloqueado”" in text.body
    assert text.body.count("•") == 3
    assert "no Olist Tiny" in text.action


@pytest.mark.parametrize("field", ["name", "sku"])
def test_the_longest_text_is_told_as_it_is(field: str):
    assert f"mais de {LONGEST[field]} letras" in texts.sentence({"field": field, "reason": "too_long", "received": "A"})


def test_a_problem_that_nobody_foresaw_shows_its_field_and_its_value():
    assert texts.sentence({"field": "cor", "reason": "estranha", "received": "roxo"}) == (
        "cor: o valor “roxo” não pode ser usado; confira o campo"
    )


def test_a_lost_token_says_where_a_new_one_is_made():
    v2 = texts.render("connection.token", {"kind": "tiny_v2", "code": "2", "detail": "token invalido"})
    v3 = texts.render("connection.token", {"kind": "tiny_v3", "code": "invalid_grant"})
    assert "Token API" in v2.action
    assert "conectar de novo" in v3.action
    assert "24 horas" in v3.action
    assert v2.title.startswith("Olist Tiny (API v2)")


@pytest.mark.parametrize(("code", "word"), [("5", "Token API"), ("7", "espaço"), ("8", "fatura")])
def test_a_blocked_account_is_told_by_its_code_what_to_do(code: str, word: str):
    assert word in texts.render("connection.blocked", {"kind": "tiny_v2", "code": code}).action


def test_what_the_vendor_said_is_shown_and_what_a_library_said_is_not():
    said = texts.render("connection.validation", {"kind": "tiny_v2", "code": "10", "detail": "parâmetro inválido"})
    network = texts.render("connection.unreachable", {"kind": "tiny_v2", "detail": "ConnectError"})
    assert "“parâmetro inválido”, código 10" in said.body
    assert "ConnectError" not in network.body


def test_a_code_of_a_later_version_is_shown_and_breaks_nothing():
    assert not texts.knows("order.refused")
    assert not texts.knows("product.unheard")
    assert "order.refused" in texts.render("order.refused", {"x": 1}).title


def test_ops_read_one_line_without_names_or_values():
    line = texts.ops_line(
        notice(
            "product.refused",
            {
                "sku": "CAM-01",
                "name": "Camiseta azul",
                "problems": [{"field": "gtin", "reason": "check_digit", "received": "789"}],
            },
        )
    )
    assert line.startswith("loja-sol-tiny product 9001: product.refused: gtin check_digit (since ")
    assert "Camiseta" not in line
    assert "789" not in line
    connection = texts.ops_line(
        notice("connection.token", {"kind": "tiny_v2", "code": "2", "detail": "token invalido"})
    )
    assert connection.startswith("loja-sol-tiny: connection.token: credential refused")
    assert "code 2, token invalido" in connection


def test_every_reason_has_a_line_for_ops():
    for reason in raised_reasons():
        assert len(texts.ops_line(notice(f"connection.{reason}", {})).split(": ")) >= 3


def test_labels_cover_the_states_the_paths_and_the_outcomes():
    for state in ConnectionState:
        assert texts.label("state", state) == state.value.capitalize()
    assert texts.label("outcome", "done") == "concluída"
    assert texts.label("path", "pull-catalog") == "Produtos do ERP para a loja"
    assert texts.label("outcome", "of a later version") == "of a later version"
    assert texts.system_label("tiny_v3") == "Olist Tiny (API v3)"
    flows = {path.stem.replace("_", "-") for path in (ROOT / "flows").glob("pull_*.py")}
    assert flows <= set(texts.LABELS["path"])


def test_every_kind_of_the_registry_has_the_registrys_label():
    from providers.registry import KINDS as registered

    assert {kind: one.label for kind, one in registered.items()} == {
        kind: texts.system_label(kind) for kind in registered
    }
