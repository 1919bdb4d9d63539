"""Tiny v2's payloads as our records: pure functions, which raise for no JSON (`reference/tiny.md §3.2` to `§3.5`).

The catalogue is flat: every row of the search, variations too, is read by its own id. A parent's answer names its
variations without their GTIN, weight or stock, so what stands there is left alone: nothing is mapped twice.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from hub.records import DepositBalance, KitPart, ProductKind, ProductRecord, Refused, StockRecord
from providers.contract import Row
from providers.tiny_parse import Reader, addresses, fingerprint, grade, identity, many, one, text

ACTIVE = {"A": True, "I": False, "E": False}
"""`situacao`: active, inactive, deleted."""


def row(payload: Any) -> Row | None:
    """One row of the search or of the list of changed products; None for one without an id."""
    if not isinstance(payload, dict) or not (external_id := identity(payload.get("id"))):
        return None
    return Row(external_id, fingerprint(payload))


def product(payload: Any) -> ProductRecord | Refused:
    """The `produto` of produto.obter."""
    told = one(payload)
    reader = Reader()
    external_id = identity(told.get("id"))
    if not external_id:
        reader.refuse("external_id", "missing", told.get("id"))
    kind = _kind(told)
    record = ProductRecord(
        external_id=external_id,
        kind=kind,
        name=reader.text("name", told.get("nome")),
        sku=reader.text("sku", told.get("codigo")) or None,
        parent_ref=identity(told.get("idProdutoPai")),
        active=reader.code("active", told.get("situacao"), ACTIVE, absent=True),
        description=reader.text("description", told.get("descricao_complementar")),
        brand=reader.text("brand", told.get("marca")),
        category=reader.text("category", told.get("categoria")),
        unit=reader.text("unit", told.get("unidade")),
        gtin=reader.text("gtin", told.get("gtin")),
        ncm=reader.text("ncm", told.get("ncm")),
        cest=reader.text("cest", told.get("cest")),
        origin=reader.text("origin", told.get("origem")),
        warranty=reader.text("warranty", told.get("garantia")),
        weight_net=reader.number("weight_net", told.get("peso_liquido")),
        weight_gross=reader.number("weight_gross", told.get("peso_bruto")),
        height=reader.number("height", told.get("alturaEmbalagem")),
        width=reader.number("width", told.get("larguraEmbalagem")),
        length=reader.number("length", told.get("comprimentoEmbalagem")),
        list_price=reader.number("list_price", told.get("preco")),
        promotional_price=reader.positive("promotional_price", told.get("preco_promocional")),
        cost_price=reader.positive("cost_price", told.get("preco_custo")),
        attributes=grade(told.get("grade")),
        pictures=_pictures(told),
        kit=_kit(reader, told) if kind is ProductKind.KIT else (),
    )
    return reader.refused(told or payload) if reader.problems else record


def stock(payload: Any, as_of: datetime) -> StockRecord | Refused:
    """The `produto` of produto.obter.estoque, or a row of lista.atualizacoes.estoque, which is as complete."""
    told = one(payload)
    reader = Reader()
    external_id = identity(told.get("id"))
    if not external_id:
        reader.refuse("external_id", "missing", told.get("id"))
    physical = reader.number("physical", told.get("saldo"))
    if physical is None and not reader.problems:
        reader.refuse("physical", "missing", told.get("saldo"))
    reserved = reader.number("reserved", told.get("saldoReservado")) or Decimal(0)
    deposits = _deposits(reader, told)
    if reader.problems or physical is None:
        return reader.refused(told or payload)
    return StockRecord(external_id, physical, reserved, physical - reserved, deposits, as_of)


def _kind(told: dict[str, Any]) -> ProductKind:
    """`tipoVariacao` decides before `classe_produto`: a variation may carry its parent's class."""
    if text(told.get("tipo")).upper() == "S":
        return ProductKind.SERVICE
    variation, sort = text(told.get("tipoVariacao")).upper(), text(told.get("classe_produto")).upper()
    if variation == "V" or identity(told.get("idProdutoPai")):
        return ProductKind.VARIATION
    if variation == "P" or sort == "V":
        return ProductKind.PARENT
    return ProductKind.KIT if sort == "K" else ProductKind.SIMPLE


def _pictures(told: dict[str, Any]) -> tuple[str, ...]:
    """Those kept in Tiny first, then those that lie elsewhere."""
    inside, outside = told.get("anexos"), told.get("imagens_externas")
    if not inside and not outside:
        return ()
    return addresses(
        *(kept.get("url") if isinstance(kept, dict) else kept for kept in many(inside, "anexo")),
        *(image.get("url") if isinstance(image, dict) else image for image in many(outside, "imagem_externa")),
    )


def _kit(reader: Reader, told: dict[str, Any]) -> tuple[KitPart, ...]:
    parts = []
    for item in many(told.get("kit"), "item"):
        part = item if isinstance(item, dict) else {}
        external_id, quantity = identity(part.get("id_produto")), reader.number("kit", part.get("quantidade"))
        if external_id and quantity is not None:
            parts.append(KitPart(external_id, quantity))
        else:
            reader.refuse("kit", "incomplete", item)
    return tuple(parts)


def _deposits(reader: Reader, told: dict[str, Any]) -> tuple[DepositBalance, ...]:
    """Balances by the deposit's name, which is all that v2 has; reservations are not told by deposit.

    Two companies of one account may have deposits of one name: their balances are one balance then, as a merchant who
    chooses a deposit by its name means both.
    """
    found: dict[str, DepositBalance] = {}
    for row_ in many(told.get("depositos"), "deposito"):
        deposit = row_ if isinstance(row_, dict) else {}
        name, physical = text(deposit.get("nome")), reader.number("deposit", deposit.get("saldo"))
        if not name or physical is None:
            continue
        counted = text(deposit.get("desconsiderar")).upper() != "S"
        if name in found:
            physical, counted = physical + found[name].physical, counted or found[name].counted
        found[name] = DepositBalance(name, name, physical, None, None, counted)
    return tuple(found.values())
