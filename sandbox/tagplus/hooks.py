"""Registrations of webhooks (`reference/tagplus.md` §11.1)."""

from typing import Any

from sandbox.tagplus.accounts import Actor
from sandbox.tagplus.api import DELETED, Answer, ApiCall
from sandbox.tagplus.checks import Field, Refused, check, optional
from sandbox.tagplus.events import EVENTS
from sandbox.tagplus.query import View, kept
from sandbox.tagplus.store import Row

_BODY = {
    "nome_integracao": Field(required=True, short=1), "url": Field(required=True, pattern=r"https?://\S+"),
    "eventos": Field("list", required=True, item="text"), "hub_secret": Field(),
}  # fmt: skip
_PATCH = optional(_BODY)
_ALL = ("nome_integracao", "url", "hub_secret", "eventos")
HOOKS = View(
    fields={"id": lambda _, row: row.id, **{name: kept(name) for name in _ALL}},
    main=("id", *_ALL),
    searched=("nome_integracao", "url"),
)


def create(actor: Actor, raw: Any) -> Row:
    """Register a webhook."""
    body = _known(actor, check(raw, _BODY))
    row = actor.store.webhooks.add({"hub_secret": None, **body}, origin=actor.origin, request=raw)
    actor.wrote("webhooks", "C", row.id)
    return row


def remove(actor: Actor, row: Row) -> None:
    """Delete a registration."""
    actor.store.webhooks.remove(row)
    actor.wrote("webhooks", "E", row.id)


def shown(actor: Actor, row: Row) -> dict[str, Any]:
    """Return a registration, its secret included, as the vendor does."""
    return HOOKS.whole(actor.store, row)


def _known(actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    unknown = [event for event in body.get("eventos", ()) if event not in EVENTS]
    if unknown and actor.store.settings.tagplus_unknown_events == "refuse":
        data = [{"id": None, "field": "eventos"}]
        raise Refused(422, "evento_invalido", f"Eventos desconhecidos: {', '.join(unknown)}", data)
    return body


def list_hooks(call: ApiCall) -> Answer:
    """GET /webhooks."""
    return call.listing(HOOKS, call.store.webhooks)


def get_hook(call: ApiCall) -> Any:
    """GET /webhooks/{id}."""
    return shown(call.actor, call.row(call.store.webhooks, "Webhook"))


def create_hook(call: ApiCall) -> Answer:
    """POST /webhooks."""
    return Answer(shown(call.actor, create(call.actor, call.json())), 201)


def patch_hook(call: ApiCall) -> Any:
    """PATCH /webhooks/{id}."""
    row = call.row(call.store.webhooks, "Webhook")
    call.store.webhooks.edit(row, _known(call.actor, check(call.json(), _PATCH)))
    call.actor.wrote("webhooks", "A", row.id)
    return shown(call.actor, row)


def delete_hook(call: ApiCall) -> Any:
    """DELETE /webhooks/{id}."""
    remove(call.actor, call.row(call.store.webhooks, "Webhook"))
    return DELETED


def list_events(call: ApiCall) -> Any:
    """GET /webhooks_eventos: names or objects, as the setting says."""
    if call.settings.tagplus_event_list == "texts":
        return list(EVENTS)
    return [{"id": at + 1, "evento": event} for at, event in enumerate(EVENTS)]
