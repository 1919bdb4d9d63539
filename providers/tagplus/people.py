"""Buyers looked up among TagPlus's customers (`reference/tagplus.md §7`)."""

from hub.records import OutgoingCustomer
from providers.contract import CallFailed, Found, Outcome
from providers.tagplus import mapper, reading
from providers.tagplus.client import Client


async def find(client: Client, customer: OutgoingCustomer) -> list[Found]:
    """Customers of exactly that CPF or CNPJ; a guest by our own id.

    Which spelling the filters want is not known (`§4`): the search by digits was seen to work, though with other people
    among its rows, so it is asked first and every row compared. Several active customers of one document are the
    merchant's to sort out (`§7`). Raises CallFailed.
    """
    wanted = customer.document
    if not wanted:
        code = customer.record_id[: mapper.MOST_CODE]
        return reading.customers_of_code(await client.customers_of_code(code), code)
    by = "cnpj" if len(wanted) == 14 else "cpf"
    for search in ({"q": wanted}, {by: mapper.masked(wanted)}, {by: wanted}):
        if found := reading.customers_of_document(await client.customers(**search), wanted):
            return _only_one(found)
    return []


def _only_one(found: list[Found]) -> list[Found]:
    """Customers of one document, unless several of them are active."""
    active = [one.external_id for one in found if one.active]
    if len(active) > 1:
        words = f"Há {len(active)} clientes ativos com este CPF/CNPJ (números {', '.join(active)}); deixe só um ativo"
        raise CallFailed(Outcome.REJECTED, "validation", operation="GET /clientes", code="repeated", detail=words)
    return found
