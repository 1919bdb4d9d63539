"""TagPlus's internal ids of units, cities, contact kinds and payment forms, asked once an opening (`§6.6`, `§10`)."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from hub.records import OutgoingCustomer, OutgoingOrder, OutgoingProduct
from providers.contract import CallFailed, Outcome
from providers.tagplus.client import Client
from providers.tagplus.mapper import PeopleIds, payment_bases, plain
from providers.tiny_parse import one, text, whole

logger = logging.getLogger(__name__)

MOST_SHOWN = 30
_OTHER_UNITS = {"und": "un", "unid": "un", "unidade": "un", "peca": "pc", "quilo": "kg", "caixa": "cx"}


@dataclass
class Lookups:
    """What the account's tables say. Of many tasks that want the same rows one asks and the others wait for it.

    A table that the consent does not cover counts as empty, but for one warning: units, contacts, cities and payment
    forms may all be left out, and a new scope takes a new consent (`reference/tagplus.md §2.2`).
    """

    client: Client
    _known: dict[str, list[Any]] = field(default_factory=dict)
    _turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    _closed: set[str] = field(default_factory=set)

    async def unit(self, product: OutgoingProduct) -> int | None:
        """The id of a product's unit. Raises CallFailed, `rejected` for a unit that is not in their table."""
        if not product.unit:
            return None
        rows = await self._rows("unidades", "id,sigla,descricao")
        if (found := unit_id(rows, product.unit)) is not None or "unidades" in self._closed:
            return found
        there = ", ".join(sorted({text(one(row).get("sigla")) for row in rows} - {""})[:MOST_SHOWN])
        words = f"O TagPlus não tem a unidade “{product.unit}”; ele tem: {there or 'nenhuma'}"
        raise CallFailed(Outcome.REJECTED, "validation", operation="GET /unidades", code=product.unit, detail=words)

    async def people(self, customer: OutgoingCustomer) -> PeopleIds:
        """The ids that a customer's record needs. Raises CallFailed."""
        kinds = await self._rows("tipos_contatos", "id,descricao,tipo") if customer.email or customer.phone else []
        address = customer.address
        city = None
        if address.street and address.city:
            rows = await self._rows("cidades", "id,codigo,nome,estado", q=address.city)
            city = city_id(rows, address.city, address.uf)
        register = await self._rows("tipos_cadastros", "id,descricao") if kinds or address.street else []
        return PeopleIds(
            mail=contact_id(kinds, "E", ("mail",)),
            phone=contact_id(kinds, "T", ("telefone", "celular", "fone")),
            register=register_id(register),
            city=city,
        )

    async def payment(self, order: OutgoingOrder) -> int | None:
        """The payment form of an order, None where none fits. The whole answer holds secrets of payment gateways
        (`§10`), so only what is needed is asked for. Raises CallFailed."""
        if not order.payment_method or not order.instalments:
            return None
        rows = await self._rows("formas_pagamento", "id,ativo,descricao,forma_pagamento_base,qtd_max_parcelas")
        return payment_id(rows, order.payment_method, len(order.instalments))

    async def _rows(self, table: str, fields: str, **filters: str) -> list[Any]:
        async def ask() -> list[Any]:
            try:
                return await self.client.table(table, fields, **filters)
            except CallFailed as failed:
                if failed.outcome is not Outcome.REJECTED or failed.reason != "permission":
                    raise
                logger.warning("%s: the consent does not cover %s", self.client.http.system, table)
                self._closed.add(table)
                return []

        return await self._once(f"{table}:{plain(filters.get('q', ''))}", ask)

    async def _once(self, key: str, ask: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
        async with self._turns[key]:
            if key not in self._known:
                self._known[key] = await ask()
            return self._known[key]


def unit_id(rows: list[Any], unit: str) -> int | None:
    """The id of a unit by its abbreviation, its name, or another spelling of it."""
    spelt = plain(unit)
    for wanted in (spelt, _OTHER_UNITS.get(spelt, "")):
        for row in map(one, rows):
            if wanted and wanted in (plain(text(row.get("sigla"))), plain(text(row.get("descricao")))):
                return whole(row.get("id"))
    return None


def city_id(rows: list[Any], city: str, uf: str) -> int | None:
    """The id of a city by its whole name and its state: there are five called Bom Jesus."""
    for row in map(one, rows):
        state = text(one(row.get("estado")).get("sigla")) or text(row.get("uf"))
        if plain(text(row.get("nome"))) == plain(city) and (not uf or not state or state.upper() == uf.upper()):
            return whole(row.get("id"))
    return None


def contact_id(rows: list[Any], kind: str, words: tuple[str, ...]) -> int | None:
    """The id of a kind of contact: by its letter, and by its name where the letter is not told."""
    told = [one(row) for row in rows]
    for row in told:
        if text(row.get("tipo")).upper() == kind:
            return whole(row.get("id"))
    for row in told:
        if not text(row.get("tipo")) and any(word in plain(text(row.get("descricao"))) for word in words):
            return whole(row.get("id"))
    return None


def register_id(rows: list[Any]) -> int | None:
    """Which kind of register entry a contact or an address is: the account's "Comercial", or its first."""
    told = [one(row) for row in rows]
    chosen = next((row for row in told if "comercial" in plain(text(row.get("descricao")))), told[0] if told else {})
    return whole(chosen.get("id"))


def payment_id(rows: list[Any], method: str, instalments: int) -> int | None:
    """The payment form for a store's word: active, of the likeliest base, and of so many instalments at least.

    Inactive is 0; 2 is for reports only (`§10`). A form of the merchant's own that is called as the store says it goes
    before every base.
    """
    fit = []
    for row in map(one, rows):
        active, most = whole(row.get("ativo")), whole(row.get("qtd_max_parcelas"))
        is_active = row.get("ativo") is True or active == 1
        if is_active and (most is None or most == 0 or most >= instalments):
            fit.append(row)
    for row in fit:
        if plain(text(row.get("descricao"))) == plain(method):
            return whole(row.get("id"))
    for base in payment_bases(method):
        for row in fit:
            if whole(row.get("forma_pagamento_base")) == base:
                return whole(row.get("id"))
    return None
