"""Files at hosts that are not the API's: what a link of the vendor's leads to, a file store as a rule.

A link is text that came from outside, and the hub stands in somebody's own network. So it is followed without the
token, by https, and only to public addresses: each name is resolved here, and the address that was looked at is the one
that is connected to, as a name may have another answer the second time. What comes back is bounded.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import httpx

from hub.archive import MOST_BYTES
from hub.settings import settings
from providers.contract import CallFailed, Outcome
from providers.http import Answer, Http, status_failure
from providers.lanes import authorities, proxy_for

LINKED = "GET a linked file"
NOWHERE = "https://files.invalid"
"""Where an address without a host would go."""
Resolve = Callable[[str, int], Awaitable[list[str]]]


class Unsigned:
    """No credential at all."""

    async def sign(self, request: httpx.Request) -> int:
        """Nothing goes along."""
        return 0

    async def refused(self, version: int) -> bool:
        """There is nothing newer."""
        return False

    def secrets(self) -> tuple[str, ...]:
        """There is nothing to hide."""
        return ()


async def resolved(host: str, port: int) -> list[str]:
    """The addresses of a name. Raises httpx.ConnectError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError("the name has no address") from error
    return list(dict.fromkeys(str(row[4][0]) for row in found))


class Outside(httpx.AsyncBaseTransport):
    """A transport that reaches public addresses only, and `origin` besides; an answer has `most` bytes at most."""

    def __init__(
        self,
        origin: str = "",
        *,
        inner: httpx.AsyncBaseTransport | None = None,
        resolve: Resolve = resolved,
        most: int = MOST_BYTES,
        seconds: float = 30.0,
        proxy: str | None = None,
    ) -> None:
        self._origin = _origin(origin) if origin else None
        # No connection is kept: by its address alone, one that proved to be a host's would be used for another host.
        self._inner = inner or httpx.AsyncHTTPTransport(
            verify=authorities(), limits=httpx.Limits(max_keepalive_connections=0), proxy=proxy
        )
        self._proxy = proxy
        self._resolve = resolve
        self._most = most
        self._seconds = seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the whole answer. Raises httpx.RequestError, and CallFailed for what is not asked."""
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._sent(request, await self._addresses(request.url))
                async with contextlib.aclosing(response):
                    return await self._read(response)
        except TimeoutError:
            raise httpx.ReadTimeout("the file did not come in time") from None

    async def aclose(self) -> None:
        """Close every connection."""
        await self._inner.aclose()

    async def _addresses(self, url: httpx.URL) -> list[str]:
        """Where to connect to."""
        origin = _origin(str(url))
        if url.scheme != "https" and origin != self._origin:
            raise refused(url.host, "sem https")
        host = url.raw_host.decode("ascii")
        if self._proxy and not _is_address(host):  # it resolves the name, and ops have told it what may be reached
            return [host]
        found = await self._resolve(host, origin[2])
        if origin != self._origin and not all(map(is_public, found)):
            raise refused(url.host, "endereço interno")
        return found

    async def _sent(self, request: httpx.Request, addresses: list[str]) -> httpx.Response:
        """The answer of the first address that takes the connection. The name still goes along, for the certificate
        and for the host that serves several."""
        extensions = {**request.extensions, "sni_hostname": request.url.raw_host.decode("ascii")}
        error = httpx.ConnectError("the name has no address")
        for address in addresses:
            url = request.url.copy_with(host=address)
            pinned = httpx.Request(request.method, url, headers=request.headers, extensions=extensions)
            try:
                return await self._inner.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as failed:
                error = httpx.ConnectError(type(failed).__name__)
        raise error

    async def _read(self, response: httpx.Response) -> httpx.Response:
        """The answer with its body, unpacked: what is small on its way may be large when it is here."""
        body = bytearray()
        async for part in response.aiter_bytes():
            body += part
            if len(body) > self._most:
                raise refused("", f"mais de {self._most} bytes")
        kept = {name: value for name, value in response.headers.items() if name in ("content-type", "location")}
        return httpx.Response(response.status_code, headers=kept, content=bytes(body))


def opened(beside: Http, transport: httpx.AsyncBaseTransport | None = None) -> Http:
    """Calls to other hosts for one account; they take its turns, so that a link is not a way around the quota."""
    s = settings()
    return Http(
        system=beside.system,
        base_url=NOWHERE,
        auth=Unsigned(),
        judge=judge,
        limiter=beside.limiter,
        at_once=beside.at_once,
        fixed_limit=beside.fixed_limit,
        headers={"Accept": "*/*", "Accept-Encoding": "identity"},
        transport=transport or Outside(s.tagplus_files_origin, seconds=s.read_timeout_s, proxy=proxy_for(NOWHERE)),
        attempts=min(2, beside.attempts),
        first_wait_s=beside.first_wait_s,
    )


def judge(operation: str, answer: Answer) -> CallFailed | None:
    """What an answer means: a redirect is followed by who asks, and whatever a store refuses is that one file's."""
    if 200 <= answer.status < 300 or (300 <= answer.status < 400 and answer.headers.get("location")):
        return None
    if answer.status < 500 and answer.status not in (408, 425):
        return CallFailed(Outcome.REJECTED, "unreadable", operation=operation, status=answer.status)
    return status_failure(operation, answer, slow_down_s=1.0)


def is_public(address: str) -> bool:
    """Whether an address lies in the internet, and neither in this machine nor in a network around it."""
    ip = ipaddress.ip_address(address)
    inner = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    if ip in _TRANSLATED:
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    ip = inner or ip
    return ip.is_global and not ip.is_multicast


_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv6 addresses that a gateway turns into the IPv4 address at their end."""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def refused(host: str, words: str) -> CallFailed:
    """A link that is not followed; the words are for the merchant's notice."""
    detail = f"{host}: {words}" if host else words
    return CallFailed(Outcome.REJECTED, "unreadable", operation=LINKED, detail=detail)


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
