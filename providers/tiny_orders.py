"""What both of Tiny's APIs have in common about orders: situations, the words of payments, texts that it can take,
and which order over there is ours (`reference/tiny.md §3.7` to `§3.9`, `§7`, `§9`).
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import unquote

from hub.policy import Policy
from hub.records import OutgoingCustomer, OutgoingOrder, Parcel
from hub.stages import Stage, earliest
from providers.contract import CallFailed, Outcome, Row
from providers.tiny_parse import document, fingerprint, number, text

LONGEST_NUMBER = 50
"""`numero_pedido_ecommerce`."""
LONGEST_NOTES = 100
LONGEST_CODE = 30
"""A contact's `codigo`."""
SITUATION_LETTERS = 15
CANCELLED = "cancelado"


@dataclass(frozen=True, slots=True)
class Situation:
    """A situation of an order: v2's word, v3's number (in no order), and the stage that it is to us."""

    word: str
    code: int
    stage: Stage


SITUATIONS = (
    Situation("aberto", 0, Stage.OPEN),
    Situation("aprovado", 3, Stage.APPROVED),
    Situation("preparando_envio", 4, Stage.PREPARING),
    Situation("faturado", 1, Stage.INVOICED),
    Situation("pronto_envio", 7, Stage.READY),
    Situation("enviado", 5, Stage.SHIPPED),
    Situation("nao_entregue", 9, Stage.NOT_DELIVERED),
    Situation("entregue", 6, Stage.DELIVERED),
    Situation(CANCELLED, 2, Stage.CANCELLED),
    Situation("dados_incompletos", 8, Stage.OPEN),
)
"""The table of `§3.9`. An order with incomplete data waits for somebody, like an open one."""

_BY_STAGE = {known.stage.value: known for known in reversed(SITUATIONS)}
_BY_WORD = {known.word: known for known in SITUATIONS} | {
    synonym: known
    for known in SITUATIONS
    for synonym in {
        "aberto": ("em_aberto", "aberta"),
        "aprovado": ("aprovada",),
        "faturado": ("faturada", "atendido", "faturado_atendido", "faturada_atendida"),
        "pronto_envio": ("pronto_para_envio", "pronta_para_envio"),
        "enviado": ("enviada",),
        CANCELLED: ("cancelada",),
    }.get(known.word, ())
}
_BY_CODE = {str(known.code): known for known in SITUATIONS}

PAYMENTS = {
    "pix": "pix",
    "boleto": "boleto",
    "boleto_bancario": "boleto",
    "bank_slip": "boleto",
    "credit_card": "credito",
    "credito": "credito",
    "cartao_credito": "credito",
    "cartao_de_credito": "credito",
    "debit_card": "debito",
    "debito": "debito",
    "cartao_debito": "debito",
    "cartao_de_debito": "debito",
    "bank_transfer": "deposito",
    "transfer": "deposito",
    "transferencia": "deposito",
    "bank_deposit": "deposito",
    "deposito": "deposito",
    "cash": "dinheiro",
    "dinheiro": "dinheiro",
    "cheque": "cheque",
    "check": "cheque",
    "crediario": "crediario",
    "duplicata_mercantil": "duplicata_mercantil",
    "multiple": "multiplas",
    "multiplas": "multiplas",
}
"""How an order was paid, as a store says it, and as Tiny does; what is not here goes by its own name only."""

SHIPPINGS = {
    "C": "Correios",
    "M": "Mercado Envios",
    "E": "Correios e-Fulfillment",
    "B": "B2W",
    "D": "Conecta Lá",
    "J": "Jadlog",
    "TOTALEXPRESS": "Total Express",
    "OLIST": "Olist",
    "MAGALU_ENTREGAS": "Magalu Entregas",
    "MAGALU_FULFILLMENT": "Magalu Fulfillment",
    "SHOPEE_ENVIOS": "Shopee Envios",
    "LOGGI": "Loggi",
    "AMAZON_DBA": "Amazon DBA",
}
"""`forma_envio` of v2 as a buyer knows it; T and X say nothing."""


def told_for(policy: Policy, stage: str) -> str:
    """The word (or number) that Tiny is told for a stage: the merchant's own, else the table's; '' for none."""
    known = _BY_STAGE.get(stage)
    return policy.status_map.get(known.stage, "") or known.word if known else ""


def situation_for(policy: Policy, stage: str) -> Situation:
    """The situation for an order of this stage. Raises CallFailed where the merchant's choice is none of Tiny's."""
    told = told_for(policy, stage)
    if found := situation(told):
        return found
    valid = ", ".join(known.word for known in SITUATIONS)
    detail = f"a situação escolhida para “{stage}” é “{told}”, que o Olist Tiny não tem; ele tem: {valid}"
    raise rejected("status_map", detail)


def situation(told: Any) -> Situation | None:
    """The situation of a word of any spelling ("Pronto para envio", "Faturado (atendido)") or number; None for none.

    v2 gives the field 15 letters (`§3.7`): a word that fills them may be the beginning of one.
    """
    word = plain(text(told))
    if (found := _BY_WORD.get(word) or _BY_CODE.get(word)) or len(text(told)) < SITUATION_LETTERS:
        return found
    begun = {known.word: known for whole, known in _BY_WORD.items() if whole.startswith(word)}
    return next(iter(begun.values())) if len(begun) == 1 else None


def stage_of(told: Any) -> str:
    """The stage that a situation is to us; '' for one that is not known."""
    found = situation(told)
    return found.stage.value if found else ""


def stage_meant(policy: Policy, told: Any) -> str:
    """The stage that a situation is to us where the merchant calls stages by situations of his own choice."""
    there = situation(told)
    mine = [stage.value for stage in Stage if there is not None and situation(told_for(policy, stage)) == there]
    return earliest(stage_of(told), mine)


def payment(method: str) -> str:
    """The kind of payment as v2 calls it, '' for one that it has no word for."""
    return PAYMENTS.get(plain(method), "")


def plain(told: str) -> str:
    """Lower case, without accents, words parted by underscores."""
    bare = unicodedata.normalize("NFKD", told).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", bare.lower()).strip("_")


def latin(told: str, most: int) -> str:
    """Free text as Tiny takes it: on one line, no character above U+00FF [R], at most so many characters.

    Letters keep their base (“ž” is z), quotes and dashes of a keyboard replace the typographic ones; emoji go.
    """
    found = []
    for letter in unicodedata.normalize("NFC", told).translate(_TYPOGRAPHIC):
        if ord(letter) <= LAST_LATIN:
            found.append(letter if letter.isprintable() or letter.isspace() else "")
        else:
            found.append("".join(part for part in unicodedata.normalize("NFKD", letter) if ord(part) <= LAST_LATIN))
    return " ".join("".join(found).split())[:most].strip()


LAST_LATIN = 0xFF
_TYPOGRAPHIC = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...", "•": "-"})


def digits(told: str) -> str:
    """A postal code or a phone as its digits: a CEP with a dot was refused [R]."""
    return "".join(letter for letter in told if letter.isascii() and letter.isdigit())


def person_type(customer: OutgoingCustomer | None) -> str:
    """F, J, or '' for a guest of whom nothing is known."""
    return {11: "F", 14: "J"}.get(len(customer.document) if customer else 0, "")


def guest_code(customer: OutgoingCustomer) -> str:
    """The code under which a guest is known: the end of our id, where its random part is."""
    return customer.record_id[-LONGEST_CODE:]


def mark(order: OutgoingOrder) -> str:
    """The order's marker as the notes have room for it: its end, where our id is."""
    return latin(order.marker, len(order.marker))[-LONGEST_NOTES:].strip()


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order over there that may be ours, as its details tell it."""

    external_id: str
    number: str
    notes: str
    ecommerce: str
    document: str
    total: Decimal | str | None
    cancelled: bool


def is_ours(there: Candidate, order: OutgoingOrder, ecommerce: str) -> bool:
    """Whether an order over there is this one and not another store's of the same number.

    Its notes decide where they carry a marker of ours. Without one (somebody has cleared the notes, or another program
    of the same integration made it) the number within our integration decides; without an integration the number, the
    buyer and the total together.
    """
    notes = " ".join(there.notes.split())
    if mark(order) in notes:
        return True
    if there.number != shop_number(order) or marked_as(notes):
        return False
    if ecommerce:
        return there.ecommerce == ecommerce
    buyer = order.customer.document if order.customer else ""
    return bool(buyer) and there.document == document(buyer) and there.total == order.total


_MARKED = re.compile(r"\besteira ([0-9a-f]{32})\b")


def marked_as(notes: str) -> str:
    """Our id of the order that these notes carry the marker of, '' for none."""
    found = _MARKED.search(" ".join(notes.split()))
    return found[1] if found else ""


def shop_number(order: OutgoingOrder) -> str:
    """The store's number of an order as Tiny has room for it."""
    return latin(order.number, LONGEST_NUMBER)


def newest(external_ids: Iterable[str]) -> list[str]:
    """Ids, the highest first: of several orders with one number the last one made counts."""
    return sorted(set(external_ids), key=lambda id_: (len(id_), id_) if id_.isdecimal() else (0, id_), reverse=True)


def order_row(external_id: str, told: Any, tracking: Any, invoice: Any) -> Row:
    """A row of a listing of orders: only what is followed is in its mark, as an edited note is no news."""
    found = situation(told)
    followed = {
        "situation": found.word if found else text(told),
        "tracking": text(tracking),
        "invoice": text(invoice).removeprefix("0"),
    }
    return Row(external_id, fingerprint(followed))


def parcel(code: Any, url: Any, *carriers: Any) -> Parcel | None:
    """How an order was shipped; None while it has no tracking code. The first carrier that is told counts."""
    found = text(code)
    if not found:
        return None
    address = text(url)
    if address[:12].lower().startswith(("http%3a", "https%3a")):  # as it is written (`§3.9`)
        address = unquote(address)
    carrier = next((name for one in carriers if (name := text(one))), "")
    return Parcel(found, address if address.lower().startswith(("http://", "https://")) else "", carrier)


def amount(value: Decimal) -> str:
    """A number as v2 writes it."""
    return format(value, "f")


def json_number(value: Decimal) -> int | float:
    """A JSON number: a double carries 15 digits, which is more than any price has."""
    return int(value) if value == value.to_integral_value() else float(value)


def exact(told: Any) -> Decimal | str | None:
    """An amount that was told, None where there is none to read."""
    found = number(told)
    return found if isinstance(found, Decimal) else None


def known_only(body: Mapping[str, Any]) -> dict[str, Any]:
    """Without what is not known: an empty text says nothing, and in an update it would blank what stands there."""
    return {name: value for name, value in body.items() if value not in (None, "", {}, [])}


def rejected(operation: str, detail: str) -> CallFailed:
    """A refusal of ours before anything is sent, in the merchant's language as the vendor's would be."""
    return CallFailed(Outcome.REJECTED, "validation", operation=operation, detail=detail)
