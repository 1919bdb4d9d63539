"""A merchant, a tester and an API client of the simulated Conta Azul in one, for the tests of this folder."""

from typing import Any

import httpx

APP = ("demo-client", "demo-client-secret")
SCOPE = "openid profile aws.cognito.signin.user.admin"
BACK = "https://hub.example/callback"


class ContaAzulClient:
    """The account `demo` over real HTTP; `api` uses one access token."""

    def __init__(self, url: str) -> None:
        # Plain HTTP: reading the certificates anew for every test would take longer than the test.
        self.http = httpx.Client(base_url=url, timeout=10, verify=False)
        self.control("POST", "/reset", {"catalog": "empty"})
        self.account(per_second=None, per_minute=None)
        self.token = self.tokens()["access_token"]

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.http.request(method, f"/_sandbox{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def settings(self, **values: Any) -> Any:
        return self.control("POST", "/settings", {f"contaazul_{k}": v for k, v in values.items()})

    def freeze(self, now: str = "2026-11-10T12:00:00") -> None:
        self.control("POST", "/settings", {"clock_rate": 0, "now": now})

    def advance(self, seconds: float) -> None:
        self.control("POST", "/clock", {"advance_s": seconds})

    def account(self, name: str = "demo", **changes: Any) -> Any:
        return self.control("POST", f"/contaazul/accounts/{name}", changes)

    def erp(self, method: str, path: str, body: Any = None) -> Any:
        """Act at the ERP's screens of `demo`."""
        return self.control(method, f"/contaazul/accounts/demo/{path}", body)

    def tokens(self, name: str = "demo") -> dict[str, Any]:
        return self.control("POST", f"/contaazul/accounts/{name}/tokens")

    def api(self, method: str, path: str, *, token: str | None = None, **rest: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.http.request(method, f"/contaazul/v1{path}", headers=headers, **rest)

    def get(self, path: str, **params: Any) -> Any:
        answer = self.api("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def error(self, answer: httpx.Response) -> str:
        """Return the sentence of a 400 in whichever shape it came."""
        assert answer.status_code == 400, answer.text
        body = answer.json()
        return body.get("error") or body["message"]

    def authorize(self, **changes: Any) -> httpx.Response:
        query = {
            "response_type": "code", "client_id": APP[0], "redirect_uri": BACK, "state": "s/1", "scope": SCOPE,
            **changes,
        }  # fmt: skip
        return self.http.get("/contaazul/oauth/authorize", params=query)

    def grant(self, *, path: str = "/oauth/token", auth: Any = APP, **form: Any) -> httpx.Response:
        return self.http.post(f"/contaazul{path}", data=form, auth=auth)

    def refresh(self, value: str, **rest: Any) -> httpx.Response:
        return self.grant(grant_type="refresh_token", refresh_token=value, **rest)

    def product(self, **fields: Any) -> dict[str, Any]:
        body = {"nome": "Caneca azul", "estoque": {"valor_venda": 50.0, "estoque_disponivel": 10}, **fields}
        answer = self.api("POST", "/produtos", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def person(self, **fields: Any) -> dict[str, Any]:
        body = {
            "nome": "Cliente Inventado", "tipo_pessoa": "Física", "cpf": "900.000.001-32",
            "perfis": [{"tipo_perfil": "Cliente"}], **fields,
        }  # fmt: skip
        answer = self.api("POST", "/pessoas", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sale_body(self, product: str, person: str, **changes: Any) -> dict[str, Any]:
        """Return a right body: 2 × 50.00 + 15.00 freight - 5.00."""
        return {
            "id_cliente": person, "numero": 1, "situacao": "APROVADO", "data_venda": "2026-11-10",
            "observacoes": "Pedido da loja 777", "itens": [{"id": product, "quantidade": 2, "valor": 50.0}],
            "composicao_de_valor": {"frete": 15.0, "desconto": {"tipo": "VALOR", "valor": 5.0}},
            "condicao_pagamento": {
                "tipo_pagamento": "PIX_PAGAMENTO_INSTANTANEO", "opcao_condicao_pagamento": "À vista",
                "parcelas": [{"data_vencimento": "2026-11-10", "valor": 110.0, "descricao": "Parcela 1"}],
            },
            **changes,
        }  # fmt: skip

    def sell(self, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.api("POST", "/venda", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()
