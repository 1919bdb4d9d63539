"""Webhooks of an account, both families, posted over real HTTP (`reference/tiny.md` §6)."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.core.deliveries import Deliveries
from sandbox.core.settings import Settings
from sandbox.tiny import event_bodies as bodies
from sandbox.tiny.integrations import Integration
from sandbox.tiny.product import Product
from sandbox.tiny.records import Invoice, Order, digits

if TYPE_CHECKING:
    from sandbox.tiny.accounts import Account

ACCOUNT_KINDS = ("pedidos", "pedidos_enviados", "estoque", "nota_fiscal")
_MINUTES = 60.0
#: Pauses before the repetitions: 5, 10, 15… minutes, up to 10 or 15 times; a product is tried twice at once.
ACCOUNT_RETRIES = tuple(5 * _MINUTES * n for n in range(1, 11))
INTEGRATION_RETRIES = tuple(5 * _MINUTES * n for n in range(1, 16))
PRODUCT_RETRIES = (5.0,)
_HEADERS = {"content-type": "application/json", "user-agent": "Tiny-Webhook"}


class Events:
    """What an account tells the world; `quiet` keeps it silent for a while, as a lost event would."""

    def __init__(self, account: "Account", settings: Settings, deliveries: Deliveries | None) -> None:
        self.account = account
        self.settings = settings
        self.deliveries = deliveries
        self.urls: dict[str, str] = {}
        self.integrations: dict[int, Integration] = {}
        self._quiet = 0

    @contextmanager
    def quiet(self, on: bool = True) -> Iterator[None]:
        """Send nothing inside the block when `on`."""
        self._quiet += on
        try:
            yield
        finally:
            self._quiet -= on

    def order_created(self, order: Order) -> None:
        """A new order: account family only [I]."""
        self._to_account("pedidos", "inclusao_pedido", bodies.order(order))

    def order_changed(self, order: Order, former: Mapping[str, Any]) -> None:
        """An edited order; `former` has its `situation`, `tracking` and `tracking_url` from before."""
        self._to_account("pedidos", "atualizacao_pedido", bodies.order(order))
        shop = self.integrations.get(order.shop_id)
        if order.situation != former["situation"]:
            if order.situation == "enviado":
                # The body of "sent orders" is not published (§6.1): it is that of an order here.
                self._to_account("pedidos_enviados", "pedido_enviado", bodies.order(order))
            self._to_shop(shop, "situacao_pedido", bodies.situation(order))
        tracking = (order.tracking, order.tracking_url)
        if any(tracking) and tracking != (former["tracking"], former["tracking_url"]):
            self._to_shop(shop, "rastreio", bodies.tracking(order), version="1.0.1")

    def invoice_authorized(self, note: Invoice, order: Order | None) -> None:
        """An authorized note."""
        self._to_account("nota_fiscal", "nota_fiscal", bodies.invoice(note))
        if order is not None:
            self._to_shop(self.integrations.get(order.shop_id), "nota_fiscal", bodies.invoice(note))

    def stock_moved(self, product: Product) -> None:
        """A balance changed; reservations do not come here (§6.1)."""
        rows = [row for row in self.account.store.balances(product) if not row[0].ignored]
        balance = sum(b for _, b, _ in rows)
        self._to_account("estoque", "estoque", bodies.account_stock(product, balance))
        available = balance - sum(held for _, _, held in rows)
        for shop in self.integrations.values():
            row, parent = shop.mapping(product.id), shop.mapping(product.pai)
            if row is not None:
                figure = balance if shop.stock_type == "F" else available
                self._to_shop(shop, "estoque", bodies.shop_stock(product, shop.stock_type, figure, row, parent))

    def product_edited(self, product: Product, before: Product | None) -> None:
        """An edited product: prices of mapped ones, the product itself where it is sent automatically.

        Deletion and activation fire nothing (§6.1).
        """
        if before is None or before.situacao != product.situacao:
            return
        repriced = (before.preco, before.preco_promocional) != (product.preco, product.preco_promocional)
        for shop in self.integrations.values():
            row, parent = shop.mapping(product.id), shop.mapping(product.pai)
            if repriced and row is not None:
                self._to_shop(shop, "precos", bodies.prices(product, row, parent))
            if shop.auto_send and (product.pai or product.id) in shop.mappings:
                self.send_product(shop, product)

    def send_product(self, shop: Integration, product: Product) -> None:
        """Send a product (of a variation the parent) to an integration and read the mappings of its answer."""
        store = self.account.store
        whole = store.products.get(product.pai, product)
        for product_id in (whole.id, *whole.filhos):
            shop.allot(product_id)
        body = bodies.product(store, whole, shop.mappings)
        self._to_shop(shop, "produto", body, retries=PRODUCT_RETRIES, on_answer=shop.read_answer)

    def _to_account(self, kind: str, tipo: str, data: dict[str, Any]) -> None:
        envelope = {"versao": "1.0.1", "cnpj": digits(self.account.cnpj), "tipo": tipo, "dados": data}
        self._post(self.urls.get(kind), f"conta:{tipo}", envelope, ACCOUNT_RETRIES, None)

    def _to_shop(
        self,
        shop: Integration | None,
        tipo: str,
        data: dict[str, Any],
        *,
        version: str = "1.0.0",
        retries: tuple[float, ...] = INTEGRATION_RETRIES,
        on_answer: Callable[[int, bytes], None] | None = None,
    ) -> None:
        if shop is None:
            return
        number: Any = str(shop.id) if self.settings.types == "messy" else shop.id
        envelope = {"versao": version, "cnpj": digits(self.account.cnpj), "idEcommerce": number, "tipo": tipo}
        self._post(shop.webhooks.get(tipo), f"loja:{tipo}", {**envelope, "dados": data}, retries, on_answer)

    def _post(
        self,
        url: str | None,
        event: str,
        envelope: dict[str, Any],
        retries: tuple[float, ...],
        on_answer: Callable[[int, bytes], None] | None,
    ) -> None:
        if not url or self._quiet or self.deliveries is None:
            return
        self.deliveries.post(
            vendor="tiny",
            account=self.account.name,
            event=event,
            url=url,
            headers=_HEADERS,
            body=orjson.dumps(envelope),
            retry_after_s=retries,
            on_answer=on_answer,
        )
