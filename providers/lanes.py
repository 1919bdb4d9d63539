"""Connections to one vendor, each kept by itself, so that a call costs the same however many there are.

The pool of httpcore, which httpx uses, walks over all of its connections whenever a call begins or ends, and for each
idle one over all of them again. With the 30 connections that Tiny allows that is half of the CPU time of a call.
"""

import contextlib
import functools
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1)


class Lanes(httpx.AsyncBaseTransport):
    """A transport of as many connections as there are calls at once; whoever sends bounds those.

    The connection used last is used first, so that few are kept open when there is little to do.
    """

    def __init__(self, proxy: str | None = None) -> None:
        self._proxy = proxy
        self._context = authorities()
        self._lanes: list[httpx.AsyncHTTPTransport] = []
        self._free: list[httpx.AsyncHTTPTransport] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read the whole answer. Raises httpx.RequestError."""
        lane = self._free.pop() if self._free else self._opened()
        try:
            response = await lane.handle_async_request(request)
            # Here and not by the client: until the body has been read the connection is not free.
            async with contextlib.aclosing(response):
                await response.aread()
        finally:
            self._free.append(lane)
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        for lane in self._lanes:
            await lane.aclose()

    def _opened(self) -> httpx.AsyncHTTPTransport:
        lane = httpx.AsyncHTTPTransport(verify=self._context, limits=ONE, proxy=self._proxy)
        self._lanes.append(lane)
        return lane


@functools.cache
def authorities() -> ssl.SSLContext:
    """Whom we trust. It takes 20 to 30 ms to read their certificates: once a process, and not for each merchant."""
    return httpx.create_ssl_context()


def proxy_for(url: str) -> str | None:
    """The proxy by which the surroundings (HTTPS_PROXY, NO_PROXY and so on) want an address to be reached.

    httpx looks for it only where it makes the transport itself.
    """
    asked = urlsplit(url)
    if proxy_bypass(asked.hostname or ""):
        return None
    found = getproxies()
    proxy = found.get(asked.scheme) or found.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"
