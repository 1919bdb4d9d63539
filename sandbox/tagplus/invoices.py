"""The API's operations on NF-e (`reference/tagplus.md` §9)."""

from dataclasses import replace
from typing import Any

from sandbox.tagplus import notes
from sandbox.tagplus.api import DELETED, Answer, ApiCall
from sandbox.tagplus.checks import check, not_found
from sandbox.tagplus.files import STORE
from sandbox.tagplus.note_view import NOTES
from sandbox.tagplus.store import Row


def list_notes(call: ApiCall) -> Answer:
    """GET /nfes: poor rows unless `fields` asks for more."""
    return call.listing(replace(NOTES, default_date=call.settings.tagplus_nfes_date), call.store.notes)


def get_note(call: ApiCall) -> Any:
    """GET /nfes/{id}; 404 for a while after its event when the setting says so."""
    note = _note(call)
    if call.vendor.clock.now() < note.moments.get("hidden_until", 0.0):
        raise not_found("Nota fiscal", call.item, "id")
    return NOTES.whole(call.store, note)


def create_note(call: ApiCall) -> Answer:
    """POST /nfes: 201 a draft; 202 sent with X-Enviar-Nota."""
    note = notes.create(call.actor, call.json())
    if call.flag("x-enviar-nota"):
        notes.send(call.actor, note)
        return Answer(NOTES.whole(call.store, note), 202)
    return Answer(NOTES.whole(call.store, note), 201)


def patch_note(call: ApiCall) -> Any:
    """PATCH /nfes/{id}."""
    note = notes.patch(call.actor, _note(call), call.json())
    if call.flag("x-enviar-nota"):
        notes.send(call.actor, note)
        return Answer(NOTES.whole(call.store, note), 202)
    return NOTES.whole(call.store, note)


def delete_note(call: ApiCall) -> Any:
    """DELETE /nfes/{id}: drafts only."""
    notes.remove(call.actor, _note(call))
    return DELETED


def cancel_note(call: ApiCall) -> Any:
    """PATCH /nfes/cancelar/{id}: taken at once, done later; the event says when."""
    note, body = _note(call), check(call.json(), notes.REASON)
    notes.cancel(call.actor, note, body["justificativa"])
    return {"item": body, "message": "Solicitação de cancelamento enviada"}


def void_note(call: ApiCall) -> Any:
    """PATCH /nfes/inutilizar/{id}."""
    note, body = _note(call), check(call.json(), notes.REASON)
    notes.void(call.actor, note, body["justificativa"])
    return {"item": body, "message": "Numeração inutilizada"}


def get_xml(call: ApiCall) -> Any:
    """GET /nfes/gerar_link_xml/{id}: the XML itself, or a link, as the setting says; for a lost file a dead link."""
    note = _note(call)
    if not note["xml"]:
        raise not_found("XML da nota", call.item, "id")
    path = f"{call.me.name}/nfe/{note['chave_acesso']}.xml"
    if "file_lost_at" in note.moments:
        return {"link": f"https://files.vendor.invalid/{path}"}
    if call.settings.tagplus_xml == "foreign":
        return {"link": f"{STORE.join(call.base.rsplit(call.host, 1))}/tagplus/files/{path}"}
    if call.settings.tagplus_xml == "link":
        return {"link": f"{call.base}/tagplus/files/{path}"}
    return Answer(note["xml"].encode(), media="application/xml")


def _note(call: ApiCall) -> Row:
    return call.row(call.store.notes, "Nota fiscal")
