"""What the tests of Tiny's orders, notes and webhooks share."""

ID = 700_000_000
ACCOUNT = "/tiny/accounts/demo"
CLIENT = {
    "codigo": "c-1", "nome": "Maria Souza", "tipo_pessoa": "F", "cpf_cnpj": "11144477735", "endereco": "Rua A",
    "numero": "1", "bairro": "Centro", "cep": "01001000", "cidade": "São Paulo", "uf": "SP", "email": "m@exemplo.com",
}  # fmt: skip
ITEM = {"codigo": "CAN-300", "descricao": "Caneca", "unidade": "UN", "quantidade": "2", "valor_unitario": "29.90"}


def order(*items, client=None, **fields):
    """A body of pedido.incluir with one line unless others are given."""
    rows = [{"item": item} for item in items or (ITEM,)]
    head = {"data_pedido": "11/02/2026", "numero_pedido_ecommerce": "10245", "situacao": "aprovado"}
    return {"pedido": {**head, "cliente": {**CLIENT, **(client or {})}, "itens": rows, **fields}}


def place(tiny, *items, **fields):
    """Create an order by v2 and return its id as text."""
    answer = tiny.v2("pedido.incluir", pedido=order(*items, **fields))
    assert answer["status"] == "OK", answer
    return answer["registros"]["registro"]["id"]


def refusal(tiny, *items, **fields):
    """Send an order that is refused and return its record."""
    answer = tiny.v2("pedido.incluir", pedido=order(*items, **fields))
    assert (answer["status"], "codigo_erro" in answer) == ("Erro", False)
    return answer["registros"][0]["registro"]


def texts(record):
    return [row["erro"] for row in record["erros"]]


def found(tiny, **filters):
    """The ids of a search, in its order; [] for code 20."""
    answer = tiny.v2("pedidos.pesquisa", **filters)
    if answer["status"] == "Erro":
        assert answer["codigo_erro"] == 20
        return []
    return [row["pedido"]["id"] for row in answer["pedidos"]]


def stock(tiny, product=ID):
    """Balance and reservation of a product."""
    body = tiny.v2("produto.obter.estoque", id=product)["produto"]
    return body["saldo"], body["saldoReservado"]


def stored(tiny, order_id):
    """An order as the control API shows it."""
    return tiny.control("GET", f"{ACCOUNT}/orders/{order_id}")


def shop(tiny, **fields):
    """Register the integration 8390."""
    return tiny.control("POST", f"{ACCOUNT}/integrations", {"id": 8390, "name": "Nuvem da Loja", **fields})


class V3:
    """A v3 client with one token."""

    def __init__(self, tiny):
        self.tiny = tiny
        self.token = tiny.tokens()["access_token"]

    def __call__(self, method, path, status=200, **rest):
        answer = self.tiny.v3(method, path, token=self.token, **rest)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


def contact_v3(v3, **fields):
    body = {"nome": "Maria Souza", "cpfCnpj": "111.444.777-35", "endereco": {"municipio": "São Paulo", "uf": "SP"}}
    return v3("POST", "/contatos", json={**body, **fields})["id"]


def order_v3(v3, contact, **fields):
    body = {
        "idContato": contact, "data": "2026-02-11", "situacao": 3,
        "itens": [{"produto": {"id": ID}, "quantidade": 2, "valorUnitario": 29.9}],
    }  # fmt: skip
    return v3("POST", "/pedidos", json={**body, **fields})["id"]
