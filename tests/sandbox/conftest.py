"""One sandbox over real HTTP for all tests of this folder, reset before each."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.serving import sandbox_in_a_thread


class Client:
    """A merchant, a tester and two API clients of the account `demo` in one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=10)

    def control(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        """Call the control API; with `status` expect it, else any success."""
        answer = self.http.request(method, f"/_sandbox{path}", json=body)
        if status is None:
            assert answer.is_success, answer.text
        else:
            assert answer.status_code == status, answer.text
        return answer.json()

    def settings(self, **values: Any) -> Any:
        return self.control("POST", "/settings", values)

    def account(self, name: str = "demo", **changes: Any) -> Any:
        return self.control("POST", f"/tiny/accounts/{name}", changes)

    def advance(self, seconds: float) -> Any:
        return self.control("POST", "/clock", {"advance_s": seconds})

    def fault(self, name: str, **rest: Any) -> Any:
        return self.control("POST", "/faults", {"fault": name, **rest})

    def calls(self) -> list[dict[str, Any]]:
        return self.control("GET", "/calls")

    def product(self, sku: str) -> dict[str, Any]:
        found = self.http.get("/_sandbox/tiny/accounts/demo/products", params={"sku": sku}).json()
        assert found, f"no product {sku}"
        return found[0]

    def edit(self, sku: str, fields: dict[str, Any]) -> Any:
        return self.control("PATCH", f"/tiny/accounts/demo/products/{self.product(sku)['id']}", fields)

    def post(self, service: str, **params: Any) -> httpx.Response:
        """Call a v2 service with a form."""
        form = {"token": "demo-token", "formato": "json", **params}
        return self.http.post(f"/tiny/api2/{service}", data=form)

    def v2(self, service: str, **params: Any) -> dict[str, Any]:
        """Call a v2 service and return its `retorno`; texts that hold structures are JSON."""
        texts = {k: json.dumps(v) if isinstance(v, dict | list) else v for k, v in params.items()}
        answer = self.post(service, **texts)
        assert answer.status_code == 200
        return answer.json()["retorno"]

    def tokens(self, name: str = "demo") -> dict[str, Any]:
        return self.control("POST", f"/tiny/accounts/{name}/v3-tokens")

    def v3(self, method: str, path: str, *, token: str | None = None, **rest: Any) -> httpx.Response:
        """Call a v3 operation with a fresh token, or with `token`."""
        bearer = token or self.tokens()["access_token"]
        headers = {"Authorization": f"Bearer {bearer}"}
        return self.http.request(method, f"/tiny/public-api/v3{path}", headers=headers, **rest)


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """The address of a sandbox served by a thread."""
    with sandbox_in_a_thread() as address:
        yield address


@pytest.fixture
def tiny(served: str) -> Iterator[Client]:
    """A client of a freshly reset sandbox whose account `demo` has no quota."""
    client = Client(served)
    client.control("POST", "/reset")
    client.account(plan="unlimited")
    yield client
    client.http.close()
