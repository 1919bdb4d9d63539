"""TagPlus's payloads as our records: pure functions, which raise for no JSON (`reference/tagplus.md §6` to `§9`)."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from hub.policy import Policy
from hub.records import InvoiceRow, KitPart, OrderStatus, ProductKind, ProductRecord, Refused, StockRecord
from hub.stages import Stage, earliest
from providers.contract import Found, Row
from providers.tagplus.codes import CANCELLED, LACKS, NOTE_STATES, STAGE_OF_STATUS
from providers.tagplus.mapper import number_in_marker, told_status
from providers.tiny_parse import Reader, addresses, document, fingerprint, identity, many, one, text

FLAGS = {"1": True, "TRUE": True, "0": False, "FALSE": False}
KINDS = {"N": ProductKind.SIMPLE, "K": ProductKind.KIT, "G": ProductKind.PARENT}


def row(payload: Any) -> Row | None:
    """One row of GET /produtos; None for one without an id. Its `data_alteracao` is part of the fingerprint."""
    if not isinstance(payload, dict) or not (external_id := identity(payload.get("id"))):
        return None
    return Row(external_id, fingerprint(payload))


def product(payload: Any) -> ProductRecord | Refused:
    """GET /produtos/{id}. A variation is a product of its own, with the family's id in `id_pai` (`§6.4`).

    `valor_oferta` is left out: it counts between two days only, and the hub knows no such price.
    """
    told = one(payload)
    reader = Reader()
    external_id = identity(told.get("id"))
    if not external_id:
        reader.refuse("external_id", "missing", told.get("id"))
    parent, kind = _parent(told), reader.code("kind", told.get("tipo"), KINDS, absent=ProductKind.SIMPLE)
    if parent and kind is ProductKind.PARENT:
        kind = ProductKind.VARIATION
    name = reader.text("name", told.get("descricao"))
    box = one(told.get("embalagem"))
    record = ProductRecord(
        external_id=external_id,
        kind=kind,
        name=name,
        sku=reader.text("sku", told.get("codigo")) or None,
        parent_ref=parent if kind is ProductKind.VARIATION else "",
        active=_flag(reader, "active", told.get("ativo"), absent=True),
        description=reader.text("description", told.get("descricao_longa") or told.get("descricao_curta")),
        category=reader.text("category", one(told.get("categoria")).get("descricao")),
        unit=_coded(told.get("unidade_saida"), "sigla", "descricao"),
        gtin=reader.text("gtin", told.get("codigo_barras")),
        ncm=document(_coded(told.get("tributo_ncm"), "ncm", "codigo") or told.get("tributo_ncm")),
        cest=document(told.get("cest")),
        origin=reader.text("origin", told.get("cst_a")),
        weight_net=reader.number("weight_net", told.get("peso")),
        weight_gross=reader.number("weight_gross", box.get("peso")),
        height=reader.number("height", told.get("altura")),
        width=reader.number("width", told.get("largura")),
        length=reader.number("length", told.get("comprimento")),
        list_price=_price(reader, told),
        cost_price=reader.positive("cost_price", told.get("custo_utilizado")),
        attributes={"Variação": _values(name)} if kind is ProductKind.VARIATION else {},
        pictures=_pictures(told),
        kit=_kit(reader, told) if kind is ProductKind.KIT else (),
    )
    return reader.refused(told or payload) if reader.problems else record


def is_counted(payload: Any) -> bool:
    """Whether a row's balance is one of something that can be sold: a family's is the sum of its variations."""
    told = one(payload)
    return text(told.get("tipo")).upper() != "G" or bool(_parent(told))


def stock(payload: Any, as_of: datetime) -> StockRecord | Refused:
    """The balance for resale. The API knows no deposits and no reservations: an open order holds nothing back."""
    told = one(payload)
    reader = Reader()
    external_id = identity(told.get("id"))
    if not external_id:
        reader.refuse("external_id", "missing", told.get("id"))
    nested = one(told.get("estoque")).get("qtd_revenda")
    quantity = reader.number("physical", told.get("qtd_revenda") if nested in (None, "") else nested)
    if quantity is None and not reader.problems:
        reader.refuse("physical", "missing", told.get("estoque"))
    if reader.problems or quantity is None:
        return reader.refused(told or payload)
    return StockRecord(external_id, quantity, Decimal(0), quantity, (), as_of)


def products_of_code(rows: list[Any], code: str) -> list[Found]:
    """The products and variations among the rows whose code is exactly that one, each once; no family of variations,
    which cannot be sold.

    The comparison is ours, as a filter may be ignored. A numeric code may come as a number (`§6.3`).
    """
    return list(_of_code(rows, code, counted=True).values())


def families_of_code(rows: list[Any], code: str) -> list[str]:
    """The families (`§6.4`) among the rows whose code is exactly that one."""
    return list(_of_code(rows, code, counted=False))


def _of_code(rows: list[Any], code: str, *, counted: bool) -> dict[str, Found]:
    found = {}
    for told in map(one, rows):
        external_id = identity(told.get("id"))
        if external_id and code and text(told.get("codigo")) == code and is_counted(told) is counted:
            found[external_id] = Found(external_id, _is_on(told))
    return found


def customers_of_document(rows: list[Any], wanted: str) -> list[Found]:
    """The customers among the rows whose CPF or CNPJ is that one whatever its mask; active ones first.

    By `id`, which orders take. `id_entidade` is another space of numbers: the same number is another person (`§7`).
    """
    found = {}
    for told in map(one, rows):
        external_id = identity(told.get("id"))
        documents = (document(told.get("cpf")), document(told.get("cnpj")))
        if external_id and wanted and document(wanted) in documents:
            found[external_id] = Found(external_id, _is_on(told))
    return sorted(found.values(), key=lambda one_: not one_.active)


def customers_of_code(rows: list[Any], code: str) -> list[Found]:
    """The customers among the rows that carry exactly that `codigo_externo`."""
    found = {}
    for told in map(one, rows):
        external_id = identity(told.get("id"))
        if external_id and code and text(told.get("codigo_externo")) == code:
            found[external_id] = Found(external_id, _is_on(told))
    return list(found.values())


def order_of_code(rows: list[Any], code: str) -> Found | None:
    """The order among the rows that carries exactly that `codigo_externo`; one that stands before a cancelled one."""
    found = []
    for told in map(one, rows):
        external_id = identity(told.get("id"))
        if external_id and code and text(told.get("codigo_externo")) == code:
            found.append(Found(external_id, status(told) != CANCELLED))
    return max(found, key=lambda one_: one_.active, default=None)


def status(told: dict[str, Any]) -> str:
    """An order's status: A open, B confirmed, C cancelled."""
    return text(told.get("status")).upper()


def order_status(external_id: str, told: dict[str, Any], as_of: datetime) -> OrderStatus:
    """How an order stands. Its store's number is in the marker that we wrote into its notes."""
    word = status(told)
    return OrderStatus(
        external_id=external_id,
        stage=STAGE_OF_STATUS.get(word, ""),
        told=word,
        as_of=as_of,
        number=number_in_marker(text(told.get("observacoes"))),
        erp_number=text(told.get("numero")),
    )


def as_meant(status: OrderStatus, policy: Policy) -> OrderStatus:
    """The same where the merchant calls stages by statuses of his own choice."""
    mine = [stage.value for stage in Stage if told_status(stage, policy) == status.told]
    return replace(status, stage=earliest(status.stage, mine))


def has_note(told: dict[str, Any]) -> bool:
    """Whether something hangs on an order, a note most likely: it is not to be cancelled over its head."""
    return FLAGS.get(_flag_word(told.get("possui_vinculo")), False)


def order_row(payload: Any) -> Row | None:
    """One row of GET /pedidos; None for one without an id."""
    if not isinstance(payload, dict) or not (external_id := identity(payload.get("id"))):
        return None
    return Row(external_id, fingerprint(payload))


def note(payload: Any) -> InvoiceRow | None:
    """A note, of a listing or by itself; None for one without an id. A draft has no key yet."""
    told = one(payload)
    external_id = identity(told.get("id"))
    if not external_id:
        return None
    word = text(told.get("status")).upper()
    return InvoiceRow(
        access_key=document(told.get("chave_acesso")),
        number=text(told.get("numero")),
        status=word,
        external_id=external_id,
        order_ref=_order_of(told),
        state=NOTE_STATES.get(word, ""),
        series=text(told.get("serie")),
    )


def company(me: dict[str, Any]) -> str:
    """The company's CNPJ as its main user shows it; '' where the user is somebody else, whose document it may be."""
    cnpj = document(me.get("cnpj"))
    other = FLAGS.get(_flag_word(me.get("usuario_master"))) is False
    return cnpj if len(cnpj) == 14 and not other else ""


def issuer(rows: list[Any]) -> tuple[str, str]:
    """CNPJ and name of who issued the account's own notes; empty where there is none, or where there are several, as
    in an ERP with branches. Incoming notes are others'."""
    found = {}
    for told in map(one, rows):
        by = one(told.get("emitente"))
        if text(told.get("tipo")).upper() in ("", "S") and (cnpj := document(by.get("cnpj"))):
            found[cnpj] = text(by.get("razao_social"))
    return next(iter(found.items())) if len(found) == 1 else ("", "")


def allowed(permissions: dict[str, Any]) -> dict[str, bool]:
    """What the user's profile allows, in our words; what is not told is taken to be allowed until it is refused."""
    return {ours: FLAGS.get(_flag_word(permissions.get(theirs)), True) for theirs, ours in LACKS.items()}


def not_taken(allowed: dict[str, bool], closed: list[str]) -> set[str]:
    """The kinds of record that would be refused whole."""
    refused = set() if allowed.get("stock", True) else {"stock"}
    if "produtos" in closed:
        refused |= {"product", "price", "stock", "order"}
    if {"pedidos", "clientes"} & set(closed):
        refused.add("order")
    return refused


def touched_products(rows: list[Any]) -> list[str]:
    """Ids of the products that rows of the activity log are about."""
    told = [one(entry) for entry in rows]
    ids = [identity(entry.get("id_entidade")) for entry in told if text(entry.get("entidade")).lower() == "produto"]
    return [external_id for external_id in ids if external_id]


def _order_of(told: dict[str, Any]) -> str:
    """The order that a note is tied to; `tipo` tells orders from service orders, whose ids are others."""
    tied = one(told.get("pedido_os_vinculada"))
    return "" if text(tied.get("tipo")).upper().startswith("O") else identity(tied.get("id"))


def _parent(told: dict[str, Any]) -> str:
    parent = told.get("id_pai")
    return identity(parent.get("id") if isinstance(parent, dict) else parent)


def _price(reader: Reader, told: dict[str, Any]) -> Decimal | None:
    """The retail price, or that of the standard table."""
    price = reader.number("list_price", told.get("valor_venda_varejo"))
    if price is None:
        for entry in map(one, many(told.get("valores_venda"))):
            if FLAGS.get(_flag_word(one(entry.get("tipo_valor_venda")).get("padrao")), False):
                return reader.number("list_price", entry.get("valor_venda"))
    return price


def _values(name: str) -> str:
    """What sets a variation apart. Its option names are told nowhere; its name is "family - values" (`§6.4`)."""
    return name.rpartition(" - ")[2] or name


def _pictures(told: dict[str, Any]) -> tuple[str, ...]:
    kept = [told.get("imagem_principal"), *many(told.get("imagens"))]
    found = addresses(*(one(picture).get("url") for picture in kept))
    return tuple(address for address in found if "://" in address)


def _kit(reader: Reader, told: dict[str, Any]) -> tuple[KitPart, ...]:
    """A kit's parts. The reference names the list and not its keys, so each spelling that an item has elsewhere."""
    parts = []
    for item in many(told.get("itens_vinculados")):
        part = one(item)
        ref: Any = next((part[key] for key in ("produto_servico", "produto", "id_produto") if part.get(key)), None)
        external_id = identity(ref.get("id") if isinstance(ref, dict) else ref)
        amount = part.get("qtd") if part.get("qtd") is not None else part.get("quantidade")
        quantity = reader.number("kit", amount)
        if external_id and quantity is not None:
            parts.append(KitPart(external_id, quantity))
        else:
            reader.refuse("kit", "incomplete", item)
    return tuple(parts)


def _coded(value: Any, *names: str) -> str:
    """A code out of an object that may stand for it; '' for a bare internal id."""
    told = one(value) if isinstance(value, dict) else {}
    return next((found for name in names if (found := text(told.get(name)))), "")


def _flag(reader: Reader, name: str, value: Any, *, absent: bool) -> bool:
    word = _flag_word(value)
    if word and word not in FLAGS:
        reader.refuse(name, "unknown_code", value)
    return FLAGS.get(word, absent)


def _flag_word(value: Any) -> str:
    """A boolean as it is spelt: true, 1 or "1" (`§4`)."""
    return str(value).upper() if isinstance(value, bool) else text(value).upper()


def _is_on(told: dict[str, Any]) -> bool:
    return FLAGS.get(_flag_word(told.get("ativo")), True)
