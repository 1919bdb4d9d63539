"""kill -9 at every HTTP call and every commit of a pull, then run again: the end is that of an undisturbed run.

The points are counted on an undisturbed run and each is died at in turn, so nobody has to guess where it hurts.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hub.db import Database
from tests.contract.subjects import Sandbox
from tests.flows.driving import POINTS, Driver, begin_anew, driver, driving
from tests.flows.shop import Shop, free

__all__ = ["driver", "driving"]


# Each case dies a hundred times: one of them does so on PostgreSQL too, the others on SQLite only.
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@ON_SQLITE
@pytest.mark.parametrize("kind", ["tiny_v2", "tiny_v3"])
async def test_a_first_pull_killed_at_any_point_ends_like_an_undisturbed_one(
    kind: str, sandbox: Sandbox, db: Database, driver: Driver
) -> None:
    async def prepare() -> Shop:
        _small_shop(sandbox)
        return await Shop.connect(db, sandbox, kind, policy=free())

    await _die_everywhere(prepare, "pull-catalog", driver, db)


@pytest.mark.parametrize(
    ("lists", "database_url"),
    [(True, "sqlite"), (True, "postgres"), (False, "sqlite")],
    ids=["update lists", "update lists, postgres", "listing"],
    indirect=["database_url"],
)
async def test_a_later_pull_killed_at_any_point_ends_like_an_undisturbed_one(
    lists: bool, sandbox: Sandbox, db: Database, driver: Driver
) -> None:
    async def prepare() -> Shop:
        _small_shop(sandbox)
        shop = await Shop.connect(db, sandbox, "tiny_v2", policy=free(), features={"update_lists": lists})
        await shop.pull_catalog()
        _edits(sandbox)
        return shop

    await _die_everywhere(prepare, "pull-catalog", driver, db)


@ON_SQLITE
@pytest.mark.parametrize("lists", [True, False], ids=["update lists", "rotation"])
async def test_a_stock_pull_killed_at_any_point_ends_like_an_undisturbed_one(
    lists: bool, sandbox: Sandbox, db: Database, driver: Driver
) -> None:
    async def prepare() -> Shop:
        _small_shop(sandbox)
        shop = await Shop.connect(db, sandbox, "tiny_v2", policy=free(), features={"update_lists": lists})
        await shop.pull_catalog()
        if lists:
            await shop.pull_stock()
            _stock_moves(sandbox)
        return shop

    await _die_everywhere(prepare, "pull-stock", driver, db)


async def test_a_first_pull_of_several_pages_goes_on_where_it_was_killed(
    sandbox: Sandbox, db: Database, driver: Driver
) -> None:
    sandbox.ask("POST", "/tiny/accounts/demo/seed", catalog="generated", size=250, seed=7)
    shop = await Shop.connect(db, sandbox, "tiny_v2", policy=free())
    assert driver.run("pull-catalog", shop.id, "after-http", 180).outcome == "killed"
    committed = _details_read(sandbox)[:100]
    sandbox.ask("DELETE", "/calls")
    assert driver.run("pull-catalog", shop.id).outcome == "done"
    # By what they ask for, and not counted: calls that the dead process had sent may arrive after the log was cleared.
    read_again = set(_details_read(sandbox))
    assert not read_again.intersection(committed), "the first page of 100 was committed and is not read again"
    assert len(read_again) == 150
    assert len((await shop.state())["products"]) == 250


def _details_read(sandbox: Sandbox) -> list[str]:
    """The products whose details were asked for, in the order of the calls."""
    asked = [call["params"].get("id") for call in sandbox.calls() if call["operation"] == "produto.obter"]
    return [one for one in asked if one]  # of a call that was cut short nothing is known


async def _die_everywhere(prepare: Callable[[], Awaitable[Shop]], job: str, driver: Driver, db: Database) -> None:
    shop = await prepare()
    undisturbed = driver.run(job, shop.id)
    assert undisturbed.outcome == "done"
    wanted = _comparable(await shop.state())
    deaths = 0
    for point in POINTS:
        for index in range(1, undisturbed.passed[point] + 1):
            await begin_anew(db)
            shop = await prepare()
            end = driver.run(job, shop.id, point, index)
            deaths += end.outcome == "killed"
            again = driver.run(job, shop.id)
            assert again.outcome == "done", f"rerun after a death {point} {index}: {again.outcome}"
            assert differences(wanted, _comparable(await shop.state())) == [], f"killed {point} {index}"
    # Jobs at once may finish in another order, so a point near the end may not be reached; most must be.
    assert deaths >= 0.9 * sum(undisturbed.passed.values())


def differences(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Where two states differ, a line each."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = sorted({*wanted, *found})
        return [line for key in keys for line in differences(wanted.get(key), found.get(key), f"{path}/{key}")]
    return [] if wanted == found else [f"{path}: {wanted!r} is now {found!r}"]


def _comparable(state: dict[str, Any]) -> dict[str, Any]:
    """Without what tells only by which road a record came: fingerprints of listing rows, hashes of what is retired."""
    products = {
        key: {name: value for name, value in product.items() if not name.endswith("_hash")}
        for key, product in state["products"].items()
    }
    parents = {key: parent for key, (_, _, parent) in state["bindings"].items()}
    return {**state, "products": products, "bindings": parents}


def _small_shop(sandbox: Sandbox) -> None:
    """One of each: simple, with variations, a kit, inactive, one that is refused."""
    sandbox.ask("POST", "/reset", catalog="empty")
    sandbox.account(plan="unlimited")
    for product in (
        {"nome": "Caneca azul", "codigo": "CAN-1", "preco": "25.00", "estoque": 4},
        {"nome": "Caneca verde", "codigo": "CAN-2", "preco": "26.00", "preco_promocional": "20.00", "estoque": 9},
        {"nome": "Pires antigo", "codigo": "PIR-1", "preco": "9.90", "situacao": "I"},
        {"nome": "Prato de GTIN torto", "codigo": "PRA-1", "preco": "19.00", "gtin": "7891234567890"},
        {
            "nome": "Camiseta",
            "codigo": "CAM",
            "preco": "50.00",
            "classe_produto": "V",
            "variacoes": [
                {"codigo": "CAM-P", "preco": "50.00", "grade": {"Tamanho": "P"}},
                {"codigo": "CAM-G", "preco": "55.00", "grade": {"Tamanho": "G"}},
            ],
        },
        {
            "nome": "Par de canecas",
            "codigo": "KIT-1",
            "preco": "60.00",
            "classe_produto": "K",
            "kit": [{"codigo": "CAN-1", "quantidade": 2}, {"codigo": "CAN-2", "quantidade": 1}],
        },
    ):
        sandbox.ask("POST", "/tiny/accounts/demo/products", **product)
    sandbox.ask("DELETE", "/calls")


def _edits(sandbox: Sandbox) -> None:
    """A price, a description, a product less, one more, one mended."""
    by_sku = {product["codigo"]: product["id"] for product in sandbox.products()}
    path = "/tiny/accounts/demo/products"
    sandbox.ask("PATCH", f"{path}/{by_sku['CAN-1']}", preco="27.50")
    sandbox.ask("DELETE", f"{path}/{by_sku['PIR-1']}")
    sandbox.ask("PATCH", f"{path}/{by_sku['PRA-1']}", gtin="7891234567895")
    sandbox.ask("POST", path, nome="Bule", codigo="BUL-1", preco="80.00")


def _stock_moves(sandbox: Sandbox) -> None:
    by_sku = {product["codigo"]: product["id"] for product in sandbox.products()}
    for sku, balance in (("CAN-1", 1), ("CAN-2", 0)):
        path = f"/tiny/accounts/demo/products/{by_sku[sku]}/stock"
        sandbox.ask("POST", path, deposit="Depósito Geral", balance=balance, reserved=0)
