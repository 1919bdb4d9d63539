"""Registers every account has: ways of receiving money and of shipping (`reference/tiny.md` §3.9, §5.5)."""

from dataclasses import dataclass

from sandbox.tiny.situations import plain


@dataclass(frozen=True, slots=True)
class Form:
    """A row of a table: its id in v3, its code in v2, its name; shipping forms also have v3's type."""

    id: int
    code: str
    name: str
    kind: int = 0
    freights: tuple[tuple[int, str, str], ...] = ()


RECEIVING = (
    Form(337683276, "dinheiro", "Dinheiro"),
    Form(337683277, "credito", "Cartão de crédito"),
    Form(337683278, "debito", "Cartão de débito"),
    Form(337683279, "boleto", "Boleto"),
    Form(337683280, "deposito", "Depósito"),
    Form(337683281, "cheque", "Cheque"),
    Form(337683282, "crediario", "Crediário"),
    Form(337683283, "duplicata_mercantil", "Duplicata mercantil"),
    Form(337683284, "pix", "Pix"),
    Form(337683285, "multiplas", "Múltiplas"),
)
SHIPPING = (
    Form(851264400, "S", "Sem frete", 0),
    Form(851264401, "C", "Correios", 1, ((851264501, "PAC", "03298"), (851264502, "SEDEX", "03220"))),
    Form(851264402, "T", "Transportadora", 2, ((851264511, "Normal", "1"), (851264512, "Expresso", "2"))),
    Form(851264407, "M", "Mercado Envios", 3),
    Form(851264404, "B", "B2W Entrega", 4),
    Form(851264405, "E", "Correios e-Fulfillment", 5),
    Form(851264406, "X", "Personalizado", 6),
    Form(851264408, "J", "Jadlog", 7, ((851264521, ".Package", "3"),)),
    Form(851264409, "TOTALEXPRESS", "Total Express", 8),
    Form(851264410, "OLIST", "Olist", 9),
    Form(851264411, "GATEWAY", "Gateway logístico", 10),
    Form(851264412, "MAGALU_ENTREGAS", "Magalu Entregas", 11),
    Form(851264413, "SHOPEE_ENVIOS", "Shopee Envios", 12),
    Form(851264414, "NS_ENTREGAS", "NS Entregas", 13),
    Form(851264415, "VIAVAREJO_ENVVIAS", "Envvias", 14),
    Form(851264416, "MADEIRA_ENVIOS", "Madeira Envios", 15),
    Form(851264417, "ALI_ENVIOS", "Ali Envios", 16),
    Form(851264418, "LOGGI", "Loggi", 17),
    Form(851264419, "D", "Conecta Lá", 18),
    Form(851264420, "AMAZON_DBA", "Amazon DBA", 19),
    Form(851264421, "MAGALU_FULFILLMENT", "Magalu Fulfillment", 20),
    Form(851264422, "NS_MAGALU_ENTREGAS", "NS Magalu Entregas", 21),
)


def by_id(table: tuple[Form, ...], form_id: int) -> Form | None:
    """Return a row by its id."""
    return next((form for form in table if form.id == form_id), None)


def by_code(table: tuple[Form, ...], code: str) -> Form | None:
    """Return a row by its code in v2, or by its name."""
    return next((f for f in table if code and plain(code) in (plain(f.code), plain(f.name))), None)


def freight(form: Form | None, name: str) -> tuple[int, str]:
    """Return (id, name) of a way of freight named as v2 names it; id 0 when the form has none of that name."""
    rows = () if form is None else form.freights
    return next(((row[0], row[1]) for row in rows if plain(row[1]) == plain(name)), (0, name))
