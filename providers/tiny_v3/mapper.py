"""Tiny v3's payloads as our records: pure functions, which raise for no JSON (`reference/tiny.md §5.2`).

A product's details bring its variations with prices and GTINs, so one read maps the whole family. A product's name is
its `descricao`. `tipo` S is a simple product here, not a service: services are another resource.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub.records import DepositBalance, KitPart, ProductKind, ProductRecord, Refused, StockRecord
from providers.contract import Reading, Row
from providers.tiny_parse import Reader, addresses, fingerprint, grade, identity, many, one, text

ACTIVE = {"A": True, "I": False, "E": False}
"""`situacao`: active, inactive, deleted."""


def row(payload: Any) -> Row | None:
    """One row of GET /produtos; None for one without an id. Its `dataAlteracao` is part of the fingerprint."""
    if not isinstance(payload, dict) or not (external_id := identity(payload.get("id"))):
        return None
    return Row(external_id, fingerprint(payload), follows_parent=text(payload.get("tipoVariacao")).upper() == "V")


def parent_of(payload: Any) -> str:
    """The id of the product that this one is a variation of, '' for none."""
    return identity(one(one(payload).get("produtoPai")).get("id"))


def wants_kit(payload: Any) -> bool:
    """Whether it is a kit whose details came without the components: they are at /produtos/{id}/kit."""
    told = one(payload)
    return _kind(told) is ProductKind.KIT and not many(told.get("kit"))


def tree(payload: Any, kit: Any = None) -> Reading:
    """The product of GET /produtos/{id} and its variations; `kit` is the answer of /produtos/{id}/kit if asked."""
    told = one(payload)
    head = _product(told, kit)
    if isinstance(head, Refused):
        return (head,)
    return (head, *(_variation(head, variation) for variation in many(told.get("variacoes"))))


def stock(payload: Any, as_of: datetime) -> StockRecord | Refused:
    """GET /estoque/{id}. What a kit can be sold from is only in `disponivel`."""
    told = one(payload)
    reader = Reader()
    external_id = identity(told.get("id"))
    if not external_id:
        reader.refuse("external_id", "missing", told.get("id"))
    reserved = reader.number("reserved", told.get("reservado")) or Decimal(0)
    physical = reader.number("physical", told.get("saldo"))
    available = reader.number("available", told.get("disponivel"))
    deposits = _deposits(reader, told)
    if physical is None:
        physical = available
    if physical is None and not reader.problems:
        reader.refuse("physical", "missing", told.get("saldo"))
    if reader.problems or physical is None:
        return reader.refused(told or payload)
    if available is None:
        available = physical - reserved
    return StockRecord(external_id, physical, reserved, available, deposits, as_of)


def _product(told: dict[str, Any], kit: Any) -> ProductRecord | Refused:
    reader = Reader()
    external_id = identity(told.get("id"))
    if not external_id:
        reader.refuse("external_id", "missing", told.get("id"))
    category, brand = one(told.get("categoria")), one(told.get("marca"))
    size, prices = one(told.get("dimensoes")), one(told.get("precos"))
    kind = _kind(told)
    record = ProductRecord(
        external_id=external_id,
        kind=kind,
        name=reader.text("name", told.get("descricao")),
        sku=reader.text("sku", told.get("sku")) or None,
        parent_ref=parent_of(told),
        active=reader.code("active", told.get("situacao"), ACTIVE, absent=True),
        description=reader.text("description", told.get("descricaoComplementar")),
        brand=reader.text("brand", brand.get("nome")),
        category=reader.text("category", category.get("caminhoCompleto") or category.get("nome")),
        unit=reader.text("unit", told.get("unidade")),
        gtin=reader.text("gtin", told.get("gtin")),
        ncm=reader.text("ncm", told.get("ncm")),
        cest=reader.text("cest", told.get("codigoEspecificadorSubstituicaoTributaria")),
        origin=reader.text("origin", told.get("origem")),
        warranty=reader.text("warranty", told.get("garantia")),
        weight_net=reader.number("weight_net", size.get("pesoLiquido")),
        weight_gross=reader.number("weight_gross", size.get("pesoBruto")),
        height=reader.number("height", size.get("altura")),
        width=reader.number("width", size.get("largura")),
        length=reader.number("length", size.get("comprimento")),
        list_price=reader.number("list_price", prices.get("preco")),
        promotional_price=reader.positive("promotional_price", prices.get("precoPromocional")),
        cost_price=reader.positive("cost_price", prices.get("precoCusto")),
        attributes=grade(told.get("grade")),
        pictures=_pictures(told),
        kit=_kit(reader, many(told.get("kit")) or many(kit)) if kind is ProductKind.KIT else (),
    )
    return reader.refused(told) if reader.problems else record


def _variation(parent: ProductRecord, payload: Any) -> ProductRecord | Refused:
    """One of the family: its own name, SKU, GTIN, prices and grade; the rest is its parent's.

    The pictures stay with the parent: they show the family, and a store would otherwise hold them once a variation.
    """
    told = payload if isinstance(payload, dict) else {}
    reader = Reader()
    external_id = identity(told.get("id"))
    if not external_id:
        reader.refuse("external_id", "missing", told.get("id"))
    prices = one(told.get("precos"))
    record = replace(
        parent,
        external_id=external_id,
        kind=ProductKind.VARIATION,
        parent_ref=parent.external_id,
        name=reader.text("name", told.get("descricao")) or parent.name,
        sku=reader.text("sku", told.get("sku")) or None,
        gtin=reader.text("gtin", told.get("gtin")),
        active=reader.code("active", told.get("situacao"), ACTIVE, absent=parent.active),
        list_price=reader.number("list_price", prices.get("preco")),
        promotional_price=reader.positive("promotional_price", prices.get("precoPromocional")),
        cost_price=reader.positive("cost_price", prices.get("precoCusto")),
        attributes=grade(told.get("grade")),
        pictures=(),
        kit=(),
    )
    return reader.refused(told or payload) if reader.problems else record


def _kind(told: dict[str, Any]) -> ProductKind:
    variation, sort = text(told.get("tipoVariacao")).upper(), text(told.get("tipo")).upper()
    if variation == "V" or parent_of(told):
        return ProductKind.VARIATION
    if variation == "P" or sort == "V":
        return ProductKind.PARENT
    return ProductKind.KIT if sort == "K" else ProductKind.SIMPLE


def _pictures(told: dict[str, Any]) -> tuple[str, ...]:
    rows = many(told.get("anexos"))
    return addresses(*(kept.get("url") if isinstance(kept, dict) else kept for kept in rows)) if rows else ()


def _kit(reader: Reader, rows: list[Any]) -> tuple[KitPart, ...]:
    parts = []
    for item in rows:
        part = item if isinstance(item, dict) else {}
        external_id = identity(one(part.get("produto")).get("id"))
        quantity = reader.number("kit", part.get("quantidade"))
        if external_id and quantity is not None:
            parts.append(KitPart(external_id, quantity))
        else:
            reader.refuse("kit", "incomplete", item)
    return tuple(parts)


def _deposits(reader: Reader, told: dict[str, Any]) -> tuple[DepositBalance, ...]:
    """Balances by the deposit's id. Deposits without one have been seen (`§4.3`): nothing could be kept of them."""
    found: dict[str, DepositBalance] = {}
    for row_ in many(told.get("depositos")):
        deposit = row_ if isinstance(row_, dict) else {}
        key, physical = identity(deposit.get("id")), reader.number("deposit", deposit.get("saldo"))
        if not key or physical is None:
            continue
        found[key] = DepositBalance(
            key,
            text(deposit.get("nome")),
            physical,
            reader.number("deposit", deposit.get("reservado")),
            reader.number("deposit", deposit.get("disponivel")),
            deposit.get("desconsiderar") is not True and text(deposit.get("desconsiderar")).upper() != "S",
        )
    return tuple(found.values())
