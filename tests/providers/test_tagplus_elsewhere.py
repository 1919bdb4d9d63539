"""Links to other hosts: public ones only, by https, and no more of them than there is room for."""

import gzip
from typing import Any

import httpx
import pytest

from hub.db import Database
from hub.quota import Limiter
from providers.contract import CallFailed, Outcome
from providers.http import Http
from providers.tagplus.elsewhere import LINKED, Outside, is_public, opened
from providers.tagplus.errors import Judge
from tests.providers.test_http import Token, Vendor

PUBLIC, INNER = "198.41.0.4", "10.1.2.3"


class Names:
    """A resolver; each name has its addresses, asked for the second time the last of them only."""

    def __init__(self, **names: list[str]) -> None:
        self.names = names
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.names.get(host.partition(".")[0], [host])


def outside(db: Database, vendor: Vendor, names: Names | None = None, **rest: Any) -> Http:
    limiter = Limiter(db, "tagplus:test", 0)
    beside = Http("tagplus test", "https://api.vendor.invalid", Token(), Judge(), limiter, 2, attempts=1)
    return opened(beside, Outside(inner=vendor, resolve=names or Names(), **rest))


async def test_the_address_that_was_looked_at_is_the_one_that_is_asked_by_its_name(db: Database) -> None:
    vendor, names = Vendor(httpx.Response(200, content=b"<nfeProc/>")), Names(files=[PUBLIC])
    answer = await outside(db, vendor, names).ask(LINKED, "GET", "https://files.example/1.xml?s=%2F")
    assert answer.body == b"<nfeProc/>"
    (request,) = vendor.requests
    assert str(request.url) == f"https://{PUBLIC}/1.xml?s=%2F"
    assert request.headers["host"] == "files.example"
    assert request.extensions["sni_hostname"] == "files.example"
    assert names.asked == ["files.example"]


@pytest.mark.parametrize(
    "link",
    [
        "https://127.0.0.1/1.xml",
        "https://10.0.0.1/1.xml",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/1.xml",
        "https://[::ffff:127.0.0.1]/1.xml",
        "https://[64:ff9b::7f00:1]/1.xml",
        "https://inner.example/1.xml",
        "https://both.example/1.xml",
        "http://files.example/1.xml",
    ],
)
async def test_nothing_inside_is_asked_and_nothing_without_https(db: Database, link: str) -> None:
    vendor = Vendor(httpx.Response(200, content=b"secret"))
    names = Names(files=[PUBLIC], inner=[INNER], both=[PUBLIC, INNER])
    with pytest.raises(CallFailed) as raised:
        await outside(db, vendor, names).ask(LINKED, "GET", link)
    assert (raised.value.outcome, raised.value.reason) == (Outcome.REJECTED, "unreadable")
    assert vendor.requests == []


async def test_the_origin_that_ops_named_may_be_inside_and_no_other_port_of_it(db: Database) -> None:
    vendor, names = Vendor(httpx.Response(200, content=b"<nfeProc/>")), Names(files=[INNER])
    http = outside(db, vendor, names, origin="http://files.example:8790")
    assert (await http.ask(LINKED, "GET", "http://files.example:8790/1.xml")).body == b"<nfeProc/>"
    with pytest.raises(CallFailed):
        await http.ask(LINKED, "GET", "http://files.example:8791/1.xml")
    assert len(vendor.requests) == 1


async def test_a_proxy_is_given_the_name_and_no_inner_address(db: Database) -> None:
    vendor, names = Vendor(httpx.Response(200, content=b"<nfeProc/>")), Names()
    http = outside(db, vendor, names, proxy="http://proxy.invalid:3128")
    assert (await http.ask(LINKED, "GET", "https://files.example/1.xml")).body == b"<nfeProc/>"
    assert (str(vendor.requests[0].url), names.asked) == ("https://files.example/1.xml", [])
    with pytest.raises(CallFailed):
        await http.ask(LINKED, "GET", f"https://{INNER}/1.xml")
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("packed", [False, True])
async def test_a_file_that_is_too_large_is_dropped_even_if_it_came_small(db: Database, packed: bool) -> None:
    body = b"<" + b" " * 5000
    headers = {"content-encoding": "gzip"} if packed else {}
    sent = gzip.compress(body) if packed else body
    vendor = Vendor(lambda _: httpx.Response(200, content=sent, headers=headers))
    names = Names(files=[PUBLIC])
    assert (await outside(db, vendor, names, most=5001).ask(LINKED, "GET", "https://files.example/1")).body == body
    with pytest.raises(CallFailed) as raised:
        await outside(db, vendor, names, most=5000).ask(LINKED, "GET", "https://files.example/1")
    assert (raised.value.outcome, raised.value.detail) == (Outcome.REJECTED, "mais de 5000 bytes")


async def test_the_next_address_is_tried_where_one_takes_no_connection(db: Database) -> None:
    vendor = Vendor(httpx.ConnectError("no"), httpx.Response(200, content=b"<nfeProc/>"))
    names = Names(files=["2001:503:ba3e::2:30", PUBLIC])
    answer = await outside(db, vendor, names).ask(LINKED, "GET", "https://files.example/1")
    assert answer.body == b"<nfeProc/>"
    assert [request.url.host for request in vendor.requests] == ["2001:503:ba3e::2:30", PUBLIC]


async def test_a_name_that_nobody_knows_is_a_failure_of_the_link(db: Database) -> None:
    http = opened(Http("t", "https://api.vendor.invalid", Token(), Judge(), Limiter(db, "t", 0), 2, attempts=1))
    with pytest.raises(CallFailed) as raised:
        await http.ask(LINKED, "GET", "https://files.vendor.invalid/1")
    assert raised.value.reason == "unknown_host"
    await http.close()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (PUBLIC, True),
        ("2001:503:ba3e::2:30", True),
        ("0.0.0.0", False),
        ("100.64.0.1", False),
        ("192.168.0.1", False),
        ("224.0.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_public_addresses(address: str, public: bool) -> None:
    assert is_public(address) is public
