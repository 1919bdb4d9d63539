"""A merchant, a tester and an API client of the simulated TagPlus in one, for the tests of this folder."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

APP = {"client_id": "demo-client", "client_secret": "demo-client-secret"}
BACK = "https://hub.example/callback"
VERSION = {"X-Api-Version": "2.0"}


class TagPlusClient:
    """The account `demo` over real HTTP; `api` uses one access token."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=10, verify=False)
        self.control("POST", "/reset", {"catalog": "empty"})
        self.account(redirect_uri=BACK)
        self.token = self.tokens()["access_token"]

    def control(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        answer = self.http.request(method, f"/_sandbox{path}", json=body)
        assert answer.is_success if status is None else answer.status_code == status, answer.text
        return answer.json()

    def settings(self, **values: Any) -> Any:
        return self.control("POST", "/settings", {f"tagplus_{k}": v for k, v in values.items()})

    def freeze(self, now: str = "2026-11-10T12:00:00") -> None:
        self.control("POST", "/settings", {"clock_rate": 0, "now": now})

    def advance(self, seconds: float) -> None:
        self.control("POST", "/clock", {"advance_s": seconds})

    def account(self, name: str = "demo", **changes: Any) -> Any:
        return self.control("POST", f"/tagplus/accounts/{name}", changes)

    def erp(self, method: str, path: str, body: Any = None, status: int | None = None) -> Any:
        """Act at the ERP's screens of `demo`."""
        return self.control(method, f"/tagplus/accounts/demo/{path}", body, status)

    def tokens(self, scopes: list[str] | None = None, name: str = "demo") -> dict[str, Any]:
        return self.control("POST", f"/tagplus/accounts/{name}/tokens", {} if scopes is None else {"scopes": scopes})

    def api(self, method: str, path: str, *, token: str | None = None, headers: Any = None, **rest: Any) -> Any:
        own = {"Authorization": f"Bearer {token or self.token}", **VERSION, **(headers or {})}
        return self.http.request(method, f"/tagplus/api{path}", headers=own, **rest)

    def get(self, path: str, headers: Any = None, **params: Any) -> Any:
        answer = self.api("GET", path, params=params, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def write(self, method: str, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.api(method, path, json=body, headers=own)
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, path: str, body: Any, status: int = 201, **headers: str) -> Any:
        return self.write("POST", path, body, status, **headers)

    def patch(self, path: str, body: Any, status: int = 200) -> Any:
        return self.write("PATCH", path, body, status)

    def authorize(self, **changes: Any) -> httpx.Response:
        query = {"response_type": "code", "client_id": APP["client_id"], "scope": "write:produtos read:me", **changes}
        return self.http.get("/tagplus/authorize", params=query)

    def back(self, answer: httpx.Response) -> dict[str, str]:
        """Return what came back with the redirect."""
        assert answer.status_code == 302, answer.text
        parts = urlsplit(answer.headers["location"])
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == BACK
        return {k: v[0] for k, v in parse_qs(parts.query or parts.fragment).items()}

    def grant(self, **form: Any) -> httpx.Response:
        return self.http.post("/tagplus/api/oauth2/token", data={**APP, **form})

    def refresh(self, value: str) -> httpx.Response:
        return self.grant(grant_type="refresh_token", refresh_token=value)

    def product(self, **fields: Any) -> dict[str, Any]:
        body = {"descricao": "Caneca azul", "codigo": "CAN-1", "valor_venda_varejo": 49.9, "qtd_revenda": 10, **fields}
        return self.post("/produtos", body)

    def customer(self, **fields: Any) -> dict[str, Any]:
        return self.post("/clientes", {"razao_social": "Cliente Inventado", "cpf": "90000000132", **fields})

    def order_body(self, product: int, customer: int, **changes: Any) -> dict[str, Any]:
        """Return a right body: 2 × 49.90 + 20.00 freight - 5.00."""
        return {
            "codigo_externo": "LOJA-1001", "cliente": customer,
            "itens": [{"produto_servico": product, "qtd": 2, "valor_unitario": 49.9}], "valor_frete": 20,
            "valor_desconto": 5,
            "faturas": [{"forma_pagamento": 3, "parcelas": [
                {"documento": "LOJA-1001/1", "valor_parcela": 114.8, "data_vencimento": "2026-11-10"}]}],
            **changes,
        }  # fmt: skip

    def deliveries(self) -> list[dict[str, Any]]:
        """Wait until nothing is pending and return what was sent."""
        assert self.control("POST", "/deliveries/wait", {"seconds": 5})["idle"]
        return self.control("GET", "/deliveries")["deliveries"]
