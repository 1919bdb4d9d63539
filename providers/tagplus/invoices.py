"""TagPlus's notes: their rows, and the document of each, however it is handed over (`reference/tagplus.md §9.1`)."""

import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urljoin, urlsplit

from hub.records import InvoiceRow
from providers.contract import CallFailed, Gone, Outcome
from providers.http import UNREADABLE, Answer, Http
from providers.tagplus import reading
from providers.tagplus.client import Client
from providers.tagplus.elsewhere import LINKED
from providers.tagplus.errors import READ_XML
from providers.tiny_account import gone
from providers.tiny_parse import document, text

logger = logging.getLogger(__name__)

KEY_LETTERS = 44
_STARTS = (b"<", b"PK")
_BLANKS = b"\xef\xbb\xbf \r\n\t"


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes of one account. `base_url` is the API's: to any other host a link is followed by `files`, without the
    token."""

    client: Client
    base_url: str
    files: Http

    async def listed(self, first: date, last: date) -> AsyncIterator[list[InvoiceRow]]:
        """Rows of the notes issued between two days, page by page."""
        async for payloads in self.client.notes(first, last):
            found = [row for payload in payloads if (row := reading.note(payload)) is not None]
            if len(found) < len(payloads):
                logger.warning("%d of %d notes of a listing have no id", len(payloads) - len(found), len(payloads))
            yield found

    async def find(self, external_id: str) -> InvoiceRow | Gone:
        """The row of one note."""
        try:
            found = reading.note(await self.client.note(external_id))
        except CallFailed as failed:
            return gone(external_id, failed)
        if found is None:
            raise CallFailed(Outcome.RETRY, "unreadable", operation="GET /nfes/{id}", detail="the note has no id")
        return found

    async def read(self, row_id: str) -> bytes | Gone:
        """The note's XML, by its id or by its access key."""
        if len(row_id) == KEY_LETTERS:
            ids = [row.external_id for row in await self._of_key(row_id)]
            if not ids:
                return Gone(row_id)
            row_id = ids[0]
        try:
            told, why = await self._told(row_id)
            return told or await self._kept(row_id, why)
        except CallFailed as failed:
            return gone(row_id, failed)

    async def _of_key(self, access_key: str) -> list[InvoiceRow]:
        rows = [reading.note(payload) for payload in await self.client.notes_of_key(access_key)]
        return [row for row in rows if row is not None and row.access_key == document(access_key)]

    async def _told(self, external_id: str) -> tuple[bytes, str]:
        """The document that the vendor's answer is, holds, or leads to; or nothing, and why.

        A fault of this one answer is no reason to give up: whether it is the account's, asking for the note shows.
        The token goes to the API's own host, and no more once another host was asked: that one may send us anywhere,
        and at the API a GET may change data (`§8`).
        """
        at, away = f"{self.base_url.rstrip('/')}/", False
        try:
            answer = await self.client.note_xml(external_id)
            for _ in range(MOST_LINKS):
                if found := as_document(answer.body):
                    return found, ""
                found, link = unwrapped(answer)
                if found or not link:
                    return found, ""
                at = _followed(at, link)
                if not at:
                    return b"", "link inválido"
                away = away or _host(at) != _host(self.base_url)
                answer = await (self.files.ask(LINKED, "GET", at) if away else self.client.linked_xml(at))
        except CallFailed as failed:
            is_its_own = failed.outcome is Outcome.RETRY and failed.reason in _OF_ONE
            if failed.operation != LINKED and not is_its_own:
                raise
            logger.warning("%s: the XML of note %s: %s", self.client.http.system, external_id, failed)
            return b"", _why(at, failed)
        return b"", "links demais"

    async def _kept(self, external_id: str, why: str) -> bytes:
        """The XML that the note's own details hold. Raises CallFailed where there is none either: of this note only,
        as the others' may well be there."""
        told = await self.client.note(external_id)
        for name in ("xml_aprovacao", "xml"):
            if found := as_document(text(told.get(name)).encode()):
                return found
        raise CallFailed(Outcome.REJECTED, "unreadable", operation=READ_XML, detail=why or "sem XML e sem link")


def _followed(at: str, link: str) -> str:
    """A link as a whole address, as it stands in what `at` answered; '' for one that is not followed."""
    if len(link) > MOST_LINK or not _PRINTABLE.fullmatch(link):
        return ""
    try:
        asked = urlsplit(urljoin(at, link))
        asked.port  # noqa: B018 it is read, and may be none
    except ValueError:
        return ""
    whole = asked.username is None and asked.hostname and asked.scheme in ("https", "http")
    return asked.geturl() if whole else ""


def _host(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    return parts.scheme, parts.hostname, parts.port


def _why(at: str, failed: CallFailed) -> str:
    """Where a document was not to be had, in words for the merchant's notice."""
    if failed.outcome is Outcome.REJECTED and failed.detail:
        return failed.detail
    return f"{urlsplit(at).netloc}: {f'HTTP {failed.status}' if failed.status else 'sem resposta'}"


def as_document(body: bytes) -> bytes:
    """The body, if it is XML or a ZIP, else empty."""
    if body.lstrip(_BLANKS).startswith(_STARTS):
        return body
    return b""


def unwrapped(answer: Answer) -> tuple[bytes, str]:
    """What an answer that is no document holds: a document as text, or a link to one."""
    values: list[Any] = [answer.headers.get("location")] if 300 <= answer.status < 400 else []
    payload = answer.payload
    if payload is UNREADABLE:  # a bare address, or a link in quotes that are none of JSON's
        values.append(answer.body[:MOST_LINK].decode("utf-8", "replace"))
    elif isinstance(payload, dict):
        values += [payload.get(name) for name in ("xml", "link", "url", "link_xml", "href", "data")]
    else:
        values.append(payload)
    link = ""
    for value in values:
        for told in map(text, value if isinstance(value, list) else [value]):
            if found := as_document(told.encode()):
                return found, ""
            if not link and _LINK_SIGN in told and len(told.split()) == 1:
                link = told
    return b"", link


MOST_LINK = 4000
MOST_LINKS = 4
"""From link to link: a store may send on to that of its region."""
_OF_ONE = frozenset(("server", "unreadable"))
"""Faults that may be one answer's, as it came; who cannot be reached at all is the account's matter."""
_LINK_SIGN = "/"
_PRINTABLE = re.compile(r"[!-\[\]-~]+")
"""No blank and no backslash, of which one reader makes another host than the next."""
