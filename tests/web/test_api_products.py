"""Products by the store API."""

import httpx
import pytest

from hub.db import Database
from hub.tables import Price, Product
from tests.hub.shop import connect, one, queued, rows
from tests.web.conftest import product

MUG = "/products/CAN-1"


async def test_a_product_is_created_replaced_and_read_with_money_as_text(sol: httpx.AsyncClient) -> None:
    made = await sol.put(MUG, json=product(gtin="7891000315507", pictures=["https://loja.example/1.jpg"]))
    assert made.status_code == 201
    assert made.json()["price"] == {"list_price": "29.90", "promotional_price": None, "cost_price": None}
    assert made.json()["stock"] == "5"
    again = await sol.put(MUG, json={"name": "Caneca azul"})
    assert again.status_code == 200
    found = (await sol.get(MUG)).json()
    assert found == again.json()
    assert (found["name"], found["gtin"], found["pictures"]) == ("Caneca azul", "", [])
    assert (found["price"]["list_price"], found["stock"]) == ("29.90", "5"), "left out, they stay"


async def test_price_and_stock_have_doors_of_their_own_and_are_queued_as_such(
    sol: httpx.AsyncClient, db: Database
) -> None:
    erp = await connect(db, "loja-sol-erp", takes=("product", "price", "stock"))
    await sol.put(MUG, json=product(price={"list_price": "29.90", "promotional_price": "19.90"}))
    before = await queued(db, erp)
    priced = await sol.put(f"{MUG}/price", json={"list_price": "35.5"})
    assert priced.json()["price"] == {"list_price": "35.50", "promotional_price": "19.90", "cost_price": None}
    counted = await sol.put(f"{MUG}/stock", json={"quantity": "2.5"})
    assert counted.json()["stock"] == "2.5"
    moved = {kind for (kind, _), version in (await queued(db, erp)).items() if version > 1}
    assert (moved, len(before)) == ({"price", "stock"}, 3)
    await sol.put(f"{MUG}/price", json={"promotional_price": None})
    assert (await one(db, Price)).promotional_price is None


async def test_a_patch_changes_what_it_names(sol: httpx.AsyncClient) -> None:
    await sol.put(MUG, json=product(ncm="69111010", weight_net="0.3", attributes={"cor": "azul"}))
    patched = (await sol.patch(MUG, json={"brand": "Louça Boa", "weight_net": None})).json()
    assert (patched["brand"], patched["ncm"], patched["weight_net"]) == ("Louça Boa", "69111010", None)
    assert (patched["attributes"], patched["price"]["list_price"]) == ({"cor": "azul"}, "29.90")
    refused = await sol.patch(MUG, json={"name": None})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/name")


async def test_deleted_it_is_inactive_and_stays(sol: httpx.AsyncClient, db: Database) -> None:
    await sol.put(MUG, json=product())
    assert (await sol.delete(MUG)).status_code == 204
    assert (await sol.get(MUG)).json()["active"] is False
    assert len(await rows(db, Product)) == 1
    assert (await sol.get("/products?active=true")).json() == {"items": [], "next_cursor": None}
    assert (await sol.put(MUG, json=product())).json()["active"] is True


async def test_a_sku_may_hold_a_slash_and_spaces(sol: httpx.AsyncClient) -> None:
    assert (await sol.put("/products/CAM%2F01 P", json=product())).json()["sku"] == "CAM/01 P"
    assert (await sol.put("/products/CAM%2F01 P/stock", json={"quantity": 1})).json()["stock"] == "1"
    assert (await sol.get("/products/CAM/01 P")).status_code == 200


async def test_variations_name_their_parent(sol: httpx.AsyncClient) -> None:
    child = product(kind="variation", parent_sku="CAM", attributes={"tamanho": "P"})
    refused = await sol.put("/products/CAM-P", json=child)
    assert refused.status_code == 422
    assert "não está na loja" in refused.json()["errors"][0]["merchant"]
    await sol.put("/products/CAM", json={"name": "Camiseta", "kind": "parent"})
    assert (await sol.put("/products/CAM-P", json=child)).json()["parent_sku"] == "CAM"


async def test_the_list_comes_in_pages_that_new_products_do_not_shift(sol: httpx.AsyncClient) -> None:
    for number in range(5):
        await sol.put(f"/products/P{number}", json=product())
    first = (await sol.get("/products?limit=2")).json()
    await sol.put("/products/P9", json=product())
    second = (await sol.get("/products", params={"limit": 10, "cursor": first["next_cursor"]})).json()
    assert [p["sku"] for p in first["items"] + second["items"]] == ["P0", "P1", "P2", "P3", "P4", "P9"]
    assert second["next_cursor"] is None
    assert (await sol.get("/products?limit=6")).json()["next_cursor"] is None
    assert (await sol.get("/products?cursor=nonsense")).status_code == 422
    assert (await sol.get("/products?limit=201")).status_code == 422


@pytest.mark.parametrize(
    ("told", "pointer"),
    [
        ({"price": {"list_price": 29.9}}, "#/price/list_price"),
        ({"price": {"list_price": "29,90"}}, "#/price/list_price"),
        ({"price": {"list_price": "-1"}}, "#/price/list_price"),
        ({"price": {"list_price": "NaN"}}, "#/price/list_price"),
        ({"stock": -1}, "#/stock"),
        ({"stock": True}, "#/stock"),
        ({"name": ""}, "#/name"),
        ({"name": "a\x00b"}, "#/name"),
        ({"description": "\ud800"}, "#/description"),
        ({"gtin": "7891000315508"}, "#/gtin"),
        ({"gtin": 7891000315507}, "#/gtin"),
        ({"brand": "x" * 201}, "#/brand"),
        ({"price": {"list_price": "9" * 20}}, "#/price/list_price"),
        ({"pictures": ["javascript:alert(1)"]}, "#/pictures/0"),
        ({"colour": "blue"}, "#/colour"),
        ({"kind": "kit"}, "#/kind"),
    ],
)
async def test_what_does_not_fit_is_named_by_its_place_and_nothing_is_written(
    sol: httpx.AsyncClient, db: Database, told: dict[str, object], pointer: str
) -> None:
    import json

    answer = await sol.put(MUG, content=json.dumps(product(**told)), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}
    assert await rows(db, Product) == []
