from typing import Annotated

from fastapi import FastAPI, Query
from pydantic import BaseModel

from web.docs_page import docs_page


class Product(BaseModel):
    sku: str
    tags: list[str]


def page() -> str:
    app = FastAPI(title="Loja <b>", version="1")

    @app.post("/products/{shop}", tags=["catalog"])
    def create(
        shop: str, product: Product, limit: Annotated[int | None, Query(description="at most")] = None
    ) -> Product:
        """Makes a product & tells <it>."""
        return product

    @app.get("/plain")
    def plain() -> list[str]:
        return []

    return docs_page(app.openapi())


def test_each_operation_shows_method_path_parameters_body_and_answers() -> None:
    html = page()
    assert "<b>POST</b>/products/{shop}" in html
    assert "path, required, string" in html
    assert "query, optional, integer or null. at most" in html
    assert "application/json: Product" in html
    assert "<code>422</code>" in html


def test_operations_without_a_tag_are_listed_too() -> None:
    assert "<h2>other</h2>" in page()
    assert "/plain" in page()


def test_texts_are_escaped() -> None:
    html = page()
    assert "Makes a product &amp; tells &lt;it&gt;." in html
    assert "Loja &lt;b&gt;" in html


def test_every_body_is_shown_field_by_field() -> None:
    html = page()
    assert '<h3 id="Product">Product</h3>' in html
    assert "<code>tags</code></th><td>required, list of string" in html
