"""E-commerce integrations of an account and the mappings the receiver's answer gives its products (§6.2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

INTEGRATION_KINDS = ("produto", "estoque", "precos", "situacao_pedido", "rastreio", "nota_fiscal")
_FIRST_MAPPING = 1_304_431


@dataclass(slots=True)
class MappingRow:
    """One product or variation as an integration knows it; without `sku` it is not mapped and gets no notices."""

    id: int
    product_id: int
    sku: str = ""
    error: str = ""
    url: str = ""
    picture: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the row for the control API."""
        return {
            "idMapeamento": str(self.id),
            "id_produto": self.product_id,
            "skuMapeamento": self.sku,
            "error": self.error,
            "urlProduto": self.url,
            "urlImagem": self.picture,
        }


@dataclass(slots=True)
class Integration:
    """An integration: its id is the `idEcommerce` of the webhooks and the `id_ecommerce` of orders."""

    id: int
    name: str
    stock_type: str = "F"
    webhooks: dict[str, str] = field(default_factory=dict)
    auto_send: bool = False
    mappings: dict[int, MappingRow] = field(default_factory=dict)
    #: Answers to the product webhook, the last ones.
    answers: list[dict[str, Any]] = field(default_factory=list)

    def change(self, fields: Mapping[str, Any]) -> None:
        """Change name, stock type, URLs, automatic sending; ValueError says what is wrong."""
        wrong = [key for key in fields if key not in ("id", "name", "stock_type", "webhooks", "auto_send")]
        if wrong:
            raise ValueError(f"an integration has id, name, stock_type, webhooks, auto_send; got {', '.join(wrong)}")
        stock_type = fields.get("stock_type", self.stock_type)
        if stock_type not in ("F", "D"):
            raise ValueError(f"stock_type is F (physical) or D (available), got {stock_type!r}")
        if not isinstance(fields.get("auto_send", False), bool):
            raise ValueError(f"auto_send is true or false, got {fields['auto_send']!r}")
        self.webhooks = checked_urls(fields.get("webhooks", self.webhooks), INTEGRATION_KINDS)
        self.name = str(fields.get("name", self.name))
        self.stock_type = stock_type
        self.auto_send = fields.get("auto_send", self.auto_send)

    def mapping(self, product_id: int) -> MappingRow | None:
        """Return the mapping of a product; None when it is not mapped."""
        row = self.mappings.get(product_id)
        return row if row is not None and row.sku else None

    def allot(self, product_id: int) -> MappingRow:
        """Return the row of a product, made when it is sent for the first time."""
        row = self.mappings.get(product_id)
        if row is None:
            number = _FIRST_MAPPING + self.id % 1000 * 10_000 + len(self.mappings) + 1
            row = self.mappings[product_id] = MappingRow(number, product_id)
        return row

    def read_answer(self, status: int, body: bytes) -> None:
        """Take the mappings of the answer to a product webhook: a flat array, rows with an error map nothing."""
        try:
            rows = orjson.loads(body)
        except orjson.JSONDecodeError:
            rows = body.decode("utf-8", "replace")
        taken = 0
        for row in rows if isinstance(rows, list) else []:
            taken += isinstance(row, dict) and self._take(row)
        self.answers.append({"status": status, "body": rows, "rows_taken": taken})
        del self.answers[:-20]

    def _take(self, row: Mapping[str, Any]) -> bool:
        known = next((m for m in self.mappings.values() if str(m.id) == str(row.get("idMapeamento"))), None)
        if known is None:
            return False
        known.error = str(row.get("error") or "")
        if known.error or not row.get("skuMapeamento"):
            return False
        known.sku = str(row["skuMapeamento"])
        known.url, known.picture = str(row.get("urlProduto") or ""), str(row.get("urlImagem") or "")
        return True

    def as_dict(self) -> dict[str, Any]:
        """Return the integration for the control API."""
        return {
            "id": self.id,
            "name": self.name,
            "stock_type": self.stock_type,
            "webhooks": self.webhooks,
            "auto_send": self.auto_send,
            "mappings": [row.as_dict() for row in self.mappings.values()],
            "answers": self.answers,
        }


def checked_urls(urls: Any, kinds: tuple[str, ...]) -> dict[str, str]:
    """Return {kind: URL} without the empty ones; ValueError names the kinds there are."""
    if not isinstance(urls, Mapping) or not set(urls) <= set(kinds):
        raise ValueError(f"webhooks is an object of URLs by {', '.join(kinds)}; got {urls!r}")
    return {kind: str(url) for kind, url in urls.items() if url}
