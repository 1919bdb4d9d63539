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
from providers.http import UNREADABLE, Answer
from providers.tagplus import reading
from providers.tagplus.client import Client
from providers.tagplus.errors import READ_XML
from providers.tiny_account import gone
from providers.tiny_parse import document, text

logger = logging.getLogger(__name__)

KEY_LETTERS = 44
_STARTS = (b"<", b"PK")
_BLANKS = b"\xef\xbb\xbf \r\n\t"


@dataclass(frozen=True, slots=True)
class Notes:
    """The notes of one account. `base_url` is the API's: a link to any other host is not followed."""

    client: Client
    base_url: str

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
            told = await self._told(await self.client.note_xml(row_id))
            return told or await self._kept(row_id)
        except CallFailed as failed:
            return gone(row_id, failed)

    async def _of_key(self, access_key: str) -> list[InvoiceRow]:
        rows = [reading.note(payload) for payload in await self.client.notes_of_key(access_key)]
        return [row for row in rows if row is not None and row.access_key == document(access_key)]

    async def _told(self, answer: Answer) -> bytes:
        """The document that an answer is, holds, or links to; empty where it links elsewhere, or holds none."""
        if found := as_document(answer.body):
            return found
        held, link = unwrapped(answer)
        if held or not link:
            return held
        address = self._address(link)
        if not address:
            logger.warning("%s: a note is at another host, which is not asked", self.client.http.system)
            return b""
        return as_document((await self.client.linked_xml(address)).body)

    async def _kept(self, external_id: str) -> bytes:
        """The XML that the note's own details hold. Raises CallFailed where there is none either."""
        told = await self.client.note(external_id)
        for name in ("xml_aprovacao", "xml"):
            if found := as_document(text(told.get(name)).encode()):
                return found
        detail = "neither the link nor the note itself holds its XML"
        raise CallFailed(Outcome.RETRY, "unreadable", operation=READ_XML, detail=detail)

    def _address(self, link: str) -> str:
        """The link as a whole address of the API's own host; '' for another host: it would be handed our token."""
        base = urlsplit(f"{self.base_url.rstrip('/')}/")
        if len(link) > MOST_LINK or not _PRINTABLE.fullmatch(link):
            return ""
        try:
            asked = urlsplit(urljoin(base.geturl(), link))
            same = (asked.scheme, asked.hostname, asked.port) == (base.scheme, base.hostname, base.port)
        except ValueError:
            return ""
        return asked.geturl() if same and asked.username is None else ""


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
_LINK_SIGN = "/"
_PRINTABLE = re.compile(r"[!-\[\]-~]+")
"""No blank and no backslash, of which one reader makes another host than the next."""
