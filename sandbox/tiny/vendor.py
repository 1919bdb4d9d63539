"""The simulated Tiny: its accounts, its routes and what the merchant does in its screens."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from sandbox.core.clock import Clock
from sandbox.core.deliveries import Deliveries
from sandbox.core.exchange import Call, Request
from sandbox.core.settings import Settings
from sandbox.tiny import catalog, generator, olist, v2_contacts, v2_invoices, v2_orders, v2_reads, v2_writes
from sandbox.tiny.accounts import Account, Token, new_account
from sandbox.tiny.events import Events
from sandbox.tiny.merchant import TRADE_EDITS, Merchant
from sandbox.tiny.oauth import OAuthCall
from sandbox.tiny.product import Product, as_number
from sandbox.tiny.trade import Trade
from sandbox.tiny.v2 import Service, V2Call
from sandbox.tiny.v3 import Route, V3Call
from sandbox.tiny.v3_contacts import CONTACT_ROUTES
from sandbox.tiny.v3_invoices import INVOICE_ROUTES
from sandbox.tiny.v3_markers import MARKER_ROUTES
from sandbox.tiny.v3_orders import ORDER_ROUTES
from sandbox.tiny.v3_routes import ROUTES

SERVICES = {
    "info": Service(v2_reads.info),
    "produtos.pesquisa": Service(v2_reads.search),
    "produto.obter": Service(v2_reads.get),
    "produto.obter.estoque": Service(v2_reads.get_stock),
    "produto.obter.estrutura": Service(v2_reads.get_structure),
    "lista.atualizacoes.produtos": Service(v2_reads.product_changes),
    "lista.atualizacoes.estoque": Service(v2_reads.stock_changes),
    "produto.incluir": Service(v2_writes.create, writes=True, batch=True),
    "produto.alterar": Service(v2_writes.update, writes=True, batch=True),
    "produto.atualizar.estoque": Service(v2_writes.set_stock, writes=True),
    "produto.atualizar.precos": Service(v2_writes.set_prices, writes=True),
    "pedidos.pesquisa": Service(v2_orders.search),
    "pedido.obter": Service(v2_orders.get),
    "pedido.incluir": Service(v2_orders.create, writes=True),
    "pedido.alterar": Service(v2_orders.update, writes=True),
    "pedido.alterar.situacao": Service(v2_orders.set_situation, writes=True),
    "cadastrar.codigo.rastreamento.pedido": Service(v2_orders.set_tracking, writes=True),
    "gerar.nota.fiscal.pedido": Service(v2_orders.make_invoice, writes=True),
    "pedido.lancar.estoque": Service(v2_orders.launch_stock, writes=True),
    "pedido.estornar.estoque": Service(v2_orders.revert_stock, writes=True),
    "notas.fiscais.pesquisa": Service(v2_invoices.search),
    "nota.fiscal.obter": Service(v2_invoices.get),
    "nota.fiscal.obter.xml": Service(v2_invoices.get_xml),
    "nota.fiscal.obter.link": Service(v2_invoices.get_link),
    "nota.fiscal.emitir": Service(v2_invoices.emit, writes=True),
    "contatos.pesquisa": Service(v2_contacts.search),
    "contato.obter": Service(v2_contacts.get),
    "contato.incluir": Service(v2_contacts.create, writes=True, batch=True),
    "contato.alterar": Service(v2_contacts.update, writes=True, batch=True),
}
V2, V3, REALM = "/tiny/api2/", "/tiny/public-api/v3", "/tiny/realms/tiny/protocol/openid-connect"
EDITS = ("create", "patch", "delete", "stock", "account", "send_product", *TRADE_EDITS)
CATALOGUES = ("default", "generated", "olist", "empty")
_ROUTES = [
    (route, route.regex()) for route in (*ROUTES, *ORDER_ROUTES, *MARKER_ROUTES, *INVOICE_ROUTES, *CONTACT_ROUTES)
]


class Tiny:
    """All accounts; `open` understands a request, `edit` is the merchant at work."""

    name = "tiny"

    def __init__(self, clock: Clock, settings: Settings, deliveries: Deliveries | None = None) -> None:
        self.clock = clock
        self.settings = settings
        self.deliveries = deliveries
        self.accounts: dict[str, Account] = {}
        self.by_token: dict[str, Account] = {}

    def open(self, request: Request) -> Call:
        """Tell which call a request is; unknown paths become calls that answer 404."""
        path = request.path
        if path.startswith(V2):
            name = path[len(V2) :].removesuffix(".php")
            return V2Call(request, name, SERVICES.get(name), self.by_token, self.settings)
        if path.startswith(REALM):
            return OAuthCall(request, self.accounts, self.settings)
        rest = path.removeprefix(V3) or "/"
        route, item = _route(request.method, rest) if path.startswith(V3) else (None, "")
        return V3Call(request, rest, route, item, self._bearer(request), self.settings)

    def create_account(self, name: str, fields: Mapping[str, Any]) -> Account:
        """Add an account; ValueError when the name is taken or a field is wrong."""
        if name in self.accounts:
            raise ValueError(f"the account {name!r} exists")
        account = new_account(name, self.clock, len(self.accounts) + 1, self.settings.search_lag_s)
        events = Events(account, self.settings, self.deliveries)
        account.trade = Trade(account.store, self.settings, events)
        account.store.on_stock, account.store.on_edit = events.stock_moved, events.product_edited
        self.change_account(account, fields)
        self.accounts[name] = account
        self.by_token[account.token] = account
        return account

    def change_account(self, account: Account, fields: Mapping[str, Any]) -> None:
        """Change an account; ValueError when a credential is that of another one."""
        others = [other for other in self.accounts.values() if other is not account]
        for key in ("token", "client_id"):
            if key in fields and fields[key] in {getattr(other, key) for other in others}:
                raise ValueError(f"another account has that {key}")
        self.by_token.pop(account.token, None)
        try:
            account.change(fields)
        finally:
            if account.name in self.accounts:
                self.by_token[account.token] = account

    def account(self, name: str | None) -> Account:
        """Return an account; LookupError lists those there are."""
        found = self.accounts.get(name or "")
        if found is None:
            raise LookupError(f"no account {name!r}; there are {', '.join(self.accounts)}")
        return found

    def seed(self, account: Account, body: Mapping[str, Any]) -> int:
        """Replace the products of an account by a catalogue and return how many rows it has."""
        specs = _catalogue(body)
        store = account.store
        store.products.clear()
        store.changed.clear()
        store.stock_changed.clear()
        store.lagged.clear()
        store.fill(specs)
        return len(store.products)

    def settings_changed(self) -> None:
        """Hand settings on that live in the stores."""
        for account in self.accounts.values():
            account.store.search_lag_s = self.settings.search_lag_s

    def edit(self, step: Mapping[str, Any], account_name: str | None) -> dict[str, Any] | None:
        """Do what the merchant does in the screens of Tiny; ValueError or LookupError when it makes no sense.

        `op` create {product}, patch {id or sku, fields}, delete {id or sku, hard}, stock {id or sku, deposit,
        balance, reserved}, account {changes}, send_product {integration, id or sku}, and those of `merchant`;
        `account` names another account than that of the call, `quiet` sends no webhook.
        """
        account = self.account(step.get("account") or account_name)
        if step["op"] == "account":
            self.change_account(account, step.get("changes") or {})
            return None
        with account.trade.events.quiet(bool(step.get("quiet"))):
            done: dict[str, Any] = self._edit(account, step["op"], step)
            return done

    def _edit(self, account: Account, op: str, step: Mapping[str, Any]) -> Any:
        if op in TRADE_EDITS:
            return Merchant(account).edit(op, step)
        if op == "create":
            return show(account, account.store.create(step.get("product") or {}))
        product = self.product(account, step)
        if op == "send_product":
            shop = Merchant(account).integration(step)
            account.trade.events.send_product(shop, product)
            return shop.as_dict()
        if op == "patch":
            account.store.patch(product, step.get("fields") or {})
        elif op == "delete":
            account.store.delete(product, bool(step.get("hard")))
        else:
            _set_stock(account, product, step)
        return show(account, product)

    def product(self, account: Account, step: Mapping[str, Any]) -> Product:
        """Return the product a step names by `id` or `sku`; LookupError when there is none."""
        if step.get("id") is not None:
            found = account.store.products.get(int(step["id"]))
        else:
            found = next(iter(account.store.by_sku(str(step.get("sku")))), None)
        if found is None:
            raise LookupError(f"account {account.name} has no product {step.get('id') or step.get('sku')!r}")
        return found

    def _bearer(self, request: Request) -> tuple[Account, Token] | None:
        kind, _, text = request.headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        if kind.lower() == "bearer":
            for account in self.accounts.values():
                token = account.access_tokens.get(text)
                if token is not None:
                    return account, token
        return None


def show(account: Account, product: Product) -> dict[str, Any]:
    """Return a product as the control API shows it."""
    names = [n for n in Product.__slots__ if n not in ("rare", "stock", "reserved")]
    body = {name: getattr(product, name) for name in names} | (product.rare or {})
    body["estoque"] = {
        d.name: {"saldo": balance, "reservado": held} for d, balance, held in account.store.balances(product)
    }
    return body


def _set_stock(account: Account, product: Product, step: Mapping[str, Any]) -> None:
    deposit = account.store.deposit(step.get("deposit"))
    if deposit is None:
        names = ", ".join(d.name for d in account.store.deposits)
        raise ValueError(f"no deposit {step.get('deposit')!r}; there are {names}")
    given = {key: step.get(key) for key in ("balance", "reserved")}
    if all(value is None for value in given.values()):
        raise ValueError("a stock edit has balance, reserved or both")
    balance, reserved = (None if v is None else as_number(k, v) for k, v in given.items())
    account.store.set_stock(product, deposit, balance, reserved)


def _route(method: str, path: str) -> tuple[Route | None, str]:
    for route, pattern in _ROUTES:
        if route.method == method:
            found = pattern.fullmatch(path)
            if found is not None:
                return route, (found.groups() or ("",))[0]
    return None, ""


def _catalogue(body: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    kind = body.get("catalog", "default")
    if kind == "default":
        return catalog.products()
    if kind == "empty":
        return ()
    if kind == "generated":
        return _checked(
            generator.products(
                int(body.get("size", 1000)),
                int(body.get("seed", 1)),
                variations_share=float(body.get("variations_share", 0)),
                kits_share=float(body.get("kits_share", 0)),
            )
        )
    if kind == "olist":
        if not body.get("folder"):
            raise ValueError("the olist catalogue needs a folder")
        size = body.get("size")
        return _checked(olist.products(Path(body["folder"]), None if size is None else int(size)))
    raise ValueError(f"catalog is one of {', '.join(CATALOGUES)}; got {kind!r}")


def _checked(specs: Iterator[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    # A generator complains at its first item: ask for it before the old products are thrown away.
    first = next(specs, None)
    return iter(()) if first is None else chain((first,), specs)
