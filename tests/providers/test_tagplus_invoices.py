"""A note's XML, in each of the ways that the vendor may hand it over; the token goes to no other host."""

import json
from typing import Any

import httpx
import pytest

from hub.db import Database
from hub.quota import Limiter
from providers.contract import CallFailed, Gone, Outcome
from providers.http import Http
from providers.tagplus import elsewhere
from providers.tagplus.client import Client
from providers.tagplus.errors import Judge
from providers.tagplus.invoices import Notes
from tests.providers.test_http import SECRET, Token, Vendor

API = "https://api.vendor.invalid"
XML = b'<?xml version="1.0"?><nfeProc/>'
KEY = "35240811222333000181550010000037061000026590"


NOT_ASKED = httpx.Response(500)


def opened(db: Database, *replies: Any, store: Vendor | None = None) -> tuple[Notes, Vendor]:
    """The notes of an API that answers so; `store` is every other host."""
    vendor = Vendor(*replies)
    limiter = Limiter(db, "tagplus:test", 0)
    http = Http("tagplus test", API, Token(), Judge(), limiter, 2, transport=vendor, attempts=1, first_wait_s=0.0)
    return Notes(Client(http), API, elsewhere.opened(http, store or Vendor(NOT_ASKED))), vendor


def asked(vendor: Vendor) -> list[str]:
    return [str(request.url).removeprefix(API) for request in vendor.requests]


def linking(link: str, *, redirects: bool = False) -> httpx.Response:
    return httpx.Response(302, headers={"location": link}) if redirects else httpx.Response(200, json={"link": link})


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
        "https://elsewhere.invalid/1.xml?X-Amz-Signature=s",
        "//elsewhere.invalid/1.xml",
        "https://api.vendor.invalid:8443/1.xml",
        "https://api.vendor.invalid.elsewhere.invalid/1.xml",
    ],
)
@pytest.mark.parametrize("redirects", [True, False])
async def test_another_host_is_asked_without_the_token(db: Database, link: str, redirects: bool) -> None:
    store = Vendor(httpx.Response(200, content=XML))
    notes, vendor = opened(db, linking(link, redirects=redirects), store=store)
    assert await notes.read("2659") == XML
    assert asked(vendor) == ["/nfes/gerar_link_xml/2659"]
    (request,) = store.requests
    assert str(request.url) == (f"https:{link}" if link.startswith("//") else link)
    told = " ".join(request.headers.values())
    assert "authorization" not in request.headers and SECRET not in told and "x-api-version" not in request.headers


async def test_a_store_may_send_on_but_not_back_to_the_api_with_the_token(db: Database) -> None:
    store = Vendor(linking("/2.xml", redirects=True), linking(f"{API}/pedidos/to_nfe/1", redirects=True), NOT_ASKED)
    kept = httpx.Response(200, json={"id": 2659, "xml_aprovacao": XML.decode()})
    notes, vendor = opened(db, linking("https://elsewhere.invalid/1.xml"), kept, store=store)
    assert await notes.read("2659") == XML
    assert asked(vendor) == ["/nfes/gerar_link_xml/2659", "/nfes/2659"]
    assert [str(request.url) for request in store.requests][:2] == [f"https://elsewhere.invalid/{n}.xml" for n in "12"]
    assert all("authorization" not in request.headers for request in store.requests)


@pytest.mark.parametrize(
    "link",
    [
        "https://api.vendor.invalid@elsewhere.invalid/1.xml",
        "https://user@api.vendor.invalid/1.xml",
        "https://api.vendor.invalid\\@elsewhere.invalid/1.xml",
        "file:///etc/passwd",
        "https://[::1/1.xml",
        "https://elsewhere.invalid:port/1.xml",
    ],
)
async def test_a_link_that_is_no_plain_address_is_not_followed(db: Database, link: str) -> None:
    store = Vendor(NOT_ASKED)
    kept = httpx.Response(200, json={"id": 2659, "xml_aprovacao": XML.decode()})
    notes, vendor = opened(db, linking(link), kept, store=store)
    assert await notes.read("2659") == XML
    assert asked(vendor) == ["/nfes/gerar_link_xml/2659", "/nfes/2659"]
    assert store.requests == []


async def test_links_without_an_end_are_not_followed_for_ever(db: Database) -> None:
    store = Vendor(linking("https://elsewhere.invalid/1.xml"))
    notes, _ = opened(
        db, linking("https://elsewhere.invalid/1.xml"), httpx.Response(200, json={"id": 2659}), store=store
    )
    with pytest.raises(CallFailed):
        await notes.read("2659")
    assert len(store.requests) < 10


@pytest.mark.parametrize(
    ("first", "store", "why"),
    [
        (httpx.Response(200, json={"message": "ok"}), NOT_ASKED, "sem XML e sem link"),
        (linking("https://elsewhere.invalid/1.xml"), httpx.Response(403), "elsewhere.invalid: HTTP 403"),
        (linking("https://elsewhere.invalid/1.xml"), httpx.Response(503), "elsewhere.invalid: HTTP 503"),
        (linking("https://elsewhere.invalid/1.xml"), httpx.ConnectError("no"), "elsewhere.invalid: sem resposta"),
        (httpx.Response(200, content=b"<html>"), NOT_ASKED, "api.vendor.invalid: HTTP 200"),
        (httpx.Response(500), NOT_ASKED, "api.vendor.invalid: HTTP 500"),
    ],
)
async def test_a_note_without_its_xml_anywhere_is_refused_by_itself(
    db: Database, first: httpx.Response, store: Any, why: str
) -> None:
    notes, _ = opened(db, first, httpx.Response(200, json={"id": 2659}), store=Vendor(store))
    with pytest.raises(CallFailed) as raised:
        await notes.read("2659")
    assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "unreadable")
    assert raised.value.detail == why


@pytest.mark.parametrize("down", [httpx.Response(503), httpx.ConnectError("no")])
async def test_an_api_that_is_down_is_no_notes_fault(db: Database, down: Any) -> None:
    notes, _ = opened(db, down)
    with pytest.raises(CallFailed) as raised:
        await notes.read("2659")
    assert raised.value.outcome is Outcome.RETRY


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
