"""The first pull, what later pulls read and write, dry runs, and runs that are taken up again."""

from collections import Counter
from typing import Any

import pytest

from hub.changes import Change
from hub.db import Database
from hub.texts import render
from providers.contract import CallFailed, Outcome
from providers.registry import KINDS
from sandbox.tiny.catalog import BAD_GTIN, BAD_NAME, BAD_PRICE, BAD_SKUS
from sandbox.tiny.catalog_odd import LONG_NAME
from tests.contract.subjects import Sandbox
from tests.flows.clockwork import Clock
from tests.flows.shop import BUSINESS, Shop, differing, flat, written_in
from tests.flows.truth import expected

DETAILS = {"tiny_v2": "produto.obter", "tiny_v3": "GET /produtos/{id}"}
LISTING = {"tiny_v2": "produtos.pesquisa", "tiny_v3": "GET /produtos"}


# The first pull.


@pytest.mark.parametrize("types", ["clean", "messy"])
async def test_the_first_pull_brings_every_product_with_every_field_right(
    shop: Shop, sandbox: Sandbox, types: str
) -> None:
    sandbox.ask("POST", "/settings", types=types)
    summary = await shop.pull_catalog()
    truth = expected(shop.kind, sandbox.products(), BAD_SKUS)
    if shop.kind == "tiny_v3" and types == "messy":  # every figure may be null there, and 0 is [R]
        for product in truth.values():
            product["price"] = {name: None if value == "0" else value for name, value in product["price"].items()}
    found = {key: flat(product) for key, product in (await shop.products()).items()}
    assert set(found) == set(truth)
    for key, product in truth.items():
        assert found[key] == product, key
    assert (summary.tally.created, summary.tally.failed) == (len(truth), 3) == (97, 3)
    assert summary.tally.read == summary.tally.created + summary.tally.failed


async def test_what_is_hard_on_a_careless_client_arrives_as_it_is(shop: Shop) -> None:
    await shop.pull_catalog()
    known = {product["sku"]: product for product in (await shop.products()).values()}
    assert known["NOME-300"]["name"] == LONG_NAME and len(LONG_NAME) == 300
    assert known["EMOJI-01"]["name"] == "Almofada sorriso 😀 edição “verão” — ☀️"
    assert known["HTML-01"]["name"] == "Chá & ervas: kit degustação <12 sabores>"
    assert "<script>alert('não execute')</script>" in known["HTML-01"]["description"]
    assert "Hortelã &amp; mel" in known["HTML-01"]["description"]
    assert known["HTML-01"]["ncm"] == "21012020"
    assert known["SEM-GTIN"]["gtin"] is known["SEM-GTIN"]["gtin_key"] is None
    assert known["PESO-ZERO"]["weight_gross"] == "0"
    assert known["PRECO-4"]["price"]["list_price"] == "150"
    assert known["PRECO-10"]["price"]["list_price"] == "0.0375"
    assert known["000457"]["name"] == "Produto de código com zeros"
    assert known["123"]["name"] == "Produto de código numérico"
    assert [known[sku]["active"] for sku in ("INATIVO-1", "INATIVO-2", "CAN-300")] == [False, False, True]
    assert not {"EXCLUIDO-1", "EXCLUIDO-2"} & set(known)


async def test_three_bad_products_are_notices_and_mending_one_takes_it_in(mode: Shop) -> None:
    await mode.pull_catalog()
    before = await mode.state()
    keys = {sku: mode.key(sku) for sku in BAD_SKUS}
    reasons = {key: [(p["field"], p["reason"]) for p in problems] for key, problems in before["quarantined"].items()}
    assert reasons == {
        keys[BAD_GTIN]: [("gtin", "check_digit")],
        keys[BAD_NAME]: [("name", "empty")],
        keys[BAD_PRICE]: [("list_price", "negative")],
    }
    assert {key.rpartition(":")[2]: code for key, (code, _) in before["notices"].items()} == dict.fromkeys(
        keys.values(), "product.refused"
    )
    for _, params in before["notices"].values():
        said = render("product.refused", {**params, "kind": mode.kind})
        assert "Olist Tiny" in said.action and said.body

    again = await mode.pull_catalog()
    assert (again.tally.changed, again.tally.created) == (0, 0)
    assert (await mode.state())["notices"].keys() == before["notices"].keys()

    mode.edit(keys[BAD_PRICE], preco=20)
    mended = await mode.pull_catalog()
    assert mended.tally.created == 1
    after = await mode.state()
    assert set(after["quarantined"]) == {keys[BAD_GTIN], keys[BAD_NAME]}
    assert {key.rpartition(":")[2] for key in after["notices"]} == {keys[BAD_GTIN], keys[BAD_NAME]}
    assert after["products"][keys[BAD_PRICE]]["price"]["list_price"] == "20"


async def test_the_first_pull_is_the_same_on_every_database(db: Database, sandbox: Sandbox, kind: str) -> None:
    shop = await Shop.connect(db, sandbox, kind)
    await shop.pull_catalog()
    await shop.pull_stock()
    truth = expected(kind, sandbox.products(), BAD_SKUS)
    stockless = {"stock": {}, "stock_quantity": None}
    assert {key: flat(p) | stockless for key, p in (await shop.products()).items()} == truth
    before = await shop.state()
    with written_in(db) as tables:
        await shop.pull_catalog()
        await shop.pull_stock()
    assert not tables & BUSINESS
    assert await shop.state() == before


async def test_a_second_merchant_of_the_same_account_gets_products_of_his_own(
    hub_db: Database, sandbox: Sandbox
) -> None:
    one = await Shop.connect(hub_db, sandbox, "tiny_v2")
    one.seed(catalog="generated", size=5)
    other = await Shop.connect(hub_db, sandbox, "tiny_v2", merchant="Loja Lua")
    await one.pull_catalog()
    await other.pull_catalog()
    mine, yours = await one.products(), await other.products()
    assert mine == yours and len(mine) == 5
    assert await one.record_id(next(iter(mine))) != await other.record_id(next(iter(mine)))


# Later pulls.


async def test_nothing_changed_costs_the_least_calls_and_writes_no_row(mode: Shop) -> None:
    mode.seed(catalog="generated", size=15, variations_share=0.2, kits_share=0.3)
    await mode.pull_catalog()
    await mode.pull_catalog()
    before = await mode.state()
    mode.forget_calls()
    with written_in(mode.db) as tables:
        summary = await mode.pull_catalog()
    lists = (await mode.connection()).features.get("update_lists")
    least = {"lista.atualizacoes.produtos": 1} if lists else {LISTING[mode.kind]: 2 if mode.kind == "tiny_v3" else 1}
    assert mode.calls() == Counter(least)
    assert summary.tally.calls == sum(least.values())
    assert not tables & {*BUSINESS, "binding", "quarantined", "notice", "worklist"}
    assert await mode.state() == before
    assert (summary.tally.created, summary.tally.changed) == (0, 0)


async def test_the_listing_costs_one_call_a_hundred_products(hub_db: Database, sandbox: Sandbox) -> None:
    shop = await Shop.connect(hub_db, sandbox, "tiny_v2")
    shop.seed(catalog="generated", size=230)
    await shop.pull_catalog()
    shop.forget_calls()
    summary = await shop.pull_catalog()
    assert shop.calls() == {"produtos.pesquisa": 3}
    assert (summary.tally.read, summary.tally.unchanged) == (230, 230)


EDITS: list[tuple[dict[str, Any], set[str], set[str]]] = [
    ({"nome": "Caneca & pires"}, {"name", "data_hash"}, {"product", "kit_item", "related_product"}),
    ({"preco": 31.5}, {"price", "price_hash"}, {"product", "price"}),
    ({"preco_promocional": 27.25}, {"price", "price_hash"}, {"product", "price"}),
    ({"situacao": "I"}, {"active", "data_hash"}, {"product", "kit_item", "related_product"}),
    ({"gtin": ""}, {"gtin", "gtin_key", "data_hash"}, {"product", "kit_item", "related_product"}),
]
"""What the merchant edits, what must differ afterwards, and the tables that may be written for it."""
UNLISTED: list[tuple[dict[str, Any], set[str], set[str]]] = [
    (
        {"anexos": ["https://imagens.loja-exemplo.example/nova.jpg"]},
        {"pictures", "pictures_hash"},
        {"product", "picture"},
    ),
    (
        {"descricao_complementar": "<b>Nova</b>"},
        {"description", "data_hash"},
        {"product", "kit_item", "related_product"},
    ),
    ({"ncm": "7013.49.00"}, {"ncm", "data_hash"}, {"product", "kit_item", "related_product"}),
    ({"peso_bruto": 1.234}, {"weight_gross", "data_hash"}, {"product", "kit_item", "related_product"}),
]
"""The same for fields that the rows of v2's listing do not show."""


async def test_an_edit_writes_the_group_that_it_belongs_to_and_no_other(mode: Shop, clock: Clock) -> None:
    mode.seed(catalog="generated", size=6, kits_share=0.4)
    await mode.pull_catalog()
    key = mode.key("GER-000001")
    shown = UNLISTED if mode.kind == "tiny_v3" or (await mode.connection()).features.get("update_lists") else []
    for fields, differs, tables in EDITS + shown:
        before = await mode.state()
        clock.advance(seconds=2)  # v3 tells the time of an edit by the second
        mode.edit(key, **fields)
        mode.forget_calls()
        with written_in(mode.db) as found:
            summary = await mode.pull_catalog()
        assert differing(before, await mode.state()) == {key: differs}, fields
        assert found & BUSINESS <= tables, fields
        assert summary.tally.changed == 1
        assert mode.calls()[DETAILS[mode.kind]] == 1


async def test_where_no_list_tells_of_it_an_edit_is_found_within_a_day(
    hub_db: Database, sandbox: Sandbox, clock: Clock
) -> None:
    shop = await Shop.connect(hub_db, sandbox, "tiny_v2")
    shop.seed(catalog="generated", size=6)
    await shop.pull_catalog()
    before = await shop.state()
    keys = [shop.key(f"GER-00000{n}") for n in range(1, 1 + len(UNLISTED))]
    for key, (fields, _, _) in zip(keys, UNLISTED, strict=True):
        shop.edit(key, **fields)
    await shop.pull_catalog()
    assert await shop.state() == before  # no row of the listing shows them
    clock.next_day()
    await shop.pull_catalog()
    differs = {key: names for key, (_, names, _) in zip(keys, UNLISTED, strict=True)}
    assert differing(before, await shop.state()) == differs


async def test_every_product_is_read_again_once_a_day_and_not_all_at_one_time(mode: Shop, clock: Clock) -> None:
    mode.seed(catalog="generated", size=50)
    await mode.pull_catalog()
    keys = {str(product["id"]) for product in mode.sandbox.products()}
    read: Counter[str] = Counter()
    at_once = []
    for _ in range(16):
        clock.advance(minutes=90)
        mode.forget_calls()
        await mode.pull_catalog()
        told = [call for call in mode.sandbox.calls() if call["operation"] == DETAILS[mode.kind]]
        read.update(str(call["params"]["id"]) for call in told)
        at_once.append(len(told))
    assert set(read) == keys
    assert max(read.values()) <= 2
    assert max(at_once) <= 16, "a third of the catalogue fell due at one time"


async def test_a_product_known_already_that_turns_bad_is_kept_as_it_was_and_not_asked_for_in_every_run(
    mode: Shop, clock: Clock
) -> None:
    mode.seed(catalog="generated", size=4)
    await mode.pull_catalog()
    before, key = await mode.state(), mode.key("GER-000001")
    mode.edit(key, preco=-1)
    assert (await mode.pull_catalog()).tally.failed == 1
    after = await mode.state()
    assert after["products"] == before["products"]
    assert set(after["quarantined"]) == {key}
    clock.next_day()
    mode.forget_calls()
    await mode.pull_catalog()
    assert mode.calls()[DETAILS[mode.kind]] == 4
    for _ in range(2):
        clock.advance(minutes=10)
        mode.forget_calls()
        await mode.pull_catalog()
        assert mode.calls()[DETAILS[mode.kind]] == 0
    mode.edit(key, preco=5)
    await mode.pull_catalog()
    assert not (await mode.state())["quarantined"]
    assert (await mode.products())[key]["price"]["list_price"] == "5"


# Dry runs.


async def test_a_dry_first_run_shows_what_the_real_one_then_writes(mode: Shop) -> None:
    mode.seed(catalog="generated", size=15, variations_share=0.2, kits_share=0.3)
    mode.create(codigo="RUIM", nome="Sem preço certo", preco=-1)
    before = await mode.state()
    with written_in(mode.db) as tables:
        dry = await mode.pull_catalog(dry_run=True)
    assert not tables & {*BUSINESS, "binding", "quarantined", "notice", "run_report"}
    assert await mode.state() == before
    await mode.pull_catalog()
    after = await mode.state()
    assert {change.external_id for change in dry.changes if change.op == "create"} == set(after["products"])
    assert {change.external_id for change in dry.changes if change.op == "refuse"} == set(after["quarantined"])
    assert {change.op for change in dry.changes} == {"create", "refuse"}
    first = mode.theirs("GER-000001")
    assert Change("create", str(first["id"]), "GER-000001", first["nome"]) in dry.changes


async def test_a_dry_run_shows_what_the_next_run_writes_and_loses_nothing_of_lists_that_forget(
    mode: Shop, clock: Clock
) -> None:
    mode.seed(catalog="generated", size=8)
    await mode.pull_catalog()
    mode.edit(mode.key("GER-000001"), preco=7.5)
    mode.edit(mode.key("GER-000002"), nome="Outro nome")
    mode.edit(mode.key("GER-000003"), situacao="I")
    mode.edit(mode.key("GER-000004"), preco=-3)
    mode.delete(mode.key("GER-000005"), hard=True)
    new = mode.create(codigo="NOVO", nome="Produto novo", preco=9)
    clock.next_day()
    before = await mode.state()
    with written_in(mode.db) as tables:
        dry = await mode.pull_catalog(dry_run=True)
        twice = await mode.pull_catalog(dry_run=True)
    assert not tables & {*BUSINESS, "binding", "quarantined", "notice", "run_report"}
    assert (await mode.state())["products"] == before["products"]
    assert {(c.op, c.external_id, c.groups) for c in dry.changes} == {
        (c.op, c.external_id, c.groups) for c in twice.changes
    }

    await mode.pull_catalog()
    after = await mode.state()
    shown = {change.external_id: change for change in dry.changes}
    assert len(shown) == len(dry.changes)
    assert {key: change.op for key, change in shown.items() if change.op != "refuse"} == {
        key: "create" if key not in before["products"] else "deactivate" if after["bindings"][key][1] else "update"
        for key in differing(before, after)
    }
    assert {key for key, change in shown.items() if change.op == "refuse"} == set(after["quarantined"])
    assert shown[new].op == "create"
    assert shown[mode.key("GER-000001")].groups == ("price",)
    assert (await mode.pull_catalog()).tally.changed == 0


async def test_a_dry_run_in_the_place_of_one_that_was_killed_while_it_asked_shows_the_whole_truth(
    v2: Shop, clock: Clock
) -> None:
    v2.seed(catalog="generated", size=5)
    await v2.pull_catalog()
    key = v2.key("GER-000001")
    v2.edit(key, descricao_complementar="só os detalhes mostram")
    clock.advance(hours=1)
    v2.sandbox.fault("answer_lost", match={"operation": "lista.atualizacoes.produtos"})
    await v2.pull_catalog(outcome="failed")
    dry = await v2.pull_catalog(dry_run=True)
    assert [(change.op, change.external_id, change.groups) for change in dry.changes] == [("update", key, ("data",))]
    real = await v2.pull_catalog()
    assert real.tally.changed == 1
    assert (await v2.products())[key]["description"] == "só os detalhes mostram"


# Runs that are taken up again.


async def test_a_first_pull_that_was_stopped_goes_on_from_its_page(shop: Shop, sandbox: Sandbox) -> None:
    shop.seed(catalog="generated", size=230)
    shop.script(LISTING[shop.kind], 3, {"op": "account", "changes": {"blocked": True}}, when="before")
    stopped = await shop.pull_catalog(outcome="failed")
    assert stopped.tally.created == 200
    sandbox.account(blocked=False)
    shop.forget_calls()
    summary = await shop.pull_catalog()
    assert summary.tally.mode == "full"
    # Page 3, then every page once more, as they may have shifted meanwhile.
    assert shop.calls() == {LISTING[shop.kind]: 4, DETAILS[shop.kind]: 30}
    assert {key: flat(p) for key, p in (await shop.products()).items()} == expected(shop.kind, sandbox.products())


async def test_one_product_that_the_vendor_refuses_to_show_holds_no_other_up(
    shop: Shop, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.seed(catalog="generated", size=5)
    key, provider = shop.key("GER-000003"), KINDS[shop.kind].provider
    read = provider.read_product  # type: ignore[attr-defined]

    async def refusing(self: Any, external_id: str) -> Any:
        if external_id == key:
            raise CallFailed(Outcome.REJECTED, "validation", operation="details", code="31", detail="Produto inválido")
        return await read(self, external_id)

    with monkeypatch.context() as patched:
        patched.setattr(provider, "read_product", refusing)
        summary = await shop.pull_catalog()
    assert (summary.tally.created, summary.tally.failed) == (4, 1)
    held = await shop.state()
    assert [(p["field"], p["received"]) for p in held["quarantined"][key]] == [("details", "Produto inválido")]
    assert "Produto inválido" in render(*next(iter(held["notices"].values()))).body
    for _ in range(2):
        clock.next_day()
        await shop.pull_catalog()
    after = await shop.state()
    assert set(after["products"]) == {str(product["id"]) for product in shop.sandbox.products()}
    assert not after["notices"] and not after["quarantined"]


async def test_the_report_tells_what_a_run_did(shop: Shop) -> None:
    shop.seed(catalog="generated", size=7)
    shop.create(codigo="RUIM", nome="Sem preço certo", preco=-1)
    await shop.pull_catalog()
    shop.edit(shop.key("GER-000001"), preco=3)
    await shop.pull_catalog()
    first, second = await shop.reports()
    assert (first.path, first.mode, first.outcome) == ("pull-catalog", "full", "done")
    assert (first.read, first.created, first.changed, first.unchanged, first.failed) == (8, 7, 0, 0, 1)
    assert first.calls == 10  # eight products, the listing, and once more to be sure of it
    assert second.mode == ("listing" if shop.kind == "tiny_v2" else "changes")
    assert (second.created, second.changed, second.failed) == (0, 1, 0)
    assert first.seconds > 0 and second.started_at > first.started_at
