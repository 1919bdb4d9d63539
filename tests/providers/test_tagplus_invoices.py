"""A note's XML, in each of the ways that the vendor may hand it over; the token goes to no other host."""

import json
from typing import Any

import httpx
import pytest

from hub.db import Database
from hub.quota import Limiter
from providers.contract import CallFailed, Gone, Outcome
from providers.http import Http
from providers.tagplus.client import Client
from providers.tagplus.errors import Judge
from providers.tagplus.invoices import Notes
from tests.providers.test_http import Token, Vendor

API = "https://api.vendor.invalid"
XML = b'<?xml version="1.0"?><nfeProc/>'
KEY = "35240811222333000181550010000037061000026590"


def opened(db: Database, *replies: Any) -> tuple[Notes, Vendor]:
    vendor = Vendor(*replies)
    limiter = Limiter(db, "tagplus:test", 0)
    http = Http("tagplus test", API, Token(), Judge(), limiter, 2, transport=vendor, attempts=1, first_wait_s=0.0)
    return Notes(Client(http), API), vendor


def asked(vendor: Vendor) -> list[str]:
    return [str(request.url).removeprefix(API) for request in vendor.requests]


LINKED = "/files/1.xml?s=3"


@pytest.mark.parametrize(
    "first",
    [
        httpx.Response(200, content=XML),
        httpx.Response(200, content=b"\xef\xbb\xbf\n" + XML),
        httpx.Response(200, json=XML.decode()),
        httpx.Response(200, json={"xml": XML.decode()}),
        httpx.Response(200, json={"data": [XML.decode()]}),
    ],
)
async def test_the_document_itself(db: Database, first: httpx.Response) -> None:
    notes, vendor = opened(db, first)
    found = await notes.read("2659")
    assert isinstance(found, bytes) and found.endswith(b"<nfeProc/>")
    assert asked(vendor) == ["/nfes/gerar_link_xml/2659"]


@pytest.mark.parametrize(
    "first",
    [
        httpx.Response(200, json=f"{API}{LINKED}"),
        httpx.Response(200, json={"link": f"{API}{LINKED}"}),
        httpx.Response(200, json=[f"{API}{LINKED}"]),
        httpx.Response(200, json={"url": LINKED}),
        httpx.Response(200, content=f"{API}{LINKED}".encode()),
        httpx.Response(302, headers={"location": f"{API}{LINKED}"}),
    ],
)
async def test_a_link_of_the_apis_own_host(db: Database, first: httpx.Response) -> None:
    notes, vendor = opened(db, first, httpx.Response(200, content=XML))
    assert await notes.read("2659") == XML
    assert asked(vendor) == ["/nfes/gerar_link_xml/2659", LINKED]


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.invalid/1.xml",
        "//elsewhere.invalid/1.xml",
        "http://api.vendor.invalid/1.xml",
        "https://api.vendor.invalid:8443/1.xml",
        "https://api.vendor.invalid@elsewhere.invalid/1.xml",
        "https://user@api.vendor.invalid/1.xml",
        "https://api.vendor.invalid\\@elsewhere.invalid/1.xml",
        "https://api.vendor.invalid.elsewhere.invalid/1.xml",
        "file:///etc/passwd",
        "https://[::1/1.xml",
    ],
)
@pytest.mark.parametrize("redirects", [True, False])
async def test_any_other_host_is_not_asked(db: Database, link: str, redirects: bool) -> None:
    if redirects and "[" in link:
        return  # httpx itself refuses such an answer
    first = httpx.Response(302, headers={"location": link}) if redirects else httpx.Response(200, json={"link": link})
    kept = httpx.Response(200, json={"id": 2659, "xml_aprovacao": XML.decode()})
    notes, vendor = opened(db, first, kept)
    assert await notes.read("2659") == XML
    assert asked(vendor) == ["/nfes/gerar_link_xml/2659", "/nfes/2659"]


async def test_a_note_without_its_xml_anywhere_is_asked_for_again_later(db: Database) -> None:
    notes, _ = opened(db, httpx.Response(200, json={"message": "ok"}), httpx.Response(200, json={"id": 2659}))
    with pytest.raises(CallFailed) as raised:
        await notes.read("2659")
    assert (raised.value.outcome, raised.value.reason) == (Outcome.RETRY, "unreadable")


async def test_by_its_access_key(db: Database) -> None:
    other = {"id": 1, "chave_acesso": "9" * 44}
    listed = httpx.Response(200, content=json.dumps([other, {"id": 2659, "chave_acesso": KEY}]).encode())
    notes, vendor = opened(db, listed, httpx.Response(200, content=XML))
    assert await notes.read(KEY) == XML
    assert asked(vendor)[1] == "/nfes/gerar_link_xml/2659"
    notes, _ = opened(db, httpx.Response(200, json=[other]))
    assert await notes.read(KEY) == Gone(KEY)


async def test_one_that_is_not_there(db: Database) -> None:
    notes, _ = opened(db, httpx.Response(404, json={"error_code": "nao_encontrado"}))
    assert await notes.read("2659") == Gone("2659")
    assert await notes.find("2659") == Gone("2659")
